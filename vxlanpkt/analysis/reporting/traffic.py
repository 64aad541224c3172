"""Sections on who talks: VNIs over time, tunnel endpoints, flows."""

from __future__ import annotations

from math import ceil, log10

from vxlanpkt.analysis.findings import Address, Findings, Timeline, VNITraffic
from vxlanpkt.analysis.flow_tables import Flow
from vxlanpkt.analysis.reporting.charts import chart, legend, name_of, small_charts
from vxlanpkt.analysis.reporting.pieces import Cell, Piece, Row, details, how, join, nothing, table, tag
from vxlanpkt.analysis.reporting.wording import (
    count_cell,
    duration,
    listed,
    moment,
    number,
    share,
    since,
    size,
    size_cell,
    span,
    tcp_flags,
)
from vxlanpkt.analysis.vtep_tables import VTEP
from vxlanpkt.analysis.words import counted, ends, protocol

_MOST_VNIS, _MOST_PAIRS, _MOST_IN_MATRIX = 1000, 200, 16
_SHADES, _SHADES_PER_TEN = 7, 2
_NO_VXLAN = "No record is VXLAN under this policy: are the UDP ports right?"


def vnis(findings: Findings) -> Piece:
    """How much there is in each VNI, and when."""
    rows = findings.vnis.rows
    if not rows:
        return nothing(_NO_VXLAN)
    return join(_over_time(findings.timeline), _vni_table(findings), how(
        "Packets that the policy accepts, by the VNI of the outermost tunnel; bytes are those of the inner frames on "
        "the wire. Sent again, duplicates and unanswered are counted as the sections below say."
    ))  # fmt: skip


def _over_time(timeline: Timeline | None) -> Piece:
    if timeline is None:
        return tag("p", "No record has a timestamp, so there is nothing to draw over time.")
    notes = f"Bit/s of inner frames, in intervals of {span(timeline.width_ns)}, from {moment(timeline.start_ns, 6)} on."
    if not timeline.exact:
        notes += (
            " There are so many VNIs that small ones were put together before all of them were seen: a part of what "
            "counts as others may belong to one that is drawn."
        )
    heads = ["Begin (UTC)", "Packets", *(name_of(series, timeline) for series in timeline.series)]
    rows = []
    for at in range(len(timeline.series[0].bytes)):
        if not any(series.packets[at] for series in timeline.series):
            continue
        begin = timeline.start_ns + at * timeline.width_ns
        packets = sum(series.packets[at] for series in timeline.series)
        cells = [size_cell(series.bytes[at]) if series.bytes[at] else "" for series in timeline.series]
        rows.append(Row([Cell(moment(begin), begin), count_cell(packets), *cells]))
    behind = table(heads, rows, caption="Bytes of inner frames in each interval", numbers=range(1, len(heads)))
    return join(
        tag("p", notes),
        chart(timeline),
        legend(timeline),
        small_charts(timeline),
        details("The numbers behind the picture", behind),
    )


def _vni_table(findings: Findings) -> Piece:
    shown = findings.vnis.rows[:_MOST_VNIS]
    whole, begin = findings.overview.inner_bytes, findings.overview.first_ns
    heads = ("VNI", "Share", "Bytes", "Packets", "Endpoint pairs", "First", "Last", "Sent again", "Duplicates",
             "Unanswered", "First record")  # fmt: skip
    rows = [_vni_row(row, whole, begin) for row in shown]
    told = f"{counted(len(findings.vnis.rows), 'VNI')}; times are seconds after the first record"
    made = table(heads, rows, caption=told,
                 numbers=range(2, len(heads)))  # fmt: skip
    more = len(findings.vnis.rows) - len(shown)
    notes = []
    if more:
        octets = sum(row.bytes for row in findings.vnis.rows[_MOST_VNIS:])
        notes.append(tag("p", f"{counted(more, 'smaller VNI')} with {size(octets)} together are not listed."))
    if findings.vnis.left_out:
        notes.append(tag("p", f"The table was full: {counted(findings.vnis.left_out, 'packet')} of VNIs that were met "
                         "later are in none of its rows."))  # fmt: skip
    return join(made, *notes)


def _vni_row(row: VNITraffic, whole: int, begin: int | None) -> Row:
    return Row(
        [
            Cell(row.vni, row.vni), Cell(join(_bar(row.bytes, whole), " ", share(row.bytes, whole)), row.bytes),
            size_cell(row.bytes), count_cell(row.packets), count_cell(row.pairs), since(row.first_ns, begin),
            since(row.last_ns, begin), count_cell(row.retransmitted), count_cell(row.duplicates),
            count_cell(row.unanswered), count_cell(row.first_record),
        ],
        row.vni,
    )  # fmt: skip


def _bar(part: int, whole: int) -> Piece:
    wide = round(90 * part / whole, 1) if whole else 0
    back, front = tag("rect", width=90, height=10, rx=2, class_="back"), tag("rect", width=wide, height=10, rx=2)
    return tag("svg", back, front, class_="bar", viewBox="0 0 90 10", aria_hidden="true")


def endpoints(findings: Findings) -> Piece:
    """Who sends to whom on the underlay, IPv4 and IPv6 apart."""
    found = findings.endpoints
    if not found.pairs:
        return nothing(_NO_VXLAN)
    parts: list[Piece] = []
    for version in (4, 6):
        pairs = [pair for pair in found.pairs if pair.src.version == version]
        if pairs:
            parts += [tag("h3", f"Over IPv{version}"), _matrix(pairs, version), _pair_table(pairs, findings, version)]
    if found.left_out:
        parts.append(tag("p", f"The table was full: {counted(found.left_out, 'packet')} of endpoints that were met "
                         "later are not in it."))  # fmt: skip
    return join(*parts, how(
        "Packets that the policy accepts, by outer source and destination; bytes are those of the outer frames on the "
        "wire. Two shades are a factor of ten; what others have together has none. An address of a group is a "
        "destination as any other."
    ))  # fmt: skip


def _matrix(pairs: list[VTEP], version: int) -> Piece:
    sums: dict[Address, int] = {}
    for pair in pairs:
        for address in {pair.src, pair.dst}:
            sums[address] = sums.get(address, 0) + pair.outer_bytes
    shown = sorted(sums, key=lambda address: (-sums[address], address))[:_MOST_IN_MATRIX]
    others = len(sums) - len(shown)
    cells: dict[tuple[Address | None, Address | None], list[int]] = {}
    for pair in pairs:
        place = tuple(address if address in shown else None for address in (pair.src, pair.dst))
        cell = cells.setdefault(place, [0, 0])  # type: ignore[arg-type]
        cell[0] += pair.packets
        cell[1] += pair.outer_bytes
    names: list[Address | None] = [*shown, *([None] if others else [])]
    senders = [name for name in names if any((name, to) in cells for to in names)]
    receivers = [name for name in names if any((of, name) in cells for of in names)]
    most = max((octets for place, (_, octets) in cells.items() if None not in place), default=0)
    head = tag("tr", tag("th", "from ↓ to →", scope="col"), *(
        tag("th", tag("span", _name(name, others)), scope="col") for name in receivers
    ))  # fmt: skip
    body = [
        tag("tr", tag("th", _name(name, others), scope="row"), *(
            _matrix_cell(cells.get((name, to)), most if name and to else 0) for to in receivers
        ))
        for name in senders
    ]  # fmt: skip
    title = f"Bytes and packets between {counted(len(sums), 'endpoint')} over IPv{version}"
    if others:
        title += f": the {len(shown)} with most bytes, and all others together"
    inner = tag("table", tag("caption", title), tag("thead", head), tag("tbody", *body))
    return tag("div", inner, class_="scroll matrix", tabindex=0, role="region", aria_label=title)


def _name(address: Address | None, others: int) -> str:
    return f"{others:,} others" if address is None else str(address)


def _matrix_cell(cell: list[int] | None, most: int) -> Piece:
    if cell is None:
        return tag("td")
    packets, octets = cell
    shade = f"h{max(_SHADES + ceil(_SHADES_PER_TEN * log10((octets or 1) / most)), 1)}" if most else None
    return tag("td", size(octets), tag("small", f"{packets:,}"), class_=shade,
               title=f"{packets:,} packets, {octets:,} bytes")  # fmt: skip


def _pair_table(pairs: list[VTEP], findings: Findings, version: int) -> Piece:
    begin = findings.overview.first_ns
    heads = ("From", "To", "Outer bytes", "Inner bytes", "Packets", "VNIs", "First", "Last", "First record")
    rows = [
        Row([
            pair.src, pair.dst, size_cell(pair.outer_bytes), size_cell(pair.inner_bytes), count_cell(pair.packets),
            Cell(listed(pair.vnis, 6), len(pair.vnis), listed(pair.vnis, 100)), since(pair.first_ns, begin),
            since(pair.last_ns, begin), count_cell(pair.first_record),
        ])
        for pair in pairs[:_MOST_PAIRS]
    ]  # fmt: skip
    told = f"{counted(len(pairs), 'pair')} of endpoints over IPv{version}"
    if len(pairs) > _MOST_PAIRS:
        rest = pairs[_MOST_PAIRS:]
        told += (
            f"; the {_MOST_PAIRS} with most bytes. The other {len(rest):,} have {number(sum(p.packets for p in rest))} "
            f"packets and {size(sum(pair.outer_bytes for pair in rest))} together"
        )
    return details(f"Every pair over IPv{version} as a list" if len(pairs) <= _MOST_PAIRS else "The largest as a list",
                   table(heads, rows, caption=told, numbers=(2, 3, 4, 6, 7, 8)))  # fmt: skip


def flows(findings: Findings) -> Piece:
    """Who talks to whom inside the tunnels."""
    found = findings.flows
    if not found.top:
        return nothing(_NO_VXLAN)
    told = f"{counted(found.count, 'flow')}"
    if found.count > len(found.top):
        told = f"The {len(found.top):,} with most bytes of {told}"
    parts = [flow_table(found.top, findings, told)]
    if found.left_out:
        parts.append(tag("p", f"The table was full: {counted(found.left_out, 'packet')} of flows that come later "
                         "in the file are not in it. A large one may be missing here; --vni makes room."))  # fmt: skip
    return join(*parts, how(
        "A flow is a VNI, two inner addresses, an IP protocol and its ports, in both directions, the sender of its "
        "first packet in the file on the left. The same addresses in two VNIs are two flows. What is not IP counts by "
        "its EtherType, frames of IEEE 802.3 together; fragments behind the first have no ports, and count as a flow "
        "without. TCP flags are all that were seen."
    ))  # fmt: skip


def flow_table(chosen: tuple[Flow, ...], findings: Findings, caption: str) -> Piece:
    """Flows as a table."""
    begin = findings.overview.first_ns
    heads = ("VNI", "A", "B", "Protocol", "Bytes A→B", "Bytes B→A", "Packets A→B", "Packets B→A", "Duration", "First",
             "TCP flags A→B", "TCP flags B→A", "First record")  # fmt: skip
    rows = []
    for flow in chosen:
        one, other = ends(flow)
        rows.append(Row(
            [
                Cell(flow.vni, flow.vni), one, other, protocol(flow), size_cell(flow.bytes),
                size_cell(flow.reverse_bytes) if flow.reverse_packets else Cell("", 0), count_cell(flow.packets),
                count_cell(flow.reverse_packets), Cell(duration(flow.duration_ns), flow.duration_ns),
                since(flow.first_ns, begin), tcp_flags(flow.tcp_flags), tcp_flags(flow.reverse_tcp_flags),
                count_cell(flow.first_record),
            ],
            flow.vni,
        ))  # fmt: skip
    return table(heads, rows, caption=caption, numbers=(4, 5, 6, 7, 8, 9, 12))

"""Sections on what was refused, and on signs of loss."""

from __future__ import annotations

from vxlanpkt.analysis.findings import Drop, Findings, PairCount, Repetitions
from vxlanpkt.analysis.reporting.pieces import Cell, Piece, Row, how, join, nothing, table, tag
from vxlanpkt.analysis.reporting.traffic import flow_table
from vxlanpkt.analysis.reporting.wording import (
    count_cell,
    examples,
    frame_numbers,
    number,
    sentence,
    share,
    size_cell,
    span,
)
from vxlanpkt.analysis.words import counted
from vxlanpkt.errors import Reason
from vxlanpkt.explanation import REMEDIES, OfFrame, Remedy
from vxlanpkt.reasons import REASONS

_MARKS = ("Not-ECT", "ECT(1)", "ECT(0)", "CE")


def drops(findings: Findings) -> Piece:
    """Every reason, what it says, and what can be done."""
    if not findings.drops:
        return nothing("Every record is VXLAN that the policy accepts.")
    heads = ("Reason", "Records", "Share", "Bytes", "The first", "What it says", "What to do")
    rows = [_drop_row(drop, findings) for drop in findings.drops]
    return join(
        table(heads, rows, caption="Records by the reason for which they were refused", numbers=(1, 2, 3)),
        how("Each record is refused for the first check that fails, from the outside in; shares are of all records. ",
            tag("code", "vxlanpkt explain"), " compares policies, and says for one frame what would have to change."),
    )  # fmt: skip


def _drop_row(drop: Drop, findings: Findings) -> Row:
    info, records = REASONS[drop.reason], findings.overview.records
    told = f"{info.layer}: {info.text}" if info.layer else info.text
    advice = _advice(drop.reason, findings)
    return Row([
        drop.reason.name, count_cell(drop.records), Cell(share(drop.records, records), drop.records),
        size_cell(drop.bytes), frame_numbers(drop.examples), Cell(told, class_="wrap"), Cell(advice, class_="wrap"),
    ])  # fmt: skip


def _advice(reason: Reason, findings: Findings) -> str:
    """What is known to help; of fragments, a policy helps only those that are whole."""
    remedy = REMEDIES.get(reason)
    if remedy is None:
        return ""
    helps = reason is not Reason.FRAGMENT or findings.sizes.atomic_fragments
    return "; ".join(filter(None, (remedy.hint, _parameters(remedy) if helps else "")))


def _parameters(remedy: Remedy) -> str:
    """The parameters of a policy that decide."""
    told = [
        f"{change.parameter}=..." if isinstance(change.value, OfFrame) else f"{change.parameter}={change.value!r}"
        for change in remedy.changes
    ]
    frames = f" for {remedy.only}" if remedy.only else ""
    return f"policy: {' or '.join(told)}{frames}" if told else ""


def pair_table(pairs: tuple[PairCount, ...], findings: Findings, caption: str, what: str) -> Piece:
    """Who is concerned, and how much that is of what they send."""
    with_vni = any(pair.vni is not None for pair in pairs)
    heads = [*(["VNI"] if with_vni else []), "From", "To", what, "Packets in all", "Share", "First record"]
    rows = [
        Row(
            [
                *([Cell(pair.vni, pair.vni)] if with_vni else []), pair.src, pair.dst, count_cell(pair.count),
                count_cell(pair.packets), Cell(share(pair.count, pair.packets) if pair.packets else "", pair.count),
                count_cell(pair.first_record),
            ],
            pair.vni,
        )
        for pair in pairs
    ]  # fmt: skip
    first = 3 if with_vni else 2
    return table(heads, rows, caption=caption, numbers=range(first, first + 4))


def left_out(count: int) -> Piece:
    """What a table of endpoints had no room for."""
    return (
        sentence(f"The table was full: {counted(count, 'packet')} of other endpoints are not in it.")
        if count
        else Piece("")
    )


def duplicates(findings: Findings) -> Piece:
    """Frames that are there twice."""
    found = findings.duplicates
    method = how(
        "The same inner frame, byte for byte, of the same VNI between the same two endpoints, no more than "
        f"{span(found.window_ns)} after the one before; each repetition counts once. A retransmission is told from it "
        "by the time, as TCP waits for at least a round trip and mostly 200 ms or more, and by the inner IPv4 "
        "identification, which a host changes when it sends again. A host that sends the same bytes twice within the "
        "window cannot be told from a copy. Frames that the capture cut are compared as far as they are there. "
        "Records without a timestamp are not looked at."
    )  # fmt: skip
    if not found.count:
        return join(nothing("No frame was there twice."), _overlooked(found), method)
    kinds = [
        (found.same_outer, "with the same outer IPv4 identification: copied behind the encapsulation, by the underlay "
         "or by the capture (a mirror of both directions, two ports of one path)"),
        (found.new_outer, "with another outer identification: encapsulated twice, by a loop, doubled flooding or a "
         "sender"),
        (found.unknown, "over IPv6, which has no identification, or with one of 0, which a sender may give to all"),
    ]  # fmt: skip
    told = [tag("li", f"{number(count)} {what}") for count, what in kinds if count]
    return join(
        sentence(counted(found.count, "frame"), f" ({share(found.count, findings.overview.vxlan)}) repeat one before:"),
        tag("ul", *told), _repeated(found, findings, "Duplicates by VNI and endpoints"), method,
    )  # fmt: skip


def retransmissions(findings: Findings) -> Piece:
    """TCP segments that a host sent again."""
    found = findings.retransmissions
    method = how(
        "Inner TCP segments with data, SYN or FIN that have the same VNI, endpoints, addresses, ports, sequence "
        f"number and length as one no more than {span(found.window_ns)} before, and are no duplicate. Segments that "
        "are cut anew when they are sent again are not found, so these are at least so many. Something was lost "
        "behind the place of the capture, or its acknowledgment was, or it came too late."
    )  # fmt: skip
    if not found.count:
        return join(nothing("No TCP segment was sent again."), _overlooked(found), method)
    return join(
        sentence(counted(found.count, "segment"), f", {share(found.count, findings.overview.vxlan)} of all packets."),
        _repeated(found, findings, "Segments sent again by VNI and endpoints"), method,
    )  # fmt: skip


def _repeated(found: Repetitions, findings: Findings, caption: str) -> Piece:
    rows = [Row([Cell(one.record, one.record), Cell(one.earlier, one.earlier),
                 frame_numbers((one.earlier, one.record))]) for one in found.examples]  # fmt: skip
    return join(
        pair_table(found.pairs, findings, caption, "Repetitions"),
        left_out(found.left_out),
        table(("Record", "Repeats record", "Both"), rows, caption="The first of them", numbers=(0, 1)),
        _overlooked(found),
    )  # fmt: skip


def _overlooked(found: Repetitions) -> Piece:
    if not found.overlooked:
        return Piece("")
    return sentence(f"Packets follow each other so fast that {number(found.overlooked)} were forgotten too early: "
                    "so many repetitions may be missing here.")  # fmt: skip


def congestion(findings: Findings) -> Piece:
    """What the underlay marked, and what was inside."""
    found = findings.congestion
    whole = findings.overview.vxlan
    if not whole:
        return nothing("There are no VXLAN packets.")
    method = how(
        "The ECN bits of the outer and the inner IP header of packets that the policy accepts (RFC 3168, RFC 6040). "
        "CE outside and not inside was marked by the underlay. An endpoint has to carry it inwards, and has to drop "
        "the packet if the inner one is Not-ECT."
    )  # fmt: skip
    marks = _mark_table(found.table)
    if not found.marked and not found.marked_inside:
        return join(nothing("No packet has a congestion mark."), marks, method)
    told = [
        f"{counted(found.marked, 'packet')} ({share(found.marked, whole)}) with CE outside",
        f"{number(found.lost)} of them around an inner packet that is Not-ECT: a receiver that keeps RFC 6040 drops "
        "these",
        f"{counted(found.marked_inside, 'packet')} with CE inside alone, marked before the tunnel",
    ]
    parts = [tag("ul", *(tag("li", line) for line in told)), marks]
    parts += [
        examples("CE outside, the first", found.marked_examples),
        examples("Around Not-ECT, the first", found.lost_examples),
    ]
    if found.pairs:
        parts.append(pair_table(found.pairs, findings, "Who receives marked packets from whom", "CE outside"))
    return join(*parts, left_out(found.left_out), method)


def _mark_table(marks: tuple[tuple[int, ...], ...]) -> Piece:
    heads = ("Outside", *(f"inside {name}" for name in _MARKS), "no IP inside")
    rows = [Row([name, *map(count_cell, row)]) for name, row in zip(_MARKS, marks, strict=True) if any(row)]
    return table(heads, rows, caption="Packets by the marks outside and inside", numbers=range(1, 6))


def one_way(findings: Findings) -> Piece:
    """Flows without an answer."""
    if not findings.flows.count:
        return nothing("There are no flows.")
    method = how(
        "Flows, as above, of which no packet goes the other way; those to groups, and fragments without ports, are "
        "left out. A TCP flow whose packets all lack ACK, and of which one has SYN, is a SYN without answer. One "
        "direction is also what a mirror of one direction, or two paths, look like: then it concerns most flows "
        "between two endpoints. Shares are of all flows of that protocol."
    )  # fmt: skip
    if findings.flows.left_out:
        full = "The table of flows was full: an answer that came after that may be missing, and so may flows."
        method = join(sentence(full), method)
    if not findings.one_way:
        return join(nothing("Every flow is there in both directions."), method)
    heads = ("Kind", "Flows", "Share", "Packets", "Bytes")
    rows = [
        Row([kind.kind, count_cell(kind.flows), Cell(share(kind.flows, kind.of), kind.flows), count_cell(kind.packets),
             size_cell(kind.bytes)])
        for kind in findings.one_way
    ]  # fmt: skip
    largest = [
        flow_table(kind.examples, findings, f"{kind.kind}: the largest of {counted(kind.flows, 'flow')}")
        for kind in findings.one_way
    ]
    return join(table(heads, rows, caption="Flows in one direction by kind", numbers=(1, 2, 3, 4)), *largest, method)

"""The page: its head, its sections in order, and what it may load, which is nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vxlanpkt.analysis.findings import Findings, Overview
from vxlanpkt.analysis.reporting.loss import congestion, drops, duplicates, one_way, retransmissions
from vxlanpkt.analysis.reporting.pieces import Piece, join, section, tag, text
from vxlanpkt.analysis.reporting.sizes import sizes
from vxlanpkt.analysis.reporting.style import CONTENT_POLICY, SCRIPT, STYLE
from vxlanpkt.analysis.reporting.traffic import endpoints, flows, vnis
from vxlanpkt.analysis.reporting.wording import duration, listed, moment, number, share, size
from vxlanpkt.analysis.words import counted

_SECTIONS: tuple[tuple[str, str, Callable[[Findings], Piece]], ...] = (
    ("vnis", "Traffic by VNI", vnis),
    ("endpoints", "Tunnel endpoints", endpoints),
    ("flows", "Largest flows", flows),
    ("drops", "Records that were refused", drops),
    ("sizes", "MTU and fragmentation", sizes),
    ("duplicates", "Duplicated frames", duplicates),
    ("retransmissions", "TCP segments sent again", retransmissions),
    ("congestion", "Congestion marks (ECN)", congestion),
    ("one-way", "Flows in one direction only", one_way),
)


def page(findings: Findings) -> str:
    """All of it."""
    overview = findings.overview
    head = tag(
        "head", tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Piece(f'<meta http-equiv="Content-Security-Policy" content="{text(CONTENT_POLICY)}">'),
        tag("title", f"VXLAN report: {overview.source}"), tag("style", Piece(STYLE)),
    )  # fmt: skip
    links = [tag("a", title, href=f"#{name}") for name, title, _ in _SECTIONS]
    only = tag("label", "Only VNI ", tag("input", type="text", inputmode="numeric"), id="only", hidden="hidden")
    sections = [section(name, title, made(findings)) for name, title, made in _SECTIONS]
    body = tag(
        "body", _header(overview, findings), tag("nav", *links, only, aria_label="Sections"),
        tag("main", _signs(findings), *sections), _footer(overview), tag("script", Piece(SCRIPT)),
    )  # fmt: skip
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'


def _header(overview: Overview, findings: Findings) -> Piece:
    return tag("header", tag("h1", tag("small", "VXLAN report"), overview.source), _fault(overview),
               _tiles(overview, findings), _facts(overview))  # fmt: skip


def _fault(overview: Overview) -> Piece:
    if overview.fault is None:
        return Piece("")
    return tag(
        "p", tag("b", "This file is broken. "), f"Everything here is about the {counted(overview.records, 'record')} "
        "before the fault; what comes behind it could not be read. The fault: ", tag("code", overview.fault),
        class_="fault", role="alert",
    )  # fmt: skip


def _tiles(overview: Overview, findings: Findings) -> Piece:
    facts = (
        (number(overview.records), "records"),
        (share(overview.vxlan, overview.records), f"VXLAN: {number(overview.vxlan)}"),
        (size(overview.inner_bytes), "inside the tunnels"),
        (duration(overview.duration_ns) or "unknown", "from first to last"),
        (_at_least(len(findings.vnis.rows), findings.vnis.left_out), "VNI" if len(findings.vnis.rows) == 1 else "VNIs"),
        (_at_least(len(_addresses(findings)), findings.endpoints.left_out), "tunnel endpoints"),
        (_at_least(findings.flows.count, findings.flows.left_out), "flows"),
    )
    return tag("ul", *(tag("li", tag("b", value), name) for value, name in facts), class_="tiles")


def _addresses(findings: Findings) -> set[object]:
    return {address for pair in findings.endpoints.pairs for address in (pair.src, pair.dst)}


def _at_least(count: int, left_out: int) -> str:
    return f"{count:,} or more" if left_out else number(count)


def _facts(overview: Overview) -> Piece:
    stored = overview.container + ("" if overview.size is None else f", {overview.size:,} bytes")
    times = "no record has a timestamp"
    if overview.first_ns is not None:
        times = f"{moment(overview.first_ns)} to {moment(overview.last_ns)}"
    if overview.untimed and overview.first_ns is not None:
        times += f"; {counted(overview.untimed, 'record')} without a timestamp"
    facts = [
        ("File", f"{overview.source} ({stored})"),
        ("Interfaces", listed(overview.interfaces, 8) or "none"),
        ("Time", times),
        ("On the wire", f"{size(overview.bytes)} in all records, {size(overview.vxlan_bytes)} in VXLAN"),
        ("Policy", f"{overview.policy}; UDP ports {listed(overview.ports, 20) or 'none'}"),
        ("Report made", f"{overview.made_at:%Y-%m-%d %H:%M:%S %Z}"),
    ]
    if overview.vnis is not None:
        facts.insert(5, ("VNIs asked for", f"{listed(overview.vnis, 20) or 'none'}; packets of others are refused"))
    if overview.cut:
        cut = f"the capture kept only a part of {counted(overview.cut, 'inner frame')}; lengths are those on the wire"
        facts.append(("Cut", cut))
    for link_type, records in overview.unsupported:
        facts.append(("Not understood", f"{counted(records, 'record')} of link type {link_type}"))
    return tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in facts))


def _signs(findings: Findings) -> Piece:
    """In a few lines what the sections below have to report."""
    return join(
        tag("h2", "At a glance", id="glance"),
        tag("ul", *(tag("li", tag("a", told, href=f"#{name}"), class_=kind) for name, kind, told in _lines(findings)),
            class_="signs"),
    )  # fmt: skip


def _lines(findings: Findings) -> Iterator[tuple[str, str, str]]:
    """Section, kind ("warn", "note" or "good"), and what there is."""
    refused = [drop for drop in findings.drops if drop.reason.name not in ("NOT_VXLAN", "VNI_REFUSED", "FRAGMENT")]
    count = sum(drop.records for drop in refused)
    yield _line("drops", count, f"{counted(count, 'record')} refused for faults", "Nothing was refused for a fault")
    found = findings.sizes
    count = found.first_fragments + found.later_fragments
    yield _line("sizes", count, f"{counted(count, 'outer fragment')}, not put together", "No outer fragments")
    count = found.outside.count + found.inside.count
    yield _line("sizes", count, f"{counted(count, 'message')} that a packet was too big", "No packet-too-big messages")
    if found.too_large:
        kind = "note" if found.mtu_from == "assumed" else "warn"
        yield "sizes", kind, f"{counted(found.too_large, 'packet')} longer than {found.mtu} bytes on the underlay"
    count = findings.duplicates.count
    yield _line("duplicates", count, f"{counted(count, 'duplicated frame')}", "No duplicated frames")
    count = findings.retransmissions.count
    yield _line(
        "retransmissions", count, f"{counted(count, 'TCP segment')} sent again", "No TCP segment was sent again"
    )
    marked = findings.congestion.marked
    yield _line("congestion", marked, f"{counted(marked, 'packet')} with a congestion mark on the underlay",
                "No congestion marks on the underlay")  # fmt: skip
    tcp = [kind for kind in findings.one_way if kind.kind.startswith("TCP")]
    count = sum(kind.flows for kind in tcp)
    unanswered = sum(row.unanswered for row in findings.vnis.rows)
    yield _line("one-way", count, f"{counted(count, 'TCP flow')} in one direction only, {unanswered:,} of them a SYN "
                "without answer", "No TCP flow is there in one direction only")  # fmt: skip


def _line(name: str, count: int, told: str, otherwise: str) -> tuple[str, str, str]:
    return (name, "warn", told) if count else (name, "good", otherwise)


def _footer(overview: Overview) -> Piece:
    return tag(
        "footer",
        tag("p", "Record numbers are those of Wireshark (", tag("code", "frame.number"), "), from 1. Lengths are "
            "those on the wire. Of a packet in several tunnels the outermost one counts. Numbers are exact unless a "
            "section says that something was left out; examples are the first that were found."),
        tag("p", f"Made with vxlanpkt from {overview.source}."),
    )  # fmt: skip

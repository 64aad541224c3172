"""Flows of which only one direction is there."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nsmallest
from typing import Any

from vxlanpkt.analysis.findings import OneWayKind
from vxlanpkt.analysis.flow_tables import FlowTable
from vxlanpkt.assigned import IPProtocol, TCPFlags

UNANSWERED, TCP_ONE_WAY = "TCP: SYN without answer", "TCP: other"
_NAMES = {int(protocol): protocol.name for protocol in IPProtocol}
_WITH_PORTS = (IPProtocol.TCP, IPProtocol.UDP)


def one_way_flows(table: FlowTable, most: int) -> tuple[OneWayKind, ...]:
    """Flows by kind, without those to groups, which nobody answers for; *table* has both directions in a row."""
    rows: dict[str, list[int]] = {}
    of = _all_kinds(table)
    for row in range(len(table)):
        kind = _kind(table, row)
        if kind is not None:
            rows.setdefault(kind, []).append(row)
    packets, octets = table.columns["packets"], table.columns["bytes"]
    found = []
    for kind in sorted(rows, key=lambda kind: (kind != UNANSWERED, kind != TCP_ONE_WAY, -len(rows[kind]))):
        chosen = rows[kind]
        largest = nsmallest(most, chosen, key=lambda row: -octets[row])
        found.append(OneWayKind(
            kind, len(chosen), of[kind.partition(":")[0]], sum(packets[row] for row in chosen),
            sum(octets[row] for row in chosen), tuple(table[row] for row in largest),
        ))  # fmt: skip
    return tuple(found)


def unanswered_by_vni(table: FlowTable) -> dict[int, int]:
    """How many flows of each VNI are a SYN without answer."""
    counts: dict[int, int] = {}
    vnis = table.columns["vni"]
    for row in range(len(table)):
        if _kind(table, row) == UNANSWERED:
            counts[vnis[row]] = counts.get(vnis[row], 0) + 1
    return counts


def _all_kinds(table: FlowTable) -> dict[str, int]:
    """How many flows could have an answer, by protocol."""
    counts: dict[str, int] = {}
    for row in range(len(table)):
        if _answerable(table, row):
            name = _protocol(table.columns["protocol"][row])
            counts[name] = counts.get(name, 0) + 1
    return counts


def _kind(table: FlowTable, row: int) -> str | None:
    """What a flow in one direction is called; None for others."""
    columns = table.columns
    if columns["reverse_packets"][row] or not _answerable(table, row):
        return None
    if columns["protocol"][row] != IPProtocol.TCP:
        return _protocol(columns["protocol"][row])
    flags = columns["tcp_flags"][row]
    return UNANSWERED if flags & TCPFlags.SYN and not flags & TCPFlags.ACK else TCP_ONE_WAY


def _answerable(table: FlowTable, row: int) -> bool:
    """Whether an answer is to be expected: not to groups, to oneself, or of fragments, which have no ports."""
    columns: Mapping[str, Any] = table.columns
    family = columns["dst"].family[row]
    if not family or (columns["protocol"][row] in _WITH_PORTS and not columns["dst_port"][row]):
        return False
    src, dst = (bytes(columns[name].raw[16 * row : 16 * row + 16]) for name in ("src", "dst"))
    if family == 4:
        return dst[12] < 224 and (src, columns["src_port"][row]) != (dst, columns["dst_port"][row])
    return dst[0] != 0xFF and (src, columns["src_port"][row]) != (dst, columns["dst_port"][row])


def _protocol(number: int) -> str:
    return _NAMES.get(number) or f"IP protocol {number}"

"""The outer headers under rules: from the link layer to the payload of a UDP datagram that carries VXLAN."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vxlanpkt.checksum import ones_complement_sum, pseudo_header_sum
from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract.columns import ChecksumState, Note
from vxlanpkt.kernel.contract.decapsulation import DecapRules, IPOptions, Lengths, UDPLength, Underlay
from vxlanpkt.kernel.contract.protocols import FRAGMENT, MAPPED, ROUTING, UDP_PROTOCOL
from vxlanpkt.kernel.contract.spans import FRAGMENTED, NO_KEY, Buffer, Fault, Kind, Row
from vxlanpkt.kernel.python.options import are_known_extensions, are_sound_extensions, are_sound_options
from vxlanpkt.kernel.python.scanning import (
    FOLLOWS,
    SCANS,
    extensions,
    scan_ipv4,
    scan_ipv6,
    scan_udp,
)

if TYPE_CHECKING:
    from vxlanpkt.kernel.contract.decap_record import DecapRecord

_SOURCE_ROUTING, _SEGMENT_ROUTING = (0, 2), 4

# As plain numbers: looking up and comparing members of enums takes longer than the checks themselves.
_DOT1Q, _IPV4, _IPV6, _RAW = int(Kind.DOT1Q), int(Kind.IPV4), int(Kind.IPV6), int(Kind.RAW)
_NOTHING = int(Kind.NOTHING)
_IP = (_IPV4, _IPV6)
_TAG_OR_IP = (_DOT1Q, _IPV4, _IPV6)
_ACCEPT, _HOST, _OVS_OPTIONS = IPOptions.ACCEPT, IPOptions.HOST, IPOptions.OVS
_JUMBO, _IGNORE, _OVERRUN = UDPLength.JUMBO, UDPLength.IGNORE, UDPLength.OVERRUN
_STRICT, _CAPTURED = Lengths.STRICT, Lengths.CAPTURED
_PADDING, _TRAILER = int(Note.PADDING), int(Note.TRAILER)

Extent = tuple[int, int, int]
"""Where a VXLAN header may begin, with its end and what is missing behind that."""


class _Packet(NamedTuple):
    """What the checksum of a datagram needs to know of its IP packet."""

    payload: int  # where it begins: behind the fixed header over IPv6
    frame_end: int
    addresses: tuple[bytes, bytes]


def decap_outer(
    buf: Buffer, start: int, end: int, missing: int, kind: int, rules: DecapRules, record: DecapRecord
) -> tuple[Extent | Reason, Underlay]:
    """Find the payload of a UDP datagram to one of the rules' ports."""
    if kind == _NOTHING:
        return Reason.NOT_VXLAN, Underlay()
    while kind not in _IP:
        if kind == _RAW and start < end and buf[start] >> 4 in (4, 6):
            kind = _IPV4 if buf[start] >> 4 == 4 else _IPV6
            continue
        row = SCANS[kind](buf, start, end, missing)
        if isinstance(row, Fault):
            return row.reason, Underlay()
        if kind == _DOT1Q:
            if not record.outer_tags:
                record.outer_vlan = buf[start] << 8 | buf[start + 1]
            record.outer_tags = min(record.outer_tags + 1, 255)
        _, _, start, end, key, missing = row
        kind = FOLLOWS[kind].get(key, -1)
        if kind not in _TAG_OR_IP:
            return Reason.NOT_VXLAN, Underlay()
    scan, judge = (scan_ipv4, _ipv4) if kind == _IPV4 else (scan_ipv6, _ipv6)
    row = scan(buf, start, end, missing, rules.lengths is _CAPTURED)
    if isinstance(row, Fault):
        return row.reason, Underlay()
    if row[5] % FRAGMENTED and rules.lengths is _STRICT:
        return Reason.CAPTURE_CUT, Underlay()
    return judge(buf, start, end, row, rules, record)


def _ipv4(
    buf: Buffer, start: int, end: int, row: Row, rules: DecapRules, record: DecapRecord
) -> tuple[Extent | Reason, Underlay]:
    _, _, header_end, ip_end, key, missing = row
    if buf[start + 9] != UDP_PROTOCOL:
        return Reason.NOT_VXLAN, Underlay()
    if key == NO_KEY:
        return Reason.FRAGMENT, Underlay()
    if header_end - start > 20 and not _accepts_options(rules, buf, start + 20, header_end):
        return Reason.IPV4_OPTIONS, Underlay()
    if rules.verify_ip_checksum:
        good = ones_complement_sum(buf[start:header_end]) == 0xFFFF
        record.ip_checksum = ChecksumState.VALID if good else ChecksumState.BAD
        if not good:
            return Reason.IPV4_CHECKSUM, Underlay()
    src, dst = bytes(buf[start + 12 : start + 16]), bytes(buf[start + 16 : start + 20])
    record.outer_family = 4
    record.outer_src, record.outer_dst = MAPPED + src, MAPPED + dst
    if ip_end < end:
        record.notes |= _PADDING
    underlay = Underlay(4, int.from_bytes(src, "big"), buf[start + 1])
    packet = _Packet(header_end, end, (src, dst))
    return _udp(buf, header_end, ip_end, packet, missing, rules, record, missing >= FRAGMENTED), underlay


def _ipv6(
    buf: Buffer, start: int, end: int, row: Row, rules: DecapRules, record: DecapRecord
) -> tuple[Extent | Reason, Underlay]:
    _, _, header_end, ip_end, key, missing = row
    # A later fragment's header is the last of the chain, and names what the fragment is of.
    protocol = buf[header_end - 8] if key == NO_KEY else key
    if protocol != UDP_PROTOCOL:
        return Reason.NOT_VXLAN, Underlay()
    if key == NO_KEY:
        return Reason.FRAGMENT, Underlay()
    fragmented, others = _chain(buf, start, header_end) if header_end - start > 40 else (False, False)
    if not _accepts_extensions(rules, buf, start, header_end, others):
        return Reason.IPV6_OPTIONS, Underlay()
    src, dst = bytes(buf[start + 8 : start + 24]), bytes(buf[start + 24 : start + 40])
    final = _final_destination(buf, start, header_end) if others and rules.udp_length is not _IGNORE else None
    record.outer_family = 6
    record.outer_src, record.outer_dst = src, dst
    if ip_end < end:
        record.notes |= _PADDING
    fragmented = missing >= FRAGMENTED or (fragmented and not rules.atomic_fragments)
    underlay = Underlay(6, int.from_bytes(src, "big"), (buf[start] << 4 | buf[start + 1] >> 4) & 0xFF)
    packet = _Packet(start + 40, end, (src, final or dst))
    return _udp(buf, header_end, ip_end, packet, missing, rules, record, fragmented), underlay


def _accepts_options(rules: DecapRules, buf: Buffer, start: int, end: int) -> bool:
    return rules.ip_options is _ACCEPT or (rules.ip_options is _HOST and are_sound_options(buf, start, end))


def _accepts_extensions(rules: DecapRules, buf: Buffer, start: int, end: int, others: bool) -> bool:
    if rules.ip_options is _OVS_OPTIONS:
        return are_known_extensions(buf, start, end)
    return (
        not others
        or rules.ip_options is _ACCEPT
        or (rules.ip_options is _HOST and are_sound_extensions(buf, start, end))
    )


def _chain(buf: Buffer, start: int, header_end: int) -> tuple[bool, bool]:
    """Whether there is a fragment header among the extension headers, and whether there are others."""
    fragments = [kind == FRAGMENT for kind, _, _ in extensions(buf, start, header_end)]
    return any(fragments), not all(fragments)


def _final_destination(buf: Buffer, start: int, header_end: int) -> bytes | None:
    """Where a routing header still leads, which is what checksums are made for (RFC 8200 section 8.1)."""
    found = None
    for kind, at, end in extensions(buf, start, header_end):
        if kind == ROUTING and buf[at + 3] and end - at >= 24:
            if buf[at + 2] == _SEGMENT_ROUTING:
                found = bytes(buf[at + 8 : at + 24])
            elif buf[at + 2] in _SOURCE_ROUTING:
                found = bytes(buf[end - 16 : end])
    return found


def _udp(
    buf: Buffer,
    start: int,
    end: int,
    packet: _Packet,
    missing: int,
    rules: DecapRules,
    record: DecapRecord,
    fragmented: bool,
) -> Extent | Reason:
    row = scan_udp(buf, start, end, missing, _udp_rule(rules, record.outer_family))
    if isinstance(row, Fault):
        return row.reason
    _, _, header_end, udp_end, key, missing = row
    if key not in rules.ports:
        return Reason.NOT_VXLAN
    if fragmented:
        return Reason.FRAGMENT
    record.outer_src_port, record.outer_dst_port = buf[start] << 8 | buf[start + 1], key
    if udp_end < end:
        record.notes |= _TRAILER
    refused = _udp_checksum(buf, start, udp_end, packet, missing, rules, record)
    return refused if refused is not None else (header_end, udp_end, missing)


def _udp_rule(rules: DecapRules, family: int) -> int:
    """How `scan_udp` is to read the length: what concerns one IP version does not hold for the other."""
    if rules.lengths is _CAPTURED and rules.udp_length is not _IGNORE:
        return _JUMBO
    if (rules.udp_length is _JUMBO and family == 4) or (rules.udp_length is _OVERRUN and family == 6):
        return UDPLength.CHECK
    return rules.udp_length


def _udp_checksum(
    buf: Buffer,
    start: int,
    end: int,
    packet: _Packet,
    missing: int,
    rules: DecapRules,
    record: DecapRecord,
) -> Reason | None:
    """Judge the checksum of the datagram `buf[start:end]`."""
    field = buf[start + 6] << 8 | buf[start + 7]
    if field == 0:
        record.udp_checksum = ChecksumState.ABSENT
        return Reason.UDP_CHECKSUM_ZERO if record.outer_family == 6 and not rules.zero_checksum6 else None
    if not rules.verify_udp_checksum or missing:
        return None
    length, covered = end - start, end
    if rules.udp_length is _IGNORE:  # what IP calls its payload, and all bytes that came
        length, covered = end - packet.payload, packet.frame_end
    pseudo_header = pseudo_header_sum(*packet.addresses, UDP_PROTOCOL, length)
    if ones_complement_sum(buf[start:covered], pseudo_header) == 0xFFFF:
        record.udp_checksum = ChecksumState.VALID
        return None
    partial = field == ones_complement_sum(b"", pseudo_header)
    record.udp_checksum = ChecksumState.PARTIAL if partial else ChecksumState.BAD
    return Reason.UDP_CHECKSUM

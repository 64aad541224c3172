"""The specification of bounds: one function a header, and the walk from header to header.

Each `scan_x(buf, start, end, missing)` reads `buf[start:end]` and nothing else, and returns a Row
if the header is sound, else a Fault. What it accepted, decoders need not check again. `missing`
bytes beyond `end` are known to have existed: a length field may claim them, a header may not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract.decapsulation import UDPLength
from vxlanpkt.kernel.contract.protocols import (
    AUTHENTICATION,
    DESTINATION,
    FRAGMENT,
    HIP,
    HOP_BY_HOP,
    MOBILITY,
    ROUTING,
    SHIM6,
)
from vxlanpkt.kernel.contract.spans import FRAGMENTED, NO_KEY, Buffer, Fault, Kind, Place, Row, Walk

_JUMBO, _IGNORE, _OVERRUN = int(UDPLength.JUMBO), int(UDPLength.IGNORE), int(UDPLength.OVERRUN)
_CHAINED = frozenset((ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, MOBILITY, HIP, SHIM6))

_ETHERNET, _DOT1Q, _ARP, _IPV4, _IPV6 = (int(kind) for kind in list(Kind)[:5])
_UDP, _TCP, _ICMP, _ICMPV6, _VXLAN, _VXLANGPE = (int(kind) for kind in list(Kind)[5:11])
_LINUX_SLL, _LINUX_SLL2, _LOOPBACK = (int(kind) for kind in list(Kind)[11:14])

# The EtherTypes of a customer's and of a service tag.
TAGS = frozenset((0x8100, 0x88A8))

_TUNNELS = (_VXLAN, _VXLANGPE)
_GPE_ETHERNET = 3
_GPE_P_FLAG = 0x04


def _cut(reason: Reason, needed: int, available: int, missing: int, field: str = "") -> Fault:
    """The fault of a header that needs more bytes than are there: the capture's, if it kept too few."""
    if needed - available <= missing % FRAGMENTED:
        return Fault(Reason.CAPTURE_CUT, needed, field)
    return Fault(reason, needed, field)


def _beyond(declared: int, available: int, missing: int) -> int:
    """How much of a declared length is missing. In a fragment only what the capture cut is known."""
    beyond = max(declared - available, 0)
    if beyond and missing >= FRAGMENTED:
        return FRAGMENTED + min(beyond, missing - FRAGMENTED)
    return beyond


def scan_ethernet(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """IEEE 802.3: 14 bytes, no length that bounds the content."""
    header_end = start + 14
    if header_end > end:
        return _cut(Reason.ETHERNET_TRUNCATED, 14, end - start, missing)
    return _ETHERNET, start, header_end, end, buf[start + 12] << 8 | buf[start + 13], missing


def scan_dot1q(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """IEEE 802.1Q: 4 bytes behind the EtherType that announced the tag."""
    header_end = start + 4
    if header_end > end:
        return _cut(Reason.DOT1Q_TRUNCATED, 4, end - start, missing)
    return _DOT1Q, start, header_end, end, buf[start + 2] << 8 | buf[start + 3], missing


def scan_arp(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """RFC 826: 8 bytes, then two pairs of addresses of the lengths that bytes 4 and 5 give."""
    available = end - start
    if available < 8:
        return _cut(Reason.ARP_TRUNCATED, 8, available, missing)
    needed = 8 + 2 * (buf[start + 4] + buf[start + 5])
    if available < needed:
        return _cut(Reason.ARP_TRUNCATED, needed, available, missing, "hardware_length")
    return _ARP, start, start + needed, start + needed, NO_KEY, 0


def scan_ipv4(buf: Buffer, start: int, end: int, missing: int = 0, any_length: bool = False) -> Row | Fault:
    """RFC 791 section 3.1. With *any_length*, a total length of 0 (offload) means all bytes there."""
    available = end - start
    if available < 20:
        return _cut(Reason.IPV4_HEADER_TRUNCATED, 20, available, missing)
    first = buf[start]
    if first >> 4 != 4:
        return Fault(Reason.IPV4_VERSION, 20, "version", first >> 4)
    header_length = (first & 15) * 4
    if header_length < 20:
        return Fault(Reason.IPV4_IHL, 20, "ihl", first & 15)
    if header_length > available:
        return _cut(Reason.IPV4_OPTIONS_TRUNCATED, header_length, available, missing, "ihl")
    total_length = buf[start + 2] << 8 | buf[start + 3]
    if total_length == 0 and any_length:
        total_length = available + missing
    if total_length < header_length:
        return Fault(Reason.IPV4_TOTAL_LENGTH, header_length, "total_length", total_length)
    if total_length > available + missing:
        return Fault(Reason.IPV4_TRUNCATED, total_length, "total_length")
    missing = _beyond(total_length, available, missing)
    end = min(start + total_length, end)
    fragment = (buf[start + 6] << 8 | buf[start + 7]) & 0x3FFF
    if not fragment:
        return _IPV4, start, start + header_length, end, buf[start + 9], missing
    if fragment & 0x1FFF:
        return _IPV4, start, start + header_length, end, NO_KEY, missing
    return _IPV4, start, start + header_length, end, buf[start + 9], missing | FRAGMENTED


def scan_ipv6(buf: Buffer, start: int, end: int, missing: int = 0, any_length: bool = False) -> Row | Fault:
    """RFC 8200 sections 3 and 4: 40 bytes and the chain of extension headers, one header here."""
    available = end - start
    if available < 40:
        return _cut(Reason.IPV6_HEADER_TRUNCATED, 40, available, missing)
    if buf[start] >> 4 != 6:
        return Fault(Reason.IPV6_VERSION, 40, "version", buf[start] >> 4)
    total_length = 40 + (buf[start + 4] << 8 | buf[start + 5])
    if total_length == 40 and any_length:
        total_length = available + missing
    if total_length > available + missing:
        return Fault(Reason.IPV6_TRUNCATED, total_length, "payload_length")
    missing = _beyond(total_length, available, missing)
    end = min(start + total_length, end)
    key = buf[start + 6]
    if key in _CHAINED or key == HOP_BY_HOP:
        return scan_extensions(buf, start, end, missing)
    return _IPV6, start, start + 40, end, key, missing


def scan_extensions(buf: Buffer, start: int, end: int, missing: int) -> Row | Fault:
    """The chain behind the 40 bytes of an IPv6 header at *start*, in a packet that ends at *end*."""
    key = buf[start + 6]
    at = start + 40
    while key in _CHAINED or (key == HOP_BY_HOP and at == start + 40):
        if end - at < 8:
            return _extension_cut(at + 8 - start, end - start, missing)
        length = extension_length(key, buf[at + 1])
        if length > end - at:
            return _extension_cut(at + length - start, end - start, missing)
        if key == AUTHENTICATION and length < 12:
            return Fault(Reason.IPV6_AH_LENGTH, at + 12 - start, "payload_length", buf[at + 1])
        if key == FRAGMENT:
            fragment = buf[at + 2] << 8 | buf[at + 3]
            if fragment & 0xFFF8:
                return _IPV6, start, at + 8, end, NO_KEY, missing
            if fragment & 1:
                missing |= FRAGMENTED
        key = buf[at]
        at += length
    return _IPV6, start, at, end, key, missing


def _extension_cut(needed: int, available: int, missing: int) -> Fault:
    fault = _cut(Reason.IPV6_EXTENSION_TRUNCATED, needed, available, missing)
    return fault if missing else fault._replace(available=available)


def extension_length(kind: int, length_field: int) -> int:
    """The bytes of an IPv6 extension header: units of 8 beyond the first 8, in AH of 4 beyond 8."""
    if kind == FRAGMENT:
        return 8
    if kind == AUTHENTICATION:
        return (length_field + 2) * 4
    return (length_field + 1) * 8


def extensions(buf: Buffer, start: int, header_end: int) -> Iterator[tuple[int, int, int]]:
    """Kind, start and end of each extension header of the sound IPv6 header at *start*."""
    kind, at = buf[start + 6], start + 40
    while at < header_end:
        following = at + extension_length(kind, buf[at + 1])
        yield kind, at, following
        kind, at = buf[at], following


def scan_udp(buf: Buffer, start: int, end: int, missing: int = 0, rule: int = 0) -> Row | Fault:
    """RFC 768: 8 bytes; the length ends the datagram. A length below 8 has no meaning.

    *rule* is a `UDPLength`: which other lengths mean all bytes there.
    """
    available = end - start
    if available < 8:
        return _cut(Reason.UDP_HEADER_TRUNCATED, 8, available, missing)
    length = buf[start + 4] << 8 | buf[start + 5]
    if rule and _means_all(length, available + missing, rule):
        length = available + missing
    if length < 8:
        return Fault(Reason.UDP_LENGTH, 8, "length", length)
    if length > available + missing:
        return Fault(Reason.UDP_TRUNCATED, length, "length")
    missing = _beyond(length, available, missing)
    return _UDP, start, start + 8, min(start + length, end), buf[start + 2] << 8 | buf[start + 3], missing


def _means_all(length: int, available: int, rule: int) -> bool:
    if rule == _OVERRUN:
        return available < length <= available + 20
    return rule == _IGNORE or length == 0


def scan_tcp(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """RFC 9293 section 3.1: 20 bytes and options up to the data offset."""
    available = end - start
    if available < 20:
        return _cut(Reason.TCP_HEADER_TRUNCATED, 20, available, missing)
    header_length = (buf[start + 12] >> 4) * 4
    if header_length < 20:
        return Fault(Reason.TCP_DATA_OFFSET, 20, "data_offset", buf[start + 12] >> 4)
    if header_length > available:
        return _cut(Reason.TCP_TRUNCATED, header_length, available, missing, "data_offset")
    return _TCP, start, start + header_length, end, buf[start + 2] << 8 | buf[start + 3], missing


def scan_icmp(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """RFC 792: type, code and checksum; the rest is the message, a field of this header."""
    if end - start < 4:
        return _cut(Reason.ICMP_TRUNCATED, 4, end - start, missing)
    return _ICMP, start, end, end, NO_KEY, missing


def scan_icmpv6(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """RFC 4443 section 2.1: type, code and checksum; the rest is the message, a field of this header."""
    if end - start < 4:
        return _cut(Reason.ICMPV6_TRUNCATED, 4, end - start, missing)
    return _ICMPV6, start, end, end, NO_KEY, missing


def scan_vxlan(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """RFC 7348 section 5: 8 bytes whatever the flags; an Ethernet frame follows, always under key 0."""
    header_end = start + 8
    if header_end > end:
        return _cut(Reason.VXLAN_TRUNCATED, 8, end - start, missing)
    return _VXLAN, start, header_end, end, 0, missing


def scan_vxlangpe(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """The GPE draft: 8 bytes; byte 3 names what follows, unless P is clear, which means Ethernet."""
    header_end = start + 8
    if header_end > end:
        return _cut(Reason.VXLANGPE_TRUNCATED, 8, end - start, missing)
    key = buf[start + 3] if buf[start] & _GPE_P_FLAG else _GPE_ETHERNET
    return _VXLANGPE, start, header_end, end, key, missing


def scan_linux_sll(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """LINKTYPE_LINUX_SLL: 16 bytes, the last two an EtherType."""
    header_end = start + 16
    if header_end > end:
        return _cut(Reason.LINUX_SLL_TRUNCATED, 16, end - start, missing)
    return _LINUX_SLL, start, header_end, end, buf[start + 14] << 8 | buf[start + 15], missing


def scan_linux_sll2(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """LINKTYPE_LINUX_SLL2: 20 bytes, the first two an EtherType."""
    header_end = start + 20
    if header_end > end:
        return _cut(Reason.LINUX_SLL2_TRUNCATED, 20, end - start, missing)
    return _LINUX_SLL2, start, header_end, end, buf[start] << 8 | buf[start + 1], missing


def scan_loopback(buf: Buffer, start: int, end: int, missing: int = 0) -> Row | Fault:
    """LINKTYPE_NULL and LOOP: a 4-byte address family in whichever byte order makes it small."""
    header_end = start + 4
    if header_end > end:
        return _cut(Reason.LOOPBACK_TRUNCATED, 4, end - start, missing)
    order = "little" if buf[start] or buf[start + 1] else "big"
    return _LOOPBACK, start, header_end, end, int.from_bytes(buf[start:header_end], order), missing  # type: ignore[arg-type]


def scan_raw(buf: Buffer, start: int, end: int, missing: int = 0, any_length: bool = False) -> Row | Fault:
    """LINKTYPE_RAW: an IPv4 or an IPv6 header, as the version nibble says."""
    if start >= end:
        return _cut(Reason.IPV4_HEADER_TRUNCATED, 20, 0, missing)
    version = buf[start] >> 4
    if version == 6:
        return scan_ipv6(buf, start, end, missing, any_length)
    if version == 4:
        return scan_ipv4(buf, start, end, missing, any_length)
    return Fault(Reason.IP_VERSION, 1, "version", version)


Scan = Callable[[Buffer, int, int, int], "Row | Fault"]

# In the order of Kind.
SCANS: tuple[Scan, ...] = (
    scan_ethernet, scan_dot1q, scan_arp, scan_ipv4, scan_ipv6, scan_udp, scan_tcp, scan_icmp, scan_icmpv6,
    scan_vxlan, scan_vxlangpe, scan_linux_sll, scan_linux_sll2, scan_loopback, scan_raw,
)  # fmt: skip

# The same for captures whose lengths are 0, as offload left them, and where UDP's are not looked at: by `Reading`.
_OF_ANY_LENGTH: Mapping[Scan, Scan] = {
    **{scan: partial(scan, any_length=True) for scan in (scan_ipv4, scan_ipv6, scan_raw)},
    scan_udp: partial(scan_udp, rule=_JUMBO),
}
_READINGS: tuple[tuple[Scan, ...], ...] = (
    SCANS,
    tuple(_OF_ANY_LENGTH.get(scan, scan) for scan in SCANS),
    tuple(partial(scan, rule=_IGNORE) if scan is scan_udp else scan for scan in SCANS),
)

_BY_ETHERTYPE: Mapping[int, int] = {
    0x0800: _IPV4, 0x0806: _ARP, 0x86DD: _IPV6, 0x8100: _DOT1Q, 0x88A8: _DOT1Q,
}  # fmt: skip
_BY_PROTOCOL_IN_4: Mapping[int, int] = {1: _ICMP, 6: _TCP, 17: _UDP}
_BY_PROTOCOL_IN_6: Mapping[int, int] = {6: _TCP, 17: _UDP, 58: _ICMPV6}
# AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24, 28 and 30 on the BSDs and macOS.
_BY_FAMILY: Mapping[int, int] = {2: _IPV4, 10: _IPV6, 24: _IPV6, 28: _IPV6, 30: _IPV6}
_NOTHING: Mapping[int, int] = {}

# Who follows whom, in the order of Kind; UDP's successors are the caller's `ports`.
FOLLOWS: tuple[Mapping[int, int], ...] = (
    _BY_ETHERTYPE, _BY_ETHERTYPE, _NOTHING, _BY_PROTOCOL_IN_4, _BY_PROTOCOL_IN_6, _NOTHING, _NOTHING, _NOTHING,
    _NOTHING, {0: _ETHERNET}, {1: _IPV4, 2: _IPV6, 3: _ETHERNET}, _BY_ETHERTYPE, _BY_ETHERTYPE, _BY_FAMILY,
)  # fmt: skip


def hold_ports(ports: Mapping[int, int]) -> Mapping[int, int]:
    """The kinds behind UDP destination ports, held."""
    return ports


def scan(kind: int, buf: Buffer, start: int, end: int, missing: int = 0, reading: int = 0) -> Row | Fault:
    """Scan one header of *kind* in `buf[start:end]`; bounds outside of *buf* are a fault too."""
    if not 0 <= start <= end <= len(buf):
        return Fault(Reason.ROW_OUT_OF_RANGE, max(end - start, 0))
    return _READINGS[reading][kind](buf, start, end, missing)


def walk(
    data: bytes,
    missing: int,
    kind: int,
    ports: Mapping[int, int],
    max_tunnels: int,
    reading: int = 0,
) -> Walk:
    """Scan from header to header of *data*, from one of *kind* until nothing known follows.

    *ports* maps UDP destination ports to kinds. A tunnel header beyond *max_tunnels* is not entered.
    *reading* is a `Reading`: which lengths are believed.
    """
    scans = _READINGS[reading]
    kinds = bytearray()
    places: list[Place] = []
    start, end = 0, len(data)
    while True:
        row = scans[kind](data, start, end, missing)
        if isinstance(row, Fault):
            return bytes(kinds), places, kind, row
        kind, _, start, end, key, missing = row
        kinds.append(kind)
        places.append(row[1:])
        following = (ports if kind == _UDP else FOLLOWS[kind]).get(key)
        if following is None or (following in _TUNNELS and max_tunnels == 0):
            return bytes(kinds), places, kind, None
        max_tunnels -= following in _TUNNELS
        kind = following

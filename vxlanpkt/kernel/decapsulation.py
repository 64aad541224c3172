"""The specification of decapsulation: one frame against rules, from the outside in.

The order of the checks is part of the contract, as the first that fails gives the status:
link layer and tags, IP, cut captures, its protocol, later fragments, IP options, IP checksum; UDP,
its port, first fragments, UDP checksum; the VXLAN header, I, G with P, P itself, GPE's fields,
reserved bits, VNI, source; the inner frame's length, tag, source address, IP header, ECN.
"""

from __future__ import annotations

from typing import NamedTuple

from vxlanpkt.checksum import ones_complement_sum, pseudo_header_sum
from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract import (
    NO_LINK_TYPE,
    ChecksumState,
    DecapRecord,
    DecapRules,
    ECNRule,
    GPERule,
    InnerLength,
    InnerVLAN,
    IPOptions,
    Lengths,
    Note,
    UDPLength,
    Underlay,
)
from vxlanpkt.kernel.options import are_known_extensions, are_sound_extensions, are_sound_options
from vxlanpkt.kernel.scanning import (
    FOLLOWS,
    FRAGMENT,
    ROUTING,
    SCANS,
    TAGS,
    extension_length,
    scan_extensions,
    scan_ipv4,
    scan_ipv6,
    scan_udp,
    scan_vxlan,
)
from vxlanpkt.kernel.spans import FRAGMENTED, NO_KEY, Buffer, Fault, Kind

UDP_PROTOCOL = 17
ETHERNET_LINK, RAW_LINK = 1, 101
_IPV4_TYPE, _IPV6_TYPE = 0x0800, 0x86DD
_MAPPED = bytes(10) + b"\xff\xff"
_SOURCE_ROUTING, _SEGMENT_ROUTING = (0, 2), 4
_PORTS_OF = frozenset((6, 17))

# VXLAN's flag bits in byte 0, and GPE's next protocols 1 to 5.
_G, _VERSION, _I, _P, _O = 0x80, 0x30, 0x08, 0x04, 0x01
_WITH_P = 0x300000FF_00000000  # what P defines: the version and the next protocol
_GPE_IPV4, _GPE_IPV6, _GPE_ETHERNET, _GPE_LAST = 1, 2, 3, 5

# RFC 6040 figure 4: the inner ECN after decapsulation, by [outer][inner]; None drops.
_NOT_ECT, _ECT1, _ECT0, _CE = range(4)
_ECN_AFTER: tuple[tuple[int | None, ...], ...] = (
    (_NOT_ECT, _ECT1, _ECT0, _CE),
    (_NOT_ECT, _ECT1, _ECT1, _CE),
    (_NOT_ECT, _ECT1, _ECT0, _CE),
    (None, _CE, _CE, _CE),
)

# As plain numbers: looking up and comparing members of enums takes longer than the checks themselves.
_DOT1Q, _IPV4, _IPV6, _RAW = int(Kind.DOT1Q), int(Kind.IPV4), int(Kind.IPV6), int(Kind.RAW)
_IP = (_IPV4, _IPV6)
_TAG_OR_IP = (_DOT1Q, _IPV4, _IPV6)
_TUNNELS = (int(Kind.VXLAN), int(Kind.VXLANGPE))
_ACCEPT, _HOST, _OVS_OPTIONS = IPOptions.ACCEPT, IPOptions.HOST, IPOptions.OVS
_JUMBO, _IGNORE, _OVERRUN = UDPLength.JUMBO, UDPLength.IGNORE, UDPLength.OVERRUN
_ECN_RFC6040, _ECN_LINUX, _ECN_OVS = ECNRule.RFC6040, ECNRule.LINUX, ECNRule.OVS
_ONLY_GPE, _OVS_GPE, _TAGGED_UNREAD = GPERule.LINUX, GPERule.OVS, InnerLength.LINUX
_STRICT, _CAPTURED = Lengths.STRICT, Lengths.CAPTURED
_PADDING, _TRAILER, _CUT = int(Note.PADDING), int(Note.TRAILER), int(Note.CUT)
_TAG_REMOVABLE = 20  # bytes of a frame from which Linux takes the tag off: it looks at two behind the inner EtherType
_HEADER_SIZES = {_IPV4_TYPE: 20, _IPV6_TYPE: 40}


class _Packet(NamedTuple):
    """What the checksum of a datagram needs to know of its IP packet."""

    payload: int  # where it begins: behind the fixed header over IPv6
    frame_end: int
    addresses: tuple[bytes, bytes]


# Where a VXLAN header may begin, with its end and what is missing behind that.
_Extent = tuple[int, int, int]


def decap_row(
    buf: Buffer,
    start: int,
    end: int,
    missing: int,
    kind: int,
    rules: DecapRules,
    underlay: Underlay = Underlay(),  # noqa: B008 - immutable
) -> DecapRecord:
    """Decapsulate the frame `buf[start:end]`, which begins with a header of *kind*.

    *missing* bytes of the frame were cut off by the capture.
    """
    record = DecapRecord()
    if kind in _TUNNELS:
        extent: _Extent | Reason = (start, end, missing)
    else:
        extent, underlay = _outer(buf, start, end, missing, kind, rules, record)
    if not isinstance(extent, Reason):
        extent = _vxlan(buf, extent, rules, record, underlay)
    if not isinstance(extent, Reason):
        extent = _inner(buf, extent, rules, record, underlay.tos)
    if isinstance(extent, Reason):
        record.status = int(extent)
        record.inner_length = record.inner_original_length = 0
    return record


# -- the outer headers


def _outer(
    buf: Buffer, start: int, end: int, missing: int, kind: int, rules: DecapRules, record: DecapRecord
) -> tuple[_Extent | Reason, Underlay]:
    """Find the payload of a UDP datagram to one of the rules' ports."""
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
    if kind == _IPV4:
        return _ipv4(buf, start, end, missing, rules, record)
    return _ipv6(buf, start, end, missing, rules, record)


def _ipv4(
    buf: Buffer, start: int, end: int, missing: int, rules: DecapRules, record: DecapRecord
) -> tuple[_Extent | Reason, Underlay]:
    row = scan_ipv4(buf, start, end, missing, rules.lengths is _CAPTURED)
    if isinstance(row, Fault):
        return row.reason, Underlay()
    _, _, header_end, ip_end, key, missing = row
    if missing % FRAGMENTED and rules.lengths is _STRICT:
        return Reason.CAPTURE_CUT, Underlay()
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
    record.outer_src, record.outer_dst = _MAPPED + src, _MAPPED + dst
    if ip_end < end:
        record.notes |= _PADDING
    underlay = Underlay(4, int.from_bytes(src, "big"), buf[start + 1])
    packet = _Packet(header_end, end, (src, dst))
    return _udp(buf, header_end, ip_end, packet, missing, rules, record, missing >= FRAGMENTED), underlay


def _ipv6(
    buf: Buffer, start: int, end: int, missing: int, rules: DecapRules, record: DecapRecord
) -> tuple[_Extent | Reason, Underlay]:
    row = scan_ipv6(buf, start, end, missing, rules.lengths is _CAPTURED)
    if isinstance(row, Fault):
        return row.reason, Underlay()
    _, _, header_end, ip_end, key, missing = row
    if missing % FRAGMENTED and rules.lengths is _STRICT:
        return Reason.CAPTURE_CUT, Underlay()
    # A later fragment's header is the last of the chain, and names what the fragment is of.
    protocol = buf[header_end - 8] if key == NO_KEY else key
    if protocol != UDP_PROTOCOL:
        return Reason.NOT_VXLAN, Underlay()
    if key == NO_KEY:
        return Reason.FRAGMENT, Underlay()
    fragmented, others = _chain(buf, start, header_end)
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
    fragmented = others = False
    key, at = buf[start + 6], start + 40
    while at < header_end:
        fragmented |= key == FRAGMENT
        others |= key != FRAGMENT
        key, at = buf[at], at + extension_length(key, buf[at + 1])
    return fragmented, others


def _final_destination(buf: Buffer, start: int, header_end: int) -> bytes | None:
    """Where a routing header still leads, which is what checksums are made for (RFC 8200 section 8.1)."""
    key, at = buf[start + 6], start + 40
    found = None
    while at < header_end:
        following = at + extension_length(key, buf[at + 1])
        if key == ROUTING and buf[at + 3] and following - at >= 24:
            if buf[at + 2] == _SEGMENT_ROUTING:
                found = bytes(buf[at + 8 : at + 24])
            elif buf[at + 2] in _SOURCE_ROUTING:
                found = bytes(buf[following - 16 : following])
        key, at = buf[at], following
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
) -> _Extent | Reason:
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


# -- the VXLAN header


def _vxlan(
    buf: Buffer, extent: _Extent, rules: DecapRules, record: DecapRecord, underlay: Underlay
) -> _Extent | Reason:
    start, end, missing = extent
    row = scan_vxlan(buf, start, end, missing)
    if isinstance(row, Fault):
        return row.reason
    header = int.from_bytes(buf[start : start + 8], "big")
    record.flags = header >> 32
    record.vni = header >> 8 & 0xFFFFFF
    record.reserved = header & 0xFF
    flags = buf[start]
    if not flags & _I:
        return Reason.VXLAN_I_FLAG
    if flags & _G and flags & _P and (rules.gbp or rules.gpe):
        return Reason.GBP_WITH_GPE
    if rules.gpe is _ONLY_GPE and not flags & _P:
        return Reason.GPE_P_FLAG
    record.inner_link_type = ETHERNET_LINK
    if rules.gpe:
        refused = _gpe(flags, buf[start + 3], rules, record)
        if refused is not None:
            return refused
    with_p = rules.gpe is _OVS_GPE and flags & _P
    if header & rules.reserved_mask & ~(_WITH_P if with_p else 0):
        return Reason.VXLAN_RESERVED
    if rules.vnis is not None and record.vni not in rules.vnis:
        return Reason.VNI_REFUSED
    if rules.sources is not None and not any(
        underlay.version == version and underlay.source & mask == network for version, network, mask in rules.sources
    ):
        return Reason.SOURCE_REFUSED
    if rules.check_outer_source and _is_martian(underlay.version, underlay.source):
        return Reason.OUTER_SOURCE
    return start + 8, end, missing


def _is_martian(version: int, source: int) -> bool:
    """Whether no packet can come from an address: "this host", loopback, multicast, broadcast (RFC 1122 3.2.1.3)."""
    if version == 4:
        return source in (0, 0xFFFFFFFF) or source >> 24 == 127 or source >> 28 == 0xE
    return version == 6 and (source == 1 or source >> 120 == 0xFF)


def _gpe(flags: int, next_protocol: int, rules: DecapRules, record: DecapRecord) -> Reason | None:
    if flags & _VERSION and rules.gpe is not _OVS_GPE:
        return Reason.GPE_VERSION
    if flags & _O:
        return Reason.GPE_OAM
    if not flags & _P:
        return None
    if not 1 <= next_protocol <= _GPE_LAST or (rules.gpe is _OVS_GPE and next_protocol != _GPE_ETHERNET):
        return Reason.GPE_NEXT_PROTOCOL
    if next_protocol in (_GPE_IPV4, _GPE_IPV6):
        record.inner_link_type = RAW_LINK
        record.inner_ethertype = _IPV4_TYPE if next_protocol == _GPE_IPV4 else _IPV6_TYPE
    elif next_protocol != _GPE_ETHERNET:
        record.inner_link_type = NO_LINK_TYPE
    return None


# -- the inner frame


def _inner(buf: Buffer, extent: _Extent, rules: DecapRules, record: DecapRecord, tos: int | None) -> _Extent | Reason:
    start, end, missing = extent
    record.inner_offset = start
    record.inner_length = end - start
    record.inner_original_length = end - start + missing
    if missing:
        record.notes |= _CUT
    at = start
    if rules.gpe is _ONLY_GPE and record.inner_link_type != RAW_LINK:
        return extent if end > start else Reason.INNER_TRUNCATED
    if record.inner_link_type == ETHERNET_LINK:
        if end - start < 14:
            return Reason.CAPTURE_CUT if 14 - (end - start) <= missing else Reason.INNER_TRUNCATED
        at = _inner_tags(buf, start, end, record)
        refused = _inner_ethernet(buf, start, end, missing, rules, record)
        if refused is not None:
            return refused
    refused = _inner_ip(buf, at, end, missing, rules, record, tos)
    return extent if refused is None else refused


def _inner_ethernet(
    buf: Buffer, start: int, end: int, missing: int, rules: DecapRules, record: DecapRecord
) -> Reason | None:
    """What an Ethernet frame inside is refused for."""
    source = bytes(buf[start + 6 : start + 12])
    if record.inner_tags and rules.inner_vlan is InnerVLAN.DROP:
        return Reason.INNER_VLAN
    if rules.check_inner_source and (source[0] & 1 or not any(source)):
        return Reason.INNER_SOURCE
    if source in rules.own_macs:
        return Reason.INNER_OWN_MAC
    if record.inner_tags and rules.check_inner_length is _TAGGED_UNREAD and end - start + missing < _TAG_REMOVABLE:
        return Reason.INNER_LENGTH
    if rules.inner_vlan is InnerVLAN.STRIP and record.inner_tags and end - start >= 18:
        record.notes |= Note.STRIPPED
    return None


def _inner_ip(
    buf: Buffer, at: int, end: int, missing: int, rules: DecapRules, record: DecapRecord, tos: int | None
) -> Reason | None:
    """What is behind the inner link layer."""
    needed = _HEADER_SIZES.get(record.inner_ethertype)
    if needed is None:
        return None
    if rules.ecn is _ECN_OVS and tos is not None and record.inner_tags < 2:
        refused = _ovs_ecn(buf, at, end, missing, needed, tos, record)
        if refused is not None:
            return refused
    if end - at < needed:
        rule = rules.check_inner_length
        checked = rule and not (rule is _TAGGED_UNREAD and record.inner_tags)
        return Reason.INNER_LENGTH if checked and end - at + missing < needed else None
    if tos is not None and _looks_at_ecn(buf[at] >> 4 == (4 if needed == 20 else 6), rules, record):
        refused = _ecn(buf, at, needed, tos, record)
        if refused is not None:
            return refused
    _describe_inner_ip(buf, at, end, missing, record, rules.lengths is _CAPTURED)
    return None


def _looks_at_ecn(right_version: bool, rules: DecapRules, record: DecapRecord) -> bool:
    if rules.ecn is _ECN_LINUX:
        return not record.inner_tags
    return rules.ecn is _ECN_RFC6040 and right_version


def _inner_tags(buf: Buffer, start: int, end: int, record: DecapRecord) -> int:
    """Note the tags and the EtherType behind them; returns where that one's content begins."""
    ethertype = buf[start + 12] << 8 | buf[start + 13]
    at = start + 14
    while ethertype in TAGS:
        record.inner_tags = min(record.inner_tags + 1, 255)
        if end - at < 4:
            break
        if record.inner_tags == 1:
            record.inner_vlan = buf[at] << 8 | buf[at + 1]
        ethertype = buf[at + 2] << 8 | buf[at + 3]
        at += 4
    record.inner_ethertype = ethertype
    return at


def _describe_inner_ip(buf: Buffer, at: int, end: int, missing: int, record: DecapRecord, any_length: bool) -> None:
    """Fill in what a sound inner IP header says; a broken one says nothing."""
    if record.inner_ethertype == _IPV4_TYPE:
        row = scan_ipv4(buf, at, end, missing, any_length)
        src, dst = at + 12, at + 16
    else:
        row = scan_ipv6(buf, at, end, missing, any_length)
        src, dst = at + 8, at + 24
    if isinstance(row, Fault):
        return
    kind, _, header_end, ip_end, key, _ = row
    if kind == _IPV4:
        record.inner_family = 4
        record.inner_src = _MAPPED + bytes(buf[src : src + 4])
        record.inner_dst = _MAPPED + bytes(buf[dst : dst + 4])
        record.inner_protocol = buf[at + 9]
    else:
        record.inner_family = 6
        record.inner_src = bytes(buf[src : src + 16])
        record.inner_dst = bytes(buf[dst : dst + 16])
        record.inner_protocol = buf[header_end - 8] if key == NO_KEY else key
    if key in _PORTS_OF and ip_end - header_end >= 4:
        record.inner_src_port = buf[header_end] << 8 | buf[header_end + 1]
        record.inner_dst_port = buf[header_end + 2] << 8 | buf[header_end + 3]


def _ecn(buf: Buffer, at: int, header_length: int, tos: int, record: DecapRecord) -> Reason | None:
    inner = _ecn_bits(buf, at, header_length)
    return _carry_mark(inner, _ECN_AFTER[tos & 3][inner], record)


def _ovs_ecn(
    buf: Buffer, at: int, end: int, missing: int, header_length: int, tos: int, record: DecapRecord
) -> Reason | None:
    is_whole = (_is_whole_ipv4 if header_length == 20 else _is_whole_ipv6)(buf, at, end, missing)
    if tos & 3 != _CE and not is_whole:
        return None
    inner = _ecn_bits(buf, at, header_length) if is_whole else _NOT_ECT
    return _carry_mark(inner, _ECN_AFTER[_CE][inner] if tos & 3 == _CE else inner, record)


def _ecn_bits(buf: Buffer, at: int, header_length: int) -> int:
    return buf[at + 1] & 3 if header_length == 20 else buf[at + 1] >> 4 & 3


def _carry_mark(inner: int, after: int | None, record: DecapRecord) -> Reason | None:
    if after is None:
        return Reason.ECN_CONGESTION
    record.inner_ecn = after
    if after != inner:
        record.notes |= Note.REMARKED
    return None


def _is_whole_ipv4(buf: Buffer, at: int, end: int, missing: int) -> bool:
    """Whether an IPv4 packet's lengths fit, of whatever version it says it is."""
    if end - at < 20:
        return False
    header_length, total_length = (buf[at] & 15) * 4, buf[at + 2] << 8 | buf[at + 3]
    return 20 <= header_length <= total_length <= end - at + missing


def _is_whole_ipv6(buf: Buffer, at: int, end: int, missing: int) -> bool:
    """Whether an IPv6 packet's lengths and its extension headers fit, of whatever version it says it is."""
    if end - at < 40:
        return False
    payload_length = buf[at + 4] << 8 | buf[at + 5]
    if payload_length > end - at - 40 + missing:
        return False
    return not isinstance(scan_extensions(buf, at, min(at + 40 + payload_length, end), missing), Fault)

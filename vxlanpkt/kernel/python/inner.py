"""The inner frame under rules: its length, tag, source address, IP header and ECN, and what the columns say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract.columns import Note
from vxlanpkt.kernel.contract.decapsulation import (
    DecapRules,
    ECNRule,
    GPERule,
    InnerLength,
    InnerVLAN,
    Lengths,
)
from vxlanpkt.kernel.contract.protocols import (
    ETHERNET_LINK,
    IPV4_TYPE,
    IPV6_TYPE,
    MAPPED,
    RAW_LINK,
    TCP_PROTOCOL,
    UDP_PROTOCOL,
)
from vxlanpkt.kernel.contract.spans import NO_KEY, Buffer, Fault, Kind
from vxlanpkt.kernel.python.outer import Extent
from vxlanpkt.kernel.python.scanning import TAGS, scan_extensions, scan_ipv4, scan_ipv6

if TYPE_CHECKING:
    from vxlanpkt.kernel.contract.decap_record import DecapRecord

_HEADER_SIZES = {IPV4_TYPE: 20, IPV6_TYPE: 40}
_PORTS_OF = frozenset((TCP_PROTOCOL, UDP_PROTOCOL))
_TAG_REMOVABLE = 20  # bytes of a frame from which Linux takes the tag off: it looks at two behind the inner EtherType

# RFC 6040 figure 4: the inner ECN after decapsulation, by [outer][inner]; None drops.
_NOT_ECT, _ECT1, _ECT0, _CE = range(4)
_ECN_AFTER: tuple[tuple[int | None, ...], ...] = (
    (_NOT_ECT, _ECT1, _ECT0, _CE),
    (_NOT_ECT, _ECT1, _ECT1, _CE),
    (_NOT_ECT, _ECT1, _ECT0, _CE),
    (None, _CE, _CE, _CE),
)

_IPV4 = int(Kind.IPV4)
_ECN_RFC6040, _ECN_LINUX, _ECN_OVS = ECNRule.RFC6040, ECNRule.LINUX, ECNRule.OVS
_ONLY_GPE, _TAGGED_UNREAD = GPERule.LINUX, InnerLength.LINUX
_CAPTURED = Lengths.CAPTURED
_CUT = int(Note.CUT)


def decap_inner(
    buf: Buffer, extent: Extent, rules: DecapRules, record: DecapRecord, tos: int | None
) -> Extent | Reason:
    """Judge the inner frame, which lies in *extent*; *tos* is that of the outer header, if it is known."""
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
    if record.inner_ethertype == IPV4_TYPE:
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
        record.inner_src = MAPPED + bytes(buf[src : src + 4])
        record.inner_dst = MAPPED + bytes(buf[dst : dst + 4])
        record.inner_protocol = buf[at + 9]
    else:
        record.inner_family = 6
        record.inner_src = bytes(buf[src : src + 16])
        record.inner_dst = bytes(buf[dst : dst + 16])
        record.inner_protocol = buf[header_end - 8] if key == NO_KEY else key
    if key in _PORTS_OF and ip_end - header_end >= 4:
        record.inner_src_port = buf[header_end] << 8 | buf[header_end + 1]
        record.inner_dst_port = buf[header_end + 2] << 8 | buf[header_end + 3]
    if key == TCP_PROTOCOL and ip_end - header_end >= 14:
        record.inner_tcp_flags = (buf[header_end + 12] & 0x0F) << 8 | buf[header_end + 13]


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

"""The specification of encapsulation: the outer headers of one inner frame, from a recipe.

A recipe's template holds every byte that is the same in each frame; the rest is patched in.
"""

from __future__ import annotations

from vxlanpkt.checksum import internet_checksum, ones_complement_sum, pseudo_header_sum, transport_checksum
from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract import DF, ECNMode, EncapRecipe, FlowLabel, InnerIP, UDPChecksum
from vxlanpkt.kernel.hashing import flow_hash, inner_ip, source_port
from vxlanpkt.kernel.spans import FRAGMENTED, Buffer, Kind, Row

_UDP_PROTOCOL = 17
_DONT_FRAGMENT = 0x40
_DEFAULT_TTL = 64
_LARGEST_IPV4_INNER = 65_535 - 20 - 8 - 8
LARGEST_IPV6_INNER = 65_535 - 8 - 8
_CHECKSUM_AT = {6: 16, 17: 6}
_CE, _ECT0 = 3, 2
_IPV4, _IPV6 = 0x0800, 0x86DD
_FIXED_HEADER = {_IPV4: 20, _IPV6: 40}
_MOST_TAGS = {InnerIP.LINUX: 7, InnerIP.OVS: 1}


def encap_header(buf: Buffer, start: int, end: int, recipe: EncapRecipe, identification: int) -> bytes | Reason:
    """Everything that goes before the inner frame `buf[start:end]`, or why it cannot be sent."""
    length = end - start
    if length > (_LARGEST_IPV4_INNER if recipe.family == 4 else LARGEST_IPV6_INNER):
        return Reason.INNER_TOO_LONG
    header = bytearray(recipe.template)
    ip = recipe.ip_offset
    udp = ip + (20 if recipe.family == 4 else 40)
    inner = _Inner(buf, start, end, recipe)
    flow = flow_hash(buf, start, end, recipe.symmetric, recipe.raw)
    if recipe.gpe:
        header[udp + 11] = inner.next_protocol
    header[udp : udp + 2] = source_port(flow, recipe.low_port, recipe.high_port).to_bytes(2, "big")
    header[udp + 4 : udp + 6] = (16 + length).to_bytes(2, "big")
    tos = (inner.tos & 0xFC if recipe.inherit_dscp else recipe.dscp << 2) | _ecn(recipe.ecn, inner.tos & 3)
    ttl = inner.ttl if recipe.inherit_ttl else recipe.ttl
    if recipe.family == 4:
        _patch_ipv4(header, ip, tos, ttl, 36 + length, _df(recipe.df, inner), identification)
    else:
        _patch_ipv6(header, ip, tos, ttl, 16 + length, _label(recipe, inner, flow))
    if recipe.udp_checksum is not UDPChecksum.ZERO:
        checksum = _udp_checksum(header, recipe, inner)
        header[udp + 6 : udp + 8] = checksum.to_bytes(2, "big")
    return bytes(header)


def clears_df(buf: Buffer, start: int, end: int, recipe: EncapRecipe) -> bool:
    """Whether the outer IPv4 header of this frame has DF clear, so that its identification matters (RFC 6864)."""
    return recipe.family == 4 and not _df(recipe.df, _Inner(buf, start, end, recipe))


class _Inner:
    """What the outer headers take over from an inner frame."""

    __slots__ = ("at", "buf", "df", "end", "flow_label", "next_protocol", "row", "start", "tos", "ttl")

    def __init__(self, buf: Buffer, start: int, end: int, recipe: EncapRecipe) -> None:
        self.buf, self.start, self.end = buf, start, end
        self.tos = self.flow_label = 0
        self.ttl = _DEFAULT_TTL
        self.df = False
        self.next_protocol = 3
        self.row: Row | None = None
        self.at = start
        if end - start < (1 if recipe.raw else 14):
            return
        ethertype, self.at, self.row = inner_ip(buf, start, end, recipe.raw)
        if recipe.raw:
            self.next_protocol = 2 if ethertype == _IPV6 else 1
        tags = 0 if recipe.raw else (self.at - start - 14) // 4
        if ethertype in _FIXED_HEADER and tags <= _MOST_TAGS.get(recipe.inner_ip, tags):
            self._take_over(ethertype, tags, recipe.inner_ip)

    def _take_over(self, ethertype: int, tags: int, which: InnerIP) -> None:
        ttl = 0
        if self.end - self.at >= _FIXED_HEADER[ethertype] if which is InnerIP.LINUX else self.row is not None:
            first = int.from_bytes(self.buf[self.at : self.at + 4], "big")
            if ethertype == _IPV4:
                self.tos, ttl = first >> 16 & 0xFF, self.buf[self.at + 8]
                self.df = bool(self.buf[self.at + 6] & _DONT_FRAGMENT)
            else:
                self.tos, ttl = first >> 20 & 0xFF, self.buf[self.at + 7]
                self.flow_label = first & 0xFFFFF
                self.df = True
            if tags and which is InnerIP.LINUX:
                self.df = False
        self.ttl = ttl if which is InnerIP.OVS else ttl or _DEFAULT_TTL


def _ecn(mode: ECNMode, inner: int) -> int:
    if mode is ECNMode.NONE:
        return 0
    if mode is ECNMode.LINUX and inner == _CE:
        return _ECT0
    return inner


def _df(mode: DF, inner: _Inner) -> bool:
    return inner.df if mode is DF.INHERIT else mode is DF.SET


def _label(recipe: EncapRecipe, inner: _Inner, flow: int) -> int:
    if recipe.flow_label_mode is FlowLabel.INHERIT:
        return inner.flow_label
    return flow & 0xFFFFF if recipe.flow_label_mode is FlowLabel.HASH else recipe.flow_label


def _patch_ipv4(header: bytearray, ip: int, tos: int, ttl: int, length: int, df: bool, identification: int) -> None:
    header[ip + 1] = tos
    header[ip + 2 : ip + 4] = length.to_bytes(2, "big")
    header[ip + 4 : ip + 6] = identification.to_bytes(2, "big")
    header[ip + 6] = _DONT_FRAGMENT if df else 0
    header[ip + 8] = ttl
    header[ip + 10 : ip + 12] = internet_checksum(header[ip : ip + 20]).to_bytes(2, "big")


def _patch_ipv6(header: bytearray, ip: int, tos: int, ttl: int, length: int, label: int) -> None:
    header[ip : ip + 4] = (6 << 28 | tos << 20 | label).to_bytes(4, "big")
    header[ip + 4 : ip + 6] = length.to_bytes(2, "big")
    header[ip + 7] = ttl


def _udp_checksum(header: bytearray, recipe: EncapRecipe, inner: _Inner) -> int:
    size, first = (4, 12) if recipe.family == 4 else (16, 8)
    src_at = recipe.ip_offset + first
    udp = recipe.ip_offset + (20 if recipe.family == 4 else 40)
    length = len(header) - udp + inner.end - inner.start
    addresses = bytes(header[src_at : src_at + size]), bytes(header[src_at + size : src_at + 2 * size])
    total = pseudo_header_sum(*addresses, _UDP_PROTOCOL, length)
    known = _sum_by_inner_checksum(inner) if recipe.udp_checksum is UDPChecksum.INNER else None
    if known is None:
        known = ones_complement_sum(inner.buf[inner.start : inner.end])
    return transport_checksum(header[udp:], total + known)


def _sum_by_inner_checksum(inner: _Inner) -> int | None:
    """The sum of the inner frame, with a segment whose checksum is right not read at all.

    Such a segment sums to the complement of its pseudo-header, whatever it holds (the kernel's
    local checksum offload). None where there is no such segment, and behind extension headers, as a
    routing header puts another destination into the pseudo-header.
    """
    if inner.row is None:
        return None
    kind, _, segment, end, protocol, missing = inner.row
    field = _CHECKSUM_AT.get(protocol)
    if field is None or missing >= FRAGMENTED or end - segment < field + 2:
        return None
    if kind == Kind.IPV6 and segment - inner.at > 40:
        return None
    buf = inner.buf
    if protocol == _UDP_PROTOCOL and (
        not any(buf[segment + 6 : segment + 8])
        or int.from_bytes(buf[segment + 4 : segment + 6], "big") != end - segment
    ):
        return None
    size, first = (4, inner.at + 12) if kind == Kind.IPV4 else (16, inner.at + 8)
    pseudo_header = pseudo_header_sum(
        bytes(buf[first : first + size]), bytes(buf[first + size : first + 2 * size]), protocol, end - segment
    )
    total = ones_complement_sum(buf[inner.start : segment])
    total += 0xFFFF - ones_complement_sum(b"", pseudo_header)
    trailer = ones_complement_sum(buf[end : inner.end])
    if (end - inner.start) & 1:
        trailer = (trailer & 0xFF) << 8 | trailer >> 8
    return total + trailer

"""The specification of encapsulation: the outer headers of one inner frame, from a recipe.

A recipe's template holds every byte that is the same in each frame; the rest is patched in.
"""

from __future__ import annotations

from collections.abc import Sequence

from vxlanpkt.checksum import internet_checksum, ones_complement_sum, pseudo_header_sum, transport_checksum
from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP
from vxlanpkt.kernel.contract.columns import ENCAP_LAYOUT, NO_TUNNEL
from vxlanpkt.kernel.contract.encapsulation import DF, ECNMode, EncapMode, EncapRecipe, FlowLabel, InnerIP, UDPChecksum
from vxlanpkt.kernel.contract.protocols import IPV4_TYPE, IPV6_TYPE, TCP_PROTOCOL, UDP_PROTOCOL
from vxlanpkt.kernel.contract.spans import FRAGMENTED, Buffer, Kind, Row
from vxlanpkt.kernel.python.frames import Frames, is_inside
from vxlanpkt.kernel.python.hashing import hash_flow, inner_ip, source_port
from vxlanpkt.kernel.python.memory import shares_memory

_DONT_FRAGMENT = 0x40
_DEFAULT_TTL = 64
_LARGEST_IPV4_INNER = 65_535 - 20 - 8 - 8
LARGEST_IPV6_INNER = 65_535 - 8 - 8
_CHECKSUM_AT = {TCP_PROTOCOL: 16, UDP_PROTOCOL: 6}
_CE, _ECT0 = 3, 2
_FIXED_HEADER = {IPV4_TYPE: 20, IPV6_TYPE: 40}
_MOST_TAGS = {InnerIP.LINUX: 7, InnerIP.OVS: 1}


def hold_recipe(recipe: EncapRecipe) -> Sequence[EncapRecipe]:
    """A tunnel, held: a table of one."""
    return (recipe,)


def hold_table(recipes: Sequence[Sequence[EncapRecipe]]) -> Sequence[EncapRecipe]:
    """A table of tunnels that are held."""
    return [recipe for held in recipes for recipe in held]


def hold_index(index: Sequence[int]) -> Sequence[int]:
    """A column that says which tunnel of a table each row takes."""
    return index


def encap_one(data: bytes, recipe: Sequence[EncapRecipe], identification: int) -> bytes | Reason:
    """The whole outer frame around *data*, or why it cannot be sent."""
    header = encap_header(data, 0, len(data), recipe[0], identification)
    return header if isinstance(header, Reason) else header + data


def clears_df(data: bytes, recipe: Sequence[EncapRecipe]) -> bool:
    """Whether the outer IPv4 header of this frame has DF clear, so that its identification matters (RFC 6864)."""
    return recipe[0].family == 4 and not _df(recipe[0].df, _Inner(data, 0, len(data), recipe[0]))


def encap_header(buf: Buffer, start: int, end: int, recipe: EncapRecipe, identification: int) -> bytes | Reason:
    """Everything that goes before the inner frame `buf[start:end]`, or why it cannot be sent."""
    length = end - start
    if length > (_LARGEST_IPV4_INNER if recipe.family == 4 else LARGEST_IPV6_INNER):
        return Reason.INNER_TOO_LONG
    header = bytearray(recipe.template)
    ip = recipe.ip_offset
    udp = ip + (20 if recipe.family == 4 else 40)
    inner = _Inner(buf, start, end, recipe)
    flow = hash_flow(buf, start, end, recipe.symmetric, recipe.raw)
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
            self.next_protocol = 2 if ethertype == IPV6_TYPE else 1
        tags = 0 if recipe.raw else (self.at - start - 14) // 4
        if ethertype in _FIXED_HEADER and tags <= _MOST_TAGS.get(recipe.inner_ip, tags):
            self._take_over(ethertype, tags, recipe.inner_ip)

    def _take_over(self, ethertype: int, tags: int, which: InnerIP) -> None:
        ttl = 0
        if self.end - self.at >= _FIXED_HEADER[ethertype] if which is InnerIP.LINUX else self.row is not None:
            first = int.from_bytes(self.buf[self.at : self.at + 4], "big")
            if ethertype == IPV4_TYPE:
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
    total = pseudo_header_sum(*addresses, UDP_PROTOCOL, length)
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
    if protocol == UDP_PROTOCOL and (
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


def total_length(frames: Frames) -> int:
    """The bytes of all rows that can be sent.

    Not of those too long for any datagram, nor, where all claim more than the buffer holds, of those
    outside of it.
    """
    total = sum(length for length in frames.lengths if length <= LARGEST_IPV6_INNER)
    if total <= len(frames.data):
        return total
    return sum(
        length
        for offset, length in zip(frames.offsets, frames.lengths, strict=True)
        if length <= LARGEST_IPV6_INNER and is_inside(len(frames.data), offset, length)
    )


def encap(
    frames: Frames,
    table: Sequence[EncapRecipe],
    index: Sequence[int] | None,
    identification: int | None,
    mode: EncapMode,
    out: bytearray,
) -> int:
    """Encapsulate every row. The columns lie in *out*, and the bytes of the rows behind them.

    COPY writes header and frame, HEADERS the header alone, behind each other; IN_PLACE writes the
    header in front of the frame where it is, so rows have to lie in ascending order, each apart from
    the one before by its header. A row that cannot be sent has length 0.
    Row i takes identification + i, modulo 2**16.
    """
    rows = len(frames.offsets)
    if shares_memory(out, *frames, index):
        return OVERLAP
    if len(out) - rows * ENCAP_LAYOUT.row_size < _needed(frames, table, mode):
        return NO_SPACE
    whole = memoryview(out)
    offsets, lengths, status = ENCAP_LAYOUT.columns(rows, whole)
    target = frames.data if mode is EncapMode.IN_PLACE else whole[rows * ENCAP_LAYOUT.row_size :]
    accepted = position = floor = 0
    for row, extent in enumerate(zip(frames.offsets, frames.lengths, strict=True)):
        number = 0 if identification is None else (identification + row) & 0xFFFF
        header = _row_header(frames, *extent, table, 0 if index is None else index[row], number)
        put = header if isinstance(header, Reason) else _put_row(frames, extent, header, mode, target, position, floor)
        if isinstance(put, Reason):
            offsets[row], lengths[row], status[row] = position, 0, put
        else:
            offsets[row], lengths[row], status[row] = *put, Reason.OK
            accepted += 1
        if mode is not EncapMode.IN_PLACE:
            position += lengths[row]
        elif is_inside(len(frames.data), *extent):
            floor = max(floor, sum(extent))
    return accepted


def _put_row(
    frames: Frames,
    extent: tuple[int, int],
    header: bytes,
    mode: EncapMode,
    target: memoryview,
    position: int,
    floor: int,
) -> tuple[int, int] | Reason:
    """Write a header, and behind it what this mode copies; returns where that lies and how long it is."""
    offset, length = extent
    at = offset - len(header) if mode is EncapMode.IN_PLACE else position
    if at < floor:
        return Reason.NO_ROOM
    behind = at + len(header)
    target[at:behind] = header
    if mode is EncapMode.COPY:
        target[behind : behind + length] = frames.data[offset : offset + length]
    return at, len(header) + (0 if mode is EncapMode.HEADERS else length)


def _needed(frames: Frames, table: Sequence[EncapRecipe], mode: EncapMode) -> int:
    """The bytes that rows may take behind the columns: the largest header for each, and the frames."""
    if mode is EncapMode.IN_PLACE:
        return 0
    largest = max((len(recipe.template) for recipe in table), default=0)
    return len(frames.offsets) * largest + (total_length(frames) if mode is EncapMode.COPY else 0)


def _row_header(
    frames: Frames, offset: int, length: int, table: Sequence[EncapRecipe], which: int, number: int
) -> bytes | Reason:
    if which == NO_TUNNEL:
        return Reason.NO_TUNNEL
    if which >= len(table):
        return Reason.TUNNEL_OUT_OF_RANGE
    if not is_inside(len(frames.data), offset, length):
        return Reason.ROW_OUT_OF_RANGE
    return encap_header(frames.data, offset, offset + length, table[which], number)

"""Columns of captures, made of those of a decapsulated batch.

What of each row is known, addresses as text, numbers that are part of another one.
*columns* is the buffer of a whole result, as `decap` wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP
from vxlanpkt.kernel.contract.captures import MAC, Address, Derived, Known
from vxlanpkt.kernel.contract.columns import (
    DECAP_LAYOUT,
    NO_LINK_TYPE,
    NO_TIMESTAMP,
    UNTAGGED,
    WIDTHS,
    Note,
    family_of,
)
from vxlanpkt.kernel.contract.counting import CutOff
from vxlanpkt.kernel.contract.protocols import (
    ETHERNET_LINK,
    IEEE_802_3,
    IPV4_TYPE,
    IPV6_TYPE,
    MAPPED,
    SERVICE_TAG_TYPE,
    TAG_TYPE,
    TCP_PROTOCOL,
    UDP_PROTOCOL,
)
from vxlanpkt.kernel.python.frames import Frames, is_inside
from vxlanpkt.kernel.python.memory import shares_memory
from vxlanpkt.kernel.python.sightings import is_later_fragment

MOST_TEXTS = 1 << 24  # so that their bytes can be counted in 31 bits
_IPV4_TEXT, _IPV6_TEXT, _MAC_TEXT = 16, 40, 17
_G = 1 << 31
_LEAST_ETHERTYPE = 0x600
_PERHAPS_IP = (0, IPV4_TYPE, IPV6_TYPE, TAG_TYPE, SERVICE_TAG_TYPE)  # a tag that is cut is the last of them
_DERIVED_CODES = {Derived.INNER_OFFSET: "I", Derived.CUT_OFF: "B"}  # of the others "H"

# How far a row came, where its status alone says so.
_AT_INNER_ETHERNET = frozenset((
    Reason.INNER_VLAN, Reason.INNER_SOURCE, Reason.INNER_OWN_MAC, Reason.INNER_LENGTH, Reason.ECN_CONGESTION,
))  # fmt: skip
_AT_TUNNEL = _AT_INNER_ETHERNET | {
    Reason.OK, Reason.VXLAN_I_FLAG, Reason.VXLAN_RESERVED, Reason.GBP_WITH_GPE, Reason.GPE_P_FLAG, Reason.GPE_VERSION,
    Reason.GPE_OAM, Reason.GPE_NEXT_PROTOCOL, Reason.VNI_REFUSED, Reason.SOURCE_REFUSED, Reason.OUTER_SOURCE,
    Reason.INNER_TRUNCATED,
}  # fmt: skip
_AT_UDP = _AT_TUNNEL | {Reason.UDP_CHECKSUM, Reason.UDP_CHECKSUM_ZERO, Reason.VXLAN_TRUNCATED}

_ADDRESSES = {address: address.name.lower() for address in Address}
_FAMILIES = {address: family_of(column) for address, column in _ADDRESSES.items()}


class _Columns:
    """The columns of a result, to be read."""

    def __init__(self, columns: bytearray, rows: int) -> None:
        self._whole = memoryview(columns).toreadonly()
        self._rows = rows

    def __getattr__(self, name: str) -> memoryview:
        column = DECAP_LAYOUT.column(name, self._rows, self._whole)
        setattr(self, name, column)
        return column


def known(
    columns: bytearray, frames: Frames, times: Sequence[int], links: Sequence[int], unread: bool, out: bytearray
) -> int:
    """For each `Known`, how many rows do not know it, in 64 bits; then for each a bitmap of those that do.

    Bitmaps are padded to 8 bytes. *links*: how long the link layer's header of each row is. *unread*: whether the
    policy passes Ethernet frames on without looking into them.
    """
    rows = len(frames.offsets)
    stride = (rows + 63) // 64 * 8
    if shares_memory(out, columns, *frames, times, links):
        return OVERLAP
    if not holds(columns, rows) or min(len(times), len(links)) < rows or len(out) < len(Known) * (8 + stride):
        return NO_SPACE
    of = _Columns(columns, rows)
    words = [_known_of(of, row, times[row], frames.lengths[row] >= links[row], unread) for row in range(rows)]
    nulls = memoryview(out)[: 8 * len(Known)].cast("q")
    for what in Known:
        bits = [what in word for word in words]
        nulls[what] = rows - sum(bits)
        at = 8 * len(Known) + what * stride
        out[at : at + stride] = _bitmap(bits).ljust(stride, b"\0")
    return 0


def _known_of(of: Any, row: int, time: int, linked: bool, unread: bool) -> set[Known]:
    status = of.status[row]
    inner = of.inner_offset[row] != 0
    tunnel = inner or status in _AT_TUNNEL
    macs = _has_macs(of, row)
    facts = {
        Known.TIME: time != NO_TIMESTAMP,
        Known.LINK: linked and status != Reason.ROW_OUT_OF_RANGE,
        Known.OUTER_TAG: of.outer_vlan[row] != UNTAGGED,
        Known.OUTER_IP: of.outer_family[row] != 0,
        Known.OUTER_UDP: tunnel or status in _AT_UDP or of.outer_src_port[row] or of.outer_dst_port[row],
        Known.TUNNEL: tunnel,
        Known.GROUP: tunnel and of.flags[row] & _G,
        Known.INNER: inner,
        Known.ACCEPTED: status == Reason.OK,
        Known.INNER_LINK: of.inner_link_type[row] != NO_LINK_TYPE,
        Known.INNER_MAC: macs,
        Known.INNER_ETHERNET: macs and not unread,
        Known.INNER_ETHERTYPE: of.inner_ethertype[row] or (macs and not unread),
        Known.INNER_TAG: of.inner_vlan[row] != UNTAGGED,
        Known.INNER_IP: of.inner_family[row] != 0,
        Known.INNER_PORTS: of.inner_src_port[row] or of.inner_dst_port[row],
        Known.INNER_TCP: of.inner_tcp_flags[row],
    }
    return {what for what, is_known in facts.items() if is_known}


def _has_macs(of: Any, row: int) -> bool:
    """Whether there is an inner Ethernet header."""
    status = of.status[row]
    whole = (status == Reason.OK and of.inner_length[row] >= 14) or status in _AT_INNER_ETHERNET
    return whole and of.inner_link_type[row] == ETHERNET_LINK and of.inner_offset[row] != 0


def _bitmap(bits: Iterable[bool]) -> bytes:
    """Bits in bytes, the first one lowest."""
    number = sum(1 << at for at, bit in enumerate(bits) if bit)
    return number.to_bytes((number.bit_length() + 7) // 8, "little")


def derived(columns: bytearray, frames: Frames, what: Derived, out: bytearray) -> int:
    """A column that follows from others."""
    rows = len(frames.offsets)
    code = _DERIVED_CODES.get(what, "H")
    width = WIDTHS[code]
    if shares_memory(out, columns, *frames):
        return OVERLAP
    if not holds(columns, rows) or len(out) < width * rows:
        return NO_SPACE
    if rows:
        to = memoryview(out)[: width * rows].cast(code)  # type: ignore[call-overload]
        for row, value in enumerate(_derived(_Columns(columns, rows), frames, what)):
            to[row] = value
    return 0


def _derived(of: Any, frames: Frames, what: Derived) -> Iterable[int]:
    if what is Derived.INNER_OFFSET:
        pairs = zip(of.inner_offset, frames.offsets, strict=True)
        return ((offset - start) & 0xFFFFFFFF if offset else 0 for offset, start in pairs)
    if what is Derived.GROUP_POLICY:
        return (flags & 0xFFFF for flags in of.flags)
    if what is Derived.FLOW_ETHERTYPE:
        return (IEEE_802_3 if 0 < kind < _LEAST_ETHERTYPE else kind for kind in of.inner_ethertype)
    if what is Derived.CUT_OFF:
        return (_cut_off(of, frames, row) for row in range(len(frames.offsets)))
    return (tag & 0xFFF for tag in (of.outer_vlan if what is Derived.OUTER_VLAN else of.inner_vlan))


def _cut_off(of: Any, frames: Frames, row: int) -> CutOff:
    """What was cut off the inner packet of a row."""
    if not of.notes[row] & Note.CUT or of.status[row]:
        return CutOff.NOTHING
    return CutOff.HEADERS if _lacks_addresses(of, row) or _lacks_ports(of, frames, row) else CutOff.PAYLOAD


def _lacks_addresses(of: Any, row: int) -> bool:
    """Whether the IP header of an inner frame is behind the bytes that were captured."""
    perhaps_ip = of.inner_ethertype[row] in _PERHAPS_IP and of.inner_link_type[row] != NO_LINK_TYPE
    return perhaps_ip and not of.inner_family[row]


def _lacks_ports(of: Any, frames: Frames, row: int) -> bool:
    """Whether an inner packet has ports that are behind the bytes that were captured: later fragments have none."""
    start, length = of.inner_offset[row], of.inner_length[row]
    if of.inner_protocol[row] not in (TCP_PROTOCOL, UDP_PROTOCOL) or of.inner_src_port[row] or of.inner_dst_port[row]:
        return False
    if not is_inside(len(frames.data), start, length):
        return False
    missing = max(of.inner_original_length[row] - length, 0)
    return not is_later_fragment(frames.data, start, start + length, missing, of.inner_link_type[row])


# -- text


def address_room(columns: bytearray, rows: int, which: Address) -> int:
    """The bytes that a column of addresses takes as text, at the most."""
    if not holds(columns, rows):
        return 0
    families = bytes(getattr(_Columns(columns, rows), _FAMILIES[which]))
    return 4 * (rows + 1) + _IPV4_TEXT * families.count(4) + _IPV6_TEXT * families.count(6)


def address_text(columns: bytearray, rows: int, which: Address, out: bytearray) -> int:
    """A column of addresses as text: rows + 1 offsets of 32 bits, and the bytes; returns how many these are."""
    if shares_memory(out, columns):
        return OVERLAP
    if not holds(columns, rows) or rows > MOST_TEXTS or len(out) < address_room(columns, rows, which):
        return NO_SPACE
    texts = [
        FORMS[family](address) if family in FORMS else "" for family, address in addresses_of(columns, rows, which)
    ]
    return put_text(texts, out)


def addresses_of(columns: bytearray, rows: int, which: Address) -> Iterable[tuple[int, bytes]]:
    """The version of IP, and the 16 bytes, of each row's address; what has no text may be anything."""
    of = _Columns(columns, rows)
    raw, families = getattr(of, _ADDRESSES[which]), getattr(of, _FAMILIES[which])
    return ((families[row], bytes(raw[16 * row : 16 * row + 16])) for row in range(rows))


def put_text(texts: Sequence[str], out: bytearray) -> int:
    """Put texts of ASCII behind each other: their offsets, and the bytes."""
    text = "".join(texts).encode("ascii")
    if len(out) < 4 * (len(texts) + 1) + len(text):
        return NO_SPACE  # families changed since the room was reckoned
    offsets = memoryview(out)[: 4 * (len(texts) + 1)].cast("i")
    length = 0
    for row, one in enumerate(texts):
        offsets[row] = length
        length += len(one)
    offsets[len(texts)] = length
    out[len(offsets) * 4 : len(offsets) * 4 + length] = text
    return length


def ipv4_text(address: bytes) -> str:
    """The last 4 bytes of an address with dots."""
    return ".".join(str(byte) for byte in address[-4:])


def ipv6_text(address: bytes) -> str:
    """An IPv6 address as RFC 5952 writes it; an IPv4-mapped one ends in dots (section 5)."""
    if address.startswith(MAPPED):
        return f"::ffff:{ipv4_text(address)}"
    groups = [address[at] << 8 | address[at + 1] for at in range(0, 16, 2)]
    first, end = _longest_zeros(groups)
    if first == end:
        return _groups_text(groups)
    return f"{_groups_text(groups[:first])}::{_groups_text(groups[end:])}"


def _longest_zeros(groups: Sequence[int]) -> tuple[int, int]:
    """The longest run of at least two zero groups, the first of those that are equally long (section 4.2)."""
    found = (8, 8)
    at = 0
    while at < 8:
        end = at
        while end < 8 and not groups[end]:
            end += 1
        if end - at > max(found[1] - found[0], 1):
            found = (at, end)
        at = end + 1
    return found


def _groups_text(groups: Iterable[int]) -> str:
    return ":".join(f"{group:x}" for group in groups)


FORMS: Mapping[int, Callable[[bytes], str]] = {4: ipv4_text, 6: ipv6_text}


def mac_text(columns: bytearray, frames: Frames, which: MAC, out: bytearray) -> int:
    """A column of inner MAC addresses as text: see `address_text`."""
    rows = len(frames.offsets)
    if shares_memory(out, columns, *frames):
        return OVERLAP
    if not holds(columns, rows) or rows > MOST_TEXTS or len(out) < 4 * (rows + 1) + _MAC_TEXT * rows:
        return NO_SPACE
    return put_text(["" if mac is None else mac.hex(":") for mac in macs_of(columns, frames, which)], out)


def mac_bytes(columns: bytearray, frames: Frames, which: MAC, out: bytearray) -> int:
    """A column of inner MAC addresses of 6 bytes, zeros where there is none."""
    rows = len(frames.offsets)
    if shares_memory(out, columns, *frames):
        return OVERLAP
    if not holds(columns, rows) or len(out) < 6 * rows:
        return NO_SPACE
    out[: 6 * rows] = b"".join(mac or bytes(6) for mac in macs_of(columns, frames, which))
    return 0


def macs_of(columns: bytearray, frames: Frames, which: MAC) -> Iterable[bytes | None]:
    """The inner MAC address of each row, if it has one."""
    rows = len(frames.offsets)
    of: Any = _Columns(columns, rows)
    for row in range(rows):
        offset = of.inner_offset[row]
        there = _has_macs(of, row) and offset + 12 <= len(frames.data)
        yield bytes(frames.data[offset + which : offset + which + 6]) if there else None


# -- any columns


def numbers(first: int, rows: int, out: bytearray) -> int:
    """*first* and the numbers behind it, in 64 bits."""
    if len(out) < 8 * rows:
        return NO_SPACE
    if rows:
        to = memoryview(out)[: 8 * rows].cast("Q")
        for row in range(rows):
            to[row] = (first + row) & 0xFFFFFFFFFFFFFFFF
    return 0


def hold_names() -> list[bytes | None]:
    """A table of names, of which there are more and more."""
    return []


def add_name(table: list[bytes | None], name: bytes | None) -> None:
    """Add a name, or the knowledge that there is none."""
    table.append(name)


def names_room(items: Sequence[int], table: Sequence[bytes | None]) -> int:
    """The bytes that `names` takes."""
    rows = len(items)
    return 4 * (rows + 1) + (rows + 7) // 8 + sum(len(_name(item, table) or b"") for item in items)


def names(items: Sequence[int], table: Sequence[bytes | None], out: bytearray) -> int:
    """The name that each item has in *table*, if it has one: rows + 1 offsets of 32 bits, a bitmap, and the text.

    Returns for how many there is none.
    """
    rows, size = len(items), (len(items) + 7) // 8
    if shares_memory(out, items):
        return OVERLAP
    if rows > MOST_TEXTS or len(out) < names_room(items, table):
        return NO_SPACE
    found = [_name(item, table) for item in items]
    offsets = memoryview(out)[: 4 * (rows + 1)].cast("i")
    for row, length in enumerate(accumulate((len(name or b"") for name in found), initial=0)):
        offsets[row] = length
    begin = 4 * (rows + 1)
    out[begin : begin + size] = _bitmap(name is not None for name in found).ljust(size, b"\0")
    text = b"".join(name or b"" for name in found)
    out[begin + size : begin + size + len(text)] = text
    return found.count(None)


def _name(item: int, table: Sequence[bytes | None]) -> bytes | None:
    return table[item] if item < len(table) else None


def pick(columns: memoryview, widths: Sequence[int], mask: memoryview, out: bytearray) -> int:
    """The rows that *mask* names, out of columns that lie behind each other into others that do; returns how many."""
    if shares_memory(out, columns, mask):
        return OVERLAP
    rows = len(mask)
    chosen = [row for row in range(rows) if mask[row]]
    flat = columns.cast("B") if columns.nbytes else columns
    if len(flat) < rows * sum(widths) or len(out) < len(chosen) * sum(widths):
        return NO_SPACE
    at = to = 0
    for width in widths:
        out[to : to + width * len(chosen)] = b"".join(flat[at + width * row : at + width * (row + 1)] for row in chosen)
        at += width * rows
        to += width * len(chosen)
    return len(chosen)


def holds(columns: bytearray, rows: int) -> bool:
    """Whether a buffer is as large as the columns of so many rows."""
    return len(columns) >= rows * DECAP_LAYOUT.row_size

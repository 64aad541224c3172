"""The Python kernel: the specification that any other must equal, status by status and byte by byte.

Callers have a kernel hold what it is to use again and again (`hold_...`): it turns that into a form of
its own, which nobody else looks into. Functions over batches write every element of every column,
return the number of rows that are OK, never raise on content, and check each row against the buffer
themselves.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from vxlanpkt.checksum import internet_checksum as internet_checksum
from vxlanpkt.checksum import ones_complement_sum as ones_complement_sum
from vxlanpkt.checksum import transport_checksum as transport_checksum
from vxlanpkt.errors import Reason
from vxlanpkt.kernel import encapsulation, filtering, grouping, hashing, sightings, tables
from vxlanpkt.kernel.altering import alter as alter
from vxlanpkt.kernel.columns import add_name as add_name
from vxlanpkt.kernel.columns import address_room as address_room
from vxlanpkt.kernel.columns import address_text as address_text
from vxlanpkt.kernel.columns import derived as derived
from vxlanpkt.kernel.columns import hold_names as hold_names
from vxlanpkt.kernel.columns import known as known
from vxlanpkt.kernel.columns import mac_bytes as mac_bytes
from vxlanpkt.kernel.columns import mac_text as mac_text
from vxlanpkt.kernel.columns import names as names
from vxlanpkt.kernel.columns import names_room as names_room
from vxlanpkt.kernel.columns import numbers as numbers
from vxlanpkt.kernel.columns import pick as pick
from vxlanpkt.kernel.contract import (
    BRIEF_COLUMNS,
    BRIEF_LAYOUT,
    DECAP_COLUMNS,
    DECAP_LAYOUT,
    ENCAP_LAYOUT,
    NO_SPACE,
    NO_TUNNEL,
    OVERLAP,
    UNSOUND,
    WIDTHS,
    Asked,
    AskedMACs,
    Counted,
    DecapRecord,
    DecapRules,
    EncapMode,
    EncapRecipe,
    Frames,
    Mapped,
    Packets,
    Section,
    SectionInterface,
    Senders,
    Sighted,
    Step,
    Target,
    Underlay,
)
from vxlanpkt.kernel.decapsulation import decap_row
from vxlanpkt.kernel.records import read_records as read_records
from vxlanpkt.kernel.releases import ENDS_STREAMS as ENDS_STREAMS
from vxlanpkt.kernel.releases import RELEASES as RELEASES
from vxlanpkt.kernel.releases import callback as callback
from vxlanpkt.kernel.releases import take_released as take_released
from vxlanpkt.kernel.scanning import scan as scan
from vxlanpkt.kernel.scanning import walk as walk
from vxlanpkt.kernel.spans import Kind
from vxlanpkt.kernel.writing import choose_rows as choose_rows
from vxlanpkt.kernel.writing import put_records as put_records
from vxlanpkt.kernel.writing import sort_rows as sort_rows

NAME = "python"
_NOT_KNOWN = Underlay()


# -- memory


def address_of(buffer: Any) -> int:
    """Where a buffer lies."""
    if isinstance(buffer, bytes):
        return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0
    return _address(buffer)


# -- what a kernel holds


def new_buffer(size: int) -> bytearray:
    """Memory for columns. What it holds at first is not defined."""
    return bytearray(size)


def view(buffer: bytearray) -> memoryview:
    """The bytes of a buffer."""
    return memoryview(buffer)


def hold_frames(
    data: memoryview, offsets: Sequence[int], lengths: Sequence[int], original_lengths: Sequence[int] | None
) -> Frames:
    """A batch, held."""
    return Frames(data, offsets, lengths, original_lengths)


def hold_rules(rules: DecapRules) -> DecapRules:
    """A decapsulation policy, held."""
    return rules


def hold_recipe(recipe: EncapRecipe) -> Sequence[EncapRecipe]:
    """A tunnel, held: a table of one."""
    return (recipe,)


def hold_table(recipes: Sequence[Sequence[EncapRecipe]]) -> Sequence[EncapRecipe]:
    """A table of tunnels that are held."""
    return [recipe for held in recipes for recipe in held]


def hold_index(index: Sequence[int]) -> Sequence[int]:
    """A column that says which tunnel of a table each row takes."""
    return index


def hold_program(program: Sequence[Step], brief: bool) -> Sequence[Step]:
    """A filter's program, held for all columns, or brief ones."""
    return tuple(program)


def hold_ports(ports: Mapping[int, int]) -> Mapping[int, int]:
    """The kinds behind UDP destination ports, held."""
    return ports


def hold_section(section: Section) -> Section:
    """What the records of a capture file are read by, held."""
    return section._replace(interfaces=list(section.interfaces))


def add_interface(section: Section, interface: SectionInterface) -> None:
    """Add an interface to a section that is held: a file may have as many as it has blocks."""
    assert isinstance(section.interfaces, list)  # as it is held
    section.interfaces.append(interface)


def hold_packets(packets: Packets) -> Packets:
    """What may be put into a capture file, held."""
    return packets


def hold_target(target: Target) -> Target:
    """The capture file that packets are put into, held."""
    return target


def hold_counted(counted: Counted) -> Counted:
    """Rows that are to be counted, held: with the columns of the key as bytes."""
    return counted._replace(key=[(column.cast("B"), width) for column, width in counted.key])


def new_groups(key_size: int, capacity: int, seed: bytes, closed: bool = False) -> grouping.Groups:
    """An empty table for so many groups. *seed* is what strangers must not know, where a kernel's own hash needs it."""
    groups = grouping.Groups(key_size, capacity)
    groups.closed = closed
    return groups


def left_out(groups: grouping.Groups) -> int:
    """How many rows a closed table had no room for."""
    return groups.left_out


def entries(groups: grouping.Groups) -> memoryview:
    """The groups that a table has, one behind the other."""
    return memoryview(groups.entries)[: len(groups.numbers) * grouping.entry_size(groups.key_size)]


# -- one frame


def decap_one(
    data: bytes, missing: int, kind: int, rules: DecapRules, underlay: Underlay | None = None
) -> DecapRecord:  # fmt: skip
    """Decapsulate one frame, of which *missing* bytes were cut off."""
    if len(data) >> 32:
        return DecapRecord(status=Reason.ROW_OUT_OF_RANGE)
    return decap_row(data, 0, len(data), missing, kind, rules, underlay or _NOT_KNOWN)


def as_record(record: DecapRecord) -> DecapRecord:
    """What `decap_one` returned, as the contract's own class."""
    return record


def encap_one(data: bytes, recipe: Sequence[EncapRecipe], identification: int) -> bytes | Reason:
    """The whole outer frame around *data*, or why it cannot be sent."""
    header = encapsulation.encap_header(data, 0, len(data), recipe[0], identification)
    return header if isinstance(header, Reason) else header + data


def clears_df(data: bytes, recipe: Sequence[EncapRecipe]) -> bool:
    """Whether the outer IPv4 header of this frame has DF clear, so that its identification matters (RFC 6864)."""
    return encapsulation.clears_df(data, 0, len(data), recipe[0])


def flow_hash(data: bytes, symmetric: bool, raw: bool) -> int:
    """The 32-bit hash of the flow that a frame belongs to."""
    return hashing.flow_hash(data, 0, len(data), symmetric, raw)


# -- batches


def decap(frames: Frames, kind: int, rules: DecapRules, brief: bool, out: bytearray) -> int:
    """Decapsulate every row, and fill the columns, which lie in *out*."""
    rows = len(frames.offsets)
    layout = BRIEF_LAYOUT if brief else DECAP_LAYOUT
    if _shares_memory(out, *frames):
        return OVERLAP
    if len(out) < rows * layout.row_size:
        return NO_SPACE
    whole = memoryview(out)
    columns = {name: layout.column(name, rows, whole) for name in (BRIEF_COLUMNS if brief else DECAP_COLUMNS)}
    accepted = 0
    for row in range(rows):
        record = _decap_row(frames, row, kind, rules)
        accepted += record.status == 0
        for name, column in columns.items():
            value = getattr(record, name)
            if isinstance(value, bytes):
                column[16 * row : 16 * row + 16] = value
            else:
                column[row] = value
    return accepted


def _decap_row(frames: Frames, row: int, kind: int, rules: DecapRules) -> DecapRecord:
    offset, length = frames.offsets[row], frames.lengths[row]
    if not _is_inside(frames, offset, length):
        return DecapRecord(status=Reason.ROW_OUT_OF_RANGE)
    original = length if frames.original_lengths is None else frames.original_lengths[row]
    return decap_row(frames.data, offset, offset + length, max(original - length, 0), kind, rules)


def _is_inside(frames: Frames, offset: int, length: int) -> bool:
    """Whether a row lies in the buffer."""
    size = len(frames.data)
    return offset <= size and length <= size - offset


def select(
    frames: Frames, kind: int, columns: bytearray, brief: bool, program: Sequence[Step], out: bytearray
) -> int:  # fmt: skip
    """Mark in *out*, a byte a row, the rows that a program matches; returns how many."""
    rows = len(frames.offsets)
    layout = BRIEF_LAYOUT if brief else DECAP_LAYOUT
    if _shares_memory(out, *frames, memoryview(columns)):
        return OVERLAP
    if len(out) < rows or len(columns) < rows * layout.row_size:
        return NO_SPACE
    if not filtering.is_sound(program, brief):
        return UNSOUND
    whole = memoryview(columns)
    batch = filtering.Batch(rows, lambda name: layout.column(name, rows, whole), frames, kind == Kind.ETHERNET)
    out[:rows] = filtering.run(program, batch)
    return sum(out[:rows])


def total_length(frames: Frames) -> int:
    """The bytes of all rows that can be sent.

    Not of those too long for any datagram, nor, where all claim more than the buffer holds, of those
    outside of it.
    """
    total = sum(length for length in frames.lengths if length <= encapsulation.LARGEST_IPV6_INNER)
    if total <= len(frames.data):
        return total
    return sum(
        length
        for offset, length in zip(frames.offsets, frames.lengths, strict=True)
        if length <= encapsulation.LARGEST_IPV6_INNER and _is_inside(frames, offset, length)
    )


def _shares_memory(out: bytearray, *inputs: Any) -> bool:
    """Whether an output shares memory with one of some buffers: is its own, or lies where it lies."""
    begin = _address(out)
    end = begin + len(out)
    for view in inputs:
        if not isinstance(view, memoryview) or not view.nbytes:
            continue
        if view.obj is out or (not view.readonly and _address(view) < end and begin < _address(view) + view.nbytes):
            return True
    return False


def _address(buffer: Any) -> int:
    """Where a buffer that can be written lies in memory."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer)) if len(buffer) else 0


def encap(
    frames: Frames,
    recipes: Sequence[EncapRecipe],
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
    room = len(out) - rows * ENCAP_LAYOUT.row_size
    if _shares_memory(out, *frames, index):
        return OVERLAP
    if room < _needed(frames, recipes, mode):
        return NO_SPACE
    whole = memoryview(out)
    out_offsets, out_lengths, status = (ENCAP_LAYOUT.column(name, rows, whole) for name in _ENCAP_NAMES)
    target = frames.data if mode is EncapMode.IN_PLACE else whole[rows * ENCAP_LAYOUT.row_size :]
    accepted = position = floor = 0
    for row, (offset, length) in enumerate(zip(frames.offsets, frames.lengths, strict=True)):
        number = 0 if identification is None else (identification + row) & 0xFFFF
        header = _row_header(frames, offset, length, recipes, 0 if index is None else index[row], number)
        out_offsets[row], out_lengths[row] = position, 0
        if not isinstance(header, Reason):
            at = offset - len(header) if mode is EncapMode.IN_PLACE else position
            if at < floor:
                header = Reason.NO_ROOM
            else:
                kept = length if mode is EncapMode.COPY else 0
                target[at : at + len(header)] = header
                target[at + len(header) : at + len(header) + kept] = frames.data[offset : offset + kept]
                out_offsets[row] = at
                out_lengths[row] = len(header) + (0 if mode is EncapMode.HEADERS else length)
                if mode is not EncapMode.IN_PLACE:
                    position += out_lengths[row]
                accepted += 1
        if mode is EncapMode.IN_PLACE and _is_inside(frames, offset, length):
            floor = max(floor, offset + length)
        status[row] = header if isinstance(header, Reason) else 0
    return accepted


_ENCAP_NAMES = ("offsets", "lengths", "status")


def _needed(frames: Frames, recipes: Sequence[EncapRecipe], mode: EncapMode) -> int:
    """The bytes that rows may take behind the columns: the largest header for each, and the frames."""
    if mode is EncapMode.IN_PLACE:
        return 0
    largest = max((len(recipe.template) for recipe in recipes), default=0)
    return len(frames.offsets) * largest + (total_length(frames) if mode is EncapMode.COPY else 0)


def _row_header(
    frames: Frames, offset: int, length: int, recipes: Sequence[EncapRecipe], which: int, number: int
) -> bytes | Reason:
    if which == NO_TUNNEL:
        return Reason.NO_TUNNEL
    if which >= len(recipes):
        return Reason.TUNNEL_OUT_OF_RANGE
    if not _is_inside(frames, offset, length):
        return Reason.ROW_OUT_OF_RANGE
    return encapsulation.encap_header(frames.data, offset, offset + length, recipes[which], number)


# -- groups


def group(counted: Counted, first: int, groups: grouping.Groups) -> int:
    """Count rows by their keys, from *first* on; returns the first one whose group has no room, or their number."""
    keys = (column for column, _ in counted.key)
    if _shares_memory(groups.entries, *counted[2:-1], *keys):
        return OVERLAP
    return grouping.group(counted, first, groups)


def move_groups(old: grouping.Groups, new: grouping.Groups) -> int:
    """Move all groups into an empty table that is larger; returns their number."""
    return OVERLAP if old is new else grouping.move_groups(old, new)


def find_groups(groups: grouping.Groups, keys: memoryview, out: bytearray) -> int:
    """Put the number of each key's group into *out*, as uint32; returns the number of keys."""
    if _shares_memory(out, keys, memoryview(groups.entries)):
        return OVERLAP
    return grouping.find_groups(groups, keys, _items(out, "I"))


def bucket(timestamps: memoryview, width: int, out: bytearray) -> int:
    """Put the number of the bucket of *width* nanoseconds that each time lies in into *out*, as int64."""
    if _shares_memory(out, timestamps):
        return OVERLAP
    return grouping.bucket(timestamps, width, _items(out, "q"))


def traits(frames: Frames, kind: int, link_types: memoryview | None, out: bytearray) -> int:
    """Describe the first IP header of every row: the columns lie in *out*."""
    if _shares_memory(out, frames.data, frames.offsets, frames.lengths, frames.original_lengths, link_types):
        return OVERLAP
    return sightings.traits(frames, kind, link_types, memoryview(out))


def digest(counted: Counted, frames: Frames | None, secrets: Sequence[int], out: bytearray) -> int:
    """Put a number of 64 bits for each row into *out*, made of its key and of its frame, if there are *frames*."""
    if _shares_memory(out, *(column for column, _ in counted.key), *(frames or ())):
        return OVERLAP
    return sightings.digest(counted, frames, secrets, _items(out, "Q"))


def sight(rows: Sighted, memory: bytearray, out: bytearray) -> int:
    """Look each row up among the latest ones, and remember it; returns how many were forgotten within the window."""
    columns = (rows.digests, rows.marks, rows.timestamps)
    if memory is out or _shares_memory(out, *columns) or _shares_memory(memory, *columns):
        return OVERLAP
    return sightings.sight(rows, memoryview(memory), memoryview(out))


# -- maps of prefixes


def new_map(lengths: Sequence[int], capacity: int, seed: bytes) -> tables.PrefixMap:
    """An empty map for prefixes of these lengths. *seed* is what strangers must not know, where it is needed."""
    return tables.PrefixMap(lengths, capacity)


def put_prefixes(prefixes: tables.PrefixMap, keys: memoryview, length: int, values: memoryview, stamp: int) -> int:
    """Put prefixes of one length; returns how many there was room for."""
    return tables.put(prefixes, keys, length, values, stamp)


def drop_prefixes(prefixes: tables.PrefixMap, keys: memoryview, length: int) -> int:
    """Drop prefixes of one length; returns how many there were."""
    return tables.drop(prefixes, keys, length)


def move_prefixes(old: tables.PrefixMap, new: tables.PrefixMap) -> int:
    """Put all prefixes into an empty map; returns how many there are."""
    return OVERLAP if old is new else tables.move(old, new)


def settle(prefixes: tables.PrefixMap) -> None:
    """Have look-ups be fast again after changes: nothing is put off here."""


def count_prefixes(prefixes: tables.PrefixMap) -> int:
    """How many there are, that of no length aside."""
    return prefixes.count


def prefix_of_none(prefixes: tables.PrefixMap) -> int:
    """The number of the prefix of no length."""
    return prefixes.none


def find_prefix(prefixes: tables.PrefixMap, key: bytes, length: int) -> Mapped | None:
    """The number and the stamp of one prefix."""
    return tables.find(prefixes, key, length)


def list_prefixes(prefixes: tables.PrefixMap, before: int, value: int) -> list[bytes]:
    """The prefixes with stamps before a time, of a number: as `tables.LISTED`, in pieces of any size and order."""
    return [b"".join(tables.listed(prefixes, before, value))]


def look_up(prefixes: tables.PrefixMap, asked: Asked, out: bytearray) -> int:
    """Put the number of the longest prefix of each key into *out*, as uint32; returns how many have one."""
    if _shares_memory(out, asked.keys, asked.families):
        return OVERLAP
    return tables.look_up(prefixes, asked, _items(out, "I"))


def look_up_macs(prefixes: tables.PrefixMap, asked: AskedMACs, out: bytearray) -> int:
    """Put the number of each frame's destination into *out*, as uint32; returns how many have one."""
    if _shares_memory(out, *asked.frames, asked.vnis, asked.status):
        return OVERLAP
    return tables.look_up_macs(prefixes, asked, _items(out, "I"))


def refresh_macs(prefixes: tables.PrefixMap, asked: AskedMACs, senders: Senders, out: bytearray) -> int:
    """Stamp the sources that are where they were, and mark the others in *out*, a byte each; returns how many."""
    if _shares_memory(out, *asked.frames, asked.vnis, asked.status, senders.column, senders.owners):
        return OVERLAP
    return tables.refresh_macs(prefixes, asked, senders, memoryview(out))


def _items(out: bytearray, code: Literal["I", "q", "Q"]) -> memoryview:
    """As many whole items as there is room for."""
    size = WIDTHS[code]
    return memoryview(out)[: len(out) // size * size].cast(code) if len(out) >= size else memoryview(array(code))

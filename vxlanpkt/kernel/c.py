"""The C kernel: the functions of `python`, over the compiled `_fastlib`.

What is held is a `Held`: a pointer to a struct of csrc/contract.h, and all that has to live as long.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from struct import Struct
from typing import Any, NamedTuple

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract import (
    ADDRESS,
    BRIEF_LAYOUT,
    DECAP_COLUMNS,
    DECAP_LAYOUT,
    DF,
    FINEST_UNITS,
    RECORD_LAYOUT,
    WIDTHS,
    WRONG_COLUMNS,
    Alterations,
    Asked,
    AskedMACs,
    Counted,
    DecapRecord,
    DecapRules,
    ECNMode,
    EncapMode,
    EncapRecipe,
    FlowLabel,
    Mapped,
    Packets,
    Section,
    SectionInterface,
    Senders,
    Sighted,
    Step,
    StepKind,
    Stretch,
    Target,
    UDPChecksum,
    Underlay,
    Written,
    family_of,
)
from vxlanpkt.kernel.grouping import SEED_SIZE, entry_size
from vxlanpkt.kernel.spans import FIELDS, Buffer, Fault, Kind, Place, Row, Walk
from vxlanpkt.kernel.tables import LISTED, MAP_SEED_SIZE

NAME = "c"

_MAPPED = bytes(10) + b"\xff\xff"
_NULL = ffi.NULL
_BYTES = ffi.typeof("uint8_t[]")
_LARGEST_TUNNELS = 0xFFFFFFFF
_NO_PORT = 0x10000
_BYTES_OF_INDEX = 16  # for each group: two slots
_UDP_PROTOCOL = 17
_REASONS = {int(reason): reason for reason in Reason}

# Looked up once: these are called for every frame.
_new_uncleared = ffi.new_allocator(should_clear_after_alloc=False)
_buffer, _from_buffer, _unpack = ffi.buffer, ffi.from_buffer, ffi.unpack
_place_of = Struct("5q").unpack_from
_decap_one, _encap_header, _walk = lib.vxlanpkt_decap_one, lib.vxlanpkt_encap_header, lib.vxlanpkt_walk
_decap, _encap, _select = lib.vxlanpkt_decap, lib.vxlanpkt_encap, lib.vxlanpkt_select


class Held(NamedTuple):
    """A struct, and what its pointers point into."""

    pointer: Any
    kept: Any


# -- memory


def address_of(buffer: Any) -> int:
    """Where a buffer lies."""
    if isinstance(buffer, ffi.CData):
        return int(ffi.cast("uintptr_t", buffer))
    with _from_buffer(buffer) as taken:
        return int(ffi.cast("uintptr_t", taken))


# -- what a kernel holds


def new_buffer(size: int) -> Any:
    """Memory for columns. What it holds at first is not defined."""
    return _new_uncleared(_BYTES, size)


def view(buffer: Any) -> memoryview:
    """The bytes of a buffer."""
    return memoryview(_buffer(buffer))


def hold_frames(
    data: memoryview, offsets: Sequence[int], lengths: Sequence[int], original_lengths: Sequence[int] | None
) -> Held:
    """A batch, held."""
    frames = ffi.new("struct vxlanpkt_frames *")
    kept = [memoryview(data), memoryview(offsets), memoryview(lengths)]  # type: ignore[arg-type]
    if original_lengths is not None:
        kept.append(memoryview(original_lengths))  # type: ignore[arg-type]
        frames.original_lengths = _pointer("uint32_t *", kept[3])
    frames.data = _pointer("uint8_t *", kept[0])
    frames.offsets = _pointer("uint64_t *", kept[1])
    frames.lengths = _pointer("uint32_t *", kept[2])
    # The shortest column: C has to rely on this number, so it relies on nobody else for it.
    rows = min(kept[1].nbytes // 8, *(view.nbytes // 4 for view in kept[2:]))
    frames.size, frames.rows = kept[0].nbytes, rows
    return Held(frames, kept)


def _pointer(kind: str, view: Any) -> Any:
    """Where the bytes of *view* are, which has to be kept.

    They are not kept by cffi: CPython before 3.12.7 crashes when it collects a memory view that somebody has taken
    a buffer of, in a cycle of garbage (its issue 77894).
    """
    with _from_buffer(view) as taken:
        return ffi.cast(kind, taken)


def hold_rules(rules: DecapRules) -> Held:
    """A decapsulation policy, held."""
    held = ffi.new("struct vxlanpkt_rules *")
    for name in _NUMBERS_OF_RULES:
        setattr(held, name, int(getattr(rules, name)))
    for port in rules.ports:
        held.ports[port >> 3] |= 1 << (port & 7)
    held.usual_port = min(rules.ports, default=_NO_PORT)
    vnis = ffi.new("uint32_t[]", sorted(rules.vnis or ()))
    own_macs = ffi.new("uint64_t[]", [int.from_bytes(mac, "big") for mac in rules.own_macs])
    sources = ffi.new("struct vxlanpkt_prefix[]", [_prefix(*source) for source in rules.sources or ()])
    held.vnis, held.own_macs, held.sources = vnis, own_macs, sources
    held.vni_count = -1 if rules.vnis is None else len(vnis)
    held.source_count = -1 if rules.sources is None else len(sources)
    held.own_mac_count = len(own_macs)
    return Held(held, (vnis, own_macs, sources))


_NUMBERS_OF_RULES = (
    "reserved_mask", "gbp", "gpe", "verify_ip_checksum", "verify_udp_checksum", "zero_checksum6", "atomic_fragments",
    "ip_options", "check_outer_source", "udp_length", "inner_vlan", "check_inner_source", "check_inner_length", "ecn",
    "lengths",
)  # fmt: skip


def _prefix(version: int, network: int, mask: int) -> tuple[int, bytes, bytes]:
    """A prefix as the kernel compares it: IPv4 in its mapped form."""
    if version == 4:
        return version, _MAPPED + network.to_bytes(4, "big"), b"\xff" * 12 + mask.to_bytes(4, "big")
    return version, network.to_bytes(16, "big"), mask.to_bytes(16, "big")


def hold_recipe(recipe: EncapRecipe) -> Held:
    """A tunnel, held."""
    held = ffi.new("struct vxlanpkt_recipe *")
    for name in _NUMBERS_OF_A_RECIPE:
        setattr(held, name, int(getattr(recipe, name)))
    held.length = len(recipe.template)
    held.plain = _is_plain(recipe)
    held.tos = 0 if recipe.inherit_dscp else recipe.dscp << 2
    held.tos_mask = (0xFC if recipe.inherit_dscp else 0) | (0 if recipe.ecn is ECNMode.NONE else 3)
    _fill_header(held, recipe)
    return _table(held, 1, len(recipe.template), held)


def _is_plain(recipe: EncapRecipe) -> bool:
    """Whether an inner frame gives the outer header nothing but its length, its flow and bits of its TOS."""
    return not (
        recipe.raw or recipe.gpe or recipe.symmetric or recipe.inherit_ttl or recipe.df is DF.INHERIT
        or recipe.flow_label_mode is not FlowLabel.FIXED or recipe.udp_checksum is UDPChecksum.INNER
    )  # fmt: skip


def _fill_header(held: Any, recipe: EncapRecipe) -> None:
    """The header with all that is the same in every frame, and the sums of it."""
    header = bytearray(recipe.template)
    ip = recipe.ip_offset
    if recipe.family == 4:
        held.ipv4_sum = ones_complement_sum(header[ip : ip + 20])
        header[ip + 6] = 0x40 if recipe.df is DF.SET else 0
        header[ip + 8] = recipe.ttl
        held.plain_sum = ones_complement_sum(header[ip : ip + 20], 36)  # the length of the headers in the total length
    else:
        header[ip + 7] = recipe.ttl
    addresses = header[-24:-16] if recipe.family == 4 else header[-48:-16]
    held.udp_sum = ones_complement_sum(addresses) + _UDP_PROTOCOL + ones_complement_sum(header[-16:])
    _buffer(held.header)[0 : len(header)] = header


_NUMBERS_OF_A_RECIPE = (
    "ip_offset", "low_port", "high_port", "flow_label", "family", "ttl", "inherit_ttl", "dscp", "inherit_dscp", "ecn",
    "df", "flow_label_mode", "udp_checksum", "symmetric", "gpe", "raw", "inner_ip",
)  # fmt: skip


def hold_table(recipes: Sequence[Held]) -> Held:
    """A table of tunnels that are held."""
    held = ffi.new("struct vxlanpkt_recipe[]", len(recipes))
    largest = 0
    for at, recipe in enumerate(recipes):
        held[at] = recipe.kept[0]
        largest = max(largest, recipe.pointer.largest)
    return _table(held, len(recipes), largest, held)


def _table(recipes: Any, count: int, largest: int, kept: Any) -> Held:
    table = ffi.new("struct vxlanpkt_table *")
    table.recipes, table.count, table.largest = recipes, count, largest
    return Held(table, kept)


def hold_index(index: Sequence[int]) -> Any:
    """A column that says which tunnel of a table each row takes."""
    return _from_buffer("uint32_t[]", index)


def hold_program(program: Sequence[Step], brief: bool) -> Held:
    """A filter's program, held for all columns, or brief ones."""
    held = ffi.new("struct vxlanpkt_step[]", len(program))
    for at, step in enumerate(program):
        _fill_step(held[at], step, brief)
    return Held(held, len(program))


def _fill_step(held: Any, step: Step, brief: bool) -> None:
    for name in ("kind", "low", "high", "mask", "negate", "join", "target", "guard"):
        setattr(held, name, int(getattr(step, name)))
    _buffer(held.value)[0 : len(step.value)] = step.value
    _buffer(held.bits)[0 : len(step.bits)] = step.bits
    layout = BRIEF_LAYOUT if brief else DECAP_LAYOUT
    if step.column:
        held.column, code = layout.place(step.column)
        held.width = WIDTHS[code]
        if step.kind == StepKind.ADDRESS:
            held.family, _ = layout.place(family_of(step.column))


def hold_ports(ports: Mapping[int, int]) -> Any:
    """The kinds behind UDP destination ports, held."""
    held = ffi.new("uint8_t[65536]", bytes((Kind.NOTHING,)) * 65536)
    for port, kind in ports.items():
        held[port] = kind
    return held


def hold_section(section: Section) -> Held:
    """What the records of a capture file are read by, held."""
    held = ffi.new("struct vxlanpkt_section *")
    held.first, held.limit = section.first, section.limit
    held.pcapng, held.big_endian = section.pcapng, section.big_endian
    whole = Held(held, [ffi.new("struct vxlanpkt_interface[]", _FEW_INTERFACES)])
    held.interfaces = whole.kept[0]
    for interface in section.interfaces:
        add_interface(whole, interface)
    return whole


_FEW_INTERFACES = 4


def add_interface(section: Held, interface: SectionInterface) -> None:
    """Add an interface to a section that is held: a file may have as many as it has blocks."""
    held, (interfaces,) = section
    count = held.count
    if count == len(interfaces):
        grown = ffi.new("struct vxlanpkt_interface[]", 2 * count)
        ffi.memmove(grown, interfaces, ffi.sizeof(interfaces))
        section.kept[0] = held.interfaces = interfaces = grown
    to = interfaces[count]
    to.units = interface.units if interface.units <= FINEST_UNITS else 0
    to.offset, to.link_type = interface.offset, interface.link_type
    to.snaplen, to.fcslen = interface.snaplen, interface.fcslen
    held.count = count + 1


def hold_counted(counted: Counted) -> Held:
    """Rows that are to be counted, held."""
    held = ffi.new("struct vxlanpkt_rows *")
    kept: list[memoryview] = []
    held.count, held.key_columns, held.number = counted.rows, len(counted.key), counted.number
    for column, (view, width) in zip(held.key, counted.key, strict=False):
        _put_column(column, view, width, kept)
    for name in ("lengths", "other_lengths", "timestamps", "flags", "selected", "status"):
        view = getattr(counted, name)
        if view is not None:
            _put_column(getattr(held, name), view, view.itemsize, kept)
    return Held(held, kept)


def _put_column(column: Any, view: memoryview, width: int, kept: list[memoryview]) -> None:
    column.data, column.size, column.width = _pointer("uint8_t *", view), view.nbytes, width
    kept.append(view)


def new_groups(key_size: int, capacity: int, seed: bytes, closed: bool = False) -> Held:
    """An empty table for so many groups, found by a hash that only those can foresee who know *seed*."""
    groups = ffi.new("struct vxlanpkt_groups *")
    memory = new_buffer(capacity * (entry_size(key_size) + _BYTES_OF_INDEX))
    groups.memory, groups.size = memory, len(memory)
    groups.capacity, groups.key_size, groups.closed = capacity, key_size, closed
    _buffer(groups.secrets)[:] = seed[:SEED_SIZE] if len(seed) >= SEED_SIZE else _spread(seed)
    lib.vxlanpkt_move_groups(_NULL, groups)
    return Held(groups, memory)


def _spread(seed: bytes) -> bytes:
    """As many secrets as are needed, out of fewer."""
    from hashlib import shake_128  # which takes as long to load as all of the kernel

    return shake_128(seed).digest(SEED_SIZE)


def left_out(groups: Held) -> int:
    """How many rows a closed table had no room for."""
    return groups[0].left_out  # type: ignore[no-any-return]


def entries(groups: Held) -> memoryview:
    """The groups that a table has, one behind the other."""
    pointer, memory = groups
    return view(memory)[: pointer.count * entry_size(pointer.key_size)]


# -- one frame


def decap_one(data: bytes, missing: int, kind: int, rules: Held, underlay: Underlay | None = None) -> Any:
    """Decapsulate one frame, of which *missing* bytes were cut off."""
    known = _NULL if underlay is None else _hold_underlay(underlay)
    return _decap_one(data, len(data), missing, kind, rules[0], known)


def _hold_underlay(underlay: Underlay) -> Any:
    version, source, tos = underlay
    packed = _MAPPED + source.to_bytes(4, "big") if version == 4 else source.to_bytes(16, "big")
    return ffi.new("struct vxlanpkt_underlay *", (version, packed, -1 if tos is None else tos))


def as_record(record: Any) -> DecapRecord:
    """What `decap_one` returned, as the contract's own class; one that is so already stays."""
    if isinstance(record, DecapRecord):
        return record
    values: dict[str, Any] = {}
    for name, code in DECAP_COLUMNS.items():
        value = getattr(record, name)
        values[name] = bytes(_buffer(value)) if code == ADDRESS else value
    return DecapRecord(**values)


def encap_one(data: bytes, recipe: Held, identification: int) -> bytes | Reason:
    """The whole outer frame around *data*, or why it cannot be sent."""
    header = _encap_header(data, len(data), recipe[1], identification)
    if header.reason:
        return _REASONS[header.reason]
    return b"".join((_buffer(header.bytes, header.length), data))


def clears_df(data: bytes, recipe: Held) -> bool:
    """Whether the outer IPv4 header of this frame has DF clear, so that its identification matters (RFC 6864)."""
    return bool(lib.vxlanpkt_clears_df(data, len(data), recipe[1]))


def flow_hash(data: bytes, symmetric: bool, raw: bool) -> int:
    """The 32-bit hash of the flow that a frame belongs to."""
    return lib.vxlanpkt_flow_hash(data, len(data), symmetric, raw)  # type: ignore[no-any-return]


def ones_complement_sum(data: Buffer, initial: int = 0) -> int:
    """The folded 16-bit sum of *data*, padded with a zero byte if odd, added to *initial*."""
    total: int = lib.vxlanpkt_sum(data if type(data) is bytes else _from_buffer(data), len(data)) + initial
    return total % 0xFFFF or (0xFFFF if total else 0)


def internet_checksum(data: Buffer, initial: int = 0) -> int:
    """The checksum field for *data*: the complement of its sum (RFC 1071 section 1)."""
    return 0xFFFF - ones_complement_sum(data, initial)


def transport_checksum(data: Buffer, pseudo_header: int) -> int:
    """As `internet_checksum`, but 0 becomes 0xffff, as 0 says "none" in UDP (RFC 768)."""
    return 0xFFFF - ones_complement_sum(data, pseudo_header) or 0xFFFF


def walk(data: bytes, missing: int, kind: int, ports: Any, max_tunnels: int, reading: int = 0) -> Walk:
    """Scan from header to header of *data*, from one of *kind* until nothing known follows."""
    if max_tunnels > _LARGEST_TUNNELS:
        max_tunnels = _LARGEST_TUNNELS
    found = _walk(data, 0, len(data), missing, kind, ports, max_tunnels, reading)
    if found.more:
        return _walk_on(data, found, ports, reading)
    places = _buffer(found.places)[:]  # a copy: a buffer does not keep the struct
    fault = _fault(found) if found.reason else None
    return _unpack(found.kinds, found.count), partial(_place_at, places), found.kind, fault


def _place_at(places: Any, index: int) -> Place:
    place: Place = _place_of(places, 40 * index)
    return place


def _walk_on(data: bytes, found: Any, ports: Any, reading: int) -> Walk:
    """The rest of a walk of more rows than one call has room for."""
    # Joined at the end: a frame may have millions of headers, and is not to be paid for by their square.
    kinds, places = [_unpack(found.kinds, found.count)], [_buffer(found.places)[:]]
    while found.more:
        _, start, end, _, missing = _place_at(places[-1], found.count - 1)
        found = _walk(data, start, end, missing, found.kind, ports, found.tunnels, reading)
        kinds.append(_unpack(found.kinds, found.count))
        places.append(_buffer(found.places)[:])
    fault = _fault(found) if found.reason else None
    return b"".join(kinds), partial(_place_at, b"".join(places)), found.kind, fault


def scan(kind: int, buf: Buffer, start: int, end: int, missing: int = 0, reading: int = 0) -> Row | Fault:
    """Scan one header of *kind* in `buf[start:end]`; bounds outside of *buf* are a fault too."""
    if not 0 <= start <= end <= len(buf):
        return Fault(Reason.ROW_OUT_OF_RANGE, max(end - start, 0))
    data = buf if type(buf) is bytes else _from_buffer(buf)
    found = lib.vxlanpkt_scan(data, start, end, missing, kind, reading)
    if found.reason:
        return _fault(found)
    return ord(found.kinds[0]), *_place_at(_buffer(found.places), 0)


def _fault(found: Any) -> Fault:
    available = None if found.available < 0 else found.available
    return Fault(_REASONS[found.reason], found.needed, FIELDS[found.field], found.value, available)


# -- batches


def decap(frames: Held, kind: int, rules: Held, brief: bool, out: Any) -> int:
    """Decapsulate every row, and fill the columns, which lie in *out*."""
    return _decap(frames[0], kind, rules[0], brief, out, len(out))  # type: ignore[no-any-return]


def alter(frames: Held, alterations: Alterations, out: Any) -> int:
    """Copy every row as the policy wants it. The columns lie in *out*, and the bytes of the rows behind them."""
    kinds = ("uint8_t *", "uint16_t *", "uint16_t *", "uint8_t *")
    if any(column.nbytes < frames[0].rows * width for column, width in zip(alterations, (1, 2, 2, 1), strict=True)):
        return WRONG_COLUMNS
    how = ffi.new("struct vxlanpkt_alterations *", [_pointer(*pair) for pair in zip(kinds, alterations, strict=True)])
    return lib.vxlanpkt_alter(frames[0], how, out, len(out))  # type: ignore[no-any-return]


def select(frames: Held, kind: int, columns: Any, brief: bool, program: Held, out: Any) -> int:
    """Mark in *out*, a byte a row, the rows that a program matches; returns how many."""
    return _select(  # type: ignore[no-any-return]
        frames[0], kind, columns, len(columns), brief, program[0], program[1], out, len(out)
    )


def total_length(frames: Held) -> int:
    """The bytes of all rows that can be sent."""
    return lib.vxlanpkt_total_length(frames[0])  # type: ignore[no-any-return]


def encap(
    frames: Held, table: Held, index: Any, identification: int | None, mode: EncapMode, out: Any
) -> int:  # fmt: skip
    """Encapsulate every row. The columns lie in *out*, and the bytes of the rows behind them."""
    first = -1 if identification is None else identification
    return _encap(  # type: ignore[no-any-return]
        frames[0], table[0], _NULL if index is None else index, first, mode, out, len(out)
    )


# -- capture files


def read_records(buffer: Any, begin: int, end: int, section: Held, out: Any) -> Stretch:
    """Read the records in `buffer[begin:end]` into columns, as many as *out* has room for."""
    found = lib.vxlanpkt_read_records(
        buffer, begin, min(end, len(buffer)), section[0], out, len(out) // RECORD_LAYOUT.row_size
    )
    return Stretch(found.rows, found.position, found.needed, found.stop, found.link_type)


def hold_packets(packets: Packets) -> Held:
    """What may be put into a capture file, held."""
    held = ffi.new("struct vxlanpkt_packets *")
    kept = [memoryview(column) if column is not None else None for column in packets]  # type: ignore[arg-type]
    for name, kind, view in zip(Packets._fields, _PACKET_KINDS, kept, strict=True):
        if view is not None:
            setattr(held, name, _pointer(kind, view))
    held.size = packets.data.nbytes
    held.source_size = 0 if packets.source is None else packets.source.nbytes
    held.rows = min(
        view.nbytes // _SIZES[kind]
        for name, kind, view in zip(Packets._fields, _PACKET_KINDS, kept, strict=True)
        if view is not None and name not in ("data", "source")
    )
    return Held(held, kept)


_SIZES = {"uint8_t *": 1, "uint16_t *": 2, "uint32_t *": 4, "uint64_t *": 8}
_PACKET_KINDS = (
    "uint8_t *", "uint64_t *", "uint32_t *", "uint32_t *", "uint16_t *", "uint32_t *", "uint64_t *", "uint32_t *",
    "uint8_t *", "uint32_t *", "uint8_t *", "uint64_t *", "uint32_t *",
)  # fmt: skip


def hold_target(target: Target) -> Held:
    """The capture file that packets are put into, held."""
    held = ffi.new("struct vxlanpkt_target *")
    kept = [memoryview(numbers) for numbers in (target.ethernet, target.raw)]  # type: ignore[arg-type]
    held.ethernet, held.raw = (_pointer("uint32_t *", numbers) for numbers in kept)
    held.interface_count = min(map(len, kept))
    held.units, held.link_type, held.pcapng = target.units, target.link_type, target.pcapng
    return Held(held, kept)


def choose_rows(status: memoryview, wanted: memoryview | None, out: Any) -> int:
    """Put the numbers of the rows that are OK, and wanted if anybody says which those are, into *out* (uint32)."""
    rows = min(len(status), len(out) // 4, *(() if wanted is None else (len(wanted),)))
    chosen = _NULL if wanted is None else _from_buffer("uint8_t[]", wanted)
    return lib.vxlanpkt_choose_rows(  # type: ignore[no-any-return]
        _from_buffer("uint8_t[]", status), chosen, rows, ffi.cast("uint32_t *", out)
    )


def sort_rows(vnis: memoryview, chosen: Any, count: int) -> None:
    """Sort the first *count* of the chosen rows by their VNI, those of one VNI in the order in which they are."""
    count = min(count, len(chosen) // 4)
    spare = _new_uncleared("uint32_t[]", count)
    lib.vxlanpkt_sort_rows(
        _from_buffer("uint32_t[]", vnis), len(vnis), ffi.cast("uint32_t *", chosen), spare, count
    )  # fmt: skip


def put_records(packets: Held, target: Held, chosen: Any, position: int, count: int, out: Any) -> Written:
    """Put the chosen rows from *position* on, of *count*, into *out*, while they are of one VNI."""
    count = min(count, len(chosen) // 4)
    done = lib.vxlanpkt_put_records(
        packets[0], target[0], ffi.cast("uint32_t *", chosen), position, count, out, len(out)
    )  # fmt: skip
    return Written(done.position, done.size, done.stop)


# -- groups


def group(counted: Held, first: int, groups: Held) -> int:
    """Count rows by their keys, from *first* on; returns the first one whose group has no room, or their number."""
    return lib.vxlanpkt_group(counted[0], first, groups[0])  # type: ignore[no-any-return]


def move_groups(old: Held, new: Held) -> int:
    """Move all groups into an empty table that is larger; returns their number."""
    return lib.vxlanpkt_move_groups(old[0], new[0])  # type: ignore[no-any-return]


def find_groups(groups: Held, keys: memoryview, out: Any) -> int:
    """Put the number of each key's group into *out*, as uint32; returns the number of keys."""
    column = _column(keys, groups[0].key_size)
    return lib.vxlanpkt_find_groups(groups[0], column[0], out, len(out))  # type: ignore[no-any-return]


def bucket(timestamps: memoryview, width: int, out: Any) -> int:
    """Put the number of the bucket of *width* nanoseconds that each time lies in into *out*, as int64."""
    column = _column(timestamps, timestamps.itemsize)
    return lib.vxlanpkt_bucket(column[0], width, out, len(out))  # type: ignore[no-any-return]


# -- what frames are, and whether they were seen before


_NO_COLUMN = Held(ffi.new("struct vxlanpkt_column *"), None)


def traits(frames: Held, kind: int, link_types: memoryview | None, out: Any) -> int:
    """Describe the first IP header of every row: the columns lie in *out*."""
    column = _NO_COLUMN if link_types is None else _column(link_types, link_types.itemsize)
    return lib.vxlanpkt_traits(frames[0], kind, column[0], out, len(out))  # type: ignore[no-any-return]


def digest(counted: Held, frames: Held | None, secrets: Sequence[int], out: Any) -> int:
    """Put a number of 64 bits for each row into *out*, made of its key and of its frame, if there are *frames*."""
    key = ffi.new("uint64_t[4]", list(secrets))
    of_frames = _NULL if frames is None else frames[0]
    return lib.vxlanpkt_digest(counted[0], of_frames, key, out, len(out))  # type: ignore[no-any-return]


def sight(rows: Sighted, memory: Any, out: Any) -> int:
    """Look each row up among the latest ones, and remember it; returns how many were forgotten within the window."""
    held = ffi.new("struct vxlanpkt_sighted *")
    kept: list[memoryview] = []
    for name in ("digests", "marks", "timestamps"):
        view = getattr(rows, name)
        _put_column(getattr(held, name), view, view.itemsize, kept)
    held.number, held.window = rows.number, rows.window
    return lib.vxlanpkt_sight(held, memory, len(memory), out, len(out))  # type: ignore[no-any-return]


# -- maps of prefixes

_SLOT, _FEWEST_SLOTS, _CACHE_LINE = 32, 64, 64
_LARGE = 1 << 22  # from where on pages of 2 MiB are worth asking for
_LISTED_AT_ONCE = 4096


def new_map(lengths: Sequence[int], capacity: int, seed: bytes) -> Held:
    """An empty map for prefixes of these lengths, found by a hash that only those can foresee who know *seed*."""
    prefixes = ffi.new("struct vxlanpkt_map *")
    slots = 2 * capacity + _FEWEST_SLOTS
    memory = _new_large_buffer(slots * _SLOT + _CACHE_LINE)
    prefixes.memory, prefixes.size, prefixes.slots = memory, len(memory), slots
    ordered = sorted(lengths)
    prefixes.lengths[0 : len(ordered)] = ordered
    prefixes.length_count = len(ordered)
    _buffer(prefixes.secrets)[:] = seed[:MAP_SEED_SIZE] if len(seed) >= MAP_SEED_SIZE else _spread(seed)[:MAP_SEED_SIZE]
    lib.vxlanpkt_move_prefixes(_NULL, prefixes)
    return Held(prefixes, memory)


def _new_large_buffer(size: int) -> Any:
    """Memory that is read here and there: in large pages, where there are any, as finding small ones takes longer."""
    if size >= _LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
        memory = mmap.mmap(-1, size)
        with suppress(OSError):  # a kernel that has none
            memory.madvise(mmap.MADV_HUGEPAGE)
        return _from_buffer(memory)
    return new_buffer(size)


def put_prefixes(prefixes: Held, keys: memoryview, length: int, values: memoryview, stamp: int) -> int:
    """Put prefixes of one length; returns how many there was room for."""
    count = min(len(values), len(keys) // 16)
    return lib.vxlanpkt_put_prefixes(  # type: ignore[no-any-return]
        prefixes[0], _from_buffer(keys), count, length, _from_buffer("uint32_t[]", values), stamp
    )


def drop_prefixes(prefixes: Held, keys: memoryview, length: int) -> int:
    """Drop prefixes of one length; returns how many there were."""
    return lib.vxlanpkt_drop_prefixes(  # type: ignore[no-any-return]
        prefixes[0], _from_buffer(keys), len(keys) // 16, length
    )


def move_prefixes(old: Held, new: Held) -> int:
    """Put all prefixes into an empty map; returns how many there are."""
    return lib.vxlanpkt_move_prefixes(old[0], new[0])  # type: ignore[no-any-return]


def settle(prefixes: Held) -> None:
    """Have look-ups be fast again after changes: a pass over all prefixes, where one is needed."""
    lib.vxlanpkt_settle(prefixes[0])


def count_prefixes(prefixes: Held) -> int:
    """How many there are, that of no length aside."""
    return prefixes[0].count  # type: ignore[no-any-return]


def prefix_of_none(prefixes: Held) -> int:
    """The number of the prefix of no length."""
    return prefixes[0].none  # type: ignore[no-any-return]


def find_prefix(prefixes: Held, key: bytes, length: int) -> Mapped | None:
    """The number and the stamp of one prefix."""
    found = lib.vxlanpkt_find_prefix(prefixes[0], key.ljust(16, b"\0"), length)
    return Mapped(found.value, found.stamp) if found.found else None


def list_prefixes(prefixes: Held, before: int, value: int) -> Iterator[bytes]:
    """The prefixes with stamps before a time, of a number: as `tables.LISTED`, in pieces of any size and order."""
    out, at = new_buffer(_LISTED_AT_ONCE * LISTED.size), ffi.new("uint64_t *")
    while at[0] < prefixes[0].slots:
        count = lib.vxlanpkt_list_prefixes(prefixes[0], at, before, value, out, len(out))
        if count < 0:
            raise MemoryError("a map that somebody wrote over")
        yield bytes(_buffer(out, count * LISTED.size))


def look_up(prefixes: Held, asked: Asked, out: Any) -> int:
    """Put the number of the longest prefix of each key into *out*, as uint32; returns how many have one."""
    held = ffi.new("struct vxlanpkt_asked *")
    keys = _from_buffer(asked.keys)
    families = None if asked.families is None else _from_buffer(asked.families)
    held.keys, held.families = keys, _NULL if families is None else families
    held.rows = min(asked.rows, len(keys) // asked.stride)
    held.stride, held.offset, held.width, held.family = asked.stride, asked.offset, asked.width, asked.family
    return lib.vxlanpkt_look_up(prefixes[0], held, out, len(out))  # type: ignore[no-any-return]


def look_up_macs(prefixes: Held, asked: AskedMACs, out: Any) -> int:
    """Put the number of each frame's destination into *out*, as uint32; returns how many have one."""
    held = _hold_macs(asked)
    return lib.vxlanpkt_look_up_macs(prefixes[0], held[0], out, len(out))  # type: ignore[no-any-return]


def refresh_macs(prefixes: Held, asked: AskedMACs, senders: Senders, out: Any) -> int:
    """Stamp the sources that are where they were, and mark the others in *out*, a byte each; returns how many."""
    held, who = _hold_macs(asked), ffi.new("struct vxlanpkt_senders *")
    column, owners = _from_buffer("uint32_t[]", senders.column), _from_buffer("uint32_t[]", senders.owners)
    who.column, who.owners, who.owner_count, who.now = column, owners, len(owners), senders.now
    return lib.vxlanpkt_refresh_macs(prefixes[0], held[0], who, out, len(out))  # type: ignore[no-any-return]


def _hold_macs(asked: AskedMACs) -> Held:
    held = ffi.new("struct vxlanpkt_macs *")
    held.frames, held.vni, held.oldest = asked.frames.pointer, asked.vni, asked.oldest
    kept = []
    for name, code, column in (("vnis", "uint32_t[]", asked.vnis), ("status", "uint8_t[]", asked.status)):
        if column is not None:
            kept.append(_from_buffer(code, column))
            setattr(held, name, kept[-1])
    return Held(held, kept)


def _column(view: memoryview, width: int) -> Held:
    kept: list[memoryview] = []
    column = ffi.new("struct vxlanpkt_column *")
    _put_column(column, view, width, kept)
    return Held(column, kept)


# -- columns of captures


def known(columns: Any, frames: Held, times: memoryview, links: memoryview, unread: bool, out: Any) -> int:
    """For each `Known`, how many rows do not know it, in 64 bits; then for each a bitmap of those that do."""
    return lib.vxlanpkt_known(  # type: ignore[no-any-return]
        columns, len(columns), frames[0], _pointer("int64_t *", times), _pointer("uint32_t *", links),
        min(times.nbytes // 8, links.nbytes // 4), unread, out, len(out),
    )  # fmt: skip


def derived(columns: Any, frames: Held, what: int, out: Any) -> int:
    """A column that is part of another one, or the difference of two."""
    return lib.vxlanpkt_derived(columns, len(columns), frames[0], what, out, len(out))  # type: ignore[no-any-return]


def address_room(columns: Any, rows: int, which: int) -> int:
    """The bytes that a column of addresses takes as text, at the most."""
    return lib.vxlanpkt_address_room(columns, len(columns), rows, which)  # type: ignore[no-any-return]


def address_text(columns: Any, rows: int, which: int, out: Any) -> int:
    """A column of addresses as text: offsets, and the bytes; returns how many of these there are."""
    return lib.vxlanpkt_address_text(  # type: ignore[no-any-return]
        columns, len(columns), rows, which, out, len(out)
    )


def mac_text(columns: Any, frames: Held, which: int, out: Any) -> int:
    """A column of inner MAC addresses as text: see `address_text`."""
    return lib.vxlanpkt_mac_text(columns, len(columns), frames[0], which, out, len(out))  # type: ignore[no-any-return]


def mac_bytes(columns: Any, frames: Held, which: int, out: Any) -> int:
    """A column of inner MAC addresses of 6 bytes, zeros where there is none."""
    return lib.vxlanpkt_mac_bytes(columns, len(columns), frames[0], which, out, len(out))  # type: ignore[no-any-return]


def numbers(first: int, rows: int, out: Any) -> int:
    """*first* and the numbers behind it, in 64 bits."""
    return lib.vxlanpkt_numbers(first, rows, out, len(out))  # type: ignore[no-any-return]


class _Names(NamedTuple):
    """Names behind each other: where each begins, and how long it is, -1 for none."""

    starts: array[int]
    lengths: array[int]
    text: bytearray


def hold_names() -> _Names:
    """A table of names, of which there are more and more."""
    return _Names(array("Q"), array("i"), bytearray())


def add_name(table: _Names, name: bytes | None) -> None:
    """Add a name, or the knowledge that there is none."""
    table.starts.append(len(table.text))
    table.lengths.append(-1 if name is None else len(name))
    table.text.extend(name or b"")


def names(items: memoryview, table: _Names, out: Any) -> int:
    """The name that each item has in *table* as text with a bitmap; returns for how many it has none."""
    starts, lengths, text = table
    return lib.vxlanpkt_names(  # type: ignore[no-any-return]
        _pointer("uint32_t *", items), items.nbytes // 4, _pointer("uint64_t *", starts),
        _pointer("int32_t *", lengths), len(lengths), _pointer("uint8_t *", text), len(text), out, len(out),
    )  # fmt: skip


def names_room(items: memoryview, table: _Names) -> int:
    """The bytes that these names take."""
    lengths = _pointer("int32_t *", table.lengths)
    return lib.vxlanpkt_names_room(  # type: ignore[no-any-return]
        _pointer("uint32_t *", items), items.nbytes // 4, lengths, len(table.lengths)
    )


def pick(columns: memoryview, widths: Sequence[int], mask: memoryview, out: Any) -> int:
    """The rows that *mask* names, out of columns that lie behind each other; returns how many."""
    return lib.vxlanpkt_pick(  # type: ignore[no-any-return]
        _pointer("uint8_t *", columns), columns.nbytes, mask.nbytes, ffi.new("uint32_t[]", widths), len(widths),
        _pointer("uint8_t *", mask), out, len(out),
    )  # fmt: skip


# -- what consumers of columns call

ENDS_STREAMS = False
RELEASES = tuple(
    int(ffi.cast("uintptr_t", ffi.addressof(lib, f"vxlanpkt_release_{what}"))) for what in ("array", "schema", "stream")
)
"""The addresses of functions that release arrays, schemas and streams."""


def take_released(releases: int) -> Iterator[int]:
    """The numbers of the exports that were released since this was asked last."""
    export = lib.vxlanpkt_take_released(ffi.cast("struct vxlanpkt_releases *", releases))
    while export:
        number = export.number
        export = export.next
        yield number


def callback(
    result: str, arguments: int, function: Callable[..., int], failed: int, note: Callable[[BaseException], None]
) -> tuple[int, Any]:
    """The address of a C function that calls *function* with so many pointers, as numbers; and what has to be kept.

    result        "int" or "uintptr_t"
    failed, note  what it returns if an exception is raised, be it before the first step of *function*, and who is told
    """

    def noted(_kind: object, error: BaseException, _traceback: object) -> None:
        note(error)

    made = ffi.callback(f"{result}({', '.join(['uintptr_t'] * arguments)})", function, error=failed, onerror=noted)
    return int(ffi.cast("uintptr_t", made)), made

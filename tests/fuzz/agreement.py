"""What a kernel makes of a fuzz input: the same from the Python kernel as from the C kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vxlanpkt import DecapPolicy
from vxlanpkt.kernel.contract.columns import BRIEF_LAYOUT, DECAP_LAYOUT, ENCAP_LAYOUT, RECORD_COLUMNS, RECORD_LAYOUT
from vxlanpkt.kernel.contract.counting import COUNTED_LAYOUT, COUNTED_ROWS, Count
from vxlanpkt.kernel.contract.encapsulation import EncapMode, EncapRecipe
from vxlanpkt.kernel.contract.grouping import SEED_SIZE
from vxlanpkt.kernel.contract.records import Section
from vxlanpkt.kernel.contract.spans import Kind, Reading, place_at

from .inputs import Batch, Input, ports_of
from .seeds import KINDS

# What an outer frame can begin with; other kinds only have to do no harm.
OUTER = {*KINDS.values(), Kind.DOT1Q, Kind.VXLANGPE}


def results(kernel: Any, data: bytes) -> list[Any]:
    """All that the job of this input asks for."""
    one = Input(data)
    return _JOBS[one.job](kernel, one)


def _held(kernel: Any, batch: Batch) -> tuple[bytearray, Any]:
    """A batch with a buffer of its own, which encapsulation in place changes."""
    data = bytearray(batch.data)
    return data, kernel.hold_frames(memoryview(data), batch.offsets, batch.lengths, batch.originals)


def _decap(kernel: Any, one: Input) -> list[Any]:
    """All columns of all rows, and the data as one frame, with what is known of its datagram."""
    if one.kind not in OUTER:
        return []
    rules, underlay, batch = kernel.hold_rules(one.rules()), one.underlay(), one.batch()
    found: list[Any] = []
    for brief, layout in ((False, DECAP_LAYOUT), (True, BRIEF_LAYOUT)):
        out = kernel.new_buffer(layout.row_size * len(batch.offsets))
        found.append(kernel.decap(_held(kernel, batch)[1], one.kind, rules, brief, out))
        found.append(bytes(kernel.view(out)))
    missing = one.missing(len(batch.data))
    found.append(kernel.as_record(kernel.decap_one(batch.data, missing, one.kind, rules, underlay)))
    found.append(kernel.locate_inner(batch.data, rules))
    return found


def _walk(kernel: Any, one: Input) -> list[Any]:
    """All spans, and the fault."""
    walk, data = one.walk(), one.data()
    reading = Reading.CAPTURED if one.has("ANY_LENGTH") else Reading.IP if one.has("BY_IP") else Reading.STRICT
    kind, missing = min(one.kind, Kind.RAW), one.missing(len(data))
    end = min(walk["end"], len(data))
    start = min(walk["start"], end)
    ports = kernel.hold_ports(ports_of(walk))
    kinds, found, last, fault = kernel.walk(data, missing, kind, ports, walk["tunnels"], reading)
    places = [place_at(found, index) for index in range(len(kinds))]
    return [kinds, places, last, fault, kernel.scan(kind, data, start, end, missing, reading)]


def _encap(kernel: Any, one: Input) -> list[Any]:
    """In each mode the count, the output in full, and the frames afterwards."""
    recipes, batch = one.recipes(), one.batch()
    return [_encap_in(kernel, one, recipes, batch, mode) for mode in EncapMode]


def _encap_in(kernel: Any, one: Input, recipes: list[EncapRecipe], batch: Batch, mode: EncapMode) -> Any:
    data, frames = _held(kernel, batch)
    table = kernel.hold_table([kernel.hold_recipe(recipe) for recipe in recipes])
    longest = max((len(recipe.template) for recipe in recipes), default=0)
    out = kernel.new_buffer(len(batch.offsets) * (ENCAP_LAYOUT.row_size + longest) + kernel.total_length(frames))
    kernel.view(out)[:] = bytes(len(out))
    index = kernel.hold_index(batch.index) if one.has("INDEX") else None
    count = kernel.encap(frames, table, index, one.identification, mode, out)
    return count, bytes(kernel.view(out)), data


def _header(kernel: Any, one: Input) -> list[Any]:
    """One header, whether its DF is clear, the flow hash, and the sum of the frame."""
    recipe, data = kernel.hold_recipe(one.recipe()), one.data()
    hashes = [kernel.flow_hash(data, symmetric, raw) for symmetric in (False, True) for raw in (False, True)]
    header = kernel.encap_one(data, recipe, one.number & 0xFFFF)
    return [header, kernel.clears_df(data, recipe), hashes, kernel.ones_complement_sum(data)]


def _group(kernel: Any, one: Input) -> list[Any]:
    """Where a table was full, its groups at the end, which one each key has, and buckets."""
    drawn, seed = one.group(), one.number.to_bytes(4, "big")
    counted = one.counted(drawn)
    held, size = kernel.hold_counted(counted), sum(width for _, width in counted.key)
    table, at, found = kernel.new_groups(size, drawn["capacity"], seed), drawn["first"], list[Any]()
    while 0 <= (at := kernel.group(held, at, table)) < counted.rows:
        found.append(at)
        larger = kernel.new_groups(size, 2 * found[-1] + drawn["capacity"] + 1, seed)
        found.append(kernel.move_groups(table, larger))
        table = larger
    keys = b"".join(
        bytes(column[row * width : row * width + width]) for row in range(counted.rows) for column, width in counted.key
    )
    numbers, buckets = kernel.new_buffer(4 * counted.rows), kernel.new_buffer(8 * counted.rows)
    found += [at, bytes(kernel.entries(table))]
    if at >= 0:
        found += [kernel.find_groups(table, memoryview(keys), numbers), bytes(kernel.view(numbers)) if size else b""]
    if counted.timestamps is not None:
        found += [kernel.bucket(counted.timestamps, one.number + 1, buckets), bytes(kernel.view(buckets))]
    return found


def _records(kernel: Any, one: Input) -> list[Any]:
    """The stretch, and its rows in all columns."""
    (section, begin), data = one.section(), one.data()
    buffer, out = kernel.new_buffer(len(data)), kernel.new_buffer(one.rows * RECORD_LAYOUT.row_size)
    kernel.view(buffer)[:] = data
    found = kernel.read_records(buffer, min(begin, len(data)), len(data), kernel.hold_section(section), out)
    columns = [RECORD_LAYOUT.column(name, one.rows, kernel.view(out)) for name in RECORD_COLUMNS]
    counted = _counted(kernel, buffer, min(begin, len(data)), section)
    return [found, *(list(column[: found.rows]) for column in columns), *counted]


def _counted(kernel: Any, buffer: Any, begin: int, section: Section) -> list[Any]:
    """The stretch that is counted, and the groups."""
    table = kernel.new_groups(7, len(buffer) // 12 + 1 + COUNTED_ROWS, bytes(SEED_SIZE))
    held = kernel.hold_section(section), kernel.hold_rules(DecapPolicy(lengths="snapped").rules)
    counts = kernel.hold_counts([Count(("vni", "flow_ethertype", "cut_off"))])
    columns = kernel.new_buffer(COUNTED_ROWS * COUNTED_LAYOUT.row_size)
    found = kernel.count_records(buffer, begin, len(buffer), *held, counts, [table], 1, columns)
    return [found, bytes(kernel.entries(table))]


_JOBS: dict[str, Callable[[Any, Input], list[Any]]] = {
    "DECAP": _decap,
    "WALK": _walk,
    "ENCAP": _encap,
    "HEADER": _header,
    "GROUP": _group,
    "RECORDS": _records,
}

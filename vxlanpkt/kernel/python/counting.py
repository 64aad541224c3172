"""Records of a capture counted as they are read: the specification.

Blocks of COUNTED_ROWS records are read, decapsulated, and counted in every table, as `read_records`, `decap`,
`derived` and `group` do it. What is read is of one link type, and ends in front of a block that some table might have
no room for: so a record is counted in all tables or in none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vxlanpkt.kernel.contract.captures import Derived
from vxlanpkt.kernel.contract.columns import DECAP_LAYOUT, RECORD_LAYOUT, WIDTHS
from vxlanpkt.kernel.contract.counting import COUNTED_COLUMNS, COUNTED_LAYOUT, COUNTED_ROWS, WIDTHS_OF_COUNTS, Count
from vxlanpkt.kernel.contract.decapsulation import DecapRules
from vxlanpkt.kernel.contract.grouping import KEY_COLUMNS, LARGEST_KEY, Counted
from vxlanpkt.kernel.contract.records import Section, Stop, Stretch
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.kernel.python.columns import derived
from vxlanpkt.kernel.python.decapsulation import decap
from vxlanpkt.kernel.python.frames import Frames
from vxlanpkt.kernel.python.grouping import Groups, group, hold_counted
from vxlanpkt.kernel.python.memory import shares_memory
from vxlanpkt.kernel.python.records import read_records


def hold_counts(counts: Sequence[Count]) -> Sequence[Count]:
    """What records are counted by, held: the tables may be others in each call."""
    return counts


def count_records(
    buffer: Any, begin: int, end: int, section: Section, rules: DecapRules, counts: Sequence[Count],
    tables: Sequence[Groups], number: int, columns: bytearray,
) -> Stretch:  # fmt: skip
    """Count the records in `buffer[begin:end]`, the first with a *number*; *columns* is memory for those of a block.

    *tables*: the table of each count. FULL where one has no room, or the next record is of another link type; UNFIT
    where tables, columns or memory are not as they have to be, and nothing was counted.
    """
    all_of = Stretch(0, begin, 0, Stop.FULL, 0)
    if not _are_fit(buffer, end, counts, tables, columns):
        return all_of._replace(stop=Stop.UNFIT)
    while all(map(_has_room, tables)):
        records = bytearray(RECORD_LAYOUT.row_size * COUNTED_ROWS)
        found = read_records(buffer, all_of.position, end, section, records)
        if found.rows and all_of.rows and found.link_type != all_of.link_type:
            break
        link_type = found.link_type if found.rows else all_of.link_type
        if found.rows:
            block = _block(buffer, end, section, rules, records, found.rows)
            for count, table in zip(counts, tables, strict=True):
                done = group(_counted(count, block, found.rows, number + all_of.rows), 0, table)
                assert done == found.rows  # as counts are sound, and there is room
        all_of = Stretch(all_of.rows + found.rows, found.position, found.needed, found.stop, link_type)
        if found.stop != Stop.FULL:
            break
    return all_of


def _are_fit(buffer: Any, end: int, counts: Sequence[Count], tables: Sequence[Groups], columns: bytearray) -> bool:
    if len(columns) < COUNTED_ROWS * COUNTED_LAYOUT.row_size or shares_memory(columns, memoryview(buffer)[:end]):
        return False
    return all(_is_sound(count, table) for count, table in zip(counts, tables, strict=True)) and len(
        {id(table) for table in tables}
    ) == len(tables)


def _is_sound(count: Count, table: Groups) -> bool:
    """Whether columns have the widths that are counted, and make a key of the table's size."""
    size = sum(WIDTHS[COUNTED_COLUMNS[name]] for name in count.key)
    others = [(getattr(count, what), width) for what, width in WIDTHS_OF_COUNTS.items()]
    fit = all(name is None or WIDTHS[COUNTED_COLUMNS[name]] == width for name, width in others)
    return fit and size == table.key_size <= LARGEST_KEY and len(count.key) <= KEY_COLUMNS


def _has_room(table: Groups) -> bool:
    """Whether a table has room for a block whose rows are all new to it."""
    return table.closed or table.capacity - len(table.numbers) >= COUNTED_ROWS


def _block(
    buffer: Any, end: int, section: Section, rules: DecapRules, records: bytearray, rows: int
) -> dict[str, memoryview]:  # fmt: skip
    """The columns of a block."""
    whole = memoryview(records)
    block = {name: RECORD_LAYOUT.column(name, COUNTED_ROWS, whole)[:rows] for name in RECORD_LAYOUT.names}
    frames = Frames(memoryview(buffer)[:end], block["offset"], block["length"], block["frame_length"])
    kind = section.interfaces[block["interface"][0] - section.first].kind
    found = bytearray(rows * DECAP_LAYOUT.row_size)
    decap(frames, Kind(kind), rules, False, found)
    block |= zip(DECAP_LAYOUT.names, DECAP_LAYOUT.columns(rows, memoryview(found)), strict=True)
    ethertypes, cut_off = bytearray(2 * rows), bytearray(rows)
    derived(found, frames, Derived.FLOW_ETHERTYPE, ethertypes)
    derived(found, frames, Derived.CUT_OFF, cut_off)
    return block | {"flow_ethertype": memoryview(ethertypes).cast("H"), "cut_off": memoryview(cut_off)}


def _counted(count: Count, block: dict[str, memoryview], rows: int, number: int) -> Counted:
    def column(name: str | None) -> memoryview | None:
        return None if name is None else block[name]

    return hold_counted(Counted(
        rows, [(block[name], WIDTHS[COUNTED_COLUMNS[name]]) for name in count.key], column(count.lengths),
        column(count.other_lengths), column(count.timestamps), column(count.flags), None, column(count.status), number,
    ))  # fmt: skip

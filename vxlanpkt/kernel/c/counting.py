"""Records of a capture counted as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import Held
from vxlanpkt.kernel.contract.columns import WIDTHS
from vxlanpkt.kernel.contract.counting import COUNTED_LAYOUT, NO_COLUMN, WIDTHS_OF_COUNTS, Count
from vxlanpkt.kernel.contract.grouping import KEY_COLUMNS
from vxlanpkt.kernel.contract.records import Stretch


def hold_counts(counts: Sequence[Count]) -> Any:
    """What records are counted by, held: the tables may be others in each call."""
    held = ffi.new("struct vxlanpkt_counted_by[]", len(counts))
    for to, count in zip(held, counts, strict=True):
        to.key_columns = len(count.key)
        for at, name in enumerate(count.key[:KEY_COLUMNS]):
            to.key[at], code = COUNTED_LAYOUT.place(name)
            to.widths[at] = WIDTHS[code]
        for what, width in WIDTHS_OF_COUNTS.items():
            setattr(to, what, _place(getattr(count, what), width))
    return held


def _place(name: str | None, width: int) -> int:
    """Where a column lies; nowhere, if its items have another width."""
    if name is None:
        return NO_COLUMN
    place, code = COUNTED_LAYOUT.place(name)
    return place if WIDTHS[code] == width else COUNTED_LAYOUT.row_size


def count_records(
    buffer: Any, begin: int, end: int, section: Held, rules: Held, counts: Any, tables: Sequence[Held], number: int,
    columns: Any,
) -> Stretch:  # fmt: skip
    """Count the records in `buffer[begin:end]`, the first with a *number*; *columns* is memory for those of a block."""
    for count, table in zip(counts, tables, strict=True):
        count.groups = table.pointer
    found = lib.vxlanpkt_count_records(
        buffer, begin, min(end, len(buffer)), section.pointer, rules.pointer, counts, len(counts), number, columns,
        len(columns),
    )  # fmt: skip
    return Stretch(found.rows, found.position, found.needed, found.stop, found.link_type)

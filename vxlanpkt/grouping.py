"""Rows of batches counted by a key, such as packets by flow: a table that grows as it is filled."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from vxlanpkt import kernel
from vxlanpkt.batches.columns import as_buffer, written
from vxlanpkt.errors import refused_field
from vxlanpkt.kernel.contract.answers import OVERLAP
from vxlanpkt.kernel.contract.columns import ADDRESS, WIDTHS, Layout
from vxlanpkt.kernel.contract.columns import NO_GROUP as NO_GROUP
from vxlanpkt.kernel.contract.grouping import COUNTS, KEY_COLUMNS, LARGEST_KEY, Counted, entry_size
from vxlanpkt.kernel.contract.grouping import SEED_SIZE as SEED_SIZE

if TYPE_CHECKING:
    from typing_extensions import Buffer

_refused = partial(refused_field, "Groups")

_FIRST_CAPACITY = 1024
# What is counted of each group, in 8 bytes each.
_COUNTS = {name: "q" if name in ("first", "last") else "Q" for name in COUNTS}
_CODES = {8: "Q", 4: "I", 2: "H", 1: "B"}


class Groups:
    """Groups of rows that have the same key, in the order in which they were met.

    key   the columns of the key, at most 16 of 64 bytes together: their names, and their items as in DECAP_COLUMNS
    seed  random bytes, best SEED_SIZE of them, that nobody knows who chooses the rows: with them, keys that are slow to
          find cannot be made
    limit how many groups there may be, those that are met first: rows of others are left out, and counted in `left_out`
    """

    def __init__(self, key: Mapping[str, str], *, seed: bytes, limit: int | None = None) -> None:
        self._key = dict(key)
        self._widths = [WIDTHS[code] for code in key.values()]
        self._key_size = sum(self._widths)
        if self._key_size > LARGEST_KEY or len(key) > KEY_COLUMNS:
            raise _refused("key", list(key), f"{KEY_COLUMNS} columns of {LARGEST_KEY} bytes or fewer")
        self._entry_size = entry_size(self._key_size)
        self._seed = seed
        self._limit = limit
        self._capacity = 0
        self._make(_FIRST_CAPACITY)

    def __len__(self) -> int:
        """How many groups there are."""
        return len(kernel.entries(self._table)) // self._entry_size

    @property
    def left_out(self) -> int:
        """How many rows had no group because there were as many as there may be."""
        return kernel.left_out(self._table)

    def add(
        self,
        rows: int,
        key: Sequence[Buffer],
        *,
        lengths: Buffer | None = None,
        other_lengths: Buffer | None = None,
        timestamps: Buffer | None = None,
        flags: Buffer | None = None,
        selected: Buffer | None = None,
        status: Buffer | None = None,
        number: int = 0,
    ) -> None:
        """Count *rows* rows.

        key            the columns of the key
        lengths        uint32, summed up as `bytes`; likewise other_lengths
        timestamps     int64, of which the first and the last are kept; NO_TIMESTAMP is none
        flags          uint16, united
        selected       uint8: rows with 0 are left out
        status         uint8: rows are left out that are not OK
        number         that of the first row; of each group the number of the row is kept that it was met with

        Raises FieldError for columns of other sizes.
        """
        if len(key) != len(self._key):
            raise _refused("key", len(key), f"{len(self._key)} columns")
        columns = [_column(name, view, code, rows) for (name, code), view in zip(self._key.items(), key, strict=True)]
        counted = Counted(
            rows,
            list(zip(columns, self._widths, strict=True)),
            _perhaps("lengths", lengths, "I", rows),
            _perhaps("other_lengths", other_lengths, "I", rows),
            _perhaps("timestamps", timestamps, "q", rows),
            _perhaps("flags", flags, "H", rows),
            _perhaps("selected", selected, "B", rows),
            _perhaps("status", status, "B", rows),
            number,
        )
        held = kernel.hold_counted(counted)
        at = self._count(held, 0)
        while at < rows:
            self._grow()
            at = self._count(held, at)

    def clear(self, seed: bytes) -> None:
        """Have no groups again, and another *seed*."""
        self._seed = seed
        self._make(self._capacity)

    def with_room(self, groups: int) -> Any:
        """The table as a kernel holds it, with room for so many groups more if there may be."""
        while self._capacity - len(self) < groups and not self._closed:
            self._grow()
        return self._table

    def _count(self, held: Any, first: int) -> int:
        at = kernel.group(held, first, self._table)
        if at == OVERLAP:
            raise _refused("key", "a column", "apart from the table's own memory")
        if at < 0:
            raise MemoryError(f"no table of {self._capacity} groups")
        return at

    def _grow(self) -> None:
        """Double the room: what this costs is spread over all that came before."""
        old = self._table
        self._make(2 * self._capacity)
        kernel.move_groups(old, self._table)

    def _make(self, capacity: int) -> None:
        """A new table, closed if it has room for as many as there may be."""
        self._closed = self._limit is not None and capacity >= self._limit
        self._capacity = capacity if self._limit is None else min(capacity, self._limit)
        self._table = kernel.new_groups(self._key_size, self._capacity, self._seed, self._closed)

    def columns(self) -> dict[str, memoryview]:
        """The key's columns, and `packets`, `bytes`, `other_bytes`, `first`, `last`, `flags`, `first_number`."""
        codes = self._key | _COUNTS
        layout = Layout(dict(sorted(codes.items(), key=lambda item: -WIDTHS[item[1]])))
        entries, rows = kernel.entries(self._table), len(self)
        buffer = kernel.view(kernel.new_buffer(rows * layout.row_size))
        made = {name: layout.column(name, rows, buffer) for name in codes}
        if rows:
            for name, offset in self._offsets().items():
                _take_apart(entries, self._entry_size, offset, made[name].cast("B"), WIDTHS[codes[name]])
        return {name: column.toreadonly() for name, column in made.items()}

    def _offsets(self) -> dict[str, int]:
        """Where the columns lie in an entry."""
        offsets, at = {}, 0
        for name, code in self._key.items():
            offsets[name] = at
            at += WIDTHS[code]
        return offsets | {name: self._entry_size - 8 * (len(_COUNTS) - number) for number, name in enumerate(_COUNTS)}

    def find(self, key: Sequence[Buffer]) -> memoryview:
        """The number of the group that each key has, or NO_GROUP, as uint32; *key* are columns as `add` takes them."""
        rows = as_buffer("key", key[0], _refused).nbytes // WIDTHS[next(iter(self._key.values()))] if key else 0
        if not rows:
            return memoryview(array("I"))
        keys = memoryview(bytearray(rows * self._key_size))
        for (name, code), view in zip(self._key.items(), key, strict=True):
            column = _column(name, view, code, rows).cast("B")
            _put_together(keys, self._key_size, self._offsets()[name], column, WIDTHS[code])
        out = kernel.new_buffer(4 * rows)
        written(kernel.find_groups(self._table, keys, out))
        return kernel.view(out).cast("I")


def buckets(timestamps: memoryview, width: int) -> memoryview:
    """The number of the bucket of *width* nanoseconds that each time lies in, as int64; NO_TIMESTAMP where is none."""
    if not isinstance(width, int) or not 0 < width < 1 << 63:
        raise _refused("width", width, "a positive number of nanoseconds")
    column = _column("timestamps", timestamps, "q", len(timestamps))
    if not len(column):
        return column
    out = kernel.new_buffer(8 * len(column))
    written(kernel.bucket(column, width, out))
    return kernel.view(out).cast("q")


def _take_apart(entries: memoryview, size: int, offset: int, column: memoryview, width: int) -> None:
    """Copy what lies at *offset* of each entry of *size* bytes into a column."""
    for source, target in _strides(entries, size, offset, column, width):
        target[:] = _copyable(source)


def _put_together(entries: memoryview, size: int, offset: int, column: memoryview, width: int) -> None:
    """The same the other way round."""
    for target, source in _strides(entries, size, offset, column, width):
        target[:] = _copyable(source)


def _strides(
    entries: memoryview, size: int, offset: int, column: memoryview, width: int
) -> list[tuple[memoryview, memoryview]]:
    """The largest parts that items can be copied by: views of every so many of them, here and there."""
    together = 8 | size | offset | width
    part = together & -together  # the greatest power of two that divides all of them
    wide, narrow = entries.cast(_CODES[part]), column.cast(_CODES[part])  # type: ignore[call-overload]
    step, parts = size // part, width // part
    return [(wide[offset // part + at :: step], narrow[at::parts]) for at in range(parts)]


def _copyable(source: memoryview) -> memoryview:
    """What PyPy copies from too, which wants it to be contiguous."""
    if sys.implementation.name != "cpython" and not source.c_contiguous:  # pragma: no cover - PyPy
        return memoryview(source.tobytes()).cast(source.format)  # type: ignore[call-overload,no-any-return]
    return source


def _perhaps(name: str, values: Buffer | None, code: str, rows: int) -> memoryview | None:
    return None if values is None else _column(name, values, code, rows)


def _column(name: str, values: Buffer, code: str, rows: int) -> memoryview:
    """A column of so many items."""
    items = memoryview(values)
    width = WIDTHS[code]
    if items.nbytes == rows * width and items.format == code and items.ndim == 1 and items.c_contiguous:
        return items  # as kernels make them
    flat = as_buffer(name, items, _refused)
    if flat.nbytes != rows * width or (code != ADDRESS and items.itemsize != width):
        raise _refused(name, f"{len(items)} items of {items.itemsize} bytes", f"{rows} items of {width} bytes")
    if code == ADDRESS or code == "B":
        return flat
    return flat.cast(code) if rows else memoryview(array(code))  # type: ignore[call-overload]

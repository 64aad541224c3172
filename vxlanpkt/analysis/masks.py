"""Rows picked out of columns of bytes without a loop over them: a mask is a byte for each row, 1 or 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vxlanpkt.analysis.findings import Numbers


def table_of(test: Callable[[int], object]) -> bytes:
    """What `mask` translates by: 1 for each value that passes."""
    return bytes(1 if test(value) else 0 for value in range(256))


def mask(column: memoryview, table: bytes) -> bytes:
    """Which rows of a uint8 column have a value that passes."""
    return bytes(column).translate(table)


def both(one: bytes, other: bytes) -> bytes:
    """Rows that are in two masks."""
    common = int.from_bytes(one, "little") & int.from_bytes(other, "little")
    return common.to_bytes(len(one), "little")


def rows_of(found: bytes, most: int) -> list[int]:
    """The first rows of a mask, no more than *most*."""
    rows: list[int] = []
    at = found.find(1)
    while at >= 0 and len(rows) < most:
        rows.append(at)
        at = found.find(1, at + 1)
    return rows


def numbered(one: bytes, other: bytes) -> bytes:
    """A column of 1 for rows that are in one mask, 2 for those in the other; no row may be in both."""
    numbers = int.from_bytes(one, "little") | int.from_bytes(other, "little") << 1
    return numbers.to_bytes(len(one), "little")


def zeros(column: memoryview) -> bytes:
    """Which rows of a column of any width are 0."""
    raw, width = column.tobytes(), column.itemsize
    united = 0
    for at in range(width):
        united |= int.from_bytes(raw[at::width], "little")
    return united.to_bytes(len(column), "little").translate(_IS_ZERO)


_IS_ZERO = table_of(lambda value: not value)


class Tally:
    """How many rows were in a mask, over all batches, and the numbers of the first records among them."""

    def __init__(self, most: int) -> None:
        self.count = 0
        self._most = most
        self._examples: list[int] = []

    def add(self, found: bytes, first: int) -> None:
        """Count a mask of the records that follow the first *first* of a capture."""
        self.count += found.count(1)
        self._examples += [first + row + 1 for row in rows_of(found, self._most - len(self._examples))]

    @property
    def examples(self) -> Numbers:
        """Numbers of records, from 1."""
        return tuple(self._examples)

"""Counts of groups that were made apart, put together."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vxlanpkt.capture.batches import NO_TIMESTAMP
from vxlanpkt.grouping import SEED_SIZE, Groups

if TYPE_CHECKING:
    from typing_extensions import Buffer

PackedColumns = Mapping[str, "tuple[str, bytes]"]
"""Columns as they can be pickled: the format of their items, and their bytes."""


def earlier(one: int, other: int) -> int:
    """The earlier of two times, of which any may be missing."""
    return max(one, other) if NO_TIMESTAMP in (one, other) else min(one, other)


# How the counts of two halves of a group make one.
_SUMMED: Mapping[str, Callable[[int, int], int]] = {
    "packets": int.__add__, "bytes": int.__add__, "other_bytes": int.__add__, "flags": int.__or__, "first": earlier,
    "last": max,
}  # fmt: skip
_TIMES = ("first", "last")
_NUMBER = "first_number"


class GroupSums:
    """Groups as `Groups` has them, out of columns that other processes have counted, added in the order of the file."""

    def __init__(self, key: Mapping[str, str]) -> None:
        self._key = key
        self._met = Groups(key, seed=os.urandom(SEED_SIZE))
        self._counts: dict[str, array[int]] = {
            name: array("q" if name in _TIMES else "Q") for name in (*_SUMMED, _NUMBER)
        }

    def add(self, columns: Mapping[str, memoryview], before: int) -> None:
        """Add what was counted of records that so many records came *before*."""
        key = [columns[name] for name in self._key]
        self._met.add(len(columns["packets"]), key)
        groups = self._met.find(key)
        self._make_room()
        for name, summed in _SUMMED.items():
            counts = self._counts[name]
            for group, count in zip(groups, columns[name], strict=True):
                counts[group] = summed(counts[group], count)
        numbers = self._counts[_NUMBER]
        for group, number in zip(groups, columns[_NUMBER], strict=True):
            numbers[group] = numbers[group] or before + number

    def _make_room(self) -> None:
        """Counts for groups that are new."""
        for name, counts in self._counts.items():
            nothing = NO_TIMESTAMP if name in _TIMES else 0
            counts.extend(array(counts.typecode, [nothing]) * (len(self._met) - len(counts)))

    def columns(self) -> dict[str, memoryview]:
        """As those of `Groups`."""
        found = self._met.columns()
        return {name: found[name] for name in self._key} | {
            name: memoryview(counts).toreadonly() for name, counts in self._counts.items()
        }

    def find(self, key: Sequence[Buffer]) -> memoryview:
        """As that of `Groups`."""
        return self._met.find(key)


def packed(columns: Mapping[str, memoryview]) -> dict[str, tuple[str, bytes]]:
    """Columns so that they can be pickled."""
    return {name: (column.format, column.tobytes()) for name, column in columns.items()}


def unpacked(columns: PackedColumns) -> dict[str, memoryview]:
    """The columns again."""

    def column(code: Any, items: bytes) -> memoryview:
        return memoryview(items).cast(code) if items else memoryview(array(code))

    return {name: column(*found) for name, found in columns.items()}

"""What tables are made of: a map of prefixes that grows, and values with numbers that maps can hold."""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from vxlanpkt.errors import refused_field
from vxlanpkt.kernel import (
    count_prefixes,
    drop_prefixes,
    find_prefix,
    list_prefixes,
    look_up,
    move_prefixes,
    new_map,
    prefix_of_none,
    put_prefixes,
    settle,
)
from vxlanpkt.kernel.contract.answers import NO_SPACE
from vxlanpkt.kernel.contract.tables import LISTED, MAP_SEED_SIZE, NO_VALUE, STATIC, Asked, Mapped
from vxlanpkt.tunnel import Tunnel, TunnelTable

Value = TypeVar("Value", bound=Hashable)

_FIRST_CAPACITY = 64
_FEW_ROWS = 256  # for which a map that has changed is not put in order
_LATEST = 1 << 62


def stamp_of(seconds: float) -> int:
    """A time in seconds, of whatever clock, in nanoseconds as maps hold them."""
    if isinstance(seconds, (int, float)) and math.isfinite(seconds) and abs(seconds) < _LATEST / 1e9:
        return int(seconds * 1_000_000_000)
    raise refused_field("overlay", "now", seconds, "a time in seconds")


class GrowingMap:
    """Prefixes of keys, and a number for each: a kernel's map, exchanged for a larger one when it is full."""

    def __init__(self, lengths: Sequence[int] = ()) -> None:
        self._lengths = frozenset(lengths)
        self._capacity = _FIRST_CAPACITY
        self.held = self._new()

    def __len__(self) -> int:
        return count_prefixes(self.held) + (prefix_of_none(self.held) != NO_VALUE)

    def _new(self) -> Any:
        """A map with secrets of its own: strangers cannot choose keys that are slow to find."""
        return new_map(sorted(self._lengths), self._capacity, os.urandom(MAP_SEED_SIZE))

    def put(self, keys: bytes | bytearray, length: int, values: array[int], stamp: int = STATIC) -> None:
        """Put prefixes of one length, their keys behind each other in 16 bytes each."""
        self.allow({length})
        done = put_prefixes(self.held, memoryview(keys), length, memoryview(values), stamp)
        while done < len(values):
            self._exchange(2 * self._capacity)
            rest = memoryview(keys)[16 * done :]
            done += put_prefixes(self.held, rest, length, memoryview(values)[done:], stamp)

    def allow(self, lengths: set[int]) -> None:
        """Have room for prefixes of these lengths: a new one means a new map."""
        wanted = self._lengths | (lengths - {0})
        if wanted != self._lengths:
            self._lengths = wanted
            self._exchange(self._capacity)

    def _exchange(self, capacity: int) -> None:
        while True:
            self._capacity = capacity
            made = self._new()
            if move_prefixes(self.held, made) != NO_SPACE:
                break
            capacity *= 2
        settle(made)
        self.held = made

    def drop(self, keys: bytes | bytearray, length: int) -> int:
        """Drop prefixes; returns how many there were."""
        return drop_prefixes(self.held, memoryview(keys), length)

    def find(self, key: bytes, length: int) -> Mapped | None:
        """The number and the stamp of one prefix."""
        if length:
            return find_prefix(self.held, key, length)
        none = prefix_of_none(self.held)
        return None if none == NO_VALUE else Mapped(none, STATIC)

    def listed(self, before: int = STATIC, value: int = NO_VALUE) -> Iterator[tuple[bytes, int, int, int]]:
        """Key, number, length and stamp of prefixes, in any order; those seen before a time, or of a number."""
        for part in list_prefixes(self.held, before, value):
            yield from LISTED.iter_unpack(part)

    def look_up(self, asked: Asked, out: Any) -> int:
        """Put the number of each key, or NO_VALUE, into *out*; returns how many have one."""
        if asked.rows > _FEW_ROWS:
            settle(self.held)
        return look_up(self.held, asked, out)


class Numbers(Generic[Value]):
    """Values by small numbers, each counted as often as it is taken; a number is free when all let go of it."""

    def __init__(self) -> None:
        self.values: list[Value | None] = []
        self.version = 0  # counts changes of the values
        self._numbers: dict[Value, int] = {}
        self._uses: list[int] = []
        self._free: list[int] = []

    def number(self, value: Value) -> int | None:
        """The number of a value that was taken."""
        return self._numbers.get(value)

    def take(self, value: Value) -> int:
        """The number of a value, one use more."""
        number = self._numbers.get(value)
        if number is None:
            number = self._new(value)
        self._uses[number] += 1
        return number

    def _new(self, value: Value) -> int:
        self.version += 1
        if self._free:
            number = self._free.pop()
            self.values[number] = value
        else:
            number = len(self.values)
            self.values.append(value)
            self._uses.append(0)
        self._numbers[value] = number
        return number

    def release(self, number: int, uses: int = 1) -> Value | None:
        """Let go of a number; returns its value if nobody has it any more."""
        self._uses[number] -= uses
        value = self.values[number]
        if self._uses[number] or value is None:
            return None
        self.version += 1
        self.values[number] = None
        self._free.append(number)
        del self._numbers[value]
        return value


def as_tunnels(values: Sequence[Any]) -> TunnelTable:
    """A table for `encap_batch` whose rows are these numbers' values; one that is free has another's."""
    some = next((value for value in values if isinstance(value, Tunnel)), None)
    return TunnelTable([value if isinstance(value, Tunnel) else some for value in values] if some else ())

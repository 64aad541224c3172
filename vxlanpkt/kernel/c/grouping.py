"""Rows counted by a key."""

from __future__ import annotations

from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import NULL, Held, hold_column, new_buffer, put_column, spread, view
from vxlanpkt.kernel.contract.grouping import SEED_SIZE, Counted, entry_size

_BYTES_OF_INDEX = 16  # for each group: two slots


def hold_counted(counted: Counted) -> Held:
    """Rows that are to be counted, held."""
    held = ffi.new("struct vxlanpkt_rows *")
    kept: list[memoryview] = []
    held.count, held.key_columns, held.number = counted.rows, len(counted.key), counted.number
    for column, (items, width) in zip(held.key, counted.key, strict=False):
        put_column(column, items, width, kept)
    for name in ("lengths", "other_lengths", "timestamps", "flags", "selected", "status"):
        other = getattr(counted, name)
        if other is not None:
            put_column(getattr(held, name), other, other.itemsize, kept)
    return Held(held, kept)


def new_groups(key_size: int, capacity: int, seed: bytes, closed: bool = False) -> Held:
    """An empty table for so many groups. *seed* is what strangers must not know, where a kernel's own hash needs it."""
    groups = ffi.new("struct vxlanpkt_groups *")
    memory = new_buffer(capacity * (entry_size(key_size) + _BYTES_OF_INDEX))
    groups.memory, groups.size = memory, len(memory)
    groups.capacity, groups.key_size, groups.closed = capacity, key_size, closed
    ffi.buffer(groups.secrets)[:] = seed[:SEED_SIZE] if len(seed) >= SEED_SIZE else spread(seed)
    lib.vxlanpkt_move_groups(NULL, groups)
    return Held(groups, memory)


def left_out(groups: Held) -> int:
    """How many rows a closed table had no room for."""
    return groups.pointer.left_out  # type: ignore[no-any-return]


def entries(groups: Held) -> memoryview:
    """The groups that a table has, one behind the other."""
    pointer, memory = groups
    return view(memory)[: pointer.count * entry_size(pointer.key_size)]


def group(counted: Held, first: int, groups: Held) -> int:
    """Count rows by their keys, from *first* on; returns the first one whose group has no room, or their number."""
    return lib.vxlanpkt_group(counted.pointer, first, groups.pointer)  # type: ignore[no-any-return]


def move_groups(old: Held, new: Held) -> int:
    """Put the groups of a table, in the same order, into a larger one that is empty; returns how many there are."""
    return lib.vxlanpkt_move_groups(old.pointer, new.pointer)  # type: ignore[no-any-return]


def find_groups(groups: Held, keys: memoryview, out: Any) -> int:
    """Put the number of each key's group, or NO_GROUP, into *out*, as uint32; returns the number of keys."""
    column = hold_column(keys, groups.pointer.key_size)
    return lib.vxlanpkt_find_groups(groups.pointer, column.pointer, out, len(out))  # type: ignore[no-any-return]


def bucket(timestamps: memoryview, width: int, out: Any) -> int:
    """Put the number of the bucket of *width* nanoseconds that each time lies in into *out*, as int64: rounded down."""
    column = hold_column(timestamps, timestamps.itemsize)
    return lib.vxlanpkt_bucket(column.pointer, width, out, len(out))  # type: ignore[no-any-return]

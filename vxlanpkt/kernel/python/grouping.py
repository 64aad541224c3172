"""Rows of a batch counted by a key: the specification.

A key is what some columns say of a row, one behind the other. Rows that have one key are a group. Groups are kept in
the order in which they were met, so that nothing depends on how they are found again. A group is an entry: the key,
zeros up to a multiple of 8 bytes, and its `COUNTS`.

A table holds as many groups as it was made for. `group` stops at the first row whose group has no room, and goes on
from there with a larger table that took the groups over. In one that is closed it leaves such rows out, and counts
how many these are.

How a group is found is a kernel's own affair. Keys come from strangers, so it has to be such that they cannot choose
keys that are found slowly.
"""

from __future__ import annotations

from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, WRONG_COLUMNS
from vxlanpkt.kernel.contract.columns import NO_GROUP, NO_TIMESTAMP
from vxlanpkt.kernel.contract.grouping import COUNTS_STRUCT, KEY_COLUMNS, LARGEST_KEY, Counted, entry_size, padded
from vxlanpkt.kernel.python.memory import items, shares_memory

_MASK = (1 << 64) - 1
_WIDTHS = (4, 4, 8, 2, 1, 1)  # of the columns that are counted


class Groups:
    """A table of groups. Python's own hash of bytes is keyed."""

    def __init__(self, key_size: int, capacity: int) -> None:
        self.key_size = key_size
        self.capacity = capacity
        self.entries = bytearray(capacity * entry_size(key_size))
        self.numbers: dict[bytes, int] = {}
        self.closed = False
        self.left_out = 0


def hold_counted(counted: Counted) -> Counted:
    """Rows that are to be counted, held.

    The columns of the key become bytes.
    """
    return counted._replace(key=[(column.cast("B"), width) for column, width in counted.key])


def new_groups(key_size: int, capacity: int, seed: bytes, closed: bool = False) -> Groups:
    """An empty table for so many groups. *seed* is what strangers must not know, where a kernel's own hash needs it."""
    groups = Groups(key_size, capacity)
    groups.closed = closed
    return groups


def left_out(groups: Groups) -> int:
    """How many rows a closed table had no room for."""
    return groups.left_out


def entries(groups: Groups) -> memoryview:
    """The groups that a table has, one behind the other."""
    return memoryview(groups.entries)[: len(groups.numbers) * entry_size(groups.key_size)]


def group(counted: Counted, first: int, groups: Groups) -> int:
    """Count rows by their keys, from *first* on; returns the first one whose group has no room, or their number."""
    if shares_memory(groups.entries, *columns_of(counted)):
        return OVERLAP
    if not _are_sound(counted, groups.key_size):
        return WRONG_COLUMNS
    for row in range(first, counted.rows):
        if not is_chosen(counted, row):
            continue
        key = b"".join([column[row * width : (row + 1) * width] for column, width in counted.key])
        number = groups.numbers.get(key)
        if number is None:
            number = len(groups.numbers)
            if number == groups.capacity and groups.closed:
                groups.left_out += 1
                continue
            if number == groups.capacity:
                return row
            groups.numbers[key] = number
            _put_new(groups, number, key, counted.number + row)
        _count_row(counted, row, groups, number)
    return counted.rows


def columns_of(counted: Counted) -> list[memoryview | None]:
    """All columns of rows that are to be counted."""
    return [*counted[2:-1], *(column for column, _ in counted.key)]


def is_chosen(counted: Counted, row: int) -> bool:
    """Whether a row counts."""
    return (counted.selected is None or counted.selected[row] != 0) and not (counted.status and counted.status[row])


def _are_sound(counted: Counted, key_size: int) -> bool:
    return sum(width for _, width in counted.key) == key_size <= LARGEST_KEY and have_all_rows(counted)


def have_all_rows(counted: Counted) -> bool:
    """Whether every column has an item for each row."""
    widths = [width for _, width in counted.key]
    if len(widths) > KEY_COLUMNS or not all(0 < width <= LARGEST_KEY for width in widths):
        return False
    return all(len(column) // width >= counted.rows for column, width in counted.key) and all(
        column is None or (column.itemsize == width and len(column) >= counted.rows)
        for column, width in zip(counted[2:-1], _WIDTHS, strict=True)
    )


def _put_new(groups: Groups, number: int, key: bytes, row: int) -> None:
    size = entry_size(groups.key_size)
    entry = key.ljust(padded(groups.key_size), b"\0") + COUNTS_STRUCT.pack(
        0, 0, 0, NO_TIMESTAMP, NO_TIMESTAMP, 0, row & _MASK
    )
    groups.entries[number * size : (number + 1) * size] = entry


def _count_row(counted: Counted, row: int, groups: Groups, number: int) -> None:
    at = number * entry_size(groups.key_size) + padded(groups.key_size)
    packets, length, other_length, first, last, flags, seen = COUNTS_STRUCT.unpack_from(groups.entries, at)
    if counted.lengths is not None:
        length = length + counted.lengths[row] & _MASK
    if counted.other_lengths is not None:
        other_length = other_length + counted.other_lengths[row] & _MASK
    if counted.flags is not None:
        flags |= counted.flags[row]
    time = NO_TIMESTAMP if counted.timestamps is None else counted.timestamps[row]
    if time != NO_TIMESTAMP:
        first = time if first == NO_TIMESTAMP else min(first, time)
        last = max(last, time)
    COUNTS_STRUCT.pack_into(groups.entries, at, packets + 1, length, other_length, first, last, flags, seen)


def move_groups(old: Groups, new: Groups) -> int:
    """Put the groups of a table, in the same order, into a larger one that is empty; returns how many there are."""
    if old is new:
        return OVERLAP
    if old.key_size != new.key_size:
        return WRONG_COLUMNS
    if old.capacity > new.capacity:
        return NO_SPACE
    new.entries[: len(old.entries)] = old.entries
    new.numbers = old.numbers.copy()
    new.left_out = old.left_out
    return len(new.numbers)


def find_groups(groups: Groups, keys: memoryview, out: bytearray) -> int:
    """Put the number of each key's group, or NO_GROUP, into *out*, as uint32; returns the number of keys.

    Keys lie behind each other.
    """
    if shares_memory(out, keys, memoryview(groups.entries)):
        return OVERLAP
    size = groups.key_size
    if not size:
        return WRONG_COLUMNS
    count, numbers = len(keys) // size, items(out, "I")
    if len(numbers) < count:
        return NO_SPACE
    for row in range(count):
        numbers[row] = groups.numbers.get(bytes(keys[row * size : (row + 1) * size]), NO_GROUP)
    return count


def bucket(timestamps: memoryview, width: int, out: bytearray) -> int:
    """Put the number of the bucket of *width* nanoseconds that each time lies in into *out*, as int64: rounded down.

    NO_TIMESTAMP stays what it is.
    """
    if shares_memory(out, timestamps):
        return OVERLAP
    if width <= 0 or timestamps.itemsize != 8:
        return WRONG_COLUMNS
    numbers = items(out, "q")
    if len(numbers) < len(timestamps):
        return NO_SPACE
    for row, time in enumerate(timestamps):
        numbers[row] = NO_TIMESTAMP if time == NO_TIMESTAMP else time // width
    return len(timestamps)

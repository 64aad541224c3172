"""Rows that are counted by a key."""

# No `from __future__ import annotations` here: a named tuple takes twice as long to make if its fields' types are text.

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

# What is counted of each group, in 8 bytes each.
COUNTS = ("packets", "bytes", "other_bytes", "first", "last", "flags", "first_number")
COUNTS_STRUCT = Struct("=QQQqqQQ")
LARGEST_KEY, KEY_COLUMNS = 64, 16
SEED_SIZE = 80  # bytes of secrets that a kernel's own hash needs; fewer are spread over so many


def padded(key_size: int) -> int:
    """The bytes that a key takes in an entry."""
    return (key_size + 7) // 8 * 8


def entry_size(key_size: int) -> int:
    """The bytes of a group."""
    return padded(key_size) + COUNTS_STRUCT.size


class Counted(NamedTuple):
    """Rows to be counted by a key.

    The key is made of columns, each with the width of its items. Of the others any may be left out:
    lengths are uint32 and summed up, timestamps int64, flags uint16 and united. Only rows count whose `selected` is
    not 0, and whose `status` is OK.
    """

    rows: int
    key: Sequence[tuple[memoryview, int]]
    lengths: memoryview | None
    other_lengths: memoryview | None
    timestamps: memoryview | None
    flags: memoryview | None
    selected: memoryview | None
    status: memoryview | None
    number: int = 0  # of the first row

"""Rows of which it is asked whether they were seen before."""

# No `from __future__ import annotations` here: a named tuple takes twice as long to make if its fields' types are text.

from typing import NamedTuple

SECRETS = 4  # that digests are keyed with, 64 bits each
WAYS = 8  # entries of a set
ENTRY_WORDS = 4  # of 64 bits
ENTRY_SET = 8 * ENTRY_WORDS * WAYS
AS_BEFORE, MARKED_OTHERWISE = 1, 2


class Sighted(NamedTuple):
    """Rows of which it is asked whether they were seen before.

    digests are uint64, 0 where nobody asks; marks uint32; timestamps int64; number is that of the first row.
    """

    digests: memoryview
    marks: memoryview
    timestamps: memoryview
    number: int
    window: int

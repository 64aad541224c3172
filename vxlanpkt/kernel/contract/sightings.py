"""What IP headers say, and rows of which it is asked whether they were seen before."""

# No `from __future__ import annotations` here: a named tuple takes twice as long to make if its fields' types are text.

from enum import IntFlag
from typing import NamedTuple

SECRETS = 4  # that digests are keyed with, 64 bits each
WAYS = 8  # entries of a set
ENTRY_WORDS = 4  # of 64 bits
ENTRY_SET = 8 * ENTRY_WORDS * WAYS
AS_BEFORE, MARKED_OTHERWISE = 1, 2


class Trait(IntFlag):
    """Bits of the traits column: what the first IP header of a frame says."""

    ECN = 0x03
    DF = 0x04
    FRAGMENT = 0x08
    LATER = 0x10  # a fragment, and not the first one
    TOO_BIG = 0x20  # the packet is an ICMP message that says that another one was too big
    SEGMENT = 0x40  # of TCP, and it takes room in the sequence
    IP = 0x80  # there is an IP header, and it is sound


class Sighted(NamedTuple):
    """Rows of which it is asked whether they were seen before.

    digests are uint64, 0 where nobody asks; marks uint32; timestamps int64; number is that of the first row.
    """

    digests: memoryview
    marks: memoryview
    timestamps: memoryview
    number: int
    window: int

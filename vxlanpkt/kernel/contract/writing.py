"""Records that are put into capture files: what they are made from, and where to."""

# No `from __future__ import annotations` here: a named tuple takes twice as long to make if its fields' types are text.

from array import array
from collections.abc import Sequence
from typing import NamedTuple

NO_INTERFACE = 0xFFFFFFFF  # in a table of interfaces: it is not declared


class Packets(NamedTuple):
    """What may be put into a capture file: a column for each fact.

    What is None is Ethernet for link types, a timestamp for every one, no options, and VNIs that nobody asks for.
    Options are copied out of `source`, where the records lie; without it they are left to the caller.
    """

    data: memoryview
    offsets: Sequence[int]
    lengths: Sequence[int]
    original_lengths: Sequence[int]
    link_types: Sequence[int] | None
    vnis: Sequence[int] | None  # where each file takes packets of one alone
    timestamps: Sequence[int]  # in the units of the file, or of the interface in it
    interfaces: Sequence[int]
    timed: Sequence[int] | None
    options_lengths: Sequence[int] | None
    source: memoryview | None
    record_offsets: Sequence[int] | None
    captured_lengths: Sequence[int] | None


class Target(NamedTuple):
    """The capture file that they are put into, whose numbers are little-endian."""

    pcapng: bool
    units: int = 1_000_000_000  # of pcap: timestamp units in a second, a million or a milliard
    link_type: int = 1  # of pcap
    # Of pcapng: uint32, the number of each interface in the file, as one of Ethernet and as one of bare IP;
    # NO_INTERFACE where it is not declared. They may change between calls.
    ethernet: Sequence[int] = array("I")
    raw: Sequence[int] = array("I")


class Written(NamedTuple):
    """Records that were put: up to which of the chosen rows, in how many bytes, and why no more.

    `stop`: CUT at the end, FULL where there is no more room or the next row is of another VNI, LOOK where it is not
    written here.
    """

    position: int
    size: int
    stop: int

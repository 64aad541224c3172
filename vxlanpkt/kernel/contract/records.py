"""Records of capture files: what they are read by, and what was read."""

# No `from __future__ import annotations` here: a named tuple takes twice as long to make if its fields' types are text.

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

FINEST_UNITS = 10**18  # a second of finer units has no place in a column of nanoseconds


class SectionInterface(NamedTuple):
    """What the records of an interface are read by."""

    link_type: int
    snaplen: int
    fcslen: int
    units: int  # of timestamps in a second
    offset: int  # seconds to be added to them
    kind: int  # what frames begin with


class Section(NamedTuple):
    """What the records of a capture file are read by: a pcap file as a whole, or a section of a pcapng file."""

    pcapng: bool
    big_endian: bool
    interfaces: Sequence[SectionInterface]
    first: int = 0  # the number in the file of the first of these interfaces
    limit: int = 0  # of pcap: the most bytes that a record may claim to hold


class Stop(IntEnum):
    """Why no more records were read."""

    CUT = 0  # the bytes end before the next one does
    FULL = 1  # there is no room for more, or the next one is of another link type
    LOOK = 2  # what follows is no whole packet, or nothing that is read here: the caller is to look at it
    UNFIT = 3  # where records are counted: a table or a column is not as it has to be


class Stretch(NamedTuple):
    """Records that were read: how many, up to where in the buffer, and why no more."""

    rows: int
    position: int
    needed: int  # how many bytes the next one takes from there on
    stop: int
    link_type: int  # of all of them

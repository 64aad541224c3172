"""Capture files: what records are read by and written from, and what is known of each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

FINEST_UNITS = 10**18  # a second of finer units has no place in a column of nanoseconds


class Known(IntEnum):
    """What of a row is known, so that columns of captures have a value there: a bitmap for each, in this order."""

    TIME = 0
    LINK = 1  # the link layer's header
    OUTER_TAG = 2
    OUTER_IP = 3
    OUTER_UDP = 4
    TUNNEL = 5  # the VXLAN header
    GROUP = 6  # with its G flag set
    INNER = 7
    ACCEPTED = 8
    INNER_LINK = 9
    INNER_MAC = 10
    INNER_ETHERNET = 11  # and the policy looked at it
    INNER_ETHERTYPE = 12
    INNER_TAG = 13
    INNER_IP = 14
    INNER_PORTS = 15
    INNER_TCP = 16


class Derived(IntEnum):
    """Columns of captures that are computed from another one."""

    OUTER_VLAN = 0  # uint16: 12 bits of the tag
    INNER_VLAN = 1
    GROUP_POLICY = 2  # uint16: half of the flags
    INNER_OFFSET = 3  # uint32: within the frame


class Address(IntEnum):
    """The columns of addresses, in the order in which they lie."""

    OUTER_SRC = 0
    OUTER_DST = 1
    INNER_SRC = 2
    INNER_DST = 3


class MAC(IntEnum):
    """The addresses of an Ethernet header, by their places in it."""

    DST = 0
    SRC = 6


class SectionInterface(NamedTuple):
    """What the records of an interface are read by."""

    link_type: int
    snaplen: int
    fcslen: int
    units: int  # of timestamps in a second
    offset: int  # seconds to be added to them


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


class Stretch(NamedTuple):
    """Records that were read: how many, up to where in the buffer, and why no more."""

    rows: int
    position: int
    needed: int  # how many bytes the next one takes from there on
    stop: int
    link_type: int  # of all of them


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

"""What a kernel says of one header: its kind, where it lies, or why it cannot be."""

# No `from __future__ import annotations` here: a named tuple takes twice as long to make if its fields' types are text.

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from vxlanpkt.errors import Reason

Buffer = bytes | bytearray | memoryview

# A first fragment lacks an unknown number of bytes: more than any length can claim, so that what a
# capture cut (a 32-bit number) can be added to it and told apart.
FRAGMENTED = 1 << 32

# The next key of a row behind which nothing can follow.
NO_KEY = -1

# The fields that faults name, as the C kernel numbers them.
FIELDS = ("", "hardware_length", "version", "ihl", "total_length", "payload_length", "length", "data_offset")


class Reading(IntEnum):
    """Which length fields a walk believes."""

    STRICT = 0
    CAPTURED = 1  # 0 in IP and UDP stands for all bytes there
    IP = 2  # IP's: all bytes of the packet are the UDP datagram


class Kind(IntEnum):
    """The headers that a kernel can scan; RAW is either IP, by the version nibble; NOTHING stands for none known."""

    ETHERNET = 0
    DOT1Q = 1
    ARP = 2
    IPV4 = 3
    IPV6 = 4
    UDP = 5
    TCP = 6
    ICMP = 7
    ICMPV6 = 8
    VXLAN = 9
    VXLANGPE = 10
    LINUX_SLL = 11
    LINUX_SLL2 = 12
    LOOPBACK = 13
    RAW = 14
    NOTHING = 15


class Span(NamedTuple):
    """Where a layer lies: the header is `start:header_end`, what it contains `header_end:end`.

    `next_key` names what follows (an EtherType, a protocol, a port), None if nothing can;
    `missing` counts bytes of the layer that are known to lie beyond `end`: cut off by the capture,
    or in later fragments.
    """

    start: int
    header_end: int
    end: int
    next_key: int | None
    missing: int = 0


class Fault(NamedTuple):
    """Why a header cannot be: `needed` bytes from its start, by `field`, or a bad `value` in it.

    `available` says how many bytes there are where the header's own length field limits them.
    """

    reason: Reason
    needed: int
    field: str = ""
    value: int = 0
    available: int | None = None


# A span as kernels hand it out: the fields of Span, but NO_KEY where that has None.
Place = tuple[int, int, int, int, int]

# A kind and a place.
Row = tuple[int, int, int, int, int, int]


# Where the headers of a walk lie: as tuples, or in the bytes that C has written, as most are never asked for.
Places = bytes | list[Place]
PLACE_SIZE = 40
unpack_place = Struct("5q").unpack_from

# What a walk found: the kinds of the headers, their places, and the kind that faulted with its Fault, or the last kind
# and None.
Walk = tuple[bytes, Places, int, Fault | None]


def place_at(places: Places, index: int) -> Place:
    """Where the header at *index* lies."""
    place: Place = unpack_place(places, PLACE_SIZE * index) if isinstance(places, bytes) else places[index]
    return place


def span_of(place: Place) -> Span:
    """A place as a Span."""
    start, header_end, end, key, missing = place
    return Span(start, header_end, end, None if key == NO_KEY else key, missing)

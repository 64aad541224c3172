"""Where, behind a byte in the middle of a capture file, the next record begins: a guess, which is to be checked.

What is there looks like a record, and what follows it like others, for longer than a packet is. But a packet may hold a
capture, so that no look at the bytes can be sure. Two who guess by the same bytes guess the same; that is all that
`parts` builds on.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from vxlanpkt.capture.records import Interface

LONGEST = (1 << 18) + 64
"""Bytes of the longest record that is guessed at: of the longest usual packet."""

WINDOW = 3 << 18
"""Bytes that are looked at: room for such a record, and for as many behind it."""

_LONGEST_PACKET = 1 << 20  # on the wire, with what cards put together
_RECORD_HEAD, _BLOCK_HEAD = 16, 12
_YEAR = 366 * 86_400
_LEAST = {1: 20, 2: 32, 3: 16, 6: 32, 0x0A0D0D0A: 28}
_CAPTURED, _PACKET_ROOM = 20, 32  # where a block says how much of its packet was captured, and what it takes beside


class Shape(NamedTuple):
    """What records look like.

    length  how many bytes what begins at a place has, 0 for what does not look like a record
    head    of so many bytes that is told
    step    what their places in the file are multiples of
    """

    length: Callable[[memoryview, int], int]
    head: int
    step: int


def first_record(data: memoryview, is_end: bool, shape: Shape, origin: int) -> int | None:
    """Where in *data*, which begins at byte *origin* of the file, the first record seems to begin; None if none does.

    If the file ends with *data*, a record that is cut there may follow others, and none may follow: that is the end.
    """
    hopeless: set[int] = set()
    for place in range(-origin % shape.step, len(data) - shape.head + 1, shape.step):
        found = shape.length(data, place)
        if found and place + found <= len(data) and _is_followed(data, place, shape, hopeless):
            return place
    return len(data) if is_end else None


def _is_followed(data: memoryview, place: int, shape: Shape, hopeless: set[int]) -> bool:
    """Whether records follow each other from *place* to the end of *data*; else all places passed are *hopeless*."""
    passed = []
    while place not in hopeless:
        if len(data) - place < shape.head:
            return True
        passed.append(place)
        found = shape.length(data, place)
        if not found or found > LONGEST:
            break
        place += found
    hopeless.update(passed)
    return False


def pcap_shape(prefix: str, interface: Interface, limit: int, about: int) -> Shape:
    """Records of a pcap file, with numbers such as writers write, and times of at most a year from second *about*."""
    unpack = Struct(prefix + "IIII").unpack_from
    units = interface.units_per_second

    def length(data: memoryview, place: int) -> int:
        seconds, fraction, captured, original = unpack(data, place)
        if fraction >= units or not 0 < captured <= original <= _LONGEST_PACKET or captured > limit:
            return 0
        if abs(seconds - about) > _YEAR:
            return 0
        return int(_RECORD_HEAD + captured)

    return Shape(length, _RECORD_HEAD, 1)


def pcapng_shape(prefix: str) -> Shape:
    """Blocks of a pcapng file, whose lengths stand at both their ends."""
    head, word = Struct(prefix + "II").unpack_from, Struct(prefix + "I").unpack_from

    def length(data: memoryview, place: int) -> int:
        kind, size = head(data, place)
        end = place + size
        if size % 4 or size < _LEAST.get(kind, _BLOCK_HEAD) or (end <= len(data) and word(data, end - 4)[0] != size):
            return 0
        whole = kind in (2, 6) and end <= len(data)
        if whole and word(data, place + _CAPTURED)[0] > size - _PACKET_ROOM:
            return 0
        return int(size)

    return Shape(length, _BLOCK_HEAD, 4)

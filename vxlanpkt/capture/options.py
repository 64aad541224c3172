"""Options of pcapng blocks, between a file's byte order and the little-endian one that they are handed out in."""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

from vxlanpkt.capture.records import Options
from vxlanpkt.errors import CaptureError

MOST_BLOCK_OPTIONS = 1 << 16
"""The most options of one block, to the kernels too."""

OPT_END = 0
EPB_FLAGS, EPB_HASH = 2, 3
IF_TSRESOL, IF_FCSLEN, IF_TSOFFSET = 9, 13, 14
# Options that are numbers, and their widths: in the byte order of their section.
INTERFACE_NUMBERS: Mapping[int, int] = {8: 8, 10: 4, 16: 8, 17: 8}
PACKET_NUMBERS: Mapping[int, int] = {EPB_FLAGS: 4, 4: 8, 5: 8, 6: 4}

_CUSTOM_OPTIONS = frozenset({2988, 2989, 19372, 19373})  # these start with a number of 4 bytes
_HEADS = {prefix: Struct(prefix + "HH") for prefix in "<>"}


def read_options(block: bytes, start: int, offset: int, prefix: str, numbers: Mapping[int, int]) -> Options:
    """The options of *block*, which is at byte *offset*, from *start* in it on to the length at its end.

    *prefix* is the byte order of the file, as `struct` has it; *numbers* are the options that hold one.
    Raises CaptureError for one that is longer than the block, and for more than `MOST_BLOCK_OPTIONS`.
    """
    end = len(block) - 4
    found: list[tuple[int, bytes]] = []
    while start < end:
        code, length = _HEADS[prefix].unpack_from(block, start)
        if code == OPT_END:
            break
        if start + 4 + length > end:
            raise CaptureError(
                f"the option at byte {offset + start} is {length} bytes long, {end - start - 4} are there",
                offset=offset + start,
            )
        if len(found) == MOST_BLOCK_OPTIONS:
            raise CaptureError(
                f"the block at byte {offset} has more than {MOST_BLOCK_OPTIONS} options", offset=offset + start
            )
        value = block[start + 4 : start + 4 + length]
        found.append((code, turned(code, value, numbers) if prefix == ">" else value))
        start += 4 + (length + 3 & ~3)
    return tuple(found)


def turned(code: int, value: bytes, numbers: Mapping[int, int]) -> bytes:
    """An option's value with the number in it, if there is one, in the other byte order."""
    if numbers.get(code) == len(value):
        return value[::-1]
    if code in _CUSTOM_OPTIONS:
        return value[3::-1] + value[4:]
    return value

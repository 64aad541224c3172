"""Packets put into capture files: chosen rows, as records of pcap or Enhanced Packet Blocks of pcapng.

Written here is what needs no more than its columns say, and options that are little-endian as the file is. At what does
(others, a time that the file cannot hold, an interface that is not declared, another link type than the file's) writing
stops for the caller to see to that row.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any

from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, WRONG_COLUMNS
from vxlanpkt.kernel.contract.protocols import ETHERNET_LINK, RAW_LINK
from vxlanpkt.kernel.contract.records import Stop
from vxlanpkt.kernel.contract.writing import NO_INTERFACE, Packets, Target, Written
from vxlanpkt.kernel.python.frames import is_inside
from vxlanpkt.kernel.python.memory import items, shares_memory

_RECORD, _BLOCK, _WORD, _OPTION = Struct("<IIII"), Struct("<IIIIIII"), Struct("<I"), Struct("<HH")
_ENHANCED = 6
_LARGEST_FRAME = 32 + 3 + 4  # what any record adds to its data and options
_END, _FLAGS, _HASH = 0, 2, 3
# What is said of the packet as it was captured, and what pcapng says is not to be copied to another file.
_LEFT_OUT = frozenset((_HASH, 19372, 19373))
_FCS_FLAGS = 0x1E0


def hold_packets(packets: Packets) -> Packets:
    """What may be put into a capture file, held."""
    return packets


def hold_target(target: Target) -> Target:
    """The capture file that packets are put into, held."""
    return target


def choose_rows(status: Sequence[int], wanted: Sequence[int] | None, out: Any) -> int:
    """Put the numbers of the rows that are OK, and wanted if anybody says which those are, into *out* (uint32)."""
    if shares_memory(out, status, wanted):
        return OVERLAP
    if wanted is not None and len(wanted) < len(status):
        return WRONG_COLUMNS
    column = items(out, "I")
    if len(column) < len(status):
        return NO_SPACE
    count = 0
    for row, reason in enumerate(status):
        if not reason and (wanted is None or wanted[row]):
            column[count] = row
            count += 1
    return count


def sort_rows(vnis: Sequence[int], chosen: Any, count: int) -> None:
    """Sort the first *count* of the chosen rows by their VNI, those of one VNI in the order in which they are."""
    column = items(chosen, "I")
    for at, row in enumerate(sorted(column[:count], key=lambda row: vnis[row] if row < len(vnis) else 0)):
        column[at] = row


def put_records(packets: Packets, target: Target, chosen: Any, position: int, count: int, out: Any) -> Written:
    """Put the chosen rows from *position* on, of *count*, into *out*, while they are of one VNI."""
    rows = items(chosen, "I")
    count = min(count, len(rows))
    into = memoryview(out)
    size, vni = 0, None
    while position < count:
        row = rows[position]
        record = _record(packets, target, row)
        if record is None:
            return Written(position, size, Stop.LOOK)
        if packets.vnis is not None:
            if vni is not None and packets.vnis[row] != vni:
                return Written(position, size, Stop.FULL)
            vni = packets.vnis[row]
        options_length = packets.options_lengths[row] if target.pcapng and packets.options_lengths is not None else 0
        if len(into) - size < _LARGEST_FRAME + packets.lengths[row] + options_length:
            return Written(position, size, Stop.FULL if size else Stop.LOOK)
        into[size : size + len(record)] = record
        size += len(record)
        position += 1
    return Written(position, size, Stop.CUT)


def _record(packets: Packets, target: Target, row: int) -> bytes | None:
    """The record of a row, or None if it is not written here."""
    if row >= len(packets.offsets):
        return None
    offset, length = packets.offsets[row], packets.lengths[row]
    if not is_inside(len(packets.data), offset, length):
        return None
    data = bytes(packets.data[offset : offset + length])
    original, timestamp = packets.original_lengths[row], packets.timestamps[row]
    link_type = ETHERNET_LINK if packets.link_types is None else packets.link_types[row]
    if target.pcapng:
        return _enhanced(packets, target, row, link_type, timestamp, data, original)
    seconds, fraction = divmod(timestamp, target.units)
    if link_type != target.link_type or seconds >> 32:
        return None
    return _RECORD.pack(seconds, fraction, length, original) + data


def _enhanced(
    packets: Packets, target: Target, row: int, link_type: int, timestamp: int, data: bytes, original: int
) -> bytes | None:
    numbers = {ETHERNET_LINK: target.ethernet, RAW_LINK: target.raw}.get(link_type)
    interface = packets.interfaces[row]
    if (
        (packets.timed is not None and not packets.timed[row])
        or numbers is None
        or interface >= len(numbers)
        or numbers[interface] == NO_INTERFACE
    ):
        return None
    area = _options_area(packets, row)
    if area is None:
        return None
    padded = data + bytes(-len(data) % 4) + _options(area)
    size = 32 + len(padded)
    head = _BLOCK.pack(
        _ENHANCED, size, numbers[interface], timestamp >> 32, timestamp & 0xFFFFFFFF, len(data), original
    )  # fmt: skip
    return head + padded + _WORD.pack(size)


def _options_area(packets: Packets, row: int) -> memoryview | None:
    """The options of a packet as they were read; None if they are not to be copied here."""
    length = 0 if packets.options_lengths is None else packets.options_lengths[row]
    if not length:
        return memoryview(b"")
    if packets.source is None or packets.record_offsets is None or packets.captured_lengths is None:
        return None
    start = packets.record_offsets[row] + (packets.captured_lengths[row] + 3 & ~3)
    return packets.source[start : start + length] if start + length <= len(packets.source) else None


def _options(area: memoryview) -> bytes:
    """What of the options of a packet holds for what was inside it."""
    kept = []
    while len(area) >= 4:
        code, length = _OPTION.unpack_from(area)
        if code == _END or length > len(area) - 4:
            break
        value = bytes(area[4 : 4 + length])
        if code == _FLAGS and length == 4:
            value = _WORD.pack(_WORD.unpack(value)[0] & ~_FCS_FLAGS)
        if code not in _LEFT_OUT:
            # Padded to what of 4 bytes the block has left.
            kept.append(_OPTION.pack(code, length) + value + bytes(min(-length % 4, len(area) - 4 - length)))
        area = area[4 + length + (-length % 4) :]
    return b"".join([*kept, bytes(4)]) if kept else b""

"""What the first IP header of a frame says, and which frames were seen before: the specification.

`traits` describes the first IP header of each row. `digest` makes a number of 64 bits of what some columns say of a
row, and perhaps of its frame too; it is keyed with secrets, so that strangers cannot make two that are alike. `sight`
looks each row up among the latest ones with such a number.

What is remembered has a fixed size: sets of WAYS entries, each a digest, a time, the number of a row, and a mark. Which
set a row belongs to is said by its digest. Where a set is full, the entry with the earliest time is forgotten; if
that was within the window still, it is counted, as a repetition of it will not be known for one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, WRONG_COLUMNS
from vxlanpkt.kernel.contract.columns import NO_IDENTIFICATION, NO_TIMESTAMP, SIGHTING_LAYOUT, TRAIT_LAYOUT
from vxlanpkt.kernel.contract.grouping import Counted
from vxlanpkt.kernel.contract.protocols import ETHERNET_LINK, ICMP_PROTOCOL, ICMPV6_PROTOCOL, RAW_LINK, TCP_PROTOCOL
from vxlanpkt.kernel.contract.sightings import AS_BEFORE, ENTRY_SET, ENTRY_WORDS, MARKED_OTHERWISE, WAYS, Sighted, Trait
from vxlanpkt.kernel.contract.spans import FRAGMENTED, NO_KEY, Buffer, Fault, Kind, Row
from vxlanpkt.kernel.python.frames import Frames, extent_of
from vxlanpkt.kernel.python.grouping import columns_of, have_all_rows, is_chosen
from vxlanpkt.kernel.python.hashing import mix
from vxlanpkt.kernel.python.memory import items, shares_memory
from vxlanpkt.kernel.python.scanning import FOLLOWS, SCANS, scan_ipv4, scan_ipv6

_LINKS = frozenset((Kind.ETHERNET, Kind.DOT1Q, Kind.LINUX_SLL, Kind.LINUX_SLL2, Kind.LOOPBACK))
_TAG_OR_IP = (Kind.DOT1Q, Kind.IPV4, Kind.IPV6)
_OF_LINK_TYPE = {ETHERNET_LINK: int(Kind.ETHERNET), RAW_LINK: int(Kind.RAW)}
_SYN, _FIN = 2, 1
_DF = 0x40
_NOTHING = (0, NO_IDENTIFICATION, 0, 0, 0)

Traits = tuple[int, int, int, int, int]
"""The columns of one row: length, identification, sequence, segment, traits."""


def traits(frames: Frames, kind: int, link_types: memoryview | None, out: bytearray) -> int:
    """Describe the first IP header of every row: the columns lie in *out*.

    With *link_types* (uint16) these say what each row begins with: 1 Ethernet, 101 bare IP.
    """
    if shares_memory(out, *frames, link_types):
        return OVERLAP
    rows = len(frames.offsets)
    if link_types is not None and (link_types.itemsize != 2 or len(link_types) < rows):
        return WRONG_COLUMNS
    if len(out) < rows * TRAIT_LAYOUT.row_size:
        return NO_SPACE
    columns = list(TRAIT_LAYOUT.columns(rows, memoryview(out)))
    for row in range(rows):
        found = _NOTHING
        extent = extent_of(frames, row)
        if extent is not None:
            of_row = kind if link_types is None else _OF_LINK_TYPE.get(link_types[row], Kind.NOTHING)
            found = _traits_of(frames.data, *extent, of_row)
        for column, value in zip(columns, found, strict=True):
            column[row] = value
    return rows


def is_later_fragment(buf: Buffer, start: int, end: int, missing: int, link_type: int) -> bool:
    """Whether the first IP header of a frame of a link type is sound, and says that."""
    *_, bits = _traits_of(buf, start, end, missing, _OF_LINK_TYPE.get(link_type, Kind.NOTHING))
    return bits & Trait.LATER != 0


def _traits_of(buf: Buffer, start: int, end: int, missing: int, kind: int) -> Traits:
    """What a frame's first IP header says, if it has one that is sound; a length of 0 in it stands for all bytes."""
    while kind in _LINKS:
        row = SCANS[kind](buf, start, end, missing)
        if isinstance(row, Fault):
            return _NOTHING
        _, _, start, end, key, missing = row
        kind = FOLLOWS[kind].get(key, Kind.NOTHING)
        if kind not in _TAG_OR_IP:
            return _NOTHING
    if kind == Kind.RAW and start < end:
        kind = {4: Kind.IPV4, 6: Kind.IPV6}.get(buf[start] >> 4, Kind.NOTHING)
    if kind not in (Kind.IPV4, Kind.IPV6):
        return _NOTHING
    row = (scan_ipv4 if kind == Kind.IPV4 else scan_ipv6)(buf, start, end, missing, True)
    return _NOTHING if isinstance(row, Fault) else _of_packet(buf, row)


def _of_packet(buf: Buffer, row: Row) -> Traits:
    kind, start, header_end, end, key, missing = row
    found = int(Trait.IP)
    identification = NO_IDENTIFICATION
    if kind == Kind.IPV4:
        found |= buf[start + 1] & Trait.ECN | (Trait.DF if buf[start + 6] & _DF else 0)
        identification = buf[start + 4] << 8 | buf[start + 5]
    else:
        found |= buf[start + 1] >> 4 & Trait.ECN
    if key == NO_KEY:
        found |= Trait.FRAGMENT | Trait.LATER
    elif missing >= FRAGMENTED:
        found |= Trait.FRAGMENT
    if _is_too_big(buf[header_end : min(end, header_end + 2)], key):
        found |= Trait.TOO_BIG
    length = end - start + missing % FRAGMENTED
    sequence = segment = 0
    if key == TCP_PROTOCOL and missing < FRAGMENTED and end - header_end >= 14:
        sequence, segment = _segment(buf, header_end, length - (header_end - start))
    if segment:
        found |= Trait.SEGMENT
    return length, identification, sequence, segment, found


def _is_too_big(message: Buffer, protocol: int) -> bool:
    """Whether an ICMP message, of which this is the beginning, says that a packet was too big."""
    if protocol == ICMP_PROTOCOL:
        return bytes(message) == b"\3\4"
    return protocol == ICMPV6_PROTOCOL and bytes(message[:1]) == b"\2"


def _segment(buf: Buffer, at: int, length: int) -> tuple[int, int]:
    """Where a TCP segment begins, and how much of the sequence it takes: its bytes, and 1 each for SYN and FIN."""
    header, flags = (buf[at + 12] >> 4) * 4, buf[at + 13]
    if not 20 <= header <= length:
        return 0, 0
    taken = length - header + bool(flags & _SYN) + bool(flags & _FIN)
    return int.from_bytes(buf[at + 4 : at + 8], "big"), taken


def digest(counted: Counted, frames: Frames | None, secrets: Sequence[int], out: bytearray) -> int:
    """Put a number for each row into *out*, as uint64, made of its key and of its frame, if there are *frames*.

    It is never 0 for rows that are chosen, and 0 for others.
    """
    if shares_memory(out, *columns_of(counted), *(frames or ())):
        return OVERLAP
    if not have_all_rows(counted):
        return WRONG_COLUMNS
    if frames is not None and len(frames.offsets) < counted.rows:
        return WRONG_COLUMNS
    digests = items(out, "Q")
    if len(digests) < counted.rows:
        return NO_SPACE
    for row in range(counted.rows):
        digests[row] = _digest_row(counted, frames, secrets, row) if is_chosen(counted, row) else 0
    return counted.rows


def _digest_row(counted: Counted, frames: Frames | None, secrets: Sequence[int], row: int) -> int:
    state = secrets[0]
    for column, width in counted.key:
        item = bytes(column[row * width : (row + 1) * width])
        for at in range(0, width, 8):
            state = mix(state ^ _word(item[at : at + 8]), secrets[1])
    if frames is not None:
        extent = extent_of(frames, row)
        if extent is None:
            return 0
        start, end, missing = extent
        state = _digest_bytes(bytes(frames.data[start:end]), state, secrets)
        state = mix(state ^ (end - start), secrets[3] ^ missing)
    return state or 1


def _digest_bytes(data: bytes, state: int, secrets: Sequence[int]) -> int:
    """Two words at a time, the last ones padded with zeros."""
    for at in range(0, len(data), 16):
        state = mix(_word(data[at : at + 8]) ^ secrets[2], _word(data[at + 8 : at + 16]) ^ state)
    return state


def _word(data: bytes) -> int:
    """Up to 8 bytes as a word of this machine."""
    return int.from_bytes(data.ljust(8, b"\0"), sys.byteorder)


def sight(rows: Sighted, memory: bytearray, out: bytearray) -> int:
    """Look each row up among the latest ones, and remember it; returns how many were forgotten within the window.

    *out* has for each row the number of the one before it with the same digest, no more than the window away, counted
    from 1, or 0; and whether there was one: AS_BEFORE, or MARKED_OTHERWISE if that one's mark was another.
    """
    columns = (rows.digests, rows.marks, rows.timestamps)
    if memory is out or shares_memory(out, *columns) or shares_memory(memory, *columns):
        return OVERLAP
    count = len(rows.digests)
    if (rows.digests.itemsize, rows.marks.itemsize, rows.timestamps.itemsize) != (8, 4, 8):
        return WRONG_COLUMNS
    if len(rows.marks) < count or len(rows.timestamps) < count:
        return WRONG_COLUMNS
    sets = min(len(memory) // ENTRY_SET, 0xFFFFFFFF)
    if not sets or len(out) < count * SIGHTING_LAYOUT.row_size:
        return NO_SPACE
    words = memoryview(memory)[: sets * ENTRY_SET].cast("Q")
    earlier, repeated = SIGHTING_LAYOUT.columns(count, memoryview(out))
    forgotten = 0
    for row in range(count):
        earlier[row] = repeated[row] = 0
        found, time = rows.digests[row], rows.timestamps[row]
        if not found or time == NO_TIMESTAMP:
            continue
        base = ((found >> 32) * sets >> 32) * WAYS * ENTRY_WORDS
        at = _place(words, base, found)
        near = words[at] and abs(time - _signed(words[at + 1])) <= rows.window
        if near and words[at] == found:
            earlier[row] = words[at + 2]
            repeated[row] = AS_BEFORE if words[at + 3] == rows.marks[row] else MARKED_OTHERWISE
        elif near:
            forgotten += 1
        words[at], words[at + 1] = found, time & _MASK
        words[at + 2], words[at + 3] = rows.number + row + 1 & _MASK, rows.marks[row]
    return forgotten


_MASK = (1 << 64) - 1


def _place(words: memoryview, base: int, digest: int) -> int:
    """The entry that has a digest, or that makes way for it: the first free one, or else the earliest."""
    entries = range(base, base + WAYS * ENTRY_WORDS, ENTRY_WORDS)
    for at in entries:
        if words[at] in (0, digest):
            return at
    return min(entries, key=lambda at: _signed(words[at + 1]))


def _signed(word: int) -> int:
    return word - (word >> 63 << 64)

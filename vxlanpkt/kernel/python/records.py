"""Records of capture files, out of a buffer into columns.

Read here is what is whole and sound: records of pcap, and pcapng's three kinds of packet blocks; blocks of kinds that
say nothing of packets are passed over. At anything else (a new section, an interface, a fault) reading stops for the
caller to look at it: what becomes of that, and what an error says, is no matter of speed.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple

from vxlanpkt.kernel.contract.columns import NO_TIMESTAMP, RECORD_LAYOUT
from vxlanpkt.kernel.contract.records import FINEST_UNITS, Section, SectionInterface, Stop, Stretch

_PCAP_HEAD, _BLOCK_HEAD, _PACKET_DATA, _SIMPLE_DATA = 16, 12, 28, 12
_LARGEST_BLOCK = (1 << 27) + (1 << 20)
_INTERFACE, _OBSOLETE, _SIMPLE, _ENHANCED, _SECTION = 1, 2, 3, 6, 0x0A0D0D0A
_LEAST = {_INTERFACE: 20, _OBSOLETE: 32, _SIMPLE: 16, _ENHANCED: 32}
_OPTION_END, _OPTION_FLAGS = 0, 2
_MOST_OPTIONS = 1 << 16  # of a block: as values, empty ones take thirty times the room that they have in the file
_NANOSECONDS = 1_000_000_000
_LARGEST_SECONDS = (2**63 - 1) // _NANOSECONDS


class _Layout:
    """The structures of records and blocks in one byte order."""

    def __init__(self, prefix: str) -> None:
        self.record = Struct(prefix + "IIII")
        self.words = Struct(prefix + "II")
        self.word = Struct(prefix + "I")
        self.enhanced = Struct(prefix + "IIIII")
        self.obsolete = Struct(prefix + "HHIIII")
        self.option = Struct(prefix + "HH")


_LITTLE, _BIG = _Layout("<"), _Layout(">")


class _Packet(NamedTuple):
    """One packet, as its container says."""

    offset: int
    raw_timestamp: int
    captured: int
    original: int
    interface: int
    options_length: int
    fcs_length: int
    timed: bool


class _Fault(Exception):
    """What a block says of a packet cannot be."""


def hold_section(section: Section) -> Section:
    """What the records of a capture file are read by, held."""
    return section._replace(interfaces=list(section.interfaces))


def add_interface(section: Section, interface: SectionInterface) -> None:
    """Add an interface to a section that is held: a file may have as many as it has blocks."""
    assert isinstance(section.interfaces, list)  # as it is held
    section.interfaces.append(interface)


def read_records(buffer: Any, begin: int, end: int, section: Section, out: Any) -> Stretch:
    """Read the records in `buffer[begin:end]` into columns, as many as *out* has room for."""
    rows = len(out) // RECORD_LAYOUT.row_size
    whole = memoryview(out)
    columns = list(RECORD_LAYOUT.columns(rows, whole))
    data = memoryview(buffer)[:end]
    read = _read_pcapng if section.pcapng else _read_pcap
    return read(data, begin, section, columns, rows)


def _put(columns: list[memoryview], row: int, packet: _Packet, interface: SectionInterface, first: int) -> None:
    frame = max(max(packet.original, packet.captured) - packet.fcs_length, 0)
    values = (  # in the order of the columns
        packet.offset, packet.raw_timestamp, _nanoseconds(packet, interface), packet.captured, packet.original,
        min(packet.captured, frame), frame, first + packet.interface, packet.options_length, packet.fcs_length,
        packet.timed,
    )  # fmt: skip
    for column, value in zip(columns, values, strict=True):
        column[row] = value


def _nanoseconds(packet: _Packet, interface: SectionInterface) -> int:
    """Nanoseconds since 1970, rounded down; NO_TIMESTAMP where a column cannot hold them."""
    if not packet.timed or interface.units > FINEST_UNITS:
        return NO_TIMESTAMP
    seconds, fraction = divmod(packet.raw_timestamp, interface.units)
    seconds += interface.offset
    if not -_LARGEST_SECONDS < seconds < _LARGEST_SECONDS:
        return NO_TIMESTAMP
    return seconds * _NANOSECONDS + fraction * _NANOSECONDS // interface.units


# -- pcap


def _read_pcap(data: memoryview, position: int, section: Section, columns: list[memoryview], rows: int) -> Stretch:
    unpack = (_BIG if section.big_endian else _LITTLE).record.unpack_from
    interface = section.interfaces[0]
    link_type = interface.link_type
    for row in range(rows):
        left = len(data) - position
        if left < _PCAP_HEAD:
            return Stretch(row, position, _PCAP_HEAD, Stop.CUT, link_type)
        seconds, fraction, captured, original = unpack(data, position)
        needed = _PCAP_HEAD + captured
        if captured > section.limit:
            return Stretch(row, position, needed, Stop.LOOK, link_type)
        if left < needed:
            return Stretch(row, position, needed, Stop.CUT, link_type)
        raw = seconds * interface.units + fraction
        packet = _Packet(position + _PCAP_HEAD, raw, captured, original, 0, 0, interface.fcslen, True)
        _put(columns, row, packet, interface, section.first)
        position += needed
    return Stretch(rows, position, 0, Stop.FULL, link_type)


# -- pcapng


def _read_pcapng(data: memoryview, position: int, section: Section, columns: list[memoryview], rows: int) -> Stretch:
    layout = _BIG if section.big_endian else _LITTLE
    row = link_type = 0
    while row < rows:
        left = len(data) - position
        if left < _BLOCK_HEAD:
            return Stretch(row, position, _BLOCK_HEAD, Stop.CUT, link_type)
        kind, size = layout.words.unpack_from(data, position)
        if kind == _SECTION or not _is_sound_size(kind, size):
            return Stretch(row, position, _BLOCK_HEAD, Stop.LOOK, link_type)
        if left < size:
            return Stretch(row, position, size, Stop.CUT, link_type)
        if kind == _INTERFACE or layout.word.unpack_from(data, position + size - 4)[0] != size:
            return Stretch(row, position, size, Stop.LOOK, link_type)
        if kind in (_ENHANCED, _SIMPLE, _OBSOLETE):
            try:
                packet = _read_packet(data, position, size, kind, section, layout)
            except _Fault:
                return Stretch(row, position, size, Stop.LOOK, link_type)
            interface = section.interfaces[packet.interface]
            if row and interface.link_type != link_type:
                break
            link_type = interface.link_type
            _put(columns, row, packet, interface, section.first)
            row += 1
        position += size
    return Stretch(row, position, 0, Stop.FULL, link_type)


def _is_sound_size(kind: int, size: int) -> bool:
    return size >= _LEAST.get(kind, _BLOCK_HEAD) and size % 4 == 0 and size <= _LARGEST_BLOCK


def _read_packet(data: memoryview, at: int, size: int, kind: int, section: Section, layout: _Layout) -> _Packet:
    """The packet in the block at *at*; _Fault if it names no interface, or its lengths do not fit the block."""
    if kind == _SIMPLE:
        return _read_simple(data, at, size, section, layout)
    if kind == _ENHANCED:
        index, high, low, captured, original = layout.enhanced.unpack_from(data, at + 8)
    else:
        index, _drops, high, low, captured, original = layout.obsolete.unpack_from(data, at + 8)
    room = size - _PACKET_DATA - 4
    if index >= len(section.interfaces) or captured > room:
        raise _Fault
    padded = captured + 3 & ~3
    start = at + _PACKET_DATA
    told = _told_fcs_length(data, start + padded, start + room, layout)
    fcs_length = told or section.interfaces[index].fcslen
    return _Packet(start, high << 32 | low, captured, original, index, room - padded, fcs_length, True)


def _read_simple(data: memoryview, at: int, size: int, section: Section, layout: _Layout) -> _Packet:
    if not section.interfaces:
        raise _Fault
    interface = section.interfaces[0]
    (original,) = layout.word.unpack_from(data, at + 8)
    captured = min(original, interface.snaplen) if interface.snaplen else original
    if captured > size - _SIMPLE_DATA - 4:
        raise _Fault
    return _Packet(at + _SIMPLE_DATA, 0, captured, original, 0, 0, interface.fcslen, False)


def _told_fcs_length(data: memoryview, start: int, end: int, layout: _Layout) -> int:
    """Bytes of frame check sequence by the first flags among the options; _Fault if one overruns, or for too many."""
    length_told = None
    count = 0
    while end - start >= 4:
        code, length = layout.option.unpack_from(data, start)
        if code == _OPTION_END:
            break
        count += 1
        if length > end - start - 4 or count > _MOST_OPTIONS:
            raise _Fault
        if code == _OPTION_FLAGS and length == 4 and length_told is None:
            length_told = layout.word.unpack_from(data, start + 4)[0] >> 5 & 15
        start += 4 + (length + 3 & ~3)
    return length_told or 0

"""The columns of batches: their names, the width of their items, where they lie, and the codes in them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from enum import IntEnum, IntFlag

UNTAGGED = 0xFFFF  # in a VLAN column: there is no tag (0xffff is no TCI: VID 4095 is reserved)
NO_ECN = 0xFF  # in the ECN column: the inner frame has none, or the policy does not look
NO_LINK_TYPE = 0xFFFF  # what is inside is neither Ethernet nor IP
# In a column of nanoseconds: there is no timestamp, or none that 64 bits hold.
NO_TIMESTAMP = -(1 << 63)
# In a column of tunnels: there is none for this row.
NO_TUNNEL = 0xFFFFFFFF
# In a column of groups: there is none with this key.
NO_GROUP = 0xFFFFFFFF
# In a column of IPv4's identifications: there is none.
NO_IDENTIFICATION = 0xFFFFFFFF


class Note(IntFlag):
    """Bits of the notes column: what is worth knowing of a frame beside its status."""

    CUT = 0x01  # the capture kept only part of the inner frame
    PADDING = 0x02  # bytes behind the outer IP packet
    TRAILER = 0x04  # bytes of the outer IP packet behind the UDP datagram
    STRIPPED = 0x08  # the policy took the inner frame's VLAN tag off
    REMARKED = 0x10  # the policy changed the inner frame's ECN


ALTERED = int(Note.STRIPPED | Note.REMARKED)  # the inner frame is handed out otherwise than it was sent


class ChecksumState(IntEnum):
    """What a checksum column says; only those verified are VALID, PARTIAL or BAD."""

    UNCHECKED = 0
    ABSENT = 1  # UDP's zero
    VALID = 2
    PARTIAL = 3  # the folded sum of the pseudo-header: left to the sender's device to finish
    BAD = 4


# The columns of a decapsulated batch, with the `array` type code of each; ADDRESS stands for 16 bytes: an IPv6
# address, or an IPv4 address as ::ffff:a.b.c.d. They lie behind each other in one buffer, widest items first, so that
# each is aligned.
ADDRESS = "16s"
DECAP_COLUMNS: Mapping[str, str] = {
    "inner_offset": "Q",
    "outer_src": ADDRESS,
    "outer_dst": ADDRESS,
    "inner_src": ADDRESS,
    "inner_dst": ADDRESS,
    "vni": "I",
    "flags": "I",
    "inner_length": "I",
    "inner_original_length": "I",
    "outer_vlan": "H",
    "outer_src_port": "H",
    "outer_dst_port": "H",
    "inner_link_type": "H",
    "inner_vlan": "H",
    "inner_ethertype": "H",
    "inner_src_port": "H",
    "inner_dst_port": "H",
    "inner_tcp_flags": "H",
    "status": "B",
    "notes": "B",
    "reserved": "B",
    "outer_family": "B",
    "outer_tags": "B",
    "ip_checksum": "B",
    "udp_checksum": "B",
    "inner_tags": "B",
    "inner_family": "B",
    "inner_protocol": "B",
    "inner_ecn": "B",
}
# What is worth having where only the inner frames are wanted.
BRIEF_COLUMNS: Mapping[str, str] = {
    name: DECAP_COLUMNS[name]
    for name in ("inner_offset", "vni", "flags", "inner_length", "inner_original_length", "status", "notes")
}


def family_of(column: str) -> str:
    """The column of IP versions that belongs to one of addresses."""
    return "outer_family" if column.startswith("outer") else "inner_family"


# The columns of an encapsulated batch; the bytes of the rows lie behind them.
ENCAP_COLUMNS: Mapping[str, str] = {"offsets": "Q", "lengths": "I", "status": "B"}
# The columns of records of a capture: where the data of each lies in the buffer, its times, and its lengths: with the
# frame check sequence as the file says them, and `length` and `frame_length` of the frame alone, captured and sent.
RECORD_COLUMNS: Mapping[str, str] = {
    "offset": "Q",
    "raw_timestamp": "Q",
    "timestamp_ns": "q",
    "captured_length": "I",
    "original_length": "I",
    "length": "I",
    "frame_length": "I",
    "interface": "I",
    "options_length": "I",
    "fcs_length": "B",
    "timed": "B",
}
# What the first IP header of a frame says: the packet's length, the identification of IPv4, and of TCP where a segment
# begins and how much of the sequence it takes.
TRAIT_COLUMNS: Mapping[str, str] = {
    "length": "I",
    "identification": "I",
    "sequence": "I",
    "segment": "I",
    "traits": "B",
}
# For each row, the number of the record that was the same, and whether there was one: see kernel/python/sightings.py.
SIGHTING_COLUMNS: Mapping[str, str] = {"earlier": "Q", "repeated": "B"}
WIDTHS: Mapping[str, int] = {"Q": 8, "q": 8, ADDRESS: 16, "I": 4, "H": 2, "B": 1}


class Layout:
    """Where the columns of so many rows lie in one buffer."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self.row_size = 0  # the bytes of a row in all columns
        self._places: dict[str, tuple[int, str]] = {}
        for name, code in columns.items():
            self._places[name] = self.row_size, code
            self.row_size += WIDTHS[code]

    def __contains__(self, name: str) -> bool:
        return name in self._places

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in the order in which they lie."""
        return tuple(self._places)

    def place(self, name: str) -> tuple[int, str]:
        """The bytes of a row in the columns before this one, and its type code."""
        return self._places[name]

    def column(self, name: str, rows: int, buffer: memoryview) -> memoryview:
        """One column as a view of *buffer*; one of addresses as bytes."""
        before, code = self._places[name]
        if rows == 0:  # which no view can be cast to
            return memoryview(array("B" if code == ADDRESS else code))
        view = buffer[rows * before : rows * (before + WIDTHS[code])]
        return view if code in (ADDRESS, "B") else view.cast(code)  # type: ignore[call-overload]

    def columns(self, rows: int, buffer: memoryview) -> Iterator[memoryview]:
        """All columns, in the order in which they lie."""
        return (self.column(name, rows, buffer) for name in self._places)


DECAP_LAYOUT, BRIEF_LAYOUT, ENCAP_LAYOUT = Layout(DECAP_COLUMNS), Layout(BRIEF_COLUMNS), Layout(ENCAP_COLUMNS)
RECORD_LAYOUT = Layout(RECORD_COLUMNS)
TRAIT_LAYOUT, SIGHTING_LAYOUT = Layout(TRAIT_COLUMNS), Layout(SIGHTING_COLUMNS)
# Inner frames that were altered; their bytes lie behind the columns.
ALTERED_LAYOUT = Layout({"offsets": "Q", "lengths": "I", "original_lengths": "I"})

"""The pcap container: one file header, then records, all of one link type.

    magic a1b2c3d4 (microseconds) or a1b23c4d (nanoseconds), in the byte order of all that follows
    version 2.4 | time zone, accuracy: not used | snapshot length | FCS length, link type
    each record: seconds | fraction | captured length | original length | data

Accepted unchecked: a fraction of a second or more (it is added), a captured length beyond the snapshot length up to
`MAX_CAPTURED`, an original length below the captured one, and anything in the fields that are not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Literal

from vxlanpkt.capture.batches import RecordBatch
from vxlanpkt.capture.boundaries import Shape, pcap_shape
from vxlanpkt.capture.origins import File
from vxlanpkt.capture.records import NANOSECONDS, Interface, Record
from vxlanpkt.capture.sinks import ContainerWriter, Sink
from vxlanpkt.capture.sources import Source
from vxlanpkt.capture.stretches import Before, Stretches, section_interface
from vxlanpkt.errors import CaptureError, FieldError
from vxlanpkt.kernel.contract.captures import Section, Stop

MAX_CAPTURED = 1 << 18
"""Captured bytes that a record may always have: writers often declare less, or 0, and then keep whole packets."""

MAX_SNAPLEN = 1 << 27
"""The greatest snapshot length to be believed; no link type has longer packets."""

_HEADER, _RECORD = "HHiIII", "IIII"
_HEADER_SIZE, _RECORD_SIZE = 24, 16
_FCS_PRESENT, _RESERVED_BITS = 0x0400_0000, 0x0BFF_0000
_MAX_FCS_WORDS = 15

# The magic numbers as the file has them: byte order of all that follows, if_tsresol of the timestamps.
_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 6),
    b"\xa1\xb2\xc3\xd4": (">", 6),
    b"\x4d\x3c\xb2\xa1": ("<", 9),
    b"\xa1\xb2\x3c\x4d": (">", 9),
}
_MODIFIED = frozenset({b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34"})

Byteorder = Literal["little", "big"]


def is_pcap(magic: bytes) -> bool:
    """Whether *magic* starts a pcap file that can be read here."""
    return magic in _MAGICS


def is_modified_pcap(magic: bytes) -> bool:
    """Whether *magic* is that of the variant with longer record headers, which nothing has written for decades."""
    return magic in _MODIFIED


class PcapReader:
    """The records of a pcap file; iterated once, in batches.

    `interfaces`: the one interface that the file header describes, behind those that came *before*. `declared`: that it
    is one.
    Raises CaptureError if the file breaks off or says what cannot be, after all the whole records before.
    """

    container: Literal["pcap"] = "pcap"
    declared = 1

    def __init__(self, source: Source, before: Before | None = None) -> None:
        before = before or Before()
        self._source = source
        prefix, tsresol = _MAGICS[source.magic]
        if not source.require(_HEADER_SIZE):
            raise source.cut("file header", _HEADER_SIZE)
        header = source.take(_HEADER_SIZE)
        major, minor, _zone, _accuracy, snaplen, network = Struct(prefix + _HEADER).unpack_from(header, 4)
        if (major, minor) != (2, 4):
            raise CaptureError(f"pcap version {major}.{minor} is not 2.4", offset=4)
        if network & _RESERVED_BITS:
            raise CaptureError(f"reserved bits are set in the link type field, 0x{network:08x}", offset=20)
        own = Interface(network & 0xFFFF, snaplen, tsresol, fcslen=_fcs_length(network))
        self.interfaces = before.interfaces
        self.interfaces.append(own)
        self._limit = max(snaplen, MAX_CAPTURED) if snaplen <= MAX_SNAPLEN else MAX_CAPTURED
        self._prefix, self._about = prefix, 0
        self._unpack = Struct(prefix + _RECORD).unpack
        section = Section(False, prefix == ">", (section_interface(own),), len(self.interfaces) - 1, limit=self._limit)
        self._stretches = Stretches(source, section, before.records)

    def __iter__(self) -> Iterator[RecordBatch]:
        source, stretches = self._source, self._stretches
        yield from stretches.batches(self.interfaces)
        if stretches.stop is Stop.LOOK:
            raise self._too_long()
        if source.available:
            raise source.cut("record", stretches.needed)
        source.check_end()

    def read_head(self) -> int:
        """Where the first record begins: behind the file header, which has been read."""
        source = self._source
        if source.require(_RECORD_SIZE):
            self._about, *_ = self._unpack(source.view[source.begin : source.begin + _RECORD_SIZE])
        return source.offset

    @property
    def shape(self) -> Shape:
        """What records look like."""
        return pcap_shape(self._prefix, self.interfaces[-1], self._limit, self._about)

    def _too_long(self) -> CaptureError:
        """Why no record was read here: there is but one thing that it cannot say."""
        offset = self._source.offset
        _, _, captured, _ = self._unpack(self._source.take(_RECORD_SIZE))
        return CaptureError(
            f"the record at byte {offset} claims {captured} captured bytes; {self._limit} is the most", offset=offset
        )


def fits_pcap_time(record: Record) -> bool:
    """Whether the time of *record* fits the 32 bits of seconds that pcap has; no time is written as 0."""
    return 0 <= (record.timestamp_ns or 0) // NANOSECONDS < 1 << 32


class PcapWriter(ContainerWriter):
    """Writes a pcap file; a context manager that finishes it, or leaves none behind on an exception.

    `target`: a path, where the file appears when it is complete, compressed if it ends in .gz or .zst; a binary file
    object; or "-" for standard output. `interface`: gives link type, snapshot length (0 is written as 262144) and FCS
    length. `nanoseconds`: whether timestamps are written in nanoseconds or in microseconds, rounded down. `byteorder`:
    of all numbers.
    Raises FieldError for an FCS length that pcap cannot say: odd, or more than 30 bytes.
    """

    container: Literal["pcap"] = "pcap"

    def __init__(
        self, target: File, interface: Interface, *, nanoseconds: bool = False, byteorder: Byteorder = "little"
    ) -> None:
        prefix = "<" if byteorder == "little" else ">"
        magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
        network = interface.link_type | _fcs_bits(interface.fcslen)
        header = Struct(f"{prefix}I{_HEADER}").pack(magic, 2, 4, 0, 0, interface.snaplen or MAX_CAPTURED, network)
        self.interfaces = [interface]
        self._units = NANOSECONDS if nanoseconds else NANOSECONDS // 1000
        self._divisor = 1 if nanoseconds else 1000
        self._pack = Struct(prefix + _RECORD).pack
        self.sink = Sink(target)
        self.sink.write(header)

    def write(self, record: Record) -> None:
        """Write one packet; one without a timestamp gets 0, since pcap has no other way to say so.

        Raises CaptureError if its link type is not the file's or its timestamp does not fit 32 bits of seconds.
        """
        if record.link_type != self.interfaces[0].link_type:
            raise CaptureError(
                f"a packet of link type {record.link_type} does not fit a pcap file of link type"
                f" {self.interfaces[0].link_type}; pcapng takes both", offset=None,
            )  # fmt: skip
        seconds, fraction = divmod((record.timestamp_ns or 0) // self._divisor, self._units)
        if not 0 <= seconds < 1 << 32:
            raise CaptureError(f"the timestamp {record.timestamp_ns} ns does not fit a pcap file", offset=None)
        data = record.data
        self.sink.write(self._pack(seconds, fraction, len(data), record.original_length) + data)


def _fcs_length(network: int) -> int:
    """Bytes of frame check sequence: the field's top 4 bits count 16-bit words, if bit 26 says that they count."""
    return (network >> 28) * 2 if network & _FCS_PRESENT else 0


def _fcs_bits(fcslen: int) -> int:
    words, odd = divmod(fcslen, 2)
    if odd or words > _MAX_FCS_WORDS:
        raise FieldError(
            f"a frame check sequence of {fcslen} bytes cannot be said in pcap",
            layer="Interface", field="fcslen", value=fcslen, bits=None,
        )  # fmt: skip
    return words << 28 | _FCS_PRESENT if words else 0

"""The pcap container, and files of it read: one file header, then records, all of one link type.

    magic a1b2c3d4 (microseconds) or a1b23c4d (nanoseconds), in the byte order of all that follows
    version 2.4 | time zone, accuracy: not used | snapshot length | FCS length, link type
    each record: seconds | fraction | captured length | original length | data

Accepted unchecked: a fraction of a second or more (it is added), a captured length beyond the snapshot length up to
`MAX_CAPTURED`, an original length below the captured one, and anything in the fields that are not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING, Literal, TypeVar

from vxlanpkt.capture.records import Interface
from vxlanpkt.capture.sources import Source
from vxlanpkt.capture.stretches import Before, Run, Stretches, Taking, section_interface
from vxlanpkt.errors import CaptureError
from vxlanpkt.kernel.contract.records import Section, Stop

if TYPE_CHECKING:
    from vxlanpkt.capture.boundaries import Shape

MAX_CAPTURED = 1 << 18
"""Captured bytes that a record may always have: writers often declare less, or 0, and then keep whole packets."""

MAX_SNAPLEN = 1 << 27
"""The greatest snapshot length to be believed; no link type has longer packets."""

HEADER, RECORD = "HHiIII", "IIII"
_HEADER_SIZE, _RECORD_SIZE = 24, 16
FCS_PRESENT, _RESERVED_BITS = 0x0400_0000, 0x0BFF_0000

# The magic numbers as the file has them: byte order of all that follows, if_tsresol of the timestamps.
_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 6),
    b"\xa1\xb2\xc3\xd4": (">", 6),
    b"\x4d\x3c\xb2\xa1": ("<", 9),
    b"\xa1\xb2\x3c\x4d": (">", 9),
}
_MODIFIED = frozenset({b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34"})

_R = TypeVar("_R", bound=Run)


def is_pcap(magic: bytes) -> bool:
    """Whether *magic* starts a pcap file that can be read here."""
    return magic in _MAGICS


def is_modified_pcap(magic: bytes) -> bool:
    """Whether *magic* is that of the variant with longer record headers, which nothing has written for decades."""
    return magic in _MODIFIED


class PcapReader:
    """The records of a pcap file, which are read once.

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
        major, minor, _zone, _accuracy, snaplen, network = Struct(prefix + HEADER).unpack_from(header, 4)
        if (major, minor) != (2, 4):
            raise CaptureError(f"pcap version {major}.{minor} is not 2.4", offset=4)
        if network & _RESERVED_BITS:
            raise CaptureError(f"reserved bits are set in the link type field, 0x{network:08x}", offset=20)
        own = Interface(network & 0xFFFF, snaplen, tsresol, fcslen=_fcs_length(network))
        self.interfaces = before.interfaces
        self.interfaces.append(own)
        self._limit = max(snaplen, MAX_CAPTURED) if snaplen <= MAX_SNAPLEN else MAX_CAPTURED
        self._prefix, self._about = prefix, 0
        self._unpack = Struct(prefix + RECORD).unpack
        section = Section(False, prefix == ">", (section_interface(own),), len(self.interfaces) - 1, limit=self._limit)
        self._stretches = Stretches(source, section, before.records)

    def each(self, taking: Taking[_R]) -> Iterator[_R]:
        """The records, as they are taken."""
        source, stretches = self._source, self._stretches
        yield from stretches.each(taking, self.interfaces)
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
        from vxlanpkt.capture.boundaries import pcap_shape  # which only parts of files need

        return pcap_shape(self._prefix, self.interfaces[-1], self._limit, self._about)

    def _too_long(self) -> CaptureError:
        """Why no record was read here: there is but one thing that it cannot say."""
        offset = self._source.offset
        _, _, captured, _ = self._unpack(self._source.take(_RECORD_SIZE))
        return CaptureError(
            f"the record at byte {offset} claims {captured} captured bytes; {self._limit} is the most", offset=offset
        )


def _fcs_length(network: int) -> int:
    """Bytes of frame check sequence: the field's top 4 bits count 16-bit words, if bit 26 says that they count."""
    return (network >> 28) * 2 if network & FCS_PRESENT else 0

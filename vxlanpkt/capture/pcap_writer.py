"""pcap files written: one interface, and packets of its link type (`pcap`)."""

from __future__ import annotations

from struct import Struct
from typing import Literal

from vxlanpkt.capture.origins import File
from vxlanpkt.capture.pcap import FCS_PRESENT, HEADER, MAX_CAPTURED, RECORD
from vxlanpkt.capture.records import NANOSECONDS, Interface, Record
from vxlanpkt.capture.sinks import ContainerWriter, Sink
from vxlanpkt.errors import CaptureError, FieldError

Byteorder = Literal["little", "big"]

_MAX_FCS_WORDS = 15


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
        header = Struct(f"{prefix}I{HEADER}").pack(magic, 2, 4, 0, 0, interface.snaplen or MAX_CAPTURED, network)
        self.interfaces = [interface]
        self._units = NANOSECONDS if nanoseconds else NANOSECONDS // 1000
        self._divisor = 1 if nanoseconds else 1000
        self._pack = Struct(prefix + RECORD).pack
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


def _fcs_bits(fcslen: int) -> int:
    words, odd = divmod(fcslen, 2)
    if odd or words > _MAX_FCS_WORDS:
        raise FieldError(
            f"a frame check sequence of {fcslen} bytes cannot be said in pcap",
            layer="Interface", field="fcslen", value=fcslen, bits=None,
        )  # fmt: skip
    return words << 28 | FCS_PRESENT if words else 0

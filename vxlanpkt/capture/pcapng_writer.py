"""pcapng files written: one section, in which each interface is declared before its packets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from vxlanpkt.capture.options import (
    IF_FCSLEN,
    IF_TSOFFSET,
    IF_TSRESOL,
    INTERFACE_NUMBERS,
    PACKET_NUMBERS,
    turned,
)
from vxlanpkt.capture.origins import File
from vxlanpkt.capture.pcap_writer import Byteorder
from vxlanpkt.capture.pcapng_blocks import ENHANCED, HEAD_SIZE, INTERFACE, LAYOUTS, SECTION, SIMPLE
from vxlanpkt.capture.records import Interface, Options, Record
from vxlanpkt.capture.sinks import ContainerWriter, Sink
from vxlanpkt.errors import CaptureError


class PcapngWriter(ContainerWriter):
    """Writes a pcapng file of one section; a context manager that finishes it, or leaves none behind on an exception.

    `target`: as of a `PcapWriter`. `interfaces`: those declared at once; `add_interface` declares more. `byteorder`: of
    all numbers.
    """

    container: Literal["pcapng"] = "pcapng"

    def __init__(self, target: File, interfaces: Iterable[Interface] = (), *, byteorder: Byteorder = "little") -> None:
        self._layout = LAYOUTS["<" if byteorder == "little" else ">"]
        self.interfaces: list[Interface] = []
        self.sink = Sink(target)
        version = self._layout.version.pack(1, 0)
        self.sink.write(self._block(SECTION, self._layout.word.pack(0x1A2B3C4D) + version + b"\xff" * 8))
        for interface in interfaces:
            self.add_interface(interface)

    def add_interface(self, interface: Interface) -> int:
        """Declare an interface; the answer is its index for `Record.interface`."""
        own = [
            (code, value)
            for code, value, wanted in (
                (IF_TSRESOL, bytes([interface.tsresol]), interface.tsresol != 6),
                (IF_FCSLEN, bytes([interface.fcslen]), interface.fcslen != 0),
                (IF_TSOFFSET, self._layout.offset.pack(interface.tsoffset), interface.tsoffset != 0),
            )
            if wanted
        ]
        options = self._packed_options(interface.options, INTERFACE_NUMBERS, own)
        body = self._layout.interface.pack(interface.link_type, 0, interface.snaplen)
        self.sink.write(self._block(INTERFACE, body + options))
        self.interfaces.append(interface)
        return len(self.interfaces) - 1

    def write(self, record: Record) -> None:
        """Write one packet to the interface that it names.

        The raw timestamp is kept if it says the same as `timestamp_ns` in that interface's units. A packet with no
        timestamp becomes a Simple Packet Block where that can hold it, else it gets the raw timestamp 0.
        Raises CaptureError if there is no such interface, if it has another link type, or if the timestamp does not
        fit.
        """
        if record.interface >= len(self.interfaces):
            raise CaptureError(f"interface {record.interface} has not been declared", offset=None)
        interface = self.interfaces[record.interface]
        if record.link_type != interface.link_type:
            raise CaptureError(
                f"a packet of link type {record.link_type} on interface {record.interface} of {interface.link_type}",
                offset=None,
            )
        if _fits_simple(record, interface):
            body = self._layout.word.pack(record.original_length) + _padded(record.data)
            self.sink.write(self._block(SIMPLE, body))
            return
        raw = _raw_timestamp(record, interface)
        head = self._layout.packet.pack(
            record.interface, raw >> 32, raw & 0xFFFFFFFF, len(record.data), record.original_length
        )
        options = self._packed_options(record.options, PACKET_NUMBERS)
        self.sink.write(self._block(ENHANCED, head + _padded(record.data) + options))

    def _block(self, kind: int, body: bytes) -> bytes:
        size = len(body) + HEAD_SIZE
        word = self._layout.word.pack
        return word(kind) + word(size) + body + word(size)

    def _packed_options(
        self, options: Options, numbers: Mapping[int, int], own: Iterable[tuple[int, bytes]] = ()
    ) -> bytes:
        """The end marker closes the list; without options there is none. *own* are in the file's byte order."""
        pairs = list(own)
        for code, value in options:
            pairs.append((code, turned(code, value, numbers) if self._layout.prefix == ">" else value))
        if not pairs:
            return b""
        pack = self._layout.option.pack
        return b"".join(pack(code, len(value)) + _padded(value) for code, value in pairs) + bytes(4)


def _raw_timestamp(record: Record, interface: Interface) -> int:
    timestamp, raw = record.timestamp_ns, record.raw_timestamp
    if timestamp is None:
        return 0
    if raw is None or interface.to_nanoseconds(raw) != timestamp:
        raw = interface.from_nanoseconds(timestamp)
    if not 0 <= raw < 1 << 64:
        raise CaptureError(f"the timestamp {timestamp} ns does not fit its interface's units", offset=None)
    return raw


def _fits_simple(record: Record, interface: Interface) -> bool:
    if record.timestamp_ns is not None or record.interface or record.options:
        return False
    captured = min(record.original_length, interface.snaplen or record.original_length)
    return len(record.data) == captured


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)

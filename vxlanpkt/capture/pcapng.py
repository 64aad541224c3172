"""The pcapng container: blocks of a type and a length, in sections that each declare their byte order and interfaces.

    each block: type | total length | body, padded to 4 bytes | total length again
    Section Header (0A0D0D0A): byte-order magic 1A2B3C4D | version 1.x | section length, not used
    Interface Description (1): link type | snapshot length | options
    Enhanced Packet (6):  interface | timestamp | captured length | original length | data | options
    Simple Packet (3):    original length | data; of the section's first interface, with no timestamp
    Packet (2, obsolete): as the Enhanced one, its interface of 16 bits and beside a drop count

Blocks of other types are skipped. Accepted unchecked: a captured length beyond the snapshot length, an original length
below the captured one, and what options say, but for those that the meaning of timestamps and lengths hangs on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from vxlanpkt.capture.batches import RecordBatch
from vxlanpkt.capture.boundaries import Shape, pcapng_shape
from vxlanpkt.capture.options import PACKET_NUMBERS, read_options, turned
from vxlanpkt.capture.pcap import Byteorder
from vxlanpkt.capture.records import Interface, Options, Record
from vxlanpkt.capture.sinks import Sink
from vxlanpkt.capture.sources import File, Source
from vxlanpkt.capture.stretches import Before, Stretches
from vxlanpkt.errors import CaptureError
from vxlanpkt.kernel.contract import Section, Stop

if TYPE_CHECKING:
    from typing_extensions import Self

SECTION_HEADER = b"\x0a\x0d\x0d\x0a"  # reads the same in both byte orders
MAX_BLOCK = (1 << 27) + (1 << 20)
"""The greatest block to be believed: the greatest packet, and room for its options."""

_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _OBSOLETE, _SIMPLE, _ENHANCED = 1, 2, 3, 6
_SECTION = 0x0A0D0D0A
_PACKETS = (_OBSOLETE, _SIMPLE, _ENHANCED)
_HEAD_SIZE, _MIN_SIZE = 12, {_SECTION: 28, _INTERFACE: 20, _OBSOLETE: 32, _SIMPLE: 16, _ENHANCED: 32}
_PACKET_DATA, _SIMPLE_DATA = 28, 12

_IF_TSRESOL, _IF_FCSLEN, _IF_TSOFFSET = 9, 13, 14
# Options that are numbers, and their widths: in the byte order of their section.
_INTERFACE_NUMBERS = {8: 8, 10: 4, 16: 8, 17: 8}


def is_pcapng(magic: bytes) -> bool:
    """Whether *magic* starts a pcapng file."""
    return magic == SECTION_HEADER


class _Layout:
    """The structures of blocks in one byte order."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.head = Struct(prefix + "III")
        self.word = Struct(prefix + "I")
        self.version = Struct(prefix + "HH")
        self.interface = Struct(prefix + "HHI")
        self.packet = Struct(prefix + "IIIII")
        self.obsolete = Struct(prefix + "HHIIII")
        self.option = Struct(prefix + "HH")
        self.offset = Struct(prefix + "q")


_LAYOUTS = {prefix: _Layout(prefix) for prefix in "<>"}


class PcapngReader:
    """The records of a pcapng file; iterated once, in batches.

    `interfaces`: those of all sections, in the order in which they came so far; `Record.interface` counts them through.
    `declared`: how many sections and interfaces there were.
    Raises CaptureError if the file breaks off or says what cannot be, after all the whole records before.
    """

    container: Literal["pcapng"] = "pcapng"

    def __init__(self, source: Source, before: Before | None = None) -> None:
        before = before or Before()
        self._source = source
        self.declared = 0
        self._layout = _LAYOUTS["<"]
        self.interfaces = before.interfaces
        self._first = len(self.interfaces)  # the number of the section's first interface
        self._stretches = Stretches(source, Section(True, False, ()), before.records)
        self._look()  # the section header, without which it is no capture

    def __iter__(self) -> Iterator[RecordBatch]:
        source, stretches = self._source, self._stretches
        while True:
            yield from stretches.batches(self.interfaces)
            if stretches.stop is not Stop.LOOK:
                break
            self._look()
        if source.available:
            raise source.cut("block", stretches.needed)
        source.check_end()

    def _look(self) -> None:
        """Take in a block that is no packet; CaptureError for one that is not as it has to be."""
        source = self._source
        offset = source.offset
        if not source.require(_HEAD_SIZE):
            raise source.cut("block", _HEAD_SIZE)
        head = bytes(source.view[source.begin : source.begin + _HEAD_SIZE])
        if head[:4] == SECTION_HEADER:
            self._set_byte_order(head, offset)
        kind, size, _ = self._layout.head.unpack(head)
        _check_size(kind, size, offset)
        if not source.require(size):
            raise source.cut("block", size)
        block = source.take(size)
        (trailing,) = self._layout.word.unpack_from(block, size - 4)
        if trailing != size:
            raise CaptureError(
                f"the block at byte {offset} is {size} bytes long at its start and {trailing} at its end",
                offset=offset + size - 4,
            )
        if kind == _SECTION:
            self._start_section(block, offset)
        elif kind == _INTERFACE:
            self._add_interface(block, offset)
        else:
            raise self._unsound(kind, block, offset)

    def read_head(self) -> int:
        """Take in what stands in front of the first packet; returns where that begins."""
        source = self._source
        while source.require(_HEAD_SIZE):
            kind, size, _ = self._layout.head.unpack_from(source.view, source.begin)
            if kind in _PACKETS:
                break
            if kind in (_SECTION, _INTERFACE):
                self._look()
                continue
            _check_size(kind, size, source.offset)
            if not source.require(size):
                raise source.cut("block", size)
            source.take(size)
        return source.offset

    @property
    def shape(self) -> Shape:
        """What blocks look like."""
        return pcapng_shape(self._layout.prefix)

    def _set_byte_order(self, head: bytes, offset: int) -> None:
        prefix = _BYTE_ORDERS.get(head[8:12])
        if prefix is None:
            raise CaptureError(f"0x{head[8:12].hex()} is no byte-order magic", offset=offset + 8)
        self._layout = _LAYOUTS[prefix]

    def _start_section(self, block: bytes, offset: int) -> None:
        major, minor = self._layout.version.unpack_from(block, 12)
        if major != 1:
            raise CaptureError(f"pcapng version {major}.{minor} is not 1.x", offset=offset + 12)
        read_options(block, 24, offset, self._layout.prefix, {})
        self.declared += 1
        self._first = len(self.interfaces)
        self._stretches.use(Section(True, self._layout.prefix == ">", (), self._first))

    def _add_interface(self, block: bytes, offset: int) -> None:
        link_type, _, snaplen = self._layout.interface.unpack_from(block, 8)
        options = read_options(block, 16, offset, self._layout.prefix, _INTERFACE_NUMBERS)
        interface = _interface(link_type, snaplen, options, self._layout, offset)
        self.declared += 1
        self.interfaces.append(interface)
        self._stretches.add_interface(interface)

    def _unsound(self, kind: int, block: bytes, offset: int) -> CaptureError:
        """Why the packet in a block cannot be read."""
        index = captured = 0
        data, interfaces = _PACKET_DATA, self.interfaces[self._first :]
        if kind == _ENHANCED:
            index, _, _, captured, _ = self._layout.packet.unpack_from(block, 8)
        elif kind == _OBSOLETE:
            index, _, _, _, captured, _ = self._layout.obsolete.unpack_from(block, 8)
        if index >= len(interfaces):
            return CaptureError(
                f"the packet at byte {offset} names interface {index} of {len(interfaces)}", offset=offset
            )
        if kind == _SIMPLE:
            (captured,) = self._layout.word.unpack_from(block, 8)
            captured, data = min(captured, interfaces[0].snaplen or captured), _SIMPLE_DATA
        room = len(block) - 4 - data
        if captured > room:
            return CaptureError(
                f"the packet at byte {offset} claims {captured} captured bytes in a block with room for {room}",
                offset=offset,
            )
        read_options(block, data + (captured + 3 & ~3), offset, self._layout.prefix, {})
        raise AssertionError(f"the packet at byte {offset} is sound")  # or else it would have been read


class PcapngWriter:
    """Writes a pcapng file of one section; a context manager that commits, or discards on an exception (see `Sink`).

    `interfaces`: those declared at once; `add_interface` declares more. `byteorder`: of all numbers.
    """

    container: Literal["pcapng"] = "pcapng"

    def __init__(self, target: File, interfaces: Iterable[Interface] = (), *, byteorder: Byteorder = "little") -> None:
        self._layout = _LAYOUTS["<" if byteorder == "little" else ">"]
        self.interfaces: list[Interface] = []
        self.sink = Sink(target)
        version = self._layout.version.pack(1, 0)
        self.sink.write(self._block(_SECTION, self._layout.word.pack(0x1A2B3C4D) + version + b"\xff" * 8))
        for interface in interfaces:
            self.add_interface(interface)

    def add_interface(self, interface: Interface) -> int:
        """Declare an interface; the answer is its index for `Record.interface`."""
        own = [
            (code, value)
            for code, value, wanted in (
                (_IF_TSRESOL, bytes([interface.tsresol]), interface.tsresol != 6),
                (_IF_FCSLEN, bytes([interface.fcslen]), interface.fcslen != 0),
                (_IF_TSOFFSET, self._layout.offset.pack(interface.tsoffset), interface.tsoffset != 0),
            )
            if wanted
        ]
        options = self._packed_options(interface.options, _INTERFACE_NUMBERS, own)
        body = self._layout.interface.pack(interface.link_type, 0, interface.snaplen)
        self.sink.write(self._block(_INTERFACE, body + options))
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
            self.sink.write(self._block(_SIMPLE, body))
            return
        raw = _raw_timestamp(record, interface)
        head = self._layout.packet.pack(
            record.interface, raw >> 32, raw & 0xFFFFFFFF, len(record.data), record.original_length
        )
        options = self._packed_options(record.options, PACKET_NUMBERS)
        self.sink.write(self._block(_ENHANCED, head + _padded(record.data) + options))

    def _block(self, kind: int, body: bytes) -> bytes:
        size = len(body) + _HEAD_SIZE
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

    def close(self) -> None:
        """Finish the output, as leaving the context does."""
        self.sink.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.sink.__exit__(kind, error, traceback)


def _check_size(kind: int, size: int, offset: int) -> None:
    least = _MIN_SIZE.get(kind, _HEAD_SIZE)
    if size < least:
        raise CaptureError(f"the block at byte {offset} is {size} bytes long; its type takes {least}", offset=offset)
    if size % 4:
        raise CaptureError(f"the block at byte {offset} is {size} bytes long, no multiple of 4", offset=offset)
    if size > MAX_BLOCK:
        raise CaptureError(f"the block at byte {offset} claims {size} bytes; {MAX_BLOCK} is the most", offset=offset)


def _interface(link_type: int, snaplen: int, options: Options, layout: _Layout, offset: int) -> Interface:
    """The interface, with the options that have fields of their own taken out of *options*."""
    numbers = {_IF_TSRESOL: 6, _IF_FCSLEN: 0, _IF_TSOFFSET: 0}
    for code, value in options:
        if code not in numbers:
            continue
        if len(value) != (8 if code == _IF_TSOFFSET else 1):
            raise CaptureError(f"option {code} of the interface at byte {offset} has {len(value)} bytes", offset=offset)
        numbers[code] = layout.offset.unpack(value)[0] if code == _IF_TSOFFSET else value[0]
    others = tuple(option for option in options if option[0] not in numbers)
    return Interface(link_type, snaplen, numbers[_IF_TSRESOL], numbers[_IF_TSOFFSET], numbers[_IF_FCSLEN], others)


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

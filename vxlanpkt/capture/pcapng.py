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

from collections.abc import Callable, Iterable, Iterator, Mapping
from struct import Struct
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from vxlanpkt.capture.pcap import Byteorder
from vxlanpkt.capture.records import NANOSECONDS, Interface, Options, Record, RecordDraft
from vxlanpkt.capture.sinks import Sink
from vxlanpkt.capture.sources import CHUNK, File, Source
from vxlanpkt.errors import CaptureError

if TYPE_CHECKING:
    from typing_extensions import Self

SECTION_HEADER = b"\x0a\x0d\x0d\x0a"  # reads the same in both byte orders
MAX_BLOCK = (1 << 27) + (1 << 20)
"""The greatest block to be believed: the greatest packet, and room for its options."""

_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _OBSOLETE, _SIMPLE, _ENHANCED = 1, 2, 3, 6
_SECTION = 0x0A0D0D0A
_HEAD_SIZE, _MIN_SIZE = 12, {_SECTION: 28, _INTERFACE: 20, _OBSOLETE: 32, _SIMPLE: 16, _ENHANCED: 32}
_PACKET_DATA, _SIMPLE_DATA = 28, 12

OPT_END = 0
EPB_FLAGS, EPB_HASH = 2, 3
_IF_TSRESOL, _IF_FCSLEN, _IF_TSOFFSET = 9, 13, 14
# Options that are numbers, and their widths: in the byte order of their section.
_INTERFACE_NUMBERS = {8: 8, 10: 4, 16: 8, 17: 8}
_PACKET_NUMBERS = {EPB_FLAGS: 4, 4: 8, 5: 8, 6: 4}
_CUSTOM_OPTIONS = frozenset({2988, 2989, 19372, 19373})  # these start with a number of 4 bytes


def is_pcapng(magic: bytes) -> bool:
    """Whether *magic* starts a pcapng file."""
    return magic == SECTION_HEADER


class _Clock(NamedTuple):
    """What a packet block needs to know of its interface; nanoseconds are raw * multiplier // divisor + offset."""

    number: int
    link_type: int
    snaplen: int
    fcslen: int
    multiplier: int
    divisor: int
    offset: int


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
    """The records of a pcapng file; iterated once.

    `interfaces`: those of all sections, in the order in which they came so far; `Record.interface` counts them through.
    Raises CaptureError if the file breaks off or says what cannot be, after all the whole records before.
    """

    container: Literal["pcapng"] = "pcapng"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._layout = _LAYOUTS["<"]
        self._section: list[_Clock] = []
        self.interfaces: list[Interface] = []

    def __iter__(self) -> Iterator[Record]:
        source = self._source
        read = source.read
        packets: Mapping[int, Callable[[bytes, int], Record]] = {
            _ENHANCED: self._enhanced, _SIMPLE: self._simple, _OBSOLETE: self._obsolete
        }  # fmt: skip
        offset = 0
        head = source.magic + read(_HEAD_SIZE - 4)
        while len(head) == _HEAD_SIZE:
            if head[:4] == SECTION_HEADER:
                self._set_byte_order(head, offset)
            layout = self._layout
            kind, size, _ = layout.head.unpack(head)
            _check_size(kind, size, offset)
            rest = size - _HEAD_SIZE
            block = head + (read(rest) if rest <= CHUNK else source.read_long(rest))
            if len(block) < size:
                raise source.cut("block", offset, size, len(block))
            (trailing,) = layout.word.unpack_from(block, size - 4)
            if trailing != size:
                raise CaptureError(
                    f"the block at byte {offset} is {size} bytes long at its start and {trailing} at its end",
                    offset=offset + size - 4,
                )
            packet = packets.get(kind)
            if packet is not None:
                yield packet(block, offset)
            elif kind == _INTERFACE:
                self._add_interface(block, offset)
            elif kind == _SECTION:
                self._start_section(block, offset)
            offset += size
            head = read(_HEAD_SIZE)
        if head:
            raise source.cut("block", offset, _HEAD_SIZE, len(head))
        source.check_end(offset)

    def _set_byte_order(self, head: bytes, offset: int) -> None:
        prefix = _BYTE_ORDERS.get(head[8:12])
        if prefix is None:
            raise CaptureError(f"0x{head[8:12].hex()} is no byte-order magic", offset=offset + 8)
        self._layout = _LAYOUTS[prefix]

    def _start_section(self, block: bytes, offset: int) -> None:
        major, minor = self._layout.version.unpack_from(block, 12)
        if major != 1:
            raise CaptureError(f"pcapng version {major}.{minor} is not 1.x", offset=offset + 12)
        self._options(block, 24, offset, {})
        self._section = []

    def _add_interface(self, block: bytes, offset: int) -> None:
        link_type, _, snaplen = self._layout.interface.unpack_from(block, 8)
        options = self._options(block, 16, offset, _INTERFACE_NUMBERS)
        interface = _interface(link_type, snaplen, options, self._layout, offset)
        units = interface.units_per_second
        multiplier, divisor = (NANOSECONDS // units, 1) if NANOSECONDS % units == 0 else (NANOSECONDS, units)
        self._section.append(_Clock(
            len(self.interfaces), link_type, snaplen, interface.fcslen, multiplier, divisor,
            interface.tsoffset * NANOSECONDS,
        ))  # fmt: skip
        self.interfaces.append(interface)

    def _enhanced(self, block: bytes, offset: int) -> Record:
        index, high, low, captured, original = self._layout.packet.unpack_from(block, 8)
        return self._packet(block, offset, index, high << 32 | low, captured, original)

    def _obsolete(self, block: bytes, offset: int) -> Record:
        index, _drops, high, low, captured, original = self._layout.obsolete.unpack_from(block, 8)
        return self._packet(block, offset, index, high << 32 | low, captured, original)

    def _packet(self, block: bytes, offset: int, index: int, raw: int, captured: int, original: int) -> Record:
        clock = self._clock(index, offset)
        end = _PACKET_DATA + captured
        if end > len(block) - 4:
            raise _beyond(offset, captured, len(block) - 4 - _PACKET_DATA)
        fcslen = clock.fcslen
        options: Options = ()
        if len(block) - end >= 8:
            options = self._options(block, end + 3 & ~3, offset, _PACKET_NUMBERS)
            fcslen = _fcs_from_flags(options) or fcslen
        timestamp = raw * clock.multiplier // clock.divisor + clock.offset
        record: Any = RecordDraft(
            timestamp, block[_PACKET_DATA:end], original, clock.link_type, clock.number, raw, fcslen, options
        )
        record.__class__ = Record
        return record  # type: ignore[no-any-return]

    def _simple(self, block: bytes, offset: int) -> Record:
        clock = self._clock(0, offset)
        (original,) = self._layout.word.unpack_from(block, 8)
        captured = min(original, clock.snaplen) if clock.snaplen else original
        end = _SIMPLE_DATA + captured
        if end > len(block) - 4:
            raise _beyond(offset, captured, len(block) - 4 - _SIMPLE_DATA)
        data = block[_SIMPLE_DATA:end]
        return Record(None, data, original, clock.link_type, clock.number, fcs_length=clock.fcslen)

    def _clock(self, index: int, offset: int) -> _Clock:
        if index >= len(self._section):
            raise CaptureError(
                f"the packet at byte {offset} names interface {index} of {len(self._section)}", offset=offset
            )
        return self._section[index]

    def _options(self, block: bytes, start: int, offset: int, numbers: Mapping[int, int]) -> Options:
        """The options of *block*, which is at byte *offset*, from *start* in it on."""
        end = len(block) - 4
        found = []
        while start < end:
            code, length = self._layout.option.unpack_from(block, start)
            if code == OPT_END:
                break
            if start + 4 + length > end:
                raise CaptureError(
                    f"the option at byte {offset + start} is {length} bytes long, {end - start - 4} are there",
                    offset=offset + start,
                )
            value = block[start + 4 : start + 4 + length]
            found.append((code, _turned(code, value, numbers) if self._layout.prefix == ">" else value))
            start += 4 + (length + 3 & ~3)
        return tuple(found)


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
        options = self._packed_options(record.options, _PACKET_NUMBERS)
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
            pairs.append((code, _turned(code, value, numbers) if self._layout.prefix == ">" else value))
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


def _fcs_from_flags(options: Options) -> int:
    """Bytes of frame check sequence by the packet's own flags; 0 if they do not say."""
    for code, value in options:
        if code == EPB_FLAGS and len(value) == 4:
            return value[0] >> 5 | (value[1] & 1) << 3
    return 0


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


def _turned(code: int, value: bytes, numbers: Mapping[int, int]) -> bytes:
    """An option's value with the number in it, if there is one, in the other byte order."""
    if numbers.get(code) == len(value):
        return value[::-1]
    if code in _CUSTOM_OPTIONS:
        return value[3::-1] + value[4:]
    return value


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _beyond(offset: int, captured: int, room: int) -> CaptureError:
    return CaptureError(
        f"the packet at byte {offset} claims {captured} captured bytes in a block with room for {room}", offset=offset
    )

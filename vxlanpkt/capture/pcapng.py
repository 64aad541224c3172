"""pcapng files read: sections, each with a byte order and interfaces of its own, block by block (`pcapng_blocks`).

Blocks of other types are skipped. Accepted unchecked: a captured length beyond the snapshot length, an original length
below the captured one, and what options say, but for those that the meaning of timestamps and lengths hangs on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeVar

from vxlanpkt.capture.options import IF_FCSLEN, IF_TSOFFSET, IF_TSRESOL, INTERFACE_NUMBERS, read_options
from vxlanpkt.capture.pcapng_blocks import (
    ENHANCED,
    HEAD_SIZE,
    INTERFACE,
    LAYOUTS,
    OBSOLETE,
    PACKETS,
    SECTION,
    SECTION_HEADER,
    SIMPLE,
    Layout,
)
from vxlanpkt.capture.records import Interface, Options
from vxlanpkt.capture.sources import Source
from vxlanpkt.capture.stretches import Before, Run, Stretches, Taking
from vxlanpkt.errors import CaptureError
from vxlanpkt.kernel.contract.records import Section, Stop

if TYPE_CHECKING:
    from vxlanpkt.capture.boundaries import Shape

MAX_BLOCK = (1 << 27) + (1 << 20)
"""The greatest block to be believed: the greatest packet, and room for its options."""

MAX_DECLARED = 1 << 25
"""Bytes of memory that the interfaces of a file may take: they are kept to its end, and may be small in the file."""

_R = TypeVar("_R", bound=Run)
_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_MIN_SIZE = {SECTION: 28, INTERFACE: 20, OBSOLETE: 32, SIMPLE: 16, ENHANCED: 32}
_PACKET_DATA, _SIMPLE_DATA = 28, 12
_KEPT = 128  # bytes of memory, about, of an interface or an option, beside those that it has in the file


def is_pcapng(magic: bytes) -> bool:
    """Whether *magic* starts a pcapng file."""
    return magic == SECTION_HEADER


class PcapngReader:
    """The records of a pcapng file, which are read once.

    `interfaces`: those of all sections, in the order in which they came so far; `Record.interface` counts them through.
    `declared`: how many sections and interfaces there were.
    Raises CaptureError if the file breaks off or says what cannot be, after all the whole records before.
    """

    container: Literal["pcapng"] = "pcapng"

    def __init__(self, source: Source, before: Before | None = None) -> None:
        before = before or Before()
        self._source = source
        self.declared = 0
        self._kept = 0
        self._layout = LAYOUTS["<"]
        self.interfaces = before.interfaces
        self._first = len(self.interfaces)  # the number of the section's first interface
        self._stretches = Stretches(source, Section(True, False, ()), before.records)
        self._look()  # the section header, without which it is no capture

    def each(self, taking: Taking[_R]) -> Iterator[_R]:
        """The records, as they are taken."""
        source, stretches = self._source, self._stretches
        while True:
            yield from stretches.each(taking, self.interfaces)
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
        if not source.require(HEAD_SIZE):
            raise source.cut("block", HEAD_SIZE)
        head = bytes(source.view[source.begin : source.begin + HEAD_SIZE])
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
        if kind == SECTION:
            self._start_section(block, offset)
        elif kind == INTERFACE:
            self._add_interface(block, offset)
        else:
            raise self._unsound(kind, block, offset)

    def read_head(self) -> int:
        """Take in what stands in front of the first packet; returns where that begins."""
        source = self._source
        while source.require(HEAD_SIZE):
            kind, size, _ = self._layout.head.unpack_from(source.view, source.begin)
            if kind in PACKETS:
                break
            if kind in (SECTION, INTERFACE):
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
        from vxlanpkt.capture.boundaries import pcapng_shape  # which only parts of files need

        return pcapng_shape(self._layout.prefix)

    def _set_byte_order(self, head: bytes, offset: int) -> None:
        prefix = _BYTE_ORDERS.get(head[8:12])
        if prefix is None:
            raise CaptureError(f"0x{head[8:12].hex()} is no byte-order magic", offset=offset + 8)
        self._layout = LAYOUTS[prefix]

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
        options = read_options(block, 16, offset, self._layout.prefix, INTERFACE_NUMBERS)
        interface = _interface(link_type, snaplen, options, self._layout, offset)
        self._kept += len(block) + _KEPT * (1 + len(options))
        if self._kept > MAX_DECLARED:
            raise CaptureError(
                f"the interfaces declared up to byte {offset} take more than {MAX_DECLARED} bytes of memory",
                offset=offset,
            )
        self.declared += 1
        self.interfaces.append(interface)
        self._stretches.add_interface(interface)

    def _unsound(self, kind: int, block: bytes, offset: int) -> CaptureError:
        """Why the packet in a block cannot be read."""
        index = captured = 0
        data, interfaces = _PACKET_DATA, self.interfaces[self._first :]
        if kind == ENHANCED:
            index, _, _, captured, _ = self._layout.packet.unpack_from(block, 8)
        elif kind == OBSOLETE:
            index, _, _, _, captured, _ = self._layout.obsolete.unpack_from(block, 8)
        if index >= len(interfaces):
            return CaptureError(
                f"the packet at byte {offset} names interface {index} of {len(interfaces)}", offset=offset
            )
        if kind == SIMPLE:
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


def _check_size(kind: int, size: int, offset: int) -> None:
    least = _MIN_SIZE.get(kind, HEAD_SIZE)
    if size < least:
        raise CaptureError(f"the block at byte {offset} is {size} bytes long; its type takes {least}", offset=offset)
    if size % 4:
        raise CaptureError(f"the block at byte {offset} is {size} bytes long, no multiple of 4", offset=offset)
    if size > MAX_BLOCK:
        raise CaptureError(f"the block at byte {offset} claims {size} bytes; {MAX_BLOCK} is the most", offset=offset)


def _interface(link_type: int, snaplen: int, options: Options, layout: Layout, offset: int) -> Interface:
    """The interface, with the options that have fields of their own taken out of *options*."""
    numbers = {IF_TSRESOL: 6, IF_FCSLEN: 0, IF_TSOFFSET: 0}
    for code, value in options:
        if code not in numbers:
            continue
        if len(value) != (8 if code == IF_TSOFFSET else 1):
            raise CaptureError(f"option {code} of the interface at byte {offset} has {len(value)} bytes", offset=offset)
        numbers[code] = layout.offset.unpack(value)[0] if code == IF_TSOFFSET else value[0]
    others = tuple(option for option in options if option[0] not in numbers)
    return Interface(link_type, snaplen, numbers[IF_TSRESOL], numbers[IF_TSOFFSET], numbers[IF_FCSLEN], others)

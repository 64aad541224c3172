"""Transmission Control Protocol, RFC 9293 section 3.1.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          Source Port          |       Destination Port        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                        Sequence Number                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    Acknowledgment Number                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    | Data  |       |C|E|U|A|P|R|S|F|                               |
    | Offset| Rsrvd |W|C|R|C|S|S|Y|I|            Window             |
    |       |       |R|E|G|K|H|T|N|N|                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |           Checksum            |         Urgent Pointer        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                     Options, padded with zeros                |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Accepted unchecked: ports, numbers, flags, the reserved bits, the checksum, and what the options hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, final

from vxlanpkt.kernel import internet_checksum
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Below, Header, drafted, freeze, pseudo_header_below, scan, thawed
from vxlanpkt.layers.tcp_options import AnyTCPOption, as_options, parse_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!HHIIBBHHH")
_unpack = _STRUCT.unpack_from
_PROTOCOL = 6


class TCPFields(TypedDict, total=False):
    """What `TCP.replace` takes."""

    src_port: int
    dst_port: int
    sequence_number: int
    acknowledgment_number: int
    flags: int
    window: int
    urgent_pointer: int
    options: bytes | Iterable[AnyTCPOption]
    reserved: int
    data_offset: int | None
    checksum: int | None


@final
@drafted
@dataclass(frozen=True, slots=True, init=False)
class TCP(Header):
    """A TCP header, 20 to 60 bytes.

    src_port               16 bits  source port
    dst_port               16 bits  destination port
    sequence_number        32 bits
    acknowledgment_number  32 bits
    flags                   8 bits  0x01 FIN, 0x02 SYN, 0x04 RST, 0x08 PSH, 0x10 ACK, 0x20 URG, 0x40 ECE, 0x80 CWR
    window                 16 bits
    urgent_pointer         16 bits
    options                0-40 bytes as on the wire, or options (`tcp_options`), which become these bytes;
                           the builder pads with zeros to a multiple of 4
    reserved                4 bits
    data_offset             4 bits  header length in 32-bit words; derived
    checksum               16 bits  derived over pseudo-header, header and content

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "TCP"
    KIND: ClassVar[Kind] = Kind.TCP
    BITS: ClassVar[dict[str, int]] = {
        "src_port": 16, "dst_port": 16, "sequence_number": 32, "acknowledgment_number": 32, "flags": 8, "window": 16,
        "urgent_pointer": 16, "reserved": 4, "data_offset": 4, "checksum": 16,
    }  # fmt: skip
    DERIVED: ClassVar[tuple[str, ...]] = ("data_offset", "checksum")

    src_port: int
    dst_port: int
    sequence_number: int
    acknowledgment_number: int
    flags: int
    window: int
    urgent_pointer: int
    options: bytes
    reserved: int
    data_offset: int | None
    checksum: int | None

    def __init__(
        self,
        src_port: int,
        dst_port: int,
        sequence_number: int = 0,
        acknowledgment_number: int = 0,
        flags: int = 0,
        window: int = 65535,
        urgent_pointer: int = 0,
        options: bytes | Iterable[AnyTCPOption] = b"",
        reserved: int = 0,
        data_offset: int | None = None,
        checksum: int | None = None,
    ) -> None:
        draft = thawed(self)
        draft.src_port = src_port
        draft.dst_port = dst_port
        draft.sequence_number = sequence_number
        draft.acknowledgment_number = acknowledgment_number
        draft.flags = flags
        draft.window = window
        draft.urgent_pointer = urgent_pointer
        draft.options = as_options(options)
        draft.reserved = reserved
        draft.data_offset = data_offset
        draft.checksum = checksum
        freeze(draft, TCP)

    def parsed_options(self) -> tuple[AnyTCPOption, ...]:
        """A view of `options`, up to the end of the list; `MalformedError` if a length is wrong."""
        return parse_options(self.options)

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 20 bytes, a data offset below 5, and one beyond the bytes there."""
        return scan(Kind.TCP, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> TCP:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        start, header_end = span[0], span[1]
        (
            draft.src_port, draft.dst_port, draft.sequence_number, draft.acknowledgment_number, offset,
            draft.flags, draft.window, draft.checksum, draft.urgent_pointer,
        ) = _unpack(buf, start)  # fmt: skip
        draft.data_offset = offset >> 4
        draft.reserved = offset & 15
        draft.options = bytes(buf[start + 20 : header_end]) if header_end > start + 20 else b""
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive data offset and checksum."""
        derived = {}
        options, data_offset, checksum = self.options, self.data_offset, self.checksum
        if len(options) % 4:
            options += bytes(-len(options) % 4)
        if data_offset is None:
            data_offset = derived["data_offset"] = 5 + len(options) // 4
            if data_offset >> 4:
                raise self._too_big("data_offset", data_offset)
        offset = data_offset << 4 | self.reserved
        if checksum is None:
            content = options + content
            words = (
                self.src_port + self.dst_port + self.sequence_number + self.acknowledgment_number
                + (offset << 8 | self.flags) + self.window + self.urgent_pointer
                + pseudo_header_below(below, _PROTOCOL, 20 + len(content), self.NAME)
            )  # fmt: skip
            checksum = derived["checksum"] = internet_checksum(content, words)
        header = _STRUCT.pack(
            self.src_port, self.dst_port, self.sequence_number, self.acknowledgment_number,
            offset, self.flags, self.window, checksum, self.urgent_pointer,
        )  # fmt: skip
        return derived, header + options

    def replace(self, **changes: Unpack[TCPFields]) -> TCP:
        """A copy with *changes*."""
        return self._changed(changes)

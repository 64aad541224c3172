"""User Datagram Protocol, RFC 768.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          Source Port          |       Destination Port        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |            Length             |           Checksum            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Accepted unchecked: any ports, any checksum.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, final

from vxlanpkt.kernel import transport_checksum
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Below, Header, drafted, pseudo_header_below, scan

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!HHHH")
_unpack = _STRUCT.unpack_from
_PROTOCOL = 17


class UDPFields(TypedDict, total=False):
    """What `UDP.replace` takes."""

    src_port: int
    dst_port: int
    length: int | None
    checksum: int | None


@final
@drafted
@dataclass(frozen=True, slots=True)
class UDP(Header):
    """A UDP header, 8 bytes.

    src_port    16 bits  source port
    dst_port    16 bits  destination port: names what follows
    length      16 bits  header and content in bytes; derived
    checksum    16 bits  0 is "none"; derived over pseudo-header, header and content, 0 sent as 0xffff

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "UDP"
    KIND: ClassVar[Kind] = Kind.UDP
    BITS: ClassVar[dict[str, int]] = {"src_port": 16, "dst_port": 16, "length": 16, "checksum": 16}
    DERIVED: ClassVar[tuple[str, ...]] = ("length", "checksum")

    src_port: int
    dst_port: int
    length: int | None = None
    checksum: int | None = None

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 8 bytes, a length below 8, and one beyond the bytes there."""
        return scan(Kind.UDP, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> UDP:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        draft.src_port, draft.dst_port, draft.length, draft.checksum = _unpack(buf, span[0])
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive length and checksum. The checksum covers the bytes there, whatever the length says."""
        derived = {}
        actual = 8 + len(content)
        length, checksum = self.length, self.checksum
        if length is None:
            length = derived["length"] = actual
            if length >> 16:
                raise self._too_big("length", length)
        if checksum is None:
            words = self.src_port + self.dst_port + length + pseudo_header_below(below, _PROTOCOL, actual, self.NAME)
            checksum = derived["checksum"] = transport_checksum(content, words)
        return derived, _STRUCT.pack(self.src_port, self.dst_port, length, checksum)

    def replace(self, **changes: Unpack[UDPFields]) -> UDP:
        """A copy with *changes*."""
        return self._changed(changes)

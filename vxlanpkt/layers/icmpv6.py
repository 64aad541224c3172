"""Internet Control Message Protocol for IPv6, RFC 4443 section 2.1.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     Type      |     Code      |           Checksum            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         Message Body                          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

The body is a field of the header, so nothing follows: an error that quotes a packet is no tunnel.

Accepted unchecked: every type, code, body and checksum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, final

from vxlanpkt.kernel import internet_checksum
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Below, Header, drafted, pseudo_header_below, scan
from vxlanpkt.layers.messages import Echo, Message, PacketTooBig, Quote, as_body, decode_body, encode_body
from vxlanpkt.layers.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    Redirect,
    RouterAdvertisement,
    RouterSolicitation,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!BBH")
_unpack = _STRUCT.unpack_from
_PROTOCOL = 58
_MESSAGES: Mapping[int, type[Message]] = {
    1: Quote,
    2: PacketTooBig,
    3: Quote,
    128: Echo,
    129: Echo,
    133: RouterSolicitation,
    134: RouterAdvertisement,
    135: NeighborSolicitation,
    136: NeighborAdvertisement,
    137: Redirect,
}


class ICMPv6Fields(TypedDict, total=False):
    """What `ICMPv6.replace` takes."""

    type: int
    code: int
    checksum: int | None
    body: bytes | Message


@final
@drafted
@dataclass(frozen=True, slots=True)
class ICMPv6(Header):
    """An ICMPv6 message, header and body.

    type       8 bits
    code       8 bits
    checksum  16 bits  derived over pseudo-header, header and body
    body      bytes, or a message as a value where the type has one

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "ICMPv6"
    KIND: ClassVar[Kind] = Kind.ICMPV6
    BITS: ClassVar[dict[str, int]] = {"type": 8, "code": 8, "checksum": 16}
    DERIVED: ClassVar[tuple[str, ...]] = ("checksum",)

    type: int
    code: int = 0
    checksum: int | None = None
    body: bytes | Message = b""

    def __post_init__(self) -> None:
        # Named rather than super(): slots=True makes a second class, which super() would not know.
        Header.__post_init__(self)
        object.__setattr__(self, "body", as_body("ICMPv6", _MESSAGES, self.type, self.body))

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 4 bytes."""
        return scan(Kind.ICMPV6, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> ICMPv6:
        """Read a message that `scan` accepted."""
        draft: Any = cls.DRAFT()
        draft.type, draft.code, draft.checksum = _unpack(buf, span[0])
        draft.body = decode_body(_MESSAGES, draft.type, bytes(buf[span[0] + 4 : span[1]]))
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive the checksum."""
        body = encode_body(self.body)
        if self.checksum is not None:
            return {}, _STRUCT.pack(self.type, self.code, self.checksum) + body
        message = _STRUCT.pack(self.type, self.code, 0) + body + content
        pseudo_header = pseudo_header_below(below, _PROTOCOL, len(message), self.NAME)
        checksum = internet_checksum(message, pseudo_header)
        return {"checksum": checksum}, _STRUCT.pack(self.type, self.code, checksum) + body

    def replace(self, **changes: Unpack[ICMPv6Fields]) -> ICMPv6:
        """A copy with *changes*."""
        return self._changed(changes)

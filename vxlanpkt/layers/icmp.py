"""Internet Control Message Protocol, RFC 792.

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
from vxlanpkt.layers.base import Below, Header, drafted, scan
from vxlanpkt.layers.messages import Echo, Message, Quote, Unreachable, as_body, decode_body, encode_body

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!BBH")
_unpack = _STRUCT.unpack_from
_MESSAGES: Mapping[int, type[Message]] = {0: Echo, 8: Echo, 3: Unreachable, 11: Quote}


class ICMPFields(TypedDict, total=False):
    """What `ICMP.replace` takes."""

    type: int
    code: int
    checksum: int | None
    body: bytes | Message


@final
@drafted
@dataclass(frozen=True, slots=True)
class ICMP(Header):
    """An ICMP message, header and body.

    type       8 bits
    code       8 bits
    checksum  16 bits  derived over header and body
    body      bytes, or a message as a value where the type has one

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "ICMP"
    KIND: ClassVar[Kind] = Kind.ICMP
    BITS: ClassVar[dict[str, int]] = {"type": 8, "code": 8, "checksum": 16}
    DERIVED: ClassVar[tuple[str, ...]] = ("checksum",)

    type: int
    code: int = 0
    checksum: int | None = None
    body: bytes | Message = b""

    def __post_init__(self) -> None:
        # Named rather than super(): slots=True makes a second class, which super() would not know.
        Header.__post_init__(self)
        object.__setattr__(self, "body", as_body("ICMP", _MESSAGES, self.type, self.body))

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 4 bytes."""
        return scan(Kind.ICMP, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> ICMP:
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
        checksum = internet_checksum(message)
        return {"checksum": checksum}, _STRUCT.pack(self.type, self.code, checksum) + body

    def replace(self, **changes: Unpack[ICMPFields]) -> ICMP:
        """A copy with *changes*."""
        return self._changed(changes)

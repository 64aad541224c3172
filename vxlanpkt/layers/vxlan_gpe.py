"""Generic Protocol Extension for VXLAN, draft-ietf-nvo3-vxlan-gpe section 3.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |R|R|Ver|I|P|B|O|       Reserved                | Next Protocol |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                VXLAN Network Identifier (VNI) |   Reserved    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

While P is clear the next protocol means nothing and an Ethernet frame follows. NSH and other
protocols without a layer are payload.

Accepted unchecked: every bit; policies judge them.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, final

from vxlanpkt.errors import refused_field
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Below, Header, drafted, scan

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!BHBI")
_unpack = _STRUCT.unpack_from
_VERSION_BITS = 0x30


class VXLANGPEFields(TypedDict, total=False):
    """What `VXLANGPE.replace` takes."""

    vni: int
    next_protocol: int | None
    flags: int
    version: int
    reserved1: int
    reserved2: int


@final
@drafted
@dataclass(frozen=True, slots=True)
class VXLANGPE(Header):
    """A VXLAN-GPE header, 8 bytes.

    vni            24 bits  VXLAN network identifier
    next_protocol   8 bits  what follows: 1 IPv4, 2 IPv6, 3 Ethernet, 4 NSH; derived
    flags           6 bits  byte 0 without the version's two bits (0x30); 0x0c is I and P
    version         2 bits  0x30 of byte 0
    reserved1      16 bits  bytes 1-2
    reserved2       8 bits  byte 7

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "VXLANGPE"
    KIND: ClassVar[Kind] = Kind.VXLANGPE
    BITS: ClassVar[dict[str, int]] = {
        "vni": 24, "next_protocol": 8, "flags": 8, "version": 2, "reserved1": 16, "reserved2": 8,
    }  # fmt: skip
    DERIVED: ClassVar[tuple[str, ...]] = ("next_protocol",)
    NEXT_FIELD: ClassVar[str | None] = "next_protocol"
    TUNNEL: ClassVar[bool] = True

    vni: int
    next_protocol: int | None = None
    flags: int = 0x0C
    version: int = 0
    reserved1: int = 0
    reserved2: int = 0

    def __post_init__(self) -> None:
        # Named rather than super(): slots=True makes a second class, which super() would not know.
        Header.__post_init__(self)
        if self.flags & _VERSION_BITS:
            raise refused_field("VXLANGPE", "flags", self.flags, "clear in the bits 0x30, which are the version's", 8)

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 8 bytes."""
        return scan(Kind.VXLANGPE, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> VXLANGPE:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        first, draft.reserved1, draft.next_protocol, last = _unpack(buf, span[0])
        draft.vni = last >> 8
        draft.flags = first & ~_VERSION_BITS
        draft.version = first >> 4 & 3
        draft.reserved2 = last & 0xFF
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive the next protocol."""
        if self.next_protocol is not None:
            return {}, self._pack(self.next_protocol)
        value = self._checked_next(next_key)
        return {"next_protocol": value}, self._pack(value)

    def _pack(self, next_protocol: int) -> bytes:
        return _STRUCT.pack(
            self.flags | self.version << 4, self.reserved1, next_protocol, self.vni << 8 | self.reserved2
        )

    def replace(self, **changes: Unpack[VXLANGPEFields]) -> VXLANGPE:
        """A copy with *changes*."""
        return self._changed(changes)

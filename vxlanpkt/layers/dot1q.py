"""VLAN tag, IEEE 802.1Q section 9 (0x8100, and 0x88a8 for a service tag), at any depth.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    | PCP |D|          VID          |           EtherType           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

The EtherType that announces a tag belongs to the layer in front: derived it is 0x8100; write
0x88a8 there for a service tag.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, final

from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Below, Header, drafted, scan

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!HH")
_unpack = _STRUCT.unpack_from


class Dot1QFields(TypedDict, total=False):
    """What `Dot1Q.replace` takes."""

    vid: int
    pcp: int
    dei: int
    ethertype: int | None


@final
@drafted
@dataclass(frozen=True, slots=True)
class Dot1Q(Header):
    """A VLAN tag, the 4 bytes behind the EtherType that announced it.

    vid         12 bits  VLAN identifier
    pcp          3 bits  priority code point
    dei          1 bit   drop eligible indicator
    ethertype   16 bits  what follows; derived: the EtherType of the next layer

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "Dot1Q"
    KIND: ClassVar[Kind] = Kind.DOT1Q
    BITS: ClassVar[dict[str, int]] = {"vid": 12, "pcp": 3, "dei": 1, "ethertype": 16}
    DERIVED: ClassVar[tuple[str, ...]] = ("ethertype",)
    NEXT_FIELD: ClassVar[str | None] = "ethertype"

    vid: int
    pcp: int = 0
    dei: int = 0
    ethertype: int | None = None

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 4 bytes."""
        return scan(Kind.DOT1Q, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> Dot1Q:
        """Read a tag that `scan` accepted."""
        draft: Any = cls.DRAFT()
        control, draft.ethertype = _unpack(buf, span[0])
        draft.vid = control & 0xFFF
        draft.pcp = control >> 13
        draft.dei = control >> 12 & 1
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive the EtherType."""
        if self.ethertype is not None:
            return {}, self._pack(self.ethertype)
        value = self._checked_next(next_key)
        return {"ethertype": value}, self._pack(value)

    def _pack(self, ethertype: int) -> bytes:
        return _STRUCT.pack(self.pcp << 13 | self.dei << 12 | self.vid, ethertype)

    def replace(self, **changes: Unpack[Dot1QFields]) -> Dot1Q:
        """A copy with *changes*."""
        return self._changed(changes)

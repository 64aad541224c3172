"""Ethernet II, IEEE 802.3 section 3.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Destination Address                      |
    +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                               |                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+        Source Address         +
    |                                                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |           EtherType           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Accepted unchecked: an EtherType below 0x0600 (an 802.3 length): what follows is then payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, final

from vxlanpkt.addresses import MACAddress
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Address, Below, Header, drafted, freeze, held_mac, packed, scan, thawed

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!6s6sH")
_unpack = _STRUCT.unpack_from


class EthernetFields(TypedDict, total=False):
    """What `Ethernet.replace` takes."""

    dst: MACAddress | str | int | bytes
    src: MACAddress | str | int | bytes
    ethertype: int | None


@final
@drafted
@dataclass(frozen=True, slots=True, init=False)
class Ethernet(Header):
    """An Ethernet II header, 14 bytes.

    dst         48 bits  destination address
    src         48 bits  source address
    ethertype   16 bits  what follows; derived: the EtherType of the next layer

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "Ethernet"
    KIND: ClassVar[Kind] = Kind.ETHERNET
    BITS: ClassVar[dict[str, int]] = {"ethertype": 16}
    ADDRESSES: ClassVar[dict[str, type[Address]]] = {"dst": MACAddress, "src": MACAddress}
    _dst: ClassVar[Any]
    _src: ClassVar[Any]
    DERIVED: ClassVar[tuple[str, ...]] = ("ethertype",)
    NEXT_FIELD: ClassVar[str | None] = "ethertype"

    dst: MACAddress
    src: MACAddress
    ethertype: int | None

    def __init__(
        self,
        dst: MACAddress | str | int | bytes,
        src: MACAddress | str | int | bytes,
        ethertype: int | None = None,
    ) -> None:
        draft = thawed(self)
        draft.dst = held_mac("Ethernet", "dst", dst)
        draft.src = held_mac("Ethernet", "src", src)
        draft.ethertype = ethertype
        freeze(draft, Ethernet)

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 14 bytes."""
        return scan(Kind.ETHERNET, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> Ethernet:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        draft.dst, draft.src, draft.ethertype = _unpack(buf, span[0])
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive the EtherType."""
        if self.ethertype is not None:
            return {}, self._pack(self.ethertype)
        value = self._checked_next(next_key)
        return {"ethertype": value}, self._pack(value)

    def _pack(self, ethertype: int) -> bytes:
        return _STRUCT.pack(packed(self._dst), packed(self._src), ethertype)

    def replace(self, **changes: Unpack[EthernetFields]) -> Ethernet:
        """A copy with *changes*."""
        return self._changed(changes)

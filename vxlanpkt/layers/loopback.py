"""BSD loopback encapsulation, LINKTYPE_NULL (0) and LINKTYPE_LOOP (108).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         Address Family                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

NULL is in the byte order of the machine that captured, LOOP in network order. The order is read
off the bytes: little if one of the first two is set, as families are small numbers.

Accepted unchecked: any family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, final

from vxlanpkt.errors import refused_field
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Below, Header, drafted, scan

if TYPE_CHECKING:
    from typing_extensions import Unpack


class LoopbackFields(TypedDict, total=False):
    """What `Loopback.replace` takes."""

    family: int | None
    byte_order: Literal["big", "little"]


@final
@drafted
@dataclass(frozen=True, slots=True)
class Loopback(Header):
    """A loopback header, 4 bytes.

    family      32 bits  2 IPv4; 10, 24, 28 or 30 IPv6, by operating system; derived: 2 or 30
    byte_order  "big" or "little"

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "Loopback"
    KIND: ClassVar[Kind] = Kind.LOOPBACK
    BITS: ClassVar[dict[str, int]] = {"family": 32}
    DERIVED: ClassVar[tuple[str, ...]] = ("family",)
    NEXT_FIELD: ClassVar[str | None] = "family"

    family: int | None = None
    byte_order: Literal["big", "little"] = "big"

    def __post_init__(self) -> None:
        # Named rather than super(): slots=True makes a second class, which super() would not know.
        Header.__post_init__(self)
        if self.byte_order not in ("big", "little"):
            raise refused_field("Loopback", "byte_order", self.byte_order, '"big" or "little"')

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 4 bytes."""
        return scan(Kind.LOOPBACK, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> Loopback:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        start = span[0]
        draft.byte_order = "little" if buf[start] or buf[start + 1] else "big"
        draft.family = int.from_bytes(buf[start : start + 4], draft.byte_order)
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive the family."""
        if self.family is not None:
            return {}, self._pack(self.family)
        value = self._checked_next(next_key)
        return {"family": value}, self._pack(value)

    def _pack(self, family: int) -> bytes:
        return family.to_bytes(4, self.byte_order)

    def replace(self, **changes: Unpack[LoopbackFields]) -> Loopback:
        """A copy with *changes*."""
        return self._changed(changes)

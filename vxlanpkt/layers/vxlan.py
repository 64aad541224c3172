"""Virtual eXtensible Local Area Network, RFC 7348 section 5, with the group policy extension.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |R|R|R|R|I|R|R|R|                   Reserved                    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                VXLAN Network Identifier (VNI) |   Reserved    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

With group policy (draft-smith-vxlan-group-policy) bit 0 is G, and while G is set bit 9 is D (don't
learn), bit 12 is A (policy applied) and bits 16-31 are the group policy ID.

Accepted unchecked: every bit, I clear included; policies judge them.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypedDict, final

from vxlanpkt.assigned import GBPFlags, VXLANFlags
from vxlanpkt.errors import misfit
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Below, Header, drafted, scan

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!II")
_unpack = _STRUCT.unpack_from
_G, _D, _A = int(VXLANFlags.G), int(GBPFlags.D), int(GBPFlags.A)


class GroupPolicy(NamedTuple):
    """The group policy of a VXLAN header: the 16-bit ID, and the D and A flags."""

    policy_id: int
    dont_learn: bool = False
    applied: bool = False


class VXLANFields(TypedDict, total=False):
    """What `VXLAN.replace` takes."""

    vni: int
    flags: int
    reserved1: int
    reserved2: int


@final
@drafted
@dataclass(frozen=True, slots=True)
class VXLAN(Header):
    """A VXLAN header, 8 bytes.

    vni         24 bits  VXLAN network identifier
    flags        8 bits  byte 0; 0x08 is I: the VNI is valid
    reserved1   24 bits  bytes 1-3
    reserved2    8 bits  byte 7

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "VXLAN"
    KIND: ClassVar[Kind] = Kind.VXLAN
    BITS: ClassVar[dict[str, int]] = {"vni": 24, "flags": 8, "reserved1": 24, "reserved2": 8}
    TUNNEL: ClassVar[bool] = True

    vni: int
    flags: int = 0x08
    reserved1: int = 0
    reserved2: int = 0

    @classmethod
    def with_group_policy(
        cls, vni: int, policy_id: int, *, dont_learn: bool = False, applied: bool = False, flags: int = 0x88
    ) -> VXLAN:
        """A header with the G flag and a 16-bit group policy ID."""
        if not isinstance(policy_id, int) or policy_id >> 16:
            raise misfit("VXLAN", "policy_id", policy_id, 16)
        return cls(vni, flags, (_D * dont_learn | _A * applied) << 16 | policy_id)

    @property
    def group_policy(self) -> GroupPolicy | None:
        """The group policy, or None while G is clear: the bits mean nothing then."""
        if not self.flags & _G:
            return None
        bits = self.reserved1 >> 16
        return GroupPolicy(self.reserved1 & 0xFFFF, bool(bits & _D), bool(bits & _A))

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 8 bytes."""
        return scan(Kind.VXLAN, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> VXLAN:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        first, second = _unpack(buf, span[0])
        draft.vni = second >> 8
        draft.flags = first >> 24
        draft.reserved1 = first & 0xFFFFFF
        draft.reserved2 = second & 0xFF
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive nothing."""
        return {}, _STRUCT.pack(self.flags << 24 | self.reserved1, self.vni << 8 | self.reserved2)

    def replace(self, **changes: Unpack[VXLANFields]) -> VXLAN:
        """A copy with *changes*."""
        return self._changed(changes)

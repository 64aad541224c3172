"""Linux cooked capture, LINKTYPE_LINUX_SLL (113): what a capture on "any" has in place of Ethernet.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          Packet Type          |          ARPHRD_ Type         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Link-Layer Address Length   |                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
    |                   Link-Layer Address, 8 bytes                 |
    +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                               |         Protocol Type         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Accepted unchecked: every field; an address longer than 8 bytes was cut by the capture. A protocol
type that is no EtherType (802.2, CAN ...) is followed by payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, final

from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import refused_field
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Below, Header, as_bytes, drafted, freeze, scan, thawed

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!HHH8sH")
_unpack = _STRUCT.unpack_from


class LinuxSLLFields(TypedDict, total=False):
    """What `LinuxSLL.replace` takes."""

    packet_type: int
    arphrd_type: int
    address_length: int
    address: MACAddress | bytes
    protocol: int | None


@final
@drafted
@dataclass(frozen=True, slots=True, init=False)
class LinuxSLL(Header):
    """A header of Linux cooked capture, 16 bytes.

    packet_type     16 bits  0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 from us
    arphrd_type     16 bits  the kind of device: 1 Ethernet, 772 loopback ...
    address_length  16 bits  how many bytes of `address` count
    address         64 bits  link-layer address of the sender, padded with zeros
    protocol        16 bits  what follows; derived: the EtherType of the next layer

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "LinuxSLL"
    KIND: ClassVar[Kind] = Kind.LINUX_SLL
    BITS: ClassVar[dict[str, int]] = {"packet_type": 16, "arphrd_type": 16, "address_length": 16, "protocol": 16}
    DERIVED: ClassVar[tuple[str, ...]] = ("protocol",)
    NEXT_FIELD: ClassVar[str | None] = "protocol"

    packet_type: int
    arphrd_type: int
    address_length: int
    address: bytes
    protocol: int | None

    def __init__(
        self,
        packet_type: int = 0,
        arphrd_type: int = 1,
        address_length: int = 6,
        address: MACAddress | bytes = b"",
        protocol: int | None = None,
    ) -> None:
        packed = address.packed if isinstance(address, MACAddress) else as_bytes("LinuxSLL", "address", address)
        if len(packed) > 8:
            raise refused_field("LinuxSLL", "address", address, "at most 8 bytes", 64)
        draft = thawed(self)
        draft.packet_type = packet_type
        draft.arphrd_type = arphrd_type
        draft.address_length = address_length
        draft.address = packed.ljust(8, b"\0")
        draft.protocol = protocol
        freeze(draft, LinuxSLL)

    @property
    def mac(self) -> MACAddress | None:
        """The address as a MAC address, if it is 6 bytes long."""
        return MACAddress(self.address[:6]) if self.address_length == 6 else None

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 16 bytes."""
        return scan(Kind.LINUX_SLL, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> LinuxSLL:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        (
            draft.packet_type, draft.arphrd_type, draft.address_length, draft.address, draft.protocol
        ) = _unpack(buf, span[0])  # fmt: skip
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive the protocol."""
        if self.protocol is not None:
            return {}, self._pack(self.protocol)
        value = self._checked_next(next_key)
        return {"protocol": value}, self._pack(value)

    def _pack(self, protocol: int) -> bytes:
        return _STRUCT.pack(self.packet_type, self.arphrd_type, self.address_length, self.address, protocol)

    def replace(self, **changes: Unpack[LinuxSLLFields]) -> LinuxSLL:
        """A copy with *changes*."""
        return self._changed(changes)

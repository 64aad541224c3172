"""Linux cooked capture version 2, LINKTYPE_LINUX_SLL2 (276), which also names the interface.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |         Protocol Type         |           Reserved            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                        Interface Index                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          ARPHRD_ Type         |  Packet Type  | Addr. Length  |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                                                               |
    +                  Link-Layer Address, 8 bytes                  +
    |                                                               |
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

_STRUCT = Struct("!HHIHBB8s")
_unpack = _STRUCT.unpack_from


class LinuxSLL2Fields(TypedDict, total=False):
    """What `LinuxSLL2.replace` takes."""

    protocol: int | None
    interface_index: int
    arphrd_type: int
    packet_type: int
    address_length: int
    address: MACAddress | bytes
    reserved: int


@final
@drafted
@dataclass(frozen=True, slots=True, init=False)
class LinuxSLL2(Header):
    """A header of Linux cooked capture version 2, 20 bytes.

    protocol         16 bits  what follows; derived: the EtherType of the next layer
    interface_index  32 bits  of the interface that the frame was seen on
    arphrd_type      16 bits  the kind of device: 1 Ethernet, 772 loopback ...
    packet_type       8 bits  0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 from us
    address_length    8 bits  how many bytes of `address` count
    address          64 bits  link-layer address of the sender, padded with zeros
    reserved         16 bits

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "LinuxSLL2"
    KIND: ClassVar[Kind] = Kind.LINUX_SLL2
    BITS: ClassVar[dict[str, int]] = {
        "protocol": 16, "interface_index": 32, "arphrd_type": 16, "packet_type": 8, "address_length": 8, "reserved": 16,
    }  # fmt: skip
    DERIVED: ClassVar[tuple[str, ...]] = ("protocol",)
    NEXT_FIELD: ClassVar[str | None] = "protocol"

    protocol: int | None
    interface_index: int
    arphrd_type: int
    packet_type: int
    address_length: int
    address: bytes
    reserved: int

    def __init__(
        self,
        protocol: int | None = None,
        interface_index: int = 0,
        arphrd_type: int = 1,
        packet_type: int = 0,
        address_length: int = 6,
        address: MACAddress | bytes = b"",
        reserved: int = 0,
    ) -> None:
        packed = address.packed if isinstance(address, MACAddress) else as_bytes("LinuxSLL2", "address", address)
        if len(packed) > 8:
            raise refused_field("LinuxSLL2", "address", address, "at most 8 bytes", 64)
        draft = thawed(self)
        draft.protocol = protocol
        draft.interface_index = interface_index
        draft.arphrd_type = arphrd_type
        draft.packet_type = packet_type
        draft.address_length = address_length
        draft.address = packed.ljust(8, b"\0")
        draft.reserved = reserved
        freeze(draft, LinuxSLL2)

    @property
    def mac(self) -> MACAddress | None:
        """The address as a MAC address, if it is 6 bytes long."""
        return MACAddress(self.address[:6]) if self.address_length == 6 else None

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 20 bytes."""
        return scan(Kind.LINUX_SLL2, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> LinuxSLL2:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        (
            draft.protocol, draft.reserved, draft.interface_index, draft.arphrd_type,
            draft.packet_type, draft.address_length, draft.address,
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
        return _STRUCT.pack(
            protocol, self.reserved, self.interface_index, self.arphrd_type,
            self.packet_type, self.address_length, self.address,
        )  # fmt: skip

    def replace(self, **changes: Unpack[LinuxSLL2Fields]) -> LinuxSLL2:
        """A copy with *changes*."""
        return self._changed(changes)

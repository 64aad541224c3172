"""Address Resolution Protocol, RFC 826.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |         Hardware Type         |         Protocol Type         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  Hw. Length   | Prot. Length  |           Operation           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Sender MAC Address                       |
    +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                               |       Sender IP Address       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                               |                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+      Target MAC Address       +
    |                                                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       Target IP Address                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Accepted unchecked: types, operation and addresses. A message whose lengths are not 6 and 4 is read
too; its addresses are then the bytes of `raw_addresses`.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, final

from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import BuildError
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import (
    Address,
    Below,
    Header,
    as_bytes,
    drafted,
    freeze,
    held_ipv4,
    held_mac,
    packed,
    scan,
    thawed,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!HHBBH")
_unpack = _STRUCT.unpack_from
_ADDRESSES = Struct("!6s4s6s4s")
_NO_MAC = MACAddress(0)
_NO_IP = IPv4Address(0)


class ARPFields(TypedDict, total=False):
    """What `ARP.replace` takes."""

    operation: int
    sender_mac: MACAddress | str | int | bytes
    sender_ip: IPv4Address | str | int | bytes
    target_mac: MACAddress | str | int | bytes
    target_ip: IPv4Address | str | int | bytes
    hardware_type: int
    protocol_type: int
    hardware_length: int | None
    protocol_length: int | None
    raw_addresses: bytes | None


@final
@drafted
@dataclass(frozen=True, slots=True, init=False)
class ARP(Header):
    """An ARP message, 28 bytes for Ethernet and IPv4.

    operation        16 bits  1 request, 2 reply
    sender_mac       48 bits  sender hardware address
    sender_ip        32 bits  sender protocol address
    target_mac       48 bits  target hardware address
    target_ip        32 bits  target protocol address
    hardware_type    16 bits  1 Ethernet
    protocol_type    16 bits  0x0800 IPv4
    hardware_length   8 bits  bytes of a hardware address; derived: 6, but not for raw addresses
    protocol_length   8 bits  bytes of a protocol address; derived: 4, but not for raw addresses
    raw_addresses    None, or the bytes to send in place of the four addresses; set by parse if the
                     lengths are not 6 and 4, the four addresses being unspecified (zero) then

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "ARP"
    KIND: ClassVar[Kind] = Kind.ARP
    BITS: ClassVar[dict[str, int]] = {
        "operation": 16, "hardware_type": 16, "protocol_type": 16, "hardware_length": 8, "protocol_length": 8,
    }  # fmt: skip
    ADDRESSES: ClassVar[dict[str, type[Address]]] = {
        "sender_mac": MACAddress, "sender_ip": IPv4Address, "target_mac": MACAddress, "target_ip": IPv4Address,
    }  # fmt: skip
    _sender_mac: ClassVar[Any]
    _sender_ip: ClassVar[Any]
    _target_mac: ClassVar[Any]
    _target_ip: ClassVar[Any]
    DERIVED: ClassVar[tuple[str, ...]] = ("hardware_length", "protocol_length")
    RECOMPUTED: ClassVar[tuple[str, ...] | None] = ()  # the lengths belong to the types, not to the content

    operation: int
    sender_mac: MACAddress
    sender_ip: IPv4Address
    target_mac: MACAddress
    target_ip: IPv4Address
    hardware_type: int
    protocol_type: int
    hardware_length: int | None
    protocol_length: int | None
    raw_addresses: bytes | None

    def __init__(
        self,
        operation: int,
        sender_mac: MACAddress | str | int | bytes,
        sender_ip: IPv4Address | str | int | bytes,
        target_mac: MACAddress | str | int | bytes,
        target_ip: IPv4Address | str | int | bytes,
        hardware_type: int = 1,
        protocol_type: int = 0x0800,
        hardware_length: int | None = None,
        protocol_length: int | None = None,
        raw_addresses: bytes | None = None,
    ) -> None:
        draft = thawed(self)
        draft.operation = operation
        draft.sender_mac = held_mac("ARP", "sender_mac", sender_mac)
        draft.sender_ip = held_ipv4("ARP", "sender_ip", sender_ip)
        draft.target_mac = held_mac("ARP", "target_mac", target_mac)
        draft.target_ip = held_ipv4("ARP", "target_ip", target_ip)
        draft.hardware_type = hardware_type
        draft.protocol_type = protocol_type
        draft.hardware_length = hardware_length
        draft.protocol_length = protocol_length
        raw = None if raw_addresses is None else as_bytes("ARP", "raw_addresses", raw_addresses)
        draft.raw_addresses = raw
        freeze(draft, ARP)

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse fewer than 8 bytes, and fewer than the two lengths ask for."""
        return scan(Kind.ARP, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> ARP:
        """Read a message that `scan` accepted."""
        draft: Any = cls.DRAFT()
        start, header_end = span[0], span[1]
        (
            draft.hardware_type, draft.protocol_type, draft.hardware_length, draft.protocol_length, draft.operation
        ) = _unpack(buf, start)  # fmt: skip
        if draft.hardware_length == 6 and draft.protocol_length == 4:
            (
                draft.sender_mac, draft.sender_ip, draft.target_mac, draft.target_ip
            ) = _ADDRESSES.unpack_from(buf, start + 8)  # fmt: skip
            draft.raw_addresses = None
        else:
            draft.sender_mac = draft.target_mac = _NO_MAC
            draft.sender_ip = draft.target_ip = _NO_IP
            draft.raw_addresses = bytes(buf[start + 8 : header_end])
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive the two lengths."""
        derived = {}
        hardware_length, protocol_length = self.hardware_length, self.protocol_length
        addresses = self.raw_addresses
        if addresses is not None and (hardware_length is None or protocol_length is None):
            field = "hardware_length" if hardware_length is None else "protocol_length"
            raise BuildError(f"ARP.{field} cannot be derived: raw addresses do not say it", layer="ARP", field=field)
        if hardware_length is None:
            hardware_length = derived["hardware_length"] = 6
        if protocol_length is None:
            protocol_length = derived["protocol_length"] = 4
        if addresses is None:
            addresses = _ADDRESSES.pack(
                packed(self._sender_mac), packed(self._sender_ip), packed(self._target_mac), packed(self._target_ip)
            )
        fixed = _STRUCT.pack(
            self.hardware_type, self.protocol_type, hardware_length, protocol_length, self.operation
        )  # fmt: skip
        return derived, fixed + addresses

    def replace(self, **changes: Unpack[ARPFields]) -> ARP:
        """A copy with *changes*. While addresses are raw, None leaves a length as it is: nothing else says it."""
        if self.raw_addresses is not None and changes.get("raw_addresses", b"") is not None:
            return self._changed(
                {name: value for name, value in changes.items() if value is not None or name not in self.DERIVED}
            )
        return self._changed(changes)

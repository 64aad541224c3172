"""Neighbour discovery, RFC 4861 section 4: the bodies of ICMPv6 types 133 to 137, and their options.

`options` are the wire's bytes; `parsed_options()` is a view of them, which refuses a length of 0
(RFC 4861 section 4.6: such a packet MUST be discarded), one beyond the message, and one that is
not the type's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from struct import Struct
from typing import ClassVar, final

from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import MalformedError, Reason
from vxlanpkt.layers.base import as_ipv6, as_mac
from vxlanpkt.layers.parts import Part, encode_options, set_part

_LONG = Struct("!I")
_ADVERTISEMENT = Struct("!BBHII")
_PREFIX = Struct("!BBBBIII16s")
_MTU = Struct("!BBHI")
_ROUTER, _SOLICITED, _OVERRIDE = 1 << 31, 1 << 30, 1 << 29
_FLAGS = _ROUTER | _SOLICITED | _OVERRIDE
_ON_LINK, _AUTONOMOUS = 0x80, 0x40
_LONGEST = 255 * 8


# -- options


@final
@dataclass(frozen=True, slots=True)
class NDOption(Part):
    """An option known by its shape alone: type, length in 8-byte units, data.

    type   8 bits
    data  up to 2038 bytes behind the length byte: 6, or 8n more; padded with zeros if not
    """

    BITS: ClassVar[dict[str, int]] = {"type": 8}
    LIMITS: ClassVar[dict[str, int | None]] = {"data": _LONGEST - 2}

    type: int
    data: bytes = b""

    def encode(self) -> bytes:
        """The bytes of the option, padded with zeros to a multiple of 8."""
        data = self.data + bytes(-(len(self.data) + 2) % 8)
        return bytes((self.type, (len(data) + 2) // 8)) + data


@final
@dataclass(frozen=True, slots=True, init=False)
class SourceLinkLayerAddress(Part):
    """The link-layer address of the sender, RFC 4861 section 4.6.1, on Ethernet.

    address  48 bits
    """

    type: ClassVar[int] = 1

    address: MACAddress

    def __init__(self, address: MACAddress | str | int | bytes) -> None:
        set_part(self, "address", as_mac("SourceLinkLayerAddress", "address", address))

    def encode(self) -> bytes:
        """The bytes of the option."""
        return b"\1\1" + self.address.packed


@final
@dataclass(frozen=True, slots=True, init=False)
class TargetLinkLayerAddress(Part):
    """The link-layer address of the target, RFC 4861 section 4.6.1, on Ethernet.

    address  48 bits
    """

    type: ClassVar[int] = 2

    address: MACAddress

    def __init__(self, address: MACAddress | str | int | bytes) -> None:
        set_part(self, "address", as_mac("TargetLinkLayerAddress", "address", address))

    def encode(self) -> bytes:
        """The bytes of the option."""
        return b"\2\1" + self.address.packed


@final
@dataclass(frozen=True, slots=True, init=False)
class PrefixInformation(Part):
    """A prefix that a router advertises, RFC 4861 section 4.6.2.

    prefix              128 bits
    prefix_length         8 bits  bits of the prefix that count
    on_link               1 bit   L
    autonomous            1 bit   A
    valid_lifetime       32 bits  seconds; all ones for ever
    preferred_lifetime   32 bits  seconds; all ones for ever
    reserved1             6 bits
    reserved2            32 bits
    """

    type: ClassVar[int] = 3
    BITS: ClassVar[dict[str, int]] = {
        "prefix_length": 8, "valid_lifetime": 32, "preferred_lifetime": 32, "reserved1": 6, "reserved2": 32,
    }  # fmt: skip

    prefix: IPv6Address
    prefix_length: int
    on_link: bool
    autonomous: bool
    valid_lifetime: int
    preferred_lifetime: int
    reserved1: int
    reserved2: int

    def __init__(
        self,
        prefix: IPv6Address | str | int | bytes,
        prefix_length: int = 64,
        on_link: bool = True,
        autonomous: bool = True,
        valid_lifetime: int = 0xFFFFFFFF,
        preferred_lifetime: int = 0xFFFFFFFF,
        reserved1: int = 0,
        reserved2: int = 0,
    ) -> None:
        set_part(self, "prefix", as_ipv6("PrefixInformation", "prefix", prefix))
        set_part(self, "prefix_length", prefix_length)
        set_part(self, "on_link", bool(on_link))
        set_part(self, "autonomous", bool(autonomous))
        set_part(self, "valid_lifetime", valid_lifetime)
        set_part(self, "preferred_lifetime", preferred_lifetime)
        set_part(self, "reserved1", reserved1)
        set_part(self, "reserved2", reserved2)
        self.__post_init__()

    def encode(self) -> bytes:
        """The bytes of the option."""
        return _PREFIX.pack(
            3, 4, self.prefix_length, _ON_LINK * self.on_link | _AUTONOMOUS * self.autonomous | self.reserved1,
            self.valid_lifetime, self.preferred_lifetime, self.reserved2, self.prefix.packed,
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class RedirectedHeader(Part):
    """The start of the packet that is redirected, RFC 4861 section 4.6.3.

    packet    padded with zeros to a multiple of 8
    reserved  48 bits
    """

    type: ClassVar[int] = 4
    BITS: ClassVar[dict[str, int]] = {"reserved": 48}
    LIMITS: ClassVar[dict[str, int | None]] = {"packet": _LONGEST - 8}

    packet: bytes
    reserved: int = 0

    def encode(self) -> bytes:
        """The bytes of the option, padded with zeros to a multiple of 8."""
        packet = self.packet + bytes(-len(self.packet) % 8)
        return bytes((4, 1 + len(packet) // 8)) + self.reserved.to_bytes(6, "big") + packet


@final
@dataclass(frozen=True, slots=True)
class MTU(Part):
    """The MTU of the link, RFC 4861 section 4.6.4.

    mtu       32 bits  bytes
    reserved  16 bits
    """

    type: ClassVar[int] = 5
    BITS: ClassVar[dict[str, int]] = {"mtu": 32, "reserved": 16}

    mtu: int
    reserved: int = 0

    def encode(self) -> bytes:
        """The bytes of the option."""
        return _MTU.pack(5, 1, self.reserved, self.mtu)


AnyNDOption = SourceLinkLayerAddress | TargetLinkLayerAddress | PrefixInformation | RedirectedHeader | MTU | NDOption
_TYPES = (SourceLinkLayerAddress, TargetLinkLayerAddress, PrefixInformation, RedirectedHeader, MTU, NDOption)
_LENGTHS = {3: 32, 5: 8}


def _parse(options: bytes, start: int) -> tuple[AnyNDOption, ...]:
    """The options of a message in which they begin at byte *start*."""
    found: list[AnyNDOption] = []
    at = 0
    while at < len(options):
        kind, left = options[at], len(options) - at
        length = options[at + 1] * 8 if left > 1 else 0
        if not 0 < length <= left or _LENGTHS.get(kind, length) != length:
            raise MalformedError(
                f"ICMPv6 option {kind} at byte {start + at}: length {length} of {left} bytes left",
                reason=Reason.ND_OPTION_LENGTH, layer="ICMPv6", offset=start + at, packet=None,
                field="options", value=length // 8,
            )  # fmt: skip
        found.append(_decode(kind, options[at : at + length]))
        at += length
    return tuple(found)


def _decode(kind: int, option: bytes) -> AnyNDOption:
    if kind == SourceLinkLayerAddress.type and len(option) == 8:
        return SourceLinkLayerAddress(option[2:])
    if kind == TargetLinkLayerAddress.type and len(option) == 8:
        return TargetLinkLayerAddress(option[2:])
    if kind == PrefixInformation.type:
        _, _, length, flags, valid, preferred, reserved, prefix = _PREFIX.unpack(option)
        on_link, autonomous = bool(flags & _ON_LINK), bool(flags & _AUTONOMOUS)
        return PrefixInformation(prefix, length, on_link, autonomous, valid, preferred, flags & 0x3F, reserved)
    if kind == RedirectedHeader.type:
        return RedirectedHeader(option[8:], int.from_bytes(option[2:8], "big"))
    if kind == MTU.type:
        _, _, reserved, mtu = _MTU.unpack(option)
        return MTU(mtu, reserved)
    return NDOption(kind, option[2:])


# -- messages


class _Discovery(Part):
    """What the five messages share: options, which follow SIZE bytes of the body."""

    __slots__ = ()

    SIZE: ClassVar[int]
    options: bytes

    def parsed_options(self) -> tuple[AnyNDOption, ...]:
        """A view of `options`; `MalformedError` if a length is wrong."""
        return _parse(self.options, 4 + self.SIZE)

    def _set_options(self, options: bytes | Iterable[AnyNDOption]) -> None:
        set_part(self, "options", encode_options(type(self).__name__, options, _TYPES))


@final
@dataclass(frozen=True, slots=True, init=False)
class RouterSolicitation(_Discovery):
    """Router solicitation, RFC 4861 section 4.1.

    reserved  32 bits
    options   as on the wire, or options, which become these bytes
    """

    SIZE: ClassVar[int] = 4
    BITS: ClassVar[dict[str, int]] = {"reserved": 32}

    reserved: int
    options: bytes

    def __init__(self, reserved: int = 0, options: bytes | Iterable[AnyNDOption] = b"") -> None:
        set_part(self, "reserved", reserved)
        self._set_options(options)
        self.__post_init__()

    @classmethod
    def decode(cls, body: bytes) -> RouterSolicitation:
        """Read a body of at least 4 bytes."""
        (reserved,) = _LONG.unpack_from(body)
        return cls(reserved, body[4:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _LONG.pack(self.reserved) + self.options


@final
@dataclass(frozen=True, slots=True, init=False)
class RouterAdvertisement(_Discovery):
    """Router advertisement, RFC 4861 section 4.2.

    hop_limit        8 bits  to use; 0 unspecified
    flags            8 bits  0x80 managed, 0x40 other configuration, the rest reserved
    router_lifetime 16 bits  seconds
    reachable_time  32 bits  milliseconds
    retrans_timer   32 bits  milliseconds
    options         as on the wire, or options, which become these bytes
    """

    SIZE: ClassVar[int] = 12
    BITS: ClassVar[dict[str, int]] = {
        "hop_limit": 8, "flags": 8, "router_lifetime": 16, "reachable_time": 32, "retrans_timer": 32,
    }  # fmt: skip

    hop_limit: int
    flags: int
    router_lifetime: int
    reachable_time: int
    retrans_timer: int
    options: bytes

    def __init__(
        self,
        hop_limit: int = 0,
        flags: int = 0,
        router_lifetime: int = 0,
        reachable_time: int = 0,
        retrans_timer: int = 0,
        options: bytes | Iterable[AnyNDOption] = b"",
    ) -> None:
        set_part(self, "hop_limit", hop_limit)
        set_part(self, "flags", flags)
        set_part(self, "router_lifetime", router_lifetime)
        set_part(self, "reachable_time", reachable_time)
        set_part(self, "retrans_timer", retrans_timer)
        self._set_options(options)
        self.__post_init__()

    @classmethod
    def decode(cls, body: bytes) -> RouterAdvertisement:
        """Read a body of at least 12 bytes."""
        hop_limit, flags, lifetime, reachable, retrans = _ADVERTISEMENT.unpack_from(body)
        return cls(hop_limit, flags, lifetime, reachable, retrans, body[12:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _ADVERTISEMENT.pack(
            self.hop_limit, self.flags, self.router_lifetime, self.reachable_time, self.retrans_timer
        ) + self.options  # fmt: skip


@final
@dataclass(frozen=True, slots=True, init=False)
class NeighborSolicitation(_Discovery):
    """Neighbour solicitation, RFC 4861 section 4.3.

    target   128 bits  the address that is asked for
    options  as on the wire, or options, which become these bytes
    reserved  32 bits
    """

    SIZE: ClassVar[int] = 20
    BITS: ClassVar[dict[str, int]] = {"reserved": 32}

    target: IPv6Address
    options: bytes
    reserved: int

    def __init__(
        self,
        target: IPv6Address | str | int | bytes,
        options: bytes | Iterable[AnyNDOption] = b"",
        reserved: int = 0,
    ) -> None:
        set_part(self, "target", as_ipv6("NeighborSolicitation", "target", target))
        self._set_options(options)
        set_part(self, "reserved", reserved)
        self.__post_init__()

    @classmethod
    def decode(cls, body: bytes) -> NeighborSolicitation:
        """Read a body of at least 20 bytes."""
        return cls(body[4:20], body[20:], *_LONG.unpack_from(body))

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _LONG.pack(self.reserved) + self.target.packed + self.options


@final
@dataclass(frozen=True, slots=True, init=False)
class NeighborAdvertisement(_Discovery):
    """Neighbour advertisement, RFC 4861 section 4.4.

    target     128 bits  the address that is told of
    router       1 bit   R
    solicited    1 bit   S
    override     1 bit   O
    options    as on the wire, or options, which become these bytes
    reserved    29 bits
    """

    SIZE: ClassVar[int] = 20
    BITS: ClassVar[dict[str, int]] = {"reserved": 29}

    target: IPv6Address
    router: bool
    solicited: bool
    override: bool
    options: bytes
    reserved: int

    def __init__(
        self,
        target: IPv6Address | str | int | bytes,
        router: bool = False,
        solicited: bool = False,
        override: bool = False,
        options: bytes | Iterable[AnyNDOption] = b"",
        reserved: int = 0,
    ) -> None:
        set_part(self, "target", as_ipv6("NeighborAdvertisement", "target", target))
        set_part(self, "router", bool(router))
        set_part(self, "solicited", bool(solicited))
        set_part(self, "override", bool(override))
        self._set_options(options)
        set_part(self, "reserved", reserved)
        self.__post_init__()

    @classmethod
    def decode(cls, body: bytes) -> NeighborAdvertisement:
        """Read a body of at least 20 bytes."""
        (first,) = _LONG.unpack_from(body)
        return cls(
            body[4:20], bool(first & _ROUTER), bool(first & _SOLICITED), bool(first & _OVERRIDE), body[20:],
            first & ~_FLAGS,
        )  # fmt: skip

    def encode(self) -> bytes:
        """The bytes of the body."""
        first = self.reserved | _ROUTER * self.router | _SOLICITED * self.solicited | _OVERRIDE * self.override
        return _LONG.pack(first) + self.target.packed + self.options


@final
@dataclass(frozen=True, slots=True, init=False)
class Redirect(_Discovery):
    """Redirect, RFC 4861 section 4.5.

    target       128 bits  the better first hop
    destination  128 bits  what it is better for
    options      as on the wire, or options, which become these bytes
    reserved      32 bits
    """

    SIZE: ClassVar[int] = 36
    BITS: ClassVar[dict[str, int]] = {"reserved": 32}

    target: IPv6Address
    destination: IPv6Address
    options: bytes
    reserved: int

    def __init__(
        self,
        target: IPv6Address | str | int | bytes,
        destination: IPv6Address | str | int | bytes,
        options: bytes | Iterable[AnyNDOption] = b"",
        reserved: int = 0,
    ) -> None:
        set_part(self, "target", as_ipv6("Redirect", "target", target))
        set_part(self, "destination", as_ipv6("Redirect", "destination", destination))
        self._set_options(options)
        set_part(self, "reserved", reserved)
        self.__post_init__()

    @classmethod
    def decode(cls, body: bytes) -> Redirect:
        """Read a body of at least 36 bytes."""
        return cls(body[4:20], body[20:36], body[36:], *_LONG.unpack_from(body))

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _LONG.pack(self.reserved) + self.target.packed + self.destination.packed + self.options

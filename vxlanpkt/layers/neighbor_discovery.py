"""Neighbour discovery, RFC 4861 section 4: the bodies of ICMPv6 types 133 to 137, and their options.

`options` are the wire's bytes; `parsed_options()` is a view of them, which refuses a length of 0
(RFC 4861 section 4.6: such a packet MUST be discarded) and one beyond the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address
from struct import Struct
from typing import ClassVar, NamedTuple

from vxlanpkt.addresses import MACAddress
from vxlanpkt.assigned import NDOptionType
from vxlanpkt.errors import MalformedError, Reason
from vxlanpkt.layers.base import as_ipv6
from vxlanpkt.layers.messages import check_bytes, check_widths

_LONG = Struct("!I")
_ADVERTISEMENT = Struct("!BBHII")
_PREFIX = Struct("!BBIII16s")
_ROUTER, _SOLICITED, _OVERRIDE = 1 << 31, 1 << 30, 1 << 29
_FLAGS = _ROUTER | _SOLICITED | _OVERRIDE


class NDOption(NamedTuple):
    """One option: its type, and its data without type and length (6 bytes, or 8n more)."""

    type: int
    data: bytes = b""

    @classmethod
    def source_link_layer(cls, mac: MACAddress | str | bytes | int) -> NDOption:
        """Source link-layer address, RFC 4861 section 4.6.1."""
        return cls(NDOptionType.SOURCE_LINK_LAYER_ADDRESS, MACAddress(mac).packed)

    @classmethod
    def target_link_layer(cls, mac: MACAddress | str | bytes | int) -> NDOption:
        """Target link-layer address, RFC 4861 section 4.6.1."""
        return cls(NDOptionType.TARGET_LINK_LAYER_ADDRESS, MACAddress(mac).packed)

    @classmethod
    def mtu(cls, mtu: int) -> NDOption:
        """MTU, RFC 4861 section 4.6.4."""
        return cls(NDOptionType.MTU, b"\0\0" + mtu.to_bytes(4, "big"))

    @property
    def mac(self) -> MACAddress | None:
        """The address of a link-layer address option on Ethernet, else None."""
        return MACAddress(self.data) if self.type in (1, 2) and len(self.data) == 6 else None

    @property
    def prefix(self) -> PrefixInformation | None:
        """The content of a prefix information option, else None."""
        if self.type != NDOptionType.PREFIX_INFORMATION or len(self.data) != 30:
            return None
        length, flags, valid, preferred, _, prefix = _PREFIX.unpack(self.data)
        return PrefixInformation(
            IPv6Address(prefix), length, bool(flags & 0x80), bool(flags & 0x40), valid, preferred
        )  # fmt: skip

    def encode(self) -> bytes:
        """The bytes of the option, padded with zeros to a multiple of 8."""
        data = self.data + bytes(-(len(self.data) + 2) % 8)
        return bytes((self.type, (len(data) + 2) // 8)) + data


class PrefixInformation(NamedTuple):
    """A prefix that a router advertises, RFC 4861 section 4.6.2."""

    prefix: IPv6Address
    prefix_length: int
    on_link: bool
    autonomous: bool
    valid_lifetime: int
    preferred_lifetime: int


def encode_nd_options(*options: NDOption) -> bytes:
    """The bytes of *options*, for the field of that name."""
    return b"".join([option.encode() for option in options])


def _parse(options: bytes, start: int) -> tuple[NDOption, ...]:
    found = []
    at = 0
    while at < len(options):
        length = options[at + 1] * 8 if at + 1 < len(options) else 0
        if length == 0 or length > len(options) - at:
            raise MalformedError(
                f"ICMPv6 option {options[at]} at byte {start + at}: length {length} of {len(options) - at} bytes left",
                reason=Reason.ND_OPTION_LENGTH, layer="ICMPv6", offset=start + at, packet=None,
                field="options", value=length // 8,
            )  # fmt: skip
        found.append(NDOption(options[at], options[at + 2 : at + length]))
        at += length
    return tuple(found)


@dataclass(frozen=True, slots=True)
class RouterSolicitation:
    """Router solicitation, RFC 4861 section 4.1.

    reserved  32 bits
    options   as on the wire
    """

    reserved: int = 0
    options: bytes = b""

    SIZE: ClassVar[int] = 4

    def __post_init__(self) -> None:
        check_widths(self, reserved=32)
        check_bytes(self, "options")

    def parsed_options(self) -> tuple[NDOption, ...]:
        """A view of `options`; `MalformedError` if a length is wrong."""
        return _parse(self.options, 8)

    @classmethod
    def decode(cls, body: bytes) -> RouterSolicitation:
        """Read a body of at least 4 bytes."""
        return cls(*_LONG.unpack_from(body), body[4:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _LONG.pack(self.reserved) + self.options


@dataclass(frozen=True, slots=True)
class RouterAdvertisement:
    """Router advertisement, RFC 4861 section 4.2.

    hop_limit        8 bits  to use; 0 unspecified
    flags            8 bits  0x80 managed, 0x40 other configuration, the rest reserved
    router_lifetime 16 bits  seconds
    reachable_time  32 bits  milliseconds
    retrans_timer   32 bits  milliseconds
    options         as on the wire
    """

    hop_limit: int = 0
    flags: int = 0
    router_lifetime: int = 0
    reachable_time: int = 0
    retrans_timer: int = 0
    options: bytes = b""

    SIZE: ClassVar[int] = 12

    def __post_init__(self) -> None:
        check_widths(self, hop_limit=8, flags=8, router_lifetime=16, reachable_time=32, retrans_timer=32)
        check_bytes(self, "options")

    def parsed_options(self) -> tuple[NDOption, ...]:
        """A view of `options`; `MalformedError` if a length is wrong."""
        return _parse(self.options, 16)

    @classmethod
    def decode(cls, body: bytes) -> RouterAdvertisement:
        """Read a body of at least 12 bytes."""
        return cls(*_ADVERTISEMENT.unpack_from(body), body[12:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _ADVERTISEMENT.pack(
            self.hop_limit, self.flags, self.router_lifetime, self.reachable_time, self.retrans_timer
        ) + self.options  # fmt: skip


@dataclass(frozen=True, slots=True, init=False)
class NeighborSolicitation:
    """Neighbour solicitation, RFC 4861 section 4.3.

    target   128 bits  the address that is asked for
    options  as on the wire
    reserved  32 bits
    """

    target: IPv6Address
    options: bytes
    reserved: int

    SIZE: ClassVar[int] = 20

    def __init__(
        self, target: IPv6Address | str | int | bytes, options: bytes = b"", reserved: int = 0
    ) -> None:  # fmt: skip
        object.__setattr__(self, "target", as_ipv6("NeighborSolicitation", "target", target))
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "reserved", reserved)
        check_widths(self, reserved=32)
        check_bytes(self, "options")

    def parsed_options(self) -> tuple[NDOption, ...]:
        """A view of `options`; `MalformedError` if a length is wrong."""
        return _parse(self.options, 24)

    @classmethod
    def decode(cls, body: bytes) -> NeighborSolicitation:
        """Read a body of at least 20 bytes."""
        return cls(body[4:20], body[20:], *_LONG.unpack_from(body))

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _LONG.pack(self.reserved) + self.target.packed + self.options


@dataclass(frozen=True, slots=True, init=False)
class NeighborAdvertisement:
    """Neighbour advertisement, RFC 4861 section 4.4.

    target     128 bits  the address that is told of
    router       1 bit   R
    solicited    1 bit   S
    override     1 bit   O
    options    as on the wire
    reserved    29 bits
    """

    target: IPv6Address
    router: bool
    solicited: bool
    override: bool
    options: bytes
    reserved: int

    SIZE: ClassVar[int] = 20

    def __init__(
        self,
        target: IPv6Address | str | int | bytes,
        router: bool = False,
        solicited: bool = False,
        override: bool = False,
        options: bytes = b"",
        reserved: int = 0,
    ) -> None:
        object.__setattr__(self, "target", as_ipv6("NeighborAdvertisement", "target", target))
        object.__setattr__(self, "router", bool(router))
        object.__setattr__(self, "solicited", bool(solicited))
        object.__setattr__(self, "override", bool(override))
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "reserved", reserved)
        check_widths(self, reserved=29)
        check_bytes(self, "options")

    def parsed_options(self) -> tuple[NDOption, ...]:
        """A view of `options`; `MalformedError` if a length is wrong."""
        return _parse(self.options, 24)

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


@dataclass(frozen=True, slots=True, init=False)
class Redirect:
    """Redirect, RFC 4861 section 4.5.

    target       128 bits  the better first hop
    destination  128 bits  what it is better for
    options      as on the wire
    reserved      32 bits
    """

    target: IPv6Address
    destination: IPv6Address
    options: bytes
    reserved: int

    SIZE: ClassVar[int] = 36

    def __init__(
        self,
        target: IPv6Address | str | int | bytes,
        destination: IPv6Address | str | int | bytes,
        options: bytes = b"",
        reserved: int = 0,
    ) -> None:
        object.__setattr__(self, "target", as_ipv6("Redirect", "target", target))
        object.__setattr__(self, "destination", as_ipv6("Redirect", "destination", destination))
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "reserved", reserved)
        check_widths(self, reserved=32)
        check_bytes(self, "options")

    def parsed_options(self) -> tuple[NDOption, ...]:
        """A view of `options`; `MalformedError` if a length is wrong."""
        return _parse(self.options, 40)

    @classmethod
    def decode(cls, body: bytes) -> Redirect:
        """Read a body of at least 36 bytes."""
        return cls(body[4:20], body[20:36], body[36:], *_LONG.unpack_from(body))

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _LONG.pack(self.reserved) + self.target.packed + self.destination.packed + self.options

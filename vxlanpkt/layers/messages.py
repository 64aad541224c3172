"""Bodies of ICMP and ICMPv6 messages as values: echo, errors that quote a packet, packet too big.

A body is what stands behind type, code and checksum. Every one is lossless; bytes too short for a
message stay bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, ClassVar, Protocol

from vxlanpkt.layers.base import as_bytes, field_error

if TYPE_CHECKING:
    from typing_extensions import Self

_TWO_WORDS = Struct("!HH")
_LONG = Struct("!I")


class Message(Protocol):
    """A message body as a value."""

    SIZE: ClassVar[int]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body of at least SIZE bytes."""
        ...

    def encode(self) -> bytes:
        """The bytes of the body."""
        ...


def check_widths(message: object, **widths: int) -> None:
    """Refuse integer fields of a message body that their width cannot carry."""
    for field, bits in widths.items():
        value = getattr(message, field)
        if not isinstance(value, int) or value >> bits:
            raise field_error(type(message).__name__, field, value, bits)


def check_bytes(message: object, field: str) -> None:
    """Refuse what is not bytes, and keep a copy."""
    object.__setattr__(message, field, as_bytes(type(message).__name__, field, getattr(message, field)))


@dataclass(frozen=True, slots=True)
class Echo:
    """Echo and echo reply, RFC 792 and RFC 4443 section 4.

    identifier       16 bits
    sequence_number  16 bits
    data
    """

    identifier: int = 0
    sequence_number: int = 0
    data: bytes = b""

    SIZE: ClassVar[int] = 4

    def __post_init__(self) -> None:
        check_widths(self, identifier=16, sequence_number=16)
        check_bytes(self, "data")

    @classmethod
    def decode(cls, body: bytes) -> Echo:
        """Read a body of at least 4 bytes."""
        return cls(*_TWO_WORDS.unpack_from(body), body[4:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _TWO_WORDS.pack(self.identifier, self.sequence_number) + self.data


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Destination unreachable of ICMP, RFC 792, with the MTU of RFC 1191 section 4.

    unused        16 bits
    next_hop_mtu  16 bits  with code 4
    packet        the start of the packet that could not be delivered
    """

    unused: int = 0
    next_hop_mtu: int = 0
    packet: bytes = b""

    SIZE: ClassVar[int] = 4

    def __post_init__(self) -> None:
        check_widths(self, unused=16, next_hop_mtu=16)
        check_bytes(self, "packet")

    @classmethod
    def decode(cls, body: bytes) -> Unreachable:
        """Read a body of at least 4 bytes."""
        return cls(*_TWO_WORDS.unpack_from(body), body[4:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _TWO_WORDS.pack(self.unused, self.next_hop_mtu) + self.packet


@dataclass(frozen=True, slots=True)
class Quote:
    """An error that only quotes: time exceeded (RFC 792), and unreachable and time exceeded of ICMPv6 (RFC 4443).

    unused  32 bits
    packet  the start of the packet that caused the error
    """

    unused: int = 0
    packet: bytes = b""

    SIZE: ClassVar[int] = 4

    def __post_init__(self) -> None:
        check_widths(self, unused=32)
        check_bytes(self, "packet")

    @classmethod
    def decode(cls, body: bytes) -> Quote:
        """Read a body of at least 4 bytes."""
        return cls(*_LONG.unpack_from(body), body[4:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _LONG.pack(self.unused) + self.packet


@dataclass(frozen=True, slots=True)
class PacketTooBig:
    """Packet too big, RFC 4443 section 3.2.

    mtu     32 bits  of the next hop's link
    packet  the start of the packet that was too big
    """

    mtu: int
    packet: bytes = b""

    SIZE: ClassVar[int] = 4

    def __post_init__(self) -> None:
        check_widths(self, mtu=32)
        check_bytes(self, "packet")

    @classmethod
    def decode(cls, body: bytes) -> PacketTooBig:
        """Read a body of at least 4 bytes."""
        return cls(*_LONG.unpack_from(body), body[4:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _LONG.pack(self.mtu) + self.packet


def decode_body(messages: Mapping[int, type[Message]], kind: int, body: bytes) -> bytes | Message:
    """*body* as the message of type *kind*, or as it is where none is known or it is too short."""
    message = messages.get(kind)
    return body if message is None or len(body) < message.SIZE else message.decode(body)


def encode_body(body: bytes | Message) -> bytes:
    """The bytes of a body, typed or not."""
    return body if isinstance(body, bytes) else body.encode()


def as_body(layer: str, body: bytes | Message) -> bytes | Message:
    """*body* as bytes or as the message that it is; `FieldError` for anything else."""
    return body if hasattr(body, "encode") and not isinstance(body, str) else as_bytes(layer, "body", body)  # type: ignore[arg-type]

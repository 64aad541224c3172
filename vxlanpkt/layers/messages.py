"""Bodies of ICMP and ICMPv6 messages as values: echo, errors that quote a packet, packet too big.

A body is what stands behind type, code and checksum. Every one is lossless; bytes too short for a
message stay bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, ClassVar, Protocol, final

from vxlanpkt.layers.base import as_bytes
from vxlanpkt.layers.parts import Part

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


@final
@dataclass(frozen=True, slots=True)
class Echo(Part):
    """Echo and echo reply, RFC 792 and RFC 4443 section 4.

    identifier       16 bits
    sequence_number  16 bits
    data
    """

    SIZE: ClassVar[int] = 4
    BITS: ClassVar[dict[str, int]] = {"identifier": 16, "sequence_number": 16}
    LIMITS: ClassVar[dict[str, int | None]] = {"data": None}

    identifier: int = 0
    sequence_number: int = 0
    data: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> Echo:
        """Read a body of at least 4 bytes."""
        first, second = _TWO_WORDS.unpack_from(body)
        return cls(first, second, body[4:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _TWO_WORDS.pack(self.identifier, self.sequence_number) + self.data


@final
@dataclass(frozen=True, slots=True)
class Unreachable(Part):
    """Destination unreachable of ICMP, RFC 792, with the MTU of RFC 1191 section 4.

    unused        16 bits
    next_hop_mtu  16 bits  with code 4
    packet        the start of the packet that could not be delivered
    """

    SIZE: ClassVar[int] = 4
    BITS: ClassVar[dict[str, int]] = {"unused": 16, "next_hop_mtu": 16}
    LIMITS: ClassVar[dict[str, int | None]] = {"packet": None}

    unused: int = 0
    next_hop_mtu: int = 0
    packet: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> Unreachable:
        """Read a body of at least 4 bytes."""
        first, second = _TWO_WORDS.unpack_from(body)
        return cls(first, second, body[4:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _TWO_WORDS.pack(self.unused, self.next_hop_mtu) + self.packet


@final
@dataclass(frozen=True, slots=True)
class Quote(Part):
    """An error that only quotes: time exceeded (RFC 792), and unreachable and time exceeded of ICMPv6 (RFC 4443).

    unused  32 bits
    packet  the start of the packet that caused the error
    """

    SIZE: ClassVar[int] = 4
    BITS: ClassVar[dict[str, int]] = {"unused": 32}
    LIMITS: ClassVar[dict[str, int | None]] = {"packet": None}

    unused: int = 0
    packet: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> Quote:
        """Read a body of at least 4 bytes."""
        (first,) = _LONG.unpack_from(body)
        return cls(first, body[4:])

    def encode(self) -> bytes:
        """The bytes of the body."""
        return _LONG.pack(self.unused) + self.packet


@final
@dataclass(frozen=True, slots=True)
class PacketTooBig(Part):
    """Packet too big, RFC 4443 section 3.2.

    mtu     32 bits  of the next hop's link
    packet  the start of the packet that was too big
    """

    SIZE: ClassVar[int] = 4
    BITS: ClassVar[dict[str, int]] = {"mtu": 32}
    LIMITS: ClassVar[dict[str, int | None]] = {"packet": None}

    mtu: int
    packet: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> PacketTooBig:
        """Read a body of at least 4 bytes."""
        (first,) = _LONG.unpack_from(body)
        return cls(first, body[4:])

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


def as_body(layer: str, messages: Mapping[int, type[Message]], kind: int, body: bytes | Message) -> bytes | Message:
    """*body* as the value that parsing would make of it; `FieldError` for what is neither bytes nor a message."""
    if hasattr(body, "encode") and not isinstance(body, (str, type)):
        return body
    return decode_body(messages, kind, as_bytes(layer, "body", body))  # type: ignore[arg-type]

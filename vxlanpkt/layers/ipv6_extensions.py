"""The extension headers of IPv6, RFC 8200 section 4 (and AH, RFC 4302), as values.

All but AH and Fragment have the same shape: next header, length in 8-byte units beyond the first
8, data. In every one `next_header` is derived from what follows, and `length_field` from the data.
Reserved bits and lengths survive a round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from struct import Struct
from typing import ClassVar, NamedTuple

from vxlanpkt.errors import BuildError, MalformedError, Reason, misfit, refused_field
from vxlanpkt.kernel.contract.protocols import AUTHENTICATION, DESTINATION, FRAGMENT, HOP_BY_HOP, ROUTING
from vxlanpkt.kernel.python.scanning import extension_length
from vxlanpkt.layers.base import as_bytes

_FRAGMENT = Struct("!BBHI")
_AUTHENTICATION = Struct("!BBHII")
_PAD1 = 0


class IPv6Option(NamedTuple):
    """One option of a hop-by-hop or destination options header: type, and data without type and length."""

    type: int
    data: bytes = b""


def _check(extension: object, **widths: int) -> None:
    name = type(extension).__name__
    for field, bits in widths.items():
        value = getattr(extension, field)
        if value is None and field in ("next_header", "length_field"):
            continue
        if not isinstance(value, int) or value >> bits:
            raise misfit(name, field, value, bits)


@dataclass(frozen=True, slots=True)
class OpaqueExtension:
    """An extension header known by its shape alone (Mobility, HIP, Shim6 ...).

    number         8 bits  which extension header this is
    data          everything behind the length byte; the builder pads with zeros to a multiple of 8
    next_header    8 bits  derived
    length_field   8 bits  units of 8 bytes beyond the first 8; derived
    """

    number: int
    data: bytes = b""
    next_header: int | None = None
    length_field: int | None = None

    def __post_init__(self) -> None:
        _check(self, number=8, next_header=8, length_field=8)
        object.__setattr__(self, "data", as_bytes(type(self).__name__, "data", self.data))

    def encode(self) -> bytes:
        """The bytes of the header, whose next header is filled in."""
        return _encode_shape(self.next_header, self.length_field, self.data)


@dataclass(frozen=True, slots=True)
class _Options:
    """What hop-by-hop and destination options share: a list of options as the wire's bytes.

    options        bytes behind the length byte; the builder pads with zeros (Pad1) to a multiple of 8
    next_header    8 bits  derived
    length_field   8 bits  units of 8 bytes beyond the first 8; derived
    """

    options: bytes = b""
    next_header: int | None = None
    length_field: int | None = None

    number: ClassVar[int]

    def __post_init__(self) -> None:
        _check(self, next_header=8, length_field=8)
        object.__setattr__(self, "options", as_bytes(type(self).__name__, "options", self.options))

    def parsed_options(self) -> tuple[IPv6Option, ...]:
        """A view of `options`, padding included; `MalformedError` if a length is wrong."""
        found = []
        at = 0
        while at < len(self.options):
            kind = self.options[at]
            if kind == _PAD1:
                found.append(IPv6Option(kind))
                at += 1
                continue
            left = len(self.options) - at - 2
            length = self.options[at + 1] if left >= 0 else 0
            if length > left:
                raise MalformedError(
                    f"IPv6 option {kind} at byte {at}: length {length} of {max(left, 0)} bytes left",
                    reason=Reason.IPV6_OPTION_LENGTH, layer="IPv6", offset=at, packet=None,
                    field="options", value=length,
                )  # fmt: skip
            found.append(IPv6Option(kind, self.options[at + 2 : at + 2 + length]))
            at += 2 + length
        return tuple(found)

    def encode(self) -> bytes:
        """The bytes of the header, whose next header is filled in."""
        return _encode_shape(self.next_header, self.length_field, self.options)


@dataclass(frozen=True, slots=True)
class HopByHop(_Options):
    """Hop-by-hop options, RFC 8200 section 4.3: only directly behind the fixed header."""

    number: ClassVar[int] = HOP_BY_HOP


@dataclass(frozen=True, slots=True)
class DestinationOptions(_Options):
    """Destination options, RFC 8200 section 4.6."""

    number: ClassVar[int] = DESTINATION


@dataclass(frozen=True, slots=True)
class Routing:
    """A routing header, RFC 8200 section 4.4.

    routing_type    8 bits  0 (deprecated), 2 mobile, 4 segment routing ...
    segments_left   8 bits
    data           everything behind segments left; the builder pads with zeros to a multiple of 8
    next_header     8 bits  derived
    length_field    8 bits  units of 8 bytes beyond the first 8; derived
    """

    routing_type: int
    segments_left: int
    data: bytes = b"\0\0\0\0"
    next_header: int | None = None
    length_field: int | None = None

    number: ClassVar[int] = ROUTING

    def __post_init__(self) -> None:
        _check(self, routing_type=8, segments_left=8, next_header=8, length_field=8)
        object.__setattr__(self, "data", as_bytes("Routing", "data", self.data))

    @property
    def final_destination(self) -> bytes | None:
        """The address at the end of the route while segments are left; None once it is the header's own."""
        if not self.segments_left or len(self.data) < 20:
            return None
        if self.routing_type == 4:  # RFC 8754: the segment list is encoded from the last segment on
            return self.data[4:20]
        if self.routing_type in (0, 2):
            return self.data[-16:]
        return None

    def encode(self) -> bytes:
        """The bytes of the header, whose next header is filled in."""
        body = bytes((self.routing_type, self.segments_left)) + self.data
        return _encode_shape(self.next_header, self.length_field, body)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A fragment header, RFC 8200 section 4.5, 8 bytes.

    fragment_offset  13 bits  in units of 8 bytes
    more_fragments    1 bit   M
    identification   32 bits
    reserved1         8 bits  where other extension headers have their length
    reserved2         2 bits
    next_header       8 bits  derived
    """

    fragment_offset: int
    more_fragments: int
    identification: int
    reserved1: int = 0
    reserved2: int = 0
    next_header: int | None = None

    number: ClassVar[int] = FRAGMENT

    def __post_init__(self) -> None:
        _check(
            self, fragment_offset=13, more_fragments=1, identification=32, reserved1=8, reserved2=2, next_header=8
        )  # fmt: skip

    def encode(self) -> bytes:
        """The bytes of the header, whose next header is filled in."""
        middle = self.fragment_offset << 3 | self.reserved2 << 1 | self.more_fragments
        return _FRAGMENT.pack(self.next_header, self.reserved1, middle, self.identification)


@dataclass(frozen=True, slots=True)
class Authentication:
    """An authentication header, RFC 4302 section 2.

    spi              32 bits  security parameters index
    sequence_number  32 bits
    icv              integrity check value; the builder pads with zeros to a multiple of 4
    reserved         16 bits
    next_header       8 bits  derived
    length_field      8 bits  4-byte words minus 2; derived
    """

    spi: int
    sequence_number: int
    icv: bytes = b""
    reserved: int = 0
    next_header: int | None = None
    length_field: int | None = None

    number: ClassVar[int] = AUTHENTICATION

    def __post_init__(self) -> None:
        _check(self, spi=32, sequence_number=32, reserved=16, next_header=8, length_field=8)
        object.__setattr__(self, "icv", as_bytes("Authentication", "icv", self.icv))

    def encode(self) -> bytes:
        """The bytes of the header, whose next header is filled in."""
        icv = self.icv + bytes(-len(self.icv) % 4)
        length = 1 + len(icv) // 4 if self.length_field is None else self.length_field
        if length > 0xFF:
            raise BuildError(
                f"Authentication.length_field: {length} does not fit 8 bits",
                layer="Authentication", field="length_field",
            )  # fmt: skip
        return _AUTHENTICATION.pack(self.next_header, length, self.reserved, self.spi, self.sequence_number) + icv


Extension = HopByHop | DestinationOptions | Routing | Fragment | Authentication | OpaqueExtension
_TYPES = (HopByHop, DestinationOptions, Routing, Fragment, Authentication, OpaqueExtension)


def _encode_shape(next_header: int | None, length_field: int | None, data: bytes) -> bytes:
    data += bytes(-(len(data) + 2) % 8)
    length = (len(data) + 2) // 8 - 1 if length_field is None else length_field
    if length > 0xFF:
        raise BuildError(
            f"IPv6 extension header: {len(data) + 2} bytes are too long", layer="IPv6", field="length_field"
        )
    return bytes((next_header or 0, length)) + data


def as_extensions(extensions: Iterable[Extension]) -> tuple[Extension, ...]:
    """*extensions* as a tuple; `FieldError` for what is none."""
    result = tuple(extensions)
    for extension in result:
        if not isinstance(extension, _TYPES):
            raise refused_field("IPv6", "extension_headers", extension, "an IPv6 extension header")
    return result


def decode_extensions(number: int, chain: bytes) -> tuple[Extension, ...]:
    """The extension headers of a chain whose bounds a kernel has judged."""
    found: list[Extension] = []
    at = 0
    while at < len(chain):
        length = extension_length(number, chain[at + 1])
        found.append(_decode(number, chain[at : at + length]))
        number = chain[at]
        at += length
    return tuple(found)


def _decode(number: int, data: bytes) -> Extension:
    following, length_field = data[0], data[1]
    if number == HOP_BY_HOP:
        return HopByHop(data[2:], following, length_field)
    if number == DESTINATION:
        return DestinationOptions(data[2:], following, length_field)
    if number == ROUTING:
        return Routing(data[2], data[3], data[4:], following, length_field)
    if number == FRAGMENT:
        _, reserved1, middle, identification = _FRAGMENT.unpack(data)
        return Fragment(middle >> 3, middle & 1, identification, reserved1, middle >> 1 & 3, following)
    if number == AUTHENTICATION:
        _, _, reserved, spi, sequence_number = _AUTHENTICATION.unpack_from(data)
        return Authentication(spi, sequence_number, data[12:], reserved, following, length_field)
    return OpaqueExtension(number, data[2:], following, length_field)


def resolve_extensions(extensions: tuple[Extension, ...], upper: Callable[[], int]) -> tuple[Extension, ...]:
    """*extensions* with every derived field filled in; *upper* says what follows the last."""
    resolved: list[Extension] = []
    for index, extension in enumerate(extensions):
        if extension.next_header is None:
            last = index + 1 == len(extensions)
            extension = replace(extension, next_header=upper() if last else extensions[index + 1].number)
        if not isinstance(extension, Fragment) and extension.length_field is None:
            extension = replace(extension, length_field=extension.encode()[1])
        resolved.append(extension)
    return tuple(resolved)


def encode_extensions(extensions: tuple[Extension, ...]) -> bytes:
    """The chain's bytes; every next header is filled in."""
    return b"".join([extension.encode() for extension in extensions])

"""Why bytes are refused: the exception tree, and `Reason`, the code behind every refusal.

Exceptions carry a `Reason`, status columns hold it, and kernels return it. What each stands for is in `reasons`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from vxlanpkt.packet import Packet


class Reason(IntEnum):
    """What became of a frame: `OK`, or the one cause for which it was refused.

    `X_HEADER_TRUNCATED` says that the fixed header of X does not fit; `X_TRUNCATED` that X, as
    long as it declares itself to be, does not (where X declares no length, the two are one).
    """

    OK = 0
    NOT_VXLAN = 1
    FRAGMENT = 2
    CAPTURE_CUT = 3
    ROW_OUT_OF_RANGE = 4
    NO_TUNNEL = 5
    TUNNEL_OUT_OF_RANGE = 6
    INNER_TOO_LONG = 7

    ETHERNET_TRUNCATED = 8
    DOT1Q_TRUNCATED = 9
    ARP_TRUNCATED = 10
    IPV4_HEADER_TRUNCATED = 11
    IPV4_VERSION = 12
    IPV4_IHL = 13
    IPV4_OPTIONS_TRUNCATED = 14
    IPV4_TOTAL_LENGTH = 15
    IPV4_TRUNCATED = 16
    IPV4_OPTION_LENGTH = 17
    IPV6_HEADER_TRUNCATED = 18
    IPV6_VERSION = 19
    IPV6_TRUNCATED = 20
    IPV6_EXTENSION_TRUNCATED = 21
    IPV6_AH_LENGTH = 22
    IPV6_OPTION_LENGTH = 23
    UDP_HEADER_TRUNCATED = 24
    UDP_LENGTH = 25
    UDP_TRUNCATED = 26
    TCP_HEADER_TRUNCATED = 27
    TCP_DATA_OFFSET = 28
    TCP_TRUNCATED = 29
    TCP_OPTION_LENGTH = 30
    ICMP_TRUNCATED = 31
    ICMPV6_TRUNCATED = 32
    ND_OPTION_LENGTH = 33
    VXLAN_TRUNCATED = 34
    VXLANGPE_TRUNCATED = 35
    LINUX_SLL_TRUNCATED = 36
    LINUX_SLL2_TRUNCATED = 37
    LOOPBACK_TRUNCATED = 38
    IP_VERSION = 39

    IPV4_OPTIONS = 40
    IPV6_OPTIONS = 41
    IPV4_CHECKSUM = 42
    UDP_CHECKSUM = 43
    UDP_CHECKSUM_ZERO = 44
    VXLAN_I_FLAG = 45
    VXLAN_RESERVED = 46
    GBP_WITH_GPE = 47
    GPE_VERSION = 48
    GPE_OAM = 49
    GPE_NEXT_PROTOCOL = 50
    VNI_REFUSED = 51
    SOURCE_REFUSED = 52
    INNER_TRUNCATED = 53
    INNER_VLAN = 54
    INNER_SOURCE = 55
    INNER_OWN_MAC = 56
    INNER_LENGTH = 57
    ECN_CONGESTION = 58

    TCP_CHECKSUM = 59
    ICMP_CHECKSUM = 60
    ICMPV6_CHECKSUM = 61
    LAYER_TRUNCATED = 62
    LAYER_MALFORMED = 63
    LAYER_CHECKSUM = 64
    NO_ROOM = 65
    GPE_P_FLAG = 66
    OUTER_SOURCE = 67


class PacketError(Exception):
    """Everything that this library raises on purpose descends from here."""

    _parts: Mapping[str, Any]

    def __init__(self, message: str, **parts: Any) -> None:
        super().__init__(message)
        self._parts = parts
        for name, value in parts.items():
            setattr(self, name, value)

    def in_row(self, row: int) -> PacketError:
        """The same error, which says what row of a batch it is about: `.row`."""
        return type(self)(f"row {row}: {self.args[0]}", **{**self._parts, "row": row})

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), str(self.args[0]), dict(self._parts))


def _rebuild(kind: type[PacketError], message: str, parts: dict[str, Any]) -> PacketError:
    return kind(message, **parts)


class FieldError(PacketError, ValueError):
    """The caller's value does not fit the field that is to carry it.

    `.layer` and `.field` name the field, `.value` is what was given, `.bits` the field's width
    (None where the limit is not a width).
    """

    layer: str
    field: str
    value: object
    bits: int | None


def is_number(value: object, bits: int) -> TypeGuard[int]:
    """Whether a value is an unsigned number of so many bits; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and not value >> bits


def refused_field(layer: str, field: str, value: object, expected: str, bits: int | None = None) -> FieldError:
    """The error for a value that a field of a class, *layer*, cannot have."""
    return FieldError(f"{layer}.{field}: {value!r} is not {expected}", layer=layer, field=field, value=value, bits=bits)


def misfit(layer: str, field: str, value: object, bits: int) -> FieldError:
    """The error for what is no number of a field's width."""
    return refused_field(layer, field, value, f"a number of {bits} bits", bits)


def refused_argument(layer: str, field: str, value: object, expected: str, bits: int | None = None) -> FieldError:
    """The error for a value that an argument, *field*, cannot have; *layer* is what the function works on."""
    return FieldError(f"{field}: {value!r} is not {expected}", layer=layer, field=field, value=value, bits=bits)


class FilterError(FieldError):
    """The expression of a filter is wrong: at `.position` there is `.found`, in place of `.expected`."""

    position: int
    found: str
    expected: str


class BuildError(PacketError, ValueError):
    """A derived value does not fit its field, or nothing says what it should be.

    `.layer` and `.field` name it; `.reason` is the code where an inner frame cannot be encapsulated, else None.
    """

    layer: str
    field: str
    reason: Reason | None = None


class ParseError(PacketError, ValueError):
    """The peer's bytes are refused.

    `.reason` is the fine-grained code, `.layer` the layer that refused, `.offset` where that layer
    starts in the input, `.packet` the sound layers before it (None where there was no dissection).
    """

    reason: Reason
    layer: str
    offset: int
    packet: Packet | None

    def with_packet(self, packet: Packet) -> ParseError:
        """The same error, with the sound layers before the fault."""
        return type(self)(str(self), **{**self._parts, "packet": packet})


class TruncatedError(ParseError):
    """Fewer bytes than a header, or a length field, asks for.

    `.needed` and `.available` are counts of bytes from `.offset`; `.limited_by` says who set the
    limit: "capture" (the bytes given end here), "frame" (the frame ended here on the wire), or the
    length field of a layer below, such as "IPv4.total_length".
    """

    needed: int
    available: int
    limited_by: str


class MalformedError(ParseError):
    """A field holds a value that leaves the layer without a meaning: `.field`, `.value`."""

    field: str
    value: int


class ChecksumError(ParseError):
    """A checksum that was to be verified is wrong: `.expected` by the bytes, `.found` in them."""

    expected: int
    found: int


class DecapError(ParseError):
    """Sound bytes that a `DecapPolicy` refuses."""


class LayerNotFound(PacketError, KeyError):
    """The packet has no such layer."""

    def __str__(self) -> str:
        return str(self.args[0])


class CaptureError(PacketError):
    """The capture file, not a packet in it, is at fault: `.offset` is the byte in the file."""

    offset: int | None

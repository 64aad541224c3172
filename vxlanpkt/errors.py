"""Why bytes are refused: the exception tree, and `Reason`, the code behind every refusal.

Exceptions carry a `Reason`, status columns hold it, and kernels return it. `REASONS` is the one
table that maps each to its exception class, its layer and a sentence for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

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


class ReasonInfo(NamedTuple):
    """One row of `REASONS`: the class raised, the layer at fault, the sentence for people."""

    exception: type[PacketError]
    layer: str
    text: str


_T, _M, _C, _D, _B = TruncatedError, MalformedError, ChecksumError, DecapError, BuildError

REASONS: Mapping[Reason, ReasonInfo] = MappingProxyType(
    {
        reason: ReasonInfo(exception, layer, text)
        for reason, exception, layer, text in (
            (Reason.NOT_VXLAN, _D, "", "no UDP datagram to a VXLAN port"),
            (Reason.FRAGMENT, _D, "IP", "a fragment of a datagram, which is not reassembled here"),
            (Reason.CAPTURE_CUT, _T, "", "the capture kept only part of the frame"),
            (Reason.ROW_OUT_OF_RANGE, _T, "", "the row reaches outside the batch's buffer"),
            (Reason.NO_TUNNEL, _B, "Tunnel", "no tunnel was chosen for this frame"),
            (Reason.TUNNEL_OUT_OF_RANGE, _B, "Tunnel", "the index is beyond the table of tunnels"),
            (Reason.INNER_TOO_LONG, _B, "UDP", "the inner frame does not fit one IP datagram"),
            (Reason.ETHERNET_TRUNCATED, _T, "Ethernet", "the header is cut"),
            (Reason.DOT1Q_TRUNCATED, _T, "Dot1Q", "the tag is cut"),
            (Reason.ARP_TRUNCATED, _T, "ARP", "the message is cut"),
            (Reason.IPV4_HEADER_TRUNCATED, _T, "IPv4", "the fixed header is cut"),
            (Reason.IPV4_VERSION, _M, "IPv4", "the version is not 4"),
            (Reason.IPV4_IHL, _M, "IPv4", "the header length is below 5 words"),
            (Reason.IPV4_OPTIONS_TRUNCATED, _T, "IPv4", "the options are cut"),
            (Reason.IPV4_TOTAL_LENGTH, _M, "IPv4", "the total length is shorter than the header"),
            (Reason.IPV4_TRUNCATED, _T, "IPv4", "the total length is beyond the bytes there"),
            (Reason.IPV4_OPTION_LENGTH, _M, "IPv4", "an option's length is wrong"),
            (Reason.IPV6_HEADER_TRUNCATED, _T, "IPv6", "the fixed header is cut"),
            (Reason.IPV6_VERSION, _M, "IPv6", "the version is not 6"),
            (Reason.IPV6_TRUNCATED, _T, "IPv6", "the payload length is beyond the bytes there"),
            (Reason.IPV6_EXTENSION_TRUNCATED, _T, "IPv6", "an extension header is cut"),
            (Reason.IPV6_AH_LENGTH, _M, "IPv6", "the authentication header is shorter than 12 bytes"),
            (Reason.IPV6_OPTION_LENGTH, _M, "IPv6", "an option's length is wrong"),
            (Reason.UDP_HEADER_TRUNCATED, _T, "UDP", "the header is cut"),
            (Reason.UDP_LENGTH, _M, "UDP", "the length is shorter than the header"),
            (Reason.UDP_TRUNCATED, _T, "UDP", "the length is beyond the bytes there"),
            (Reason.TCP_HEADER_TRUNCATED, _T, "TCP", "the fixed header is cut"),
            (Reason.TCP_DATA_OFFSET, _M, "TCP", "the data offset is below 5 words"),
            (Reason.TCP_TRUNCATED, _T, "TCP", "the options are cut"),
            (Reason.TCP_OPTION_LENGTH, _M, "TCP", "an option's length is wrong"),
            (Reason.ICMP_TRUNCATED, _T, "ICMP", "the header is cut"),
            (Reason.ICMPV6_TRUNCATED, _T, "ICMPv6", "the header is cut"),
            (Reason.ND_OPTION_LENGTH, _M, "ICMPv6", "a neighbour discovery option's length is wrong"),
            (Reason.VXLAN_TRUNCATED, _T, "VXLAN", "the header is cut"),
            (Reason.VXLANGPE_TRUNCATED, _T, "VXLANGPE", "the header is cut"),
            (Reason.LINUX_SLL_TRUNCATED, _T, "LinuxSLL", "the header is cut"),
            (Reason.LINUX_SLL2_TRUNCATED, _T, "LinuxSLL2", "the header is cut"),
            (Reason.LOOPBACK_TRUNCATED, _T, "Loopback", "the header is cut"),
            (Reason.IP_VERSION, _M, "IP", "the version is neither 4 nor 6"),
            (Reason.IPV4_OPTIONS, _D, "IPv4", "IP options that are not accepted"),
            (Reason.IPV6_OPTIONS, _D, "IPv6", "extension headers that are not accepted"),
            (Reason.IPV4_CHECKSUM, _C, "IPv4", "the header checksum is wrong"),
            (Reason.UDP_CHECKSUM, _C, "UDP", "the checksum is wrong"),
            (Reason.UDP_CHECKSUM_ZERO, _D, "UDP", "no checksum over IPv6"),
            (Reason.VXLAN_I_FLAG, _D, "VXLAN", "the I flag is clear, so there is no valid VNI"),
            (Reason.VXLAN_RESERVED, _D, "VXLAN", "a bit is set that has to be zero"),
            (Reason.GBP_WITH_GPE, _D, "VXLAN", "group policy and generic protocol flags exclude each other"),
            (Reason.GPE_VERSION, _D, "VXLANGPE", "the version is not 0"),
            (Reason.GPE_OAM, _D, "VXLANGPE", "an OAM packet"),
            (Reason.GPE_NEXT_PROTOCOL, _D, "VXLANGPE", "the next protocol is not one that is accepted"),
            (
                Reason.GPE_P_FLAG,
                _D,
                "VXLAN",
                "the P flag is clear, and only the generic protocol extension is accepted",
            ),
            (Reason.VNI_REFUSED, _D, "VXLAN", "the VNI is not one of those accepted"),
            (Reason.SOURCE_REFUSED, _D, "IP", "the outer source is not one of those accepted"),
            (Reason.OUTER_SOURCE, _D, "IP", "the outer source is an address that no packet can come from"),
            (Reason.INNER_TRUNCATED, _T, "Ethernet", "the inner Ethernet header is cut"),
            (Reason.INNER_VLAN, _D, "Dot1Q", "an inner VLAN tag is not accepted"),
            (Reason.INNER_SOURCE, _D, "Ethernet", "the inner source address is zero or multicast"),
            (Reason.INNER_OWN_MAC, _D, "Ethernet", "the inner source address is our own"),
            (Reason.INNER_LENGTH, _D, "Ethernet", "the inner IP header or VLAN tag is cut"),
            (Reason.ECN_CONGESTION, _D, "IP", "congestion was marked on a flow that cannot be told"),
            (Reason.TCP_CHECKSUM, _C, "TCP", "the checksum is wrong"),
            (Reason.ICMP_CHECKSUM, _C, "ICMP", "the checksum is wrong"),
            (Reason.ICMPV6_CHECKSUM, _C, "ICMPv6", "the checksum is wrong"),
            (Reason.NO_ROOM, _B, "Tunnel", "there is no room for the outer header"),
            (Reason.LAYER_TRUNCATED, _T, "", "a layer of the user's own is cut"),
            (Reason.LAYER_MALFORMED, _M, "", "a layer of the user's own is malformed"),
            (Reason.LAYER_CHECKSUM, _C, "", "the checksum of a layer of the user's own is wrong"),
        )
    }
)

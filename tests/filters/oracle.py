"""What a filter's expression matches, evaluated on layers: it knows of no column, program or kernel."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from vxlanpkt import (
    ARP,
    VXLAN,
    DecapPolicy,
    Decapsulated,
    Dissection,
    Dot1Q,
    Ethernet,
    IPv4,
    IPv6,
    ParseError,
    decap,
    dissect,
)
from vxlanpkt.expressions import parse_expression
from vxlanpkt.predicates import (
    Addresses,
    And,
    Direction,
    EtherTypes,
    Flags,
    GroupPolicies,
    Lengths,
    MACs,
    Node,
    Not,
    Or,
    Ports,
    Protocols,
    Ranges,
    Side,
    TrafficClass,
    VLANs,
    VNIs,
)
from vxlanpkt.starts import Start

TAGS = (0x8100, 0x88A8)
UDP_NUMBER = 17


class Headers(NamedTuple):
    """The layers of one side, down to what the IP packet carries."""

    found: Dissection
    layers: tuple[Any, ...]

    def first(self, kind: type[Any]) -> Any:
        return next((layer for layer in self.layers if isinstance(layer, kind)), None)

    @property
    def ip(self) -> Any:
        return next((layer for layer in self.layers if isinstance(layer, (IPv4, IPv6))), None)

    @property
    def protocol(self) -> int | None:
        match self.ip:
            case IPv4(protocol=protocol):
                return protocol
            case IPv6() as ip:
                return ip.upper_protocol
        return None

    @property
    def ethertypes(self) -> list[int]:
        return [layer.require("ethertype") for layer in self.layers if isinstance(layer, (Ethernet, Dot1Q))]

    @property
    def transport(self) -> bytes:
        """What is behind the headers of a packet of TCP or UDP that is no later fragment."""
        ip = self.ip
        offset = 0
        if isinstance(ip, IPv4):
            offset = ip.fragment_offset
        elif isinstance(ip, IPv6):
            offset = sum(getattr(header, "fragment_offset", 0) for header in ip.extension_headers)
        if offset or self.protocol not in (6, 17):
            return b""
        span = next(span for kind, span in self.found.spans if kind in (IPv4, IPv6))
        return self.found.data[span.header_end : span.end]

    @property
    def ports(self) -> tuple[int, int] | None:
        ends = self.transport[:4]
        return (int.from_bytes(ends[:2], "big"), int.from_bytes(ends[2:], "big")) if len(ends) == 4 else None


class Frame(NamedTuple):
    """An accepted frame, taken apart."""

    got: Decapsulated
    outer: Headers
    inner: Headers

    def side(self, side: Side) -> Headers:
        return self.inner if side == "inner" else self.outer


def take_apart(data: bytes, policy: DecapPolicy, start: Start, original_length: int | None) -> Frame | None:
    """The headers of a frame on both sides, or None for one that the policy refuses."""
    try:
        got = decap(data, policy=policy, start=start, original_length=original_length)
    except ParseError:
        return None
    record = got.record
    inner = data[record.inner_offset : record.inner_offset + record.inner_length]
    outside = dissect(data, start=start, original_length=original_length, ports=policy.ports, max_tunnels=0)
    if got.link_type is None:
        return Frame(got, Headers(outside, outside.layers), Headers(outside, ()))
    inside = dissect(inner, start=got.link_type, original_length=record.inner_original_length, max_tunnels=0)
    outer = () if start is VXLAN else outside.layers
    return Frame(got, Headers(outside, outer), Headers(inside, inside.layers))


def matches(text: str, frame: Frame | None) -> bool:
    """Whether an expression matches."""
    return frame is not None and holds(parse_expression(text), frame)


def holds(node: Node, frame: Frame) -> bool:
    match node:
        case Not(term):
            return not holds(term, frame)
        case And(terms):
            return all(holds(term, frame) for term in terms)
        case Or(terms):
            return any(holds(term, frame) for term in terms)
        case VNIs(ranges):
            return within(frame.got.vni, ranges)
        case GroupPolicies(ranges):
            policy = frame.got.group_policy
            return policy is not None and (ranges is None or within(policy.policy_id, ranges))
        case Lengths(low, high):
            return low <= frame.got.record.inner_original_length <= high
        case Flags(mask, value):
            header = frame.inner.transport
            flags = header[13] if len(header) >= 14 else 0
            return frame.inner.protocol == 6 and any(header[:4]) and len(header) >= 4 and flags & mask == value
        case TrafficClass(value, mask):
            ip = frame.inner.ip
            return ip is not None and (ip.dscp << 2 | ip.ecn) & mask == value
        case _:
            return holds_of_side(node, frame.side(node.side))


def holds_of_side(node: Node, headers: Headers) -> bool:
    match node:
        case VLANs(_, ranges):
            tagged = any(kind in TAGS for kind in headers.ethertypes)
            tag = headers.first(Dot1Q)
            return tagged if ranges is None else tag is not None and within(tag.vid, ranges)
        case EtherTypes(_, value):
            bare = {IPv4: 0x0800, IPv6: 0x86DD}.get(type(headers.ip))
            return (headers.ethertypes[-1] if headers.ethertypes else bare) == value
        case Protocols(_, version, number):
            return headers.protocol == number and version in (None, headers.ip.version)
        case MACs(_, direction, value, mask):
            ethernet = headers.first(Ethernet)
            return ethernet is not None and directed(
                direction, int(ethernet.src) & mask == value, int(ethernet.dst) & mask == value
            )
        case Ports(_, direction, protocol, low, high):
            ports = headers.ports
            if ports is None or protocol not in (None, headers.protocol):
                return False
            if ports == (0, 0) and node.side == "inner":  # the columns cannot tell
                return False
            return directed(direction, low <= ports[0] <= high, low <= ports[1] <= high)
        case Addresses():
            return holds_of_addresses(node, headers)
    raise AssertionError(node)


def holds_of_addresses(node: Addresses, headers: Headers) -> bool:
    pairs = []
    if headers.ip is not None and node.protocol != "arp":
        pairs.append((headers.ip.src, headers.ip.dst))
    arp = headers.first(ARP)
    lengths = arp and (arp.hardware_length, arp.protocol_length, arp.protocol_type)
    if lengths == (6, 4, 0x0800) and node.protocol in (None, "arp"):
        pairs.append((arp.sender_ip, arp.target_ip))
    return any(directed(node.direction, *(inside(end, node.network) for end in pair)) for pair in pairs)


def inside(address: IPv4Address | IPv6Address, network: Any) -> bool:
    return address.version == network.version and address in network


def directed(direction: Direction, src: bool, dst: bool) -> bool:
    return {"src": src, "dst": dst, "src or dst": src or dst, "src and dst": src and dst}[direction]


def within(number: int, ranges: Ranges | Iterable[tuple[int, int]]) -> bool:
    return any(low <= number <= high for low, high in ranges)

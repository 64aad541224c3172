"""What an expression of a filter means: a tree whose leaves each ask one thing of a frame.

`expressions` makes trees of text, `programs` makes programs for a kernel of trees. `inner` and `outer` say which
headers are meant, and where both a source and a destination could be, a direction says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, TypeAlias

Side: TypeAlias = Literal["inner", "outer"]
Direction: TypeAlias = Literal["src", "dst", "src or dst", "src and dst"]
Ranges: TypeAlias = tuple[tuple[int, int], ...]  # both ends belong to a range


@dataclass(frozen=True, slots=True)
class Not:
    """What the term does not match."""

    term: Node


@dataclass(frozen=True, slots=True)
class And:
    """What all terms match."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """What one of the terms matches."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class VNIs:
    """The VXLAN network identifier."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class GroupPolicies:
    """The group policy ID of a header whose G is set; None for any."""

    ranges: Ranges | None


@dataclass(frozen=True, slots=True)
class VLANs:
    """The VLAN ID of the first tag; None for any."""

    side: Side
    ranges: Ranges | None


@dataclass(frozen=True, slots=True)
class Addresses:
    """An IP address in a prefix. Of an inner ARP message too, unless `protocol` says where it has to stand."""

    side: Side
    direction: Direction
    protocol: Literal["ip", "ip6", "arp"] | None
    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Ports:
    """A port of TCP or UDP, or only of the protocol with this number."""

    side: Side
    direction: Direction
    protocol: int | None
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class EtherTypes:
    """The EtherType behind all tags, or that of the bare IP packet."""

    side: Side
    value: int


@dataclass(frozen=True, slots=True)
class Protocols:
    """What an IP packet carries behind extension headers; of one IP version, or of both."""

    side: Side
    version: Literal[4, 6] | None
    number: int


@dataclass(frozen=True, slots=True)
class MACs:
    """A MAC address that has these bits of a mask."""

    side: Side
    direction: Direction
    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Lengths:
    """The inner frame's length on the wire."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class TrafficClass:
    """Bits of the inner IPv4 TOS, or of the IPv6 traffic class."""

    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags of TCP: whether those of a mask are these."""

    mask: int
    value: int


Node: TypeAlias = (
    Not | And | Or | VNIs | GroupPolicies | VLANs | Addresses | Ports | EtherTypes | Protocols | MACs | Lengths
    | TrafficClass | Flags
)  # fmt: skip

"""What a node holds for an overlay in its kernel and data path: as `plan` wants it, or as the kernel was found."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, NamedTuple

from vxlanpkt import MACAddress
from vxlanpkt.overlay.addresses import Address, Interface, Network
from vxlanpkt.overlay.leases.leases import Lease

LinkKind = Literal["vxlan", "tap", "tun"]


def bytes_outside(kind: LinkKind, version: int) -> int:
    """What is put before an IP packet inside: outer IP and UDP; but for a "tun" VXLAN and the inner Ethernet header."""
    return (20 if version == 4 else 40) + 8 + (0 if kind == "tun" else 8 + 14)


def covers(network: Network, other: Network) -> bool:
    """Whether all of *other* is in *network*."""
    if other.version != network.version or other.prefixlen < network.prefixlen:
        return False
    beyond = network.max_prefixlen - network.prefixlen
    return int(other.network_address) >> beyond == int(network.network_address) >> beyond


@dataclass(frozen=True)
class Underlay:
    """The interface that tunnels leave by.

    addresses: those of the node on it, with their prefix lengths. public_ip, public_ipv6: the ones that peers send to.
    local_ip, local_ipv6: the ones that tunnels leave by, None where these are the public ones: behind a router that
    translates addresses they are not.
    """

    name: str
    mtu: int
    public_ip: IPv4Address | None = None
    public_ipv6: IPv6Address | None = None
    addresses: frozenset[Interface] = frozenset()
    local_ip: IPv4Address | None = None
    local_ipv6: IPv6Address | None = None

    def public(self, version: int) -> Address | None:
        """The address of one IP version that peers send to."""
        return self.public_ip if version == 4 else self.public_ipv6

    def local(self, version: int) -> Address | None:
        """The address of one IP version that tunnels leave by, and are received at."""
        return (self.local_ip if version == 4 else self.local_ipv6) or self.public(version)

    def is_direct(self, address: Address) -> bool:
        """Whether *address* is reached without a router."""
        return any(address in own.network for own in self.addresses)


@dataclass(frozen=True)
class OverlayLink:
    """A device of the overlay.

    kind: "vxlan" is the kernel's; the frames of a "tap" and the packets of a "tun" are carried by a data path.
    local, port: where datagrams are received. mac, vni: None for a "tun". is_up: False is only found, never wanted.
    """

    name: str
    kind: LinkKind
    mtu: int
    underlay: str
    local: Address
    port: int
    mac: MACAddress | None = None
    vni: int | None = None
    gbp: bool = False
    learning: bool = False
    is_up: bool = True


class LinkAddress(NamedTuple):
    """An address of a device."""

    link: str
    address: Interface


class NeighbourEntry(NamedTuple):
    """The MAC address of a gateway inside the overlay, permanently."""

    link: str
    address: Address
    mac: MACAddress


class FDBEntry(NamedTuple):
    """Where frames to a VTEP's MAC address are sent."""

    link: str
    mac: MACAddress
    remote: Address


class Route(NamedTuple):
    """A route. A gateway on an overlay's device is `onlink`: no prefix of the device covers it.

    metric: 0 for what the kernel takes where none is given, as all of ours have.
    """

    destination: Network
    link: str
    gateway: Address | None = None
    onlink: bool = False
    metric: int = 0


Entry = LinkAddress | NeighbourEntry | FDBEntry | Route


class Hop(NamedTuple):
    """Where the udp backend sends the packets of a network inside."""

    network: Network
    remote: Address
    port: int


class PlannedPeer(NamedTuple):
    """A subnet of another node that can be reached.

    link: the overlay's device; the underlay where it is reached without a tunnel, as `is_direct` says. mac: of its
    VTEP, None where there is none on the way.
    """

    subnet: Network
    remote: Address
    link: str
    mac: MACAddress | None = None
    is_direct: bool = False

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is to be held for it alone; the network as a whole is routed into a "tun"."""
        if self.is_direct:
            return (Route(self.subnet, self.link, self.remote),)
        if self.mac is None:
            return ()
        gateway = self.subnet.network_address
        return (
            NeighbourEntry(self.link, gateway, self.mac),
            FDBEntry(self.link, self.mac, self.remote),
            Route(self.subnet, self.link, gateway, onlink=True),
        )


class Unreachable(NamedTuple):
    """A subnet of another node that nothing is made for, and why."""

    subnet: Network
    lease: Lease
    why: str


@dataclass(frozen=True)
class KernelState:
    """What of the kernel's state is the overlay's business: wanted, or found."""

    links: frozenset[OverlayLink] = frozenset()
    addresses: frozenset[LinkAddress] = frozenset()
    neighbours: frozenset[NeighbourEntry] = frozenset()
    fdb: frozenset[FDBEntry] = frozenset()
    routes: frozenset[Route] = frozenset()


@dataclass(frozen=True)
class Plan:
    """What a node needs for the leases there are.

    fdb: of every link, also of those whose frames a data path sends; `kernel` has only the kernel's.
    hops: what the data path of a "tun" has to know. sources: who may send to this node. peers, unreachable: the
    subnets of the others, in the order in which they were judged.
    """

    links: tuple[OverlayLink, ...] = ()
    addresses: frozenset[LinkAddress] = frozenset()
    neighbours: frozenset[NeighbourEntry] = frozenset()
    fdb: frozenset[FDBEntry] = frozenset()
    routes: frozenset[Route] = frozenset()
    hops: frozenset[Hop] = frozenset()
    sources: frozenset[Address] = frozenset()
    peers: tuple[PlannedPeer, ...] = ()
    unreachable: tuple[Unreachable, ...] = ()

    @property
    def mtu(self) -> int:
        """What every packet inside may have."""
        return min(link.mtu for link in self.links)

    @property
    def kernel(self) -> KernelState:
        """What the kernel has to hold."""
        in_kernel = {link.name for link in self.links if link.kind == "vxlan"}
        fdb = frozenset(entry for entry in self.fdb if entry.link in in_kernel)
        return KernelState(frozenset(self.links), self.addresses, self.neighbours, fdb, self.routes)


class KernelChange(NamedTuple):
    """Something that happened in the kernel.

    kind  what: "overrun" says that some were lost, and that anything may have happened
    link  on which link
    item  an entry that is new or has gone (a neighbour that has gone has the MAC address 0), or the link as it is now,
          None where it is no vxlan, TUN or TAP
    mtu   of a link that has changed, and is_up
    """

    kind: Literal["link gone", "link changed", "entry gone", "entry new", "overrun"]
    link: str = ""
    item: OverlayLink | Entry | None = None
    mtu: int = 0
    is_up: bool = False

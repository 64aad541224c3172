"""What a node's kernel has to hold so that packets reach the other nodes: a pure function of the leases.

As in flannel, IPv4 inside goes over IPv4 outside and IPv6 over IPv6, each by a vxlan device of its own. Where the node
has an underlay address of one family only, one device carries both. The udp backend has one device in any case.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_interface
from typing import NamedTuple

from vxlanpkt import MACAddress
from vxlanpkt.overlay.leases.config import NetworkConfig, UDPBackend, VXLANBackend
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError
from vxlanpkt.overlay.leases.leases import Lease, LeaseAttributes
from vxlanpkt.overlay.plans.kernel_state import (
    Address,
    FDBEntry,
    Hop,
    LinkAddress,
    LinkKind,
    NeighbourEntry,
    Network,
    OverlayLink,
    Plan,
    Route,
    Underlay,
    Unreachable,
    bytes_outside,
    covers,
)

_LEAST_MTU = {4: 68, 6: 1280}  # RFC 791 3.2, RFC 8200 5
_VXLAN_TYPES = ("vxlan", "vxlan-user")  # the same on the wire


def underlay_version(config: NetworkConfig, underlay: Underlay, inside: int) -> int:
    """The IP version outside for packets of version *inside*."""
    if isinstance(config.backend, UDPBackend):
        return 4 if underlay.public_ip is not None else 6
    return inside if underlay.public(inside) is not None else 10 - inside


def link_kind(config: NetworkConfig) -> LinkKind:
    """What carries the backend's packets."""
    kinds: dict[str, LinkKind] = {"vxlan": "vxlan", "vxlan-user": "tap", "udp": "tun"}
    return kinds[config.backend.type]


def link_name(config: NetworkConfig, outside: int) -> str:
    """The name that flannel gives the device over one IP version."""
    if isinstance(config.backend, UDPBackend):
        return "flannel0"
    return f"flannel{'' if outside == 4 else '-v6'}.{config.backend.vni}"


def link_names(config: NetworkConfig) -> frozenset[str]:
    """The names that devices of a node can have, whatever addresses its underlay has."""
    return frozenset(link_name(config, outside) for outside in (4, 6))


def networks_of(config: NetworkConfig) -> tuple[Network, ...]:
    """The networks that all nodes' subnets are of."""
    return tuple(subnets.network for subnets in (config.ipv4, config.ipv6) if subnets is not None)


def plan(config: NetworkConfig, own: Lease, others: Iterable[Lease], underlay: Underlay) -> Plan:
    """What the node of *own* needs to reach *others*.

    What cannot be served is left out and told of as `unreachable`; where two leases claim the same, the one whose key
    is less has it. Raises `ValueError` where the underlay's MTU leaves too little inside.
    """
    links = _links(config, own, underlay)
    leases = sorted(others, key=lambda lease: lease.key)
    peers, unreachable = _peers(_Node(config, own, underlay, links), leases)
    tunnelled = [peer for peer in peers if not peer.is_direct]
    with_mac = [(peer.link.name, peer.mac, peer) for peer in tunnelled if peer.mac is not None]
    return Plan(
        links=tuple(dict.fromkeys(links.values())),
        addresses=frozenset(
            LinkAddress(links[subnet.version].name, ip_interface(subnet.network_address)) for subnet in own.subnets
        ),
        neighbours=frozenset(NeighbourEntry(link, peer.subnet.network_address, mac) for link, mac, peer in with_mac),
        fdb=frozenset(FDBEntry(link, mac, peer.remote) for link, mac, peer in with_mac),
        routes=frozenset((*_own_routes(config, links), *(peer.route(underlay) for peer in peers if peer.has_route))),
        hops=frozenset(Hop(peer.subnet, peer.remote, peer.link.port) for peer in tunnelled if peer.mac is None),
        sources=frozenset(peer.remote for peer in peers),
        unreachable=tuple(unreachable),
    )


# -- the node itself


def _links(config: NetworkConfig, own: Lease, underlay: Underlay) -> dict[int, OverlayLink]:
    """The devices by the IP version inside.

    All have the least MTU of them, which is what containers have: to its device's MTU a data path cuts long frames.
    """
    links: dict[int, OverlayLink] = {
        subnet.version: _link(config, own, underlay, subnet.version) for subnet in own.subnets
    }
    _check_links(links)
    mtu = min(link.mtu for link in links.values())
    return {version: dataclasses.replace(link, mtu=mtu) for version, link in links.items()}


def _link(config: NetworkConfig, own: Lease, underlay: Underlay, inside: int) -> OverlayLink:
    """The device for packets of one IP version."""
    outside = underlay_version(config, underlay, inside)
    local = underlay.public(outside)
    if local is None:
        raise ValueError(f"{underlay.name} has no address that peers could send to")
    backend, name, kind = config.backend, link_name(config, outside), link_kind(config)
    mtu = _mtu(config, own, underlay, outside)
    if isinstance(backend, UDPBackend):
        return OverlayLink(name, kind, mtu, underlay.name, local, backend.port)
    mac = _vtep_mac(own.attributes, inside)
    if mac is None:
        raise ValueError(f"the lease of {own.subnets} names no VTEP for IPv{inside}")
    return OverlayLink(
        name, kind, mtu, underlay.name, local, backend.port, mac, backend.vni, backend.gbp, backend.learning
    )


def _check_links(links: Mapping[int, OverlayLink]) -> None:
    """A device that carries both families is one VTEP."""
    if 4 in links and 6 in links and links[4].name == links[6].name and links[4] != links[6]:
        name, first, second = links[4].name, links[4].mac, links[6].mac
        raise ValueError(f"{name} cannot have two addresses, {first} and {second}: the lease names both")


def _mtu(config: NetworkConfig, own: Lease, underlay: Underlay, outside: int) -> int:
    backend = config.backend
    if isinstance(backend, VXLANBackend) and backend.mtu:
        return backend.mtu
    # flannel takes 50 off over IPv6 too, and the longest packets are lost.
    mtu = underlay.mtu - bytes_outside(link_kind(config), outside)
    least = max(_LEAST_MTU[subnet.version] for subnet in own.subnets)
    if mtu < least:
        raise ValueError(f"the MTU of {underlay.name}, {underlay.mtu}, leaves {mtu} bytes inside; IP needs {least}")
    return mtu


def _own_routes(config: NetworkConfig, links: Mapping[int, OverlayLink]) -> Iterator[Route]:
    """The network as a whole goes into a "tun": its data path has the prefixes."""
    for network in networks_of(config):
        link = links.get(network.version)
        if link is not None and link.kind == "tun":
            yield Route(network, link.name)


def _vtep_mac(attributes: LeaseAttributes, inside: int) -> MACAddress | None:
    return attributes.vtep_mac if inside == 4 else attributes.vtep_mac6


# -- the other nodes


class _Node(NamedTuple):
    """What peers are judged by."""

    config: NetworkConfig
    own: Lease
    underlay: Underlay
    links: Mapping[int, OverlayLink]  # by the IP version inside


class _Peer(NamedTuple):
    """A subnet that can be reached."""

    subnet: Network
    link: OverlayLink
    remote: Address
    mac: MACAddress | None  # None behind a "tun"
    is_direct: bool

    @property
    def has_route(self) -> bool:
        return self.is_direct or self.link.kind != "tun"

    def route(self, underlay: Underlay) -> Route:
        if self.is_direct:
            return Route(self.subnet, underlay.name, self.remote)
        return Route(self.subnet, self.link.name, self.subnet.network_address, onlink=True)


class _Refused(Exception):
    """Why a subnet cannot be reached."""


def _peers(node: _Node, leases: Iterable[Lease]) -> tuple[list[_Peer], list[Unreachable]]:
    """Those that can be reached, and the others."""
    peers: list[_Peer] = []
    unreachable: list[Unreachable] = []
    owners: dict[object, _Peer] = {}  # of gateways, and of the MAC addresses on each link
    for lease in leases:
        for subnet in lease.subnets:
            try:
                peer = _peer(node, lease, subnet)
                _claim(owners, peer)
            except (_Refused, LeaseFormatError) as error:
                unreachable.append(Unreachable(subnet, lease, str(error)))
            else:
                peers.append(peer)
    return peers, unreachable


def _peer(node: _Node, lease: Lease, subnet: Network) -> _Peer:
    link = node.links.get(subnet.version)
    if link is None:
        raise _Refused(f"this node has no IPv{subnet.version} subnet")
    _check_subnet(node, lease, subnet)
    remote = lease.attributes.public_ip if link.local.version == 4 else lease.attributes.public_ipv6
    if remote is None:
        raise _Refused(f"it has no IPv{link.local.version} address to be reached at")
    _check_remote(node, remote)
    if link.kind == "tun":
        if lease.attributes.backend_type != "udp":
            raise _Refused(f"its backend is {lease.attributes.backend_type or 'not named'}, and this node's is udp")
        return _Peer(subnet, link, remote, None, False)
    mac = _check_vtep(link, lease, subnet.version)
    backend = node.config.backend
    direct = isinstance(backend, VXLANBackend) and backend.direct_routing
    is_direct = direct and remote.version == subnet.version and node.underlay.is_direct(remote)
    return _Peer(subnet, link, remote, mac, is_direct)


def _check_subnet(node: _Node, lease: Lease, subnet: Network) -> None:
    """A lease must not draw traffic that is none of the network's, or this node's own."""
    offered = node.config.ipv4 if subnet.version == 4 else node.config.ipv6
    if offered is None or not covers(offered.network, subnet):
        raise _Refused(f"it is not in the network{'' if offered is None else f', {offered.network}'}")
    if node.own.subnets.overlaps(lease.subnets):
        raise _Refused(f"it overlaps this node's {node.own.subnets}")


def _check_remote(node: _Node, remote: Address) -> None:
    if remote in (node.underlay.public_ip, node.underlay.public_ipv6) or node.underlay.has(remote):
        raise _Refused(f"its node's address, {remote}, is this node's own")
    if _is_nobody(remote) or node.underlay.is_broadcast(remote):
        raise _Refused(f"its node's address, {remote}, is no node's")
    offered = node.config.ipv4 if remote.version == 4 else node.config.ipv6
    if offered is not None and remote in offered.network:
        raise _Refused(f"its node's address, {remote}, is inside the overlay: the tunnel would lead into itself")


def _is_nobody(address: Address) -> bool:
    """Nor does a tunnel lead to a link-local address of IPv6: there is one of each on every link."""
    is_special = address.is_unspecified or address.is_loopback or address.is_multicast or int(address) == 0xFFFFFFFF
    return is_special or (address.version == 6 and address.is_link_local)


def _check_vtep(link: OverlayLink, lease: Lease, inside: int) -> MACAddress:
    attributes = lease.attributes
    if attributes.backend_type not in _VXLAN_TYPES:
        raise _Refused(f"its backend is {attributes.backend_type or 'not named'}, and this node's is vxlan")
    if attributes.vni != link.vni:
        raise _Refused(f"its VNI is {attributes.vni}, and this node's {link.vni}")
    mac = _vtep_mac(attributes, inside)
    if mac is None:
        raise _Refused(f"it names no VTEP for IPv{inside}")
    if mac.is_multicast or not int(mac):
        raise _Refused(f"its VTEP's address, {mac}, is no station's")
    if mac == link.mac:
        raise _Refused(f"its VTEP's address, {mac}, is this node's own")
    return mac


def _claim(owners: dict[object, _Peer], peer: _Peer) -> None:
    """A gateway has one MAC address, and a MAC address is in one place."""
    gateway = peer.subnet.network_address
    other = owners.setdefault(gateway, peer)
    if other is not peer:
        raise _Refused(f"{other.subnet} begins at the same address")
    if peer.mac is None:
        return
    station = owners.setdefault((peer.link.name, peer.mac), peer)
    if station.remote != peer.remote:
        del owners[gateway]
        raise _Refused(f"its VTEP's address, {peer.mac}, is that of {station.remote} too")

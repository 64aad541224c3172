"""What a node's kernel has to hold so that packets reach the other nodes: a pure function of the leases.

As in flannel, IPv4 inside goes over IPv4 outside and IPv6 over IPv6, each by a vxlan device of its own. Where the node
has an underlay address of one family only, one device carries both. The udp backend has one device in any case.
"""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_interface
from typing import Any, NamedTuple

from vxlanpkt import MACAddress
from vxlanpkt.overlay.addresses import Network
from vxlanpkt.overlay.leases.allocation import compatible
from vxlanpkt.overlay.leases.config import NetworkConfig, SubnetRange, UDPBackend, VXLANBackend
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError
from vxlanpkt.overlay.leases.leases import Lease, LeaseAttributes
from vxlanpkt.overlay.plans.kernel_state import (
    FDBEntry,
    Hop,
    LinkAddress,
    LinkKind,
    NeighbourEntry,
    OverlayLink,
    Plan,
    PlannedPeer,
    Route,
    Underlay,
    Unreachable,
    bytes_outside,
    covers,
)
from vxlanpkt.overlay.plans.remotes import Remotes

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

    What cannot be served is left out and told of as `unreachable`. Where two leases claim the same, the one that has
    just the families of the network comes first, then the one whose key is less. Raises `ValueError` where the
    underlay's MTU leaves too little inside.
    """
    links = _links(config, own, underlay)
    leases = sorted(others, key=lambda lease: (not compatible(config, lease.subnets), lease.key))
    peers, unreachable = _peers(_Node(config, own, underlay, links, Remotes(config, underlay)), leases)
    entries = [entry for peer in peers for entry in peer.entries]
    routes = [entry for entry in entries if isinstance(entry, Route)]
    return Plan(
        links=tuple(dict.fromkeys(links.values())),
        addresses=frozenset(
            LinkAddress(links[subnet.version].name, ip_interface(subnet.network_address)) for subnet in own.subnets
        ),
        neighbours=frozenset(entry for entry in entries if isinstance(entry, NeighbourEntry)),
        fdb=frozenset(entry for entry in entries if isinstance(entry, FDBEntry)),
        routes=frozenset((*_own_routes(config, links), *routes)),
        hops=frozenset(_hops(links, peers)),
        sources=frozenset(peer.remote for peer in peers),
        peers=tuple(peers),
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
    local = underlay.local(outside)
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
    remotes: Remotes


class _Refused(Exception):
    """Why a subnet cannot be reached."""


def _hops(links: Mapping[int, OverlayLink], peers: Iterable[PlannedPeer]) -> Iterator[Hop]:
    """What the data path of a "tun" has to know."""
    for peer in peers:
        link = links[peer.subnet.version]
        if link.kind == "tun":
            yield Hop(peer.subnet, peer.remote, link.port)


def _peers(node: _Node, leases: Iterable[Lease]) -> tuple[list[PlannedPeer], list[Unreachable]]:
    """Those that can be reached, and the others."""
    peers: list[PlannedPeer] = []
    unreachable: list[Unreachable] = []
    owners: dict[object, PlannedPeer] = {}  # of subnets, and of the MAC addresses on each link
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


def _peer(node: _Node, lease: Lease, subnet: Network) -> PlannedPeer:
    link = node.links.get(subnet.version)
    if link is None:
        raise _Refused(f"this node has no IPv{subnet.version} subnet")
    _check_subnet(node, lease, subnet)
    remote = lease.attributes.public_ip if link.local.version == 4 else lease.attributes.public_ipv6
    if remote is None:
        raise _Refused(f"it has no IPv{link.local.version} address to be reached at")
    fault = node.remotes.fault(remote)
    if fault:
        raise _Refused(f"its node's address, {remote}, {fault}")
    if link.kind == "tun":
        _check_backend(lease, ("udp",))
        return PlannedPeer(subnet, remote, link.name)
    mac = _check_vtep(link, lease, subnet.version)
    backend = node.config.backend
    direct = isinstance(backend, VXLANBackend) and backend.direct_routing
    if direct and remote.version == subnet.version and node.underlay.is_direct(remote):
        return PlannedPeer(subnet, remote, node.underlay.name, is_direct=True)
    return PlannedPeer(subnet, remote, link.name, mac)


def _check_subnet(node: _Node, lease: Lease, subnet: Network) -> None:
    """A lease must not draw traffic that is none of the network's, or this node's own, or another node's.

    So it has to be a subnet that the network gives. These have one length and do not overlap: a longer prefix would
    take a part of another's, a shorter one what nobody has yet. No node of flannel or of this library keeps any other.
    """
    offered: SubnetRange[Any] | None = node.config.ipv4 if subnet.version == 4 else node.config.ipv6
    if offered is None or not offered.allows(subnet):
        raise _Refused(_outside(offered, subnet))
    if node.own.subnets.overlaps(lease.subnets):
        raise _Refused(f"it overlaps this node's {node.own.subnets}")


def _outside(offered: SubnetRange[Any] | None, subnet: Network) -> str:
    if offered is None or not covers(offered.network, subnet):
        return f"it is not in the network{'' if offered is None else f', {offered.network}'}"
    return f"it is none of the network's subnets, {offered.first} to {offered.last}"


def _check_backend(lease: Lease, known: tuple[str, ...]) -> None:
    kind = lease.attributes.backend_type
    if kind not in known:
        raise _Refused(f"its backend is {reprlib.repr(kind) if kind else 'not named'}, and this node's is {known[0]}")


def _check_vtep(link: OverlayLink, lease: Lease, inside: int) -> MACAddress:
    attributes = lease.attributes
    _check_backend(lease, _VXLAN_TYPES)
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


def _claim(owners: dict[object, PlannedPeer], peer: PlannedPeer) -> None:
    """A subnet is one node's, and a MAC address is in one place."""
    other = owners.setdefault(peer.subnet, peer)
    if other is not peer:
        raise _Refused(f"it is already that of {other.remote}")
    if peer.mac is None:
        return
    station = owners.setdefault((peer.link, peer.mac), peer)
    if station.remote != peer.remote:
        del owners[peer.subnet]
        raise _Refused(f"its VTEP's address, {peer.mac}, is that of {station.remote} too")

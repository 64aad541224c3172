"""Which subnets a node gets: its own again, those that it had, or random ones of the first that are free."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from random import Random
from typing import TypeVar

from vxlanpkt.overlay.leases.config import NetworkConfig, SubnetRange
from vxlanpkt.overlay.leases.lease_errors import NoSubnetError
from vxlanpkt.overlay.leases.leases import Lease, LeaseAttributes, Subnets

_Network = TypeVar("_Network", IPv4Network, IPv6Network)

CANDIDATES = 100  # of so many that are free one is drawn, so that nodes that start together seldom meet


def compatible(config: NetworkConfig, subnets: Subnets) -> bool:
    """Whether *subnets* are of the network as it is now: families, range and prefix lengths."""
    return _allowed(config.ipv4, subnets.ipv4) and _allowed(config.ipv6, subnets.ipv6)


def _allowed(offered: SubnetRange[_Network] | None, subnet: _Network | None) -> bool:
    if offered is None or subnet is None:
        return offered is None and subnet is None
    return offered.allows(subnet)


def own_lease(leases: Iterable[Lease], attributes: LeaseAttributes) -> Lease | None:
    """The lease of the node that *attributes* are of."""
    return next((lease for lease in leases if lease.attributes.same_node(attributes)), None)


def choose_subnets(
    config: NetworkConfig, taken: Iterable[Subnets], previous: Subnets | None, random: Random
) -> Subnets:
    """What a node that has no lease takes: *previous* if it is compatible and free, else what *random* draws.

    Raises `NoSubnetError` where nothing is free.
    """
    held = tuple(taken)
    if previous is not None and compatible(config, previous) and not any(previous.overlaps(other) for other in held):
        return previous
    ipv4 = [subnets.ipv4 for subnets in held if subnets.ipv4 is not None]
    ipv6 = [subnets.ipv6 for subnets in held if subnets.ipv6 is not None]
    return Subnets(
        None if config.ipv4 is None else IPv4Network(_draw(config.ipv4, ipv4, random)),
        None if config.ipv6 is None else IPv6Network(_draw(config.ipv6, ipv6, random)),
    )


def _draw(offered: SubnetRange[_Network], taken: Iterable[_Network], random: Random) -> tuple[int, int]:
    free = free_subnets(offered, taken)
    if not free:
        raise NoSubnetError(f"every subnet of {offered.network} from {offered.first} to {offered.last} is taken")
    return random.choice(free), offered.prefix_length


def free_subnets(offered: SubnetRange[_Network], taken: Iterable[_Network], limit: int = CANDIDATES) -> list[int]:
    """The addresses of the first subnets that are free, in ascending order, never the network's first."""
    step = offered.step
    # flannel takes a SubnetMin that names the first subnet, whose address is the network's own.
    at = max(int(offered.first.network_address), int(offered.network.network_address) + step)
    last = int(offered.last.network_address)
    free: list[int] = []
    spans: list[tuple[int, int]] = [(int(net.network_address), int(net.broadcast_address)) for net in taken]
    for low, high in (*sorted(spans), (last + step, 0)):
        while at + step <= low and at <= last and len(free) < limit:
            free.append(at)
            at += step
        if at <= high:
            at = (high // step + 1) * step  # prefixes are aligned, so this is where the next subnet begins
    return free

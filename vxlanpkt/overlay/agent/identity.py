"""What a node says of itself in its lease, and which backend it has."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Literal

from vxlanpkt import MACAddress
from vxlanpkt.overlay.leases.config import NetworkConfig, UDPBackend, VXLANBackend
from vxlanpkt.overlay.leases.leases import LeaseAttributes
from vxlanpkt.overlay.plans.kernel_state import Underlay
from vxlanpkt.overlay.plans.planning import link_name, underlay_version

BackendType = Literal["vxlan", "vxlan-user", "udp"]


def with_backend(config: NetworkConfig, backend: BackendType | None) -> NetworkConfig:
    """The network with the backend that this node is to have: "vxlan" and "vxlan-user" are the same to other nodes.

    Raises `ValueError` for a backend that cannot speak with the network's, or cannot do what the network asks for.
    """
    chosen = config.backend
    if backend not in (None, chosen.type):
        if isinstance(chosen, UDPBackend) or backend == "udp":
            raise ValueError(f"the network's backend is {chosen.type}, which a node of {backend} cannot speak with")
        chosen = dataclasses.replace(chosen, type=backend)
    if isinstance(chosen, VXLANBackend) and chosen.type == "vxlan-user" and chosen.learning:
        raise ValueError("Backend.Learning is the kernel's: the packet loops of vxlan-user do not learn")
    return dataclasses.replace(config, backend=chosen)


def attributes_of(
    config: NetworkConfig, underlay: Underlay, mac_of: Callable[[str], MACAddress | None]
) -> LeaseAttributes:
    """The attributes of a node with *underlay*. *mac_of* knows the devices there are: a VTEP keeps its address."""
    if isinstance(config.backend, UDPBackend):
        return LeaseAttributes(underlay.public_ip, underlay.public_ipv6, "udp")
    macs: dict[str, MACAddress] = {}

    def mac(inside: int) -> MACAddress:
        name = link_name(config, underlay_version(config, underlay, inside))
        if name not in macs:
            macs[name] = mac_of(name) or random_mac()
        return macs[name]

    return LeaseAttributes.vxlan(
        underlay.public_ip,
        None if config.ipv4 is None else mac(4),
        vni=config.backend.vni,
        public_ipv6=underlay.public_ipv6,
        vtep_mac6=None if config.ipv6 is None else mac(6),
    )


def random_mac() -> MACAddress:
    """A station's address that is administered locally."""
    first, *others = os.urandom(6)
    return MACAddress(bytes((first & 0xFC | 0x02, *others)))

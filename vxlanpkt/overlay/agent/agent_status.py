"""How a running agent stands, put together from its parts."""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus, PeerStatus
from vxlanpkt.overlay.leases.leases import Lease
from vxlanpkt.overlay.linux.link_counters import LinkCounters, link_counters
from vxlanpkt.overlay.plans.kernel_state import Network, OverlayLink, Plan, Underlay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxlanpkt.overlay.agent.node import Node
    from vxlanpkt.overlay.datapath.data_plane import DataPlane


@dataclass(frozen=True)
class Shown:
    """What the loop lets others see: it puts another in its place, and changes none."""

    underlay: Underlay
    started: float
    plan: Plan = dataclasses.field(default_factory=Plan)
    leases: tuple[Lease, ...] = ()
    faults: tuple[str, ...] = ()
    events: int = 0

    def replace(self, **changes: Any) -> Shown:
        """The same with other fields."""
        return dataclasses.replace(self, **changes)


def status_of(node: Node, shown: Shown, store_fault: str) -> AgentStatus:
    """The status of *node*; `OSError` where the kernel's counters cannot be read."""
    lease, counters = node.keeper.lease, link_counters()
    return AgentStatus(
        backend=node.config.backend.type,
        store=str(node.store),
        underlay=shown.underlay.name,
        subnets=tuple(map(str, lease.subnets)),
        mtu=shown.plan.mtu if shown.plan.links else 0,
        started=shown.started,
        now=time.time(),
        pid=os.getpid(),
        lease_expiry=lease.expiry,
        store_fault=store_fault,
        faults=shown.faults,
        programmed=node.reconciler.programmed,
        failed=node.reconciler.failed,
        events=shown.events,
        links=tuple(_link(link, counters.get(link.name, LinkCounters()), node.plane) for link in shown.plan.links),
        peers=tuple(_peers(shown)),
    )


def _link(link: OverlayLink, counters: LinkCounters, plane: DataPlane | None) -> LinkStatus:
    return LinkStatus(
        name=link.name,
        kind=link.kind,
        mtu=link.mtu,
        local=str(link.local),
        port=link.port,
        vni=link.vni,
        mac=None if link.mac is None else str(link.mac),
        rx_packets=counters.rx_packets,
        rx_bytes=counters.rx_bytes,
        tx_packets=counters.tx_packets,
        tx_bytes=counters.tx_bytes,
        drops=counters.losses | ({} if plane is None else plane.losses(link.name)),
        missing=() if plane is None else plane.missing(link.name),
    )


def _peers(shown: Shown) -> Iterator[PeerStatus]:
    unreachable = {(gone.subnet, gone.lease.key): gone.why for gone in shown.plan.unreachable}
    direct = {route.destination for route in shown.plan.routes if route.link == shown.underlay.name}
    for lease in shown.leases:
        for subnet in lease.subnets:
            yield _peer(lease, subnet, unreachable.get((subnet, lease.key)), subnet in direct)


def _peer(lease: Lease, subnet: Network, why: str | None, is_direct: bool) -> PeerStatus:
    attributes = lease.attributes
    node = (subnet.version == 6 and attributes.public_ipv6) or attributes.public_ip or attributes.public_ipv6
    if why is not None:
        return PeerStatus(str(subnet), str(node), "none", why=why)
    mac = attributes.vtep_mac if subnet.version == 4 else attributes.vtep_mac6
    return PeerStatus(str(subnet), str(node), "direct" if is_direct else "tunnel", None if mac is None else str(mac))

"""How a running agent stands, put together from its parts."""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus, PeerStatus
from vxlanpkt.overlay.linux.link_counters import LinkCounters, link_counters
from vxlanpkt.overlay.plans.kernel_state import (
    Entry,
    FDBEntry,
    KernelState,
    NeighbourEntry,
    OverlayLink,
    Plan,
    PlannedPeer,
    Route,
    Underlay,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxlanpkt.overlay.agent.node import Node
    from vxlanpkt.overlay.datapath.data_plane import DataPlane

_NAMES: dict[type, str] = {NeighbourEntry: "neighbour entry", FDBEntry: "FDB entry", Route: "route"}


@dataclass(frozen=True)
class Shown:
    """What the loop lets others see: it puts another in its place, and changes none."""

    underlay: Underlay
    started: float
    plan: Plan = dataclasses.field(default_factory=Plan)
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
        peers=tuple(_peers(shown.plan, node.reconciler.held)),
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
        tunnel_gso_frames=0 if plane is None else plane.tunnel_gso_frames(link.name),
    )


def _peers(plan: Plan, held: KernelState | None) -> Iterator[PeerStatus]:
    """Those of the plan, as far as the kernel does not lack what is theirs; then those that nothing was made for."""
    lacking = _lacking(plan, held)
    for peer in plan.peers:
        subnet, node = str(peer.subnet), str(peer.remote)
        why = _why(peer, lacking) if lacking else ""
        if why:
            yield PeerStatus(subnet, node, "none", why=why)
        else:
            path = "direct" if peer.is_direct else "tunnel"
            yield PeerStatus(subnet, node, path, None if peer.mac is None else str(peer.mac))
    for gone in plan.unreachable:
        yield PeerStatus(str(gone.subnet), _node(gone), "none", why=gone.why)


def _lacking(plan: Plan, held: KernelState | None) -> frozenset[str | Entry]:
    """The names of devices and the entries that the kernel is known not to hold."""
    if held is None:  # nothing is known of it at the moment
        return frozenset()
    wanted = plan.kernel
    there = {link.name for link in held.links if link.is_up}
    return frozenset((
        *(link.name for link in wanted.links if link.name not in there),
        *wanted.neighbours - held.neighbours,
        *wanted.fdb - held.fdb,
        *wanted.routes - held.routes,
    ))  # fmt: skip


def _why(peer: PlannedPeer, lacking: frozenset[str | Entry]) -> str:
    """What the kernel lacks of what a peer needs."""
    if peer.link in lacking:
        return f"{peer.link} is not there, or down"
    missing = [_NAMES[type(entry)] for entry in peer.entries if entry in lacking]
    return f"the kernel does not hold its {' and '.join(missing)}" if missing else ""


def _node(gone: Unreachable) -> str:
    attributes = gone.lease.attributes
    return str((gone.subnet.version == 6 and attributes.public_ipv6) or attributes.public_ip or attributes.public_ipv6)

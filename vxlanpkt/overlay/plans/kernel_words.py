"""What the kernel holds for an overlay, in the words of `ip` and `bridge`: for logs and errors."""

from __future__ import annotations

from vxlanpkt.overlay.plans.kernel_state import Entry, FDBEntry, LinkAddress, NeighbourEntry, OverlayLink


def in_words(item: OverlayLink | Entry) -> str:
    """What tells an item from others: "route 10.5.2.0/24 via 10.5.2.0 dev flannel.1"."""
    if isinstance(item, OverlayLink):
        kind = item.kind if item.vni is None else f"{item.kind} {item.vni}"
        return f"device {item.name} ({kind} over {item.underlay}, local {item.local}, port {item.port})"
    if isinstance(item, LinkAddress):
        return f"address {item.address} dev {item.link}"
    if isinstance(item, NeighbourEntry):
        return f"neighbour {item.address} lladdr {item.mac} dev {item.link}"
    if isinstance(item, FDBEntry):
        return f"FDB entry {item.mac} dst {item.remote} dev {item.link}"
    gateway = "" if item.gateway is None else f" via {item.gateway}"
    metric = f" metric {item.metric}" if item.metric else ""
    return f"route {item.destination}{gateway} dev {item.link}{metric}"

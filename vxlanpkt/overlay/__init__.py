"""Overlays: nodes that agree on subnets, and carry packets between them.

Names only: each is loaded from its module when it is first used.
"""

from typing import TYPE_CHECKING

from vxlanpkt._names import loaded_on_use

if TYPE_CHECKING:
    from vxlanpkt.overlay.forwarding import ForwardingEntry as ForwardingEntry
    from vxlanpkt.overlay.forwarding import ForwardingTable as ForwardingTable
    from vxlanpkt.overlay.forwarding import LearningCounts as LearningCounts
    from vxlanpkt.overlay.neighbours import Neighbour as Neighbour
    from vxlanpkt.overlay.neighbours import NeighbourTable as NeighbourTable
    from vxlanpkt.overlay.routes import RouteTable as RouteTable
    from vxlanpkt.overlay.vtep import Sending as Sending
    from vxlanpkt.overlay.vtep import SendingBatch as SendingBatch
    from vxlanpkt.overlay.vtep import Vtep as Vtep
    from vxlanpkt.overlay.vtep import VtepCounts as VtepCounts

_MODULES: dict[str, tuple[str, ...]] = {
    "forwarding": ("ForwardingEntry", "ForwardingTable", "LearningCounts"),
    "neighbours": ("Neighbour", "NeighbourTable"),
    "routes": ("RouteTable",),
    "vtep": ("Sending", "SendingBatch", "Vtep", "VtepCounts"),
}

__all__ = sorted(name for names in _MODULES.values() for name in names)

__getattr__ = loaded_on_use(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__

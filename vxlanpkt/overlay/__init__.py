"""Overlays: the devices and the packet loops of backends that work in user space.

The names are loaded from their modules when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxlanpkt._names import loaded_on_use

if TYPE_CHECKING:
    from vxlanpkt.overlay.datapath import DataPath as DataPath
    from vxlanpkt.overlay.datapath import Ending as Ending
    from vxlanpkt.overlay.datapath import Event as Event
    from vxlanpkt.overlay.datapath import EventKind as EventKind
    from vxlanpkt.overlay.devices import Device as Device
    from vxlanpkt.overlay.devices import Features as Features
    from vxlanpkt.overlay.icmp_errors import ICMPErrors as ICMPErrors
    from vxlanpkt.overlay.icmp_errors import icmp_error as icmp_error
    from vxlanpkt.overlay.peers import Peers as Peers

_MODULES: dict[str, tuple[str, ...]] = {
    "datapath": ("DataPath", "Ending", "Event", "EventKind"),
    "devices": ("Device", "Features"),
    "icmp_errors": ("ICMPErrors", "icmp_error"),
    "peers": ("Peers",),
}

__all__ = sorted(name for names in _MODULES.values() for name in names)

__getattr__ = loaded_on_use(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__

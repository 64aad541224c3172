"""ICMP errors from the links of an overlay: senders learn that a peer is not there, and what its path takes."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from vxlanpkt import Ethernet, EtherType, MACAddress, Packet, ParseError, dissect
from vxlanpkt.overlay.datapath import Event, EventKind
from vxlanpkt.overlay.devices import Device
from vxlanpkt.overlay.icmp_errors import icmp_error
from vxlanpkt.overlay.kernel_state import OverlayLink, bytes_outside

Address = IPv4Address | IPv6Address
# Who an error comes from: the version of the packet, and the VTEP that its frame was for, if it was in a frame.
Router = Callable[[int, MACAddress | None], Address | None]

_logger = logging.getLogger(__name__)

_ETHERNET = 14
_IP_MTU, _IPV6_MTU = 14, 24  # getsockopt: what the kernel knows of the path of a connected socket
_IP_VERSIONS = {EtherType.IPV4: 4, EtherType.IPV6: 6}


class PathErrors:
    """An `on_event` for the data path of a link: writes the ICMP error to the device, whose kernel knows the way.

    link    as it is now; another may take its place
    router  whose address the error bears. A kernel takes none of its own addresses from a device, and may want a way
            back to it there. None sends no error
    """

    def __init__(self, device: Device, link: OverlayLink, router: Router) -> None:
        self._device, self.link, self._router = device, link, router

    def __call__(self, event: Event) -> None:
        """Answer, if an answer is to be sent."""
        try:
            answer = self._in_frame(event) if self.link.kind == "tap" else self._bare(event)
        except ParseError as fault:
            _logger.debug("%s: no error about a broken packet: %s", self.link.name, fault)
            return
        if answer is not None:
            self._device.write(answer)

    def _bare(self, event: Event) -> bytes | None:
        source = self._router(event.head[0] >> 4, None) if event.head else None
        return None if source is None else icmp_error(event, source, self._inner_mtu(event))

    def _in_frame(self, event: Event) -> bytes | None:
        """The error in a frame from the VTEP that the frame was for."""
        frame = dissect(event.head, original_length=event.length)
        ethernet = frame[Ethernet]
        version = _IP_VERSIONS.get(EtherType(ethernet.require("ethertype")))
        source = None if version is None else self._router(version, ethernet.dst)
        if source is None:
            return None
        packet = event._replace(head=event.head[_ETHERNET:], length=event.length - _ETHERNET)
        error = icmp_error(packet, source, self._inner_mtu(event))
        back = Packet(ethernet.replace(dst=ethernet.src, src=ethernet.dst)).build()
        return None if error is None else back + error

    def _inner_mtu(self, event: Event) -> int:
        """What fits inside on the way to the peer."""
        if event.kind is not EventKind.TOO_BIG or event.peer is None:
            return self.link.mtu
        local = self.link.local
        outer = path_mtu(local, *event.peer)
        return min(self.link.mtu, outer - bytes_outside(self.link.kind, local.version))


def path_mtu(local: Address, peer: Address, port: int) -> int:
    """What the kernel knows of the path to a peer: the device's MTU, unless a router said less."""
    is_ipv4 = local.version == 4
    with socket.socket(socket.AF_INET if is_ipv4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind((str(local), 0))
        probe.connect((str(peer), port))
        if is_ipv4:
            return probe.getsockopt(socket.IPPROTO_IP, _IP_MTU)
        return probe.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)

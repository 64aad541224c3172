"""ICMP errors for packets that went nowhere (RFC 792, RFC 4443): what a router says, and flannel's data path does not.

A kernel drops what comes from a device with one of its own addresses as a source. So errors come from an address of the
overlay's network that no node has, such as one of the subnet that flannel never hands out.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from vxlanpkt import (
    ICMP,
    Ethernet,
    EtherType,
    ICMPv6,
    IPv4,
    IPv6,
    LinkType,
    MACAddress,
    Packet,
    PacketTooBig,
    ParseError,
    Quote,
    Unreachable,
    dissect,
)
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.datapath.datapath import Event, EventKind
from vxlanpkt.overlay.datapath.devices import Device
from vxlanpkt.overlay.plans.kernel_state import bytes_outside

_logger = logging.getLogger(__name__)

# So that the error is no longer than 576 (RFC 1812 4.3.2.3) or 1280 bytes (RFC 4443 2.4).
_QUOTED4, _QUOTED6 = 548, 1232
_ETHERNET = 14
_IP_VERSIONS: dict[int, int] = {EtherType.IPV4: 4, EtherType.IPV6: 6}
_IP_MTU, _IPV6_MTU = 14, 24
_PATH_MTU = {4: (socket.AF_INET, socket.IPPROTO_IP, _IP_MTU), 6: (socket.AF_INET6, socket.IPPROTO_IPV6, _IPV6_MTU)}
_ICMP, _ICMPV6 = 1, 58
_QUERIES = frozenset((0, 8, 9, 10, 13, 14))  # ICMP messages that are no errors
_MESSAGES4 = {
    EventKind.UNKNOWN_DESTINATION: (3, 0),  # network unreachable
    EventKind.TOO_BIG: (3, 4),  # fragmentation needed
    EventKind.TIME_EXCEEDED: (11, 0),
}
_MESSAGES6 = {
    EventKind.UNKNOWN_DESTINATION: (1, 0),  # no route to destination
    EventKind.TOO_BIG: (2, 0),
    EventKind.TIME_EXCEEDED: (3, 0),
}


def icmp_error(event: Event, source: IPv4Address | IPv6Address, mtu: int = 0) -> bytes | None:
    """The IP packet that tells the sender of *event*'s packet, or None where none is to be sent.

    *source* is of the packet's IP version, *mtu* what the path takes inside. No error is about an error, a later
    fragment, or a packet from or to a group (RFC 1122 3.2.2, RFC 4443 2.4).
    """
    found = dissect(event.head, start=LinkType.RAW, original_length=event.length)
    if IPv4 in found and source.version == 4:
        return _error4(event, found[IPv4], IPv4Address(source), mtu)
    if IPv6 in found and source.version == 6:
        return _error6(event, found[IPv6], IPv6Address(source), mtu)
    return None


def _error4(event: Event, packet: IPv4, source: IPv4Address, mtu: int) -> bytes | None:
    at = packet.require("ihl") * 4
    is_error = packet.protocol == _ICMP and event.head[at : at + 1] and event.head[at] not in _QUERIES
    if is_error or packet.fragment_offset or not _is_host(packet.src) or packet.dst.is_multicast:
        return None
    kind, code = _MESSAGES4[event.kind]
    quoted = event.head[:_QUOTED4]
    body = Unreachable(next_hop_mtu=mtu if code else 0, packet=quoted) if kind == 3 else Quote(packet=quoted)
    return Packet(IPv4(source, packet.src, dscp=48), ICMP(kind, code, body=body)).build()


def _error6(event: Event, packet: IPv6, source: IPv6Address, mtu: int) -> bytes | None:
    is_error = packet.upper_protocol == _ICMPV6 and len(event.head) > 40 and event.head[40] < 128
    if is_error or not _is_host(packet.src):
        return None
    if packet.dst.is_multicast and event.kind is not EventKind.TOO_BIG:
        return None
    kind, code = _MESSAGES6[event.kind]
    quoted = event.head[:_QUOTED6]
    body = PacketTooBig(mtu=max(mtu, 1280), packet=quoted) if kind == 2 else Quote(packet=quoted)
    return Packet(IPv6(source, packet.src), ICMPv6(kind, code, body=body)).build()


def _is_host(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one that an answer can be sent to."""
    return not (address.is_multicast or address.is_unspecified or address.is_loopback or int(address) == 0xFFFFFFFF)


# Who an error comes from: for a packet's IP version, and in a frame the VTEP that it was for.
Router = Callable[[int, MACAddress | None], Address | None]


class ICMPErrors:
    """An `on_event` for a data path: writes the error to the device, whose kernel knows the way to the sender.

    router  whose address an error bears: no address of this node's, and one that has a route to the device. None sends
            no error
    """

    def __init__(self, device: Device, router: Router) -> None:
        self._device, self._router = device, router

    def __call__(self, event: Event) -> None:
        """Answer, if an answer is to be sent."""
        try:
            error = self._in_frame(event) if self._device.kind == "tap" else self._bare(event)
        except ParseError as fault:
            _logger.debug("no error about a broken packet: %s", fault)
            return
        if error is not None:
            self._device.write(error)

    def _bare(self, event: Event) -> bytes | None:
        source = self._router(event.head[0] >> 4, None) if event.head else None
        return None if source is None else icmp_error(event, source, self._mtu(event))

    def _in_frame(self, event: Event) -> bytes | None:
        """The error in a frame from the VTEP that the other was for."""
        found = dissect(event.head, original_length=event.length)
        if Ethernet not in found:
            return None
        ethernet = found[Ethernet]
        version = _IP_VERSIONS.get(ethernet.require("ethertype"))
        source = None if version is None else self._router(version, ethernet.dst)
        if source is None:
            return None
        packet = event._replace(head=event.head[_ETHERNET:], length=event.length - _ETHERNET)
        error = icmp_error(packet, source, self._mtu(event))
        back = ethernet.replace(dst=ethernet.src, src=ethernet.dst)
        return None if error is None else Packet(back).build() + error

    def _mtu(self, event: Event) -> int:
        """What fits inside on the way to the peer."""
        if event.kind is not EventKind.TOO_BIG or event.peer is None:
            return self._device.mtu
        address, port = event.peer
        outside = bytes_outside(self._device.kind, address.version)
        return min(self._device.mtu, _path_mtu(address, port) - outside)


def _path_mtu(peer: Address, port: int) -> int:
    """What the kernel knows of the path to a peer: the MTU of the device there, unless a router said less."""
    family, level, option = _PATH_MTU[peer.version]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(peer), port))
        return probe.getsockopt(level, option)

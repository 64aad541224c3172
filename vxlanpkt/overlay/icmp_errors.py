"""ICMP errors for packets that went nowhere (RFC 792, RFC 4443): what a router says, and flannel's data path does not.

A kernel drops what comes from a device with one of its own addresses as a source. So errors come from an address of the
overlay's network that no node has, such as one of the subnet that flannel never hands out.
"""

from __future__ import annotations

import logging
from ipaddress import IPv4Address, IPv6Address

from vxlanpkt import (
    ICMP,
    ICMPv6,
    IPv4,
    IPv6,
    LinkType,
    Packet,
    PacketTooBig,
    ParseError,
    Quote,
    Unreachable,
    dissect,
)
from vxlanpkt.overlay.datapath import Event, EventKind
from vxlanpkt.overlay.devices import Device

_logger = logging.getLogger(__name__)

_QUOTED4, _QUOTED6 = (
    548,
    1232,
)  # so that the error is no longer than 576 (RFC 1812 4.3.2.3) or 1280 bytes (RFC 4443 2.4)
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


class ICMPErrors:
    """An `on_event` for the data path of a TUN: writes the error to the device, whose kernel knows the way.

    source4, source6  where errors come from: no address of this node; None sends none of this version
    mtu               what paths take inside; the device's if not given
    """

    def __init__(
        self,
        device: Device,
        *,
        source4: IPv4Address | str | None = None,
        source6: IPv6Address | str | None = None,
        mtu: int | None = None,
    ) -> None:
        self._device = device
        self._sources = {
            4: None if source4 is None else IPv4Address(source4),
            6: None if source6 is None else IPv6Address(source6),
        }
        self._mtu = mtu

    def __call__(self, event: Event) -> None:
        """Answer, if an answer is to be sent."""
        source = self._sources.get(event.head[0] >> 4) if event.head else None
        if source is None:
            return
        try:
            error = icmp_error(event, source, self._mtu or self._device.mtu)
        except ParseError as fault:
            _logger.debug("no error about a broken packet: %s", fault)
            return
        if error is not None:
            self._device.write(error)

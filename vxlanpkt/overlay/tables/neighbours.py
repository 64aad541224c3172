"""Neighbours whose addresses are known, and the answers that are given in their place (ARP and ND suppression).

A question for a known address is answered where it was asked, and needs not flood the overlay: RFC 826 for IPv4,
RFC 4861 section 7.2 for IPv6. What is not known is never answered. Some questions are not, though the address is known:

- an announcement (RFC 5227 section 3: the sender's own address is what it asks for) asks nothing;
- a host that probes for its own address, or does duplicate address detection (RFC 4862 section 5.4), would take the
  answer for another host that has it: the MAC address is compared;
- a question to one station alone (RFC 1122 section 2.3.2.1, RFC 4861 section 7.3: is it still there?) is for that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from vxlanpkt import MACAddress
from vxlanpkt.assigned import ARPOperation, ICMPv6Type, NDOptionType
from vxlanpkt.dissection import Dissection, dissect
from vxlanpkt.errors import ParseError, refused_field
from vxlanpkt.layers.arp import ARP
from vxlanpkt.layers.ethernet import Ethernet
from vxlanpkt.layers.icmpv6 import ICMPv6
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
)
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.packet import Packet

_refused = partial(refused_field, "NeighbourTable")

_Known = dict[tuple[int, Address], "_Entry"]

_ALL_NODES = IPv6Address("ff02::1")
_ALL_NODES_MAC = MACAddress("33:33:00:00:00:01")
_SOLICITED = IPv6Address("ff02::1:ff00:0")
_SOLICITED_BITS = 104
_HOP_LIMIT = 255


class _Entry(NamedTuple):
    mac: MACAddress
    router: bool
    last_seen: float | None


class Neighbour(NamedTuple):
    """What the table says of one address; `last_seen` is None for a static one."""

    vni: int
    address: Address
    mac: MACAddress
    router: bool
    last_seen: float | None


class NeighbourTable:
    """MAC addresses by VNI and IP address, and answers to those who ask for one.

    aging_seconds  a learnt entry is forgotten when nothing was heard of it for longer; None never
    max_learnt     how many learnt entries there may be; `refused` counts what there was no room for

    Entries from `add` are static: they do not age, and learning does not move them. `now` is in seconds, of any clock.
    """

    def __init__(self, aging_seconds: float | None = 300, *, max_learnt: int = 65536) -> None:
        self.aging_seconds = aging_seconds
        self.max_learnt = max_learnt
        self.refused = 0
        self._static: _Known = {}
        self._learnt: _Known = {}  # ordered by when they were heard of

    def __len__(self) -> int:
        return len(self._static) + len(self._learnt)

    def add(
        self, vni: int, address: Address | str, mac: MACAddress | str | bytes | int, *, router: bool = False
    ) -> None:
        """Add a static entry, in place of one that there is.

        router  advertisements for it say so (RFC 4861 section 4.4): hosts drop a router that is none any more
        """
        key = vni, _station_ip(address)
        self._learnt.pop(key, None)
        self._static[key] = _Entry(_station_mac(mac), router, None)

    def learn(self, vni: int, address: Address | str, mac: MACAddress | str | bytes | int, now: float) -> bool:
        """Learn where an address is; returns whether the table says so now."""
        key, station = (vni, _station_ip(address)), _station_mac(mac)
        static = self._static.get(key)
        if static is not None:
            return static.mac == station
        known = self._learnt.pop(key, None)
        if known is None and not self._has_room(now):
            self.refused += 1
            return False
        self._learnt[key] = _Entry(station, known is not None and known.router and known.mac == station, now)
        return True

    def _has_room(self, now: float) -> bool:
        """Whether one more may be learnt. The first entry is the oldest: if it has not aged none has."""
        if len(self._learnt) >= self.max_learnt and self._learnt:
            first = next(iter(self._learnt))
            if not self._is_aged(self._learnt[first], now):
                return False
            del self._learnt[first]
        return len(self._learnt) < self.max_learnt

    def _is_aged(self, entry: _Entry, now: float) -> bool:
        aging, seen = self.aging_seconds, entry.last_seen
        return aging is not None and seen is not None and now - seen > aging

    def look_up(self, vni: int, address: Address | str, now: float) -> MACAddress | None:
        """The MAC address of an IP address, or None."""
        entry = self._find(vni, ip_address(address), now)
        return None if entry is None else entry.mac

    def _find(self, vni: int, address: Address, now: float) -> _Entry | None:
        entry = self._static.get((vni, address)) or self._learnt.get((vni, address))
        return None if entry is None or self._is_aged(entry, now) else entry

    def remove(self, vni: int, address: Address | str) -> bool:
        """Remove an entry, static or learnt; returns whether there was one."""
        key = vni, ip_address(address)
        found = [known.pop(key, None) for known in (self._static, self._learnt)]
        return found != [None, None]

    def expire(self, now: float) -> int:
        """Drop the entries that have aged; returns how many there were."""
        aged = [key for key, entry in self._learnt.items() if self._is_aged(entry, now)]
        for key in aged:
            del self._learnt[key]
        return len(aged)

    def __iter__(self) -> Iterator[Neighbour]:
        """The entries, ordered by VNI, version and address."""
        found = [(*key, *entry) for known in (self._static, self._learnt) for key, entry in known.items()]
        return (Neighbour(*entry) for entry in sorted(found, key=lambda item: (item[0], item[1].version, item[1])))

    def __repr__(self) -> str:
        return f"<NeighbourTable of {len(self)} entries, {len(self._learnt)} of them learnt>"

    # -- questions and answers

    def answer(self, vni: int, frame: bytes, now: float) -> bytes | None:
        """The frame that answers this one.

        None where it asks nothing, nothing is known, or the answer is not ours to give.
        """
        found = dissect(frame)
        match found.layers:
            case (Ethernet() as link, ARP() as arp):
                return self._answer_arp(vni, link, arp, now)
            case (Ethernet() as link, IPv6() as ip, ICMPv6() as message) if _is_sound(found, ip, message):
                if isinstance(message.body, NeighborSolicitation):
                    return self._answer_solicitation(vni, link, ip, message.body, now)
        return None

    def _answer_arp(self, vni: int, link: Ethernet, arp: ARP, now: float) -> bytes | None:
        if not _is_arp(arp) or arp.operation != ARPOperation.REQUEST or not link.dst.is_multicast:
            return None
        if arp.sender_ip == arp.target_ip or not _is_station(arp.sender_mac) or not _is_station(link.src):
            return None
        entry = self._find(vni, arp.target_ip, now)
        if entry is None or entry.mac in (arp.sender_mac, link.src):
            return None
        return Packet(
            Ethernet(dst=link.src, src=entry.mac),
            ARP(ARPOperation.REPLY, entry.mac, arp.target_ip, arp.sender_mac, arp.sender_ip),
        ).build()

    def _answer_solicitation(
        self, vni: int, link: Ethernet, ip: IPv6, asked: NeighborSolicitation, now: float
    ) -> bytes | None:
        if asked.target.is_multicast or not link.dst.is_multicast or not _is_station(link.src):
            return None
        if not ip.dst.is_multicast or (ip.src.is_unspecified and not _may_detect(ip, asked)):
            return None
        entry = self._find(vni, asked.target, now)
        senders = _sender_macs(link, asked)
        if entry is None or senders is None or entry.mac in senders:
            return None
        # RFC 4861 section 7.2.4: "If the source of the solicitation is the unspecified address, the node MUST set the
        # Solicited flag to zero and multicast the advertisement to the all-nodes address."
        detects = ip.src.is_unspecified
        body = NeighborAdvertisement(
            asked.target, entry.router, not detects, True, [TargetLinkLayerAddress(entry.mac)]
        )  # fmt: skip
        return Packet(
            Ethernet(dst=_ALL_NODES_MAC if detects else link.src, src=entry.mac),
            IPv6(asked.target, _ALL_NODES if detects else ip.src, hop_limit=_HOP_LIMIT),
            ICMPv6(ICMPv6Type.NEIGHBOR_ADVERTISEMENT, body=body),
        ).build()

    def observe(self, vni: int, frame: bytes, now: float) -> bool:
        """Learn from what a host says of itself, in ARP and in neighbour discovery; returns whether it did.

        Who only probes for an address does not have it yet.
        """
        found = dissect(frame)
        match found.layers:
            case (Ethernet() as link, ARP() as arp) if _is_arp(arp):
                return self._hear(vni, link, arp.sender_ip, arp.sender_mac, now)
            case (Ethernet() as link, IPv6() as ip, ICMPv6() as message) if _is_sound(found, ip, message):
                said = _said(ip, message)
                return said is not None and self._hear(vni, link, *said, now)
        return False

    def _hear(self, vni: int, link: Ethernet, address: Address, mac: MACAddress, now: float) -> bool:
        """Learn what a host says of itself: its frame comes from the address that it tells of."""
        if link.src != mac or not _is_station(mac) or not _is_station_ip(address):
            return False
        return self.learn(vni, address, mac, now)


def _said(ip: IPv6, message: ICMPv6) -> tuple[IPv6Address, MACAddress] | None:
    """The address and the MAC address that a message of neighbour discovery tells of."""
    body = message.body
    if isinstance(body, NeighborAdvertisement):
        for option in body.parsed_options():
            if isinstance(option, TargetLinkLayerAddress):
                return body.target, option.address
    if isinstance(body, NeighborSolicitation):
        for option in body.parsed_options():
            if isinstance(option, SourceLinkLayerAddress):
                return ip.src, option.address
    return None


def _is_arp(arp: ARP) -> bool:
    return arp.raw_addresses is None and arp.hardware_type == 1 and arp.protocol_type == 0x0800


def _is_sound(found: Dissection, ip: IPv6, message: ICMPv6) -> bool:
    """Whether a message is to be read at all: RFC 4861 sections 7.1.1 and 7.1.2, which say what MUST be discarded."""
    body = message.body
    if ip.hop_limit != _HOP_LIMIT or message.code or ip.extension_headers or found.error is not None:
        return False
    if not isinstance(body, (NeighborSolicitation, NeighborAdvertisement)):
        return False
    try:
        body.parsed_options()
    except ParseError:
        return False
    return not list(Packet.from_dissection(found).checksum_errors())


def _may_detect(ip: IPv6, asked: NeighborSolicitation) -> bool:
    """RFC 4861 section 7.1.1: without a source, it goes to the group of those asked, and has no source option."""
    options = asked.parsed_options()
    group = int(ip.dst) >> 128 - _SOLICITED_BITS == int(_SOLICITED) >> 128 - _SOLICITED_BITS
    return group and not any(isinstance(option, SourceLinkLayerAddress) for option in options)


def _sender_macs(link: Ethernet, asked: NeighborSolicitation) -> set[MACAddress] | None:
    """The addresses of who asks; None if it names one that an answer cannot go to, or that is no MAC address."""
    named = set()
    for option in asked.parsed_options():
        if isinstance(option, SourceLinkLayerAddress):
            named.add(option.address)
        elif option.type == NDOptionType.SOURCE_LINK_LAYER_ADDRESS:
            return None
    return {link.src, *named} if all(map(_is_station, named)) else None


def _is_station(mac: MACAddress) -> bool:
    return not mac.is_multicast and not mac.is_unspecified


def _is_station_ip(address: Address) -> bool:
    return not address.is_multicast and not address.is_unspecified and address != IPv4Address(0xFFFFFFFF)


def _station_mac(mac: MACAddress | str | bytes | int) -> MACAddress:
    address = MACAddress(mac)
    if not _is_station(address):
        raise _refused("mac", mac, "the address of one station")
    return address


def _station_ip(address: Address | str) -> Address:
    try:
        found = ip_address(address)
    except ValueError:
        raise _refused("address", address, "an IP address") from None
    if not _is_station_ip(found):
        raise _refused("address", address, "the address of one host")
    return found

"""Peers: who a data path sends to and takes from, as a table that never changes and is replaced as a whole."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from struct import Struct
from typing import Any

from vxlanpkt import DecapPolicy, MACAddress, Tunnel
from vxlanpkt.errors import refused_field
from vxlanpkt.overlay.addresses import Address, Network
from vxlanpkt.overlay.datapath.loops import load

Hop = tuple[Address | str, int]

_ffi, _lib = load()

# Behind that, which says why where nothing was compiled.
from vxlanpkt.kernel.c import address_of, hold_recipe, hold_rules  # noqa: E402

_refused = partial(refused_field, "Peers")

_PLACE = Struct("=16sII")
_MAPPED = bytes(10) + b"\xff\xff"
_STATION, _SOURCE = _lib.DATAPATH_STATION, _lib.DATAPATH_SOURCE


class Peers:
    """The peers of a data path. Made by `Peers.vxlan` or `Peers.udp`."""

    def __init__(self) -> None:
        self.is_udp = False
        self.addresses: frozenset[Address] = frozenset()  # datagrams from any other are refused
        self.version = 0  # of the underlay: 4, 6, or 0 if there is no peer
        self.hops: tuple[tuple[Address, int], ...] = ()  # address and port of each peer, by its number
        self.tunnels: tuple[Tunnel, ...] = ()  # to each peer, by its number; none over bare UDP
        self.pointer: Any = None
        self._kept: list[Any] = []

    @classmethod
    def vxlan(
        cls,
        stations: Mapping[MACAddress, Tunnel] | Mapping[str, Tunnel],
        *,
        flood: Iterable[Tunnel] = (),
        sources: Iterable[Address | str] = (),
        policy: DecapPolicy | None = None,
        own_macs: Iterable[MACAddress | str] = (),
    ) -> Peers:
        """The tunnel to each inner MAC address.

        flood     the tunnels that take broadcast, multicast, and what goes to no known station; without any it is
                  dropped, as flannel does
        sources   addresses that may send though no tunnel leads there
        policy    what is refused of what they send; that of Linux without learning if not given. Where it names no VNI,
                  those of the tunnels are accepted
        own_macs  frames that come from these are refused, as a device refuses its own

        Of a tunnel, all is used that a UDP socket leaves open: `df` has to be "set", which is the data path's, and
        outer tags, MAC addresses, `src_port` and `flow_label` are the sockets' and the routes' business. Datagrams have
        a UDP checksum, as the kernel cuts none without.
        """
        policy = policy or DecapPolicy.LINUX.replace(check_inner_source=False)
        flooded = tuple(flood)
        numbers = {tunnel: number for number, tunnel in enumerate(dict.fromkeys((*stations.values(), *flooded)))}
        for tunnel in numbers:
            _check_tunnel(tunnel)
        if policy.vnis is None:
            policy = policy.replace(vnis=frozenset(tunnel.vni for tunnel in numbers))
        policy = policy.replace(own_macs=(*policy.own_macs, *own_macs))
        made = cls()
        places = [(MACAddress(mac).packed + bytes(10), _STATION, numbers[tunnel]) for mac, tunnel in stations.items()]
        rules = hold_rules(policy.rules)
        # A stranger's datagram is refused in its turn among the checks, for which it may have failed before.
        strangers = hold_rules(policy.replace(allowed_sources=()).rules)
        made._kept += [rules, strangers]
        made._hold(
            [(tunnel.dst, tunnel.dst_port, tunnel) for tunnel in numbers],
            places,
            sources,
            [numbers[tunnel] for tunnel in flooded],
        )
        made.tunnels = tuple(numbers)
        made.pointer.rules = _ffi.cast("void *", address_of(rules.pointer))
        made.pointer.rules_for_strangers = _ffi.cast("void *", address_of(strangers.pointer))
        return made

    @classmethod
    def udp(
        cls,
        routes: Mapping[Network, Hop] | Mapping[str, Hop],
        *,
        sources: Iterable[Address | str] = (),
    ) -> Peers:
        """The peer's address and port for each network inside: a packet takes the longest prefix that it lies in."""
        made = cls()
        made.is_udp = True
        hops = {network: (ip_address(address), port) for network, (address, port) in routes.items()}
        numbers = {hop: number for number, hop in enumerate(dict.fromkeys(hops.values()))}
        places = [_prefix(ip_network(network), numbers[hop]) for network, hop in hops.items()]
        made._hold([(address, port, None) for address, port in numbers], places, sources, ())
        return made

    def _hold(
        self,
        peers: Sequence[tuple[Address, int, Tunnel | None]],
        places: list[tuple[bytes, int, int]],
        sources: Iterable[Address | str],
        flood: Sequence[int],
    ) -> None:
        self.addresses = frozenset((*(peer[0] for peer in peers), *map(ip_address, sources)))
        versions = {address.version for address in self.addresses}
        if len(versions) > 1:
            raise _refused("peers", sorted(map(str, self.addresses)), "all of one IP version: they share sockets")
        self.version = next(iter(versions), 0)
        self.hops = tuple((address, port) for address, port, _ in peers)
        held = _ffi.new("struct vxlanpkt_peer[]", len(peers))
        for to, (address, port, tunnel) in zip(held, peers, strict=True):
            self._hold_peer(to, address, port, tunnel)
        flooded = _ffi.new("uint32_t[]", list(flood))
        pointer = self.pointer = _ffi.new("struct vxlanpkt_peers *")
        pointer.peers, pointer.flood, pointer.flood_count = held, flooded, len(flood)
        lengths = sorted({length for _, length, _ in places if length <= 128}, reverse=True)
        pointer.length_count = len(lengths)
        for at, length in enumerate(lengths):
            pointer.lengths[at] = length
        places += [(_packed(address), _SOURCE, 0) for address in self.addresses]
        self._kept += [held, flooded, self._fill(places)]

    def _hold_peer(self, to: Any, address: Address, port: int, tunnel: Tunnel | None) -> None:
        packed = _socket_address(address, port)
        _ffi.buffer(to.address)[: len(packed)] = packed
        to.address_length = len(packed)
        if tunnel is not None:
            recipe = hold_recipe(tunnel._recipe)
            to.recipe = _ffi.cast("void *", address_of(recipe.kept))
            self._kept.append(recipe)

    def _fill(self, places: Sequence[tuple[bytes, int, int]]) -> Any:
        """The hash table: half of it stays free."""
        items = _ffi.from_buffer("struct vxlanpkt_place[]", b"".join(_PLACE.pack(*place) for place in places))
        count = 1 << (2 * len(places)).bit_length()
        table = _ffi.new("struct vxlanpkt_place[]", count)
        self.pointer.seed = int.from_bytes(os.urandom(8), "little")
        self.pointer.places, self.pointer.place_count = table, count
        _lib.vxlanpkt_fill_places(table, count, self.pointer.seed, items, len(places))
        return table

    # -- look-up, as the packet loops do it

    def station(self, mac: MACAddress | str) -> int | None:
        """The number of the peer behind a MAC address."""
        return _known(_lib.vxlanpkt_find_peer(self.pointer, MACAddress(mac).packed + bytes(10), _STATION))

    def route(self, address: Address | str) -> int | None:
        """The number of the peer that an address inside is routed to."""
        inside = ip_address(address)
        return _known(_lib.vxlanpkt_find_route(self.pointer, _packed(inside), inside.version == 4))


def unpack_address(packed: bytes) -> tuple[Address, int] | None:
    """Address and port in a struct sockaddr, or None in an empty one."""
    family = int.from_bytes(packed[:2], sys.byteorder)
    port = int.from_bytes(packed[2:4], "big")
    if family == socket.AF_INET:
        return IPv4Address(packed[4:8]), port
    return (IPv6Address(packed[8:24]), port) if family == socket.AF_INET6 else None


def _socket_address(address: Address, port: int) -> bytes:
    if not 0 < port <= 0xFFFF:
        raise _refused("port", port, "a port to send to")
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    head = int(family).to_bytes(2, sys.byteorder) + port.to_bytes(2, "big")
    return head + address.packed + bytes(8) if address.version == 4 else head + bytes(4) + address.packed + bytes(4)


def _packed(address: Address) -> bytes:
    """16 bytes, IPv4 in its mapped form."""
    return _MAPPED + address.packed if address.version == 4 else address.packed


def _prefix(network: Network, peer: int) -> tuple[bytes, int, int]:
    return _packed(network.network_address), network.prefixlen + (96 if network.version == 4 else 0), peer


def _known(number: int) -> int | None:
    return None if number == _lib.DATAPATH_NO_PEER else number


def _check_tunnel(tunnel: Tunnel) -> None:
    if tunnel.gpe or tunnel.df != "set":
        raise _refused("tunnel", tunnel, 'one without GPE whose df is "set"')

"""Tables of peers: look-up against dictionaries and `ipaddress`, and what is refused."""

from __future__ import annotations

import random
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import FieldError, MACAddress, Tunnel

pytest.importorskip("vxlanpkt.overlay._datapathlib", exc_type=ImportError)

from vxlanpkt.overlay import Peers


@given(st.dictionaries(st.integers(0, 2**48 - 1), st.integers(1, 20), max_size=200), st.integers(0, 2**48 - 1))
def test_stations(stations: dict[int, int], other: int) -> None:
    """Each MAC address leads to its tunnel, all others nowhere."""
    tunnels = {MACAddress(mac): Tunnel(1, "192.0.2.1", f"192.0.2.{100 + peer}") for mac, peer in stations.items()}
    peers = Peers.vxlan(tunnels)
    for mac, tunnel in tunnels.items():
        number = peers.station(mac)
        assert number is not None and peers.hops[number] == (tunnel.dst, 4789)
    assert (peers.station(MACAddress(other)) is None) == (other not in stations)


def _networks(version: int) -> st.SearchStrategy[Any]:
    bits = 32 if version == 4 else 128
    # Few first bits differ, so that networks lie in each other.
    return st.tuples(st.integers(0, 7), st.integers(0, bits)).map(
        lambda drawn: ip_network((drawn[0] << (bits - 3) | 0b1010 << (bits - 9), drawn[1]), strict=False)
        if version == 6 else ip_network((drawn[0] << 29 | 0b1010 << 23, drawn[1]), strict=False)
    )  # fmt: skip


@given(st.lists(st.one_of(_networks(4), _networks(6)), max_size=40, unique=True),
       st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), min_size=1, max_size=10))  # fmt: skip
def test_longest_prefix(networks: list[Any], addresses: list[Any]) -> None:
    """Of all networks that an address lies in, the smallest one's peer."""
    routes = {network: (f"192.0.2.{at}", 8285) for at, network in enumerate(networks, 1)}
    peers = Peers.udp(routes)
    inside = [network.network_address + min(3, network.num_addresses - 1) for network in networks]
    for address in (*addresses, *inside):
        holding = [network for network in networks if network.version == address.version and address in network]
        number = peers.route(address)
        if not holding:
            assert number is None
            continue
        best = max(holding, key=lambda network: network.prefixlen)
        assert number is not None and str(peers.hops[number][0]) == routes[best][0]


def test_ipv4_is_not_ipv6() -> None:
    """The default route of one version says nothing of the other; a mapped address is no way around."""
    peers = Peers.udp({"0.0.0.0/0": ("192.0.2.1", 8285)})
    assert peers.route("198.51.100.7") == 0
    assert peers.route("2001:db8::1") is None
    assert peers.route("::ffff:198.51.100.7") is None
    assert Peers.udp({"::/0": ("192.0.2.1", 8285)}).route("2001:db8::1") == 0


def test_many() -> None:
    """A hundred thousand stations."""
    tunnels = [Tunnel(1, "192.0.2.1", ip_address(0xC0000200 + at)) for at in range(2, 12)]
    rng = random.Random(4)
    stations = {MACAddress(mac): rng.choice(tunnels) for mac in rng.sample(range(2**46), 100_000)}
    peers = Peers.vxlan(stations)
    for mac in rng.sample(sorted(stations), 1000):
        number = peers.station(mac)
        assert number is not None and peers.hops[number][0] == stations[mac].dst


@pytest.mark.parametrize("tunnel", [
    Tunnel(1, "192.0.2.1", "192.0.2.2", df="unset"), Tunnel(1, "192.0.2.1", "192.0.2.2", gpe=True),
])  # fmt: skip
def test_tunnels_that_sockets_cannot_send(tunnel: Tunnel) -> None:
    """What the sockets could not do as told is refused."""
    with pytest.raises(FieldError, match="without GPE"):
        Peers.vxlan({"02:00:00:00:00:01": tunnel})


def test_one_ip_version() -> None:
    """Peers share sockets, so they are of one version."""
    with pytest.raises(FieldError, match="one IP version"):
        Peers.udp({"10.1.0.0/16": ("192.0.2.1", 8285), "10.2.0.0/16": ("2001:db8::1", 8285)})
    with pytest.raises(FieldError, match="a port"):
        Peers.udp({"10.1.0.0/16": ("192.0.2.1", 0)})

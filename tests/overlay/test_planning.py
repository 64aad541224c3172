"""What a node needs for the leases there are: the plan, and what it refuses."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import MACAddress
from vxlanpkt.overlay import (
    FDBEntry,
    Hop,
    Lease,
    LeaseAttributes,
    LinkAddress,
    NeighbourEntry,
    NetworkConfig,
    Plan,
    Route,
    Subnets,
    Underlay,
    parse_config,
    plan,
)
from vxlanpkt.strategies import overlays

Overlay = tuple[NetworkConfig, Lease, tuple[Lease, ...], Underlay]
BOTH = '"Network": "10.5.0.0/16", "EnableIPv6": true, "IPv6Network": "fc00:5::/48"'
OUTSIDE = {
    "4": Underlay("eth0", 1500, IPv4Address("192.0.2.1"), None, frozenset([ip_interface("192.0.2.1/24")])),
    "6": Underlay("eth0", 1500, None, IPv6Address("2001:db8::1"), frozenset([ip_interface("2001:db8::1/64")])),
    "46": Underlay(
        "eth0", 1500, IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1"),
        frozenset(map(ip_interface, ("192.0.2.1/24", "192.0.2.9/24", "2001:db8::1/64"))),
    ),
}  # fmt: skip


def config(backend: str = '{"Type": "vxlan"}', families: str = BOTH) -> NetworkConfig:
    return parse_config(f'{{{families}, "Backend": {backend}}}')


def lease(number: int, inside: str = "46", **changes: Any) -> Lease:
    """The lease of a node; both of its VTEPs have one address."""
    mac = f"02:00:00:00:00:{number:02x}"
    subnets = Subnets(
        IPv4Network(f"10.5.{number}.0/24") if "4" in inside else None,
        IPv6Network(f"fc00:5:0:{number}::/64") if "6" in inside else None,
    )
    attributes = LeaseAttributes.vxlan(
        f"192.0.2.{number}", mac, public_ipv6=f"2001:db8::{number}", vtep_mac6=mac
    )  # fmt: skip
    return Lease(subnets, attributes.replace(**changes))


def made(*others: Lease, backend: str = '{"Type": "vxlan"}', outside: str = "46") -> Plan:
    return plan(config(backend), lease(1), others, OUTSIDE[outside])


# -- what is planned


def test_dual_stack() -> None:
    """A device for each family; for each peer and family a neighbour, an FDB entry and a route."""
    found = made(lease(2))
    mac = MACAddress("02:00:00:00:00:02")
    four, six = sorted(found.links, key=lambda link: link.local.version)
    assert (four.name, four.kind, str(four.local), four.port, four.vni) == ("flannel.1", "vxlan", "192.0.2.1", 8472, 1)
    assert (six.name, str(six.local)) == ("flannel-v6.1", "2001:db8::1")
    assert found.addresses == {
        LinkAddress("flannel.1", ip_interface("10.5.1.0/32")),
        LinkAddress("flannel-v6.1", ip_interface("fc00:5:0:1::/128")),
    }
    assert found.neighbours == {
        NeighbourEntry("flannel.1", ip_address("10.5.2.0"), mac),
        NeighbourEntry("flannel-v6.1", ip_address("fc00:5:0:2::"), mac),
    }
    assert found.fdb == {
        FDBEntry("flannel.1", mac, ip_address("192.0.2.2")),
        FDBEntry("flannel-v6.1", mac, ip_address("2001:db8::2")),
    }
    assert found.routes == {
        Route(ip_network("10.5.2.0/24"), "flannel.1", ip_address("10.5.2.0"), onlink=True),
        Route(ip_network("fc00:5:0:2::/64"), "flannel-v6.1", ip_address("fc00:5:0:2::"), onlink=True),
    }
    assert found.sources == {ip_address("192.0.2.2"), ip_address("2001:db8::2")}
    assert not found.hops and not found.unreachable


@pytest.mark.parametrize(("outside", "name", "remote"), [("4", "flannel.1", "192.0.2.2"),
                                                         ("6", "flannel-v6.1", "2001:db8::2")])  # fmt: skip
def test_one_device_carries_both(outside: str, name: str, remote: str) -> None:
    """Where the underlay has one family."""
    found = made(lease(2), outside=outside)
    assert [link.name for link in found.links] == [name]
    assert found.fdb == {FDBEntry(name, MACAddress("02:00:00:00:00:02"), ip_address(remote))}
    assert {route.destination.version for route in found.routes} == {4, 6}
    assert {route.link for route in found.routes} == {name}


def test_ipv6_only() -> None:
    alone = config(families='"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fc00:5::/48"')
    found = plan(alone, lease(1, "6"), [lease(2, "6"), lease(3)], OUTSIDE["46"])
    assert [link.name for link in found.links] == ["flannel-v6.1"]
    assert {route.destination for route in found.routes} == {
        ip_network("fc00:5:0:2::/64"), ip_network("fc00:5:0:3::/64")
    }  # fmt: skip
    assert [str(one.subnet) for one in found.unreachable] == ["10.5.3.0/24"]


@pytest.mark.parametrize(
    ("backend", "outside", "mtu"),
    [
        ('{"Type": "vxlan"}', "4", 1450),
        ('{"Type": "vxlan"}', "6", 1430),
        ('{"Type": "vxlan"}', "46", 1430),
        ('{"Type": "vxlan-user"}', "6", 1430),
        ('{"Type": "udp"}', "4", 1472),
        ('{"Type": "udp"}', "6", 1452),
        ('{"Type": "udp"}', "46", 1472),
        ('{"Type": "vxlan", "MTU": 1300}', "46", 1300),
    ],
)
def test_mtu(backend: str, outside: str, mtu: int) -> None:
    """The underlay's without the headers outside: 50 or 70 bytes of VXLAN, 28 or 48 of UDP; or the configuration's.

    Of two devices both have the least: what leaves a container fits either way.
    """
    found = made(backend=backend, outside=outside)
    assert {link.mtu for link in found.links} == {mtu}
    assert found.mtu == mtu


def test_udp() -> None:
    """The kernel has a route for the networks; the data path has the peers, which go over IPv4 where there is any."""
    other = lease(2, backend_type="udp", backend_data=None, backend_v6_data=None)
    found = made(other, backend='{"Type": "udp"}')
    assert [(link.name, link.kind, link.mac, link.port) for link in found.links] == [("flannel0", "tun", None, 8285)]
    assert found.routes == {Route(ip_network("10.5.0.0/16"), "flannel0"), Route(ip_network("fc00:5::/48"), "flannel0")}
    assert found.hops == {
        Hop(ip_network("10.5.2.0/24"), ip_address("192.0.2.2"), 8285),
        Hop(ip_network("fc00:5:0:2::/64"), ip_address("192.0.2.2"), 8285),
    }
    assert not found.neighbours and not found.fdb


def test_user_space() -> None:
    """The kernel has no FDB for a TAP: `kernel` leaves it out."""
    found = made(lease(2), backend='{"Type": "vxlan-user"}')
    assert {link.kind for link in found.links} == {"tap"}
    assert len(found.fdb) == 2 and not found.kernel.fdb
    assert found.kernel.neighbours == found.neighbours and found.kernel.routes == found.routes
    assert made(lease(2)).kernel.fdb == found.fdb


def test_direct_routing() -> None:
    """Who is on the underlay's own network gets a route by it and nothing else; the others a tunnel."""
    far = lease(3, public_ip=IPv4Address("198.51.100.3"), public_ipv6=IPv6Address("2001:db8:1::3"))
    found = made(lease(2), far, backend='{"Type": "vxlan", "DirectRouting": true}')
    assert Route(ip_network("10.5.2.0/24"), "eth0", ip_address("192.0.2.2")) in found.routes
    assert Route(ip_network("fc00:5:0:2::/64"), "eth0", ip_address("2001:db8::2")) in found.routes
    assert {entry.remote for entry in found.fdb} == {ip_address("198.51.100.3"), ip_address("2001:db8:1::3")}
    assert {entry.address for entry in found.neighbours} == {ip_address("10.5.3.0"), ip_address("fc00:5:0:3::")}


def test_direct_routing_in_one_family() -> None:
    """IPv6 inside has no direct route over IPv4 outside."""
    found = made(lease(2), backend='{"Type": "vxlan", "DirectRouting": true}', outside="4")
    by = {route.destination.version: route.link for route in found.routes}
    assert by == {4: "eth0", 6: "flannel.1"}


# -- what is refused


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (Lease(Subnets(IPv4Network("10.9.2.0/24")), lease(2).attributes), "not in the network, 10.5.0.0/16"),
        (Lease(Subnets(IPv4Network("10.0.0.0/8")), lease(2).attributes), "not in the network, 10.5.0.0/16"),
        (Lease(Subnets(IPv4Network("10.5.0.0/16")), lease(2).attributes), "none of the network's subnets"),
        (Lease(Subnets(IPv4Network("10.5.1.128/25")), lease(2).attributes), "none of the network's subnets"),
        (Lease(Subnets(IPv4Network("10.5.1.0/24")), lease(2).attributes), "overlaps this node's 10.5.1.0/24"),
        (Lease(Subnets(None, IPv6Network("fc00:9::/64")), lease(2).attributes), "not in the network, fc00:5::/48"),
        (
            Lease(Subnets(IPv4Network("10.5.0.0/24")), lease(2).attributes),
            "none of the network's subnets, 10.5.1.0/24 to",
        ),
        (
            Lease(Subnets(IPv4Network("10.5.2.0/23")), lease(2).attributes),
            "none of the network's subnets, 10.5.1.0/24 to",
        ),
        (
            Lease(Subnets(IPv4Network("10.5.3.7/32")), lease(2).attributes),
            "none of the network's subnets, 10.5.1.0/24 to",
        ),
        (Lease(Subnets(None, IPv6Network("fc00:5:0:3::7/128")), lease(2).attributes), "none of the network's subnets"),
        (lease(2, "4", public_ip=None), "has no IPv4 address"),
        (lease(2, "6", public_ipv6=None), "has no IPv6 address"),
        (lease(2, "4", public_ip=IPv4Address("192.0.2.1")), "192.0.2.1, is this node's own"),
        (lease(2, "6", public_ipv6=IPv6Address("2001:db8::1")), "2001:db8::1, is this node's own"),
        (lease(2, "4", public_ip=IPv4Address("127.0.0.1")), "is no node's"),
        (lease(2, "4", public_ip=IPv4Address("224.0.0.9")), "is no node's"),
        (lease(2, "4", public_ip=IPv4Address("255.255.255.255")), "is no node's"),
        (lease(2, "4", public_ip=IPv4Address("192.0.2.255")), "is no node's"),
        (lease(2, "4", public_ip=IPv4Address("192.0.2.9")), "192.0.2.9, is this node's own"),
        (lease(2, "6", public_ipv6=IPv6Address("::")), "is no node's"),
        (lease(2, "6", public_ipv6=IPv6Address("fe80::2")), "is no node's"),
        (lease(2, "4", public_ip=IPv4Address("0.0.0.9")), "is no node's"),
        (lease(2, "6", public_ipv6=IPv6Address("ff02::1")), "is no node's"),
        (lease(2, "6", public_ipv6=IPv6Address("::ffff:192.0.2.2")), "is no node's"),
        (lease(2, "4", public_ip=IPv4Address("10.5.9.9")), "inside the overlay"),
        (lease(2, "6", public_ipv6=IPv6Address("fc00:5::9")), "inside the overlay"),
        (lease(2, "4", backend_type="udp"), "its backend is 'udp', and this node's is vxlan"),
        (lease(2, "4", backend_type="\x1b[2J\n" * 1000), r"its backend is '\x1b[2J\n"),
        (lease(2, "4", backend_type=""), "its backend is not named"),
        (lease(2, "4", backend_data='{"VNI":2,"VtepMAC":"02:00:00:00:00:02"}'), "its VNI is 2, and this node's 1"),
        (lease(2, "4", backend_data=None), "names no VTEP for IPv4"),
        (lease(2, "6", backend_v6_data=None), "names no VTEP for IPv6"),
        (lease(2, "4", backend_data='{"VNI":1,"VtepMAC":"nonsense"}'), "VtepMAC: 'nonsense'"),
        (lease(2, "4", backend_data='{"VNI":1,"VtepMAC":"01:00:5e:00:00:01"}'), "is no station's"),
        (lease(2, "4", backend_data='{"VNI":1,"VtepMAC":"00:00:00:00:00:00"}'), "is no station's"),
        (lease(2, "4", backend_data='{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}'), "is this node's own"),
    ],
)
def test_unreachable(other: Lease, why: str) -> None:
    """Nothing is made for it, its neighbours in the store are served, and the reason is told."""
    found = made(other, lease(3))
    (told,) = found.unreachable
    assert why in told.why, told.why
    assert told.why.isprintable() and len(told.why) < 200
    assert (told.lease, told.subnet) == (other, next(iter(other.subnets)))
    expected = made(lease(3))
    assert (found.routes, found.fdb, found.neighbours, found.sources) == (
        expected.routes, expected.fdb, expected.neighbours, expected.sources
    )  # fmt: skip


def test_family_that_this_node_has_not() -> None:
    four = config(families='"Network": "10.5.0.0/16"')
    found = plan(four, lease(1, "4"), [lease(2)], OUTSIDE["4"])
    assert [told.why for told in found.unreachable] == ["this node has no IPv6 subnet"]


def test_udp_peer_of_another_backend() -> None:
    found = made(lease(2), backend='{"Type": "udp"}')
    assert {told.why for told in found.unreachable} == {"its backend is 'vxlan', and this node's is udp"}
    assert not found.hops


@pytest.mark.parametrize("claimed", ["10.5.52.0/23", "10.5.52.7/32", "10.5.128.0/17", "10.5.32.0/19"])
def test_a_lease_cannot_take_what_another_has(claimed: str) -> None:
    """Neither all of it, by a prefix whose key comes first, nor a container, by a prefix that is longer."""
    honest = [lease(52, "4"), lease(128, "4")]
    found = made(Lease(Subnets(IPv4Network(claimed)), lease(66).attributes), *honest)
    assert (found.routes, found.fdb) == (made(*honest).routes, made(*honest).fdb)
    assert [str(told.subnet) for told in found.unreachable] == [claimed]


def test_two_that_claim_the_same() -> None:
    """Of two with the same subnet the one that has the network's families, of two with a MAC address the first key."""
    whole = lease(4)
    half = Lease(Subnets(whole.subnets.ipv4), lease(8).attributes)
    thief = lease(6, "4", backend_data=lease(5).attributes.backend_data)
    for others in ([half, whole, lease(5, "4"), thief], [thief, lease(5, "4"), whole, half]):
        found = made(*others)
        assert half.key < whole.key
        assert {str(peer.subnet): str(peer.remote) for peer in found.peers} == {
            "10.5.4.0/24": "192.0.2.4", "fc00:5:0:4::/64": "2001:db8::4", "10.5.5.0/24": "192.0.2.5",
        }  # fmt: skip
        assert {str(told.subnet): told.why for told in found.unreachable} == {
            "10.5.4.0/24": "it is already that of 192.0.2.4",
            "10.5.6.0/24": "its VTEP's address, 02:00:00:00:00:05, is that of 192.0.2.5 too",
        }


def test_behind_a_router_that_translates() -> None:
    """Tunnels leave by the interface's own address, and are received at it; the public one is the peers' affair."""
    behind = dataclasses.replace(
        OUTSIDE["46"],
        public_ip=IPv4Address("203.0.113.1"), public_ipv6=IPv6Address("2001:db8:ffff::1"),
        local_ip=IPv4Address("192.0.2.1"), local_ipv6=IPv6Address("2001:db8::1"),
    )  # fmt: skip
    found = plan(config(), lease(1), [lease(2)], behind)
    assert found == made(lease(2))
    mirror = lease(3, "4", public_ip=IPv4Address("203.0.113.1"))
    (told,) = plan(config(), lease(1), [mirror], behind).unreachable
    assert told.why == "its node's address, 203.0.113.1, is this node's own"


def test_node_with_two_leases() -> None:
    """Both subnets lead to one VTEP: one FDB entry, two neighbours."""
    second = Lease(Subnets(IPv4Network("10.5.7.0/24")), lease(2).attributes)
    found = made(lease(2, "4"), second)
    assert not found.unreachable
    assert (len(found.fdb), len(found.neighbours), len(found.routes)) == (1, 2, 2)


@pytest.mark.parametrize(
    ("underlay", "own", "backend", "why"),
    [
        (Underlay("eth0", 1500), lease(1), '{"Type": "vxlan"}', "eth0 has no address that peers could send to"),
        (Underlay("eth0", 1320, IPv4Address("192.0.2.1")), lease(1), '{"Type": "vxlan"}',
         "the MTU of eth0, 1320, leaves 1270 bytes inside; IP needs 1280"),
        (Underlay("eth0", 110, IPv4Address("192.0.2.1")), lease(1, "4"), '{"Type": "vxlan"}', "leaves 60 bytes"),
        (OUTSIDE["4"], lease(1, "4", backend_data=None), '{"Type": "vxlan"}', "names no VTEP for IPv4"),
        (OUTSIDE["4"], lease(1, backend_v6_data='{"VNI":1,"VtepMAC":"02:00:00:00:00:99"}'), '{"Type": "vxlan"}',
         "flannel.1 cannot have two addresses, 02:00:00:00:00:01 and 02:00:00:00:00:99"),
    ],
)  # fmt: skip
def test_cannot_join(underlay: Underlay, own: Lease, backend: str, why: str) -> None:
    """What is wrong with the node itself is an error."""
    with pytest.raises(ValueError, match=why):
        plan(config(backend), own, [], underlay)


# -- laws


@given(overlays(), st.randoms(use_true_random=False))
def test_order_does_not_matter(overlay: Overlay, random: Any) -> None:
    """Whatever the order in which leases are listed."""
    config, own, others, underlay = overlay
    shuffled = list(others)
    random.shuffle(shuffled)
    assert plan(config, own, others, underlay) == plan(config, own, shuffled, underlay)


@given(overlays())
def test_no_lease_draws_what_is_not_its_own(overlay: Overlay) -> None:
    """No route leaves the network, and none takes this node's subnets; no tunnel leads to the node or into itself."""
    config, own, _, underlay = overlay
    found = plan(*overlay)
    networks = [subnets.network for subnets in (config.ipv4, config.ipv6) if subnets is not None]
    for destination in [route.destination for route in found.routes] + [hop.network for hop in found.hops]:
        assert any(_within(destination, network) for network in networks)
        whole_network_into_a_tun = destination in networks and config.backend.type == "udp"
        assert whole_network_into_a_tun or not any(destination.overlaps(mine) for mine in own.subnets)
    for remote in found.sources:
        assert remote not in {address.ip for address in underlay.addresses}
        assert not any(remote in network for network in networks)
        assert not (remote.is_multicast or remote.is_loopback or remote.is_unspecified)
    assert found.sources >= {entry.remote for entry in found.fdb} | {hop.remote for hop in found.hops}


def _within(inner: Any, outer: Any) -> bool:
    return inner.version == outer.version and bool(inner.subnet_of(outer))


@given(overlays())
def test_one_owner(overlay: Overlay) -> None:
    """A gateway has one MAC address, a MAC address one place; each route by a tunnel has both."""
    found = plan(*overlay)
    macs = {(entry.link, entry.address): entry.mac for entry in found.neighbours}
    places = {(entry.link, entry.mac): entry.remote for entry in found.fdb}
    assert (len(macs), len(places)) == (len(found.neighbours), len(found.fdb))
    assert len({route.destination for route in found.routes}) == len(found.routes)
    assert len({hop.network for hop in found.hops}) == len(found.hops)
    names = {link.name for link in found.links if link.kind != "tun"}
    tunnelled = [route for route in found.routes if route.link in names]
    assert {(route.link, route.gateway) for route in tunnelled} == macs.keys()
    assert {(link, mac) for (link, _), mac in macs.items()} == places.keys()
    assert all(route.onlink and route.gateway == route.destination.network_address for route in tunnelled)


@given(overlays())
def test_peers_have_their_entries(overlay: Overlay) -> None:
    """What is planned for one peer after the other is all that there is, and no two share a route or an address."""
    found = plan(*overlay)
    entries = [entry for peer in found.peers for entry in peer.entries]
    whole = {Route(subnets.network, "flannel0") for subnets in (overlay[0].ipv4, overlay[0].ipv6) if subnets}
    assert set(entries) == found.neighbours | found.fdb | found.routes - whole
    subnets = [peer.subnet for peer in found.peers]
    for at, subnet in enumerate(subnets):
        assert not any(subnet.version == other.version and subnet.overlaps(other) for other in subnets[:at])


@given(overlays())
def test_nobody_is_forgotten(overlay: Overlay) -> None:
    """Each subnet of each lease is served or told of, and not both."""
    _, _, others, _ = overlay
    found = plan(*overlay)
    told = [(one.lease.key, one.subnet) for one in found.unreachable]
    assert len(told) == len(set(told))
    assert len(told) + len(found.peers) == sum(len(tuple(lease.subnets)) for lease in others)
    served = {route.destination for route in found.routes} | {hop.network for hop in found.hops}
    for lease in others:
        for subnet in lease.subnets:
            is_told = (lease.key, subnet) in told
            same = [other for other in others if other is not lease and subnet in tuple(other.subnets)]
            assert is_told or subnet in served
            assert not is_told or subnet not in served or same or subnet.prefixlen in (16, 48)


@given(overlays())
def test_devices(overlay: Overlay) -> None:
    """Each has a name of its own, an address of the node, and room for the headers outside."""
    _, _, _, underlay = overlay
    found = plan(*overlay)
    assert len({link.name for link in found.links}) == len(found.links)
    for link in found.links:
        assert link.local in {underlay.public_ip, underlay.public_ipv6}
        assert link.mtu < underlay.mtu and link.underlay == underlay.name and link.is_up
    assert {entry.link for entry in found.addresses} == {link.name for link in found.links}

"""The kernel brought to the plan: what `ip` and `bridge` say of it afterwards."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import json
import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

import pytest

from vxlanpkt.overlay import Device, LinkAddress, Outcome, Route, parse_config

from .kernel_dumps import dump, everything, overlay_state
from .kernel_node import LINKS, UNDERLAY, KernelNode, kernel_node

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]


def check(node: KernelNode, *numbers: int) -> None:
    """The kernel holds what the plan for these nodes wants, and nothing else."""
    assert node.state() == node.plan([node.lease(number) for number in numbers]).kernel


# -- what is programmed


@pytest.mark.parametrize(
    ("inside", "outside", "names", "mtus"),
    [
        ("4", "4", {"flannel.1"}, {1450}),
        ("6", "6", {"flannel-v6.1"}, {1430}),
        ("46", "46", {"flannel.1", "flannel-v6.1"}, {1430}),
        ("46", "4", {"flannel.1"}, {1450}),
        ("46", "6", {"flannel-v6.1"}, {1430}),
        ("4", "6", {"flannel-v6.1"}, {1430}),
        ("6", "4", {"flannel.1"}, {1450}),
    ],
)
def test_families(inside: str, outside: str, names: set[str], mtus: set[int]) -> None:
    """Each family inside, over each outside; a second look finds nothing to do."""
    with kernel_node(inside, outside) as node:
        outcome = node.bring([node.lease(2), node.lease(3)])
        assert outcome.is_complete and outcome.done == node.reconciler.programmed
        check(node, 2, 3)
        assert {link.name for link in node.state().links} == names
        assert {link.mtu for link in node.state().links} == mtus
        assert len(node.state().routes) == 2 * len(inside)
        node.reconciler.forget()
        assert node.bring([node.lease(2), node.lease(3)]).done == 0


@pytest.mark.parametrize("option", [{"GBP": True}, {"Learning": True}, {"Port": 4789}, {"VNI": 77}, {"MTU": 1400}])
def test_options(option: dict[str, Any]) -> None:
    """What the configuration says of the device."""
    with kernel_node("4", **option) as node:
        assert node.bring([node.lease(2)]).is_complete
        (link,) = node.plan([]).links
        found = {entry["ifname"]: entry for entry in dump(node.namespace, "ip", "-d", "link")}[link.name]
        data = found["linkinfo"]["info_data"]
        assert (data["id"], data["port"], data["learning"]) == (link.vni, link.port, link.learning)
        assert (data.get("gbp", False), found["mtu"]) == (link.gbp, link.mtu)
        assert (data["udp_csum"], found["inet6_addr_gen_mode"]) == (True, "none")
        node.reconciler.forget()
        assert node.bring([node.lease(2)]).done == 0


def test_direct_routing() -> None:
    """Who is on the underlay's own network is reached without a tunnel, by a route of our protocol."""
    with kernel_node("46", DirectRouting=True) as node:
        far = node.lease(4, address=0x1_0004)
        assert node.bring([node.lease(2), far]).is_complete
        assert node.state() == node.plan([node.lease(2), far]).kernel
        assert Route(node.lease(2).subnets.ipv4, UNDERLAY, IPv4Address("198.18.0.2")) in node.state().routes  # type: ignore[arg-type]
        (route,) = dump(node.namespace, "ip", "route", "show", "proto", "89", "dev", UNDERLAY)
        assert route["gateway"] == "198.18.0.2"


def test_direct_becomes_tunnelled_and_back() -> None:
    """A node that moves behind a router, and back: its route is replaced."""
    with kernel_node("4", DirectRouting=True) as node:
        near, far = node.lease(2), node.lease(2, address=0x1_0002)
        for others in ([near], [far], [near], [far]):
            outcome = node.bring(others)
            assert outcome.is_complete
            assert node.state() == node.plan(others).kernel
        assert len(node.state().fdb) == 1


def test_udp() -> None:
    """A TUN that is not there is said to be missing; when it is there, it gets all that it needs."""
    with kernel_node("46", Type="udp") as node:
        assert node.bring([node.lease(2)]).missing == ("flannel0",)
        with node.namespace.call(lambda: Device("flannel0", "tun")):
            node.reconciler.forget()
            assert node.bring([node.lease(2)]).is_complete
            wanted = node.plan([node.lease(2)]).kernel
            (link,) = node.state().links
            assert (link.kind, link.mtu, link.is_up) == ("tun", 1472, True)
            assert dataclasses.replace(node.state(), links=wanted.links) == wanted
            node.reconciler.forget()
            assert node.bring([node.lease(2)]).done == 0
        assert node.bring([node.lease(2), node.lease(3)]).done == 0  # the kernel has nothing for each peer


def test_tap() -> None:
    """The same with vxlan in user space: addresses, neighbours and routes are the kernel's, the FDB is not."""
    with kernel_node("46", "4", Type="vxlan-user") as node:
        wanted = node.plan([node.lease(2)]).kernel
        (link,) = wanted.links
        with node.namespace.call(lambda: Device(link.name, "tap", mac=link.mac)):
            assert node.bring([node.lease(2)]).is_complete
            found = node.state()
            assert dataclasses.replace(found, links=wanted.links) == wanted
            assert len(found.neighbours) == 2 and not found.fdb


# -- changes


def test_peers_come_and_go() -> None:
    """Added, removed, a new MAC address, a new node address: only what changes is touched."""
    with kernel_node() as node:
        assert node.bring([node.lease(2), node.lease(3)]).is_complete
        steps = [
            ([node.lease(2)], 6),
            ([node.lease(2), node.lease(4)], 6),
            ([node.lease(2), node.lease(4, mac=9)], 2 + 2 + 2),  # neighbours, new FDB entries, old ones
            ([node.lease(2, address=8), node.lease(4, mac=9)], 2),
            ([], 12),
        ]
        for others, operations in steps:
            before = node.kernel.operations
            assert node.bring(others).is_complete
            assert node.kernel.operations - before == operations
            assert node.state() == node.plan(others).kernel


def test_replaced_without_a_hole() -> None:
    """While a peer's addresses change, the kernel tells of nothing that goes before its successor has come."""
    with kernel_node("4") as node:
        node.bring([node.lease(2)])
        with node.namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as listener:
            listener.bind((0, 0x4 | 0x40))  # RTMGRP_NEIGH, RTMGRP_IPV4_ROUTE
            assert node.bring([node.lease(2, mac=9, address=8)]).is_complete
            kinds = notified(listener)
        assert kinds == ["new neighbour", "new neighbour", "neighbour gone"]  # ARP entry, FDB entry; the old FDB entry


def notified(listener: socket.socket) -> list[str]:
    """What rtnetlink tells of, by the numbers of linux/rtnetlink.h."""
    names = {24: "new route", 25: "route gone", 28: "new neighbour", 29: "neighbour gone"}
    listener.settimeout(0.2)
    found = []
    with contextlib.suppress(TimeoutError):
        while True:
            found.append(names[struct.unpack_from("=4xH", listener.recv(1 << 16))[0]])
    return found


def test_own_mac_changes() -> None:
    """The device is kept, though it loses its neighbours; a new subnet of the node changes its address."""
    with kernel_node("4") as node:
        node.bring([node.lease(2)])
        (before,) = dump(node.namespace, "ip", "link", "show", "flannel.1")
        assert node.bring([node.lease(2)], mac=7).is_complete
        assert node.state() == node.plan([node.lease(2)], mac=7).kernel
        (after,) = dump(node.namespace, "ip", "link", "show", "flannel.1")
        assert before["ifindex"] == after["ifindex"] and before["address"] != after["address"]
        wanted = dataclasses.replace(
            node.plan([node.lease(2)], mac=7).kernel,
            addresses=frozenset({LinkAddress("flannel.1", IPv4Interface("10.64.9.0/32"))}),
        )
        assert node.reconciler.bring(wanted).done == 2
        assert node.state() == wanted


@pytest.mark.parametrize("change", [{"VNI": 2}, {"Port": 9999}, {"GBP": True}, {"Learning": True}])
def test_device_cannot_be_changed(change: dict[str, object]) -> None:
    """It is made anew; a device of another name is removed, as it was wanted before."""
    with kernel_node("4") as node:
        node.bring([node.lease(2)])
        node.config = parse_config(json.dumps({"Network": "10.64.0.0/10", "Backend": {"Type": "vxlan", **change}}))
        wanted = node.plan([]).kernel
        assert node.reconciler.bring(wanted).is_complete
        assert overlay_state(node.namespace, "flannel.2", *LINKS) == wanted


# -- what others did


def test_stale_entries_go() -> None:
    """What an earlier run left, or somebody put on the overlay's device."""
    with kernel_node() as node:
        node.bring([node.lease(2), node.lease(3)])
        for command in (
            "ip addr add 10.64.77.1/24 dev flannel.1",
            "ip addr add fc00:5:0:77::1/64 dev flannel-v6.1 nodad",
            "ip neigh add 10.64.9.0 lladdr 02:00:00:00:00:99 dev flannel.1 nud permanent",
            "ip neigh replace 10.64.2.0 lladdr 02:00:00:00:00:98 dev flannel.1 nud permanent",
            "bridge fdb add 02:00:00:00:00:97 dev flannel.1 dst 198.18.0.97 self permanent",
            "bridge fdb add 02:00:00:00:00:96 dev flannel.1 dst 198.18.0.96 self static",
            "bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 198.18.0.95 self permanent",
            "bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 198.18.0.94 self permanent",
            "bridge fdb replace 02:00:00:00:00:03 dev flannel.1 dst 198.18.0.93 self permanent",
            "ip route add 10.64.99.0/24 via 10.64.99.0 dev flannel.1 onlink",
            "ip route add 10.64.2.0/24 dev flannel.1 metric 50 proto static",
            "ip route replace 10.64.3.0/24 dev flannel.1 scope link",
            "ip -6 route add fc00:5:0:99::/64 via fc00:5:0:99:: dev flannel-v6.1 onlink",
            "ip -6 route add fc00:5:0:2::/64 dev flannel-v6.1 metric 7",
            "ip route add 10.64.98.0/24 via 198.18.0.98 proto 89",
            "ip link set flannel.1 mtu 1300",
        ):
            node.namespace.exec(*command.split())
        node.reconciler = node.new_reconciler()
        outcome = node.bring([node.lease(2), node.lease(3)])
        assert outcome.is_complete, outcome.failures
        check(node, 2, 3)


def test_what_is_not_ours_stays() -> None:
    """Routes and neighbours on the underlay, another vxlan device, another network's direct routes."""
    with kernel_node(DirectRouting=True) as node:
        for command in (
            "ip route add 10.64.200.0/24 via 198.18.0.200",
            "ip route add 10.7.0.0/24 via 198.18.0.7 proto 89",
            "ip route add 203.0.113.0/24 via 198.18.0.7",
            "ip neigh add 198.18.0.7 lladdr 02:00:00:00:77:77 dev eth0 nud permanent",
            "ip link add other type vxlan id 5 local 198.18.0.1 dev eth0 dstport 8472 nolearning",
            "ip link set other up",
            "bridge fdb add 02:00:00:00:00:02 dev other dst 198.18.0.7 self permanent",
            "ip route add 10.9.0.0/24 dev other",
        ):
            node.namespace.exec(*command.split())
        before = everything(node.namespace)
        far = node.lease(4, address=0x1_0004)
        assert node.bring([node.lease(2), far]).is_complete
        assert everything(node.namespace) != before
        assert node.reconciler.remove().is_complete
        assert everything(node.namespace) == before


def test_what_the_kernel_put_there_stays() -> None:
    """Link-local addresses, what was learnt, multicast: none of it is stale."""
    with kernel_node() as node:
        node.bring([node.lease(2)])
        for command in (
            "ip addr add fe80::9/64 dev flannel.1 nodad",
            "ip neigh add 10.64.77.1 lladdr 02:00:00:00:77:77 dev flannel.1 nud reachable",
            "bridge fdb add 02:00:00:00:77:77 dev flannel.1 dst 198.18.0.9 self dynamic",
        ):
            node.namespace.exec(*command.split())
        before = everything(node.namespace)
        node.reconciler.forget()
        assert node.bring([node.lease(2)]).done == 0
        assert everything(node.namespace) == before


def test_removed_by_one_that_knows_nothing() -> None:
    """As after a crash: the names of the devices are enough."""
    with kernel_node(DirectRouting=True) as node:
        before = everything(node.namespace)
        node.bring([node.lease(2), node.lease(3, address=0x1_0003)])
        assert node.new_reconciler().remove(LINKS).is_complete
        assert everything(node.namespace) == before
        assert node.new_reconciler(*LINKS).remove().done == 0


def test_route_in_the_way() -> None:
    """Another's route of the same destination is not overwritten: it is told of, and all else is done."""
    with kernel_node("4") as node:
        node.namespace.ip("route", "add", "10.64.2.0/24", "via", "198.18.0.200")
        outcome = node.bring([node.lease(2), node.lease(3)])
        (failure,) = outcome.failures
        assert failure.error.errno == errno.EEXIST and "10.64.2.0/24" in str(failure)
        assert len(node.state().routes) == 1 and len(node.state().neighbours) == 2
        assert node.reconciler.failed == 1
        node.namespace.ip("route", "del", "10.64.2.0/24")
        assert node.bring([node.lease(2), node.lease(3)]).done == 1
        check(node, 2, 3)


# -- devices


@pytest.mark.parametrize("others", [[], [2, 3]])
def test_link_deleted(others: list[int]) -> None:
    """Behind our back: it is made anew, with all on it, at the next change and without being told."""
    with kernel_node() as node:
        node.bring([node.lease(number) for number in others])
        node.namespace.ip("link", "del", "flannel.1")
        assert node.bring([node.lease(number) for number in [*others, 4]]).is_complete
        check(node, *others, 4)


def test_link_replaced_by_another() -> None:
    """One of the same name and another number, with nothing on it, and down."""
    with kernel_node() as node:
        node.bring([node.lease(2)])
        node.namespace.ip("link", "del", "flannel.1")
        node.namespace.ip("link", "add", "flannel.1", "type", "vxlan", "id", "1", "local", "198.18.0.1",
                          "dev", UNDERLAY, "dstport", "8472")  # fmt: skip
        assert node.bring([node.lease(2), node.lease(3)]).is_complete
        check(node, 2, 3)


def test_vxlan_or_tun_in_the_way() -> None:
    """A device of an overlay that cannot be made the wanted one goes."""
    with kernel_node("4") as node:
        for command in (
            "ip link add flannel.1 type vxlan id 9 dstport 4789 dev eth0",
            "ip tuntap add flannel.1 mode tun",
            "ip tuntap add flannel.1 mode tap",
        ):
            node.namespace.exec(*command.split())
            node.reconciler = node.new_reconciler()
            assert node.bring([node.lease(2)]).is_complete
            check(node, 2)
            node.reconciler.remove()


def test_bridge_in_the_way() -> None:
    """A device that is no overlay's is nobody's to remove: it is said, and nothing is put on it."""
    with kernel_node() as node:
        node.namespace.ip("link", "add", "flannel.1", "type", "bridge")
        outcome = node.bring([node.lease(2), node.lease(3)])
        (failure,) = outcome.failures
        assert failure.error.errno == errno.EEXIST
        assert "bridge" in str(failure) and "flannel.1" in str(failure)
        assert outcome.missing == ("flannel.1",)
        (link,) = dump(node.namespace, "ip", "-d", "link", "show", "flannel.1")
        assert link["linkinfo"]["info_kind"] == "bridge"
        assert not dump(node.namespace, "ip", "neigh", "show", "dev", "flannel.1", "nud", "permanent")
        assert len(overlay_state(node.namespace, "flannel-v6.1").routes) == 2  # the rest is done
        node.namespace.ip("link", "del", "flannel.1")
        assert node.bring([node.lease(2), node.lease(3)]).is_complete
        check(node, 2, 3)


def test_vni_in_use() -> None:
    """By a device of another name: the error says what to look for."""
    with kernel_node("4") as node:
        node.namespace.ip("link", "add", "other", "type", "vxlan", "id", "1", "local", "198.18.0.1",
                          "dev", UNDERLAY, "dstport", "8472")  # fmt: skip
        (failure,) = node.bring([node.lease(2)]).failures
        assert "VNI 1" in str(failure) and failure.error.errno == errno.EEXIST


def test_mtu_too_large() -> None:
    """The kernel refuses it: it is said, no half-made device stays, and it works when the MTU is right."""
    with kernel_node("4", MTU=9000) as node:
        outcome = node.bring([node.lease(2)])
        assert outcome.missing == ("flannel.1",) and "9000" in str(outcome.failures[0])
        assert not node.state().links
        node.config = parse_config('{"Network": "10.64.0.0/10", "Backend": {"Type": "vxlan"}}')
        assert node.bring([node.lease(2)]).is_complete
        check(node, 2)


def test_no_underlay() -> None:
    with kernel_node("4") as node:
        wanted = node.plan([node.lease(2)]).kernel
        node.namespace.ip("link", "del", UNDERLAY)
        (failure,) = node.reconciler.bring(wanted).failures
        assert failure.error.errno == errno.ENODEV and UNDERLAY in str(failure)


def test_underlay_comes_back() -> None:
    """With another number: all is made anew, whether anything was tried meanwhile or not."""
    with kernel_node() as node:
        wanted = node.plan([node.lease(2)]).kernel
        for is_tried in (True, False):
            assert node.reconciler.bring(wanted).is_complete
            node.namespace.ip("link", "del", UNDERLAY)
            if is_tried:
                node.reconciler.forget()
                assert len(node.reconciler.bring(wanted).failures) == 2
            node.make_underlay()
            node.reconciler.forget()
            assert node.reconciler.bring(wanted).is_complete
            assert node.state() == wanted


# -- many


def test_many() -> None:
    """A change among 2,000 nodes costs what it costs among three."""
    with kernel_node("4") as node:
        others = [node.lease(number) for number in range(2, 2002)]
        assert node.bring(others).done == 2 + 3 * 2000
        assert node.state() == node.plan(others).kernel
        for changed, expected in ((others[1:], 3), (others, 3), ([*others[:-1], node.lease(2001, address=3000)], 1)):
            before = node.kernel.operations
            assert node.bring(changed).done == expected
            assert node.kernel.operations - before == expected
        node.reconciler.forget()
        before = node.kernel.operations
        assert node.bring(changed).done == 0
        assert node.kernel.operations - before < 20
        assert node.reconciler.remove().done == 1


# -- the kernel's own ways


def test_kernel_says_why() -> None:
    """Its own words are in the failure, and nothing else suffers."""
    with kernel_node("4", "4", DirectRouting=True) as node:
        wanted = node.plan([node.lease(2), node.lease(3, address=0x1_0003)]).kernel
        node.namespace.ip("addr", "del", "198.18.0.1/16", "dev", UNDERLAY)
        (failure,) = node.reconciler.bring(wanted).failures
        assert failure.error.strerror == "Nexthop has invalid gateway"
        node.namespace.ip("addr", "add", "198.18.0.1/16", "dev", UNDERLAY)
        assert node.reconciler.bring(wanted).done == 1
        assert node.state() == wanted


@pytest.mark.parametrize("mtu", [1200, 0])
def test_no_ipv6(mtu: int) -> None:
    """Neither where a device is too narrow for IPv6, nor where it is switched off, is anything in the way of IPv4."""
    with kernel_node("4", "4", MTU=mtu) as node:
        if not mtu:
            for which in ("all", "default"):
                node.namespace.sysctl(f"net.ipv6.conf.{which}.disable_ipv6", 1)
        assert node.bring([node.lease(2)]).is_complete
        check(node, 2)


def test_not_root() -> None:
    """Each step that is refused for lack of rights is told of, and nothing is believed to be done."""
    with kernel_node("4") as node:
        wanted = node.plan([node.lease(2)]).kernel
        outcome = node.namespace.call(lambda: without_rights(lambda: node.reconciler.bring(wanted)))
        assert [failure.error.errno for failure in outcome.failures] == [errno.EPERM]
        assert outcome.missing == ("flannel.1",) and not node.state().links
        assert node.reconciler.bring(wanted).is_complete


def without_rights(function: Callable[[], Outcome]) -> Outcome:
    """Run it in this thread, which is thrown away afterwards, without CAP_NET_ADMIN: the kernel asks who sends."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = struct.pack("=Ii", 0x20080522, 0), bytearray(24)
    assert libc.capget(header, (ctypes.c_char * 24).from_buffer(data)) == 0
    effective, *others = struct.unpack("=6I", data)
    left = struct.pack("=6I", effective & ~(1 << 12), *others)
    assert libc.capset(header, left) == 0
    return function()

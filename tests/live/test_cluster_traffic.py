"""Containers of several nodes talk through the overlay: every pair of backends, over each underlay, IPv4 and IPv6."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from .cluster import Cluster, cluster
from .traffic import echo_datagram, pings, send_stream

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

DATA = random.Random(1).randbytes(3_000_000)
UNDERLAYS: list[tuple[int, ...]] = [(4,), (6,), (4, 6)]
NAMES = ["over-ipv4", "over-ipv6", "over-both"]
PAIRS = {"kernel-kernel": (1, 2), "kernel-user": (1, 3), "user-user": (3, 4)}


@pytest.fixture(scope="module", params=UNDERLAYS, ids=NAMES)
def vxlan(request: pytest.FixtureRequest, means: None) -> Iterator[Cluster]:
    """Two nodes with the kernel's device, and two with ours."""
    with cluster("kernel", "kernel", "user", "user", versions=request.param) as made:
        yield made


@pytest.fixture(scope="module", params=UNDERLAYS, ids=NAMES)
def udp(request: pytest.FixtureRequest, means: None) -> Iterator[Cluster]:
    """Two nodes of flannel's udp backend."""
    with cluster("udp", "udp", versions=request.param) as made:
        yield made


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_vxlan(vxlan: Cluster, pair: tuple[int, int]) -> None:
    """All arrives as it was sent, both ways."""
    _exchange(vxlan, *pair)


def test_udp(udp: Cluster) -> None:
    """The same over bare UDP."""
    _exchange(udp, 1, 2)


def _exchange(nodes: Cluster, first: int, second: int) -> None:
    near, far = nodes.nodes[first].container, nodes.nodes[second].container
    for version in (4, 6):
        for size in (56, 4096, 60000):
            assert pings(near, far, version, size, 10.0)
        for sender, receiver in ((near, far), (far, near)):
            for size in (1, 1000, 4096, 60000):
                assert echo_datagram(sender, receiver, version, DATA[:size]) == DATA[:size]
            assert send_stream(sender, receiver, version, DATA) == DATA


def test_hosts(vxlan: Cluster) -> None:
    """A node itself reaches the containers of the others, from the address of its device."""
    for near, far in ((1, 3), (3, 1)):
        for version in (4, 6):
            target = vxlan.nodes[far].container.inside(version)
            vxlan.nodes[near].namespace.exec("ping", "-c", "1", "-W", "10", "-s", "3000", target)


def test_nothing_lost(vxlan: Cluster) -> None:
    """After all of it each node holds what is planned, and knows each other; ours has refused nothing."""
    vxlan.settle()
    for number in (1, 3):
        node = vxlan.nodes[number]
        status = node.agent.status()
        others = [other for other in vxlan.nodes.values() if other is not node]
        assert {peer.node for peer in status.peers} == {address for other in others for address in other.addresses}
        assert {peer.path for peer in status.peers} == {"tunnel"}
        assert all(link.rx_packets and link.tx_packets for link in status.links)
        if node.kind == "user":  # the kernel's device counts its own multicast as dropped
            assert not any(link.drops for link in status.links), status.links


def test_direct_routing() -> None:
    """Nodes of one network do without a tunnel, whatever they have for those that need one."""
    with cluster("kernel", "user", versions=(4, 6), settings={"DirectRouting": True}) as nodes:
        for node in nodes.nodes.values():
            assert {peer.path for peer in node.agent.status().peers} == {"direct"}
        _exchange(nodes, 1, 2)


def test_other_numbers() -> None:
    """Another VNI, port and MTU, and group policies."""
    settings = {"VNI": 4096, "Port": 4789, "MTU": 1300, "GBP": True}
    with cluster("kernel", "user", settings=settings) as nodes:
        assert {node.subnet_env.mtu for node in nodes.nodes.values()} == {1300}
        _exchange(nodes, 1, 2)

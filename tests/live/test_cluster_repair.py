"""What somebody else changes on a node, or a former run left there, is put right; in the end a node is as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.waiting import eventually

from .cluster import Cluster, Kind, Node, cluster
from .kernel_dumps import everything
from .traffic import send_stream
from .underlay import LINK

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

DATA = random.Random(4).randbytes(1_000_000)
STRANGER = "02:00:00:00:00:99"
DEVICES = {"kernel": "flannel.1", "user": "flannel.1", "udp": "flannel0"}


@pytest.fixture(scope="module")
def vxlan(means: None) -> Iterator[Cluster]:
    with cluster("kernel", "user", versions=(4, 6)) as made:
        yield made


@pytest.fixture(scope="module")
def udp(means: None) -> Iterator[Cluster]:
    with cluster("udp", "udp") as made:
        yield made


def _nodes_of(request: pytest.FixtureRequest, kind: Kind) -> tuple[Cluster, Node]:
    nodes: Cluster = request.getfixturevalue("udp" if kind == "udp" else "vxlan")
    return nodes, nodes.nodes[2 if kind == "user" else 1]


def _recovers(nodes: Cluster) -> None:
    nodes.settle()
    nodes.reach()
    first, second = nodes.nodes[1].container, nodes.nodes[2].container
    assert send_stream(first, second, 4, DATA) == DATA
    assert send_stream(second, first, 6, DATA) == DATA


@pytest.mark.parametrize("kind", ["kernel", "user", "udp"])
def test_device_deleted(request: pytest.FixtureRequest, kind: Kind) -> None:
    """Again and again; the agent closes what it had open for it."""
    nodes, node = _nodes_of(request, kind)
    before = node.agent.handles()
    for _ in range(3):
        node.namespace.ip("link", "del", DEVICES[kind])
        nodes.settle()
    _recovers(nodes)
    assert eventually(lambda: node.agent.handles() == before), (node.agent.handles(), before)


@pytest.mark.parametrize("kind", ["kernel", "user", "udp"])
def test_device_down(request: pytest.FixtureRequest, kind: Kind) -> None:
    """Its routes go with it, and those of IPv6 its addresses too."""
    nodes, node = _nodes_of(request, kind)
    node.namespace.ip("link", "set", DEVICES[kind], "down")
    _recovers(nodes)


@pytest.mark.parametrize("kind", ["kernel", "user", "udp"])
def test_entries_deleted(request: pytest.FixtureRequest, kind: Kind) -> None:
    """Each route, neighbour, forwarding entry and address, one after the other."""
    nodes, node = _nodes_of(request, kind)
    planned = node.plan()
    assert planned is not None
    state = planned.kernel
    deletions: list[tuple[str, ...]] = [("route", "del", str(route.destination)) for route in state.routes]
    deletions += [("neigh", "del", str(one.address), "dev", one.link) for one in state.neighbours]
    deletions += [("addr", "del", str(one.address), "dev", one.link) for one in state.addresses]
    assert deletions
    for deletion in deletions:
        node.namespace.ip(*deletion)
        nodes.settle()
    for entry in state.fdb:
        node.namespace.exec("bridge", "fdb", "del", str(entry.mac), "dev", entry.link, "dst", str(entry.remote), "self")
        nodes.settle()
    _recovers(nodes)


@pytest.mark.parametrize("kind", ["kernel", "user", "udp"])
def test_foreign_entries(request: pytest.FixtureRequest, kind: Kind) -> None:
    """What does not belong on the overlay's device is taken away."""
    nodes, node = _nodes_of(request, kind)
    device = DEVICES[kind]
    node.namespace.ip("addr", "add", "10.5.77.7/32", "dev", device)
    node.namespace.ip("route", "add", "10.5.78.0/24", "dev", device)
    if kind != "udp":
        node.namespace.ip("neigh", "add", "10.5.79.0", "lladdr", STRANGER, "dev", device, "nud", "permanent")
    if kind == "kernel":
        node.namespace.exec("bridge", "fdb", "add", STRANGER, "dev", device, "dst", "192.0.2.9", "self", "permanent")
    _recovers(nodes)


def test_stale_before_the_start(vxlan: Cluster) -> None:
    """A device of a former run with other numbers does not last, nor what hangs on it, nor a direct route."""
    node = vxlan.nodes[1]
    node.remove_container()
    node.agent.terminate()
    ip = node.namespace.ip
    device = ("type", "vxlan", "id", "7", "local", node.address, "dev", LINK, "dstport", "4789")
    ip("link", "add", "flannel.1", *device)
    ip("link", "set", "flannel.1", "up")
    ip("addr", "add", "10.5.77.0/32", "dev", "flannel.1")
    ip("neigh", "add", "10.5.78.0", "lladdr", STRANGER, "dev", "flannel.1", "nud", "permanent")
    ip("route", "add", "10.5.78.0/24", "via", "10.5.78.0", "dev", "flannel.1", "onlink")
    ip("route", "add", "10.5.79.0/24", "via", vxlan.nodes[2].address, "dev", LINK, "proto", "89")
    node.namespace.exec("bridge", "fdb", "add", STRANGER, "dev", "flannel.1", "dst", "192.0.2.9", "self")
    node.agent.start()
    _recovers(vxlan)


def test_peer_gone_while_dead(vxlan: Cluster) -> None:
    """A node that was killed finds, when it is back, nothing of a peer that has left meanwhile."""
    gone = vxlan.add("user")
    gone.agent.start()
    vxlan.settle()
    dead = vxlan.nodes[1]
    dead.agent.kill()
    gone.agent.terminate()
    assert any("stale" in line for line in dead.differences())
    dead.agent.start()
    assert eventually(lambda: dead.differences() == []), dead.differences()
    _recovers(vxlan)
    vxlan.lose(gone)


@pytest.mark.parametrize(
    ("kinds", "direct"),
    [(("kernel", "user"), False), (("kernel", "user"), True), (("udp", "udp"), False)],
    ids=["vxlan", "vxlan-direct", "udp"],
)
def test_nothing_left(kinds: tuple[Kind, Kind], direct: bool) -> None:
    """After SIGTERM each node is as it was before, and no lease, socket or file of it is left."""
    nodes = Cluster(kinds, versions=(4, 6), settings={"DirectRouting": direct})
    try:
        for node in nodes.nodes.values():
            node.namespace.ip("route", "add", "172.16.0.0/16", "dev", LINK)
        before = {number: everything(node.namespace) for number, node in nodes.nodes.items()}
        nodes.start()
        for node in nodes.nodes.values():
            node.remove_container()
            node.agent.terminate()
        assert {number: everything(node.namespace) for number, node in nodes.nodes.items()} == before
        assert not nodes.leases()
        assert [path for node in nodes.nodes.values() for path in node.agent.left_behind()] == []
    finally:
        nodes.close()

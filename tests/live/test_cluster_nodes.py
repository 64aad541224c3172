"""Nodes come, go, crash and are replaced: the others follow, traffic recovers, and nothing stale stays."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from vxlanpkt.overlay import Lease

from .cluster import Cluster, Kind, Node, cluster
from .traffic import eventually, pings, send_stream

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

DATA = random.Random(2).randbytes(1_000_000)


@pytest.fixture(scope="module")
def nodes(means: None) -> Iterator[Cluster]:
    """One node of each backend of VXLAN, and a third; each test leaves three that reach each other."""
    with cluster("kernel", "user", "kernel") as made:
        yield made


def _lease(node: Node) -> Lease:
    lease = node.lease()
    assert lease is not None
    return lease


@pytest.mark.parametrize("kind", ["kernel", "user"])
def test_joins_and_leaves(nodes: Cluster, kind: Kind) -> None:
    """A fourth node is seen by all; when it ends they forget it at once, and its subnet is free."""
    node = nodes.add(kind)
    node.agent.start()
    nodes.settle()
    nodes.reach()
    key = _lease(node).key
    node.agent.terminate()
    assert key not in {lease.key for lease in nodes.leases()}
    nodes.settle()
    nodes.lose(node)


@pytest.mark.parametrize("number", [1, 2], ids=["kernel", "user"])
def test_killed(nodes: Cluster, number: int) -> None:
    """Killed and started again a node has its subnet, and its containers are reached as before."""
    node = nodes.nodes[number]
    before = _lease(node)
    node.agent.kill()
    if node.kind == "kernel":
        assert pings(nodes.nodes[3].container, node.container, 4), "the kernel's device goes on by itself"
    node.agent.start()
    assert eventually(lambda: node.differences() == [], 10)
    nodes.settle()
    nodes.reach()
    assert _lease(node).subnets == before.subnets
    assert send_stream(nodes.nodes[3].container, node.container, 4, DATA) == DATA


@pytest.mark.parametrize("number", [1, 2], ids=["kernel", "user"])
def test_replaced(nodes: Cluster, number: int) -> None:
    """Another machine at the address of one that died has its subnet, and a MAC address of its own."""
    old = nodes.nodes[number]
    before = _lease(old)
    nodes.lose(old)
    new = nodes.add(old.kind, number)
    new.agent.start()
    assert eventually(lambda: _lease(new).attributes.vtep_mac != before.attributes.vtep_mac, 10)
    nodes.settle()
    nodes.reach()
    assert _lease(new).subnets == before.subnets
    assert send_stream(nodes.nodes[3].container, new.container, 6, DATA) == DATA


def test_cut_off(nodes: Cluster) -> None:
    """A node whose cable is pulled is reached again when it is back, with nothing made anew."""
    node, other = nodes.nodes[2], nodes.nodes[1]
    before = _lease(node)
    nodes.segment.set_connected(2, False)
    assert not pings(other.container, node.container, 4)
    nodes.segment.set_connected(2, True)
    nodes.reach()
    nodes.settle()
    assert _lease(node) == before


def test_down(nodes: Cluster) -> None:
    """`overlay down` ends an agent as SIGTERM does."""
    node = nodes.nodes[3]
    node.agent.down()
    assert node.lease() is None
    nodes.settle()
    node.remove_container()
    node.agent.start()
    nodes.settle()
    nodes.reach()

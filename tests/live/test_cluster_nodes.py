"""Nodes come, go, crash and are replaced: the others follow, traffic recovers, and nothing stale stays."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.waiting import eventually
from vxlanpkt.overlay import FileStore, Lease, LeaseAttributes

from .cluster import Cluster, Kind, Node, cluster
from .traffic import pings, send_stream, streaming
from .underlay import LINK

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

DATA = random.Random(2).randbytes(1_000_000)


@pytest.fixture(scope="module")
def nodes(means: None) -> Iterator[Cluster]:
    """One node of each backend of VXLAN, and a third; each test leaves three that reach each other."""
    with cluster("kernel", "user", "kernel", versions=(4, 6)) as made:
        yield made


def _lease(node: Node) -> Lease:
    lease = node.lease()
    assert lease is not None
    return lease


@pytest.mark.parametrize("kind", ["kernel", "user"])
def test_joins_and_leaves(nodes: Cluster, kind: Kind) -> None:
    """A fourth node is seen by all, and when it ends forgotten at once; what passes between others does not stop."""
    with streaming(nodes.nodes[1].container, nodes.nodes[2].container, 4, DATA):
        node = nodes.add(kind)
        node.agent.start()
        nodes.settle()
        nodes.reach()
        key = _lease(node).key
        node.agent.terminate()
        assert key not in {lease.key for lease in nodes.leases()}
        nodes.settle()
    nodes.lose(node)


def test_many(nodes: Cluster) -> None:
    """Sixty nodes more, of which there are only the leases, come at once and go at once."""
    store = FileStore(nodes.home / "store")
    with streaming(nodes.nodes[1].container, nodes.nodes[2].container, 6, DATA):
        leases = [
            store.acquire(
                LeaseAttributes.vxlan(f"198.51.100.{number}", f"02:00:00:04:00:{number:02x}",
                                      public_ipv6=f"2001:db8:1::{number}", vtep_mac6=f"02:00:00:06:00:{number:02x}")
            )
            for number in range(1, 61)
        ]  # fmt: skip
        nodes.settle()
        for lease in leases:
            store.release(lease)
        nodes.settle()


@pytest.mark.parametrize("number", [1, 2], ids=["kernel", "user"])
def test_killed(nodes: Cluster, number: int) -> None:
    """Killed and started again a node has its subnet, and its containers are reached as before."""
    node = nodes.nodes[number]
    before = _lease(node)
    node.agent.kill()
    if node.kind == "kernel":
        answered = pings(nodes.nodes[3].container, node.container, 4, seconds=10.0)
        assert answered, "the kernel's device goes on by itself"
    node.agent.start()
    assert eventually(lambda: node.differences() == [])
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
    assert eventually(lambda: _lease(new).attributes.vtep_mac != before.attributes.vtep_mac)
    nodes.settle()
    nodes.reach()
    assert _lease(new).subnets == before.subnets
    assert send_stream(nodes.nodes[3].container, new.container, 6, DATA) == DATA


@pytest.mark.parametrize("number", [1, 2], ids=["kernel", "user"])
def test_moves(nodes: Cluster, number: int) -> None:
    """At other addresses a node keeps its subnet, and the others follow."""
    node = nodes.nodes[number]
    before = _lease(node)
    node.move()
    nodes.settle()
    nodes.reach()
    assert _lease(node).subnets == before.subnets


@pytest.mark.parametrize("number", [1, 2], ids=["kernel", "user"])
def test_lease_deleted(nodes: Cluster, number: int) -> None:
    """A node whose lease somebody deletes takes it again."""
    node = nodes.nodes[number]
    before = _lease(node)
    FileStore(nodes.home / "store").release(before)
    assert eventually(lambda: node.lease() is not None)
    nodes.settle()
    nodes.reach()
    assert _lease(node).subnets == before.subnets


@pytest.mark.parametrize("number", [1, 2], ids=["kernel", "user"])
def test_interface_down(nodes: Cluster, number: int) -> None:
    """A node whose interface was down, and has lost its IPv6 addresses by that, is reached when it has them again."""
    node = nodes.nodes[number]
    node.namespace.ip("link", "set", LINK, "down")
    assert not pings(nodes.nodes[3].container, node.container, 4)
    nodes.segment.address(number, node.namespace)
    nodes.settle()
    nodes.reach()


@pytest.mark.parametrize("number", [1, 2], ids=["kernel", "user"])
def test_interface_replaced(nodes: Cluster, number: int) -> None:
    """With its interface a kernel's vxlan device goes too; there is another one when another interface has its name."""
    node = nodes.nodes[number]
    nodes.segment.detach(number)
    assert not pings(nodes.nodes[3].container, node.container, 4)
    nodes.segment.attach(number, node.namespace)
    nodes.settle()
    nodes.reach()


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


@pytest.mark.parametrize("number", [1, 2], ids=["kernel", "user"])
def test_next_agent(nodes: Cluster, number: int) -> None:
    """`overlay down --keep` leaves everything for the next agent; with the kernel's device traffic does not stop."""
    node, other = nodes.nodes[number], nodes.nodes[3]
    before = _lease(node)
    node.agent.down("--keep")
    assert node.lease() == before
    goes_on = node.kind == "kernel"
    assert pings(other.container, node.container, 4, seconds=10.0 if goes_on else 0.5) is goes_on
    node.agent.start()
    nodes.settle()
    nodes.reach()
    assert _lease(node).subnets == before.subnets

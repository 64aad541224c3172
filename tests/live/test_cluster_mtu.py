"""Too little room below: what is told to senders, and what a node does when its interface changes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import partial

import pytest

from tests.waiting import eventually

from .cluster import Cluster, Kind, Node, cluster
from .traffic import End, send_stream
from .underlay import MTU

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

DATA = random.Random(5).randbytes(1_000_000)
NARROW = 1400


@pytest.fixture(scope="module")
def routed(means: None) -> Iterator[Cluster]:
    """Nodes behind a router, from which a smaller link leads to each; so there is no direct route either."""
    with cluster("kernel", "user", "user", routed=True, versions=(4, 6), settings={"DirectRouting": True}) as made:
        for number in made.nodes:
            made.segment.narrow(number, NARROW)
        yield made


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1), (2, 3)], ids=["kernel-user", "user-kernel", "user-user"])
def test_narrow_path(routed: Cluster, first: int, second: int) -> None:
    """TCP gets through; our data path tells who must not be fragmented how much there is room for."""
    near, far = routed.nodes[first].container, routed.nodes[second].container
    for version in (4, 6):
        assert send_stream(near, far, version, DATA) == DATA
        if routed.nodes[first].kind == "user":
            assert eventually(partial(_room, near, far, version)) == NARROW - (50 if version == 4 else 70)


def test_narrow_path_udp() -> None:
    with cluster("udp", "udp", routed=True) as nodes:
        nodes.segment.narrow(2, NARROW)
        near, far = nodes.nodes[1].container, nodes.nodes[2].container
        for version in (4, 6):
            assert send_stream(near, far, version, DATA) == DATA
            assert eventually(partial(_room, near, far, version)) == NARROW - 28


def _room(near: End, far: End, version: int) -> int | None:
    """What a ping is told that is as long as its link takes, and must not be fragmented."""
    size = MTU - 70 - (28 if version == 4 else 48)
    done = near.namespace.exec("ping", "-c", "2", "-i", "0.05", "-W", "0.5", "-M", "do", "-s", str(size),
                               far.inside(version), check=False)  # fmt: skip
    told = re.search(r"mtu ?[=:] ?(\d+)", done.stdout + done.stderr)
    return None if told is None else int(told[1])


def test_not_direct(routed: Cluster) -> None:
    """Where a router is between nodes there is a tunnel, also with DirectRouting."""
    for node in routed.nodes.values():
        assert {peer.path for peer in node.agent.status().peers} == {"tunnel"}


@pytest.mark.parametrize("kinds", [("kernel", "user"), ("udp", "udp")], ids="-".join)
def test_interface_changes(kinds: tuple[Kind, Kind]) -> None:
    """Device and subnet.env follow the interface below, down and up. New containers say in TCP what they can take."""
    with cluster(*kinds) as nodes:
        for node in nodes.nodes.values():
            before = node.subnet_env
            for mtu in (NARROW, MTU):
                node.set_underlay_mtu(mtu)
                nodes.settle()
                assert eventually(partial(_has_mtu, node, before.mtu - MTU + mtu))
                node.remove_container()
                nodes.reach()
                _exchange(nodes)
            assert node.subnet_env == before


def _has_mtu(node: Node, mtu: int) -> bool:
    return node.subnet_env.mtu == mtu


def _exchange(nodes: Cluster) -> None:
    first, second = nodes.nodes[1].container, nodes.nodes[2].container
    for version in (4, 6):
        assert send_stream(first, second, version, DATA) == DATA
        assert send_stream(second, first, version, DATA) == DATA


def test_smaller_containers() -> None:
    """A container whose link takes less than the node's device, as it was made before the interface below grew."""
    with cluster("kernel", "user") as nodes:
        node = nodes.nodes[2]
        node.set_underlay_mtu(NARROW)
        nodes.settle()
        assert eventually(partial(_has_mtu, node, NARROW - 50))
        node.remove_container()
        nodes.reach()
        node.set_underlay_mtu(MTU)
        nodes.settle()
        _exchange(nodes)

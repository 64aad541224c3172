"""Too little room below: what is told to senders, and what a node does when its interface changes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import partial

import pytest

from .cluster import Cluster, Kind, Node, cluster
from .traffic import End, eventually, send_stream
from .underlay import MTU

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

DATA = random.Random(5).randbytes(1_000_000)
NARROW = 1400


@pytest.fixture(scope="module")
def routed(means: None) -> Iterator[Cluster]:
    """Nodes behind a router, from which a smaller link leads to each."""
    with cluster("kernel", "user", "user", routed=True, versions=(4, 6)) as made:
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
            assert eventually(partial(_room, near, far, version), 5) == NARROW - (50 if version == 4 else 70)


def test_narrow_path_udp() -> None:
    with cluster("udp", "udp", routed=True) as nodes:
        nodes.segment.narrow(2, NARROW)
        near, far = nodes.nodes[1].container, nodes.nodes[2].container
        for version in (4, 6):
            assert send_stream(near, far, version, DATA) == DATA
            assert eventually(partial(_room, near, far, version), 5) == NARROW - 28


def _room(near: End, far: End, version: int) -> int | None:
    """What a ping is told that is as long as its link takes, and must not be fragmented."""
    size = MTU - 70 - (28 if version == 4 else 48)
    done = near.namespace.exec("ping", "-c", "2", "-i", "0.05", "-W", "0.5", "-M", "do", "-s", str(size),
                               far.inside(version), check=False)  # fmt: skip
    told = re.search(r"mtu ?[=:] ?(\d+)", done.stdout + done.stderr)
    return None if told is None else int(told[1])


@pytest.mark.parametrize("kinds", [("kernel", "user"), ("udp", "udp")], ids="-".join)
def test_interface_changes(kinds: tuple[Kind, Kind]) -> None:
    """Device and subnet.env follow the interface below, down and up."""
    with cluster(*kinds) as nodes:
        for node in nodes.nodes.values():
            before = node.subnet_env
            for mtu in (1400, MTU):
                node.set_underlay_mtu(mtu)
                nodes.settle()
                assert eventually(partial(_follows, node, before.mtu - MTU + mtu), 5)
            assert node.subnet_env == before
        nodes.reach()
        first, second = nodes.nodes[1].container, nodes.nodes[2].container
        assert send_stream(first, second, 4, DATA) == DATA


def _follows(node: Node, mtu: int) -> bool:
    return node.subnet_env.mtu == mtu


def test_different_interfaces() -> None:
    """A node whose interface has less than the others' is reached by them: its containers say so in TCP."""
    nodes = Cluster(("kernel", "user"))
    try:
        nodes.nodes[2].set_underlay_mtu(NARROW)
        nodes.start()
        first, second = nodes.nodes[1].container, nodes.nodes[2].container
        for version in (4, 6):
            assert send_stream(first, second, version, DATA) == DATA
            assert send_stream(second, first, version, DATA) == DATA
    finally:
        nodes.close()

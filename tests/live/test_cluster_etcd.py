"""Leases in etcd: nodes find each other there, and go on without it while it is away."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.overlay import etcd
from tests.waiting import eventually

from .cluster import Cluster, cluster
from .traffic import pings, send_stream

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

DATA = random.Random(3).randbytes(1_000_000)


@pytest.fixture(scope="module")
def nodes(means: None) -> Iterator[Cluster]:
    reason = etcd.missing()
    if reason is not None:
        pytest.skip(reason)
    etcd.sweep()
    with cluster("kernel", "user", with_etcd=True) as made:
        yield made


def test_traffic(nodes: Cluster) -> None:
    first, second = nodes.nodes[1].container, nodes.nodes[2].container
    assert send_stream(first, second, 4, DATA) == DATA
    assert send_stream(second, first, 6, DATA) == DATA


def test_away_and_back(nodes: Cluster) -> None:
    """Traffic goes on, the agents say what is wrong; who wants to join waits, and is seen when etcd is back."""
    assert nodes.etcd is not None
    first, second = nodes.nodes[1], nodes.nodes[2]
    nodes.etcd.kill()
    assert eventually(lambda: first.agent.status().store_fault)
    assert send_stream(first.container, second.container, 4, DATA) == DATA
    third = nodes.add("user")
    third.agent.start()
    assert pings(second.container, first.container, 6, seconds=10.0)
    assert third.agent.is_running
    nodes.etcd.start()
    nodes.settle()
    nodes.reach()
    assert eventually(lambda: not first.agent.status().store_fault)
    third.agent.terminate()
    nodes.settle()
    assert third.lease() is None


def test_forgotten(nodes: Cluster) -> None:
    """An etcd that has lost everything is told again: no node needs to be started anew."""
    assert nodes.etcd is not None
    nodes.etcd.kill()
    nodes.etcd.forget()
    nodes.etcd.start()
    nodes.configure()
    nodes.settle()
    nodes.reach()

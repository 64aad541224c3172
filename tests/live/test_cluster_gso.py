"""Agents with --tunnel-gso, behind a router: paths that are narrow, routers that are changed, and the end."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import partial

import pytest

from tests.waiting import eventually

from .cluster import Cluster, Node, cluster
from .traffic import send_stream, streaming
from .underlay import LINK

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("tunnel_gso_means")]

DATA = random.Random(9).randbytes(2_000_000)
NARROW = 1400


@pytest.fixture(scope="module")
def routed(tunnel_gso_means: None) -> Iterator[Cluster]:
    """Two nodes with tunnel GSO, and one whose kernel has the device, behind a router."""
    with cluster("gso", "kernel", "gso", routed=True, versions=(4, 6)) as made:
        yield made


def _frames(node: Node) -> int:
    return sum(link.tunnel_gso_frames for link in node.agent.status().links)


def _leaves_as_one(near: Node, far: Node, version: int) -> bool:
    before = _frames(near)
    assert send_stream(near.container, far.container, version, DATA) == DATA
    return _frames(near) > before


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1), (1, 3)], ids=["gso-kernel", "kernel-gso", "gso-gso"])
def test_through_a_router(routed: Cluster, first: int, second: int) -> None:
    """Over either IP version, inside and outside: IPv4 goes over IPv4, and IPv6 over IPv6."""
    near, far = routed.nodes[first], routed.nodes[second]
    for version in (4, 6):
        assert send_stream(near.container, far.container, version, DATA) == DATA
        if near.kind == "gso":
            assert eventually(partial(_leaves_as_one, near, far, version), 5)
            assert [link.missing for link in near.agent.status().links] == [(), ()]


def test_router_changes_its_mac(routed: Cluster) -> None:
    """While streams pass: none of them is lost for good."""
    near, far = routed.nodes[1], routed.nodes[3]
    for version in (4, 6):
        for key in ("ipv4.conf.port1.arp_notify", "ipv6.conf.port1.ndisc_notify"):
            routed.segment.namespace.sysctl(f"net.{key}", 1)
        with streaming(near.container, far.container, version, DATA):
            for number in range(3):
                mac = f"02:00:00:00:0{version}:0{number}"
                routed.segment.namespace.ip("link", "set", "port1", "address", mac)
        assert eventually(partial(_leaves_as_one, near, far, version), 5)


def test_narrow_path() -> None:
    """A router says that the path takes less: senders learn of it, and what they then send leaves as one."""
    with cluster("gso", "kernel", routed=True, versions=(4, 6)) as nodes:
        near, far = nodes.nodes[1], nodes.nodes[2]
        for version in (4, 6):
            assert eventually(partial(_leaves_as_one, near, far, version), 5)
        nodes.segment.narrow(2, NARROW)
        for version in (4, 6):
            assert send_stream(near.container, far.container, version, DATA) == DATA
            assert eventually(partial(_leaves_as_one, near, far, version), 5)
        assert all(link.drops.get("too_big") for link in near.agent.status().links)


def test_interface_down_and_up(routed: Cluster) -> None:
    """Nothing has to be started anew."""
    near, far = routed.nodes[1], routed.nodes[2]
    routed.segment.set_connected(1, connected=False)
    routed.segment.set_connected(1, connected=True)
    routed.segment.namespace.ip("addr", "replace", "2001:db8:0:1::e/64", "dev", "port1", "nodad")
    routed.segment.namespace.ip("addr", "replace", "fe80::1/64", "dev", "port1", "nodad")
    routed.reach(near, far)
    for version in (4, 6):
        assert eventually(partial(_leaves_as_one, near, far, version), 5)


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_nothing_is_left(end: str) -> None:
    """TAPs and redirects are gone with their process, however that ends."""
    with cluster("gso", "kernel", versions=(4, 6)) as nodes:
        near = nodes.nodes[1]
        assert eventually(partial(_leaves_as_one, near, nodes.nodes[2], 4), 5)
        assert {"vxlan-gso0", "vxlan-gso1"} < _links(near)
        getattr(near.agent, end)()
        assert eventually(lambda: not any(name.startswith("vxlan-gso") for name in _links(near)))
        assert "clsact" not in near.namespace.exec("tc", "qdisc").stdout
        assert LINK in _links(near)


def _links(node: Node) -> set[str]:
    return {link["ifname"] for link in json.loads(node.namespace.ip("-j", "link").stdout)}

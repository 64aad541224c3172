"""Datagrams that nobody should send, from a peer and a stranger, while traffic runs: refused, counted, survived."""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.waiting import eventually
from vxlanpkt import UDP, VXLAN, DecapError, DecapPolicy, IPv4, LinkType, Packet, ParseError, Reason, decap

from . import odd_inputs
from .cluster import Cluster, Node, cluster
from .handmade import VNI as LISTED_VNI
from .namespaces import Namespace
from .traffic import streaming

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

DATA = random.Random(6).randbytes(3_000_000)
VNI = 1
_PLAIN_HEADER = 0x45
_AT_ONCE = 50
_NAMES = {reason.name.lower(): reason for reason in Reason}


def _listed() -> Iterator[bytes]:
    """The payloads of the odd inputs, with the VNI of this overlay where they have the list's."""
    for one in odd_inputs.listed():
        payload = one.frame[42:] if one.ip_version == 4 else one.frame[62:]
        if one.ip_version == 6 or one.frame[14] == _PLAIN_HEADER:
            is_right = payload[4:7] == LISTED_VNI.to_bytes(3, "big")
            yield payload[:4] + VNI.to_bytes(3, "big") + payload[7:] if is_right else payload


def _random() -> Iterator[bytes]:
    chance = random.Random(7)
    for _ in range(300):
        yield chance.randbytes(chance.choice((0, 1, 7, 8, 21, 22, 30, 60, 500, 1400)))


PAYLOADS = [payload for payload in (*_listed(), *_random()) if len(payload) <= 1400]


@pytest.fixture(scope="module")
def vxlan(means: None) -> Iterator[Cluster]:
    with cluster("kernel", "user") as made:
        yield made


@pytest.mark.parametrize("is_peer", [True, False], ids=["from-a-peer", "from-a-stranger"])
def test_our_data_path(vxlan: Cluster, is_peer: bool) -> None:
    """By the library's own verdicts, each by its reason."""
    node, other = vxlan.nodes[2], vxlan.nodes[1]
    lease = node.lease()
    assert lease is not None and lease.attributes.vtep_mac is not None
    source, address = other.namespace, other.address
    if not is_peer:
        source, address = vxlan.segment.namespace, vxlan.segment.here(0, 4)
    policy = DecapPolicy.LINUX.replace(
        check_inner_source=False, vnis=[VNI], own_macs=[lease.attributes.vtep_mac], allowed_sources=[other.address]
    )
    wanted = Counter(_verdict(payload, policy, address) for payload in PAYLOADS)
    accepted = wanted.pop(Reason.OK, 0)
    before = _refused(node)
    with streaming(other.container, node.container, 4, DATA):
        _send(source, node, 8472, PAYLOADS)
    assert eventually(lambda: _refused(node) - before == wanted), (_refused(node) - before, wanted)
    assert accepted and len(wanted) > 5 if is_peer else not accepted
    _is_as_before(vxlan)


def _verdict(payload: bytes, policy: DecapPolicy, source: str) -> Reason:
    try:
        decap(payload, start=VXLAN, policy=policy, source=source)
    except (DecapError, ParseError) as error:
        return error.reason
    return Reason.OK


def _refused(node: Node) -> Counter[Reason]:
    """What the agent says that it has refused, by reason."""
    (link,) = node.agent.status().links
    return Counter({_NAMES[name]: count for name, count in link.drops.items() if name in _NAMES})


def test_the_kernels_device(vxlan: Cluster) -> None:
    """The same to the kernel's device: its own counters are told."""
    node, other = vxlan.nodes[1], vxlan.nodes[2]
    (before,) = node.agent.status().links
    with streaming(other.container, node.container, 4, DATA):
        _send(other.namespace, node, 8472, PAYLOADS)
        _send(vxlan.segment.namespace, node, 8472, PAYLOADS)
    (after,) = node.agent.status().links
    assert sum(after.drops.values()) > sum(before.drops.values())
    _is_as_before(vxlan)


def test_bare_udp() -> None:
    """Of a stranger all is refused; of a peer what is no packet."""
    with cluster("udp", "udp") as nodes:
        node, other = nodes.nodes[2], nodes.nodes[1]
        payloads = [_sound(other, node), *PAYLOADS]
        with streaming(other.container, node.container, 4, DATA):
            _send(nodes.segment.namespace, node, 8285, payloads)
            refused = _refused(node)
            assert refused.total() == len(payloads)
            assert refused[Reason.SOURCE_REFUSED] == 1
            _send(other.namespace, node, 8285, PAYLOADS)
        assert _refused(node).total() > len(PAYLOADS) + len(PAYLOADS) // 2
        _is_as_before(nodes)


def _sound(sender: Node, receiver: Node) -> bytes:
    """A packet that would be right if its node sent it."""
    return Packet(
        IPv4(sender.container.inside(4), receiver.container.inside(4)), UDP(9, 9), payload=b"", start=LinkType.RAW
    ).build()


def _is_as_before(nodes: Cluster) -> None:
    assert all(node.agent.is_running for node in nodes.nodes.values())
    nodes.settle()
    nodes.reach()


def _send(source: Namespace, node: Node, port: int, payloads: Sequence[bytes]) -> None:
    """Send datagrams, no faster than they are read: none is to be lost for want of room."""
    with source.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        for at in range(0, len(payloads), _AT_ONCE):
            for payload in payloads[at : at + _AT_ONCE]:
                end.sendto(payload, (node.address, port))
            assert eventually(lambda: _waiting(node.namespace, port) == 0)


def _waiting(namespace: Namespace, port: int) -> int:
    """How many bytes lie in sockets of a port."""
    table = namespace.call(Path("/proc/thread-self/net/udp").read_text).splitlines()[1:]
    return sum(int(line.split()[4].partition(":")[2], 16) for line in table if f":{port:04X} " in line)

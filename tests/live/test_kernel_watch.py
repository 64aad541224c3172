"""What others do to the kernel is told; what the reconciler does itself is no news."""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from struct import pack
from typing import Any

import pytest

from tests.waiting import eventually
from vxlanpkt.overlay import Device, KernelChange, KernelWatch
from vxlanpkt.overlay.linux import entry_messages, link_messages, rtnetlink
from vxlanpkt.overlay.linux.rtnetlink import Request, Rtnetlink

from .kernel_node import LINKS, UNDERLAY, KernelNode, kernel_node
from .namespaces import Namespace

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]


class Told:
    """A watch, and what it has told."""

    def __init__(self, node: KernelNode) -> None:
        self._node = node
        self._changes: queue.Queue[KernelChange] = queue.Queue()
        self.watch = node.namespace.call(lambda: KernelWatch(self._changes.put, LINKS, UNDERLAY, node.kernel.port))

    def since(self) -> list[KernelChange]:
        """All that was told until now: a mark is set in the kernel, and waited for."""
        ip = self._node.namespace.ip
        ip("addr", "add", "198.51.100.1/32", "dev", UNDERLAY)
        ip("addr", "del", "198.51.100.1/32", "dev", UNDERLAY)
        found: list[KernelChange] = []
        while not (found and found[-1].kind == "entry gone" and "198.51.100.1" in str(found[-1].item)):
            found.append(self.next())
        return found[:-2]

    def next(self) -> KernelChange:
        return self._changes.get(timeout=5)

    def waiting(self) -> list[KernelChange]:
        """What is there already, where no mark can be set any more."""
        return [self._changes.get() for _ in range(self._changes.qsize())]

    def news(self) -> list[KernelChange]:
        """Those that the reconciler takes for another's."""
        return [change for change in self.since() if self._node.reconciler.is_news(change)]


@contextmanager
def watched(*families: str, **backend: Any) -> Iterator[tuple[KernelNode, Told]]:
    with kernel_node(*families, **backend) as node:
        told = Told(node)
        with told.watch:
            yield node, told


def test_own_changes_are_no_news() -> None:
    """Devices made, peers that come, change and go, an MTU, and all removed."""
    with watched() as (node, told):
        for others in ([2, 3], [2], [2, 4], []):
            node.bring([node.lease(number) for number in others])
            assert told.news() == []
        node.bring([node.lease(4, mac=9, address=9)])
        assert told.news() == []
        node.reconciler.remove()
        assert told.news() == []


@pytest.mark.parametrize(
    ("command", "kind", "link"),
    [
        ("ip link del flannel.1", "link gone", "flannel.1"),
        ("ip link set flannel.1 down", "link changed", "flannel.1"),
        ("ip link set flannel.1 mtu 1300", "link changed", "flannel.1"),
        ("ip link set flannel.1 address 02:00:00:00:00:77", "link changed", "flannel.1"),
        ("ip addr del 10.64.1.0/32 dev flannel.1", "entry gone", "flannel.1"),
        ("ip addr add 10.64.1.9/32 dev flannel.1", "entry new", "flannel.1"),
        ("ip addr del fc00:5:0:1::/128 dev flannel-v6.1", "entry gone", "flannel-v6.1"),
        ("ip neigh del 10.64.2.0 dev flannel.1", "entry gone", "flannel.1"),
        ("ip neigh change 10.64.2.0 lladdr 02:00:00:00:00:98 dev flannel.1 nud permanent", "entry new", "flannel.1"),
        ("ip neigh change 10.64.2.0 dev flannel.1 nud reachable", "entry gone", "flannel.1"),
        ("ip -6 neigh del fc00:5:0:2:: dev flannel-v6.1", "entry gone", "flannel-v6.1"),
        ("bridge fdb del 02:00:00:00:00:02 dev flannel.1 dst 198.18.0.2 self", "entry gone", "flannel.1"),
        ("bridge fdb replace 02:00:00:00:00:02 dev flannel.1 dst 198.18.0.9 self", "entry new", "flannel.1"),
        ("ip route del 10.64.2.0/24", "entry gone", "flannel.1"),
        ("ip -6 route del fc00:5:0:2::/64", "entry gone", "flannel-v6.1"),
        ("ip route add 10.64.9.0/24 dev flannel.1", "entry new", "flannel.1"),
        ("ip route add 10.64.9.0/24 via 198.18.0.9 proto 89", "entry new", UNDERLAY),
    ],
)
def test_others_changes_are_news(command: str, kind: str, link: str) -> None:
    """Each is told of, and mended when the kernel is looked at again."""
    with watched() as (node, told):
        node.bring([node.lease(2)])
        assert told.news() == []
        node.namespace.exec(*command.split())
        news = told.news()
        assert (kind, link) in [(change.kind, change.link) for change in news]
        node.reconciler.forget()
        assert node.bring([node.lease(2)]).is_complete
        assert node.state() == node.plan([node.lease(2)]).kernel
        assert told.news() == []


def test_what_does_not_concern_the_overlay() -> None:
    """Other links, other routes on the underlay, neighbours that come and go by themselves."""
    with watched() as (node, told):
        node.bring([node.lease(2)])
        assert told.news() == []
        for command in (
            "ip link add other type bridge",
            "ip link set other up",
            "ip addr add 10.64.200.1/24 dev other",
            "ip route add 203.0.113.0/24 via 198.18.0.9",
            "ip route add 10.7.0.0/24 via 198.18.0.9 proto 89",
            "ip neigh add 198.18.0.9 lladdr 02:00:00:00:77:77 dev eth0 nud permanent",
            "ip neigh add 10.64.77.1 lladdr 02:00:00:00:77:77 dev flannel.1 nud reachable",
            "ip neigh del 10.64.77.1 dev flannel.1",
            "bridge fdb add 02:00:00:00:77:77 dev flannel.1 dst 198.18.0.9 self dynamic",
            "bridge fdb del 02:00:00:00:77:77 dev flannel.1 dst 198.18.0.9 self",
            "ip link del other",
        ):
            node.namespace.exec(*command.split())
        assert told.news() == []


def test_underlay() -> None:
    """Its MTU, its addresses, and that it has gone."""
    with watched("4", "4") as (node, told):
        node.namespace.ip("link", "set", UNDERLAY, "mtu", "1400")
        node.namespace.ip("link", "set", UNDERLAY, "down")
        node.namespace.ip("link", "set", UNDERLAY, "up")
        changes = [change for change in told.since() if change.kind == "link changed"]
        assert [(change.link, change.mtu, change.is_up) for change in changes[:1]] == [(UNDERLAY, 1400, True)]
        assert {change.is_up for change in changes} == {True, False}
        node.namespace.ip("addr", "del", "198.18.0.1/16", "dev", UNDERLAY)
        (change,) = told.since()
        assert (change.kind, change.link, "198.18.0.1" in str(change.item)) == ("entry gone", UNDERLAY, True)
        node.namespace.ip("link", "del", UNDERLAY)
        assert eventually(lambda: KernelChange("link gone", UNDERLAY) in told.waiting())


def test_tun_was_down() -> None:
    """Its routes are lost without a word."""
    with watched("4", "4", Type="udp") as (node, told), node.namespace.call(lambda: Device("flannel0", "tun")):
        assert node.bring([]).is_complete
        told.since()
        for state in ("down", "up"):
            node.namespace.ip("link", "set", "flannel0", state)
        assert not node.state().routes
        assert told.news()
        node.reconciler.forget()
        node.bring([])
        assert node.state().routes == node.plan([]).routes


def test_overrun() -> None:
    """While nobody listens, notifications get lost: that is told."""
    started, go_on = threading.Event(), threading.Event()
    changes: list[KernelChange] = []

    def report(change: KernelChange) -> None:
        changes.append(change)
        started.set()
        go_on.wait(20)

    with (
        kernel_node("4", "4") as node,
        node.namespace.call(lambda: KernelWatch(report, LINKS, UNDERLAY, room=4096)),
    ):
        node.bring([node.lease(number) for number in range(2, 200)])
        assert started.wait(5)
        go_on.set()
        assert eventually(lambda: KernelChange("overrun") in changes)


def test_links_are_met_again_after_an_overrun() -> None:
    """What is told afterwards is told of the links that are there then."""
    started, go_on = threading.Event(), threading.Event()
    changes: list[KernelChange] = []

    def report(change: KernelChange) -> None:
        changes.append(change)
        started.set()
        go_on.wait(20)

    def told_of_address(namespace: Namespace) -> bool:
        for action in ("add", "del"):
            namespace.ip("addr", action, "10.64.7.7/32", "dev", "flannel.1")
        return any(change.kind.startswith("entry") and "10.64.7.7" in str(change) for change in changes)

    with (
        kernel_node("4", "4") as node,
        node.namespace.call(lambda: KernelWatch(report, LINKS, UNDERLAY, room=4096)),
    ):
        node.bring([node.lease(number) for number in range(2, 200)])
        assert started.wait(5)
        node.namespace.ip("link", "del", "flannel.1")
        node.namespace.ip("link", "add", "flannel.1", "type", "bridge")
        go_on.set()
        assert eventually(lambda: KernelChange("overrun") in changes)
        assert eventually(lambda: told_of_address(node.namespace)), "as soon as there is room again"


def test_another_underlay() -> None:
    """It is watched instead of the first."""
    with watched("4", "4") as (node, told):
        ip = node.namespace.ip
        ip("link", "add", "other", "type", "bridge")
        node.namespace.call(lambda: told.watch.follow("other"))
        ip("link", "set", UNDERLAY, "mtu", "1400")
        ip("link", "set", "other", "mtu", "1300")
        ip("link", "del", "other")
        changes: list[KernelChange] = []
        while KernelChange("link gone", "other") not in changes:
            changes.append(told.next())
        assert {change.link for change in changes} == {"other"}
        assert 1300 in {change.mtu for change in changes}


def test_neighbours_without_mac_addresses() -> None:
    """On an underlay, as InfiniBand is one with addresses of 20 bytes, they are nobody's business."""
    with watched("4", "4") as (node, told), node.namespace.call(Rtnetlink) as stranger:
        number = stranger.get(Request(rtnetlink.GETLINK, link_messages.named_link(UNDERLAY)))["index"]
        body = pack("=BxxxiHBB", socket.AF_INET, number, 2, 0, 1)
        body += pack("=HH4s", 8, 1, IPv4Address("192.0.2.9").packed) + pack("=HH20s", 24, 2, bytes(range(20)))
        header = pack("=IHHII", 16 + len(body), rtnetlink.NEWNEIGH, 0, 0, 0)
        stranger.socket.sendto(header + body, (told.watch._socket.port, 0))
        assert told.since() == []
        assert told.watch.fault == ""


def test_what_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told of as an overrun, and the watch goes on; it says why as long as it fails."""

    def refuse(message: object, names: object) -> None:
        raise LookupError("strange")

    with watched("4", "4") as (node, told), monkeypatch.context() as patched:
        patched.setattr(entry_messages, "read_address", refuse)
        node.namespace.ip("addr", "add", "198.51.100.9/32", "dev", UNDERLAY)
        assert eventually(lambda: KernelChange("overrun") in told.waiting())
        assert "strange" in told.watch.fault
        patched.undo()
        node.namespace.ip("addr", "del", "198.51.100.9/32", "dev", UNDERLAY)
        assert eventually(lambda: [change.kind for change in told.waiting()] == ["entry gone"])
        assert eventually(lambda: told.watch.fault == "")


def test_close_after_the_thread_has_died(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had open is given back all the same."""
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", died.append)

    def report(change: KernelChange) -> None:
        raise RuntimeError("not as told")

    with kernel_node("4", "4") as node:
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        with node.namespace.call(lambda: KernelWatch(report, LINKS, UNDERLAY)):
            node.namespace.ip("link", "set", UNDERLAY, "mtu", "1400")
            assert eventually(lambda: bool(died))
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_close() -> None:
    """At any time, more than once, from another thread; nothing is told afterwards."""
    changes: list[KernelChange] = []
    with kernel_node("4", "4") as node:
        watch = node.namespace.call(lambda: KernelWatch(changes.append, LINKS, UNDERLAY))
        closers = [threading.Thread(target=watch.close) for _ in range(4)]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join(5)
            assert not closer.is_alive()
        watch.close()
        before = len(changes)
        node.bring([node.lease(2)])
        assert len(changes) == before
        assert not [thread for thread in threading.enumerate() if thread.name == "kernel watch"]

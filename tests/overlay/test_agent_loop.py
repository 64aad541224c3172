"""What an agent does when leases, the kernel, the underlay and the clock change: with no kernel, and without root."""

from __future__ import annotations

import dataclasses
import errno
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from tests.waiting import eventually
from vxlanpkt.overlay import (
    FileStore,
    KernelState,
    Lease,
    LeaseAttributes,
    LinkAddress,
    OverlayLink,
    Plan,
    Route,
    StoreError,
    SubnetEnv,
    Underlay,
    plan,
)
from vxlanpkt.overlay.addresses import Network
from vxlanpkt.overlay.agent.agent_loop import AgentLoop
from vxlanpkt.overlay.agent.lease_keeper import LeaseKeeper
from vxlanpkt.overlay.agent.node import Node
from vxlanpkt.overlay.agent.status import AgentStatus
from vxlanpkt.overlay.plans.kernel_state import KernelChange
from vxlanpkt.overlay.plans.kernel_steps import Step, applied
from vxlanpkt.overlay.plans.planning import networks_of
from vxlanpkt.overlay.plans.reconciling import Reconciler

SECONDS = 10.0
OVERRUN = KernelChange("overrun")


class Kernel:
    """A kernel that does what it is told, unless it is to refuse."""

    def __init__(self) -> None:
        self.state = KernelState()
        self.refuses: Callable[[Step], bool] = lambda step: False
        self.breaks = False
        self.reads = 0

    def read(self, links: Iterable[str], networks: Iterable[Network]) -> KernelState:
        self.reads += 1
        return self.state

    def find_link(self, name: str) -> OverlayLink | None:
        self._answer()
        return next((link for link in self.state.links if link.name == name), None)

    def _answer(self) -> None:
        if self.breaks:
            raise OSError(errno.ENOBUFS, "No buffer space available")

    def carry_out(self, steps: Sequence[Step]) -> list[OSError | None]:
        self._answer()
        done = [step for step in steps if not self.refuses(step)]
        self.state = applied(self.state, done)
        return [OSError(1, "Operation not permitted") if self.refuses(step) else None for step in steps]


class Watch:
    """Tells nothing by itself, and knows what it was told to follow."""

    def __init__(self) -> None:
        self.fault = ""
        self.underlays: list[str] = []

    def __call__(self, report: object, underlay: str) -> Watch:
        self.follow(underlay)
        return self

    def follow(self, underlay: str) -> None:
        self.underlays.append(underlay)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is open."""


class Rig:
    """A node of a network in a directory, whose loop runs in a thread."""

    def __init__(self, home: Path) -> None:
        self.store = FileStore(home / "network", poll_seconds=0.01)
        self.store.set_config('{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}')
        self.kernel = Kernel()
        self.underlay = Underlay(
            "eth0", 1500, IPv4Address("192.0.2.1"), addresses=frozenset([IPv4Interface("192.0.2.1/24")])
        )
        self.config = self.store.config()
        self.keeper = LeaseKeeper(self.store, LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01"))
        self.env = home / "subnet.env"
        self.ready: list[AgentStatus] = []
        reconciler = Reconciler(self.kernel, networks_of(self.config))
        self.watch = Watch()
        self.looks = 0
        node = Node(self.store, self.config, self._look, self.watch, self.keeper, reconciler, None, self.env)
        self.loop = AgentLoop(node, self.underlay, self.ready.append)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.loop.run, args=(self._stopping,))

    def _look(self) -> Underlay:
        self.looks += 1
        return self.underlay

    def join(self, number: int) -> LeaseAttributes:
        """Another node takes a lease."""
        attributes = LeaseAttributes.vxlan(f"192.0.2.{number}", f"02:00:00:00:00:{number:02x}")
        self.store.acquire(attributes)
        return attributes

    @property
    def wanted(self) -> Plan:
        """What the leases in the store ask for."""
        own = self.keeper.lease
        others = [lease for lease in self.store.leases() if lease.subnets != own.subnets]
        return plan(self.config, own, others, self.underlay)

    def settles(self) -> bool:
        """Whether the kernel comes to hold what the leases ask for."""
        return bool(eventually(lambda: bool(self.ready) and self.kernel.state == self.wanted.kernel))

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self.loop.wake()
            self._thread.join(SECONDS)
            assert not self._thread.is_alive()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_follows_the_leases(rig: Rig) -> None:
    rig.join(2)
    with rig.running():
        assert rig.settles()
        assert len(rig.kernel.state.routes) == 1
        assert [status.backend for status in rig.ready] == ["vxlan"]
        rig.join(3)
        assert rig.settles()
        gone = next(lease for lease in rig.store.leases() if str(lease.attributes.public_ip) == "192.0.2.2")
        rig.store.release(gone)
        assert rig.settles()
        assert {str(entry.remote) for entry in rig.kernel.state.fdb} == {"192.0.2.3"}
    assert len(rig.ready) == 1, "said once"


def test_subnet_env(rig: Rig) -> None:
    with rig.running():
        assert eventually(rig.env.exists)
    env = SubnetEnv.read(rig.env)
    assert (env.subnets, env.mtu, env.ip_masq) == (rig.keeper.lease.subnets, 1450, False)


def test_a_swarm_of_leases_is_one_change(rig: Rig) -> None:
    with rig.running():
        assert rig.settles()
        for number in range(2, 60):
            rig.join(number)
        assert rig.settles()
    assert rig.kernel.reads == 1, "what one has made oneself need not be read"


def test_what_the_kernel_refuses_is_tried_again(rig: Rig) -> None:
    rig.kernel.refuses = lambda step: "192.0.2.2" in str(step)
    rig.join(2)
    rig.join(3)
    with rig.running():
        assert eventually(lambda: len(rig.kernel.state.fdb) == 1), "the other peer is served"
        assert eventually(lambda: any("not permitted" in fault for fault in rig.loop.status().faults))
        assert not rig.ready
        rig.kernel.refuses = lambda step: False
        assert rig.settles()
        assert eventually(lambda: rig.loop.status().faults == ())
        assert rig.loop.status().failed > 0


def test_what_others_did_to_the_kernel_is_mended(rig: Rig) -> None:
    rig.join(2)
    with rig.running():
        assert rig.settles()
        rig.kernel.state = KernelState()
        rig.loop.kernel_changed(OVERRUN)
        assert rig.settles()


def test_the_own_lease_is_lost_to_another(rig: Rig) -> None:
    """The node takes another, and serves the one that it had as that node's."""
    with rig.running():
        assert rig.settles()
        first = rig.keeper.lease
        rig.store.release(first)
        rig.store.acquire(LeaseAttributes.vxlan("192.0.2.2", "02:00:00:00:00:02"), first.subnets)
        assert eventually(lambda: rig.keeper.lease.subnets != first.subnets)
        assert rig.settles()
        assert {route.destination for route in rig.kernel.state.routes} == {first.subnets.ipv4}
        assert eventually(lambda: SubnetEnv.read(rig.env).subnets == rig.keeper.lease.subnets)


def test_the_own_lease_is_removed(rig: Rig) -> None:
    with rig.running():
        assert rig.settles()
        rig.store.release(rig.keeper.lease)
        assert eventually(lambda: len(rig.store.leases()) == 1)
        assert rig.settles()


def test_another_mtu_below(rig: Rig) -> None:
    with rig.running():
        assert rig.settles()
        rig.underlay = Underlay("eth0", 1400, rig.underlay.public_ip, addresses=rig.underlay.addresses)
        rig.loop.kernel_changed(OVERRUN)
        assert rig.settles()
        assert eventually(lambda: SubnetEnv.read(rig.env).mtu == 1350)
        assert eventually(lambda: rig.loop.status().mtu == 1350)


def test_an_mtu_that_leaves_nothing(rig: Rig) -> None:
    """The node stays as it is, and says why."""
    with rig.running():
        assert rig.settles()
        before = rig.kernel.state
        rig.underlay = Underlay("eth0", 100, rig.underlay.public_ip, addresses=rig.underlay.addresses)
        rig.loop.kernel_changed(OVERRUN)
        assert eventually(lambda: any("leaves 50 bytes" in fault for fault in rig.loop.status().faults))
        assert rig.kernel.state == before


def test_another_address_below(rig: Rig) -> None:
    """Peers are told: the lease says the new one, for the same subnets."""
    with rig.running():
        assert rig.settles()
        subnets = rig.keeper.lease.subnets
        rig.underlay = Underlay(
            "eth0", 1500, IPv4Address("192.0.2.9"), addresses=frozenset([IPv4Interface("192.0.2.9/24")])
        )
        rig.loop.kernel_changed(OVERRUN)
        assert eventually(lambda: [str(lease.attributes.public_ip) for lease in rig.store.leases()] == ["192.0.2.9"])
        assert rig.settles()
    (lease,) = rig.store.leases()
    assert lease.subnets == subnets


def test_another_interface_below(rig: Rig) -> None:
    """It is watched from then on, and looked at once more: it may have changed before it was watched."""
    with rig.running():
        assert rig.settles()
        before = rig.looks
        rig.underlay = dataclasses.replace(rig.underlay, name="eth1")
        rig.loop.kernel_changed(OVERRUN)
        assert rig.settles()
        assert eventually(lambda: rig.loop.status().underlay == "eth1")
        assert (rig.watch.underlays, rig.looks - before) == (["eth0", "eth1"], 2)
        rig.underlay = dataclasses.replace(rig.underlay, mtu=1400)
        rig.loop.kernel_changed(KernelChange("link changed", "eth1", None, 1400, True))
        assert eventually(lambda: rig.loop.status().mtu == 1350)


def test_the_interface_has_changed_before_it_is_watched(rig: Rig) -> None:
    rig.underlay = dataclasses.replace(rig.underlay, mtu=1400)
    with rig.running():
        assert rig.settles()
        assert eventually(lambda: rig.loop.status().mtu == 1350)


def test_the_interface_is_looked_at_after_a_failure(rig: Rig) -> None:
    """An address that went away before a socket was bound to it is a reason for both."""
    with rig.running():
        assert rig.settles()
        rig.kernel.breaks = True
        rig.join(2)
        rig.underlay = dataclasses.replace(rig.underlay, mtu=1400)
        assert eventually(lambda: rig.looks > 1)
        rig.kernel.breaks = False
        assert rig.settles()
        assert eventually(lambda: rig.loop.status().mtu == 1350)


def test_the_interface_is_looked_at_once_a_swarm(rig: Rig) -> None:
    """And not at all where routes by it come and go: those are ours."""
    route = Route(IPv4Network("10.5.7.0/24"), "eth0", IPv4Address("192.0.2.9"))
    address = LinkAddress("eth0", IPv4Interface("192.0.2.77/24"))
    with rig.running():
        assert rig.settles()
        assert eventually(lambda: rig.looks == 1), "at the start"
        for item in (route, address):
            for _ in range(1000):
                rig.loop.kernel_changed(KernelChange("entry gone", "eth0", item))
        rig.join(2)
        assert rig.settles()
        assert eventually(lambda: rig.looks > 1)
    assert rig.looks < 10


def test_a_kernel_that_fails_for_a_moment(rig: Rig) -> None:
    """While it is asked whether a change is news: it is read again."""
    with rig.running():
        assert rig.settles()
        reads = rig.kernel.reads
        rig.kernel.breaks = True
        rig.loop.kernel_changed(KernelChange("link changed", "flannel.1", None, 1450, True))
        assert eventually(lambda: any("No buffer space" in fault for fault in rig.loop.status().faults))
        rig.kernel.breaks = False
        assert eventually(lambda: rig.kernel.reads > reads and not rig.loop.status().faults)


def test_what_is_shown_while_the_kernel_fails(rig: Rig) -> None:
    """What was reached before, and no peer that nothing could be done for."""
    rig.join(2)
    with rig.running():
        assert rig.settles()
        rig.kernel.breaks = True
        rig.join(3)
        assert eventually(lambda: bool(rig.loop.status().faults))
        assert [peer.node for peer in rig.loop.status().peers] == ["192.0.2.2"]


def test_nothing_to_do_is_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something is to be tried again, and leases are unknown, as the store is away, the loop does not spin."""
    rig.kernel.refuses = lambda step: not isinstance(step.item, OverlayLink)
    turns: list[None] = []
    keep = rig.keeper.keep

    def counted() -> bool:
        turns.append(None)
        return keep()

    monkeypatch.setattr(rig.keeper, "keep", counted)
    with rig.running():
        assert eventually(lambda: bool(rig.loop.status().faults))

        def away() -> tuple[Lease, ...]:
            raise StoreError("away", store="test")

        monkeypatch.setattr(rig.store, "leases", away)
        rig.keeper.say(LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:77"))
        rig.loop.wake()
        assert eventually(lambda: rig.loop.status().store_fault != "")
        turns.clear()
        time.sleep(1.0)  # in which what was refused would be due
        assert len(turns) < 10


def test_many_leases_are_one_line_of_the_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for number in range(2, 120):
        rig.join(number)
    with rig.running():
        assert rig.settles()
        assert "118 are new" in caplog.text
        assert " is at " not in caplog.text
        rig.join(200)
        assert rig.settles()
    assert caplog.text.count(" is at ") == 1


def test_a_watch_that_fails_is_shown(rig: Rig) -> None:
    with rig.running():
        assert rig.settles()
        rig.watch.fault = "the kernel speaks in riddles"
        assert rig.loop.status().faults == ("the kernel speaks in riddles",)


def test_an_interface_that_is_gone_for_a_while(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with rig.running():
        assert rig.settles()
        before = rig.kernel.state
        underlay = rig.underlay
        del rig.underlay
        rig.loop._node.__dict__["find_underlay"] = _no_interface
        rig.loop.kernel_changed(OVERRUN)
        assert eventually(lambda: "there is no eth0" in caplog.text)
        assert rig.kernel.state == before
        rig.underlay = dataclasses.replace(underlay, mtu=1400)
        rig.loop._node.__dict__["find_underlay"] = rig._look
        assert eventually(lambda: rig.loop.status().mtu == 1350), "it is looked for again, though nobody tells"


def _no_interface() -> Underlay:
    raise OSError("there is no eth0")


def test_peers_that_cannot_be_reached(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """They are named in the status and once in the log."""
    rig.store.acquire(LeaseAttributes.vxlan("192.0.2.7", "02:00:00:00:00:07", vni=9))
    rig.join(2)
    with rig.running():
        assert rig.settles()
        peers = {peer.node: peer for peer in rig.loop.status().peers}
        assert (peers["192.0.2.2"].path, peers["192.0.2.7"].path) == ("tunnel", "none")
        assert peers["192.0.2.7"].why == "its VNI is 9, and this node's 1"
        rig.join(3)
        assert rig.settles()
    assert caplog.text.count("its VNI is 9") == 1


def test_a_network_that_the_node_cannot_join(rig: Rig) -> None:
    """Said at once: nothing would make it better."""
    rig.underlay = Underlay("eth0", 100, rig.underlay.public_ip, addresses=rig.underlay.addresses)
    loop = AgentLoop(rig.loop._node, rig.underlay)
    with pytest.raises(ValueError, match="leaves 50 bytes"):
        loop.run(threading.Event())


def test_a_device_that_cannot_be_had(rig: Rig) -> None:
    """Said at once too, and subnet.env is not written: containers would be attached to nothing."""
    rig.kernel.refuses = lambda step: isinstance(step.item, OverlayLink)
    with pytest.raises(OSError, match=r"flannel\.1.*not permitted"):
        rig.loop.run(threading.Event())
    assert not rig.env.exists()


def test_what_is_wrong_below_is_shown(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """For as long as it is, and its end is logged."""
    with rig.running():
        assert rig.settles()
        rig.loop._node.__dict__["find_underlay"] = _no_interface
        rig.loop.kernel_changed(OVERRUN)
        assert eventually(lambda: any("there is no eth0" in fault for fault in rig.loop.status().faults))
        rig.loop._node.__dict__["find_underlay"] = rig._look
        assert eventually(lambda: rig.loop.status().faults == ())
    assert "eth0 is there again" in caplog.text

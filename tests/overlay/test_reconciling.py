"""The reconciler and what it believes: its kernel is a model, refuses things, and is changed behind its back."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vxlanpkt import MACAddress
from vxlanpkt.overlay import (
    FDBEntry,
    KernelChange,
    KernelState,
    LinkAddress,
    NeighbourEntry,
    OverlayLink,
    Reconciler,
    Route,
    Step,
)
from vxlanpkt.overlay.addresses import Network

from .kernel_model import UNDERLAY, KernelModel

NETWORK = IPv4Network("10.5.0.0/16")
LINK = OverlayLink("flannel.1", "vxlan", 1450, UNDERLAY, IPv4Address("192.0.2.1"), 8472, MACAddress(2 << 40 | 1), 1)
ADDRESS = LinkAddress("flannel.1", IPv4Interface("10.5.1.0/32"))


class FakeKernel:
    """A kernel that counts what is asked of it, and refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.model = KernelModel(KernelState())
        self.reads = 0
        self.asked: list[Step] = []
        self.refuses: Callable[[Step], int] = lambda step: 0

    def read(self, links: Iterable[str], networks: Iterable[Network]) -> KernelState:
        self.reads += 1
        return self.model.state

    def find_link(self, name: str) -> OverlayLink | None:
        return self.model.links.get(name)

    def carry_out(self, steps: Sequence[Step]) -> list[OSError | None]:
        self.asked += steps
        return [self._do(step) for step in steps]

    def _do(self, step: Step) -> OSError | None:
        number = self.refuses(step)
        is_there = isinstance(step.item, OverlayLink) or step.item.link in (*self.model.links, UNDERLAY)
        if not number and not is_there and step.action != "remove":
            number = errno.ENODEV
        if number:
            return OSError(number, "refused")
        self.model.do(step)
        return None


class Rig:
    def __init__(self) -> None:
        self.kernel = FakeKernel()
        self.reconciler = Reconciler(self.kernel, [NETWORK])

    def bring(self, *numbers: int) -> Any:
        return self.reconciler.bring(wanted(*numbers))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def peer(number: int) -> tuple[NeighbourEntry, FDBEntry, Route]:
    gateway, mac = IPv4Address(f"10.5.{number}.0"), MACAddress(2 << 40 | number)
    return (
        NeighbourEntry(LINK.name, gateway, mac),
        FDBEntry(LINK.name, mac, IPv4Address(f"192.0.2.{number}")),
        Route(IPv4Network((gateway, 24)), LINK.name, gateway, onlink=True),
    )


def wanted(*numbers: int) -> KernelState:
    peers = [peer(number) for number in numbers]
    return KernelState(
        frozenset([LINK]),
        frozenset([ADDRESS]),
        frozenset(neighbour for neighbour, _, _ in peers),
        frozenset(entry for _, entry, _ in peers),
        frozenset(route for _, _, route in peers),
    )


# -- what it remembers


def test_reads_once(rig: Rig) -> None:
    """One event costs what it changes, and the kernel is not read again, unless it is to be."""
    assert rig.bring(2, 3).done == 8
    for numbers, cost in (((2,), 3), ((2, 4), 3), ((2, 4), 0)):
        before = len(rig.kernel.asked)
        outcome = rig.bring(*numbers)
        assert (outcome.done, len(rig.kernel.asked) - before, outcome.is_complete) == (cost, cost, True)
        assert rig.kernel.model.state == wanted(*numbers)
    assert rig.kernel.reads == 1
    rig.reconciler.forget()
    assert rig.reconciler.held is None
    assert rig.bring(2, 4).done == 0
    assert rig.kernel.reads == 2 and rig.reconciler.held == wanted(2, 4)


def test_names_that_were_wanted_are_looked_at(rig: Rig) -> None:
    """And those of an earlier run, if they are given."""
    seen: list[list[str]] = []
    read = rig.kernel.read
    rig.kernel.read = lambda links, networks: seen.append(list(links)) or read(links, networks)  # type: ignore
    reconciler = Reconciler(rig.kernel, [NETWORK], ["flannel0"])
    reconciler.bring(wanted())
    reconciler.remove(["other"])
    assert seen == [["flannel.1", "flannel0"], ["flannel.1", "flannel0", "other"]]


# -- what is refused


def test_refused_and_tried_again(rig: Rig) -> None:
    """The rest is done; at the next change it is tried again."""
    rig.kernel.refuses = lambda step: errno.EPERM if step.item == peer(3)[2] else 0
    outcome = rig.bring(2, 3)
    (failure,) = outcome.failures
    assert failure.step == Step("make", peer(3)[2]) and failure.error.errno == errno.EPERM
    assert "10.5.3.0/24" in str(failure) and "refused" in str(failure)
    assert (outcome.done, outcome.missing, outcome.is_complete) == (7, (), False)
    assert (rig.reconciler.programmed, rig.reconciler.failed) == (7, 1)
    rig.kernel.refuses = lambda step: 0
    assert rig.bring(2, 3).done == 1
    assert rig.kernel.reads == 1 and rig.kernel.model.state == wanted(2, 3)


def test_link_refused(rig: Rig) -> None:
    """Nothing is tried on it."""
    rig.kernel.refuses = lambda step: errno.EEXIST if isinstance(step.item, OverlayLink) else 0
    outcome = rig.bring(2, 3)
    assert [failure.step.item for failure in outcome.failures] == [LINK]
    assert outcome.missing == ("flannel.1",) and rig.kernel.asked == [Step("make", LINK)]


def test_change_of_a_link_refused(rig: Rig) -> None:
    """A device that is up goes on working as it is."""
    rig.bring()
    rig.kernel.refuses = lambda step: errno.EINVAL if isinstance(step.item, OverlayLink) else 0
    other = LINK.__class__(**{**vars(LINK), "mtu": 9000})
    outcome = rig.reconciler.bring(KernelState(frozenset([other]), *list(vars(wanted(2)).values())[1:]))
    assert len(outcome.failures) == 1 and outcome.done == 3 and not outcome.missing


def test_missing_tun(rig: Rig) -> None:
    """It is not made, nor anything on it; once it is there, all is."""
    tun = OverlayLink("flannel0", "tun", 1472, UNDERLAY, LINK.local, 8285)
    route = Route(NETWORK, "flannel0")
    state = KernelState(frozenset([tun]), routes=frozenset([route]))
    assert (rig.reconciler.bring(state).missing, rig.kernel.asked) == (("flannel0",), [])
    assert rig.reconciler.held == KernelState()
    assert not rig.reconciler.is_news(KernelChange("link changed", "flannel0", tun, 1500))  # it has gone again
    rig.kernel.model.links["flannel0"] = tun
    assert rig.reconciler.is_news(KernelChange("link changed", "flannel0", tun, 1500))
    rig.reconciler.forget()
    assert rig.reconciler.bring(state).is_complete
    assert rig.kernel.model.state == state


def test_link_that_goes_away_meanwhile(rig: Rig) -> None:
    """Is noticed by what the kernel says, and made anew at once."""
    rig.bring(2)
    rig.kernel.model.do(Step("remove", LINK))
    outcome = rig.bring(2, 3)
    assert outcome.is_complete and rig.kernel.reads == 2
    assert rig.kernel.model.state == wanted(2, 3)


def test_link_that_goes_away_again_and_again(rig: Rig) -> None:
    """It is tried twice; the next call reads the kernel."""
    rig.kernel.refuses = lambda step: errno.ENODEV if isinstance(step.item, Route) else 0
    outcome = rig.bring(2)
    assert [failure.error.errno for failure in outcome.failures] == [errno.ENODEV]
    assert rig.kernel.reads == 2 and rig.reconciler.held is None


def test_kernel_that_cannot_be_read(rig: Rig) -> None:
    """Is an error, and nothing is believed."""
    read = rig.kernel.read

    def refuse(links: object, networks: object) -> KernelState:
        raise PermissionError(errno.EPERM, "not you")

    rig.kernel.read = refuse  # type: ignore[method-assign]
    with pytest.raises(PermissionError):
        rig.bring(2)
    rig.kernel.read = read  # type: ignore[method-assign]
    assert rig.bring(2).is_complete


def test_kernel_that_does_not_answer(rig: Rig) -> None:
    """What has been done is not known: the kernel is read again."""
    rig.bring(2)
    carry_out = rig.kernel.carry_out

    def lose(steps: Sequence[Step]) -> list[OSError | None]:
        carry_out(steps)
        raise TimeoutError("timed out")

    rig.kernel.carry_out = lose  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        rig.bring(3)
    rig.kernel.carry_out = carry_out  # type: ignore[method-assign]
    assert rig.reconciler.held is None
    assert rig.bring(2, 3).is_complete and rig.kernel.reads == 2
    assert rig.kernel.model.state == wanted(2, 3)


def test_remove(rig: Rig) -> None:
    """Everything of the overlay, whatever is believed."""
    rig.bring(2)
    rig.kernel.model.put(NeighbourEntry(LINK.name, IPv4Address("10.5.9.0"), MACAddress(7)))
    rig.kernel.model.put(Route(IPv4Network("10.5.8.0/24"), UNDERLAY, IPv4Address("192.0.2.8")))
    assert rig.reconciler.remove().is_complete
    assert rig.kernel.model.state == KernelState()


# -- news


@pytest.mark.parametrize(
    ("change", "is_news"),
    [
        (KernelChange("overrun"), True),
        (KernelChange("link gone", "flannel.1"), True),
        (KernelChange("link gone", "eth0"), False),
        (KernelChange("entry gone", "flannel.1", ADDRESS), True),
        (KernelChange("entry new", "flannel.1", ADDRESS), False),
        (KernelChange("entry new", "flannel.1", LinkAddress("flannel.1", IPv4Interface("10.5.1.7/32"))), True),
        (KernelChange("entry new", "eth0", LinkAddress("eth0", IPv4Interface("192.0.2.7/24"))), False),
        *((KernelChange("entry gone", "flannel.1", entry), True) for entry in peer(2)),
        *((KernelChange("entry new", "flannel.1", entry), False) for entry in peer(2)),
        *((KernelChange("entry gone", "flannel.1", entry), False) for entry in peer(3)),
        *((KernelChange("entry new", "flannel.1", entry), True) for entry in peer(3)),
        (KernelChange("entry gone", "flannel.1", peer(2)[0]._replace(mac=MACAddress(0))), True),
        (KernelChange("entry new", "flannel.1", peer(2)[0]._replace(mac=MACAddress(9))), True),
        (KernelChange("entry new", "eth0", Route(IPv4Network("10.5.9.0/24"), "eth0", LINK.local)), True),
        (KernelChange("entry new", "eth0", Route(IPv4Network("10.9.9.0/24"), "eth0", LINK.local)), False),
    ],
)
def test_news(rig: Rig, change: KernelChange, is_news: bool) -> None:
    """What is believed, and has gone; what is not, and has come, where the overlay is concerned."""
    rig.bring(2)
    assert rig.reconciler.is_news(change) is is_news
    rig.reconciler.forget()
    assert not rig.reconciler.is_news(change), "it will be read in any case"


def test_news_of_a_link(rig: Rig) -> None:
    """What counts is how it is now: what is told may be older than what was done since."""
    rig.bring(2)
    down = LINK.__class__(**{**vars(LINK), "is_up": False})
    assert not rig.reconciler.is_news(KernelChange("link changed", "flannel.1", down))
    rig.kernel.model.links["flannel.1"] = down
    assert rig.reconciler.is_news(KernelChange("link changed", "flannel.1", LINK))
    assert not rig.reconciler.is_news(KernelChange("link changed", "eth0", None, 1500))
    assert not rig.reconciler.is_news(KernelChange("link changed", "other", LINK, 1500))
    del rig.kernel.model.links["flannel.1"]
    assert rig.reconciler.is_news(KernelChange("link changed", "flannel.1", LINK))


# -- whatever happens


class Life(RuleBasedStateMachine):
    """Peers come and go, the kernel refuses, others meddle and are told of: what is believed is what is there."""

    @initialize()
    def begin(self) -> None:
        self.rig = Rig()
        self.numbers: frozenset[int] = frozenset()
        self.is_mended = False

    @rule(numbers=st.frozensets(st.integers(2, 6)), refused=st.sampled_from((None, *peer(2), *peer(5), ADDRESS, LINK)))
    def change(self, numbers: frozenset[int], refused: object) -> None:
        self.numbers = numbers
        self.rig.kernel.refuses = lambda step: errno.EPERM if step.item == refused else 0
        outcome = self.rig.bring(*numbers)
        assert outcome.is_complete or refused is not None
        assert all(failure.step.item == refused for failure in outcome.failures)

    @rule(number=st.integers(2, 6), which=st.integers(0, 3))
    def meddle(self, number: int, which: int) -> None:
        """Somebody removes or adds something; the watch tells of it."""
        model = self.rig.kernel.model
        if LINK.name not in model.links:
            return
        if which == 3:
            model.do(Step("remove", LINK))
            change = KernelChange("link gone", LINK.name)
        else:
            entry = peer(number)[which]
            states: tuple[frozenset[Any], ...] = (model.state.neighbours, model.state.fdb, model.state.routes)
            is_there = entry in states[which]
            model.do(Step("remove", entry)) if is_there else model.put(entry)
            change = KernelChange("entry gone" if is_there else "entry new", LINK.name, entry)
        if self.rig.reconciler.is_news(change):
            self.rig.reconciler.forget()

    @rule()
    def settle(self) -> None:
        self.rig.kernel.refuses = lambda step: 0
        assert self.rig.bring(*self.numbers).is_complete
        assert self.rig.kernel.model.state == wanted(*self.numbers)

    @invariant()
    def belief_is_true(self) -> None:
        held = self.rig.reconciler.held if hasattr(self, "rig") else None
        assert held is None or held == self.rig.kernel.model.state


TestLife = Life.TestCase


@given(st.lists(st.frozensets(st.integers(2, 9)), max_size=6))
def test_whatever_the_way(ways: list[frozenset[int]]) -> None:
    """The kernel ends as if there had been but the last."""
    rig = Rig()
    for numbers in [*ways, frozenset({2})]:
        rig.bring(*numbers)
    assert rig.kernel.model.state == wanted(2)

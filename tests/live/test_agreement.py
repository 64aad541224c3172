"""Policies and the receivers that they are named after agree, input by input, on what is dropped and what comes out."""

from __future__ import annotations

from collections import Counter

import pytest

from vxlanpkt import Reason

from .agreement import DAMAGED, KERNEL_REASONS, Agreement, damaged, with_linux, with_ovs
from .odd_inputs import every_option, everything, listed
from .ovs import Switch
from .receivers import LINUX, OVS, Receiver
from .rig import Rig

INPUTS = listed()

each_linux = pytest.mark.parametrize("receiver", LINUX.values(), ids=LINUX)
each_ovs = pytest.mark.parametrize("receiver", OVS.values(), ids=OVS)


def test_inputs_are_listed() -> None:
    """The list is as it was written down: no two of one name, enough in all and for each setting of the device."""
    assert everything() == INPUTS
    assert len({one.name for one in INPUTS}) == len(INPUTS) >= 140
    about = Counter(setting for one in INPUTS for setting in one.about)
    assert set(about) == set(LINUX)
    assert min(about.values()) >= 20


def check(found: Agreement) -> None:
    """Nothing differs but what is excepted, and there is enough of both verdicts to speak of agreement."""
    assert not [(case.input.name, case.reason.name, case.seen, case.ours) for case in found.differ]
    assert len(found.accepted) >= 15
    assert len(found.refused) >= 80


@pytest.mark.live
@each_linux
def test_linux(rig: Rig, receiver: Receiver) -> None:
    """The kernel's device passes on what the policy accepts, byte for byte, and nothing else."""
    check(with_linux(rig, receiver, INPUTS))


@pytest.mark.live
@each_linux
def test_kernel_reasons(rig: Rig, receiver: Receiver) -> None:
    """What the kernel says of a drop goes with our reason for it.

    Packets of other tests may be dropped on this thread's time, as whoever is interrupted receives for all; that does
    not come again for the same input.
    """
    odd = _odd_reasons(rig, receiver)
    for _ in range(3):
        odd = odd and odd & _odd_reasons(rig, receiver)
    assert not odd


def _odd_reasons(rig: Rig, receiver: Receiver) -> set[tuple[Reason, str]]:
    """Those that do not go together."""
    reasons = with_linux(rig, receiver, INPUTS).reasons
    if not reasons:
        pytest.skip("this kernel does not tell why it drops packets")
    return {(ours, theirs) for ours, theirs in reasons if theirs not in KERNEL_REASONS.get(ours, ())}


@pytest.mark.live
@each_linux
def test_linux_on_damaged_inputs(rig: Rig, receiver: Receiver) -> None:
    """The same with bytes changed by chance, where nothing is excepted."""
    found = with_linux(rig, receiver, damaged(receiver, INPUTS, DAMAGED))
    assert not [(case.input.name, case.reason.name, case.input.frame.hex()) for case in found.differ]
    assert not found.excepted
    assert len(found.accepted) + len(found.refused) == DAMAGED


@pytest.mark.live
@pytest.mark.parametrize("name", ["default", "ipv6"])
def test_linux_on_every_option(rig: Rig, name: str) -> None:
    """Every option there can be, in several lengths and at every alignment."""
    options = [*every_option()]
    found = with_linux(rig, LINUX[name], options)
    assert not [(case.input.name, case.reason.name) for case in found.differ]
    assert len(found.accepted) + len(found.refused) == sum(one.ip_version == LINUX[name].ip_version for one in options)
    assert found.accepted
    assert found.refused


@pytest.mark.live
@each_ovs
def test_ovs(switch: Switch, receiver: Receiver) -> None:
    """A tunnel port of Open vSwitch likewise; it lets padding and trailers in, which the library does not."""
    found = with_ovs(switch, receiver, INPUTS)
    check(found)
    assert all("padding" in case.input.name or "tail" in case.input.name or "length" in case.input.name
               for case in found.with_tail)  # fmt: skip

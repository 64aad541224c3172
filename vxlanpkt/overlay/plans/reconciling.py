"""Bring the kernel to what an overlay needs, and remember it, so that the next change costs only what changes."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from vxlanpkt import MACAddress
from vxlanpkt.overlay.addresses import Address, Network
from vxlanpkt.overlay.plans.kernel_state import (
    Entry,
    KernelChange,
    KernelState,
    NeighbourEntry,
    OverlayLink,
    Route,
    covers,
)
from vxlanpkt.overlay.plans.kernel_steps import Step, applied, is_as_wanted, is_same_device, steps

_LINK_GONE = (errno.ENODEV, errno.ENXIO, errno.ENETDOWN)


class Kernel(Protocol):
    """What a `Reconciler` asks of the kernel; `Netlink` is the real one."""

    def read(self, links: Iterable[str], networks: Iterable[Network]) -> KernelState:
        """What there is of an overlay."""
        ...

    def find_link(self, name: str) -> OverlayLink | None:
        """A device as it is now."""
        ...

    def carry_out(self, steps: Sequence[Step]) -> list[OSError | None]:
        """Do each of them; for each, what the kernel had against it."""
        ...


@dataclass(frozen=True)
class Failure:
    """A step that the kernel refused."""

    step: Step
    error: OSError

    def __str__(self) -> str:
        return f"refused: {self.step}: {self.error.strerror or self.error}"


@dataclass(frozen=True)
class Outcome:
    """What became of it.

    done      steps that were carried out
    failures  those that were not: they are tried again the next time
    missing   wanted links that are not there: TUNs and TAPs that somebody has to open, and what could not be made.
              Nothing on them was tried.
    """

    done: int = 0
    failures: tuple[Failure, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the kernel holds what is wanted."""
        return not self.failures and not self.missing


class _Belief:
    """What the kernel is believed to hold."""

    def __init__(self, state: KernelState) -> None:
        self.state = state

    @cached_property
    def macs(self) -> dict[tuple[str, Address], MACAddress]:
        """Of the neighbours, by link and address: there is one for each peer, and a change tells of one."""
        return {(entry.link, entry.address): entry.mac for entry in self.state.neighbours}


class Reconciler:
    """The kernel's part of an overlay. Use it from one thread at a time.

    networks: whose routes are the overlay's. links: names that devices of an earlier run may have; they are removed
    unless they are wanted. programmed, failed: steps so far.
    """

    def __init__(self, kernel: Kernel, networks: Iterable[Network], links: Iterable[str] = ()) -> None:
        self._kernel = kernel
        self._networks = tuple(networks)
        self._names = set(links)
        self._belief: _Belief | None = None
        self.programmed = 0
        self.failed = 0

    @property
    def held(self) -> KernelState | None:
        """What the kernel is believed to hold; None where it has to be read."""
        return None if self._belief is None else self._belief.state

    def forget(self) -> None:
        """Read the kernel anew the next time: somebody else changed something, or may have."""
        self._belief = None

    def is_news(self, change: KernelChange) -> bool:
        """Whether a change is another's, and touches what is believed of the kernel: then `forget`, and `bring` again.

        Where nothing is believed nothing is news: the kernel is read in any case. Ask between two calls of `bring`. Of
        the underlay's own link and addresses it knows nothing.
        """
        belief, item = self._belief, change.item
        if belief is None or change.kind == "overrun":
            return belief is not None
        held = belief.state
        links = {link.name: link for link in held.links}
        if change.kind == "link gone":
            return change.link in links
        if change.kind == "link changed":
            return change.link in self._names and self._has_changed(links.get(change.link), change)
        assert item is not None
        assert not isinstance(item, OverlayLink)
        is_gone = change.kind == "entry gone"
        if isinstance(item, NeighbourEntry):
            mac = belief.macs.get((item.link, item.address))
            return mac is not None if is_gone else mac != item.mac
        is_held = item in held.addresses or item in held.fdb or item in held.routes
        return is_held if is_gone else not is_held and self._would_be_read(item)

    def _has_changed(self, held: OverlayLink | None, change: KernelChange) -> bool:
        """Whether a link is no longer what it is believed to be. What was told of it may be older than our own doing.

        A TUN that was down, be it for a moment, has lost its routes, and nothing else tells of that.
        """
        found = self._kernel.find_link(change.link)
        if held is None or found is None:
            return held is not found
        return (held.kind == "tun" and not change.is_up) or not is_as_wanted(held, found)

    def _would_be_read(self, entry: Entry) -> bool:
        if entry.link in self._names:
            return True
        return isinstance(entry, Route) and any(covers(network, entry.destination) for network in self._networks)

    def bring(self, wanted: KernelState) -> Outcome:
        """Make the kernel hold *wanted*, and of the overlay nothing else.

        Raises `OSError` if the kernel cannot be read, or does not answer. What it refuses to do is in the outcome, and
        is tried again the next time; where a device went away meanwhile, at once.
        """
        outcome = self._bring_once(wanted)
        if any(failure.error.errno in _LINK_GONE for failure in outcome.failures):
            self.forget()
            again = self._bring_once(wanted)
            outcome = Outcome(outcome.done + again.done, again.failures, again.missing)
            if any(failure.error.errno in _LINK_GONE for failure in again.failures):
                self.forget()
        self.failed += len(outcome.failures)
        return outcome

    def remove(self, links: Iterable[str] = ()) -> Outcome:
        """Take away everything of the overlay: its links, and those of these names, and its routes by others."""
        self._names |= set(links)
        self.forget()
        return self.bring(KernelState())

    def _bring_once(self, wanted: KernelState) -> Outcome:
        self._names |= {link.name for link in wanted.links}
        held = self.held or self._kernel.read(sorted(self._names), self._networks)
        self._belief = None  # until it is known what has been done: nothing is believed if that cannot be heard
        todo = steps(wanted, held)
        after_links = 1 + max((at for at, step in enumerate(todo) if isinstance(step.item, OverlayLink)), default=-1)
        done, failures = self._carry_out(todo[:after_links])
        held = applied(held, done) if after_links else held
        missing = _missing(wanted, held)
        rest = [step for step in todo[after_links:] if not (missing and _link_of(step) in missing)]
        done_after, failures_after = self._carry_out(rest)
        failures += failures_after
        self._belief = _Belief(applied(held, done_after) if failures or missing else wanted)
        return Outcome(len(done) + len(done_after), tuple(failures), missing)

    def _carry_out(self, todo: Sequence[Step]) -> tuple[list[Step], list[Failure]]:
        answers = list(zip(todo, self._kernel.carry_out(todo), strict=True))
        done = [step for step, error in answers if error is None]
        self.programmed += len(done)
        return done, [Failure(step, error) for step, error in answers if error is not None]


def _missing(wanted: KernelState, held: KernelState) -> tuple[str, ...]:
    """The wanted links that are not there, or are not up."""
    there = {link.name: link for link in held.links if link.is_up}
    return tuple(
        sorted(
            link.name for link in wanted.links if link.name not in there or not is_same_device(link, there[link.name])
        )
    )


def _link_of(step: Step) -> str:
    return step.item.name if isinstance(step.item, OverlayLink) else step.item.link

"""What an agent does all day: leases, the kernel and the clock give it something to do, one thing after another."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue

from vxlanpkt.overlay.agent.agent_status import Shown, status_of
from vxlanpkt.overlay.agent.identity import attributes_of
from vxlanpkt.overlay.agent.lease_follower import LeaseFollower
from vxlanpkt.overlay.agent.node import Node, Watch
from vxlanpkt.overlay.agent.status import AgentStatus
from vxlanpkt.overlay.leases.backoff import Backoff
from vxlanpkt.overlay.leases.leases import Lease, LeaseAttributes
from vxlanpkt.overlay.leases.stores import Added, LeaseEvent, LeaseTable, Removed, Snapshot, TableChange
from vxlanpkt.overlay.leases.subnet_env import SubnetEnv
from vxlanpkt.overlay.plans.kernel_state import KernelChange, Plan, Route, Underlay
from vxlanpkt.overlay.plans.planning import plan

_logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_NOW = -math.inf
_SETTLING, _LONGEST_SWARM = 0.02, 0.5  # seconds: changes come in swarms, and are waited for
_MOST_NAMED = 100  # leases that come and go at once, in the log


class AgentLoop:
    """Keeps a node as the leases want it."""

    def __init__(self, node: Node, underlay: Underlay, on_ready: Callable[[AgentStatus], None] | None = None) -> None:
        self._node, self._underlay, self._on_ready = node, underlay, on_ready
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._table = LeaseTable(node.keeper.lease.subnets)
        self._is_dirty = self._is_ready = self._has_snapshot = False
        self._retry_at, self._pauses = math.inf, Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._look_at, self._look_pauses = math.inf, Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._env: SubnetEnv | None = None
        self._shown = Shown(underlay, started=time.time())
        self._fault_below = ""
        self._follower: LeaseFollower | None = None
        self._watch: Watch | None = None

    # -- from any thread

    def wake(self) -> None:
        """Have the loop look whether it is to stop."""
        self._jobs.put(_nothing)

    def kernel_changed(self, change: KernelChange) -> None:
        """Have the loop look at what somebody else did."""
        self._jobs.put(partial(self._on_change, change))

    def devices_gone(self) -> None:
        """Have the loop open devices anew."""
        self._jobs.put(self._become_dirty)

    def status(self) -> AgentStatus:
        """How things stand."""
        follower, watch, shown = self._follower, self._watch, self._shown
        fault = self._node.keeper.fault or ("" if follower is None else follower.fault)
        others = (self._fault_below, "" if watch is None else watch.fault)
        shown = shown.replace(faults=(*shown.faults, *filter(None, others)))
        return status_of(self._node, shown, fault)

    # -- the loop

    def run(self, stopping: threading.Event) -> None:
        """Work until *stopping* is set. What is under way is brought to its end first."""
        node = self._node
        with (
            node.watch(self.kernel_changed, self._underlay.name) as self._watch,
            LeaseFollower(node.store, self._hear) as self._follower,
        ):
            self._look_at = _NOW  # nobody told of what changed before there was a watch
            while not stopping.is_set():
                self._do_jobs()
                if time.monotonic() >= self._look_at:
                    self._look_below()
                if node.keeper.keep():
                    self._begin_anew(self._follower)
                is_due = self._is_dirty or time.monotonic() >= self._retry_at
                if self._has_snapshot and is_due and not stopping.is_set():
                    self._bring()

    def _do_jobs(self) -> None:
        """Wait for something to do, and do all that has come by then."""
        wait, end = self._longest_wait(), math.inf
        try:
            while time.monotonic() < end:
                self._do(self._jobs.get(timeout=wait))
                wait, end = _SETTLING, min(end, time.monotonic() + _LONGEST_SWARM)
        except Empty:
            return

    def _longest_wait(self) -> float:
        """How long there is nothing to do if nobody has a job. Without a snapshot nothing is brought, dirty or not."""
        due = min(self._node.keeper.due, self._look_at)
        if self._has_snapshot:
            due = _NOW if self._is_dirty else min(due, self._retry_at)
        return min(max(0.0, due - time.monotonic()), threading.TIMEOUT_MAX)

    def _do(self, job: Callable[[], None]) -> None:
        try:
            job()
        except OSError as error:
            _logger.warning("the kernel is looked at anew: %s", error)
            self._node.reconciler.forget()
            self._is_dirty = True

    def _become_dirty(self) -> None:
        self._is_dirty = True

    # -- leases

    def _hear(self, event: LeaseEvent) -> None:
        self._jobs.put(partial(self._on_lease, event))

    def _on_lease(self, event: LeaseEvent) -> None:
        if self._takes_own(event):
            self._node.keeper.check()
        change = self._table.apply(event)
        _tell(change)
        self._has_snapshot = self._has_snapshot or isinstance(event, Snapshot)
        self._is_dirty = self._is_dirty or not self._is_ready or bool(change.added or change.removed)
        self._shown = self._shown.replace(events=self._shown.events + 1)

    def _takes_own(self, event: LeaseEvent) -> bool:
        """Whether an event says that this node's lease is gone, or another's."""
        own = self._node.keeper.lease
        match event:
            case Snapshot(leases):
                return not any(lease.subnets == own.subnets and _same(lease, own) for lease in leases)
            case Added(lease):
                return lease.subnets == own.subnets and not _same(lease, own)
            case Removed(subnets):
                return subnets == own.subnets

    def _begin_anew(self, follower: LeaseFollower) -> None:
        """With another lease: what was left out as this node's own may be another's now."""
        self._table.own = self._node.keeper.lease.subnets
        self._has_snapshot, self._is_dirty = False, True
        follower.restart()

    # -- the kernel

    def _on_change(self, change: KernelChange) -> None:
        is_below = change.link == self._underlay.name and not isinstance(change.item, Route)
        if is_below or change.kind == "overrun":
            self._look_at = _NOW
        if self._node.reconciler.is_news(change):
            _logger.info("the kernel is looked at anew: %s %s", change.link, change.kind)
            self._node.reconciler.forget()
            self._is_dirty = True

    def _look_below(self) -> None:
        self._look_at = math.inf
        try:
            underlay = self._node.find_underlay()
            if underlay != self._underlay:
                self._move(underlay)
        except (OSError, ValueError) as error:
            self._look_at = time.monotonic() + self._look_pauses.pause()  # of a default route that comes nobody tells
            self._say_below(f"{error}; tunnels stay as they are")
        else:
            self._look_pauses.reset()
            self._say_below("")

    def _say_below(self, fault: str) -> None:
        if fault != self._fault_below:
            _logger.warning("%s", fault or f"{self._underlay.name} is there again")
        self._fault_below = fault

    def _move(self, underlay: Underlay) -> None:
        """Another MTU, or other addresses: peers are told of what concerns them."""
        was = self._underlay
        if underlay.name != was.name and self._watch is not None:
            self._watch.follow(underlay.name)
            self._look_at = _NOW  # nobody told of what changed there meanwhile
        _logger.warning("%s has changed: %s, MTU %d, %s", was.name, underlay.name, underlay.mtu, _where(underlay))
        self._underlay, self._is_dirty = underlay, True
        if (underlay.public_ip, underlay.public_ipv6) != (was.public_ip, was.public_ipv6):
            macs = {link.name: link.mac for link in self._shown.plan.links}
            self._node.keeper.say(attributes_of(self._node.config, underlay, macs.get))

    def _bring(self) -> None:
        """Bring data paths and kernel to the plan."""
        self._is_dirty, self._retry_at = False, math.inf
        try:
            wanted = plan(self._node.config, self._node.keeper.lease, self._table.leases.values(), self._underlay)
            faults = self._bring_to(wanted)
        except (OSError, ValueError) as error:
            if not self._is_ready:
                raise  # a network that this node cannot join, or a device that it cannot have
            self._on_failure(error)
            return
        self._show(wanted, faults)
        if faults:
            self._try_again()
            return
        self._pauses.reset()
        if not self._is_ready:
            self._is_ready = True
            if self._on_ready is not None:
                self._on_ready(self.status())

    def _on_failure(self, error: OSError | ValueError) -> None:
        """What was done is not known, so what was shown before is shown still."""
        self._node.reconciler.forget()
        if isinstance(error, OSError):
            self._look_at = _NOW  # an address may have gone
        self._show(self._shown.plan, (str(error),))
        self._try_again()

    def _try_again(self) -> None:
        self._retry_at = time.monotonic() + self._pauses.pause()

    def _bring_to(self, wanted: Plan) -> tuple[str, ...]:
        """What could not be done."""
        node, kernel = self._node, wanted.kernel
        if node.plane is not None:
            if not self._is_ready:
                node.reconciler.bring(kernel)  # which removes a device of another kind that has the name
            if node.plane.bring(wanted):
                node.reconciler.forget()  # with a device its addresses and routes are gone
        outcome = node.reconciler.bring(kernel)
        faults = tuple(map(str, outcome.failures)) or tuple(f"{name} is not there" for name in outcome.missing)
        if not outcome.missing:
            self._write_env(wanted)  # not before: containers would be attached to nothing
        elif not self._is_ready:
            raise OSError("; ".join(faults))
        return faults

    def _write_env(self, wanted: Plan) -> None:
        env = SubnetEnv.of_node(self._node.config, self._node.keeper.lease.subnets, wanted.mtu, ip_masq=False)
        if env != self._env:
            env.write(self._node.subnet_env)
            self._env = env

    def _show(self, wanted: Plan, faults: tuple[str, ...]) -> None:
        for fault in set(faults) - set(self._shown.faults):
            _logger.warning("%s", fault)
        known = {(gone.subnet, gone.why) for gone in self._shown.plan.unreachable}
        for gone in wanted.unreachable:
            if (gone.subnet, gone.why) not in known:
                _logger.warning("%s cannot be reached: %s", gone.subnet, gone.why)
        self._shown = self._shown.replace(plan=wanted, faults=faults, underlay=self._underlay)


def _nothing() -> None:
    """What wakes the loop and is no work."""


def _same(lease: Lease, other: Lease) -> bool:
    return lease.attributes.same_node(other.attributes)


def _tell(change: TableChange) -> None:
    """Log which leases came and went; many at once, as those of the first snapshot, in one line."""
    level = logging.INFO
    if len(change.added) + len(change.removed) > _MOST_NAMED:
        level = logging.DEBUG
        _logger.info("%d leases have gone, and %d are new", len(change.removed), len(change.added))
    for lease in change.removed:
        _logger.log(level, "%s is no longer at %s", lease.subnets, _where(lease.attributes))
    for lease in change.added:
        _logger.log(level, "%s is at %s", lease.subnets, _where(lease.attributes))


def _where(node: LeaseAttributes | Underlay) -> str:
    return " and ".join(str(address) for address in (node.public_ip, node.public_ipv6) if address)

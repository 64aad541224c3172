"""A node's own lease: taken, renewed in time, taken again where it was lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from vxlanpkt.overlay.leases.backoff import Backoff
from vxlanpkt.overlay.leases.lease_errors import LeaseError, LeaseLostError, StoreError
from vxlanpkt.overlay.leases.leases import Lease, LeaseAttributes, Subnets
from vxlanpkt.overlay.leases.stores import LeaseStore

_logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_NEVER = float("inf")


class LeaseKeeper:
    """Keeps the lease that it takes when it is made, which raises what `LeaseStore.acquire` raises.

    lease: as it is now. fault: what the store said when it last refused, "" while all is well. due: when `keep` has
    something to do, by *clock*, which is never set. *today* counts from 1970, as the ends of leases do: how much is
    left of a lease is asked of it once, when there is a new one.
    """

    def __init__(
        self,
        store: LeaseStore,
        attributes: LeaseAttributes,
        previous: Subnets | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._clock, self._today = store, clock, today
        self.fault = ""
        self._attributes = attributes
        self._pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._released = False
        self.lease = store.acquire(attributes, previous)
        self._settle()

    def keep(self) -> bool:
        """Do what is due; True if the lease is another than before."""
        if self._clock() < self.due:
            return False
        before = self.lease
        try:
            self.lease = self._renewed()
        except LeaseError as error:
            self._fail(error)
        else:
            self._settle()
        return (before.subnets, before.attributes) != (self.lease.subnets, self.lease.attributes)

    def _renewed(self) -> Lease:
        if not self._attributes.same_node(self.lease.attributes):
            self._give_back()  # first: as long as it is held, it is another node's
        if self._released:
            return self._taken()
        try:
            return self._store.renew(self.lease.replace(attributes=self._attributes))
        except LeaseLostError as error:
            _logger.warning("%s; another one is taken", error)
            self._released = True
            return self._taken()

    def _taken(self) -> Lease:
        lease = self._store.acquire(self._attributes, self.lease.subnets)
        self._released = False
        if lease.subnets != self.lease.subnets:
            _logger.warning("this node had %s, and has %s now", self.lease.subnets, lease.subnets)
        return lease

    def _settle(self) -> None:
        self.fault = ""
        self._pauses.reset()
        now = self._today()
        renewal = self.lease.renewal_time(now)
        self.due = _NEVER if renewal is None else self._clock() + renewal - now

    def _fail(self, error: LeaseError) -> None:
        self.fault = str(error)
        pause = self._pauses.pause()
        _logger.warning("the lease of %s: %s; tried again in %g s", self.lease.subnets, error, pause)
        self.due = self._clock() + pause

    def check(self) -> None:
        """Have the next `keep` look whether the lease is still this node's."""
        self.due = -_NEVER

    def say(self, attributes: LeaseAttributes) -> None:
        """Have the next `keep` make known that the node is another now; at another address it is another node."""
        self._attributes = attributes
        self.check()

    def release(self) -> None:
        """Give the lease back; a store that cannot be reached lets it end by itself."""
        try:
            self._give_back()
        except StoreError as error:
            _logger.warning("the lease of %s was not given back, and ends by itself: %s", self.lease.subnets, error)

    def _give_back(self) -> None:
        if not self._released:
            self._store.release(self.lease)
            self._released = True

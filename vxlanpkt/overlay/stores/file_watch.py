"""A watch of the leases in a directory: it looks again and again, and reads where something may have changed."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from vxlanpkt.overlay.leases.backoff import Backoff
from vxlanpkt.overlay.leases.lease_errors import StoreError
from vxlanpkt.overlay.leases.leases import Lease
from vxlanpkt.overlay.leases.stores import Added, LeaseEvent, LeaseWatch, Removed, Snapshot

if TYPE_CHECKING:
    from vxlanpkt.overlay.stores.file_store import FileStore

_LONGEST_PAUSE = 5.0
_SETTLED_SECONDS = 2.0  # two changes within one tick of a file system's clock leave one time
_READ_AGAIN_SECONDS = 5.0


class FileWatch(LeaseWatch):
    """A watch that looks at the directory every *poll_seconds*: what `FileStore.watch` returns.

    Whoever takes, renews or gives back a lease changes the directory's time, as files are made, renamed and removed
    there. Where that time is the same, and was so for longer than the clock of any file system needs to show another
    change, nothing is read unless a lease has come to its end. What somebody writes into a file that is there, which
    no store does, is seen when all is read again, after five seconds.
    """

    def __init__(self, store: FileStore, poll_seconds: float) -> None:
        self._store = store
        self._poll_seconds = poll_seconds
        self._known: dict[str, Lease] | None = None
        self._next_end = math.inf  # of a known lease, by the store's clock
        self._changed: tuple[int, int] | None = None  # the sign of change that the directory has
        self._changed_at = 0.0  # since when it has that, at the latest
        self._read_again = -math.inf  # what is known is known for sure until then
        self._pending: list[LeaseEvent] = []
        self._backoff = Backoff(2 * poll_seconds, max(_LONGEST_PAUSE, 2 * poll_seconds))
        self._end = threading.Event()

    @property
    def closed(self) -> bool:
        """Whether it was ended."""
        return self._end.is_set()

    def close(self) -> None:
        """End it."""
        self._end.set()

    def poll(self, timeout: float | None = None) -> LeaseEvent | None:
        """The next event, as in `LeaseWatch`; the directory is looked at once at least."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not self.closed:
            pause = self._poll_seconds
            try:
                if not self._pending and self._may_have_changed():
                    self._look()
                self.fault = ""
                self._backoff.reset()
            except StoreError as error:
                self.fault = str(error)
                pause = self._backoff.pause()
            if self._pending:
                return self._pending.pop(0)
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._end.wait(min(pause, left))
        return None

    def _may_have_changed(self) -> bool:
        changed, now = self._store.last_change(), time.monotonic()
        if changed != self._changed:
            self._changed, self._changed_at = changed, now
            self._read_again = -math.inf
        return now >= self._read_again or self._store.now() >= self._next_end

    def _look(self) -> None:
        # Before anything is read: what happens after that, and could be missed, gives the directory another time.
        began = time.monotonic()
        leases = {lease.key: lease for lease in self._store.leases()}
        if began - self._changed_at > _SETTLED_SECONDS:
            self._read_again = began + _READ_AGAIN_SECONDS
        self._next_end = min((lease.expiry for lease in leases.values() if lease.expiry is not None), default=math.inf)
        self._pending += self._events(leases)
        self._known = leases

    def _events(self, leases: dict[str, Lease]) -> list[LeaseEvent]:
        """What leads from the known leases to these."""
        known = self._known
        if known is None:
            return [Snapshot(tuple(leases.values()))]
        gone = [Removed(known[key].subnets) for key in known if key not in leases]
        new = [
            Added(lease)
            for key, lease in leases.items()
            if key not in known or known[key].attributes != lease.attributes
        ]
        return [*gone, *new]

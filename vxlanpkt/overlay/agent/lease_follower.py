"""A thread that waits for what a store tells of its leases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from vxlanpkt.overlay.leases.stores import LeaseEvent, LeaseStore, LeaseWatch


class LeaseFollower:
    """Calls *tell*, in a thread of its own, with each event of a watch; a context manager."""

    def __init__(self, store: LeaseStore, tell: Callable[[LeaseEvent], None]) -> None:
        self._store, self._tell = store, tell
        self._watch, self._thread = self._start()

    def _start(self) -> tuple[LeaseWatch, threading.Thread]:
        watch = self._store.watch()
        thread = threading.Thread(target=self._follow, args=(watch,), name="leases", daemon=True)
        thread.start()
        return watch, thread

    def _follow(self, watch: LeaseWatch) -> None:
        for event in watch:
            if not watch.closed:
                self._tell(event)

    @property
    def fault(self) -> str:
        """What the store said when it last failed, "" while it answers."""
        return self._watch.fault

    def restart(self) -> None:
        """Have all leases told anew, in a snapshot."""
        self.close()
        self._watch, self._thread = self._start()

    def close(self) -> None:
        """Tell no more. The thread ends by itself, which can take some seconds where a store says nothing."""
        self._watch.close()

    def __enter__(self) -> LeaseFollower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

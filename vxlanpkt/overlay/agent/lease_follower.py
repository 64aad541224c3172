"""A thread that waits for what a store tells of its leases."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from vxlanpkt.overlay.leases.backoff import Backoff
from vxlanpkt.overlay.leases.stores import LeaseEvent, LeaseStore, LeaseWatch

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # where a watch breaks
_LOOK = 1.0  # seconds without an event, after which it is looked whether the store answers at all
_PATIENCE = 2.0  # for the threads' end

_logger = logging.getLogger(__name__)


class LeaseFollower:
    """Calls *tell*, in a thread of its own, with each event of a watch; a context manager.

    A watch that breaks is replaced: another snapshot follows.
    """

    def __init__(self, store: LeaseStore, tell: Callable[[LeaseEvent], None]) -> None:
        self._store, self._tell = store, tell
        self._changing = threading.Lock()
        self._watch: LeaseWatch | None = None
        self._breakage = ""
        self._threads: list[threading.Thread] = []  # the last one follows; those before it end
        self._start()

    def _start(self) -> None:
        self._end = threading.Event()
        thread = threading.Thread(target=self._follow, args=(self._end,), name="leases", daemon=True)
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
        thread.start()

    def _follow(self, end: threading.Event) -> None:
        pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while not end.is_set():
            try:
                with self._new_watch(end) as watch:
                    self._pass_on(watch, end, pauses)
            except Exception as error:  # whatever it is: who is told of nothing more would believe that all is well
                if end.is_set():
                    return
                _logger.warning("the watch of the leases broke: %r", error, exc_info=True)
                self._breakage = f"the watch of the leases broke: {error!r}"
                end.wait(pauses.pause())

    def _pass_on(self, watch: LeaseWatch, end: threading.Event, pauses: Backoff) -> None:
        """Tell of each event, and log when the store goes away and when it is back."""
        fault = ""
        while not (watch.closed or end.is_set()):
            event = watch.poll(_LOOK)
            if watch.fault != fault:
                _logger.warning("the store %s", f"does not answer: {watch.fault}" if watch.fault else "answers again")
                fault = watch.fault
            if event is not None and not end.is_set():
                self._tell(event)
                self._breakage = ""
                pauses.reset()

    def _new_watch(self, end: threading.Event) -> LeaseWatch:
        with self._changing:
            watch = self._store.watch()
            if end.is_set():
                watch.close()
            else:
                self._watch = watch
            return watch

    @property
    def fault(self) -> str:
        """What the store said when it last failed, "" while it answers."""
        watch = self._watch
        return self._breakage or ("" if watch is None else watch.fault)

    def restart(self) -> None:
        """Have all leases told anew, in a snapshot. An event or two of before can still be told."""
        self._stop()
        self._start()

    def close(self) -> None:
        """Tell no more. A thread that a store holds up for longer than some seconds ends by itself."""
        self._stop()
        latest = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, latest - time.monotonic()))

    def _stop(self) -> None:
        with self._changing:
            self._end.set()
            if self._watch is not None:
                self._watch.close()

    def __enter__(self) -> LeaseFollower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

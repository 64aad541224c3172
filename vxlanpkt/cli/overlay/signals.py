"""Signals of an agent: SIGINT and SIGTERM have it end in good order, however many come; SIGHUP is ignored.

They are waited for by a thread, and interrupt none: what takes everything away is not left half done.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Within this each signal that ends a program calls *stop*, and does no more. For the main thread.

    Threads that are made within wait for no signals, as this one.
    """
    over = threading.Event()

    def follow() -> None:
        while True:
            signal.sigwait(_ENDING)
            if over.is_set():
                return
            stop()

    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is nothing to read anew, nor a need for a terminal
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    thread = threading.Thread(target=follow, name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        assert thread.ident is not None
        signal.pthread_kill(thread.ident, signal.SIGTERM)
        thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGHUP, hangup)

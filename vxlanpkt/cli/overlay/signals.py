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

    Threads that are made within wait for no signals, as this one. Signals that come when all is over, but before this
    returns, are dropped: what they ask for has happened.
    """
    over, woken = threading.Event(), threading.Event()

    def follow() -> None:
        while not over.is_set():
            signal.sigwait(_ENDING)
            if not over.is_set():
                stop()
        woken.wait()  # another's signal may have come first: a thread that has ended must not be sent one

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
        woken.set()
        thread.join()
        handlers = [(number, signal.signal(number, signal.SIG_IGN)) for number in _ENDING]  # drops what is pending
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in (*handlers, (signal.SIGHUP, hangup)):
            signal.signal(number, handler)

"""Signals: an interrupt ends the input, as that is how a live pipe ends; SIGTERM and SIGHUP clean up first.

An interrupt waits until the input is read the next time: what is under way then is done, and the output is whole. Where
input is waited for, it comes at once, and so does a second one.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType, TracebackType
from typing import NoReturn

from vxlanpkt.capture.sources import READING, Stopped


class Interrupted(Stopped):
    """The user ended the input: what was read by then is whole."""


class _Interrupts:
    """Where an interrupt may come: entered by whoever reads input."""

    def __init__(self) -> None:
        self._waited = False
        self._welcome = 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take an interrupt: at once, or when the input is read."""
        # Only once: a second interrupt ends the program.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._welcome:
            self._raise()
        self._waited = True

    def _raise(self) -> NoReturn:
        raise Interrupted("interrupted: the records up to here were taken", offset=None)

    def __enter__(self) -> None:
        self._welcome += 1
        if self._waited:
            self._waited = False
            self._welcome -= 1
            self._raise()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._welcome -= 1


def at_once() -> AbstractContextManager[object]:
    """Within this an interrupt does not wait: for verbs that print as they read, and leave nothing half done."""
    return READING.get() or nullcontext()


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


@contextmanager
def handled_signals() -> Iterator[None]:
    """Turn signals into exceptions, so that no temporary file stays behind."""
    interrupts = _Interrupts()
    wanted = {signal.SIGINT: interrupts.handle, signal.SIGTERM: _terminate}
    if hasattr(signal, "SIGHUP"):
        wanted[signal.SIGHUP] = _terminate
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    entered = READING.set(interrupts)
    try:
        yield
    finally:
        READING.reset(entered)
        for number, handler in before.items():
            signal.signal(number, handler)

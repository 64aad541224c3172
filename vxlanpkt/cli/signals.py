"""Signals: an interrupt ends the input, as that is how a live pipe ends; SIGTERM and SIGHUP clean up first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from vxlanpkt.errors import CaptureError


class Interrupted(CaptureError):
    """The user ended the input: what was read by then is whole."""


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    # Only once: a second interrupt ends the program.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    raise Interrupted("interrupted: the records up to here were taken", offset=None)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


@contextmanager
def handled_signals() -> Iterator[None]:
    """Turn signals into exceptions, so that no temporary file stays behind."""
    wanted = {signal.SIGINT: _interrupt, signal.SIGTERM: _terminate}
    if hasattr(signal, "SIGHUP"):
        wanted[signal.SIGHUP] = _terminate
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

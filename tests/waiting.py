"""Waiting for what other threads, processes and kernels do in their own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_PAUSE = 0.005


def eventually(question: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first answer that is true, or the last one; *seconds* are for a machine that has much else to do."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(_PAUSE)

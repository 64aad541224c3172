"""How much time there still is, by the monotonic clock."""

from __future__ import annotations

import time


def seconds_left(deadline: float) -> float:
    """Seconds until *deadline*; raises `TimeoutError` where there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left

"""How long to wait before something that failed is tried again: longer each time, and never too long."""

from __future__ import annotations

from random import Random


class Backoff:
    """Pauses in seconds, from *first* on, each twice the one before, up to *longest*.

    random: shortens each by up to a half, so that many who fail together do not all come back together.
    """

    def __init__(self, first: float, longest: float, random: Random | None = None) -> None:
        self._first, self._longest, self._random = first, longest, random
        self._next = first

    def pause(self) -> float:
        """How long to wait after one more failure."""
        pause = self._next
        self._next = min(2 * pause, self._longest)
        return pause if self._random is None else pause * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It has worked: the next failure is the first."""
        self._next = self._first

"""What is wanted of whole captures, and whether a run met it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.capture.contenders import (
    DECAP,
    DPKT,
    DPKT_PANDAS,
    EDITCAP,
    FLOWS,
    LIBPCAP,
    LOOP,
    MAPPED,
    OURS,
    OURS_FEW,
    PARQUET,
    TSHARK,
)
from benchmarks.capture.race import Key, Measured


class Goal(NamedTuple):
    """A job, whom this library is compared with in it, and the bound of the ratio: of speed, or of time for `cost`.

    `ours`: which of this library's contenders is meant.
    """

    job: str
    base: str
    wanted: float
    cost: bool = False
    ours: str = OURS

    def measured(self, found: Mapping[Key, Measured]) -> float | None:
        """What the run found, or None if one of the two did not take part."""
        ours, base = found.get((self.job, self.ours)), found.get((self.job, self.base))
        if ours is None or base is None:
            return None
        speed = ours.faster_than(base).median
        return 1 / speed if self.cost else speed

    @property
    def text(self) -> str:
        """The goal in words."""
        which = "" if self.ours == OURS else f" ({self.ours.partition(', ')[2]})"
        return f"{self.job}{which}: {'times as long as' if self.cost else 'the speed of'} {self.base}"

    @property
    def bound(self) -> str:
        """What is wanted, in words."""
        return f"{'at most' if self.cost else 'at least'} {self.wanted:g}"

    def met(self, measured: float) -> bool:
        """Whether that is enough."""
        return measured <= self.wanted if self.cost else measured >= self.wanted


GOALS = (
    Goal(FLOWS, MAPPED, 1.5, cost=True),
    Goal(FLOWS, TSHARK, 80),
    Goal(FLOWS, DPKT, 45),
    Goal(FLOWS, LOOP, 8),
    Goal(DECAP, MAPPED, 1.3, cost=True),
    Goal(DECAP, LIBPCAP, 1, cost=True),
    Goal(DECAP, EDITCAP, 2),
    Goal(DECAP, DPKT, 25),
    Goal(PARQUET, DPKT_PANDAS, 25, ours=OURS_FEW),
    Goal(PARQUET, DPKT_PANDAS, 25),
)

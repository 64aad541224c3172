"""Timing in turns: each expression once a round, in an order that changes, and what the rounds say of two of them.

What slows a whole round down does not enter a ratio taken inside that round.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from math import comb
from timeit import Timer
from typing import NamedTuple

_SAMPLE = 2_000_000  # nanoseconds that a sample has to last, for the clock's own cost not to show
_TAIL = 0.025  # on either side of a 95 % interval
FEWEST_ROUNDS = 6  # with fewer there is no such interval


class Ratio(NamedTuple):
    """The median of ratios, and the 95 % interval of that median."""

    median: float
    low: float
    high: float


def race(timers: Mapping[str, Timer], rounds: int) -> dict[str, list[float]]:
    """Nanoseconds that one execution of each takes: a figure a round. The timers have to count nanoseconds.

    Before each sample there is an execution that is not counted: what the one before left in the caches is not its own.
    """
    repeats = {name: _enough(timer) for name, timer in timers.items()}
    found: dict[str, list[float]] = {name: [] for name in timers}
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(list(timers), len(timers)):
            timers[name].timeit(1)
            found[name].append(timers[name].timeit(repeats[name]) / repeats[name])
    return found


def _enough(timer: Timer) -> int:
    """How many executions make a sample long enough. The first is not counted: it meets new memory."""
    timer.timeit(1)
    repeat = 1
    while (took := timer.timeit(repeat)) < _SAMPLE:
        repeat = max(repeat + 1, min(10 * repeat, int(1.2 * repeat * _SAMPLE / max(took, 1))))
    return repeat


def ratio(those: Sequence[float], these: Sequence[float]) -> Ratio:
    """How many times faster *these* are than *those*, round by round."""
    return median_interval([that / this for that, this in zip(those, these, strict=True)])


def median_interval(values: Sequence[float]) -> Ratio:
    """The median with a 95 % interval out of order statistics, which asks nothing of the distribution.

    The number of values below the true median is binomial: the interval reaches from the k-th smallest to the
    k-th largest, for the largest k that leaves at most a fortieth on either side.
    """
    ordered = sorted(values)
    size = len(ordered)
    if size < FEWEST_ROUNDS:
        raise ValueError(f"{size} values have no 95 % interval of the median: {FEWEST_ROUNDS} are needed")
    below, rank = comb(size, 0), 0
    while below <= _TAIL * 2**size:
        rank += 1
        below += comb(size, rank)
    return Ratio(statistics.median(ordered), ordered[rank - 1], ordered[size - rank])

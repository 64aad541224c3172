"""Contenders in turns, each run a process: an answer that is checked, and then what the rounds took."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from benchmarks.capture.contenders import DECAP, FLOWS, PARQUET, START, Contender
from benchmarks.capture.usage import Usage, usage
from benchmarks.capture.workshop import Workshop
from benchmarks.timing import Ratio, ratio

Key = tuple[str, str]  # a job and a contender

_SAMPLE = 1.0  # seconds that a sample has to last
_MOST_RUNS = 5  # in a sample

_SUFFIXES = {START: "", FLOWS: "txt", DECAP: "pcap", PARQUET: "parquet"}


class Measured(NamedTuple):
    """What a contender took in each round."""

    usages: list[Usage]

    @property
    def cpu(self) -> float:
        """Seconds, the median."""
        return statistics.median(self.times)

    @property
    def times(self) -> list[float]:
        """Seconds, round by round."""
        return [one.cpu for one in self.usages]

    @property
    def peak(self) -> int:
        """Bytes, the highest."""
        return max(one.peak for one in self.usages)

    def faster_than(self, base: Measured) -> Ratio:
        """How many times as fast it is."""
        return ratio(base.times, self.times)


def check(contender: Contender, workshop: Workshop, packets: int) -> None:
    """Have it answer, and hold the answer to what is in the capture; WrongAnswerError if it is not that."""
    capture, truth = workshop.capture(packets, contender.container)
    with workshop.output(_SUFFIXES[contender.job]) as target:
        usage(contender.checked(capture, target), contender.environment)
        if contender.check is not None:
            contender.check(target, truth)


def run(contender: Contender, workshop: Workshop, packets: int) -> Usage:
    """Have it do the job."""
    capture, _ = workshop.capture(packets, contender.container)
    with workshop.output(_SUFFIXES[contender.job]) as target:
        return usage(contender.command(capture, target), contender.environment)


def race(who: Sequence[Contender], workshop: Workshop, packets: int, rounds: int) -> Mapping[Key, Measured]:
    """Take a sample of each of them once a round, in an order that changes."""
    found = {(one.job, one.name): Measured([]) for one in who}
    for number in _shuffled(len(who), rounds):
        one = who[number]
        found[one.job, one.name].usages.append(_sample(one, workshop, packets))
    return found


def _sample(contender: Contender, workshop: Workshop, packets: int) -> Usage:
    """What it takes, the median of several runs where one is short."""
    usages = [run(contender, workshop, packets)]
    while len(usages) < _MOST_RUNS and sum(one.cpu for one in usages) < _SAMPLE:
        usages.append(run(contender, workshop, packets))
    return Usage(statistics.median(one.cpu for one in usages), max(one.peak for one in usages))


def _shuffled(count: int, rounds: int) -> Iterator[int]:
    order = random.Random(0)
    for _ in range(rounds):
        yield from order.sample(range(count), count)

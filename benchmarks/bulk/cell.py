"""A cell: some jobs on the same rows, timed in turns; a record: what that said of one job and what it is held to."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import process_time_ns
from timeit import Timer
from typing import Any, NamedTuple

from benchmarks.timing import race, ratio


class Job(NamedTuple):
    """An expression that is timed, and the jobs of the same cell that it is compared with."""

    name: str
    expression: str
    bases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """Jobs on the same rows.

    section  which part of the run it belongs to
    frames   what the rows are: a frame size, or a name
    rows     how many frames an expression does
    names    makes what the expressions speak of
    clock    nanoseconds; processor time, but for more than one thread
    """

    section: str
    frames: str
    rows: int
    jobs: Sequence[Job]
    names: Callable[[], Mapping[str, Any]]
    clock: Callable[[], int] = process_time_ns

    def timers(self) -> dict[str, Timer]:
        """A timer for each job."""
        names = dict(self.names())
        return {job.name: Timer(job.expression, timer=self.clock, globals=names) for job in self.jobs}

    def functions(self) -> dict[str, Callable[[], object]]:
        """A function for each job, for those who do not time it, or time functions only."""
        names = dict(self.names())
        return {job.name: eval(f"lambda: {job.expression}", names) for job in self.jobs}


class Record(NamedTuple):
    """One job in one cell: what a call takes, and how many times as fast as its base it is (1 for a base)."""

    section: str
    frames: str
    rows: int
    job: str
    base: str
    call_ns: float
    ratio: float
    low: float
    high: float

    @property
    def is_base(self) -> bool:
        """Whether it is compared with nothing but itself."""
        return self.job == self.base

    @property
    def frame_ns(self) -> float:
        """Nanoseconds a frame."""
        return self.call_ns / self.rows


def measure(cell: Cell, rounds: int) -> Iterator[Record]:
    """Time the jobs of a cell; a record for each pair of a job and a base, and one for a job without any."""
    times = race(cell.timers(), rounds)
    for job in cell.jobs:
        mine = times[job.name]
        for base in job.bases or (job.name,):
            found = ratio(times[base], mine)
            yield Record(cell.section, cell.frames, cell.rows, job.name, base, statistics.median(mine), *found)

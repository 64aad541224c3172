"""Pairs of processes, one of each version, that do the same jobs by turns.

Where a process has its code and data decides some per cent of its speed, and stays as it is while it lives. So each
pair is started anew and gives one ratio for each job, the median of its turns; an interval is that of these ratios.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.compare.jobs import write_capture
from benchmarks.compare.versions import FOLDER, Version
from benchmarks.timing import Ratio, median_interval

_SAMPLE = 10_000_000  # nanoseconds that a sample lasts, about
_MEMORY = Path("/dev/shm")  # where files are no disk's: what a file system puts off is charged to whoever comes next


class Compared(NamedTuple):
    """A job: nanoseconds an execution before and after, and how many times as fast it is after."""

    job: str
    before: float
    after: float
    speed: Ratio


class _Worker:
    def __init__(self, version: Version, capture: Path, target: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.compare.worker", str(capture), str(target)],
            cwd=FOLDER, env=version.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.jobs = list(iter(self._line, ""))

    def took(self, job: str, times: int) -> float:
        """Nanoseconds that an execution took, of so many."""
        assert self._process.stdin is not None
        print(times, job, file=self._process.stdin, flush=True)
        return int(self._line()) / times

    def end(self) -> None:
        """No more jobs."""
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
        if self._process.returncode:
            raise RuntimeError("a worker failed: what it said stands above")

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a worker ended: what it said stands above")
        return line.rstrip("\n")


def compare(before: Version, after: Version, pairs: int, turns: int) -> list[Compared]:
    """Every job on both."""
    order = random.Random(0)
    found: dict[str, list[tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        # Both read the same file: how fast the pages of one are had depends on when it was written.
        capture = Path(folder, "frames.pcap")
        write_capture(capture)
        for _ in range(pairs):
            started = {at: _Worker((before, after)[at], capture, Path(folder, f"{at}.pcap")) for at in _turn(order)}
            workers = started[0], started[1]
            for job in workers[0].jobs:
                found.setdefault(job, []).append(_pair(workers, job, turns, order))
            for worker in workers:
                worker.end()
    return [_compared(job, figures) for job, figures in found.items()]


def _turn(order: random.Random) -> list[int]:
    """Who is first."""
    return order.sample((0, 1), 2)


def _pair(workers: tuple[_Worker, _Worker], job: str, turns: int, order: random.Random) -> tuple[float, float, float]:
    times = max(1, round(_SAMPLE / workers[0].took(job, 1)))
    took: tuple[list[float], list[float]] = [], []
    for _ in range(turns):
        for at in _turn(order):
            took[at].append(workers[at].took(job, times))
    ratios = [before / after for before, after in zip(*took, strict=True)]
    return statistics.median(took[0]), statistics.median(took[1]), statistics.median(ratios)


def _compared(job: str, figures: list[tuple[float, float, float]]) -> Compared:
    before, after, ratios = zip(*figures, strict=True)
    return Compared(job, statistics.median(before), statistics.median(after), median_interval(ratios))

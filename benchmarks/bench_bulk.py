"""Bulk work, a group a job: the jobs of `python -m benchmarks.bulk` for pytest-benchmark. No time is ever asserted."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.bulk import fixed, grid, mixed, threads
from benchmarks.bulk.inputs import SIZES

_ROUNDS = 5
_FRAMES = 20_000  # in a round, of as many calls as that takes
_ROWS = (256, 4096)
_CELLS = (*grid.cells(SIZES, _ROWS), *fixed.cells(fixed.Arguments()), *mixed.cells(), *threads.cells())
_CASES = [
    pytest.param(number, job.name, id=f"{job.name}-{cell.frames}-{cell.rows}")
    for number, cell in enumerate(_CELLS)
    for job in cell.jobs
]


@lru_cache(maxsize=1)
def _functions(number: int) -> dict[str, Callable[[], object]]:
    """The jobs of a cell, whose inputs are made once: its cases follow each other."""
    return _CELLS[number].functions()


@pytest.mark.parametrize(("number", "job"), _CASES)
def bench_bulk(benchmark: BenchmarkFixture, number: int, job: str) -> None:
    """One call again and again; `frames_per_second` is in the extra information."""
    cell = _CELLS[number]
    function = _functions(number)[job]
    benchmark.group = job
    benchmark.extra_info.update(section=cell.section, frames=cell.frames, rows=cell.rows)
    timed: Any = benchmark.pedantic
    timed(function, rounds=_ROUNDS, iterations=max(1, _FRAMES // cell.rows), warmup_rounds=1)
    if benchmark.stats is not None:
        benchmark.extra_info["frames_per_second"] = round(cell.rows / benchmark.stats.stats.median)

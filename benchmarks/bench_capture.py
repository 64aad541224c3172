"""Whole captures, a group a job, on a small one: `python -m benchmarks.capture` for pytest-benchmark.

No time is asserted. What is timed is the clock's time, that of starting a process included: `cpu` in the extra
information is what to look at.
"""

from __future__ import annotations

from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.capture.contenders import Absent, Contender, contenders
from benchmarks.capture.race import run
from benchmarks.capture.workshop import Workshop

_PACKETS = 20_000
_ROUNDS = 5
_CASES = [pytest.param(one, id=f"{one.job}-{one.name}") for one in contenders(Workshop())]


@pytest.mark.parametrize("contender", _CASES)
def bench_capture(benchmark: BenchmarkFixture, contender: Contender | Absent) -> None:
    """One run again and again; `cpu` and `peak` of the last one are in the extra information."""
    if isinstance(contender, Absent):
        pytest.skip(contender.reason)
    workshop = Workshop()
    benchmark.group = f"capture, {contender.job}"
    timed: Any = benchmark.pedantic
    took = timed(run, args=(contender, workshop, _PACKETS), rounds=_ROUNDS, warmup_rounds=1)
    benchmark.extra_info.update(packets=_PACKETS, cpu=took.cpu, peak=took.peak)

"""One frame at a time: this library beside each peer, a group a job. No time is ever asserted."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.contender import JOBS, Contender
from benchmarks.contenders import contenders
from benchmarks.frames import frames
from benchmarks.jobs import job_input, run

_ROUNDS = 5
_STRIDE = 20  # the same 1,000 frames for all, so that times compare


CONTENDERS = contenders()


@pytest.mark.parametrize("contender", CONTENDERS, ids=[one.NAME for one in CONTENDERS])
@pytest.mark.parametrize("job", JOBS)
def bench_single(benchmark: BenchmarkFixture, job: str, contender: Contender) -> None:
    """A thousand of the frames, one by one; `frames_per_second` is in the extra information."""
    inputs = job_input(contender, job, frames()[::_STRIDE])
    benchmark.group = job
    benchmark.extra_info["frames"] = len(inputs)
    benchmark.extra_info["contender"] = f"{contender.NAME} {contender.version()}"
    timed: Any = benchmark.pedantic
    timed(run, args=(getattr(contender, job), inputs), rounds=_ROUNDS, warmup_rounds=1)
    if benchmark.stats is not None:
        benchmark.extra_info["frames_per_second"] = round(len(inputs) / benchmark.stats.stats.median)

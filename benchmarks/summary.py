"""`python -m benchmarks.summary`: a table in markdown of frames/s and ratios, for docs/performance.md.

The machine is never quiet, so contenders take turns: a round times each of them once on the same part of the
frames, in an order that changes from round to round. A figure is the median of the rounds, and a ratio
the median of the rounds' ratios: what slows a whole round down does not enter it. Processor time is counted, not
the clock's, so that neighbours on the same core do not enter it either.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

from benchmarks.contender import JOB_TEXTS, JOBS, Contender
from benchmarks.contenders import contenders
from benchmarks.frames import COUNT, frames
from benchmarks.jobs import job_input, run

_BASES = ("struct loop", "dpkt")


class Measured(NamedTuple):
    """Frames per second of one contender in one job: one figure a round."""

    contender: Contender
    rates: list[float]

    @property
    def rate(self) -> float:
        """The median."""
        return statistics.median(self.rates)

    def ratio(self, base: Measured) -> float:
        """The median of the ratios to another, round by round."""
        return statistics.median(a / b for a, b in zip(self.rates, base.rates, strict=True))


def measure(job: str, who: Sequence[Contender], rounds: int, count: int) -> list[Measured]:
    """Time one job of all contenders, in turns."""
    inputs: dict[str, list[Any]] = {one.NAME: job_input(one, job, frames(count)[:: one.STRIDE]) for one in who}
    results = {one.NAME: Measured(one, []) for one in who}
    order = random.Random(0)
    for one in who:
        run(getattr(one, job), inputs[one.NAME][: len(inputs[one.NAME]) // rounds])
    for number in range(rounds):
        for one in order.sample(list(who), len(who)):
            mine = inputs[one.NAME]
            part = mine[number * len(mine) // rounds : (number + 1) * len(mine) // rounds]
            function = getattr(one, job)
            start = process_time()
            run(function, part)
            results[one.NAME].rates.append(len(part) / (process_time() - start))
    return list(results.values())


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def table(job: str, measured: Sequence[Measured]) -> list[str]:
    """One job's table."""
    bases = [one for name in _BASES for one in measured if name == one.contender.NAME]
    lines = [
        f"### {job}: {JOB_TEXTS[job]}",
        "",
        f"| | frames/s |{''.join(f' x {base.contender.NAME} |' for base in bases)}",
        f"|---|---:|{'---:|' * len(bases)}",
    ]
    for one in measured:
        ratios = "".join(f" {one.ratio(base):.2f} |" for base in bases)
        lines.append(f"| {one.contender.NAME} | {one.rate:,.0f} |{ratios}")
    return [*lines, ""]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.summary", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="turns of each contender (default 20)")
    parser.add_argument("--frames", type=int, default=COUNT, help=f"frames in all (default {COUNT:,})")
    parser.add_argument("--job", action="append", choices=JOBS, help="only this job; may be repeated")
    options = parser.parse_args()
    who = contenders()
    print(f"{cpu_name()}, {platform.system()}, {platform.python_implementation()} {platform.python_version()}.")
    print(f"One core, processor time, {options.frames:,} distinct frames,", end=" ")
    print(f"median of {options.rounds} interleaved rounds.\n")
    for one in who:
        part = "all frames" if one.STRIDE == 1 else f"one frame in {one.STRIDE}"
        print(f"- {one.NAME}: {one.version()}; {part}")
    print()
    for job in options.job or JOBS:
        print("\n".join(table(job, measure(job, who, options.rounds, options.frames))), flush=True)


if __name__ == "__main__":
    main()

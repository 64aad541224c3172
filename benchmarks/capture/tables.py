"""A run as tables in markdown, for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.bulk.tables import table
from benchmarks.capture.contenders import JOBS, MAPPED, OURS, START, Absent
from benchmarks.capture.goals import GOALS
from benchmarks.capture.memory import MEBIBYTE, Peaks, judged
from benchmarks.capture.race import Key, Measured
from benchmarks.timing import Ratio


def report(found: Mapping[Key, Measured], absent: Sequence[Absent], packets: int, memory: Peaks) -> str:
    """The goals, a table for each job, and who did not take part."""
    lines = ["### Goals", "", *_goals(found, memory), ""]
    for job in JOBS:
        mine = {name: measured for (of, name), measured in found.items() if of == job}
        if mine:
            lines += [f"### {job}: {JOBS[job]}", "", *_job(mine, 0 if job == START else packets), ""]
    if memory:
        lines += ["### Peak memory", "", *_memory(memory), ""]
    lines += [f"- Left out: {one.job}, {one.name}: {one.reason}." for one in absent]
    return "\n".join(lines)


def _goals(found: Mapping[Key, Measured], memory: Peaks) -> list[str]:
    rows = [
        (goal.text, goal.bound, f"{measured:.2f}", "yes" if goal.met(measured) else "no")
        for goal in GOALS
        if (measured := goal.measured(found)) is not None
    ]
    return table(2, ("goal", "wanted", "measured", "met"), [*rows, *judged(memory)])


def _job(mine: Mapping[str, Measured], packets: int) -> list[str]:
    """The fastest first, each beside the two that all are compared with, as far as these took part."""
    bases = [base for base in (MAPPED, OURS) if base in mine]
    heads = ("", "CPU s", "packets/s", "peak MiB", *(f"times as long as {base}" for base in bases))
    ranking = sorted(mine.items(), key=lambda item: item[1].cpu)
    return table(1, heads, (_row(name, one, packets, [mine[base] for base in bases]) for name, one in ranking))


def _row(name: str, one: Measured, packets: int, bases: Sequence[Measured]) -> tuple[str, ...]:
    speed = f"{packets / one.cpu:,.0f}" if packets else ""
    ratios = ("" if base is one else _interval(base.faster_than(one)) for base in bases)
    return name, f"{one.cpu:.3f}", speed, f"{one.peak / MEBIBYTE:.0f}", *ratios


def _interval(found: Ratio) -> str:
    return f"{found.median:.3g} ({found.low:.3g} to {found.high:.3g})"


def _memory(memory: Peaks) -> list[str]:
    sizes = list(dict.fromkeys(size for by_size in memory.values() for size in by_size))
    rows: Iterator[tuple[str, ...]] = (
        (job, *(f"{by_size[size]:.0f}" for size in sizes)) for job, by_size in memory.items()
    )
    return table(1, ("MiB at so many packets", *(f"{size:,}" for size in sizes)), rows)

"""`python -m benchmarks.tables`: how long a look-up takes by the number of entries, as a table and a figure."""

from __future__ import annotations

import argparse
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import process_time_ns

import vxlanpkt
from benchmarks.summary import cpu_name
from benchmarks.svg import lines
from benchmarks.tables.contenders import CONTENDERS, Job

_ENTRIES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
_FLOOR = "one probe in C"
_DRAWN = ("MAC in frames", "IPv4, /24", "IPv6, /64", "IPv4, 8 lengths", _FLOOR, "list in C")
Times = Mapping[str, Mapping[int, float]]


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="turns of each (default 9)")
    parser.add_argument("--entries", type=int, action="append", help="this number; may be repeated")
    parser.add_argument("--only", action="append", choices=CONTENDERS, help="this contender; may be repeated")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the figure there")
    options = parser.parse_args()
    names = options.only or list(CONTENDERS)
    times: dict[str, dict[int, float]] = {name: {} for name in names}
    for entries in options.entries or _ENTRIES:
        for name, taken in _race({name: CONTENDERS[name](entries) for name in names}, options.rounds).items():
            times[name][entries] = taken
    print(f"{cpu_name()}, {platform.system()}, {platform.python_implementation()} {platform.python_version()}.")
    print(f"vxlanpkt {vxlanpkt.__version__}, backend {vxlanpkt.backend}. Nanoseconds a look-up, medians.\n")
    print(_table(times))
    if options.svg:
        drawn = {name: list(times[name].items()) for name in _DRAWN if name in times}
        options.svg.write_text(lines("A look-up, by the number of entries", "entries", "nanoseconds", drawn))


def _race(jobs: Mapping[str, Job], rounds: int) -> dict[str, float]:
    """The median of the processor time that a look-up takes, all taking turns."""
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job.run()
        assert job.found() == job.expected, "a wrong entry was found"
    for _ in range(rounds):
        for name, job in jobs.items():
            begin = process_time_ns()
            job.run()
            found[name].append((process_time_ns() - begin) / job.rows)
    return {name: statistics.median(values) for name, values in found.items()}


def _table(times: Times) -> str:
    """A row for each contender, and by how much the largest table is slower than the smallest."""
    columns: Sequence[int] = list(next(iter(times.values())))
    rows = [["entries", *(f"{entries:,}" for entries in columns), "last : first"], ["---"] * (len(columns) + 2)]
    for name, by_entries in times.items():
        taken = [by_entries[entries] for entries in columns]
        rows.append([name, *(f"{value:,.1f}" for value in taken), f"{taken[-1] / taken[0]:.1f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()

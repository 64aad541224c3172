"""Peak memory of this library's jobs, and whether it grows with the capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.capture.contenders import OURS, START, Contender
from benchmarks.capture.race import run
from benchmarks.capture.workshop import Workshop

MEBIBYTE = 1 << 20
MOST = 64  # MiB
MOST_GROWTH = 1.1  # times, from the shortest to the longest capture

Peaks = Mapping[str, Mapping[int, float]]  # MiB by job and number of packets


def peaks(who: Sequence[Contender], workshop: Workshop, sizes: Sequence[int]) -> Peaks:
    """One run of each job on each capture."""
    ours = [one for one in who if one.name == OURS and one.job != START]
    return {one.job: {size: run(one, workshop, size).peak / MEBIBYTE for size in sizes} for one in ours}


def judged(found: Peaks) -> list[tuple[str, str, str, str]]:
    """Goals: what, what is wanted, what was measured, and whether it was met."""
    rows = []
    for job, by_size in found.items():
        shortest, longest = min(by_size), max(by_size)
        highest = max(by_size.values())
        growth = by_size[longest] / by_size[shortest]
        rows.append((f"{job}: peak memory, MiB", f"at most {MOST}", f"{highest:.0f}", _yes(highest <= MOST)))
        rows.append((f"{job}: growth from {shortest:,} to {longest:,} packets", f"at most {MOST_GROWTH:g}",
                     f"{growth:.2f}", _yes(growth <= MOST_GROWTH)))  # fmt: skip
    return rows


def _yes(met: bool) -> str:
    return "yes" if met else "no"

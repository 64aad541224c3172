"""What is wanted of bulk work, and whether a run met it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.bulk import fixed, grid, mixed
from benchmarks.bulk.cell import Record
from benchmarks.frames import COUNT

_ROWS = 4096  # the batch size that goals by frame size are judged at


class Goal(NamedTuple):
    """A job in a cell, its base, and the bound of their ratio.

    `certain` judges the lower end of the 95 % interval; `cost` is for "at most so many times as slow".
    """

    section: str
    frames: str
    rows: int
    job: str
    base: str
    wanted: float
    certain: bool = False
    cost: bool = False

    def measured(self, records: Sequence[Record]) -> float | None:
        """What the run found, or None if it did not look."""
        mine = self[:5]
        for record in records:
            if (record.section, record.frames, record.rows, record.job, record.base) == mine:
                found = record.low if self.certain else record.ratio
                return 1 / found if self.cost else found
        return None

    def met(self, measured: float) -> bool:
        """Whether that is enough."""
        return measured <= self.wanted if self.cost else measured >= self.wanted

    @property
    def text(self) -> str:
        """The goal in words."""
        what = "times as long as" if self.cost else "the speed of"
        return f"{self.job}, {self.rows:,} x {self.frames}: {what} {self.base}"

    @property
    def bound(self) -> str:
        """What is wanted, in words."""
        sure = ", 95 % sure" if self.certain else ""
        return f"{'at most' if self.cost else 'at least'} {self.wanted:g}{sure}"


def goals(arguments: fixed.Arguments) -> list[Goal]:
    """All goals, in the order of the table."""
    return [*_beside_copying(), *_of_one_call(arguments), *_beside_the_loop()]


def _beside_copying() -> Iterator[Goal]:
    yield _of_rows("64", grid.ENCAP, grid.COPY, 0.5)
    yield _of_rows("64", grid.ENCAP_FRESH, grid.COPY_FRESH, 0.5)
    yield _of_rows("1400", grid.ENCAP, grid.COPY, 0.9, certain=True)
    yield _of_rows("1400", grid.ENCAP_FRESH, grid.COPY_FRESH, 0.9, certain=True)
    yield _of_rows("64", grid.ENCAP_IN_PLACE, grid.COPY, 0.6)
    yield _of_rows("64", grid.DECAP_BRIEF, grid.COPY, 0.6)
    yield _of_rows("64", grid.DECAP_CHECKED, grid.COPY, 0.35)
    for size in ("64", "1400"):
        yield _of_rows(size, grid.ENCAP6, grid.SUM, 0.5)
        yield _of_rows(size, grid.DECAP6, grid.SUM, 0.5)


def _of_rows(size: str, job: str, base: str, wanted: float, certain: bool = False) -> Goal:
    return Goal(grid.SECTION, size, _ROWS, job, base, wanted, certain)


def _of_one_call(arguments: fixed.Arguments) -> Iterator[Goal]:
    for job, wanted in ((grid.DECAP, 6), (grid.ENCAP, 6), (grid.DECAP_FRESH, 12), (grid.ENCAP_FRESH, 12)):
        base = fixed.nothing(arguments.of(job))
        yield Goal(fixed.SECTION, fixed.SIZE, 1, job, base, wanted, cost=True)


def _beside_the_loop() -> Iterator[Goal]:
    for frames, rows, wanted in ((mixed.OUT_OF_CACHE, COUNT, 15), (mixed.IN_CACHE, mixed.FEW, 50)):
        yield Goal(mixed.SECTION, frames, rows, mixed.DECAP, mixed.LOOP_DECAP, wanted)
        yield Goal(mixed.SECTION, frames, rows, mixed.ENCAP, mixed.LOOP_ENCAP, wanted)

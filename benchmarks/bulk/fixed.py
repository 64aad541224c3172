"""What a call costs that has next to nothing to do, beside a call of C that does nothing at all."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from benchmarks import floor
from benchmarks.bulk.cell import Cell, Job
from benchmarks.bulk.grid import COPY, DECAP, DECAP_BRIEF, DECAP_FRESH, ENCAP, ENCAP_FRESH, JOBS, names

SECTION = "call"
ROWS = (1, 32)
SIZE = "64"
MOST_ARGUMENTS = 8  # that floor.c has a function for
_COMPARED = (COPY, ENCAP, ENCAP_FRESH, DECAP_BRIEF, DECAP, DECAP_FRESH)


class Arguments(NamedTuple):
    """How many arguments the kernel's C functions take."""

    encap: int = 7
    decap: int = 6

    def of(self, job: str) -> int:
        """How many the function that does a job takes."""
        return self.encap if job in (ENCAP, ENCAP_FRESH) else self.decap


def nothing(arguments: int) -> str:
    """The name of the job that calls a C function of so many arguments."""
    return f"nothing, {arguments} arguments"


def cells(arguments: Arguments) -> list[Cell]:
    """A cell for each batch size."""
    jobs = (
        *(Job(nothing(count), _call(count)) for count in sorted(set(arguments))),
        *(Job(job.name, job.expression, (nothing(arguments.of(job.name)),)) for job in JOBS if job.name in _COMPARED),
    )
    return [Cell(SECTION, SIZE, rows, jobs, partial(_names, rows)) for rows in ROWS]


def _call(arguments: int) -> str:
    """A call with pointers and numbers in turn, as the kernel's functions take them."""
    return f"nothing{arguments}({', '.join(('here', '1')[number % 2] for number in range(arguments))})"


def _names(rows: int) -> dict[str, Any]:
    functions = {f"nothing{count}": getattr(floor.lib, f"nothing{count}") for count in range(MOST_ARGUMENTS + 1)}
    return {**names(SIZE, rows), **functions, "here": floor.ffi.NULL}

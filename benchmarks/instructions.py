"""`python -m benchmarks.instructions`: instructions a frame inside the C functions, counted by valgrind's callgrind.

A count does not depend on how busy a machine is. Each job runs in a child twice, with more and with fewer calls: the
difference is that of the calls alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from timeit import Timer
from typing import Any, NamedTuple

from benchmarks.bulk import grid
from benchmarks.bulk.inputs import SIZES
from benchmarks.bulk.tables import table
from vxlanpkt import decap, dissect

_ENCAP, _DECAP = "vxlanpkt_encap", "vxlanpkt_decap"  # over batches
_ENCAP_ONE, _DECAP_ONE, _WALK = "vxlanpkt_encap_header", "vxlanpkt_locate_inner", "vxlanpkt_walk"
TUNNEL_ENCAP, ONE_DECAP, DISSECT = "Tunnel.encap of one", "decap of one", "dissect of one"
_ENTRIES = {
    grid.COPY: "copy_rows",
    grid.SUM: "copy_and_sum_rows",
    grid.ENCAP: _ENCAP,
    grid.ENCAP_TABLE: _ENCAP,
    grid.ENCAP_IN_PLACE: _ENCAP,
    grid.ENCAP_HEADERS: _ENCAP,
    grid.ENCAP6: _ENCAP,
    grid.DECAP_BRIEF: _DECAP,
    grid.DECAP: _DECAP,
    grid.DECAP_CHECKED: _DECAP,
    grid.DECAP6: _DECAP,
    TUNNEL_ENCAP: _ENCAP_ONE,
    ONE_DECAP: _DECAP_ONE,
    DISSECT: _WALK,
}
_OF_ONE = {TUNNEL_ENCAP: "tunnel.encap(frame)", ONE_DECAP: "decap(wire)", DISSECT: "dissect(wire)"}
_EXPRESSIONS = {**{job.name: job.expression for job in grid.JOBS}, **_OF_ONE}
_SIZES = ("64", "1400")  # if none is asked for
_ROWS = 256
_FEWER, _MORE = 3, 7  # calls


class Task(NamedTuple):
    """A job on frames of one size."""

    job: str
    size: str

    @property
    def rows(self) -> int:
        """How many frames a call does."""
        return 1 if self.job in _OF_ONE else _ROWS


def perform(task: Task, times: int) -> None:
    """The child: do the job so many times."""
    names = grid.names(task.size, task.rows)
    names.update(decap=decap, dissect=dissect, frame=bytes(names["inner"][0]), wire=bytes(names["outer"][0]))
    Timer(_EXPRESSIONS[task.job], globals=names).timeit(times)


def count(task: Task, **where: Any) -> float | None:
    """Instructions a frame, or None if the function is not there to be called; `cwd` and `env` are the child's."""
    found = _collected(task, _MORE, where) - _collected(task, _FEWER, where)
    return found / ((_MORE - _FEWER) * task.rows) if found else None


def _collected(task: Task, times: int, where: Mapping[str, Any]) -> int:
    """All instructions of the job's function in one child, cffi's conversion of its arguments included."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "callgrind")
        command = [
            "valgrind",
            "--quiet",
            "--tool=callgrind",
            f"--toggle-collect=_cffi_f_{_ENTRIES[task.job]}",
            f"--callgrind-out-file={out}",
            *(sys.executable, "-m", "benchmarks.instructions"),
            *("--child", str(times), "--job", task.job, "--frames", task.size),
        ]
        subprocess.run(command, check=True, **{"env": {**os.environ, "PYTHONHASHSEED": "0"}, **where})
        totals = [line for line in out.read_text().splitlines() if line.startswith("totals:")]
        return sum(int(line.split()[1]) for line in totals)


def main() -> None:
    """Print the table, or be the child that is measured."""
    options = _options()
    tasks = [Task(job, size) for job in options.job or _ENTRIES for size in options.frames or _SIZES]
    if options.child:
        perform(tasks[0], options.child)
    elif shutil.which("valgrind") is None:
        print("valgrind is not installed: no instructions were counted.")
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            print("\n".join(_table(tasks, list(pool.map(count, tasks)))))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--job", action="append", choices=_ENTRIES, help="only this job; may be repeated")
    parser.add_argument("--frames", action="append", choices=SIZES, help="only this frame size; may be repeated")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _table(tasks: list[Task], counts: list[float | None]) -> list[str]:
    """A line for each job, a column for each frame size."""
    cells = {task: "" if found is None else f"{found:,.0f}" for task, found in zip(tasks, counts, strict=True)}
    sizes = list(dict.fromkeys(task.size for task in tasks))
    jobs = dict.fromkeys(task.job for task in tasks)
    body = ((job, _ENTRIES[job], *(cells[Task(job, size)] for size in sizes)) for job in jobs)
    return table(2, ("instructions a frame", "in", *sizes), body)


if __name__ == "__main__":
    main()

"""Two threads on two batches beside one thread that does both: whether a call lets other threads run.

The floor's copy does: what it gains from a second thread is what the machine has to give.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from time import perf_counter_ns
from typing import Any

from benchmarks import floor
from benchmarks.bulk.cell import Cell, Job
from benchmarks.bulk.inputs import IMIX, TUNNEL4, inner_frames, packed
from vxlanpkt import FrameBatch, decap_batch, encap_batch

SECTION = "threads"
ROWS = 4096
_TIMES = 40  # calls of each thread, beside which starting it is nothing

_JOBS = (
    Job("copy, one thread", "(copy[0](), copy[1]())"),
    Job("copy, two threads", "together(copy)", ("copy, one thread",)),
    Job("encap, one thread", "(encap[0](), encap[1]())"),
    Job("encap, two threads", "together(encap)", ("encap, one thread",)),
    Job("decap, one thread", "(decap[0](), decap[1]())"),
    Job("decap, two threads", "together(decap)", ("decap, one thread",)),
)


def cells(rows: int = ROWS, times: int = _TIMES) -> list[Cell]:
    """One cell; by the clock, as processor time is that of all threads."""
    return [Cell(SECTION, IMIX, 2 * rows * times, _JOBS, lambda: _names(rows, times), perf_counter_ns)]


def _names(rows: int, times: int) -> dict[str, Any]:
    batches = [FrameBatch.from_frames(inner_frames(IMIX, rows)) for _ in range(2)]
    return {
        "copy": [_copy(batch, times) for batch in batches],
        "encap": [_encap(batch, times) for batch in batches],
        "decap": [_decap(batch, times) for batch in batches],
        "together": _together,
    }


def _copy(batch: FrameBatch, times: int) -> Callable[[], None]:
    source = floor.rows_of(batch)
    target = floor.room_for(source, len(batch.data))

    def work() -> None:
        for _ in range(times):
            floor.lib.copy_rows(target, source)

    return work


def _encap(batch: FrameBatch, times: int) -> Callable[[], None]:
    out = encap_batch(batch, TUNNEL4)

    def work() -> None:
        for _ in range(times):
            encap_batch(batch, TUNNEL4, out=out)

    return work


def _decap(batch: FrameBatch, times: int) -> Callable[[], None]:
    outer = packed(encap_batch(batch, TUNNEL4))
    out = decap_batch(outer)

    def work() -> None:
        for _ in range(times):
            decap_batch(outer, out=out)

    return work


def _together(work: list[Callable[[], None]]) -> None:
    """Each piece in a thread of its own, until all are done."""
    threads = [Thread(target=piece) for piece in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

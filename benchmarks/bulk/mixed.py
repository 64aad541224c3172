"""The mixed frames of the other benchmarks in one call, beside the careful `struct` loop."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from benchmarks.bulk.cell import Cell, Job
from benchmarks.bulk.inputs import TUNNEL4, copies_beyond_cache
from benchmarks.frames import COUNT, frames
from benchmarks.jobs import run
from benchmarks.peers.struct_loop import StructLoop
from vxlanpkt import FrameBatch, decap_batch, encap_batch

SECTION = "mixed"
OUT_OF_CACHE = "mixed, out of cache"
IN_CACHE = "mixed"
FEW = 4096

LOOP_ENCAP, LOOP_DECAP = "struct loop encap", "struct loop decap"
ENCAP, DECAP = "encap_batch", "decap_batch"

_JOBS = (
    Job(LOOP_ENCAP, "run(loop.encap, inners)"),
    Job(LOOP_DECAP, "run(loop.decap, wires)"),
    Job(ENCAP, "encap_batch(next(inner_batches), tunnel)", (LOOP_ENCAP,)),
    Job(DECAP, "decap_batch(next(outer_batches))", (LOOP_DECAP,)),
)


def cells(count: int = COUNT, few: int = FEW) -> list[Cell]:
    """All the frames, from copies in turn that do not fit into the cache together; and one batch again and again."""
    return [
        Cell(SECTION, OUT_OF_CACHE, count, _JOBS, lambda: _names(count, out_of_cache=True)),
        Cell(SECTION, IN_CACHE, few, _JOBS, lambda: _names(few, out_of_cache=False)),
    ]


def _names(count: int, *, out_of_cache: bool) -> dict[str, Any]:
    chosen = frames()[:count]
    inners, wires = [frame.inner for frame in chosen], [frame.wire for frame in chosen]
    copies = copies_beyond_cache if out_of_cache else _once
    return {
        "run": run,
        "loop": StructLoop(),
        "inners": inners,
        "wires": wires,
        "inner_batches": cycle(copies(inners)),
        "outer_batches": cycle(copies(wires)),
        "tunnel": TUNNEL4,
        "encap_batch": encap_batch,
        "decap_batch": decap_batch,
    }


def _once(chosen: list[bytes]) -> list[FrameBatch]:
    return [FrameBatch.from_frames(chosen)]

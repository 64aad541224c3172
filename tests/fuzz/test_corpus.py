"""Both kernels on the corpus: each way through the C kernel that a fuzzer found, the Python kernel goes too."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import pytest

from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract import BRIEF_LAYOUT, DECAP_LAYOUT, ENCAP_LAYOUT, EncapMode, EncapRecipe
from vxlanpkt.kernel.spans import Kind

from .corpus import inputs
from .inputs import Batch, Input, ports_of
from .layout import JOBS
from .seeds import KINDS

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt.kernel import c

INPUTS = inputs()
BOTH = (python, c)
# What an outer frame can begin with; other kinds only have to do no harm.
OUTER = {*KINDS.values(), Kind.DOT1Q, Kind.VXLANGPE}


def of_job(job: str) -> Iterator[Input]:
    return (made for made in map(Input, INPUTS) if made.job == job)


def held(kernel: Any, batch: Batch) -> tuple[bytearray, Any]:
    """A batch with a buffer of its own, which encapsulation in place changes."""
    data = bytearray(batch.data)
    return data, kernel.hold_frames(memoryview(data), batch.offsets, batch.lengths, batch.originals)


def test_there_is_something_for_every_job() -> None:
    assert {Input(data).job for data in INPUTS} == set(JOBS)


@pytest.mark.parametrize("brief", [False, True])
def test_decap(brief: bool) -> None:
    """All columns of all rows."""
    layout = BRIEF_LAYOUT if brief else DECAP_LAYOUT
    for one in of_job("DECAP"):
        rules, _, batch = one.rules(), one.underlay(), one.batch()
        results = []
        for kernel in BOTH if one.kind in OUTER else ():
            out = kernel.new_buffer(layout.row_size * len(batch.offsets))
            count = kernel.decap(held(kernel, batch)[1], one.kind, kernel.hold_rules(rules), brief, out)
            results.append((count, bytes(kernel.view(out))))
        assert results[:1] == results[1:]


def test_decap_one() -> None:
    """The data as one frame, with what is known of its datagram."""
    for one in of_job("DECAP"):
        rules, underlay, data = one.rules(), one.underlay(), one.batch().data
        results = [
            kernel.as_record(
                kernel.decap_one(data, one.missing(len(data)), one.kind, kernel.hold_rules(rules), underlay)
            )
            for kernel in (BOTH if one.kind in OUTER else ())
        ]
        assert results[:1] == results[1:]


def test_walk_and_scan() -> None:
    """All spans, and the fault."""
    for one in of_job("WALK"):
        walk, data, any_length = one.walk(), one.data(), one.has("ANY_LENGTH")
        kind, missing = min(one.kind, Kind.RAW), one.missing(len(data))
        end = min(walk["end"], len(data))
        start = min(walk["start"], end)
        results = []
        for kernel in BOTH:
            ports = kernel.hold_ports(ports_of(walk))
            found, last, fault = kernel.walk(data, missing, kind, ports, walk["tunnels"], any_length)
            scanned = kernel.scan(kind, data, start, end, missing, any_length)
            results.append((kernel.rows_of(found), last, fault, scanned))
        assert results[0] == results[1]


@pytest.mark.parametrize("mode", EncapMode)
def test_encap(mode: EncapMode) -> None:
    """Statuses, places and bytes; in place the frames too."""
    for one in of_job("ENCAP"):
        recipes, batch = one.recipes(), one.batch()
        index = batch.index if one.has("INDEX") else None
        results = [encapsulated(kernel, one, recipes, batch, index, mode) for kernel in BOTH]
        assert results[0] == results[1]


def encapsulated(
    kernel: Any, one: Input, recipes: list[EncapRecipe], batch: Batch, index: array[int] | None, mode: EncapMode
) -> tuple[int, bytes, bytearray]:
    """The count, the output in full, and the frames afterwards."""
    data, frames = held(kernel, batch)
    table = kernel.hold_table([kernel.hold_recipe(recipe) for recipe in recipes])
    longest = max((len(recipe.template) for recipe in recipes), default=0)
    out = kernel.new_buffer(len(batch.offsets) * (ENCAP_LAYOUT.row_size + longest) + kernel.total_length(frames))
    kernel.view(out)[:] = bytes(len(out))
    chosen = None if index is None else kernel.hold_index(index)
    count = kernel.encap(frames, table, chosen, one.identification, mode, out)
    return count, bytes(kernel.view(out)), data


def test_header() -> None:
    """One header, whether its DF is clear, the flow hash, and the sum of the frame."""
    for one in of_job("HEADER"):
        recipe, data = one.recipe(), one.data()
        results = []
        for kernel in BOTH:
            own = kernel.hold_recipe(recipe)
            results.append(
                (
                    kernel.encap_header(data, own, one.number & 0xFFFF),
                    kernel.clears_df(data, own),
                    [kernel.flow_hash(data, symmetric, raw) for symmetric in (False, True) for raw in (False, True)],
                    kernel.ones_complement_sum(data),
                )
            )
        assert results[0] == results[1]

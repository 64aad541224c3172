"""Programs of filters over batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import Held
from vxlanpkt.kernel.contract.columns import BRIEF_LAYOUT, DECAP_LAYOUT, WIDTHS, family_of
from vxlanpkt.kernel.contract.filtering import Step, StepKind

# Looked up once: called for every frame, or batch.
_select = lib.vxlanpkt_select


def hold_program(program: Sequence[Step], brief: bool) -> Held:
    """A filter's program, held for all columns, or brief ones.

    `kept` is the number of its steps: `pointer` owns them.
    """
    held = ffi.new("struct vxlanpkt_step[]", len(program))
    for at, step in enumerate(program):
        _fill_step(held[at], step, brief)
    return Held(held, len(program))


def _fill_step(held: Any, step: Step, brief: bool) -> None:
    for name in ("kind", "low", "high", "mask", "negate", "join", "target", "guard"):
        setattr(held, name, int(getattr(step, name)))
    ffi.buffer(held.value)[0 : len(step.value)] = step.value
    ffi.buffer(held.bits)[0 : len(step.bits)] = step.bits
    layout = BRIEF_LAYOUT if brief else DECAP_LAYOUT
    if step.column:
        held.column, code = layout.place(step.column)
        held.width = WIDTHS[code]
        if step.kind == StepKind.ADDRESS:
            held.family, _ = layout.place(family_of(step.column))


def select(frames: Held, kind: int, columns: Any, brief: bool, program: Held, out: Any) -> int:
    """Mark in *out*, a byte a row, the rows that a program matches; returns how many."""
    return _select(  # type: ignore[no-any-return]
        frames.pointer, kind, columns, len(columns), brief, program.pointer, program.kept, out, len(out)
    )

"""What both ways refuse, and how."""

from __future__ import annotations

from functools import partial

from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.batches.encapsulated import EncapBatch
from vxlanpkt.errors import FieldError, refused_argument
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP

refused = partial(refused_argument, "batch")

UNFIT = {
    NO_SPACE: "large enough for these rows and their headers",
    OVERLAP: "apart from the input and its columns: they share memory",
}


def described(out: object) -> str:
    """What was given as a result, in words."""
    rows = f" of {len(out)} rows" if isinstance(out, (DecapBatch, EncapBatch)) else ""
    return type(out).__name__ + rows


def not_a_batch(value: object) -> FieldError:
    """The error for what is to be a batch."""
    return refused("batch", type(value).__name__, "a FrameBatch: FrameBatch.from_frames makes one of a list")


def written(answer: int) -> int:
    """What a kernel returned that was to fill new memory. FieldError if it did not: what is there then may be anything.

    That takes columns that do not fit each other, or that somebody writes to while they are read.
    """
    if answer < 0:
        message = f"batch: its columns do not fit each other, or were changed while they were read (kernel: {answer})"
        raise FieldError(message, layer="batch", field="batch", value=answer, bits=None)
    return answer

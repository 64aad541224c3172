"""What `encap_batch` and `decap_batch` refuse, and in which words."""

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

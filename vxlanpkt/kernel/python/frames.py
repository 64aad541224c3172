"""Batches of frames: the rows of a buffer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Frames(NamedTuple):
    """A batch, held."""

    data: memoryview
    offsets: Sequence[int]
    lengths: Sequence[int]
    original_lengths: Sequence[int] | None


def hold_frames(
    data: memoryview, offsets: Sequence[int], lengths: Sequence[int], original_lengths: Sequence[int] | None
) -> Frames:
    """A batch, held."""
    return Frames(data, offsets, lengths, original_lengths)


def is_inside(size: int, offset: int, length: int) -> bool:
    """Whether a row lies in a buffer of *size* bytes."""
    return offset <= size and length <= size - offset


def missing_of(frames: Frames, row: int) -> int:
    """How many bytes of a row were cut off."""
    return 0 if frames.original_lengths is None else max(frames.original_lengths[row] - frames.lengths[row], 0)


def extent_of(frames: Frames, row: int) -> tuple[int, int, int] | None:
    """Where a row begins and ends, and what is missing of it; None for one that is not in the buffer."""
    offset, length = frames.offsets[row], frames.lengths[row]
    if not is_inside(len(frames.data), offset, length):
        return None
    return offset, offset + length, missing_of(frames, row)

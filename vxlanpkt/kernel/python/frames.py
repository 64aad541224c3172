"""Batches of frames."""

from __future__ import annotations

from collections.abc import Sequence

from vxlanpkt.kernel.contract.frames import Frames


def hold_frames(
    data: memoryview, offsets: Sequence[int], lengths: Sequence[int], original_lengths: Sequence[int] | None
) -> Frames:
    """A batch, held."""
    return Frames(data, offsets, lengths, original_lengths)


def is_inside(frames: Frames, offset: int, length: int) -> bool:
    """Whether a row lies in the buffer."""
    size = len(frames.data)
    return offset <= size and length <= size - offset

"""Batches of frames."""

from __future__ import annotations

from collections.abc import Sequence

from vxlanpkt._fastlib import ffi
from vxlanpkt.kernel.c.memory import Held, pointer


def hold_frames(
    data: memoryview, offsets: Sequence[int], lengths: Sequence[int], original_lengths: Sequence[int] | None
) -> Held:
    """A batch, held."""
    frames = ffi.new("struct vxlanpkt_frames *")
    kept = [memoryview(data), memoryview(offsets), memoryview(lengths)]  # type: ignore[arg-type]
    if original_lengths is not None:
        kept.append(memoryview(original_lengths))  # type: ignore[arg-type]
        frames.original_lengths = pointer("uint32_t *", kept[3])
    frames.data = pointer("uint8_t *", kept[0])
    frames.offsets = pointer("uint64_t *", kept[1])
    frames.lengths = pointer("uint32_t *", kept[2])
    # The shortest column: C has to rely on this number, so it relies on nobody else for it.
    rows = min(kept[1].nbytes // 8, *(view.nbytes // 4 for view in kept[2:]))
    frames.size, frames.rows = kept[0].nbytes, rows
    return Held(frames, kept)

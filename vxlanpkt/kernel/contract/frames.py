"""A batch of frames, as the Python kernel holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Frames(NamedTuple):
    """A batch as the Python kernel holds it; the C kernel has a struct."""

    data: memoryview
    offsets: Sequence[int]
    lengths: Sequence[int]
    original_lengths: Sequence[int] | None

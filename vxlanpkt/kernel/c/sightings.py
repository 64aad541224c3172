"""What the first IP header of a frame says, and which frames were seen before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import NULL, Held, hold_column, put_column
from vxlanpkt.kernel.contract.sightings import Sighted

_NO_COLUMN = Held(ffi.new("struct vxlanpkt_column *"), None)


def traits(frames: Held, kind: int, link_types: memoryview | None, out: Any) -> int:
    """Describe the first IP header of every row: the columns lie in *out*."""
    column = _NO_COLUMN if link_types is None else hold_column(link_types, link_types.itemsize)
    return lib.vxlanpkt_traits(frames.pointer, kind, column.pointer, out, len(out))  # type: ignore[no-any-return]


def digest(counted: Held, frames: Held | None, secrets: Sequence[int], out: Any) -> int:
    """Put a number for each row into *out*, as uint64, made of its key and of its frame, if there are *frames*."""
    key = ffi.new("uint64_t[4]", list(secrets))
    of_frames = NULL if frames is None else frames.pointer
    return lib.vxlanpkt_digest(counted.pointer, of_frames, key, out, len(out))  # type: ignore[no-any-return]


def sight(rows: Sighted, memory: Any, out: Any) -> int:
    """Look each row up among the latest ones, and remember it; returns how many were forgotten within the window."""
    held = ffi.new("struct vxlanpkt_sighted *")
    kept: list[memoryview] = []
    for name in ("digests", "marks", "timestamps"):
        view = getattr(rows, name)
        put_column(getattr(held, name), view, view.itemsize, kept)
    held.number, held.window = rows.number, rows.window
    return lib.vxlanpkt_sight(held, memory, len(memory), out, len(out))  # type: ignore[no-any-return]

"""Memory, and structs that point into it."""

from __future__ import annotations

from typing import Any, NamedTuple

from vxlanpkt._fastlib import ffi
from vxlanpkt.kernel.contract.grouping import SEED_SIZE

# Looked up once: called for every frame, or batch.
_from_buffer = ffi.from_buffer

NULL = ffi.NULL
_BYTES = ffi.typeof("uint8_t[]")
new_uncleared = ffi.new_allocator(should_clear_after_alloc=False)


class Held(NamedTuple):
    """A struct, and what its pointers point into."""

    pointer: Any
    kept: Any


def address_of(buffer: Any) -> int:
    """Where a buffer lies."""
    if isinstance(buffer, ffi.CData):
        return int(ffi.cast("uintptr_t", buffer))
    with _from_buffer(buffer) as taken:
        return int(ffi.cast("uintptr_t", taken))


def new_buffer(size: int) -> Any:
    """Memory for columns. What it holds at first is not defined."""
    return new_uncleared(_BYTES, size)


def view(buffer: Any) -> memoryview:
    """The bytes of a buffer."""
    return memoryview(ffi.buffer(buffer))


def pointer(kind: str, view: Any) -> Any:
    """Where the bytes of *view* are, which has to be kept.

    They are not kept by cffi: CPython before 3.12.7 crashes when it collects a memory view that somebody has taken
    a buffer of, in a cycle of garbage (its issue 77894).
    """
    with _from_buffer(view) as taken:
        return ffi.cast(kind, taken)


def put_column(column: Any, view: memoryview, width: int, kept: list[memoryview]) -> None:
    """Have a struct point to a column, which is added to what is kept."""
    column.data, column.size, column.width = pointer("uint8_t *", view), view.nbytes, width
    kept.append(view)


def spread(seed: bytes) -> bytes:
    """As many secrets as are needed, out of fewer."""
    from hashlib import shake_128  # which takes as long to load as all of the kernel

    return shake_128(seed).digest(SEED_SIZE)


def hold_column(view: memoryview, width: int) -> Held:
    """One column, held."""
    kept: list[memoryview] = []
    column = ffi.new("struct vxlanpkt_column *")
    put_column(column, view, width, kept)
    return Held(column, kept)

"""Memory: buffers, where they lie, and whether they lie apart."""

from __future__ import annotations

import ctypes
from array import array
from typing import Any, Literal

from vxlanpkt.kernel.contract.columns import WIDTHS


def address_of(buffer: Any) -> int:
    """Where a buffer lies."""
    if isinstance(buffer, bytes):
        return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0
    return _address(buffer)


def new_buffer(size: int) -> bytearray:
    """Memory for columns. What it holds at first is not defined."""
    return bytearray(size)


def view(buffer: bytearray) -> memoryview:
    """The bytes of a buffer."""
    return memoryview(buffer)


def shares_memory(out: bytearray, *inputs: Any) -> bool:
    """Whether an output shares memory with one of some buffers: is it, or lies where it lies."""
    begin = _address(out)
    end = begin + len(out)
    for buffer in inputs:
        view = memoryview(buffer) if isinstance(buffer, bytearray) else buffer
        if not isinstance(view, memoryview) or not view.nbytes:
            continue
        if view.obj is out or (not view.readonly and _address(view) < end and begin < _address(view) + view.nbytes):
            return True
    return False


def _address(buffer: Any) -> int:
    """Where a buffer that can be written lies in memory."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer)) if len(buffer) else 0


def items(out: bytearray, code: Literal["I", "q", "Q"]) -> memoryview:
    """As many whole items as there is room for."""
    size = WIDTHS[code]
    return memoryview(out)[: len(out) // size * size].cast(code) if len(out) >= size else memoryview(array(code))

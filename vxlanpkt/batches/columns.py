"""Columns of batches, as users give them and as they get them."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from operator import index
from typing import TYPE_CHECKING, Any, overload

from vxlanpkt.errors import FieldError, Reason, refused_field

if TYPE_CHECKING:
    from typing_extensions import Buffer

refused = partial(refused_field, "FrameBatch")
_Refusal = Callable[[str, object, str], FieldError]  # the error of whoever was given a column, by its name


class AddressColumn(Sequence[Any]):
    """IP addresses, 16 bytes a row, IPv4 as ::ffff:a.b.c.d: an item is an address, or None.

    raw     the bytes of all rows
    family  4, 6, or 0 where there is none
    """

    __slots__ = ("family", "raw")

    def __init__(self, raw: memoryview, family: memoryview) -> None:
        self.raw = raw
        self.family = family

    def __len__(self) -> int:
        return len(self.family)

    @overload
    def __getitem__(self, index: int) -> IPv4Address | IPv6Address | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[IPv4Address | IPv6Address | None]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        family = self.family[index]
        row = index + len(self) if index < 0 else index
        if family == 4:
            return IPv4Address(bytes(self.raw[16 * row + 12 : 16 * row + 16]))
        return IPv6Address(bytes(self.raw[16 * row : 16 * row + 16])) if family == 6 else None


def accepted_rows(status: memoryview) -> list[int]:
    """The rows whose status is OK."""
    return [row for row, reason in enumerate(bytes(status)) if not reason]


def count_reasons(status: memoryview) -> dict[Reason, int]:
    """How many rows met each `Reason`, in the order of the codes."""
    reasons = bytes(status)
    return {Reason(reason): reasons.count(reason) for reason in sorted(set(reasons))}


def as_buffer(name: str, data: Buffer, refused: _Refusal = refused) -> memoryview:
    """*data* as a flat view of bytes; `FieldError` if it is not C-contiguous."""
    try:
        view = memoryview(data)
    except (TypeError, ValueError):  # no buffer, one that was released, or one of items that are no numbers
        raise refused(name, type(data).__name__, "a buffer") from None
    if not view.c_contiguous:
        raise refused(name, "a strided buffer", "C-contiguous")
    if view.format == "B" and view.ndim == 1:
        return view
    return view.cast("B") if view.nbytes else memoryview(b"")  # what is empty cannot be cast


def column(name: str, values: Sequence[int] | Buffer, code: str, refused: _Refusal = refused) -> Any:
    """*values* as a column of the `array` type *code*; `FieldError` for another item size, or what does not fit.

    What has a buffer is used as it is, so its items have to be unsigned and of that size; other
    sequences are copied. The view that is returned keeps an array from being resized.
    """
    bits = 8 * array(code).itemsize
    if isinstance(values, (list, tuple, range)):
        try:
            return memoryview(array(code, values))
        except (OverflowError, TypeError):
            row, value = next((row, value) for row, value in enumerate(values) if not _fits(value, bits))
            raise refused(name, value, f"an unsigned {bits}-bit number, in row {row}") from None
    try:
        view = memoryview(values)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise refused(name, type(values).__name__, "a column of numbers") from None
    native = "@=<" if sys.byteorder == "little" else "@=>!"
    unsigned = view.format.lstrip(native) in ("I", "L", "Q")
    if view.itemsize * 8 != bits or not unsigned or view.ndim != 1 or not view.c_contiguous:
        raise refused(name, view.format, f"one contiguous column of unsigned {bits}-bit numbers")
    return view.cast("B").cast(code) if view.nbytes and view.format != code else view  # type: ignore[call-overload]


def written(answer: int) -> int:
    """What a kernel returned that was to fill new memory. FieldError if it did not: what is there then may be anything.

    That takes columns that do not fit each other, or that somebody writes to while they are read.
    """
    if answer < 0:
        message = f"batch: its columns do not fit each other, or were changed while they were read (kernel: {answer})"
        raise FieldError(message, layer="batch", field="batch", value=answer, bits=None)
    return answer


def chosen(code: str, values: Sequence[int], index: slice) -> array[int]:
    """Some items of a column. PyPy's arrays take no view that has a step."""
    chosen = values[index]
    return array(code, chosen.tolist() if isinstance(chosen, memoryview) and not chosen.c_contiguous else chosen)


def _fits(value: Any, bits: int) -> bool:
    """Whether something is a number of so many bits, and no less."""
    try:
        return not index(value) >> bits
    except TypeError:
        return False

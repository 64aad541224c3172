"""What chooses rows of a decapsulated batch: a `Filter`, or anything that does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vxlanpkt.batches.columns import as_buffer
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.errors import FieldError

if TYPE_CHECKING:
    from typing_extensions import Buffer


class RowFilter(Protocol):
    """What chooses rows: a `Filter`, or anything with this method."""

    def select(self, batch: DecapBatch, /) -> Buffer:
        """A uint8 for each row, 0 where it is left out."""
        ...


def require_filter(chosen: object) -> None:
    """Raise `FieldError` for what is no filter."""
    if not hasattr(chosen, "select"):
        hint = f"; Filter({chosen!r}) is one" if isinstance(chosen, str) else ""
        raise _refused(chosen, f"no filter: it has no method select{hint}")


def selected(chosen: RowFilter, batch: DecapBatch) -> memoryview:
    """A byte for each row of *batch*, 0 where it is left out: a copy, which nobody changes.

    Raises `FieldError` for what is no filter, and for one whose answer is of another shape.
    """
    require_filter(chosen)
    answer = chosen.select(batch)
    try:
        found = memoryview(answer)
    except TypeError:
        raise _refused(chosen, f"no filter: it chose by what has no buffer, {type(answer).__name__}") from None
    if found.itemsize != 1 or found.ndim != 1 or len(found) != len(batch):
        raise _refused(
            chosen, f"no filter of {len(batch)} rows: it chose from {found.nbytes} bytes in {len(found)} items"
        )
    return memoryview(bytes(as_buffer("filter", found)))


def _refused(chosen: object, why: str) -> FieldError:
    return FieldError(f"filter: {chosen!r} is {why}", layer="filter", field="filter", value=chosen, bits=None)

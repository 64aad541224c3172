"""What chooses rows of a decapsulated batch: a `Filter`, or anything that does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vxlanpkt.batch import DecapBatch
from vxlanpkt.errors import FieldError

if TYPE_CHECKING:
    from typing_extensions import Buffer


class RowFilter(Protocol):
    """What chooses rows: a `Filter`, or anything with this method."""

    def select(self, batch: DecapBatch, /) -> Buffer:
        """A uint8 for each row, 0 where it is left out."""
        ...


def require_filter(chosen: object) -> None:
    """Raise FieldError for what chooses no rows, such as the text of a filter."""
    if not hasattr(chosen, "select"):
        hint = f"Filter({chosen!r}) is one" if isinstance(chosen, str) else "it has no method select"
        raise _refused(chosen, f"a filter: {hint}")


def selected(chosen: RowFilter, batch: DecapBatch) -> memoryview:
    """What a filter says of each row, in memory of its own, so that it stays as it was checked.

    Raises `FieldError` for what chooses no rows, or says of other rows than those of *batch*.
    """
    require_filter(chosen)
    answer = chosen.select(batch)
    try:
        mask = memoryview(answer)
    except TypeError:
        raise _refused(type(answer).__name__, f"a mask of {len(batch)} bytes: it has no buffer") from None
    if mask.itemsize != 1 or mask.nbytes != len(batch):
        items = f"a mask of {mask.nbytes // mask.itemsize} items of {mask.itemsize} bytes"
        raise _refused(items, f"one of {len(batch)}, a byte for each row")
    return memoryview(bytes(mask))


def _refused(value: object, expected: str) -> FieldError:
    return FieldError(f"filter: {value!r} is not {expected}", layer="Filter", field="filter", value=value, bits=None)

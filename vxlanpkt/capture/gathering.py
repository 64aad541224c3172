"""The rows of a capture that a table is made of: chosen, and those of small batches put together."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from vxlanpkt._values import Value
from vxlanpkt.batches.columns import written
from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.errors import CaptureError
from vxlanpkt.kernel import new_buffer, numbers, pick, view
from vxlanpkt.kernel.contract.columns import DECAP_COLUMNS, DECAP_LAYOUT, WIDTHS
from vxlanpkt.link_types import LinkType

if TYPE_CHECKING:
    from vxlanpkt.capture.decapsulated import CaptureBatch
    from vxlanpkt.capture.records import Interface

_RECORD_CODES: Mapping[str, Literal["Q", "q", "I", "H"]] = {
    "record": "Q", "timestamp_ns": "q", "frame_length": "I", "length": "I", "interface": "I", "offset": "Q",
    "link_type": "H", "link": "I",
}  # fmt: skip
_LINK_SIZES: Mapping[LinkType | None, int] = {
    LinkType.ETHERNET: 14, LinkType.LINUX_SLL: 16, LinkType.LINUX_SLL2: 20, LinkType.NULL: 4, LinkType.LOOP: 4,
    None: 0xFFFFFFFF,  # no frame is as long as a header that nobody knows
}  # fmt: skip
_DECAP_WIDTHS = tuple(WIDTHS[code] for code in DECAP_COLUMNS.values())
_FEW_ROWS, _MOST_ROWS = 512, 4096


class Rows(Value):
    """Rows that are wanted, and what their columns are made of.

    held        the buffer of the result's columns
    frames      what they lie in
    columns     of the records: those of `_RECORD_CODES`
    interfaces  of the capture so far
    file        that they are from
    more        whether the next ones can be had without waiting
    """

    __slots__ = __match_args__ = ("count", "held", "frames", "columns", "interfaces", "file", "more")

    count: int
    held: Any
    frames: FrameBatch
    columns: Mapping[str, memoryview]
    interfaces: Sequence[Interface]
    file: str | None
    more: bool

    def __init__(
        self,
        count: int,
        held: Any,
        frames: FrameBatch,
        columns: Mapping[str, memoryview],
        interfaces: Sequence[Interface],
        file: str | None,
        more: bool,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "count", count)
        set_field(self, "held", held)
        set_field(self, "frames", frames)
        set_field(self, "columns", columns)
        set_field(self, "interfaces", interfaces)
        set_field(self, "file", file)
        set_field(self, "more", more)

    def chosen(self, mask: memoryview) -> Rows:
        """Those of them that a mask names."""
        count = len(mask) - bytes(mask).count(0)
        if count == self.count:
            return self
        held = new_buffer(count * DECAP_LAYOUT.row_size)
        written(pick(view(self.held), _DECAP_WIDTHS, mask, held))
        columns = _Made(lambda name: _picked(self.columns[name], mask, count))
        return self.__replace__(count=count, held=held, frames=_frames(self.frames, columns), columns=columns)

    def follows(self, few: _Few) -> bool:
        """Whether these are few, too, and may be put behind others: they lie in the same memory."""
        return self.count <= _FEW_ROWS and self.frames.data.obj is few.rows.frames.data.obj


def rows_of(batch: CaptureBatch) -> Rows:
    """All rows of a batch."""
    records = batch.records
    columns = _Made(lambda name: _of_records(name, batch))
    return Rows(
        len(records), batch.result.buffer, records.frames, columns, records.interfaces, records.file, records.more
    )


class _Made(dict[str, memoryview]):
    """Columns that are made when they are asked for."""

    def __init__(self, make: Callable[[str], memoryview]) -> None:
        self._make = make

    def __missing__(self, name: str) -> memoryview:
        made = self[name] = self._make(name)
        return made


def _of_records(name: str, batch: CaptureBatch) -> memoryview:
    records, rows = batch.records, len(batch.records)
    if name == "record":
        out = new_buffer(8 * rows)
        written(numbers(records.first + 1, rows, out))
        return view(out).cast("Q")
    if name == "link_type":
        return memoryview(struct.pack("=H", records.link_type) * rows).cast("H")
    if name == "link":
        return memoryview(struct.pack("=I", _LINK_SIZES.get(batch.start, 0)) * rows).cast("I")
    column: memoryview = getattr(records, name)
    return column


def _picked(column: memoryview, mask: memoryview, count: int) -> memoryview:
    out = new_buffer(column.itemsize * count)
    written(pick(column, (column.itemsize,), mask, out))
    return view(out).cast(column.format) if count else column[:0]  # type: ignore[call-overload]


def _frames(frames: FrameBatch, columns: Mapping[str, memoryview]) -> FrameBatch:
    """Others of the frames that lie in the same memory."""
    return FrameBatch(frames.data, columns["offset"], columns["length"])


class _Few:
    """Rows of small batches, copied, to be one batch: as much memory and time a row as those of large ones take."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.count = 0
        self._results: list[tuple[int, bytes]] = []
        self._columns: dict[str, list[bytes]] = {name: [] for name in _RECORD_CODES}
        self.add(rows)

    def add(self, rows: Rows) -> None:
        """Put more of them behind these."""
        self.rows = rows
        self.count += rows.count
        self._results.append((rows.count, bytes(view(rows.held))))
        for name, parts in self._columns.items():
            parts.append(rows.columns[name].tobytes())

    def joined(self) -> Rows:
        """All of them."""
        if self.count == self.rows.count:
            return self.rows
        columns = {name: memoryview(b"".join(of)).cast(_RECORD_CODES[name]) for name, of in self._columns.items()}
        frames = _frames(self.rows.frames, columns)
        return self.rows.__replace__(count=self.count, held=self._result(), frames=frames, columns=columns)

    def _result(self) -> Any:
        held = new_buffer(self.count * DECAP_LAYOUT.row_size)
        to = view(held)
        before = 0
        for width in _DECAP_WIDTHS:
            parts = (result[before * rows : (before + width) * rows] for rows, result in self._results)
            to[before * self.count : (before + width) * self.count] = b"".join(parts)
            before += width
        return held


def gathered(batches: Iterable[Rows]) -> Iterator[Rows]:
    """Batches with as many rows as can be: a capture whose link types alternate has batches of one.

    Nothing is held back while the next batch may be a long time coming, nor at a fault.
    """
    few: _Few | None = None
    fault = None
    try:
        for rows in batches:
            if few is not None and not (rows.follows(few) and few.count + rows.count <= _MOST_ROWS):
                yield few.joined()
                few = None
            if few is not None:
                few.add(rows)
            elif rows.count <= _FEW_ROWS and rows.more:
                few = _Few(rows)
            else:
                yield rows
            if few is not None and not rows.more:
                yield few.joined()
                few = None
    except CaptureError as error:
        fault = error
    if few is not None:
        yield few.joined()
    if fault is not None:
        raise fault

"""Records in batches: columns over the bytes that were read, and records made out of them when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.capture.options import PACKET_NUMBERS, read_options
from vxlanpkt.capture.records import Interface, Options, Record, RecordDraft
from vxlanpkt.kernel import view
from vxlanpkt.kernel.contract.columns import NO_TIMESTAMP as NO_TIMESTAMP
from vxlanpkt.kernel.contract.columns import RECORD_COLUMNS, RECORD_LAYOUT

_OF_A_RECORD = (
    "offset", "captured_length", "original_length", "interface", "timestamp_ns", "raw_timestamp", "timed", "fcs_length",
    "options_length",
)  # fmt: skip


class RecordBatch(Sequence[Record]):
    """Records that follow each other in a capture, all of one link type; an item is a `Record`. Not made by hand.

    first            how many records of the capture came before
    link_type        number in the tcpdump registry
    interfaces       of the capture so far
    data             the bytes that the records lie in
    big_endian       the byte order of the numbers in them
    more             whether what follows was read already, so that the next batch can be had without waiting
    file             the name of the file that they are from, if it has one
    frames           FrameBatch: the frames without their frame check sequences, and their lengths on the wire

    and a column for each fact, a row for each record:

    offset           uint64  where its data begin in `data`
    raw_timestamp    uint64  in the interface's own units; 0 where there is none
    timestamp_ns     int64   nanoseconds since 1970-01-01 UTC, rounded down; `NO_TIMESTAMP`, the smallest number, where
                             there is none, none that 64 bits hold, or units finer than 10^-18 seconds
    captured_length  uint32  with the frame check sequence
    original_length  uint32  the same on the wire, as the file says
    length           uint32  captured bytes of the frame alone
    frame_length     uint32  its length on the wire
    interface        uint32  which of the `interfaces`
    options_length   uint32  bytes of pcapng options behind the data and their padding
    fcs_length       uint8   bytes of the frame check sequence
    timed            uint8   whether there is a timestamp
    """

    __slots__ = (
        *RECORD_COLUMNS,
        "_buffer",
        "_frames",
        "_rows",
        "big_endian",
        "data",
        "file",
        "first",
        "interfaces",
        "link_type",
        "more",
    )

    offset: memoryview
    raw_timestamp: memoryview
    timestamp_ns: memoryview
    captured_length: memoryview
    original_length: memoryview
    length: memoryview
    frame_length: memoryview
    interface: memoryview
    options_length: memoryview
    fcs_length: memoryview
    timed: memoryview

    def __init__(
        self,
        buffer: Any,
        rows: int,
        link_type: int,
        data: memoryview,
        interfaces: Sequence[Interface],
        first: int,
        big_endian: bool,
        more: bool = False,
        file: str | None = None,
    ) -> None:
        """*buffer* is what a kernel wrote: columns, which may have room for more rows than there are."""
        self._buffer = buffer
        self._rows = rows
        self.data = data
        self.big_endian = big_endian
        self.more = more
        self.file = file
        self._frames: FrameBatch | None = None
        self.link_type = link_type
        self.interfaces = interfaces
        self.first = first

    def __getattr__(self, name: str) -> Any:
        """Make a column's view when it is first asked for."""
        if name not in RECORD_COLUMNS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        whole = view(self._buffer).toreadonly()
        made = RECORD_LAYOUT.column(name, len(whole) // RECORD_LAYOUT.row_size, whole)[: self._rows]
        setattr(self, name, made)
        return made

    @property
    def frames(self) -> FrameBatch:
        """The frames."""
        if self._frames is None:
            self._frames = FrameBatch(self.data, self.offset, self.length, self.frame_length)
        return self._frames

    def upto(self, rows: int) -> RecordBatch:
        """The first *rows* of them, over the same columns."""
        count = max(min(rows, self._rows), 0)
        return RecordBatch(
            self._buffer, count, self.link_type, self.data, self.interfaces, self.first, self.big_endian, self.more,
            self.file,
        )  # fmt: skip

    def __len__(self) -> int:
        """The number of rows."""
        return self._rows

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        return self._record(*(getattr(self, name)[index] for name in _OF_A_RECORD))

    def __iter__(self) -> Iterator[Record]:
        return map(self._record, *(getattr(self, name) for name in _OF_A_RECORD))

    def _record(
        self, offset: int, captured: int, original: int, interface: int, timestamp: int | None, raw: int | None,
        timed: int, fcs_length: int, options_length: int,
    ) -> Record:  # fmt: skip
        end = offset + captured
        if not timed:
            timestamp = raw = None
        elif timestamp == NO_TIMESTAMP:
            assert raw is not None
            timestamp = self.interfaces[interface].to_nanoseconds(raw)
        options = self._options(offset + (captured + 3 & ~3), options_length) if options_length else ()
        record: Any = RecordDraft(
            timestamp, bytes(self.data[offset:end]), original, self.link_type, interface, raw, fcs_length, options
        )
        record.__class__ = Record
        return record  # type: ignore[no-any-return]

    def _options(self, start: int, length: int) -> Options:
        """The options at *start*, which a kernel has found sound; behind them stands the block's length."""
        area = bytes(self.data[start : start + length + 4])
        return read_options(area, 0, start, ">" if self.big_endian else "<", PACKET_NUMBERS)

    def __repr__(self) -> str:
        return f"<RecordBatch of {len(self)} records of link type {self.link_type}, from number {self.first + 1}>"

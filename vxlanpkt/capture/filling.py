"""The columns of one batch as Arrow has them, each in memory of its own."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from vxlanpkt.batches.columns import written
from vxlanpkt.capture.arrow_structures import ArrowColumn
from vxlanpkt.capture.columns import CaptureColumn
from vxlanpkt.capture.gathering import Rows
from vxlanpkt.errors import Reason
from vxlanpkt.kernel import (
    add_name,
    address_of,
    address_room,
    address_text,
    derived,
    hold_names,
    known,
    mac_bytes,
    mac_text,
    names,
    names_room,
    new_buffer,
    view,
)
from vxlanpkt.kernel.contract.captures import MAC, Address, Derived, Known
from vxlanpkt.kernel.contract.columns import DECAP_LAYOUT

if TYPE_CHECKING:
    from vxlanpkt.capture.records import Interface
    from vxlanpkt.capture.words import ColumnWords

_RECORD_SOURCES = {
    "record": "record", "timestamp": "timestamp_ns", "frame_length": "frame_length", "capture_length": "length",
    "interface": "interface", "link_type": "link_type",
}  # fmt: skip
_MAC_TEXT = 17  # bytes of a MAC address as text
_NAMES_BYTES = 1 << 24
"""The most that names of interfaces take in a batch: one may be a thousand times as long as its packets."""


class Filler:
    """Makes the columns of one batch. `kept`: the memory that they lie in, which is theirs alone."""

    def __init__(self, rows: Rows, interfaces: InterfaceNames, binary: bool, unread: bool) -> None:
        self.kept: list[Any] = []
        self._rows = rows
        self._interfaces = interfaces
        self._binary = binary
        self._unread = unread
        self._bitmaps = 0
        self._nulls: Sequence[int] = ()

    def fill(self, column: CaptureColumn, words: ColumnWords | None = None) -> ArrowColumn:
        """One column; of addresses the numbers of words, if there are any."""
        rows, source = self._rows, column.source
        if source == "interface_name":
            return self._interface_names()
        if source == "file":
            return self._file_names()
        nulls, bitmap = self._validity(column.known)
        if words is not None:
            buffers: tuple[int, ...] = (self._keep(words.numbers(rows)),)
        elif isinstance(source, (Address, MAC)):
            buffers = self._binary_of(source) if self._binary else self._text_of(source)
        elif isinstance(source, Derived):
            out = new_buffer(rows.count * (4 if source is Derived.INNER_OFFSET else 2))
            written(derived(rows.held, rows.frames.held, source, out))
            buffers = (self._keep(out),)
        else:
            buffers = (self._keep(self._values(source)),)
        values = _REASONS if source == "status" else None
        return ArrowColumn(rows.count, nulls, (bitmap, *buffers), values)

    def _keep(self, buffer: Any) -> int:
        """Where a buffer lies, which is kept."""
        self.kept.append(buffer)
        return address_of(buffer)

    def _values(self, source: str) -> bytes:
        """The items of a column that is as the records or the result have it, in memory of its own."""
        if source in _RECORD_SOURCES:
            return self._rows.columns[_RECORD_SOURCES[source]].tobytes()
        return DECAP_LAYOUT.column(source, self._rows.count, view(self._rows.held)).tobytes()

    def _validity(self, what: Known | None) -> tuple[int, int]:
        """How many rows of a column are null, and where its bitmap is; none if no row is."""
        if what is None:
            return 0, 0
        rows = self._rows
        stride = (rows.count + 63) // 64 * 8
        if not self._bitmaps:
            out = new_buffer(len(Known) * (8 + stride))
            times, links = rows.columns["timestamp_ns"], rows.columns["link"]
            written(known(rows.held, rows.frames.held, times, links, self._unread, out))
            self._nulls = view(out)[: 8 * len(Known)].cast("q").tolist()
            self._bitmaps = self._keep(out) + 8 * len(Known)
        nulls = self._nulls[what]
        return nulls, self._bitmaps + what * stride if nulls else 0

    def _text_of(self, source: Address | MAC) -> tuple[int, ...]:
        rows = self._rows
        offsets = 4 * (rows.count + 1)
        if isinstance(source, MAC):
            out = new_buffer(offsets + _MAC_TEXT * rows.count)
            written(mac_text(rows.held, rows.frames.held, source, out))
        else:
            out = new_buffer(address_room(rows.held, rows.count, source))
            written(address_text(rows.held, rows.count, source, out))
        address = self._keep(out)
        return address, address + offsets

    def _binary_of(self, source: Address | MAC) -> tuple[int, ...]:
        rows = self._rows
        if isinstance(source, Address):
            return (self._keep(self._values(source.name.lower())),)
        out = new_buffer(6 * rows.count)
        written(mac_bytes(rows.held, rows.frames.held, source, out))
        return (self._keep(out),)

    def _interface_names(self) -> ArrowColumn:
        rows = self._rows
        table = self._interfaces.known_by(rows.interfaces)
        items = rows.columns["interface"]
        out = new_buffer(names_room(items, table))
        nulls = written(names(items, table, out))
        address = self._keep(out)
        bitmap = address + 4 * (rows.count + 1)
        return ArrowColumn(rows.count, nulls, (bitmap if nulls else 0, address, bitmap + (rows.count + 7) // 8))

    def _file_names(self) -> ArrowColumn:
        count, name = self._rows.count, (self._rows.file or "").encode("utf-8", "replace")
        ends = self._keep(array("i", (len(name) * row for row in range(count + 1))).tobytes())
        texts = self._keep(name * count or bytes(1))
        if self._rows.file is None:
            return ArrowColumn(count, count, (self._keep(bytes((count + 7) // 8)), ends, texts))
        return ArrowColumn(count, 0, (0, ends, texts))


class InterfaceNames:
    """The name of each interface seen so far, in UTF-8."""

    def __init__(self) -> None:
        self._of: Sequence[Interface] = ()
        self._count = 0
        self._table = hold_names()

    def known_by(self, interfaces: Sequence[Interface]) -> Any:
        """The names of *interfaces*, of which there are more and more, as the kernel holds them."""
        if interfaces is not self._of:  # those of another file, which are counted anew
            self._of, self._count, self._table = interfaces, 0, hold_names()
        for interface in interfaces[self._count :]:
            add_name(self._table, None if interface.name is None else interface.name.encode())
            self._count += 1
        return self._table

    def cut(self, rows: Rows) -> Iterator[Rows]:
        """The rows, in halves of halves where their names take too much room."""
        room = names_room(rows.columns["interface"], self.known_by(rows.interfaces))
        if room <= _NAMES_BYTES or rows.count == 1:
            yield rows
            return
        half = rows.count // 2
        for first, end in ((0, half), (half, rows.count)):
            mask = bytes(first) + b"\1" * (end - first) + bytes(rows.count - end)
            yield from self.cut(rows.chosen(memoryview(mask)))


class _Words:
    """A dictionary: texts, each of them once."""

    def __init__(self, texts: Sequence[str]) -> None:
        encoded = [text.encode() for text in texts]
        ends = [0, *accumulate(map(len, encoded))]
        self._memory = struct.pack(f"={len(ends)}i", *ends), b"".join(encoded) or bytes(1)
        addresses = map(address_of, self._memory)
        self.column = ArrowColumn(len(texts), 0, (0, *addresses))


_REASON_WORDS = _Words(tuple(reason.name for reason in sorted(Reason)))
_REASONS = _REASON_WORDS.column

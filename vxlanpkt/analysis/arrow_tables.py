"""Tables of this wing for whatever reads Arrow streams: addresses as text, times as such, null where there is none."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from vxlanpkt.batches.columns import AddressColumn
from vxlanpkt.capture.arrow import ArrowTable
from vxlanpkt.capture.arrow_structures import ArrowBatch, ArrowColumn, ArrowField
from vxlanpkt.capture.batches import NO_TIMESTAMP
from vxlanpkt.kernel import address_of, address_room, address_text, new_buffer, view
from vxlanpkt.kernel.contract.captures import Address
from vxlanpkt.kernel.contract.columns import DECAP_LAYOUT

_FORMATS = {"Q": "L", "I": "I", "H": "S", "B": "C", "q": "tsn:UTC"}
_TEXT = "u"
_PIECE_ROWS = 16_384  # so that what is made for one batch stays small
_IS_SET = bytes((0,)) + bytes((1,)) * 255


def arrow_table(columns: Mapping[str, Sequence[Any]]) -> ArrowTable:
    """A table of Arrow; numbers of 64 bits with a sign are times, tuples become text with spaces between the items."""
    fields = [ArrowField(name, _format(column)) for name, column in columns.items()]
    return ArrowTable(fields, lambda: _batches(list(columns.values())))


def _format(column: Sequence[Any]) -> str:
    return _FORMATS[column.format] if isinstance(column, memoryview) else _TEXT


def _batches(columns: Sequence[Sequence[Any]]) -> Iterator[ArrowBatch]:
    rows = len(columns[0])
    for first in range(0, rows, _PIECE_ROWS):
        end = min(first + _PIECE_ROWS, rows)
        filler = _Filler()
        yield ArrowBatch(end - first, [filler.fill(column, first, end) for column in columns], filler.kept)


class _Filler:
    """Makes the columns of one batch. `kept`: the memory that they lie in."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def _keep(self, buffer: Any) -> int:
        """Where a buffer lies, which is kept."""
        self.kept.append(buffer)
        return address_of(buffer)

    def fill(self, column: Sequence[Any], first: int, end: int) -> ArrowColumn:
        """One column of some rows."""
        if isinstance(column, AddressColumn):
            return self._addresses(column.raw[16 * first : 16 * end], column.family[first:end])
        part = column[first:end]
        if not isinstance(part, memoryview):
            return self._texts([" ".join(map(str, item)) for item in part])
        known = bytes(map(NO_TIMESTAMP.__ne__, part)) if part.format == "q" else b""
        return self._column(len(part), known, self._keep(part.tobytes()))

    def _column(self, rows: int, known: bytes, *buffers: int) -> ArrowColumn:
        """A column of rows that are null where *known* has a 0."""
        nulls = known.count(0)
        return ArrowColumn(rows, nulls, (self._keep(_bitmap(known)) if nulls else 0, *buffers))

    def _addresses(self, raw: memoryview, family: memoryview) -> ArrowColumn:
        """Addresses as the kernel writes them, which takes them from a result of decapsulation."""
        rows = len(family)
        held = new_buffer(rows * DECAP_LAYOUT.row_size)
        DECAP_LAYOUT.column("outer_src", rows, view(held))[:] = raw
        DECAP_LAYOUT.column("outer_family", rows, view(held))[:] = family
        out = new_buffer(address_room(held, rows, Address.OUTER_SRC))
        address_text(held, rows, Address.OUTER_SRC, out)
        offsets = self._keep(out)
        return self._column(rows, bytes(family).translate(_IS_SET), offsets, offsets + 4 * (rows + 1))

    def _texts(self, texts: Sequence[str]) -> ArrowColumn:
        ends = [0, *accumulate(map(len, texts))]
        offsets = self._keep(struct.pack(f"={len(ends)}i", *ends))
        return self._column(len(texts), b"", offsets, self._keep("".join(texts).encode("ascii") or bytes(1)))


def _bitmap(known: bytes) -> bytes:
    """A bit for each byte that is 1, the first one lowest."""
    size, united = (len(known) + 7) // 8, 0
    padded = known.ljust(8 * size, b"\0")
    for bit in range(8):
        united |= int.from_bytes(padded[bit::8], "little") << bit
    return united.to_bytes(size, "little")

"""The addresses in a column of a table: numbers of texts, each of which there is once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from vxlanpkt.batches.columns import written
from vxlanpkt.capture.arrow import ArrowTable
from vxlanpkt.capture.arrow_structures import ArrowBatch, ArrowColumn, ArrowField
from vxlanpkt.capture.frames import as_arrow, library
from vxlanpkt.capture.gathering import Rows
from vxlanpkt.grouping import SEED_SIZE
from vxlanpkt.kernel import (
    address_of,
    count_words,
    move_words,
    new_buffer,
    new_words,
    number_addresses,
    number_macs,
    words_room,
    words_text,
)
from vxlanpkt.kernel.contract.captures import MAC, Address

if TYPE_CHECKING:
    from vxlanpkt.capture.tables import CaptureTable

_FEW = 1024


class ColumnWords:
    """The texts that a column has, numbered as they are met."""

    def __init__(self, source: Address | MAC) -> None:
        self._source = source
        self._capacity = _FEW
        self._seed = os.urandom(SEED_SIZE)
        self._words = self._new()

    def numbers(self, rows: Rows) -> Any:
        """A buffer with the number of each row's text, in 32 bits; of a row that has none it means nothing."""
        out = new_buffer(4 * rows.count)
        done = self._number(rows, 0, out)
        while done < rows.count:
            full, self._capacity = self._words, 2 * self._capacity
            self._words = self._new()
            written(move_words(full, self._words))
            done = self._number(rows, done, out)
        return out

    def _number(self, rows: Rows, first: int, out: Any) -> int:
        if isinstance(self._source, MAC):
            return written(number_macs(rows.held, rows.frames.held, self._source, first, self._words, out))
        return written(number_addresses(rows.held, rows.count, self._source, first, self._words, out))

    def take(self) -> ArrowTable:
        """All texts, in a column of their own; from here on there are none, and room for as many."""
        count, out = count_words(self._words), new_buffer(words_room(self._words))
        written(words_text(self._words, out))
        self._words = self._new()
        address = address_of(out)
        column = ArrowColumn(count, 0, (0, address, address + 4 * (count + 1)))
        return ArrowTable([ArrowField("text", "u")], [ArrowBatch(count, [column], out)])

    def _new(self) -> Any:
        return new_words(self._capacity, self._seed)


class NumberedPiece(NamedTuple):
    """Rows of a table in which some columns are numbers, and what these are numbers of, by the columns' places."""

    rows: ArrowTable
    words: Mapping[int, ArrowTable]


def schema_in_arrow(table: CaptureTable, *, numbered: bool) -> Any:
    """The types of what `pieces_in_arrow` makes."""
    pyarrow = library("pyarrow")
    schema = pyarrow.schema(table)
    for place in table.numbered_places if numbered else ():
        dictionary = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        schema = schema.set(place, schema.field(place).with_type(dictionary))
    return schema


def pieces_in_arrow(table: CaptureTable, rows: int, *, numbered: bool) -> Iterator[Any]:
    """The pieces of a table in pyarrow; numbered, their addresses are dictionaries."""
    return map(_as_dictionaries, table.numbered_pieces(rows)) if numbered else map(as_arrow, table.pieces(rows))


def _as_dictionaries(piece: NumberedPiece) -> Any:
    """A piece in pyarrow, its numbers as dictionaries.

    Of a dictionary there is one chunk: the writer of Parquet compares those of several chunks text by text.
    """
    pyarrow = library("pyarrow")
    rows = as_arrow(piece.rows)
    for place, words in piece.words.items():
        texts = as_arrow(words).column(0).chunk(0)
        coded = pyarrow.DictionaryArray.from_arrays(rows.column(place).combine_chunks(), texts)
        rows = rows.set_column(place, rows.schema.field(place).name, coded)
    return rows

"""Captures as tables, a row for each record, for whatever reads Arrow streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.capture.arrow import ArrowTable
from vxlanpkt.capture.arrow_structures import ArrowBatch, ArrowField
from vxlanpkt.capture.columns import CaptureColumn, Names, chosen_columns, name_in
from vxlanpkt.capture.filling import Filler, InterfaceNames
from vxlanpkt.capture.frames import as_pandas, joined_arrow, joined_polars
from vxlanpkt.capture.gathering import Rows, gathered, rows_of
from vxlanpkt.capture.refusals import require_one_of
from vxlanpkt.capture.words import ColumnWords, NumberedPiece
from vxlanpkt.errors import CaptureError
from vxlanpkt.kernel.contract.captures import MAC, Address
from vxlanpkt.policy import DecapPolicy, require_policy
from vxlanpkt.selection import RowFilter, require_filter, selected

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from vxlanpkt.capture.reader import Capture

Addresses: TypeAlias = Literal["text", "binary"]

_ADDRESSES = ("text", "binary")
_BINARY_FORMATS: Mapping[type, str] = {Address: "w:16", MAC: "w:6"}
_PIECE_ROWS, _PIECE_BYTES = 65_536, 1 << 27
_NO_WORDS: Mapping[int, ColumnWords] = {}
_IS_ZERO = bytes((1,)) + bytes(255)
_IS_SET = bytes(1) + bytes((1,)) * 255


class TableOptions(TypedDict, total=False):
    """The keywords of `Capture.table`."""

    columns: Iterable[str] | None
    names: Names
    policy: DecapPolicy | None
    vni: int | Iterable[int] | None
    filter: RowFilter | None
    addresses: Addresses


class CaptureTable(ArrowTable):
    """A capture as a table: whatever reads Arrow streams takes it, as often as the capture can be read.

    Made by `Capture.table`. `column_names`: those of its columns.
    """

    def __init__(
        self,
        capture: Capture,
        *,
        columns: Iterable[str] | None = None,
        names: Names = "vxlanpkt",
        policy: DecapPolicy | None = None,
        vni: int | Iterable[int] | None = None,
        filter: RowFilter | None = None,
        addresses: Addresses = "text",
    ) -> None:
        """The arguments are those of `Capture.table`."""
        require_one_of("addresses", addresses, _ADDRESSES)
        if policy is not None:
            require_policy("capture", policy)
        if filter is not None:
            require_filter(filter)
        self._capture = capture
        self._names: Names = names
        self._chosen = chosen_columns(columns, names)
        self._policy = policy
        self._vni = vni if vni is None or isinstance(vni, int) else tuple(vni)
        self._filter = filter
        self._binary = addresses == "binary"
        self._names_interfaces = any(column.source == "interface_name" for column in self._chosen)
        super().__init__([_field(column, names, self._binary) for column in self._chosen], self._filled)

    @property
    def column_names(self) -> tuple[str, ...]:
        """What its columns are called."""
        return tuple(field.name for field in self.fields)

    def place_of(self, name: str) -> int | None:
        """Which of its columns the one is that is called *name* here, whatever the table calls it; None if none is."""
        return next((at for at, column in enumerate(self._chosen) if column.name == name), None)

    def of_columns(self, columns: Iterable[str]) -> CaptureTable:
        """The same rows with other columns, under the same names."""
        return CaptureTable(
            self._capture, columns=columns, names=self._names, policy=self._policy, vni=self._vni, filter=self._filter,
            addresses="binary" if self._binary else "text",
        )  # fmt: skip

    def to_arrow(self) -> pyarrow.Table:
        """The whole of it in pyarrow. Raises CaptureError if the file is broken: `pieces` has what is before that."""
        return joined_arrow(self._all_pieces())

    def to_polars(self) -> polars.DataFrame:
        """The whole of it in polars. Raises as `to_arrow`."""
        return joined_polars(self._all_pieces())

    def to_pandas(self) -> pandas.DataFrame:
        """The whole of it in pandas, with its own types: integers that may be missing, strings, times with a zone.

        Raises as `to_arrow`.
        """
        return as_pandas(self.to_arrow())

    def _all_pieces(self) -> Iterator[ArrowTable]:
        """No rows, so that there is a table whatever there is; then all."""
        yield ArrowTable(self.fields, ())
        yield from self.pieces(_PIECE_ROWS)

    def pieces(self, rows: int = 1) -> Iterator[ArrowTable]:
        """The table cut into tables of at least so many rows, the last one of what is left; one pass.

        A piece of fewer rows ends where these take more than 128 MiB of memory.
        A fault of the file is raised after everything before it was handed out.
        """
        for batches in _cut(self._filled(), rows):
            yield ArrowTable(self.fields, batches)

    def numbered_pieces(self, rows: int) -> Iterator[NumberedPiece]:
        """As `pieces`, but each text of a column of addresses is there once, and rows have its number."""
        words = {place: ColumnWords(source) for place, source in self._addresses_of_text()}
        fields = [field._replace(format="i") if at in words else field for at, field in enumerate(self.fields)]
        for batches in _cut(self._filled(words), rows):
            yield NumberedPiece(ArrowTable(fields, batches), {at: column.take() for at, column in words.items()})

    @property
    def numbered_places(self) -> Sequence[int]:
        """Which columns of `numbered_pieces` are numbers of texts."""
        return [place for place, _ in self._addresses_of_text()]

    def _addresses_of_text(self) -> Iterator[tuple[int, Address | MAC]]:
        for place, column in enumerate(self._chosen):
            if isinstance(column.source, (Address, MAC)) and not self._binary:
                yield place, column.source

    def _filled(self, words: Mapping[int, ColumnWords] = _NO_WORDS) -> Iterator[ArrowBatch]:
        interfaces = InterfaceNames()
        unread = (self._capture.policy if self._policy is None else self._policy).gpe == "linux"
        for rows in gathered(self._wanted()):
            for part in interfaces.cut(rows) if self._names_interfaces else (rows,):
                filler = Filler(part, interfaces, self._binary, unread)
                columns = [filler.fill(column, words.get(at)) for at, column in enumerate(self._chosen)]
                yield ArrowBatch(part.count, columns, filler.kept)

    def _wanted(self) -> Iterator[Rows]:
        for batch in self._capture.decap_batches(policy=self._policy, vni=self._vni):
            rows, mask = rows_of(batch), self._mask(batch.result)
            if mask is not None:
                rows = rows.chosen(mask)
            if rows.count:
                yield rows

    def _mask(self, result: DecapBatch) -> memoryview | None:
        """Which rows are wanted, or None for all of them."""
        chosen = None if self._filter is None else selected(self._filter, result)
        if self._vni is None:
            return chosen
        accepted = bytes(result.status).translate(_IS_ZERO)
        if chosen is None:
            return memoryview(accepted)
        both = int.from_bytes(accepted, "big") & int.from_bytes(bytes(chosen).translate(_IS_SET), "big")
        return memoryview(both.to_bytes(len(accepted), "big"))


def _cut(batches: Iterable[ArrowBatch], rows: int) -> Iterator[list[ArrowBatch]]:
    """Lists of batches for pieces; a fault is raised after all of them."""
    piece: list[ArrowBatch] = []
    count = size = 0
    fault = None
    try:
        for batch in batches:
            piece.append(batch)
            count += batch.rows
            size += sum(map(len, batch.kept))
            if count >= rows or size >= _PIECE_BYTES:
                yield piece
                piece = []
                count = size = 0
    except CaptureError as error:
        fault = error
    if piece:
        yield piece
    if fault is not None:
        raise fault


def _field(column: CaptureColumn, names: Names, binary: bool) -> ArrowField:
    of_bytes = _BINARY_FORMATS.get(type(column.source)) if binary else None
    values = "u" if column.source == "status" else None
    return ArrowField(name_in(column, names), of_bytes or column.format, values)

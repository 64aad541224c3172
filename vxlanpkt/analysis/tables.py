"""Tables: columns, of which a row is made when somebody asks for it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Reversible, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from vxlanpkt.analysis.words import counted, iso_time
from vxlanpkt.batches.columns import AddressColumn
from vxlanpkt.capture.batches import NO_TIMESTAMP
from vxlanpkt.capture.counting import Cut
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.errors import refused_argument

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow
    from typing_extensions import Self

    from vxlanpkt.capture.arrow import ArrowTable

_T = TypeVar("_T", covariant=True)
Column = Sequence[Any]

_SHOWN_ROWS = 20


class Table(Collection[_T], Reversible[_T]):
    """Rows over columns, by their numbers as in a sequence. Not made by hand.

    stats    `CaptureStats` of the pass that filled it
    columns  the columns by name: memory views of numbers, `AddressColumn`s, or sequences of tuples
    cut      how many of the packets the capture cut

    It is no `collections.abc.Sequence`: what reads Arrow streams would take one for a list of objects.
    """

    ADDRESSES: ClassVar[tuple[str, ...]] = ("src", "dst")

    def __init__(self, columns: Mapping[str, Column], stats: CaptureStats, cut: Cut | None = None) -> None:
        self.columns = dict(columns)
        self.stats = stats
        self.cut = Cut() if cut is None else cut

    def _row(self, values: dict[str, Any]) -> _T:
        """One row, from its items by the names of columns."""
        raise NotImplementedError

    def _orders(self) -> Mapping[str, Callable[[int], Any]]:
        """What rows can be ordered by, and a key for each row: the smallest comes first."""
        raise NotImplementedError

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.columns["packets"])

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._chosen(range(*index.indices(len(self))))
        return self._row({name: column[index] for name, column in self.columns.items()})

    def __iter__(self) -> Iterator[_T]:
        return (self[index] for index in range(len(self)))

    def __reversed__(self) -> Iterator[_T]:
        return (self[index] for index in reversed(range(len(self))))

    def __contains__(self, row: object) -> bool:
        return any(row == other for other in self)

    @property
    def packets(self) -> int:
        """How many packets its rows count, in either direction."""
        return sum(sum(self.columns[name]) for name in ("packets", "reverse_packets") if name in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, which are those of a row's fields."""
        return tuple(self.columns)

    def top(self, n: int, by: str = "bytes") -> Self:
        """A table of the *n* first rows by an order: "bytes" or "packets", most first, or "first", earliest first."""
        orders = self._orders()
        if by not in orders:
            raise refused_argument(type(self).__name__, "by", by, f"one of {', '.join(orders)}")
        from heapq import nsmallest

        return self._chosen(nsmallest(n, range(len(self)), key=orders[by]))

    def _chosen(self, rows: Sequence[int]) -> Self:
        """A table of some of the rows."""
        return type(self)({name: _taken(column, rows) for name, column in self.columns.items()}, self.stats, self.cut)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as plain values, fit for JSON: addresses as text."""
        return [self._as_dict(row) for row in self]

    def _as_dict(self, row: Any) -> dict[str, Any]:
        found = {name: getattr(row, name) for name in self.columns}
        for name in self.ADDRESSES:
            found[name] = None if found[name] is None else str(found[name])
        return found

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows as a PyCapsule, so that DuckDB, polars, pandas and pyarrow take a table as it is."""
        return self._for_arrow().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The schema as a PyCapsule."""
        return self._for_arrow().__arrow_c_schema__()

    def _for_arrow(self) -> ArrowTable:
        from vxlanpkt.analysis.arrow_tables import arrow_table  # which not everybody needs

        return arrow_table(self.columns)

    def to_arrow(self) -> pyarrow.Table:
        """The rows in pyarrow: addresses as text, times as such, lists of VNIs as text."""
        from vxlanpkt.capture.frames import as_arrow

        return as_arrow(self._for_arrow())

    def to_polars(self) -> polars.DataFrame:
        """The same in polars."""
        from vxlanpkt.capture.frames import as_polars

        return as_polars(self._for_arrow())

    def to_pandas(self) -> pandas.DataFrame:
        """The same in pandas, with its own types: integers, strings, times with a zone."""
        from vxlanpkt.capture.frames import as_pandas

        return as_pandas(self.to_arrow())

    def _said(self, name: str, row: Any) -> str:
        """A field of a row for people."""
        value = getattr(row, name)
        if name in ("first_ns", "last_ns"):
            return iso_time(value)
        return "" if value is None else ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    def _repr_html_(self) -> str:
        """The rows as a table of HTML, for notebooks; if they are many, those with most bytes."""
        from html import escape  # which loads a table of all entities

        shown = self.top(_SHOWN_ROWS) if len(self) > _SHOWN_ROWS else self
        head = "".join(f"<th>{escape(name)}</th>" for name in self.names)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(self._said(name, row))}</td>' for name in self.names)}</tr>" for row in shown
        )
        which = f"the {len(shown)} with most bytes of " if len(shown) < len(self) else ""
        told = (
            f"<p>{which}{counted(len(self), 'row')}; {counted(self.packets, 'packet')} of "
            f"{counted(self.stats.records, 'record')}</p>"
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{told}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} rows, {self.stats.vxlan} of {self.stats.records} records>"


def _taken(column: Column, rows: Sequence[int]) -> Column:
    """Some items of a column, as a column of the same kind."""
    if isinstance(column, AddressColumn):
        return AddressColumn(_taken_addresses(column.raw, rows), _taken_numbers(column.family, rows))
    if isinstance(column, memoryview):
        return _taken_numbers(column, rows)
    return [column[row] for row in rows]


def _taken_numbers(column: memoryview, rows: Iterable[int]) -> memoryview:
    return memoryview(array(column.format, map(column.__getitem__, rows)))


def _taken_addresses(raw: memoryview, rows: Sequence[int]) -> memoryview:
    """Two numbers each: slices of so many bytes take ten times as long."""
    if not rows:
        return memoryview(b"")
    halves, taken = raw.cast("Q"), memoryview(bytearray(16 * len(rows)))
    for half in (0, 1):
        taken.cast("Q")[half::2] = _taken_numbers(halves[half::2], rows)
    return taken.toreadonly()


def time_or_none(timestamp_ns: int) -> int | None:
    """A timestamp as rows have it."""
    return None if timestamp_ns == NO_TIMESTAMP else timestamp_ns


def earliest_first(times: Column) -> Callable[[int], Any]:
    """The order of a column of times; what has none comes last."""
    return lambda row: (times[row] == NO_TIMESTAMP, times[row])


def as_uint16(column: memoryview) -> memoryview:
    """A column of numbers that fit, narrower."""
    return memoryview(array("H", column))

"""Tables of captures in pyarrow, polars and pandas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from vxlanpkt.capture.arrow import ArrowTable, made_of
from vxlanpkt.errors import CaptureError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow


def library(name: str) -> Any:
    """A package of the extra `frames`; ImportError says how to get it if it is not there."""
    try:
        return import_module(name)
    except ImportError as error:
        message = f"this takes {name.partition('.')[0]}: install it, or the extra vxlanpkt[frames]"
        raise ImportError(message, name=error.name) from error


def as_arrow(table: ArrowTable) -> pyarrow.Table:
    """All of a table in pyarrow."""
    made: pyarrow.Table = made_of(table, _read_by_arrow)
    return made


def _read_by_arrow(table: ArrowTable) -> Any:
    """What `pyarrow.table` makes of it, which imports pandas first to ask whether it is one of its frames: 0.2 s."""
    return library("pyarrow").RecordBatchReader.from_stream(table).read_all()


def as_polars(table: ArrowTable) -> polars.DataFrame:
    """All of a table in polars."""
    made: polars.DataFrame = made_of(table, library("polars").DataFrame)
    return made


def joined_arrow(pieces: Iterable[ArrowTable]) -> pyarrow.Table:
    """Tables behind each other in pyarrow, of which there is one at least."""
    made: pyarrow.Table = library("pyarrow").concat_tables(_each(as_arrow, pieces))
    return made


def joined_polars(pieces: Iterable[ArrowTable]) -> polars.DataFrame:
    """Tables behind each other in polars, of which there is one at least."""
    made: polars.DataFrame = library("polars").concat(_each(as_polars, pieces), rechunk=False)
    return made


def _each(convert: Callable[[ArrowTable], Any], pieces: Iterable[ArrowTable]) -> list[Any]:
    """All pieces, converted; at a fault they are let go of before it is raised, while no exception is under way."""
    made: list[Any] = []
    fault = None
    try:
        made.extend(map(convert, pieces))
    except CaptureError as error:
        fault = error
    if fault is not None:
        made.clear()
        raise fault
    return made


def as_pandas(arrow: pyarrow.Table) -> pandas.DataFrame:
    """A table in pandas: integers of the kind that may be missing, text and times as pandas has them itself."""
    pd = library("pandas")
    bits = (8, 16, 32, 64)
    integers = {getattr(library("pyarrow"), f"uint{n}")(): getattr(pd, f"UInt{n}Dtype")() for n in bits}
    made: pandas.DataFrame = arrow.to_pandas(types_mapper=integers.get)
    return made

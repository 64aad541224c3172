"""Tables of captures in pyarrow, polars and pandas."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vxlanpkt.capture.arrow import Table

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


def as_arrow(table: Table) -> pyarrow.Table:
    """All of a table in pyarrow."""
    made: pyarrow.Table = library("pyarrow").table(table)
    return made


def as_polars(table: Table) -> polars.DataFrame:
    """All of a table in polars."""
    made: polars.DataFrame = library("polars").DataFrame(table)
    return made


def as_pandas(table: Table) -> pandas.DataFrame:
    """All of a table in pandas: integers of the kind that may be missing, text and times as pandas has them itself."""
    pd = library("pandas")
    arrow = as_arrow(table)
    bits = (8, 16, 32, 64)
    integers = {getattr(library("pyarrow"), f"uint{n}")(): getattr(pd, f"UInt{n}Dtype")() for n in bits}
    made: pandas.DataFrame = arrow.to_pandas(types_mapper=integers.get)
    return made

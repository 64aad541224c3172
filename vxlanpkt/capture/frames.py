"""Tables of captures in pyarrow, polars and pandas, and a capture as a lazy frame of polars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from vxlanpkt.capture.arrow import Table

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow
    from typing_extensions import Unpack

    from vxlanpkt.capture.columns import TableOptions
    from vxlanpkt.capture.sources import File

_PIECE_ROWS = 65_536


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


def scan(
    source: File, ports: Iterable[int] | None = None, **options: Unpack[TableOptions]
) -> polars.LazyFrame:  # fmt: skip
    """A capture as a lazy frame of polars: it is read when the frame is collected, and only what that asks for is made.

    source   a path or a binary file object, as `open` takes it; a pipe can be collected once
    ports    the UDP ports that carry VXLAN, instead of the policy's
    options  what `Capture.table` takes: columns, names, policy, vni, filter, addresses

    Raises OSError at once for a path that cannot be opened, ImportError without polars. If the file is broken
    CaptureError is raised while the frame is collected, which then gives nothing.
    """
    from vxlanpkt.capture.reader import open as open_capture

    capture = open_capture(source, ports=ports, policy=options.pop("policy", None))
    table = capture.table(**options)
    names = options.get("names", "vxlanpkt")

    def pieces(
        wanted: list[str] | None, predicate: polars.Expr | None, rows: int | None, piece_rows: int | None
    ) -> Iterator[polars.DataFrame]:
        chosen = table.column_names if wanted is None else wanted
        changed: Any = {**options, "columns": chosen or table.column_names[:1], "names": names}
        for piece in capture.table(**changed).pieces(piece_rows or _PIECE_ROWS):
            frame = as_polars(piece)
            if rows is not None:
                frame = frame.head(rows)
                rows -= frame.height
            yield frame if predicate is None else frame.filter(predicate)
            if rows == 0:
                return

    frame: polars.LazyFrame = library("polars.io.plugins").register_io_source(
        pieces, schema=as_polars(Table(table.fields, ())).schema
    )
    return frame

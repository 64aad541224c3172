"""A capture as a lazy frame of polars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from vxlanpkt.capture.arrow import ArrowTable
from vxlanpkt.capture.frames import as_polars, library
from vxlanpkt.capture.opening import Files, opened
from vxlanpkt.capture.reader import policy_for

if TYPE_CHECKING:
    import polars
    from typing_extensions import Unpack

    from vxlanpkt.capture.tables import TableOptions

_PIECE_ROWS = 65_536


def scan(
    source: Files, *, ports: Iterable[int] | None = None, **options: Unpack[TableOptions]
) -> polars.LazyFrame:  # fmt: skip
    """A capture as a lazy frame of polars: it is read when the frame is collected, and only what that asks for is made.

    source   a path, a binary file object, or several files, as `open` takes them; a pipe can be collected once
    ports    the UDP ports that carry VXLAN, instead of the policy's
    options  what `Capture.table` takes: columns, names, policy, vni, filter, addresses

    Raises OSError at once for a path that cannot be opened, ImportError without polars. If the file is broken
    CaptureError is raised while the frame is collected, before polars 2 as an error of its own with the same text.
    """
    capture = opened(source, policy_for(ports, options.pop("policy", None)))
    table = capture.table(**options)

    def pieces(
        wanted: list[str] | None, predicate: polars.Expr | None, rows: int | None, piece_rows: int | None
    ) -> Iterator[polars.DataFrame]:
        chosen = table.column_names if wanted is None else wanted
        for piece in table.of_columns(chosen or table.column_names[:1]).pieces(piece_rows or _PIECE_ROWS):
            frame = as_polars(piece)
            if rows is not None:
                frame = frame.head(rows)
                rows -= frame.height
            yield frame if predicate is None else frame.filter(predicate)
            if rows == 0:
                return

    frame: polars.LazyFrame = library("polars.io.plugins").register_io_source(
        pieces, schema=as_polars(ArrowTable(table.fields, ())).schema
    )
    return frame

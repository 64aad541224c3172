"""A capture's columns written to a file: Parquet, Arrow or CSV."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from vxlanpkt.capture.arrow import ArrowTable
from vxlanpkt.capture.frames import as_arrow, library
from vxlanpkt.capture.opening import Files, opened
from vxlanpkt.capture.origins import File
from vxlanpkt.capture.outputs import path_of, split_suffixes
from vxlanpkt.capture.parquet import parquet_writer
from vxlanpkt.capture.reader import Capture, policy_for
from vxlanpkt.capture.refusals import refused, require_one_of
from vxlanpkt.capture.results import JobResult, PartialResultError, Progress
from vxlanpkt.capture.shared_exports import GROUP_ROWS, SharedPieces
from vxlanpkt.capture.sinks import Sink
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.capture.words import pieces_in_arrow
from vxlanpkt.errors import CaptureError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from vxlanpkt.capture.tables import CaptureTable, TableOptions

ExportFormat: TypeAlias = Literal["parquet", "arrow", "csv"]

_FORMATS: dict[str, ExportFormat] = {
    ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow", ".csv": "csv", ".csv.gz": "csv", ".csv.zst": "csv",
}  # fmt: skip


def export_file(
    source: Files,
    target: File,
    *,
    format: ExportFormat | None = None,
    ports: Iterable[int] | None = None,
    progress: Progress | None = None,
    jobs: int = 1,
    **options: Unpack[TableOptions],
) -> JobResult:
    """Write a capture's columns, a row for each record, in groups of rows, so that memory stays bounded.

    source    one file or several, as `open` takes them
    target, progress  as in `decap_file`
    format    "parquet", "arrow" (an IPC file, also called Feather) or "csv"; by default what the name ends in
    ports     the UDP ports that carry VXLAN, instead of the policy's
    jobs      how many processes read, of files that are named, for the one that writes; the rows are the same
    options   what `Capture.table` takes: columns, names, policy, vni, filter, addresses

    `written` of the result counts rows. Takes pyarrow: the extra `frames`.
    Raises PartialResultError if the source breaks off, when all rows before that were written and the file is complete
    that far; CaptureError, OSError or FieldError, with no file written, for anything else.
    """
    chosen = _format(target, format)
    if chosen == "csv" and options.get("addresses", "text") != "text":
        raise refused("addresses", options["addresses"], "possible in CSV: it is text")
    try:
        library("pyarrow")
    except ImportError as error:
        raise CaptureError(str(error), offset=None) from None
    accepted = policy_for(ports, options.pop("policy", None))
    with opened(source, accepted) as capture, Sink(target) as sink:
        table = capture.table(**options)
        pieces: _Pieces | SharedPieces
        if jobs == 1:
            pieces = _Pieces(capture, table, progress, numbered=chosen == "parquet")
        else:
            pieces = SharedPieces(source, table, accepted, options, jobs, progress, numbered=chosen == "parquet")
        written = _write_pieces(sink, chosen, table, pieces)
    result = JobResult(pieces.stats, () if (path := path_of(target)) is None else (path,), written)
    fault = pieces.fault
    if fault is not None:
        raise PartialResultError(str(fault), offset=fault.offset, result=result) from fault
    return result


def _write_pieces(sink: Sink, chosen: ExportFormat, table: CaptureTable, pieces: _Pieces | SharedPieces) -> int:
    """Write all rows up to the fault; one in the file's header is raised, as there is nothing that could be done.

    So is any exception but the reader's, also if it is a CaptureError, as that of an interruption may be: what has been
    written by then may be no whole file.
    """
    written = 0
    with _writer(chosen, sink, table) as writer:
        for piece in pieces:
            rows = _storable(piece, chosen)
            writer.write_table(rows)
            written += rows.num_rows
        if pieces.fault is not None and not pieces.opened:
            raise pieces.fault
    return written


class _Pieces:
    """The pieces of a table in pyarrow, up to the `fault`."""

    def __init__(self, capture: Capture, table: CaptureTable, progress: Progress | None, *, numbered: bool) -> None:
        self.fault: CaptureError | None = None
        self._capture, self._table, self._progress, self._numbered = capture, table, progress, numbered

    def __iter__(self) -> Iterator[Any]:
        pieces = pieces_in_arrow(self._table, GROUP_ROWS, numbered=self._numbered)
        while True:
            try:
                piece = next(pieces, None)
            except CaptureError as error:
                self.fault = error
                return
            if piece is None:
                return
            yield piece
            if self._progress is not None:
                self._progress(self._capture.consumed, self._capture.size)

    @property
    def stats(self) -> CaptureStats:
        """The counts of the pass."""
        return self._capture.stats

    @property
    def opened(self) -> bool:
        """Whether the reading got to an end behind the header, so that a fault is one of the file."""
        try:
            return self._capture.container is not None and self._capture.stats is not None
        except CaptureError:
            return False


def _writer(chosen: ExportFormat, sink: Sink, table: CaptureTable) -> Any:
    """What writes tables in a format to *sink*."""
    file = library("pyarrow").PythonFile(_Output(sink), mode="w")
    if chosen == "parquet":
        return parquet_writer(file, table)
    schema = _storable(as_arrow(ArrowTable(table.fields, ())), chosen).schema
    if chosen == "csv":
        return library("pyarrow.csv").CSVWriter(file, schema)
    return library("pyarrow.ipc").new_file(file, schema)


def _storable(rows: Any, chosen: ExportFormat) -> Any:
    """The rows as a file can hold them: of Arrow's in one chunk, and in CSV without dictionaries."""
    pyarrow = library("pyarrow")
    if chosen == "parquet":
        return rows
    if chosen == "arrow":
        return rows.combine_chunks()
    fields = [
        field.with_type(pyarrow.string()) if pyarrow.types.is_dictionary(field.type) else field for field in rows.schema
    ]
    return rows.cast(pyarrow.schema(fields)).combine_chunks()


class _Output(io.RawIOBase):
    """A sink as pyarrow writes to files."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._sink.write(bytes(view))
        self._written += view.nbytes
        return view.nbytes


def _format(target: File, chosen: ExportFormat | None) -> ExportFormat:
    """The format that was chosen, or that of the target's name."""
    path = path_of(target)
    suffix = "" if path is None else split_suffixes(path)[1]
    found = _FORMATS.get(suffix) if chosen is None else chosen
    if found is None:
        raise refused("format", suffix or None, f"a format: name the file {', '.join(_FORMATS)}, or say which it is")
    require_one_of("format", found, ("parquet", "arrow", "csv"))
    if found != "csv" and suffix.endswith((".gz", ".zst")):
        raise refused("format", suffix, "possible: Parquet and Arrow files are not compressed as a whole")
    return found

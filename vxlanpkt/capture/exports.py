"""A capture's columns written to a file: Parquet, Arrow or CSV."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from vxlanpkt.capture.arrow import ArrowTable
from vxlanpkt.capture.frames import as_arrow, library
from vxlanpkt.capture.jobs import JobResult, PartialResultError, Progress
from vxlanpkt.capture.opening import Files, opened
from vxlanpkt.capture.outputs import path_of, split_suffixes
from vxlanpkt.capture.reader import Capture, policy_for
from vxlanpkt.capture.sinks import Sink
from vxlanpkt.capture.sources import File
from vxlanpkt.errors import CaptureError, FieldError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from vxlanpkt.capture.columns import CaptureTable, TableOptions

ExportFormat: TypeAlias = Literal["parquet", "arrow", "csv"]

_FORMATS: dict[str, ExportFormat] = {
    ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow", ".csv": "csv", ".csv.gz": "csv", ".csv.zst": "csv",
}  # fmt: skip
_GROUP_ROWS = 131_072


def export_file(
    source: Files,
    target: File,
    *,
    format: ExportFormat | None = None,
    ports: Iterable[int] | None = None,
    progress: Progress | None = None,
    **options: Unpack[TableOptions],
) -> JobResult:
    """Write a capture's columns, a row for each record, in groups of rows, so that memory stays bounded.

    source, target, progress  as in `decap_file`
    format    "parquet", "arrow" (an IPC file, also called Feather) or "csv"; by default what the name ends in
    ports     the UDP ports that carry VXLAN, instead of the policy's
    options   what `Capture.table` takes: columns, names, policy, vni, filter, addresses

    `written` of the result counts rows. Takes pyarrow: the extra `frames`.
    Raises PartialResultError if the source breaks off, when all rows before that were written and the file is complete
    that far; CaptureError, OSError or FieldError, with no file written, for anything else.
    """
    chosen = _format(target, format)
    if chosen == "csv" and options.get("addresses", "text") != "text":
        raise _refused("addresses", options["addresses"], "possible in CSV: it is text")
    try:
        library("pyarrow")
    except ImportError as error:
        raise CaptureError(str(error), offset=None) from None
    with opened(source, policy_for(ports, options.pop("policy", None))) as capture, Sink(target) as sink:
        table = capture.table(**options)
        written, fault = _write_pieces(sink, chosen, capture, table, progress)
    result = JobResult(capture.stats, () if (path := path_of(target)) is None else (path,), written)
    if fault is not None:
        raise PartialResultError(str(fault), offset=fault.offset, result=result) from fault
    return result


def _write_pieces(
    sink: Sink, chosen: ExportFormat, capture: Capture, table: CaptureTable, progress: Progress | None
) -> tuple[int, CaptureError | None]:
    """Write all rows up to the fault; one in the file's header is raised, as there is nothing that could be done.

    So is any exception but the reader's, also if it is a CaptureError, as that of an interruption may be: what has been
    written by then may be no whole file.
    """
    written = 0
    pieces = _Pieces(table)
    with _writer(chosen, sink, table) as writer:
        for piece in pieces:
            rows = _storable(as_arrow(piece), chosen)
            writer.write_table(rows)
            written += rows.num_rows
            if progress is not None:
                progress(capture.consumed, capture.size)
        if pieces.fault is not None and not _is_read(capture):
            raise pieces.fault
    return written, pieces.fault


def _is_read(capture: Capture) -> bool:
    """Whether the reading got to an end behind the header, so that a fault is one of the file."""
    try:
        return capture.container is not None and capture.stats is not None
    except CaptureError:
        return False


class _Pieces:
    """The pieces of a table up to the `fault`."""

    def __init__(self, table: CaptureTable) -> None:
        self.fault: CaptureError | None = None
        self._pieces = table.pieces(_GROUP_ROWS)

    def __iter__(self) -> Iterator[ArrowTable]:
        return self

    def __next__(self) -> ArrowTable:
        try:
            return next(self._pieces)
        except CaptureError as error:
            self.fault = error
        raise StopIteration


def _writer(chosen: ExportFormat, sink: Sink, table: CaptureTable) -> Any:
    """What writes tables in a format to *sink*."""
    schema = _storable(as_arrow(ArrowTable(table.fields, ())), chosen).schema
    file = library("pyarrow").PythonFile(_Output(sink), mode="w")
    if chosen == "parquet":
        return library("pyarrow.parquet").ParquetWriter(file, schema, **_encodings(schema))
    if chosen == "csv":
        return library("pyarrow.csv").CSVWriter(file, schema)
    return library("pyarrow.ipc").new_file(file, schema)


def _encodings(schema: Any) -> dict[str, Any]:
    """Numbers that only grow, of records and times, are written as differences; others repeat, and get dictionaries."""
    types = library("pyarrow").types
    growing = [field.name for field in schema if types.is_timestamp(field.type) or types.is_uint64(field.type)]
    repeating = [field.name for field in schema if field.name not in growing]
    return {"use_dictionary": repeating, "column_encoding": dict.fromkeys(growing, "DELTA_BINARY_PACKED")}


def _storable(rows: Any, chosen: ExportFormat) -> Any:
    """The rows as a file can hold them: in one chunk, and in CSV without dictionaries."""
    pyarrow = library("pyarrow")
    if chosen != "csv":
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
        raise _refused("format", suffix or None, f"a format: name the file {', '.join(_FORMATS)}, or say which it is")
    if found not in _FORMATS.values():
        raise _refused("format", found, "one of parquet, arrow, csv")
    if found != "csv" and suffix.endswith((".gz", ".zst")):
        raise _refused("format", suffix, "possible: Parquet and Arrow files are not compressed as a whole")
    return found


def _refused(field: str, value: object, expected: str) -> FieldError:
    return FieldError(f"{field}: {value!r} is not {expected}", layer="capture", field=field, value=value, bits=None)

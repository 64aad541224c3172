"""Columns of captures that several processes make, for one who writes them to a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from vxlanpkt.capture.frames import library
from vxlanpkt.capture.opening import Files, files_of
from vxlanpkt.capture.origins import Part
from vxlanpkt.capture.planning import Pack
from vxlanpkt.capture.processes import files_to_share, shared_out
from vxlanpkt.capture.results import Progress
from vxlanpkt.capture.series import BrokenFilesError, CaptureSeries, broken_files
from vxlanpkt.capture.sources import Stopped
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.capture.tables import CaptureTable
from vxlanpkt.capture.words import pieces_in_arrow, schema_in_arrow
from vxlanpkt.errors import CaptureError
from vxlanpkt.policy import DecapPolicy

GROUP_ROWS = 131_072


@dataclass(frozen=True)
class _Asked:
    """What each process is told: what is accepted, the options of the table, and how and where to put it."""

    accepted: DecapPolicy
    options: Mapping[str, Any]
    numbered: bool
    folder: str


@dataclass(frozen=True)
class _Share:
    """What one process has made: a file in Arrow's format, what it counted, and how many interfaces there were."""

    path: str
    stats: CaptureStats
    interfaces: int
    faults: tuple[tuple[str, CaptureError], ...]
    opened: bool


def _write_share(asked: _Asked, parts: Sequence[Part]) -> _Share:
    """What a process does."""
    capture = CaptureSeries(parts, asked.accepted)
    faults: tuple[tuple[str, CaptureError], ...] = ()
    table = capture.table(**asked.options)
    schema = schema_in_arrow(table, numbered=asked.numbered)
    with (
        NamedTemporaryFile(dir=asked.folder, delete=False) as file,
        library("pyarrow.ipc").new_stream(file, schema) as writer,
    ):
        try:
            for piece in pieces_in_arrow(table, GROUP_ROWS, numbered=asked.numbered):
                writer.write_table(piece.combine_chunks())
        except BrokenFilesError as error:
            faults = error.faults
    opened = capture.container is not None
    return _Share(file.name, capture.stats if opened else CaptureStats(), len(capture.interfaces), faults, opened)


class SharedPieces:
    """The pieces of a table that processes make, in order, up to the `fault`.

    `stats`, and `opened`, whether any file could be read, are there when all pieces were taken.
    """

    def __init__(
        self, source: Files, table: CaptureTable, accepted: DecapPolicy, options: Mapping[str, Any], jobs: int,
        progress: Progress | None, *, numbered: bool,
    ) -> None:  # fmt: skip
        self.stats, self.fault, self.opened = CaptureStats(), None, False
        self._one = not isinstance(files_of(source), tuple)
        self._files = files_to_share(source)
        self._accepted, self._options, self._jobs, self._progress = accepted, options, jobs, progress
        self._numbered = numbered
        self._record, self._interface = table.place_of("record"), table.place_of("interface")
        self._interfaces_before = self._interfaces_of_last = 0

    fault: CaptureError | None

    def __iter__(self) -> Iterator[Any]:
        faults: list[tuple[str, CaptureError]] = []
        size, taken = sum(file.size for file in self._files), 0
        with TemporaryDirectory(prefix="vxlanpkt-") as folder:
            work = partial(_write_share, _Asked(self._accepted, self._options, self._numbered, folder))
            try:
                for pack, share in shared_out(work, self._files, self._jobs):
                    yield from self._rows(pack, share)
                    self.stats.add(share.stats)
                    faults += share.faults
                    self.opened = self.opened or share.opened
                    taken += pack.size
                    if self._progress is not None:
                        self._progress(taken, size)
            except Stopped as error:
                self.fault = error
            if faults and self.fault is None:
                self.fault = faults[0][1] if self._one else broken_files(faults)
        self.stats.error = self.fault

    def _rows(self, pack: Pack, share: _Share) -> Iterator[Any]:
        """The rows of a share, their records and interfaces counted on from those before."""
        if not pack.number:  # else it is one more part of a file that declares the same interfaces
            self._interfaces_before += self._interfaces_of_last
        self._interfaces_of_last = share.interfaces
        pyarrow = library("pyarrow")
        with pyarrow.memory_map(share.path) as mapped:
            # A stream, as the dictionaries of a file would have to be the same in all of its batches.
            for batch in library("pyarrow.ipc").open_stream(mapped):
                rows = pyarrow.Table.from_batches([batch])
                rows = _counted_on(rows, self._record, self.stats.records)
                yield _counted_on(rows, self._interface, self._interfaces_before)
        Path(share.path).unlink()


def _counted_on(rows: Any, place: int | None, before: int) -> Any:
    """The rows with *before* added to a column."""
    if place is None or not before:
        return rows
    field = rows.schema.field(place)
    number = library("pyarrow").scalar(before, field.type)
    return rows.set_column(place, field, library("pyarrow.compute").add(rows.column(place), number))

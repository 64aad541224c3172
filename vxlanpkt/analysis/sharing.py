"""A capture counted by several processes, each of which counts some of its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from vxlanpkt.analysis.counting import Counter, count_all
from vxlanpkt.capture.opening import Files, files_of
from vxlanpkt.capture.origins import Part
from vxlanpkt.capture.processes import files_to_share, shared_out
from vxlanpkt.capture.series import BrokenFilesError, CaptureSeries, broken_files
from vxlanpkt.capture.sources import Stopped
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.errors import CaptureError
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.selection import RowFilter

if TYPE_CHECKING:
    from vxlanpkt.capture.results import Progress


@dataclass(frozen=True)
class Asked:
    """What each process is told.

    counter   makes what counts
    accepted  by which policy
    chosen    only these of the accepted rows
    """

    counter: Callable[[], Counter]
    accepted: DecapPolicy
    chosen: RowFilter | None


@dataclass(frozen=True)
class Share:
    """What one process has counted of some files: `stats` are of all their records. `opened`: whether any could be."""

    counted: Any
    stats: CaptureStats
    faults: tuple[tuple[str, CaptureError], ...]
    opened: bool


def count_share(asked: Asked, parts: Sequence[Part]) -> Share:
    """What a process does."""
    capture, counter = CaptureSeries(parts, asked.accepted), asked.counter()
    faults: tuple[tuple[str, CaptureError], ...] = ()
    try:
        for _ in count_all(counter, capture, asked.accepted, chosen=asked.chosen):
            pass
    except BrokenFilesError as error:
        faults = error.faults
    opened = capture.container is not None
    return Share(counter.counted(), capture.stats if opened else CaptureStats(), faults, opened)


def count_apart(
    counter: Counter,
    asked: Asked,
    source: Files,
    jobs: int,
    progress: Progress | None = None,
) -> CaptureStats:
    """Have *jobs* processes count a source, into *counter*; the answer is as `Capture.stats` of a pass in one.

    Raises CaptureError if no file can be read at all.
    """
    files = files_to_share(source)
    stats, opened = CaptureStats(), False
    faults: list[tuple[str, CaptureError]] = []
    size, taken = sum(file.size for file in files), 0
    try:
        for pack, share in shared_out(partial(count_share, asked), files, jobs):
            counter.merge(share.counted, stats.records)
            stats.add(share.stats)
            faults += share.faults
            opened = opened or share.opened
            taken += pack.size
            if progress is not None:
                progress(taken, size)
    except Stopped as error:
        if not opened:
            raise
        stats.error = error
        return stats
    if faults:
        stats.error = broken_files(faults) if isinstance(files_of(source), tuple) else faults[0][1]
        if not opened:
            raise stats.error
    return stats

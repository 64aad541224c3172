"""The figures of docs/performance.md out of the records of a run."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import svg
from benchmarks.bulk import fixed, grid
from benchmarks.bulk.cell import Record

_ROWS = 4096
_BARS = (
    grid.ENCAP,
    grid.ENCAP_FRESH,
    grid.ENCAP_TABLE,
    grid.ENCAP_IN_PLACE,
    grid.ENCAP_HEADERS,
    grid.ENCAP6,
    grid.DECAP_BRIEF,
    grid.DECAP,
    grid.DECAP_FRESH,
    grid.DECAP_CHECKED,
    grid.DECAP6,
)
_FLOORS = (grid.COPY, grid.COPY_FRESH, grid.SUM)
_LINES = (grid.COPY, grid.ENCAP, grid.DECAP_BRIEF, grid.DECAP)


def figures(records: Sequence[Record]) -> dict[str, str]:
    """SVG texts by name, of those figures that the records have something for."""
    drawn = {}
    speeds = _speeds(records)
    if speeds:
        title = f"Bulk work beside copying its frames in C, batches of {_ROWS:,}"
        axis = "times as fast as copying the inner frames; with UDP checksums: as copying and adding them up"
        drawn["bulk-floor"] = svg.bars(title, axis, speeds)
    costs = _costs(records)
    if costs:
        title = f"What a frame of {fixed.SIZE} bytes costs, by batch size"
        drawn["bulk-calls"] = svg.lines(title, "frames in a batch", "ns a frame", costs)
    return drawn


def _speeds(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Ratio to the floor by job and frame size."""
    found: dict[str, dict[str, float]] = {}
    for job in _BARS:
        for record in records:
            if (record.section, record.rows, record.job) == (grid.SECTION, _ROWS, job) and record.base in _FLOORS:
                found.setdefault(job, {})[_unit(record.frames)] = record.ratio
    return found


def _unit(size: str) -> str:
    return f"{size} bytes" if size.isdigit() else size


def _costs(records: Sequence[Record]) -> dict[str, list[tuple[float, float]]]:
    """Nanoseconds a frame by job and batch size; calls of one frame are in a section of their own."""
    found: dict[str, list[tuple[float, float]]] = {}
    for job in _LINES:
        mine = [record for record in records if record.job == job and record.frames == fixed.SIZE]
        if mine:
            found[job] = sorted({float(record.rows): record.frame_ns for record in mine}.items())
    return found

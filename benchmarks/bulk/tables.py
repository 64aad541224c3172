"""Records as tables in markdown, for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.bulk import fixed, grid, mixed, threads
from benchmarks.bulk.cell import Record
from benchmarks.bulk.goals import Goal

_TITLES = {
    fixed.SECTION: "The cost of a call",
    mixed.SECTION: "Mixed frames, beside the struct loop",
    threads.SECTION: "Two threads beside one",
}
_Cells = Mapping[tuple[tuple[str, ...], int], str]
_HEADS = ("job", "beside", "frames", "rows", "ns a call", "frames/s", "speed")


def report(records: Sequence[Record], wanted: Iterable[Goal]) -> str:
    """All the tables of a run."""
    lines: list[str] = []
    of_rows = [record for record in records if record.section == grid.SECTION]
    for size in dict.fromkeys(record.frames for record in of_rows):
        mine = [record for record in of_rows if record.frames == size]
        lines += [f"### {_title(size)}", "", *_times(mine), "", *_ratios(mine), ""]
    for section, title in _TITLES.items():
        mine = [record for record in records if record.section == section]
        if mine:
            lines += [f"### {title}", "", *_table(3, _HEADS, map(_line, mine)), ""]
    return "\n".join([*lines, "### Goals", "", *_goals(records, wanted)])


def _title(size: str) -> str:
    return f"Inner frames of {size} bytes" if size.isdigit() else f"Inner frames: {size}"


def _times(records: Sequence[Record]) -> list[str]:
    """Nanoseconds a frame, by job and batch size."""
    cells: _Cells = {((record.job,), record.rows): f"{record.frame_ns:,.1f}" for record in records}
    return _by_rows(("ns a frame, in batches of",), cells)


def _ratios(records: Sequence[Record]) -> list[str]:
    """Ratios to the bases with their intervals, by job and batch size."""
    compared = [record for record in records if record.job != record.base]
    cells: _Cells = {((record.job, record.base), record.rows): _interval(record) for record in compared}
    return _by_rows(("speed, in batches of", "beside"), cells)


def _by_rows(heads: Sequence[str], cells: _Cells) -> list[str]:
    """A line for each key, a column for each batch size."""
    counts = dict.fromkeys(count for _, count in cells)
    keys = dict.fromkeys(key for key, _ in cells)
    body = ((*key, *(cells[key, count] for count in counts)) for key in keys)
    return _table(len(heads), (*heads, *(f"{count:,}" for count in counts)), body)


def _line(record: Record) -> tuple[str, ...]:
    """A record by itself."""
    base, speed = (record.base, _interval(record)) if record.base != record.job else ("", "")
    rate = 1e9 / record.frame_ns
    return record.job, base, record.frames, f"{record.rows:,}", f"{record.call_ns:,.0f}", f"{rate:,.0f}", speed


def _interval(record: Record) -> str:
    return f"{record.ratio:.3g} ({record.low:.3g} to {record.high:.3g})"


def _goals(records: Sequence[Record], wanted: Iterable[Goal]) -> list[str]:
    """Those goals that the run looked at."""
    body = []
    for goal in wanted:
        measured = goal.measured(records)
        if measured is not None:
            body.append((goal.text, goal.bound, f"{measured:.2f}", "yes" if goal.met(measured) else "no"))
    return _table(2, ("goal", "wanted", "measured", "met"), body)


def _table(texts: int, heads: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """So many columns of text, and behind them numbers."""
    kinds = "|---" * texts + "|---:" * (len(heads) - texts) + "|"
    return [_row(heads), kinds, *map(_row, body)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

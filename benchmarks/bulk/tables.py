"""Records as tables in markdown, for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmarks.bulk import fixed, grid, mixed, threads
from benchmarks.bulk.cell import Record
from benchmarks.bulk.goals import Goal

_Cells = Mapping[tuple[tuple[str, ...], int], str]


def report(records: Sequence[Record], wanted: Iterable[Goal]) -> str:
    """All the tables of a run, each under its heading."""
    sections: dict[str, list[Record]] = {}
    for record in records:
        sections.setdefault(record.section, []).append(record)
    lines = [*_by_size(sections.get(grid.SECTION, ()))]
    if fixed.SECTION in sections:
        lines += ["### The cost of a call", "", *_costs(sections[fixed.SECTION]), ""]
    if mixed.SECTION in sections:
        lines += ["### Mixed frames beside the struct loop", "", *_rates(sections[mixed.SECTION]), ""]
    if threads.SECTION in sections:
        lines += ["### Two threads beside one", "", *_rates(sections[threads.SECTION]), ""]
    found = [(goal, measured) for goal in wanted if (measured := goal.measured(records)) is not None]
    if found:
        lines += ["### Goals", "", *_goals(found)]
    return "\n".join(lines)


def _by_size(records: Sequence[Record]) -> Iterator[str]:
    for size in dict.fromkeys(record.frames for record in records):
        mine = [record for record in records if record.frames == size]
        heading = f"Inner frames of {size} bytes" if size.isdigit() else f"Inner frames: {size}"
        yield from (f"### {heading}", "", *_times(mine), "", *_ratios(mine), "")


def _times(records: Sequence[Record]) -> list[str]:
    """Nanoseconds a frame, by job and batch size."""
    cells: _Cells = {((record.job,), record.rows): f"{record.frame_ns:,.1f}" for record in records}
    return _by_rows(("ns a frame, in batches of",), cells)


def _ratios(records: Sequence[Record]) -> list[str]:
    """Ratios to the bases with their intervals, by job and batch size."""
    compared = [record for record in records if not record.is_base]
    cells: _Cells = {((record.job, record.base), record.rows): _interval(record) for record in compared}
    return _by_rows(("speed, in batches of", "beside"), cells)


def _by_rows(heads: Sequence[str], cells: _Cells) -> list[str]:
    """A line for each key, a column for each batch size."""
    counts = dict.fromkeys(count for _, count in cells)
    keys = dict.fromkeys(key for key, _ in cells)
    body = ((*key, *(cells[key, count] for count in counts)) for key in keys)
    return table(len(heads), (*heads, *(f"{count:,}" for count in counts)), body)


def _costs(records: Sequence[Record]) -> list[str]:
    """Times of calls, and how many times those of their bases they are."""
    heads = ("job", "beside", "rows", "ns a call", "times as long")
    body = (
        (record.job, "", f"{record.rows:,}", f"{record.call_ns:,.0f}", "")
        if record.is_base
        else (record.job, record.base, f"{record.rows:,}", f"{record.call_ns:,.0f}", f"{1 / record.ratio:.2f}")
        for record in records
    )
    return table(2, heads, body)


def _rates(records: Sequence[Record]) -> list[str]:
    """Frames per second, and ratios to the bases."""
    heads = ("job", "beside", "frames", "rows", "frames/s", "speed")
    body = (
        (
            record.job,
            "" if record.is_base else record.base,
            record.frames,
            f"{record.rows:,}",
            f"{1e9 / record.frame_ns:,.0f}",
            "" if record.is_base else _interval(record),
        )
        for record in records
    )
    return table(3, heads, body)


def _interval(record: Record) -> str:
    return f"{record.ratio:.3g} ({record.low:.3g} to {record.high:.3g})"


def _goals(found: Sequence[tuple[Goal, float]]) -> list[str]:
    """Goals, and what the run says of them."""
    body = (
        (goal.text, goal.bound, f"{measured:.2f}", "yes" if goal.met(measured) else "no") for goal, measured in found
    )
    return table(2, ("goal", "wanted", "measured", "met"), body)


def table(texts: int, heads: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """So many columns of text, and behind them numbers."""
    kinds = "|---" * texts + "|---:" * (len(heads) - texts) + "|"
    return [_row(heads), kinds, *map(_row, body)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

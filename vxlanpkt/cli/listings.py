"""What verbs that list rows have in common: options, times and sizes for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

import click
from rich.text import Text

from vxlanpkt.analysis.tables import Table
from vxlanpkt.cli.output import PlainConsole, print_json
from vxlanpkt.errors import CaptureError

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T", bound="Table[Any]")

SHOWN_ROWS = 20
_ENDLESS = 100_000  # columns of what is no terminal: nothing is wrapped there
_GAP = "  "
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def listing_options(command: _F) -> _F:
    """--top, --sort, --json, --csv."""
    for option in (
        click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--sort", "by", type=click.Choice(["bytes", "packets", "first"]), default="bytes",
                     show_default=True, help="Most bytes or packets first, or the earliest first."),
        click.option("--top", "count", type=click.IntRange(1), metavar="N",
                     help=f"Only the first N rows.  [default: {SHOWN_ROWS}; all with --json and --csv]"),
    ):  # fmt: skip
        command = option(command)
    return command


def shown_rows(table: _T, count: int | None, by: str, as_json: bool, as_csv: bool) -> _T:
    """The rows that are asked for, in their order."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two ways to print the same")
    return table.top(count or (len(table) if as_json or as_csv else SHOWN_ROWS), by)


def print_rows_as_json(name: str, table: Table[Any], fault: CaptureError | None) -> None:
    """The rows, what the pass counted, and the fault of the file."""
    print_json({**table.stats.as_dict(), name: table.to_dicts(), "error": None if fault is None else str(fault)})


def print_rows_as_csv(table: Table[Any]) -> None:
    """A line for each row, under the names of the columns."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(table.names)
    for row in table.to_dicts():
        writer.writerow(" ".join(map(str, value)) if isinstance(value, tuple) else value for value in row.values())


def print_rows(
    columns: Sequence[str], right: str, rows: Sequence[Sequence[str]], spared: Iterable[str], *notes: str
) -> None:
    """A table for people; *right* has an r for each column that is aligned right.

    Where there is no room for all, the columns *spared* are left out, one after the other.
    """
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = PlainConsole(highlight=False, width=None if known else _ENDLESS)
    kept = list(range(len(columns)))
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    left: list[str] = []
    for name in spared:
        if sum(widths[at] + len(_GAP) for at in kept) - len(_GAP) > console.width:
            kept = [at for at in kept if columns[at] != name]
            left.append(name)
    for row in (columns, *rows) if rows else ():
        cells = (row[at].rjust(widths[at]) if right[at] == "r" else row[at].ljust(widths[at]) for at in kept)
        console.print(Text(_GAP.join(cells).rstrip(), "bold" if row is columns else ""), soft_wrap=True)
    if left:
        notes = (*notes, f"no room for: {', '.join(left)}; see --csv")
    for note in notes:
        click.echo(note)


def left_out(table: Table[Any], shown: Table[Any]) -> tuple[str, ...]:
    """That there are more rows than are shown."""
    return (f"{len(table) - len(shown):,} more are not shown: --top",) if len(shown) < len(table) else ()


def size(count: int) -> str:
    """Bytes in the unit in which they have at most three digits before the point."""
    value, unit = float(count), 0
    while value >= 999.95 and unit < len(_BYTE_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_BYTE_UNITS[unit]}" if unit else f"{count} B"


def duration(nanoseconds: int | None) -> str:
    """Seconds, down to milliseconds."""
    return "" if nanoseconds is None else f"{nanoseconds / 1e9:,.3f} s"


def time(timestamp_ns: int | None) -> str:
    """A time as ISO 8601 has it, in UTC, down to microseconds."""
    if timestamp_ns is None:
        return ""
    seconds, nanoseconds = divmod(timestamp_ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"{seconds}.{nanoseconds // 1000:06}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds // 1000:06}Z"

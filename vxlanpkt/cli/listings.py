"""What verbs that list rows have in common: options, times and sizes for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click
from rich.text import Text

from vxlanpkt.analysis.tables import Table
from vxlanpkt.analysis.words import counted
from vxlanpkt.capture import CaptureStats
from vxlanpkt.cli.json_output import print_json
from vxlanpkt.cli.output import PlainConsole, any_accepted, choice, not_understood, nothing_accepted, of_records
from vxlanpkt.errors import CaptureError
from vxlanpkt.filters import Filter

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


def refuse_two_formats(as_json: bool, as_csv: bool) -> None:
    """Refuse a call that asks for both, before anything is read."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two ways to print the same")


def shown_rows(table: _T, count: int | None, by: str, of_all: bool) -> _T:
    """The rows that are asked for, in their order; *of_all*: all of them where nothing is said."""
    return table.top(count or (len(table) if of_all else SHOWN_ROWS), by)


def print_rows_as_json(name: str, table: Table[Any], shown: Table[Any], fault: CaptureError | None) -> None:
    """The rows that are shown, how many there are, what the pass counted, and the fault of the file."""
    print_json({
        **table.stats.as_dict(), "rows": len(table), name: shown.to_dicts(),
        "error": None if fault is None else str(fault),
    })  # fmt: skip


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
    console = listing_console()
    lines, left = fitted(columns, right, rows, spared, console.width)
    for line in lines if rows else ():
        console.print(line, soft_wrap=True)
    if left:
        notes = (*notes, f"no room for: {', '.join(left)}; see --csv")
    for note in notes:
        click.echo(note)


def listing_console() -> PlainConsole:
    """A console on standard output, as wide as that is: what is no terminal has no end."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return PlainConsole(highlight=False, width=None if known else _ENDLESS)


def fitted(
    columns: Sequence[str], right: str, rows: Sequence[Sequence[str]], spared: Iterable[str], width: int
) -> tuple[list[Text], list[str]]:
    """The lines of a table, the head first, and which of the columns *spared*, with values, *width* has no room for."""
    kept = list(range(len(columns)))
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    left: list[str] = []
    for at in (columns.index(name) for name in spared if name in columns):
        if sum(widths[other] + len(_GAP) for other in kept) - len(_GAP) > width:
            kept.remove(at)
            left += [columns[at]] if any(row[at] for row in rows) else []
    lines = []
    for row in (columns, *rows):
        cells = (row[at].rjust(widths[at]) if right[at] == "r" else row[at].ljust(widths[at]) for at in kept)
        lines.append(Text(_GAP.join(cells).rstrip(), "bold" if row is columns else ""))
    return lines, left


def summary(what: str, table: Table[Any], vnis: Sequence[int], chosen: Filter | None) -> str:
    """How many rows of how many packets, what was chosen, and out of how many records."""
    rows, packets = counted(len(table), what), counted(table.packets, "packet")
    return f"{rows} of {packets}{choice(vnis, chosen)}; {of_records(table.stats, vnis)}"


def remarks(table: Table[Any], shown: Table[Any]) -> list[str]:
    """What else there is to say of a table: rows that are not shown, packets that were cut, why there is nothing."""
    lines = left_out(table, shown)
    if table.cut.packets:
        lines.append(f"the capture cut {table.cut.packets:,} of these packets: bytes are those on the wire")
    return lines if len(table) else [*lines, *_nothing(table.stats)]


def _nothing(stats: CaptureStats) -> list[str]:
    """Why there is nothing, where no record is accepted."""
    return [*not_understood(stats), *nothing_accepted(stats)] if not any_accepted(stats) else []


def left_out(table: Table[Any], shown: Table[Any]) -> list[str]:
    """That there are more rows than are shown."""
    return [f"{len(table) - len(shown):,} more are not shown: --top"] if len(shown) < len(table) else []


def size(count: int) -> str:
    """Bytes in the unit in which they have at most three digits before the point."""
    value, unit = float(count), 0
    while value >= 999.95 and unit < len(_BYTE_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_BYTE_UNITS[unit]}" if unit else f"{count} B"


def duration(nanoseconds: int | None) -> str:
    """Seconds, down to milliseconds."""
    return "" if nanoseconds is None else f"{nanoseconds / 1e9:,.3f} s"

"""What verbs print: tables of a pass over a capture, JSON, and progress on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vxlanpkt.capture import CaptureStats, Record
from vxlanpkt.errors import REASONS, Reason

Report = Callable[[int, "int | None"], None]


class PlainConsole(Console):
    """A console that leaves a closed pipe to the caller."""

    def on_broken_pipe(self) -> None:
        """Raise what rich would have ended the program for."""
        raise BrokenPipeError


def print_json(value: Any, *, to_stderr: bool = False) -> None:
    """One object on a line."""
    click.echo(as_line(value), err=to_stderr)


def as_line(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value)


def print_stats(stats: CaptureStats, *, to_stderr: bool = False) -> None:
    """The VNIs with what was in them, and what became of every record."""
    console = PlainConsole(stderr=to_stderr, highlight=False)
    vnis = Table("VNI", "packets", "inner bytes", title="VNIs", title_justify="left", title_style="bold")
    _align_right(vnis, 0, 1, 2)
    for vni, seen in sorted(stats.vnis.items()):
        vnis.add_row(str(vni), f"{seen.packets:,}", f"{seen.inner_bytes:,}")
    reasons = Table("reason", "records", "meaning", title="Records", title_justify="left", title_style="bold")
    _align_right(reasons, 1)
    for reason, count in sorted(stats.reasons.items()):
        reasons.add_row(reason.name, f"{count:,}", meaning(reason))
    for link_type, count in sorted(stats.unsupported_link_types.items()):
        reasons.add_row("", f"{count:,}", f"of NOT_VXLAN: link type {link_type} is not understood", style="dim")
    if stats.vnis:
        console.print(vnis)
    console.print(reasons)
    console.print(f"{stats.records:,} records, {stats.vxlan:,} VXLAN")


def headline(number: int, record: Record) -> str:
    """The number, time and length of a record."""
    cut = f" of {record.original_length}" if record.original_length != len(record.data) else ""
    return f"#{number}  {_time(record.timestamp_ns)}  {len(record.data)}{cut} bytes"


def _time(timestamp_ns: int | None) -> str:
    if timestamp_ns is None:
        return "no time"
    seconds, nanoseconds = divmod(timestamp_ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"{seconds}.{nanoseconds:09}"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{nanoseconds:09} UTC"


def meaning(reason: Reason) -> str:
    """What a reason says, for people."""
    return "accepted" if reason is Reason.OK else REASONS[reason].text


def _align_right(table: Table, *columns: int) -> None:
    for column in columns:
        table.columns[column].justify = "right"


@contextmanager
def progress_bar(what: str) -> Iterator[Report | None]:
    """A progress bar on standard error if that is a terminal, else None."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)

        def report(done: int, size: int | None) -> None:
            progress.update(task, completed=done, total=size)

        yield report

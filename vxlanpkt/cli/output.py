"""What verbs print of a pass over a capture: tables, and what is said of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone

from rich.console import Console
from rich.table import Table

from vxlanpkt.analysis.words import counted
from vxlanpkt.assigned import UDPPort
from vxlanpkt.capture import CaptureStats, Record
from vxlanpkt.errors import Reason
from vxlanpkt.filters import Filter
from vxlanpkt.reasons import REASONS

_GPE_PORT = int(UDPPort.VXLAN_GPE)


class PlainConsole(Console):
    """A console that leaves a closed pipe to the caller."""

    def on_broken_pipe(self) -> None:
        """Raise what rich would have ended the program for."""
        raise BrokenPipeError


def print_stats(
    stats: CaptureStats, *, vnis: Sequence[int] = (), listed: Sequence[int] | None = None, to_stderr: bool = False
) -> None:  # fmt: skip
    """The VNIs with what was in them, and what became of every record.

    *vnis*: those that were chosen; *listed*: those that the table has, in this order, if not all.
    """
    console = PlainConsole(stderr=to_stderr, highlight=False)
    table = Table("VNI", "packets", "inner bytes captured", title="VNIs", title_justify="left", title_style="bold")
    _align_right(table, 0, 1, 2)
    for vni in sorted(stats.vnis) if listed is None else listed:
        seen = stats.vnis[vni]
        table.add_row(str(vni), f"{seen.packets:,}", f"{seen.inner_bytes:,}")
    reasons = Table("reason", "records", "meaning", title="Records", title_justify="left", title_style="bold")
    _align_right(reasons, 1)
    for reason, count in sorted(stats.reasons.items()):
        reasons.add_row(reason.name, f"{count:,}", meaning(reason))
    for link_type, count in sorted(stats.unsupported_link_types.items()):
        reasons.add_row("", f"{count:,}", f"of NOT_VXLAN: link type {link_type} is not understood", style="dim")
    if stats.vnis:
        console.print(table)
    console.print(reasons)
    console.print(of_records(stats, vnis))


def of_records(stats: CaptureStats, vnis: Sequence[int] = ()) -> str:
    """How many records of how many were accepted, and how many were not for being of other VNIs than *vnis*."""
    others = stats.reasons.get(Reason.VNI_REFUSED, 0) if vnis else 0
    refused = f", {others:,} of other VNIs" if others else ""
    return f"{stats.vxlan:,} of {stats.records:,} records accepted{refused}"


def choice(vnis: Sequence[int], chosen: Filter | None) -> str:
    """What was chosen, behind a comma; nothing where it is everything."""
    parts = [f"VNI {', '.join(map(str, vnis))}"] if vnis else []
    parts += [] if chosen is None else [f"'{chosen.text}'"]
    return f", of {' and '.join(parts)}" if parts else ""


def not_understood(stats: CaptureStats) -> list[str]:
    """Which link types nothing is known of."""
    return [
        f"{counted(count, 'record is', 'records are')} of link type {number}, which is not understood"
        for number, count in sorted(stats.unsupported_link_types.items())
    ]


def any_accepted(stats: CaptureStats) -> bool:
    """Whether a record is accepted, or would be if its VNI had been asked for."""
    return bool(stats.vxlan or stats.reasons.get(Reason.VNI_REFUSED))


def nothing_accepted(stats: CaptureStats) -> list[str]:
    """Where it is told why no record is accepted, unless that is for their link types."""
    if any_accepted(stats) or stats.unsupported_link_types.total() == stats.records:
        return []
    return ["no record is accepted: vxlanpkt info says why"]


def ports_met(udp_ports: Counter[int], gpe: bool) -> str:
    """What to try where nothing is VXLAN: the ports that datagrams go to."""
    ports = ", ".join(f"{port} ({count:,})" for port, count in udp_ports.most_common(3))
    told = f"the commonest UDP destination ports are {ports}: if one carries it, --port N"
    return f"{told}; {_GPE_PORT} is that of VXLAN-GPE: --gpe" if _GPE_PORT in udp_ports and not gpe else told


def headline(number: int, record: Record) -> str:
    """The number, time and length of a record."""
    captured, original = len(record.data), record.original_length
    cut = f" of {original}" if original > captured else ""
    odd = f", though the record says {original}" if original < captured else ""
    return f"#{number}  {_time(record.timestamp_ns)}  {captured}{cut} bytes{odd}"


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

"""What `vxlanpkt explain` prints: verdicts side by side, what the reasons mean, and the same as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vxlanpkt.capture import Record
from vxlanpkt.capture.verdicts import VerdictCounts, VerdictGroup, udp_port
from vxlanpkt.cli.output import PlainConsole, headline, meaning, ports_met
from vxlanpkt.errors import Reason
from vxlanpkt.explanation import REMEDIES, Change, Explanation, OfFrame, Verdict
from vxlanpkt.link_types import LinkType
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.reasons import REASONS

_ENDLESS = 100_000  # columns of what is no terminal: nothing is wrapped or shortened there
_LONGEST_NAME = 20  # of the reasons that are met: longer ones push the rest of a line aside
_NUMBER_WIDTH = 8
_MORE = ("needed", "available", "limited_by", "field", "value", "expected", "found")

Style = bool
"""Whether reasons are called by their names; by their numbers where these have no room."""


def _console() -> PlainConsole:
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return PlainConsole(highlight=False, width=None if known else _ENDLESS)


def _print(console: PlainConsole, *parts: RenderableType) -> None:
    """Print, without the spaces that tables have at the ends of their lines where there is no terminal."""
    if console.is_terminal:
        console.print(*parts)
        return
    with console.capture() as captured:
        console.print(*parts)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


# -- by groups


def print_groups(counts: VerdictCounts, groups: Sequence[VerdictGroup], hidden: int, agreed: int) -> None:
    """A line for each group of records of which every policy says the same; then what the reasons mean."""
    console = _console()
    if groups:
        named = _width_with_names(counts, groups) <= console.width
        table = _group_table(console, counts, groups, named)
        if table is None:
            _print_stacked(groups)
        else:
            _print(console, table)
        named = named or table is None
        print_reasons(groups, named)
        click.echo()
    print_totals(counts, hidden, agreed)


def _width_with_names(counts: VerdictCounts, groups: Sequence[VerdictGroup]) -> int:
    numbers = max(len(_numbers(group, _ENDLESS)) for group in groups)
    cells = (max(len(name), *(len(_word(group.reasons[name], True)) for group in groups)) for name in counts.policies)
    return _NUMBER_WIDTH + 2 + numbers + sum(2 + width for width in cells)


def _group_table(
    console: PlainConsole, counts: VerdictCounts, groups: Sequence[VerdictGroup], named: Style
) -> Table | None:  # fmt: skip
    """The verdicts side by side; None where the names of the policies have no room for that."""
    gap = 2 if named else 1
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)
    table.add_column("packets", justify="right", no_wrap=True)
    left = max(7, *(len(f"{group.count:,}") for group in groups)) + gap
    policies = sum(len(name) + gap for name in counts.policies)
    room = _ENDLESS if named else max(console.width - left - policies - gap, 5)
    numbers = [_numbers(group, room) for group in groups]
    table.add_column("first", no_wrap=True)
    left += max(5, *map(len, numbers)) + gap
    if not named and left + policies - gap > console.width:
        return None
    for name in counts.policies:
        table.add_column(name)
    for group, first in zip(groups, numbers, strict=True):
        cells = (_cell(reason, named) for reason in group.reasons.values())
        table.add_row(f"{group.count:,}", first, *cells)
    return table


def _print_stacked(groups: Sequence[VerdictGroup]) -> None:
    """A policy a line, for narrow terminals."""
    for group in groups:
        click.echo(f"{group.count:,} packets: {_numbers(group, 20)}")
        width = max(map(len, group.reasons))
        for name, reason in group.reasons.items():
            click.echo(f"  {name:{width}}  {_word(reason, True)}")


def _numbers(group: VerdictGroup, room: int) -> str:
    """The numbers of the first records, as many as there is room for."""
    shown = [str(number) for number in group.numbers]
    while True:
        text = " ".join((*shown, *(("..",) if group.count > len(shown) else ())))
        if len(text) <= room or len(shown) == 1:
            return text
        shown.pop()


def _word(reason: Reason, named: Style) -> str:
    if reason is Reason.OK:
        return "ok"
    return reason.name if named else str(int(reason))


def _cell(reason: Reason, named: Style) -> Text:
    return Text(_word(reason, named), "green" if reason is Reason.OK else "red")


def print_reasons(groups: Sequence[VerdictGroup], named: Style) -> None:
    """What each reason that was met means, and what decides it."""
    reasons = _met(groups)
    if not reasons:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    if not named:
        table.add_column(justify="right")
    table.add_column(no_wrap=True)
    table.add_column()
    for reason in reasons:
        number = () if named else (Text(str(int(reason)), "red"),)
        table.add_row(*number, Text(reason.name, "red"), _lines(meaning(reason), _decided_by(reason, groups)))
    click.echo()
    _print(_console(), table)


def _lines(first: str, *others: str) -> Group:
    return Group(*(Text(line, "dim" if line in others else "", overflow="fold") for line in (first, *others) if line))


def _met(groups: Sequence[VerdictGroup]) -> list[Reason]:
    return sorted({reason for group in groups for reason in group.reasons.values()} - {Reason.OK})


def _decided_by(reason: Reason, groups: Sequence[VerdictGroup]) -> str:
    """The parameter that decides a reason, and what else is known to help."""
    calls, remedy = " or ".join(map(_as_call, _helpful(reason, groups))), REMEDIES[reason]
    if calls and remedy.only:
        calls += f" for {remedy.only}"
    return ": ".join(part for part in (calls, remedy.hint) if part)


def _helpful(reason: Reason, groups: Sequence[VerdictGroup]) -> tuple[Change, ...]:
    """The changes that help some of these records: of fragments, those that are whole."""
    if reason is Reason.FRAGMENT and not any(group.atomic for group in groups):
        return ()
    return REMEDIES[reason].changes


def _as_call(change: Change) -> str:
    return "--port N" if isinstance(change.value, OfFrame) else f"DecapPolicy({change})"


def print_totals(counts: VerdictCounts, hidden: int, agreed: int) -> None:
    """How many records there were, and how many of them each policy accepts."""
    console = _console()
    # No line is broken between a name and its number.
    items = [f"{name}\0{count:,}" for name, count in counts.accepted.items()]
    lines = [f"{counts.records:,} packets; accepted by {', '.join(items)}"]
    if hidden:
        lines.append(f"{hidden:,} not listed, as they are VXLAN to no policy: see --all")
    if agreed:
        lines.append(f"{agreed:,} not listed, as the policies agree on them: --only-differing")
    if counts.cut:
        lines.append(f"{counts.cut:,} accepted though the capture cut them: their checksums cannot be verified")
    if counts.udp_ports and not counts.any_vxlan:
        understood = any(policy.gpe for policy in counts.policies.values())
        lines.append(f"no packet is VXLAN; {ports_met(counts.udp_ports, understood)}")
    lines += [
        f"{count:,} of link type {number}, which is not understood"
        for number, count in sorted(counts.unsupported_link_types.items())
    ]
    for line in lines:
        click.echo("\n".join(wrap(line, console.width, break_on_hyphens=False)).replace("\0", " "))


# -- record by record


class Lines:
    """A line for each record, all laid out alike."""

    def __init__(self, policies: Mapping[str, DecapPolicy]) -> None:
        wide = [max(len(name), _LONGEST_NAME) for name in policies]
        self.named: Style = _NUMBER_WIDTH + sum(2 + width for width in wide) <= _console().width
        self._widths = wide if self.named else [max(len(name), 2) for name in policies]
        self._gap = "  " if self.named else " "
        self.heading = self.line("packet", self._padded(policies))

    def cells(self, reasons: Iterable[Reason]) -> str:
        """What stands in a line behind the number."""
        return self._padded(_word(reason, self.named) for reason in reasons)

    def line(self, number: int | str, cells: str) -> str:
        """One record."""
        return f"{number:<{_NUMBER_WIDTH}}{self._gap}{cells}"

    def unknown(self, number: int, link_type: int) -> str:
        """A record that nothing is known of."""
        return self.line(number, f"link type {link_type} is not understood")

    def _padded(self, cells: Iterable[str]) -> str:
        padded = (f"{cell:{width}}" for cell, width in zip(cells, self._widths, strict=True))
        return self._gap.join(padded).rstrip()


# -- one record in full


def print_explanation(title: str, explanation: Explanation) -> None:
    """Each verdict with the whole sentence of the error, policies that say the same together."""
    alike: dict[tuple[Reason, str, str], list[str]] = {}
    for name, verdict in explanation.items():
        alike.setdefault((verdict.reason, verdict.text, _with_changes(verdict)), []).append(name)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    hinted: set[Reason] = {Reason.NOT_VXLAN} if not any(map(_is_datagram, explanation.values())) else set()
    for (reason, text, changes), names in alike.items():
        hint = "" if reason is Reason.OK or reason in hinted else REMEDIES[reason].hint
        hinted.add(reason)
        lines = [line for line in (text, changes, hint) if line]
        table.add_row(
            _cell(reason, True), Group(Text(", ".join(names), "bold"), *(Text(line, overflow="fold") for line in lines))
        )
    _print(_console(), Text(title), table)


def _is_datagram(verdict: Verdict) -> bool:
    return udp_port(verdict.error) is not None


def _with_changes(verdict: Verdict) -> str:
    changes = ", ".join(f"{name}={value!r}" for name, value in verdict.changes.items())
    return f"accepted with {changes}" if changes else ""


def title_of(number: int, record: Record) -> str:
    """The headline of a record, with the comment that the capture has on it."""
    comment = record.comment
    return headline(number, record) + ("" if comment is None else f"  {comment}")


# -- JSON


def group_as_dict(group: VerdictGroup) -> dict[str, Any]:
    """A group: how many, which, and the verdicts on its first record."""
    return {
        "count": group.count,
        "first": group.numbers,
        "vxlan": group.is_vxlan,
        "disagree": group.disagree,
        "verdicts": verdicts_as_dict(group.explanation, changes=True),
    }


def counts_as_dict(counts: VerdictCounts, groups: Sequence[VerdictGroup], fault: Exception | None) -> dict[str, Any]:
    """A whole capture."""
    return {
        "records": counts.records,
        "not_vxlan": counts.not_vxlan,
        "unsupported_link_types": {str(number): count for number, count in counts.unsupported_link_types.items()},
        "cut": counts.cut,
        "accepted": counts.accepted,
        "groups": [group_as_dict(group) for group in groups],
        "reasons": {reason.name: _reason_as_dict(reason, groups) for reason in _met(groups)},
        "error": None if fault is None else str(fault),
    }


def _reason_as_dict(reason: Reason, groups: Sequence[VerdictGroup]) -> dict[str, Any]:
    return {
        "code": int(reason),
        "text": REASONS[reason].text,
        "parameters": list(dict.fromkeys(change.parameter for change in _helpful(reason, groups))),
        "hint": REMEDIES[reason].hint,
    }


def record_as_dict(
    number: int, record: Record | None, explanation: Explanation | None, *, changes: bool, start: object = None
) -> dict[str, Any]:  # fmt: skip
    """One record; without verdicts if nothing is known of its link type."""
    return {
        "number": number,
        "timestamp_ns": None if record is None else record.timestamp_ns,
        "link_type": record.link_type if record is not None else int(start) if isinstance(start, LinkType) else None,
        "verdicts": None if explanation is None else verdicts_as_dict(explanation, changes=changes),
    }


def verdicts_as_dict(explanation: Explanation, *, changes: bool) -> dict[str, Any]:
    """The verdicts by the names of the policies."""
    return {name: _verdict_as_dict(verdict, changes) for name, verdict in explanation.items()}


def _verdict_as_dict(verdict: Verdict, changes: bool) -> dict[str, Any]:
    error = verdict.error
    said: dict[str, Any] = {"accepted": verdict.accepted, "reason": verdict.reason.name}
    if error is None:
        said |= {"message": None, "layer": None, "offset": None}
    else:
        said |= {"message": verdict.text, "layer": error.layer, "offset": error.offset}
        said |= {name: getattr(error, name) for name in _MORE if hasattr(error, name)}
    if changes:
        said["changes"] = dict(verdict.changes)
    return said

"""`vxlanpkt explain`: which policies accept a frame, which drop it, and why, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

import vxlanpkt
from vxlanpkt.assigned import EtherType
from vxlanpkt.capture import Capture, Record
from vxlanpkt.capture.links import start_of
from vxlanpkt.capture.verdicts import (
    JudgedBatch,
    Statuses,
    VerdictCounts,
    VerdictGroup,
    explained,
    judged_batches,
)
from vxlanpkt.cli.hexdump import HexError, frame_of
from vxlanpkt.cli.json_output import as_line, print_json
from vxlanpkt.cli.named_frames import frame_option, named_records
from vxlanpkt.cli.options import (
    POLICIES,
    POLICY_NAME,
    json_option,
    lengths_option,
    perhaps_read_option,
    policy_of,
    port_option,
    vni_option,
)
from vxlanpkt.cli.progress import progress_bar
from vxlanpkt.cli.signals import at_once
from vxlanpkt.cli.verdicts import (
    Lines,
    counts_as_dict,
    print_explanation,
    print_groups,
    print_reasons,
    print_totals,
    record_as_dict,
    title_of,
)
from vxlanpkt.errors import CaptureError
from vxlanpkt.explanation import explain
from vxlanpkt.layers.vxlan import VXLAN
from vxlanpkt.link_types import LinkType
from vxlanpkt.policy import DecapPolicy

_STARTS: dict[str, LinkType | type[VXLAN]] = {
    **{link_type.name.lower().replace("_", "-"): link_type for link_type in LinkType},
    "vxlan": VXLAN,
}


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What is to be explained, and how much of it."""

    policies: dict[str, DecapPolicy]
    everything: bool
    only_differing: bool
    as_json: bool
    count: int | None
    of_presets: bool
    counts: VerdictCounts = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", VerdictCounts(self.policies, of_presets=self.of_presets))

    def wants(self, group: VerdictGroup) -> bool:
        """Whether a group is listed."""
        if not (group.is_vxlan or self.everything):
            return False
        return group.disagree or not self.only_differing

    @property
    def groups(self) -> list[VerdictGroup]:
        """The groups that are listed, the largest first."""
        wanted = filter(self.wants, self.counts.groups.values())
        return sorted(wanted, key=lambda group: (-group.count, group.numbers[0]))

    @property
    def hidden(self) -> int:
        """How many records are not listed for not being VXLAN."""
        return 0 if self.everything else sum(
            group.count for group in self.counts.groups.values() if not group.is_vxlan
        )  # fmt: skip

    @property
    def agreed(self) -> int:
        """How many records are not listed for being the same to all policies."""
        listed = sum(group.count for group in self.groups)
        return sum(group.count for group in self.counts.groups.values()) - listed - self.hidden

    def refuse(self, option: str, **others: object) -> None:
        """Refuse the options that *option* leaves nothing to do for."""
        own = {"-c": self.count, "--only-differing": self.only_differing, "--all": self.everything}
        for name, given in {**{f"--{other}": value for other, value in others.items()}, **own}.items():
            if given:
                what = "is one frame" if option == "--hex" else "names the packets"
                raise click.UsageError(f"{name} is for whole captures: {option} {what}")


@click.command("explain")
@perhaps_read_option
@click.option(
    "--hex", "text", metavar="TEXT",
    help="One frame in hexadecimal instead of a capture: digits, or a dump as of tcpdump -xx, tshark -x, xxd; "
    "- is stdin.",
)  # fmt: skip
@click.option("--link-type", type=click.Choice(tuple(_STARTS)), help="What --hex begins with.  [default: ethernet]")
@click.option(
    "--policy", "names", type=POLICY_NAME, multiple=True,
    help="Only this policy; may be repeated.  [default: all]",
)  # fmt: skip
@port_option
@vni_option
@lengths_option
@frame_option("Packet N in full, from 1; may be repeated.")
@click.option("--each", is_flag=True, help="A line for each packet, instead of one for all of the same verdicts.")
@click.option("-c", "count", type=click.IntRange(1), metavar="N", help="Stop after N packets.")
@click.option("--only-differing", is_flag=True, help="Only what some policies accept and others refuse.")
@click.option("--all", "everything", is_flag=True, help="List what is VXLAN to no policy, too.")
@json_option
def explaining(
    source: str | None,
    text: str | None,
    link_type: str | None,
    names: tuple[str, ...],
    ports: tuple[int, ...],
    vnis: tuple[int, ...],
    lengths: str,
    wanted: tuple[int, ...],
    each: bool,
    **how: Any,
) -> None:
    """Say which policies accept a frame, which drop it, and why.

    The policy ovs is the user-space datapath of Open vSwitch; with the kernel's, Open vSwitch decapsulates through a
    device of Linux, for which linux is nearest.
    """
    policies = {name: _policy(name, ports, vnis, lengths) for name in names or POLICIES}
    request = _Request(policies=policies, of_presets=not names, **how)
    if (source is None) == (text is None):
        raise click.UsageError("-r FILE or --hex TEXT: one of them is wanted")
    if text is not None:
        request.refuse("--hex", frame=wanted, each=each)
        _explain_text(request, text, _STARTS[link_type or "ethernet"])
        return
    assert source is not None
    if link_type is not None:
        raise click.UsageError("--link-type is for --hex: a capture says its own")
    if wanted:
        request.refuse("--frame", each=each)
    if request.only_differing and len(policies) == 1:
        raise click.UsageError("--only-differing: one policy alone has none to differ from")
    with vxlanpkt.open(source) as capture:
        if wanted:
            for number, record in named_records(capture, set(wanted)):
                _explain_record(request, number, record)
        elif each:
            _explain_each(request, capture)
        else:
            _explain_groups(request, capture)


def _policy(name: str, ports: tuple[int, ...], vnis: tuple[int, ...], lengths: str) -> DecapPolicy:
    return policy_of(name, False, False, lengths, ports).replace(vnis=vnis or None)


def _explain_text(request: _Request, text: str, start: LinkType | type[VXLAN]) -> None:
    """One frame, from the command line or standard input."""
    try:
        frame = frame_of(_standard_input() if text == "-" else text)
    except HexError as error:
        raise click.UsageError(f"--hex: {error}") from error
    explanation = explain(frame, request.policies, start=start)
    if request.as_json:
        print_json(record_as_dict(1, None, explanation, changes=True, start=start))
        return
    print_explanation(f"{len(frame)} bytes", explanation)
    if start is LinkType.ETHERNET and _is_bare_ip(frame):
        click.echo("the first byte begins an IP header, as tcpdump -x prints it: --link-type raw")


def _is_bare_ip(frame: bytes) -> bool:
    """Whether what was taken for Ethernet has an EtherType that nobody knows, and is a whole IP packet."""
    if len(frame) < 20 or EtherType.name_of(int.from_bytes(frame[12:14], "big")) is not None:
        return False
    if frame[0] >> 4 == 6:
        return 40 + int.from_bytes(frame[4:6], "big") == len(frame)
    size = 4 * (frame[0] & 15)
    return frame[0] >> 4 == 4 and 20 <= size <= int.from_bytes(frame[2:4], "big") <= len(frame)


def _standard_input() -> str:
    with click.open_file("-", errors="replace") as stream:
        return str(stream.read())


def _explain_record(request: _Request, number: int, record: Record) -> None:
    start = start_of(record.link_type)
    explanation = None if start is None else explained(record, request.policies, start)
    if request.as_json:
        print_json(record_as_dict(number, record, explanation, changes=True))
    elif explanation is None:
        click.echo(f"{title_of(number, record)}\nlink type {record.link_type} is not understood\n")
    else:
        print_explanation(title_of(number, record), explanation)
        click.echo()


@contextmanager
def _late_fault(capture: Capture, report: Callable[[CaptureError | None], None]) -> Iterator[None]:
    """Let *report* have its say before a fault of the capture is raised; one in its header leaves nothing to say."""
    fault = None
    try:
        yield
    except CaptureError as error:
        if capture.container is None:
            raise
        fault = error
    report(fault)
    if fault is not None:
        raise fault


def _explain_groups(request: _Request, capture: Capture) -> None:
    """Records of the same verdicts together."""

    def report(fault: CaptureError | None) -> None:
        if request.as_json:
            print_json(counts_as_dict(request.counts, request.groups, fault))
        else:
            print_groups(request.counts, request.groups, request.hidden, request.agreed)

    with _late_fault(capture, report), progress_bar("explaining") as progress:
        batches = judged_batches(capture, request.policies, request.count)
        for batch in batches:
            request.counts.add(batch)
            if progress is not None:
                progress(capture.consumed, capture.size)


def _explain_each(request: _Request, capture: Capture) -> None:
    """Record by record, as soon as they are there if it is a pipe."""
    listing = _Listing(request)
    with _late_fault(capture, listing.finish), at_once():
        for batch in judged_batches(capture, request.policies, request.count):
            request.counts.add(batch)
            listing.print(batch)


class _Listing:
    """A line for each record that is listed."""

    def __init__(self, request: _Request) -> None:
        self._request = request
        self._lines = Lines(request.policies)
        self._pending = [] if request.as_json else [self._lines.heading]
        # What is said of the records of a group is the same for all; None: they are not listed.
        self._known: dict[Statuses, str | None] = {}

    def print(self, batch: JudgedBatch) -> None:
        """The lines of a batch, at once."""
        for number, (record, statuses) in enumerate(zip(batch.records, batch.statuses, strict=True), batch.first):
            line = (
                self._unknown(number, record)
                if batch.start is None
                else self._line(number, record, statuses, batch.start)
            )
            if line is not None:
                self._pending.append(line)
        if self._pending:
            click.echo("\n".join(self._pending))
            self._pending = []

    def _unknown(self, number: int, record: Record) -> str | None:
        if not self._request.everything or self._request.only_differing:
            return None
        if self._request.as_json:
            return as_line(record_as_dict(number, record, None, changes=False))
        return self._lines.unknown(number, record.link_type)

    def _line(self, number: int, record: Record, statuses: Statuses, start: LinkType) -> str | None:
        if statuses not in self._known:
            group = self._request.counts.groups[statuses]
            cells = self._lines.cells(group.reasons.values())
            self._known[statuses] = cells if self._request.wants(group) else None
        cells_or_none = self._known[statuses]
        if cells_or_none is None:
            return None
        if self._request.as_json:
            explanation = explained(record, self._request.policies, start)
            return as_line(record_as_dict(number, record, explanation, changes=False))
        return self._lines.line(number, cells_or_none)

    def finish(self, fault: CaptureError | None) -> None:
        """What the reasons mean, and how many records there were."""
        if self._request.as_json:
            return
        print_reasons(self._request.groups, self._lines.named)
        click.echo()
        print_totals(self._request.counts, self._request.hidden, self._request.agreed)

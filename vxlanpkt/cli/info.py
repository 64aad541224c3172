"""`vxlanpkt info`: what is in a capture: the VNIs, and a count for every reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import click

import vxlanpkt
from vxlanpkt.analysis.cut_packets import CutCounter
from vxlanpkt.analysis.nested import NestedCounter
from vxlanpkt.analysis.passes import Pass
from vxlanpkt.analysis.words import counted
from vxlanpkt.capture import CaptureBatch, CaptureStats
from vxlanpkt.capture.verdicts import PORTS_ASKED, udp_ports
from vxlanpkt.cli.json_output import print_json
from vxlanpkt.cli.nested_hint import nested_hint
from vxlanpkt.cli.options import (
    jobs_option,
    json_option,
    policy_of,
    policy_options,
    port_option,
    several_read_option,
    vni_option,
)
from vxlanpkt.cli.output import ports_met, print_stats
from vxlanpkt.cli.progress import progress_bar
from vxlanpkt.errors import CaptureError, Reason
from vxlanpkt.policy import DecapPolicy

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _Noticed:
    """What is worth knowing of a capture beside its counts."""

    def __init__(self, policy: DecapPolicy) -> None:
        self._policy = policy
        self._cut = CutCounter()
        self._nested = NestedCounter(policy.ports)
        self._elsewhere = (0, 0)
        self._udp_ports: Counter[int] = Counter()
        self._any = False

    @property
    def cut(self) -> int:
        """How many of the accepted packets were cut."""
        return self._cut.cut.packets + self._elsewhere[0]

    @property
    def nested(self) -> int:
        """How many of them hold another tunnel."""
        return self._nested.packets + self._elsewhere[1]

    def add(self, batch: CaptureBatch, selected: Buffer | None = None) -> None:
        """Look at a batch."""
        self._cut.add(batch.result)
        self._nested.add(batch.result)
        self._any = self._any or not _ANY.isdisjoint(bytes(batch.result.status))
        if not self._any and batch.records.first < PORTS_ASKED:
            self._count_ports(batch)

    def counted(self) -> tuple[int, int, bool]:
        """What another process is told."""
        return self.cut, self.nested, self._any

    def merge(self, counted: tuple[int, int, bool], before: int) -> None:
        """Add what another process has seen, but for the UDP ports."""
        cut, nested, found = counted
        self._elsewhere = self._elsewhere[0] + cut, self._elsewhere[1] + nested
        self._any = self._any or found

    def look_at_ports(self, source: str | tuple[str, ...]) -> None:
        """Find the UDP ports that are met first, if nothing is accepted."""
        if not self._any:
            with suppress(CaptureError), vxlanpkt.open(source, policy=self._policy) as capture:
                batches = takewhile(lambda batch: batch.records.first < PORTS_ASKED, capture.decap_batches())
                for batch in batches:
                    self._count_ports(batch)

    def _count_ports(self, batch: CaptureBatch) -> None:
        if batch.start is not None:
            records = batch.records.upto(PORTS_ASKED - batch.records.first)
            self._udp_ports += udp_ports(records, self._policy, batch.start)

    @property
    def udp_ports(self) -> Counter[int]:
        """The UDP ports that were met, if nothing is accepted."""
        return Counter() if self._any else self._udp_ports

    def lines(self, source: str | tuple[str, ...], ports: Sequence[int]) -> list[str]:
        """The same for people."""
        lines = []
        if self.cut:
            lines.append(
                f"the capture cut {self.cut:,} of the accepted packets; vxlanpkt vteps counts the bytes on the wire"
            )
        if self.nested:
            lines.append(nested_hint(self.nested, source, ports))
        if self.udp_ports:
            lines.append(f"no record is accepted; {ports_met(self.udp_ports, bool(self._policy.gpe))}")
        return lines


# What is refused for its VNI alone is on a port that carries VXLAN.
_ANY = frozenset((Reason.OK, Reason.VNI_REFUSED))


@click.command()
@several_read_option
@port_option
@vni_option
@policy_options
@click.option("--top", "count", type=click.IntRange(1), metavar="N", help="Only the first N VNIs.  [default: all]")
@click.option("--sort", "by", type=click.Choice(["vni", "packets", "bytes"]), default="vni", show_default=True,
              help="VNIs by their numbers, or those of most packets or captured bytes first.")  # fmt: skip
@json_option
@jobs_option
def info(
    source: str | tuple[str, ...],
    ports: tuple[int, ...],
    vnis: tuple[int, ...],
    count: int | None,
    by: str,
    as_json: bool,
    jobs: int,
    **policy: Any,
) -> None:
    """Count what is in a capture: packets and bytes by VNI, and what is not VXLAN and why."""
    chosen = policy_of(ports=ports, **policy)
    noticed = _Noticed(chosen)
    with progress_bar("reading") as report:
        counting = Pass(source, None, chosen, vnis or None, None, report, jobs)
        counting.fill(noticed, partial(_Noticed, chosen))
    if jobs > 1:
        noticed.look_at_ports(source)
    stats, fault = counting.stats, counting.fault
    listed = _in_order(stats, by)[:count]
    if as_json:
        found = stats.as_dict()
        print_json({
            **found, "vnis": {str(vni): found["vnis"][str(vni)] for vni in listed}, "vni_count": len(stats.vnis),
            "cut": noticed.cut, "nested": noticed.nested,
            "udp_ports": {str(port): met for port, met in noticed.udp_ports.most_common()},
            "error": None if fault is None else str(fault),
        })  # fmt: skip
    else:
        print_stats(stats, vnis=vnis, listed=listed)
        left = len(stats.vnis) - len(listed)
        more = [f"{counted(left, 'more VNI is', 'more VNIs are')} not shown: --top"] if left else []
        for line in (*more, *noticed.lines(source, ports)):
            click.echo(line)
    if fault is not None:
        raise fault


def _in_order(stats: CaptureStats, by: str) -> list[int]:
    """The VNIs in the order that is asked for."""
    of = stats.vnis
    keys = {"vni": lambda vni: vni, "packets": lambda vni: -of[vni].packets, "bytes": lambda vni: -of[vni].inner_bytes}
    return sorted(sorted(of), key=keys[by])

"""`vxlanpkt flows`: who talks to whom inside the tunnels."""

from __future__ import annotations

from typing import Any

import click

from vxlanpkt.analysis import Flow, FlowTable, PartialTableError, flows
from vxlanpkt.analysis.nested import nested_packets
from vxlanpkt.analysis.words import ends, initials, iso_time, protocol
from vxlanpkt.cli.listings import (
    duration,
    listing_options,
    print_rows,
    print_rows_as_csv,
    print_rows_as_json,
    refuse_two_formats,
    remarks,
    shown_rows,
    size,
    summary,
)
from vxlanpkt.cli.nested_hint import nested_hint
from vxlanpkt.cli.options import (
    filter_option,
    jobs_option,
    policy_of,
    policy_options,
    port_option,
    several_read_option,
    vni_option,
)
from vxlanpkt.cli.output import progress_bar
from vxlanpkt.filters import Filter

_COLUMNS = ("VNI", "source", "destination", "protocol", "packets", "bytes", "duration", "first", "TCP flags")
_BOTH_WAYS = ("VNI", "source", "destination", "protocol", "packets", "packets back", "bytes", "bytes back", "duration",
              "first", "TCP flags", "flags back")  # fmt: skip
_SIDES, _SIDES_BOTH_WAYS = "rlllrrrll", "rlllrrrrrlll"
_SPARED = ("flags back", "TCP flags", "first", "duration")


@click.command("flows")
@several_read_option
@port_option
@vni_option
@policy_options
@filter_option
@click.option("--bidirectional", is_flag=True,
              help="Both directions in one row, from the sender of a flow's first packet in the file.")  # fmt: skip
@listing_options
@jobs_option
def flow_listing(
    source: str | tuple[str, ...],
    ports: tuple[int, ...],
    vnis: tuple[int, ...],
    chosen: Filter | None,
    bidirectional: bool,
    count: int | None,
    by: str,
    as_json: bool,
    as_csv: bool,
    jobs: int,
    **policy: Any,
) -> None:
    """List the flows inside the tunnels, by VNI, addresses, protocol and ports."""
    refuse_two_formats(as_json, as_csv)
    fault, accepted = None, policy_of(ports=ports, **policy)
    with progress_bar("counting") as report:
        try:
            table = flows(
                source, policy=accepted, vni=vnis or None, filter=chosen, bidirectional=bidirectional, progress=report,
                jobs=jobs,
            )  # fmt: skip
        except PartialTableError as error:
            table, fault = error.result, error
    shown = shown_rows(table, count, by, as_json or as_csv)
    if as_json:
        print_rows_as_json("flows", table, shown, fault)
    elif as_csv:
        print_rows_as_csv(shown)
    else:
        nested = nested_packets(table, accepted.ports)
        hint = [nested_hint(nested, source, ports)] if nested else []
        _print(shown, summary("flow", table, vnis, chosen), *remarks(table, shown), *_unread(table), *hint)
    if fault is not None:
        raise fault


def _print(shown: FlowTable, *notes: str) -> None:
    both = shown.bidirectional
    print_rows(
        _BOTH_WAYS if both else _COLUMNS, _SIDES_BOTH_WAYS if both else _SIDES, [_cells(flow, both) for flow in shown],
        _SPARED, *notes,
    )  # fmt: skip


def _unread(table: FlowTable) -> list[str]:
    """That the capture does not hold what some flows would be told by."""
    count = table.cut.headers
    return [f"{count:,} of them are cut within the inner headers: no addresses or no ports are known"] if count else []


def _cells(flow: Flow, both: bool) -> list[str]:
    back = (f"{flow.reverse_packets:,}", size(flow.reverse_bytes), initials(flow.reverse_tcp_flags))
    packets, octets, flags = f"{flow.packets:,}", size(flow.bytes), initials(flow.tcp_flags)
    times = duration(flow.duration_ns), iso_time(flow.first_ns)
    who = [str(flow.vni), *ends(flow), protocol(flow)]
    if both:
        return [*who, packets, back[0], octets, back[1], *times, flags, back[2]]
    return [*who, packets, octets, *times, flags]

"""`vxlanpkt flows`: who talks to whom inside the tunnels."""

from __future__ import annotations

import click

from vxlanpkt.analysis import Flow, FlowTable, flows
from vxlanpkt.analysis.nested import nested_packets
from vxlanpkt.analysis.words import ends, initials, iso_time, protocol
from vxlanpkt.cli.counted_tables import Asked, lists_a_table
from vxlanpkt.cli.listings import duration, print_rows, remarks, size
from vxlanpkt.cli.nested_hint import nested_hint

_COLUMNS = ("VNI", "source", "destination", "protocol", "packets", "bytes", "duration", "first", "TCP flags")
_BOTH_WAYS = ("VNI", "source", "destination", "protocol", "packets", "packets back", "bytes", "bytes back", "duration",
              "first", "TCP flags", "flags back")  # fmt: skip
_SIDES, _SIDES_BOTH_WAYS = "rlllrrrll", "rlllrrrrrlll"
_SPARED = ("flags back", "TCP flags", "first", "duration")


@click.command("flows")
@lists_a_table
@click.option("--bidirectional", is_flag=True,
              help="Both directions in one row, from the sender of a flow's first packet in the file.")  # fmt: skip
def flow_listing(asked: Asked, bidirectional: bool) -> None:
    """List the flows inside the tunnels, by VNI, addresses, protocol and ports."""

    def print_for_people(table: FlowTable, shown: FlowTable) -> None:
        nested = nested_packets(table, asked.policy.ports)
        hint = [nested_hint(nested, asked.source, asked.ports)] if nested else []
        _print(shown, asked.summary("flow", table), *remarks(table, shown), *_unread(table), *hint)

    asked.show("flows", flows, print_for_people, bidirectional=bidirectional)


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

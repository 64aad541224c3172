"""`vxlanpkt flows`: who talks to whom inside the tunnels."""

from __future__ import annotations

from typing import Any

import click

from vxlanpkt.analysis import Flow, FlowTable, PartialTableError, flows
from vxlanpkt.assigned import EtherType, IPProtocol, TCPFlags
from vxlanpkt.cli.listings import (
    duration,
    left_out,
    listing_options,
    print_rows,
    print_rows_as_csv,
    print_rows_as_json,
    shown_rows,
    size,
    time,
)
from vxlanpkt.cli.options import filter_option, policy_of, policy_options, port_option, read_option, vni_option
from vxlanpkt.cli.output import progress_bar
from vxlanpkt.filters import Filter

_COLUMNS = ("VNI", "source", "destination", "protocol", "packets", "bytes", "duration", "first", "TCP flags")
_BOTH_WAYS = ("VNI", "source", "destination", "protocol", "packets", "back", "bytes", "back", "duration", "first",
              "TCP flags", "TCP flags")  # fmt: skip
_SIDES, _SIDES_BOTH_WAYS = "rlllrrrll", "rlllrrrrrlll"
_SPARED = ("TCP flags", "first", "duration")
_WITH_PORTS = (6, 17)


@click.command("flows")
@read_option
@port_option
@vni_option
@policy_options
@filter_option
@click.option("--bidirectional", is_flag=True, help="Both directions of a flow in one row, from who sent first.")
@listing_options
def flow_listing(
    source: str,
    ports: tuple[int, ...],
    vnis: tuple[int, ...],
    chosen: Filter | None,
    bidirectional: bool,
    count: int | None,
    by: str,
    as_json: bool,
    as_csv: bool,
    **policy: Any,
) -> None:
    """List the flows inside the tunnels, by VNI, addresses, protocol and ports."""
    fault = None
    with progress_bar("counting") as report:
        try:
            table = flows(
                source, policy=policy_of(ports=ports, **policy), vni=vnis or None, filter=chosen,
                bidirectional=bidirectional, progress=report,
            )  # fmt: skip
        except PartialTableError as error:
            table, fault = error.result, error
    shown = shown_rows(table, count, by, as_json, as_csv)
    if as_json:
        print_rows_as_json("flows", shown, fault)
    elif as_csv:
        print_rows_as_csv(shown)
    else:
        _print(table, shown)
    if fault is not None:
        raise fault


def _print(table: FlowTable, shown: FlowTable) -> None:
    both = table.bidirectional
    print_rows(
        _BOTH_WAYS if both else _COLUMNS, _SIDES_BOTH_WAYS if both else _SIDES, [_cells(flow, both) for flow in shown],
        _SPARED, f"{len(table):,} flows; {table.stats.vxlan:,} of {table.stats.records:,} records are VXLAN",
        *left_out(table, shown),
    )  # fmt: skip


def _cells(flow: Flow, both: bool) -> list[str]:
    ports = flow.protocol in _WITH_PORTS and (flow.src_port or flow.dst_port)
    src, dst = (
        _end(address, port if ports else None)
        for address, port in ((flow.src, flow.src_port), (flow.dst, flow.dst_port))
    )
    back = (f"{flow.reverse_packets:,}", size(flow.reverse_bytes), _flags(flow.reverse_tcp_flags))
    packets, octets, flags = f"{flow.packets:,}", size(flow.bytes), _flags(flow.tcp_flags)
    times = duration(flow.duration_ns), time(flow.first_ns)
    ends = [str(flow.vni), src, dst, _protocol(flow)]
    if both:
        return [*ends, packets, back[0], octets, back[1], *times, flags, back[2]]
    return [*ends, packets, octets, *times, flags]


def _end(address: object, port: int | None) -> str:
    """An address, with its port as in a URL."""
    if address is None:
        return ""
    text = str(address)
    if port is None:
        return text
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


def _protocol(flow: Flow) -> str:
    if flow.src is None:
        return EtherType(flow.ethertype).name if flow.ethertype in {*EtherType} else f"0x{flow.ethertype:04x}"
    return IPProtocol(flow.protocol).name if flow.protocol in {*IPProtocol} else str(flow.protocol)


def _flags(flags: int) -> str:
    """The initials of the flags, which are all different."""
    return "".join((flag.name or "")[0] for flag in TCPFlags if flags & flag)

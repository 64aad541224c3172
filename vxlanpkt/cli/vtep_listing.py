"""`vxlanpkt vteps`: which tunnel endpoints send to which."""

from __future__ import annotations

from typing import Any

import click

from vxlanpkt.analysis import VTEP, PartialTableError, vteps
from vxlanpkt.analysis.words import iso_time
from vxlanpkt.cli.listings import (
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

_COLUMNS = ("source", "destination", "packets", "outer bytes sent", "inner bytes sent", "VNIs", "first", "last")
_SIDES = "llrrrlll"
_SPARED = ("last", "first", "inner bytes sent")
_SHOWN_VNIS = 5


@click.command("vteps")
@several_read_option
@port_option
@vni_option
@policy_options
@filter_option
@listing_options
@jobs_option
def vtep_listing(
    source: str | tuple[str, ...],
    ports: tuple[int, ...],
    vnis: tuple[int, ...],
    chosen: Filter | None,
    count: int | None,
    by: str,
    as_json: bool,
    as_csv: bool,
    jobs: int,
    **policy: Any,
) -> None:
    """List the tunnel endpoints: a row for each source and destination on the underlay."""
    refuse_two_formats(as_json, as_csv)
    fault = None
    with progress_bar("counting") as report:
        try:
            table = vteps(
                source, policy=policy_of(ports=ports, **policy), vni=vnis or None, filter=chosen, progress=report,
                jobs=jobs,
            )  # fmt: skip
        except PartialTableError as error:
            table, fault = error.result, error
    shown = shown_rows(table, count, by, as_json or as_csv)
    if as_json:
        print_rows_as_json("vteps", table, shown, fault)
    elif as_csv:
        print_rows_as_csv(shown)
    else:
        print_rows(
            _COLUMNS, _SIDES, list(map(_cells, shown)), _SPARED,
            summary("pair", table, vnis, chosen), *remarks(table, shown),
        )  # fmt: skip
    if fault is not None:
        raise fault


def _cells(vtep: VTEP) -> list[str]:
    more = len(vtep.vnis) - _SHOWN_VNIS
    vnis = ", ".join(map(str, vtep.vnis[:_SHOWN_VNIS])) + (f" and {more:,} more" if more > 0 else "")
    return [
        str(vtep.src), str(vtep.dst), f"{vtep.packets:,}", size(vtep.outer_bytes), size(vtep.inner_bytes), vnis,
        iso_time(vtep.first_ns), iso_time(vtep.last_ns),
    ]  # fmt: skip

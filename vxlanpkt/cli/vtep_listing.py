"""`vxlanpkt vteps`: which tunnel endpoints send to which."""

from __future__ import annotations

import click

from vxlanpkt.analysis import VTEP, VTEPTable, vteps
from vxlanpkt.analysis.words import iso_time
from vxlanpkt.cli.counted_tables import Asked, lists_a_table
from vxlanpkt.cli.listings import print_rows, remarks, size

_COLUMNS = ("source", "destination", "packets", "outer bytes sent", "inner bytes sent", "VNIs", "first", "last")
_SIDES = "llrrrlll"
_SPARED = ("last", "first", "inner bytes sent")
_SHOWN_VNIS = 5


@click.command("vteps")
@lists_a_table
def vtep_listing(asked: Asked) -> None:
    """List the tunnel endpoints: a row for each source and destination on the underlay."""

    def print_for_people(table: VTEPTable, shown: VTEPTable) -> None:
        cells = list(map(_cells, shown))
        print_rows(_COLUMNS, _SIDES, cells, _SPARED, asked.summary("pair", table), *remarks(table, shown))

    asked.show("vteps", vteps, print_for_people)


def _cells(vtep: VTEP) -> list[str]:
    more = len(vtep.vnis) - _SHOWN_VNIS
    vnis = ", ".join(map(str, vtep.vnis[:_SHOWN_VNIS])) + (f" and {more:,} more" if more > 0 else "")
    return [
        str(vtep.src), str(vtep.dst), f"{vtep.packets:,}", size(vtep.outer_bytes), size(vtep.inner_bytes), vnis,
        iso_time(vtep.first_ns), iso_time(vtep.last_ns),
    ]  # fmt: skip

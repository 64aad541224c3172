"""`vxlanpkt report`: one page of HTML about a capture."""

from __future__ import annotations

from typing import Any

import click

from vxlanpkt.analysis import report
from vxlanpkt.cli.options import (
    policy_of,
    policy_options,
    port_option,
    read_option,
    refuse_same_file,
    vni_option,
)
from vxlanpkt.cli.progress import progress_bar


@click.command("report")
@read_option
@click.option(
    "-w", "target", metavar="FILE", required=True, help="Page to write; - is stdout. It appears when complete."
)
@port_option
@vni_option
@policy_options
@click.option("--top", type=click.IntRange(1), default=30, show_default=True, metavar="N",
              help="How many flows, and pairs of endpoints in a finding, are listed.")  # fmt: skip
def reporting(
    source: str, target: str, ports: tuple[int, ...], vnis: tuple[int, ...], top: int, **policy: Any
) -> None:  # fmt: skip
    """Write a page about a capture: who talks in which VNI, how much, and where the loss is."""
    refuse_same_file(source, target)
    with progress_bar("counting") as progress:
        made = report(source, policy=policy_of(ports=ports, **policy), vni=vnis or None, top=top, progress=progress)
    made.write(target)
    if made.error is not None:
        raise made.error

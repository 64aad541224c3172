"""`vxlanpkt decap`: the inner frames of a capture as a capture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from vxlanpkt.capture import JobResult, PartialResultError, decap_file
from vxlanpkt.cli.errors_said import printable
from vxlanpkt.cli.json_output import print_json
from vxlanpkt.cli.options import (
    filter_option,
    json_option,
    policy_of,
    policy_options,
    port_option,
    read_option,
    refuse_same_file,
    vni_option,
    write_option,
)
from vxlanpkt.cli.output import nothing_accepted, print_stats
from vxlanpkt.cli.progress import progress_bar
from vxlanpkt.filters import Filter


@click.command("decap")
@read_option
@write_option
@port_option
@vni_option
@policy_options
@filter_option
@click.option(
    "--depth", default="1", metavar="N", help='How many nested tunnels to take off, or "all".', show_default=True
)
@click.option("--split-by", type=click.Choice(["vni"]), help="Write a file for each VNI: stem-VNI.suffix.")
@click.option(
    "--inner-link", type=click.Choice(["error", "ethernet", "raw"]), default="error", show_default=True,
    help="What becomes of bare IP (GPE) in a pcap file.",
)  # fmt: skip
@json_option
def decapsulate(
    source: str,
    target: str,
    ports: tuple[int, ...],
    vnis: tuple[int, ...],
    chosen: Filter | None,
    depth: str,
    split_by: Any,
    inner_link: Any,
    as_json: bool,
    **policy: Any,
) -> None:
    """Take the tunnels off: write the inner frames, with their times and interfaces."""
    refuse_same_file(source, target)
    if split_by is not None and target == "-":
        raise click.UsageError("--split-by: there is one standard output; -w has to name a file")
    levels = _levels(depth)
    fault = None
    with progress_bar("decapsulating") as report:
        try:
            result = decap_file(
                source, target, vni=vnis or None, policy=policy_of(ports=ports, **policy), filter=chosen,
                depth=levels, split_by=split_by, inner_link=inner_link, progress=report,
            )  # fmt: skip
        except PartialResultError as error:
            result, fault = error.result, error
    print_result(result, target, as_json, fault, vnis)
    if fault is not None:
        raise fault


def _levels(depth: str) -> Any:
    """A number if it is one, for the library to judge."""
    try:
        return int(depth) if depth.isdecimal() else depth
    except ValueError:  # more digits than Python reads
        raise click.UsageError(f"--depth: {len(depth):,} digits are too many") from None


def print_result(
    result: JobResult, target: str, as_json: bool, fault: PartialResultError | None, vnis: Sequence[int] = ()
) -> None:
    """What a job did; on standard error where its output is on standard output."""
    to_stderr = target == "-"
    summary = printable(f"{result.written:,} packets written to {', '.join(result.files) or 'standard output'}")
    if result.skipped:
        summary += f", {result.skipped:,} left out that no link type can hold"
    if as_json:
        value = {
            **result.stats.as_dict(), "written": result.written, "skipped": result.skipped,
            "files": list(result.files), "error": None if fault is None else str(fault),
        }  # fmt: skip
        print_json(value, to_stderr=to_stderr)
        return
    print_stats(result.stats, vnis=vnis, to_stderr=to_stderr)
    for line in (summary, *nothing_accepted(result.stats)):
        click.echo(line, err=to_stderr)

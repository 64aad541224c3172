"""`vxlanpkt export`: a capture as a table in a file, for DuckDB, polars, pandas, Spark, spreadsheets."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from vxlanpkt.capture import JobResult, PartialResultError
from vxlanpkt.capture.opening import files_of
from vxlanpkt.cli.json_output import print_json
from vxlanpkt.cli.options import (
    filter_option,
    jobs_option,
    json_option,
    policy_of,
    policy_options,
    port_option,
    refuse_same_file,
    several_read_option,
    vni_option,
)
from vxlanpkt.cli.progress import progress_bar
from vxlanpkt.filters import Filter


@click.command("export")
@several_read_option
@click.option(
    "-w", "target", metavar="FILE", required=True,
    help="Table to write: .parquet, .arrow, .feather, .csv, .csv.gz, .csv.zst; - is stdout. It appears when complete.",
)  # fmt: skip
@click.option(
    "--format", "written_as", type=click.Choice(["parquet", "arrow", "csv"]), help="If the name does not say it."
)
@click.option("--columns", metavar="A,B,...", help="Only these columns, in this order; file is one more.")
@click.option(
    "--names", type=click.Choice(["vxlanpkt", "tshark", "zeek", "ecs"]), default="vxlanpkt", show_default=True,
    help="Whose words columns are called by.",
)  # fmt: skip
@port_option
@vni_option
@filter_option
@policy_options
@json_option
@jobs_option
def exporting(
    source: str | tuple[str, ...],
    target: str,
    written_as: Any,
    columns: str | None,
    names: Any,
    ports: tuple[int, ...],
    vnis: tuple[int, ...],
    chosen: Filter | None,
    as_json: bool,
    jobs: int,
    **policy: Any,
) -> None:
    """Write a row for each record: addresses, ports, VNI, lengths, and the reason of what was refused."""
    # pyarrow loads numpy, whose threads for linear algebra would wait for work in a loop: 0.1 s of a processor.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    export_file = _export_file()
    found = files_of(source)
    for file in found if isinstance(found, tuple) else (found,):
        refuse_same_file(str(file), target)
    fault = None
    with progress_bar("exporting") as report:
        try:
            result = export_file(
                source, target, format=written_as, columns=None if columns is None else columns.split(","), names=names,
                vni=vnis or None, filter=chosen, policy=policy_of(ports=ports, **policy), progress=report,
                jobs=jobs,
            )  # fmt: skip
        except PartialResultError as error:
            result, fault = error.result, error
    to_stderr = target == "-"
    if as_json:
        value = {
            **result.stats.as_dict(), "written": result.written, "files": list(result.files),
            "error": None if fault is None else str(fault),
        }  # fmt: skip
        print_json(value, to_stderr=to_stderr)
    else:
        where = ", ".join(result.files) or "standard output"
        click.echo(f"{result.written:,} rows written to {where}", err=to_stderr)
    if fault is not None:
        raise fault


def _export_file() -> Callable[..., JobResult]:
    """What exports; a Python that has no capsules says so, and only when it is asked."""
    try:
        from vxlanpkt.capture import export_file
    except ImportError as error:
        click.echo(f"vxlanpkt: {error}", err=True)
        sys.exit(2)
    return export_file

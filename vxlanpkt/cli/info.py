"""`vxlanpkt info`: what is in a capture: the VNIs, and a count for every reason."""

from __future__ import annotations

from typing import Any

import click

import vxlanpkt
from vxlanpkt.cli.options import json_option, policy_of, policy_options, port_option, read_option, vni_option
from vxlanpkt.cli.output import print_json, print_stats, progress_bar
from vxlanpkt.errors import CaptureError


@click.command()
@read_option
@port_option
@vni_option
@policy_options
@json_option
def info(source: str, ports: tuple[int, ...], vnis: tuple[int, ...], as_json: bool, **policy: Any) -> None:
    """Count what is in a capture: packets and bytes by VNI, and what is not VXLAN and why."""
    fault = None
    with vxlanpkt.open(source, policy=policy_of(ports=ports, **policy)) as capture, progress_bar("reading") as report:
        try:
            for batch in capture.decap_batches(vni=vnis or None):
                if report is not None and batch.records:
                    report(capture.consumed, capture.size)
        except CaptureError as error:
            if capture.container is None:
                raise
            fault = error
        stats = capture.stats
    if as_json:
        print_json({**stats.as_dict(), "error": None if fault is None else str(fault)})
    else:
        print_stats(stats)
    if fault is not None:
        raise fault

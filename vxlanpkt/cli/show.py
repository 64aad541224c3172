"""`vxlanpkt show`: the layers of each packet, as soon as it is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

import vxlanpkt
from vxlanpkt.capture import Capture, Record
from vxlanpkt.capture.links import start_of
from vxlanpkt.cli.json_output import print_json
from vxlanpkt.cli.named_frames import frame_option, named_records
from vxlanpkt.cli.options import filter_option, json_option, port_option, read_option, vni_option
from vxlanpkt.cli.output import headline
from vxlanpkt.cli.signals import at_once
from vxlanpkt.dissection import Dissection, dissect
from vxlanpkt.filters import Filter
from vxlanpkt.layers.base import Layer


@click.command()
@read_option
@click.option("-c", "count", type=click.IntRange(1), metavar="N", help="Stop after N packets.")
@frame_option("Only packet N, from 1; may be repeated.")
@port_option
@vni_option
@filter_option
@json_option
def show(
    source: str,
    count: int | None,
    wanted: tuple[int, ...],
    ports: tuple[int, ...],
    vnis: tuple[int, ...],
    chosen: Filter | None,
    as_json: bool,
) -> None:
    """Print the layers of each packet; works on broken ones, and on a live pipe packet by packet."""
    for option, given in {"-c": count, "--vni": vnis, "--filter": chosen}.items():
        if wanted and given:
            raise click.UsageError(f"{option}: --frame names the packets")
    shown = 0
    with vxlanpkt.open(source, ports=ports or None) as capture, at_once():
        for number, record in _records(capture, wanted, chosen):
            found = _dissected(record, ports)
            if vnis and (found is None or not any(_vni(layer) in vnis for layer in found.layers)):
                continue
            if found is None:
                click.echo(f"{headline(number, record)}: link type {record.link_type} is not understood\n", err=as_json)
            elif as_json:
                print_json(_as_dict(number, record, found))
            else:
                click.echo(f"{headline(number, record)}\n{found}\n")
            shown += 1
            if shown == count:
                break


def _records(capture: Capture, wanted: tuple[int, ...], chosen: Filter | None) -> Iterable[tuple[int, Record]]:
    """The records that are asked for, with their numbers."""
    if wanted:
        return named_records(capture, set(wanted))
    return enumerate(capture, 1) if chosen is None else capture.matching(chosen)


def _dissected(record: Record, ports: tuple[int, ...]) -> Dissection | None:
    """The layers of a record; None where nothing is known of its link type."""
    start = start_of(record.link_type)
    if start is None:
        return None
    return dissect(record.frame, start=start, ports=ports or None, original_length=record.frame_length)


def _vni(layer: Layer) -> int | None:
    return getattr(layer, "vni", None) if layer.TUNNEL else None


def _as_dict(number: int, record: Record, found: Dissection) -> dict[str, Any]:
    return {
        "number": number,
        "timestamp_ns": record.timestamp_ns,
        "captured_length": len(record.data),
        "original_length": record.original_length,
        "link_type": record.link_type,
        "layers": [{"layer": layer.NAME, **_fields(layer)} for layer in found.layers],
        "payload": found.payload.hex(),
        "trailers": [trailer.hex() for trailer in found.trailers],
        "error": None if found.error is None else {"reason": found.error.reason.name, "message": str(found.error)},
    }


def _fields(layer: Layer) -> dict[str, Any]:
    names = getattr(layer, "__slots__", ()) or vars(layer)
    return {name: _plain(getattr(layer, name)) for name in names}


def _plain(value: object) -> object:
    if value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {
            "kind": type(value).__name__,
            **{name: _plain(getattr(value, name)) for name in value.__dataclass_fields__},
        }
    return str(value)

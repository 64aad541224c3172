"""`vxlanpkt encap`: every packet of a capture inside a tunnel."""

from __future__ import annotations

from typing import Any

import click

from vxlanpkt.capture import PartialResultError, encap_file
from vxlanpkt.cli.decapsulate import print_result
from vxlanpkt.cli.options import VNINumber, json_option, read_option, refuse_same_file, write_option
from vxlanpkt.cli.progress import progress_bar
from vxlanpkt.layers.vxlan import GroupPolicy
from vxlanpkt.tunnel import Tunnel

_MOST_BITS = 64  # errors say numbers in decimal, which Python refuses for thousands of digits


class _NumberOr(click.ParamType[Any]):
    """A number, or one of some words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.name = "|".join(("N", *words))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number or the word that *value* is."""
        if isinstance(value, int) or value in self.words:
            return value
        try:
            number = int(value, 0)
        except ValueError:
            self.fail(f"{value!r} is not {' or '.join(('a number', *self.words))}", param, ctx)
        if number.bit_length() > _MOST_BITS:
            self.fail(f"{value} is too large", param, ctx)
        return number


@click.command("encap")
@read_option
@write_option
@click.option("--vni", type=VNINumber(), required=True, metavar="N", help="VXLAN network identifier.")
@click.option("--src", required=True, metavar="IP", help="Outer source address.")
@click.option("--dst", required=True, metavar="IP", help="Outer destination address.")
@click.option("--src-mac", default="02:00:00:00:00:01", show_default=True, metavar="MAC", help="Outer source MAC.")
@click.option("--dst-mac", default="02:00:00:00:00:02", show_default=True, metavar="MAC", help="Outer destination MAC.")
@click.option(
    "--port", "dst_port", type=int, default=4789, show_default=True, metavar="N", help="UDP destination port."
)
@click.option("--src-port", type=int, metavar="N", help="UDP source port.  [default: by a hash of the inner flow]")
@click.option("--ttl", type=_NumberOr("inherit"), default=64, show_default=True)
@click.option("--dscp", type=_NumberOr("inherit"), default=0, show_default=True)
@click.option("--ecn", type=click.Choice(["rfc6040", "linux", "none"]), default="rfc6040", show_default=True)
@click.option("--df", type=click.Choice(["set", "unset", "inherit"]), default="set", show_default=True)
@click.option("--flow-label", type=_NumberOr("inherit", "hash"), default=0, show_default=True)
@click.option(
    "--udp-checksum", type=click.Choice(["zero", "full", "inner"]), help="[default: zero on IPv4, full on IPv6]"
)
@click.option("--vlan", "vlans", type=int, multiple=True, metavar="VID", help="Outer tag; at most two.")
@click.option("--group-policy", type=int, metavar="ID", help="Group policy ID.")
@click.option("--gpe", is_flag=True, help="The generic protocol extension's header.")
@json_option
def encapsulate(source: str, target: str, as_json: bool, group_policy: int | None, **fields: Any) -> None:
    """Put every packet into a tunnel, with its time and interface."""
    refuse_same_file(source, target)
    policy = None if group_policy is None else GroupPolicy(group_policy)
    tunnel = Tunnel(group_policy=policy, **fields)
    fault = None
    with progress_bar("encapsulating") as report:
        try:
            result = encap_file(source, target, tunnel, progress=report)
        except PartialResultError as error:
            result, fault = error.result, error
    print_result(result, target, as_json, fault)
    if fault is not None:
        raise fault

"""Options that several verbs have, and the policy that they add up to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from vxlanpkt.assigned import UDPPort
from vxlanpkt.policy import DecapPolicy

_F = TypeVar("_F", bound=Callable[..., Any])

POLICIES: dict[str, DecapPolicy] = {
    "default": DecapPolicy(),
    "rfc7348": DecapPolicy.RFC7348,
    "strict": DecapPolicy.STRICT,
    "linux": DecapPolicy.LINUX,
    "linux-gbp": DecapPolicy.LINUX_GBP,
}
SOURCE = "vxlanpkt.source"
_GPE_PORT = int(UDPPort.VXLAN_GPE)


def _remember(ctx: click.Context, _: click.Parameter, value: str) -> str:
    """Keep the input's name where errors are reported."""
    ctx.meta[SOURCE] = value
    return value


def read_option(command: _F) -> _F:
    """-r FILE: the capture to read."""
    return click.option(
        "-r",
        "source",
        metavar="FILE",
        required=True,
        callback=_remember,
        help="Capture to read: pcap or pcapng, .gz, .zst; - is stdin.",
    )(command)


def write_option(command: _F) -> _F:
    """-w FILE: the capture to write."""
    return click.option(
        "-w", "target", metavar="FILE", required=True,
        help="Capture to write, pcapng by its name, compressed by its name; - is stdout. It appears when complete.",
    )(command)  # fmt: skip


def port_option(command: _F) -> _F:
    """--port N, repeatable: where VXLAN is."""
    return click.option(
        "--port", "ports", type=click.IntRange(0, 65535), multiple=True, metavar="N",
        help="UDP destination port that carries VXLAN; may be repeated.  [default: 4789, 8472]",
    )(command)  # fmt: skip


def vni_option(command: _F) -> _F:
    """--vni N, repeatable: only these."""
    return click.option(
        "--vni", "vnis", type=click.IntRange(0, (1 << 24) - 1), multiple=True, metavar="N",
        help="Only this VNI, of the outermost tunnel (show: of any); may be repeated.",
    )(command)  # fmt: skip


def json_option(command: _F) -> _F:
    """--json: for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def policy_options(command: _F) -> _F:
    """--policy, --gbp, --gpe, --lengths: what is accepted."""
    for option in (
        click.option("--lengths", type=click.Choice(["snapped", "strict", "captured"]), default="snapped",
                     show_default=True, help="Which length fields are believed."),
        click.option("--gpe", is_flag=True, help="Understand the generic protocol extension, on port 4790 too."),
        click.option("--gbp", is_flag=True, help="Understand the group policy extension."),
        click.option("--policy", "policy_name", type=click.Choice(sorted(POLICIES)), default="default",
                     show_default=True, help="What is accepted as VXLAN."),
    ):  # fmt: skip
        command = option(command)
    return command


def policy_of(policy_name: str, gbp: bool, gpe: bool, lengths: Any, ports: tuple[int, ...]) -> DecapPolicy:
    """The policy that the options ask for."""
    policy = POLICIES[policy_name]
    chosen = ports or policy.ports + ((_GPE_PORT,) if gpe else ())
    return policy.replace(ports=chosen, gbp=gbp or policy.gbp, gpe=gpe, lengths=lengths)


def refuse_same_file(source: str, target: str) -> None:
    """Refuse to write over what is read: a filter, or a broken file, would lose the rest of it."""
    named = "-" not in (source, target)
    if named and Path(target).exists() and Path(source).exists() and Path(source).samefile(target):
        raise click.UsageError(f"-r and -w are the same file, {target}: it would be lost")

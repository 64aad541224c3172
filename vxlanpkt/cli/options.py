"""Options that several verbs have, and the policy that they add up to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vxlanpkt.assigned import UDPPort
from vxlanpkt.capture.opening import is_pattern
from vxlanpkt.cli.errors_said import SOURCE
from vxlanpkt.errors import FilterError
from vxlanpkt.filters import Filter
from vxlanpkt.policy import DecapPolicy

_F = TypeVar("_F", bound=Callable[..., Any])

POLICIES = DecapPolicy.presets()


if TYPE_CHECKING:
    _Choice = click.Choice[str]
    _ParamType = click.ParamType[Filter]
else:
    _Choice = click.Choice  # takes no type before click 8.2
    _ParamType = click.ParamType  # nor does this in older versions


class _PolicyName(_Choice):
    """The name of a preset, also as Python writes it: LINUX_GBP."""

    def __init__(self) -> None:
        super().__init__(tuple(POLICIES))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert(str(value).lower().replace("_", "-"), param, ctx)


POLICY_NAME = _PolicyName()
_GPE_PORT = int(UDPPort.VXLAN_GPE)


def read_option(command: _F) -> _F:
    """-r FILE, or FILE alone: the capture to read."""
    return _read_option(command, required=True)


def perhaps_read_option(command: _F) -> _F:
    """The same, where there is another way to hand in frames."""
    return _read_option(command, required=False)


def _read_option(command: _F, *, required: bool) -> _F:
    def named(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
        """The capture, named in one of two ways; its name is kept where errors are reported."""
        alone = ctx.meta.get(SOURCE)
        if value is not None and alone is not None:
            raise click.UsageError(f"one capture is read: it is -r {value} or {alone}")
        source: str | None = alone if value is None else value
        if source is None and required and not ctx.resilient_parsing:
            raise click.UsageError("no capture is named: FILE, or -r FILE; - is stdin")
        ctx.meta[SOURCE] = source
        return source

    option = click.option(
        "-r", "source", metavar="FILE", callback=named,
        help="Capture to read, as FILE alone: pcap or pcapng, .gz, .zst; - is stdin.",
    )  # fmt: skip
    # Eager: it is there when the option is asked.
    alone = click.argument("file", required=False, is_eager=True, expose_value=False, callback=_remember)
    return alone(option(command))


def several_read_option(command: _F) -> _F:
    """-r FILE, any number of times, FILES alone, and patterns: captures to read as one."""

    def named(ctx: click.Context, _: click.Parameter, values: tuple[str, ...]) -> str | tuple[str, ...] | None:
        """The captures; the name of one is kept where errors are reported, those of several are in the errors."""
        names = (*values, *ctx.meta.get(SOURCE, ()))
        if not names and not ctx.resilient_parsing:
            raise click.UsageError("no capture is named: FILE, or -r FILE; - is stdin")
        ctx.meta[SOURCE] = names[0] if len(names) == 1 and not is_pattern(names[0]) else None
        return names[0] if len(names) == 1 else names

    option = click.option(
        "-r", "source", metavar="FILE", multiple=True, callback=named,
        help="Capture to read, as FILE alone: pcap or pcapng, .gz, .zst; - is stdin. Several, or a pattern such as"
        " 'dir/*.pcap', are read as one, in that order.",
    )  # fmt: skip
    alone = click.argument(
        "file", nargs=-1, metavar="[FILE]...", is_eager=True, expose_value=False, callback=_remember_several
    )
    return alone(option(command))


def _remember_several(ctx: click.Context, _: click.Parameter, values: tuple[str, ...]) -> None:
    ctx.meta[SOURCE] = values


def _remember(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[SOURCE] = value


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


class VNINumber(click.IntRange):
    """A VNI, in decimal or, behind 0x, in hexadecimal."""

    def __init__(self) -> None:
        super().__init__(0, (1 << 24) - 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number that *value* is."""
        if isinstance(value, str) and value.lower().startswith("0x"):
            try:
                number = int(value, 16)
            except ValueError:
                self.fail(f"{value!r} is not a hexadecimal number", param, ctx)
            if number >> 24:  # click would say it in decimal, which Python refuses for thousands of digits
                self.fail(f"{value} is not a number of 24 bits", param, ctx)
            value = number
        return super().convert(value, param, ctx)


def vni_option(command: _F) -> _F:
    """--vni N, repeatable: only these."""
    return click.option(
        "--vni", "vnis", type=VNINumber(), multiple=True, metavar="N",
        help="Only this VNI, of the outermost tunnel (show: of any); may be repeated.",
    )(command)  # fmt: skip


class _Expression(_ParamType):
    """A filter, which says itself where it is wrong."""

    name = "expression"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Filter:
        if isinstance(value, Filter):
            return value
        try:
            return Filter(value)
        except FilterError as error:
            self.fail(str(error).removeprefix("Filter: "), param, ctx)


def filter_option(command: _F) -> _F:
    """--filter EXPR: only what an expression matches."""
    return click.option(
        "--filter", "chosen", type=_Expression(), metavar="EXPR",
        help="Only frames that EXPR matches, in tcpdump's language: 'vni 5 and tcp port 443 and outer host 192.0.2.1'.",
    )(command)  # fmt: skip


def json_option(command: _F) -> _F:
    """--json: for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def lengths_option(command: _F) -> _F:
    """--lengths: which length fields are believed."""
    return click.option(
        "--lengths", type=click.Choice(["snapped", "strict", "captured"]), default="snapped", show_default=True,
        help="Which length fields are believed.",
    )(command)  # fmt: skip


def policy_options(command: _F) -> _F:
    """--policy, --gbp, --gpe, --lengths: what is accepted."""
    for option in (
        lengths_option,
        click.option("--gpe", is_flag=True, help="Understand the generic protocol extension, on port 4790 too."),
        click.option("--gbp", is_flag=True, help="Understand the group policy extension."),
        click.option("--policy", "policy_name", type=POLICY_NAME, default="default",
                     show_default=True, help="What is accepted as VXLAN."),
    ):  # fmt: skip
        command = option(command)
    return command


def policy_of(policy_name: str, gbp: bool, gpe: bool, lengths: Any, ports: tuple[int, ...]) -> DecapPolicy:
    """The policy that the options ask for."""
    policy = POLICIES[policy_name]
    added = (_GPE_PORT,) if gpe and _GPE_PORT not in policy.ports else ()
    return policy.replace(
        ports=ports or policy.ports + added, gbp=gbp or policy.gbp, gpe=policy.gpe or gpe, lengths=lengths
    )


def refuse_same_file(source: str, target: str) -> None:
    """Refuse to write over what is read: a filter, or a broken file, would lose the rest of it."""
    named = "-" not in (source, target)
    if named and Path(target).exists() and Path(source).exists() and Path(source).samefile(target):
        raise click.UsageError(f"-r and -w are the same file, {target}: it would be lost")


def jobs_option(command: _F) -> _F:
    """--jobs N: how many processes."""
    return click.option(
        "--jobs", type=click.IntRange(1), default=1, show_default=True, metavar="N",
        help="Read in so many processes, of many files or of large ones.",
    )(command)  # fmt: skip

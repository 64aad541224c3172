"""`vxlanpkt cni`: attaches network namespaces to CNI networks by hand, as runtimes do; modelled on cnitool."""

from __future__ import annotations

import functools
import hashlib
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from vxlanpkt.cni import Attachment, CNIError, Container, NetworkConfigList, Runtime, find_network, install
from vxlanpkt.cni.networks import DEFAULT_CONF_DIR
from vxlanpkt.cni.result_cache import DEFAULT_CACHE_DIR
from vxlanpkt.cni.runtime import DEFAULT_PLUGIN_DIRS

_NETNS_DIR = Path("/run/netns")
_Command = Callable[..., None]


class _Commands(click.Group):
    """A group in which an error of CNI is printed, and ends the command with status 1.

    An interrupt comes at once, and not when input is read next: plugins that were called are then called for a DEL.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(130)
        except CNIError as error:
            click.echo(f"vxlanpkt: cni {ctx.invoked_subcommand}: {error} (code {int(error.code)})", err=True)
            sys.exit(1)


def _json_object(ctx: click.Context, param: click.Parameter, value: str) -> dict[str, Any]:
    try:
        content = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"no JSON: {error}") from error
    if not isinstance(content, dict):
        raise click.BadParameter("no object of JSON")
    return content


def _pairs(ctx: click.Context, param: click.Parameter, value: str) -> tuple[tuple[str, str], ...]:
    pairs = [pair.partition("=") for pair in value.split(";") if pair]
    if not all(name and equals for name, equals, _ in pairs):
        raise click.BadParameter(f"{value!r} is not K=V;K=V")
    return tuple((name, text) for name, _, text in pairs)


def _attachments(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[Attachment, ...]:
    pairs = [value.rpartition(":") for value in values]
    if not all(container_id and ifname for container_id, _, ifname in pairs):
        raise click.BadParameter("it has to be ID:NAME")
    return tuple(Attachment(container_id, ifname) for container_id, _, ifname in pairs)


@click.group("cni", cls=_Commands)
def containers() -> None:
    """Attach network namespaces to CNI networks, as container runtimes do.

    NETWORK is the name of a network that a file in --conf-dir configures. NETNS is a network namespace: a path, or a
    name in /run/netns.
    """


def _on_network(command: _Command) -> _Command:
    """NETWORK and where all is kept: the command gets a runtime and a network."""

    @click.argument("network")
    @click.option("--conf-dir", default=DEFAULT_CONF_DIR, show_default=True, metavar="DIR",
                  help="Where networks are configured.")  # fmt: skip
    @click.option("--plugin-dir", "plugin_dirs", default=DEFAULT_PLUGIN_DIRS, show_default=True, multiple=True,
                  metavar="DIR", help="Where plugins are; may be repeated.")  # fmt: skip
    @click.option("--cache-dir", default=DEFAULT_CACHE_DIR, show_default=True, metavar="DIR",
                  help="Where results are kept, in the files that other runtimes have too.")  # fmt: skip
    @click.option("--timeout", default=60.0, show_default=True, type=click.FloatRange(0, min_open=True),
                  metavar="SECONDS", help="How long one call of a plugin may take.")  # fmt: skip
    @functools.wraps(command)
    def with_network(
        network: str, conf_dir: str, plugin_dirs: tuple[str, ...], cache_dir: str, timeout: float, **rest: Any
    ) -> None:
        command(Runtime(plugin_dirs, cache_dir, timeout), find_network(network, conf_dir), **rest)

    return with_network


def _on_container(command: _Command) -> _Command:
    """NETNS and what is to be said of it: the command gets a container."""

    @click.argument("netns")
    @click.option("--ifname", default="eth0", show_default=True, metavar="NAME", help="The interface in NETNS.")
    @click.option(
        "--container-id", metavar="ID", help="The container's name.  [default: of NETNS, as cnitool makes it]"
    )
    @click.option("--capability-args", default="{}", callback=_json_object, metavar="JSON",
                  help="For plugins with a capability: '{\"portMappings\": [...]}'.")  # fmt: skip
    @click.option("--args", default="", callback=_pairs, metavar="K=V;K=V", help="For plugins, in CNI_ARGS.")
    @functools.wraps(command)
    def with_container(
        runtime: Runtime, network: NetworkConfigList, netns: str, ifname: str, container_id: str | None,
        capability_args: dict[str, Any], args: tuple[tuple[str, str], ...],
    ) -> None:  # fmt: skip
        path = _netns_path(netns)
        named = container_id or _container_id(path)
        command(runtime, network, Container(named, path, ifname, args, capability_args))

    return with_container


@containers.command("add")
@_on_network
@_on_container
def add(runtime: Runtime, network: NetworkConfigList, container: Container) -> None:
    """Attach NETNS to NETWORK; prints the result."""
    click.echo(json.dumps(runtime.add(network, container), indent=4))


@containers.command("del")
@_on_network
@_on_container
def delete(runtime: Runtime, network: NetworkConfigList, container: Container) -> None:
    """Detach NETNS from NETWORK, whether it is attached, in part, or not at all."""
    runtime.delete(network, container)


@containers.command("check")
@_on_network
@_on_container
def check(runtime: Runtime, network: NetworkConfigList, container: Container) -> None:
    """Have the plugins look whether NETNS is attached to NETWORK as it was."""
    runtime.check(network, container)


@containers.command("gc")
@_on_network
@click.argument("kept", metavar="[NETNS]...", nargs=-1)
@click.option("--ifname", default="eth0", show_default=True, metavar="NAME", help="The interface in each NETNS.")
@click.option("--keep", "others", multiple=True, callback=_attachments, metavar="ID:NAME",
              help="Keep this interface of this container too; may be repeated.")  # fmt: skip
@click.option("--all", "is_all", is_flag=True, help="Keep none.")
def collect(
    runtime: Runtime, network: NetworkConfigList, kept: tuple[str, ...], ifname: str,
    others: tuple[Attachment, ...], is_all: bool,
) -> None:  # fmt: skip
    """Detach from NETWORK all that nobody needs: what is not of a NETNS here; prints what was detached.

    Attachments are those that any runtime has left in --cache-dir. Plugins then remove what they have beyond these.
    """
    if is_all == bool(kept or others):
        raise click.UsageError("which attachments are kept? Name each NETNS, or --keep ID:NAME; or --all, to keep none")
    valid = [Attachment(_container_id(_netns_path(netns)), ifname) for netns in kept]
    for attachment in runtime.collect(network, [*valid, *others]):
        click.echo(f"{attachment.container_id}:{attachment.ifname}")


@containers.command("status")
@_on_network
def status(runtime: Runtime, network: NetworkConfigList) -> None:
    """Ask the plugins of NETWORK whether they could attach a container."""
    runtime.status(network)


@containers.command("install")
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@click.option("--python", metavar="FILE", help="The interpreter that runs them.  [default: /usr/bin/python3]")
def install_plugins(directory: str, python: str | None) -> None:
    """Put the plugins vxlanpkt-cni and vxlanpkt-ipam into DIR, as files that need Python and nothing else."""
    try:
        paths = install(directory, python)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--python'") from error
    for path in paths:
        click.echo(path)


def _netns_path(netns: str) -> str:
    return netns if "/" in netns else str(_NETNS_DIR / netns)


def _container_id(path: str) -> str:
    """What cnitool calls a container of which it knows the namespace only."""
    return f"cnitool-{hashlib.sha512(path.encode()).digest()[:10].hex()}"

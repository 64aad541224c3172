"""Options of the verbs of `vxlanpkt overlay`: which agent is meant, and where its network's leases are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from vxlanpkt.overlay.service.run_files import NAME, RUN_DIRECTORY, RunFiles
from vxlanpkt.overlay.stores.etcd_store import PREFIX
from vxlanpkt.overlay.stores.store_location import DIRECTORY, StoreLocation

_F = TypeVar("_F", bound=Callable[..., Any])


def agent_options(command: _F) -> _F:
    """--run-dir, --name: which agent of this machine."""
    for option in (
        click.option("--name", metavar="NAME", default=NAME, show_default=True,
                     help="Which agent, where a machine has several."),
        click.option("--run-dir", metavar="DIR", default=RUN_DIRECTORY, show_default=True,
                     help="Where the agent's socket, lock and record are."),
    ):  # fmt: skip
        command = option(command)
    return command


def files_of(run_dir: str, name: str) -> RunFiles:
    """The files of the agent that is meant."""
    return RunFiles(Path(run_dir).absolute(), name)


def store_options(command: _F) -> _F:
    """--store, or --etcd with all that belongs to it."""
    for option in (
        click.option("--etcd-password-file", metavar="FILE", help="The password of that user."),
        click.option("--etcd-username", metavar="NAME", help="Of an etcd with authentication."),
        click.option("--etcd-keyfile", metavar="FILE", help="The key of that certificate."),
        click.option("--etcd-certfile", metavar="FILE", help="This node's certificate, for https."),
        click.option("--etcd-cafile", metavar="FILE",
                     help="Who signed etcd's certificate.  [default: whom the system trusts]"),
        click.option("--etcd-prefix", metavar="PREFIX", help=f"What etcd's keys begin with.  [default: {PREFIX}]"),
        click.option("--etcd", "urls", metavar="URL", multiple=True,
                     help="Leases are in this etcd; may be repeated, for more endpoints of the same."),
        click.option("--store", metavar="DIR", help=f"Leases are in this directory.  [default: {DIRECTORY}]"),
    ):  # fmt: skip
        command = option(command)
    return command


def store_of(
    store: str | None,
    urls: tuple[str, ...],
    etcd_prefix: str | None,
    etcd_cafile: str | None,
    etcd_certfile: str | None,
    etcd_keyfile: str | None,
    etcd_username: str | None,
    etcd_password_file: str | None,
) -> StoreLocation:
    """Where the leases are; refuses options that do not go together."""
    of_etcd = {
        "--etcd-prefix": etcd_prefix, "--etcd-cafile": etcd_cafile, "--etcd-certfile": etcd_certfile,
        "--etcd-keyfile": etcd_keyfile, "--etcd-username": etcd_username, "--etcd-password-file": etcd_password_file,
    }  # fmt: skip
    given = [name for name, value in of_etcd.items() if value is not None]
    if store is not None and urls:
        raise click.UsageError("leases are in one place: --store or --etcd")
    if given and not urls:
        raise click.UsageError(f"{given[0]} is nothing without --etcd")
    if etcd_keyfile is not None and etcd_certfile is None:
        raise click.UsageError("--etcd-keyfile is nothing without --etcd-certfile")
    if (etcd_username is None) != (etcd_password_file is None):
        raise click.UsageError("--etcd-username and --etcd-password-file go together")
    return StoreLocation(
        directory=str(Path(store or DIRECTORY).absolute()), urls=urls, prefix=etcd_prefix or PREFIX,
        cafile=_absolute(etcd_cafile), certfile=_absolute(etcd_certfile), keyfile=_absolute(etcd_keyfile),
        username=etcd_username, password_file=_absolute(etcd_password_file),
    )  # fmt: skip


def _absolute(path: str | None) -> str | None:
    # It is opened again by `down`, from another directory.
    return None if path is None else str(Path(path).absolute())

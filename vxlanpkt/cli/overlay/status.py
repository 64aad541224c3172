"""`vxlanpkt overlay status`: what the agent of this node says of itself, once or as it changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import click
from rich.console import Group
from rich.live import Live

from vxlanpkt.cli.listings import listing_console
from vxlanpkt.cli.options import json_option
from vxlanpkt.cli.overlay.options import agent_options, files_of
from vxlanpkt.cli.overlay.table import status_lines
from vxlanpkt.cli.signals import Interrupted, at_once
from vxlanpkt.overlay.agent.status import AgentStatus
from vxlanpkt.overlay.service.agent_record import AgentRecord
from vxlanpkt.overlay.service.control import ask_status
from vxlanpkt.overlay.service.run_files import NoAgentError, RunFiles

_SHOWN_PEERS = 20

_Looks = Iterator[tuple[AgentStatus, "AgentStatus | None"]]


@click.command()
@json_option
@click.option("--watch", is_flag=True, help="Again and again, until it is interrupted.")
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, metavar="SECONDS",
              help="Between two looks, of which rates are made.")  # fmt: skip
@click.option("--all", "of_all", is_flag=True, help=f"List every peer, not only {_SHOWN_PEERS}.")
@agent_options
def status(as_json: bool, watch: bool, interval: float, of_all: bool, run_dir: str, name: str) -> None:
    """Show the node, its links and its peers.

    Rates are made of two looks; drops are told by their reasons.
    """
    files = files_of(run_dir, name)
    with suppress(Interrupted), at_once():
        if as_json:
            _print_json(files, interval if watch else None)
        elif not watch:
            before = _ask(files)
            time.sleep(interval)
            _print(_ask(files), before, of_all)
        elif sys.stdout.isatty():
            _show_live(_looks(files, interval), of_all)
        else:
            for now, earlier in _looks(files, interval):
                _print(now, earlier, of_all)
                click.echo()


def _ask(files: RunFiles) -> AgentStatus:
    """The status; where no agent runs, whether the last one died."""
    try:
        return ask_status(files)
    except NoAgentError as error:
        record = AgentRecord.read(files.record)
        if record is None:
            raise
        ended = "was stopped and left all as it was" if record.kept else "has died"
        told = f"the last one (pid {record.pid}) {ended}: vxlanpkt overlay down takes away what is left of it"
        raise NoAgentError(f"{error}; {told}") from error


def _looks(files: RunFiles, interval: float) -> _Looks:
    """Each status with the one before."""
    before = None
    while True:
        now = _ask(files)
        yield now, before
        before = now
        time.sleep(interval)


def _print_json(files: RunFiles, interval: float | None) -> None:
    """The status on a line, and again if there is an interval."""
    click.echo(_ask(files).to_json())
    while interval is not None:
        time.sleep(interval)
        click.echo(_ask(files).to_json())


def _print(now: AgentStatus, before: AgentStatus | None, of_all: bool) -> None:
    console = listing_console()
    for line in status_lines(now, before, console.width, peers=None if of_all else _SHOWN_PEERS):
        console.print(line, soft_wrap=True)


def _show_live(looks: _Looks, of_all: bool) -> None:
    """A screen that is drawn anew with each look, with the peers that it has room for."""
    console = listing_console()
    with Live(console=console, auto_refresh=False, vertical_overflow="visible" if of_all else "ellipsis") as live:
        for now, before in looks:
            height = None if of_all else console.height
            live.update(Group(*status_lines(now, before, console.width, height=height)), refresh=True)

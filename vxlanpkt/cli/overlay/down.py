"""`vxlanpkt overlay down`: stop the agent of this node; or take away what it left, if it died."""

from __future__ import annotations

import click

from vxlanpkt.cli.overlay.options import agent_options, files_of
from vxlanpkt.overlay.service.agent_record import AgentRecord
from vxlanpkt.overlay.service.control import ask_stop
from vxlanpkt.overlay.service.leftovers import remove_leftovers
from vxlanpkt.overlay.service.run_files import NoAgentError, RunFiles, holder, only_one


@click.command()
@click.option(
    "--keep", is_flag=True, help="Leave devices, routes, lease and subnet.env, for the agent that comes next."
)
@click.option("--timeout", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="How long to wait for its end.")  # fmt: skip
@agent_options
def down(keep: bool, timeout: float, run_dir: str, name: str) -> None:
    """Stop the agent, or clear up after a dead one.

    It waits until the agent is gone. What a dead one left is in the network namespace that it ran in: elsewhere
    `down` refuses, and says where that is.
    """
    files = files_of(run_dir, name)
    pid = holder(files)
    if pid is not None:
        ask_stop(files, keep=keep, timeout=timeout)
        click.echo(f"the agent (pid {pid}) has ended{', and left all as it was' if keep else ''}", err=True)
    elif keep:
        raise NoAgentError(f"no agent runs: nobody holds {files.lock}")
    if not keep:
        _clean_up(files, ended=pid is not None)


def _clean_up(files: RunFiles, *, ended: bool) -> None:
    """Take away what is left."""
    if not files.record.exists():
        if not ended:
            click.echo("no agent runs, and there is nothing left of one", err=True)
        return
    with only_one(files):
        record = AgentRecord.read(files.record)
        if record is None:
            return
        how = "was told to leave all as it was" if record.kept else "has died"
        click.echo(f"the agent (pid {record.pid}) {how}: what is left is taken away", err=True)
        for told in remove_leftovers(files, record):
            click.echo(told, err=True)

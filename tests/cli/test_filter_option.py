"""--filter: an expression, or an error that shows where it is wrong."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from vxlanpkt import Filter
from vxlanpkt.cli.options import filter_option


@click.command()
@filter_option
def show(chosen: Filter | None) -> None:
    click.echo(repr(chosen))


def test_a_filter() -> None:
    """What comes is ready to use; without the option it is None."""
    done = CliRunner().invoke(show, ["--filter", "vni 5 and tcp port 443"])
    assert (done.exit_code, done.output) == (0, "Filter(text='vni 5 and tcp port 443')\n")
    assert CliRunner().invoke(show, []).output == "None\n"


def test_a_default() -> None:
    """A value that is a filter already stays."""
    found = click.Command("c", params=[], callback=lambda: None)
    command = filter_option(found)
    command.params[0].default = Filter("arp")
    command.callback = lambda chosen: click.echo(chosen.text)
    assert CliRunner().invoke(command, []).output == "arp\n"


@pytest.mark.parametrize("text", ["vni 5 and prot 3", ""])
def test_a_wrong_one(text: str) -> None:
    """A wrong call, which says what is wrong and points at it."""
    done = CliRunner().invoke(show, ["--filter", text])
    assert done.exit_code == 2
    assert "Invalid value for '--filter': " in done.output
    assert "is not what a term begins with" in done.output
    if text:
        lines = done.output.splitlines()
        assert lines[-2:] == ["  vni 5 and prot 3", "            ^^^^"]

"""The commands of docs/containers.md, from top to bottom as they stand there, on hosts that the test makes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from .container_host import Host
from .namespaces import Namespace

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means", "container_means")]

_SECONDS = 120.0
PAGE = (Path(__file__).parents[2] / "docs" / "containers.md").read_text(encoding="utf-8")
def commands(section: str) -> str:
    """All commands of one section of the page."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def run(host: Host, script: str, directory: Path) -> str:
    """What the commands print; each of them has to succeed."""
    program = directory.parent / "vxlanpkt"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m vxlanpkt.cli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    beginning = f'set -euo pipefail; cd {directory}; PATH="{directory.parent}:$PATH"\n'
    return host.run("bash", "-c", beginning + script, seconds=_SECONDS).stdout


def test_two_nodes_on_one_machine(tmp_path: Path) -> None:
    """The containers reach each other, and in the end nothing is left of all that."""
    (tmp_path / "here").mkdir()
    host = Host(Namespace(), tmp_path / "host")
    try:
        printed = run(host, commands("From two nodes to a ping"), tmp_path / "here")
        assert "FLANNEL_SUBNET=10.5." in printed
        assert "3 packets transmitted, 3 received, 0% packet loss" in printed
        assert list(host.path("/run/netns").iterdir()) == []
        assert not any(path.is_file() for path in (tmp_path / "here").glob("*/cache/results/*"))
        assert not any(path.match("10.5.*") for path in (tmp_path / "here").glob("*/addresses/*/*"))
    finally:
        host.close()
        host.namespace.delete()


def test_a_machine_with_containerd(nodes: tuple[Machine, Machine]) -> None:
    """The same file on a machine of its own, whose containers containerd starts."""

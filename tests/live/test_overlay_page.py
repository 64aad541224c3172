"""The dozen lines of docs/overlay.md, as they stand there: two namespaces talk, and afterwards nothing is left."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from .namespaces import run

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

PAGE = Path(__file__).parents[2] / "docs" / "overlay.md"
_FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECONDS = 90.0
# Names of namespaces are private to the script's own /run, and its processes end with the first.
_APART = ("unshare", "--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
_AGENT = f'#!/bin/sh\nexec "{sys.executable}" -I -m vxlanpkt.cli "$@"\n'
_FIRST_PROCESS = 'mount -t proc proc /proc && mount -t tmpfs run /run && exec sh -c "$1"'


def test_dozen_lines(tmp_path: Path) -> None:
    """What the reader types works, and what takes it away ends the agents and leaves no namespace."""
    dozen, away = _FENCE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(dozen.splitlines()) == 12
    output = _shell(f"set -eu\n{dozen}echo -- away --\n{away}wait\necho -- left: $(ip netns)\n", tmp_path, _AGENT)
    assert re.search(r"3 packets transmitted, [1-3] received", output.partition("-- away --")[0]), output
    assert output.endswith("-- left:\n"), output
    assert "WARNING" not in output, output


def test_dozen_lines_end_without_agents(tmp_path: Path) -> None:
    """Where no agent starts, the reader has its message and the prompt again."""
    dozen, _ = _FENCE.findall(PAGE.read_text(encoding="utf-8"))
    assert dozen.count("timeout 20 ") == 2
    script = dozen.replace("timeout 20 ", "timeout 1 ") + "echo -- the prompt --\n"
    output = _shell(script, tmp_path, "#!/bin/sh\necho no agent >&2\nexit 1\n")
    assert "no agent\n" in output
    assert output.endswith("-- the prompt --\n"), output


def _shell(script: str, directory: Path, vxlanpkt: str) -> str:
    """What a script prints, on standard error too, apart from everybody else."""
    command = directory / "vxlanpkt"
    command.write_text(vxlanpkt, encoding="utf-8")
    command.chmod(0o755)
    setting = f"PATH={directory}:$PATH TMPDIR={directory}\nexport TMPDIR\nexec 2>&1\n"
    return run(*_APART, "sh", "-c", _FIRST_PROCESS, "sh", setting + script, seconds=_SECONDS).stdout

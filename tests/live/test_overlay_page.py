"""The ten lines of docs/overlay.md, as they stand there: two namespaces talk, and afterwards nothing is left."""

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
_FIRST_PROCESS = 'mount -t proc proc /proc && mount -t tmpfs run /run && exec bash -euo pipefail -c "$1"'


def test_ten_lines(tmp_path: Path) -> None:
    """What the reader types works, and what takes it away ends the agents and leaves no namespace."""
    ten, away = _FENCE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(ten.splitlines()) == 10
    output = _shell(f"{ten}echo -- away --\n{away}wait\necho -- left: $(ip netns)\n", tmp_path)
    assert re.search(r"3 packets transmitted, [1-3] received", output.partition("-- away --")[0]), output
    assert output.endswith("-- left:\n"), output


def _shell(script: str, directory: Path) -> str:
    """What a script prints, apart from everybody else; `vxlanpkt` is this interpreter's."""
    command = directory / "vxlanpkt"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -m vxlanpkt.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    setting = f"PATH={directory}:$PATH TMPDIR={directory}\nexport TMPDIR\n"
    return run(*_APART, "sh", "-c", _FIRST_PROCESS, "sh", setting + script, seconds=_SECONDS).stdout

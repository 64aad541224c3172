"""The ten lines of docs/overlay.md, as they stand there: two namespaces talk, and afterwards nothing is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .namespaces import run

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

PAGE = Path(__file__).parents[2] / "docs" / "overlay.md"
_FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"ip netns add ([\w-]+)")
_SECONDS = 60


@pytest.fixture
def blocks() -> Iterator[list[str]]:
    """The page's shell; its namespaces are gone before, as a run that was killed may have left them, and after."""
    found = _FENCE.findall(PAGE.read_text(encoding="utf-8"))
    names = _NAME.findall(found[0])
    _sweep(names)
    yield found
    _sweep(names)


def _sweep(names: list[str]) -> None:
    for name in names:
        run("ip", "netns", "del", name, check=False)


def test_ten_lines(blocks: list[str], tmp_path: Path) -> None:
    """What the reader types works, what follows on the page too, and leaves no process and no namespace."""
    ten, rest = blocks
    assert len(ten.splitlines()) == 10
    done, output = _shell(ten + rest, tmp_path)
    assert done == 0, output
    assert re.search(r"5 packets transmitted, [1-5] received", output), output
    assert not {name for name in _NAME.findall(ten) if Path("/run/netns", name).exists()}


def _shell(script: str, directory: Path) -> tuple[int, str]:
    """Exit code and output of a script, for which `vxlanpkt` is this interpreter's; what it started ends with it."""
    command = directory / "vxlanpkt"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vxlanpkt.cli "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}", "TMPDIR": str(directory)}
    with (directory / "output").open("w+") as output:
        shell = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], stdout=output, stderr=output,
                                 env=environment, start_new_session=True)  # fmt: skip
        try:
            code = shell.wait(_SECONDS)
        finally:
            _end_group(shell.pid)
        output.seek(0)
        return code, output.read()


def _end_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # all has ended

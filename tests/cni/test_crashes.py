"""A plugin that is killed, wherever: what a runtime does next sets all right."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .calls import SUBNET_ENV, call, environment
from .delegates import Delegate

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Every death of every operation."""
    home = tmp_path_factory.mktemp("deaths")
    Delegate(home, versions=("1.0.0", "1.1.0"))
    (home / "subnet.env").write_text(SUBNET_ENV)
    program = [sys.executable, "-m", "tests.cni.crash_points", str(home)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("subject", ["plugin", "ipam"])
@pytest.mark.parametrize("command", ["ADD", "DEL", "GC"])
def test_there_are_deaths(deaths: list[dict[str, Any]], subject: str, command: str) -> None:
    """Each operation dies several times, and lives once, having done what it is for."""
    own = [each for each in deaths if (each["subject"], each["command"]) == (subject, command)]
    assert len(own) > 3
    assert [each["died"] for each in own] == [True] * (len(own) - 1) + [False]
    assert set(own[-1]["after"]) == {"ADD": {"new", "old", "other"}, "DEL": {"other"}, "GC": {"other"}}[command]


def test_what_is_left_is_before_or_behind(deaths: list[dict[str, Any]]) -> None:
    """Nobody loses anything but the one that the operation is about."""
    for each in deaths:
        concerned = {"ADD": "new", "DEL": "old", "GC": "old"}[each["command"]]
        assert set(each["after"]) - {concerned} == {"ADD": {"old", "other"}}.get(each["command"], {"other"}), each


def test_del_and_gc_leave_nothing(deaths: list[dict[str, Any]]) -> None:
    for each in deaths:
        assert each["deleted"], each
        assert each["collected"], each
        assert set(each["then"]) == {"other"}, each
        assert each["unfinished"] == [], each


def test_the_delegate_detached_all_that_it_attached(deaths: list[dict[str, Any]]) -> None:
    """Its last call for a container that is gone is a DEL, if there was an ADD."""
    for each in deaths:
        last: dict[str, str] = {}
        for line in each["log"]:
            command, container, *_ = line.split(" ")
            if command in ("ADD", "DEL"):
                last[container] = command
        assert last.get("new", "DEL") == last.get("old", "DEL") == "DEL", each
        assert last.get("other", "ADD") == "ADD", each


def test_killed_while_the_delegate_works(plugins: Path, network: dict[str, Any], tmp_path: Path) -> None:
    """What the delegate then finishes is undone by the DEL that follows; and a DEL that was killed is done again."""
    variables = {"CNI_PATH": str(tmp_path)}
    Delegate(tmp_path, add="kill -9 $PPID", delete="kill -9 $PPID")
    for command in ("ADD", "DEL"):
        answer = call(plugins / "vxlanpkt-cni", environment(command, **variables), network)
        assert (answer.status, answer.text) == (-signal.SIGKILL, "")
        assert (tmp_path / "data" / "overlay" / "c1@eth0").exists()
    working = Delegate(tmp_path)
    assert call(plugins / "vxlanpkt-cni", environment("DEL", **variables), network).status == 0
    assert working.commands == ["ADD", "DEL", "DEL"]
    assert not (tmp_path / "data" / "overlay" / "c1@eth0").exists()

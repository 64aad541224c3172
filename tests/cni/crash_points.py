"""Kills a plugin before each call to the system that an operation of it makes, and sees what is left.

A program of its own, as it forks: `python -m tests.cni.crash_points DIRECTORY`. Each line that it prints is one death:
of which operation, before which call, and what there was afterwards, and after the DEL and GC that a runtime sends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vxlanpkt.cni import Call, CNIError, PluginConfig
from vxlanpkt.cni.commands import COMMANDS as PLUGIN
from vxlanpkt.cni.ipam.commands import COMMANDS as IPAM

CALLS = frozenset(
    ("open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.listdir", "fcntl.flock", "os.posix_spawn")
)
Config = dict[str, Any]


class Subject(NamedTuple):
    """What is killed: its commands, their configuration, and what its directory holds for whom."""

    name: str
    commands: Mapping[str, Callable[[Call, PluginConfig], Any]]
    config: Config
    held: Callable[[Path], list[str]]


def die_before(number: int) -> None:
    """End this process as a crash does, before its call of that number."""
    left = number

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in CALLS:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(count)


def call(subject: Subject, home: Path, command: str, container: str = "", valid: tuple[str, ...] = ()) -> bool:
    """Whether a call succeeds."""
    kept = [{"containerID": name, "ifname": "eth0"} for name in valid]
    content = {**subject.config, "cni.dev/valid-attachments": kept}
    config = PluginConfig(content["cniVersion"], content["name"], content["type"], content)
    ifname = "eth0" if container else ""
    try:
        subject.commands[command](Call(command, container, "", ifname, path=(str(home),)), config)
    except CNIError:
        return False
    return True


def fresh(subject: Subject, home: Path) -> None:
    """Two containers are attached."""
    for name in ("data", "hosts", "delegate.log"):
        shutil.rmtree(home / name, ignore_errors=True)
        (home / name).unlink(missing_ok=True)
    for container in ("old", "other"):
        assert call(subject, home, "ADD", container)


def subjects(home: Path) -> list[Subject]:
    """Both plugins; `vxlanpkt-cni` with a delegate that has to be in *home*."""
    network = {"cniVersion": "1.1.0", "name": "net", "type": "x"}
    ranges = [[{"subnet": "10.1.1.0/29"}], [{"subnet": "fc00::/125"}]]

    def attached(home: Path) -> list[str]:
        return sorted(path.name.partition("@")[0] for path in (home / "data" / "net").glob("*@*"))

    def reserved(home: Path) -> list[str]:
        files = [path for path in (home / "hosts" / "net").iterdir() if path.name[0] in "1f"]
        return sorted(path.read_bytes().decode().partition("\r\n")[0] for path in files)

    plugin = {"subnetFile": str(home / "subnet.env"), "dataDir": str(home / "data"), "delegate": {"type": "delegate"}}
    ipam = {"ipam": {"dataDir": str(home / "hosts"), "ranges": ranges}}
    return [
        Subject("plugin", PLUGIN, {**network, **plugin}, attached),
        Subject("ipam", IPAM, {**network, **ipam}, reserved),
    ]


OPERATIONS = (("ADD", "new"), ("DEL", "old"), ("GC", ""))


def main(home: Path) -> None:
    for subject in subjects(home):
        for command, container in OPERATIONS:
            number, died = 0, True
            while died:
                fresh(subject, home)
                child = os.fork()
                if child == 0:
                    die_before(number)
                    call(subject, home, command, container, valid=("other",))
                    os._exit(0)
                status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                assert status in (0, -signal.SIGKILL), status
                died = status != 0
                after = subject.held(home)
                deleted = all(call(subject, home, "DEL", name) for name in ("new", "old"))
                then = subject.held(home)
                collected = call(subject, home, "GC", valid=("other",))
                unfinished = [path.name for path in home.rglob(".new-*")]
                log = home / "delegate.log"
                print(json.dumps({
                    "subject": subject.name, "command": command, "call": number, "died": died, "after": after,
                    "deleted": deleted, "then": then, "collected": collected, "unfinished": unfinished,
                    "log": log.read_text().splitlines() if log.exists() else [],
                }), flush=True)  # fmt: skip
                number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))

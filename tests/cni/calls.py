"""Plugins called as a runtime calls them: installed as files, with an environment, an input and what they print."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

UPSTREAM = Path("/usr/lib/cni")  # where Debian has the plugins of the CNI project
SUBNET_ENV = """\
FLANNEL_NETWORK=10.5.0.0/16
FLANNEL_SUBNET=10.5.52.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
"""
_SECONDS = 60.0


class Answer(NamedTuple):
    """What a plugin did: its exit code, what it printed, and that read as JSON, if it printed anything."""

    status: int
    text: str
    errors: str

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.text)
        return content

    @property
    def code(self) -> int:
        """The code of the error that it has to be."""
        assert self.status == 1, self
        assert set(self.json) <= {"cniVersion", "code", "msg", "details"}
        assert self.json["msg"]
        code: int = self.json["code"]
        return code

    @property
    def addresses(self) -> list[str]:
        """The addresses of the result that it has to be."""
        assert self.status == 0, self
        return [ip["address"] for ip in self.json["ips"]]


def environment(command: str | None = "ADD", container: str | None = "c1", **changes: str | None) -> dict[str, str]:
    """A call's variables; one that is None is left out."""
    variables = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container,
        "CNI_NETNS": "/run/netns/not-there",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(UPSTREAM),
        **changes,
    }
    return {name: value for name, value in variables.items() if value is not None}


def call(plugin: Path, variables: Mapping[str, str], config: Mapping[str, Any] | bytes) -> Answer:
    """Run a plugin to its end."""
    with started(plugin, variables, config) as process:
        return finished(process)


def started(plugin: Path, variables: Mapping[str, str], config: Mapping[str, Any] | bytes) -> subprocess.Popen[bytes]:
    """A plugin that has its input, and runs."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CNI_")}
    process = subprocess.Popen(
        [plugin],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**kept, **variables},
    )
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.close()
    process.stdin = None
    return process


def finished(process: subprocess.Popen[bytes]) -> Answer:
    """What a plugin that was started did in the end."""
    out, errors = process.communicate(timeout=_SECONDS)
    return Answer(process.returncode, out.decode(), errors.decode())

"""Plugins that do what a test tells them, and write down each call: scripts for sh, which starts sooner than Python."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any, NamedTuple

_SCRIPT = r"""#!/bin/sh
{{
    printf '%s\0' {name} "$CNI_COMMAND" "$CNI_CONTAINERID" "$CNI_NETNS" "$CNI_IFNAME" "$CNI_ARGS" "$CNI_PATH"
    cat
    printf '\0'
}} >>{log}
case $CNI_COMMAND in
{replies}
esac
"""


class Called(NamedTuple):
    """One call of a plugin, as it saw it."""

    plugin: str
    command: str
    container_id: str
    netns: str
    ifname: str
    args: str
    path: str
    config: dict[str, Any]


class ScriptedPlugins:
    """A directory of such plugins."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._log = directory / ".calls"

    def make(self, name: str, **replies: str) -> None:
        """A plugin: for each command what sh is to do; what is not named succeeds and prints nothing."""
        cases = "\n".join(f"{command}) {reply} ;;" for command, reply in replies.items())
        path = self.directory / name
        path.write_text(
            _SCRIPT.format(name=shlex.quote(name), log=shlex.quote(str(self._log)), replies=cases), encoding="utf-8"
        )
        path.chmod(0o755)

    @property
    def calls(self) -> list[Called]:
        """All calls since they were last forgotten."""
        words = self._log.read_text(encoding="utf-8").split("\0")[:-1] if self._log.exists() else []
        size = len(Called._fields)
        calls = (words[start : start + size] for start in range(0, len(words), size))
        return [Called._make([*said, json.loads(config)]) for *said, config in calls]

    @property
    def order(self) -> list[tuple[str, str]]:
        """Which plugin was called for what."""
        return [(call.plugin, call.command) for call in self.calls]

    def forget(self) -> None:
        """Begin to write down anew."""
        self._log.unlink(missing_ok=True)


def printed(content: Any) -> str:
    """What sh has to do to print JSON."""
    return f"printf %s {shlex.quote(json.dumps(content))}"


def result(domain: str, version: str = "1.0.0") -> dict[str, Any]:
    """A result that tells which plugin it is from."""
    return {"cniVersion": version, "dns": {"domain": domain}}


def error(code: int, message: str) -> str:
    """What sh has to do to fail as CNI has it."""
    return printed({"cniVersion": "1.0.0", "code": code, "msg": message}) + "; exit 1"

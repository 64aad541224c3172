"""Delegates that do as they are told, and keep a log of their calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

_REFUSAL = """\
if grep -q '"cniVersion": "1.1.0"' "$0.$CNI_COMMAND.$CNI_CONTAINERID.$CNI_IFNAME"
then echo '{"cniVersion": "1.0.0", "code": 1, "msg": "incompatible CNI versions"}'; exit 1; fi
"""
# A shell starts sooner than Python. $0.log gets a line a call, $0.COMMAND.ID.IFNAME the input.
_SCRIPT = """\
#!/bin/sh
cat >"$0.$CNI_COMMAND.$CNI_CONTAINERID.$CNI_IFNAME"
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_NETNS" >>"$0.log"
case $CNI_COMMAND in
VERSION) echo '{"cniVersion": "VERSION", "supportedVersions": SUPPORTED}' ;;
ADD) ADD ;;
DEL) DEL ;;
*) OTHER ;;
esac
"""
RESULT: dict[str, Any] = {
    "interfaces": [{"name": "eth0", "sandbox": "/run/netns/not-there"}],
    "ips": [{"address": "10.5.52.2/24", "gateway": "10.5.52.1", "interface": 0}],
    "routes": [{"dst": "10.5.0.0/16"}],
}


class Called(NamedTuple):
    """A call that a delegate got."""

    command: str
    container: str
    ifname: str
    netns: str


class Delegate:
    """An executable in *directory*: what it does for ADD, DEL and the rest are lines of a shell."""

    def __init__(
        self,
        directory: Path,
        name: str = "delegate",
        *,
        versions: tuple[str, ...] = ("0.3.1", "0.4.0", "1.0.0", "1.1.0"),
        add: str | None = None,
        delete: str = ":",
        other: str = ":",
    ) -> None:
        self.name = name
        self.path = directory / name
        newest = versions[-1]
        if add is None:
            add = f"echo '{json.dumps({'cniVersion': newest, **RESULT})}'"
        if newest != "1.1.0":  # as what does not know a version does
            add, delete = _REFUSAL + add, _REFUSAL + delete
        parts = {"VERSION\"": f"{newest}\"", "SUPPORTED": json.dumps(versions), "ADD ;;": f"{add} ;;",
                 "DEL ;;": f"{delete} ;;", "OTHER": other}  # fmt: skip
        script = _SCRIPT
        for word, text in parts.items():
            script = script.replace(word, text, 1)
        self.path.write_text(script)
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[Called]:
        """All calls, in their order."""
        log = Path(f"{self.path}.log")
        lines = log.read_text().splitlines() if log.exists() else []
        return [Called(*line.split(" ", 3)) for line in lines]

    @property
    def commands(self) -> list[str]:
        return [each.command for each in self.calls]

    def given(self, command: str, container: str = "c1", ifname: str = "eth0") -> dict[str, Any]:
        """The last input of a command for an attachment."""
        content: dict[str, Any] = json.loads(Path(f"{self.path}.{command}.{container}.{ifname}").read_text())
        return content

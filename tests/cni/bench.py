"""A bench for the runtime: plugins that do as they are told, a cache, and what the runtime makes of both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt.cni import CNIError, Container, NetworkConfigList, Runtime

from .scripted import ScriptedPlugins, printed, result

CONTAINER = Container("c1", "/run/netns/blue")


def network(*kinds: str, **members: Any) -> NetworkConfigList:
    plugins = [{"type": kind} for kind in kinds]
    return NetworkConfigList.from_json(
        json.dumps({"cniVersion": "1.0.0", "name": "net", "plugins": plugins, **members})
    )


class Bench:
    """Plugins, and a runtime that has them."""

    def __init__(self, directory: Path, seconds: float = 60.0) -> None:
        (directory / "bin").mkdir()
        self.plugins = ScriptedPlugins(directory / "bin")
        self.cache = directory / "cache"
        self.runtime = Runtime((str(directory / "bin"),), self.cache, seconds)

    def make(self, *names: str, version: str = "1.0.0") -> None:
        """Plugins that work; the result of each bears its name."""
        for name in names:
            self.plugins.make(name, ADD=printed(result(name, version)))

    @property
    def cached(self) -> list[str]:
        results = self.cache / "results"
        return sorted(path.name for path in results.iterdir()) if results.exists() else []

    def failed(self, *arguments: Any, command: str = "add") -> CNIError:
        """The error that a command ends with."""
        with pytest.raises(CNIError) as caught:
            getattr(self.runtime, command)(*arguments)
        return caught.value

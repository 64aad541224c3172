"""The plugins of one network, called one behind the other: what each is told, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vxlanpkt.cni.execution import run_add, run_plugin
from vxlanpkt.cni.protocol.configuration import NetworkConfigList
from vxlanpkt.cni.protocol.environment import Call
from vxlanpkt.cni.protocol.errors import CNIError
from vxlanpkt.cni.protocol.fields import Fields
from vxlanpkt.cni.protocol.results import Result
from vxlanpkt.cni.protocol.versions import at_least
from vxlanpkt.cni.result_cache import Container

Plugin = Mapping[str, Any]


class Chain(NamedTuple):
    """The plugins of a network, in a version of CNI; each call of one is killed when it takes longer than *seconds*."""

    network: NetworkConfigList
    version: str
    plugin_dirs: tuple[str, ...]
    seconds: float

    def call(self, command: str, container: Container) -> Call:
        """How plugins are called for a container; `CNIError` for what they would not take."""
        args = ";".join(f"{name}={value}" for name, value in container.args)
        call = Call(command, container.container_id, container.netns, container.ifname, args, self.plugin_dirs)
        return Call.from_environment(call.to_environment())  # as they will read it

    def add(self, plugin: Plugin, container: Container, result: dict[str, Any] | None) -> dict[str, Any]:
        """Call ADD on one plugin: its result, in the chain's version. *result* is that of the plugin before."""
        call = self.call("ADD", container)
        return in_version(
            run_add(plugin["type"], self._attaching(plugin, container, result), call, self.seconds), self.version
        )

    def delete(self, plugin: Plugin, container: Container, result: dict[str, Any] | None) -> None:
        """Call DEL on one plugin; *result* is what the last ADD came to, if it is known."""
        known = result if at_least(self.version, "0.4.0") else None
        self._run("DEL", plugin, container, self._attaching(plugin, container, known))

    def check(self, plugin: Plugin, container: Container, result: dict[str, Any]) -> None:
        """Call CHECK on one plugin."""
        self._run("CHECK", plugin, container, self._attaching(plugin, container, result))

    def ask(self, command: str, plugin: Plugin, told: Mapping[str, Any]) -> None:
        """Call GC or STATUS on one plugin, which are about no container."""
        call = Call(command, path=self.plugin_dirs)
        run_plugin(plugin["type"], {**self._own(plugin), **told}, call, self.seconds)

    def undo(self, called: Sequence[Plugin], container: Container, result: dict[str, Any] | None) -> list[CNIError]:
        """Call DEL on each plugin whose ADD was called, the last one first, also after one that fails; the failures."""
        failed = []
        for plugin in reversed(called):
            try:
                self.delete(plugin, container, result)
            except CNIError as error:
                failed.append(error)
        return failed

    def _run(self, command: str, plugin: Plugin, container: Container, config: Mapping[str, Any]) -> None:
        run_plugin(plugin["type"], config, self.call(command, container), self.seconds)

    def _own(self, plugin: Plugin) -> dict[str, Any]:
        return {**plugin, "name": self.network.name, "cniVersion": self.version}

    def _attaching(self, plugin: Plugin, container: Container, result: dict[str, Any] | None) -> dict[str, Any]:
        """What a plugin is told about a container: of the runtime's arguments, those that it says it can take."""
        config = self._own(plugin)
        capabilities = Fields(config).object("capabilities")
        told = {name: value for name, value in container.capability_args.items() if capabilities.flag(name)}
        if told:
            config["runtimeConfig"] = told
        if result is not None:
            config["prevResult"] = result
        return config


def in_version(result: dict[str, Any], version: str) -> dict[str, Any]:
    """A result in a version of CNI; one that is in it stays as it is, with what is only between plugins."""
    return result if result.get("cniVersion") == version else Result.from_json(result).to_json(version)

"""Executes network configurations, as libcni does for container runtimes.

A network is a chain of plugins. ADD runs them in order and hands each the result of the one before; DEL, and the
undoing of an ADD that fails, run them the other way round. What was added is remembered in libcni's cache.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from vxlanpkt.cni.chain import Chain, Plugin, in_version
from vxlanpkt.cni.execution import DEFAULT_SECONDS, supported_versions
from vxlanpkt.cni.protocol.configuration import VALID_ATTACHMENTS, Attachment, NetworkConfigList
from vxlanpkt.cni.protocol.environment import Call
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.versions import VERSIONS, first_version, has_command, newest_common
from vxlanpkt.cni.result_cache import DEFAULT_CACHE_DIR, Cached, Container, ResultCache

DEFAULT_PLUGIN_DIRS = ("/opt/cni/bin",)
# libcni says the valid attachments under this name too.
_ATTACHMENTS = "cni.dev/attachments"


class Runtime:
    """Attaches containers to networks, with the plugins of some directories.

    *seconds*: how long one call of a plugin may take before it is killed.
    """

    def __init__(
        self,
        plugin_dirs: Sequence[str] = DEFAULT_PLUGIN_DIRS,
        cache_dir: str | os.PathLike[str] = DEFAULT_CACHE_DIR,
        seconds: float = DEFAULT_SECONDS,
    ) -> None:
        self._plugin_dirs = tuple(plugin_dirs)
        self._cache = ResultCache(cache_dir)
        self._seconds = seconds

    def add(self, network: NetworkConfigList, container: Container) -> dict[str, Any]:
        """Attach a container: the result of the last plugin. If one fails, all whose ADD was called get a DEL."""
        chain = self._chain(network)
        chain.call("ADD", container)  # what no plugin would take is refused before any is called
        if self._cache.find(network.name, container.attachment) is not None:
            raise CNIError(
                Code.INVALID_ENVIRONMENT, f"{_said(container)} is attached to {network.name} already: DEL comes first"
            )
        called: list[Plugin] = []
        result: dict[str, Any] | None = None
        try:
            for plugin in network.plugins:
                called.append(plugin)
                result = chain.add(plugin, container, result)
            assert result is not None, "a network has one plugin at least"
            self._remember(network, container, result)
        except CNIError as error:
            raise _with(error, chain.undo(called, container, result)) from error
        except BaseException:  # an interrupt, say
            chain.undo(called, container, result)
            raise
        return result

    def delete(self, network: NetworkConfigList, container: Container) -> None:
        """Detach a container, in part too, or what was never there; what *container* does not say is as in its ADD."""
        chain = self._chain(network)
        cached = self._cache.find(network.name, container.attachment)
        result = None
        if cached is not None:
            container = container.completed(cached.container)
            result = _usable(cached.result, chain.version)
        for plugin in reversed(network.plugins):
            chain.delete(plugin, container, result)
        try:
            self._cache.remove(network.name, container.attachment)
        except OSError as error:
            raise _unkept("cannot be forgotten", error) from error

    def check(self, network: NetworkConfigList, container: Container) -> None:
        """Have each plugin look whether the container is attached as ADD left it; raises what the first one finds."""
        if network.disable_check:
            return
        chain = self._chain(network)
        if not has_command(chain.version, "CHECK"):
            needed = f"its cniVersion has to be {first_version('CHECK')} or newer"
            raise CNIError(Code.INCOMPATIBLE_VERSION, f"{network.name} is of CNI {chain.version}: for CHECK {needed}")
        cached = self._cache.find(network.name, container.attachment)
        if cached is None:
            raise CNIError(Code.UNKNOWN_CONTAINER, f"{_said(container)} is not attached to {network.name}")
        result = in_version(cached.result, chain.version)
        for plugin in network.plugins:
            chain.check(plugin, container.completed(cached.container), result)

    def collect(self, network: NetworkConfigList, valid: Iterable[Attachment]) -> list[Attachment]:
        """GC: DEL for each attachment that is cached and not *valid*; then the plugins look for what else is left over.

        Returns the attachments that got a DEL. All is tried; what failed is one error at the end.
        """
        if network.disable_gc:
            return []
        keep = sorted(set(valid))
        collected: list[Attachment] = []
        failed: list[CNIError] = []
        for cached in list(self._cache.attachments(network.name)):
            if cached.container.attachment in keep:
                continue
            try:
                self.delete(network, cached.container)
                collected.append(cached.container.attachment)
            except CNIError as error:
                failed.append(error)
        chain = self._chain(network)
        if has_command(chain.version, "GC"):
            listed = [{"containerID": each.container_id, "ifname": each.ifname} for each in keep]
            for plugin in network.plugins:
                try:
                    chain.ask("GC", plugin, {VALID_ATTACHMENTS: listed, _ATTACHMENTS: listed})
                except CNIError as error:
                    failed.append(error)
        if failed:
            raise _with(failed[0], failed[1:])
        return collected

    def status(self, network: NetworkConfigList) -> None:
        """Ask each plugin whether it could serve an ADD; raises what the first one says that could not."""
        chain = self._chain(network)
        if has_command(chain.version, "STATUS"):
            for plugin in network.plugins:
                chain.ask("STATUS", plugin, {})

    def version(self, network: NetworkConfigList) -> str:
        """The version that a network is run in: the newest that it has and, where it has several, all plugins know."""
        offered = tuple(version for version in network.versions if version in VERSIONS)
        if len(offered) == 1:
            return offered[0]
        known = {kind: self.plugin_versions(kind) for kind in dict.fromkeys(each["type"] for each in network.plugins)}
        found = newest_common(tuple(each for each in offered if all(each in those for those in known.values())))
        if found is None:
            said = ", ".join(f"{kind} knows {', '.join(versions)}" for kind, versions in known.items())
            raise CNIError(
                Code.INCOMPATIBLE_VERSION, f"the network {network.name} may be of CNI {', '.join(offered)}, but {said}"
            )
        return found

    def plugin_versions(self, kind: str) -> tuple[str, ...]:
        """The versions that a plugin answers to VERSION."""
        return supported_versions(kind, Call("VERSION", path=self._plugin_dirs), self._seconds)

    def _chain(self, network: NetworkConfigList) -> Chain:
        return Chain(network, self.version(network), self._plugin_dirs, self._seconds)

    def _remember(self, network: NetworkConfigList, container: Container, result: dict[str, Any]) -> None:
        try:
            self._cache.write(Cached(network.name, container, json.dumps(network.to_json()).encode(), result))
        except OSError as error:
            raise _unkept("cannot be kept", error) from error


def _unkept(what: str, error: OSError) -> CNIError:
    return CNIError(Code.IO_FAILURE, f"the result {what}: {error.filename}: {error.strerror}")


def _said(container: Container) -> str:
    return f"{container.ifname} of {container.container_id}"


def _with(error: CNIError, others: Sequence[CNIError]) -> CNIError:
    """An error that tells of others too."""
    return CNIError(error.code, error.message, "; ".join([*filter(None, [error.details]), *map(str, others)]))


def _usable(result: dict[str, Any], version: str) -> dict[str, Any] | None:
    """A cached result in a version; None for one that is broken, as DEL does without."""
    try:
        return in_version(result, version)
    except CNIError:
        return None

"""The networks that an administrator has configured: files in a directory, found by the network's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vxlanpkt.cni.protocol.configuration import NetworkConfigList
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.fields import Fields, decoded

DEFAULT_CONF_DIR = "/etc/cni/net.d"


def find_network(name: str, directory: str | Path = DEFAULT_CONF_DIR) -> NetworkConfigList:
    """The first network of that name in *directory*: lists come before single plugins, each in the files' order.

    A file that is broken is passed over, as it may be of another network; if none is found, the error names it.
    """
    directory = Path(directory)
    broken = []
    for path in _files(directory, ".conflist") + _files(directory, ".conf", ".json"):
        try:
            network = read_network(path)
        except CNIError as error:
            broken.append(f"{path.name}: {error}")
            continue
        if network.name == name:
            return network
    raise CNIError(Code.INVALID_CONFIG, f"no network {name!r} in {directory}", "; ".join(broken))


def read_network(path: Path) -> NetworkConfigList:
    """The network that a file has: a .conflist, or a single plugin, which is a list of one."""
    content = _content(path, "the network configuration")
    if path.suffix == ".conflist":
        content = _with_others(content, path.parent)
    else:
        content = {"cniVersion": content.get("cniVersion"), "name": content.get("name"), "plugins": [content]}
    return NetworkConfigList.from_json(json.dumps(content))


def _with_others(content: dict[str, Any], directory: Path) -> dict[str, Any]:
    """A list with the plugins that have files of their own, in a directory named after the network."""
    fields = Fields(content)
    name = fields.text("name")
    if fields.flag("loadOnlyInlinedPlugins") or "/" in name:
        return content
    others = [_content(path, f"{name}/{path.name}") for path in _files(directory / name, ".conf")]
    return {**content, "plugins": fields.items("plugins") + others} if others else content


def _content(path: Path, what: str) -> dict[str, Any]:
    """The object that a file has; *what* it is, for the error."""
    try:
        return decoded(path.read_bytes(), what, Code.INVALID_CONFIG)
    except OSError as error:
        raise CNIError(Code.IO_FAILURE, f"{what} cannot be read: {error.strerror}") from error


def _files(directory: Path, *suffixes: str) -> list[Path]:
    """The files of a directory with such names, in lexical order; none, if it is not there."""
    try:
        return sorted(path for path in directory.iterdir() if path.suffix in suffixes and path.is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CNIError(Code.IO_FAILURE, f"{directory} cannot be read: {error.strerror}") from error

"""`--config FILE` of `vxlanpkt overlay up`: the network's configuration, and a store that may have one already."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vxlanpkt.overlay.agent.identity import BackendType
from vxlanpkt.overlay.leases.config import NetworkConfig, VXLANBackend, parse_config
from vxlanpkt.overlay.leases.lease_errors import ConfigError
from vxlanpkt.overlay.stores.etcd_store import EtcdStore
from vxlanpkt.overlay.stores.file_store import FileStore

_SWITCHES = ("EnableIPv4", "EnableIPv6")  # they say whether there is a network
_NETWORKS = ("Network", "IPv6Network")


@dataclass(frozen=True)
class NetworkFile:
    """A network's configuration in a file."""

    path: str
    text: str
    network: NetworkConfig

    @classmethod
    def read(cls, path: str) -> NetworkFile:
        """Read it; raises `ConfigError` for what is refused."""
        try:
            text = Path(path).read_text(encoding="utf-8")
            return cls(path, text, parse_config(text))
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}", field=error.field, value=error.value) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: {error}", field="", value=None) from error

    @property
    def node_backend(self) -> BackendType | None:
        """The backend that this node is to have, where a network has nodes of several."""
        backend = self.network.backend
        return backend.type if isinstance(backend, VXLANBackend) else None

    def bring_into(self, store: FileStore | EtcdStore, *, replace: bool) -> None:
        """Give it to *store*, if that has none or is to have this one.

        Raises `ConfigError` where it has another one, and says what is different. A node may have vxlan-user where
        the network has vxlan: to the others it is the same.
        """
        if replace:
            store.set_config(self.text)
        elif not store.offer_config(self.text):
            found = store.config()
            if _of_all_nodes(found) != _of_all_nodes(self.network):
                told = "; ".join(differences(found, self.network))
                message = f"{store!r} has another configuration than {self.path}: {told}; --replace-config replaces it"
                raise ConfigError(message, field="", value=found)


def _of_all_nodes(config: NetworkConfig) -> NetworkConfig:
    """What nodes have to agree on."""
    backend = config.backend
    if isinstance(backend, VXLANBackend):
        backend = dataclasses.replace(backend, type="vxlan")
    return dataclasses.replace(config, backend=backend)


def differences(found: NetworkConfig, wanted: NetworkConfig) -> Iterator[str]:
    """What is different in a configuration that was found: each key, and what it is in both.

    Left out is what only follows from another difference, as the first subnet from the network.
    """
    there, here = _keys_of(found), _keys_of(wanted)
    given = _given(found, there) | _given(wanted, here)
    for key in dict.fromkeys((*there, *here)):
        if key in given and there.get(key) != here.get(key):
            yield f"{key} is {_said(there, key)} and not {_said(here, key)}"


def _keys_of(config: NetworkConfig) -> dict[str, object]:
    return dict(_flat(json.loads(config.to_json()), ""))


def _given(config: NetworkConfig, values: dict[str, object]) -> set[str]:
    """The keys that do not follow from others: the networks, the backend's type, and what is not as by default."""
    least: dict[str, Any] = {key: values[key] for key in (*_SWITCHES, *_NETWORKS) if key in values}
    try:
        defaults = _keys_of(parse_config(json.dumps({**least, "Backend": {"Type": config.backend.type}})))
    except ConfigError:  # by default the network has no subnets
        return set(values).difference(_SWITCHES)
    others = {key for key in values if key not in least and values[key] != defaults[key]}
    return others.union(values.keys() & {*_NETWORKS, "Backend.Type"})


def _flat(values: dict[str, Any], where: str) -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", value


def _said(values: dict[str, object], key: str) -> str:
    return json.dumps(values[key]) if key in values else "absent"

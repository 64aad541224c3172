"""From what the administrator wrote and the node's subnet.env: the configuration of the plugin that does the work."""

from __future__ import annotations

from typing import Any, NamedTuple

from vxlanpkt.cni.execution import DEFAULT_SECONDS
from vxlanpkt.cni.protocol.configuration import PluginConfig
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.fields import Fields
from vxlanpkt.overlay.leases.subnet_values import SubnetValues, read_values

_SUBNET_FILE = "/run/flannel/subnet.env"
_DATA_DIRECTORY = "/var/lib/cni/vxlanpkt"
_LONGEST = 3600  # seconds


class Settings(NamedTuple):
    """The plugin's own configuration.

    subnet_file: `subnetFile`, the node's subnet.env. data_directory: `dataDir`, where attachments are kept. seconds:
    `delegateTimeout`, that a delegate may take. delegate, ipam: what is handed on, completed.
    """

    subnet_file: str
    data_directory: str
    seconds: float
    delegate: dict[str, Any]
    ipam: dict[str, Any]

    @classmethod
    def read(cls, config: PluginConfig) -> Settings:
        """Read and check it."""
        fields = config.fields
        delegate, ipam = fields.object("delegate"), fields.object("ipam")
        for name, where in (("name", "the network's"), ("ipam", "beside `delegate`"), ("cniVersion", "the network's")):
            if delegate.has(name):
                said = f"{delegate.path(name)} is {delegate.content[name]!r}, and not to be given: it is {where}"
                raise CNIError(Code.UNSUPPORTED_FIELD, said)
        seconds = fields.number("delegateTimeout")
        if seconds is not None and not 0 < seconds <= _LONGEST:
            raise fields.wrong("delegateTimeout", f"is {seconds}: it has to be 1 to {_LONGEST} seconds")
        for part, default in ((delegate, "bridge"), (ipam, "host-local")):
            kind = part.text("type", default)
            if not kind or "/" in kind:
                raise part.wrong("type", f"is {kind!r}: it has to be the name of an executable in CNI_PATH")
        return cls(
            fields.text("subnetFile", _SUBNET_FILE),
            fields.text("dataDir", _DATA_DIRECTORY),
            DEFAULT_SECONDS if seconds is None else float(seconds),
            {"type": "bridge", **delegate.given()},
            {"type": "host-local", **ipam.given()},
        )


def node_subnets(path: str, missing: Code) -> SubnetValues:
    """What the node's subnet.env says; an error with the code *missing* while it is not there, or not whole."""
    try:
        with open(path, encoding="utf-8") as file:
            return read_values(file.read())
    except FileNotFoundError as error:
        raise CNIError(
            missing, f"{path} is not there: is the node's overlay running, and `subnetFile` right?"
        ) from error
    except OSError as error:
        raise CNIError(Code.IO_FAILURE, f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CNIError(missing, f"{path} is no subnet file, or half written: {error}") from error


def delegate_config(config: PluginConfig, settings: Settings, subnets: SubnetValues) -> dict[str, Any]:
    """What the delegate is told: what the administrator said of it, and what is missing of that.

    As of flannel's plugin: the MTU, masquerading if flannel does none, the node's subnets as ranges and a route for
    each network of the cluster; a bridge is the containers' gateway.
    """
    found = {"mtu": subnets.mtu, "ipMasq": not subnets.ip_masq, **settings.delegate}
    if found["type"] == "bridge":
        found.setdefault("isGateway", True)
    found |= {"cniVersion": config.version, "name": config.name, "ipam": _ipam_config(settings, subnets)}
    for name in ("runtimeConfig", "args"):  # the runtime's words for this container
        if config.fields.has(name):
            found[name] = config.content[name]
    return found


def _ipam_config(settings: Settings, subnets: SubnetValues) -> dict[str, Any]:
    nodes = [interface.network for interface in (subnets.subnet, subnets.ipv6_subnet) if interface is not None]
    routes = Fields(settings.ipam, "ipam").items("routes")
    return {
        **settings.ipam,
        "ranges": [[{"subnet": str(network)}] for network in nodes],
        "routes": [*routes, *({"dst": str(network)} for network in (*subnets.networks, *subnets.ipv6_networks))],
    }

"""What address management is told: ranges, routes, a resolver, and the addresses that somebody asks for."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from vxlanpkt.cni.ipam.ranges import Address, RangeSet, read_range_sets
from vxlanpkt.cni.protocol.configuration import PluginConfig
from vxlanpkt.cni.protocol.environment import Call
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.results import DNS, Route

_DATA_DIRECTORY = "/var/lib/cni/networks"


class Settings(NamedTuple):
    """The `ipam` object of a network, and what a call adds to it.

    range_sets: an address is taken of each. requested: addresses that have to be among them. resolv_conf: a file that
    the result's DNS is read from.
    """

    data_directory: str
    range_sets: tuple[RangeSet, ...]
    routes: tuple[Route, ...]
    resolv_conf: str
    requested: tuple[Address, ...]

    @classmethod
    def read(cls, call: Call, config: PluginConfig) -> Settings:
        """Read and check it."""
        if not config.fields.has("ipam"):
            raise config.fields.wrong("ipam", "is missing: this is a plugin for address management")
        fields = config.fields.object("ipam")
        return cls(
            fields.text("dataDir", "") or _DATA_DIRECTORY,
            read_range_sets(fields, config.fields.object("runtimeConfig")),
            tuple(Route.read(each) for each in fields.objects("routes")),
            fields.text("resolvConf", ""),
            _requested(call, config),
        )


def _requested(call: Call, config: PluginConfig) -> tuple[Address, ...]:
    """Addresses asked for in `CNI_ARGS` (IP=), in `args.cni.ips` and in `runtimeConfig.ips`."""
    fields = config.fields
    texts = [
        *filter(None, [call.arguments.get("IP")]),
        *fields.object("args").object("cni").texts("ips"),
        *fields.object("runtimeConfig").texts("ips"),
    ]
    try:
        # The length of the prefix is the range's, whatever is asked for.
        return tuple(dict.fromkeys(ip_address(text.partition("/")[0]) for text in texts))
    except ValueError as error:
        raise CNIError(Code.INVALID_ENVIRONMENT, f"an address that is asked for is none: {error}") from error


def read_resolv_conf(path: str) -> DNS:
    """What a resolv.conf says; of lines that may stand there once, the last."""
    nameservers: list[str] = []
    options: list[str] = []
    domain, search = "", tuple[str, ...]()
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.split() for line in file]
    except OSError as error:
        raise CNIError(Code.IO_FAILURE, f"ipam.resolvConf, {path}, cannot be read: {error.strerror}") from error
    for words in lines:
        match words:
            case ["nameserver", address, *_]:
                nameservers.append(address)
            case ["domain", name, *_]:
                domain = name
            case ["search", *names]:
                search = tuple(names)
            case ["options", *names]:
                options += names
    return DNS(tuple(nameservers), domain, search, tuple(options))

"""flannel's network configuration, read and checked as flannel does, as a frozen value.

What a key means and when it is refused is flannel's; where flannel takes what cannot work, `parse_config` says so.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Generic, Literal, NoReturn, TypeVar

from vxlanpkt.overlay.leases.lease_errors import ConfigError

_Network = TypeVar("_Network", IPv4Network, IPv6Network)

VXLAN_PORT = 8472  # what Linux takes where no port is given
UDP_PORT = 8285
_VNI_LIMIT = 1 << 24
_PORT_LIMIT = 1 << 16
_MTU_LIMIT = 1 << 16


@dataclass(frozen=True)
class VXLANBackend:
    """Frames in VXLAN, by the kernel's device ("vxlan") or by this library ("vxlan-user", which flannel does not know).

    mtu: 0 to compute it from the underlay. gbp, learning, direct_routing: as flannel has them.
    """

    type: Literal["vxlan", "vxlan-user"] = "vxlan"
    vni: int = 1
    port: int = VXLAN_PORT
    mtu: int = 0
    gbp: bool = False
    learning: bool = False
    direct_routing: bool = False

    def to_dict(self) -> dict[str, object]:
        """As in the configuration, with every key."""
        return {
            "Type": self.type, "VNI": self.vni, "Port": self.port, "MTU": self.mtu,
            "GBP": self.gbp, "Learning": self.learning, "DirectRouting": self.direct_routing,
        }  # fmt: skip


@dataclass(frozen=True)
class UDPBackend:
    """Bare IP datagrams in UDP."""

    port: int = UDP_PORT
    type: Literal["udp"] = dataclasses.field(default="udp", init=False)

    def to_dict(self) -> dict[str, object]:
        """As in the configuration, with every key."""
        return {"Type": self.type, "Port": self.port}


Backend = VXLANBackend | UDPBackend


@dataclass(frozen=True)
class SubnetRange(Generic[_Network]):
    """The subnets that a network gives to nodes: those of length *prefix_length* from *first* to *last*."""

    network: _Network
    prefix_length: int
    first: _Network
    last: _Network

    @property
    def step(self) -> int:
        """How many addresses a subnet has."""
        return self.first.num_addresses

    def allows(self, subnet: _Network) -> bool:
        """Whether *subnet* has the right length and lies in the range."""
        low, high = int(self.first.network_address), int(self.last.network_address)
        return subnet.prefixlen == self.prefix_length and low <= int(subnet.network_address) <= high


@dataclass(frozen=True)
class NetworkConfig:
    """A network: where its subnets come from, and how packets get from one to another.

    ipv4, ipv6: the ranges, None where the family is not enabled; at least one is there.
    """

    ipv4: SubnetRange[IPv4Network] | None
    ipv6: SubnetRange[IPv6Network] | None
    backend: Backend

    def to_json(self) -> str:
        """The text of it, which flannel reads as the same; every key is there, none is left to a default."""
        text: dict[str, object] = {"EnableIPv4": self.ipv4 is not None, "EnableIPv6": self.ipv6 is not None}
        if self.ipv4 is not None:
            text |= _range_keys(self.ipv4, "")
        if self.ipv6 is not None:
            text |= _range_keys(self.ipv6, "IPv6")
        return json.dumps({**text, "Backend": self.backend.to_dict()})


def _range_keys(subnets: SubnetRange[_Network], family: str) -> dict[str, object]:
    return {
        f"{family}Network": str(subnets.network),
        f"{family}SubnetLen": subnets.prefix_length,
        f"{family}SubnetMin": str(subnets.first.network_address),
        f"{family}SubnetMax": str(subnets.last.network_address),
    }


def parse_config(text: str | bytes) -> NetworkConfig:
    """Read a network configuration; raises `ConfigError` with the reason.

    As in flannel, keys match in any case, unknown ones are passed over, null is as good as absent, and without
    `Backend` it is udp. Refused beyond what flannel refuses: no family at all, a `SubnetMin` above `SubnetMax`,
    numbers that no header can carry, a backend that this library has not.
    """
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the network configuration is not JSON: {error}", field="", value=text) from error
    keys = _Keys(read, "")
    ipv4 = _range(keys, "IPv4", IPv4Network, 24) if keys.switch("EnableIPv4", True) else None
    ipv6 = _range(keys, "IPv6", IPv6Network, 64) if keys.switch("EnableIPv6", False) else None
    if ipv4 is None and ipv6 is None:
        _refuse("EnableIPv4", False, "neither IPv4 nor IPv6 is enabled")
    return NetworkConfig(ipv4, ipv6, _backend(keys))


def _refuse(field: str, value: object, why: str) -> NoReturn:
    raise ConfigError(f"{field or 'the network configuration'}: {why}", field=field, value=value)


class _Keys:
    """The keys of one JSON object, in any case, each asked for by its type."""

    def __init__(self, read: object, where: str) -> None:
        if not isinstance(read, dict):
            _refuse(where, read, "is no JSON object")
        # Where two keys differ in case alone, the later one holds, as in Go.
        self._values: Mapping[str, Any] = {key.lower(): value for key, value in read.items() if value is not None}
        self._where = f"{where}." if where else ""

    def raw(self, name: str) -> Any:
        return self._values.get(name.lower())

    def switch(self, name: str, default: bool) -> bool:
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            _refuse(self._where + name, value, f"{value!r} is neither true nor false")
        return value

    def number(self, name: str, default: int, limit: int) -> int:
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            _refuse(self._where + name, value, f"{value!r} is no whole number")
        if not 0 <= value < limit:
            _refuse(self._where + name, value, f"{value} is not from 0 to {limit - 1}")
        return value

    def text(self, name: str) -> str | None:
        value = self.raw(name)
        if value is not None and not isinstance(value, str):
            _refuse(self._where + name, value, f"{value!r} is no text")
        return value


def _range(keys: _Keys, family: str, kind: type[_Network], usual: int) -> SubnetRange[_Network]:
    """The subnets of one family; flannel's keys of IPv6 begin with its name, those of IPv4 with none."""
    prefix = "IPv6" if kind is IPv6Network else ""
    name = f"{prefix}Network"
    text = keys.text(name)
    if not text:
        _refuse(name, text, f"is missing, and {family} is enabled")
    try:
        network = kind(_cidr(text), strict=False)
    except ValueError as error:
        _refuse(name, text, f"{text!r} is no {family} network: {error}")
    length = _subnet_length(keys, network, prefix, usual)
    first, last = _limits(keys, network, length, prefix)
    return SubnetRange(network, length, kind((first, length)), kind((last, length)))


def _cidr(text: str) -> str:
    # `ipaddress` takes netmasks, and addresses alone, where Go does not.
    if not text.partition("/")[2].isdigit():
        raise ValueError("no prefix length")
    return text


def _subnet_length(keys: _Keys, network: IPv4Network | IPv6Network, family: str, usual: int) -> int:
    """How long the nodes' prefixes are: at least four subnets fit, and four addresses fit in each."""
    name = f"{family}SubnetLen"
    longest = network.max_prefixlen - 2
    given = keys.number(name, 0, 1 << 32)
    if not given:
        if network.prefixlen > longest - 2:
            _refuse(f"{family}Network", str(network), f"is too small: /{longest - 2} is the smallest of use")
        return usual if network.prefixlen <= usual - 2 else network.prefixlen + 2
    if given > longest:
        _refuse(name, given, f"must be less than {longest + 1}: a subnet needs four addresses")
    if given < network.prefixlen + 2:
        _refuse(name, given, f"{network} cannot hold four subnets of that length")
    return given


def _limits(keys: _Keys, network: IPv4Network | IPv6Network, length: int, family: str) -> tuple[int, int]:
    """The addresses of the first and of the last subnet; 0 stands for the default, as in flannel."""
    kind = type(network.network_address)
    step = 1 << (network.max_prefixlen - length)
    start = int(network.network_address)
    low = _limit(keys, network, step, f"{family}SubnetMin") or start + step
    high = _limit(keys, network, step, f"{family}SubnetMax") or start + network.num_addresses - step
    if low > high:
        _refuse(f"{family}SubnetMin", str(kind(low)), f"is above {family}SubnetMax, {kind(high)}")
    return low, high


def _limit(keys: _Keys, network: IPv4Network | IPv6Network, step: int, name: str) -> int:
    text = keys.text(name)
    if not text:
        return 0
    try:
        address = type(network.network_address)(text)
    except ValueError as error:
        _refuse(name, text, str(error))
    if int(address) == 0:
        return 0
    if address not in network:
        _refuse(name, text, f"is not in {network}")
    if int(address) % step:
        _refuse(name, text, "is not where a subnet begins")
    return int(address)


def _backend(keys: _Keys) -> Backend:
    read = keys.raw("Backend")
    if read is None:
        return UDPBackend()
    inner = _Keys(read, "Backend")
    kind = inner.text("Type")
    if kind == "udp":
        return UDPBackend(inner.number("Port", UDP_PORT, _PORT_LIMIT))
    if kind in ("vxlan", "vxlan-user"):
        return VXLANBackend(
            "vxlan" if kind == "vxlan" else "vxlan-user",
            vni=inner.number("VNI", 1, _VNI_LIMIT),
            port=inner.number("Port", 0, _PORT_LIMIT) or VXLAN_PORT,
            mtu=inner.number("MTU", 0, _MTU_LIMIT),
            gbp=inner.switch("GBP", False),
            learning=inner.switch("Learning", False),
            direct_routing=inner.switch("DirectRouting", False),
        )
    _refuse("Backend.Type", kind, "is missing" if kind is None else f"{kind!r} is none of vxlan, vxlan-user, udp")

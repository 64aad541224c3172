"""How the lines of a subnet.env are read. It imports little: a CNI plugin does it each time that it starts."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import NamedTuple

_MTU_RANGE = range(68, 1 << 16)  # RFC 791: what every host has to take


class SubnetValues(NamedTuple):
    """What a subnet.env says: see `SubnetEnv`, which has the same."""

    networks: tuple[IPv4Network, ...]
    subnet: IPv4Interface | None
    ipv6_networks: tuple[IPv6Network, ...]
    ipv6_subnet: IPv6Interface | None
    mtu: int
    ip_masq: bool


def read_values(text: str) -> SubnetValues:
    """Read it; ValueError for what is half written, or says what cannot be."""
    values = _assignments(text)
    has_ipv4 = "FLANNEL_SUBNET" in values or "FLANNEL_NETWORK" in values
    has_ipv6 = "FLANNEL_IPV6_SUBNET" in values or "FLANNEL_IPV6_NETWORK" in values
    if not has_ipv4 and not has_ipv6:
        raise ValueError("FLANNEL_SUBNET is missing, and so is FLANNEL_IPV6_SUBNET")
    networks: tuple[IPv4Network, ...] = ()
    networks6: tuple[IPv6Network, ...] = ()
    subnet, subnet6 = None, None
    if has_ipv4:
        networks = tuple(IPv4Network(text) for text in _needed(values, "FLANNEL_NETWORK").split(","))
        subnet = IPv4Interface(_with_length(_needed(values, "FLANNEL_SUBNET")))
        if not any(subnet.network.subnet_of(network) for network in networks):
            raise ValueError(f"FLANNEL_SUBNET, {subnet}, is not in FLANNEL_NETWORK")
    if has_ipv6:
        networks6 = tuple(IPv6Network(text) for text in _needed(values, "FLANNEL_IPV6_NETWORK").split(","))
        subnet6 = IPv6Interface(_with_length(_needed(values, "FLANNEL_IPV6_SUBNET")))
        if not any(subnet6.network.subnet_of(network) for network in networks6):
            raise ValueError(f"FLANNEL_IPV6_SUBNET, {subnet6}, is not in FLANNEL_IPV6_NETWORK")
    return SubnetValues(networks, subnet, networks6, subnet6, _mtu(values), _ip_masq(values))


def _assignments(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not equals:
            raise ValueError(f"line {number} has no '='")
        if name in found:
            raise ValueError(f"line {number} says {name} again")
        found[name] = value
    return found


def _needed(values: Mapping[str, str], name: str) -> str:
    value = values.get(name)
    if not value:
        raise ValueError(f"{name} {'is missing' if value is None else 'is empty'}")
    return value


def _with_length(text: str) -> str:
    # Without one, `ipaddress` takes a single host, which is what a line that was cut looks like.
    if not text.partition("/")[2].isdigit():
        raise ValueError(f"{text} has no prefix length")
    return text


def _mtu(values: Mapping[str, str]) -> int:
    text = _needed(values, "FLANNEL_MTU")
    if not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) in _MTU_RANGE):
        raise ValueError(f"FLANNEL_MTU, {text!r}, is not from {_MTU_RANGE[0]} to {_MTU_RANGE[-1]}")
    return int(text)


def _ip_masq(values: Mapping[str, str]) -> bool:
    text = _needed(values, "FLANNEL_IPMASQ")
    if text not in ("true", "false"):
        raise ValueError(f"FLANNEL_IPMASQ, {text!r}, is neither true nor false")
    return text == "true"

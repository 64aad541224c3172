"""subnet.env: what a node tells its CNI plugin, and itself after a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from os import PathLike, fspath
from pathlib import Path

from vxlanpkt.overlay.config import NetworkConfig
from vxlanpkt.overlay.files import replace_file
from vxlanpkt.overlay.lease_errors import LeaseFormatError
from vxlanpkt.overlay.leases import Subnets

DEFAULT_PATH = "/run/flannel/subnet.env"
_MTU_RANGE = range(68, 1 << 16)  # RFC 791: what every host has to take


@dataclass(frozen=True)
class SubnetEnv:
    """The content of a subnet.env.

    networks, ipv6_networks: the cluster's; flannel writes one each, and reads several, separated by commas.
    subnet, ipv6_subnet: the node's gateway address with the prefix length of its subnet. mtu: inside the overlay.
    ip_masq: whether flannel itself masquerades.
    """

    networks: tuple[IPv4Network, ...]
    subnet: IPv4Interface | None
    ipv6_networks: tuple[IPv6Network, ...]
    ipv6_subnet: IPv6Interface | None
    mtu: int
    ip_masq: bool

    @classmethod
    def of_node(cls, config: NetworkConfig, subnets: Subnets, mtu: int, ip_masq: bool) -> SubnetEnv:
        """What a node with *subnets* of the network writes: its gateway has the first address behind the subnet's."""
        ipv4, ipv6 = subnets.ipv4, subnets.ipv6
        return cls(
            (config.ipv4.network,) if config.ipv4 is not None else (),
            None if ipv4 is None else IPv4Interface((int(ipv4.network_address) + 1, ipv4.prefixlen)),
            (config.ipv6.network,) if config.ipv6 is not None else (),
            None if ipv6 is None else IPv6Interface((int(ipv6.network_address) + 1, ipv6.prefixlen)),
            mtu,
            ip_masq,
        )

    @property
    def subnets(self) -> Subnets:
        """The node's subnets: what `acquire` takes as *previous*."""
        return Subnets(
            None if self.subnet is None else self.subnet.network,
            None if self.ipv6_subnet is None else self.ipv6_subnet.network,
        )

    def to_text(self) -> str:
        """The text that flannel writes for it."""
        lines = []
        if self.subnet is not None:
            lines += [f"FLANNEL_NETWORK={','.join(map(str, self.networks))}", f"FLANNEL_SUBNET={self.subnet}"]
        if self.ipv6_subnet is not None:
            lines.append(f"FLANNEL_IPV6_NETWORK={','.join(map(str, self.ipv6_networks))}")
            lines.append(f"FLANNEL_IPV6_SUBNET={self.ipv6_subnet}")
        lines += [f"FLANNEL_MTU={self.mtu}", f"FLANNEL_IPMASQ={'true' if self.ip_masq else 'false'}"]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_text(cls, text: str) -> SubnetEnv:
        """Read it; raises `LeaseFormatError` for what is half written, or says what cannot be.

        Empty lines, comments, and keys that are not known are passed over.
        """
        try:
            return _read(_assignments(text))
        except ValueError as error:
            raise LeaseFormatError(f"no subnet file: {error}", what="subnet file", text=text) from error

    def write(self, path: str | PathLike[str]) -> None:
        """Write it to *path*, making its directory: whoever reads sees the old file or the new one."""
        target = Path(fspath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, self.to_text().encode())

    @classmethod
    def read(cls, path: str | PathLike[str]) -> SubnetEnv:
        """Read it from *path*; FileNotFoundError if the node has none yet."""
        content = Path(fspath(path)).read_bytes()
        try:
            return cls.from_text(content.decode())
        except UnicodeDecodeError as error:
            text = content.decode("utf-8", "backslashreplace")
            raise LeaseFormatError(f"{fspath(path)}: no subnet file: {error}", what="subnet file", text=text) from error
        except LeaseFormatError as error:
            raise LeaseFormatError(f"{fspath(path)}: {error}", what=error.what, text=error.text) from error


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


def _read(values: Mapping[str, str]) -> SubnetEnv:
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
    return SubnetEnv(networks, subnet, networks6, subnet6, _mtu(values), _ip_masq(values))


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

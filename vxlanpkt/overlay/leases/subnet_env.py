"""subnet.env: what a node tells its CNI plugin, and itself after a restart."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from os import PathLike, fspath
from pathlib import Path

from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.leases.files import replace_file
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError
from vxlanpkt.overlay.leases.leases import Subnets
from vxlanpkt.overlay.leases.subnet_values import read_values

DEFAULT_PATH = "/run/flannel/subnet.env"


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
            return cls(*read_values(text))
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

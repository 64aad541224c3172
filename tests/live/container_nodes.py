"""Two nodes of an overlay that run containers: a host for each, with its subnet.env, our plugins and a network.

What joins the nodes is `ContainerNode` alone: it programs the overlay as flannel's backends do, and has subnet.env.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Any, Literal

from vxlanpkt.cni import ResultCache, install
from vxlanpkt.overlay import SubnetEnv

from .container_host import Host, remove_cgroups
from .container_runtimes import Containerd, Podman
from .overlay_rig import Backend, Node, Pair

RuntimeName = Literal["containerd", "podman"]

NETWORK = "overlay"
BRIDGE = "cni0"
SYSCTL = ("net.core.somaxconn", "500")


def network(**members: Any) -> dict[str, Any]:
    """The network that a node has: our plugin, ports of the node, a setting inside of containers."""
    return {
        "cniVersion": "0.4.0",
        "name": NETWORK,
        "plugins": [
            {"type": "vxlanpkt-cni", "delegate": {"bridge": BRIDGE, "hairpinMode": True, "isDefaultGateway": True}},
            {"type": "portmap", "capabilities": {"portMappings": True}},
            {"type": "tuning", "sysctl": dict([SYSCTL])},
        ],
        **members,
    }


class ContainerNode(Node):
    """A node of the overlay whose containers are real ones."""

    has_stand_ins = False

    def make_overlay(self, other: Node) -> None:
        super().make_overlay(other)
        # The bridge, which is made later, asks for neighbours from a link-local address, which it can use at once.
        self.namespace.sysctl("net.ipv6.conf.default.addr_gen_mode", 0)
        self.namespace.sysctl("net.ipv6.conf.default.dad_transmits", 0)

    @property
    def subnet_env(self) -> SubnetEnv:
        """What an agent would write."""
        return SubnetEnv(
            (IPv4Network("10.5.0.0/16"),), IPv4Interface(f"10.5.{self.number}.1/24"),
            (IPv6Network("fc00:5::/32"),), IPv6Interface(f"fc00:5:{self.number}::1/64"),
            self.mtu, ip_masq=True,
        )  # fmt: skip


class Machine:
    """A node and the host on it; `disk` outlives both."""

    def __init__(self, node: ContainerNode, disk: Path, image: Path) -> None:
        self.node, self.image = node, image
        self.host = Host(node.namespace, disk)
        install(disk / "plugins")
        self.host.configure(network())
        node.subnet_env.write(self.host.path("/run/flannel/subnet.env"))

    def runtime(self, kind: RuntimeName) -> Containerd | Podman:
        """A container runtime, started and with an image."""
        return Containerd(self.host, self.image) if kind == "containerd" else Podman(self.host, self.image, NETWORK)

    @property
    def addresses(self) -> set[str]:
        """Those that are given out."""
        return {path.name for path in self.host.path(f"/var/lib/cni/networks/{NETWORK}").glob("[0-9a-f]*[.:]*")}

    @property
    def cache(self) -> ResultCache:
        """What runtimes remember of the attachments."""
        return ResultCache(self.host.path("/var/lib/cni"))

    @property
    def ports(self) -> list[str]:
        """The interfaces in the bridge: one a container."""
        shown = self.node.namespace.ip("-json", "link", "show", "master", BRIDGE, check=False)
        return [link["ifname"] for link in json.loads(shown.stdout or "[]")]

    def close(self) -> None:
        self.host.close()
        remove_cgroups(self.node.namespace.name)


@contextmanager
def machines(backend: Backend, directory: Path, image: Path) -> Iterator[tuple[Machine, Machine]]:
    """Two machines for the time of the block, with their disks in *directory*: the same ones again after a reboot."""
    with ExitStack() as undo:
        pair = Pair(backend, backend, version=4, kind=ContainerNode)
        undo.callback(pair.close)
        made = []
        for node in (pair.first, pair.second):
            assert isinstance(node, ContainerNode)
            made.append(Machine(node, directory / f"node{node.number}", image))
            undo.callback(made[-1].close)
        yield made[0], made[1]

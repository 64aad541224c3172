"""Two machines of an overlay that run containers: on each an agent, our plugins and a network, as on real ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from tests.waiting import eventually
from vxlanpkt.cni import ResultCache, install
from vxlanpkt.overlay import SubnetEnv

from .container_host import Host, remove_cgroups
from .container_runtimes import Containerd, Podman
from .namespaces import Namespace
from .overlay_rig import UNDERLAY

Backend = Literal["vxlan", "vxlan-user"]
RuntimeName = Literal["containerd", "podman"]

NETWORK = "overlay"
BRIDGE = "cni0"
SYSCTL = ("net.core.somaxconn", "500")
SUBNET_ENV = "/run/flannel/subnet.env"
_AGENT_SECONDS = 60.0


def network(**members: Any) -> dict[str, Any]:
    """The network on each machine: our plugin, ports of the machine, a setting inside of containers."""
    return {
        "cniVersion": "0.4.0",
        "name": NETWORK,
        "plugins": [
            {"type": "vxlanpkt-cni",
             "delegate": {"bridge": BRIDGE, "hairpinMode": True, "isDefaultGateway": True, "ipMasq": False}},
            {"type": "portmap", "capabilities": {"portMappings": True}},
            {"type": "tuning", "sysctl": dict([SYSCTL])},
        ],
        **members,
    }  # fmt: skip


class Machine:
    """One of two; its disk and the leases are in *directory*, and outlive it."""

    def __init__(self, number: int, namespace: Namespace, directory: Path, image: Path) -> None:
        self.namespace, self.image = namespace, image
        self.underlay = f"192.0.2.{number}"
        self._directory = directory
        disk = directory / f"machine{number}"
        self.host = Host(namespace, disk)
        install(disk / "plugins")
        self.host.configure(network())
        self._log = disk / "agent.log"

    def join(self, backend: Backend) -> None:
        """Start the agent."""
        config = self._directory / "network.json"
        config.write_text(
            json.dumps({
                "Network": "10.5.0.0/16", "EnableIPv6": True, "IPv6Network": "fc00:5::/48",
                "Backend": {"Type": "vxlan"},
            }),
            encoding="utf-8",
        )  # fmt: skip
        with self._log.open("wb") as log:
            self.host.start(
                sys.executable, "-I", "-m", "vxlanpkt.cli", "overlay", "up", "--config", str(config),
                "--iface", UNDERLAY,
                "--store", str(self._directory / "leases"), "--backend", backend, output=log,
            )  # fmt: skip

    def wait_for(self, other: Machine) -> None:
        """Wait until both have their subnets, and this one knows where the other's are."""
        if not eventually(lambda: self._knows(other), _AGENT_SECONDS):
            raise RuntimeError(f"no overlay:\n{self._log.read_text(encoding='utf-8')}")

    def _knows(self, other: Machine) -> bool:
        if not all(machine.host.path(SUBNET_ENV).exists() for machine in (self, other)):
            return False
        subnets = other.subnets.subnets
        routes = (("-4", subnets.ipv4), ("-6", subnets.ipv6))
        return all(self.namespace.ip(family, "route", "show", str(subnet)).stdout for family, subnet in routes)

    @property
    def subnets(self) -> SubnetEnv:
        """What the agent says."""
        return SubnetEnv.read(self.host.path(SUBNET_ENV))

    def has(self, address: str) -> bool:
        """Whether an address is of this machine's subnets."""
        subnets = self.subnets.subnets
        return any(each is not None and ip_address(address) in each for each in (subnets.ipv4, subnets.ipv6))

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
        shown = self.namespace.ip("-json", "link", "show", "master", BRIDGE, check=False)
        return [link["ifname"] for link in json.loads(shown.stdout or "[]")]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is attached, given out or remembered."""
        return not self.addresses and not self.ports and not list(self.cache.attachments(NETWORK))

    def close(self) -> None:
        """End all that runs; the disk stays."""
        self.host.close()
        remove_cgroups(self.namespace.name)


@contextmanager
def machines(backend: Backend, directory: Path, image: Path) -> Iterator[tuple[Machine, Machine]]:
    """Two machines for the time of the block; with the same *directory* the same ones again, after a reboot."""
    with ExitStack() as undo:
        made = []
        for number in (1, 2):
            namespace = Namespace()
            undo.callback(namespace.delete)
            # An address can be used at once, the bridge's too, and not a second or two later.
            namespace.sysctl("net.ipv6.conf.default.dad_transmits", 0)
            made.append(Machine(number, namespace, directory, image))
            undo.callback(made[-1].close)
        first, second = made
        _join(first, second)
        for machine in made:
            machine.join(backend)
        first.wait_for(second)
        second.wait_for(first)
        yield first, second


def _join(first: Machine, second: Machine) -> None:
    """A cable between the two."""
    first.namespace.ip("link", "add", UNDERLAY, "type", "veth", "peer", "name", UNDERLAY,
                       "netns", second.namespace.name)  # fmt: skip
    for number, machine in enumerate((first, second), 1):
        machine.namespace.ip("addr", "add", f"{machine.underlay}/24", "dev", UNDERLAY)
        machine.namespace.ip("addr", "add", f"2001:db8::{number}/64", "dev", UNDERLAY, "nodad")
        machine.namespace.ip("link", "set", UNDERLAY, "up")

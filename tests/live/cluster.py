"""A cluster: nodes in namespaces of their own, each with an agent, a bridge, and a container behind it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.overlay.etcd import Etcd
from tests.waiting import eventually
from vxlanpkt.overlay import EtcdStore, FileStore, Lease, NetworkConfig, SubnetEnv, VXLANBackend, parse_config, plan
from vxlanpkt.overlay.plans.kernel_state import OverlayLink, Plan, Underlay

from .agents import Agent
from .kernel_dumps import overlay_state
from .namespaces import Namespace
from .traffic import pings
from .underlay import LINK, MTU, ROUTER, Segment

NETWORK = {"Network": "10.5.0.0/16", "EnableIPv6": True, "IPv6Network": "fc00:5::/48"}
Kind = Literal["kernel", "user", "gso", "udp"]  # "gso": as "user", with tunnel GSO
_TYPES = {"kernel": "vxlan", "user": "vxlan-user", "gso": "vxlan-user", "udp": "udp"}
_PREFIX = "vxlanpkt-live-cluster"
_BRIDGE, _PORT = "cni0", "container"
_SETTLE_SECONDS = 60.0


class Container:
    """A namespace behind a node's bridge, with the second address of the node's subnets."""

    def __init__(self, node: Namespace, env: SubnetEnv) -> None:
        self.namespace = Namespace()
        self.namespace.quieten()
        gateways = [gateway for gateway in (env.subnet, env.ipv6_subnet) if gateway is not None]
        self._addresses = {int(gateway.version): gateway.ip + 1 for gateway in gateways}
        mtu = ("mtu", str(env.mtu))
        node.ip("link", "add", _BRIDGE, *mtu, "type", "bridge")
        node.ip("link", "add", _PORT, *mtu, "type", "veth", "peer", "name", LINK, *mtu, "netns", self.namespace.name)
        node.ip("link", "set", _PORT, "master", _BRIDGE, "up")
        node.ip("link", "set", _BRIDGE, "up")
        node.ip("addr", "add", ROUTER, "dev", _BRIDGE, "nodad")
        self.namespace.ip("link", "set", LINK, "up")
        for gateway in gateways:
            flags = ("nodad",) if gateway.version == 6 else ()
            node.ip("addr", "add", str(gateway), "dev", _BRIDGE, *flags)
            own = f"{self._addresses[gateway.version]}/{gateway.network.prefixlen}"
            self.namespace.ip("addr", "add", own, "dev", LINK, *flags)
            self.namespace.ip(f"-{gateway.version}", "route", "add", "default", "via", str(gateway.ip))

    def inside(self, version: int) -> str:
        """Its address."""
        return str(self._addresses[version])

    def remove(self, node: Namespace) -> None:
        """Take it and the bridge away again: its link first, which a namespace's end takes away only later."""
        node.ip("link", "del", _PORT)
        node.ip("link", "del", _BRIDGE)
        self.namespace.delete()


class Node:
    """A node: `namespace` is its host, `container` what runs on it, once the agent has said what its subnet is."""

    def __init__(self, cluster: Cluster, number: int, kind: Kind) -> None:
        self.number, self.kind, self.underlay_mtu = number, kind, MTU
        self._cluster = cluster
        self.namespace = Namespace()
        self.namespace.quieten()
        self.namespace.sysctl("net.ipv4.ip_forward", 1)
        self.namespace.sysctl("net.ipv6.conf.all.forwarding", 1)
        cluster.segment.attach(number, self.namespace)
        self._container: Container | None = None
        self.agent = Agent(self.namespace, LINK, cluster.home / f"node{number}", cluster.arguments(kind))

    @property
    def container(self) -> Container:
        """Made when it is first asked for, as a pod is."""
        if self._container is None:
            self._container = Container(self.namespace, self.subnet_env)
        return self._container

    @property
    def subnet_env(self) -> SubnetEnv:
        return SubnetEnv.read(self.agent.subnet_env)

    @property
    def address(self) -> str:
        """Where peers send to: its IPv4 address on the underlay, if it has one."""
        return str(self._cluster.segment.interface(self.number, self._cluster.segment.versions[0]).ip)

    @property
    def addresses(self) -> set[str]:
        """All that it has on the underlay."""
        segment = self._cluster.segment
        return {str(segment.interface(self.number, version).ip) for version in segment.versions}

    def lease(self) -> Lease | None:
        """The node's own, as the store has it."""
        return self._own(self._cluster.leases())

    def _own(self, leases: Sequence[Lease]) -> Lease | None:
        known = self._underlay
        for lease in leases:
            if (lease.attributes.public_ip, lease.attributes.public_ipv6) == (known.public_ip, known.public_ipv6):
                return lease
        return None

    @property
    def _underlay(self) -> Underlay:
        return self._cluster.segment.as_known_to(self.number, self.underlay_mtu)

    def plan(self) -> Plan | None:
        """What the library plans for this node, from the leases that are in the store; None while it has none."""
        leases = self._cluster.leases()
        own = self._own(leases)
        if own is None:
            return None
        others = [lease for lease in leases if lease.key != own.key]
        return plan(self._cluster.config_of(self.kind), own, others, self._underlay)

    def differences(self) -> list[str]:
        """What of the plan is not in the kernel, and what there is beyond the plan."""
        planned = self.plan()
        if planned is None:
            return [f"node {self.number} has no lease"]
        want = replace(planned.kernel, links=frozenset(map(_as_dumped, planned.links)))
        vni = getattr(self._cluster.config_of(self.kind).backend, "vni", 1)
        got = overlay_state(self.namespace, f"flannel.{vni}", f"flannel-v6.{vni}", "flannel0")
        told = []
        for field in fields(want):
            both = getattr(want, field.name), getattr(got, field.name)
            told += [f"node {self.number}: not there: {entry}" for entry in both[0] - both[1]]
            told += [f"node {self.number}: stale: {entry}" for entry in both[1] - both[0]]
        return told

    def move(self) -> None:
        """Have other addresses on the underlay from now on."""
        self._cluster.segment.move(self.number, self.namespace)

    def set_underlay_mtu(self, mtu: int) -> None:
        self.underlay_mtu = mtu
        self.namespace.ip("link", "set", LINK, "mtu", str(mtu))

    def remove_container(self) -> None:
        if self._container is not None:
            self._container.remove(self.namespace)
            self._container = None

    def close(self) -> None:
        """As a machine that loses its power."""
        self.agent.kill()
        if self._container is not None:
            self._container.namespace.delete()
        self.namespace.delete()


def _as_dumped(link: OverlayLink) -> OverlayLink:
    """Of a device that is not the kernel's own the kernel does not know where its frames go."""
    if link.kind == "vxlan":
        return link
    return OverlayLink(link.name, link.kind, link.mtu, "", ip_address(0), 0, link.mac)


class Cluster:
    """Nodes that share an underlay and a store of leases: a directory, or etcd beside the underlay's switch.

    settings: of the backend, as the configuration has them.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        versions: Sequence[int] = (4,),
        *,
        routed: bool = False,
        settings: Mapping[str, Any] | None = None,
        with_etcd: bool = False,
    ) -> None:
        self._undo = ExitStack()
        self._text = json.dumps({**NETWORK, "Backend": {"Type": _TYPES[kinds[0]], **(settings or {})}})
        try:
            self.home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-"))
            self._undo.callback(shutil.rmtree, self.home, ignore_errors=True)
            (self.home / "net-conf.json").write_text(self._text)
            self.segment = Segment(versions, routed)
            self._undo.callback(self.segment.close)
            self.etcd = Etcd(namespace=self.segment.namespace) if with_etcd else None
            if self.etcd is not None:
                self._undo.callback(self.etcd.close)
                self.configure()
            self.nodes: dict[int, Node] = {}
            for kind in kinds:
                self.add(kind)
        except BaseException:
            self.close()
            raise

    def configure(self) -> None:
        """Tell etcd what the network is."""
        assert self.etcd is not None
        self.etcd.put("/coreos.com/network/config", self._text)

    def arguments(self, kind: Kind) -> list[str]:
        """What an agent of this cluster is told, beside where it is."""
        where = ["--store", str(self.home / "store")]
        if self.etcd is not None:
            where = ["--etcd", self.etcd.url_at(self.segment.here(0, 4))]
        backend = [] if kind == "udp" else ["--backend", _TYPES[kind], *(["--tunnel-gso"] if kind == "gso" else [])]
        return ["--config", str(self.home / "net-conf.json"), *where, *backend]

    def config_of(self, kind: Kind) -> NetworkConfig:
        """The network, with the backend that nodes of a kind have."""
        config = parse_config(self._text)
        if kind == "udp":
            return config
        assert isinstance(config.backend, VXLANBackend)
        backend = replace(config.backend, type="vxlan" if kind == "kernel" else "vxlan-user")
        return replace(config, backend=backend)

    def leases(self) -> Sequence[Lease]:
        """All that there are."""
        if self.etcd is None:
            return FileStore(self.home / "store").leases()
        store = EtcdStore([self.etcd.url])
        return self.segment.namespace.call(store.leases)

    def add(self, kind: Kind, number: int | None = None) -> Node:
        """A node whose agent is not started yet."""
        number = number or max(self.nodes, default=0) + 1
        assert number not in self.nodes
        node = self.nodes[number] = Node(self, number, kind)
        self._undo.callback(node.close)
        return node

    def lose(self, node: Node) -> None:
        """Let a machine lose its power, for good."""
        del self.nodes[node.number]
        node.agent.kill()
        self.segment.detach(node.number)
        node.close()

    def start(self) -> None:
        """Start all agents, and wait until each node has what it has to have, and reaches the others."""
        for node in self.nodes.values():
            node.agent.start()
        self.settle()
        self.reach()

    def settle(self, seconds: float = _SETTLE_SECONDS) -> None:
        """Wait until the kernel of each node whose agent runs holds what is planned, and nothing else."""
        running = [node for node in self.nodes.values() if node.agent.is_running]
        assert eventually(lambda: all(node.agent.subnet_env.exists() for node in running), seconds), self.output
        if not eventually(lambda: not self._differences(running), seconds):
            for node in running:
                node.agent.show_stacks()
            pytest.fail("\n".join(self._differences(running)))

    def reach(self, *nodes: Node, seconds: float = 60.0) -> None:
        """Wait until the containers of these nodes, or of all that run, answer each other, over each IP version."""
        ends = nodes or tuple(node for node in self.nodes.values() if node.agent.is_running)
        for sender, receiver in combinations(ends, 2):
            for version in (4, 6):
                near, far = sender.container, receiver.container
                answered = eventually(lambda: pings(near, far, version), seconds)  # noqa: B023 # asked at once
                assert answered, f"node {sender.number} to {receiver.number}, IPv{version}: no answer"

    def _differences(self, nodes: Sequence[Node]) -> list[str]:
        return [line for node in nodes for line in node.differences()]

    @property
    def output(self) -> str:
        """What the agents printed."""
        return "\n".join(f"-- node {number}\n{node.agent.output}" for number, node in self.nodes.items())

    def close(self) -> None:
        self._undo.close()


@contextmanager
def cluster(*kinds: Kind, **settings: Any) -> Iterator[Cluster]:
    """A cluster whose agents have started, for the time of the block; what they printed is shown if that fails."""
    made = Cluster(kinds, **settings)
    try:
        made.start()
        yield made
    except BaseException:
        print(made.output)
        raise
    finally:
        made.close()


def sweep() -> None:
    """Remove the directories of runs whose process is gone."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}-*-*"):
        pid = path.name[len(_PREFIX) + 1 :].partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)

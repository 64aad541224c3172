"""Two nodes of an overlay in two namespaces, joined by a veth pair: each with the kernel's vxlan device, programmed as
flannel programs it, or with a TAP or TUN and the library's packet loops ("gso": with tunnel GSO below them).

On each node 10.5.K.2 and fc00:5:K::2 stand for a container: they are on its loopback device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Literal

from vxlanpkt import Tunnel
from vxlanpkt.overlay import DataPath, Device, Event, Peers, TunnelGSO

from .namespaces import Namespace

UNDERLAY, OVERLAY = "underlay", "flannel.1"
VNI, PORT = 1, 8472
Backend = Literal["kernel", "user", "gso", "udp"]


class Node:
    """One node; `number` is 1 or 2."""

    def __init__(self, number: int, backend: Backend, version: int, queues: int = 1) -> None:
        self.number, self.backend, self.version, self.queues = number, backend, version, queues
        self.namespace = Namespace()
        self.mac = f"02:00:00:00:05:0{number}"
        self.events: list[Event] = []
        self.device: Device | None = None
        self.path: DataPath | None = None
        self.tunnel_gso: TunnelGSO | None = None

    def underlay(self, number: int | None = None) -> str:
        """The address of a node on the underlay: this one's if no other is named."""
        return f"192.0.2.{number or self.number}" if self.version == 4 else f"2001:db8::{number or self.number}"

    def inside(self, version: int) -> str:
        """The address of this node's container."""
        return f"10.5.{self.number}.2" if version == 4 else f"fc00:5:{self.number}::2"

    @property
    def mtu(self) -> int:
        """What is left inside of 1500."""
        headers = 28 if self.backend == "udp" else 50
        return 1500 - headers - (0 if self.version == 4 else 20)

    def make_overlay(self, other: Node) -> None:
        """The device, addresses and routes, and the packet loops if they are the library's."""
        if self.backend == "kernel":
            self._make_kernel_device(other)
        else:
            self._make_user_device()
        ip, other_number = self.namespace.ip, other.number
        ip("link", "set", OVERLAY, "mtu", str(self.mtu), "up")
        for version, own, net, size in (
            (4, f"10.5.{self.number}.0", f"10.5.{other_number}.0", 24),
            (6, f"fc00:5:{self.number}::", f"fc00:5:{other_number}::", 64),
        ):
            flags = ("nodad",) if version == 6 else ()
            ip("addr", "add", f"{own}/{32 if version == 4 else 128}", "dev", OVERLAY, *flags)
            ip("addr", "add", f"{self.inside(version)}/{32 if version == 4 else 128}", "dev", "lo", *flags)
            via: tuple[str, ...] = ()
            if self.backend != "udp":
                ip("neigh", "add", net, "lladdr", other.mac, "dev", OVERLAY, "nud", "permanent")
                via = ("via", net)
            ip("route", "add", f"{net}/{size}", *via, "dev", OVERLAY, *(("onlink",) if via else ()),
               "src", self.inside(version))  # fmt: skip
        if self.backend != "kernel":
            self.path = self.namespace.call(lambda: self.open_path(other))
            self.path.start()

    def _make_kernel_device(self, other: Node) -> None:
        self.namespace.ip("link", "add", OVERLAY, "address", self.mac, "type", "vxlan", "id", str(VNI),
                          "local", self.underlay(), "dev", UNDERLAY, "dstport", str(PORT), "nolearning")  # fmt: skip
        self.namespace.exec("bridge", "fdb", "add", other.mac, "dev", OVERLAY, "dst", self.underlay(other.number),
                            "self", "permanent")  # fmt: skip

    def _make_user_device(self) -> None:
        if self.backend == "udp":
            self.device = self.namespace.call(lambda: Device(OVERLAY, "tun", queues=self.queues))
        else:
            self.device = self.namespace.call(lambda: Device(OVERLAY, "tap", queues=self.queues, mac=self.mac))

    def peers(self, other: Node) -> Peers:
        """The other node, and nobody else."""
        if self.backend == "udp":
            hop = (self.underlay(other.number), 8285)
            return Peers.udp({f"10.5.{other.number}.0/24": hop, f"fc00:5:{other.number}::/64": hop})
        tunnel = Tunnel(VNI, self.underlay(), self.underlay(other.number), dst_port=PORT)
        return Peers.vxlan({other.mac: tunnel}, own_macs=[self.mac])

    def open_path(self, other: Node) -> DataPath:
        """Packet loops that are not yet started."""
        assert self.device is not None
        if self.backend == "gso":
            self.tunnel_gso = TunnelGSO(UNDERLAY, self.underlay())
        return DataPath(
            self.device, self.underlay(), peers=self.peers(other), tunnel_gso=self.tunnel_gso,
            on_event=self.events.append,
        )  # fmt: skip

    def close(self) -> None:
        if self.path is not None:
            self.path.close()
        if self.tunnel_gso is not None:
            self.tunnel_gso.close()
        if self.device is not None:
            self.device.close()
        self.namespace.delete()

    @property
    def counters(self) -> Mapping[str, int]:
        assert self.path is not None
        return self.path.counters

    def ping(self, other: Node, version: int, size: int = 56, count: int = 3) -> None:
        """Echo requests of a size; one that is lost fails."""
        self.namespace.exec("ping", "-c", str(count), "-i", "0.05", "-W", "10", "-s", str(size),
                            "-I", self.inside(version), other.inside(version))  # fmt: skip


class Pair:
    """Two nodes and what is between them."""

    def __init__(self, first: Backend, second: Backend, version: int, queues: int = 1) -> None:
        self._undo = ExitStack()
        try:
            self.first, self.second = (self._node(*node, version, queues) for node in ((1, first), (2, second)))
            self._join()
            self.first.make_overlay(self.second)
            self.second.make_overlay(self.first)
        except BaseException:
            self.close()
            raise

    def _node(self, number: int, backend: Backend, version: int, queues: int) -> Node:
        node = Node(number, backend, version, queues)
        self._undo.callback(node.close)
        node.namespace.quieten()
        return node

    def _join(self) -> None:
        self.first.namespace.ip("link", "add", UNDERLAY, "type", "veth", "peer", "name", UNDERLAY,
                                "netns", self.second.namespace.name)  # fmt: skip
        for node in (self.first, self.second):
            address = (f"{node.underlay()}/24",) if node.version == 4 else (f"{node.underlay()}/64", "nodad")
            node.namespace.ip("addr", "add", address[0], "dev", UNDERLAY, *address[1:])
            node.namespace.ip("link", "set", UNDERLAY, "up")

    def close(self) -> None:
        self._undo.close()


@contextmanager
def pair(first: Backend, second: Backend, version: int = 4, queues: int = 1) -> Iterator[Pair]:
    """Two nodes for the time of the block."""
    made = Pair(first, second, version, queues)
    try:
        yield made
    finally:
        made.close()

"""The rig: two namespaces, a veth pair between them, the kernel's vxlan device in one of them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from . import netlink
from .handmade import (
    INNER_KERNEL_MAC,
    INNER_PEER_MAC,
    KERNEL_IP,
    KERNEL_IP6,
    KERNEL_MAC,
    PEER_IP,
    PEER_IP6,
    PEER_MAC,
    VNI,
)
from .namespaces import Namespace
from .wire import Wire

UNDERLAY = "underlay"
VXLAN_DEVICE = "vxlan"


class Rig:
    """`kernel` is the namespace with the vxlan device, `peer` the one where the library does that work."""

    def __init__(self) -> None:
        self._undo = ExitStack()
        try:
            self.kernel, self.peer = Namespace(), Namespace()
            for namespace in (self.kernel, self.peer):
                self._undo.callback(namespace.delete)
                namespace.quieten()
            self.kernel.ip(
                "link",
                "add",
                UNDERLAY,
                "address",
                KERNEL_MAC,
                "mtu",
                "9000",
                "type",
                "veth",
                "peer",
                "name",
                UNDERLAY,
                "address",
                PEER_MAC,
                "mtu",
                "9000",
                "netns",
                self.peer.name,
            )
            for namespace, address, address6, other_mac, others in (
                (self.kernel, KERNEL_IP, KERNEL_IP6, PEER_MAC, (PEER_IP, PEER_IP6)),
                (self.peer, PEER_IP, PEER_IP6, KERNEL_MAC, (KERNEL_IP, KERNEL_IP6)),
            ):
                # Without this a veth pair leaves checksums to a receiver that never computes them.
                namespace.exec("ethtool", "-K", UNDERLAY, "tx", "off", "gso", "off", "gro", "off", "tso", "off")
                namespace.ip("addr", "add", f"{address}/24", "dev", UNDERLAY)
                namespace.ip("addr", "add", f"{address6}/64", "dev", UNDERLAY, "nodad")
                namespace.ip("link", "set", UNDERLAY, "up")
                for other in others:
                    namespace.ip("neigh", "add", other, "lladdr", other_mac, "dev", UNDERLAY, "nud", "permanent")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove both namespaces and so everything in them."""
        self._undo.close()

    @contextmanager
    def wire(self, namespace: Namespace, device: str) -> Iterator[Wire]:
        """A raw end at *device* in *namespace*."""
        end = Wire(namespace, device)
        try:
            yield end
        finally:
            end.close()

    @contextmanager
    def udp_socket(self, family: int, port: int = 0) -> Iterator[socket.socket]:
        """A UDP socket on the peer's side, bound to its underlay address."""
        end = self.peer.socket(family, socket.SOCK_DGRAM)
        try:
            end.bind((PEER_IP if family == socket.AF_INET else PEER_IP6, port))
            end.settimeout(10.0)
            yield end
        finally:
            end.close()

    @contextmanager
    def device(
        self,
        *options: str,
        ip_version: int = 4,
        port: int = 4789,
        vni: int = VNI,
        learning: bool = False,
        group: str = "",
        inherit_flow_label: bool = False,
    ) -> Iterator[None]:
        """The kernel's vxlan device towards the peer, up, for the time of the block; *options* as iproute2 has them.

        *group* is a multicast group instead of the peer.
        """
        local, peer = (KERNEL_IP, PEER_IP) if ip_version == 4 else (KERNEL_IP6, PEER_IP6)
        remote = ("group", group, "dev", UNDERLAY) if group else ("remote", peer)
        self.kernel.ip(
            "link",
            "add",
            VXLAN_DEVICE,
            "address",
            INNER_KERNEL_MAC,
            "type",
            "vxlan",
            "id",
            str(vni),
            "local",
            local,
            *remote,
            "dstport",
            str(port),
            "learning" if learning else "nolearning",
            *options,
        )
        if inherit_flow_label:
            netlink.inherit_flow_label(self.kernel, VXLAN_DEVICE)
        with self._up():
            yield

    @contextmanager
    def gpe_device(self, port: int = 4790) -> Iterator[None]:
        """The kernel's VXLAN-GPE device, which exists in its external form only and carries bare IP packets."""
        self.kernel.ip("link", "add", VXLAN_DEVICE, "type", "vxlan", "external", "gpe", "dstport", str(port))
        with self._up():
            yield

    @contextmanager
    def _up(self) -> Iterator[None]:
        try:
            self.kernel.ip("link", "set", VXLAN_DEVICE, "up")
            yield
        finally:
            self.kernel.ip("link", "del", VXLAN_DEVICE)

    def peer_neighbour(self, address: str) -> None:
        """Tell the kernel's side that *address* is behind the peer's inner MAC, so that no ARP is needed."""
        self.kernel.ip("neigh", "add", address, "lladdr", INNER_PEER_MAC, "dev", VXLAN_DEVICE, "nud", "permanent")

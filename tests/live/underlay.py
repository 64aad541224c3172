"""The network below an overlay: a namespace that joins the nodes' links, by a bridge or as a router."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Interface, IPv6Interface

from vxlanpkt.overlay.plans.kernel_state import Underlay

from .namespaces import Namespace

LINK, MTU = "eth0", 1500
BRIDGE = "br0"
# Who forwards asks for neighbours from a link-local address, and needs one on each link: `quieten` leaves them out.
ROUTER, NODE = "fe80::1/64", "fe80::2:{}/64"
_HERE = 14  # the host number of the namespace itself
_MOVE = 6  # what is added to that of a node that moves


class Segment:
    """Where nodes are joined: 192.0.2.0/28 and 2001:db8::/64 for all of them, or, *routed*, one of each for every node.

    versions: the IP versions that nodes have addresses of.
    """

    def __init__(self, versions: Sequence[int], routed: bool = False) -> None:
        self.versions, self.routed = tuple(versions), routed
        self._moved: dict[int, int] = {}
        self.namespace = Namespace()
        self.namespace.quieten()
        if routed:
            self.namespace.sysctl("net.ipv4.ip_forward", 1)
            self.namespace.sysctl("net.ipv6.conf.all.forwarding", 1)
        else:
            # An address of its own: it would take another one whenever a port comes, and nodes remember the former.
            self.namespace.ip("link", "add", BRIDGE, "address", "02:00:00:00:01:ff", "type", "bridge")
            self._address(self.namespace, BRIDGE, [self._interface(0, _HERE, version) for version in self.versions])

    def _interface(self, number: int, host: int, version: int) -> IPv4Interface | IPv6Interface:
        network = number if self.routed else 0
        if version == 4:
            return IPv4Interface(f"192.0.2.{16 * network + host}/28")
        return IPv6Interface(f"2001:db8:0:{network}::{host}/64")

    def interface(self, number: int, version: int) -> IPv4Interface | IPv6Interface:
        """The address of a node on its link, with the length of the link's prefix."""
        return self._interface(number, self._moved.get(number, number), version)

    def here(self, number: int, version: int) -> str:
        """The address of this namespace that a node reaches it at."""
        return str(self._interface(number, _HERE, version).ip)

    @staticmethod
    def _address(namespace: Namespace, link: str, interfaces: Sequence[IPv4Interface | IPv6Interface]) -> None:
        for interface in interfaces:
            flags = ("nodad",) if interface.version == 6 else ()
            namespace.ip("addr", "replace", str(interface), "dev", link, *flags)
        namespace.ip("link", "set", link, "up")

    def attach(self, number: int, node: Namespace) -> None:
        """Give a node its link, address and way to the others."""
        port = f"port{number}"
        # The same in each life of a node: the others remember it.
        mac = f"02:00:00:00:01:{number:02x}"
        self.namespace.ip("link", "add", port, "type", "veth", "peer", "name", LINK, "address", mac, "netns", node.name)
        self.address(number, node)
        if not self.routed:
            self.namespace.ip("link", "set", port, "master", BRIDGE, "up")
            return
        self._address(self.namespace, port, [self._interface(number, _HERE, version) for version in self.versions])
        self.namespace.ip("addr", "add", ROUTER, "dev", port, "nodad")
        for version in self.versions:
            node.ip(f"-{version}", "route", "add", "default", "via", self.here(number, version), "dev", LINK)

    def detach(self, number: int) -> None:
        """Take a node's link away, at both ends."""
        self.namespace.ip("link", "del", f"port{number}")

    def address(self, number: int, node: Namespace) -> None:
        """Give a node's link its addresses, and take it up; IPv6 needs them again when it has been down."""
        self._address(node, LINK, [self.interface(number, version) for version in self.versions])
        node.ip("addr", "replace", NODE.format(number), "dev", LINK, "nodad")

    def move(self, number: int, node: Namespace) -> None:
        """Give a node other addresses, as a DHCP server does that has forgotten it."""
        old = [self.interface(number, version) for version in self.versions]
        self._moved[number] = number + _MOVE
        for interface in old:
            node.ip("addr", "del", str(interface), "dev", LINK)
        self.address(number, node)

    def set_connected(self, number: int, connected: bool) -> None:
        """Pull a node's cable, or plug it in again."""
        self.namespace.ip("link", "set", f"port{number}", "up" if connected else "down")

    def narrow(self, number: int, mtu: int) -> None:
        """Let no more through to a node than *mtu*, and say so to senders, as a router before a smaller link does."""
        assert self.routed
        for version in self.versions:
            interface = self._interface(number, _HERE, version)
            metric = ("metric", "256") if version == 6 else ()  # that of the route to be replaced
            self.namespace.ip(f"-{version}", "route", "replace", str(interface.network), "dev", f"port{number}",
                              "proto", "kernel", *metric, "mtu", "lock", str(mtu))  # fmt: skip

    def as_known_to(self, number: int, mtu: int) -> Underlay:
        """What a node's agent has to find out about its link."""
        interfaces = {version: self.interface(number, version) for version in self.versions}
        ipv4, ipv6 = interfaces.get(4), interfaces.get(6)
        address = ipv4.ip if isinstance(ipv4, IPv4Interface) else None
        address6 = ipv6.ip if isinstance(ipv6, IPv6Interface) else None
        return Underlay(LINK, mtu, address, address6, frozenset(interfaces.values()), address, address6)

    def close(self) -> None:
        self.namespace.delete()

"""A node whose kernel is brought to the plan for the leases there are, in a namespace of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from vxlanpkt import MACAddress
from vxlanpkt.overlay import (
    KernelState,
    Lease,
    LeaseAttributes,
    Netlink,
    Outcome,
    Plan,
    Reconciler,
    Subnets,
    find_underlay,
    parse_config,
    plan,
)

from .kernel_dumps import overlay_state
from .namespaces import Namespace

UNDERLAY = "eth0"
LINKS = ("flannel.1", "flannel-v6.1", "flannel0")
_FAMILIES: dict[str, dict[str, Any]] = {
    "4": {"Network": "10.64.0.0/10"},
    "6": {"EnableIPv4": False, "EnableIPv6": True, "IPv6Network": "fc00:5::/48"},
    "46": {"Network": "10.64.0.0/10", "EnableIPv6": True, "IPv6Network": "fc00:5::/48"},
}


def lease(
    number: int, *, address: int | None = None, mac: int | None = None, inside: str = "46", outside: str = "46",
    kind: str = "vxlan",
) -> Lease:  # fmt: skip
    """The lease of a node. address, mac: where they are not those that go with its number."""
    where, station = address or number, mac or number
    subnets = Subnets(
        IPv4Network((int(IPv4Address("10.64.0.0")) + (number << 8), 24)) if "4" in inside else None,
        IPv6Network(f"fc00:5:0:{number:x}::/64") if "6" in inside else None,
    )
    public_ip = IPv4Address("198.18.0.0") + where if "4" in outside else None
    public_ipv6 = IPv6Address("2001:db8::") + where if "6" in outside else None
    six = 0x06_00_00 if outside == "46" else 0  # one device for both has one address
    made = LeaseAttributes.vxlan(
        public_ip,
        MACAddress(0x02_00_00_00_00_00 + station) if "4" in inside else None,
        public_ipv6=public_ipv6,
        vtep_mac6=MACAddress(0x02_00_00_00_00_00 + six + station) if "6" in inside else None,
    )
    if kind == "udp":
        made = made.replace(backend_type="udp", backend_data=None, backend_v6_data=None)
    return Lease(subnets, made)


class KernelNode:
    """Node 1: `inside` are the IP versions that its network has, `outside` those of its underlay."""

    def __init__(self, inside: str = "46", outside: str = "46", **backend: Any) -> None:
        self.inside, self.outside = inside, outside
        self.kind = backend.get("Type", "vxlan")
        self.config = parse_config(json.dumps({**_FAMILIES[inside], "Backend": {"Type": "vxlan", **backend}}))
        self.namespace = Namespace()
        try:
            self.make_underlay()
            self.kernel = self.namespace.call(Netlink)
        except BaseException:
            self.namespace.delete()
            raise
        self.reconciler = self.new_reconciler()

    def make_underlay(self) -> None:
        """The interface that tunnels leave by, with its addresses."""
        ip = self.namespace.ip
        ip("link", "add", UNDERLAY, "type", "veth", "peer", "name", "wire")
        for end in (UNDERLAY, "wire"):
            ip("link", "set", end, "addrgenmode", "none", "up")
        if "4" in self.outside:
            ip("addr", "add", "198.18.0.1/16", "dev", UNDERLAY)
        if "6" in self.outside:
            ip("addr", "add", "2001:db8::1/64", "dev", UNDERLAY, "nodad")

    def new_reconciler(self, *links: str) -> Reconciler:
        """One that knows of nothing yet, as after a restart."""
        networks = [subnets.network for subnets in (self.config.ipv4, self.config.ipv6) if subnets is not None]
        return Reconciler(self.kernel, networks, links)

    def lease(self, number: int, **changes: Any) -> Lease:
        """The lease of a node of this network."""
        return lease(number, **{"inside": self.inside, "outside": self.outside, "kind": self.kind, **changes})

    def plan(self, others: Sequence[Lease], **own: Any) -> Plan:
        """What this node needs for the leases of others."""
        underlay = self.namespace.call(lambda: find_underlay(UNDERLAY))
        return plan(self.config, self.lease(1, **own), others, underlay)

    def bring(self, others: Sequence[Lease], **own: Any) -> Outcome:
        """Have the kernel hold that."""
        return self.reconciler.bring(self.plan(others, **own).kernel)

    def state(self) -> KernelState:
        """What iproute2 says that there is of the overlay."""
        return overlay_state(self.namespace, *LINKS)

    def close(self) -> None:
        self.kernel.close()
        self.namespace.delete()


@contextmanager
def kernel_node(inside: str = "46", outside: str = "46", **backend: Any) -> Iterator[KernelNode]:
    """A node for the time of the block."""
    made = KernelNode(inside, outside, **backend)
    try:
        yield made
    finally:
        made.close()

"""Who follows whom: an immutable table from (layer, key) to layer, passed as an argument.

The key is what the lower layer's `scan` gives as `next_key`: an EtherType, a protocol number, a
destination port; VXLAN, which names nothing, always gives 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from vxlanpkt import kernel
from vxlanpkt.assigned import EtherType, GPENextProtocol, IPProtocol, UDPPort
from vxlanpkt.errors import FieldError, refused_argument
from vxlanpkt.layers.arp import ARP
from vxlanpkt.layers.base import Layer
from vxlanpkt.layers.dot1q import Dot1Q
from vxlanpkt.layers.ethernet import Ethernet
from vxlanpkt.layers.icmp import ICMP
from vxlanpkt.layers.icmpv6 import ICMPv6
from vxlanpkt.layers.ipv4 import IPv4
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.linux_sll import LinuxSLL
from vxlanpkt.layers.linux_sll2 import LinuxSLL2
from vxlanpkt.layers.loopback import Loopback
from vxlanpkt.layers.tcp import TCP
from vxlanpkt.layers.udp import UDP
from vxlanpkt.layers.vxlan import VXLAN
from vxlanpkt.layers.vxlan_gpe import VXLANGPE

# In the order of Kind: what the kernel's rows decode to.
LAYERS: tuple[type[Layer], ...] = (
    Ethernet, Dot1Q, ARP, IPv4, IPv6, UDP, TCP, ICMP, ICMPv6, VXLAN, VXLANGPE, LinuxSLL, LinuxSLL2, Loopback,
)  # fmt: skip

KINDS: Mapping[type[Layer], int] = {layer: index for index, layer in enumerate(LAYERS)}


class Bindings:
    """An immutable table of who follows whom. `DEFAULT` is the library's; `bind` makes a new one."""

    __slots__ = ("_held_ports", "_keys", "_table", "built_in", "walkable")

    walkable: bool  # a kernel may walk built-in layers: none of its fixed bindings has been replaced
    built_in: bool  # and there are no others

    def __init__(self, table: Mapping[tuple[type[Layer], int], type[Layer]]) -> None:
        self._table = MappingProxyType(dict(table))
        # The first binding of a pair gives the key that is derived on build.
        self._keys = {(below, above): key for (below, key), above in reversed(list(self._table.items()))}
        self._held_ports: Any = None
        self.walkable = all(self._table.get(pair) is above for pair, above in _FIXED.items())
        self.built_in = self.walkable and all(
            pair in _FIXED or (pair[0] is UDP and above in KINDS) for pair, above in self._table.items()
        )

    def bind(self, below: type[Layer], key: int, above: type[Layer], *, replace: bool = False) -> Bindings:
        """A new table in which *above* follows *below* under *key*.

        Raises `FieldError` if another layer has that place, unless *replace* is set.
        """
        holder = self._table.get((below, key))
        if holder is not None and holder is not above and not replace:
            raise FieldError(
                f"{below.NAME} key {key} is bound to {holder.NAME}: pass replace=True to take its place",
                layer=below.NAME, field="key", value=key, bits=None,
            )  # fmt: skip
        return Bindings({**self._table, (below, key): above})

    def with_vxlan_ports(self, ports: Iterable[int]) -> Bindings:
        """A new table in which exactly *ports* carry VXLAN over UDP."""
        if not isinstance(ports, Iterable):
            raise refused_argument("UDP", "ports", ports, "iterable", 16)
        chosen = tuple(ports)
        for port in chosen:
            if not isinstance(port, int) or port >> 16:
                raise refused_argument("UDP", "ports", port, "a UDP port", 16)
        kept = {pair: above for pair, above in self._table.items() if not (pair[0] is UDP and above is VXLAN)}
        return Bindings({**kept, **{(UDP, port): VXLAN for port in chosen}})

    def get(self, below: type[Layer], key: int | None) -> type[Layer] | None:
        """The layer that follows *below* under *key*, or None."""
        return None if key is None else self._table.get((below, key))

    def key(self, below: type[Layer], above: type[Layer]) -> int | None:
        """The key under which *above* was first bound to *below*, or None."""
        return self._keys.get((below, above))

    @property
    def held_ports(self) -> Any:
        """The UDP destination ports of built-in layers, as the kernel holds them."""
        if self._held_ports is None:
            self._held_ports = kernel.hold_ports(
                {key: KINDS[above] for (below, key), above in self._table.items() if below is UDP and above in KINDS}
            )
        return self._held_ports

    def __len__(self) -> int:
        return len(self._table)


_ETHERTYPES = (
    (EtherType.IPV4, IPv4), (EtherType.ARP, ARP), (EtherType.IPV6, IPv6),
    (EtherType.DOT1Q, Dot1Q), (EtherType.QINQ, Dot1Q),
)  # fmt: skip
_FAMILIES = ((2, IPv4), (30, IPv6), (10, IPv6), (24, IPv6), (28, IPv6))

# What kernels know without being told: all but the UDP ports.
_FIXED: Mapping[tuple[type[Layer], int], type[Layer]] = {
    **{(below, int(key)): above for below in (Ethernet, Dot1Q, LinuxSLL, LinuxSLL2) for key, above in _ETHERTYPES},
    **{(Loopback, key): above for key, above in _FAMILIES},
    (IPv4, int(IPProtocol.ICMP)): ICMP,
    (IPv4, int(IPProtocol.TCP)): TCP,
    (IPv4, int(IPProtocol.UDP)): UDP,
    (IPv6, int(IPProtocol.TCP)): TCP,
    (IPv6, int(IPProtocol.UDP)): UDP,
    (IPv6, int(IPProtocol.ICMPV6)): ICMPv6,
    (VXLAN, 0): Ethernet,
    (VXLANGPE, int(GPENextProtocol.IPV4)): IPv4,
    (VXLANGPE, int(GPENextProtocol.IPV6)): IPv6,
    (VXLANGPE, int(GPENextProtocol.ETHERNET)): Ethernet,
}

DEFAULT = Bindings(
    {
        **_FIXED,
        (UDP, int(UDPPort.VXLAN)): VXLAN,
        (UDP, int(UDPPort.VXLAN_LINUX)): VXLAN,
        (UDP, int(UDPPort.VXLAN_GPE)): VXLANGPE,
    }
)

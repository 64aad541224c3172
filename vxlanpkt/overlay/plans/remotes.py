"""Which addresses a tunnel may lead to: another node's on the underlay, and neither this node's nor anything inside."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import NamedTuple

from vxlanpkt.overlay.addresses import Address, Network
from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.plans.kernel_state import Underlay

# RFC 1122 3.2.1.3, RFC 4291 2.4 and 2.5. Of IPv6's link-local addresses there is one of each on every link.
_NOBODY = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32",
        "::/128", "::1/128", "::ffff:0:0/96", "ff00::/8", "fe80::/10",
    )
)  # fmt: skip


class _Barred(NamedTuple):
    """Addresses that are no peer's: those of one IP version that have *prefix* when shifted right by *shift* bits."""

    shift: int
    prefix: int
    why: str


class Remotes:
    """Judges addresses. There can be thousands, so each costs a few comparisons of numbers."""

    def __init__(self, config: NetworkConfig, underlay: Underlay) -> None:
        self._barred: dict[int, list[_Barred]] = {4: [], 6: []}
        for network, why in _barred(config, underlay):
            shift = network.max_prefixlen - network.prefixlen
            self._barred[network.version].append(_Barred(shift, int(network.network_address) >> shift, why))

    def fault(self, address: Address) -> str:
        """Why *address* cannot be another node's, "" if it can."""
        number = int(address)
        for shift, prefix, why in self._barred[address.version]:
            if number >> shift == prefix:
                return why
        return ""


def _barred(config: NetworkConfig, underlay: Underlay) -> Iterator[tuple[Network, str]]:
    for address in (underlay.public_ip, underlay.public_ipv6, *(own.ip for own in underlay.addresses)):
        if address is not None:
            yield ip_network(address), "is this node's own"
    for own in underlay.addresses:
        if own.version == 4 and own.network.prefixlen < 31:
            yield ip_network(own.network.broadcast_address), "is no node's"
    for network in _NOBODY:
        yield network, "is no node's"
    for subnets in (config.ipv4, config.ipv6):
        if subnets is not None:
            yield subnets.network, "is inside the overlay: the tunnel would lead into itself"

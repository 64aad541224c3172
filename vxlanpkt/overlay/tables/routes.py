"""A table of routes: the next hop of the longest prefix that an address has, for IPv4 and IPv6."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Generic, TypeVar

from vxlanpkt.batches.columns import AddressColumn
from vxlanpkt.errors import refused_field
from vxlanpkt.kernel import new_buffer, view
from vxlanpkt.kernel.contract.tables import Asked
from vxlanpkt.overlay.addresses import Address, Network
from vxlanpkt.overlay.tables.numbering import GrowingMap, Numbers, as_tunnels
from vxlanpkt.tunnel import TunnelTable

_refused = partial(refused_field, "RouteTable")

NextHop = TypeVar("NextHop", bound=Hashable)

_WIDTHS = {4: 4, 6: 16}
_NONE = b"\xff\xff\xff\xff"  # NO_VALUE, in any order of bytes


class RouteTable(Generic[NextHop]):
    """Next hops by network. A next hop is any value that is hashable and not None: a tunnel, or an address.

    A look-up of many addresses takes as long with a million routes as with ten, but for what the memory takes that they
    lie in: see docs/forwarding.md. Raises `FieldError` for a network with bits behind its prefix.
    """

    def __init__(self, routes: Iterable[tuple[Network | str, NextHop]] = ()) -> None:
        self._maps = {4: GrowingMap(), 6: GrowingMap()}
        self._hops: Numbers[NextHop] = Numbers()
        self._table: tuple[int, TunnelTable] | None = None
        self.update(routes)

    def __len__(self) -> int:
        """How many routes there are."""
        return sum(map(len, self._maps.values()))

    def add(self, network: Network | str, next_hop: NextHop) -> None:
        """Add a route; `FieldError` if there is one of the same network that leads elsewhere."""
        known = self.get(network)
        if known is not None and known != next_hop:
            raise _refused("network", str(network), f"free: its next hop is {known}")
        if known is None:
            self.update([(network, next_hop)])

    def replace(self, network: Network | str, next_hop: NextHop) -> None:
        """Add a route, in place of one of the same network if there is one."""
        self.update([(network, next_hop)])

    def update(self, routes: Iterable[tuple[Network | str, NextHop]]) -> None:
        """Add many routes, or replace them: of several of one network the last one stays."""
        chosen = {_network(network): next_hop for network, next_hop in routes}
        sorted_out: dict[tuple[int, int], tuple[bytearray, array[int]]] = defaultdict(lambda: (bytearray(), array("I")))
        for network, next_hop in chosen.items():
            if next_hop is None:
                raise _refused("next_hop", None, "a value that look-ups can be told from")
            self._release(network)
            keys, numbers = sorted_out[network.version, network.prefixlen]
            keys += _key(network)
            numbers.append(self._hops.take(next_hop))
        for version, prefixes in self._maps.items():
            prefixes.allow({length for own, length in sorted_out if own == version})
        for (version, length), (keys, numbers) in sorted(sorted_out.items(), key=lambda item: item[0]):
            self._maps[version].put(keys, length, numbers)

    def remove(self, network: Network | str) -> NextHop | None:
        """Remove the route of exactly this network; returns its next hop, or None if there is no such route."""
        found = _network(network)
        hop = self.get(found)
        if self._release(found):
            self._maps[found.version].drop(_key(found), found.prefixlen)
        return hop

    def _release(self, network: Network) -> bool:
        found = self._maps[network.version].find(_key(network), network.prefixlen)
        if found is not None:
            self._hops.release(found.value)
        return found is not None

    def get(self, network: Network | str) -> NextHop | None:
        """The next hop of exactly this network, or None."""
        wanted = _network(network)
        found = self._maps[wanted.version].find(_key(wanted), wanted.prefixlen)
        return None if found is None else self._hops.values[found.value]

    def __contains__(self, network: object) -> bool:
        """Whether there is a route of exactly this network."""
        return isinstance(network, (str, IPv4Network, IPv6Network)) and self.get(network) is not None

    def __iter__(self) -> Iterator[tuple[Network, NextHop]]:
        """The routes, those of IPv4 first, ordered by network."""
        for version, prefixes in self._maps.items():
            none = prefixes.find(b"", 0)
            entries = [] if none is None else [(bytes(16), 0, none.value)]
            entries += [(key, length, number) for key, number, length, _ in prefixes.listed()]
            for key, length, number in sorted(entries):
                hop = self._hops.values[number]
                assert hop is not None
                kind = IPv4Network if version == 4 else IPv6Network
                yield kind((key[: _WIDTHS[version]], length)), hop

    def look_up(self, address: Address | str) -> NextHop | None:
        """The next hop of the longest prefix that an address has, or None."""
        found = _address(address)
        out = new_buffer(4)
        width = _WIDTHS[found.version]
        asked = Asked(1, memoryview(found.packed), width, 0, width)
        if not self._maps[found.version].look_up(asked, out):
            return None
        return self._hops.values[view(out).cast("I")[0]]

    def look_up_batch(self, addresses: AddressColumn | Sequence[Address | str]) -> memoryview:
        """The number of each address's next hop in `next_hops`, or NO_TUNNEL, as uint32.

        addresses  a column of a `DecapBatch`, such as `inner_dst`, or addresses one by one
        """
        column = addresses if isinstance(addresses, AddressColumn) else _column(addresses)
        rows = len(column)
        if not rows:
            return memoryview(array("I"))
        out = new_buffer(4 * rows)
        view(out)[:] = _NONE * rows
        for version, width in _WIDTHS.items():
            asked = Asked(rows, column.raw, 16, 16 - width, width, column.family.cast("B"), version)
            self._maps[version].look_up(asked, out)
        return view(out).cast("I")

    @property
    def next_hops(self) -> Sequence[NextHop | None]:
        """The next hops by the numbers that `look_up_batch` gives; what changes the table may change these."""
        return tuple(self._hops.values)

    @property
    def tunnels(self) -> TunnelTable:
        """The next hops by their numbers for `encap_batch`, where they are tunnels."""
        if self._table is None or self._table[0] != self._hops.version:
            self._table = self._hops.version, as_tunnels(self._hops.values)
        return self._table[1]

    def __repr__(self) -> str:
        return f"<RouteTable of {len(self)} routes>"


def _network(network: Network | str) -> Network:
    try:
        return ip_network(network)
    except (ValueError, TypeError):
        raise _refused("network", network, "a network: an address and a prefix length, and no bits behind it") from None


def _address(address: Address | str) -> Address:
    try:
        return ip_address(address)
    except ValueError:
        raise _refused("address", address, "an IP address") from None


def _key(network: Network) -> bytes:
    return network.network_address.packed.ljust(16, b"\0")


def _column(addresses: Sequence[Address | str]) -> AddressColumn:
    found = [_address(address) for address in addresses]
    raw = b"".join(address.packed.rjust(16, b"\0") for address in found)
    return AddressColumn(memoryview(raw), memoryview(bytes(address.version for address in found)))

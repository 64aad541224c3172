"""The table of routes, against a list of networks that is searched from end to end."""

from __future__ import annotations

from array import array
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vxlanpkt import NO_TUNNEL, AddressColumn, FieldError, FrameBatch, Tunnel, decap_batch, encap_batch
from vxlanpkt.overlay import RouteTable
from vxlanpkt.strategies import networks, route_tables

Network = IPv4Network | IPv6Network
hops = st.integers(0, 4)


def addresses_near(network: Network) -> list[IPv4Address | IPv6Address]:
    """The first and the last address of a network, and those beside it."""
    first, last = int(network.network_address), int(network.broadcast_address)
    highest = (1 << network.max_prefixlen) - 1
    kind = IPv4Address if network.version == 4 else IPv6Address
    return [kind(number) for number in (first, last, first - 1, last + 1) if 0 <= number <= highest]


def expected(known: dict[Network, int], address: IPv4Address | IPv6Address) -> int | None:
    """What the longest network that an address is in leads to."""
    holding = [network for network in known if network.version == address.version and address in network]
    return known[max(holding, key=lambda network: network.prefixlen)] if holding else None


class RouteMachine(RuleBasedStateMachine):
    """Changes in any order, and look-ups between them."""

    def __init__(self) -> None:
        super().__init__()
        self.table: RouteTable[int] = RouteTable()
        self.known: dict[Network, int] = {}

    @rule(network=networks(), hop=hops)
    def replace(self, network: Network, hop: int) -> None:
        self.table.replace(network, hop)
        self.known[network] = hop

    @rule(network=networks(), hop=hops)
    def add(self, network: Network, hop: int) -> None:
        try:
            self.table.add(str(network), hop)
        except FieldError:
            assert self.known[network] != hop
        else:
            assert self.known.setdefault(network, hop) == hop

    @rule(routes=st.lists(st.tuples(networks(), hops), max_size=80))
    def update(self, routes: list[tuple[Network, int]]) -> None:
        self.table.update(routes)
        self.known.update(routes)

    @rule(network=networks())
    def remove_any(self, network: Network) -> None:
        assert self.table.remove(network) == self.known.pop(network, None)

    @rule(data=st.data())
    def remove_one(self, data: st.DataObject) -> None:
        if self.known:
            network = data.draw(st.sampled_from(list(self.known)))
            assert self.table.get(network) == self.known[network]
            assert self.table.remove(network) == self.known.pop(network)

    @rule(network=networks())
    def look_up(self, network: Network) -> None:
        for address in addresses_near(network):
            assert self.table.look_up(address) == expected(self.known, address)

    @rule(near=st.lists(networks(), max_size=4), times=st.sampled_from((1, 40)))
    def look_up_batch(self, near: list[Network], times: int) -> None:
        wanted = [address for network in near for address in addresses_near(network)] * times
        found = self.table.look_up_batch(wanted)
        table = self.table.next_hops
        assert [None if number == NO_TUNNEL else table[number] for number in found] == [
            expected(self.known, address) for address in wanted
        ]

    @invariant()
    def same_routes(self) -> None:
        assert dict(self.table) == self.known
        assert len(self.table) == len(self.known)
        assert {hop for hop in self.table.next_hops if hop is not None} == set(self.known.values())


TestRoutes = RouteMachine.TestCase
TestRoutes.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


@given(table=route_tables(), near=st.lists(networks(), max_size=10))
def test_tables_of_the_strategy(table: RouteTable[Any], near: list[Network]) -> None:
    """Each is a table, ordered when it is listed."""
    routes = list(table)
    keys = [(network.version, network) for network, _ in routes]
    assert keys == sorted(keys)
    for network in near:
        for address in addresses_near(network):
            assert table.look_up(address) == expected(dict(routes), address)


def test_every_length_of_both_versions() -> None:
    """All lengths at once, put in and taken out again."""
    for highest, kind in ((IPv4Address((1 << 32) - 1), IPv4Network), (IPv6Address((1 << 128) - 1), IPv6Network)):
        bits = highest.max_prefixlen
        lengths = list(range(bits + 1))
        all_networks: list[Network] = [kind((int(highest) >> bits - at << bits - at, at)) for at in lengths]
        table: RouteTable[int] = RouteTable(zip(all_networks, lengths, strict=True))
        for length in reversed(lengths):
            assert table.look_up(highest) == length
            assert table.remove(all_networks[length]) == length
        assert table.look_up(highest) is None
        assert not len(table)


def test_columns_and_tunnels() -> None:
    """Inner destinations of a batch choose the tunnels of the next."""
    a, b = (Tunnel(vni=1, src="192.0.2.1", dst=f"192.0.2.{last}") for last in (2, 3))
    table: RouteTable[Tunnel] = RouteTable(
        [("10.1.0.0/16", a), ("10.2.0.0/16", b), ("fd00:2::/32", b), ("9.0.0.0/8", a)]
    )
    table.remove("9.0.0.0/8")
    packets = [bytes.fromhex("45000014000000004011 0000") + bytes((8, 8, 8, 8, 10, last, 0, 1)) for last in (1, 2, 3)]
    frames = [bytes.fromhex("020000000001 020000000002 0800") + packet for packet in packets]
    v6 = bytes.fromhex("60000000 0000 3b40") + bytes(16) + IPv6Address("fd00:2::1").packed
    frames.append(bytes.fromhex("020000000001 020000000002 86dd") + v6)
    got = decap_batch(encap_batch(FrameBatch.from_frames(frames), a))
    index = table.look_up_batch(got.inner_dst)
    hops = [None if number == NO_TUNNEL else table.next_hops[number] for number in index]
    assert hops == [a, b, None, b]
    sent = encap_batch(got.inner, table.tunnels, index=index)
    assert sent[1] == b.encap(frames[1]) and not sent.lengths[2]
    table.remove("10.1.0.0/16")
    assert list(table.tunnels) == [b, b]
    assert list(RouteTable[Tunnel]().tunnels) == []


@pytest.mark.parametrize("network", ["10.0.0.1/8", "nonsense", "10.0.0.0/33", None])
def test_what_is_no_network(network: Any) -> None:
    table: RouteTable[int] = RouteTable()
    with pytest.raises(FieldError, match=r"RouteTable\.network"):
        table.add(network, 1)
    with pytest.raises(FieldError, match=r"RouteTable\.network"):
        table.remove(network)
    with pytest.raises(FieldError, match=r"RouteTable\.network"):
        table.get(network)
    with pytest.raises(FieldError, match="address"):
        table.look_up("nonsense")
    with pytest.raises(FieldError, match="next_hop"):
        table.add("10.0.0.0/8", None)  # type: ignore[arg-type]
    assert 7 not in table and "10.0.0.0/8" not in table


def test_nothing() -> None:
    """An empty table, and an empty column."""
    table: RouteTable[int] = RouteTable()
    assert (
        list(table.look_up_batch([]))
        == list(table.look_up_batch(AddressColumn(memoryview(b""), memoryview(b""))))
        == []
    )
    assert list(table.look_up_batch(["10.0.0.1", "::1"])) == [NO_TUNNEL] * 2
    assert repr(table) == "<RouteTable of 0 routes>" and array("I", table.look_up_batch([])) == array("I")

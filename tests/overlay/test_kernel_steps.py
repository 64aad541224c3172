"""The steps from what is found to what is wanted: they get there, in an order that leaves no hole."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from vxlanpkt import MACAddress
from vxlanpkt.overlay import (
    FDBEntry,
    KernelState,
    LinkAddress,
    NeighbourEntry,
    OverlayLink,
    Route,
    plan,
    steps,
)
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.plans.kernel_steps import Step, applied
from vxlanpkt.strategies import overlays

from .kernel_model import UNDERLAY, KernelModel

LINK = OverlayLink("flannel.1", "vxlan", 1450, UNDERLAY, IPv4Address("192.0.2.1"), 8472, MACAddress(2 << 40), 1)


# -- states


@st.composite
def strangers(draw: st.DrawFn, link: str) -> Any:
    """What somebody else may have put on a link."""
    mac = MACAddress(draw(st.sampled_from((0, 2 << 40 | 2, 2 << 40 | 3, 2 << 40 | 99))))
    number = draw(st.integers(1, 9))
    inside: tuple[Address, ...] = (IPv4Address(f"10.5.{number}.0"), IPv6Address(f"fc00:5:0:{number}::"))
    outside: tuple[Address, ...] = (IPv4Address(f"192.0.2.{number}"), IPv6Address(f"2001:db8::{number}"))
    address, remote = draw(st.sampled_from(inside)), draw(st.sampled_from(outside))
    length = draw(st.sampled_from((24, 32) if address.version == 4 else (64, 128)))
    network = ip_network(f"{address}/{length}")
    gateway = address if draw(st.booleans()) else None
    return draw(st.sampled_from((
        LinkAddress(link, ip_interface(network)),
        NeighbourEntry(link, address, mac),
        FDBEntry(link, mac, remote),
        Route(network, link, gateway, gateway is not None, draw(st.sampled_from((0, 0, 7)))),
    )))  # fmt: skip


@st.composite
def transitions(draw: st.DrawFn) -> tuple[KernelState, KernelState]:
    """What is wanted, and what is found: of an earlier time, with other devices, and with strangers' doing."""
    config, own, others, underlay = draw(overlays())
    wanted = plan(config, own, draw(st.permutations(others))[:5], underlay).kernel
    earlier = KernelModel(plan(config, own, draw(st.permutations(others))[:5], underlay).kernel)
    for link in list(earlier.links.values()):
        for stranger in draw(st.lists(strangers(link.name), max_size=6)):
            earlier.put(stranger)
    for name, link in list(earlier.links.items()):
        changes: list[dict[str, Any] | None] = [{}, {}, {"mtu": 1300}, {"is_up": False}, None]
        if link.kind != "tun":
            changes += [{"mac": MACAddress(2 << 40 | 77)}]
        if link.kind == "vxlan":
            changes += [{"vni": 9}, {"port": 9}, {"gbp": True}, {"learning": True}, {"kind": "tap"}]
        change = draw(st.sampled_from(changes))
        if change is None:
            earlier.do(Step("remove", link))
        else:
            earlier.links[name] = replace(link, **change)
    return wanted, earlier.state


def reachable(wanted: KernelState, found: KernelState) -> KernelState:
    """What of *wanted* can be had: without TUNs and TAPs that are not there."""
    kinds = {link.name: link.kind for link in found.links}
    links = {link for link in wanted.links if link.kind == "vxlan" or kinds.get(link.name) == link.kind}
    names = {link.name for link in links} | {UNDERLAY}
    return KernelState(
        frozenset(links),
        frozenset(entry for entry in wanted.addresses if entry.link in names),
        frozenset(entry for entry in wanted.neighbours if entry.link in names),
        frozenset(entry for entry in wanted.fdb if entry.link in names),
        frozenset(entry for entry in wanted.routes if entry.link in names),
    )


# -- laws


@given(transitions())
def test_they_lead_to_what_is_wanted(transition: tuple[KernelState, KernelState]) -> None:
    """A kernel that does them, and refuses what Linux refuses, holds what is wanted; nothing is left to do."""
    wanted, found = transition
    model = KernelModel(found)
    for step in steps(wanted, found):
        note(str(step))
        model.do(step)
    expected = reachable(wanted, found)
    assert model.state == expected
    assert steps(wanted, model.state) == steps(expected, expected) == ()


@given(transitions())
def test_applied_is_what_the_kernel_does(transition: tuple[KernelState, KernelState]) -> None:
    """After each step; but for IPv4 entries that go along with a device's last address, which are on their way out."""
    wanted, found = transition
    model = KernelModel(found)
    todo = steps(wanted, found)
    loses_ipv4 = any(isinstance(item, LinkAddress) and item.address.version == 4 for action, item in todo
                     if action == "remove")  # fmt: skip
    for count, step in enumerate(todo, 1):
        model.do(step)
        assert loses_ipv4 or applied(found, todo[:count]) == model.state
    assert applied(found, todo) == model.state


@given(transitions())
def test_no_hole(transition: tuple[KernelState, KernelState]) -> None:
    """No route is made before what it needs; while a peer that stays is changed, it always has all three."""
    wanted, found = transition
    model = KernelModel(found)
    todo = steps(wanted, found)
    remade = {step.item.name for step in todo if isinstance(step.item, OverlayLink)}
    before = {route for route in found.routes & wanted.routes if route.link not in remade}
    whole = {route for route in before if has_all(model, route)}
    for step in todo:
        model.do(step)
        if isinstance(step.item, Route) and step.action != "remove":
            assert has_all(model, step.item), step
        assert all(model.routes.get((route.destination, 0)) == route and has_all(model, route) for route in whole)


def has_all(model: KernelModel, route: Route) -> bool:
    """Whether a packet by a route would be sent to somebody."""
    link = model.links.get(route.link)
    if link is None or link.kind == "tun" or route.gateway is None:
        return True
    mac = model.neighbours.get((route.link, route.gateway))
    return mac is not None and (link.kind != "vxlan" or bool(model.fdb.get((route.link, mac))))


@given(transitions())
def test_only_the_difference(transition: tuple[KernelState, KernelState]) -> None:
    """What is found as wanted is not touched, unless its device is."""
    wanted, found = transition
    todo = steps(wanted, found)
    assert len(todo) == len(set(todo))
    touched = {step.item.name for step in todo if isinstance(step.item, OverlayLink)}
    both = {*(wanted.addresses & found.addresses), *(wanted.fdb & found.fdb), *(wanted.routes & found.routes)}
    for step in todo:
        assert isinstance(step.item, OverlayLink) or step.item.link in touched or step.item not in both


# -- single cases


def state(*entries: Any, link: OverlayLink | None = LINK) -> KernelState:
    model = KernelModel(KernelState(frozenset(() if link is None else (link,))))
    for entry in entries:
        model.put(entry)
    return model.state


def peer(number: int, mac: int = 0, remote: int = 0) -> tuple[Any, ...]:
    gateway, station = IPv4Address(f"10.5.{number}.0"), MACAddress(2 << 40 | (mac or number))
    return (
        FDBEntry(LINK.name, station, IPv4Address(f"192.0.2.{remote or number}")),
        NeighbourEntry(LINK.name, gateway, station),
        Route(ip_network(f"{gateway}/24"), LINK.name, gateway, onlink=True),
    )


def test_order_of_a_new_peer() -> None:
    """FDB entry, neighbour, route, one peer after the other."""
    todo = steps(state(*peer(2), *peer(3)), state())
    assert [step.item for step in todo] == [*peer(2), *peer(3)]
    assert {step.action for step in todo} == {"make"}


def test_order_of_a_peer_that_goes() -> None:
    """The route first."""
    todo = steps(state(), state(*peer(2)))
    assert [type(step.item) for step in todo] == [Route, FDBEntry, NeighbourEntry]
    assert {step.action for step in todo} == {"remove"}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (peer(2, remote=9), ["replace FDBEntry"]),
        (peer(2, mac=9), ["make FDBEntry", "replace NeighbourEntry", "remove FDBEntry"]),
    ],
)
def test_peer_that_changes(after: tuple[Any, ...], expected: list[str]) -> None:
    """Replaced; what is not used any more goes last."""
    todo = steps(state(*after), state(*peer(2)))
    assert [f"{step.action} {type(step.item).__name__}" for step in todo] == expected


def test_tunnel_becomes_direct() -> None:
    """The route is replaced before what the old one needed goes."""
    direct = Route(ip_network("10.5.2.0/24"), UNDERLAY, IPv4Address("192.0.2.2"))
    todo = steps(state(direct), state(*peer(2)))
    assert [(step.action, type(step.item)) for step in todo] == [
        ("replace", Route), ("remove", FDBEntry), ("remove", NeighbourEntry)
    ]  # fmt: skip


def test_new_address_before_the_old_goes() -> None:
    """A device without an address loses its routes."""
    old, new = (LinkAddress(LINK.name, ip_interface(f"10.5.{number}.0/32")) for number in (1, 9))
    assert steps(state(new), state(old)) == (Step("make", new), Step("remove", old))


def test_tun_that_is_not_there() -> None:
    """Nothing is made on it; a vxlan device of its name goes."""
    tun = OverlayLink("flannel.1", "tun", 1472, UNDERLAY, LINK.local, 8285)
    wanted = state(Route(ip_network("10.5.0.0/16"), tun.name), link=tun)
    assert steps(wanted, KernelState()) == ()
    assert steps(wanted, state(*peer(2))) == (Step("remove", LINK),)


def test_step_says_what_it_is() -> None:
    assert "make" in str(Step("make", LINK)) and "flannel.1" in str(Step("make", LINK))


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (Step("make", LINK), f"make device flannel.1 (vxlan 1 over {UNDERLAY}, local 192.0.2.1, port 8472)"),
        (
            Step("remove", replace(LINK, kind="tun", vni=None, mac=None)),
            f"remove device flannel.1 (tun over {UNDERLAY}, local 192.0.2.1, port 8472)",
        ),
        (
            Step("make", LinkAddress("flannel.1", ip_interface("10.5.1.0/32"))),
            "make address 10.5.1.0/32 dev flannel.1",
        ),
        (
            Step("replace", NeighbourEntry("flannel.1", IPv4Address("10.5.2.0"), MACAddress(2 << 40 | 2))),
            "replace neighbour 10.5.2.0 lladdr 02:00:00:00:00:02 dev flannel.1",
        ),
        (
            Step("make", FDBEntry("flannel.1", MACAddress(2 << 40 | 2), IPv6Address("2001:db8::2"))),
            "make FDB entry 02:00:00:00:00:02 dst 2001:db8::2 dev flannel.1",
        ),
        (
            Step("make", Route(ip_network("10.5.2.0/24"), "flannel.1", IPv4Address("10.5.2.0"), onlink=True)),
            "make route 10.5.2.0/24 via 10.5.2.0 dev flannel.1",
        ),
        (Step("remove", Route(ip_network("fc00::/64"), "eth0", metric=7)), "remove route fc00::/64 dev eth0 metric 7"),
    ],
)
def test_in_words(step: Step, sentence: str) -> None:
    """As `ip` and `bridge` have it, on one line."""
    assert str(step) == sentence

"""Next hops as the kernel has them: of each kind of route, and as they change."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, ip_address

import pytest

from tests.waiting import eventually
from vxlanpkt import MACAddress
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.linux.next_hops import NextHop, NextHops

from .namespaces import Namespace

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

GATEWAY, NEIGHBOUR, CHANGED = (MACAddress(f"02:00:00:00:00:0{last}") for last in "abc")
OWN = MACAddress("02:00:00:00:00:01")


class Host:
    """A host with an interface, a gateway and a neighbour behind it, of one IP version, and what it says of them."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.namespace = Namespace()
        self.namespace.quieten()
        ip = self.namespace.ip
        for name, peer in (("below", "below-peer"), ("other", "other-peer")):
            ip("link", "add", name, "address", str(OWN), "type", "veth", "peer", "name", peer)
            for end in (name, peer):
                ip("link", "set", end, "up")
        ip("addr", "add", f"{self.at(1)}/{'24' if version == 4 else '64'}", "dev", "below", *self._nodad)
        for host, mac in ((10, GATEWAY), (11, NEIGHBOUR)):
            ip("neigh", "add", str(self.at(host)), "lladdr", str(mac), "dev", "below")
        self.route("add", self.far(7), "via", str(self.at(10)), "dev", "below")
        self.followed: tuple[Address, ...] = ()
        self.changes = 0
        self.next_hops = self.namespace.call(lambda: NextHops("below", self.at(1), self._on_change))

    @property
    def _nodad(self) -> tuple[str, ...]:
        return ("nodad",) if self.version == 6 else ()

    def at(self, host: int) -> Address:
        return ip_address(f"192.0.2.{host}" if self.version == 4 else f"2001:db8::{host:x}")

    def far(self, host: int) -> Address:
        return ip_address(f"198.51.100.{host}" if self.version == 4 else f"2001:db8:1::{host:x}")

    def route(self, verb: str, to: Address, *words: str) -> None:
        self.namespace.ip("route", verb, str(to), *words)

    def follow(self, *addresses: Address) -> None:
        self.followed = addresses
        self.next_hops.follow(addresses)

    def _on_change(self) -> None:
        self.changes += 1
        for address in self.followed:
            self.next_hops.find(address)

    def becomes(self, address: Address, wanted: NextHop | None) -> bool:
        return bool(eventually(lambda: self.next_hops.known(address) == wanted))

    def close(self) -> None:
        self.next_hops.close()
        self.next_hops.close()
        self.namespace.delete()


@pytest.fixture(params=[4, 6])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    made = Host(request.param)
    yield made
    made.close()


def test_kinds_of_routes(host: Host) -> None:
    """A gateway's, a neighbour's; and those that are none by this interface."""
    host.route("add", host.far(8), "via", str(host.at(10)), "dev", "below", "mtu", "1300")
    host.route("add", host.far(9), "dev", "other")
    for number, kind in ((12, "blackhole"), (13, "unreachable")):
        host.namespace.ip(f"-{host.version}", "route", "add", kind, str(host.far(number)))
    nobody, unknown = [host.far(number) for number in (9, 12, 13, 99)], host.at(77)
    host.follow(host.far(7), host.far(8), host.at(11), *nobody, unknown, host.at(1))
    assert host.becomes(host.far(7), NextHop(GATEWAY, OWN, 1500))
    assert host.becomes(host.far(8), NextHop(GATEWAY, OWN, 1300))
    assert host.becomes(host.at(11), NextHop(NEIGHBOUR, OWN, 1500))
    assert [host.next_hops.known(address) for address in (*nobody, unknown, host.at(1))] == [None] * 6


def test_changes(host: Host) -> None:
    """Of neighbours, routes, rules, the interface: each is seen, and undone is as before."""
    far, before = host.far(7), NextHop(GATEWAY, OWN, 1500)
    ip, via = host.namespace.ip, ("via", str(host.at(10)), "dev", "below")
    host.follow(far)
    assert host.becomes(far, before)
    neighbour = (str(host.at(10)), "dev", "below")
    rule = (f"-{host.version}", "rule")
    steps: list[tuple[Callable[[], object], NextHop | None]] = [
        (lambda: ip("neigh", "change", *neighbour, "lladdr", str(CHANGED)), before._replace(mac=CHANGED)),
        (lambda: ip("neigh", "del", *neighbour), None),
        (lambda: ip("neigh", "replace", *neighbour, "lladdr", str(GATEWAY)), before),
        (lambda: host.route("replace", far, "via", str(host.at(11)), "dev", "below"), before._replace(mac=NEIGHBOUR)),
        (lambda: host.route("replace", far, *via, "mtu", "1400"), before._replace(mtu=1400)),
        (lambda: host.route("replace", far, *via), before),
        (lambda: host.route("del", far), None),
        (lambda: host.route("add", far, *via), before),
        (lambda: ip(*rule, "add", "to", str(far), "unreachable"), None),
        (lambda: ip(*rule, "del", "to", str(far), "unreachable"), before),
        (lambda: ip("link", "set", "below", "mtu", "1350"), before._replace(mtu=1350)),
        (lambda: ip("link", "set", "below", "mtu", "1500"), before),
        (lambda: ip("link", "set", "below-peer", "down"), None),
    ]  # fmt: skip
    for number, (step, wanted) in enumerate(steps):
        step()
        assert host.becomes(far, wanted), (number, host.next_hops.known(far))


def test_what_is_nobodys_business(host: Host) -> None:
    """Other interfaces' neighbours, and routes to where nobody is followed, cost nothing."""
    host.follow(host.far(7))
    assert host.becomes(host.far(7), NextHop(GATEWAY, OWN, 1500))
    assert eventually(lambda: host.changes)
    before = host.changes
    host.namespace.ip("neigh", "add", str(host.far(50)), "lladdr", str(NEIGHBOUR), "dev", "other")
    host.route("add", host.far(51), "dev", "other")
    host.namespace.ip("neigh", "replace", str(host.at(10)), "lladdr", str(GATEWAY), "dev", "below", "nud", "stale")
    host.route("add", host.far(7), "dev", "other", "metric", "5000")  # it is behind these
    assert eventually(lambda: host.changes > before)
    assert host.changes == before + 1


def test_lost_notifications(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """More changes than there was room for: all is read anew."""
    host.follow(host.far(7))
    assert host.becomes(host.far(7), NextHop(GATEWAY, OWN, 1500))
    whole, watch = host.next_hops._watch.receive, host.next_hops._watch

    def lose() -> object:
        list(whole())
        monkeypatch.setattr(watch, "receive", whole)
        raise OSError(errno.ENOBUFS, "lost")

    monkeypatch.setattr(watch, "receive", lose)
    host.namespace.ip("neigh", "del", str(host.at(10)), "dev", "below")
    assert host.becomes(host.far(7), None)


def test_kernel_that_does_not_answer(
    host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is known until it does."""
    host.follow(host.far(7))
    assert host.becomes(host.far(7), NextHop(GATEWAY, OWN, 1500))

    def fail(request: object) -> object:
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(host.next_hops._kernel, "get", fail)
    host.namespace.ip("link", "set", "below", "mtu", "1400")
    assert host.becomes(host.far(7), None)
    assert eventually(lambda: "next hops by below cannot be followed" in caplog.text)
    monkeypatch.undo()
    assert host.becomes(host.far(7), NextHop(GATEWAY, OWN, 1400))


def test_no_interface() -> None:
    namespace = Namespace()
    try:
        with pytest.raises(OSError, match="no such interface"):
            namespace.call(lambda: NextHops("nothing", IPv4Address("192.0.2.1"), lambda: None))
    finally:
        namespace.delete()

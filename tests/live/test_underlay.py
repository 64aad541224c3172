"""The interface that tunnels leave by, found among others."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import Any

import pytest

from vxlanpkt.overlay import Underlay, find_underlay
from vxlanpkt.overlay.linux import rtnetlink
from vxlanpkt.overlay.linux.rtnetlink import Message, Request, Rtnetlink

from .namespaces import Namespace

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A machine with two interfaces; the default route leads to the second."""
    namespace = Namespace()
    try:
        for command in (
            "link add eth0 type veth peer name wire0",
            "link add eth1 mtu 1400 type veth peer name wire1",
            *(f"link set {name} addrgenmode none up" for name in ("eth0", "wire0", "eth1", "wire1")),
            "addr add 192.0.2.1/24 dev eth0",
            "addr add 198.51.100.1/24 dev eth1",
            "addr add 198.51.100.2/24 dev eth1",
            "addr add 2001:db8::1/64 dev eth1 nodad preferred_lft 0",
            "addr add 2001:db8::2/64 dev eth1 nodad",
            "addr add fe80::5/64 dev eth1 nodad",
            "addr add 169.254.7.7/16 dev eth1 scope link",
            "route add default via 198.51.100.254 metric 10",
            "route add default via 192.0.2.254 metric 20",
        ):
            namespace.ip(*command.split())
        yield namespace
    finally:
        namespace.delete()


def found(host: Namespace, *arguments: Any, **options: Any) -> Underlay:
    return host.call(lambda: find_underlay(*arguments, **options))


SECOND = Underlay(
    "eth1",
    1400,
    IPv4Address("198.51.100.1"),
    IPv6Address("2001:db8::2"),
    frozenset(map(ip_interface, ("198.51.100.1/24", "198.51.100.2/24", "2001:db8::2/64"))),
)


def test_default_route(host: Namespace) -> None:
    """That of the better default route; its first addresses that are global, and neither deprecated nor tentative."""
    assert found(host) == SECOND
    host.ip("route", "del", "default", "metric", "10")
    assert found(host).name == "eth0"


@pytest.mark.parametrize("other", ["240.0.0.0/4 via 192.0.2.254", "default via 192.0.2.254 table 7"])
def test_default_route_hidden(host: Namespace, other: str) -> None:
    """Another route leads to where only the default one should, or a rule to another table."""
    host.ip("route", "add", *other.split())
    host.ip("rule", "add", "from", "all", "lookup", "7", "pref", "100")
    assert found(host) == SECOND


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_default_route_among_many(host: Namespace, monkeypatch: pytest.MonkeyPatch, family: int) -> None:
    """It is looked up, and the others are not read."""
    if family == socket.AF_INET6:
        host.ip("route", "flush", "default")
        host.ip("-6", "route", "add", "default", "via", "2001:db8::ff", "dev", "eth1")
    dump = Rtnetlink.dump

    def checked(kernel: Rtnetlink, request: Request) -> list[Message]:
        assert (request.kind, request.message["family"]) != (rtnetlink.GETROUTE, family), "routes are read"
        return dump(kernel, request)

    monkeypatch.setattr(Rtnetlink, "dump", checked)
    assert found(host) == SECOND


def test_default_route_of_ipv6_alone(host: Namespace) -> None:
    host.ip("route", "flush", "default")
    with pytest.raises(OSError, match="no default route: name the interface") as caught:
        found(host)
    assert caught.value.errno == errno.ENETUNREACH
    host.ip("-6", "route", "add", "default", "via", "2001:db8::ff", "dev", "eth1")
    assert found(host).name == "eth1"


def test_several_next_hops(host: Namespace) -> None:
    """The first of them."""
    host.ip("route", "flush", "default")
    host.ip("route", "add", "default", "nexthop", "via", "192.0.2.254", "nexthop", "via", "198.51.100.254")
    assert found(host).name == "eth0"


def test_by_name_and_by_address(host: Namespace) -> None:
    """An address that is named is the one that peers send to."""
    assert found(host, "eth1") == found(host, "198.51.100.1") == found(host, "2001:db8::2") == SECOND
    assert found(host, "eth0").public_ip == IPv4Address("192.0.2.1")
    assert found(host, "eth0").public_ipv6 is None
    assert found(host, "198.51.100.2").public_ip == IPv4Address("198.51.100.2")


def test_public_addresses(host: Namespace) -> None:
    """Given ones need not be the interface's: a router may translate them."""
    underlay = found(host, public_ip="203.0.113.1", public_ipv6=IPv6Address("2001:db8:ffff::1"))
    assert (str(underlay.public_ip), str(underlay.public_ipv6)) == ("203.0.113.1", "2001:db8:ffff::1")
    assert underlay.addresses == SECOND.addresses
    with pytest.raises(ValueError, match=r"2001:db8::1"):
        found(host, public_ip="2001:db8::1")


@pytest.mark.parametrize(
    ("interface", "number", "words"),
    [
        ("eth7", errno.ENODEV, "no such interface.*eth7"),
        ("a-name-that-no-interface-can-have", errno.ENODEV, "no such interface"),
        ("203.0.113.9", errno.EADDRNOTAVAIL, "no interface has this address.*203.0.113.9"),
        ("2001:db8::1", errno.EADDRNOTAVAIL, "no interface has this address"),  # deprecated
        ("wire0", errno.EADDRNOTAVAIL, "no global address.*wire0"),
    ],
)
def test_refused(host: Namespace, interface: str, number: int, words: str) -> None:
    with pytest.raises(OSError, match=words) as caught:
        found(host, interface)
    assert caught.value.errno == number


def test_down(host: Namespace) -> None:
    host.ip("link", "set", "eth0", "down")
    with pytest.raises(OSError, match=r"is down: bring it up.*eth0") as caught:
        found(host, "eth0")
    assert caught.value.errno == errno.ENETDOWN


def test_tentative(host: Namespace) -> None:
    """An address that may turn out to be another's is not used."""
    host.ip("link", "set", "wire0", "down")  # no carrier: it stays tentative
    host.ip("addr", "add", "2001:db8:1::1/64", "dev", "eth0")
    assert found(host, "eth0").public_ipv6 is None

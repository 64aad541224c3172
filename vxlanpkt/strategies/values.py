"""Single values, and what all strategies are made with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from ipaddress import (
    IPv4Address,
    IPv6Address,
)
from typing import Any, TypeVar

from hypothesis import strategies as st

from vxlanpkt.addresses import MACAddress

_Make = TypeVar("_Make", bound=Callable[..., Any])


VXLAN_PORTS = (4789, 8472)
GPE_PORT = 4790
# Numbers that no layer is bound to, so that what follows them is payload.
OTHER_ETHERTYPES = (0x05DC, 0x6558, 0x8847, 0x894F, 0x88CC, 0xFFFF)
OTHER_PROTOCOLS = (2, 4, 41, 47, 50, 59, 132, 255)
OTHER_GPE_PROTOCOLS = (4, 5, 0xFF)


def shared(make: _Make) -> _Make:
    """*make*, called once for the same arguments: a strategy takes long to set up, and has no state."""
    return cache(make)  # type: ignore[return-value]


@shared
def bits(width: int) -> st.SearchStrategy[int]:
    """Numbers of a field."""
    return st.integers(0, (1 << width) - 1)


@shared
def mostly(usual: int, width: int) -> st.SearchStrategy[int]:
    """One number about half of the time, else any of a field."""
    return st.one_of(st.just(usual), bits(width))


@shared
def macs() -> st.SearchStrategy[MACAddress]:
    """MAC addresses: mostly unicast ones, and zero, broadcast and groups."""
    unicast = bits(48).map(lambda value: value & ~(1 << 40))
    return st.one_of(unicast, st.sampled_from((0, (1 << 48) - 1)), bits(48)).map(MACAddress)


@shared
def ipv4s() -> st.SearchStrategy[IPv4Address]:
    """IPv4 addresses: from the documentation's networks, groups, and any."""
    known = ("192.0.2.1", "198.51.100.7", "203.0.113.255", "239.1.1.1", "0.0.0.0", "255.255.255.255")
    return st.one_of(st.sampled_from(known).map(IPv4Address), bits(32).map(IPv4Address))


@shared
def ipv6s() -> st.SearchStrategy[IPv6Address]:
    """IPv6 addresses without a zone: of documentation, link-local, groups, and any."""
    known = ("2001:db8::1", "2001:db8:ffff::2", "fe80::1", "ff02::1", "::", "::1", "::ffff:192.0.2.1")
    return st.one_of(st.sampled_from(known).map(IPv6Address), bits(128).map(IPv6Address))


@shared
def vnis() -> st.SearchStrategy[int]:
    """VXLAN network identifiers: the edges, and any."""
    return st.one_of(st.sampled_from((0, 1, 5000, (1 << 24) - 1)), bits(24))


@shared
def payloads(largest: int = 64) -> st.SearchStrategy[bytes]:
    """What no layer reads."""
    return st.binary(max_size=largest)


@shared
def padding() -> st.SearchStrategy[bytes]:
    """What stands behind a packet: nothing, a little, or zeros."""
    return st.one_of(st.just(b""), st.binary(max_size=20), st.integers(1, 300).map(bytes))


@shared
def ports() -> st.SearchStrategy[int]:
    """UDP ports that no tunnel is bound to."""
    return bits(16).filter(lambda port: port not in (*VXLAN_PORTS, GPE_PORT))

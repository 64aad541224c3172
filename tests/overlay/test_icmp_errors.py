"""ICMP errors about packets that went nowhere: what they say, and when none is to be sent."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import ICMP, ICMPv6, IPv4, IPv6, LinkType, Packet, PacketTooBig, Quote, Unreachable, parse

pytest.importorskip("vxlanpkt.overlay._datapathlib", exc_type=ImportError)

from vxlanpkt.overlay import Event, EventKind, icmp_error

from .test_segments import tcp_frame, udp_frame

SOURCE4, SOURCE6 = ip_address("10.5.0.1"), ip_address("fc00:5::1")


def event(kind: EventKind, packet: bytes) -> Event:
    return Event(kind, None, len(packet), False, packet[:600])


def answer(kind: EventKind, packet: bytes, mtu: int = 1472) -> Packet | None:
    error = icmp_error(event(kind, packet), SOURCE4 if packet[0] >> 4 == 4 else SOURCE6, mtu)
    return None if error is None else parse(error, start=LinkType.RAW)


@pytest.mark.parametrize(("kind", "message"), [
    (EventKind.UNKNOWN_DESTINATION, (3, 0)), (EventKind.TOO_BIG, (3, 4)), (EventKind.TIME_EXCEEDED, (11, 0)),
])  # fmt: skip
def test_ipv4(kind: EventKind, message: tuple[int, int]) -> None:
    """Type and code, the packet quoted, the whole not longer than 576 bytes, checksums right."""
    packet = tcp_frame(bytes(1000), raw=True)
    error = answer(kind, packet)
    assert error is not None
    assert not error.checksum_errors()
    assert (error[IPv4].src, error[IPv4].dst) == (SOURCE4, parse(packet, start=LinkType.RAW)[IPv4].src)
    icmp = error[ICMP]
    assert (icmp.type, icmp.code) == message
    assert isinstance(icmp.body, (Unreachable, Quote)) and packet.startswith(icmp.body.packet)
    assert error[IPv4].total_length == 576
    if kind is EventKind.TOO_BIG:
        assert isinstance(icmp.body, Unreachable) and icmp.body.next_hop_mtu == 1472


@pytest.mark.parametrize(("kind", "number"), [
    (EventKind.UNKNOWN_DESTINATION, 1), (EventKind.TOO_BIG, 2), (EventKind.TIME_EXCEEDED, 3),
])  # fmt: skip
def test_ipv6(kind: EventKind, number: int) -> None:
    """The same of IPv6; an MTU is never said to be less than 1280."""
    packet = udp_frame(bytes(200), version=6, raw=True)
    error = answer(kind, packet, mtu=1000)
    assert error is not None
    assert not error.checksum_errors()
    assert (error[ICMPv6].type, error[IPv6].src) == (number, SOURCE6)
    if kind is EventKind.TOO_BIG:
        body = error[ICMPv6].body
        assert isinstance(body, PacketTooBig) and body.mtu == 1280


def _ipv4(**fields: Any) -> bytes:
    return Packet(IPv4(**{"src": "10.5.1.2", "dst": "10.9.9.9", "protocol": 17, **fields}), payload=bytes(30)).build()


NO_ANSWER = {
    "later fragment": _ipv4(fragment_offset=5),
    "to a group": _ipv4(dst="224.0.0.1"),
    "from a group": _ipv4(src="224.0.0.1"),
    "from nobody": _ipv4(src="0.0.0.0"),
    "from everybody": _ipv4(src="255.255.255.255"),
    "about an error": Packet(IPv4("10.5.1.2", "10.9.9.9"), ICMP(3, 0, body=bytes(40))).build(),
    "about an error of IPv6": Packet(IPv6("fc00:5:1::2", "fc00::9"), ICMPv6(1, 0, body=bytes(40))).build(),
    "to a group of IPv6": Packet(IPv6("fc00:5:1::2", "ff02::1", next_header=17), payload=bytes(8)).build(),
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_no_answer(name: str) -> None:
    """RFC 1122 3.2.2 and RFC 4443 2.4."""
    assert answer(EventKind.TIME_EXCEEDED, NO_ANSWER[name]) is None


def test_echo_is_answered() -> None:
    """A query is no error."""
    assert answer(EventKind.TIME_EXCEEDED, Packet(IPv4("10.5.1.2", "10.9.9.9"), ICMP(8, body=bytes(8))).build())


@given(st.binary(max_size=100), st.sampled_from(EventKind))
def test_anything(packet: bytes, kind: EventKind) -> None:
    """Whatever a tenant sends."""
    for source in (SOURCE4, SOURCE6):
        icmp_error(event(kind, packet), source, 1400)

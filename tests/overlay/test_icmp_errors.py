"""ICMP errors about packets that went nowhere: what they say, and when none is to be sent."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import (
    ICMP,
    Ethernet,
    ICMPv6,
    IPv4,
    IPv6,
    LinkType,
    MACAddress,
    Packet,
    PacketTooBig,
    Quote,
    Unreachable,
    parse,
)

pytest.importorskip("vxlanpkt.overlay._datapathlib", exc_type=ImportError)

from vxlanpkt.overlay import Event, EventKind, ICMPErrors, icmp_error

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


def _damaged(packet: bytes, changes: list[tuple[int, int]]) -> bytes:
    changed = bytearray(packet)
    for at, value in changes:
        changed[at] = value
    return bytes(changed)


DAMAGED = st.builds(
    _damaged,
    st.sampled_from([tcp_frame(bytes(50), raw=True), udp_frame(bytes(50), version=6, raw=True)]),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=3),
)


@given(st.one_of(st.binary(max_size=100), DAMAGED), st.sampled_from(EventKind))
def test_anything(packet: bytes, kind: EventKind) -> None:
    """Whatever a tenant sends: no answer, or a sound one that quotes the packet."""
    for source in (SOURCE4, SOURCE6):
        error = icmp_error(event(kind, packet), source, 1400)
        if error is None:
            continue
        read = parse(error, start=LinkType.RAW)
        assert not read.checksum_errors()
        assert packet and packet in error


class Written:
    """A device that keeps what is written to it."""

    def __init__(self, kind: str) -> None:
        self.kind, self.mtu = kind, 1450
        self.frames: list[bytes] = []

    def write(self, frame: bytes) -> None:
        self.frames.append(frame)


STATION = MACAddress("02:00:00:00:00:02")
PEER = (ip_address("127.0.0.1"), 8472)


def errors_written(kind: str, told: Event, source: Any = SOURCE4) -> list[bytes]:
    device = Written(kind)
    ICMPErrors(device, lambda version, mac: source if mac in (None, STATION) else None)(told)  # type: ignore[arg-type]
    return device.frames


def test_a_frame_is_answered_from_its_vtep() -> None:
    """Addresses the other way round, and inside what a router would say."""
    frame = tcp_frame(bytes(1400))
    (written,) = errors_written("tap", Event(EventKind.TOO_BIG, PEER, len(frame), False, frame[:600]))
    error, ethernet = parse(written), parse(frame)[Ethernet]
    assert (error[Ethernet].dst, error[Ethernet].src) == (ethernet.src, ethernet.dst)
    assert (error[IPv4].src, error[IPv4].dst) == (SOURCE4, parse(frame)[IPv4].src)
    assert not error.checksum_errors()
    body = error[ICMP].body
    assert isinstance(body, Unreachable) and frame[14:].startswith(body.packet)
    assert body.next_hop_mtu == 1450, "the loopback device takes more than this device"


def test_a_frame_for_nobody_known() -> None:
    frame = tcp_frame(bytes(1400)).replace(STATION.packed, bytes(6), 1)
    assert errors_written("tap", Event(EventKind.TOO_BIG, PEER, len(frame), False, frame[:600])) == []


@pytest.mark.parametrize("head", [b"", b"\x45", bytes(14), STATION.packed + bytes(6) + b"\x08\x06" + bytes(28),
                                  STATION.packed + bytes(6) + b"\x08\x00\x45"])  # fmt: skip
@pytest.mark.parametrize("kind", ["tap", "tun"])
def test_what_no_error_is_about(kind: str, head: bytes) -> None:
    assert errors_written(kind, Event(EventKind.TOO_BIG, PEER, len(head), False, head)) == []


def test_a_packet_is_answered_bare() -> None:
    packet = tcp_frame(bytes(100), raw=True)
    (written,) = errors_written("tun", Event(EventKind.UNKNOWN_DESTINATION, None, len(packet), False, packet))
    assert parse(written, start=LinkType.RAW)[ICMP].type == 3
    assert errors_written("tun", Event(EventKind.UNKNOWN_DESTINATION, None, len(packet), False, packet), None) == []

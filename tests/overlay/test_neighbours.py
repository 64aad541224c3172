"""Who is answered, with what, and who is not: RFC 826, RFC 5227, RFC 4861, RFC 4862."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import (
    ARP,
    UDP,
    Ethernet,
    FieldError,
    ICMPv6,
    IPv4,
    IPv6,
    MACAddress,
    NDOption,
    NeighborAdvertisement,
    NeighborSolicitation,
    Packet,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
    parse,
)
from vxlanpkt.overlay import Neighbour, NeighbourTable
from vxlanpkt.strategies import damaged, frames, hostile_frames, ipv4s, ipv6s, neighbour_questions

VNI = 7
HOST, OTHER, BROADCAST = MACAddress("02:00:00:00:00:01"), MACAddress("02:00:00:00:00:02"), "ff:ff:ff:ff:ff:ff"
IP, ASKED = "10.0.0.1", "10.0.0.2"
SOURCE = (SourceLinkLayerAddress(HOST),)
IP6, ASKED6, GROUP6 = "fd00::1", "fd00::2", "ff02::1:ff00:2"


@pytest.fixture
def table() -> NeighbourTable:
    made = NeighbourTable()
    made.add(VNI, ASKED, OTHER)
    made.add(VNI, ASKED6, OTHER, router=True)
    return made


def request(**changes: Any) -> bytes:
    link = {"dst": changes.pop("dst", BROADCAST), "src": changes.pop("src", HOST)}
    arp = {"operation": 1, "sender_mac": HOST, "sender_ip": IP, "target_mac": 0, "target_ip": ASKED, **changes}
    return Packet(Ethernet(**link), ARP(**arp)).build()


def solicitation(
    *, src: str = IP6, dst: str = GROUP6, target: str = ASKED6, options: Any = SOURCE,
    link_dst: str | MACAddress = "33:33:ff:00:00:02", link_src: MACAddress = HOST, hop_limit: int = 255, **icmp: Any,
) -> bytes:  # fmt: skip
    message = ICMPv6(135, body=NeighborSolicitation(target, options), **icmp)
    return Packet(Ethernet(link_dst, link_src), IPv6(src, dst, hop_limit=hop_limit), message).build()


def test_arp(table: NeighbourTable) -> None:
    """RFC 826: the reply has the addresses swapped, and the one that was asked for filled in."""
    answer = table.answer(VNI, request(), now=0)
    assert answer == Packet(Ethernet(HOST, OTHER), ARP(2, OTHER, ASKED, HOST, IP)).build()


def test_solicitation(table: NeighbourTable) -> None:
    """RFC 4861 section 7.2.4: to the one who asked, solicited, with the target's address, hop limit 255."""
    answer = table.answer(VNI, solicitation(), now=0)
    assert answer is not None
    packet = parse(answer)
    body = NeighborAdvertisement(ASKED6, True, True, True, [TargetLinkLayerAddress(OTHER)])
    expected = Packet(Ethernet(HOST, OTHER), IPv6(ASKED6, IP6, hop_limit=255), ICMPv6(136, body=body))
    assert packet == expected.resolve()
    assert not list(packet.checksum_errors())


def test_probe(table: NeighbourTable) -> None:
    """RFC 5227 section 2.1.1: a host that probes has to hear that the address is taken."""
    answer = table.answer(VNI, request(sender_ip="0.0.0.0"), now=0)
    assert answer is not None
    assert parse(answer)[ARP] == ARP(2, OTHER, ASKED, HOST, "0.0.0.0", hardware_length=6, protocol_length=4)


def test_detection(table: NeighbourTable) -> None:
    """RFC 4861 section 7.2.4: without a source, to all nodes, not solicited. RFC 4862 section 5.4.3: it is taken."""
    answer = table.answer(VNI, solicitation(src="::", options=()), now=0)
    assert answer is not None
    packet = parse(answer)
    body = packet[ICMPv6].body
    assert (str(packet[Ethernet].dst), str(packet[IPv6].dst)) == ("33:33:00:00:00:01", "ff02::1")
    assert isinstance(body, NeighborAdvertisement) and (body.solicited, body.override) == (False, True)


@pytest.mark.parametrize(
    "frame",
    [
        request(target_ip="10.0.0.3"),  # not known
        request(sender_ip=ASKED),  # an announcement (RFC 5227 section 3)
        request(sender_mac=OTHER, src=OTHER, sender_ip="0.0.0.0"),  # the host itself probes for its own address
        request(sender_mac=OTHER), request(src=OTHER),
        request(dst=OTHER),  # is it still there? (RFC 1122 section 2.3.2.1)
        request(operation=2), request(operation=0), request(hardware_type=6), request(protocol_type=0x86DD),
        request(sender_mac=0), request(sender_mac=BROADCAST), request(src="01:00:00:00:00:01"),
        request()[:41], request()[:13], b"",
        Packet(
            Ethernet(BROADCAST, HOST),
            ARP(1, 0, 0, 0, 0, hardware_length=8, protocol_length=4, raw_addresses=bytes(24)),
        ).build(),
        Packet(Ethernet(BROADCAST, HOST), IPv4(IP, ASKED), UDP(1, 2), payload=b"x").build(),
    ],
)  # fmt: skip
def test_no_answer_to_arp(table: NeighbourTable, frame: bytes) -> None:
    assert table.answer(VNI, frame, now=0) is None


@pytest.mark.parametrize(
    "frame",
    [
        solicitation(target="fd00::3"),  # not known
        solicitation(target="ff02::2"), solicitation(hop_limit=254), solicitation(code=1), solicitation(checksum=1),
        solicitation(options=(NDOption(1, bytes(14)),)),  # a source of another length than Ethernet's
        solicitation(options=b"\1\0" + bytes(6)),
        solicitation(link_dst=OTHER, dst=ASKED6),  # is it still there? (RFC 4861 section 7.3)
        solicitation(dst=ASKED6),
        solicitation(src="::"),  # has a source option (RFC 4861 section 7.1.1)
        solicitation(src="::", options=(), dst="ff02::1"),  # not to the group of those asked
        solicitation(src="::", options=(), link_src=OTHER),  # the host itself, for its own address
        solicitation(options=(SourceLinkLayerAddress(OTHER),)), solicitation(options=(SourceLinkLayerAddress(0),)),
        solicitation(link_src=MACAddress(BROADCAST)),
        solicitation()[:77],
    ],
)  # fmt: skip
def test_no_answer_to_a_solicitation(table: NeighbourTable, frame: bytes) -> None:
    assert table.answer(VNI, frame, now=0) is None


def test_other_networks(table: NeighbourTable) -> None:
    """What is known in one VNI is not known in another."""
    assert table.answer(VNI + 1, request(), now=0) is None
    assert table.answer(VNI + 1, solicitation(), now=0) is None


@given(data=st.data(), address=ipv4s() | ipv6s())
def test_answers_are_right(data: st.DataObject, address: Any) -> None:
    """Whatever is asked for a known address: the answer is a sound packet that says where it is, or there is none."""
    table = NeighbourTable()
    if address.is_multicast or address.is_unspecified or address == IPv4Address("255.255.255.255"):
        with pytest.raises(FieldError):
            table.add(VNI, address, OTHER)
        return
    table.add(VNI, address, OTHER)
    frame = data.draw(neighbour_questions(target=address)).build()
    answer = table.answer(VNI, frame, now=0)
    if answer is not None:
        packet, question = parse(answer), parse(frame)
        assert packet[Ethernet].src == OTHER != question[Ethernet].src
        assert question[Ethernet].dst.is_multicast and not list(packet.checksum_errors())
        if ARP in packet:
            assert (packet[ARP].sender_ip, packet[ARP].sender_mac) == (address, OTHER)
            assert question[ARP].sender_ip != address
        else:
            body = packet[ICMPv6].body
            assert isinstance(body, NeighborAdvertisement)
            assert body.target == address
            assert body.parsed_options() == (TargetLinkLayerAddress(OTHER),)
    table.remove(VNI, address)
    assert table.answer(VNI, frame, now=0) is None


@given(frame=hostile_frames() | damaged(frames()) | damaged(neighbour_questions()))
def test_strangers_frames(frame: bytes) -> None:
    """No frame is an error, and nothing is answered where nothing is known."""
    table = NeighbourTable()
    assert table.answer(VNI, frame, now=0) is None
    table.observe(VNI, frame, now=0)
    for entry in table:
        assert entry.vni == VNI and entry.mac.packed == frame[6:12]


def test_learning(table: NeighbourTable) -> None:
    """Learnt entries age, and move; static ones do neither."""
    assert table.learn(VNI, IP, HOST, now=0) and table.look_up(VNI, IP, 300) == HOST
    assert table.look_up(VNI, IP, 301) is None and table.look_up(VNI, ASKED, 1e9) == OTHER
    assert table.learn(VNI, IP, OTHER, now=10) and table.look_up(VNI, IP, 301) == OTHER
    assert not table.learn(VNI, ASKED, HOST, now=10) and table.learn(VNI, ASKED, OTHER, now=10)
    assert [entry.address for entry in table] == [IPv4Address(IP), IPv4Address(ASKED), IPv6Address(ASKED6)]
    assert next(iter(table)) == Neighbour(VNI, IPv4Address(IP), OTHER, False, 10)
    assert table.expire(400) == 1 and len(table) == 2 and not table.remove(VNI, IP)
    table.learn(VNI, IP, HOST, now=400)
    table.add(VNI, IP, OTHER)
    assert len(table) == 3 and table.look_up(VNI, IP, 1e9) == OTHER and table.remove(VNI, IP)


def test_bound() -> None:
    """So many learnt entries and no more; the first one that has aged makes room."""
    table = NeighbourTable(max_learnt=2)
    assert [table.learn(VNI, f"10.0.0.{last}", HOST, now=last) for last in (1, 2, 3)] == [True, True, False]
    assert table.learn(VNI, "10.0.0.1", HOST, now=200)
    assert not table.learn(VNI, "10.0.0.3", HOST, now=302) and table.refused == 2
    assert table.learn(VNI, "10.0.0.3", HOST, now=303)
    assert [str(entry.address) for entry in table] == ["10.0.0.1", "10.0.0.3"]
    assert not NeighbourTable(max_learnt=0).learn(VNI, IP, HOST, now=0)
    assert repr(table) == "<NeighbourTable of 2 entries, 2 of them learnt>"


def advertisement(**changes: Any) -> bytes:
    options = changes.pop("options", (TargetLinkLayerAddress(HOST),))
    body = NeighborAdvertisement(changes.pop("target", IP6), False, False, True, options)
    link = Ethernet("33:33:00:00:00:01", changes.pop("src", HOST))
    return Packet(link, IPv6(IP6, "ff02::1", hop_limit=255), ICMPv6(136, body=body, **changes)).build()


@pytest.mark.parametrize(
    ("frame", "address"),
    [
        (request(), IP), (request(target_ip=IP), IP), (request(operation=2), IP), (request(dst=OTHER), IP),
        (request(sender_ip="0.0.0.0"), None), (request(sender_mac=OTHER), None), (request(sender_ip="224.0.0.1"), None),
        (solicitation(), IP6), (solicitation(src="::", options=()), None), (solicitation(options=()), None),
        (solicitation(options=(SourceLinkLayerAddress(OTHER),)), None), (solicitation(hop_limit=1), None),
        (advertisement(), IP6), (advertisement(target="fd00::9"), "fd00::9"), (advertisement(options=()), None),
        (advertisement(src=OTHER), None), (advertisement(checksum=0), None), (advertisement(target="ff02::1"), None),
        (Packet(Ethernet(BROADCAST, HOST, 0x88B5), payload=b"x").build(), None),
    ],
)  # fmt: skip
def test_what_hosts_say(frame: bytes, address: str | None) -> None:
    """A sender is believed of itself alone, and one that probes has no address yet."""
    table = NeighbourTable()
    assert table.observe(VNI, frame, now=3) == (address is not None)
    assert [(str(entry.address), entry.mac, entry.last_seen) for entry in table] == (
        [(address, HOST, 3)] if address else []
    )


@pytest.mark.parametrize(
    ("address", "mac", "field"),
    [
        ("nonsense", HOST, "address"), ("0.0.0.0", HOST, "address"), ("ff02::1", HOST, "address"), (IP, 0, "mac"),
        (IP, BROADCAST, "mac"),
    ],
)  # fmt: skip
def test_what_cannot_be(address: str, mac: Any, field: str) -> None:
    table = NeighbourTable()
    with pytest.raises(FieldError, match=f"NeighbourTable.{field}"):
        table.add(VNI, address, mac)
    with pytest.raises(FieldError, match=f"NeighbourTable.{field}"):
        table.learn(VNI, address, mac, now=0)

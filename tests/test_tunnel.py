"""Every parameter of a tunnel: its default, what it does to the bytes, what it refuses; and the flow hash."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest

from vxlanpkt import (
    ARP,
    ICMP,
    TCP,
    UDP,
    VXLAN,
    VXLANGPE,
    BuildError,
    Datagram,
    Dot1Q,
    Ethernet,
    FieldError,
    Fragment,
    GroupPolicy,
    ICMPv6,
    IPv4,
    IPv6,
    LinkType,
    MACAddress,
    Packet,
    Reason,
    Routing,
    Tunnel,
    flow_hash,
    parse,
)

MACS: dict[str, Any] = {"src_mac": "02:00:00:00:00:01", "dst_mac": "02:00:00:00:00:02"}
TUNNEL4 = Tunnel(5000, "192.0.2.1", "192.0.2.2", **MACS)
TUNNEL6 = Tunnel(5000, "2001:db8::1", "2001:db8::2", **MACS)
ETHERNET = Ethernet("02:00:00:00:0b:02", "02:00:00:00:0a:01")
INNER4 = IPv4("10.0.0.1", "10.0.0.2")
INNER6 = IPv6("fd00::1", "fd00::2")
PING = Packet(ETHERNET, INNER4, ICMP(8)).build()
ALIEN = bytes.fromhex("02000000b0b002000000a1a188b5") + bytes(46)

both = pytest.mark.parametrize("tunnel", [TUNNEL4, TUNNEL6], ids=["ipv4", "ipv6"])


def outer(tunnel: Tunnel, inner: bytes = PING, **options: Any) -> Packet:
    """The outer headers that *tunnel* puts in front of *inner*."""
    ports = [tunnel.dst_port]
    return parse(tunnel.encap(inner, **options), ports=ports, max_tunnels=1).outer


def inner4(**fields: Any) -> bytes:
    return Packet(ETHERNET, INNER4.replace(**fields), UDP(1, 2)).build()


def inner6(**fields: Any) -> bytes:
    return Packet(ETHERNET, INNER6.replace(**fields), UDP(1, 2)).build()


def refused(field: str, **changes: Any) -> FieldError:
    with pytest.raises(FieldError) as caught:
        TUNNEL4.replace(**changes)
    assert (caught.value.layer, caught.value.field) == ("Tunnel", field)
    return caught.value


# -- the whole, and sizes


def test_the_default_outer_frame() -> None:
    """With every default: known bytes in front of the inner frame, all reserved bits zero, no UDP checksum."""
    wire = TUNNEL4.encap(ALIEN)
    port = wire[34:36].hex()
    expected = (
        "020000000002" "020000000001" "0800"
        "45000060" "0000" "4000" "4011" "b689" "c0000201" "c0000202"
        f"{port}" "12b5" "004c" "0000"
        "08000000" "00138800"
    )  # fmt: skip
    assert wire.hex() == expected + ALIEN.hex()


def test_the_default_outer_frame_over_ipv6() -> None:
    """Over IPv6: no flow label, hop limit 64, and a UDP checksum (RFC 8200 section 8.1)."""
    wire = TUNNEL6.encap(ALIEN)
    assert wire[14:22].hex() == "60000000004c1140"
    packet = parse(wire)
    assert packet[UDP].checksum
    assert packet.checksum_errors() == ()


@pytest.mark.parametrize(
    ("tunnel", "overhead", "mtu"),
    [
        (TUNNEL4, 50, 1450), (TUNNEL6, 70, 1430), (TUNNEL4.replace(vlans=(7,)), 54, 1450),
        (TUNNEL4.replace(vlans=(7, 8)), 58, 1450), (TUNNEL6.replace(vlans=(7,)), 74, 1430),
        (TUNNEL4.replace(gpe=True), 50, 1450), (TUNNEL6.replace(group_policy=1), 70, 1430),
    ],
)  # fmt: skip
def test_overhead_and_inner_mtu(tunnel: Tunnel, overhead: int, mtu: int) -> None:
    """50 bytes over IPv4 and 70 over IPv6, 4 more for an outer tag, which does not count against an IP MTU."""
    assert tunnel.overhead == overhead
    assert tunnel.inner_mtu(1500) == mtu
    assert len(tunnel.encap(PING)) == overhead + len(PING)


def test_inner_mtu_of_bare_ip() -> None:
    """Without an inner Ethernet header only 36 or 56 bytes are gone; bare IP needs gpe."""
    for start in (LinkType.RAW, LinkType.IPV4, LinkType.IPV6, IPv4, IPv6):
        assert TUNNEL4.replace(gpe=True).inner_mtu(1500, start=start) == 1464
        assert TUNNEL6.replace(gpe=True).inner_mtu(1500, start=start) == 1444
        with pytest.raises(FieldError):
            TUNNEL4.inner_mtu(1500, start=start)


@pytest.mark.parametrize(("tunnel", "limit"), [(TUNNEL4, 65_499), (TUNNEL6, 65_519)], ids=["ipv4", "ipv6"])
def test_the_largest_inner_frame(tunnel: Tunnel, limit: int) -> None:
    """One datagram holds 65,499 bytes over IPv4 and 65,519 over IPv6; one byte more is refused, never wrapped."""
    wire = tunnel.encap(ALIEN.ljust(limit, b"\0"))
    assert len(wire) == tunnel.overhead + limit
    assert parse(wire).checksum_errors() == ()
    for size in (limit + 1, 65_536, 70_000):
        for call in (tunnel.encap, tunnel.encap_payload):
            with pytest.raises(BuildError) as caught:
                call(bytes(size))
            assert caught.value.field == "length"
            assert caught.value.reason is Reason.INNER_TOO_LONG


@both
def test_nothing_is_padded(tunnel: Tunnel) -> None:
    """A 42-byte ARP request leaves as 42 bytes, and no bytes leave as none."""
    arp = Packet(ETHERNET, ARP(1, "02:00:00:00:0a:01", "10.0.0.1", 0, "10.0.0.2")).build()
    assert len(arp) == 42
    assert tunnel.encap(arp)[tunnel.overhead :] == arp
    assert len(tunnel.encap(b"")) == tunnel.overhead
    for view in (bytearray(arp), memoryview(arp)):
        assert tunnel.encap(view) == tunnel.encap(arp)


# -- flags and VNI


@pytest.mark.parametrize("vni", [0, 1, (1 << 24) - 1])
def test_vni(vni: int) -> None:
    """Any 24-bit VNI is sent in bytes 4 to 6."""
    assert TUNNEL4.replace(vni=vni).encap(PING)[42:50] == b"\x08\0\0\0" + vni.to_bytes(3, "big") + b"\0"


@pytest.mark.parametrize("vni", [-1, 1 << 24, 1 << 32, "5000", 1.0, None, True])
def test_vni_refused(vni: Any) -> None:
    """What does not fit 24 bits is refused, never wrapped."""
    error = refused("vni", vni=vni)
    assert error.value == vni
    assert error.bits == 24


def test_group_policy() -> None:
    """A group policy sets G, D, A and the ID; a bare ID is a policy without flags."""
    assert TUNNEL4.group_policy is None
    assert TUNNEL4.replace(group_policy=0x1234).encap(PING)[42:46].hex() == "88001234"
    assert TUNNEL4.replace(group_policy=GroupPolicy(7, True, True)).encap(PING)[42:46].hex() == "88480007"
    assert TUNNEL4.replace(group_policy=GroupPolicy(7, applied=True)).encap(PING)[42:46].hex() == "88080007"
    assert TUNNEL4.replace(group_policy=7) == TUNNEL4.replace(group_policy=GroupPolicy(7))
    for policy in (1 << 16, -1, GroupPolicy(1 << 16)):
        refused("group_policy", group_policy=policy)
    refused("group_policy", group_policy=1, gpe=True)


def test_gpe() -> None:
    """GPE sets I, P and the next protocol: Ethernet, or what bare IP is."""
    tunnel = TUNNEL4.replace(gpe=True, dst_port=4790)
    assert tunnel.encap(PING)[42:50].hex() == "0c00000300138800"
    assert tunnel.encap(PING[14:], start=LinkType.RAW)[42:46].hex() == "0c000001"
    assert tunnel.encap(inner6()[14:], start=LinkType.RAW)[42:46].hex() == "0c000002"
    with pytest.raises(FieldError) as caught:
        TUNNEL4.encap(PING[14:], start=LinkType.RAW)
    assert caught.value.field == "start"


# -- addresses


@pytest.mark.parametrize("field", ["src", "dst"])
@pytest.mark.parametrize("value", ["192.0.2", "192.0.2.256", "", "fe80::1%eth0", "host", None])
def test_addresses_refused(field: str, value: Any) -> None:
    """Outer addresses are IP addresses without a zone."""
    refused(field, **{field: value})


def test_address_types() -> None:
    """Addresses are stored as values, whatever they were given as; families must not be mixed."""
    assert TUNNEL4.src == IPv4Address("192.0.2.1")
    assert TUNNEL6.dst == IPv6Address("2001:db8::2")
    assert Tunnel(5000, IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"), **MACS) == TUNNEL4
    refused("dst", dst="2001:db8::2")
    refused("dst", src="2001:db8::1")


def test_multicast() -> None:
    """The destination may be a group, the source may not."""
    assert TUNNEL4.replace(dst="239.1.1.1").dst.is_multicast
    assert TUNNEL6.replace(dst="ff05::100").dst.is_multicast
    refused("src", src="239.1.1.1")
    with pytest.raises(FieldError):
        TUNNEL6.replace(src="ff02::1")


def test_macs() -> None:
    """Outer MAC addresses default to zero, as payloads need none, and take any spelling; five bytes are refused."""
    bare = Tunnel(1, "192.0.2.1", "192.0.2.2")
    assert bare.src_mac == bare.dst_mac == MACAddress(0)
    assert TUNNEL4.replace(dst_mac=b"\2\0\0\0\0\2").dst_mac == TUNNEL4.dst_mac
    assert TUNNEL4.replace(dst_mac=0x020000000002).dst_mac == TUNNEL4.dst_mac
    for field in ("src_mac", "dst_mac"):
        for value in (b"\2\0\0\0\0", "02:00:00:00:00", 1 << 48, -1, None):
            refused(field, **{field: value})


# -- ports


def test_destination_port() -> None:
    """4789, or any other but 0."""
    assert TUNNEL4.dst_port == 4789
    assert TUNNEL4.replace(dst_port=8472).encap(PING)[36:38] == b"\x21\x18"
    for port in (0, 65536, -1, "4789"):
        refused("dst_port", dst_port=port)


def test_source_port() -> None:
    """The hash gives a port of 49152-65535, or of a half-open range; a fixed port may be any."""
    port = outer(TUNNEL4)[UDP].src_port
    assert 49152 <= port < 65536
    assert outer(TUNNEL4)[UDP].src_port == port
    assert outer(TUNNEL4.replace(src_port=0))[UDP].src_port == 0
    assert outer(TUNNEL4.replace(src_port=65535))[UDP].src_port == 65535
    assert outer(TUNNEL4.replace(src_port=(7, 8)))[UDP].src_port == 7
    assert outer(TUNNEL4.replace(src_port=(65535, 65536)))[UDP].src_port == 65535
    assert 0 <= outer(TUNNEL4.replace(src_port=(0, 65536)))[UDP].src_port < 65536
    assert TUNNEL4.replace(src_port=(49152, 65536)).encap(PING) == TUNNEL4.encap(PING)


@pytest.mark.parametrize("value", [(9, 9), (10, 9), (-1, 9), (0, 65537), 65536, -1, "1", (1, 2.5), True, (False, 9)])
def test_source_port_refused(value: Any) -> None:
    """An empty or reversed range, and what is no port, is refused."""
    refused("src_port", src_port=value)


@pytest.mark.parametrize("value", [(), (1,), (1, 2, 3)])
def test_source_port_of_another_shape(value: Any) -> None:
    """A range has two ends: anything else is the caller's mistake, and named as such."""
    refused("src_port", src_port=value)


@pytest.mark.parametrize("field", ["gpe", "symmetric"])
@pytest.mark.parametrize("value", ["linux", "no", "", 1, 0, None])
def test_switches_refused(field: str, value: Any) -> None:
    """What is neither True nor False is not taken for one of them."""
    refused(field, **{field: value})


# -- what is taken over from the inner packet


@pytest.mark.parametrize("tunnel", [TUNNEL4, TUNNEL6], ids=["ipv4", "ipv6"])
def test_ttl(tunnel: Tunnel) -> None:
    """64, another, or that of the inner packet; an inner 0, or none, gives 64."""

    def sent(inner: bytes, **changes: Any) -> int:
        return tunnel.replace(**changes).encap_payload(inner).ttl

    assert sent(inner4(ttl=9)) == 64
    assert sent(inner4(ttl=9), ttl=255) == 255
    assert sent(inner4(ttl=9), ttl=0) == 0
    assert sent(inner4(ttl=9), ttl="inherit") == 9
    assert sent(inner6(hop_limit=7), ttl="inherit") == 7
    assert sent(inner4(ttl=0), ttl="inherit") == 64
    assert sent(ALIEN, ttl="inherit") == 64
    for ttl in (256, -1, "copy", None):
        refused("ttl", ttl=ttl)


@both
def test_dscp(tunnel: Tunnel) -> None:
    """0, another, or that of the inner packet; 0 where there is none."""

    def sent(inner: bytes, **changes: Any) -> int:
        return tunnel.replace(**changes).encap_payload(inner).tos >> 2

    assert sent(inner4(dscp=46)) == 0
    assert sent(inner4(dscp=46), dscp=10) == 10
    assert sent(inner4(dscp=46), dscp="inherit") == 46
    assert sent(inner6(dscp=63), dscp="inherit") == 63
    assert sent(ALIEN, dscp="inherit") == 0
    for dscp in (64, -1, "copy", None):
        refused("dscp", dscp=dscp)


@both
@pytest.mark.parametrize(
    ("ecn", "expected"), [("rfc6040", (0, 1, 2, 3)), ("linux", (0, 1, 2, 2)), ("none", (0, 0, 0, 0))]
)
def test_ecn(tunnel: Tunnel, ecn: Any, expected: tuple[int, ...]) -> None:
    """RFC 6040 copies the mark, Linux turns CE into ECT(0), none sends Not-ECT; DSCP does not mix in."""
    for mark, sent in enumerate(expected):
        for frame in (inner4(ecn=mark, dscp=63), inner6(ecn=mark, dscp=63)):
            assert tunnel.replace(ecn=ecn).encap_payload(frame).tos == sent
    assert tunnel.replace(ecn=ecn).encap_payload(ALIEN).tos == 0


def test_ecn_default_and_refusal() -> None:
    """RFC 6040's normal mode is the default; an unknown one is refused."""
    assert TUNNEL4.ecn == "rfc6040"
    refused("ecn", ecn="copy")


def test_df() -> None:
    """Set, unset, or that of the inner packet: IPv6 counts as set, what is no IP as clear."""

    def sent(inner: bytes, df: Any) -> int:
        return outer(TUNNEL4.replace(df=df), inner, identification=1)[IPv4].flags

    assert TUNNEL4.df == "set"
    for frame in (inner4(), inner4(flags=2), ALIEN):
        assert sent(frame, "set") == 2
        assert sent(frame, "unset") == 0
    assert sent(inner4(flags=2), "inherit") == 2
    assert sent(inner4(flags=0), "inherit") == 0
    assert sent(inner4(flags=4), "inherit") == 0
    assert sent(inner6(), "inherit") == 2
    assert sent(ALIEN, "inherit") == 0
    refused("df", df=True)


def test_identification() -> None:
    """0 with DF, else the caller's, who must give one where DF is clear (RFC 6864); none of this over IPv6."""
    assert outer(TUNNEL4)[IPv4].identification == 0
    assert outer(TUNNEL4, identification=0xBEEF)[IPv4].identification == 0xBEEF
    for tunnel, frame in ((TUNNEL4.replace(df="unset"), PING), (TUNNEL4.replace(df="inherit"), inner4())):
        with pytest.raises(FieldError) as caught:
            tunnel.encap(frame)
        assert (caught.value.layer, caught.value.field) == ("Tunnel", "identification")
        assert "encap(frame, identification=N)" in str(caught.value)
        assert outer(tunnel, frame, identification=7)[IPv4].identification == 7
    assert outer(TUNNEL4.replace(df="inherit"), inner4(flags=2))[IPv4].flags == 2
    assert outer(TUNNEL6.replace(df="unset"))[IPv6].hop_limit == 64
    for number in (-1, 65536, "1", True):
        with pytest.raises(FieldError) as caught:
            TUNNEL4.encap(PING, identification=number)  # type: ignore[arg-type]
        assert caught.value.field == "identification"


def test_what_is_no_frame() -> None:
    """The error of a packet that is not built yet says what makes bytes of it."""
    with pytest.raises(FieldError, match=r"is not bytes: build\(\) makes bytes of it"):
        TUNNEL4.encap(parse(PING))  # type: ignore[arg-type]
    with pytest.raises(FieldError, match=r"'text' is not bytes$"):
        TUNNEL4.encap("text")  # type: ignore[arg-type]


def test_flow_label() -> None:
    """0, fixed, that of an inner IPv6 packet, or the low bits of the flow hash."""

    def sent(inner: bytes, **changes: Any) -> int:
        return outer(TUNNEL6.replace(**changes), inner)[IPv6].flow_label

    frame = inner6(flow_label=0xABCDE)
    assert sent(frame) == 0
    assert sent(frame, flow_label=0xFFFFF) == 0xFFFFF
    assert sent(frame, flow_label="inherit") == 0xABCDE
    assert sent(inner4(), flow_label="inherit") == 0
    assert sent(frame, flow_label="hash") == flow_hash(frame) & 0xFFFFF
    for label in (1 << 20, -1, "random", None):
        refused("flow_label", flow_label=label)


def test_udp_checksum() -> None:
    """Zero over IPv4, computed over IPv6, or as told; a computed 0 is sent as 0xffff."""
    assert outer(TUNNEL4)[UDP].checksum == 0
    assert outer(TUNNEL6)[UDP].checksum != 0
    assert outer(TUNNEL6.replace(udp_checksum="zero"))[UDP].checksum == 0
    for tunnel in (TUNNEL4, TUNNEL6):
        for how in ("full", "inner"):
            sent = tunnel.replace(udp_checksum=how)
            assert outer(sent)[UDP].checksum
            for frame in (PING, inner4(), inner6(), ALIEN, PING[:15], PING[:14] + b"\1"):
                assert parse(sent.encap(frame), max_tunnels=0).checksum_errors() == ()
    for unknown in ("none", "", 0, False):
        refused("udp_checksum", udp_checksum=unknown)


@pytest.mark.parametrize("fields", [{"checksum": 0}, {"length": 9}], ids=["no-checksum", "another-length"])
def test_inner_udp_that_cannot_be_believed(fields: dict[str, int]) -> None:
    """The outer checksum is computed of all bytes, as without a word about the inner one."""
    frame = Packet(ETHERNET, INNER4, UDP(1, 2, **fields), payload=b"payload").build()
    full, believing = (TUNNEL4.replace(udp_checksum=how).encap(frame) for how in ("full", "inner"))
    assert believing == full


@pytest.mark.parametrize("how", ["full", "inner"])
def test_udp_checksum_of_zero(how: Any) -> None:
    """A checksum that comes out as 0 is sent as 0xffff, as 0 says that there is none (RFC 768)."""
    tunnel = TUNNEL4.replace(udp_checksum=how, src_port=1)
    blank = outer(tunnel, ALIEN)[UDP].checksum or 0
    frame = ALIEN[:-2] + blank.to_bytes(2, "big")
    assert outer(tunnel, frame)[UDP].checksum == 0xFFFF


@pytest.mark.parametrize("routing_type", [0, 2, 4])
def test_inner_checksum_behind_a_routing_header(routing_type: int) -> None:
    """While segments are left, an inner TCP checksum covers the final destination (RFC 8200 section 8.1): so must
    what the outer checksum derives from it."""  # fmt: skip
    final = ip_address("fd00::9").packed
    route = Routing(routing_type, 1, bytes(4) + final)
    frame = Packet(ETHERNET, INNER6.replace(extension_headers=(route,)), TCP(1, 2), payload=b"data").build()
    assert parse(frame).checksum_errors() == ()
    full, believing = (TUNNEL4.replace(udp_checksum=how).encap(frame) for how in ("full", "inner"))
    assert believing == full


# -- tags, and the value


def test_vlans() -> None:
    """One tag goes under 0x8100, of two the first under 0x88a8; three are refused."""
    tagged = outer(TUNNEL4.replace(vlans=(7,)))
    assert tagged.layers[:2] == (
        Ethernet(TUNNEL4.dst_mac, TUNNEL4.src_mac, 0x8100), Dot1Q(7, ethertype=0x0800),
    )  # fmt: skip
    twice = outer(TUNNEL6.replace(vlans=(Dot1Q(7, pcp=5, dei=1), 8)))
    assert twice.layers[:3] == (
        Ethernet(TUNNEL4.dst_mac, TUNNEL4.src_mac, 0x88A8), Dot1Q(7, 5, 1, 0x8100), Dot1Q(8, ethertype=0x86DD),
    )  # fmt: skip
    refused("vlans", vlans=(1, 2, 3))
    refused("vlans", vlans=7)
    for vlan in (4096, -1, "7"):
        with pytest.raises(FieldError):
            TUNNEL4.replace(vlans=(vlan,))  # type: ignore[arg-type]


def test_a_tunnel_is_a_value() -> None:
    """A tunnel is frozen, equal by its fields, and usable as a key; replace checks as the constructor does."""
    again = Tunnel(5000, "192.0.2.1", "192.0.2.2", **MACS)
    assert again == TUNNEL4
    assert len({TUNNEL4, TUNNEL4.replace(), TUNNEL4.replace(vni=1)}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        TUNNEL4.vni = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        TUNNEL4.replace(colour="red")  # type: ignore[call-arg]


def test_encap_payload() -> None:
    """A datagram says where to and how; its payload begins with the VXLAN header. It asks for no identification."""
    datagram = TUNNEL6.replace(dscp=46, ttl=3, df="unset").encap_payload(PING)
    assert isinstance(datagram, Datagram)
    assert tuple(datagram) == (IPv6Address("2001:db8::2"), 4789, datagram.src_port, 46 << 2, 3, datagram.payload)
    assert datagram.payload == b"\x08\0\0\0\0\x13\x88\0" + PING
    assert parse(datagram.payload, start=VXLAN)[VXLAN].vni == 5000
    assert TUNNEL4.replace(df="unset").encap_payload(PING).payload == datagram.payload
    raw = TUNNEL4.replace(gpe=True).encap_payload(PING[14:], start=LinkType.RAW)
    assert parse(raw.payload, start=VXLANGPE).inner[ICMP].type == 8


# -- the flow hash, written down once more from its description

K0, K1, K2, K3 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93


def mix(a: int, b: int) -> int:
    product = (a * b).to_bytes(16, "big")
    return int.from_bytes(product[:8], "big") ^ int.from_bytes(product[8:], "big")


def finish(addresses: int, ports: int) -> int:
    h = mix(addresses ^ K0, ports ^ K1)
    h = mix(h ^ K2, K3)
    return (h >> 32) ^ (h & 0xFFFFFFFF)


def hash4(src: str, dst: str, protocol: int = 0, src_port: int = 0, dst_port: int = 0) -> int:
    ports = src_port << 48 | dst_port << 32 | protocol
    return finish(int(IPv4Address(src)) << 32 | int(IPv4Address(dst)), ports)


def hash6(src: str, dst: str, protocol: int = 0, src_port: int = 0, dst_port: int = 0) -> int:
    a, b = int(IPv6Address(src)), int(IPv6Address(dst))
    low = (1 << 64) - 1
    addresses = mix(a >> 64 ^ K0, a & low ^ K1) ^ mix(b >> 64 ^ K2, b & low ^ K3)
    return finish(addresses, src_port << 48 | dst_port << 32 | protocol)


def hash_ethernet(frame: bytes, ethertype: int) -> int:
    return finish(int.from_bytes(frame[:6], "big") << 16 | ethertype, int.from_bytes(frame[6:12], "big"))


def hashed(packet: Packet | bytes, **options: Any) -> int:
    data = packet if isinstance(packet, bytes) else packet.build()
    return flow_hash(data, **options)


def tagged(*tags: int) -> list[Dot1Q]:
    return [Dot1Q(tag) for tag in tags]


MPLS = bytes.fromhex("000640ff0003e0ff000101ff") + bytes(20)
SEGMENT, ECHO = TCP(1234, 80), ICMP(8)
EXPECTED: dict[str, tuple[Packet | bytes, int]] = {
    "tcp over ipv4": (Packet(ETHERNET, INNER4, SEGMENT), hash4("10.0.0.1", "10.0.0.2", 6, 1234, 80)),
    "udp over ipv4": (Packet(ETHERNET, INNER4, UDP(53, 5353)), hash4("10.0.0.1", "10.0.0.2", 17, 53, 5353)),
    "icmp": (Packet(ETHERNET, INNER4, ECHO), hash4("10.0.0.1", "10.0.0.2", 1)),
    "sctp": (
        Packet(ETHERNET, INNER4.replace(protocol=132), payload=b"\0\7\0\x09" + bytes(8)),
        hash4("10.0.0.1", "10.0.0.2", 132, 7, 9),
    ),
    "no room for ports": (
        Packet(ETHERNET, INNER4.replace(protocol=17), payload=b"\0\7\0"), hash4("10.0.0.1", "10.0.0.2", 17),
    ),
    "ipv4 options": (
        Packet(ETHERNET, INNER4.replace(options=b"\1\1\1\0"), SEGMENT), hash4("10.0.0.1", "10.0.0.2", 6, 1234, 80),
    ),
    "tcp over ipv6": (Packet(ETHERNET, INNER6, SEGMENT), hash6("fd00::1", "fd00::2", 6, 1234, 80)),
    "icmpv6": (Packet(ETHERNET, INNER6, ICMPv6(128)), hash6("fd00::1", "fd00::2", 58)),
    "extension headers": (
        Packet(ETHERNET, INNER6.replace(extension_headers=(Routing(4, 0),)), SEGMENT),
        hash6("fd00::1", "fd00::2", 6, 1234, 80),
    ),
    "one tag": (Packet(ETHERNET, *tagged(7), INNER4, SEGMENT), hash4("10.0.0.1", "10.0.0.2", 6, 1234, 80)),
    "three tags": (Packet(ETHERNET, *tagged(7, 8, 9), INNER6, SEGMENT), hash6("fd00::1", "fd00::2", 6, 1234, 80)),
    "service tag": (
        Packet(ETHERNET.replace(ethertype=0x88A8), *tagged(7, 8), INNER4, SEGMENT),
        hash4("10.0.0.1", "10.0.0.2", 6, 1234, 80),
    ),
    "first fragment": (Packet(ETHERNET, INNER4.replace(flags=1), SEGMENT), hash4("10.0.0.1", "10.0.0.2")),
    "later fragment": (
        Packet(ETHERNET, INNER4.replace(fragment_offset=9, protocol=6), payload=bytes(40)),
        hash4("10.0.0.1", "10.0.0.2"),
    ),
    "first fragment of ipv6": (
        Packet(ETHERNET, INNER6.replace(extension_headers=(Fragment(0, 1, 5),)), SEGMENT), hash6("fd00::1", "fd00::2"),
    ),
    "later fragment of ipv6": (
        Packet(ETHERNET, INNER6.replace(extension_headers=(Fragment(9, 0, 5, next_header=6),)), payload=bytes(40)),
        hash6("fd00::1", "fd00::2"),
    ),
    "three labels": (ALIEN[:12] + b"\x88\x47" + MPLS, finish(0x64 << 40 | 0x3E << 20 | 0x10, 0)),
    "bottom of stack": (ALIEN[:12] + b"\x88\x48" + b"\0\6\x41\xff" + MPLS, finish(0x64, 0)),
    "arp": (Packet(ETHERNET, ARP(1, 0, 0, 0, 0)), finish(0x020000000B02 << 16 | 0x0806, 0x020000000A01)),
    "another ethertype": (ALIEN, hash_ethernet(ALIEN, 0x88B5)),
    "behind a tag": (ALIEN[:12] + b"\x81\0\0\7\x88\xb5" + bytes(9), hash_ethernet(ALIEN, 0x88B5)),
    "cut ip": (PING[:33], hash_ethernet(PING, 0x0800)),
    "version 5": (PING[:14] + b"\x55" + PING[15:], hash_ethernet(PING, 0x0800)),
    "ethernet alone": (ALIEN[:14], hash_ethernet(ALIEN, 0x88B5)),
    "13 bytes": (ALIEN[:13], 0),
    "nothing": (b"", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_flow_hash(name: str) -> None:
    """The hash is what its description says, for every kind of frame."""
    packet, expected = EXPECTED[name]
    assert hashed(packet) == expected


def test_mpls_vector() -> None:
    """The bottom-of-stack bit ends the labels, and no more than three are taken."""
    stack = [label << 12 | 0xFF for label in (100, 62, 16, 99)]
    deep = ALIEN[:12] + b"\x88\x47" + b"".join(entry.to_bytes(4, "big") for entry in stack)
    assert hashed(deep) == finish(100 << 40 | 62 << 20 | 16, 0)
    stack[1] |= 0x100
    two = ALIEN[:12] + b"\x88\x47" + b"".join(entry.to_bytes(4, "big") for entry in stack)
    assert hashed(two) == finish(100 << 20 | 62, 0)


def test_flow_hash_inside_a_buffer() -> None:
    """The bytes around a frame do not count."""
    frame = PING
    assert flow_hash(memoryview(b"xx" + frame + b"yy")[2:-2]) == hashed(frame)


def test_flow_hash_of_bare_ip() -> None:
    """Bare IP hashes as it does behind Ethernet; what is no IP hashes to 0."""
    for name in ("tcp over ipv4", "tcp over ipv6", "first fragment"):
        packet, expected = EXPECTED[name]
        assert isinstance(packet, Packet)
        assert hashed(packet.build()[14:], start=LinkType.RAW) == expected
    assert hashed(b"", start=LinkType.RAW) == hashed(b"\x55" + bytes(40), start=LinkType.RAW) == 0


@pytest.mark.parametrize("value", ["x", 1, None])
def test_flow_hash_takes_true_or_false(value: Any) -> None:
    """Neither kernel is asked what else might be meant."""
    with pytest.raises(FieldError) as caught:
        flow_hash(PING, symmetric=value)
    assert str(caught.value) == f"flow_hash.symmetric: {value!r} is not True or False"


@pytest.mark.parametrize("start", [LinkType.LINUX_SLL, LinkType.LINUX_SLL2, LinkType.NULL, UDP, VXLAN, 12345])
def test_flow_hash_of_what_no_tunnel_carries(start: Any) -> None:
    """What `Tunnel.encap` refuses to carry is not hashed as something else."""
    with pytest.raises(FieldError) as refused:
        TUNNEL4.replace(gpe=True).encap(PING, start=start)
    with pytest.raises(FieldError) as caught:
        flow_hash(PING, start=start)
    assert (caught.value.field, caught.value.value) == (refused.value.field, refused.value.value) == ("start", start)


def test_symmetric_hash() -> None:
    """Both directions have one hash: the smaller address and port go first, for MAC addresses the smaller."""
    there = Packet(ETHERNET, INNER4, TCP(1234, 80))
    back = Packet(Ethernet(ETHERNET.src, ETHERNET.dst), IPv4("10.0.0.2", "10.0.0.1"), TCP(80, 1234))
    assert hashed(there) != hashed(back)
    assert hashed(there, symmetric=True) == hashed(back, symmetric=True)
    assert hashed(back, symmetric=True) == hash4("10.0.0.1", "10.0.0.2", 6, 1234, 80)
    loop = [Packet(ETHERNET, IPv6("fd00::1", "fd00::1"), UDP(*ports)) for ports in ((9, 5), (5, 9))]
    assert [hashed(packet, symmetric=True) for packet in loop] == [hash6("fd00::1", "fd00::1", 17, 5, 9)] * 2
    swapped = ALIEN[6:12] + ALIEN[:6] + ALIEN[12:]
    assert hashed(ALIEN, symmetric=True) == hashed(swapped, symmetric=True)
    assert TUNNEL4.replace(symmetric=True).encap_payload(there.build()).src_port == (
        TUNNEL4.replace(symmetric=True).encap_payload(back.build()).src_port
    )


@pytest.mark.parametrize("ports", [(49152, 65536), (0, 65536), (1000, 1003)])
def test_source_port_from_the_hash(ports: tuple[int, int]) -> None:
    """The hash is scaled into the range as Linux does."""
    low, high = ports
    for packet, value in EXPECTED.values():
        frame = packet if isinstance(packet, bytes) else packet.build()
        h = value ^ (value << 16) % (1 << 32)
        expected = low + (h * (high - low) >> 32)
        assert TUNNEL4.replace(src_port=ports).encap_payload(frame).src_port == expected


# -- uniformity

FLOWS, BUCKETS = 10_000, 64


def sequential_ports4() -> Iterator[bytes]:
    for flow in range(FLOWS):
        yield Packet(ETHERNET, INNER4, UDP(1024 + flow, 53, checksum=0)).build()


def sequential_ports6() -> Iterator[bytes]:
    for flow in range(FLOWS):
        yield Packet(ETHERNET, INNER6, UDP(443, 1024 + flow, checksum=0)).build()


def sequential_addresses4() -> Iterator[bytes]:
    for flow in range(FLOWS):
        yield Packet(ETHERNET, INNER4.replace(src=0x0A000000 + flow), UDP(1, 2, checksum=0)).build()


def sequential_addresses6() -> Iterator[bytes]:
    for flow in range(FLOWS):
        yield Packet(ETHERNET, INNER6.replace(dst=(0xFD00 << 112) + flow), UDP(1, 2, checksum=0)).build()


def sequential_macs() -> Iterator[bytes]:
    for flow in range(FLOWS):
        yield flow.to_bytes(6, "big") + ALIEN[6:]


@pytest.mark.parametrize(
    "flows",
    [sequential_ports4, sequential_ports6, sequential_addresses4, sequential_addresses6, sequential_macs],
)
def test_uniformity(flows: Any) -> None:
    """Flows that differ by one in one field spread over the source ports as chance would.

    Chi-square of 64 buckets has mean 63 and standard deviation 11.2: 30 to 140 is what honest chance gives.
    """
    counts = [0] * BUCKETS
    recipe_port = TUNNEL4.encap_payload
    for frame in flows():
        counts[(recipe_port(frame).src_port - 49152) * BUCKETS // 16384] += 1
    expected = FLOWS / BUCKETS
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    assert 30 < chi_square < 140


# -- as others send

INHERITING: dict[str, Any] = {"ttl": "inherit", "dscp": "inherit", "df": "inherit"}


def test_linux() -> None:
    """The defaults of the kernel's device; what is given goes before them."""
    tunnel = Tunnel.linux(5000, "192.0.2.1", "192.0.2.2", **MACS)
    expected = TUNNEL4.replace(
        src_port=(32768, 60999), ecn="linux", df="unset", udp_checksum="full", inner_ip="linux"
    )  # fmt: skip
    assert tunnel == expected
    assert Tunnel.linux(5000, "192.0.2.1", "192.0.2.2", **MACS, udp_checksum=None, ttl=9, df="set") == expected.replace(
        udp_checksum=None, ttl=9, df="set"
    )
    assert Tunnel.linux(1, "2001:db8::1", "2001:db8::2").ttl == 64
    assert Tunnel.linux(1, "2001:db8::1", "2001:db8::2", gpe=True).udp_checksum == "zero"


@pytest.mark.parametrize(("src", "group"), [("192.0.2.1", "239.1.1.1"), ("2001:db8::1", "ff05::1")])
def test_linux_to_a_group(src: str, group: str) -> None:
    """What the kernel sends to a group goes one hop far, unless told otherwise."""
    assert Tunnel.linux(1, src, group).ttl == 1
    assert Tunnel.linux(1, src, group, ttl=7).ttl == 7
    assert Tunnel.linux(1, src, group, ttl="inherit").ttl == "inherit"
    assert Tunnel.ovs(1, src, group).ttl == 64


def test_ovs() -> None:
    """The defaults of Open vSwitch; what is given goes before them."""
    expected = TUNNEL4.replace(src_port=(32768, 61000), ecn="linux", inner_ip="ovs")
    assert Tunnel.ovs(5000, "192.0.2.1", "192.0.2.2", **MACS) == expected
    assert Tunnel.ovs(5000, "192.0.2.1", "192.0.2.2", **MACS, dscp=46) == expected.replace(dscp=46)


@pytest.mark.parametrize("preset", [Tunnel.linux, Tunnel.ovs])
def test_presets_refuse_as_tunnels_do(preset: Any) -> None:
    """A preset is a constructor: the same fields, the same refusals."""
    for bad in ({"ttl": 256}, {"inner_ip": "vpp"}, {"gpe": True, "group_policy": 1}):
        with pytest.raises(FieldError):
            preset(1, "192.0.2.1", "192.0.2.2", **bad)
    with pytest.raises(FieldError) as caught:
        preset(1, "192.0.2.1", "host")
    assert caught.value.field == "dst"
    with pytest.raises(TypeError):
        preset(1, "192.0.2.1", "192.0.2.2", colour="red")


def taken_over(inner: bytes, inner_ip: Any) -> tuple[int, int, int]:
    """TOS, TTL and flags that an outer header takes over."""
    wire = TUNNEL4.replace(**INHERITING, inner_ip=inner_ip).encap(inner, identification=1)
    header = parse(wire, max_tunnels=0)[IPv4]
    return header.dscp << 2 | header.ecn, header.ttl, header.flags


def behind_tags(inner: bytes, *vids: int) -> bytes:
    return inner[:12] + b"".join(b"\x81\x00" + vid.to_bytes(2, "big") for vid in vids) + inner[12:]


@pytest.mark.parametrize(
    ("inner", "sound", "linux", "ovs"),
    [
        pytest.param(inner4(dscp=46, ttl=9, flags=2), (184, 9, 2), (184, 9, 2), (184, 9, 2), id="whole"),
        pytest.param(inner4(dscp=46, ttl=0), (184, 64, 0), (184, 64, 0), (184, 0, 0), id="ttl-0"),
        pytest.param(inner6(dscp=46, hop_limit=0), (184, 64, 2), (184, 64, 2), (184, 0, 2), id="hop-limit-0"),
        pytest.param(
            behind_tags(inner4(dscp=46, ttl=9, flags=2), 1), (184, 9, 2), (184, 9, 0), (184, 9, 2), id="one-tag"
        ),
        pytest.param(
            behind_tags(inner4(dscp=46, ttl=9, flags=2), 1, 2), (184, 9, 2), (184, 9, 0), (0, 64, 0), id="two-tags"
        ),
        pytest.param(
            behind_tags(inner6(dscp=46, hop_limit=9), *range(7)), (184, 9, 2), (184, 9, 0), (0, 64, 0), id="seven-tags"
        ),
        pytest.param(
            behind_tags(inner6(dscp=46, hop_limit=9), *range(8)), (184, 9, 2), (0, 64, 0), (0, 64, 0), id="eight-tags"
        ),
        pytest.param(
            inner4(dscp=46, ttl=9, flags=2, total_length=999), (0, 64, 0), (184, 9, 2), (0, 0, 0), id="too-long"
        ),
        pytest.param(inner4(dscp=46, ttl=9, flags=2, version=5), (0, 64, 0), (184, 9, 2), (0, 0, 0), id="version-5"),
        pytest.param(inner4(dscp=46, ttl=9, flags=2)[:33], (0, 64, 0), (0, 64, 0), (0, 0, 0), id="19-bytes"),
        pytest.param(inner6(dscp=46, hop_limit=9)[:54], (0, 64, 0), (184, 9, 2), (0, 0, 0), id="header-alone"),
        pytest.param(ALIEN, (0, 64, 0), (0, 64, 0), (0, 64, 0), id="no-ip"),
        pytest.param(b"", (0, 64, 0), (0, 64, 0), (0, 64, 0), id="nothing"),
    ],
)
def test_inner_ip(inner: bytes, sound: tuple[int, ...], linux: tuple[int, ...], ovs: tuple[int, ...]) -> None:
    """Implementations differ in which inner packet they believe, and in what they take from it."""
    assert taken_over(inner, "sound") == sound
    assert taken_over(inner, "linux") == linux
    assert taken_over(inner, "ovs") == ovs


def test_inner_ip_default_and_refusal() -> None:
    """Only a packet whose lengths hold is believed, unless told otherwise."""
    assert TUNNEL4.inner_ip == "sound"
    refused("inner_ip", inner_ip="any")


@both
@pytest.mark.parametrize("inner_ip", ["sound", "linux", "ovs"])
def test_inner_ip_changes_nothing_else(tunnel: Tunnel, inner_ip: Any) -> None:
    """Source port and checksums do not depend on it."""
    inner = behind_tags(inner4(), 1, 2)
    for checksum in ("zero", "full", "inner"):
        plain = tunnel.replace(udp_checksum=checksum, flow_label="hash")
        assert plain.replace(inner_ip=inner_ip).encap(inner) == plain.encap(inner)

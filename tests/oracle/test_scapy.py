"""Scapy as oracle: the same headers give the same bytes, and its bytes are read back to the same fields.

Scapy is used where it is right. Where it is not, a test at the end of this file pins what it does, so that the
way around it (the inner frame always as raw bytes, flags, ports and checksums explicit) stays explained.
"""

from __future__ import annotations

import logging
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

logging.getLogger("scapy").setLevel(logging.CRITICAL)

inet = pytest.importorskip("scapy.layers.inet")
inet6 = pytest.importorskip("scapy.layers.inet6")
l2 = pytest.importorskip("scapy.layers.l2")
ipsec = pytest.importorskip("scapy.layers.ipsec")
scapy_vxlan = pytest.importorskip("scapy.layers.vxlan")
scapy_packet = pytest.importorskip("scapy.packet")

from vxlanpkt import (  # noqa: E402 - Scapy is optional, and logs while it is imported
    ARP,
    ICMP,
    MTU,
    TCP,
    UDP,
    VXLAN,
    VXLANGPE,
    DecapPolicy,
    Dot1Q,
    Echo,
    Ethernet,
    ICMPv6,
    IPv4,
    IPv6,
    LinkType,
    MACAddress,
    NeighborAdvertisement,
    NeighborSolicitation,
    Packet,
    PacketTooBig,
    RouterAdvertisement,
    RouterSolicitation,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
    Tunnel,
    Unreachable,
    decap,
    parse,
)
from vxlanpkt.errors import FieldError, ParseError, Reason  # noqa: E402
from vxlanpkt.layers.ipv6_extensions import (  # noqa: E402
    Authentication,
    DestinationOptions,
    Extension,
    Fragment,
    HopByHop,
    Routing,
)

Raw: Any = scapy_packet.Raw
unhurried = settings(max_examples=min(settings().max_examples, max(100, settings().max_examples // 100)))


def raw(packet: Any) -> bytes:
    """Scapy's bytes."""
    return bytes(packet)


def bits(width: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << width) - 1)


macs = st.binary(min_size=6, max_size=6).map(MACAddress)
addresses4 = bits(32).map(IPv4Address)
addresses6 = bits(128).map(IPv6Address)
payloads = st.binary(max_size=64)
# A port behind which neither side looks further.
quiet_ports = st.integers(20_000, 20_999)


def same(ours: Packet, theirs: Any) -> Packet:
    """Both sides build the same bytes, and reading Scapy's gives the packet that we built, resolved."""
    wire = ours.build()
    assert wire == raw(theirs)
    read = parse(raw(theirs), start=ours.start)
    assert read == ours.resolve()
    assert read.checksum_errors() == ()
    return read


# --- layers ----------------------------------------------------------------------------------------------------------


@unhurried
@given(dst=macs, src=macs, ethertype=st.sampled_from([0x88B5, 0x88CC, 0x1234, 0xFFFF, 0x0600]), payload=payloads)
def test_ethernet(dst: MACAddress, src: MACAddress, ethertype: int, payload: bytes) -> None:
    """Ethernet II."""
    ours = Packet(Ethernet(dst, src, ethertype), payload=payload)
    same(ours, l2.Ether(dst=str(dst), src=str(src), type=ethertype) / Raw(payload))


@unhurried
@given(
    tags=st.lists(st.tuples(bits(12), bits(3), bits(1)), min_size=1, max_size=4),
    service=st.booleans(),
    payload=payloads,
)
def test_dot1q(tags: list[tuple[int, int, int]], service: bool, payload: bytes) -> None:
    """Tags and stacks of them; each EtherType is derived from the next layer."""
    outer = 0x88A8 if service else 0x8100
    ours: list[Any] = [Ethernet(dst=1, src=2, ethertype=outer)]
    theirs = l2.Ether(dst="00:00:00:00:00:01", src="00:00:00:00:00:02", type=outer)
    for i, (vid, pcp, dei) in enumerate(tags):
        last = i + 1 == len(tags)
        ours.append(Dot1Q(vid=vid, pcp=pcp, dei=dei, ethertype=0x88B5 if last else None))
        theirs /= l2.Dot1Q(vlan=vid, prio=pcp, dei=dei, type=0x88B5 if last else 0x8100)
    same(Packet(*ours, payload=payload), theirs / Raw(payload))


@unhurried
@given(bits(16), macs, addresses4, macs, addresses4)
def test_arp(operation: int, sender_mac: Any, sender_ip: Any, target_mac: Any, target_ip: Any) -> None:
    """ARP over Ethernet for IPv4, any operation."""
    ours = Packet(
        Ethernet(dst="ff:ff:ff:ff:ff:ff", src=sender_mac), ARP(operation, sender_mac, sender_ip, target_mac, target_ip)
    )
    theirs = l2.Ether(dst="ff:ff:ff:ff:ff:ff", src=str(sender_mac), type=0x0806) / l2.ARP(
        op=operation, hwsrc=str(sender_mac), psrc=str(sender_ip), hwdst=str(target_mac), pdst=str(target_ip),
        hwtype=1, ptype=0x0800, hwlen=6, plen=4,
    )  # fmt: skip
    same(ours, theirs)


ipv4_options = st.lists(
    st.one_of(
        st.just(b"\x01"),
        st.just(b"\x94\x04\x00\x00"),
        st.tuples(st.sampled_from([0x07, 0x44, 0x83, 0x88, 0x5E]), st.binary(max_size=8)).map(
            lambda option: bytes([option[0], 2 + len(option[1])]) + option[1]
        ),
    ),
    max_size=4,
).map(b"".join)


@unhurried
@given(
    src=addresses4, dst=addresses4, dscp=bits(6), ecn=bits(2), identification=bits(16),
    flags=st.sampled_from([0, 2, 4, 6]),
    ttl=bits(8), protocol=st.sampled_from([0, 47, 253, 255]), options=ipv4_options, payload=payloads,
)  # fmt: skip
def test_ipv4(
    src: Any, dst: Any, dscp: int, ecn: int, identification: int, flags: int, ttl: int, protocol: int, options: bytes,
    payload: bytes,
) -> None:  # fmt: skip
    """IPv4 with options: padded to a multiple of 4, header length, total length and checksum computed."""
    options += bytes(-len(options) % 4)  # the padding is options to whoever reads it
    ours = IPv4(
        src, dst, dscp=dscp, ecn=ecn, identification=identification, flags=flags, ttl=ttl, protocol=protocol,
        options=options,
    )  # fmt: skip
    theirs = inet.IP(
        src=str(src), dst=str(dst), tos=dscp << 2 | ecn, id=identification, flags=flags, ttl=ttl, proto=protocol,
        options=options,
    )  # fmt: skip
    read = same(Packet(ours, payload=payload), theirs / Raw(payload))
    again = inet.IP(raw(theirs / Raw(payload)))
    assert (again.ihl, again.len, again.chksum) == (read[IPv4].ihl, read[IPv4].total_length, read[IPv4].header_checksum)


@unhurried
@given(options=st.binary(min_size=1, max_size=37))
def test_ipv4_options_are_padded_alike(options: bytes) -> None:
    """Options of any length are padded with zeros."""
    ours = IPv4("10.0.0.1", "10.0.0.2", protocol=253, options=options)
    assert Packet(ours).build() == raw(inet.IP(src="10.0.0.1", dst="10.0.0.2", id=0, proto=253, options=options))


@unhurried
@given(flags=bits(3), offset=st.integers(1, (1 << 13) - 1), payload=payloads)
def test_ipv4_fragments(flags: int, offset: int, payload: bytes) -> None:
    """A later fragment: what it holds is payload, UDP or not."""
    ours = IPv4("10.0.0.1", "10.0.0.2", flags=flags, fragment_offset=offset, protocol=17)
    theirs = inet.IP(src="10.0.0.1", dst="10.0.0.2", id=0, flags=flags, frag=offset, proto=17) / Raw(payload)
    assert len(same(Packet(ours, payload=payload), theirs).layers) == 1


@unhurried
@given(
    src=addresses6, dst=addresses6, dscp=bits(6), ecn=bits(2), flow_label=bits(20), hop_limit=bits(8),
    next_header=st.sampled_from([59, 47, 253]), payload=payloads,
)  # fmt: skip
def test_ipv6(
    src: Any, dst: Any, dscp: int, ecn: int, flow_label: int, hop_limit: int, next_header: int, payload: bytes
) -> None:
    """The fixed header of IPv6."""
    ours = IPv6(src, dst, dscp=dscp, ecn=ecn, flow_label=flow_label, hop_limit=hop_limit, next_header=next_header)
    theirs = inet6.IPv6(
        src=str(src), dst=str(dst), tc=dscp << 2 | ecn, fl=flow_label, hlim=hop_limit, nh=next_header
    )  # fmt: skip
    same(Packet(ours, payload=payload), theirs / Raw(payload))


ROUTER_ALERT, JUMBO = b"\x05\x02\x00\x00", b"\xc2\x04\x00\x01\x00\x00"


def _options_header(theirs: Any, ours: type[HopByHop] | type[DestinationOptions]) -> st.SearchStrategy[Any]:
    """A header of options whose length fits by itself, so that no side has to pad."""

    def pair(data: bytes) -> tuple[Extension, Any]:
        body = b"\x1e" + bytes([len(data)]) + data
        body += b"\x01" + bytes([-(len(body) + 4) % 8]) + bytes(-(len(body) + 4) % 8)
        option = inet6.HBHOptUnknown(otype=0x1E, optlen=len(data), optdata=data)
        pad = inet6.PadN(optlen=len(body) - len(data) - 4, optdata=bytes(len(body) - len(data) - 4))
        return ours(body), theirs(options=[option, pad], autopad=0)

    return st.binary(max_size=40).map(pair)


def _routing() -> st.SearchStrategy[Any]:
    def pair(value: tuple[list[IPv6Address], int]) -> tuple[Extension, Any]:
        hops, left = value
        data = bytes(4) + b"".join(hop.packed for hop in hops)
        left = min(left, len(hops))
        return Routing(0, left, data), inet6.IPv6ExtHdrRouting(type=0, segleft=left, addresses=[str(h) for h in hops])

    return st.tuples(st.lists(addresses6, max_size=3), st.integers(0, 3)).map(pair)


def _authentication() -> st.SearchStrategy[Any]:
    def pair(value: tuple[int, int, bytes]) -> tuple[Extension, Any]:
        spi, sequence, icv = value
        theirs = ipsec.AH(spi=spi, seq=sequence, icv=icv, payloadlen=1 + len(icv) // 4)
        return Authentication(spi, sequence, icv), theirs

    return st.tuples(bits(32), bits(32), st.sampled_from([b"", bytes(12), b"0123456789ab"])).map(pair)


def _atomic() -> st.SearchStrategy[Any]:
    return bits(32).map(lambda number: (Fragment(0, 0, number), inet6.IPv6ExtHdrFragment(offset=0, m=0, id=number)))


hop_by_hop = _options_header(inet6.IPv6ExtHdrHopByHop, HopByHop)
later_headers = st.one_of(
    _options_header(inet6.IPv6ExtHdrDestOpt, DestinationOptions), _routing(), _authentication(), _atomic()
)


def _chain(parts: tuple[list[Any], list[Any]]) -> list[Any]:
    """Never AH directly below UDP: Scapy does not compute the checksum then."""
    chain = parts[0] + parts[1]
    if chain and isinstance(chain[-1][0], Authentication):
        chain.append((DestinationOptions(b"\1\4\0\0\0\0"), inet6.IPv6ExtHdrDestOpt()))
    return chain


chains = st.tuples(st.lists(hop_by_hop, max_size=1), st.lists(later_headers, max_size=3)).map(_chain)


@unhurried
@given(chain=chains, payload=payloads, sport=quiet_ports, dport=quiet_ports)
def test_ipv6_extension_headers(chain: list[tuple[Extension, Any]], payload: bytes, sport: int, dport: int) -> None:
    """Chains of extension headers: each next header derived, the UDP checksum to the final destination."""
    ours = Packet(
        IPv6("fd00::1", "fd00::2", extension_headers=[mine for mine, _ in chain]), UDP(sport, dport), payload=payload
    )
    theirs = inet6.IPv6(src="fd00::1", dst="fd00::2", hlim=64, fl=0)
    for i, (mine, other) in enumerate(chain):
        other = other.copy()
        other.nh = chain[i + 1][0].number if i + 1 < len(chain) else 17
        if i == 0:
            theirs.nh = mine.number
        theirs /= other
    datagram = inet.UDP(sport=sport, dport=dport) / Raw(payload)
    same(ours, theirs / datagram)


@unhurried
@given(offset=st.integers(1, (1 << 13) - 1), more=bits(1), identification=bits(32), payload=payloads)
def test_ipv6_fragments(offset: int, more: int, identification: int, payload: bytes) -> None:
    """A later fragment of IPv6: what it holds is payload."""
    ours = IPv6("fd00::1", "fd00::2", extension_headers=[Fragment(offset, more, identification, next_header=17)])
    theirs = inet6.IPv6(src="fd00::1", dst="fd00::2", nh=44) / inet6.IPv6ExtHdrFragment(
        nh=17, offset=offset, m=more, id=identification
    )
    assert len(same(Packet(ours, payload=payload), theirs / Raw(payload)).layers) == 1


@unhurried
@given(six=st.booleans(), sport=bits(16), dport=quiet_ports, payload=st.binary(max_size=200), zero=st.booleans())
def test_udp(six: bool, sport: int, dport: int, payload: bytes, zero: bool) -> None:
    """UDP over both families, the checksum computed, or given as 0."""
    lower: Any = IPv6("fd00::1", "fd00::2") if six else IPv4("10.0.0.1", "10.0.0.2")
    under = (
        inet6.IPv6(src="fd00::1", dst="fd00::2", nh=17)
        if six
        else inet.IP(src="10.0.0.1", dst="10.0.0.2", id=0, proto=17)
    )
    ours = Packet(lower, UDP(sport, dport, checksum=0 if zero else None), payload=payload)
    same(ours, under / inet.UDP(sport=sport, dport=dport, chksum=0 if zero else None) / Raw(payload))


TCP_OPTIONS: list[tuple[Any, bytes]] = [
    (("MSS", 1460), b"\x02\x04\x05\xb4"),
    (("WScale", 7), b"\x03\x03\x07"),
    (("SAckOK", b""), b"\x04\x02"),
    (("Timestamp", (1, 2)), b"\x08\x0a\0\0\0\1\0\0\0\2"),
    (("NOP", None), b"\x01"),
    (("SAck", (1, 2)), b"\x05\x0a\0\0\0\1\0\0\0\2"),
]


@unhurried
@given(
    six=st.booleans(), sport=bits(16), dport=bits(16), seq=bits(32), ack=bits(32), flags=bits(8), window=bits(16),
    urgent=bits(16), reserved=bits(4), options=st.lists(st.sampled_from(TCP_OPTIONS), max_size=4), payload=payloads,
)  # fmt: skip
def test_tcp(
    six: bool, sport: int, dport: int, seq: int, ack: int, flags: int, window: int, urgent: int, reserved: int,
    options: list[tuple[Any, bytes]], payload: bytes,
) -> None:  # fmt: skip
    """TCP with options: padded, data offset and checksum computed. The last reserved bit is Scapy's flag NS."""
    packed = b"".join(mine for _, mine in options)
    packed += bytes(-len(packed) % 4)
    lower: Any = IPv6("fd00::1", "fd00::2") if six else IPv4("10.0.0.1", "10.0.0.2")
    under = (
        inet6.IPv6(src="fd00::1", dst="fd00::2", nh=6)
        if six
        else inet.IP(src="10.0.0.1", dst="10.0.0.2", id=0, proto=6)
    )
    ours = Packet(
        lower,
        TCP(sport, dport, sequence_number=seq, acknowledgment_number=ack, flags=flags, window=window,
            urgent_pointer=urgent, options=packed, reserved=reserved),
        payload=payload,
    )  # fmt: skip
    theirs = under / inet.TCP(
        sport=sport, dport=dport, seq=seq, ack=ack, flags=(reserved & 1) << 8 | flags, reserved=reserved >> 1,
        window=window, urgptr=urgent,
        options=[other for other, _ in options],
    ) / Raw(payload)  # fmt: skip
    same(ours, theirs)


@unhurried
@given(kind=st.sampled_from([0, 8]), identifier=bits(16), sequence=bits(16), data=payloads)
def test_icmp_echo(kind: int, identifier: int, sequence: int, data: bytes) -> None:
    """ICMP echo, asked and answered."""
    ours = Packet(IPv4("10.0.0.1", "10.0.0.2"), ICMP(kind, 0, body=Echo(identifier, sequence, data)))
    theirs = inet.IP(src="10.0.0.1", dst="10.0.0.2", id=0, proto=1) / inet.ICMP(type=kind, id=identifier, seq=sequence)
    same(ours, theirs / Raw(data))


@unhurried
@given(code=st.integers(0, 15), mtu=bits(16), quoted=st.binary(max_size=28))
def test_icmp_unreachable(code: int, mtu: int, quoted: bytes) -> None:
    """ICMP destination unreachable; code 4 has the MTU of the next hop."""
    mtu = mtu if code == 4 else 0
    ours = Packet(IPv4("10.0.0.1", "10.0.0.2"), ICMP(3, code, body=Unreachable(next_hop_mtu=mtu, packet=quoted)))
    message = inet.ICMP(type=3, code=code, nexthopmtu=mtu) if code == 4 else inet.ICMP(type=3, code=code)
    same(ours, inet.IP(src="10.0.0.1", dst="10.0.0.2", id=0, proto=1) / message / Raw(quoted))


def _solicitation(value: tuple[IPv6Address, MACAddress]) -> tuple[ICMPv6, Any]:
    target, mac = value
    options = [SourceLinkLayerAddress(mac)]
    theirs = inet6.ICMPv6ND_NS(tgt=str(target)) / inet6.ICMPv6NDOptSrcLLAddr(lladdr=str(mac))
    return ICMPv6(135, 0, body=NeighborSolicitation(target, options)), theirs


def _advertisement(value: tuple[IPv6Address, MACAddress, bool, bool, bool]) -> tuple[ICMPv6, Any]:
    target, mac, router, solicited, override = value
    options = [TargetLinkLayerAddress(mac)]
    body = NeighborAdvertisement(target, router=router, solicited=solicited, override=override, options=options)
    theirs = inet6.ICMPv6ND_NA(tgt=str(target), R=int(router), S=int(solicited), O=int(override))
    return ICMPv6(136, 0, body=body), theirs / inet6.ICMPv6NDOptDstLLAddr(lladdr=str(mac))


def _router_solicitation(mac: MACAddress) -> tuple[ICMPv6, Any]:
    options = [SourceLinkLayerAddress(mac)]
    theirs = inet6.ICMPv6ND_RS() / inet6.ICMPv6NDOptSrcLLAddr(lladdr=str(mac))
    return ICMPv6(133, 0, body=RouterSolicitation(options=options)), theirs


def _router_advertisement(value: tuple[int, int, int, int, int, bool, bool]) -> tuple[ICMPv6, Any]:
    hop_limit, lifetime, reachable, retrans, mtu, managed, other = value
    body = RouterAdvertisement(hop_limit, managed << 7 | other << 6, lifetime, reachable, retrans, [MTU(mtu)])
    theirs = inet6.ICMPv6ND_RA(
        chlim=hop_limit, M=int(managed), O=int(other), H=0, prf=0, P=0, res=0, routerlifetime=lifetime,
        reachabletime=reachable, retranstimer=retrans,
    )  # fmt: skip
    return ICMPv6(134, 0, body=body), theirs / inet6.ICMPv6NDOptMTU(mtu=mtu)


def _echo6(value: tuple[int, int, bytes]) -> tuple[ICMPv6, Any]:
    identifier, sequence, data = value
    theirs = inet6.ICMPv6EchoRequest(id=identifier, seq=sequence, data=data)
    return ICMPv6(128, 0, body=Echo(identifier, sequence, data)), theirs


icmpv6_messages = st.one_of(
    st.tuples(addresses6, macs).map(_solicitation),
    st.tuples(addresses6, macs, st.booleans(), st.booleans(), st.booleans()).map(_advertisement),
    macs.map(_router_solicitation),
    st.tuples(bits(8), bits(16), bits(32), bits(32), bits(32), st.booleans(), st.booleans()).map(_router_advertisement),
    st.tuples(bits(16), bits(16), payloads).map(_echo6),
    st.tuples(bits(32), payloads).map(
        lambda v: (ICMPv6(2, 0, body=PacketTooBig(*v)), inet6.ICMPv6PacketTooBig(mtu=v[0]) / Raw(v[1]))
    ),
)


@unhurried
@given(message=icmpv6_messages, src=addresses6, dst=addresses6)
def test_icmpv6(message: tuple[ICMPv6, Any], src: IPv6Address, dst: IPv6Address) -> None:
    """Neighbour discovery with its options, echo, packet too big; the checksum has the pseudo-header."""
    ours, theirs = message
    same(Packet(IPv6(src, dst, hop_limit=255), ours), inet6.IPv6(src=str(src), dst=str(dst), hlim=255, nh=58) / theirs)


# --- tunnels ---------------------------------------------------------------------------------------------------------

INNER = raw(
    l2.Ether(dst="02:00:00:00:b0:b0", src="02:00:00:00:a1:a1", type=0x0800)
    / inet.IP(src="10.0.0.1", dst="10.0.0.2", id=0, proto=17)
    / inet.UDP(sport=1000, dport=2000)
    / Raw(b"hello")
)
inner_frames = st.binary(max_size=80).map(lambda data: INNER[:12] + b"\x88\xb5" + data)


def scapy_outer(dst_port: int, six: bool = False, src_port: int = 50_000, checksum: int | None = 0) -> Any:
    """An outer header with every field explicit that Scapy would guess."""
    link = l2.Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01", type=0x86DD if six else 0x0800)
    network = (
        inet6.IPv6(src="2001:db8::1", dst="2001:db8::2", nh=17, hlim=64)
        if six
        else inet.IP(src="192.0.2.1", dst="192.0.2.2", id=0, flags=2, ttl=64, proto=17)
    )
    return link / network / inet.UDP(sport=src_port, dport=dst_port, chksum=checksum)


def our_outer(dst_port: int, six: bool = False, src_port: int = 50_000, checksum: int | None = 0) -> list[Any]:
    network: Any = IPv6("2001:db8::1", "2001:db8::2") if six else IPv4("192.0.2.1", "192.0.2.2", flags=2)
    link = Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01")
    return [link, network, UDP(src_port, dst_port, checksum=checksum)]


@unhurried
@given(vni=bits(24), reserved1=bits(24), reserved2=bits(8), flags=st.sampled_from([0x08, 0x00, 0x0A, 0x49]),
       six=st.booleans(), port=st.sampled_from([4789, 8472]), checked=st.booleans(), inner=inner_frames)  # fmt: skip
def test_vxlan(
    vni: int, reserved1: int, reserved2: int, flags: int, six: bool, port: int, checked: bool, inner: bytes
) -> None:
    """VXLAN over both families with any reserved bits; G and P are clear, or Scapy's fields would be others."""
    checksum = None if checked else 0
    ours = Packet(
        *our_outer(port, six, checksum=checksum), VXLAN(vni, flags, reserved1, reserved2), payload=parse(inner)
    )
    header = scapy_vxlan.VXLAN(flags=flags, reserved1=reserved1, vni=vni, reserved2=reserved2)
    read = same(ours, scapy_outer(port, six, checksum=checksum) / header / Raw(inner))
    again = scapy_vxlan.VXLAN(read.build()[62 if six else 42 :])
    assert (again.vni, int(again.flags), again.reserved2) == (vni, flags, reserved2)


@unhurried
@given(vni=bits(24), policy_id=bits(16), dont_learn=st.booleans(), applied=st.booleans(), inner=inner_frames)
def test_group_policy(vni: int, policy_id: int, dont_learn: bool, applied: bool, inner: bytes) -> None:
    """Group policy: G, D, A and the id lie where the draft has them."""
    ours = Packet(
        *our_outer(4789),
        VXLAN.with_group_policy(vni, policy_id, dont_learn=dont_learn, applied=applied),
        payload=parse(inner),
    )
    header = scapy_vxlan.VXLAN(flags=0x88, gpflags=dont_learn << 6 | applied << 3, gpid=policy_id, vni=vni)
    assert int(scapy_vxlan.VXLAN(flags=0x88, gpflags="D").gpflags) == 0x40
    assert int(scapy_vxlan.VXLAN(flags=0x88, gpflags="A").gpflags) == 0x08
    read = same(ours, scapy_outer(4789) / header / Raw(inner))
    assert read[VXLAN].group_policy == (policy_id, dont_learn, applied)


@unhurried
@given(vni=bits(24), reserved1=bits(16), reserved2=bits(8), ethernet=st.booleans())
def test_gpe(vni: int, reserved1: int, reserved2: int, ethernet: bool) -> None:
    """GPE: the next protocol is derived from what follows."""
    inner = INNER if ethernet else INNER[14:]
    ours = Packet(
        *our_outer(4790),
        VXLANGPE(vni, reserved1=reserved1, reserved2=reserved2),
        payload=parse(inner, start=LinkType.ETHERNET if ethernet else LinkType.IPV4),
    )
    header = scapy_vxlan.VXLAN(
        flags=0x0C, reserved0=reserved1, NextProtocol=3 if ethernet else 1, vni=vni, reserved2=reserved2
    )
    read = same(ours, scapy_outer(4790) / header / Raw(inner))
    assert read[VXLANGPE].next_protocol == (3 if ethernet else 1)


@unhurried
@given(vni=bits(24), six=st.booleans(), port=st.sampled_from([4789, 8472, 51820]), source=st.integers(1, 65_535),
       ttl=st.integers(1, 255), dscp=bits(6), inner=inner_frames)  # fmt: skip
def test_tunnel(vni: int, six: bool, port: int, source: int, ttl: int, dscp: int, inner: bytes) -> None:
    """A tunnel with its source port fixed makes the frame that Scapy makes, and Scapy's is taken off again."""
    src, dst = ("2001:db8::1", "2001:db8::2") if six else ("192.0.2.1", "192.0.2.2")
    tunnel = Tunnel(
        vni=vni, src=src, dst=dst, src_mac="02:00:00:00:00:01", dst_mac="02:00:00:00:00:02", dst_port=port,
        src_port=source, ttl=ttl, dscp=dscp, ecn="none",
    )  # fmt: skip
    frame = scapy_outer(port, six, source, None if six else 0)
    if six:
        frame[inet6.IPv6].hlim, frame[inet6.IPv6].tc = ttl, dscp << 2
    else:
        frame[inet.IP].ttl, frame[inet.IP].tos = ttl, dscp << 2
    wire = raw(frame / scapy_vxlan.VXLAN(flags=0x08, vni=vni) / Raw(inner))
    assert tunnel.encap(inner) == wire
    got = decap(wire, policy=DecapPolicy().replace(ports=(port,), verify_ip_checksum=True, verify_udp_checksum=True))
    assert (got.vni, got.inner) == (vni, inner)


@unhurried
@given(data=st.binary(min_size=1, max_size=120))
def test_checksums(data: bytes) -> None:
    """Both sides compute the same checksum over any bytes, odd lengths included."""
    utils = pytest.importorskip("scapy.utils")
    packet = Packet(IPv4("10.0.0.1", "10.0.0.2"), ICMP(data[0], 0, body=data))
    without = bytes([data[0], 0, 0, 0]) + data
    assert packet.resolve()[ICMP].checksum == utils.checksum(without)


# --- Scapy's traps ---------------------------------------------------------------------------------------------------


def test_trap_ether_behind_vxlan_is_gpe() -> None:
    """`VXLAN() / Ether()` is GPE: binding the layers sets P and a next protocol of 3. So: the inner as raw bytes."""
    wire = raw(scapy_vxlan.VXLAN(vni=5) / l2.Ether(INNER))
    assert wire[:4] == bytes.fromhex("0c000003")
    assert raw(scapy_vxlan.VXLAN(flags=0x08, vni=5) / Raw(INNER))[:4] == bytes.fromhex("08000000")
    assert Packet(VXLAN(vni=5), payload=parse(INNER)).build()[:4] == bytes.fromhex("08000000")


def test_trap_ports_are_bound() -> None:
    """`UDP() / VXLAN()` sends from 4789, so that every flow has one source port. So: ports explicit."""
    wire = raw(inet.UDP() / scapy_vxlan.VXLAN(flags=0x08, vni=5))
    assert wire[:4] == bytes.fromhex("12b512b5")


def test_trap_checksum_is_computed() -> None:
    """UDP without `chksum=0` has a checksum over IPv4, which RFC 7348 says SHOULD be zero. So: chksum=0."""
    datagram = inet.IP(src="192.0.2.1", dst="192.0.2.2") / inet.UDP(sport=1, dport=4789) / Raw(b"x")
    assert raw(datagram)[26:28] != b"\0\0"


def test_trap_g_with_p_is_eleven_bytes() -> None:
    """The size of Scapy's header depends on its flags: with G and P it has both forms of bytes 1-3."""
    assert len(raw(scapy_vxlan.VXLAN(flags=0x8C, vni=5))) == 11
    assert len(Packet(VXLAN(vni=5, flags=0x8C)).build()) == 8


def test_trap_vni_wraps() -> None:
    """A VNI of 2^24 becomes 0 in Scapy; here it is refused."""
    assert raw(scapy_vxlan.VXLAN(flags=0x08, vni=1 << 24))[4:7] == bytes(3)
    with pytest.raises(FieldError):
        VXLAN(vni=1 << 24)


def test_trap_i_flag_is_not_checked() -> None:
    """Scapy reads a header whose I flag is clear as any other. parse does too; decap refuses it."""
    frame = raw(scapy_outer(4789) / scapy_vxlan.VXLAN(flags=0, vni=5) / Raw(INNER))
    assert l2.Ether(frame)[scapy_vxlan.VXLAN].vni == 5
    assert parse(frame)[VXLAN].vni == 5
    with pytest.raises(ParseError) as caught:
        decap(frame)
    assert caught.value.reason is Reason.VXLAN_I_FLAG


def test_trap_inner_padding_leaves_the_datagram() -> None:
    """The padding of an inner frame becomes a Padding layer, which UDP's length does not count: it is lost to the
    tunnel. So: the inner as raw bytes."""
    padded = INNER + bytes(13)
    layered = scapy_outer(4789) / scapy_vxlan.VXLAN(flags=0x08, vni=5) / l2.Ether(padded)
    wire = raw(layered)
    assert int.from_bytes(wire[38:40], "big") == 16 + len(INNER)
    assert decap(wire).inner == INNER
    whole = raw(scapy_outer(4789) / scapy_vxlan.VXLAN(flags=0x08, vni=5) / Raw(padded))
    assert int.from_bytes(whole[38:40], "big") == 16 + len(padded)
    assert decap(whole).inner == padded
    tunnel = Tunnel(
        vni=5, src="192.0.2.1", dst="192.0.2.2", src_mac="02:00:00:00:00:01", dst_mac="02:00:00:00:00:02",
        src_port=50_000,
    )  # fmt: skip
    assert tunnel.encap(padded) == whole


def test_trap_identification_is_one() -> None:
    """Scapy's IPv4 has an identification of 1 and no DF. So: id and flags explicit."""
    assert raw(inet.IP(src="192.0.2.1", dst="192.0.2.2"))[4:8] == bytes.fromhex("00010000")

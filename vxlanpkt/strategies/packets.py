"""Packets whose lengths, checksums and next headers are derived: with and without tunnels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from vxlanpkt.layers.arp import ARP
from vxlanpkt.layers.base import Layer
from vxlanpkt.layers.dot1q import Dot1Q
from vxlanpkt.layers.ethernet import Ethernet
from vxlanpkt.layers.icmp import ICMP
from vxlanpkt.layers.icmpv6 import ICMPv6
from vxlanpkt.layers.ipv4 import IPv4
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.ipv6_extensions import (
    Authentication,
    DestinationOptions,
    Extension,
    Fragment,
    HopByHop,
    OpaqueExtension,
    Routing,
)
from vxlanpkt.layers.linux_sll import LinuxSLL
from vxlanpkt.layers.linux_sll2 import LinuxSLL2
from vxlanpkt.layers.loopback import Loopback
from vxlanpkt.layers.messages import Echo, Message, PacketTooBig, Quote, Unreachable
from vxlanpkt.layers.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    Redirect,
    RouterAdvertisement,
    RouterSolicitation,
)
from vxlanpkt.layers.tcp import TCP
from vxlanpkt.layers.udp import UDP
from vxlanpkt.layers.vxlan import VXLAN
from vxlanpkt.layers.vxlan_gpe import VXLANGPE
from vxlanpkt.link_types import LinkType
from vxlanpkt.packet import Packet
from vxlanpkt.strategies.values import (
    GPE_PORT,
    OTHER_ETHERTYPES,
    OTHER_GPE_PROTOCOLS,
    OTHER_PROTOCOLS,
    VXLAN_PORTS,
    bits,
    ipv4s,
    ipv6s,
    macs,
    mostly,
    padding,
    payloads,
    ports,
    shared,
    vnis,
)

# -- what stands on IP


@shared
def _payload_packets() -> st.SearchStrategy[Packet]:
    return st.builds(Packet, payload=payloads())


@shared
def _udp_packets() -> st.SearchStrategy[Packet]:
    header = st.builds(UDP, bits(16), ports(), checksum=st.sampled_from((None, 0)))
    return st.builds(Packet, header, payload=payloads(), trailers=st.tuples(st.binary(max_size=4)))


@shared
def _tcp_options() -> st.SearchStrategy[bytes]:
    known = (
        b"", b"\1\1\1\0", b"\2\4\5\xb4", b"\2\4\5\xb4\1\3\3\7", b"\1\1\x08\x0a\0\0\0\1\0\0\0\2",
        b"\4\2\1\1", b"\1\1\5\x0a\0\0\0\1\0\0\0\2", b"\2\4\5\xb4" * 10, b"\x1e\x04ab",
    )  # fmt: skip
    return st.one_of(st.sampled_from(known), _words(0, 10))


@shared
def _words(smallest: int, largest: int) -> st.SearchStrategy[bytes]:
    """Bytes in whole 32-bit words."""
    return st.integers(smallest, largest).flatmap(lambda count: st.binary(min_size=4 * count, max_size=4 * count))


@shared
def _tcp_packets() -> st.SearchStrategy[Packet]:
    header = st.builds(
        TCP, bits(16), bits(16), bits(32), bits(32), bits(8), bits(16), bits(16), _tcp_options(), mostly(0, 4)
    )
    return st.builds(Packet, header, payload=payloads())


@shared
def _icmp_packets() -> st.SearchStrategy[Packet]:
    messages: Mapping[int, st.SearchStrategy[bytes | Message]] = {
        0: st.builds(Echo, bits(16), bits(16), payloads()),
        8: st.builds(Echo, bits(16), bits(16), payloads()),
        3: st.builds(Unreachable, bits(16), bits(16), payloads()),
        11: st.builds(Quote, bits(32), payloads()),
        13: payloads(),
    }
    headers = [st.builds(ICMP, st.just(kind), bits(8), body=body) for kind, body in messages.items()]
    return st.builds(Packet, st.one_of(headers))


@shared
def _nd_options() -> st.SearchStrategy[bytes]:
    mac_option = st.builds(lambda kind, mac: bytes((kind, 1)) + mac.packed, st.sampled_from((1, 2)), macs())
    mtu = bits(32).map(lambda value: b"\5\1\0\0" + value.to_bytes(4, "big"))
    prefix = st.builds(lambda body: b"\3\4" + body, st.binary(min_size=30, max_size=30))
    return st.lists(st.one_of(mac_option, mtu, prefix), max_size=3).map(b"".join)


@shared
def _icmpv6_packets() -> st.SearchStrategy[Packet]:
    flag = st.booleans()
    messages: Mapping[int, st.SearchStrategy[bytes | Message]] = {
        1: st.builds(Quote, bits(32), payloads()),
        2: st.builds(PacketTooBig, bits(32), payloads()),
        3: st.builds(Quote, bits(32), payloads()),
        4: payloads(),
        128: st.builds(Echo, bits(16), bits(16), payloads()),
        129: st.builds(Echo, bits(16), bits(16), payloads()),
        133: st.builds(RouterSolicitation, bits(32), _nd_options()),
        134: st.builds(RouterAdvertisement, bits(8), bits(8), bits(16), bits(32), bits(32), _nd_options()),
        135: st.builds(NeighborSolicitation, ipv6s(), _nd_options(), bits(32)),
        136: st.builds(NeighborAdvertisement, ipv6s(), flag, flag, flag, _nd_options(), bits(29)),
        137: st.builds(Redirect, ipv6s(), ipv6s(), _nd_options(), bits(32)),
    }
    headers = [st.builds(ICMPv6, st.just(kind), bits(8), body=body) for kind, body in messages.items()]
    return st.builds(Packet, st.one_of(headers))


# -- IP


@shared
def _ipv4_options() -> st.SearchStrategy[bytes]:
    known = (b"\x94\4\0\0", b"\7\x0b\4" + bytes(8) + b"\0", b"\1\1\1\0", b"\x83\7\4\xc0\0\2\1\0", bytes(40))
    return st.one_of(st.just(b""), st.just(b""), st.sampled_from(known), _words(1, 10))


@st.composite
def _ipv4_packets(draw: st.DrawFn, above: st.SearchStrategy[Packet], fragments: bool = True) -> Packet:
    """An IPv4 packet around one of *above*; with *fragments* perhaps the first or a later one."""
    fragment = draw(st.sampled_from(((0, 0), (0, 0), (0, 0), (1, 0), (1, 7), (0, 8191)))) if fragments else (0, 0)
    more, offset = fragment
    content = draw(_payload_packets() if offset else above)
    header = IPv4(
        src=draw(ipv4s()),
        dst=draw(ipv4s()),
        dscp=draw(mostly(0, 6)),
        ecn=draw(bits(2)),
        identification=draw(bits(16)),
        flags=draw(st.sampled_from((0, 2, 4, 6))) | more,
        fragment_offset=offset,
        ttl=draw(mostly(64, 8)),
        options=draw(_ipv4_options()),
        protocol=None if len(content) else draw(st.sampled_from((17, 6) if offset else OTHER_PROTOCOLS)),
    )
    return Packet(header, payload=content, trailers=(draw(padding()),))


@shared
def _options_headers(kind: type[HopByHop] | type[DestinationOptions]) -> st.SearchStrategy[Extension]:
    known = (b"\1\4\0\0\0\0", b"\5\2\0\0\1\0", b"\0" * 6, b"\x1e\x0c" + bytes(12), b"\4\xff\1\0\0\0")
    return st.builds(kind, st.sampled_from(known))


@shared
def _chained() -> st.SearchStrategy[Extension]:
    """Extension headers that may stand anywhere, but for fragments."""
    return st.one_of(
        _options_headers(DestinationOptions),
        st.builds(Routing, st.sampled_from((0, 2, 4, 253)), bits(1), st.sampled_from((4, 20)).map(bytes)),
        st.builds(Authentication, bits(32), bits(32), _words(0, 4), bits(16)),
        st.builds(OpaqueExtension, st.sampled_from((135, 139, 140)), st.sampled_from((6, 14)).map(bytes)),
    )


@st.composite
def _ipv6_packets(draw: st.DrawFn, above: st.SearchStrategy[Packet], fragments: bool = True) -> Packet:
    """An IPv6 packet around one of *above*; with *fragments* perhaps atomic, the first or a later one."""
    extensions: list[Extension] = draw(st.one_of(st.just([]), st.lists(_chained(), max_size=3)))
    if draw(st.integers(0, 5)) == 0:
        extensions.insert(0, draw(_options_headers(HopByHop)))
    offset = 0
    if fragments and draw(st.integers(0, 5)) == 0:
        offset = draw(st.sampled_from((0, 0, 1, 8191)))
        extensions.append(Fragment(offset, draw(bits(1)), draw(bits(32)), draw(mostly(0, 8)), draw(mostly(0, 2))))
    content = draw(_payload_packets() if offset else above)
    following = None if len(content) else draw(st.sampled_from(OTHER_PROTOCOLS))
    header = IPv6(
        src=draw(ipv6s()),
        dst=draw(ipv6s()),
        dscp=draw(mostly(0, 6)),
        ecn=draw(bits(2)),
        flow_label=draw(mostly(0, 20)),
        hop_limit=draw(mostly(64, 8)),
        extension_headers=_named(extensions, following),
        next_header=following if not extensions else None,
    )
    return Packet(header, payload=content, trailers=(draw(padding()),))


def _named(extensions: Sequence[Extension], following: int | None) -> Sequence[Extension]:
    """*extensions*, of which the last says that *following* follows."""
    if not extensions or following is None:
        return extensions
    return [*extensions[:-1], replace(extensions[-1], next_header=following)]


@shared
def _any_ipv4() -> st.SearchStrategy[Packet]:
    return _ipv4_packets(st.one_of(_udp_packets(), _tcp_packets(), _icmp_packets(), _payload_packets()))


@shared
def _any_ipv6() -> st.SearchStrategy[Packet]:
    return _ipv6_packets(st.one_of(_udp_packets(), _tcp_packets(), _icmpv6_packets(), _payload_packets()))


# -- the link layer


@shared
def _arp_packets() -> st.SearchStrategy[Packet]:
    usual = st.builds(ARP, st.sampled_from((1, 2)), macs(), ipv4s(), macs(), ipv4s())
    foreign = st.builds(
        lambda operation, hardware, protocol: ARP(
            operation, 0, 0, 0, 0, 6, 0x86DD, hardware, protocol, bytes(2 * (hardware + protocol))
        ),
        bits(16), st.integers(0, 20).filter(lambda length: length != 6), st.integers(0, 20),
    )  # fmt: skip
    trailers = st.tuples(st.sampled_from((b"", bytes(18))))
    return st.builds(Packet, st.one_of(usual, usual, foreign), trailers=trailers)


@st.composite
def _tagged(draw: st.DrawFn, content: st.SearchStrategy[Packet]) -> Packet:
    """*content* behind none to three VLAN tags."""
    packet = draw(content)
    tags = draw(st.sampled_from((0, 0, 0, 1, 1, 2, 3)))
    for depth in range(tags):
        following = None if len(packet) else draw(st.sampled_from(OTHER_ETHERTYPES))
        if depth and draw(st.booleans()):
            following = 0x88A8
        tag = Dot1Q(draw(bits(12)), draw(mostly(0, 3)), draw(mostly(0, 1)), following)
        packet = Packet(tag, payload=packet)
    return packet


@st.composite
def _on_link(draw: st.DrawFn, start: LinkType, content: st.SearchStrategy[Packet]) -> Packet:
    """*content* behind the header that *start* names."""
    packet = draw(content)
    other = None if len(packet) else draw(st.sampled_from(OTHER_ETHERTYPES))
    if start == LinkType.ETHERNET:
        header: Layer = Ethernet(draw(macs()), draw(macs()), other)
    elif start == LinkType.LINUX_SLL:
        header = LinuxSLL(draw(mostly(0, 16)), draw(mostly(1, 16)), 6, draw(macs()), other)
    elif start == LinkType.LINUX_SLL2:
        header = LinuxSLL2(other, draw(bits(32)), draw(mostly(1, 16)), draw(mostly(0, 8)), 6, draw(macs()))
    else:
        family = 2 if isinstance(packet.layers[0], IPv4) else draw(st.sampled_from((10, 24, 28, 30)))
        order = draw(st.sampled_from(("big", "little")))
        header = Loopback(family, "little" if order == "little" else "big")
    return Packet(header, payload=packet, start=start)


def _started(packets: st.SearchStrategy[Packet], start: LinkType) -> st.SearchStrategy[Packet]:
    """*packets* whose first layer is what a capture of link type *start* begins with."""
    return st.builds(Packet, payload=packets, start=st.just(start))


@shared
def frames(start: LinkType = LinkType.ETHERNET) -> st.SearchStrategy[Packet]:
    """Valid packets with no tunnel, for any link type that the library knows.

    Every combination of VLAN tags (up to three), ARP, IPv4 with options, IPv6 with extension
    headers, fragments, UDP, TCP with options, ICMP, ICMPv6 with neighbour discovery, unknown
    protocols, padding and trailers.
    """
    if start in (LinkType.IPV4, LinkType.IPV6):
        return _started(_any_ipv4() if start == LinkType.IPV4 else _any_ipv6(), start)
    if start == LinkType.RAW:
        return _started(st.one_of(_any_ipv4(), _any_ipv6()), start)
    if start in (LinkType.NULL, LinkType.LOOP):
        return _on_link(start, st.one_of(_any_ipv4(), _any_ipv6()))
    return _on_link(start, _tagged(st.one_of(_any_ipv4(), _any_ipv6(), _arp_packets(), _payload_packets())))


# -- tunnels in packets


@shared
def _vxlan_headers() -> st.SearchStrategy[VXLAN]:
    plain = st.builds(VXLAN, vnis())
    policy = st.builds(VXLAN.with_group_policy, vnis(), bits(16), dont_learn=st.booleans(), applied=st.booleans())
    return st.one_of(plain, plain, policy, st.builds(VXLAN, vnis(), bits(8), bits(24), bits(8)))


@st.composite
def _vxlan_datagrams(draw: st.DrawFn, inner: st.SearchStrategy[Packet]) -> Packet:
    header = UDP(draw(bits(16)), draw(st.sampled_from(VXLAN_PORTS)), checksum=draw(st.sampled_from((None, 0))))
    return Packet(header, draw(_vxlan_headers()), payload=draw(inner))


@st.composite
def _gpe_datagrams(draw: st.DrawFn, inner: st.SearchStrategy[Packet]) -> Packet:
    content = draw(st.one_of(inner, _any_ipv4(), _any_ipv6(), _payload_packets()))
    other = None if len(content) else draw(st.sampled_from(OTHER_GPE_PROTOCOLS))
    ethernet = len(content) > 0 and isinstance(content.layers[0], Ethernet)
    flags = 0x08 if ethernet and draw(st.booleans()) else 0x0C
    header = VXLANGPE(draw(vnis()), other, flags, draw(mostly(0, 2)), draw(mostly(0, 16)), draw(mostly(0, 8)))
    return Packet(UDP(draw(bits(16)), GPE_PORT, checksum=draw(st.sampled_from((None, 0)))), header, payload=content)


@shared
def vxlan_frames(depth: int = 2) -> st.SearchStrategy[Packet]:
    """Valid Ethernet frames with a VXLAN or VXLAN-GPE header, nested up to *depth* deep (the parser's default is 4)."""
    inner = frames() if depth <= 1 else st.one_of(frames(), vxlan_frames(depth - 1))
    datagrams = st.one_of(_vxlan_datagrams(inner), _vxlan_datagrams(inner), _gpe_datagrams(inner))
    ip = st.one_of(_ipv4_packets(datagrams, fragments=False), _ipv6_packets(datagrams, fragments=False))
    return _on_link(LinkType.ETHERNET, _tagged(ip))

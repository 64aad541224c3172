"""Hypothesis strategies for packets, tunnels, policies and batches: to test what is built on this library.

Needs the package `hypothesis`, which nothing else here does.

    from hypothesis import given
    from vxlanpkt import decap
    from vxlanpkt.strategies import frames, tunnels

    @given(tunnel=tunnels(), inner=frames())
    def test_my_switch(tunnel, inner):
        assert my_switch(tunnel.encap(inner.build(), identification=0)) == [inner.build()]

What is valid        `frames` and `vxlan_frames` give `Packet` values whose lengths, checksums and next headers are
                     None, to be derived, and `parse(packet.build()) == packet.resolve()`.
What is not          `damaged`, `mutated` and `truncated` take strategies of packets or bytes and give bytes that were
                     damaged; `hostile_frames` gives bytes with the lies that break parsers.
What carries them    `tunnels`, `tunnel_tables`, `policies`, `batches`; `captures` gives files of records.
What chooses         `filter_expressions`, text for a `Filter`.
What an overlay has  `networks` and `route_tables`, `forwarding_tables`, `neighbour_questions`, `agent_statuses`;
                     `overlays`, what `plan` makes a `Plan` of.
What CNI says        `cni_results`, `cni_containers`.
Single values        `macs`, `ipv4s`, `ipv6s`, `vnis`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
    ip_network,
)
from typing import Any, TypeVar

from hypothesis import strategies as st

from vxlanpkt.addresses import MACAddress
from vxlanpkt.assigned import LinkType
from vxlanpkt.batch import FrameBatch
from vxlanpkt.capture import Interface, PcapngWriter, PcapWriter, Record
from vxlanpkt.cni.protocol.results import DNS, IPConfig, Result, Route
from vxlanpkt.cni.protocol.results import Interface as CNIInterface
from vxlanpkt.cni.result_cache import Container
from vxlanpkt.dissection import dissect
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
    SourceLinkLayerAddress,
)
from vxlanpkt.layers.tcp import TCP
from vxlanpkt.layers.udp import UDP
from vxlanpkt.layers.vxlan import VXLAN, GroupPolicy
from vxlanpkt.layers.vxlan_gpe import VXLANGPE
from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus, PeerStatus
from vxlanpkt.overlay.leases.config import NetworkConfig, parse_config
from vxlanpkt.overlay.leases.leases import Lease, LeaseAttributes, Subnets
from vxlanpkt.overlay.plans.kernel_state import Underlay
from vxlanpkt.overlay.tables.forwarding import ForwardingTable
from vxlanpkt.overlay.tables.routes import RouteTable
from vxlanpkt.packet import Packet
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.tunnel import Tunnel, TunnelTable

_Make = TypeVar("_Make", bound=Callable[..., Any])

_VXLAN_PORTS = (4789, 8472)
_GPE_PORT = 4790
# Numbers that no layer is bound to, so that what follows them is payload.
_OTHER_ETHERTYPES = (0x05DC, 0x6558, 0x8847, 0x894F, 0x88CC, 0xFFFF)
_OTHER_PROTOCOLS = (2, 4, 41, 47, 50, 59, 132, 255)
_OTHER_GPE_PROTOCOLS = (4, 5, 0xFF)


def _shared(make: _Make) -> _Make:
    """*make*, called once for the same arguments: a strategy takes long to set up, and has no state."""
    return cache(make)  # type: ignore[return-value]


@_shared
def _bits(width: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << width) - 1)


@_shared
def _mostly(usual: int, width: int) -> st.SearchStrategy[int]:
    return st.one_of(st.just(usual), _bits(width))


# -- single values


@_shared
def macs() -> st.SearchStrategy[MACAddress]:
    """MAC addresses: mostly unicast ones, and zero, broadcast and groups."""
    unicast = _bits(48).map(lambda value: value & ~(1 << 40))
    return st.one_of(unicast, st.sampled_from((0, (1 << 48) - 1)), _bits(48)).map(MACAddress)


@_shared
def ipv4s() -> st.SearchStrategy[IPv4Address]:
    """IPv4 addresses: from the documentation's networks, groups, and any."""
    known = ("192.0.2.1", "198.51.100.7", "203.0.113.255", "239.1.1.1", "0.0.0.0", "255.255.255.255")
    return st.one_of(st.sampled_from(known).map(IPv4Address), _bits(32).map(IPv4Address))


@_shared
def ipv6s() -> st.SearchStrategy[IPv6Address]:
    """IPv6 addresses without a zone: of documentation, link-local, groups, and any."""
    known = ("2001:db8::1", "2001:db8:ffff::2", "fe80::1", "ff02::1", "::", "::1", "::ffff:192.0.2.1")
    return st.one_of(st.sampled_from(known).map(IPv6Address), _bits(128).map(IPv6Address))


@_shared
def vnis() -> st.SearchStrategy[int]:
    """VXLAN network identifiers: the edges, and any."""
    return st.one_of(st.sampled_from((0, 1, 5000, (1 << 24) - 1)), _bits(24))


@_shared
def _payloads(largest: int = 64) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=largest)


@_shared
def _padding() -> st.SearchStrategy[bytes]:
    return st.one_of(st.just(b""), st.binary(max_size=20), st.integers(1, 300).map(bytes))


@_shared
def _ports() -> st.SearchStrategy[int]:
    """UDP ports that no tunnel is bound to."""
    return _bits(16).filter(lambda port: port not in (*_VXLAN_PORTS, _GPE_PORT))


# -- what stands on IP


@_shared
def _payload_packets() -> st.SearchStrategy[Packet]:
    return st.builds(Packet, payload=_payloads())


@_shared
def _udp_packets() -> st.SearchStrategy[Packet]:
    header = st.builds(UDP, _bits(16), _ports(), checksum=st.sampled_from((None, 0)))
    return st.builds(Packet, header, payload=_payloads(), trailers=st.tuples(st.binary(max_size=4)))


@_shared
def _tcp_options() -> st.SearchStrategy[bytes]:
    known = (
        b"", b"\1\1\1\0", b"\2\4\5\xb4", b"\2\4\5\xb4\1\3\3\7", b"\1\1\x08\x0a\0\0\0\1\0\0\0\2",
        b"\4\2\1\1", b"\1\1\5\x0a\0\0\0\1\0\0\0\2", b"\2\4\5\xb4" * 10, b"\x1e\x04ab",
    )  # fmt: skip
    return st.one_of(st.sampled_from(known), _words(0, 10))


@_shared
def _words(smallest: int, largest: int) -> st.SearchStrategy[bytes]:
    """Bytes in whole 32-bit words."""
    return st.integers(smallest, largest).flatmap(lambda count: st.binary(min_size=4 * count, max_size=4 * count))


@_shared
def _tcp_packets() -> st.SearchStrategy[Packet]:
    header = st.builds(
        TCP, _bits(16), _bits(16), _bits(32), _bits(32), _bits(8), _bits(16), _bits(16), _tcp_options(), _mostly(0, 4)
    )
    return st.builds(Packet, header, payload=_payloads())


@_shared
def _icmp_packets() -> st.SearchStrategy[Packet]:
    messages: Mapping[int, st.SearchStrategy[bytes | Message]] = {
        0: st.builds(Echo, _bits(16), _bits(16), _payloads()),
        8: st.builds(Echo, _bits(16), _bits(16), _payloads()),
        3: st.builds(Unreachable, _bits(16), _bits(16), _payloads()),
        11: st.builds(Quote, _bits(32), _payloads()),
        13: _payloads(),
    }
    headers = [st.builds(ICMP, st.just(kind), _bits(8), body=body) for kind, body in messages.items()]
    return st.builds(Packet, st.one_of(headers))


@_shared
def _nd_options() -> st.SearchStrategy[bytes]:
    mac_option = st.builds(lambda kind, mac: bytes((kind, 1)) + mac.packed, st.sampled_from((1, 2)), macs())
    mtu = _bits(32).map(lambda value: b"\5\1\0\0" + value.to_bytes(4, "big"))
    prefix = st.builds(lambda body: b"\3\4" + body, st.binary(min_size=30, max_size=30))
    return st.lists(st.one_of(mac_option, mtu, prefix), max_size=3).map(b"".join)


@_shared
def _icmpv6_packets() -> st.SearchStrategy[Packet]:
    flag = st.booleans()
    messages: Mapping[int, st.SearchStrategy[bytes | Message]] = {
        1: st.builds(Quote, _bits(32), _payloads()),
        2: st.builds(PacketTooBig, _bits(32), _payloads()),
        3: st.builds(Quote, _bits(32), _payloads()),
        4: _payloads(),
        128: st.builds(Echo, _bits(16), _bits(16), _payloads()),
        129: st.builds(Echo, _bits(16), _bits(16), _payloads()),
        133: st.builds(RouterSolicitation, _bits(32), _nd_options()),
        134: st.builds(RouterAdvertisement, _bits(8), _bits(8), _bits(16), _bits(32), _bits(32), _nd_options()),
        135: st.builds(NeighborSolicitation, ipv6s(), _nd_options(), _bits(32)),
        136: st.builds(NeighborAdvertisement, ipv6s(), flag, flag, flag, _nd_options(), _bits(29)),
        137: st.builds(Redirect, ipv6s(), ipv6s(), _nd_options(), _bits(32)),
    }
    headers = [st.builds(ICMPv6, st.just(kind), _bits(8), body=body) for kind, body in messages.items()]
    return st.builds(Packet, st.one_of(headers))


# -- IP


@_shared
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
        dscp=draw(_mostly(0, 6)),
        ecn=draw(_bits(2)),
        identification=draw(_bits(16)),
        flags=draw(st.sampled_from((0, 2, 4, 6))) | more,
        fragment_offset=offset,
        ttl=draw(_mostly(64, 8)),
        options=draw(_ipv4_options()),
        protocol=None if len(content) else draw(st.sampled_from((17, 6) if offset else _OTHER_PROTOCOLS)),
    )
    return Packet(header, payload=content, trailers=(draw(_padding()),))


@_shared
def _options_headers(kind: type[HopByHop] | type[DestinationOptions]) -> st.SearchStrategy[Extension]:
    known = (b"\1\4\0\0\0\0", b"\5\2\0\0\1\0", b"\0" * 6, b"\x1e\x0c" + bytes(12), b"\4\xff\1\0\0\0")
    return st.builds(kind, st.sampled_from(known))


@_shared
def _chained() -> st.SearchStrategy[Extension]:
    """Extension headers that may stand anywhere, but for fragments."""
    return st.one_of(
        _options_headers(DestinationOptions),
        st.builds(Routing, st.sampled_from((0, 2, 4, 253)), _bits(1), st.sampled_from((4, 20)).map(bytes)),
        st.builds(Authentication, _bits(32), _bits(32), _words(0, 4), _bits(16)),
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
        extensions.append(Fragment(offset, draw(_bits(1)), draw(_bits(32)), draw(_mostly(0, 8)), draw(_mostly(0, 2))))
    content = draw(_payload_packets() if offset else above)
    following = None if len(content) else draw(st.sampled_from(_OTHER_PROTOCOLS))
    header = IPv6(
        src=draw(ipv6s()),
        dst=draw(ipv6s()),
        dscp=draw(_mostly(0, 6)),
        ecn=draw(_bits(2)),
        flow_label=draw(_mostly(0, 20)),
        hop_limit=draw(_mostly(64, 8)),
        extension_headers=_named(extensions, following),
        next_header=following if not extensions else None,
    )
    return Packet(header, payload=content, trailers=(draw(_padding()),))


def _named(extensions: Sequence[Extension], following: int | None) -> Sequence[Extension]:
    """*extensions*, of which the last says that *following* follows."""
    if not extensions or following is None:
        return extensions
    return [*extensions[:-1], replace(extensions[-1], next_header=following)]


@_shared
def _any_ipv4() -> st.SearchStrategy[Packet]:
    return _ipv4_packets(st.one_of(_udp_packets(), _tcp_packets(), _icmp_packets(), _payload_packets()))


@_shared
def _any_ipv6() -> st.SearchStrategy[Packet]:
    return _ipv6_packets(st.one_of(_udp_packets(), _tcp_packets(), _icmpv6_packets(), _payload_packets()))


# -- the link layer


@_shared
def _arp_packets() -> st.SearchStrategy[Packet]:
    usual = st.builds(ARP, st.sampled_from((1, 2)), macs(), ipv4s(), macs(), ipv4s())
    foreign = st.builds(
        lambda operation, hardware, protocol: ARP(
            operation, 0, 0, 0, 0, 6, 0x86DD, hardware, protocol, bytes(2 * (hardware + protocol))
        ),
        _bits(16), st.integers(0, 20).filter(lambda length: length != 6), st.integers(0, 20),
    )  # fmt: skip
    trailers = st.tuples(st.sampled_from((b"", bytes(18))))
    return st.builds(Packet, st.one_of(usual, usual, foreign), trailers=trailers)


@st.composite
def _tagged(draw: st.DrawFn, content: st.SearchStrategy[Packet]) -> Packet:
    """*content* behind none to three VLAN tags."""
    packet = draw(content)
    tags = draw(st.sampled_from((0, 0, 0, 1, 1, 2, 3)))
    for depth in range(tags):
        following = None if len(packet) else draw(st.sampled_from(_OTHER_ETHERTYPES))
        if depth and draw(st.booleans()):
            following = 0x88A8
        tag = Dot1Q(draw(_bits(12)), draw(_mostly(0, 3)), draw(_mostly(0, 1)), following)
        packet = Packet(tag, payload=packet)
    return packet


@st.composite
def _on_link(draw: st.DrawFn, start: LinkType, content: st.SearchStrategy[Packet]) -> Packet:
    """*content* behind the header that *start* names."""
    packet = draw(content)
    other = None if len(packet) else draw(st.sampled_from(_OTHER_ETHERTYPES))
    if start == LinkType.ETHERNET:
        header: Layer = Ethernet(draw(macs()), draw(macs()), other)
    elif start == LinkType.LINUX_SLL:
        header = LinuxSLL(draw(_mostly(0, 16)), draw(_mostly(1, 16)), 6, draw(macs()), other)
    elif start == LinkType.LINUX_SLL2:
        header = LinuxSLL2(other, draw(_bits(32)), draw(_mostly(1, 16)), draw(_mostly(0, 8)), 6, draw(macs()))
    else:
        family = 2 if isinstance(packet.layers[0], IPv4) else draw(st.sampled_from((10, 24, 28, 30)))
        order = draw(st.sampled_from(("big", "little")))
        header = Loopback(family, "little" if order == "little" else "big")
    return Packet(header, payload=packet, start=start)


def _started(packets: st.SearchStrategy[Packet], start: LinkType) -> st.SearchStrategy[Packet]:
    """*packets* whose first layer is what a capture of link type *start* begins with."""
    return st.builds(Packet, payload=packets, start=st.just(start))


@_shared
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


@_shared
def _vxlan_headers() -> st.SearchStrategy[VXLAN]:
    plain = st.builds(VXLAN, vnis())
    policy = st.builds(VXLAN.with_group_policy, vnis(), _bits(16), dont_learn=st.booleans(), applied=st.booleans())
    return st.one_of(plain, plain, policy, st.builds(VXLAN, vnis(), _bits(8), _bits(24), _bits(8)))


@st.composite
def _vxlan_datagrams(draw: st.DrawFn, inner: st.SearchStrategy[Packet]) -> Packet:
    header = UDP(draw(_bits(16)), draw(st.sampled_from(_VXLAN_PORTS)), checksum=draw(st.sampled_from((None, 0))))
    return Packet(header, draw(_vxlan_headers()), payload=draw(inner))


@st.composite
def _gpe_datagrams(draw: st.DrawFn, inner: st.SearchStrategy[Packet]) -> Packet:
    content = draw(st.one_of(inner, _any_ipv4(), _any_ipv6(), _payload_packets()))
    other = None if len(content) else draw(st.sampled_from(_OTHER_GPE_PROTOCOLS))
    ethernet = len(content) > 0 and isinstance(content.layers[0], Ethernet)
    flags = 0x08 if ethernet and draw(st.booleans()) else 0x0C
    header = VXLANGPE(draw(vnis()), other, flags, draw(_mostly(0, 2)), draw(_mostly(0, 16)), draw(_mostly(0, 8)))
    return Packet(UDP(draw(_bits(16)), _GPE_PORT, checksum=draw(st.sampled_from((None, 0)))), header, payload=content)


@_shared
def vxlan_frames(depth: int = 2) -> st.SearchStrategy[Packet]:
    """Valid Ethernet frames with a VXLAN or VXLAN-GPE header, nested up to *depth* deep (the parser's default is 4)."""
    inner = frames() if depth <= 1 else st.one_of(frames(), vxlan_frames(depth - 1))
    datagrams = st.one_of(_vxlan_datagrams(inner), _vxlan_datagrams(inner), _gpe_datagrams(inner))
    ip = st.one_of(_ipv4_packets(datagrams, fragments=False), _ipv6_packets(datagrams, fragments=False))
    return _on_link(LinkType.ETHERNET, _tagged(ip))


# -- recipes


@_shared
def _tags() -> st.SearchStrategy[tuple[int | Dot1Q, ...]]:
    tag = st.one_of(_bits(12), st.builds(Dot1Q, _bits(12), _bits(3), _bits(1)))
    return st.one_of(st.just(()), st.tuples(tag), st.tuples(tag, tag))


@_shared
def _source_ports() -> st.SearchStrategy[int | tuple[int, int] | None]:
    edges = st.lists(st.integers(0, 65536), min_size=2, max_size=2, unique=True).map(sorted)
    return st.one_of(st.none(), _bits(16), edges.map(lambda pair: (pair[0], pair[1])))


@st.composite
def tunnels(draw: st.DrawFn, *, df: str | None = None) -> Tunnel:
    """Tunnels, one in three a usual one, others with any value in every parameter; *df* fixes that of DF."""
    addresses: Any = draw(st.sampled_from((ipv4s(), ipv6s())))
    src = draw(addresses.filter(lambda address: not address.is_multicast))
    ends = draw(vnis()), src, draw(addresses), draw(macs()), draw(macs())
    if df in (None, "set") and draw(st.integers(0, 2)) == 0:
        return Tunnel(*ends, vlans=draw(_tags()), udp_checksum=draw(st.sampled_from((None, "zero", "full"))))
    gpe = draw(st.booleans())
    policy = st.one_of(st.none(), st.builds(GroupPolicy, _bits(16), st.booleans(), st.booleans()))
    fields: dict[str, Any] = {
        "dst_port": draw(st.one_of(st.sampled_from((*_VXLAN_PORTS, _GPE_PORT)), st.integers(1, 65535))),
        "src_port": draw(_source_ports()),
        "ttl": draw(st.one_of(st.just("inherit"), _bits(8))),
        "dscp": draw(st.one_of(st.just("inherit"), _bits(6))),
        "ecn": draw(st.sampled_from(("rfc6040", "linux", "none"))),
        "df": df or draw(st.sampled_from(("set", "unset", "inherit"))),
        "flow_label": draw(st.one_of(st.sampled_from(("inherit", "hash")), _bits(20))),
        "udp_checksum": draw(st.sampled_from((None, "zero", "full", "inner"))),
        "vlans": draw(_tags()),
        "group_policy": None if gpe else draw(policy),
        "gpe": gpe,
        "symmetric": draw(st.booleans()),
        "inner_ip": draw(st.sampled_from(("sound", "linux", "ovs"))),
    }
    return Tunnel(*ends, **fields)


def tunnel_tables(*, max_size: int = 3, df: str | None = None) -> st.SearchStrategy[TunnelTable]:
    """Tables of one to *max_size* tunnels of any kind; *df* as for `tunnels`."""
    return st.builds(TunnelTable, st.lists(tunnels(df=df), min_size=1, max_size=max_size))


@_shared
def _prefixes() -> st.SearchStrategy[str]:
    return st.sampled_from(("0.0.0.0/0", "::/0", "192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32", "fe80::/10"))


@st.composite
def policies(draw: st.DrawFn, *, ports: Sequence[int] | None = None) -> DecapPolicy:
    """Decapsulation policies with any value in every parameter; *ports* fixes that one."""
    fields: dict[str, Any] = {
        "vnis": draw(st.one_of(st.none(), st.none(), st.frozensets(vnis(), max_size=4))),
        "allowed_sources": draw(st.one_of(st.none(), st.none(), st.lists(_prefixes(), max_size=3))),
        "reserved_mask": draw(st.one_of(st.sampled_from((0, 0, 0xF7FFFFFF_000000FF)), _bits(64))),
        "fragments": draw(st.sampled_from(("drop", "atomic"))),
        "ip_options": draw(st.sampled_from(("accept", "drop", "host", "ovs"))),
        "udp_length": draw(st.sampled_from(("check", "jumbo", "ignore", "overrun"))),
        "inner_vlan": draw(st.sampled_from(("keep", "strip", "drop"))),
        "own_macs": draw(st.lists(macs(), max_size=2)),
        "ecn": draw(st.sampled_from(("ignore", "rfc6040", "linux", "ovs"))),
        "lengths": draw(st.sampled_from(("strict", "snapped", "captured"))),
    }
    for name in (
        "gbp", "verify_ip_checksum", "verify_udp_checksum", "zero_checksum6", "check_inner_source",
        "check_outer_source",
    ):  # fmt: skip
        fields[name] = draw(st.booleans())
    fields["gpe"] = draw(st.sampled_from((False, True, "linux", "ovs")))
    fields["check_inner_length"] = draw(st.sampled_from((False, True, "linux")))
    chosen = draw(st.lists(_bits(16), max_size=2)) + list(_VXLAN_PORTS) if ports is None else list(ports)
    return DecapPolicy(chosen, **fields)


# -- damage


def _wire(packet: Any) -> bytes:
    return packet.build() if isinstance(packet, Packet) else packet


@st.composite
def damaged(draw: st.DrawFn, packets: st.SearchStrategy[Packet] | st.SearchStrategy[bytes]) -> bytes:
    """The bytes of one of *packets* with one thing wrong: a bit, a byte, or the end cut off; empty ones stay."""
    data = bytearray(_wire(draw(packets)))
    if not data:
        return b""
    at = draw(st.integers(0, len(data) - 1))
    change = draw(st.sampled_from(("bit", "byte", "cut")))
    if change == "cut":
        return bytes(data[:at])
    data[at] ^= 1 << draw(st.integers(0, 7)) if change == "bit" else draw(st.integers(1, 255))
    return bytes(data)


@st.composite
def mutated(draw: st.DrawFn, packets: st.SearchStrategy[Packet] | st.SearchStrategy[bytes]) -> bytes:
    """The bytes of one of *packets* after one to six changes: a bit, a byte, an insertion, a deletion."""
    data = bytearray(_wire(draw(packets)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(("bit", "byte", "insert", "delete")))
        if change == "insert" or at == len(data):
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif change == "delete":
            del data[at : at + draw(st.integers(1, 8))]
        else:
            data[at] = data[at] ^ 1 << draw(st.integers(0, 7)) if change == "bit" else draw(_bits(8))
    return bytes(data)


@st.composite
def truncated(draw: st.DrawFn, packets: st.SearchStrategy[Packet] | st.SearchStrategy[bytes]) -> bytes:
    """The first bytes of one of *packets*: none, some, or all but one."""
    data = _wire(draw(packets))
    return data[: draw(st.integers(0, max(len(data) - 1, 0)))]


# For each layer the fields that parsers trust: offset, width, and the values that broke some.
_Lie = tuple[int, int, tuple[int, ...]]
_LIES: Mapping[str, tuple[_Lie, ...]] = {
    "Ethernet": (
        (6, 6, (0, 0x01005E000001, 0xFFFFFFFFFFFF)),
        (12, 2, (0x0800, 0x86DD, 0x8100, 0x88A8, 0x0806, 0x8847, 0, 46, 0x0600)),
    ),
    "Dot1Q": ((0, 2, (0, 0xFFFF)), (2, 2, (0x0800, 0x86DD, 0x8100, 0x88A8, 0, 46))),
    "ARP": ((4, 1, (0, 4, 255)), (5, 1, (0, 6, 255))),
    "IPv4": (
        (0, 1, (0x40, 0x44, 0x45, 0x46, 0x4F, 0x65, 0x05, 0xF5)),
        (2, 2, (0, 1, 19, 20, 24, 27, 28, 35, 36, 50, 65535)),
        (6, 2, (0x2000, 0x0001, 0x2001, 0x1FFF, 0x4000, 0x8000)),
        (9, 1, (0, 1, 6, 17, 44, 58)),
        (10, 2, (0, 0xFFFF)),
    ),
    "IPv6": (
        (0, 1, (0x40, 0x45, 0x60, 0xF0)),
        (4, 2, (0, 1, 7, 8, 15, 16, 65535)),
        (6, 1, (0, 17, 43, 44, 51, 58, 59, 60, 135, 255)),
        (40, 1, (0, 17, 43, 44, 51, 60)),
        (41, 1, (0, 1, 255)),
        (42, 2, (0, 1, 8, 0xFFF8)),
    ),
    "UDP": (
        (2, 2, (0, 53, 4789, 4790, 8472, 6081)),
        (4, 2, (*range(10), 15, 16, 20, 65535)),
        (6, 2, (0, 1, 0xFFFF)),
    ),
    "TCP": ((12, 1, (0x00, 0x40, 0x50, 0xF0)), (20, 2, (0x0100, 0x0200, 0x02FF, 0x0501))),
    "ICMPv6": ((0, 1, (2, 128, 133, 134, 135, 136, 137)), (24, 2, (0x0100, 0x01FF))),
    "VXLAN": (
        (0, 1, (0x00, 0x08, 0x0C, 0x88, 0x8C, 0x0D, 0x38, 0xF7, 0xFF)),
        (1, 3, (1, 0x400000, 0x080000, 0x200000, 0xFFFFFF)),
        (7, 1, (1, 0x80, 0xFF)),
    ),
    "VXLANGPE": ((0, 1, (0x00, 0x08, 0x0C, 0x0D, 0x0E, 0x3C, 0x8C)), (3, 1, (0, 1, 2, 3, 4, 5, 255))),
}


@st.composite
def _lied(draw: st.DrawFn, packets: st.SearchStrategy[Packet]) -> bytes:
    """A packet's bytes with one to three of the fields that parsers trust changed to values that broke some."""
    data = bytearray(_wire(draw(packets)))
    places = [(span.start, lie) for layer, span in dissect(bytes(data)).spans for lie in _LIES.get(layer.NAME, ())]
    for start, (offset, width, values) in draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        at = start + offset
        if at + width <= len(data):
            data[at : at + width] = draw(st.sampled_from(values)).to_bytes(width, "big")
    return bytes(data)


@st.composite
def _off_by_some(draw: st.DrawFn, packets: st.SearchStrategy[Packet]) -> bytes:
    """A packet's bytes with one length field a little too small or too large."""
    data = bytearray(_wire(draw(packets)))
    at = {"IPv4": 2, "IPv6": 4, "UDP": 4}
    places = [span.start + at[layer.NAME] for layer, span in dissect(bytes(data)).spans if layer.NAME in at]
    place = draw(st.sampled_from(places))
    length = int.from_bytes(data[place : place + 2], "big") + draw(st.sampled_from((-20, -8, -1, 1, 8, 20)))
    data[place : place + 2] = (length & 0xFFFF).to_bytes(2, "big")
    return bytes(data)


@st.composite
def _deep(draw: st.DrawFn) -> bytes:
    """VXLAN in VXLAN, three to sixty deep, around a frame or nothing."""
    frame = draw(st.one_of(st.just(b""), _payloads(20), frames().map(_wire)))
    tunnel = Tunnel(draw(vnis()), "192.0.2.1", "192.0.2.2")
    for _ in range(draw(st.sampled_from((3, 4, 5, 6, 60)))):
        frame = tunnel.encap(frame)
    return frame


@_shared
def _cut_inner() -> st.SearchStrategy[bytes]:
    """Sound outer headers around an inner frame that was cut: nothing, 1 to 13 bytes, an IP header's part."""
    tunnel = Tunnel(5000, "2001:db8::1", "2001:db8::2", udp_checksum="zero")
    return truncated(frames()).map(tunnel.encap)


def _padded(packets: st.SearchStrategy[Packet]) -> st.SearchStrategy[bytes]:
    padding = st.one_of(st.integers(1, 300).map(bytes), st.binary(min_size=1, max_size=300))
    return st.builds(lambda packet, padding: packet.build() + padding, packets, padding)


@_shared
def hostile_frames() -> st.SearchStrategy[bytes]:
    """Bytes that break parsers, most of them in or around a tunnel.

    Lengths and versions that lie, cut headers, padding, fragments, reserved bits, wrong checksums,
    inner frames that are cut, tunnels sixty deep, and tiny buffers.
    """
    sound = st.one_of(vxlan_frames(), vxlan_frames(), frames())
    lied = _lied(sound)
    return st.one_of(
        lied, _off_by_some(vxlan_frames()), truncated(sound), truncated(lied), _padded(sound), _cut_inner(), _deep(),
        mutated(sound), st.binary(max_size=60),
    )  # fmt: skip


# -- batches


@_shared
def _any_frames() -> st.SearchStrategy[bytes]:
    return st.one_of(vxlan_frames().map(_wire), frames().map(_wire), hostile_frames())


@st.composite
def batches(
    draw: st.DrawFn,
    rows: st.SearchStrategy[bytes] | None = None,
    *,
    max_size: int = 8,
    headroom: int = 0,
    originals: bool = True,
    outside: bool = False,
) -> FrameBatch:
    """Batches of up to *max_size* rows in any order, with gaps between them, some twice.

    rows       the frames; by default sound, damaged and hostile ones mixed
    headroom   free bytes in front of every row; no row is then there twice
    originals  perhaps with a column of original lengths, some longer than the rows
    outside    perhaps with rows that reach outside the buffer
    """
    data = bytearray(draw(_payloads(8)))
    places: list[tuple[int, int]] = []
    for frame in draw(st.lists(_any_frames() if rows is None else rows, max_size=max_size)):
        data += bytes(headroom)
        places.append((len(data), len(frame)))
        data += frame + draw(_payloads(4))
    if places and not headroom:
        places += draw(st.lists(st.sampled_from(places), max_size=2))
    if outside:
        beyond = ((len(data), 1), (0, len(data) + 1), ((1 << 64) - 1, 2), (1 << 63, 0), (1, 1 << 20))
        places += draw(st.lists(st.sampled_from(beyond), max_size=2))
    places = draw(st.permutations(places))
    lengths = [length for _, length in places]
    known: list[int] | None = None
    if originals and draw(st.booleans()):
        known = [min(length + draw(st.sampled_from((0, 0, 1, 20, 1000))), (1 << 32) - 1) for length in lengths]
    return FrameBatch(data, [offset for offset, _ in places], lengths, known, headroom=headroom)


@_shared
def _options() -> st.SearchStrategy[tuple[tuple[int, bytes], ...]]:
    flags = st.tuples(st.just(2), st.binary(min_size=4, max_size=4))
    return st.lists(flags | st.tuples(st.integers(1, 0xFFFF), st.binary(max_size=9)), max_size=3).map(tuple)


def _interfaces(link_types: Sequence[int], tsresols: st.SearchStrategy[int]) -> st.SearchStrategy[Interface]:
    return st.builds(
        Interface,
        link_type=st.sampled_from(link_types),
        snaplen=st.sampled_from((0, 0, 64, 262144)),
        tsresol=tsresols,
        tsoffset=st.sampled_from((0, 0, 3600, -3600, 2**62, -(2**63))),
        fcslen=st.sampled_from((0, 0, 0, 4)),
    )


@st.composite
def _records(draw: st.DrawFn, frames: st.SearchStrategy[bytes], interfaces: Sequence[Interface]) -> Record:
    """A record of one of these interfaces, with a timestamp that its container can say."""
    number = draw(st.integers(0, len(interfaces) - 1))
    interface, data = interfaces[number], draw(frames)
    raw = draw(st.integers(0, 2**32 * interface.units_per_second - 1).map(lambda raw: raw & (1 << 64) - 1))
    kept = draw(st.integers(0, len(data)) | st.just(len(data)))
    return Record(
        interface.to_nanoseconds(raw), data[:kept], len(data), interface.link_type, number, raw
    )  # fmt: skip


@st.composite
def _pcap_files(draw: st.DrawFn, frames: st.SearchStrategy[bytes], link_types: Sequence[int]) -> bytes:
    interface = replace(draw(_interfaces(link_types, st.sampled_from((6, 9)))), tsoffset=0)
    file = io.BytesIO()
    with PcapWriter(file, interface, nanoseconds=interface.tsresol == 9, byteorder=draw(_BYTEORDERS)) as writer:
        for record in draw(st.lists(_records(frames, [interface]), max_size=6)):
            writer.write(record)
    return file.getvalue()


@st.composite
def _pcapng_sections(draw: st.DrawFn, frames: st.SearchStrategy[bytes], link_types: Sequence[int]) -> bytes:
    interfaces = draw(st.lists(_interfaces(link_types, st.integers(0, 255)), min_size=1, max_size=3))
    file = io.BytesIO()
    with PcapngWriter(file, interfaces, byteorder=draw(_BYTEORDERS)) as writer:
        for record in draw(st.lists(_records(frames, interfaces), max_size=6)):
            timed = draw(st.integers(0, 7))
            writer.write(replace(record, options=draw(_options())) if timed else replace(record, timestamp_ns=None))
    return file.getvalue()


_BYTEORDERS: Any = st.sampled_from(("little", "big"))


def captures(
    frames: st.SearchStrategy[bytes] | None = None, link_types: Sequence[int] = (1, 1, 1, 101, 113, 276, 105)
) -> st.SearchStrategy[bytes]:
    """Capture files of records with these frames as data: pcap, and pcapng of several sections and interfaces.

    The link types that their interfaces say are some of those given; 105 is one that is not understood. Their numbers
    are in either byte order, their timestamps of any resolution; some records are cut.
    """
    data = _any_frames() if frames is None else frames
    return _pcap_files(data, link_types) | st.lists(_pcapng_sections(data, link_types), min_size=1, max_size=3).map(
        b"".join
    )


# -- filters


def _said(*parts: str | st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Words and values with spaces between them; an empty one is left out."""
    drawn = [st.just(part) if isinstance(part, str) else part.map(str) for part in parts]
    return st.tuples(*drawn).map(lambda words: " ".join(word for word in words if word))


@_shared
def _numbers(*usual: int, width: int) -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from(usual), _bits(width))


@_shared
def _ranges(*usual: int, largest: int) -> st.SearchStrategy[str]:
    """One to three numbers or ranges of them."""
    number = st.one_of(st.sampled_from(usual), st.integers(0, largest))
    ends = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    return st.lists(st.one_of(number.map(str), ends), min_size=1, max_size=3).map(",".join)


@_shared
def _networks(version: int) -> st.SearchStrategy[str]:
    """Prefixes that the known addresses are in, and others."""
    address = ipv4s() if version == 4 else ipv6s()
    width = 32 if version == 4 else 128
    return st.builds(lambda ip, length: str(ip_network((ip, length), strict=False)), address, st.integers(0, width))


@_shared
def _filter_terms() -> st.SearchStrategy[str]:
    """Each word of the language, with values that `frames` often has."""
    direction = st.sampled_from(("", "src", "dst", "src or dst", "src and dst"))
    side = st.sampled_from(("", "", "inner", "outer"))
    inner = st.sampled_from(("", "inner"))
    port = _numbers(0, 53, 4789, 8472, width=16)
    port_range = st.tuples(port, port).map(lambda pair: f"{min(pair)}-{max(pair)}")
    port_of = st.one_of(_said("port", port), _said("portrange", port_range))
    addresses = [
        _said(side, protocol, direction, *value)
        for protocol, version in (("", 4), ("", 6), ("ip", 4), ("ip6", 6))
        for value in (
            ("host", ipv4s() if version == 4 else ipv6s()),
            ("net", _networks(version)),
        )
    ]
    return st.one_of(
        _said("vni", _ranges(0, 1, 5000, (1 << 24) - 1, largest=(1 << 24) - 1)),
        st.one_of(st.just("gbp"), _said("gbp", _ranges(0, 1, 65535, largest=65535))),
        st.one_of(addresses),
        st.one_of(_said("arp", direction, "host", ipv4s()), _said("arp", direction, "net", _networks(4))),
        st.one_of(_said(side, direction, port_of), _said(inner, st.sampled_from(("tcp", "udp")), direction, port_of)),
        _said(inner, "tcp[tcpflags] &", st.sampled_from(("tcp-syn", "(tcp-ack|tcp-fin)", "0x12")), "!= 0"),
        _said(inner, "tcp[13]", st.sampled_from(("=", "!=")), _numbers(0, 2, 18, width=8)),
        _said(side, st.sampled_from(("ip", "ip6", "udp"))),
        _said(inner, st.sampled_from(("arp", "rarp", "tcp", "icmp", "icmp6"))),
        _said(inner, st.sampled_from(("", "ip", "ip6")), "proto", _numbers(0, 2, 17, 58, 59, width=8)),
        _said(inner, "ether proto", st.sampled_from(("ip", "ip6", "arp", 0x0800, 0x8847, 0x88CC, 0xFFFF))),
        _said(side, "ether", direction, "host", macs()),
        _said(side, st.sampled_from(("broadcast", "multicast", "ether broadcast", "ether multicast", "vlan"))),
        _said(side, "vlan", _ranges(0, 1, 4095, largest=4095)),
        _said(inner, st.sampled_from(("less", "greater", "len <", "len >=", "len !=", "len =")), st.integers(0, 200)),
        _said(inner, "ecn", st.sampled_from(("ce", "ect0", "ect1", "not-ect"))),
        _said(inner, "dscp", _mostly(0, 6)),
    )  # fmt: skip


def _joined_terms(terms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Terms in parentheses behind `not`, and rows of them that no reader takes for something else."""
    term = st.one_of(terms, terms.map(lambda text: f"({text})"))
    either = st.sampled_from((" and ", " or ", " && ", " || "))
    several = st.lists(terms.map(lambda text: f"({text})"), min_size=2, max_size=3)
    return st.one_of(
        term.map(lambda text: f"not ({text})"),
        st.builds(lambda text: f"!({text})", term),
        st.builds(str.join, either, several),
        st.builds(lambda side, text: f"{side} ({text})", st.just("inner"), terms),
    )


@_shared
def filter_expressions() -> st.SearchStrategy[str]:
    """Expressions that a `Filter` takes: every word of its language, alone and joined."""
    return st.one_of(_filter_terms(), st.recursive(_filter_terms(), _joined_terms, max_leaves=6))


# -- overlays


@st.composite
def networks(draw: st.DrawFn) -> IPv4Network | IPv6Network:
    """Networks of both versions, of any prefix length, many of which lie in each other."""
    kind: Any = draw(st.sampled_from((IPv4Network, IPv6Network)))
    bits = 32 if kind is IPv4Network else 128
    length = draw(st.one_of(st.sampled_from((0, 8, 16, 24, bits // 2, bits)), st.integers(0, bits)))
    number = draw(st.one_of(st.sampled_from((0, (1 << bits) - 1, 0x0A << bits - 8, 5 << bits - 24)), _bits(bits)))
    return kind((number >> bits - length << bits - length, length))  # type: ignore[no-any-return]


def route_tables(next_hops: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[RouteTable[Any]]:
    """Tables of routes to *next_hops*, which are addresses unless others are given."""
    hops = st.one_of(ipv4s(), ipv6s()) if next_hops is None else next_hops
    return st.lists(st.tuples(networks(), hops), max_size=20).map(RouteTable)


@st.composite
def forwarding_tables(draw: st.DrawFn, *, vni: int = 5000) -> ForwardingTable:
    """Forwarding tables of one VNI, with static entries, some learnt at time 0, and a flood."""
    ends = [tunnel.replace(vni=vni) for tunnel in draw(st.lists(tunnels(df="set"), min_size=1, max_size=3))]
    stations = macs().filter(lambda mac: not mac.is_multicast and not mac.is_unspecified)
    table = ForwardingTable(aging_seconds=draw(st.sampled_from((None, 1, 300))))
    for mac, tunnel, static in draw(
        st.lists(st.tuples(stations, st.sampled_from(ends), st.booleans()), max_size=10)
    ):  # fmt: skip
        table.add(vni, mac, tunnel) if static else table.learn(vni, mac, tunnel, now=0)
    table.add_flood(vni, *draw(st.lists(st.sampled_from(ends), max_size=3)))
    return table


@st.composite
def neighbour_questions(draw: st.DrawFn, *, target: IPv4Address | IPv6Address | None = None) -> Packet:
    """ARP requests and neighbour solicitations for *target*, or any address: usual ones, probes, and odd ones."""
    wanted = draw(st.one_of(ipv4s(), ipv6s())) if target is None else target
    sender = draw(macs())
    source = draw(st.one_of(st.just(sender), macs()))
    if isinstance(wanted, IPv4Address):
        own = draw(st.one_of(ipv4s(), st.just(IPv4Address(0)), st.just(wanted)))
        dst = draw(st.one_of(st.just(MACAddress(_BROADCAST)), macs()))
        asked = ARP(draw(_mostly(1, 16)), sender, own, draw(macs()), wanted, hardware_type=draw(_mostly(1, 16)))
        return Packet(Ethernet(dst, source), asked)
    group = IPv6Address(0xFF02 << 112 | 0x1FF << 24 | int(wanted) & 0xFFFFFF)
    to = draw(st.one_of(st.just(group), ipv6s()))
    mac = MACAddress(0x3333 << 32 | int(to) & 0xFFFFFFFF)
    options = draw(st.one_of(st.just(()), st.just((SourceLinkLayerAddress(sender),))))
    return Packet(
        Ethernet(draw(st.one_of(st.just(mac), macs())), source),
        IPv6(draw(st.one_of(ipv6s(), st.just(IPv6Address(0)))), to, hop_limit=draw(_mostly(255, 8))),
        ICMPv6(135, draw(_mostly(0, 8)), body=NeighborSolicitation(wanted, options)),
    )


_BROADCAST = (1 << 48) - 1


def _seldom(usual: Sequence[Any], odd: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of *odd* about once in twenty times, else one of *usual*."""
    return st.sampled_from([*list(usual) * (1 + 19 * len(odd) // len(usual)), *odd])


@_shared
def _backends() -> st.SearchStrategy[dict[str, Any]]:
    kinds = st.sampled_from(("vxlan", "vxlan-user", "udp"))
    return st.fixed_dictionaries({"Type": kinds, "DirectRouting": st.booleans()})


@_shared
def _lease_data() -> st.SearchStrategy[str | None]:
    """What a node says of its VTEP: few addresses, so that nodes claim the same one; groups, zero, and no address."""
    stations = [f"02:00:00:00:00:{number:02x}" for number in range(2, 12)]
    odd = ("02:00:00:00:00:01", "01:00:5e:00:00:01", "00:00:00:00:00:00", "none", 7)
    said = st.fixed_dictionaries({"VNI": _seldom((1,), (2, "1")), "VtepMAC": _seldom(stations, odd)}).map(json.dumps)
    return st.integers(0, 19).flatmap(lambda chance: said if chance else st.sampled_from((None, "7", "[]", "{}")))


@_shared
def _lease_attributes(kind: str) -> st.SearchStrategy[LeaseAttributes]:
    outer4 = [f"192.0.2.{number}" for number in range(2, 6)] + ["198.51.100.7"]
    odd4 = ["192.0.2.1", "192.0.2.9", "192.0.2.255", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.5.9.9", None]
    outer6 = [f"2001:db8::{number}" for number in range(2, 6)] + ["2001:db8:1::7"]
    odd6 = ["2001:db8::1", "2001:db8::9", "::1", "ff02::1", "fe80::1", "fc00:5::9", None]
    return st.tuples(
        _seldom(outer4, odd4), _seldom(outer6, odd6), _seldom((kind,), ("vxlan", "udp", "host-gw", "")),
        _lease_data(), _lease_data(),
    ).filter(lambda said: said[0] or said[1]).map(lambda said: LeaseAttributes(
        said[0] and IPv4Address(said[0]), said[1] and IPv6Address(said[1]), *said[2:],
    ))  # fmt: skip


@_shared
def _lease_subnets() -> st.SearchStrategy[Subnets]:
    inner4 = [IPv4Network(f"10.5.{number}.0/24") for number in range(2, 8)]
    odd4 = [*map(IPv4Network, ("10.5.1.0/24", "10.5.4.0/22", "10.5.0.0/16", "10.0.0.0/8", "10.9.1.0/24")), None]
    inner6 = [IPv6Network(f"fc00:5:0:{number}::/64") for number in range(2, 8)]
    odd6 = [*map(IPv6Network, ("fc00:5:0:1::/64", "fc00:5:0:4::/62", "fc00:5::/48", "fc00:9::/64")), None]
    both = st.tuples(_seldom(inner4, odd4), _seldom(inner6, odd6))
    return both.filter(any).map(lambda subnets: Subnets(*subnets))


@st.composite
def overlays(draw: st.DrawFn) -> tuple[NetworkConfig, Lease, tuple[Lease, ...], Underlay]:
    """A network, the lease of a node, those of others, and the node's underlay: what `plan` takes.

    Many of the others claim what is another's, or what nobody may have. Their keys differ, as in a store.
    """
    versions = st.sampled_from(((4,), (6,), (4, 6)))
    inside, outside = draw(versions), draw(versions)
    text = {
        "EnableIPv4": 4 in inside,
        "EnableIPv6": 6 in inside,
        "Network": "10.5.0.0/16",
        "IPv6Network": "fc00:5::/48",
    }
    config = parse_config(json.dumps({**text, "Backend": draw(_backends())}))
    public_ip = IPv4Address("192.0.2.1") if 4 in outside else None
    public_ipv6 = IPv6Address("2001:db8::1") if 6 in outside else None
    own = {4: ["192.0.2.1/24", "192.0.2.9/24"], 6: ["2001:db8::1/64", "2001:db8::9/64"]}
    addresses = [ip_interface(text) for version in outside for text in own[version]]
    underlay = Underlay("eth0", 1500, public_ip, public_ipv6, frozenset(addresses))
    attributes = LeaseAttributes.vxlan(
        public_ip, "02:00:00:00:00:01", public_ipv6=public_ipv6, vtep_mac6="02:00:00:00:00:01",
        backend_type=config.backend.type,
    )  # fmt: skip
    subnets = Subnets(
        IPv4Network("10.5.1.0/24") if 4 in inside else None, IPv6Network("fc00:5:0:1::/64") if 6 in inside else None
    )
    leases = st.builds(Lease, _lease_subnets(), _lease_attributes(config.backend.type))
    others = draw(st.lists(leases, max_size=12, unique_by=lambda lease: lease.key))
    return config, Lease(subnets, attributes), tuple(others), underlay


def _counts() -> st.SearchStrategy[int]:
    return st.one_of(st.integers(0, 10), st.integers(0, (1 << 64) - 1))


@_shared
def _link_statuses() -> st.SearchStrategy[LinkStatus]:
    return st.builds(
        LinkStatus,
        name=st.sampled_from(("flannel.1", "flannel-v6.1", "flannel0", "flannel-v6.16777215")),
        kind=st.sampled_from(("vxlan", "tap", "tun")),
        mtu=_bits(16),
        local=st.one_of(ipv4s(), ipv6s()).map(str),
        port=_bits(16),
        vni=st.one_of(st.none(), vnis()),
        mac=st.one_of(st.none(), macs().map(str)),
        rx_packets=_counts(),
        rx_bytes=_counts(),
        tx_packets=_counts(),
        tx_bytes=_counts(),
        drops=st.dictionaries(st.sampled_from(("VNI_REFUSED", "SOURCE_REFUSED", "rx_errors", "tx_dropped")), _counts()),
        missing=st.lists(st.sampled_from(("IFF_VNET_HDR", "UDP_GRO", "UDP_SEGMENT")), unique=True).map(tuple),
    )


@_shared
def _peer_statuses() -> st.SearchStrategy[PeerStatus]:
    return st.builds(
        PeerStatus,
        subnet=networks().map(str),
        node=st.one_of(ipv4s(), ipv6s()).map(str),
        path=st.sampled_from(("tunnel", "direct", "none")),
        mac=st.one_of(st.none(), macs().map(str)),
        why=st.text(max_size=100),
    )


@_shared
def agent_statuses() -> st.SearchStrategy[AgentStatus]:
    """What agents say of themselves, with several links and peers, anything in the texts, and any counts."""
    times = st.floats(0, 1e10)
    return st.builds(
        AgentStatus,
        backend=st.sampled_from(("vxlan", "vxlan-user", "udp")),
        store=st.text(max_size=60),
        underlay=st.sampled_from(("eth0", "wlp0s20f3")),
        subnets=st.lists(networks().map(str), max_size=2).map(tuple),
        mtu=_bits(16),
        started=times,
        now=times,
        pid=st.integers(1, 1 << 22),
        lease_expiry=st.one_of(st.none(), times),
        store_fault=st.one_of(st.just(""), st.text(max_size=100)),
        faults=st.lists(st.text(max_size=100), max_size=2).map(tuple),
        programmed=_counts(),
        failed=_counts(),
        events=_counts(),
        links=st.lists(_link_statuses(), max_size=3, unique_by=lambda link: link.name).map(tuple),
        peers=st.lists(_peer_statuses(), max_size=5).map(tuple),
    )


# -- CNI


@st.composite
def cni_results(draw: st.DrawFn) -> Result:
    """Results of an ADD, with all that CNI 1.1.0 has to say."""
    interfaces = draw(st.lists(_cni_interfaces(), max_size=3))
    addresses = st.one_of(
        st.tuples(ipv4s(), st.integers(0, 32)).map(IPv4Interface),
        st.tuples(ipv6s(), st.integers(0, 128)).map(IPv6Interface),
    )
    places = st.one_of(st.none(), *([st.integers(0, len(interfaces) - 1)] if interfaces else []))
    ips = st.builds(IPConfig, addresses, st.one_of(st.none(), ipv4s(), ipv6s()), places)
    words = st.lists(_cni_words(), max_size=2).map(tuple)
    return Result(
        tuple(interfaces),
        tuple(draw(st.lists(ips, max_size=3))),
        tuple(draw(st.lists(_cni_routes(), max_size=3))),
        draw(st.builds(DNS, words, _cni_words(), words, words)),
    )


@_shared
def _cni_interfaces() -> st.SearchStrategy[CNIInterface]:
    mtu = st.one_of(st.none(), _bits(16))
    return st.builds(
        CNIInterface,
        _cni_words(1),
        st.one_of(st.just(""), macs().map(str)),
        _cni_words(),
        mtu,
        _cni_words(),
        _cni_words(),
    )


@_shared
def _cni_routes() -> st.SearchStrategy[Route]:
    numbers = [st.one_of(st.none(), _bits(32))] * 5
    return st.builds(Route, networks(), st.one_of(st.none(), ipv4s(), ipv6s()), *numbers)


@_shared
def _cni_words(fewest: int = 0) -> st.SearchStrategy[str]:
    return st.text("abz019.:-/", min_size=fewest, max_size=8)


def cni_containers() -> st.SearchStrategy[Container]:
    """Interfaces of containers, as a runtime is told of them: names that CNI takes, and whatever is said beside."""
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
    names = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]{0,20}", fullmatch=True)
    interfaces = st.from_regex(r"[a-z0-9.\-]{1,12}[a-z0-9]", fullmatch=True)
    pairs = st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple)
    return st.builds(Container, names, st.text(), interfaces, pairs, st.dictionaries(st.text(), values, max_size=3))

"""What an overlay has: tables, leases to make plans of, and what agents say of themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_interface,
)
from typing import Any

from hypothesis import strategies as st

from vxlanpkt.addresses import MACAddress
from vxlanpkt.layers.arp import ARP
from vxlanpkt.layers.ethernet import Ethernet
from vxlanpkt.layers.icmpv6 import ICMPv6
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.neighbor_discovery import (
    NeighborSolicitation,
    SourceLinkLayerAddress,
)
from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus, PeerStatus
from vxlanpkt.overlay.leases.config import NetworkConfig, parse_config
from vxlanpkt.overlay.leases.leases import Lease, LeaseAttributes, Subnets
from vxlanpkt.overlay.plans.kernel_state import Underlay
from vxlanpkt.overlay.tables.forwarding import ForwardingTable
from vxlanpkt.overlay.tables.routes import RouteTable
from vxlanpkt.packet import Packet
from vxlanpkt.strategies.recipes import tunnels
from vxlanpkt.strategies.values import bits, ipv4s, ipv6s, macs, mostly, shared, vnis


@st.composite
def networks(draw: st.DrawFn) -> IPv4Network | IPv6Network:
    """Networks of both versions, of any prefix length, many of which lie in each other."""
    kind: Any = draw(st.sampled_from((IPv4Network, IPv6Network)))
    width = 32 if kind is IPv4Network else 128
    length = draw(st.one_of(st.sampled_from((0, 8, 16, 24, width // 2, width)), st.integers(0, width)))
    number = draw(st.one_of(st.sampled_from((0, (1 << width) - 1, 0x0A << width - 8, 5 << width - 24)), bits(width)))
    return kind((number >> width - length << width - length, length))  # type: ignore[no-any-return]


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
        asked = ARP(draw(mostly(1, 16)), sender, own, draw(macs()), wanted, hardware_type=draw(mostly(1, 16)))
        return Packet(Ethernet(dst, source), asked)
    group = IPv6Address(0xFF02 << 112 | 0x1FF << 24 | int(wanted) & 0xFFFFFF)
    to = draw(st.one_of(st.just(group), ipv6s()))
    mac = MACAddress(0x3333 << 32 | int(to) & 0xFFFFFFFF)
    options = draw(st.one_of(st.just(()), st.just((SourceLinkLayerAddress(sender),))))
    return Packet(
        Ethernet(draw(st.one_of(st.just(mac), macs())), source),
        IPv6(draw(st.one_of(ipv6s(), st.just(IPv6Address(0)))), to, hop_limit=draw(mostly(255, 8))),
        ICMPv6(135, draw(mostly(0, 8)), body=NeighborSolicitation(wanted, options)),
    )


_BROADCAST = (1 << 48) - 1


def _seldom(usual: Sequence[Any], odd: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of *odd* about once in twenty times, else one of *usual*."""
    return st.sampled_from([*list(usual) * (1 + 19 * len(odd) // len(usual)), *odd])


@shared
def _backends() -> st.SearchStrategy[dict[str, Any]]:
    kinds = st.sampled_from(("vxlan", "vxlan-user", "udp"))
    return st.fixed_dictionaries({"Type": kinds, "DirectRouting": st.booleans()})


@shared
def _lease_data() -> st.SearchStrategy[str | None]:
    """What a node says of its VTEP: few addresses, so that nodes claim the same one; groups, zero, and no address."""
    stations = [f"02:00:00:00:00:{number:02x}" for number in range(2, 12)]
    odd = ("02:00:00:00:00:01", "01:00:5e:00:00:01", "00:00:00:00:00:00", "none", 7)
    said = st.fixed_dictionaries({"VNI": _seldom((1,), (2, "1")), "VtepMAC": _seldom(stations, odd)}).map(json.dumps)
    return st.integers(0, 19).flatmap(lambda chance: said if chance else st.sampled_from((None, "7", "[]", "{}")))


@shared
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


@shared
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


@shared
def _link_statuses() -> st.SearchStrategy[LinkStatus]:
    return st.builds(
        LinkStatus,
        name=st.sampled_from(("flannel.1", "flannel-v6.1", "flannel0", "flannel-v6.16777215")),
        kind=st.sampled_from(("vxlan", "tap", "tun")),
        mtu=bits(16),
        local=st.one_of(ipv4s(), ipv6s()).map(str),
        port=bits(16),
        vni=st.one_of(st.none(), vnis()),
        mac=st.one_of(st.none(), macs().map(str)),
        rx_packets=_counts(),
        rx_bytes=_counts(),
        tx_packets=_counts(),
        tx_bytes=_counts(),
        drops=st.dictionaries(st.sampled_from(("VNI_REFUSED", "SOURCE_REFUSED", "rx_errors", "tx_dropped")), _counts()),
        missing=st.lists(st.sampled_from(("IFF_VNET_HDR", "UDP_GRO", "UDP_SEGMENT")), unique=True).map(tuple),
        tunnel_gso_frames=_counts(),
    )


@shared
def _peer_statuses() -> st.SearchStrategy[PeerStatus]:
    return st.builds(
        PeerStatus,
        subnet=networks().map(str),
        node=st.one_of(ipv4s(), ipv6s()).map(str),
        path=st.sampled_from(("tunnel", "direct", "none")),
        mac=st.one_of(st.none(), macs().map(str)),
        why=st.text(max_size=100),
    )


@shared
def agent_statuses() -> st.SearchStrategy[AgentStatus]:
    """What agents say of themselves, with several links and peers, anything in the texts, and any counts."""
    times = st.floats(0, 1e10)
    return st.builds(
        AgentStatus,
        backend=st.sampled_from(("vxlan", "vxlan-user", "udp")),
        store=st.text(max_size=60),
        underlay=st.sampled_from(("eth0", "wlp0s20f3")),
        subnets=st.lists(networks().map(str), max_size=2).map(tuple),
        mtu=bits(16),
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

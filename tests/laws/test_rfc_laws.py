"""Laws that RFCs state, and that no other test shows. docs/standards.md says which test shows which clause."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxlanpkt import (
    UDP,
    VXLAN,
    Authentication,
    DecapPolicy,
    DestinationOptions,
    Ethernet,
    Fragment,
    FrameBatch,
    HopByHop,
    IPv4,
    IPv6,
    Packet,
    Reason,
    Routing,
    Tunnel,
    decap,
    decap_batch,
    parse,
)
from vxlanpkt.strategies import frames, tunnels

EXAMPLES = min(settings().max_examples, max(100, settings().max_examples // 10))
law = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])

MACS = ("02:00:00:00:00:02", "02:00:00:00:00:01")
INNER = Packet(Ethernet(*MACS), IPv4("10.0.0.1", "10.0.0.2"), UDP(1, 2), payload=b"inner").build()
OVER_4 = Tunnel(5000, "192.0.2.1", "192.0.2.2", *MACS)
OVER_6 = Tunnel(5000, "2001:db8::1", "2001:db8::2", *MACS)
# Every preset for VXLAN itself: one for GPE may want its header.
PRESETS = {name: value for name, value in vars(DecapPolicy).items() if isinstance(value, DecapPolicy) and not value.gpe}
ATOMIC = DecapPolicy(fragments="atomic", verify_udp_checksum=True)
PORT_AT, VXLAN_AT = 34, 42


# -- what is sent


@law
@given(tunnel=tunnels(), inner=frames().map(Packet.build))
def test_reserved_bits_are_sent_as_zero(tunnel: Tunnel, inner: bytes) -> None:
    """RFC 7348 section 5: I is set, and of the other bits only those that an extension defines and was asked for."""
    header = tunnel.encap(inner, identification=0)[tunnel.overhead - 8 : tunnel.overhead]
    word = 0x08000000
    if tunnel.gpe:
        word = 0x0C000003
    elif tunnel.group_policy is not None:
        policy_id, dont_learn, applied = tunnel.group_policy
        word = 0x88000000 | dont_learn << 22 | applied << 19 | policy_id
    assert header == word.to_bytes(4, "big") + tunnel.vni.to_bytes(3, "big") + b"\0"


@law
@given(tunnel=tunnels(), inner=frames().map(Packet.build), identification=st.integers(0, 65535))
def test_nothing_is_sent_in_fragments(tunnel: Tunnel, inner: bytes, identification: int) -> None:
    """RFC 7348 section 4.3: a VTEP does not fragment. One inner frame is one datagram; DF alone of the flags is set."""
    wire = tunnel.encap(inner, identification=identification)
    ip = parse(wire, ports=[tunnel.dst_port], max_tunnels=1).outer.layers[1 + len(tunnel.vlans)]
    if isinstance(ip, IPv4):
        assert ip.flags in (0, 2)
        assert (ip.fragment_offset, ip.ihl) == (0, 5)
        assert ip.require("total_length") == 36 + len(inner)
    else:
        assert isinstance(ip, IPv6)
        assert ip.extension_headers == ()
        assert ip.require("payload_length") == 16 + len(inner)


@law
@given(
    ports=st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    payloads=st.lists(st.binary(max_size=40), min_size=2, max_size=5),
    ttls=st.lists(st.integers(0, 255), min_size=5, max_size=5),
    symmetric=st.booleans(),
)
def test_one_flow_has_one_port_and_one_label(
    ports: tuple[int, int], payloads: list[bytes], ttls: list[int], symmetric: bool
) -> None:
    """RFC 7348 section 5 and RFC 6438 section 3: what differs between packets of one flow does not tell on its hash."""
    tunnel = OVER_6.replace(flow_label="hash", symmetric=symmetric)
    seen = set()
    for payload, ttl in zip(payloads, ttls, strict=False):
        inner = Packet(
            Ethernet(*MACS), IPv4("10.0.0.1", "10.0.0.2", ttl=ttl, identification=ttl), UDP(*ports), payload=payload
        )
        outer = parse(tunnel.encap(inner.build())).outer
        seen.add((outer[UDP].src_port, outer[IPv6].flow_label))
    assert len(seen) == 1
    assert 49152 <= seen.pop()[0] <= 65535


# -- what is received


@law
@given(
    identification=st.integers(0, 65535),
    df=st.sampled_from((2, 6)),
    ttl=st.integers(0, 255),
    tos=st.integers(0, 255).filter(lambda tos: tos & 3 != 3),
    preset=st.sampled_from(sorted(PRESETS)),
)
def test_fields_of_the_way_do_not_matter_over_ipv4(
    identification: int, df: int, ttl: int, tos: int, preset: str
) -> None:
    """RFC 6864 section 4.1: the identification of an atomic datagram is ignored. Nor is anyone to destroy one for a TTL
    of 0 that does not forward it (RFC 791 section 3.1), nor for the reserved flag."""  # fmt: skip
    changed = parse(OVER_4.encap(INNER)).replace(
        IPv4, identification=identification, flags=df, ttl=ttl, dscp=tos >> 2, ecn=tos & 3, header_checksum=None
    )
    assert decap(changed.build(), policy=PRESETS[preset]).inner == INNER


@law
@given(
    flow_label=st.integers(0, (1 << 20) - 1),
    hop_limit=st.integers(0, 255),
    tos=st.integers(0, 255).filter(lambda tos: tos & 3 != 3),
    preset=st.sampled_from(sorted(PRESETS)),
)
def test_fields_of_the_way_do_not_matter_over_ipv6(flow_label: int, hop_limit: int, tos: int, preset: str) -> None:
    """RFC 8200 section 3: no destination discards a packet for a hop limit of 0; a flow label is for routers."""
    changed = parse(OVER_6.encap(INNER)).replace(
        IPv6, flow_label=flow_label, hop_limit=hop_limit, dscp=tos >> 2, ecn=tos & 3
    )
    assert decap(changed.build(), policy=PRESETS[preset]).inner == INNER


def _over_6(*extensions: Any) -> bytes:
    """The tunnel's frame with extension headers."""
    return Packet(
        Ethernet(*MACS), IPv6("2001:db8::1", "2001:db8::2", extension_headers=extensions),
        UDP(49152, 4789), VXLAN(5000), payload=INNER,
    ).build()  # fmt: skip


@law
@given(
    first=st.sampled_from(((), (HopByHop(bytes(6)),))),
    others=st.lists(
        st.sampled_from((DestinationOptions(bytes(6)), Routing(0, 0, bytes(4)), Authentication(1, 1, bytes(12)))),
        max_size=6,
    ),
)
def test_extension_headers_in_any_order(first: tuple[Any, ...], others: list[Any]) -> None:
    """RFC 8200 section 4.1: in any order, any number of times; only hop-by-hop options come first or not at all."""
    policy = DecapPolicy(verify_udp_checksum=True)
    assert decap(_over_6(*first, *others), policy=policy).inner == INNER
    if others:
        batch = FrameBatch.from_frames([_over_6(*others, HopByHop(bytes(6)))])
        assert list(decap_batch(batch, policy=policy).status) == [Reason.NOT_VXLAN]


@law
@given(
    identification=st.integers(0, (1 << 32) - 1),
    reserved1=st.integers(0, 255),
    reserved2=st.integers(0, 3),
    more=st.booleans(),
)
def test_an_atomic_fragment_is_alone(identification: int, reserved1: int, reserved2: int, more: bool) -> None:
    """RFC 6946 section 4, RFC 8200 section 4.5: it is read as a whole packet, whatever its reserved bits are, and
    whatever other fragments have the same identification; and it does not change what becomes of those."""  # fmt: skip
    atomic = _over_6(Fragment(0, 0, identification, reserved1=reserved1, reserved2=reserved2))
    other = _over_6(Fragment(0 if more else 1, int(more), identification))
    result = decap_batch(FrameBatch.from_frames([other, atomic, other, atomic]), policy=ATOMIC)
    assert list(result.status) == [Reason.FRAGMENT, Reason.OK, Reason.FRAGMENT, Reason.OK]
    assert result.inner[1] == result.inner[3] == INNER
    assert decap(atomic, policy=ATOMIC).inner == INNER


@pytest.mark.parametrize("preset", PRESETS)
def test_a_zero_checksum_over_ipv4_is_accepted_by_all(preset: str) -> None:
    """RFC 7348 section 5: MUST be accepted for decapsulation. So no preset refuses it."""
    wire = OVER_4.encap(INNER)
    assert wire[PORT_AT + 6 : VXLAN_AT] == b"\0\0"
    assert decap(wire, policy=PRESETS[preset]).inner == INNER

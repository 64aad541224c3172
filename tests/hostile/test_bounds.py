"""Whatever the bytes and the policy: no exception but ours, and no inner frame that reaches past its UDP datagram."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from vxlanpkt import VXLAN, DecapPolicy, LinkType, Packet, Tunnel, decap, dissect
from vxlanpkt.errors import ParseError, Reason
from vxlanpkt.reasons import REASONS
from vxlanpkt.strategies import damaged, frames, hostile_frames, mutated, policies, tunnels, vxlan_frames

from .outside import datagram_of

# All examples of the profile, as strangers choose the bytes.
law = settings(suppress_health_check=list(HealthCheck))

PORTS = (4789, 8472, 4790)
# Under any policy most frames are refused; under these most tunnels are not.
lenient = st.sampled_from((
    DecapPolicy(PORTS), DecapPolicy.LINUX_GBP, DecapPolicy(PORTS, gbp=True, gpe=True),
    DecapPolicy(PORTS, lengths="snapped", fragments="atomic"), DecapPolicy(PORTS, lengths="captured"),
    DecapPolicy(PORTS, ecn="rfc6040", inner_vlan="strip"), DecapPolicy.OVS, DecapPolicy.VPP, DecapPolicy.LINUX_GPE,
))  # fmt: skip
sent = st.builds(
    lambda tunnel, inner: tunnel.encap(inner, identification=0), tunnels(), frames().map(Packet.build)
)  # fmt: skip
tunnelled = st.one_of(sent, vxlan_frames().map(Packet.build))
any_bytes = st.one_of(tunnelled, damaged(tunnelled), mutated(tunnelled), hostile_frames())


@law
@given(
    data=any_bytes,
    policy=st.one_of(lenient, policies()),
    beyond=st.one_of(st.none(), st.integers(0, 70), st.integers(0, 70_000)),
)
def test_decap_is_total_and_stays_inside(data: bytes, policy: DecapPolicy, beyond: int | None) -> None:
    """An error with the class of its reason, or what the datagram has behind the VXLAN header: all, and no more."""
    original = None if beyond is None else len(data) + beyond
    try:
        got = decap(data, policy=policy, original_length=original)
    except ParseError as error:
        event("refused")
        assert type(error) is REASONS[error.reason].exception
        assert error.reason is not Reason.OK
        assert str(error)
        return
    event("accepted")
    begin, end = datagram_of(data, LinkType.ETHERNET, original or len(data), policy.udp_length)
    record = got.record
    assert record.inner_offset == begin + 8
    assert record.inner_offset + record.inner_length == min(end, len(data))
    assert record.inner_offset + record.inner_original_length == end
    assert str(got.outer)
    if not policy.alters:
        assert got.inner == data[begin + 8 : end]


@pytest.mark.parametrize("link_type", LinkType, ids=lambda link_type: link_type.name)
def test_the_measure_measures(link_type: LinkType) -> None:
    """The reading that accepted frames are held against finds the datagram behind every link header."""
    ip = Tunnel(7, "2001:db8::1", "2001:db8::2", vlans=()).encap(bytes(20))[14:] + b"padding"
    link = {
        LinkType.ETHERNET: bytes(12) + b"\x81\x00\x00\x07\x88\xa8\x00\x07\x86\xdd",
        LinkType.LINUX_SLL: bytes(14) + b"\x86\xdd", LinkType.LINUX_SLL2: b"\x86\xdd" + bytes(18),
        LinkType.NULL: b"\x1e\x00\x00\x00", LinkType.LOOP: b"\x00\x00\x00\x1e",
    }.get(link_type, b"")  # fmt: skip
    begin = len(link) + 48
    assert datagram_of(link + ip, link_type, len(link + ip)) == (begin, begin + 8 + 20)


def test_a_frame_of_half_a_million_tags() -> None:
    """A record of a capture may be as long; time that grows with the square of it would be minutes here."""
    count = 500_000
    found = dissect(bytes(12) + b"\x81\x00\x00\x07" * count + b"\x81\x00")
    assert len(found.spans) == 1 + count
    assert found.error is not None


def test_tunnels_in_tunnels_end() -> None:
    """60 of them; four are followed where the caller says nothing."""
    tunnel = Tunnel(7, "192.0.2.1", "192.0.2.2")
    frame = bytes(14)
    for _ in range(60):
        frame = tunnel.encap(frame)
    for found, count in ((dissect(frame), 4), (dissect(frame, max_tunnels=0), 0), (dissect(frame, max_tunnels=99), 60)):
        assert sum(layer is VXLAN for layer, _ in found.spans) == count

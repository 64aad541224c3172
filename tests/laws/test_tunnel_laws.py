"""The laws of encapsulation and decapsulation, of one frame and of batches: each is the other's inverse and twin."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from vxlanpkt import (
    NO_TUNNEL,
    UDP,
    VXLAN,
    VXLANGPE,
    DecapPolicy,
    Decapsulated,
    Dot1Q,
    FrameBatch,
    IPv4,
    IPv6,
    LinkType,
    Packet,
    Tunnel,
    TunnelTable,
    decap,
    decap_batch,
    encap_batch,
    parse,
)
from vxlanpkt.bindings import DEFAULT
from vxlanpkt.errors import ParseError, Reason
from vxlanpkt.starts import Start
from vxlanpkt.strategies import batches, frames, hostile_frames, policies, tunnel_tables, tunnels, vxlan_frames

# A tenth of what the profile has, or 100: no stranger's bytes are read here but by what tests/hostile looks at.
EXAMPLES = min(settings().max_examples, max(100, settings().max_examples // 10))
law = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
RAW_STARTS = (LinkType.RAW, LinkType.IPV4, LinkType.IPV6)


def policy_for(tunnel: Tunnel, **changes: Any) -> DecapPolicy:
    """The default policy on the tunnel's port, with its extensions."""
    return DecapPolicy((tunnel.dst_port,), gbp=tunnel.group_policy is not None, gpe=tunnel.gpe, **changes)


# -- one frame


@law
@given(tunnel=tunnels(), inner=frames().map(Packet.build), identification=st.integers(0, 65535))
def test_decap_of_encap(tunnel: Tunnel, inner: bytes, identification: int) -> None:
    """What any tunnel wraps, a policy on its port unwraps: the inner frame, the VNI, and the outer headers as said."""
    wire = tunnel.encap(inner, identification=identification)
    assert len(wire) == tunnel.overhead + len(inner)
    got = decap(wire, policy=policy_for(tunnel))
    assert got.inner == inner
    assert got.inner_original_length == len(inner)
    assert got.link_type is LinkType.ETHERNET
    assert (got.vni, got.reserved, got.notes) == (tunnel.vni, 0, 0)
    assert got.group_policy == tunnel.group_policy
    assert got.outer.build() == wire[: tunnel.overhead]
    assert got.outer[UDP].dst_port == tunnel.dst_port


@law
@given(tunnel=tunnels(), inner=st.one_of(hostile_frames(), st.binary(max_size=80)))
def test_decap_of_encap_for_any_bytes(tunnel: Tunnel, inner: bytes) -> None:
    """Inner bytes are never read as anything but a hint: all that holds an Ethernet header comes back as it was."""
    wire = tunnel.encap(inner, identification=0)
    if len(inner) >= 14:
        assert decap(wire, policy=policy_for(tunnel)).inner == inner
    else:
        with pytest.raises(ParseError) as caught:
            decap(wire, policy=policy_for(tunnel))
        assert caught.value.reason is Reason.INNER_TRUNCATED


@law
@given(tunnel=tunnels().map(lambda tunnel: tunnel.replace(group_policy=None, gpe=True)), data=st.data())
def test_decap_of_encap_for_bare_ip(tunnel: Tunnel, data: st.DataObject) -> None:
    """GPE carries IP without Ethernet, and says which version."""
    start = data.draw(st.sampled_from(RAW_STARTS))
    inner = data.draw(frames(start)).build()
    wire = tunnel.encap(inner, identification=0, start=start)
    got = decap(wire, policy=policy_for(tunnel))
    assert got.inner == inner
    assert got.link_type is LinkType.RAW
    assert got.outer[VXLANGPE].next_protocol == {4: 1, 6: 2}[inner[0] >> 4]


@law
@given(tunnel=tunnels(), inner=frames().map(Packet.build))
def test_encap_payload_is_the_same_datagram(tunnel: Tunnel, inner: bytes) -> None:
    """encap_payload gives the datagram of encap, and says what the kernel below is to write around it."""
    wire = tunnel.encap(inner, identification=0)
    datagram = tunnel.encap_payload(inner)
    outer = decap(wire, policy=policy_for(tunnel)).outer
    ip: Any = outer.layers[1 + len(tunnel.vlans)]
    assert datagram.payload == wire[tunnel.overhead - 8 :]
    assert (datagram.dst, datagram.dst_port) == (tunnel.dst, tunnel.dst_port)
    assert datagram.src_port == outer[UDP].src_port
    assert datagram.tos == ip.dscp << 2 | ip.ecn
    assert datagram.ttl == (ip.ttl if tunnel.src.version == 4 else ip.hop_limit)
    start: Start = VXLANGPE if tunnel.gpe else VXLAN
    got = decap(datagram.payload, policy=policy_for(tunnel), start=start, source=tunnel.src)
    assert (got.inner, got.vni) == (inner, tunnel.vni)


@law
@given(tunnel=tunnels(), inner=frames().map(Packet.build))
def test_what_is_sent_is_right(tunnel: Tunnel, inner: bytes) -> None:
    """The outer checksums are right, and a packet built layer by layer from the same values has the same bytes."""
    wire = tunnel.encap(inner, identification=7)
    bindings = DEFAULT.bind(UDP, tunnel.dst_port, VXLANGPE if tunnel.gpe else VXLAN, replace=True)
    packet = parse(wire, bindings=bindings, max_tunnels=1)
    assert not [error for error in packet.checksum_errors(bindings=bindings) if error.offset < tunnel.overhead]
    outer = Packet(*packet.outer.layers, payload=inner)
    assert outer.recompute(bindings=bindings).build() == wire


@law
@given(tunnel=tunnels(), inner=st.one_of(frames(), vxlan_frames(1)).map(Packet.build))
def test_inner_checksum_equals_full(tunnel: Tunnel, inner: bytes) -> None:
    """Where the checksums inside are right, believing them gives the checksum that reading every byte gives."""
    full = tunnel.replace(udp_checksum="full").encap(inner, identification=0)
    assert tunnel.replace(udp_checksum="inner").encap(inner, identification=0) == full


@law
@given(tunnel=tunnels(), inner=frames())
def test_inner_ip_matters_for_odd_frames_alone(tunnel: Tunnel, inner: Packet) -> None:
    """Whatever is taken for an inner packet, of an untagged one that is whole and can live all take the same."""
    ip = inner.get(IPv4) or inner.get(IPv6)
    assume(Dot1Q not in inner)
    assume(ip is None or (ip.ttl if isinstance(ip, IPv4) else ip.hop_limit))
    made = {
        tunnel.replace(inner_ip=which).encap(inner.build(), identification=0) for which in ("sound", "linux", "ovs")
    }
    assert len(made) == 1


@law
@given(tunnel=tunnels(), inner=frames().map(Packet.build), policy=policies(ports=[]))
def test_decap_is_deterministic(tunnel: Tunnel, inner: bytes, policy: DecapPolicy) -> None:
    """A verdict depends on the bytes and the policy alone; what is not altered by the policy is the inner frame."""
    wire = tunnel.encap(inner, identification=0)
    chosen = policy.replace(ports=[tunnel.dst_port])
    first, second = verdict(wire, chosen), verdict(bytearray(wire), chosen)
    assert outcome(first) == outcome(second)
    if isinstance(first, Decapsulated) and not chosen.alters:
        assert first.inner == inner


# -- batches


def verdict(
    data: bytes | bytearray, policy: DecapPolicy, start: Start = LinkType.ETHERNET, original: int | None = None
) -> Decapsulated | ParseError:
    try:
        return decap(data, policy=policy, start=start, original_length=original)
    except ParseError as error:
        return error


def outcome(got: Decapsulated | ParseError) -> tuple[Any, ...]:
    """All that a verdict says."""
    if isinstance(got, ParseError):
        return type(got), str(got), vars(got)
    return (
        got.vni, got.flags, got.reserved, got.notes, got.link_type, got.inner, got.inner_original_length, got.record,
    )  # fmt: skip


@settings(law, max_examples=EXAMPLES // 2)
@given(
    batch=batches(outside=True),
    policy=policies(),
    start=st.sampled_from((LinkType.ETHERNET, LinkType.RAW, VXLAN)),
    reuse=st.booleans(),
)
def test_decap_batch_is_decap_row_by_row(batch: FrameBatch, policy: DecapPolicy, start: Start, reuse: bool) -> None:
    """Each row of a batch meets what decap gives for it alone, errors included, whatever the rows beside it hold."""
    if start is VXLAN:
        policy = policy.replace(allowed_sources=None)
    result = decap_batch(batch, policy=DecapPolicy(), start=start)
    result = decap_batch(batch, policy=policy, start=start, out=result if reuse else None)
    assert len(result) == len(batch)
    assert sum(result.counts().values()) == len(batch)
    for row in range(len(batch)):
        offset, length = batch.offsets[row], batch.lengths[row]
        error = result.error(row)
        if offset + length > len(batch.data):
            assert error is not None
            assert error.reason is Reason.ROW_OUT_OF_RANGE
            continue
        original = None if batch.original_lengths is None else batch.original_lengths[row]
        alone = verdict(bytes(batch.data[offset : offset + length]), policy, start, original)
        if isinstance(alone, ParseError):
            assert error is not None
            assert outcome(error) == outcome(alone)
            assert result.status[row] == alone.reason
            assert row not in result.accepted
            assert len(result.inner[row]) == 0
            continue
        assert error is None
        assert row in result.accepted
        record = result.record(row)
        record.inner_offset -= offset
        assert record == alone.record
        assert result.inner[row] == alone.inner
        assert result.inner.original_lengths is not None
        assert result.inner.original_lengths[row] == alone.inner_original_length


@st.composite
def encap_jobs(draw: st.DrawFn) -> tuple[FrameBatch, TunnelTable, list[int], int]:
    """A batch with headroom, a table of tunnels, which tunnel each row takes, and an identification."""
    table = draw(tunnel_tables())
    headroom = table.overhead
    batch = draw(batches(headroom=headroom, originals=False, max_size=5))
    # In place, rows have to be in ascending order.
    places = sorted(zip(batch.offsets, batch.lengths, strict=True))
    batch = FrameBatch(batch.data, [at for at, _ in places], [length for _, length in places], headroom=headroom)
    which = st.one_of(st.integers(0, len(table)), st.just(NO_TUNNEL))
    index = draw(st.lists(which, min_size=len(batch), max_size=len(batch)))
    return batch, table, index, draw(st.sampled_from((0, 1, 65535)))


@settings(law, max_examples=EXAMPLES // 2)
@given(job=encap_jobs(), mode=st.sampled_from(("copy", "in_place", "headers")))
def test_encap_batch_is_encap_row_by_row(job: tuple[FrameBatch, TunnelTable, list[int], int], mode: Any) -> None:
    """Each row is what its tunnel makes of it alone, in every mode; a row without a tunnel is empty and says so."""
    batch, table, index, identification = job
    frames_before = batch.to_frames()
    result = encap_batch(batch, table, index=index, identification=identification, mode=mode)
    assert len(result) == len(batch)
    if mode != "in_place":
        listed = encap_batch(batch, list(table), index=index, identification=identification, mode=mode)
        assert listed == result
        assert listed.status == result.status
    for row, (which, frame) in enumerate(zip(index, frames_before, strict=True)):
        if which >= len(table):
            assert len(result[row]) == 0
            assert result.status[row] == (
                Reason.NO_TUNNEL if which == NO_TUNNEL else Reason.TUNNEL_OUT_OF_RANGE
            )  # fmt: skip
            continue
        wire = table[which].encap(frame, identification=(identification + row) % 65536)
        assert result.status[row] == Reason.OK
        assert result[row] == (wire[: table[which].overhead] if mode == "headers" else wire)
    assert batch.to_frames() == frames_before
    assert result.accepted == [row for row, which in enumerate(index) if which < len(table)]
    if mode == "in_place":
        assert result.data.obj is batch.data.obj


@settings(law, max_examples=EXAMPLES // 2)
@given(rows=st.lists(frames().map(Packet.build), max_size=5), tunnel=tunnels(df="set"))
def test_batches_round_trip(rows: list[bytes], tunnel: Tunnel) -> None:
    """decap_batch of encap_batch gives the inner frames back, and a result may be used again."""
    batch = FrameBatch.from_frames(rows)
    sent = encap_batch(batch, tunnel)
    sent.raise_for_status()
    again = encap_batch(batch, tunnel, out=sent)
    assert again is sent
    result = decap_batch(again, policy=policy_for(tunnel))
    result.raise_for_status()
    assert result.inner.to_frames() == rows
    assert result.inner == batch

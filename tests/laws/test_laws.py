"""The laws that hold for every packet, every byte string, every tunnel and every batch."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from vxlanpkt import (
    DecapPolicy,
    IPv6,
    LinkType,
    Packet,
    Tunnel,
    dissect,
    parse,
)
from vxlanpkt.bindings import LAYERS
from vxlanpkt.errors import ParseError, TruncatedError
from vxlanpkt.reasons import REASONS
from vxlanpkt.starts import Start
from vxlanpkt.strategies import (
    frames,
    hostile_frames,
    ipv4s,
    ipv6s,
    macs,
    mutated,
    policies,
    truncated,
    tunnels,
    vnis,
    vxlan_frames,
)

LINKS = (
    LinkType.ETHERNET, LinkType.RAW, LinkType.IPV4, LinkType.IPV6, LinkType.LINUX_SLL, LinkType.LINUX_SLL2,
    LinkType.NULL, LinkType.LOOP,
)  # fmt: skip
STARTS: tuple[Start, ...] = (*LINKS, *LAYERS)
LENGTH_DECLARED = ("IPv4", "IPv6", "UDP")

# Totality has all examples of the profile, as strangers choose the bytes. The other laws have a tenth, or 100.
every_example = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
)
EXAMPLES = min(every_example.max_examples, max(100, every_example.max_examples // 10))
law = settings(every_example, max_examples=EXAMPLES)
every_link = pytest.mark.parametrize("start", LINKS, ids=lambda start: start.name)
packets = st.one_of(frames(), vxlan_frames())
any_bytes = st.one_of(
    hostile_frames(), packets.map(Packet.build), mutated(packets), truncated(packets), st.binary(max_size=200)
)


def parsed(data: bytes, start: Start) -> Packet | ParseError:
    try:
        return parse(data, start=start)
    except ParseError as error:
        return error


# -- packets and bytes


@law
@given(packet=packets)
def test_parse_gives_back_what_was_built(packet: Packet) -> None:
    """parse(p.build()) is p with every derived field filled in; building that gives the same bytes."""
    wire = packet.build()
    assert parse(wire) == packet.resolve()
    assert parse(wire).build() == wire == bytes(packet.resolve())


@every_link
@settings(law, max_examples=EXAMPLES // 2)
@given(data=st.data())
def test_parse_gives_back_what_was_built_on_every_link(start: LinkType, data: st.DataObject) -> None:
    """The same for every link type that a capture can have."""
    packet = data.draw(frames(start))
    wire = packet.build()
    assert parse(wire, start=start) == packet.resolve()
    assert parse(wire, start=start).build() == wire


@law
@given(data=any_bytes, start=st.sampled_from(STARTS))
def test_lossless(data: bytes, start: Start) -> None:
    """parse(b).build() == b for every b that parses, whatever it is taken to begin with."""
    packet = parsed(data, start)
    if isinstance(packet, Packet):
        assert packet.build() == data
        assert parse(packet.build(), start=start) == packet


@every_link
@settings(law, max_examples=EXAMPLES // 2)
@given(data=st.data())
def test_lossless_after_damage_on_every_link(start: LinkType, data: st.DataObject) -> None:
    """Damaged frames of every link type that still parse are built back to the same bytes."""
    wire = data.draw(mutated(frames(start)))
    packet = parsed(wire, start)
    if isinstance(packet, Packet):
        assert packet.build() == wire


@law
@given(data=any_bytes, start=st.sampled_from(STARTS))
def test_an_error_holds_every_byte(data: bytes, start: Start) -> None:
    """The packet of an error is the sound layers, with all that is behind them as payload and trailers."""
    error = parsed(data, start)
    if isinstance(error, ParseError):
        assert error.packet is not None
        assert error.packet.build() == data
        assert 0 <= error.offset <= len(data)


@every_example
@given(
    data=any_bytes,
    start=st.sampled_from(STARTS),
    ports=st.one_of(st.none(), st.lists(st.integers(0, 65535), max_size=3)),
    max_tunnels=st.integers(0, 70),
    beyond=st.one_of(st.none(), st.integers(-5, 70_000)),
)
def test_dissect_is_total(
    data: bytes, start: Start, ports: list[int] | None, max_tunnels: int, beyond: int | None
) -> None:
    """Every byte string has a dissection: spans in order and in bounds, an error or none, a text, all bytes kept."""
    original = None if beyond is None else max(len(data) + beyond, 0)
    found = dissect(data, start=start, ports=ports, max_tunnels=max_tunnels, original_length=original)
    at, end = 0, len(data)
    for layer, span in found.spans:
        assert at == span.start <= span.header_end <= span.end <= end
        assert span.missing >= 0
        assert found[layer] is found.get(layer)
        at, end = span.header_end, span.end
    assert len(found.layers) == len(found) == len(found.spans)
    assert str(found)
    assert repr(found)
    # What the bytes are said to begin with is read in any case.
    assert sum(layer.TUNNEL for layer, _ in found.spans) <= max(max_tunnels, isinstance(start, type) and start.TUNNEL)
    assert Packet.from_dissection(found).build() == data
    error = found.error
    if error is not None:
        assert type(error) is REASONS[error.reason].exception
        assert error.offset == at


@settings(law, max_examples=EXAMPLES // 2)
@given(packet=packets)
def test_every_prefix_is_truncated(packet: Packet) -> None:
    """A frame cut inside a header, or inside a layer that declares its length, is truncated, and says so."""
    wire = packet.build()
    spans = dissect(wire).spans
    reach = max((span.end if layer.NAME in LENGTH_DECLARED else span.header_end for layer, span in spans if
                 layer.NAME not in ("ICMP", "ICMPv6")), default=0)  # fmt: skip
    for cut in range(reach):
        error = dissect(wire[:cut]).error
        assert type(error) is TruncatedError, cut
        assert error.limited_by == "capture"
        assert error.available == cut - error.offset < error.needed
        known = dissect(wire[:cut], original_length=len(wire)).error
        assert known is None or (type(known) is TruncatedError and known.limited_by in ("capture", "frame"))


@law
@given(packet=packets)
def test_resolve_leaves_no_none(packet: Packet) -> None:
    """A resolved packet has a number in every derived field, of its extension headers too; it resolves to itself."""
    resolved = packet.resolve()
    for layer in resolved:
        assert all(isinstance(getattr(layer, name), int) for name in layer.DERIVED)
        for extension in layer.extension_headers if isinstance(layer, IPv6) else ():
            assert extension.next_header is not None
            assert getattr(extension, "length_field", 0) is not None
    assert resolved.resolve() == resolved
    assert resolved.build() == packet.build()


@law
@given(packet=packets)
def test_recompute_changes_nothing_that_is_right(packet: Packet) -> None:
    """The derived fields of a packet that was built are right: computed anew they are the same."""
    found = parse(packet.build())
    assert found.recompute() == found
    assert found.recompute(*{type(layer) for layer in found}) == found
    assert found.checksum_errors() == ()


@law
@given(data=any_bytes, checksums=st.sampled_from(("nonzero", "all")))
def test_recompute_is_idempotent(data: bytes, checksums: Any) -> None:
    """recompute() of a recomputed packet is that packet, whatever the peer's fields said."""
    packet = parsed(data, LinkType.ETHERNET)
    assume(isinstance(packet, Packet))
    assert isinstance(packet, Packet)
    once = packet.recompute(checksums=checksums)
    assert once.recompute(checksums=checksums) == once
    assert once.recompute(checksums=checksums).build() == once.build()


# -- values


@law
@given(packet=packets)
def test_packets_are_values(packet: Packet) -> None:
    """Packets made twice are equal, hash alike, and survive pickle and copy, built or parsed."""
    wire = packet.build()
    found, again = parse(wire), parse(wire)
    assert found == again
    assert hash(found) == hash(again)
    for value in (packet, found):
        for twin in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value), copy.copy(value)):
            assert twin == value
            assert hash(twin) == hash(value)
            assert twin.build() == wire
    assert [pickle.loads(pickle.dumps(layer)) for layer in found] == list(found)
    assert {found, again} == {found}


@law
@given(one=any_bytes, other=any_bytes)
def test_packets_differ_where_their_bytes_do(one: bytes, other: bytes) -> None:
    """Two parsed packets are equal exactly if their bytes are; a packet equals nothing else."""
    left, right = parsed(one, LinkType.ETHERNET), parsed(other, LinkType.ETHERNET)
    if isinstance(left, Packet):
        assert left != one
        if isinstance(right, Packet):
            assert (left == right) == (one == other)


@law
@given(data=any_bytes, start=st.sampled_from(STARTS))
def test_errors_survive_pickle(data: bytes, start: Start) -> None:
    """An error is pickled with everything that it says, its packet too."""
    error = parsed(data, start)
    if isinstance(error, ParseError):
        twin = pickle.loads(pickle.dumps(error))
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


@law
@given(mac=macs(), ipv4=ipv4s(), ipv6=ipv6s(), vni=vnis(), tunnel=tunnels(), policy=policies())
def test_recipes_are_values(mac: Any, ipv4: Any, ipv6: Any, vni: int, tunnel: Tunnel, policy: DecapPolicy) -> None:
    """Addresses, tunnels and policies equal their copies, hash alike and pickle; replace changes what it says."""
    for value in (mac, ipv4, ipv6, tunnel, policy):
        twin = pickle.loads(pickle.dumps(value))
        assert twin == value
        assert hash(twin) == hash(value)
    assert tunnel.replace() == tunnel
    assert tunnel.replace(vni=vni).vni == vni
    assert policy.replace() == policy
    assert policy.replace(vnis=[vni]).vnis == frozenset((vni,))

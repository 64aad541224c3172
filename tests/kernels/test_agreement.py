"""The laws of agreement: for any input the C kernel gives what the Python kernel gives, statuses, columns and bytes.

The inputs are valid, mutated, cut and hostile frames, with rows outside of the buffer, under any policy and tunnel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxlanpkt import NO_TUNNEL, DecapPolicy, FrameBatch, Packet, Reason, Tunnel
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.answers import NO_SPACE
from vxlanpkt.kernel.contract.columns import ALTERED, BRIEF_LAYOUT, DECAP_LAYOUT, ENCAP_LAYOUT
from vxlanpkt.kernel.contract.decapsulation import Underlay
from vxlanpkt.kernel.contract.encapsulation import EncapMode
from vxlanpkt.kernel.contract.spans import Fault, Kind, Place, Reading, Walk, place_at
from vxlanpkt.strategies import batches, frames, hostile_frames, policies, tunnels, vxlan_frames

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt.kernel import c

law = settings(suppress_health_check=list(HealthCheck))

OUTER_KINDS = (
    Kind.ETHERNET, Kind.ETHERNET, Kind.ETHERNET, Kind.VXLAN, Kind.VXLANGPE, Kind.RAW, Kind.IPV4, Kind.IPV6,
    Kind.DOT1Q, Kind.LINUX_SLL, Kind.LINUX_SLL2, Kind.LOOPBACK,
)  # fmt: skip
KINDS = [kind for kind in Kind if kind is not Kind.NOTHING]
PORTS = {4789: Kind.VXLAN, 8472: Kind.VXLAN, 4790: Kind.VXLANGPE, 53: Kind.TCP}

any_bytes = st.one_of(
    hostile_frames(), vxlan_frames().map(Packet.build), frames().map(Packet.build), st.binary(max_size=120)
)
missing = st.one_of(st.just(0), st.integers(0, 64), st.sampled_from((1000, 65535, (1 << 32) - 1)))


class Batch(NamedTuple):
    """One batch as each kernel holds it, with a buffer of its own, so that work in place can be compared."""

    python: Any
    c: Any
    frames: FrameBatch
    copy: FrameBatch


def held(batch: FrameBatch) -> Batch:
    copy = FrameBatch(bytearray(batch.data), batch.offsets, batch.lengths, batch.original_lengths)
    first, second = (
        kernel.hold_frames(one.data, one.offsets, one.lengths, one.original_lengths)
        for kernel, one in ((python, batch), (c, copy))
    )
    return Batch(first, second, batch, copy)


def written(kernel: Any, size: int, fill: int) -> Any:
    """A buffer full of *fill*: what a kernel does not write shows."""
    buffer = kernel.new_buffer(size)
    kernel.view(buffer)[:] = bytes((fill,)) * size
    return buffer


@law
@given(batch=batches(outside=True), policy=policies(), kind=st.sampled_from(OUTER_KINDS), brief=st.booleans())
def test_decap(batch: FrameBatch, policy: DecapPolicy, kind: Kind, brief: bool) -> None:
    """Every column of every row, whatever the rows hold."""
    one = held(batch)
    size = len(batch) * (BRIEF_LAYOUT if brief else DECAP_LAYOUT).row_size
    ours, theirs = written(python, size, 0xAA), written(c, size, 0x55)
    count = python.decap(one.python, kind, python.hold_rules(policy.rules), brief, ours)
    assert c.decap(one.c, kind, c.hold_rules(policy.rules), brief, theirs) == count
    assert c.view(theirs) == python.view(ours)
    if size:
        assert c.decap(one.c, kind, c.hold_rules(policy.rules), brief, c.new_buffer(size - 1)) == NO_SPACE
        assert python.decap(one.python, kind, policy.rules, brief, python.new_buffer(size - 1)) == NO_SPACE


@law
@given(
    data=any_bytes, policy=policies(), kind=st.sampled_from(OUTER_KINDS), lost=missing,
    version=st.sampled_from((0, 4, 6)), source=st.integers(0, (1 << 32) - 1), tos=st.none() | st.integers(0, 255),
)  # fmt: skip
def test_decap_one(
    data: bytes, policy: DecapPolicy, kind: Kind, lost: int, version: int, source: int, tos: int | None
) -> None:
    """One frame, with what is known of the datagram around a bare payload."""
    lost = min(lost, (1 << 32) - 1 - len(data))  # a length on the wire has 32 bits
    underlay = Underlay(version, source if version else 0, tos)
    ours = python.decap_one(data, lost, kind, python.hold_rules(policy.rules), underlay)
    assert c.as_record(c.decap_one(data, lost, kind, c.hold_rules(policy.rules), underlay)) == ours
    bare = python.decap_one(data, lost, kind, python.hold_rules(policy.rules))
    assert c.as_record(c.decap_one(data, lost, kind, c.hold_rules(policy.rules))) == bare


@law
@given(data=any_bytes, policy=policies())
def test_locate_inner(data: bytes, policy: DecapPolicy) -> None:
    """The number that stands for an inner frame which is handed out as it is, and says what the record says."""
    place = python.locate_inner(data, python.hold_rules(policy.rules))
    assert c.locate_inner(data, c.hold_rules(policy.rules)) == place
    found = python.decap_one(data, 0, Kind.ETHERNET, python.hold_rules(policy.rules))
    assert bool(place) == (found.status == Reason.OK and not found.notes & ALTERED)  # none here is as long as that
    if place:
        assert (place >> 32, place >> 16 & 0xFFFF) == (found.vni, found.inner_offset)
        assert place & 0xFFFF == found.inner_offset + found.inner_length


@st.composite
def jobs(draw: st.DrawFn) -> tuple[FrameBatch, list[Any], list[int] | None, int | None]:
    """A batch, a table of recipes, which of them each row takes, and an identification."""
    table = [tunnel.replace(gpe=False) for tunnel in draw(st.lists(tunnels(), min_size=1, max_size=3))]
    batch = draw(batches(headroom=draw(st.sampled_from((0, 60, 78))), outside=True, originals=False))
    which = st.one_of(st.integers(0, len(table)), st.just(NO_TUNNEL))
    index = draw(st.none() | st.lists(which, min_size=len(batch), max_size=len(batch)))
    return batch, [recipe_of(tunnel) for tunnel in table], index, draw(st.sampled_from((None, 0, 1, 65535)))


def recipe_of(tunnel: Tunnel) -> Any:
    return tunnel._recipe


@law
@given(job=jobs(), mode=st.sampled_from(EncapMode), spare=st.integers(-40, 8))
def test_encap(job: tuple[FrameBatch, list[Any], list[int] | None, int | None], mode: EncapMode, spare: int) -> None:
    """Statuses, places and bytes in every mode; the frames too, as in place they get headers; a buffer too small."""
    batch, recipes, index, identification = job
    one = held(batch)
    largest = max(len(recipe.template) for recipe in recipes)
    assert c.total_length(one.c) == python.total_length(one.python)
    needed = 0 if mode is EncapMode.IN_PLACE else len(batch) * largest
    needed += python.total_length(one.python) if mode is EncapMode.COPY else 0
    size = max(len(batch) * ENCAP_LAYOUT.row_size + needed + spare, 0)
    ours, theirs = written(python, size, 0xAA), written(c, size, 0xAA)
    tables = [kernel.hold_table([kernel.hold_recipe(recipe) for recipe in recipes]) for kernel in (python, c)]
    column = None if index is None else memoryview(bytearray(b"".join(n.to_bytes(4, "little") for n in index)))
    in_c = None if column is None else c.hold_index(column.cast("I") if len(column) else column)
    count = python.encap(one.python, tables[0], index, identification, mode, ours)
    assert c.encap(one.c, tables[1], in_c, identification, mode, theirs) == count
    assert c.view(theirs) == python.view(ours)
    assert one.copy.data == one.frames.data


@law
@given(data=any_bytes, tunnel=tunnels(), number=st.integers(0, 65535), raw=st.booleans())
def test_encap_one(data: bytes, tunnel: Tunnel, number: int, raw: bool) -> None:
    """One frame, for Ethernet frames and for bare IP, and whether its DF is clear."""
    tunnel = tunnel.replace(group_policy=None, gpe=raw)
    held_recipes = tunnel._raw_recipe if raw else tunnel._recipe
    ours, theirs = python.hold_recipe(held_recipes), c.hold_recipe(held_recipes)
    assert c.encap_one(data, theirs, number) == python.encap_one(data, ours, number)
    assert c.clears_df(data, theirs) is python.clears_df(data, ours)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("size", [65_499, 65_500, 65_519, 65_520, 70_000])
def test_the_longest_frames(version: int, size: int) -> None:
    """The largest frame that fits one datagram, and one byte more, over both versions."""
    ends = ("192.0.2.1", "192.0.2.2") if version == 4 else ("2001:db8::1", "2001:db8::2")
    recipe = recipe_of(Tunnel(1, *ends, udp_checksum="full"))
    data = bytes(range(256)) * 274
    assert c.encap_one(data[:size], c.hold_recipe(recipe), 0) == python.encap_one(
        data[:size], python.hold_recipe(recipe), 0
    )


@law
@given(
    data=any_bytes,
    kind=st.sampled_from(KINDS),
    lost=missing,
    tunnels_left=st.integers(0, 70),
    reading=st.sampled_from(Reading),
)
def test_walk(data: bytes, kind: Kind, lost: int, tunnels_left: int, reading: int) -> None:
    """All spans and the fault, through tunnels and tags deeper than one call of C has room for."""
    ours = python.walk(data, lost, kind, python.hold_ports(PORTS), tunnels_left, reading)
    theirs = c.walk(data, lost, kind, c.hold_ports(PORTS), tunnels_left, reading)
    assert written_out(theirs) == written_out(ours)


def written_out(walk: Walk) -> tuple[bytes, list[Place], int, Fault | None]:
    """A walk with every place."""
    kinds, places, last, fault = walk
    return kinds, [place_at(places, index) for index in range(len(kinds))], last, fault


@law
@given(data=any_bytes, kind=st.sampled_from(KINDS), lost=missing, reading=st.sampled_from(Reading), cut=st.data())
def test_scan(data: bytes, kind: Kind, lost: int, reading: int, cut: st.DataObject) -> None:
    """One header anywhere in a buffer of any kind, bounds outside of it included."""
    start = cut.draw(st.integers(-1, len(data) + 1))
    end = cut.draw(st.integers(-1, len(data) + 1))
    for buffer in (data, bytearray(data), memoryview(data)):
        assert c.scan(kind, buffer, start, end, lost, reading) == python.scan(kind, buffer, start, end, lost, reading)


@law
@given(data=any_bytes, symmetric=st.booleans(), raw=st.booleans())
def test_flow_hash(data: bytes, symmetric: bool, raw: bool) -> None:
    """The hash of anything."""
    assert c.flow_hash(data, symmetric, raw) == python.flow_hash(data, symmetric, raw)


@law
@given(data=st.binary(max_size=300), initial=st.integers(0, 1 << 140))
def test_sum(data: bytes, initial: int) -> None:
    """The checksum's sum, of any length, added to anything."""
    assert c.ones_complement_sum(data, initial) == python.ones_complement_sum(data, initial)
    assert c.internet_checksum(data, initial) == python.internet_checksum(data, initial)
    assert c.transport_checksum(data, initial) == python.transport_checksum(data, initial)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 65_535, 1 << 20])
def test_sums_that_carry(size: int) -> None:
    """All ones carry at every step."""
    assert c.ones_complement_sum(b"\xff" * size) == python.ones_complement_sum(b"\xff" * size)

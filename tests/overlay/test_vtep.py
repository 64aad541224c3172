"""An endpoint: where frames go, what comes out, what it learns; batches do what single frames do."""

from __future__ import annotations

from array import array
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import (
    ARP,
    NO_TUNNEL,
    VXLAN,
    DecapPolicy,
    Ethernet,
    FieldError,
    FrameBatch,
    MACAddress,
    Packet,
    ParseError,
    Reason,
    Tunnel,
    encap_batch,
)
from vxlanpkt.overlay import ForwardingTable, NeighbourTable, Sending, Vtep
from vxlanpkt.strategies import batches, forwarding_tables, frames, hostile_frames, neighbour_questions

VNI = 5000
HOST, FAR = MACAddress("02:00:00:00:00:01"), MACAddress("02:00:00:00:00:02")
A, B, C = (Tunnel(vni=VNI, src="192.0.2.1", dst=f"192.0.2.{last}") for last in (2, 3, 4))


def frame(dst: Any, src: Any = HOST) -> bytes:
    return MACAddress(dst).packed + MACAddress(src).packed + b"\x88\xb5hello"


def question() -> bytes:
    return Packet(Ethernet(dst="ff:ff:ff:ff:ff:ff", src=HOST), ARP(1, HOST, "10.0.0.1", 0, "10.0.0.2")).build()


def endpoint(**options: Any) -> Vtep:
    fdb = ForwardingTable()
    fdb.add(VNI, FAR, A)
    fdb.add_flood(VNI, A, B, C)
    neighbours = NeighbourTable()
    neighbours.add(VNI, "10.0.0.2", FAR)
    return Vtep(fdb, neighbours, **options)


def from_peer(tunnel: Tunnel, inner: bytes) -> bytes:
    """What the peer behind a tunnel sends here."""
    return tunnel.replace(src=tunnel.dst, dst=tunnel.src).encap(inner)


def test_known_unicast() -> None:
    assert endpoint().encap(VNI, frame(FAR), now=0) == [(A, frame(FAR))]


@pytest.mark.parametrize("dst", ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "02:00:00:00:00:99"])
def test_flooding(dst: str) -> None:
    """Broadcast, multicast, unknown unicast."""
    vtep = endpoint()
    assert vtep.encap(VNI, frame(dst), now=0) == [(tunnel, frame(dst)) for tunnel in (A, B, C)]
    assert (vtep.counts.flooded, vtep.counts.sent) == (1, {Reason.OK: 1})
    other = vtep.encap(VNI + 1, frame(dst), now=0)
    assert other == [] and other.reason is Reason.NO_TUNNEL and vtep.counts.flooded == 1


def test_suppression() -> None:
    """A question whose answer is known floods nothing; without neighbours it does."""
    vtep = endpoint()
    sending = vtep.encap(VNI, question(), now=0)
    assert sending == [] and sending.answer is not None and sending.reason is Reason.OK
    assert vtep.neighbours is not None and sending.answer == vtep.neighbours.answer(VNI, question(), 0)
    assert (vtep.counts.suppressed, vtep.counts.sent) == (1, {})
    assert len(Vtep(vtep.fdb).encap(VNI, question(), now=0)) == 3


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (b"", Reason.INNER_TRUNCATED), (frame(FAR)[:13], Reason.INNER_TRUNCATED),
        (frame(FAR, "01:00:5e:00:00:01"), Reason.INNER_SOURCE), (frame(FAR, 0), Reason.INNER_SOURCE),
        (frame(FAR, "ff:ff:ff:ff:ff:ff"), Reason.INNER_SOURCE),
    ],
)  # fmt: skip
def test_what_is_not_sent(inner: bytes, reason: Reason) -> None:
    """Frames that are none, or that come from no station."""
    vtep = endpoint()
    sending = vtep.encap(VNI, inner, now=0)
    assert (sending, sending.reason, vtep.counts.sent) == ([], reason, {reason: 1})


def test_split_horizon() -> None:
    """What came from a tunnel goes into none, known or not."""
    vtep = endpoint()
    assert vtep.encap(VNI, frame(FAR), now=0, from_tunnel=True) == []
    assert vtep.encap(VNI, question(), now=0, from_tunnel=True).answer is None
    assert vtep.counts.from_tunnel == 2 and not vtep.counts.sent


@pytest.mark.parametrize("bare", [True, False])
def test_learning(bare: bool) -> None:
    """Whoever sent from a peer is sent to by way of that peer."""
    vtep = endpoint()
    assert len(vtep.encap(VNI, frame("02:00:00:00:00:09"), now=0)) == 3
    wire = from_peer(B, frame(HOST, "02:00:00:00:00:09"))
    if bare:
        got = vtep.decap(wire[42:], start=VXLAN, source="::ffff:192.0.2.3", now=1)
    else:
        got = vtep.decap(wire, now=1)
    assert (got.vni, got.inner) == (VNI, frame(HOST, "02:00:00:00:00:09"))
    assert vtep.encap(VNI, frame("02:00:00:00:00:09"), now=2)[0][0] == B
    assert len(vtep.encap(VNI, frame("02:00:00:00:00:09"), now=302)) == 3
    assert vtep.counts.received == {Reason.OK: 1}


def test_what_is_not_learnt() -> None:
    """No source told, an unknown peer, a static entry, a refused frame, a source that is no station, not Ethernet."""
    vtep = endpoint()
    payload = from_peer(B, frame(HOST, "02:00:00:00:00:09"))[42:]
    vtep.decap(payload, start=VXLAN, now=0)
    vtep.decap(payload, start=VXLAN, source="192.0.2.99", now=0)
    assert vtep.fdb.counts.unknown_peer == 1
    vtep.decap(from_peer(B, frame(HOST, FAR)), now=0)
    assert vtep.fdb.counts.static == 1
    vtep.decap(from_peer(B, frame(HOST, 0)), now=0)
    assert vtep.fdb.counts.no_station == 1
    with pytest.raises(ParseError):
        vtep.decap(payload[:9], start=VXLAN, source="192.0.2.3", now=0)
    assert vtep.counts.received[Reason.INNER_TRUNCATED] == 1 and vtep.fdb.learnt == 0


def test_strangers_where_they_are_welcome() -> None:
    """A tunnel is made for a peer that nobody configured."""
    vtep = endpoint(tunnel_to=lambda vni, peer: A.replace(vni=vni, dst=peer))
    vtep.decap(from_peer(A.replace(dst="192.0.2.77"), frame(HOST, "02:00:00:00:00:09")), now=0)
    assert str(vtep.encap(VNI, frame("02:00:00:00:00:09"), now=0)[0][0].dst) == "192.0.2.77"


def test_neighbours_are_learnt_where_that_is_asked_for() -> None:
    asked = Packet(Ethernet("ff:ff:ff:ff:ff:ff", FAR), ARP(1, FAR, "10.0.0.7", 0, "10.0.0.1")).build()
    for learns in (True, False):
        for batch in (True, False):
            vtep = endpoint(learn_neighbours=learns)
            wire = from_peer(A, asked)
            if batch:
                vtep.decap_batch(FrameBatch.from_frames([wire, wire[:60], from_peer(A, frame(HOST))]), now=0)
            else:
                vtep.decap(wire, now=0)
            assert vtep.neighbours is not None
            assert vtep.neighbours.look_up(VNI, "10.0.0.7", 0) == (FAR if learns else None)


some_inner = st.one_of(
    frames().map(bytes), hostile_frames(), neighbour_questions().map(bytes), st.just(frame(FAR)), st.just(question())
)


def twins(table: ForwardingTable) -> tuple[Vtep, Vtep]:
    """Two endpoints alike, with tables of their own."""
    made = []
    for _ in range(2):
        fdb = ForwardingTable(None if table._aging is None else table._aging / 1e9)
        for entry in table:
            if entry.last_seen is None:
                fdb.add(entry.vni, entry.mac, entry.tunnel)
            else:
                fdb.learn(entry.vni, entry.mac, entry.tunnel, entry.last_seen)
        fdb.add_flood(VNI, *table.flood(VNI))
        neighbours = NeighbourTable()
        neighbours.add(VNI, "10.0.0.2", FAR)
        neighbours.add(VNI, "192.0.2.1", FAR)
        made.append(Vtep(fdb, neighbours))
    return made[0], made[1]


@given(
    table=forwarding_tables(), inners=st.lists(some_inner, max_size=8), now=st.sampled_from((0.5, 5)), data=st.data()
)
def test_encap_batch(table: ForwardingTable, inners: list[bytes], now: float, data: st.DataObject) -> None:
    """Row by row what `encap` does, in order, with the same counts; the library's own `encap_batch` takes it."""
    stations = [entry.mac for entry in table] or [FAR]
    known = st.sampled_from(stations).map(lambda mac: frame(mac))
    inners = inners + data.draw(st.lists(known, max_size=4))
    single, bulk = twins(table)
    vnis = data.draw(st.lists(st.sampled_from((VNI, VNI, 6)), min_size=len(inners), max_size=len(inners)))
    batch = FrameBatch.from_frames(inners)
    found = bulk.encap_batch(memoryview(array("I", vnis)), batch, now)
    expected: list[tuple[int, Tunnel | None]] = []
    for row, inner in enumerate(inners):
        sending = single.encap(vnis[row], inner, now)
        assert found.answers.get(row) == sending.answer
        if sending.answer is None:
            expected += [(row, tunnel) for tunnel, _ in sending] or [(row, None)]
    tunnels = [None if number == NO_TUNNEL else found.tunnels[number] for number in found.index]
    assert list(zip(found.rows, tunnels, strict=True)) == expected
    assert found.frames.to_frames() == [inners[row] for row in found.rows]
    assert bulk.counts == single.counts
    sent = found.encap(identification=0)
    for row, tunnel in enumerate(tunnels):
        assert (sent.status[row] == Reason.NO_TUNNEL) == (tunnel is None)
        if tunnel is not None and sent.status[row] == Reason.OK:
            assert bytes(sent[row]) == tunnel.encap(inners[found.rows[row]], identification=row & 0xFFFF)


def test_one_vni_for_all_and_nothing_to_expand() -> None:
    """Where every destination is known nothing is copied."""
    vtep = endpoint()
    batch = FrameBatch.from_frames([frame(FAR)] * 3)
    found = vtep.encap_batch(VNI, batch, now=0)
    assert found.frames is batch and list(found.rows) == [0, 1, 2] and not found.answers
    assert encap_batch(found.frames, found.tunnels, index=found.index).to_frames() == [A.encap(frame(FAR))] * 3
    empty = vtep.encap_batch(VNI, FrameBatch.from_frames([]), now=0)
    assert not len(empty.frames) and vtep.counts.sent == {Reason.OK: 3}


def test_rows_outside_of_the_buffer() -> None:
    """They have no tunnel, and the others are sent."""
    vtep = endpoint()
    data = frame(FAR)
    batch = FrameBatch(data, array("Q", [0, 9, 1 << 40]), array("I", [len(data), len(data), 5]))
    found = vtep.encap_batch(VNI, batch, now=0)
    assert list(found.index) == [0, NO_TUNNEL, NO_TUNNEL]
    assert found.encap().counts() == {Reason.OK: 1, Reason.NO_TUNNEL: 2}


@given(
    rows=st.lists(st.tuples(st.sampled_from((A, B, C)), st.integers(0, 5), st.booleans()), max_size=12),
    bare=st.booleans(),
)
def test_decap_batch(rows: list[tuple[Tunnel, int, bool]], bare: bool) -> None:
    """What is learnt of sources that each stay behind one peer is what single frames teach."""
    single, bulk = endpoint(), endpoint()
    home: dict[int, Tunnel] = {}
    wires, peers = [], []
    for tunnel, last, cut in rows:
        peer = home.setdefault(last, tunnel)
        wire = from_peer(peer, frame(HOST, last | 0x020000000000))
        wires.append((wire[42:] if bare else wire)[: 9 if cut else None])
        peers.append(ip_address("::ffff:" + str(peer.dst)))
        try:
            single.decap(wires[-1], start=VXLAN, source=peer.dst, now=3) if bare else single.decap(wires[-1], now=3)
        except ParseError:
            assert cut
    batch = FrameBatch.from_frames(wires)
    if bare:
        column = memoryview(b"".join(peer.packed for peer in peers))
        result = bulk.decap_batch(batch, now=3, start=VXLAN, sources=column)
    else:
        result = bulk.decap_batch(batch, now=3)
    assert len(result.accepted) == sum(not cut for *_, cut in rows)
    assert bulk.fdb.entries() == single.fdb.entries()
    assert bulk.counts == single.counts
    again = bulk.decap_batch(batch, now=4, start=VXLAN, sources="192.0.2.99", out=result) if bare else None
    assert again is None or (again is result and bulk.fdb.counts.moved == 0)


@given(batch=batches(), learns=st.booleans())
def test_any_batch(batch: FrameBatch, learns: bool) -> None:
    """Whatever comes: the same rows are accepted as under the policy alone, and only stations are learnt."""
    vtep = endpoint(
        policy=DecapPolicy(gpe=True, inner_vlan="strip"), learn_neighbours=learns,
        tunnel_to=lambda vni, peer: Tunnel(vni, "192.0.2.1" if peer.version == 4 else "2001:db8::1", peer),
    )  # fmt: skip
    result = vtep.decap_batch(batch, now=0)
    assert vtep.counts.received == result.counts()
    for entry in vtep.fdb:
        assert not entry.mac.is_multicast and not entry.mac.is_unspecified
    vtep.encap_batch(VNI, batch, now=0).encap(identification=0)


def test_sources_that_are_none() -> None:
    """No sources: nothing is learnt; other than rows: refused."""
    vtep = endpoint()
    batch = FrameBatch.from_frames([from_peer(B, frame(HOST, "02:00:00:00:00:09"))[42:]])
    vtep.decap_batch(batch, now=0, start=VXLAN)
    assert not vtep.fdb.learnt
    with pytest.raises(FieldError, match="sources"):
        vtep.decap_batch(batch, now=0, start=VXLAN, sources=memoryview(bytes(15)))
    assert Sending() == [] and Sending().answer is None

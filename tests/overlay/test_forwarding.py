"""The forwarding table, against a dictionary."""

from __future__ import annotations

from array import array
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vxlanpkt import NO_TUNNEL, FieldError, FrameBatch, MACAddress, Tunnel
from vxlanpkt.overlay import ForwardingTable
from vxlanpkt.strategies import forwarding_tables

AGING, MOST, MOST_OF_ONE = 10.0, 6, 4


def tunnel(vni: int, last: int, **options: Any) -> Tunnel:
    return Tunnel(vni=vni, src="192.0.2.1", dst=f"192.0.2.{last}", **options)


TUNNELS = {vni: [tunnel(vni, 2), tunnel(vni, 3), tunnel(vni, 4), tunnel(vni, 2, ttl=9)] for vni in (1, 2)}
STATIONS = [MACAddress(0x020000000000 | at) for at in range(1, 9)]
GROUPS = [MACAddress("ff:ff:ff:ff:ff:ff"), MACAddress(0), MACAddress("01:00:5e:00:00:01")]
vnis, macs, which = st.sampled_from((1, 2)), st.sampled_from(STATIONS + GROUPS), st.integers(0, 3)


def mapped(address: Any) -> bytes:
    packed: bytes = ip_address(address).packed
    return packed.rjust(6, b"\xff").rjust(16, b"\0") if len(packed) == 4 else packed


class Model:
    """What the table is to do, over a dictionary: (VNI, MAC) -> tunnel and when it was seen, None for static ones."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, MACAddress], tuple[Tunnel, float | None]] = {}
        self.flood: dict[int, list[Tunnel]] = {}

    def is_aged(self, seen: float | None, now: float) -> bool:
        return seen is not None and now - seen > AGING

    def learnt(self) -> list[Tunnel]:
        return [tunnel for tunnel, seen in self.known.values() if seen is not None]

    def expire(self, now: float) -> None:
        self.known = {key: entry for key, entry in self.known.items() if not self.is_aged(entry[1], now)}

    def tunnels(self) -> list[Tunnel]:
        return [tunnel for tunnel, _ in self.known.values()] + [one for some in self.flood.values() for one in some]


class ForwardingMachine(RuleBasedStateMachine):
    """Static entries, learning, ageing and floods in any order. Time goes on, and what has aged is dropped at once."""

    def __init__(self) -> None:
        super().__init__()
        self.table = ForwardingTable(AGING, max_learnt=MOST, max_learnt_per_tunnel=MOST_OF_ONE)
        self.model = Model()
        self.now = 100.0

    @rule(seconds=st.sampled_from((0.5, 1, 3, 10, 10.5)))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        before = len(self.model.known)
        self.model.expire(self.now)
        assert self.table.expire(self.now) == before - len(self.model.known)

    @rule(vni=vnis, mac=macs, at=which)
    def add(self, vni: int, mac: MACAddress, at: int) -> None:
        if mac in GROUPS:
            with pytest.raises(FieldError, match="one station"):
                self.table.add(vni, mac, TUNNELS[vni][at])
            return
        self.table.add(vni, mac, TUNNELS[vni][at])
        self.model.known[vni, mac] = TUNNELS[vni][at], None

    @rule(vni=vnis, mac=macs, at=which)
    def learn(self, vni: int, mac: MACAddress, at: int) -> None:
        wanted = TUNNELS[vni][at]
        assert self.table.learn(vni, mac, wanted, self.now) == self.expected_to_learn(vni, mac, wanted)

    def expected_to_learn(self, vni: int, mac: MACAddress, wanted: Tunnel) -> bool:
        known, seen = self.model.known.get((vni, mac), (None, 0.0))
        if mac in GROUPS or (known is not None and seen is None):
            return known == wanted
        learnt = self.model.learnt()
        full = learnt.count(wanted) >= MOST_OF_ONE or (known is None and len(learnt) >= MOST)
        if known != wanted and full:
            return False
        self.model.known[vni, mac] = wanted, self.now
        return True

    @rule(vni=vnis, sources=st.lists(st.tuples(macs, st.integers(2, 6), st.integers(0, 1)), max_size=8))
    def learn_batch(self, vni: int, sources: list[tuple[MACAddress, int, int]]) -> None:
        """From peers that there is a tunnel to; one that an entry leads into stays. Of two rows that say one thing the
        second says nothing new, and rows that say what is known come first."""
        frames = FrameBatch.from_frames([STATIONS[0].packed + mac.packed + b"\x08\x00" for mac, _, _ in sources])
        peers = memoryview(b"".join(mapped(f"192.0.2.{last}") for _, last, _ in sources))
        status = memoryview(bytes(status for _, _, status in sources))
        self.table.learn_batch(vni, frames, peers, self.now, status=status)
        later = []
        for mac, last, bad in sources:
            known, seen = self.model.known.get((vni, mac), (None, 0.0))
            if known is not None and seen is not None and str(known.dst) == f"192.0.2.{last}" and not bad:
                self.model.known[vni, mac] = known, self.now
            elif not bad:
                later.append((mac, last))
        for mac, last in dict.fromkeys(later):
            known, _ = self.model.known.get((vni, mac), (None, 0.0))
            to = self.table.tunnel_to(vni, ip_address(f"192.0.2.{last}"))
            usable = [
                one for one in self.model.tunnels() if one.vni == vni and one.dst == ip_address(f"192.0.2.{last}")
            ]
            assert (to in usable) if usable else to is None
            if known is not None and known.dst == ip_address(f"192.0.2.{last}"):
                to = known
            if to is not None:
                self.expected_to_learn(vni, mac, to)

    @rule(vni=vnis, mac=macs)
    def remove(self, vni: int, mac: MACAddress) -> None:
        assert self.table.remove(vni, mac) == (self.model.known.pop((vni, mac), None) is not None)

    @rule(vni=vnis, at=which)
    def remove_tunnel(self, vni: int, at: int) -> None:
        gone = TUNNELS[vni][at]
        before = len(self.model.known)
        self.model.known = {key: entry for key, entry in self.model.known.items() if entry[0] != gone}
        assert self.table.remove_tunnel(gone) == before - len(self.model.known)
        for some in self.model.flood.values():
            some[:] = [one for one in some if one != gone]

    @rule(vni=vnis, some=st.lists(which, max_size=3))
    def add_flood(self, vni: int, some: list[int]) -> None:
        self.table.add_flood(vni, *(TUNNELS[vni][at] for at in some))
        have = self.model.flood.setdefault(vni, [])
        have.extend(one for one in dict.fromkeys(TUNNELS[vni][at] for at in some) if one not in have)

    @rule(vni=vnis, some=st.lists(which, max_size=3))
    def remove_flood(self, vni: int, some: list[int]) -> None:
        gone = [TUNNELS[vni][at] for at in some]
        self.table.remove_flood(vni, *gone)
        have = self.model.flood.setdefault(vni, [])
        have[:] = [one for one in have if gone and one not in gone]

    @rule()
    def clear_learnt(self) -> None:
        assert self.table.clear_learnt() == len(self.model.learnt())
        self.model.known = {key: entry for key, entry in self.model.known.items() if entry[1] is None}

    @invariant()
    def same(self) -> None:
        found = {(entry.vni, entry.mac): (entry.tunnel, entry.last_seen) for entry in self.table}
        assert found == self.model.known
        assert len(self.table) == len(self.model.known)
        assert self.table.learnt == len(self.model.learnt()) <= MOST
        for vni in (1, 2):
            assert list(self.table.flood(vni)) == self.model.flood.get(vni, [])
            for mac in STATIONS + GROUPS:
                assert self.table.look_up(vni, mac, self.now) == self.model.known.get((vni, mac), (None, None))[0]

    @invariant()
    def same_in_batches(self) -> None:
        rows = [(vni, mac) for vni in (1, 2) for mac in STATIONS + GROUPS]
        frames = FrameBatch.from_frames([mac.packed + STATIONS[0].packed + b"\x08\x00" for _, mac in rows])
        found = self.table.look_up_batch(memoryview(array("I", [vni for vni, _ in rows])), frames, self.now)
        tunnels = self.table.tunnels
        assert [None if number == NO_TUNNEL else tunnels[number] for number in found] == [
            self.model.known.get(row, (None, None))[0] for row in rows
        ]

    @invariant()
    def nothing_is_left_behind(self) -> None:
        """Tunnels that nothing leads into are forgotten, with the peers behind them."""
        assert {one for one in self.table._tunnels.values if one is not None} == set(self.model.tunnels())
        assert {peer for peer in self.table._tunnels._peers.values if peer is not None} == {
            one.dst for one in self.model.tunnels()
        }


TestForwarding = ForwardingMachine.TestCase
TestForwarding.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)


@given(table=forwarding_tables(), now=st.sampled_from((0, 0.5, 2, 1000)))
def test_tables_of_the_strategy(table: ForwardingTable, now: float) -> None:
    """What has aged is passed over wherever one looks; `expire` drops just that."""
    alive, all_of_them = table.entries(now), len(table)
    for entry in table:
        assert table.look_up(entry.vni, entry.mac, now) == (entry.tunnel if entry in alive else None)
    assert table.expire(now) == table.counts.aged == all_of_them - len(alive)
    assert table.entries() == alive == sorted(alive, key=lambda entry: (entry.vni, entry.mac))


def test_ageing_to_the_second() -> None:
    """An entry is there as long as it takes to age, and no longer; a frame makes it young again."""
    table = ForwardingTable(300)
    table.learn(1, STATIONS[0], TUNNELS[1][0], now=1000)
    assert table.look_up(1, STATIONS[0], 1300) == TUNNELS[1][0]
    assert table.look_up(1, STATIONS[0], 1300.001) is None
    table.learn(1, STATIONS[0], TUNNELS[1][0], now=1200)
    assert table.look_up(1, STATIONS[0], 1500) == TUNNELS[1][0]
    table.learn(1, STATIONS[0], TUNNELS[1][0], now=1100)  # a clock that went back does not make it older
    assert table.look_up(1, STATIONS[0], 1500) == TUNNELS[1][0]
    never = ForwardingTable(None)
    never.learn(1, STATIONS[0], TUNNELS[1][0], now=0)
    assert never.look_up(1, STATIONS[0], 1e9) == TUNNELS[1][0] and never.expire(1e9) == 0


def test_forged_sources_do_not_fill_memory() -> None:
    """So many entries and no more; who was there stays, the others are counted; when some age there is room again."""
    table = ForwardingTable(16, max_learnt=100)
    table.add_flood(1, TUNNELS[1][0], TUNNELS[1][1])
    peer = memoryview(mapped("192.0.2.2") * 1000)
    for start in range(0, 5000, 1000):
        forged = [
            STATIONS[0].packed + (0x0A0000000000 | at).to_bytes(6, "big") + bytes(2)
            for at in range(start, start + 1000)
        ]
        table.learn_batch(1, FrameBatch.from_frames(forged), peer, now=start / 1000)
    assert (len(table), table.learnt, table.counts.learnt, table.counts.full) == (100, 100, 100, 4900)
    assert not table.learn(1, STATIONS[1], TUNNELS[1][1], now=15)
    assert table.learn(1, 0x0A0000000000, TUNNELS[1][1], now=15)  # a move takes no room
    assert table.learn(1, STATIONS[1], TUNNELS[1][1], now=17)
    assert (table.counts.moved, table.counts.aged, len(table)) == (1, 99, 2)


def test_one_peer_cannot_use_up_all() -> None:
    table = ForwardingTable(max_learnt=10, max_learnt_per_tunnel=3)
    for at, mac in enumerate(STATIONS):
        assert table.learn(1, mac, TUNNELS[1][0], now=0) == (at < 3)
    assert table.learn(1, STATIONS[7], TUNNELS[1][1], now=0)
    assert not table.learn(1, STATIONS[7], TUNNELS[1][0], now=0)
    assert table.counts.full == 6


def test_learning_off() -> None:
    """Nothing is learnt, nothing counted."""
    table = ForwardingTable(learning=False)
    table.add_flood(1, TUNNELS[1][0])
    assert not table.learn(1, STATIONS[0], TUNNELS[1][0], now=0)
    frames = FrameBatch.from_frames([STATIONS[0].packed * 2 + bytes(2)])
    table.learn_batch(1, frames, memoryview(mapped("192.0.2.2")), now=0)
    assert not table.learn_from(1, STATIONS[0].packed, ip_address("192.0.2.2"), now=0)
    assert not len(table) and table.counts == ForwardingTable().counts


def test_unknown_peers() -> None:
    """Strangers are not learnt unless somebody says how to reach them."""
    table = ForwardingTable()
    frames = FrameBatch.from_frames([STATIONS[0].packed + mac.packed + bytes(2) for mac in STATIONS])
    peers = memoryview(b"".join(mapped(f"2001:db8::{at % 3}") for at in range(8)))
    table.learn_batch(1, frames, peers, now=0)
    assert not len(table) and table.counts.unknown_peer == 8
    made = []

    def tunnel_to(vni: int, peer: Any) -> Tunnel | None:
        made.append((vni, str(peer)))
        return Tunnel(vni, "2001:db8::99", peer) if int(peer) & 1 else None

    table.learn_batch(1, frames, peers, now=0, tunnel_to=tunnel_to)
    assert [str(entry.tunnel.dst) for entry in table] == ["2001:db8::1"] * 3
    assert made.count((1, "2001:db8::1")) == 1 and made.count((1, "2001:db8::2")) == 2


@pytest.mark.parametrize(
    ("act", "field"),
    [
        (lambda table: table.add(1, STATIONS[0], TUNNELS[2][0]), "tunnel"),
        (lambda table: table.learn(1, STATIONS[0], TUNNELS[2][0], 0), "tunnel"),
        (lambda table: table.add_flood(1, TUNNELS[2][0]), "tunnel"),
        (lambda table: table.add_flood(1, None), "tunnel"),
        (lambda table: table.look_up(1 << 24, STATIONS[0], 0), "vni"),
        (lambda table: table.look_up(-1, STATIONS[0], 0), "vni"),
        (lambda table: table.look_up(1, "nonsense", 0), "address"),
        (lambda table: table.look_up(1, STATIONS[0], float("nan")), "now"),
        (lambda table: table.look_up(1, STATIONS[0], 1e18), "now"),
        (lambda table: table.number_of(TUNNELS[1][0]), "tunnel"),
        (lambda table: table.look_up_batch(memoryview(b"1"), FrameBatch.from_frames([b""]), 0), "vni"),
        (lambda table: table.learn_batch(1, FrameBatch.from_frames([b""]), memoryview(b""), 0), "sources"),
        (lambda table: ForwardingTable(0), "aging_seconds"),
    ],
)
def test_what_cannot_be(act: Any, field: str) -> None:
    """Refused by name, and nothing is changed."""
    table = ForwardingTable()
    with pytest.raises(FieldError) as caught:
        act(table)
    assert caught.value.field == field
    assert not len(table) and repr(table) == "<ForwardingTable of 0 entries, 0 of them learnt>"


def test_many_entries() -> None:
    """Growth moves everything."""
    table = ForwardingTable(max_learnt=5000)
    for at in range(3000):
        table.learn(1, 0x020000000000 | at, TUNNELS[1][at % 3], now=at)
    assert len(table) == 3000
    assert [table.look_up(1, 0x020000000000 | at, 2999) for at in range(2700, 3000)] == [
        TUNNELS[1][at % 3] for at in range(2700, 3000)
    ]
    assert table.remove_tunnel(TUNNELS[1][1]) == 1000 and table.expire(3000) == 1800

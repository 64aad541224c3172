"""The forwarding table of a VTEP: which tunnel leads to a MAC address of a VNI (RFC 7348 section 4)."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from vxlanpkt import MACAddress
from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.errors import refused_field
from vxlanpkt.kernel import look_up_macs, new_buffer, refresh_macs, view
from vxlanpkt.kernel.contract.tables import KEY_BITS, MAC_KEY, STATIC, AskedMACs
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.tables.numbering import GrowingMap, stamp_of
from vxlanpkt.overlay.tables.peer_tunnels import PeerTunnels, mapped, unmapped
from vxlanpkt.tunnel import Tunnel, TunnelTable

_refused = partial(refused_field, "ForwardingTable")

TunnelTo = Callable[[int, Address], Tunnel | None]

_SWEEPS = 16  # at the most so many in the time that it takes an entry to age


class ForwardingEntry(NamedTuple):
    """What the table says of one address; `last_seen` is None for a static one."""

    vni: int
    mac: MACAddress
    tunnel: Tunnel
    last_seen: float | None

    @property
    def static(self) -> bool:
        """Whether it neither ages nor moves."""
        return self.last_seen is None


@dataclass
class LearningCounts:
    """What became of sources that were to be learnt, as often as it happened. Refreshes are not counted.

    learnt         new entries
    moved          entries that lead to another tunnel now
    aged           entries that were dropped, as nothing had come from them for long
    static         a source that a static entry says to be elsewhere: not moved
    full           new, and there were `max_learnt` entries, or of its tunnel `max_learnt_per_tunnel`: not learnt. In
                   batches, whether or not a tunnel leads to the peer
    unknown_peer   from a peer that no tunnel leads to: not learnt
    no_station     the source is a group's address, or zero: not learnt
    """

    learnt: int = 0
    moved: int = 0
    aged: int = 0
    static: int = 0
    full: int = 0
    unknown_peer: int = 0
    no_station: int = 0


class ForwardingTable:
    """Tunnels by VNI and MAC address, and where frames go whose destination is not known.

    aging_seconds          a learnt entry is forgotten when nothing came from it for longer; None never
    learning               whether `learn` does anything
    max_learnt             how many learnt entries there may be: what strangers' frames can use of memory
    max_learnt_per_tunnel  how many of one tunnel, so that a single peer cannot use up all; None is no limit

    Entries from `add` are static: they do not age, and learning does not move them. The clock is the caller's: `now`
    is in seconds, of any clock that does not go back. Raises `FieldError` for what cannot be in the table: an address
    that is a group's, a tunnel of another VNI.
    """

    def __init__(
        self,
        aging_seconds: float | None = 300,
        *,
        learning: bool = True,
        max_learnt: int = 65536,
        max_learnt_per_tunnel: int | None = None,
    ) -> None:
        if aging_seconds is not None and not aging_seconds > 0:
            raise _refused("aging_seconds", aging_seconds, "a time, or None")
        self.learning = learning
        self.max_learnt = max_learnt
        self.max_learnt_per_tunnel = max_learnt_per_tunnel
        self.counts = LearningCounts()
        self._aging = None if aging_seconds is None else stamp_of(aging_seconds)
        self._map = GrowingMap([KEY_BITS])
        self._tunnels = PeerTunnels()
        self._flood: dict[int, tuple[Tunnel, ...]] = {}
        self._learnt: Counter[int] = Counter()  # entries by the numbers of their tunnels
        self._learnt_in_all = 0
        self._next_sweep: int | None = None

    def __len__(self) -> int:
        """How many entries there are, aged ones that nobody dropped yet among them."""
        return len(self._map)

    @property
    def learnt(self) -> int:
        """How many of them were learnt."""
        return self._learnt_in_all

    # -- entries

    def add(self, vni: int, mac: MACAddress | str | bytes | int, tunnel: Tunnel) -> None:
        """Add a static entry, in place of one that there is."""
        key = _key(vni, _station(mac))
        self._check(vni, tunnel)
        self._forget(key)
        self._map.put(key, KEY_BITS, array("I", [self._tunnels.take(tunnel)]))

    def learn(self, vni: int, mac: MACAddress | str | bytes | int, tunnel: Tunnel, now: float) -> bool:
        """Learn that an address is behind a tunnel; returns whether the table says so now, and `counts` why not."""
        self._check(vni, tunnel)
        return self.learning and self._learn(vni, MACAddress(mac), tunnel, stamp_of(now))

    def _learn(self, vni: int, mac: MACAddress, tunnel: Tunnel, stamp: int) -> bool:
        if mac.is_multicast or mac.is_unspecified:
            self.counts.no_station += 1
            return False
        key = _key(vni, mac)
        found = self._map.find(key, KEY_BITS)
        number = self._tunnels.number(tunnel)
        if found is not None and found.stamp == STATIC:
            self.counts.static += found.value != number
            return found.value == number
        if found is not None and found.value == number:
            self._map.put(key, KEY_BITS, array("I", [number]), max(stamp, found.stamp))
            return True
        if not self._has_room(number, found is not None, stamp):
            self.counts.full += 1
            return False
        moved = self._forget(key)
        self.counts.moved += moved
        self.counts.learnt += not moved
        taken = self._tunnels.take(tunnel)
        self._map.put(key, KEY_BITS, array("I", [taken]), stamp)
        self._learnt[taken] += 1
        self._learnt_in_all += 1
        return True

    def _has_room(self, number: int | None, moves: bool, stamp: int) -> bool:
        """Whether one more entry may be learnt; aged ones are dropped before it is refused, but not each time."""
        if self._may_hold(number, moves):
            return True
        if self._aging is None or not self._may_sweep(stamp):
            return False
        self._next_sweep = stamp + self._aging // _SWEEPS
        self._drop_aged(stamp)
        return self._may_hold(number, moves)

    def _may_sweep(self, stamp: int) -> bool:
        return self._next_sweep is None or stamp >= self._next_sweep

    def _is_full(self, stamp: int) -> bool:
        """Whether there is room for no new entry, and nothing that could be dropped was looked for just now."""
        return self._learnt_in_all >= self.max_learnt and (self._aging is None or not self._may_sweep(stamp))

    def _may_hold(self, number: int | None, moves: bool) -> bool:
        most = self.max_learnt_per_tunnel
        own = 0 if number is None else self._learnt[number]
        return (most is None or own < most) and (moves or self._learnt_in_all < self.max_learnt)

    def look_up(self, vni: int, mac: MACAddress | str | bytes | int, now: float) -> Tunnel | None:
        """The tunnel that leads to an address, or None."""
        return self.tunnel_of(_key(vni, MACAddress(mac)), self.oldest(now))

    def tunnel_of(self, key: bytes, oldest: int) -> Tunnel | None:
        """The tunnel of an entry that is not older."""
        found = self._map.find(key, KEY_BITS)
        return None if found is None or found.stamp < oldest else self._tunnels.values[found.value]

    def oldest(self, now: float) -> int:
        """The stamp of an entry that is about to age."""
        stamp = stamp_of(now)
        return -STATIC if self._aging is None else stamp - self._aging

    def remove(self, vni: int, mac: MACAddress | str | bytes | int) -> bool:
        """Remove an entry, static or learnt; returns whether there was one."""
        return self._forget(_key(vni, MACAddress(mac)))

    def remove_tunnel(self, tunnel: Tunnel) -> int:
        """Remove all entries that lead into a tunnel, and it from the floods; returns how many entries there were."""
        number = self._tunnels.number(tunnel)
        if number is None:
            return 0
        self._tunnels.take(tunnel)  # so that the number stays its own up to the end
        removed = self._drop_all(self._map.listed(value=number))
        for vni in [vni for vni, tunnels in self._flood.items() if tunnel in tunnels]:
            self.remove_flood(vni, tunnel)
        self._tunnels.release(number)
        return removed

    def expire(self, now: float) -> int:
        """Drop the entries that have aged; returns how many there were. Without it they are passed over."""
        return self._drop_aged(stamp_of(now))

    def _drop_aged(self, stamp: int) -> int:
        if self._aging is None:
            return 0
        dropped = self._drop_all(self._map.listed(before=stamp - self._aging))
        self.counts.aged += dropped
        return dropped

    def clear_learnt(self) -> int:
        """Drop all learnt entries; returns how many there were."""
        return self._drop_all(self._map.listed(before=STATIC - 1))

    def _drop_all(self, entries: Iterator[tuple[bytes, int, int, int]]) -> int:
        keys, static, learnt = bytearray(), Counter[int](), Counter[int]()
        for key, number, _, stamp in entries:
            keys += key
            (static if stamp == STATIC else learnt)[number] += 1
        self._map.drop(keys, KEY_BITS)
        self._learnt.subtract(learnt)
        self._learnt_in_all -= learnt.total()
        for number, uses in (static + learnt).items():
            self._tunnels.release(number, uses)
        return len(keys) // 16

    def _forget(self, key: bytes) -> bool:
        found = self._map.find(key, KEY_BITS)
        if found is None:
            return False
        self._map.drop(key, KEY_BITS)
        if found.stamp != STATIC:
            self._learnt[found.value] -= 1
            self._learnt_in_all -= 1
        self._tunnels.release(found.value)
        return True

    def entries(self, now: float | None = None) -> list[ForwardingEntry]:
        """All entries, ordered by VNI and address; with *now*, without those that have aged."""
        oldest = -STATIC if now is None else self.oldest(now)
        found = [entry for entry in self._map.listed() if entry[3] >= oldest]
        return [self._entry(*entry) for entry in sorted(found)]

    def _entry(self, key: bytes, number: int, _: int, stamp: int) -> ForwardingEntry:
        vni, mac = MAC_KEY.unpack(key)
        tunnel = self._tunnels.values[number]
        assert tunnel is not None
        return ForwardingEntry(vni, MACAddress(mac), tunnel, None if stamp == STATIC else stamp / 1e9)

    def __iter__(self) -> Iterator[ForwardingEntry]:
        return iter(self.entries())

    # -- floods

    def add_flood(self, vni: int, *tunnels: Tunnel) -> None:
        """Add tunnels that frames take whose destination is a group, or not known; one of them may lead to a group."""
        for tunnel in tunnels:
            self._check(vni, tunnel)
        have = self._flood.get(vni, ())
        new = tuple(tunnel for tunnel in dict.fromkeys(tunnels) if tunnel not in have)
        for tunnel in new:
            self._tunnels.take(tunnel)
        self._flood[vni] = have + new

    def remove_flood(self, vni: int, *tunnels: Tunnel) -> None:
        """Take tunnels out of the flood of a VNI; without any, all of them."""
        have = self._flood.pop(vni, ())
        gone = [tunnel for tunnel in have if tunnel in tunnels or not tunnels]
        if len(gone) < len(have):
            self._flood[vni] = tuple(tunnel for tunnel in have if tunnel not in gone)
        for tunnel in gone:
            number = self._tunnels.number(tunnel)
            assert number is not None
            self._tunnels.release(number)

    def flood(self, vni: int) -> tuple[Tunnel, ...]:
        """The tunnels that frames of a VNI take whose destination is a group, or not known."""
        return self._flood.get(vni, ())

    # -- tunnels and peers

    def _check(self, vni: int, tunnel: Tunnel) -> None:
        """Frames of one VNI do not get into another by way of the table."""
        if not isinstance(tunnel, Tunnel) or tunnel.vni != vni:
            raise _refused("tunnel", tunnel, f"a tunnel of VNI {vni}")

    def tunnel_to(self, vni: int, peer: Address) -> Tunnel | None:
        """The tunnel of a VNI that leads to a peer, of those in the table and its floods."""
        return self._tunnels.first_to(vni, peer)

    @property
    def tunnels(self) -> TunnelTable:
        """The tunnels as `look_up_batch` numbers them, for `encap_batch`; what changes the table may change these."""
        return self._tunnels.as_table()

    def number_of(self, tunnel: Tunnel) -> int:
        """The number of a tunnel in `tunnels`."""
        number = self._tunnels.number(tunnel)
        if number is None:
            raise _refused("tunnel", tunnel, "in the table")
        return number

    # -- batches

    def look_up_batch(self, vni: int | memoryview, frames: FrameBatch, now: float) -> memoryview:
        """The number of the tunnel, or NO_TUNNEL, that leads to each frame's destination, as uint32.

        vni  of all frames, or a uint32 column. A frame that is cut, is for a group, or comes from one, has none.
        """
        return self.found_batch(vni, frames, now)[1]

    def found_batch(self, vni: int | memoryview, frames: FrameBatch, now: float) -> tuple[int, memoryview]:
        """The same, and before it how many frames have a tunnel."""
        out = new_buffer(4 * len(frames))
        found = look_up_macs(self._map.held, _asked(vni, frames, None, self.oldest(now)), out)
        return found, view(out).cast("I") if len(frames) else memoryview(array("I"))

    def learn_batch(
        self,
        vni: int | memoryview,
        frames: FrameBatch,
        sources: memoryview,
        now: float,
        *,
        status: memoryview | None = None,
        tunnel_to: TunnelTo | None = None,
    ) -> None:
        """Learn the sources of frames that came from peers, as `learn` does.

        sources    the peers' addresses in 16 bytes a row, IPv4 as ::ffff:a.b.c.d, as `outer_src.raw` of a `DecapBatch`
        status     uint8: rows are left out that are not OK
        tunnel_to  the tunnel to a peer that none in the table leads to, or None not to learn

        Entries that stay where they are are refreshed by the kernel; only others are looked at in Python.
        """
        rows, stamp = len(frames), stamp_of(now)
        if sources.nbytes != 16 * rows:
            raise _refused("sources", sources.nbytes, f"{rows} addresses of 16 bytes")
        if not self.learning or not rows:
            return
        seen = set()
        for row, marked in enumerate(self._refresh(_asked(vni, frames, status, self.oldest(now)), sources, stamp)):
            if marked:
                of_row = vni if isinstance(vni, int) else vni[row]
                source = of_row, bytes(frames[row][6:12]), bytes(sources[16 * row : 16 * row + 16])
                if source in seen:
                    continue
                seen.add(source)
                if self._is_full(stamp) and self._map.find(MAC_KEY.pack(*source[:2]), KEY_BITS) is None:
                    self.counts.full += 1  # a flood of forged sources is to cost little
                else:
                    self._learn_from(*source, stamp, tunnel_to)

    def _refresh(self, asked: AskedMACs, sources: memoryview, stamp: int) -> bytes:
        """Refresh the entries that are where they were; returns 1 for each row of another one, or nothing."""
        marks = new_buffer(sources.nbytes // 16)
        who = self._tunnels.senders(sources, stamp)
        return bytes(view(marks)) if refresh_macs(self._map.held, asked, who, marks) else b""

    def learn_from(self, vni: int, mac: bytes, peer: Address, now: float, tunnel_to: TunnelTo | None = None) -> bool:
        """Learn the source of a frame that came from a peer; see `learn_batch`."""
        return self.learning and self._learn_from(vni, mac, mapped(peer), stamp_of(now), tunnel_to)

    def _learn_from(self, vni: int, mac: bytes, sender: bytes, stamp: int, tunnel_to: TunnelTo | None) -> bool:
        peer = unmapped(sender)
        tunnel = self.tunnel_to(vni, peer)
        if tunnel is None and tunnel_to is not None:
            tunnel = tunnel_to(vni, peer)
        if tunnel is None:
            self.counts.unknown_peer += 1
            return False
        self._check(vni, tunnel)
        # A tunnel that an entry leads into already stays, where several lead to the peer.
        found = self._map.find(_key(vni, MACAddress(mac)), KEY_BITS)
        if found is not None and (known := self._tunnels.values[found.value]) is not None and known.dst == peer:
            tunnel = known
        return self._learn(vni, MACAddress(mac), tunnel, stamp)

    def __repr__(self) -> str:
        return f"<ForwardingTable of {len(self)} entries, {self.learnt} of them learnt>"


def _asked(vni: int | memoryview, frames: FrameBatch, status: memoryview | None, oldest: int) -> AskedMACs:
    if isinstance(vni, int):
        return AskedMACs(frames.held, _vni(vni), None, status, oldest)
    if vni.format != "I" or len(vni) != len(frames):
        raise _refused("vni", vni, f"a uint32 column of {len(frames)} rows")
    return AskedMACs(frames.held, 0, vni, status, oldest)


def _vni(vni: int) -> int:
    if not isinstance(vni, int) or vni >> 24:
        raise _refused("vni", vni, "a number of 24 bits")
    return vni


def _key(vni: int, mac: MACAddress) -> bytes:
    return MAC_KEY.pack(_vni(vni), mac.packed)


def _station(mac: MACAddress | str | bytes | int) -> MACAddress:
    address = MACAddress(mac)
    if address.is_multicast or address.is_unspecified:
        raise _refused("mac", mac, "the address of one station: add_flood is for groups and for all others")
    return address

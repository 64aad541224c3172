"""A VXLAN tunnel endpoint without sockets and without a clock: bytes in, bytes out (RFC 7348 section 4).

Frames of local hosts go in by `encap`, payloads of peers by `decap`. What came from a tunnel is for local hosts alone:
nothing goes from one tunnel into another (split horizon), as every peer floods to all others by itself.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from vxlanpkt.assigned import EtherType, IPProtocol
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.batches.encapsulated import EncapBatch
from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.bulk.decapsulation import decap_batch
from vxlanpkt.bulk.encapsulation import NO_TUNNEL, encap_batch
from vxlanpkt.decapsulation import Decapsulated, decap
from vxlanpkt.errors import ParseError, Reason, refused_field
from vxlanpkt.layers.base import Layer
from vxlanpkt.layers.vxlan import VXLAN
from vxlanpkt.layers.vxlan_gpe import VXLANGPE
from vxlanpkt.link_types import LinkType
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.tables.forwarding import ForwardingTable, TunnelTo
from vxlanpkt.overlay.tables.neighbours import NeighbourTable
from vxlanpkt.overlay.tables.peer_tunnels import mapped
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.tunnel import Tunnel, TunnelTable

Start = LinkType | type[Layer]

_DEFAULT_POLICY = DecapPolicy()
_ETHERNET_SIZE = 14
_ARP, _IPV6 = EtherType.ARP.to_bytes(2, "big"), EtherType.IPV6.to_bytes(2, "big")
_SOLICITATION = bytes((135,))


class Sending(list[tuple[Tunnel, bytes]]):
    """Where a frame goes: tunnels, each with the frame.

    answer  a frame to be handed to the local host that asked, in place of sending anything; or None
    reason  OK, or why nothing is sent: NO_TUNNEL, INNER_TRUNCATED, INNER_SOURCE
    """

    answer: bytes | None = None
    reason: Reason = Reason.OK


@dataclass(frozen=True, slots=True)
class SendingBatch:
    """Where frames go. A frame that floods has a row for each tunnel.

    frames   the rows, over the bytes of the batch that was given
    tunnels  a table of tunnels
    index    uint32: the tunnel of each row in it, or NO_TUNNEL
    rows     which row of the batch each one is; where nothing was expanded, all of them in order
    answers  frames to be handed to local hosts, by the row of the batch that asked
    """

    frames: FrameBatch
    tunnels: TunnelTable
    index: memoryview
    rows: Sequence[int]
    answers: dict[int, bytes]

    def encap(self, **options: Any) -> EncapBatch:
        """`vxlanpkt.encap_batch` of these rows, with its *options*. Rows that flood share their bytes: not in place."""
        return encap_batch(self.frames, self.tunnels, index=self.index, **options)


@dataclass
class VtepCounts:
    """What became of frames.

    sent         frames of local hosts by `Reason`: OK those that went into a tunnel or more, NO_TUNNEL those that no
                 tunnel was for, INNER_TRUNCATED those that are no frames, INNER_SOURCE those whose source is no station
    received     payloads of peers, by `Reason`
    flooded      frames that were sent into all tunnels of a VNI
    suppressed   questions that were answered here, in place of flooding them
    from_tunnel  frames that came from a tunnel and were to be sent: they were not
    """

    sent: Counter[Reason] = field(default_factory=Counter)
    received: Counter[Reason] = field(default_factory=Counter)
    flooded: int = 0
    suppressed: int = 0
    from_tunnel: int = 0


class Vtep:
    """An endpoint: a forwarding table, neighbours whose questions it answers, and a policy of what it accepts.

    fdb               the table; what it learns of accepted frames, and how much, is its own affair
    neighbours        whose addresses it answers for; None floods all questions
    policy            what is accepted from peers
    tunnel_to         (VNI, peer's address) -> Tunnel: how to reach a peer that no tunnel in the table leads to, so that
                      its hosts are learnt; None, or what gives None, learns from known peers alone
    learn_neighbours  whether to learn from ARP and neighbour discovery that comes from peers

    The clock is the caller's: `now` is in seconds. `counts` says what became of frames, `fdb.counts` what of learning.
    """

    def __init__(
        self,
        fdb: ForwardingTable,
        neighbours: NeighbourTable | None = None,
        *,
        policy: DecapPolicy = _DEFAULT_POLICY,
        tunnel_to: TunnelTo | None = None,
        learn_neighbours: bool = False,
    ) -> None:
        self.fdb = fdb
        self.neighbours = neighbours
        self.policy = policy
        self.tunnel_to = tunnel_to
        self.learn_neighbours = learn_neighbours
        self.counts = VtepCounts()

    # -- one frame

    def encap(self, vni: int, inner: bytes, now: float, *, from_tunnel: bool = False) -> Sending:
        """Where the frame of a local host goes: into the tunnel that leads to its destination, or into all of its VNI.

        from_tunnel  the frame came from a peer: it goes nowhere
        """
        sending = Sending()
        if from_tunnel:
            self.counts.from_tunnel += 1
            sending.reason = Reason.NO_TUNNEL
            return sending
        sending.reason = _unfit(inner)
        if sending.reason is Reason.OK:
            self._choose(vni, bytes(inner), now, sending)
        if sending.answer is None:
            self.counts.sent[sending.reason] += 1
        return sending

    def _choose(self, vni: int, inner: bytes, now: float, sending: Sending) -> None:
        tunnel = None if inner[0] & 1 else self.fdb.look_up(vni, inner[:6], now)
        if tunnel is not None:
            sending.append((tunnel, inner))
            return
        sending.answer = self._answer(vni, inner, now)
        if sending.answer is None:
            sending.extend((tunnel, inner) for tunnel in self.fdb.flood(vni))
            sending.reason = Reason.OK if sending else Reason.NO_TUNNEL
            self.counts.flooded += bool(sending)

    def _answer(self, vni: int, inner: bytes, now: float) -> bytes | None:
        """The answer to a question, if this is one that is answered here."""
        if self.neighbours is None or not _may_ask(inner):
            return None
        answer = self.neighbours.answer(vni, inner, now)
        self.counts.suppressed += answer is not None
        return answer

    def decap(
        self,
        data: bytes,
        now: float,
        *,
        start: Start = LinkType.ETHERNET,
        source: Address | str | None = None,
        tos: int | None = None,
    ) -> Decapsulated:
        """`vxlanpkt.decap` under the endpoint's policy; the table learns where the frame came from.

        source  of a bare payload: the peer that it came from; without it nothing is learnt
        """
        try:
            got = decap(data, policy=self.policy, start=start, source=source, tos=tos)
        except ParseError as error:
            self.counts.received[error.reason] += 1
            raise
        self.counts.received[Reason.OK] += 1
        peer = _peer(got, start, source)
        if got.link_type == LinkType.ETHERNET and peer is not None and len(got.inner) >= _ETHERNET_SIZE:
            self.fdb.learn_from(got.vni, got.inner[6:12], peer, now, self.tunnel_to)
            self._observe(got.vni, got.inner, now)
        return got

    def _observe(self, vni: int, inner: bytes, now: float) -> None:
        if self.learn_neighbours and self.neighbours is not None:
            self.neighbours.observe(vni, inner, now)

    # -- batches

    def encap_batch(self, vni: int | memoryview, batch: FrameBatch, now: float) -> SendingBatch:
        """Where the frames of local hosts go, as `encap` does one by one.

        vni  of all frames, or a uint32 column

        Frames whose destination is known cost no Python; the others are looked at one by one.
        """
        found, index = self.fdb.found_batch(vni, batch, now)
        if found:
            self.counts.sent[Reason.OK] += found
        if found == len(batch):
            return SendingBatch(batch, self.fdb.tunnels, index, range(len(batch)), {})
        return self._expand(vni, batch, now, index)

    def _expand(self, vni: int | memoryview, batch: FrameBatch, now: float, index: memoryview) -> SendingBatch:
        """Look at the frames that no entry is for, and give those that flood a row for each tunnel."""
        rows, numbers = array("I"), array("I")
        answers: dict[int, bytes] = {}
        for row, number in enumerate(index):
            if number != NO_TUNNEL:
                rows.append(row)
                numbers.append(number)
                continue
            sending = self.encap(vni if isinstance(vni, int) else vni[row], _bytes_of(batch, row), now)
            if sending.answer is not None:
                answers[row] = sending.answer
                continue
            found = [self.fdb.number_of(tunnel) for tunnel, _ in sending] or [NO_TUNNEL]
            rows.extend([row] * len(found))
            numbers.extend(found)
        offsets = array("Q", [batch.offsets[row] for row in rows])
        frames = FrameBatch(batch.data, offsets, array("I", [batch.lengths[row] for row in rows]))
        return SendingBatch(frames, self.fdb.tunnels, memoryview(numbers), rows, answers)

    def decap_batch(
        self,
        batch: FrameBatch,
        now: float,
        *,
        start: Start = LinkType.ETHERNET,
        sources: memoryview | Address | str | None = None,
        out: DecapBatch | None = None,
    ) -> DecapBatch:
        """`vxlanpkt.decap_batch` under the endpoint's policy; the table learns where the frames came from.

        sources  of bare payloads: the peers that they came from, 16 bytes each with IPv4 as ::ffff:a.b.c.d; or one peer
                 for all; without it nothing is learnt
        """
        result = decap_batch(batch, policy=self.policy, start=start, out=out)
        self.counts.received.update(result.counts())
        peers = _peers(result, start, sources)
        if peers is not None and len(batch):
            # Not `inner`: frames that the policy alters have their addresses where they were.
            inner = FrameBatch(batch.data, result.inner_offset, result.inner_length)
            self.fdb.learn_batch(
                result.vni, inner, peers, now, status=_ethernet_rows(result), tunnel_to=self.tunnel_to
            )  # fmt: skip
            self._observe_batch(result, now)
        return result

    def _observe_batch(self, result: DecapBatch, now: float) -> None:
        if not self.learn_neighbours or self.neighbours is None:
            return
        for row, (ethertype, protocol) in enumerate(zip(result.inner_ethertype, result.inner_protocol, strict=True)):
            if (ethertype == EtherType.ARP or protocol == IPProtocol.ICMPV6) and not result.status[row]:
                self.neighbours.observe(result.vni[row], bytes(result.inner[row]), now)


def _unfit(inner: bytes | memoryview) -> Reason:
    """Why a host's frame cannot be sent, or OK."""
    if len(inner) < _ETHERNET_SIZE:
        return Reason.INNER_TRUNCATED
    return Reason.INNER_SOURCE if inner[6] & 1 or not any(inner[6:12]) else Reason.OK


def _may_ask(inner: bytes) -> bool:
    """Whether a frame looks like ARP, or a solicitation: few do, and only these are dissected."""
    return inner[12:14] == _ARP or (inner[12:14] == _IPV6 and inner[54:55] == _SOLICITATION)


def _bytes_of(batch: FrameBatch, row: int) -> bytes:
    """A frame; none where the row reaches outside of the buffer, as a kernel sees it."""
    offset, length = batch.offsets[row], batch.lengths[row]
    return bytes(batch[row]) if offset <= len(batch.data) and length <= len(batch.data) - offset else b""


def _peer(got: Decapsulated, start: Start, source: Address | str | None) -> Address | None:
    """The peer that a frame came from."""
    if start in (VXLAN, VXLANGPE):
        address = None if source is None else ip_address(source)
        as_ipv4 = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return address if as_ipv4 is None else as_ipv4
    raw, family = got.record.outer_src, got.record.outer_family
    return IPv4Address(raw[12:]) if family == 4 else IPv6Address(raw)


def _peers(result: DecapBatch, start: Start, sources: memoryview | Address | str | None) -> memoryview | None:
    """The peers that frames came from, as a column of bytes."""
    if start not in (VXLAN, VXLANGPE):
        return result.outer_src.raw
    if sources is None:
        return None
    if isinstance(sources, memoryview):
        if sources.nbytes != 16 * len(result):
            raise refused_field("Vtep", "sources", sources.nbytes, f"{len(result)} addresses of 16 bytes")
        return sources
    return memoryview(mapped(ip_address(sources)) * len(result))


def _ethernet_rows(result: DecapBatch) -> memoryview:
    """The statuses, where what is inside begins with Ethernet."""
    if not result.policy.gpe:
        return result.status
    kinds = zip(result.status, result.inner_link_type, strict=True)
    return memoryview(bytes(status or kind != LinkType.ETHERNET for status, kind in kinds))

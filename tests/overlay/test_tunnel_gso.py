"""Long frames that leave as one: the very bytes, which frames they are, and what becomes of those that may not."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.waiting import eventually
from vxlanpkt import DecapPolicy, FieldError, GroupPolicy, MACAddress, Tunnel

pytest.importorskip("vxlanpkt.overlay._datapathlib", exc_type=ImportError)

from vxlanpkt.overlay import DataPath, Peers
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.datapath.datapath import EventKind
from vxlanpkt.overlay.datapath.peer_views import NextHopTable, PeerView

from .offloads import ECN, NEEDS_CSUM, UDP_L4, Offload, cut
from .test_loop import FakeDevice
from .test_segments import ACK, CWR, FIN, OPTIONS, PSH, long_frame, tcp_frame, udp_frame, unfinished
from .test_sending import Scripted, built, scripted  # noqa: F401
from .tunnel_segments import segments, split

STATION, OTHER = "02:00:00:00:00:02", "02:00:00:00:00:03"
LONG, OFFLOAD = long_frame(bytes(60_000), 1398, 4, False)
PARTS = -(-60_000 // 1398)
WRITER = 2000  # stands for the TAP's descriptor


class Hop(NamedTuple):
    """A next hop."""

    mac: MACAddress = MACAddress("02:00:00:00:0a:01")
    own_mac: MACAddress = MACAddress("02:00:00:00:0a:02")
    mtu: int = 1500


class FakeTunnelGSO:
    """What a data path needs of one: `end` is the kernel's side, and `hops` what it knows."""

    def __init__(self, local: str) -> None:
        self.local = ip_address(local)
        self._near, self.end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._near.setblocking(False)
        self._near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.end.settimeout(3.0)
        self.descriptor = self._near.fileno()
        self.hops: dict[Address, Hop] = {}
        self.asked_again: list[Address] = []
        self.table = NextHopTable(self.local)

    def view(self, peers: Peers) -> PeerView:
        return self.table.view(peers, self.hops.get)

    def look_again(self, address: Address) -> None:
        self.asked_again.append(address)

    def close(self) -> None:
        self._near.close()
        self.end.close()


class Rig:
    """A data path and a peer, both on the loopback interface."""

    def __init__(self, version: int) -> None:
        self.local, self.remote = ("127.0.0.1", "127.0.0.2") if version == 4 else ("::1", "::1")
        self.peer = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        self.peer.bind((self.remote, 0))
        self.peer.settimeout(3.0)
        self.device, self.gso = FakeDevice(), FakeTunnelGSO(self.local)
        self.gso.hops[ip_address(self.remote)] = Hop(mtu=1600)
        fakes: Any = (self.device, self.gso)
        self.path = DataPath(fakes[0], self.local, 0xFFFF, peers=self.peers(self.tunnel()), source_ports=4,
                             tunnel_gso=fakes[1])  # fmt: skip
        self.path.start()

    def tunnel(self, **options: Any) -> Tunnel:
        return Tunnel(1, self.local, self.remote, dst_port=self.peer.getsockname()[1], **options)

    def peers(self, tunnel: Tunnel) -> Peers:
        return Peers.vxlan({STATION: tunnel}, policy=DecapPolicy(ecn="rfc6040"))

    def close(self) -> None:
        self.path.close()
        self.gso.close()
        self.device.close()
        self.peer.close()


@pytest.fixture(scope="module", params=[4, 6], ids=["over-ipv4", "over-ipv6"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made = Rig(request.param)
    yield made
    made.close()


TUNNELS = st.fixed_dictionaries({}, optional={
    "ttl": st.one_of(st.just("inherit"), st.integers(1, 255)),
    "dscp": st.one_of(st.just("inherit"), st.sampled_from([0, 1, 8, 16, 33])),
    "ecn": st.sampled_from(["rfc6040", "linux", "none"]),
    "udp_checksum": st.sampled_from(["zero", "full", "inner"]),
    "flow_label": st.one_of(st.sampled_from(["inherit", "hash"]), st.integers(0, 0xFFFFF)),
    "group_policy": st.builds(GroupPolicy, st.integers(0, 0xFFFF)),
})  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(min_size=1, max_size=300), st.integers(2000, 9000), st.integers(400, 1398), st.sampled_from([4, 6]),
       st.sampled_from([ACK, ACK | PSH, ACK | PSH | FIN, ACK | CWR]), OPTIONS, TUNNELS, st.integers(0, 3),
       st.sampled_from([0, 1, 9, 33]))  # fmt: skip
def test_bytes(rig: Rig, seed: bytes, size: int, segment: int, version: int, flags: int, options: bytes,
               chosen: dict[str, Any], ecn: int, dscp: int) -> None:  # fmt: skip
    """What a kernel cuts of it by its header is what `Tunnel.encap` makes of each segment, byte for byte."""
    payload = (seed * (size // len(seed) + 1))[:size]
    hop_limit: dict[str, Any] = {"ttl": 9} if version == 4 else {"hop_limit": 9, "flow_label": 0x12345}
    frame, offload = long_frame(payload, segment, version, False, flags=flags, options=options, ecn=ecn, dscp=dscp,
                                sequence=2**32 - 3000, **hop_limit)  # fmt: skip
    if flags & CWR:
        offload = offload._replace(gso_type=offload.gso_type | ECN)
    if rig.gso.local.version == 4:
        chosen = {name: value for name, value in chosen.items() if name != "flow_label"}
    tunnel = rig.tunnel(**chosen)
    rig.path.replace_peers(rig.peers(tunnel))
    rig.path._queues[0].tunnel_gso_turn = 0  # it is not the socket's
    rig.device.send(frame, offload)
    parts = cut(frame, offload)
    assert parts is not None
    told, whole = split(rig.gso.end.recv(1 << 17))
    port = int.from_bytes(whole[told.outer_transport : told.outer_transport + 2], "big")
    hop = Hop()
    as_sent = tunnel.replace(src_port=port, src_mac=hop.own_mac, dst_mac=hop.mac)
    assert list(segments(told, whole)) == [
        as_sent.encap(part, **({"identification": at} if rig.gso.local.version == 4 else {}))
        for at, part in enumerate(parts)
    ]
    assert port in rig.path._queues[0].sender_ports
    assert (port - 49152) // 4096 == (_natural_port(tunnel, frame) - 49152) // 4096


def _natural_port(tunnel: Tunnel, frame: bytes) -> int:
    return tunnel.encap_payload(frame).src_port


@pytest.fixture
def writer(scripted: Scripted) -> Scripted:  # noqa: F811
    """A scripted queue with a TAP to write to, whose peer has a next hop."""
    scripted.queue.tunnel_gso = WRITER
    _use(scripted, {STATION: _to("192.0.2.2")}, {"192.0.2.2": Hop()})
    return scripted


def _to(remote: str, **options: Any) -> Tunnel:
    return Tunnel(1, options.pop("src", "192.0.2.1"), remote, **options)


def _use(scripted: Scripted, stations: dict[str, Tunnel], hops: dict[str, Hop], **options: Any) -> NextHopTable:  # noqa: F811
    table = NextHopTable(ip_address("192.0.2.1"))
    view = table.view(Peers.vxlan(stations, **options), {ip_address(key): hop for key, hop in hops.items()}.get)
    scripted.use_view(view)
    return table


def test_one_write(writer: Scripted) -> None:
    """Nothing goes by the socket, and what was sent is counted as if it had been cut."""
    assert writer.send(LONG, OFFLOAD) == 1
    assert writer.column("senders") == [WRITER]
    assert writer.column("sizes") == [24 + 50 + len(LONG)]
    assert writer.counts == {
        "tunnel_gso_frames": 1, "sends": 1, "sent_datagrams": PARTS, "sent_bytes": 60_000 + PARTS * (8 + 54),
    }  # fmt: skip


def test_order(writer: Scripted) -> None:
    """What waits goes before a long frame, and what comes behind it after: both ways end in one queue."""
    short = tcp_frame(b"data")
    told = [Offload(), Offload(), OFFLOAD, OFFLOAD, Offload()]
    assert writer.send_all([short, short, LONG, LONG, short], told) == 4
    sender = writer.column("senders")[0]
    assert writer.column("senders") == [sender, WRITER, WRITER, sender]
    assert writer.column("sizes")[0] == 2 * (8 + len(short))


def test_the_sockets_share(writer: Scripted) -> None:
    """One frame in 61 goes by the socket, also of each of two peers that take turns."""
    _use(writer, {STATION: _to("192.0.2.2"), OTHER: _to("192.0.2.3")}, {"192.0.2.2": Hop(), "192.0.2.3": Hop()})
    other = MACAddress(OTHER).packed + LONG[6:]
    by_socket = {STATION: 0, OTHER: 0}
    for _ in range(61 * 3):
        for station, frame in ((STATION, LONG), (OTHER, other)):
            writer.send(frame, OFFLOAD)
            by_socket[station] += writer.column("senders") != [WRITER]
    assert by_socket == {STATION: 3, OTHER: 3}


_SHORT, _DATAGRAMS = tcp_frame(b"data"), unfinished(udp_frame(bytes(5000)), 4, False, 6)
_JUMBO = long_frame(bytes(65_480), 1398, 4, False)


@pytest.mark.parametrize(("frame", "offload"), [
    (_SHORT, Offload()),
    (_SHORT, Offload(NEEDS_CSUM, checksum_start=34, checksum_offset=16)),
    (_DATAGRAMS, Offload(NEEDS_CSUM, UDP_L4, 0, 1000, 34, 6)),
    (long_frame(bytes(1000), 1398, 4, False)),
    (LONG + b"trailer", OFFLOAD),
    _JUMBO,
], ids=["short", "unfinished", "datagrams", "one segment", "trailer", "too long for IP"])  # fmt: skip
def test_what_the_socket_takes(writer: Scripted, frame: bytes, offload: Offload) -> None:
    """All but long frames of TCP, and what no outer header could tell the length of."""
    writer.send(frame, offload)
    assert WRITER not in writer.column("senders")
    assert writer.counts["sends"] > 0


@pytest.mark.parametrize(("tunnel", "hops"), [
    (_to("192.0.2.2"), {}),
    (_to("192.0.2.2"), {"192.0.2.3": Hop()}),
    (_to("192.0.2.2"), {"192.0.2.2": Hop(mtu=1487)}),
    (_to("192.0.2.2", src="192.0.2.9"), {"192.0.2.2": Hop()}),
    (_to("192.0.2.2", dscp=46), {"192.0.2.2": Hop()}),
    (_to("192.0.2.2", dscp=2), {"192.0.2.2": Hop()}),
], ids=["no hop", "another's", "MTU", "another source", "EF", "low delay"])  # fmt: skip
def test_where_the_socket_is_taken(writer: Scripted, tunnel: Tunnel, hops: dict[str, Hop]) -> None:
    """No next hop, segments that do not fit, and datagrams that the kernel would let overtake others."""
    _use(writer, {STATION: tunnel}, hops)
    writer.send(LONG, OFFLOAD)
    assert WRITER not in writer.column("senders")


def test_least_mtu(writer: Scripted) -> None:
    """A segment of just the MTU fits: 36 bytes of outer headers, 14 and 40 inside, 1398 of data."""
    _use(writer, {STATION: _to("192.0.2.2")}, {"192.0.2.2": Hop(mtu=1488)})
    writer.send(LONG, OFFLOAD)
    assert writer.column("senders") == [WRITER]


def test_floods_go_by_the_socket(writer: Scripted) -> None:
    """Each to its peer."""
    tunnels = [_to("192.0.2.2"), _to("192.0.2.3")]
    _use(writer, {STATION: tunnels[0]}, {"192.0.2.2": Hop(), "192.0.2.3": Hop()}, flood=tunnels)
    writer.send(b"\x02" + b"\x07" * 5 + LONG[6:], OFFLOAD)
    assert WRITER not in writer.column("senders")


@pytest.mark.parametrize("error", [errno.EBADFD, errno.EIO, errno.EINVAL, errno.ENOMEM])
def test_a_tap_that_refuses(writer: Scripted, error: int) -> None:
    """The frame goes by the socket, and so do those behind it for a while; then the TAP is tried again."""
    assert writer.send(LONG, OFFLOAD, (error,)) == 2
    assert writer.column("senders")[0] == WRITER
    assert writer.column("segment_sizes")[1] == 8 + 54 + 1398
    assert writer.counts["tunnel_gso_refused"] == 1
    assert writer.counts["sent_datagrams"] == PARTS
    writer.send(LONG, OFFLOAD)
    assert WRITER not in writer.column("senders")
    while writer.queue.tunnel_gso_pause:
        writer.send(LONG, OFFLOAD)
    writer.send(LONG, OFFLOAD)
    assert writer.column("senders") == [WRITER]


def test_a_tap_that_is_full(writer: Scripted) -> None:
    """No room in time: lost and counted, as where a socket's buffer is full."""
    assert writer.send(LONG, OFFLOAD, (errno.EAGAIN,)) == 1
    assert writer.counts == {"send_buffer_full": PARTS}


def test_interrupted(writer: Scripted) -> None:
    """Written again, but not for ever."""
    assert writer.send(LONG, OFFLOAD, (errno.EINTR,)) == 2
    assert writer.counts["tunnel_gso_frames"] == 1
    writer.send(LONG, OFFLOAD, (errno.EINTR,) * 20)
    assert writer.counts["tunnel_gso_refused"] == 1


# -- next hops that change


def test_next_hops_change(writer: Scripted) -> None:
    """The loops see what is said of a peer from the next frame on; a frame has the addresses of one moment."""
    hops: dict[Address, Hop] = {}
    table = NextHopTable(ip_address("192.0.2.1"))
    writer.use_view(table.view(Peers.vxlan({STATION: _to("192.0.2.2")}), hops.get))
    assert table.addresses == {ip_address("192.0.2.2")}
    for hop, is_one in (
        (None, False),
        (Hop(), True),
        (Hop(mtu=1000), False),
        (Hop(MACAddress(7)), True),
        (None, False),
    ):
        hops.clear()
        if hop is not None:
            hops[ip_address("192.0.2.2")] = hop
        table.update(hops.get)
        writer.send(LONG, OFFLOAD)
        assert (writer.column("senders") == [WRITER]) == is_one


def test_old_views_stay_whole() -> None:
    """What a loop may still have is no longer changed, and not freed while it is held."""
    table = NextHopTable(ip_address("192.0.2.1"))
    hops: dict[Address, Hop] = {ip_address("192.0.2.2"): Hop()}
    peers = Peers.vxlan({STATION: _to("192.0.2.2")})
    old, new = table.view(peers, hops.get), table.view(peers, hops.get)
    assert old.next_hops[0] == new.next_hops[0] != 0
    hops.clear()
    table.update(hops.get)
    assert old.next_hops[0] and not new.next_hops[0]
    assert bytes(old.next_hops[0].macs) == Hop().mac.packed + Hop().own_mac.packed


def test_too_big_is_looked_at_again() -> None:
    """A peer whose path took less than was believed."""
    rig = Rig(4)
    try:
        queue, peer = rig.path._queues[0], ip_address("127.0.0.2")
        rig.path.stop()
        queue.event_count = 1
        queue.events[0].kind = EventKind.TOO_BIG
        queue.events[0].address[0:8] = b"\x02\0" + b"\x12\x34" + peer.packed
        rig.path.start()
        assert eventually(lambda: rig.gso.asked_again) == [peer]
    finally:
        rig.close()


def test_wrong_together() -> None:
    """Tunnel GSO at another address than the data path's, and over bare UDP."""
    gso: Any = FakeTunnelGSO("127.0.0.3")
    tap, tun = FakeDevice(), FakeDevice("tun")
    devices: Any = (tap, tun)
    try:
        for device, peers in zip(devices, (Peers.vxlan({}), Peers.udp({})), strict=True):
            with pytest.raises(FieldError, match="tunnel_gso"):
                DataPath(device, "127.0.0.1", peers=peers, tunnel_gso=gso)
    finally:
        gso.close()
        tap.close()
        tun.close()

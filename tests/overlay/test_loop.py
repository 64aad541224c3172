"""The whole loop without root: a socket pair in place of the device, and UDP over the loopback interface."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.waiting import eventually
from vxlanpkt import VXLAN, DecapError, DecapPolicy, FieldError, ParseError, Reason, Tunnel, decap

pytest.importorskip("vxlanpkt.overlay._datapathlib", exc_type=ImportError)

from vxlanpkt.overlay import DataPath, Ending, Event, EventKind, Features, Peers

from .offloads import DATA_VALID, NEEDS_CSUM, Offload, cut
from .test_segments import long_frame, tcp_frame

HEADER = bytes.fromhex("0800000000000100")
STATION = "02:00:00:00:00:02"
_OFFLOAD = 10


class FakeDevice:
    """What a data path needs of a device; `end` is the kernel's side of it."""

    def __init__(self, kind: str = "tap", features: Features | None = None) -> None:
        self.kind, self.name, self.mtu = kind, "fake", 1450
        self.features = features or Features(*[True] * 7)
        self._near, self.end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._near.setblocking(False)
        for end in (self._near, self.end):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.end.settimeout(3.0)
        self.queues = (self._near.fileno(),)
        self.limit = 0

    def limit_segments(self, count: int) -> None:
        self.limit = count

    def send(self, frame: bytes, offload: Offload | None = None) -> None:
        self.end.send(packed(offload or Offload()) + frame)

    def receive(self) -> tuple[bytes, Offload]:
        data = self.end.recv(1 << 17)
        return data[_OFFLOAD:], unpacked(data[:_OFFLOAD])

    def close(self) -> None:
        self._near.close()
        self.end.close()


def packed(offload: Offload) -> bytes:
    return struct.pack("=BBHHHH", *offload)


def unpacked(data: bytes) -> Offload:
    return Offload(*struct.unpack("=BBHHHH", data))


class Rig:
    """A data path at 127.0.0.1, and a peer at 127.0.0.2."""

    def __init__(self, kind: str = "tap", features: Features | None = None) -> None:
        self.events: list[Event] = []
        self.endings: list[Ending] = []
        self.device = FakeDevice(kind, features)
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind(("127.0.0.2", 0))
        self.peer.settimeout(3.0)
        port = self.peer.getsockname()[1]
        tunnel = Tunnel(1, "127.0.0.1", "127.0.0.2", dst_port=port)
        if kind == "tap":
            # Loopback addresses come from no network, and a policy says so.
            policy = DecapPolicy(ecn="rfc6040")
            peers = Peers.vxlan({STATION: tunnel}, policy=policy)
        else:
            peers = Peers.udp({"10.5.2.0/24": ("127.0.0.2", port), "fc00:5:2::/64": ("127.0.0.2", port)})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        device: Any = self.device
        self.path = DataPath(device, "127.0.0.1", self.port, peers=peers, source_ports=4,
                             on_event=self.events.append, on_end=self.endings.append)  # fmt: skip
        self.path.start()

    def send(self, payload: bytes) -> None:
        self.peer.sendto(payload, ("127.0.0.1", self.port))

    def close(self) -> None:
        self.path.close()
        self.device.close()
        self.peer.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


@pytest.fixture
def tun() -> Iterator[Rig]:
    made = Rig("tun")
    yield made
    made.close()


def test_out(rig: Rig) -> None:
    """A frame from the device goes to its peer behind a VXLAN header, from a port that the flow chose."""
    frame = tcp_frame(b"data")
    rig.device.send(frame)
    payload, origin = rig.peer.recvfrom(2000)
    assert payload == HEADER + frame
    assert origin[0] == "127.0.0.1" and 49152 <= origin[1] < 65536
    assert rig.device.limit == 65507 // 1472


def test_in(rig: Rig) -> None:
    """A datagram from the peer goes to the device without its header."""
    frame = tcp_frame(b"data")
    rig.send(HEADER + frame)
    assert rig.device.receive() == (frame, Offload())


def test_long_frame_out(rig: Rig) -> None:
    """The peer gets what cutting gives."""
    frame, offload = long_frame(bytes(range(256)) * 40, 1398, 4, False)
    rig.device.send(frame, offload)
    parts = cut(frame, offload)
    assert parts is not None
    assert [rig.peer.recv(2000) for _ in parts] == [HEADER + part for part in parts]


def test_many_frames_out(rig: Rig) -> None:
    """Frames that wait for each other stay what they are, in the order in which they came, whatever their sizes."""
    rig.path.stop()
    frames = [tcp_frame(bytes([number]) * (number // 5 % 3 * 300)) for number in range(60)]
    rig.device.end.setblocking(False)
    sent = 0
    while sent < len(frames):
        with contextlib.suppress(BlockingIOError):
            while sent < len(frames):
                rig.device.send(frames[sent])
                sent += 1
        if not rig.path.is_running:
            rig.path.start()
    assert [rig.peer.recv(2000) for _ in frames] == [HEADER + frame for frame in frames]
    # What was sent is counted after it was sent: the peer may have it before.
    assert eventually(lambda: rig.path.counters["sent_datagrams"] == len(frames))
    assert rig.path.counters["sends"] < len(frames)


def test_rest_costs_nothing(rig: Rig) -> None:
    """A data path without traffic uses no processor time."""
    rig.device.send(tcp_frame(b"data"))
    rig.peer.recv(2000)
    (thread,) = (one for one in threading.enumerate() if one.name == "fake queue 0")
    assert eventually(lambda: _rests(thread))
    before = _switches(thread)
    time.sleep(0.3)
    assert _switches(thread) - before <= 2


def _rests(thread: threading.Thread) -> bool:
    before = _switches(thread)
    time.sleep(0.05)
    return _switches(thread) == before


def _switches(thread: threading.Thread) -> int:
    """How often a thread gave the processor up or lost it: one that looks again and again does so all the time."""
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)


def test_run_in(rig: Rig) -> None:
    """Datagrams that come as one run are joined to one frame."""
    frame, offload = long_frame(bytes(range(256)) * 40, 1398, 4, False)
    parts = cut(frame, offload)
    assert parts is not None
    rig.peer.setsockopt(17, 103, 8 + len(parts[0]))  # UDP_SEGMENT
    rig.send(b"".join(HEADER + part for part in parts))
    got, said = rig.device.receive()
    if got != parts[0]:  # the loopback interface of this kernel hands runs on as they are
        assert (got, said) == (frame, offload._replace(header_length=54))
        assert eventually(lambda: rig.path.counters["coalesced"] == len(parts))


def test_without_vnet_header() -> None:
    """A device without offloads gets frames and nothing before them, finished and cut."""
    rig = Rig(features=Features())
    try:
        frame, offload = long_frame(bytes(4000), 1398, 4, False)
        rig.send(HEADER + frame)
        got = [rig.device.end.recv(2000) for _ in range(4)]
        wanted = cut(frame, offload._replace(gso_size=1240))
        assert got == wanted
        rig.device.end.send(got[0])
        assert rig.peer.recv(2000) == HEADER + got[0]
    finally:
        rig.close()


def test_the_trap(rig: Rig) -> None:
    """Unfinished and long, as a kernel behind a veth sends them."""
    frame, _ = long_frame(bytes(5000), 1398, 4, False)
    rig.send(HEADER + frame)
    assert rig.device.receive() == (frame, Offload(NEEDS_CSUM, 1, 54, 1240, 34, 16))


@pytest.mark.parametrize("outer", range(4))
@pytest.mark.parametrize("inner", range(4))
def test_congestion_marks(rig: Rig, outer: int, inner: int) -> None:
    """The outer mark is carried inwards as `decap` does, or the frame is refused."""
    frame = tcp_frame(b"data", ecn=inner)
    rig.peer.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, outer)
    rig.send(HEADER + frame)
    if outer == 3 and inner == 0:
        assert eventually(lambda: rig.path.reasons) == {Reason.ECN_CONGESTION: 1}
        return
    got, _ = rig.device.receive()
    wanted = {(3, 1): 3, (3, 2): 3, (1, 2): 1}.get((outer, inner), inner)
    assert got == tcp_frame(b"data", ecn=wanted)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(
    st.binary(max_size=80),
    st.binary(max_size=80).map(lambda data: HEADER + data),
    st.tuples(st.integers(0, 60), st.integers(0, 255)).map(lambda change: _changed(HEADER + tcp_frame(b"x"), *change)),
), max_size=20))  # fmt: skip
def test_hostile(rig: Rig, payloads: list[bytes]) -> None:
    """Every datagram is counted under the reason that `decap` gives."""
    policy = DecapPolicy(ecn="rfc6040", vnis=[1])
    before = rig.path.reasons
    wanted = dict(before)
    for payload in payloads:
        rig.send(payload)
        reason = Reason.OK
        try:
            decap(payload, start=VXLAN, policy=policy, source="127.0.0.2")
        except (DecapError, ParseError) as error:
            reason = error.reason
        wanted[reason] = wanted.get(reason, 0) + 1
    assert eventually(lambda: sum(rig.path.reasons.values()) == sum(wanted.values()))
    assert rig.path.reasons == wanted
    while rig.path.counters["device_writes"] and _drained(rig):
        pass


def test_strangers(rig: Rig) -> None:
    """Refused, in the order of checks that `decap` has."""
    policy = DecapPolicy(ecn="rfc6040", vnis=[1], allowed_sources=["127.0.0.2/32"])
    wanted: dict[Reason, int] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.9", 0))
        for payload in (
            b"",
            HEADER,
            HEADER + bytes(5),
            HEADER + tcp_frame(b"x"),
            b"\0" + HEADER[1:],
            HEADER[:6] + b"\2\0",
        ):
            stranger.sendto(payload, ("127.0.0.1", rig.port))
            with pytest.raises(ParseError) as caught:
                decap(payload, start=VXLAN, policy=policy, source="127.0.0.9")
            wanted[caught.value.reason] = wanted.get(caught.value.reason, 0) + 1
    assert eventually(lambda: rig.path.reasons == wanted)
    assert wanted[Reason.SOURCE_REFUSED] == 3


def test_a_hook_may_stop(rig: Rig) -> None:
    """What is told of an event ends the data path."""
    rig.path._on_event = lambda event: rig.path.stop()
    rig.device.send(b"\x02" + b"\x07" * 5 + tcp_frame(b"")[6:])
    assert eventually(lambda: not rig.path.is_running)


def test_peers_that_do_not_fit(rig: Rig) -> None:
    """Those of the other backend, or of another IP version, are refused, and the old ones stay."""
    before = rig.path.peers
    for wrong in (Peers.udp({}), Peers.vxlan({STATION: Tunnel(1, "::1", "::2")})):
        with pytest.raises(FieldError):
            rig.path.replace_peers(wrong)
    assert rig.path.peers is before


def test_start_and_stop(rig: Rig) -> None:
    """Twice is an error, and so is the start of what is closed."""
    with pytest.raises(RuntimeError, match="runs already"):
        rig.path.start()
    rig.path.stop()
    rig.path.stop()
    rig.path.start()
    rig.path.close()
    rig.path.close()
    with pytest.raises(RuntimeError, match="is closed"):
        rig.path.start()


def _changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


def _drained(rig: Rig) -> bool:
    rig.device.end.setblocking(False)
    try:
        rig.device.end.recv(1 << 17)
    except BlockingIOError:
        return False
    finally:
        rig.device.end.settimeout(3.0)
    return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=200), max_size=20), st.sampled_from(["tap", "tun"]))
def test_anything_from_the_device(payloads: list[bytes], kind: str) -> None:
    """No frame, and nothing said of it, ends the loop."""
    rig = Rig(kind)
    try:
        for payload in payloads:
            rig.device.end.send(payload)
        rig.device.send(tcp_frame(b"data", raw=kind == "tun"))
        assert eventually(lambda: rig.path.counters["device_reads"] >= len(payloads))
        assert rig.path.is_running
    finally:
        rig.close()


def test_bare_udp(tun: Rig) -> None:
    """TTL and its checksum, both ways; longest prefix; whoever has no hop left is told of."""
    packet = tcp_frame(b"data", raw=True)
    tun.device.send(packet)
    assert tun.peer.recv(2000) == tcp_frame(b"data", raw=True, ttl=63)
    tun.send(packet)
    assert tun.device.receive()[0] == tcp_frame(b"data", raw=True, ttl=63)
    tun.device.send(tcp_frame(b"data", raw=True, version=6))
    assert tun.peer.recv(2000) == tcp_frame(b"data", raw=True, version=6, hop_limit=63)
    for ttl in (0, 1):
        tun.device.send(tcp_frame(b"", raw=True, ttl=ttl))
        tun.send(tcp_frame(b"", raw=True, ttl=ttl))
    told = eventually(lambda: tun.events if len(tun.events) == 4 else None)
    assert told and {event.kind for event in told} == {EventKind.TIME_EXCEEDED}
    assert eventually(lambda: tun.path.counters["time_exceeded"] == 4)


@pytest.mark.parametrize("ttl", range(2, 256))
def test_ttl_checksum(tun: Rig, ttl: int) -> None:
    """Patched, the checksum is the one that is computed, for every TTL."""
    tun.device.send(tcp_frame(b"", raw=True, ttl=ttl, identification=ttl * 257))
    assert tun.peer.recv(2000) == tcp_frame(b"", raw=True, ttl=ttl - 1, identification=ttl * 257)


def test_a_run_of_segments_is_valid(rig: Rig) -> None:
    """One segment of a run whose checksum was looked at needs no second look."""
    first, second = tcp_frame(bytes(500), sequence=1), tcp_frame(bytes(500), sequence=90000)
    rig.peer.setsockopt(17, 103, 8 + len(first))
    rig.send(HEADER + first + HEADER + second)
    got = [rig.device.receive() for _ in range(2)]
    assert [frame for frame, _ in got] == [first, second]
    assert {offload.flags for _, offload in got} <= {0, DATA_VALID}


def test_closed_device(rig: Rig) -> None:
    """A descriptor that is closed under the loop ends it, and says so."""
    os.close(os.dup(rig.device.queues[0]))
    rig.device._near.close()
    rig.send(HEADER + tcp_frame(b""))
    assert eventually(lambda: rig.endings) == [Ending.DEVICE_GONE]
    assert eventually(lambda: not rig.path.is_running)


def test_wrong_together() -> None:
    """What does not fit is refused before anything is opened."""
    tap: Any = FakeDevice()
    try:
        with pytest.raises(FieldError, match="TUN for bare UDP"):
            DataPath(tap, "127.0.0.1", peers=Peers.udp({}))
        with pytest.raises(FieldError, match="reached over IPv6"):
            DataPath(tap, "::1", peers=Peers.vxlan({STATION: Tunnel(1, "127.0.0.1", "127.0.0.2")}))
        with pytest.raises(FieldError, match="from 1 to 64"):
            DataPath(tap, "127.0.0.1", peers=Peers.vxlan({}), source_ports=65)
    finally:
        tap.close()

"""What the loops make of each error of sendmsg, and what they hand to it: over one that does as the test says."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI

import vxlanpkt
from vxlanpkt import MACAddress, Tunnel

pytest.importorskip("vxlanpkt.overlay._datapathlib", exc_type=ImportError)

from vxlanpkt.overlay import Peers
from vxlanpkt.overlay.datapath.datapath import _COUNTS, EventKind
from vxlanpkt.overlay.datapath.loops import load
from vxlanpkt.overlay.datapath.peer_views import PeerView

from .offloads import Offload
from .test_segments import long_frame, tcp_frame

ROOT = Path(vxlanpkt.__file__).parent
_DECLARED = """
extern int32_t script[256];
extern uint32_t script_length, calls, segment_sizes[256], sizes[256];
extern int32_t type_of_service[256], time_to_live[256], senders[256];
void scripted_send(struct vxlanpkt_queue *queue, uint8_t *frames, const uint64_t *sizes_of_frames, uint32_t count,
                   const struct vxlanpkt_offload *offloads);
"""
_STATION = "02:00:00:00:00:02"  # where the frames of test_segments go


def _new_ffi() -> Any:
    return FFI()


class Scripted:
    """A queue over the scripted sendmsg."""

    def __init__(self, path: Path) -> None:
        self.ffi = _new_ffi()
        self.ffi.cdef((ROOT / "overlay" / "csrc" / "datapath.h").read_text())
        self.ffi.cdef(_DECLARED)
        self.lib: Any = self.ffi.dlopen(str(path))
        self.queue: Any = self.ffi.new("struct vxlanpkt_queue *")
        self.stop, self.other = os.pipe()
        self.queue.stop = self.stop
        self.queue.sender_count, self.queue.ttl, self.queue.mtu = 16, 64, 1450
        for at in range(16):
            self.queue.senders[at] = 1000 + at  # no descriptors: waiting for room in their buffers fails at once
        self.use(Peers.vxlan({_STATION: Tunnel(1, "192.0.2.1", "192.0.2.2")}))

    def use(self, peers: Peers) -> None:
        self.use_view(PeerView(peers, peers.pointer))

    def use_view(self, view: PeerView) -> None:
        self.view = view
        ours, _ = load()
        self.queue.peers = self.ffi.cast("struct vxlanpkt_peers *", int(ours.cast("uintptr_t", view.pointer)))

    def send(self, frame: bytes, offload: Offload | None = None, script: tuple[int, ...] = ()) -> int:
        """Send a frame, with these errors in turn; how many calls there were."""
        return self.send_all([frame], [offload or Offload()], script)

    def send_all(self, frames: list[bytes], offloads: list[Offload] | None = None, script: tuple[int, ...] = ()) -> int:
        """The same of frames that stand in the device's queue together."""
        self.lib.calls, self.lib.script_length = 0, len(script)
        for at, error in enumerate(script):
            self.lib.script[at] = error
        told = self.ffi.new("struct vxlanpkt_offload[]", [tuple(one) for one in offloads or [Offload()] * len(frames)])
        data, sizes = self.ffi.new("uint8_t[]", b"".join(frames)), self.ffi.new("uint64_t[]", [*map(len, frames)])
        self.lib.scripted_send(self.queue, data, sizes, len(frames), told)
        return int(self.lib.calls)

    @property
    def counts(self) -> dict[str, int]:
        """What was counted, without what was not."""
        return {name: self.queue.counts[at] for at, name in _COUNTS.items() if self.queue.counts[at]}

    @property
    def events(self) -> list[int]:
        return [self.queue.events[at].kind for at in range(self.queue.event_count)]

    def column(self, name: str) -> list[int]:
        """What each call was handed."""
        return list(getattr(self.lib, name))[: self.lib.calls]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    out = tmp_path_factory.mktemp("scripted") / "scripted.so"
    source = Path(__file__).with_name("scripted.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-std=c11", "-Wall", "-Wextra", f"-I{ROOT}", str(source),
                    "-o", str(out)], check=True)  # fmt: skip
    return out


@pytest.fixture
def scripted(built: Path) -> Iterator[Scripted]:
    made = Scripted(built)
    yield made
    os.close(made.stop)
    os.close(made.other)


LONG, OFFLOAD = long_frame(bytes(60_000), 1398, 4, False)
PARTS = -(-60_000 // 1398)
SIZE = 8 + 54 + 1398


def test_one_call_for_a_long_frame(scripted: Scripted) -> None:
    """All parts are one size but the last, and together one call."""
    assert scripted.send(LONG, OFFLOAD) == 1
    assert scripted.column("segment_sizes") == [SIZE]
    assert scripted.column("sizes") == [60_000 + PARTS * (8 + 54)]
    assert scripted.counts["sent_datagrams"] == PARTS


def test_many_short_parts(scripted: Scripted) -> None:
    """A call takes 64 at most, and 65,507 bytes."""
    frame, offload = long_frame(bytes(20_000), 100, 4, False)
    assert scripted.send(frame, offload) == 4
    assert scripted.column("sizes") == [64 * 162] * 3 + [8 * 162]
    frame, offload = long_frame(bytes(65_000), 1440, 4, False)
    assert scripted.send(frame, offload) == 2
    assert scripted.column("sizes")[0] == 65_507 // 1502 * 1502


@pytest.mark.parametrize("error", [errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT])
def test_no_segmentation_on_the_way_out(scripted: Scripted, error: int) -> None:
    """Datagrams then go one by one; the frames behind it are not tried at once, and later are again."""
    assert scripted.send(LONG, OFFLOAD, (error,)) == 1 + PARTS
    assert scripted.column("segment_sizes") == [SIZE] + [0] * PARTS
    assert scripted.counts["sent_datagrams"] == PARTS
    assert scripted.counts["segmentation_refused"] == 1
    assert scripted.send(LONG, OFFLOAD) == PARTS
    while scripted.queue.segmentation_pause:
        scripted.send(LONG, OFFLOAD)
    assert scripted.send(LONG, OFFLOAD) == 1


def test_too_big(scripted: Scripted) -> None:
    """The path's MTU is smaller: all that is left is counted, and Python is told once."""
    assert scripted.send(LONG, OFFLOAD, (errno.EMSGSIZE,) * 2) == 2
    assert scripted.counts["too_big"] == PARTS
    assert scripted.events == [EventKind.TOO_BIG]
    assert scripted.send(LONG, OFFLOAD) == 1


@pytest.mark.parametrize(("error", "name"), [
    (errno.ENOBUFS, "no_buffers"), (errno.ENOMEM, "no_buffers"), (errno.EAGAIN, "send_buffer_full"),
    (errno.ENETUNREACH, "send_errors"), (errno.EPERM, "send_errors"), (errno.EBADF, "send_errors"),
])  # fmt: skip
def test_lost(scripted: Scripted, error: int, name: str) -> None:
    """What cannot be sent is lost and counted, and nothing waits for it."""
    assert scripted.send(tcp_frame(b"short"), script=(error,)) == 1
    assert scripted.send(LONG, OFFLOAD, (error,)) == 1
    assert scripted.counts[name] == 1 + PARTS
    assert scripted.send(LONG, OFFLOAD) == 1


@pytest.mark.parametrize("error", [errno.EINTR, errno.ECONNREFUSED])
def test_again(scripted: Scripted, error: int) -> None:
    """An error that is none of this datagram's: it is sent again, but not for ever."""
    assert scripted.send(tcp_frame(b"short"), script=(error,)) == 2
    assert scripted.counts["sent_datagrams"] == 1
    assert scripted.send(tcp_frame(b"short"), script=(error,) * 20) == 6
    assert scripted.counts["send_errors"] == 1


@pytest.mark.parametrize("options", [
    {}, {"dscp": 46}, {"dscp": "inherit"}, {"ecn": "none"}, {"ecn": "linux"}, {"ttl": 9}, {"ttl": "inherit"},
])  # fmt: skip
@pytest.mark.parametrize("ecn", [0, 1, 2, 3])
def test_outer_fields(scripted: Scripted, options: dict[str, Any], ecn: int) -> None:
    """TOS, TTL and the place of the source port are those of `Tunnel.encap_payload`."""
    tunnel = Tunnel(1, "192.0.2.1", "192.0.2.2", **options)
    scripted.use(Peers.vxlan({_STATION: tunnel}))
    for ports in range(5):
        frame = bytearray(tcp_frame(b"data", ecn=ecn, dscp=10, ttl=33))
        frame[35] = ports
        datagram = tunnel.encap_payload(bytes(frame))
        assert scripted.send(bytes(frame)) == 1
        assert scripted.column("type_of_service") == [datagram.tos or -1]
        assert scripted.column("time_to_live") == [datagram.ttl if datagram.ttl != 64 else -1]
        assert scripted.column("sizes") == [len(datagram.payload)]
        assert scripted.column("senders") == [1000 + (datagram.src_port - 49152) // 1024]


def test_flood(scripted: Scripted) -> None:
    """A group's frame goes to each of the list, a known station's to its peer alone."""
    tunnels = [Tunnel(1, "192.0.2.1", f"192.0.2.{at}") for at in (2, 3, 4)]
    scripted.use(Peers.vxlan({_STATION: tunnels[0]}, flood=tunnels))
    frame = tcp_frame(b"")
    assert scripted.send(frame) == 1
    assert scripted.send(b"\xff" * 6 + frame[6:]) == 3
    assert scripted.send(b"\x02" + b"\x07" * 5 + frame[6:]) == 3
    scripted.use(Peers.vxlan({_STATION: tunnels[0]}))
    assert scripted.send(b"\xff" * 6 + frame[6:]) == 0
    assert scripted.send(b"\x02" + b"\x07" * 5 + frame[6:]) == 0
    assert scripted.events == [EventKind.UNKNOWN_DESTINATION]


def test_events_are_bounded(scripted: Scripted) -> None:
    """A flood of frames to nobody fills the ring, and is counted from there on."""
    for _ in range(100):
        scripted.send(b"\x02" + b"\x07" * 5 + tcp_frame(b"")[6:])
    assert (scripted.counts["events"], scripted.counts["events_lost"]) == (64, 36)


def test_frames_of_one_size_go_together(scripted: Scripted) -> None:
    """What stands in the device's queue leaves in one call; a shorter frame is the last one of its run."""
    long, short = tcp_frame(bytes(1000)), tcp_frame(b"")
    assert scripted.send_all([long, long, long, short, long]) == 2
    assert scripted.column("segment_sizes") == [8 + len(long), 0]
    assert scripted.column("sizes") == [3 * (8 + len(long)) + 8 + len(short), 8 + len(long)]
    assert scripted.counts["sends"] == 2
    assert scripted.counts["sent_datagrams"] == 5


def test_longer_frames_begin_a_run(scripted: Scripted) -> None:
    """Only the last datagram of a run may be of another size, and it is shorter."""
    assert scripted.send_all([tcp_frame(bytes(size)) for size in (10, 11, 11, 12)]) == 3
    assert scripted.counts["sent_datagrams"] == 4


def test_a_run_has_one_way(scripted: Scripted) -> None:
    """Another peer, another source port, another DSCP: another call."""
    other = "02:00:00:00:00:03"
    scripted.use(Peers.vxlan({
        _STATION: Tunnel(1, "192.0.2.1", "192.0.2.2", dscp="inherit"),
        other: Tunnel(1, "192.0.2.1", "192.0.2.3", dscp="inherit"),
    }))  # fmt: skip
    frame = tcp_frame(b"data")
    elsewhere = MACAddress(other).packed + frame[6:]
    marked = frame[:15] + b"\xb8" + frame[16:]
    assert scripted.send_all([frame, frame, elsewhere, frame, marked, marked]) == 4
    assert scripted.counts["sent_datagrams"] == 6


def test_most_in_a_run(scripted: Scripted) -> None:
    """As many datagrams and bytes as the kernel takes at once."""
    assert scripted.send_all([tcp_frame(b"")] * 70) == 2
    assert scripted.send_all([tcp_frame(bytes(1400))] * 46) == 2
    assert max(scripted.column("sizes")) <= 65507


def test_long_frames_keep_their_place(scripted: Scripted) -> None:
    """What waits goes before a frame that is cut."""
    frame = tcp_frame(b"data")
    assert scripted.send_all([frame, frame, LONG, frame], [Offload(), Offload(), OFFLOAD, Offload()]) == 3
    assert scripted.column("segment_sizes") == [8 + len(frame), SIZE, 0]


@pytest.mark.parametrize("error", [errno.EIO, errno.EMSGSIZE])
def test_a_refused_run_goes_one_by_one(scripted: Scripted, error: int) -> None:
    """And of each frame that is too big Python is told."""
    frames = [tcp_frame(bytes([number]) * 400) for number in range(3)]
    assert scripted.send_all(frames, script=(error, 0, errno.EMSGSIZE, 0)) == 4
    assert scripted.counts["segmentation_refused"] == 1
    assert scripted.counts["sent_datagrams"] == 2
    assert scripted.events == [EventKind.TOO_BIG]
    assert bytes(scripted.queue.events[0].head)[: len(frames[1])] == frames[1]


@pytest.mark.parametrize(("error", "name"), [(errno.ENOBUFS, "no_buffers"), (errno.EPERM, "send_errors")])
def test_a_lost_run_is_counted(scripted: Scripted, error: int, name: str) -> None:
    """All of its datagrams."""
    assert scripted.send_all([tcp_frame(b"data")] * 3, script=(error,)) == 1
    assert scripted.counts[name] == 3

"""AF_PACKET ends for the live tests: whole frames in and out of a device, with VLAN tags put back."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .namespaces import Namespace

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_AUXDATA = 8
_PACKET_IGNORE_OUTGOING = 23
_SO_MARK = 36
_SO_RCVMARK = 75
_TP_STATUS_CSUMNOTREADY = 0x08
_TP_STATUS_VLAN_VALID = 0x10
_TP_STATUS_VLAN_TPID_VALID = 0x40
_AUXDATA = struct.Struct("=IIIHHHH")
_SNAP = 70_000
_ANCILLARY = 256


class Seen(NamedTuple):
    """A frame read from a device: its bytes, the packet's mark, whether its checksum is still to be filled in."""

    data: bytes
    mark: int
    partial: bool


class Wire:
    """A raw end at one device: `send` transmits a frame there, `receive` reads those that arrive."""

    def __init__(self, namespace: Namespace, device: str) -> None:
        self.device = device
        self._socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVMARK, 1)
            self._socket.bind((device, _ETH_P_ALL))
        except BaseException:
            self._socket.close()
            raise

    def send(self, frame: bytes, mark: int = 0) -> None:
        """Transmit *frame* out of the device; *mark* is what the vxlan device puts in the group policy fields."""
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
        self._socket.send(frame)

    def receive_until(self, wanted: Callable[[bytes], bool], seconds: float = 10.0) -> list[Seen]:
        """All that arrives up to and including the first frame that is *wanted*, or until the time is over."""
        deadline = time.monotonic() + seconds
        seen: list[Seen] = []
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data, ancillary, _, _ = self._socket.recvmsg(_SNAP, _ANCILLARY)
            except TimeoutError:
                break
            seen.append(_whole(data, ancillary))
            if wanted(seen[-1].data):
                break
        return seen

    def receive(self, wanted: Callable[[bytes], bool], seconds: float = 10.0) -> Seen:
        """The first frame that is *wanted*; neighbour discovery and the like are passed over."""
        seen = self.receive_until(wanted, seconds)
        if not seen or not wanted(seen[-1].data):
            others = "\n".join(one.data.hex() for one in seen) or "nothing at all"
            raise AssertionError(f"the frame did not arrive at {self.device} in {seconds} s; instead:\n{others}")
        return seen[-1]

    def close(self) -> None:
        self._socket.close()


@contextmanager
def one_processor() -> Iterator[None]:
    """Keep this thread on one processor: the kernel then takes frames in the order in which they were sent."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _whole(data: bytes, ancillary: list[tuple[int, int, bytes]]) -> Seen:
    """The frame as it was on the wire: the kernel hands out a VLAN tag beside the frame, not in it."""
    mark = 0
    partial = False
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_MARK:
            (mark,) = struct.unpack_from("=I", value)
        elif level == _SOL_PACKET and kind == _PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = _AUXDATA.unpack_from(value)
            partial = bool(status & _TP_STATUS_CSUMNOTREADY)
            if status & _TP_STATUS_VLAN_VALID:
                ethertype = tpid if status & _TP_STATUS_VLAN_TPID_VALID else 0x8100
                data = data[:12] + struct.pack("!HH", ethertype, tci) + data[12:]
    return Seen(data, mark, partial)

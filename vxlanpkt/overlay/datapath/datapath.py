"""DataPath: frames between a TAP and peers over VXLAN, or packets between a TUN and peers over bare UDP.

The loops are C and hold no lock of Python's; everything here is control. Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import errno
import logging
import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from vxlanpkt import Reason
from vxlanpkt.errors import refused_field
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.datapath.devices import Device
from vxlanpkt.overlay.datapath.loops import load
from vxlanpkt.overlay.datapath.peer_views import PeerView
from vxlanpkt.overlay.datapath.peers import Peers, unpack_address

if TYPE_CHECKING:
    from vxlanpkt.overlay.datapath.tunnel_gso import TunnelGSO

_ffi, _lib = load()
_logger = logging.getLogger(__name__)
_refused = partial(refused_field, "DataPath")

_EPHEMERAL = (49152, 65536)  # RFC 6335 dynamic ports, as `Tunnel` takes them
_TTL = 64
_MOST_IN_RUN, _LARGEST_RUN, _VXLAN_HEADERS = 64, 65507, 8 + 14  # as csrc/sending.h has them
_DEFAULT_BUFFER = 8 << 20
_UDP_GRO, _SOL_UDP = 104, 17
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE, _SO_ATTACH_FILTER = 33, 32, 26
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_DO = 10, 23, 2
_IP_RECVTOS, _IPV6_RECVTCLASS, _IPV6_AUTOFLOWLABEL = 13, 66, 70
_COUNTS = {
    int(number): name.removeprefix("COUNT_").lower()
    for number, name in _ffi.typeof("enum vxlanpkt_count").elements.items()
}
_REASONS = {int(reason): reason for reason in Reason}


class EventKind(enum.IntEnum):
    """What a data path tells of."""

    UNKNOWN_DESTINATION = _lib.EVENT_UNKNOWN_DESTINATION  # no peer has the address, and there is nobody to flood
    TOO_BIG = _lib.EVENT_TOO_BIG  # the path to the peer takes no datagrams of this size
    TIME_EXCEEDED = _lib.EVENT_TIME_EXCEEDED  # TTL or hop limit was used up (TUN only)


class Event(NamedTuple):
    """A frame or packet that went nowhere.

    peer     address and port of the peer that it was for, or None
    length   of the frame; `head` is its first bytes, at most 600
    inward   whether it came from a peer
    """

    kind: EventKind
    peer: tuple[Address, int] | None
    length: int
    inward: bool
    head: bytes


class Ending(enum.IntEnum):
    """Why a queue runs no more."""

    STOPPED = _lib.HALT_STOPPED
    DEVICE_GONE = _lib.HALT_DEVICE_GONE
    SOCKET_GONE = _lib.HALT_SOCKET_GONE


class DataPath:
    """The packet loops of one device: a thread for each of its queues, from `start` to `stop`."""

    def __init__(
        self,
        device: Device,
        local: Address | str,
        port: int | None = None,
        *,
        peers: Peers,
        source_ports: int = 16,
        buffer_size: int = _DEFAULT_BUFFER,
        tunnel_gso: TunnelGSO | None = None,
        on_event: Callable[[Event], None] | None = None,
        on_end: Callable[[Ending], None] | None = None,
    ) -> None:
        """Open the sockets, in the network namespace of this thread.

        device        a TAP for peers made by `Peers.vxlan`, a TUN for those by `Peers.udp`
        local         the address on the underlay
        port          where datagrams are received: 8472 as flannel's vxlan backend if not given, or 8285 as its udp one
        peers         who to send to and take from; `replace_peers` gives others at any time
        source_ports  for VXLAN, how many UDP source ports flows are spread over by their hash; each is a socket. Bare
                      UDP is sent from *port*
        buffer_size   bytes of each socket's buffers
        tunnel_gso    the interface below by which long frames of TCP leave as one, for VXLAN; close it after the path
        on_event      called in the queue's thread, which waits for it: of what went nowhere. At most 64 in 20 ms are
                      told; `counters` knows of the others. What it raises is logged
        on_end        called in the queue's thread when a queue ends by itself, as its device or socket is gone

        Raises `FieldError` for what does not go together, `OSError` for what the kernel refuses.
        """
        if peers.is_udp != (device.kind == "tun"):
            raise _refused("device", device.kind, "a TUN for bare UDP, and a TAP for VXLAN")
        if not 0 < source_ports <= _lib.DATAPATH_SENDERS:
            raise _refused("source_ports", source_ports, f"from 1 to {_lib.DATAPATH_SENDERS}")
        self.device = device
        self.local = ip_address(local)
        if tunnel_gso is not None and (peers.is_udp or tunnel_gso.local != self.local):
            raise _refused("tunnel_gso", tunnel_gso, "one at the address of a data path for VXLAN")
        self.port = port or (8285 if peers.is_udp else 8472)
        self._on_event, self._on_end = on_event, on_end
        self._buffer_size = buffer_size
        self._tunnel_gso = tunnel_gso
        self._view = self._viewed(peers)
        self._retired: list[PeerView] = []
        self._changing = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._stop = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            receivers = [self._open_receiver(len(device.queues) > 1) for _ in device.queues]
            senders = [] if peers.is_udp else self._open_senders(source_ports)
        except BaseException:
            self._close_sockets()
            raise
        self._queues = [
            self._new_queue(queue, receiver, senders or [receiver])
            for queue, receiver in zip(device.queues, receivers, strict=True)
        ]
        self.endings: list[Ending] = []  # of the queues that ended by themselves

    def _checked(self, peers: Peers) -> Peers:
        if peers.version not in (0, self.local.version):
            raise _refused("peers", f"IPv{peers.version}", f"reached over IPv{self.local.version}, as local is")
        if peers.is_udp != (self.device.kind == "tun"):
            raise _refused("peers", peers, "of the same backend as before")
        return peers

    def _viewed(self, peers: Peers) -> PeerView:
        self._checked(peers)
        return PeerView(peers, peers.pointer) if self._tunnel_gso is None else self._tunnel_gso.view(peers)

    def _new_queue(self, device: int, receiver: socket.socket, senders: list[socket.socket]) -> Any:
        features = self.device.features
        queue = _ffi.new("struct vxlanpkt_queue *")
        queue.peers = self._view.pointer
        queue.tunnel_gso = -1 if self._tunnel_gso is None else self._tunnel_gso.descriptor
        queue.device, queue.receiver, queue.stop = device, receiver.fileno(), self._stop
        for at, sender in enumerate(senders):
            queue.senders[at], queue.sender_ports[at] = sender.fileno(), sender.getsockname()[1]
        queue.sender_count = len(senders)
        queue.raw, queue.ipv6, queue.ttl = self.device.kind == "tun", self.local.version == 6, _TTL
        queue.vnet_header = features.vnet_header
        queue.long_frames4, queue.long_frames6 = features.tso4, features.tso6
        return queue

    # -- sockets

    def _open_socket(self) -> socket.socket:
        opened = socket.socket(socket.AF_INET if self.local.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        self._sockets.append(opened)
        opened.setblocking(False)
        if self.local.version == 4:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, _TTL)
            opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
        else:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, _TTL)
            opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DO)
        self._enlarge(opened, socket.SO_SNDBUF, _SO_SNDBUFFORCE)
        return opened

    def _enlarge(self, opened: socket.socket, option: int, forced: int) -> None:
        """Beyond what the system allows everybody, where this process may."""
        try:
            opened.setsockopt(socket.SOL_SOCKET, forced, self._buffer_size)
        except PermissionError:
            opened.setsockopt(socket.SOL_SOCKET, option, self._buffer_size)

    def _open_receiver(self, shared: bool) -> socket.socket:
        opened = self._open_socket()
        self._enlarge(opened, socket.SO_RCVBUF, _SO_RCVBUFFORCE)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if self.local.version == 4:
            opened.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
        else:
            opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVTCLASS, 1)
        with contextlib.suppress(OSError):  # before Linux 5.0: datagrams come one by one
            opened.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        opened.bind((str(self.local), self.port))
        return opened

    def _open_senders(self, count: int) -> list[socket.socket]:
        """Sockets on ports spread evenly over a tunnel's range: a flow's is near the one that `Tunnel` would take."""
        low, high = _EPHEMERAL
        width = (high - low) // count
        return [self._open_sender(low + at * width, width) for at in range(count)]

    def _open_sender(self, first: int, width: int) -> socket.socket:
        opened = self._open_socket()
        _drop_all(opened)
        if self._tunnel_gso is not None and self.local.version == 6:
            # Short frames of a flow have the label that long ones have: the kernel and routers tell flows apart by it.
            opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_AUTOFLOWLABEL, 0)
        for port in range(first, first + width):
            try:
                opened.bind((str(self.local), port))
            except OSError as error:
                if port == first + width - 1 or error.errno != errno.EADDRINUSE:
                    raise
            else:
                break
        return opened

    # -- running

    def start(self) -> None:
        """Start a thread for each queue; the device's MTU is looked up now."""
        if self._threads or self._stop < 0:
            raise RuntimeError("the data path is closed" if self._stop < 0 else "the data path runs already")
        mtu = self.device.mtu
        with contextlib.suppress(OSError):  # before Linux 4.16: a rest of a long frame then costs as much as the frame
            self.device.limit_segments(self._longest_run(mtu))
        self.endings.clear()
        for number, queue in enumerate(self._queues):
            queue.mtu, queue.stopping = mtu, 0
            thread = threading.Thread(
                target=self._serve, args=(queue,), name=f"{self.device.name} queue {number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _longest_run(self, mtu: int) -> int:
        """How many datagrams of full size the kernel takes at once."""
        size = mtu + (0 if self.device.kind == "tun" else _VXLAN_HEADERS)
        return max(1, min(_MOST_IN_RUN, _LARGEST_RUN // size))

    def stop(self) -> None:
        """End the threads and wait for them: some milliseconds, unless a hook is at work. `start` starts new ones."""
        threads, self._threads = self._threads, []
        for queue in self._queues:
            _lib.vxlanpkt_datapath_stop(queue)
        if threads:
            os.eventfd_write(self._stop, 1)
            for thread in threads:
                if thread is not threading.current_thread():  # a hook may stop what called it
                    thread.join()
            os.eventfd_read(self._stop)

    def close(self) -> None:
        """Stop, and close the sockets; the device stays open. Once is enough."""
        self.stop()
        self._close_sockets()

    def _close_sockets(self) -> None:
        for opened in self._sockets:
            opened.close()
        if self._stop >= 0:
            os.close(self._stop)
            self._stop = -1

    def __enter__(self) -> DataPath:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_running(self) -> bool:
        """Whether any queue is served."""
        return any(thread.is_alive() for thread in self._threads)

    def _serve(self, queue: Any) -> None:
        while True:
            halt = _lib.vxlanpkt_datapath_run(queue)
            self._tell(queue)
            if halt == _lib.HALT_EVENTS:
                continue
            if halt != _lib.HALT_STOPPED:
                self.endings.append(Ending(halt))
                self._call(self._on_end, Ending(halt))
            return

    def _tell(self, queue: Any) -> None:
        events = [_event(queue.events[at]) for at in range(queue.event_count)]
        queue.event_count = 0
        for event in events:
            if self._tunnel_gso is not None and event.kind is EventKind.TOO_BIG and event.peer is not None:
                self._tunnel_gso.look_again(event.peer[0])
            self._call(self._on_event, event)

    def _call(self, hook: Callable[[Any], None] | None, argument: Any) -> None:
        """A hook that fails does not end the data path."""
        if hook is None:
            return
        try:
            hook(argument)
        except Exception:
            _logger.exception("%s: a hook failed on %r", self.device.name, argument)

    # -- peers, and what is counted

    @property
    def peers(self) -> Peers:
        """Those that packets go to now."""
        return self._view.peers

    def replace_peers(self, peers: Peers) -> None:
        """Send to, and take from, *peers* from now on: at the latest when a queue has done its next 64 packets."""
        with self._changing:
            view = self._viewed(peers)
            self._retired.append(self._view)
            self._view = view
            for queue in self._queues:
                _lib.vxlanpkt_datapath_use(queue, view.pointer)
            in_use = {_lib.vxlanpkt_datapath_in_use(queue) for queue in self._queues}
            self._retired = [retired for retired in self._retired if retired.pointer in in_use]

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the data path was made, all queues together; it can be read while it runs."""
        return {name: sum(queue.counts[at] for queue in self._queues) for at, name in _COUNTS.items()}

    @property
    def reasons(self) -> dict[Reason, int]:
        """How many datagrams were accepted (`OK`), and how many refused for which reason."""
        found = {}
        for number, reason in _REASONS.items():
            count = sum(queue.reasons[number] for queue in self._queues)
            if count:
                found[reason] = count
        return found


def _event(held: Any) -> Event:
    return Event(
        EventKind(held.kind),
        unpack_address(bytes(_ffi.buffer(held.address))),
        held.length,
        bool(held.inward),
        bytes(_ffi.buffer(held.head)[: min(held.length, len(held.head))]),
    )


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _drop_all(opened: socket.socket) -> None:
    """What comes to a socket that only sends is not kept: a filter of one instruction, `ret 0`."""
    instruction = ctypes.create_string_buffer(b"\x06\0\0\0\0\0\0\0" if _LITTLE else b"\0\x06\0\0\0\0\0\0", 8)
    program = _Program(1, ctypes.addressof(instruction))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(program))


_LITTLE = ctypes.c_ushort.from_buffer_copy(b"\1\0").value == 1

"""TunnelGSO: a way out of the data path by which long frames of TCP leave as one.

The loop writes such a frame behind its outer headers to a TAP, and the kernel hands all that comes from this TAP to the
interface below. It routes nothing and filters nothing: what frames are addressed to is the kernel's own next hop, which
is followed here. Linux 6.17 or later.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from ipaddress import ip_address
from struct import Struct
from types import TracebackType
from typing import Any

from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.datapath.devices import Device
from vxlanpkt.overlay.datapath.peer_views import NextHopTable, PeerView
from vxlanpkt.overlay.datapath.peers import Peers
from vxlanpkt.overlay.linux import link_messages, rtnetlink
from vxlanpkt.overlay.linux.next_hops import NextHops
from vxlanpkt.overlay.linux.redirects import redirect
from vxlanpkt.overlay.linux.rtnetlink import Request, Rtnetlink

_NAME = "vxlan-gso%d"
_INT = Struct("=i")
_TUNSETOFFLOAD, _TUNSETSNDBUF, _TUNSETVNETHDRSZ = 0x400454D0, 0x400454D4, 0x400454D8
_HEADER_SIZE = 24  # struct virtio_net_hdr_v1_hash_tunnel
_OFFLOADS = 0x01 | 0x02 | 0x04 | 0x08 | 0x80 | 0x100  # checksums, TSO and that with ECN, tunnels and their checksums
_LEAST_BUFFER = 1 << 18
_AIM_SECONDS = 60.0  # until it is made sure that nobody has taken the redirect away
_LACKING = (errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL)  # what netlink says of a kind that the kernel has not


class TunnelGSO:
    """Long frames leave by one Ethernet interface as one, and are cut behind it. Hand it to one `DataPath`.

    interface  the name of the interface below
    missing    why the kernel or the interface does not let it; "" if it works. Then all goes by the sockets
    """

    def __init__(
        self,
        interface: str,
        local: Address | str,
        *,
        buffer_size: int = 8 << 20,
        ioctl: Callable[[int, int, Any], Any] = fcntl.ioctl,
    ) -> None:
        """Make the TAP, in the network namespace of this thread, and follow next hops.

        local        the address on the underlay: that of the data path
        buffer_size  bytes of frames that may wait for the interface
        ioctl        the system call, for tests

        Raises `OSError` where there is no such interface, or no right to make a TAP.
        """
        self.interface, self.local = interface, ip_address(local)
        self._ioctl, self._buffer_size = ioctl, max(buffer_size, _LEAST_BUFFER)
        self._table = NextHopTable(self.local)
        self._tap, self._tap_index, self._target, self._aim_at = -1, 0, 0, 0.0
        with ExitStack() as undo:
            self._kernel = undo.enter_context(Rtnetlink())
            self._next_hops = undo.enter_context(NextHops(interface, self.local, self._update))
            self.missing = self._open(undo)
            if self.missing:
                undo.close()
            self._undo = undo.pop_all()

    def _open(self, undo: ExitStack) -> str:
        if not self._next_hops.is_ethernet:
            return f"{self.interface} is no Ethernet interface"
        tap = undo.enter_context(Device(_NAME, "tap", ioctl=self._ioctl))
        try:
            self._ioctl(tap.queues[0], _TUNSETVNETHDRSZ, _INT.pack(_HEADER_SIZE))
            self._ioctl(tap.queues[0], _TUNSETOFFLOAD, _OFFLOADS)
            self._ioctl(tap.queues[0], _TUNSETSNDBUF, _INT.pack(self._buffer_size))
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return "the kernel takes no long frames in tunnels: Linux 6.17 does"
        self._tap_index = socket.if_nametoindex(tap.name)
        try:
            self._kernel.ask([Request(rtnetlink.NEWLINK, link_messages.quiet_link(self._tap_index))])
            self._aim(self._next_hops.index)
        except OSError as error:
            if error.errno not in _LACKING:
                raise
            return f"the kernel redirects nothing (qdisc clsact, filter u32, action mirred): {error.strerror}"
        tap.is_up = True
        self._tap = tap.queues[0]
        return ""

    def _aim(self, index: int) -> None:
        """Have the kernel hand what comes from the TAP to the interface of this number."""
        for error in self._kernel.ask(redirect(self._tap_index, index)):
            if error is not None:
                raise error
        self._target, self._aim_at = index, time.monotonic() + _AIM_SECONDS

    @property
    def descriptor(self) -> int:
        """Of the TAP; -1 where there is none."""
        return self._tap

    def view(self, peers: Peers) -> PeerView:
        """*peers*, with the next hops that are known; others follow."""
        if self._tap < 0:
            return PeerView(peers, peers.pointer)
        view = self._table.view(peers, self._next_hops.known)
        self._next_hops.follow(self._table.addresses)
        return view

    def look_again(self, address: Address) -> None:
        """The path to a peer takes less than was believed."""
        if self._tap >= 0:
            self._next_hops.forget(address)

    def _update(self) -> None:
        """In the thread of the next hops, when something has changed."""
        if self._tap < 0:
            return
        index = self._next_hops.index
        if index not in (0, self._target):  # another interface has the name now
            self._table.update(lambda address: None)
        if index and (index != self._target or time.monotonic() > self._aim_at):
            self._aim(index)
        self._table.update(self._next_hops.find)

    def close(self) -> None:
        """Remove the TAP, and with it the redirect; once is enough. The data path is closed before."""
        self._tap = -1
        self._next_hops.close()
        self._undo.close()

    def __enter__(self) -> TunnelGSO:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

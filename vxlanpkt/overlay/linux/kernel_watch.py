"""Learn that somebody else changed what an overlay has in the kernel."""

from __future__ import annotations

import errno
import os
import select
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

from vxlanpkt.overlay.linux import kernel_messages as messages
from vxlanpkt.overlay.linux import rtnetlink
from vxlanpkt.overlay.linux.rtnetlink import Answer, Message, Request, Rtnetlink
from vxlanpkt.overlay.plans.kernel_state import Entry, KernelChange, LinkAddress, Route

# RTMGRP_: links, neighbours and FDB, IPv4 and IPv6 addresses, IPv4 and IPv6 routes.
_GROUPS = 0x1 | 0x4 | 0x10 | 0x100 | 0x40 | 0x400
_GONE = (rtnetlink.DELADDR, rtnetlink.DELROUTE, rtnetlink.DELNEIGH)
_ROOM = 1 << 22  # bytes of notifications that may wait


class KernelWatch:
    """Tells *report* of each change on *links*, in a thread of its own, from now until `close`.

    links     names of the overlay's devices: all on them counts
    underlay  the name of the interface that tunnels leave by: it, its addresses and our routes by it count
    ours      the port of the `Netlink` whose own changes are not told of. The kernel does not always say whose a change
              was, so some of them are told of all the same: `Reconciler.is_news` knows.
    room      bytes of notifications that may wait; what comes beyond is lost, and told of as "overrun"

    It belongs to the network namespace of the thread that makes it.
    """

    def __init__(
        self,
        report: Callable[[KernelChange], None],
        links: Iterable[str],
        underlay: str,
        ours: int = 0,
        *,
        room: int = _ROOM,
    ) -> None:
        self._report = report
        self._links = frozenset((*links, underlay))
        self._underlay = underlay
        self._ours = ours
        self._names: dict[int, str] = {}
        self._socket = Rtnetlink(_GROUPS, room)
        self._wake, self._waker = os.pipe()
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="kernel watch", daemon=True)
        try:
            self._meet_links()
        except BaseException:
            self._release()
            raise
        self._thread.start()

    def _meet_links(self) -> None:
        """Learn the numbers of the links that are there."""
        with Rtnetlink() as kernel:
            for name in self._links:
                try:
                    found = kernel.get(Request(rtnetlink.GETLINK, messages.named_link(name)))
                except OSError as error:
                    if error.errno != errno.ENODEV:
                        raise
                else:
                    self._names[found["index"]] = name

    def _run(self) -> None:
        waiting = select.poll()
        for descriptor in (self._wake, self._socket.socket.fileno()):
            waiting.register(descriptor, select.POLLIN)
        while self._wake not in {descriptor for descriptor, _ in waiting.poll()}:
            for change in self._changes():
                self._report(change)

    def _changes(self) -> Iterator[KernelChange]:
        """What the next datagram tells of."""
        try:
            for answer in self._socket.receive():
                change = self._read(answer)
                if change is not None:
                    yield change
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            yield KernelChange("overrun")

    def _read(self, answer: Answer) -> KernelChange | None:
        is_own = bool(self._ours) and answer.port == self._ours
        kind = answer.kind & ~3
        if kind == rtnetlink.NEWLINK:
            change = self._read_link(answer)  # of our own too: links get their numbers so
            return None if is_own else change
        if is_own or kind not in (rtnetlink.NEWADDR, rtnetlink.NEWROUTE, rtnetlink.NEWNEIGH):
            return None
        return self._read_entry(answer.kind in _GONE, kind, answer.message)

    def _read_link(self, answer: Answer) -> KernelChange | None:
        message = answer.message
        if message["family"] == messages.AF_BRIDGE:  # it joined a bridge, or left it
            return None
        number, name = message["index"], message.get_attr("IFLA_IFNAME")
        if answer.kind == rtnetlink.NEWLINK and name in self._links:
            self._names[number] = name
            found = messages.read_link(message, self._names)
            return KernelChange("link changed", name, found, message.get_attr("IFLA_MTU"), messages.is_up(message))
        old = self._names.pop(number, None)
        return None if old is None else KernelChange("link gone", old)

    def _read_entry(self, is_gone: bool, kind: int, message: Message) -> KernelChange | None:
        entry: Entry | None
        if kind == rtnetlink.NEWADDR:
            entry = messages.read_address(message, self._names)
        elif kind == rtnetlink.NEWROUTE:
            entry = messages.read_route(message, self._names)
        else:
            entry = messages.read_neighbour(message, self._names)
            if entry is None:
                entry, is_gone = messages.read_lost_neighbour(message, self._names), True
        if entry is None or (entry.link == self._underlay and not _counts(entry, message)):
            return None
        return KernelChange("entry gone" if is_gone else "entry new", entry.link, entry)

    def close(self) -> None:
        """Stop; once is enough, and from any thread but that of *report*."""
        with self._closing:
            if self._thread.is_alive():
                os.write(self._waker, b".")
                self._thread.join()
                self._release()

    def _release(self) -> None:
        self._socket.close()
        os.close(self._wake)
        os.close(self._waker)

    def __enter__(self) -> KernelWatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _counts(entry: Entry, message: Message) -> bool:
    """Whether an entry of the underlay concerns an overlay."""
    return isinstance(entry, LinkAddress) or (isinstance(entry, Route) and messages.is_ours(message))

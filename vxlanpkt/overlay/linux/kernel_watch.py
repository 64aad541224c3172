"""Learn that somebody else changed what an overlay has in the kernel."""

from __future__ import annotations

import errno
import logging
import os
import select
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

from vxlanpkt.overlay.leases.backoff import Backoff
from vxlanpkt.overlay.linux import entry_messages, link_messages, rtnetlink
from vxlanpkt.overlay.linux.rtnetlink import Answer, Message, Rtnetlink
from vxlanpkt.overlay.plans.kernel_state import Entry, KernelChange, LinkAddress, Route

# RTMGRP_: links, neighbours and FDB, IPv4 and IPv6 addresses, IPv4 and IPv6 routes.
_GROUPS = 0x1 | 0x4 | 0x10 | 0x100 | 0x40 | 0x400
_GONE = (rtnetlink.DELADDR, rtnetlink.DELROUTE, rtnetlink.DELNEIGH)
_ROOM = 1 << 22  # bytes of notifications that may wait
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # where notifications cannot be read

_logger = logging.getLogger(__name__)


class KernelWatch:
    """Tells *report*, which raises nothing, of each change on *links*, in a thread of its own, from now until `close`.

    links     names of the overlay's devices: all on them counts
    underlay  the name of the interface that tunnels leave by: it, its addresses and our routes by it count
    ours      the port of the `Netlink` whose own changes are not told of. The kernel does not always say whose a change
              was, so some of them are told of all the same: `Reconciler.is_news` knows.
    room      bytes of notifications that may wait; what comes beyond is lost, and told of as "overrun"

    It belongs to the network namespace of the thread that makes it. fault: why notifications could not be read when
    they were last tried, which is told of as "overrun" as well; "" while all is well.
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
        self._devices, self._underlay = frozenset(links), underlay
        self._ours = ours
        self.fault = ""
        self._reading = threading.Lock()  # held while a message is read, or links are met
        self._closing = threading.Lock()
        self._is_open = True
        self._socket = Rtnetlink(_GROUPS, room)
        try:
            self._wake, self._waker = os.pipe()
        except BaseException:
            self._socket.close()
            raise
        try:
            self._names = self._met_links()
            self._thread = threading.Thread(target=self._run, name="kernel watch", daemon=True)
            self._thread.start()
        except BaseException:
            self._release()
            raise

    def follow(self, underlay: str) -> None:
        """Watch another underlay from now on; what happened to it before is not told. Call it in the same namespace."""
        with self._reading:
            self._underlay = underlay
            self._names = self._met_links()

    @property
    def _links(self) -> frozenset[str]:
        return self._devices | {self._underlay}

    def _met_links(self) -> dict[int, str]:
        """The names, by their numbers, of the links that are there."""
        names: dict[int, str] = {}
        with Rtnetlink() as kernel:
            for name in self._links:
                found = link_messages.link_of_name(kernel, name)
                if found is not None:
                    names[found["index"]] = name
        return names

    def _run(self) -> None:
        pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        waiting, closing = select.poll(), select.poll()
        waiting.register(self._socket.socket, select.POLLIN)
        for poll in (waiting, closing):
            poll.register(self._wake, select.POLLIN)
        while self._wake not in {descriptor for descriptor, _ in waiting.poll()}:
            try:
                for change in self._changes():
                    self._report(change)
            except Exception as error:  # whatever it is: who is told of nothing more would believe that all is well
                _logger.warning("a notification of the kernel cannot be read: %r", error, exc_info=True)
                self.fault = f"a notification of the kernel cannot be read: {error!r}"
                self._report(KernelChange("overrun"))
                closing.poll(1000 * pauses.pause())
            else:
                self.fault = ""
                pauses.reset()

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
            self._socket.drain()
            with self._reading:  # links may have come and gone
                self._names = self._met_links()
            yield KernelChange("overrun")

    def _read(self, answer: Answer) -> KernelChange | None:
        with self._reading:
            return self._read_message(answer)

    def _read_message(self, answer: Answer) -> KernelChange | None:
        is_own = bool(self._ours) and answer.port == self._ours
        kind = answer.kind & ~3
        if kind == rtnetlink.NEWLINK:
            change = self._read_link(answer)  # of our own too: links get their numbers so
            return None if is_own else change
        if is_own or kind not in (rtnetlink.NEWADDR, rtnetlink.NEWROUTE, rtnetlink.NEWNEIGH):
            return None
        if kind != rtnetlink.NEWROUTE and not self._concerns(kind, self._names.get(answer.number)):
            return None
        return self._read_entry(answer.kind in _GONE, kind, answer.message)

    def _concerns(self, kind: int, link: str | None) -> bool:
        """Whether addresses or neighbours on a link count. On others neighbours may have addresses of any length."""
        return link is not None and not (kind == rtnetlink.NEWNEIGH and link == self._underlay)

    def _read_link(self, answer: Answer) -> KernelChange | None:
        message = answer.message
        if message["family"] == entry_messages.AF_BRIDGE:  # it joined a bridge, or left it
            return None
        number, name = message["index"], message.get_attr("IFLA_IFNAME")
        if answer.kind == rtnetlink.NEWLINK and name in self._links:
            self._names[number] = name
            found = link_messages.read_link(message, self._names)
            return KernelChange("link changed", name, found, message.get_attr("IFLA_MTU"), link_messages.is_up(message))
        old = self._names.pop(number, None)
        return None if old is None else KernelChange("link gone", old)

    def _read_entry(self, is_gone: bool, kind: int, message: Message) -> KernelChange | None:
        entry: Entry | None
        if kind == rtnetlink.NEWADDR:
            entry = entry_messages.read_address(message, self._names)
        elif kind == rtnetlink.NEWROUTE:
            entry = entry_messages.read_route(message, self._names)
        else:
            entry = entry_messages.read_neighbour(message, self._names)
            if entry is None:
                entry, is_gone = entry_messages.read_lost_neighbour(message, self._names), True
        if entry is None or (entry.link == self._underlay and not _counts(entry, message)):
            return None
        return KernelChange("entry gone" if is_gone else "entry new", entry.link, entry)

    def close(self) -> None:
        """Stop; once is enough, and from any thread but that of *report*."""
        with self._closing:
            if self._is_open:
                self._is_open = False
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
    return isinstance(entry, LinkAddress) or (isinstance(entry, Route) and entry_messages.is_ours(message))

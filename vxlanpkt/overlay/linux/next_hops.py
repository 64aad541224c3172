"""Follow which next hop the kernel would send to: its MAC address, and how long a packet may be."""

from __future__ import annotations

import errno
import logging
import os
import select
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Collection
from ipaddress import ip_address, ip_network
from types import TracebackType
from typing import NamedTuple

from vxlanpkt import MACAddress
from vxlanpkt.overlay.addresses import Address
from vxlanpkt.overlay.linux import entry_messages, link_messages, rtnetlink
from vxlanpkt.overlay.linux.rtnetlink import Answer, Message, Request, Rtnetlink

# RTMGRP_: links, neighbours, IPv4 and IPv6 routes, IPv4 rules; the group of IPv6 rules has no such name.
_GROUPS = 0x1 | 0x4 | 0x40 | 0x400 | 0x80 | 1 << 18
_ROOM = 1 << 22  # bytes of notifications that may wait
_NEWRULE = 32
_VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80  # NUD_VALID: the kernel would send to the address that it has
_UNICAST, _ARPHRD_ETHER = 1, 1
_PAUSE = 0.02  # changes come in crowds
_LIMITED_SECONDS = 60.0  # how long the MTU of a path is believed that may have come of an ICMP error
_LOST_SECONDS = 1.0  # until the kernel is asked again that did not answer

_logger = logging.getLogger(__name__)


class NextHop(NamedTuple):
    """Who a frame is addressed to.

    mac      of the neighbour that takes it
    own_mac  of the interface that it leaves by
    mtu      the longest IP packet on the way, as far as the kernel knows
    """

    mac: MACAddress
    own_mac: MACAddress
    mtu: int


class _Link(NamedTuple):
    """The interface: mac is None where it is not Ethernet."""

    number: int
    mac: MACAddress | None
    mtu: int
    is_ready: bool


class _Way(NamedTuple):
    """A route by the interface: the neighbour that it leads to, and its MTU, 0 if it has none of its own."""

    neighbour: Address
    mtu: int


class NextHops:
    """The next hops of packets from one address by one interface, kept right in a thread until `close`.

    interface  the name of the interface; raises `OSError` where there is none
    local      the address that packets bear
    on_change  called in the thread when something may have changed, and each minute; again in a second if it raises

    It belongs to the network namespace of the thread that makes it.
    """

    def __init__(self, interface: str, local: Address, on_change: Callable[[], None]) -> None:
        self._interface, self._local, self._on_change = interface, local, on_change
        self._followed: list[int] = []
        self._ways: dict[Address, _Way | None] = {}
        self._neighbours: dict[Address, MACAddress] = {}
        self._is_open, self._is_lost, self._is_changed = True, False, False
        self._look_at = 0.0  # when paths of a limited MTU are looked up again
        self._watch = Rtnetlink(_GROUPS, _ROOM)
        self._kernel = Rtnetlink()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name=f"next hops by {interface}", daemon=True)
        try:
            self._link = self._read_link()
            if self._link is None:
                raise OSError(errno.ENODEV, "there is no such interface", interface)
            self._read_neighbours()
            self._thread.start()
        except BaseException:
            self._release()
            raise

    @property
    def index(self) -> int:
        """The number of the interface; 0 while it is gone."""
        return self._link.number if self._link is not None else 0

    @property
    def is_ethernet(self) -> bool:
        """Whether the interface takes Ethernet frames."""
        return self._link is not None and self._link.mac is not None

    def follow(self, addresses: Collection[Address]) -> None:
        """Let changes on the ways to these addresses, and no others, be told of."""
        self._followed = sorted(map(int, addresses))
        for address in [address for address in self._ways.copy() if address not in addresses]:
            self._ways.pop(address, None)
        os.eventfd_write(self._wake, 1)

    def forget(self, address: Address) -> None:
        """Have the way to an address looked up again: its MTU is not what it was."""
        self._ways.pop(address, None)
        os.eventfd_write(self._wake, 1)

    def known(self, address: Address) -> NextHop | None:
        """The next hop to an address; None where there is none by this interface, or none that is known yet."""
        link, way = self._link, self._ways.get(address)
        if link is None or link.mac is None or not link.is_ready or way is None:
            return None
        mac = self._neighbours.get(way.neighbour)
        return None if mac is None else NextHop(mac, link.mac, min(link.mtu, way.mtu or link.mtu))

    def find(self, address: Address) -> NextHop | None:
        """The same, but the kernel is asked for a way that is not known; in the thread that changes are told in."""
        if address not in self._ways:
            self._ways[address] = self._look_up(address)
        return self.known(address)

    # -- the kernel

    def _read_link(self) -> _Link | None:
        found = link_messages.link_of_name(self._kernel, self._interface)
        if found is None:
            return None
        mac = MACAddress(found.get_attr("IFLA_ADDRESS")) if found["ifi_type"] == _ARPHRD_ETHER else None
        is_ready = link_messages.is_up(found) and bool(found.get_attr("IFLA_CARRIER"))
        return _Link(found["index"], mac, found.get_attr("IFLA_MTU"), is_ready)

    def _read_neighbours(self) -> None:
        family = entry_messages.FAMILIES[self._local.version]
        dump = Request(rtnetlink.GETNEIGH, entry_messages.neighbours_on(family, self.index))
        self._neighbours = {}
        for message in self._kernel.dump(dump) if self.index else ():
            self._take_neighbour(message, is_gone=False)

    def _look_up(self, address: Address) -> _Way | None:
        try:
            route = self._kernel.get(Request(rtnetlink.GETROUTE, entry_messages.route_between(self._local, address)))
        except OSError:
            return None
        if route["type"] != _UNICAST or route.get_attr("RTA_OIF") != self.index:
            return None
        if route.get_attr("RTA_ENCAP_TYPE") or route.get_attr("RTA_VIA"):
            return None  # into another tunnel, or to a neighbour of the other IP version
        metrics, gateway = route.get_attr("RTA_METRICS"), route.get_attr("RTA_GATEWAY")
        mtu = metrics.get_attr("RTAX_MTU") if metrics is not None else 0
        return _Way(address if gateway is None else ip_address(gateway), mtu or 0)

    # -- what changes

    def _run(self) -> None:
        waiting = select.poll()
        for descriptor in (self._watch.socket.fileno(), self._wake):
            waiting.register(descriptor, select.POLLIN)
        while self._is_open:
            waiting.poll(1000 * (_LOST_SECONDS if self._is_lost else _LIMITED_SECONDS))
            time.sleep(_PAUSE)
            try:
                self._is_changed = False
                self._take_changes()
                if self._is_open and self._is_changed:
                    self._on_change()
            except Exception:  # who is told of nothing more would believe that all is well
                _logger.warning("next hops by %s cannot be followed", self._interface, exc_info=True)
                self._link, self._is_lost = None, True

    def _take_changes(self) -> None:
        if _is_readable(self._wake):
            os.eventfd_read(self._wake)
            self._is_changed = True
        if self._is_lost:
            self._begin_anew()
        if time.monotonic() >= self._look_at:
            self._forget_limits()
        try:
            while _is_readable(self._watch.socket.fileno()):
                for answer in self._watch.receive():
                    self._take(answer)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self._watch.drain()
            self._begin_anew()

    def _forget_limits(self) -> None:
        """An MTU that came of an ICMP error ends by itself, and nobody tells."""
        self._look_at, self._is_changed = time.monotonic() + _LIMITED_SECONDS, True
        for address in [address for address, way in self._ways.copy().items() if way is not None and way.mtu]:
            self._ways.pop(address, None)

    def _begin_anew(self) -> None:
        self._link, self._ways = self._read_link(), {}
        self._read_neighbours()
        self._is_lost, self._is_changed = False, True

    def _take(self, answer: Answer) -> None:
        kind, is_gone = answer.kind & ~3, bool(answer.kind & 1)
        if kind == rtnetlink.NEWLINK and (not self.index or answer.number == self.index):
            self._begin_anew()
        elif kind == rtnetlink.NEWNEIGH and answer.number == self.index:
            self._take_neighbour(answer.message, is_gone)
        elif kind == _NEWRULE or (kind == rtnetlink.NEWROUTE and self._concerns(answer.message)):
            self._ways, self._is_changed = {}, True

    def _take_neighbour(self, message: Message, is_gone: bool) -> None:
        address, mac = message.get_attr("NDA_DST"), message.get_attr("NDA_LLADDR")
        if message["family"] != entry_messages.FAMILIES[self._local.version] or not address:
            return
        neighbour = ip_address(address)
        before = self._neighbours.pop(neighbour, None)
        if mac and message["state"] & _VALID and not is_gone:
            self._neighbours[neighbour] = MACAddress(mac)
        self._is_changed = self._is_changed or self._neighbours.get(neighbour) != before

    def _concerns(self, message: Message) -> bool:
        """Whether a route leads to any address that is followed."""
        if message["family"] != entry_messages.FAMILIES[self._local.version]:
            return False
        any_address = type(self._local)(0)
        network = ip_network(f"{message.get_attr('RTA_DST') or any_address}/{message['dst_len']}")
        at = bisect_left(self._followed, int(network.network_address))
        return at < len(self._followed) and self._followed[at] <= int(network.broadcast_address)

    def close(self) -> None:
        """Follow nothing more; once is enough, and from any thread but that of *on_change*."""
        if self._is_open:
            self._is_open = False
            os.eventfd_write(self._wake, 1)
            self._thread.join()
            self._release()

    def _release(self) -> None:
        self._is_open = False
        self._watch.close()
        self._kernel.close()
        os.close(self._wake)

    def __enter__(self) -> NextHops:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))

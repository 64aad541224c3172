"""The kernel's state for an overlay, by rtnetlink: read it, and carry out steps."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from types import TracebackType

from vxlanpkt.overlay.addresses import Network
from vxlanpkt.overlay.linux import entry_messages, link_messages, rtnetlink
from vxlanpkt.overlay.linux.rtnetlink import Message, Request, Rtnetlink
from vxlanpkt.overlay.plans.kernel_state import (
    Entry,
    FDBEntry,
    KernelState,
    LinkAddress,
    NeighbourEntry,
    OverlayLink,
    Route,
    covers,
)
from vxlanpkt.overlay.plans.kernel_steps import Step

_GONE = (errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL)  # what was to be removed is not there
_KINDS: dict[type, tuple[int, int]] = {
    LinkAddress: (rtnetlink.NEWADDR, rtnetlink.DELADDR),
    NeighbourEntry: (rtnetlink.NEWNEIGH, rtnetlink.DELNEIGH),
    FDBEntry: (rtnetlink.NEWNEIGH, rtnetlink.DELNEIGH),
    Route: (rtnetlink.NEWROUTE, rtnetlink.DELROUTE),
}


class Netlink:
    """A connection to the kernel of the network namespace of the thread that makes it.

    Use it from one thread at a time.
    """

    def __init__(self) -> None:
        self._socket = Rtnetlink()
        self._numbers: dict[str, int] = {}  # of the links that were met
        self._ours: set[str] = set()  # the names of overlay links: all on them is the overlay's

    @property
    def operations(self) -> int:
        """How many requests the kernel was sent so far; a dump counts as one."""
        return self._socket.operations

    @property
    def port(self) -> int:
        """The number by which the kernel's notifications name this connection."""
        return self._socket.port

    # -- read

    def read(self, links: Iterable[str], networks: Iterable[Network]) -> KernelState:
        """What there is of an overlay: devices by their names, all on them, and our routes into *networks* by others.

        A device that is neither vxlan nor TUN nor TAP is nobody's business, and is left out.
        """
        self._numbers.clear()
        self._ours.clear()
        found: list[OverlayLink] = []
        for name in links:
            message = link_messages.link_of_name(self._socket, name)
            link = None if message is None else link_messages.read_link(message, self._names_near(message))
            if message is not None and link is not None:
                found.append(link)
                self._numbers[name] = message["index"]
                self._ours.add(name)
        entries = [entry for link in found for entry in self._entries(link.name, self._numbers[link.name])]
        entries += self._direct_routes(tuple(networks))
        return KernelState(
            frozenset(found),
            frozenset(entry for entry in entries if isinstance(entry, LinkAddress)),
            frozenset(entry for entry in entries if isinstance(entry, NeighbourEntry)),
            frozenset(entry for entry in entries if isinstance(entry, FDBEntry)),
            frozenset(entry for entry in entries if isinstance(entry, Route)),
        )

    def find_link(self, name: str) -> OverlayLink | None:
        """A device as it is now; None where there is none, or one of a kind that no overlay has."""
        message = link_messages.link_of_name(self._socket, name)
        return None if message is None else link_messages.read_link(message, self._names_near(message))

    def _names_near(self, message: Message) -> dict[int, str]:
        """The name of the device that a vxlan device sends by."""
        number = link_messages.vxlan_underlay(message)
        return {} if not number else {number: self._name(number)}

    def _name(self, number: int) -> str:
        """The name of a device by its number; "" if it has gone."""
        try:
            found = self._socket.get(Request(rtnetlink.GETLINK, link_messages.numbered_link(number)))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return ""
        name: str = found.get_attr("IFLA_IFNAME")
        return name

    def _entries(self, name: str, number: int) -> Iterator[Entry]:
        """All on one link that is not the kernel's own doing. The kernel may tell of other links too."""
        names = {number: name}
        for family in (socket.AF_INET, socket.AF_INET6):
            for message in self._dump(rtnetlink.GETADDR, entry_messages.addresses_on(family, number)):
                if address := entry_messages.read_address(message, names):
                    yield address
            for message in self._dump(rtnetlink.GETROUTE, entry_messages.routes_by(family, number)):
                if route := entry_messages.read_route(message, names):
                    yield route
        for table in (socket.AF_INET, socket.AF_INET6, entry_messages.AF_BRIDGE):
            for message in self._dump(rtnetlink.GETNEIGH, entry_messages.neighbours_on(table, number)):
                if neighbour := entry_messages.read_neighbour(message, names):
                    yield neighbour

    def _direct_routes(self, networks: Sequence[Network]) -> Iterator[Route]:
        """Those of our protocol into *networks*, by links that are not the overlay's."""
        for version in sorted({network.version for network in networks}):
            for message in self._dump(
                rtnetlink.GETROUTE, entry_messages.routes_of_protocol(entry_messages.FAMILIES[version])
            ):
                number = message.get_attr("RTA_OIF") or 0
                if number in self._numbers.values():
                    continue
                route = entry_messages.read_route(message, {number: self._name(number)} if number else {})
                if (
                    route
                    and entry_messages.is_ours(message)
                    and any(covers(network, route.destination) for network in networks)
                ):
                    yield route

    def _dump(self, kind: int, message: Message) -> list[Message]:
        return self._socket.dump(Request(kind, message))

    # -- carry out

    def carry_out(self, steps: Sequence[Step]) -> list[OSError | None]:
        """Do each of them, whatever became of those before; for each, what the kernel had against it.

        What was to be removed, and is not there, is no error.
        """
        errors: list[OSError | None] = []
        for is_link, group in groupby(steps, lambda step: isinstance(step.item, OverlayLink)):
            some = list(group)
            errors += [self._do(step) for step in some] if is_link else self._do_many(some)
        return errors

    def _do_many(self, steps: Sequence[Step]) -> list[OSError | None]:
        """Steps on entries, many in one call."""
        errors: list[OSError | None] = [None] * len(steps)
        asked: list[int] = []
        requests: list[Request] = []
        for at, step in enumerate(steps):
            try:
                requests.append(self._request(step))
            except OSError as error:
                errors[at] = error
            else:
                asked.append(at)
        for at, answer in zip(asked, self._socket.ask(requests), strict=True):
            errors[at] = _judged(steps[at], answer)
        return errors

    def _request(self, step: Step) -> Request:
        entry = step.item
        assert not isinstance(entry, OverlayLink)
        new, delete = _KINDS[type(entry)]
        message = entry_messages.entry_message(entry, self._number(entry.link))
        if step.action == "remove":
            is_common = isinstance(entry, Route) and entry.link in self._ours
            return Request(delete, entry_messages.unspecific(message) if is_common else message)
        # Another's route of the same destination is not overwritten unless it was met, and judged stale.
        is_new = isinstance(entry, Route) and step.action == "make"
        return Request(new, message, rtnetlink.CREATE | (rtnetlink.EXCLUSIVE if is_new else rtnetlink.REPLACE))

    def _number(self, name: str) -> int:
        """The number of a link; raises `OSError` where there is none."""
        if name not in self._numbers:
            found = link_messages.link_of_name(self._socket, name)
            if found is None:
                raise OSError(errno.ENODEV, "there is no such device", name)
            self._numbers[name] = found["index"]
        return self._numbers[name]

    def _do(self, step: Step) -> OSError | None:
        """A step on a link."""
        link = step.item
        assert isinstance(link, OverlayLink)
        try:
            {"make": self._make_link, "replace": self._change_link, "remove": self._remove_link}[step.action](link)
        except OSError as error:
            is_done = step.action == "remove" and error.errno == errno.ENODEV
            return None if is_done else error
        return None

    def _make_link(self, link: OverlayLink) -> None:
        message = link_messages.new_vxlan(link, self._number(link.underlay))
        self._numbers.pop(link.name, None)
        try:
            self._ask(Request(rtnetlink.NEWLINK, message, rtnetlink.CREATE | rtnetlink.EXCLUSIVE))
        except FileExistsError as error:
            raise FileExistsError(errno.EEXIST, self._in_the_way(link), link.name) from error
        self._ours.add(link.name)
        try:
            self._change_link(link)
        except OSError:
            self._remove_link(link)
            raise

    def _change_link(self, link: OverlayLink) -> None:
        found = link_messages.link_of_name(self._socket, link.name)
        if found is None:
            raise OSError(errno.ENODEV, "the device has gone", link.name)
        self._numbers[link.name] = found["index"]
        try:
            self._ask(Request(rtnetlink.NEWLINK, link_messages.quiet_link(found["index"])))
        except OSError as error:
            if error.errno != errno.EAFNOSUPPORT:  # no IPv6 there, so nothing to be spared
                raise
        try:
            self._ask(Request(rtnetlink.NEWLINK, link_messages.changed_link(link, found)))
        except OSError as error:
            what = f"{error.strerror}: an MTU of {link.mtu}, the address {link.mac}"
            raise OSError(error.errno, what, link.name) from error
        self._ask(Request(rtnetlink.NEWLINK, link_messages.raised_link(found["index"])))

    def _in_the_way(self, link: OverlayLink) -> str:
        """Why the kernel says that a device is there already."""
        found = link_messages.link_of_name(self._socket, link.name)
        if found is None:
            return f"another vxlan device has VNI {link.vni} and port {link.port}"
        kind = link_messages.device_kind(found) or "no virtual one"
        return f"a device of this name is there, which is none of an overlay ({kind}): rename it, or remove it"

    def _remove_link(self, link: OverlayLink) -> None:
        number = self._numbers.pop(link.name, 0)
        self._ours.discard(link.name)
        if number:
            self._ask(Request(rtnetlink.DELLINK, link_messages.numbered_link(number)))

    def _ask(self, request: Request) -> None:
        (error,) = self._socket.ask([request])
        if error is not None:
            raise error

    def close(self) -> None:
        """Give the socket back; once is enough."""
        self._socket.close()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _judged(step: Step, error: OSError | None) -> OSError | None:
    return None if error is not None and step.action == "remove" and error.errno in _GONE else error

"""A socket to the kernel's rtnetlink: many requests in one call, dumps, notifications.

pyroute2 knows the messages. Its own sockets make another one for each thread that uses them, in whatever namespace that
thread is; this one belongs to the namespace of the thread that made it, wherever it is used.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Iterator, Sequence
from struct import Struct
from types import TracebackType
from typing import Any, NamedTuple

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

Message = Any  # of pyroute2, which is not typed

NEWLINK, DELLINK, GETLINK = 16, 17, 18
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEIGH, DELNEIGH, GETNEIGH = 28, 29, 30
NEWQDISC, NEWTFILTER = 36, 44
REPLACE, EXCLUSIVE, CREATE = 0x100, 0x200, 0x400

_REQUEST, _ACKNOWLEDGE, _DUMP, _DUMP_INTERRUPTED = 0x1, 0x4, 0x300, 0x10
_ERROR, _DONE = 2, 3
_CLASSES = {NEWLINK: ifinfmsg, NEWADDR: ifaddrmsg, NEWROUTE: rtmsg, NEWNEIGH: ndmsg}
_SOL_NETLINK, _CAP_ACK, _EXT_ACK, _STRICT_CHECK = 270, 10, 11, 12
_HEADER, _CODE, _ATTRIBUTE, _NUMBER = Struct("=IHHII"), Struct("=i"), Struct("=HH"), Struct("=4xi")
_SO_RCVBUFFORCE = 33  # beyond net.core.rmem_max
_EXPLANATION, _EXPLAINED = 1, 0x200  # NLMSGERR_ATTR_MSG, NLM_F_ACK_TLVS
_BATCH = 64  # requests in one call: what they are answered with fits into any socket's buffer
_READ_SIZE = 1 << 17
_SECONDS = 60.0  # a device with ten thousand neighbours takes some to go
_DUMP_TRIES = 10


class Request(NamedTuple):
    """What is asked of the kernel."""

    kind: int
    message: Message
    flags: int = 0


class Answer(NamedTuple):
    """One message of the kernel: body is where its content is in data."""

    kind: int
    flags: int
    sequence: int
    port: int
    data: bytes
    start: int
    end: int

    @property
    def message(self) -> Message:
        """The message as pyroute2 reads it."""
        made = _CLASSES[self.kind & ~3](self.data, offset=self.start)
        made.decode()
        return made

    @property
    def number(self) -> int:
        """The number of the link that a message on links, addresses or neighbours is about; the rest is not read."""
        (number,) = _NUMBER.unpack_from(self.data, self.start + _HEADER.size)
        return int(number)

    @property
    def error(self) -> OSError | None:
        """What an acknowledgement or the end of a dump says went wrong."""
        (code,) = _CODE.unpack_from(self.data, self.start + _HEADER.size)
        return OSError(-code, self._explanation() or os.strerror(-code)) if code else None

    def _explanation(self) -> str:
        """The kernel's own words, where it has some; the request's header is before them."""
        at = self.start + 2 * _HEADER.size + _CODE.size
        while self.flags & _EXPLAINED and at + _ATTRIBUTE.size <= self.end:
            length, kind = _ATTRIBUTE.unpack_from(self.data, at)
            if kind == _EXPLANATION:
                return self.data[at + _ATTRIBUTE.size : at + length].rstrip(b"\0").decode("utf-8", "replace")
            at += max(_ATTRIBUTE.size, (length + 3) & ~3)
        return ""


class Rtnetlink:
    """An open socket. `operations` counts what was asked for, dumps included."""

    def __init__(self, groups: int = 0, room: int = 0) -> None:
        """Open it, for the notifications of some groups, with *room* bytes for those that wait."""
        self.operations = 0
        self._sequence = 0
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        try:
            for option in (_CAP_ACK, _EXT_ACK, _STRICT_CHECK):
                self.socket.setsockopt(_SOL_NETLINK, option, 1)
            if room:
                self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, room)
            self.socket.bind((0, groups))
            self.socket.settimeout(_SECONDS)
        except BaseException:
            self.socket.close()
            raise

    @property
    def port(self) -> int:
        """The number by which notifications name who asked for the change."""
        port: int = self.socket.getsockname()[0]
        return port

    def ask(self, requests: Sequence[Request]) -> list[OSError | None]:
        """Have all of them done, in order; for each, what the kernel found wrong with it."""
        errors: list[OSError | None] = []
        for start in range(0, len(requests), _BATCH):
            errors += self._ask_batch(requests[start : start + _BATCH])
        return errors

    def _ask_batch(self, requests: Sequence[Request]) -> list[OSError | None]:
        first = self._sequence + 1
        self.socket.send(b"".join([self._encoded(request, _ACKNOWLEDGE) for request in requests]))
        errors: dict[int, OSError | None] = {}
        while len(errors) < len(requests):
            for answer in self.receive():
                if answer.kind == _ERROR and answer.sequence >= first:
                    errors[answer.sequence] = answer.error
        return [errors[first + number] for number in range(len(requests))]

    def dump(self, request: Request) -> list[Message]:
        """All that the kernel has of a kind; once more if it changed meanwhile."""
        for _ in range(_DUMP_TRIES):
            found, is_whole = self._dump_once(request)
            if is_whole:
                return found
        raise OSError(errno.EAGAIN, "the kernel's tables change faster than they can be read")

    def _dump_once(self, request: Request) -> tuple[list[Message], bool]:
        self.socket.send(self._encoded(request, _DUMP))
        sequence, is_whole = self._sequence, True
        found: list[Message] = []
        while True:
            for answer in self.receive():
                if answer.sequence != sequence:
                    continue
                if answer.kind in (_DONE, _ERROR):
                    if answer.error is not None:
                        raise answer.error
                    return found, is_whole
                is_whole = is_whole and not answer.flags & _DUMP_INTERRUPTED
                found.append(answer.message)

    def get(self, request: Request) -> Message:
        """The one message that answers; raises `OSError` where there is none."""
        self.socket.send(self._encoded(request, 0))
        while True:
            for answer in self.receive():
                if answer.sequence == self._sequence:
                    if answer.kind == _ERROR:
                        raise answer.error or OSError(errno.ENODATA, "the kernel says nothing")
                    return answer.message

    def receive(self) -> Iterator[Answer]:
        """The messages of the next datagram."""
        data = self.socket.recv(_READ_SIZE)
        at = 0
        while at + _HEADER.size <= len(data):
            length, kind, flags, sequence, port = _HEADER.unpack_from(data, at)
            yield Answer(kind, flags, sequence, port, data, at, at + length)
            at += max(_HEADER.size, (length + 3) & ~3)

    def drain(self) -> None:
        """Read all that waits. Before that the kernel drops what is new, and does not say so a second time."""
        waiting = select.poll()
        waiting.register(self.socket, select.POLLIN)
        while waiting.poll(0):
            try:
                self.socket.recv(1)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise

    def _encoded(self, request: Request, flags: int) -> bytes:
        self._sequence += 1
        self.operations += 1
        message = request.message
        message["header"].update(
            type=request.kind, flags=_REQUEST | flags | request.flags, sequence_number=self._sequence
        )
        message.reset()  # it may have been sent before
        message.encode()
        return bytes(message.data) + bytes(-len(message.data) % 4)

    def close(self) -> None:
        """Give the socket back; once is enough."""
        self.socket.close()

    def __enter__(self) -> Rtnetlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""The rtnetlink socket: what it makes of answers, also of odd ones. The kernel is played by a script."""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("rtnetlink is Linux's", allow_module_level=True)

from pyroute2.netlink.rtnl.ndmsg import ndmsg

from vxlanpkt.overlay.linux.rtnetlink import GETNEIGH, NEWNEIGH, Request, Rtnetlink

ERROR, DONE, INTERRUPTED, MULTI, EXPLAINED = 2, 3, 0x10, 0x2, 0x200


class Script:
    """Stands for the socket: answers each datagram by what *reply* makes of the requests in it."""

    def __init__(self, reply: Callable[[list[int]], list[bytes]]) -> None:
        self.reply = reply
        self.sent: list[list[int]] = []
        self._waiting: list[bytes] = []

    def send(self, data: bytes) -> None:
        sequences, at = [], 0
        while at < len(data):
            length, sequence = struct.unpack_from("=I4xI", data, at)
            assert length >= 16, "no message"
            sequences.append(sequence)
            at += (length + 3) & ~3
        self.sent.append(sequences)
        self._waiting += self.reply(sequences)

    def recv(self, size: int) -> bytes:
        return self._waiting.pop(0)


def message(kind: int, sequence: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def acknowledged(sequence: int, code: int = 0, words: bytes = b"", flags: int = 0) -> bytes:
    """As with NETLINK_CAP_ACK: the code, the request's header, and what explains it."""
    return message(ERROR, sequence, struct.pack("=i16x", -code) + words, flags)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def neighbour(sequence: int, number: int, flags: int = MULTI) -> bytes:
    body = struct.pack("=BxxxiHBB", 2, 7, 0x80, 0, 0) + attribute(1, bytes((10, 0, 0, number)))
    return message(NEWNEIGH, sequence, body, flags)


@pytest.fixture
def link() -> Iterator[Rtnetlink]:
    opened = Rtnetlink()
    real = opened.socket
    yield opened
    real.close()


def play(link: Rtnetlink, reply: Callable[[list[int]], list[bytes]]) -> Script:
    script: Any = Script(reply)
    link.socket = script
    return script  # type: ignore[no-any-return]


def request(kind: int = NEWNEIGH) -> Request:
    return Request(kind, ndmsg())


def test_many_in_a_call(link: Rtnetlink) -> None:
    """At most 64; each error belongs to its request, in whatever order the answers come."""
    script = play(link, lambda asked: [b"".join(acknowledged(n, n % 3) for n in reversed(asked))])
    errors = link.ask([request() for _ in range(130)])
    assert [len(asked) for asked in script.sent] == [64, 64, 2]
    assert [error.errno if error else 0 for error in errors] == [n % 3 for n in range(1, 131)]
    assert link.operations == 130
    assert link.ask([]) == []


def test_answers_to_what_was_given_up(link: Rtnetlink) -> None:
    """Those of an earlier call, which ran out of time, are passed over."""

    def late(asked: list[int]) -> list[bytes]:
        return [] if asked == [1] else [acknowledged(1, errno.EPERM), acknowledged(asked[0])]

    play(link, late)
    with pytest.raises(IndexError):
        link.ask([request()])
    assert link.ask([request()]) == [None]


def test_words_of_the_kernel(link: Rtnetlink) -> None:
    """Where it has some, they are the error's; what is garbled does not keep it from being one."""
    said = attribute(2, bytes(4)) + attribute(1, b"Nexthop has invalid gateway\0")
    for words, flags, expected in (
        (said, EXPLAINED, "Nexthop has invalid gateway"),
        (said, 0, "Network is unreachable"),
        (b"", EXPLAINED, "Network is unreachable"),
        (struct.pack("=HH", 0, 9) * 2, EXPLAINED, "Network is unreachable"),
        (struct.pack("=HH", 0xFFFF, 2), EXPLAINED, "Network is unreachable"),
        (attribute(1, b"\xff\0"), EXPLAINED, "\ufffd"),
    ):
        play(link, lambda asked, w=words, f=flags: [acknowledged(asked[0], errno.ENETUNREACH, w, f)])  # type: ignore
        (error,) = link.ask([request()])
        assert error is not None
        assert (error.errno, error.strerror) == (errno.ENETUNREACH, expected)


def test_dump(link: Rtnetlink) -> None:
    """Over several datagrams, to its end."""
    play(link, lambda asked: [neighbour(asked[0], 1) + neighbour(asked[0] - 1, 9), neighbour(asked[0], 2),
                              message(DONE, asked[0], bytes(4))])  # fmt: skip
    assert [found.get_attr("NDA_DST") for found in link.dump(request(GETNEIGH))] == ["10.0.0.1", "10.0.0.2"]


def test_dump_that_is_refused(link: Rtnetlink) -> None:
    for refusal in (acknowledged(1, errno.EPERM), message(DONE, 2, struct.pack("=i", -errno.EPERM))):
        play(link, lambda asked, said=refusal: [said])  # type: ignore[misc]
        with pytest.raises(PermissionError):
            link.dump(request(GETNEIGH))


def test_dump_while_the_table_changes(link: Rtnetlink) -> None:
    """It is read again, and not for ever."""

    def changing(times: int) -> Callable[[list[int]], list[bytes]]:
        def reply(asked: list[int]) -> list[bytes]:
            flags = MULTI | (INTERRUPTED if len(script.sent) <= times else 0)
            return [neighbour(asked[0], len(script.sent), flags) + message(DONE, asked[0], bytes(4))]

        return reply

    script = play(link, changing(3))
    assert [found.get_attr("NDA_DST") for found in link.dump(request(GETNEIGH))] == ["10.0.0.4"]
    script = play(link, changing(1000))
    with pytest.raises(OSError, match="change faster than they can be read"):
        link.dump(request(GETNEIGH))
    assert len(script.sent) == 10


def test_one_answer(link: Rtnetlink) -> None:
    play(link, lambda asked: [neighbour(asked[0] - 1, 9), neighbour(asked[0], 1)])
    assert link.get(request(GETNEIGH)).get_attr("NDA_DST") == "10.0.0.1"
    play(link, lambda asked: [acknowledged(asked[0], errno.ENODEV)])
    with pytest.raises(OSError, match="No such device"):
        link.get(request(GETNEIGH))
    play(link, lambda asked: [acknowledged(asked[0])])
    with pytest.raises(OSError, match="says nothing"):
        link.get(request(GETNEIGH))

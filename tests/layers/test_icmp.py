"""ICMP messages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.errors import FieldError
from vxlanpkt.kernel.contract.spans import Span
from vxlanpkt.layers.base import Around
from vxlanpkt.layers.icmp import ICMP
from vxlanpkt.layers.messages import Echo, PacketTooBig, Quote, Unreachable

# An echo request as Windows sends it.
PING = bytes.fromhex("0800 4d5a 0001 0001") + b"abcdefghijklmnopqrstuvwabcdefghi"


def read(wire: bytes) -> ICMP:
    span = ICMP.scan(wire, 0, len(wire))
    assert span == Span(0, len(wire), len(wire), None)
    assert isinstance(span, Span)
    return ICMP.decode(wire, span)


def test_vector() -> None:
    """An echo request: the body is typed, the checksum derived without a pseudo-header."""
    message = ICMP(8, body=Echo(1, 1, b"abcdefghijklmnopqrstuvwabcdefghi"))
    full, wire = message.encode(Around((), b""))
    assert wire == PING
    assert full == read(PING) == message.replace(checksum=0x4D5A)


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        ("0000 0000 0102 0304 05", Echo(0x0102, 0x0304, b"\5")),
        ("0800 0000 0000 0000", Echo()),
        ("0304 0000 0000 05dc 4500", Unreachable(0, 1500, b"\x45\0")),
        ("0301 0000 0102 0304", Unreachable(0x0102, 0x0304)),
        ("0b00 0000 00010203 45", Quote(0x010203, b"\x45")),
        ("0500 0000 c0000201 45", bytes.fromhex("c000020145")),
        ("0800 0000 000100", b"\0\1\0"),
        ("0300 0000", b""),
        ("ff00 0000 01020304", b"\1\2\3\4"),
    ],
)
def test_bodies(wire: str, body: bytes | Echo | Unreachable | Quote) -> None:
    """The type chooses the message; bytes too short for it, or of another type, stay bytes."""
    data = bytes.fromhex(wire)
    message = read(data)
    assert message.body == body
    assert message.encode(Around((), b""))[1] == data
    assert ICMP(data[0], data[1], 0, body) == message


@given(kind=st.integers(0, 255), code=st.integers(0, 255), content=st.binary(max_size=60))
def test_checksum(kind: int, code: int, content: bytes) -> None:
    """The words of a message with a derived checksum add up to all ones; content that is built behind counts."""
    middle = len(content) // 4 * 2
    _, wire = ICMP(kind, code, body=content[:middle]).encode(Around((), content[middle:]))
    data = wire + content[middle:]
    data += bytes(len(data) % 2)
    assert sum(data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)) % 0xFFFF == 0


def test_anything_is_built() -> None:
    """A message of another type is sent as told."""
    assert ICMP(0, 0, 0, PacketTooBig(1500)).encode(Around((), b""))[1] == bytes.fromhex("0000 0000 000005dc")
    assert ICMP(13).body == b""
    assert ICMP(13, body=bytearray(b"ab")).body == b"ab"  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["ab", None, 5, Echo, [1]])
def test_wrong_bodies(wrong: Any) -> None:
    """A body is bytes or a message."""
    with pytest.raises(FieldError) as caught:
        ICMP(8, body=wrong)
    assert (caught.value.layer, caught.value.field) == ("ICMP", "body")


@pytest.mark.parametrize(
    ("make", "arguments", "field"),
    [
        (Echo, (1 << 16,), "identifier"), (Echo, (0, -1), "sequence_number"), (Echo, (0, 0, "a"), "data"),
        (Unreachable, (1 << 16,), "unused"), (Unreachable, (0, 1 << 16), "next_hop_mtu"), (Quote, (1 << 32,), "unused"),
        (Quote, (0, None), "packet"), (PacketTooBig, (1 << 32,), "mtu"), (PacketTooBig, (None,), "mtu"),
    ],
)  # fmt: skip
def test_message_widths(make: Any, arguments: tuple[Any, ...], field: str) -> None:
    """Messages check their widths when they are made."""
    with pytest.raises(FieldError) as caught:
        make(*arguments)
    assert (caught.value.layer, caught.value.field) == (make.__name__, field)


def test_a_body_given_as_bytes() -> None:
    """It becomes the message that its type names, as parsing would have it."""
    assert ICMP(8, body=b"\0\1\0\2data").body == Echo(1, 2, b"data")
    assert ICMP(200, body=b"\0\1\0\2data").body == b"\0\1\0\2data"

"""UDP headers and their checksum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from vxlanpkt.errors import BuildError, Reason
from vxlanpkt.kernel.contract.spans import Fault, Span
from vxlanpkt.layers.base import Around
from vxlanpkt.layers.ipv4 import IPv4
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.udp import UDP

OVER_4 = (IPv4("192.0.2.1", "192.0.2.2"),)
OVER_6 = (IPv6("2001:db8::1", "2001:db8::2"),)


def words(data: bytes) -> int:
    """The plain sum of 16-bit words."""
    data += bytes(len(data) % 2)
    return sum(data[at] << 8 | data[at + 1] for at in range(0, len(data), 2))


@pytest.mark.parametrize("below", [OVER_4, OVER_6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("content", [b"", b"a", b"ab", bytes(1000), b"\xff" * 33], ids=len)
def test_derived(below: Sequence[Any], content: bytes) -> None:
    """Length and checksum: pseudo-header, header and content add up to all ones."""
    full, header = UDP(49152, 4789).encode(Around(below, content))
    assert full.length == 8 + len(content)
    pseudo = below[0].src.packed + below[0].dst.packed + (17).to_bytes(2, "big") + (8 + len(content)).to_bytes(2, "big")
    assert words(pseudo + header + content) % 0xFFFF == 0
    assert full.checksum


def test_zero_is_sent_as_ones() -> None:
    """RFC 768: a computed checksum of zero is transmitted as all ones, and a given zero stays."""
    plain, _ = UDP(1, 2).encode(Around(OVER_4, b"\0\0"))
    checksum = plain.require("checksum")
    full, header = UDP(1, 2).encode(Around(OVER_4, checksum.to_bytes(2, "big")))
    assert full.checksum == 0xFFFF
    assert header[6:] == b"\xff\xff"
    assert UDP(1, 2, checksum=0).encode(Around(OVER_4, b"ab"))[1][6:] == b"\0\0"


def test_no_pseudo_header() -> None:
    """Without IP below a checksum cannot be derived; one that is given needs none."""
    with pytest.raises(BuildError) as caught:
        UDP(1, 2).encode(Around((), b""))
    assert (caught.value.layer, caught.value.field) == ("UDP", "checksum")
    assert UDP(1, 2, checksum=0).encode(Around((), b""))[1] == bytes.fromhex("0001 0002 0008 0000")


def test_too_long() -> None:
    """A length never wraps."""
    with pytest.raises(BuildError) as caught:
        UDP(1, 2, checksum=0).encode(Around((), bytes(65528)))
    assert (caught.value.layer, caught.value.field) == ("UDP", "length")
    assert UDP(1, 2, checksum=0).encode(Around((), bytes(65527)))[0].length == 65535


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, Fault(Reason.UDP_LENGTH, 8, "length", 0)),
        (7, Fault(Reason.UDP_LENGTH, 8, "length", 7)),
        (8, Span(0, 8, 8, 4789)),
        (11, Span(0, 8, 11, 4789)),
        (12, Span(0, 8, 12, 4789)),
        (13, Fault(Reason.UDP_TRUNCATED, 13, "length")),
        (32, Fault(Reason.UDP_TRUNCATED, 32, "length")),
        (65535, Fault(Reason.UDP_TRUNCATED, 65535, "length")),
    ],
)
def test_lengths(length: int, expected: Span | Fault) -> None:
    """The length ends the datagram: shorter trims, below 8 has no meaning, beyond is refused."""
    _, header = UDP(1, 4789, length, 0).encode(Around((), b"data"))
    assert UDP.scan(header + b"data", 0, 12) == expected

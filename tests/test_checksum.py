"""The Internet checksum, against a loop over words and the examples of the RFCs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.checksum import (
    internet_checksum,
    ones_complement_sum,
    pseudo_header_sum,
    transport_checksum,
    update_checksum,
)

WORD = st.integers(0, 0xFFFF)


def naive_sum(data: bytes) -> int:
    """RFC 1071 section 4.1, in C there: add words, fold carries."""
    total = 0
    for at in range(0, len(data) - 1, 2):
        total += data[at] << 8 | data[at + 1]
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_rfc_1071_example() -> None:
    """Section 3: 0001 f203 f4f5 f6f7 add up to ddf2."""
    assert ones_complement_sum(bytes.fromhex("0001 f203 f4f5 f6f7")) == 0xDDF2
    assert internet_checksum(bytes.fromhex("0001 f203 f4f5 f6f7")) == 0x220D


def test_ipv4_header() -> None:
    """A header known from many textbooks."""
    header = bytes.fromhex("4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7")
    assert internet_checksum(header) == 0xB861
    assert ones_complement_sum(header[:10] + b"\xb8\x61" + header[12:]) == 0xFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", 0), (b"\0", 0), (bytes(7), 0), (b"\xff\xff", 0xFFFF), (b"\xff" * 64, 0xFFFF), (b"\1", 0x0100),
     (b"\xff\xfe\0\1", 0xFFFF), (b"\xff\xff\0\1", 1)],
)  # fmt: skip
def test_edges(data: bytes, expected: int) -> None:
    """Zero is the sum of zeros alone; all ones stay; an odd byte is the upper one of its word."""
    assert ones_complement_sum(data) == naive_sum(data) == expected
    assert internet_checksum(data) == 0xFFFF - expected


@given(data=st.binary(max_size=200))
def test_any_data(data: bytes) -> None:
    """The division equals the loop, for every kind of buffer."""
    expected = naive_sum(data)
    assert ones_complement_sum(data) == expected
    assert ones_complement_sum(bytearray(data)) == expected
    assert ones_complement_sum(memoryview(data)) == expected
    assert internet_checksum(data) == expected ^ 0xFFFF


@given(data=st.binary(max_size=100), before=st.binary(max_size=50))
def test_parts(data: bytes, before: bytes) -> None:
    """A sum goes on from another one, folded or not, if what is before has whole words."""
    before += bytes(len(before) % 2)
    expected = naive_sum(before + data)
    assert ones_complement_sum(data, ones_complement_sum(before)) == expected
    assert ones_complement_sum(data, int.from_bytes(before, "big")) == expected


@given(data=st.binary(max_size=100), pseudo=st.integers(0, 1 << 130))
def test_transport(data: bytes, pseudo: int) -> None:
    """UDP's checksum is the same, but never 0."""
    plain = internet_checksum(data, pseudo)
    assert transport_checksum(data, pseudo) == (plain or 0xFFFF)


@given(
    addresses=st.one_of(st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32)),
    protocol=st.integers(0, 255),
    length=st.integers(0, 0xFFFF),
)
def test_pseudo_header(addresses: bytes, protocol: int, length: int) -> None:
    """The sum is that of the pseudo-header as RFC 768 and RFC 8200 draw it."""
    half = len(addresses) // 2
    if half == 4:
        drawn = addresses + bytes((0, protocol)) + length.to_bytes(2, "big")
    else:
        drawn = addresses + length.to_bytes(4, "big") + bytes((0, 0, 0, protocol))
    found = pseudo_header_sum(addresses[:half], addresses[half:], protocol, length)
    assert ones_complement_sum(b"", found) == naive_sum(drawn)


def test_rfc_1624_example() -> None:
    """Section 4: 5555 becomes 3285 under a checksum of dd2f; the result is 0000, not ffff."""
    assert update_checksum(0xDD2F, 0x5555, 0x3285) == 0x0000


@given(words=st.lists(WORD, min_size=1, max_size=20), at=st.integers(0, 19), new=WORD)
def test_update(words: list[int], at: int, new: int) -> None:
    """An update equals a new sum; 0 and ffff are one number, which only all zeros tell apart."""
    at %= len(words)
    old = words[at]
    before = internet_checksum(b"".join(word.to_bytes(2, "big") for word in words))
    words[at] = new
    after = internet_checksum(b"".join(word.to_bytes(2, "big") for word in words))
    updated = update_checksum(before, old, new)
    assert 0 <= updated <= 0xFFFF
    assert (updated - after) % 0xFFFF == 0
    if any(words):
        assert updated == after


@given(checksum=WORD, old=WORD, new=WORD)
def test_update_is_undone(checksum: int, old: int, new: int) -> None:
    """Changing a word and changing it back gives the checksum again, or its other zero."""
    assert (update_checksum(update_checksum(checksum, old, new), new, old) - checksum) % 0xFFFF == 0

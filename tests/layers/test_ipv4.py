"""IPv4: vectors, options, and what is derived."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from vxlanpkt import BuildError, IPv4, IPv4Option
from vxlanpkt.errors import Reason

from .laws import LayerLaws, decoded, encoded, field_error, malformed, refused

BARE: Any = IPv4("192.0.2.1", "192.0.2.2", protocol=17)


class TestIPv4(LayerLaws):
    example = IPv4(
        "192.0.2.1", "192.0.2.2", 46, 1, 0xBEEF, 2, 0, 63, b"\x94\4\0\0", 4, 6, 24, 17, 0xABCD
    )  # fmt: skip
    wire = "46b9" "0018" "beef" "4000" "3f11" "abcd" "c0000201" "c0000202" "94040000"  # fmt: skip
    required = {"src": 1, "dst": 2}  # noqa: RUF012
    truncated = Reason.IPV4_HEADER_TRUNCATED


def test_checksum_vector() -> None:
    """The header of RFC 1071 fame: a checksum computed by hand."""
    header = IPv4("192.168.0.1", "192.168.0.199", flags=2, protocol=17)
    _, data = encoded(header, bytes(95))
    assert data.hex() == "450000730000400040" "11" "b861" "c0a80001" "c0a800c7"  # fmt: skip


def test_derived() -> None:
    """IHL, total length, protocol and checksum follow from options and content."""
    full, data = encoded(IPv4("192.0.2.1", "192.0.2.2", options=b"\1\1\1\1\1"), b"x" * 11, next_key=6)
    assert (full.ihl, full.total_length, full.protocol) == (7, 39, 6)
    assert len(data) == 28
    assert data[20:] == b"\1\1\1\1\1\0\0\0"
    assert full.options == b"\1\1\1\1\1"


def test_what_cannot_be_derived() -> None:
    """A derived value that does not fit, or that nothing says, is an error: nothing wraps."""
    for header, content, field in (
        (BARE, bytes(65516), "total_length"), (BARE.replace(options=bytes(44)), b"", "ihl"),
        (BARE.replace(protocol=None), b"", "protocol"),
    ):  # fmt: skip
        with pytest.raises(BuildError) as caught:
            encoded(header, content)
        assert (caught.value.layer, caught.value.field) == ("IPv4", field)
    assert encoded(BARE, bytes(65515))[0].total_length == 65535


def test_only_missing_fields_are_derived() -> None:
    """A wrong length is sent as told, and the checksum computed over it is right for the bytes."""
    full, data = encoded(BARE.replace(total_length=9, ihl=2, version=7), b"abc")
    assert data[:4].hex() == "72000009"
    assert sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, 20, 2)) % 0xFFFF == 0
    assert full.total_length == 9


@pytest.mark.parametrize("field", ["src", "dst"])
@pytest.mark.parametrize("value", ["192.0.2", "192.0.2.256", b"123", 1 << 32, -1, "::1", None])
def test_addresses_refused(field: str, value: object) -> None:
    """Addresses are of 32 bits."""
    error = field_error(lambda: BARE.replace(**{field: value}), "IPv4", field)
    assert (error.value, error.bits) == (value, 32)


def test_address_types() -> None:
    """Addresses may be given as text, number, bytes or value, and are stored as values."""
    for value in ("192.0.2.1", 0xC0000201, b"\xc0\0\2\1", IPv4Address("192.0.2.1")):
        assert IPv4(value, 0).src == IPv4Address("192.0.2.1")
    assert BARE.replace(dscp=46, ecn=3).tos == 0xBB


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(19), Reason.IPV4_HEADER_TRUNCATED),
        (b"\x65" + bytes(19), Reason.IPV4_VERSION),
        (b"\x44" + bytes(19), Reason.IPV4_IHL),
        (b"\x46\0\0\x18" + bytes(16), Reason.IPV4_OPTIONS_TRUNCATED),
        (b"\x45\0\0\x13" + bytes(16), Reason.IPV4_TOTAL_LENGTH),
        (b"\x45\0\0\0" + bytes(16), Reason.IPV4_TOTAL_LENGTH),
        (b"\x46\0\0\x17" + bytes(20), Reason.IPV4_TOTAL_LENGTH),
        (b"\x45\0\0\x15" + bytes(16), Reason.IPV4_TRUNCATED),
    ],
)
def test_refused(data: bytes, reason: Reason) -> None:
    """Each way for a header not to be has a reason of its own."""
    refused(data, IPv4, reason)


def test_fragments() -> None:
    """A nonzero offset says that nothing can follow; a first fragment is followed as far as it goes."""
    first, later = BARE.replace(flags=1), BARE.replace(fragment_offset=1)
    assert decoded(IPv4, encoded(first)[1])[1].next_key == 17
    assert decoded(IPv4, encoded(later)[1])[1].next_key is None


def test_total_length_bounds_the_content() -> None:
    """Bytes behind the total length are no part of the packet."""
    data = encoded(BARE, b"abc")[1] + b"abc" + b"padding"
    _, span = decoded(IPv4, data)
    assert (span.header_end, span.end) == (20, 23)


def test_parsed_options() -> None:
    """A view of the options: no-operation alone, others with their data, up to the end of the list."""
    header = BARE.replace(options=b"\1\x94\4\0\5\x83\7\4\xc0\0\2\1\0\xff\xff")
    assert header.parsed_options() == (
        IPv4Option(1), IPv4Option(0x94, b"\0\5"), IPv4Option(0x83, b"\4\xc0\0\2\1"),
    )  # fmt: skip
    assert BARE.parsed_options() == ()


@pytest.mark.parametrize("options", [b"\x94", b"\x94\0", b"\x94\1", b"\x94\5\0\0", b"\1\1\7\xff", b"\x94\4\0\0\x83\3"])
def test_broken_options(options: bytes) -> None:
    """A length of 0 or 1, one beyond the options, and a missing one are refused by the view, never by decode."""
    header = BARE.replace(options=options)
    error = malformed(header.parsed_options, "IPv4", Reason.IPV4_OPTION_LENGTH)
    assert error.field == "options"
    data = encoded(header)[1]
    assert decoded(IPv4, data)[0].options[: len(options)] == options
    field_error(lambda: BARE.replace(options="text"), "IPv4", "options")


def test_match() -> None:
    """A header can be taken apart by match."""
    match BARE:
        case IPv4(dst=dst, protocol=17, options=b""):
            assert dst == IPv4Address("192.0.2.2")
        case _:
            pytest.fail("no match")


def test_defaults() -> None:
    """A packet as a host sends it, without DF."""
    assert IPv4(1, 2) == IPv4(1, 2, 0, 0, 0, 0, 0, 64, b"", 4, None, None, None, None)


def test_what_the_checksum_covers() -> None:
    """Each field of the header, by a sum that is made here word by word."""
    header = BARE.replace(dscp=46, ecn=1, identification=0xABCD, flags=2, fragment_offset=5, options=b"\x94\4\0\5")
    value, wire = encoded(header, b"abc")
    total = sum(int.from_bytes(wire[at : at + 2], "big") for at in range(0, len(wire), 2) if at != 10)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert value.header_checksum == 0xFFFF - total


def test_packed_addresses() -> None:
    """They stay packed until somebody reads them: most are never looked at."""
    header = IPv4(b"\xc0\0\2\1", bytes(4))
    assert header._src == b"\xc0\0\2\1"
    assert header.src == IPv4Address("192.0.2.1")
    assert header._src == IPv4Address("192.0.2.1")

"""IPv6 and its extension headers."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

import pytest

from vxlanpkt import (
    TCP,
    Authentication,
    BuildError,
    DestinationOptions,
    FieldError,
    Fragment,
    HopByHop,
    IPv6,
    IPv6Option,
    OpaqueExtension,
    Packet,
    Routing,
    parse,
)
from vxlanpkt.errors import Reason

from .laws import LayerLaws, decoded, encoded, field_error, malformed, refused

BARE: Any = IPv6("2001:db8::1", "2001:db8::2", next_header=17)
ADDRESSES = "20010db8000000000000000000000001" + "20010db8000000000000000000000002"
CHAIN = (
    HopByHop(b"\5\2\0\0\1\0"),
    DestinationOptions(b"\1\4\0\0\0\0"),
    Routing(4, 0, bytes(4)),
    Fragment(0, 0, 0xDEADBEEF),
    Authentication(1, 2, b"abcd"),
    OpaqueExtension(135, bytes(6)),
)


class TestIPv6(LayerLaws):
    example = IPv6(
        "2001:db8::1", "2001:db8::2", 46, 1, 0xABCDE, 63,
        (HopByHop(b"\5\2\0\0\1\0", 44, 0), Fragment(0, 0, 0xDEADBEEF, 0x11, 3, 17)), 6, 16, 0,
    )  # fmt: skip
    wire = "6b9abcde0010003f" + ADDRESSES + "2c0005020000010011110006deadbeef"
    required = {"src": 1, "dst": 2}  # noqa: RUF012
    truncated = Reason.IPV6_HEADER_TRUNCATED


def test_bare_vector() -> None:
    """A header without extensions: known bytes, payload length of the content alone."""
    full, data = encoded(BARE, bytes(9))
    assert data.hex() == "60000000" "0009" "11" "40" + ADDRESSES  # fmt: skip
    assert (full.payload_length, full.upper_protocol) == (9, 17)
    assert BARE.replace(dscp=46, ecn=3).traffic_class == 0xBB


def test_chain_vector() -> None:
    """Every kind of extension header: next headers and lengths are derived, all bytes known."""
    header = IPv6("2001:db8::1", "2001:db8::2", extension_headers=CHAIN)
    full, data = encoded(header, b"", next_key=6)
    assert data[40:].hex() == (
        "3c00" "050200000100" "2b00" "010400000000" "2c00" "0400" "00000000" "33000000deadbeef"
        "8702" "0000" "00000001" "00000002" "61626364" "0600" "000000000000"
    )  # fmt: skip
    assert (full.next_header, full.payload_length, full.upper_protocol) == (0, 56, 6)
    value, span = decoded(IPv6, data)
    assert value == full
    assert (span.header_end, span.next_key) == (96, 6)


def test_what_cannot_be_derived() -> None:
    """A payload beyond 65,535 bytes, or a next header that nothing says, is an error."""
    for header, content, field in (
        (BARE, bytes(65536), "payload_length"), (BARE.replace(next_header=None), b"", "next_header"),
    ):  # fmt: skip
        with pytest.raises(BuildError) as caught:
            encoded(header, content)
        assert (caught.value.layer, caught.value.field) == ("IPv6", field)
    for extension in (HopByHop(bytes(2048)), Authentication(1, 1, bytes(1024)), OpaqueExtension(135, bytes(2048))):
        with pytest.raises(BuildError):
            encoded(BARE.replace(extension_headers=(extension,), next_header=None), next_key=17)


@pytest.mark.parametrize("field", ["src", "dst"])
@pytest.mark.parametrize("value", ["2001:db8::g", "192.0.2.1", b"123", 1 << 128, -1, "fe80::1%eth0", None])
def test_addresses_refused(field: str, value: object) -> None:
    """Addresses are of 128 bits, without a zone."""
    error = field_error(lambda: BARE.replace(**{field: value}), "IPv6", field)
    assert (error.value, error.bits) == (value, 128)


def test_extension_headers_refused() -> None:
    """Only extension headers are extension headers."""
    for value in ((b"bytes",), (BARE,), (None,)):
        field_error(lambda: BARE.replace(extension_headers=value), "IPv6", "extension_headers")  # noqa: B023


@pytest.mark.parametrize(
    ("make", "fields"),
    [
        (lambda **k: HopByHop(**k), {"next_header": 8, "length_field": 8}),
        (lambda **k: DestinationOptions(**k), {"next_header": 8, "length_field": 8}),
        (lambda **k: Routing(**{"routing_type": 0, "segments_left": 0, **k}), {"routing_type": 8, "segments_left": 8}),
        (
            lambda **k: Fragment(**{"fragment_offset": 0, "more_fragments": 0, "identification": 0, **k}),
            {"fragment_offset": 13, "more_fragments": 1, "identification": 32, "reserved1": 8, "reserved2": 2},
        ),
        (
            lambda **k: Authentication(**{"spi": 0, "sequence_number": 0, **k}),
            {"spi": 32, "sequence_number": 32, "reserved": 16, "length_field": 8},
        ),
        (lambda **k: OpaqueExtension(**{"number": 135, **k}), {"number": 8, "next_header": 8}),
    ],
)
def test_extension_fields(make: Any, fields: dict[str, int]) -> None:
    """The fields of extension headers have widths too."""
    for field, bits in fields.items():
        assert getattr(make(**{field: (1 << bits) - 1}), field) == (1 << bits) - 1
        for value in (1 << bits, -1, "1"):
            with pytest.raises(FieldError) as caught:
                make(**{field: value})
            assert (caught.value.field, caught.value.value, caught.value.bits) == (field, value, bits)


def chain_of(first: int, chain: bytes) -> bytes:
    return bytes.fromhex("60000000") + len(chain).to_bytes(2, "big") + bytes((first, 64)) + bytes(32) + chain


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(39), Reason.IPV6_HEADER_TRUNCATED),
        (b"\x45" + bytes(39), Reason.IPV6_VERSION),
        (chain_of(17, b"")[:4] + b"\0\1\x11\x40" + bytes(32), Reason.IPV6_TRUNCATED),
        (chain_of(60, bytes(7)), Reason.IPV6_EXTENSION_TRUNCATED),
        (chain_of(60, b"\x11\1" + bytes(6)), Reason.IPV6_EXTENSION_TRUNCATED),
        (chain_of(0, b"\x11\xff" + bytes(100)), Reason.IPV6_EXTENSION_TRUNCATED),
        (chain_of(51, b"\x11\0" + bytes(10)), Reason.IPV6_AH_LENGTH),
    ],
)
def test_refused(data: bytes, reason: Reason) -> None:
    """Each way for a header or its chain not to be has a reason of its own."""
    refused(data, IPv6, reason)


def test_hop_by_hop_elsewhere_ends_the_chain() -> None:
    """Hop-by-hop options are an extension header only directly behind the fixed header."""
    value, span = decoded(IPv6, chain_of(60, b"\0\0" + bytes(6) + b"\x11\0" + bytes(6)))
    assert [type(extension) for extension in value.extension_headers] == [DestinationOptions]
    assert (span.header_end, span.next_key) == (48, 0)


def test_a_long_chain() -> None:
    """255 extension headers are read, and written back."""
    data = chain_of(60, b"".join(bytes((60 if left else 59, 0)) + bytes(6) for left in range(254, -1, -1)))
    value, span = decoded(IPv6, data)
    assert len(value.extension_headers) == 255
    assert span.next_key == 59
    assert encoded(value)[1] == data


def test_fragments() -> None:
    """A nonzero offset ends the chain and says that nothing can follow; an atomic fragment is followed."""
    for offset, more, following in ((0, 0, 17), (0, 1, 17), (1, 0, None), (8191, 1, None)):
        fragment = Fragment(offset, more, 5, next_header=17)
        data = encoded(BARE.replace(extension_headers=(fragment,), next_header=44))[1]
        value, span = decoded(IPv6, data)
        assert value.extension_headers == (fragment,)
        assert span.next_key == following


@pytest.mark.parametrize(("routing_type", "used"), [(0, True), (2, True), (4, True), (253, False)])
def test_pseudo_header_of_a_route(routing_type: int, used: bool) -> None:
    """While segments are left, checksums above cover the final destination (RFC 8200 section 8.1)."""
    final = IPv6Address("2001:db8::9")
    route = Routing(routing_type, 1, bytes(4) + final.packed)
    to_final = IPv6("2001:db8::1", final)
    header = IPv6("2001:db8::1", "2001:db8::2", extension_headers=(route,))
    assert (header.pseudo_header_sum(6, 20) == to_final.pseudo_header_sum(6, 20)) is used
    arrived = header.replace(extension_headers=(Routing(routing_type, 0, bytes(4) + final.packed),))
    assert arrived.pseudo_header_sum(6, 20) == BARE.pseudo_header_sum(6, 20)
    wire = Packet(header, TCP(1, 2)).build()
    assert parse(wire, start=IPv6).checksum_errors() == ()


@pytest.mark.parametrize("kind", [HopByHop, DestinationOptions])
def test_parsed_options(kind: Any) -> None:
    """A view of the options, padding included; broken lengths are refused by it alone."""
    header = kind(b"\5\2\0\0\0\xc2\4\0\1\0\0")
    assert header.parsed_options() == (IPv6Option(5, b"\0\0"), IPv6Option(0), IPv6Option(0xC2, b"\0\1\0\0"))
    assert kind(b"").parsed_options() == ()
    for options in (b"\5", b"\5\1", b"\5\xff\0\0\0\0", b"\0\0\5\3\0\0"):
        error = malformed(kind(options).parsed_options, "IPv6", Reason.IPV6_OPTION_LENGTH)
        assert error.field == "options"
        data = encoded(BARE.replace(extension_headers=(kind(options),), next_header=None), next_key=17)[1]
        assert decoded(IPv6, data)[0].extension_headers[0].options.startswith(options)


def test_address_types() -> None:
    """Addresses may be given as text, number, bytes or value, and are stored as values."""
    for value in ("2001:db8::1", 0x20010DB8 << 96 | 1, IPv6Address("2001:db8::1").packed, IPv6Address("2001:db8::1")):
        assert IPv6(value, 0).src == IPv6Address("2001:db8::1")


def test_lengths_of_extension_headers() -> None:
    """Derived from what is there, in words of 8 bytes, of 4 for authentication; as told, where they are told."""
    for extension, wire in (
        (HopByHop(bytes(14), 17), "1101" + "00" * 14), (HopByHop(bytes(14), 17, 9), "1109" + "00" * 14),
        (HopByHop(bytes(7), 17), "1101" + "00" * 14), (OpaqueExtension(135, b"abcdef", 17, 3), "1103616263646566"),
        (Routing(4, 0, bytes(4), 17, 7), "1107040000000000"),
        (Authentication(1, 2, b"abcde", 0, 17), "11030000" "00000001" "00000002" "6162636465000000"),
        (Authentication(1, 2, b"abcd", 0, 17, 9), "11090000" "00000001" "00000002" "61626364"),
    ):  # fmt: skip
        assert extension.encode().hex() == wire
    assert HopByHop(bytes(2046), 17).encode()[1] == 255
    assert Authentication(1, 2, bytes(1016), 0, 17).encode()[1] == 255
    assert HopByHop().encode()[0] == 0


def test_defaults() -> None:
    """A packet as a host sends it: best effort, no flow, 64 hops."""
    assert IPv6(1, 2) == IPv6(1, 2, 0, 0, 0, 64, (), 6, None, None)


def test_packed_addresses() -> None:
    """They stay packed until somebody reads them: most are never looked at."""
    source = IPv6Address("2001:db8::1")
    header = IPv6(source.packed, bytes(16))
    assert header._src == source.packed
    assert header.src == source
    assert header._src == source

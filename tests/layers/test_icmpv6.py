"""ICMPv6 messages, and neighbour discovery with its options."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import BuildError, FieldError, MalformedError, Reason
from vxlanpkt.kernel.contract.spans import Span
from vxlanpkt.layers.base import Around
from vxlanpkt.layers.icmpv6 import ICMPv6
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.messages import Echo, PacketTooBig, Quote
from vxlanpkt.layers.neighbor_discovery import (
    MTU,
    AnyNDOption,
    NDOption,
    NeighborAdvertisement,
    NeighborSolicitation,
    PrefixInformation,
    Redirect,
    RedirectedHeader,
    RouterAdvertisement,
    RouterSolicitation,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
)

BELOW = (IPv6("fe80::1", "ff02::1:ff00:2"),)
MAC = MACAddress("02:00:00:00:00:01")
FE80_2 = bytes.fromhex("fe80 0000 0000 0000 0000 0000 0000 0002")


def read(wire: bytes) -> ICMPv6:
    span = ICMPv6.scan(wire, 0, len(wire))
    assert isinstance(span, Span)
    return ICMPv6.decode(wire, span)


def test_vector() -> None:
    """A neighbour solicitation with the sender's address, RFC 4861 section 4.3."""
    message = ICMPv6(135, body=NeighborSolicitation("fe80::2", [SourceLinkLayerAddress(MAC)]))
    full, wire = message.encode(Around(BELOW, b""))
    assert wire[:2] + wire[4:] == bytes.fromhex("8700 00000000") + FE80_2 + bytes.fromhex("0101 020000000001")
    assert read(wire) == full
    pseudo = BELOW[0].src.packed + BELOW[0].dst.packed + bytes((0, 0, 0, 32, 0, 0, 0, 58))
    data = pseudo + wire
    assert sum(data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)) % 0xFFFF == 0


def test_no_pseudo_header() -> None:
    """Without IP below a checksum cannot be derived."""
    with pytest.raises(BuildError) as caught:
        ICMPv6(128).encode(Around((), b""))
    assert (caught.value.layer, caught.value.field) == ("ICMPv6", "checksum")


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (b"\x80\0\0\0\1\2\3\4\5", Echo(0x0102, 0x0304, b"\5")),
        (b"\x81\0\0\0\0\0\0\0", Echo()),
        (b"\1\4\0\0\0\0\0\1\x60", Quote(1, b"\x60")),
        (b"\3\0\0\0\0\0\0\0", Quote()),
        (b"\2\0\0\0\0\0\5\xdc\x60", PacketTooBig(1500, b"\x60")),
        (b"\x85\0\0\0\0\0\0\1\1\1\2\0\0\0\0\1", RouterSolicitation(1, [SourceLinkLayerAddress(MAC)])),
        (b"\x86\0\0\0\x40\xc1\0\x1e\0\0\0\2\0\0\0\3", RouterAdvertisement(64, 0xC1, 30, 2, 3)),
        (b"\x87\0\0\0\0\0\0\0" + FE80_2, NeighborSolicitation("fe80::2")),
        (b"\x88\0\0\0\x80\0\0\0" + FE80_2, NeighborAdvertisement("fe80::2", router=True)),
        (b"\x88\0\0\0\x40\0\0\0" + FE80_2, NeighborAdvertisement("fe80::2", solicited=True)),
        (b"\x88\0\0\0\x20\0\0\7" + FE80_2, NeighborAdvertisement("fe80::2", override=True, reserved=7)),
        (b"\x89\0\0\0\0\0\0\0" + FE80_2 + FE80_2, Redirect("fe80::2", "fe80::2")),
        (b"\x80\0\0\0\1\2\3", b"\1\2\3"),
        (b"\x87\0\0\0" + bytes(19), bytes(19)),
        (b"\x89\0\0\0" + bytes(35), bytes(35)),
        (b"\x86\0\0\0" + bytes(11), bytes(11)),
        (b"\x04\0\0\0abcd", b"abcd"),
    ],
)
def test_bodies(wire: bytes, body: Any) -> None:
    """The type chooses the message; bytes too short for it, or of another type, stay bytes."""
    message = read(wire)
    assert message.body == body
    assert type(message.body) is type(body)
    assert message.encode(Around((), b""))[1] == wire
    assert pickle.loads(pickle.dumps(message)) == message


@pytest.mark.parametrize("wrong", ["ab", None, 5, Echo])
def test_wrong_bodies(wrong: Any) -> None:
    """A body is bytes or a message."""
    with pytest.raises(FieldError) as caught:
        ICMPv6(128, body=wrong)
    assert (caught.value.layer, caught.value.field) == ("ICMPv6", "body")


OPTIONS: list[tuple[AnyNDOption, str]] = [
    (SourceLinkLayerAddress(MAC), "0101 020000000001"),
    (TargetLinkLayerAddress(MAC), "0201 020000000001"),
    (MTU(1450), "0501 0000 000005aa"),
    (MTU(1450, 0xFFFF), "0501 ffff 000005aa"),
    (PrefixInformation("2001:db8::", 48), "0304 30c0 ffffffff ffffffff 00000000 20010db8" + "00" * 12),
    (
        PrefixInformation("2001:db8::", 64, False, False, 1, 2, 0x3F, 4),
        "0304 403f 00000001 00000002 00000004 20010db8" + "00" * 12,
    ),
    (RedirectedHeader(b"\x60" + bytes(7)), "0402 000000000000 60" + "00" * 7),
    (RedirectedHeader(b"", 1), "0401 000000000001"),
    (NDOption(1, bytes(14)), "0102" + "00" * 14),
    (NDOption(25, b"\0\0\0\0\0\1"), "1901 000000000001"),
]


@pytest.mark.parametrize(("option", "wire"), OPTIONS)
def test_options(option: AnyNDOption, wire: str) -> None:
    """Every option, as RFC 4861 section 4.6 lays it out, and back; reserved bits are kept."""
    assert option.encode() == bytes.fromhex(wire)
    assert RouterSolicitation(options=bytes.fromhex(wire)).parsed_options() == (option,)
    assert pickle.loads(pickle.dumps(option)) == option


def test_options_in_a_row() -> None:
    """A message takes options as values and keeps their bytes; each of the five reads them back."""
    values = tuple(option for option, _ in OPTIONS)
    data = b"".join(bytes.fromhex(wire) for _, wire in OPTIONS)
    for message in (
        RouterSolicitation(options=values),
        RouterAdvertisement(options=iter(values)),
        NeighborSolicitation("::", values),
        NeighborAdvertisement("::", options=values),
        Redirect("::", "::", values),
    ):
        assert message.options == data
        assert message.parsed_options() == values
        assert ICMPv6(0, body=message) == ICMPv6(0, body=type(message).decode(message.encode()))


def test_padding() -> None:
    """Options are padded with zeros to multiples of 8 bytes."""
    assert NDOption(14, b"abc").encode() == b"\x0e\1abc\0\0\0"
    assert NDOption(14, bytes(7)).encode() == b"\x0e\2" + bytes(14)
    assert RedirectedHeader(b"ab").encode() == b"\4\2" + bytes(6) + b"ab" + bytes(6)
    assert len(NDOption(14, bytes(2038)).encode()) == 2040


@pytest.mark.parametrize(
    ("options", "at", "value"),
    [
        ("01", 0, 0), ("0100", 0, 0), ("0100" + "00" * 6, 0, 0), ("0102" + "00" * 6, 0, 2),
        ("01ff" + "00" * 14, 0, 255),
        ("0101" + "00" * 6 + "0e00" + "00" * 6, 8, 0), ("0101" + "00" * 6 + "0e", 8, 0), ("0e01" + "00" * 5, 0, 1),
        ("0301" + "00" * 6, 0, 1), ("0305" + "00" * 38, 0, 5), ("0502" + "00" * 14, 0, 2),
    ],
)  # fmt: skip
def test_wrong_lengths(options: str, at: int, value: int) -> None:
    """A length of 0, one beyond the message, and one that is not the type's are refused, but only when asked for."""
    wire = b"\x87\0\0\0" + bytes(20) + bytes.fromhex(options)
    message = read(wire)
    assert message.encode(Around((), b""))[1] == wire
    assert isinstance(message.body, NeighborSolicitation)
    with pytest.raises(MalformedError) as caught:
        message.body.parsed_options()
    error = caught.value
    assert (error.reason, error.layer, error.field) == (Reason.ND_OPTION_LENGTH, "ICMPv6", "options")
    assert (error.offset, error.value) == (24 + at, value)


@given(options=st.binary(max_size=80))
def test_any_options(options: bytes) -> None:
    """Any bytes are options, or are malformed; what was read encodes to what was there."""
    message = RouterSolicitation(options=options)
    try:
        values = message.parsed_options()
    except MalformedError:
        return
    assert RouterSolicitation(options=values) == message


@given(kind=st.sampled_from((1, 2, 3, 4, 5)), units=st.integers(1, 5), data=st.binary(min_size=40, max_size=40))
def test_any_known_option(kind: int, units: int, data: bytes) -> None:
    """Options of the known types survive with any content."""
    options = bytes((kind, units)) + data[: units * 8 - 2]
    try:
        (option,) = RouterSolicitation(options=options).parsed_options()
    except MalformedError:
        assert (kind, units) not in ((3, 4), (5, 1))
        assert kind in (3, 5)
        return
    assert option.encode() == options


@pytest.mark.parametrize("wrong", [5, None, "ab", [b"\1"], [Echo()], [MTU]])
def test_wrong_options(wrong: Any) -> None:
    """Options are bytes or values of options."""
    with pytest.raises(FieldError) as caught:
        NeighborSolicitation("::", wrong)
    assert (caught.value.layer, caught.value.field) == ("NeighborSolicitation", "options")


@pytest.mark.parametrize(
    ("make", "arguments", "field"),
    [
        (NDOption, (256,), "type"), (NDOption, (1, bytes(2039)), "data"), (MTU, (1 << 32,), "mtu"),
        (MTU, (0, 1 << 16), "reserved"), (PrefixInformation, ("1.2.3.4",), "prefix"),
        (PrefixInformation, ("::", 256), "prefix_length"), (PrefixInformation, ("fe80::%1",), "prefix"),
        (RedirectedHeader, (bytes(2033),), "packet"), (RedirectedHeader, (b"", 1 << 48), "reserved"),
        (SourceLinkLayerAddress, ("x",), "address"), (TargetLinkLayerAddress, (b"12345",), "address"),
        (RouterSolicitation, (1 << 32,), "reserved"), (RouterAdvertisement, (256,), "hop_limit"),
        (RouterAdvertisement, (0, 0, 1 << 16), "router_lifetime"), (NeighborSolicitation, ("x",), "target"),
        (NeighborSolicitation, ("::", b"", -1), "reserved"), (Redirect, ("::", "x"), "destination"),
        (NeighborAdvertisement, ("::", False, False, False, b"", 1 << 29), "reserved"),
    ],
)  # fmt: skip
def test_widths(make: Any, arguments: tuple[Any, ...], field: str) -> None:
    """Messages and options check their values when they are made."""
    with pytest.raises(FieldError) as caught:
        make(*arguments)
    assert (caught.value.layer, caught.value.field) == (make.__name__, field)


def test_a_body_given_as_bytes() -> None:
    """It becomes the message that its type names, as parsing would have it."""
    assert ICMPv6(128, body=b"\0\1\0\2data").body == Echo(1, 2, b"data")
    assert ICMPv6(200, body=b"\0\1\0\2data").body == b"\0\1\0\2data"

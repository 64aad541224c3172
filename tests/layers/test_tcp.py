"""TCP headers: checksum, data offset, options as bytes and as values."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.errors import BuildError, FieldError, MalformedError, Reason
from vxlanpkt.kernel.contract.spans import Fault, Span
from vxlanpkt.layers.base import Around
from vxlanpkt.layers.ipv4 import IPv4
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.tcp import TCP
from vxlanpkt.layers.tcp_options import (
    SACK,
    AnyTCPOption,
    EndOfOptions,
    MaximumSegmentSize,
    NoOperation,
    SACKPermitted,
    TCPOption,
    Timestamps,
    WindowScale,
)

OVER_4 = (IPv4("192.0.2.1", "192.0.2.2"),)
OVER_6 = (IPv6("2001:db8::1", "2001:db8::2"),)

# The options of a SYN as Linux sends them.
SYN_OPTIONS = bytes.fromhex("020405b4 0402 080a 00000001 00000000 01 030307")
SYN_VALUES = (MaximumSegmentSize(1460), SACKPermitted(), Timestamps(1, 0), NoOperation(), WindowScale(7))


def words(data: bytes) -> int:
    """The plain sum of 16-bit words."""
    data += bytes(len(data) % 2)
    return sum(data[at] << 8 | data[at + 1] for at in range(0, len(data), 2))


def test_vector() -> None:
    """RFC 9293 section 3.1, every field another number."""
    wire = struct.pack("!HHIIBBHHH", 1, 2, 3, 4, 0x60 | 5, 0x12, 6, 7, 8) + b"\1\1\1\0"
    header = TCP(1, 2, 3, 4, 0x12, 6, 8, b"\1\1\1\0", 5, 6, 7)
    assert TCP.scan(wire, 0, 24) == Span(0, 24, 24, 2)
    assert TCP.decode(wire, Span(0, 24, 24, 2)) == header
    assert header.encode(Around((), b""))[1] == wire


@pytest.mark.parametrize("below", [OVER_4, OVER_6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("content", [b"", b"a", b"ab", bytes(1000), b"\xff" * 33], ids=len)
def test_derived(below: Sequence[Any], content: bytes) -> None:
    """Data offset and checksum: pseudo-header, header and content add up to all ones."""
    full, header = TCP(1, 2, options=SYN_OPTIONS).encode(Around(below, content))
    assert full.data_offset == 10
    length = len(header) + len(content)
    pseudo = below[0].src.packed + below[0].dst.packed + (6).to_bytes(2, "big") + length.to_bytes(2, "big")
    assert words(pseudo + header + content) % 0xFFFF == 0


def test_defaults() -> None:
    """No flags and no numbers, but the widest window that needs no scale."""
    assert TCP(1, 2) == TCP(1, 2, 0, 0, 0, 65535, 0, b"", 0, None, None)


def test_zero_stays() -> None:
    """A computed checksum of zero is sent as zero: TCP has no way to send none."""
    plain, _ = TCP(1, 2).encode(Around(OVER_4, b"\0\0"))
    full, _ = TCP(1, 2).encode(Around(OVER_4, plain.require("checksum").to_bytes(2, "big")))
    assert full.checksum == 0


def test_no_pseudo_header() -> None:
    """Without IP below a checksum cannot be derived."""
    with pytest.raises(BuildError) as caught:
        TCP(1, 2).encode(Around((), b""))
    assert (caught.value.layer, caught.value.field) == ("TCP", "checksum")


@pytest.mark.parametrize("length", range(42))
def test_options_are_padded(length: int) -> None:
    """Options are padded with zeros to whole words; more than 40 bytes do not fit the data offset."""
    header = TCP(1, 2, options=b"\1" * length, checksum=0)
    if length > 40:
        with pytest.raises(BuildError) as caught:
            header.encode(Around((), b""))
        assert (caught.value.layer, caught.value.field) == ("TCP", "data_offset")
        return
    full, wire = header.encode(Around((), b""))
    assert full.data_offset == 5 + (length + 3) // 4
    assert len(wire) == 4 * full.data_offset
    assert wire[20:] == b"\1" * length + bytes(-length % 4)


def test_data_offset_as_told() -> None:
    """A data offset that lies is sent, and options with it."""
    full, wire = TCP(1, 2, options=b"\1" * 44, data_offset=2, checksum=0).encode(Around((), b""))
    assert (full.data_offset, wire[12] >> 4, len(wire)) == (2, 2, 64)


@pytest.mark.parametrize("offset", range(16))
def test_bounds(offset: int) -> None:
    """Below five words a header has no meaning; beyond the bytes there it is cut."""
    wire = bytes(12) + bytes((offset << 4,)) + bytes(27)
    found = TCP.scan(wire, 0, 40)
    if offset < 5:
        assert found == Fault(Reason.TCP_DATA_OFFSET, 20, "data_offset", offset)
    elif offset > 10:
        assert found == Fault(Reason.TCP_TRUNCATED, 4 * offset, "data_offset")
    else:
        assert found == Span(0, 4 * offset, 40, 0)


def test_options_from_values() -> None:
    """The constructor takes options as values and keeps their bytes; `parsed_options` gives the values back."""
    header = TCP(1, 2, options=SYN_VALUES)
    assert header.options == SYN_OPTIONS
    assert header.parsed_options() == SYN_VALUES
    assert header.replace(options=iter([NoOperation()])).options == b"\1"
    assert TCP(1, 2).parsed_options() == ()


def test_end_of_options() -> None:
    """What is behind the end of the list is padding, whatever it holds."""
    assert TCP(1, 2, options=b"\1\0\2\xff").parsed_options() == (NoOperation(), EndOfOptions())


@pytest.mark.parametrize(
    ("options", "offset", "length"),
    [
        ("02", 20, 0), ("0101 02", 22, 0), ("1e00", 20, 0), ("1e01", 20, 1), ("1e03", 20, 3), ("01 1eff", 21, 255),
        ("0203 05", 20, 3), ("0205 05b4 00", 20, 5), ("0304 0700", 20, 4), ("0302", 20, 2), ("0403 00", 20, 3),
        ("0502", 20, 2), ("0509 00000000000000", 20, 9), ("080a 0000", 20, 10), ("0806 00000000", 20, 6),
    ],
)  # fmt: skip
def test_wrong_lengths(options: str, offset: int, length: int) -> None:
    """A length of 0 or 1, one beyond the options, and one that is not the kind's: the error says where."""
    data = bytes.fromhex(options)
    with pytest.raises(MalformedError) as caught:
        TCP(1, 2, options=data).parsed_options()
    error = caught.value
    assert (error.reason, error.layer, error.field) == (Reason.TCP_OPTION_LENGTH, "TCP", "options")
    assert (error.offset, error.value, error.packet) == (offset, length, None)


def bits(width: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << width) - 1)


option_values: st.SearchStrategy[AnyTCPOption] = st.one_of(
    st.builds(NoOperation),
    st.builds(MaximumSegmentSize, bits(16)),
    st.builds(WindowScale, bits(8)),
    st.builds(SACKPermitted),
    st.builds(SACK, st.lists(st.tuples(bits(32), bits(32)), min_size=1, max_size=4)),
    st.builds(Timestamps, bits(32), bits(32)),
    st.builds(TCPOption, st.sampled_from((6, 9, 30, 253, 255)), st.binary(max_size=20)),
)


@given(options=st.lists(option_values, max_size=6))
def test_values_survive(options: list[AnyTCPOption]) -> None:
    """Any options come back as they were."""
    assert TCP(1, 2, options=options).parsed_options() == tuple(options)


@given(options=st.binary(max_size=44))
def test_any_options(options: bytes) -> None:
    """Any bytes are options, or are malformed; what was read encodes to what was there."""
    try:
        values = TCP(1, 2, options=options).parsed_options()
    except MalformedError:
        return
    encoded = TCP(1, 2, options=values).options
    assert options[: len(encoded)] == encoded
    assert len(encoded) == len(options) or encoded[-1:] == b"\0"


@pytest.mark.parametrize("wrong", [5, None, "ab", [b"\1"], [1], [TCP(1, 2)], [MaximumSegmentSize]])
def test_wrong_options(wrong: Any) -> None:
    """Options are bytes or values of options."""
    with pytest.raises(FieldError) as caught:
        TCP(1, 2, options=wrong)
    assert (caught.value.layer, caught.value.field) == ("TCP", "options")


@pytest.mark.parametrize(
    ("make", "arguments", "field"),
    [
        (MaximumSegmentSize, (1 << 16,), "mss"), (WindowScale, (256,), "shift"),
        (Timestamps, (0, 1 << 32), "echo_reply"), (Timestamps, (-1,), "value"),
        (SACK, ([(0, 1 << 32)],), "blocks"), (SACK, ([(0, 1)] * 32,), "blocks"),
        (TCPOption, (256,), "kind"), (TCPOption, (9, bytes(254)), "data"), (TCPOption, (9, "a"), "data"),
    ],
)  # fmt: skip
def test_option_widths(make: Any, arguments: tuple[Any, ...], field: str) -> None:
    """Options check their widths when they are made."""
    with pytest.raises(FieldError) as caught:
        make(*arguments)
    assert (caught.value.layer, caught.value.field) == (make.__name__, field)


def test_option_as_value() -> None:
    """Options are values: equal, hashed, pickled, matched."""
    option = SACK([(1, 2), (3, 4)])
    assert option == pickle.loads(pickle.dumps(option)) == SACK(iter([(1, 2), (3, 4)]))
    assert len({option, SACK(((1, 2), (3, 4))), NoOperation(), EndOfOptions()}) == 3
    assert option.encode() == bytes.fromhex("0512 00000001 00000002 00000003 00000004")
    match TCP(1, 2, options=SYN_OPTIONS).parsed_options():
        case (MaximumSegmentSize(mss), SACKPermitted(), *_):
            assert mss == 1460
        case _:
            pytest.fail("no match")


def test_the_end_of_options() -> None:
    """One byte, as each option says its own."""
    assert EndOfOptions().encode() == b"\0"


def test_what_the_checksum_covers() -> None:
    """Each field of the header, by a sum that is made here word by word."""
    header = TCP(0x1234, 0x5678, 0x9ABCDEF0, 0x13579BDF, 0x18, 0x2468, 0xACE0, b"\1\1\1\0", 5)
    below = IPv6("2001:db8::1", "2001:db8::2")
    value, wire = header.encode(Around((below,), b"odd"))
    blank = wire[:16] + b"\0\0" + wire[18:] + b"odd\0"
    total = below.pseudo_header_sum(6, len(wire) + 3)
    total += sum(int.from_bytes(blank[at : at + 2], "big") for at in range(0, len(blank), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert value.checksum == 0xFFFF - total

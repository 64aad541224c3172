"""Parts of headers: what their errors say, what they are without being told, which lengths they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vxlanpkt import TCP, MalformedError
from vxlanpkt.errors import Reason
from vxlanpkt.layers.messages import Echo, PacketTooBig, Quote, Unreachable
from vxlanpkt.layers.neighbor_discovery import (
    MTU,
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
from vxlanpkt.layers.tcp_options import SACK, MaximumSegmentSize, TCPOption, Timestamps, WindowScale

from .laws import field_error, malformed

WRONG: Any = "text"
BLOCKS = ((0, 1),) * 32
OPTIONS = "bytes, or an iterable of options"


@pytest.mark.parametrize(
    ("call", "layer", "field", "value", "bits", "expected"),
    [
        (lambda: MaximumSegmentSize(1 << 16), "MaximumSegmentSize", "mss", 1 << 16, 16, "a number of 16 bits"),
        (lambda: WindowScale(WRONG), "WindowScale", "shift", WRONG, 8, "a number of 8 bits"),
        (lambda: TCPOption(9, bytes(254)), "TCPOption", "data", bytes(254), None, "at most 253 bytes"),
        (lambda: TCPOption(9, WRONG), "TCPOption", "data", WRONG, None, "bytes"),
        (lambda: SACK([(0, 1 << 32)]), "SACK", "blocks", 1 << 32, 32, "a number of 32 bits"),
        (lambda: SACK([(WRONG, 0)]), "SACK", "blocks", WRONG, 32, "a number of 32 bits"),
        (lambda: SACK(BLOCKS), "SACK", "blocks", BLOCKS, None, "at most 31 blocks"),
        (lambda: TCP(1, 2, options=WRONG), "TCP", "options", WRONG, None, OPTIONS),
        (lambda: TCP(1, 2, options=[WRONG]), "TCP", "options", WRONG, None, OPTIONS),
        (lambda: TCP(1, 2, options=5), "TCP", "options", 5, None, OPTIONS),  # type: ignore[arg-type]
        (lambda: TCP(1, 2, options=[MTU(1)]), "TCP", "options", MTU(1), None, OPTIONS),  # type: ignore[list-item]
        (lambda: Redirect("::", "::", WRONG), "Redirect", "options", WRONG, None, OPTIONS),
        (lambda: SourceLinkLayerAddress(WRONG), "SourceLinkLayerAddress", "address", WRONG, 48, "a MAC address"),
        (lambda: TargetLinkLayerAddress(WRONG), "TargetLinkLayerAddress", "address", WRONG, 48, "a MAC address"),
        (lambda: PrefixInformation(WRONG), "PrefixInformation", "prefix", WRONG, 128, "an IPv6 address"),
        (lambda: NeighborSolicitation(WRONG), "NeighborSolicitation", "target", WRONG, 128, "an IPv6 address"),
        (lambda: NeighborAdvertisement(WRONG), "NeighborAdvertisement", "target", WRONG, 128, "an IPv6 address"),
        (lambda: Redirect(WRONG, "::"), "Redirect", "target", WRONG, 128, "an IPv6 address"),
        (lambda: Redirect("::", WRONG), "Redirect", "destination", WRONG, 128, "an IPv6 address"),
    ],
)  # fmt: skip
def test_fields(
    call: Callable[[], object], layer: str, field: str, value: object, bits: int | None, expected: str
) -> None:
    """A value that its field cannot carry: which, of what, how wide it is, and what would do."""
    error = field_error(call, layer, field)
    assert (error.value, error.bits) == (value, bits)
    assert str(error) == f"{layer}.{field}: {value!r} is not {expected}"


@pytest.mark.parametrize(
    ("part", "field", "bits"),
    [
        *((PrefixInformation("::"), field, bits) for field, bits in PrefixInformation.BITS.items()),
        *((RouterAdvertisement(), field, bits) for field, bits in RouterAdvertisement.BITS.items()),
        (RouterSolicitation(), "reserved", 32), (NeighborSolicitation("::"), "reserved", 32),
        (NeighborAdvertisement("::"), "reserved", 29), (Redirect("::", "::"), "reserved", 32),
    ],
)  # fmt: skip
def test_widths(part: Any, field: str, bits: int) -> None:
    """All ones are sent and read again, each in its own place; one more is refused."""
    given = {name: getattr(part, name) for name in part.__match_args__ if name != "options"}
    full = type(part)(**given | {field: (1 << bits) - 1})
    assert getattr(full, field) == (1 << bits) - 1
    before, after = (int.from_bytes(value.encode(), "big").bit_count() for value in (part, full))
    assert after - before == bits - getattr(part, field).bit_count()
    if hasattr(part, "decode"):
        assert type(part).decode(full.encode()) == full
    else:
        assert RouterSolicitation(options=[full]).parsed_options() == (full,)
    error = field_error(lambda: type(part)(**given | {field: 1 << bits}), type(part).__name__, field)
    assert error.bits == bits


@pytest.mark.parametrize(
    ("part", "needed", "rest"),
    [
        (PrefixInformation, ("::1",), (64, True, True, (1 << 32) - 1, (1 << 32) - 1, 0, 0)),
        (RouterSolicitation, (), (0, b"")), (RouterAdvertisement, (), (0, 0, 0, 0, 0, b"")),
        (NeighborSolicitation, ("::1",), (b"", 0)), (NeighborAdvertisement, ("::1",), (False, False, False, b"", 0)),
        (Redirect, ("::1", "::2"), (b"", 0)), (RedirectedHeader, (b"",), (0,)), (MTU, (1,), (0,)),
        (NDOption, (14,), (b"",)), (TCPOption, (9,), (b"",)), (Timestamps, (1,), (0,)), (Echo, (), (0, 0, b"")),
        (Unreachable, (), (0, 0, b"")), (Quote, (), (0, b"")), (PacketTooBig, (1,), (b"",)),
    ],
)  # fmt: skip
def test_what_need_not_be_said(part: Any, needed: tuple[Any, ...], rest: tuple[Any, ...]) -> None:
    """Reserved bits and options are none; a prefix is one of 64 bits for ever, on the link, to take addresses from."""
    assert part(*needed) == part(*needed, *rest)


def test_flags_are_truth_values() -> None:
    """What is true counts as True, so that one bit is set."""
    yes: Any = 6
    prefix = PrefixInformation("::", on_link=yes, autonomous=yes)
    assert (prefix.on_link, prefix.autonomous) == (True, True)
    told = NeighborAdvertisement("::", yes, yes, yes)
    assert (told.router, told.solicited, told.override) == (True, True, True)


@pytest.mark.parametrize(
    ("options", "kind", "at", "length", "left"),
    [
        (b"\2", 2, 20, 0, 1), (b"\1\2\2\0\0", 2, 21, 2, 4), (b"\x1e\2\x1e\5\0", 30, 22, 5, 3),
        (b"\5\2", 5, 20, 2, 2), (b"\5\x0b" + bytes(9), 5, 20, 11, 11),
    ],
)  # fmt: skip
def test_options_of_tcp(options: bytes, kind: int, at: int, length: int, left: int) -> None:
    """Which option, where in the header, what it says and what there is."""
    error = malformed(TCP(1, 2, options=options).parsed_options, "TCP", Reason.TCP_OPTION_LENGTH)
    assert str(error) == f"TCP option {kind} at byte {at}: length {length} of {left} bytes left"
    assert (error.offset, error.value, error.field, error.packet) == (at, length, "options", None)


def test_shortest_and_longest_options_of_tcp() -> None:
    """Two bytes are an option, also as the last ones; of the blocks of SACK there may be 1 to 31."""
    assert TCP(1, 2, options=b"\x1e\2\x1e\2").parsed_options() == (TCPOption(30), TCPOption(30))
    for blocks in (BLOCKS[:1], BLOCKS[:31]):
        assert TCP(1, 2, options=[SACK(blocks)]).parsed_options() == (SACK(blocks),)


@pytest.mark.parametrize(
    ("message", "start"),
    [
        (RouterSolicitation, 8), (RouterAdvertisement, 16), (NeighborSolicitation, 24), (NeighborAdvertisement, 24),
        (Redirect, 40),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("options", "kind", "at", "units", "left"),
    [
        (b"\x0e", 14, 0, 0, 1), (b"\x0e\0", 14, 0, 0, 2), (b"\x0e\1" + bytes(6) + b"\x0e\2", 14, 8, 2, 2),
        (b"\5\2" + bytes(14), 5, 0, 2, 16), (b"\3\1" + bytes(6), 3, 0, 1, 8),
    ],
)  # fmt: skip
def test_options_of_neighbour_discovery(
    message: Any, start: int, options: bytes, kind: int, at: int, units: int, left: int
) -> None:
    """The same, from the start of the ICMPv6 message; the length on the wire is in units of 8 bytes."""
    value = message.decode(bytes(start - 4) + options)
    with pytest.raises(MalformedError) as caught:
        value.parsed_options()
    error = caught.value
    assert str(error) == f"ICMPv6 option {kind} at byte {start + at}: length {units * 8} of {left} bytes left"
    assert (error.reason, error.layer, error.offset) == (Reason.ND_OPTION_LENGTH, "ICMPv6", start + at)
    assert (error.field, repr(error.value), error.packet) == ("options", str(units), None)

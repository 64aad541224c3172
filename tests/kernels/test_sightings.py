"""Traits, digests and what was seen before: both kernels say the same, whatever the bytes, and it is true."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import ICMP, TCP, Dot1Q, Ethernet, IPv4, IPv6, Packet, dissect
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, WRONG_COLUMNS
from vxlanpkt.kernel.contract.columns import (
    NO_IDENTIFICATION,
    NO_TIMESTAMP,
    SIGHTING_LAYOUT,
    TRAIT_COLUMNS,
    TRAIT_LAYOUT,
)
from vxlanpkt.kernel.contract.grouping import Counted
from vxlanpkt.kernel.contract.sightings import AS_BEFORE, ENTRY_SET, MARKED_OTHERWISE, Sighted, Trait
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.strategies import frames, mutated

c = pytest.importorskip("vxlanpkt.kernel.c", reason="this build has no C kernel")
BOTH = (python, c)
SECRETS = (0x0123456789ABCDEF, 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
SOME = st.one_of(frames().map(bytes), mutated(frames()), st.binary(max_size=80))
KINDS = [Kind.ETHERNET, Kind.RAW, Kind.IPV4, Kind.IPV6, Kind.LINUX_SLL, Kind.LINUX_SLL2, Kind.LOOPBACK, Kind.NOTHING]


def held(kernel: Any, data: bytes, rows: list[tuple[int, int, int]]) -> Any:
    columns: list[Any] = [memoryview(array(code, [row[at] for row in rows])) for at, code in enumerate("QII")]
    return kernel.hold_frames(memoryview(data), *columns)


def batch(kernel: Any, frames: list[bytes], missing: int = 0) -> Any:
    offsets = [sum(map(len, frames[:at])) for at in range(len(frames))]
    lengths = [len(frame) for frame in frames]
    rows = [(offset, length, length + missing) for offset, length in zip(offsets, lengths, strict=True)]
    return held(kernel, b"".join(frames), rows)


def columns_of(kernel: Any, out: Any, rows: int) -> dict[str, list[int]]:
    return {name: TRAIT_LAYOUT.column(name, rows, kernel.view(out)).tolist() for name in TRAIT_COLUMNS}


def traits_of(frame: bytes, kind: Kind = Kind.ETHERNET, missing: int = 0) -> dict[str, int]:
    results = []
    for kernel in BOTH:
        out = kernel.new_buffer(TRAIT_LAYOUT.row_size)
        assert kernel.traits(batch(kernel, [frame], missing), kind, None, out) == 1
        results.append({name: values[0] for name, values in columns_of(kernel, out, 1).items()})
    assert results[0] == results[1]
    return results[0]


@given(
    some=st.lists(SOME, min_size=1, max_size=4), kind=st.sampled_from(KINDS), missing=st.sampled_from((0, 1, 2000)),
    links=st.none() | st.lists(st.sampled_from((1, 101, 0xFFFF)), min_size=4, max_size=4),
)  # fmt: skip
def test_traits_agree(some: list[bytes], kind: Kind, missing: int, links: list[int] | None) -> None:
    results = []
    for kernel in BOTH:
        out = kernel.new_buffer(len(some) * TRAIT_LAYOUT.row_size)
        types = None if links is None else memoryview(array("H", links))
        assert kernel.traits(batch(kernel, some, missing), kind, types, out) == len(some)
        results.append(bytes(kernel.view(out)))
    assert results[0] == results[1]


@given(
    data=st.binary(max_size=100),
    rows=st.lists(
        st.tuples(
            st.integers(0, 100) | st.just(2**64 - 1), st.integers(0, 100) | st.just(2**32 - 1), st.integers(0, 200)
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_rows_outside(data: bytes, rows: list[tuple[int, int, int]]) -> None:
    """Rows that do not lie in the buffer have no traits and no digest."""
    results = []
    for kernel in BOTH:
        out, digests = kernel.new_buffer(len(rows) * TRAIT_LAYOUT.row_size), kernel.new_buffer(8 * len(rows))
        assert kernel.traits(held(kernel, data, rows), Kind.RAW, None, out) == len(rows)
        counted = kernel.hold_counted(Counted(len(rows), [], None, None, None, None, None, None))
        assert kernel.digest(counted, held(kernel, data, rows), SECRETS, digests) == len(rows)
        results.append((bytes(kernel.view(out)), bytes(kernel.view(digests))))
    assert results[0] == results[1]
    for (offset, length, _), digest in zip(rows, array("Q", results[0][1]), strict=True):
        assert bool(digest) == (offset + length <= len(data))


@given(packet=frames())
def test_traits_are_what_layers_say(packet: Packet) -> None:
    """The first IP header, if it is sound, as the layers read it."""
    wire = bytes(packet)
    found = traits_of(wire)
    layers = dissect(wire)
    ip = next((layer for layer in layers.layers if isinstance(layer, (IPv4, IPv6))), None)
    if ip is None:
        return
    assert found["traits"] & Trait.IP and found["traits"] & Trait.ECN == ip.ecn
    if isinstance(ip, IPv4):
        assert (found["length"], found["identification"]) == (ip.total_length, ip.identification)
        assert bool(found["traits"] & Trait.DF) == bool(ip.flags & 2)
        assert bool(found["traits"] & Trait.FRAGMENT) == bool(ip.flags & 1 or ip.fragment_offset)
        assert bool(found["traits"] & Trait.LATER) == bool(ip.fragment_offset)
    else:
        assert found["identification"] == NO_IDENTIFICATION
        assert (
            found["length"] == 40 + ip.require("payload_length") or ip.payload_length == 0
        )  # which stands for all bytes


def tcp(flags: int, payload: bytes = b"", ip_flags: int = 0) -> bytes:
    segment = TCP(1, 2, sequence_number=7, flags=flags)
    ip = IPv4(src="10.0.0.1", dst="10.0.0.2", flags=ip_flags)
    return Packet(
        Ethernet(dst="02:00:00:00:00:02", src="02:00:00:00:00:01"), Dot1Q(5), ip, segment, payload=payload
    ).build()


@pytest.mark.parametrize(
    ("flags", "payload", "segment"), [(0x10, b"", 0), (0x02, b"", 1), (0x11, b"abc", 4), (0x18, b"abcd", 4)]
)
def test_segments(flags: int, payload: bytes, segment: int) -> None:
    """How much of the sequence a segment takes; SYN and FIN take 1. What a capture cut counts."""
    frame = tcp(flags, payload)
    assert bool(traits_of(frame)["traits"] & Trait.SEGMENT) == bool(segment)
    assert (traits_of(frame)["sequence"], traits_of(frame)["segment"]) == (7, segment)
    if payload:
        assert traits_of(frame[: -len(payload)], missing=len(payload))["segment"] == segment


def test_segments_of_fragments() -> None:
    """Nobody knows how long a segment is of which there is only a first fragment."""
    assert traits_of(tcp(0x10, b"abc", ip_flags=1))["segment"] == 0


@pytest.mark.parametrize(("kind", "code", "too_big"), [(3, 4, True), (3, 3, False), (8, 0, False), (2, 0, False)])
def test_too_big(kind: int, code: int, too_big: bool) -> None:
    ip = IPv4(src="10.0.0.1", dst="10.0.0.2")
    frame = Packet(Ethernet(dst=1, src=2), ip, ICMP(kind, code)).build()
    assert bool(traits_of(frame)["traits"] & Trait.TOO_BIG) == too_big


def digests(kernel: Any, key: list[bytes], frames: list[bytes] | None = None) -> list[int]:
    width = len(key[0])
    out = kernel.new_buffer(8 * len(key))
    counted = Counted(len(key), [(memoryview(b"".join(key)), width)], None, None, None, None, None, None)
    found = None if frames is None else batch(kernel, frames)
    assert kernel.digest(kernel.hold_counted(counted), found, SECRETS, out) == len(key)
    return array("Q", bytes(kernel.view(out))).tolist()


@given(pairs=st.lists(st.tuples(st.binary(min_size=5, max_size=5), st.binary(max_size=40)), min_size=1, max_size=20))
def test_digests(pairs: list[tuple[bytes, bytes]]) -> None:
    """Both kernels make the same; equal rows have equal ones, and others do not; none is 0."""
    key, of_frames = [key for key, _ in pairs], [frame for _, frame in pairs]
    for some, told in ((of_frames, pairs), (None, key)):
        ours, theirs = (digests(kernel, key, some) for kernel in BOTH)
        assert ours == theirs and all(ours)
        assert len(set(ours)) == len(set(told))


def sighted(columns: list[Any], number: int, window: int) -> Sighted:
    digests, marks, timestamps = columns
    return Sighted(digests, marks, timestamps, number, window)


times = st.integers(0, 40) | st.sampled_from((NO_TIMESTAMP, NO_TIMESTAMP + 1, (1 << 63) - 1))


@given(
    rows=st.lists(st.tuples(st.integers(0, 12).map(lambda at: at << 60 | at), st.integers(0, 1), times), max_size=40),
    sets=st.integers(1, 4), window=st.integers(0, 50), split=st.integers(0, 40), number=st.integers(0, 1 << 40),
)  # fmt: skip
def test_sightings_agree(
    rows: list[tuple[int, int, int]], sets: int, window: int, split: int, number: int
) -> None:  # fmt: skip
    results = []
    for kernel in BOTH:
        memory = kernel.new_buffer(sets * ENTRY_SET)
        kernel.view(memory)[:] = bytes(sets * ENTRY_SET)
        found: list[Any] = []
        for first, part in ((0, rows[:split]), (split, rows[split:])):
            columns: list[Any] = [memoryview(array(code, [row[at] for row in part])) for at, code in enumerate("QIq")]
            out = kernel.new_buffer(len(part) * SIGHTING_LAYOUT.row_size)
            found.append(kernel.sight(sighted(columns, number + first, window), memory, out))
            found.append(bytes(kernel.view(out)))
        results.append((found, bytes(kernel.view(memory))))
    assert results[0] == results[1]


@pytest.mark.parametrize("kernel", BOTH)
def test_sightings(kernel: Any) -> None:
    """Seen again within the window, with the same mark or another; not seen again later; nobody asks about 0."""
    memory = kernel.new_buffer(ENTRY_SET)
    kernel.view(memory)[:] = bytes(ENTRY_SET)
    rows = [(9, 1, 0), (9, 1, 10), (9, 2, 20), (9, 2, 31), (0, 0, 31), (0, 0, 31), (9, 2, NO_TIMESTAMP), (9, 2, 25)]
    columns: list[Any] = [memoryview(array(code, [row[at] for row in rows])) for at, code in enumerate("QIq")]
    out = kernel.new_buffer(len(rows) * SIGHTING_LAYOUT.row_size)
    assert kernel.sight(sighted(columns, 100, 10), memory, out) == 0
    found = [SIGHTING_LAYOUT.column(name, len(rows), kernel.view(out)).tolist() for name in ("earlier", "repeated")]
    assert found[0] == [0, 101, 102, 0, 0, 0, 0, 104]
    assert found[1] == [0, AS_BEFORE, MARKED_OTHERWISE, 0, 0, 0, 0, AS_BEFORE]


@pytest.mark.parametrize("kernel", BOTH)
def test_what_makes_way_is_counted(kernel: Any) -> None:
    """One more than a set has room for, within the window of the first, and another."""
    memory = kernel.new_buffer(ENTRY_SET)
    kernel.view(memory)[:] = bytes(ENTRY_SET)
    columns: list[Any] = [
        memoryview(array("Q", range(1, 11))),
        memoryview(array("I", [0] * 10)),
        memoryview(array("q", range(10))),
    ]
    out = kernel.new_buffer(10 * SIGHTING_LAYOUT.row_size)
    assert kernel.sight(sighted(columns, 0, 8), memory, out) == 2
    assert kernel.sight(sighted(columns, 0, 0), memory, out) == 0


@pytest.mark.parametrize("kernel", BOTH)
def test_refusals(kernel: Any) -> None:
    """Outputs that are too small, columns of other sizes, and memory that is shared."""
    frames = batch(kernel, [bytes(60)] * 2)
    out = kernel.new_buffer(2 * TRAIT_LAYOUT.row_size)
    assert kernel.traits(frames, Kind.ETHERNET, memoryview(array("H", [1])), out) == WRONG_COLUMNS
    assert kernel.traits(frames, Kind.ETHERNET, memoryview(array("I", [1, 1])), out) == WRONG_COLUMNS
    assert kernel.traits(frames, Kind.ETHERNET, None, kernel.new_buffer(2 * TRAIT_LAYOUT.row_size - 1)) == NO_SPACE
    assert kernel.traits(frames, Kind.ETHERNET, kernel.view(out)[:4].cast("H"), out) == OVERLAP
    key = memoryview(bytes(8))

    def counted(rows: int, key: memoryview) -> Any:
        return kernel.hold_counted(Counted(rows, [(key, 4)], None, None, None, None, None, None))

    assert kernel.digest(counted(3, key), None, SECRETS, kernel.new_buffer(24)) == WRONG_COLUMNS
    assert kernel.digest(counted(2, key), batch(kernel, [b""]), SECRETS, kernel.new_buffer(16)) == WRONG_COLUMNS
    assert kernel.digest(counted(2, key), None, SECRETS, kernel.new_buffer(15)) == NO_SPACE
    own = kernel.new_buffer(16)
    assert kernel.digest(counted(2, kernel.view(own)[:8]), None, SECRETS, own) == OVERLAP
    columns: list[Any] = [memoryview(array(code, [1])) for code in "QIq"]
    memory, result = kernel.new_buffer(ENTRY_SET), kernel.new_buffer(SIGHTING_LAYOUT.row_size)
    assert kernel.sight(sighted(columns, 0, 1), memory, kernel.new_buffer(8)) == NO_SPACE
    assert kernel.sight(sighted(columns, 0, 1), kernel.new_buffer(ENTRY_SET - 1), result) == NO_SPACE
    assert kernel.sight(Sighted(columns[0], columns[0], columns[2], 0, 1), memory, result) == WRONG_COLUMNS
    assert kernel.sight(Sighted(columns[0], columns[1], columns[2][:0], 0, 1), memory, result) == WRONG_COLUMNS
    assert kernel.sight(sighted(columns, 0, 1), memory, memory) == OVERLAP
    assert kernel.sight(sighted([kernel.view(memory)[:8].cast("Q"), *columns[1:]], 0, 1), memory, result) == OVERLAP

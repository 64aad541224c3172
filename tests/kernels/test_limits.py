"""Both kernels where inputs drawn at random seldom come: full counters, odd addresses, empty tables, strange rules."""

from __future__ import annotations

import ctypes
import sys
from array import array
from typing import Any

import pytest

from vxlanpkt import DecapPolicy, FrameBatch, IPv4, Packet, Reason, Tunnel, decap
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.answers import OVERLAP
from vxlanpkt.kernel.contract.columns import DECAP_LAYOUT, ENCAP_LAYOUT, TRAIT_LAYOUT
from vxlanpkt.kernel.contract.encapsulation import EncapMode
from vxlanpkt.kernel.contract.spans import Kind

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt.kernel import c

BOTH = (python, c)
INNER = bytes.fromhex("020000000002 020000000001 0800 4500001c 00000000 40110000 0a000001 0a000002 04d2 162e 0008 0000")
TUNNELS = Tunnel(7, "192.0.2.1", "192.0.2.2"), Tunnel(7, "2001:db8::1", "2001:db8::2")
PACKETS = [tunnel.encap(INNER) for tunnel in TUNNELS]


def decapsulated(kernel: Any, batch: FrameBatch, policy: DecapPolicy) -> tuple[int, dict[str, list[int]]]:
    """The count, and all columns."""
    frames = kernel.hold_frames(batch.data, batch.offsets, batch.lengths, batch.original_lengths)
    out = kernel.new_buffer(DECAP_LAYOUT.row_size * len(batch))
    count = kernel.decap(frames, Kind.ETHERNET, kernel.hold_rules(policy.rules), False, out)
    columns = ("status", "outer_tags", "outer_vlan", "inner_tags", "inner_vlan", "inner_offset", "inner_protocol")
    return count, {name: list(DECAP_LAYOUT.column(name, len(batch), kernel.view(out))) for name in columns}


def agreed(batch: FrameBatch, policy: DecapPolicy = DecapPolicy()) -> dict[str, list[int]]:  # noqa: B008 - immutable
    """The columns that both kernels make."""
    ours, theirs = (decapsulated(kernel, batch, policy) for kernel in BOTH)
    assert ours == theirs
    return ours[1]


def tagged(frame: bytes, count: int) -> bytes:
    """A frame with so many tags."""
    return frame[:12] + b"\x81\x00\x00\x05" * count + frame[12:]


@pytest.mark.parametrize("count", [254, 255, 256, 300])
def test_more_tags_than_a_column_counts(count: int) -> None:
    """A count of tags stops at 255, outside and inside; all of them are passed."""
    batch = FrameBatch.from_frames([tagged(PACKETS[0], count), TUNNELS[0].encap(tagged(INNER, count))])
    found = agreed(batch)
    assert found["status"] == [0, 0]
    assert (found["outer_tags"][0], found["inner_tags"][1]) == (min(count, 255),) * 2
    assert found["inner_protocol"] == [17, 17]


def test_an_atomic_fragment() -> None:
    """A fragment header on a packet that is whole is accepted only by a policy that says so."""
    packet = bytearray(PACKETS[1])
    packet[18:20] = (len(packet) - 54 + 8).to_bytes(2, "big")
    packet[20:21] = b"\x2c"
    packet[54:54] = bytes((17, 0, 0, 0, 0, 0, 0, 1))
    batch = FrameBatch.from_frames([bytes(packet)])
    assert agreed(batch)["status"] == [Reason.FRAGMENT]
    assert agreed(batch, DecapPolicy(fragments="atomic"))["status"] == [Reason.OK]


@pytest.mark.parametrize("bit", range(64))
def test_every_reserved_bit(bit: int) -> None:
    """A mask may name any bit of the header, also those that are set in every packet."""
    found = agreed(FrameBatch.from_frames(PACKETS), DecapPolicy(reserved_mask=1 << bit))
    is_set = (0x08000000_00000700 >> bit) & 1
    assert found["status"] == [Reason.VXLAN_RESERVED if is_set else Reason.OK] * 2


def unaligned(column: array[int]) -> Any:
    """The same numbers at an odd address."""
    code: Any = column.typecode
    return memoryview(bytearray(b"\0" + column.tobytes()))[1:].cast(code)


def test_columns_at_odd_addresses() -> None:
    """Columns are memory views of any alignment. Built with UBSan, this sees loads that count on one."""
    aligned = FrameBatch.from_frames(PACKETS * 30)
    lengths = array("I", aligned.lengths)
    odd = FrameBatch(
        aligned.data, unaligned(array("Q", aligned.offsets)), unaligned(lengths), unaligned(lengths)
    )  # fmt: skip
    assert agreed(odd) == agreed(aligned)
    index = unaligned(array("I", [0] * len(odd)))
    for frames in (odd, aligned):
        assert encapsulated(c, frames, 1, index) == encapsulated(python, aligned, 1, index)


def encapsulated(
    kernel: Any,
    batch: FrameBatch,
    count: int,
    index: Any,
    mode: EncapMode = EncapMode.COPY,
    tunnel: Tunnel = TUNNELS[0],
) -> tuple[int, bytes, bytes]:
    """How many were sent by a table of *count* tunnels, the whole output, and the frames afterwards."""
    data = bytearray(batch.data)
    frames = kernel.hold_frames(memoryview(data), batch.offsets, batch.lengths, batch.original_lengths)
    recipe = kernel.hold_recipe(tunnel._recipe)
    out = kernel.new_buffer(len(batch) * (ENCAP_LAYOUT.row_size + tunnel.overhead) + kernel.total_length(frames))
    kernel.view(out)[:] = bytes(len(out))
    chosen = None if index is None else kernel.hold_index(index)
    sent = kernel.encap(frames, kernel.hold_table([recipe] * count), chosen, None, mode, out)
    return sent, bytes(kernel.view(out)), bytes(data)


def test_a_table_of_no_tunnels() -> None:
    """No row can be sent, and nothing is read of the table."""
    batch = FrameBatch.from_frames(PACKETS)
    found = encapsulated(c, batch, 0, None)
    assert found == encapsulated(python, batch, 0, None)
    assert list(ENCAP_LAYOUT.column("status", 2, memoryview(found[1]))) == [Reason.TUNNEL_OUT_OF_RANGE] * 2


FAR = 1 << 20  # beyond this size of a buffer the C kernel fetches ahead


@pytest.mark.parametrize("mode", EncapMode)
def test_a_buffer_larger_than_a_cache(mode: EncapMode) -> None:
    """Rows far apart, the last of them outside."""
    data = bytearray(FAR + 4096)
    offsets = [64 + 100_000 * row for row in range(11)]
    for row, offset in enumerate(offsets):
        packet = PACKETS[row % 2]
        data[offset : offset + len(packet)] = packet
    batch = FrameBatch(data, [*offsets, 1 << 63], [len(PACKETS[row % 2]) for row in range(12)])
    found = agreed(batch)
    assert found["status"] == [0] * 11 + [Reason.ROW_OUT_OF_RANGE]
    assert encapsulated(c, batch, 1, None, mode) == encapsulated(python, batch, 1, None, mode)


@pytest.mark.parametrize("tunnel", [tunnel.replace(udp_checksum="full") for tunnel in TUNNELS], ids=["IPv4", "IPv6"])
def test_a_checksum_that_comes_to_zero(tunnel: Tunnel) -> None:
    """It is sent as 0xffff, as 0 says that there is none."""
    frame = INNER + bytes(2)
    udp = len(tunnel.encap(frame)) - len(frame) - 16
    checksum = tunnel.encap(frame)[udp + 6 : udp + 8]
    batch = FrameBatch.from_frames([INNER + checksum])
    ours, theirs = (encapsulated(kernel, batch, 1, None, tunnel=tunnel) for kernel in BOTH)
    assert ours == theirs
    assert ours[1][ENCAP_LAYOUT.row_size :][udp + 6 : udp + 8] == b"\xff\xff"


@pytest.mark.parametrize("length", [0, 3, 4, 20, 21, 65_535])
def test_an_inner_ipv6_length(length: int) -> None:
    """One that is too small for ports, that is right, and that lies, inside a plain tunnel and to be put into one."""
    addresses = bytes(31) + b"\x01"
    frame = INNER[:12] + b"\x86\xdd\x60\0\0\0" + length.to_bytes(2, "big") + b"\x06\x40" + addresses + bytes(20)
    agreed(FrameBatch.from_frames([TUNNELS[0].encap(frame), TUNNELS[1].encap(frame)]))
    batch = FrameBatch.from_frames([frame])
    assert encapsulated(c, batch, 1, None) == encapsulated(python, batch, 1, None)


@pytest.mark.parametrize("mode", EncapMode)
def test_plain_frames_of_every_length(mode: EncapMode) -> None:
    """Each length up to one that no shortcut for short frames takes."""
    frames = [INNER + bytes(range(size)) for size in range(256 - len(INNER))]
    frames = [frame[:16] + (len(frame) - 14).to_bytes(2, "big") + frame[18:] for frame in frames]
    batch = FrameBatch.from_frames([bytes(80) + frame for frame in frames])
    rows = FrameBatch(batch.data, [at + 80 for at in batch.offsets], [len(frame) for frame in frames])
    for tunnel in TUNNELS:
        assert encapsulated(c, rows, 1, None, mode, tunnel) == encapsulated(python, rows, 1, None, mode, tunnel)


@pytest.mark.parametrize("which", ["data", "offsets", "lengths", "original_lengths", "index"])
@pytest.mark.parametrize("kernel", BOTH, ids=["python", "c"])
def test_an_output_over_an_input(kernel: Any, which: str) -> None:
    """Nothing is written where something is still to be read."""
    out = kernel.new_buffer(1000)
    memory = kernel.view(out)
    memory[:] = bytes(1000)
    columns = {
        "data": memoryview(bytearray(100)),
        "offsets": memoryview(bytearray(8)).cast("Q"),
        **{name: memoryview(bytearray(4)).cast("I") for name in ("lengths", "original_lengths", "index")},
    }
    code: Any = columns[which].format
    columns[which] = memory[992 : 992 + columns[which].nbytes].cast(code)
    frames = kernel.hold_frames(columns["data"], columns["offsets"], columns["lengths"], columns["original_lengths"])
    table = kernel.hold_table([kernel.hold_recipe(TUNNELS[0]._recipe)])
    index = kernel.hold_index(columns["index"])
    assert kernel.encap(frames, table, index, None, EncapMode.COPY, out) == OVERLAP
    if which != "index":
        assert kernel.decap(frames, Kind.ETHERNET, kernel.hold_rules(DecapPolicy().rules), False, out) == OVERLAP
    assert not any(memory)


def test_rows_too_long_for_any_datagram() -> None:
    """They take no room in the output, whether they lie in the buffer or not."""
    batch = FrameBatch(bytes(70_000), [0, 0, 1, 0], [65_519, 65_520, 70_000, 70_000])
    totals = [
        kernel.total_length(kernel.hold_frames(batch.data, batch.offsets, batch.lengths, None)) for kernel in BOTH
    ]
    assert totals == [65_519] * 2
    double = FrameBatch(bytes(70_000), [0, 0, 0], [65_519, 65_520, 65_519])
    assert encapsulated(c, double, 1, None) == encapsulated(python, double, 1, None)


@pytest.mark.parametrize("kernel", BOTH, ids=["python", "c"])
def test_where_a_buffer_lies(kernel: Any) -> None:
    """The address of what a kernel made, of bytes, and of what others write into."""
    out, data, shared = kernel.new_buffer(16), bytes(16), bytearray(16)
    place = ctypes.addressof(ctypes.c_char.from_buffer(shared))
    assert kernel.address_of(shared) == kernel.address_of(memoryview(shared)) == place
    if sys.implementation.name != "pypy":  # which moves bytes
        assert kernel.address_of(data) == ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value
    kernel.view(out)[:] = b"a" * 16
    assert ctypes.string_at(kernel.address_of(out), 16) == b"a" * 16


class Long(bytes):
    """A frame of 4 GiB, without its bytes: it is refused before one is read."""

    def __len__(self) -> int:
        return 1 << 32


@pytest.mark.parametrize("kernel", BOTH, ids=["python", "c"])
def test_a_frame_that_is_too_long(kernel: Any) -> None:
    """Lengths have 32 bits."""
    rules = kernel.hold_rules(DecapPolicy().rules)
    found = kernel.as_record(kernel.decap_one(Long(PACKETS[0]), 0, Kind.ETHERNET, rules))
    assert found.status == Reason.ROW_OUT_OF_RANGE
    assert kernel.locate_inner(Long(PACKETS[0]), rules) == 0


@pytest.mark.parametrize("kernel", BOTH, ids=["python", "c"])
def test_an_inner_frame_that_ends_too_far_away(kernel: Any) -> None:
    """Its end has 16 bits in the number that stands for its place: for others `decap` asks `decap_one`."""
    rules = kernel.hold_rules(DecapPolicy().rules)
    for length, located in ((65_485, True), (65_486, False)):
        frame = TUNNELS[0].encap(bytes(length))
        assert len(frame) == 50 + length
        assert bool(kernel.locate_inner(frame, rules)) is located
        assert kernel.as_record(kernel.decap_one(frame, 0, Kind.ETHERNET, rules)).inner_length == length
        assert decap(frame).inner == bytes(length)


def test_more_tunnels_than_a_number_holds() -> None:
    """As many as one likes are as many as there are."""
    frame = TUNNELS[0].encap(TUNNELS[1].encap(INNER))
    walks = [
        kernel.walk(frame, 0, Kind.ETHERNET, kernel.hold_ports({4789: Kind.VXLAN}), count)
        for kernel in BOTH
        for count in (9, 1 << 40)
    ]
    assert len({tuple(kinds) for kinds, *_ in walks}) == 1
    assert list(walks[0][0]).count(Kind.VXLAN) == 2


def test_the_shortest_segment() -> None:
    """A TCP header that says it is shorter than one can be, or longer than its packet, takes none of the sequence."""
    segment = bytearray(20)
    segment[13] = 0x02
    for offset, taken in ((4, 0), (5, 1), (6, 0)):
        segment[12] = offset << 4
        packet = Packet(IPv4("10.0.0.1", "10.0.0.2", protocol=6), payload=bytes(segment)).build()
        batch = FrameBatch.from_frames([packet])
        for kernel in BOTH:
            out = kernel.new_buffer(TRAIT_LAYOUT.row_size)
            held = kernel.hold_frames(batch.data, batch.offsets, batch.lengths, None)
            kernel.traits(held, Kind.IPV4, None, out)
            assert list(TRAIT_LAYOUT.column("segment", 1, kernel.view(out))) == [taken]

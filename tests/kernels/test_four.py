"""Rows that the C kernel takes four at a time, if all four are plain: both kernels, and odd rows among plain ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from vxlanpkt import DecapPolicy, FrameBatch, Tunnel
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.columns import BRIEF_LAYOUT, DECAP_LAYOUT, ENCAP_LAYOUT
from vxlanpkt.kernel.contract.encapsulation import EncapMode
from vxlanpkt.kernel.contract.spans import Kind

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt.kernel import c

OVER_4 = Tunnel(7, "192.0.2.1", "192.0.2.2", dscp="inherit", ecn="linux", ttl=9)
OVER_6 = Tunnel(7, "2001:db8::1", "2001:db8::2", flow_label=0xABCDE, dscp=3)
TUNNELS = {
    "IPv4": OVER_4,
    "IPv4, DF clear": OVER_4.replace(df="unset", ecn="none", dscp=9),
    "IPv6, no checksum": OVER_6.replace(udp_checksum="zero"),
    "IPv6": OVER_6.replace(udp_checksum="full", ecn="rfc6040"),
}
ROOM = max(tunnel.overhead for tunnel in TUNNELS.values())
ETHERNET = bytes.fromhex("020000000002 020000000001")
TCP, UDP, ICMP = 6, 17, 1

every_mode = pytest.mark.parametrize("mode", EncapMode)
every_tunnel = pytest.mark.parametrize("tunnel", TUNNELS.values(), ids=TUNNELS)


def ipv4(
    size: int, rng: random.Random, *, start: int = 0x45, fragment: int = 0x4000, protocol: int = TCP, more: int = 0
) -> bytes:
    """A frame of *size* bytes whose total length is *more* than there is."""
    length = (size - 14 + more).to_bytes(2, "big")
    header = bytes((start, rng.randrange(256))) + length + rng.randbytes(2) + fragment.to_bytes(2, "big")
    header += bytes((64, protocol)) + rng.randbytes(size)
    return (ETHERNET + b"\x08\x00" + header)[:size]


def ipv6(size: int, rng: random.Random, *, start: int = 0x60, protocol: int = UDP, more: int = 0) -> bytes:
    """The same over IPv6."""
    length = max(size - 54 + more, 0).to_bytes(2, "big")
    header = (
        bytes((start | rng.randrange(16),)) + rng.randbytes(3) + length + bytes((protocol, 64)) + rng.randbytes(size)
    )
    return (ETHERNET + b"\x86\xdd" + header)[:size]


def tagged(size: int, rng: random.Random) -> bytes:
    """A frame with a tag."""
    frame = ipv4(size - 4, rng)
    return frame[:12] + b"\x81\x00\x00\x05" + frame[12:]


# Whatever is to be seen of a row before four are taken together.
ODD: dict[str, Callable[[random.Random], bytes]] = {
    "empty": lambda rng: b"",
    "a byte too short for ports": lambda rng: ipv4(37, rng),
    "a byte too short for ports of IPv6": lambda rng: ipv6(57, rng),
    "too long to be copied four at a time": lambda rng: ipv4(129, rng),
    "padded": lambda rng: ipv4(60, rng, more=-5),
    "a total length of 24": lambda rng: ipv4(60, rng, more=-22),
    "a total length of 23": lambda rng: ipv4(60, rng, more=-23),
    "a total length of one too many": lambda rng: ipv4(60, rng, more=1),
    "the first fragment": lambda rng: ipv4(60, rng, fragment=0x2000),
    "a later fragment": lambda rng: ipv4(60, rng, fragment=0x0001),
    "the last byte of an offset": lambda rng: ipv4(60, rng, fragment=0x0100),
    "the reserved bit": lambda rng: ipv4(60, rng, fragment=0x8000),
    "ICMP": lambda rng: ipv4(60, rng, protocol=ICMP),
    "ports that no shortcut knows": lambda rng: ipv4(60, rng, protocol=132),
    "options": lambda rng: ipv4(60, rng, start=0x46),
    "version 5": lambda rng: ipv4(60, rng, start=0x55),
    "a tag": lambda rng: tagged(64, rng),
    "ARP": lambda rng: ETHERNET + b"\x08\x06" + bytes(46),
    "a payload length of 4": lambda rng: ipv6(80, rng, more=-22),
    "a payload length of 3": lambda rng: ipv6(80, rng, more=-23),
    "a payload length of one too many": lambda rng: ipv6(80, rng, more=1),
    "version 7": lambda rng: ipv6(80, rng, start=0x70),
    "ICMPv6": lambda rng: ipv6(80, rng, protocol=58),
}  # fmt: skip
PLACES: dict[str, tuple[int, int]] = {
    "behind the end": (1 << 20, 60),
    "a byte over the end": (-59, 60),
    "the largest offset": ((1 << 64) - 1, 60),
    "around the end of all numbers": ((1 << 64) - 38, 60),
    "the largest signed offset": ((1 << 63) - 1, 60),
    "the largest length": (0, (1 << 32) - 1),
    "over the one before": (200, 60),
}


def plain(count: int, seed: int = 0) -> list[bytes]:
    """Plain frames of all four kinds and of lengths up to 128 bytes."""
    rng = random.Random(seed)
    frames = [ipv4(rng.randrange(38, 129), rng, protocol=rng.choice((TCP, UDP))) for _ in range(count)]
    for row in rng.sample(range(count), count // 3):
        frames[row] = ipv6(rng.randrange(58, 129), rng, protocol=rng.choice((TCP, UDP)))
    return frames


def rows_of(frames: Sequence[bytes], room: int = ROOM) -> tuple[bytearray, list[int], list[int]]:
    """Data with room before each frame, offsets and lengths."""
    data, offsets = bytearray(), []
    for frame in frames:
        data += bytes(room)
        offsets.append(len(data))
        data += frame
    return data, offsets, [len(frame) for frame in frames]


def encapsulated(
    kernel: Any, rows: Any, tunnel: Tunnel, mode: EncapMode, first: int | None
) -> tuple[int, bytes, bytes]:
    """How many were sent, the whole output, and the frames afterwards."""
    data = bytearray(rows[0])
    columns = [
        memoryview(b"".join(number.to_bytes(size, "little") for number in column))
        for column, size in zip(rows[1:], (8, 4), strict=True)
    ]
    frames = kernel.hold_frames(memoryview(data), columns[0].cast("Q"), columns[1].cast("I"), None)
    out = kernel.new_buffer(len(rows[1]) * (ENCAP_LAYOUT.row_size + tunnel.overhead) + kernel.total_length(frames))
    kernel.view(out)[:] = b"\xaa" * len(out)
    table = kernel.hold_table([kernel.hold_recipe(tunnel._recipe)])
    sent = kernel.encap(frames, table, None, first, mode, out)
    return sent, bytes(kernel.view(out)), bytes(data)


def agree(rows: Any, tunnel: Tunnel, mode: EncapMode, first: int | None = None) -> int:
    """How many rows both kernels send."""
    ours, theirs = (encapsulated(kernel, rows, tunnel, mode, first) for kernel in (python, c))
    assert ours == theirs
    return ours[0]


@every_mode
@every_tunnel
@pytest.mark.parametrize("count", [*range(14), 200])
def test_plain_rows(count: int, tunnel: Tunnel, mode: EncapMode) -> None:
    """Any number of them, with identifications that begin again behind the last."""
    assert agree(rows_of(plain(count, count)), tunnel, mode, 65_530) == count


@every_mode
@every_tunnel
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_row(odd: str, tunnel: Tunnel, mode: EncapMode) -> None:
    """Each kind in each place among plain rows, and nothing else than that kind."""
    rng = random.Random(odd)
    for place in range(12):
        frames = plain(13, place)
        frames[place] = ODD[odd](rng)
        assert agree(rows_of(frames), tunnel, mode, place) == 13
    assert agree(rows_of([ODD[odd](rng) for _ in range(9)]), tunnel, mode) == 9


@every_mode
@every_tunnel
@pytest.mark.parametrize("place", PLACES)
def test_a_row_elsewhere(place: str, tunnel: Tunnel, mode: EncapMode) -> None:
    """A row outside of the buffer, or where there is no room for a header."""
    for row in range(9):
        data, offsets, lengths = rows_of(plain(9, row))
        offset, lengths[row] = PLACES[place]
        offsets[row] = len(data) + offset if offset < 0 else offset
        agree((data, offsets, lengths), tunnel, mode)


@every_tunnel
@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_headers_in_front(tunnel: Tunnel, spare: int) -> None:
    """In place headers need all the bytes between the frames: with one less only the first row has room, if any."""
    rows = rows_of(plain(12), tunnel.overhead + spare)
    assert agree(rows, tunnel, EncapMode.IN_PLACE) == (0 if spare < 0 else 12)


@pytest.mark.parametrize("mode", [EncapMode.HEADERS, EncapMode.IN_PLACE])
def test_long_rows(mode: EncapMode) -> None:
    """Where nothing is copied, rows are taken together up to the longest that fit a datagram."""
    rng = random.Random(1)
    sizes = [1400, 65_499, 9000, 65_499, 65_500, 38, 570, 65_499]
    frames = [ipv4(min(size, 65_535), rng, more=min(0, 65_535 - 14 - size)) for size in sizes]
    assert agree(rows_of(frames), OVER_4, mode) == 7
    assert agree(rows_of(frames), TUNNELS["IPv6"], mode) == 8


@every_mode
def test_checksums_that_come_to_zero(mode: EncapMode) -> None:
    """A UDP checksum of 0 is sent as 0xffff; the last two bytes of each frame are drawn so that some are."""
    frame, tunnel = bytearray(ipv6(64, random.Random(2))), TUNNELS["IPv6"]
    wire = tunnel.encap(bytes(frame))
    checksum = int.from_bytes(wire[60:62], "big")
    last = int.from_bytes(frame[62:64], "big") + checksum
    frame[62:64] = ((last & 0xFFFF) + (last >> 16)).to_bytes(2, "big")
    assert tunnel.encap(bytes(frame))[60:62] == b"\xff\xff"
    assert agree(rows_of([bytes(frame)] * 8), tunnel, mode) == 8


POLICIES = {
    "default": DecapPolicy(),
    "checksums": DecapPolicy(verify_ip_checksum=True, verify_udp_checksum=True),
    "reserved bits": DecapPolicy.STRICT.replace(check_inner_length=False, check_inner_source=False),
    "ports": DecapPolicy(ports=(8472, 4789)),
    "Linux": DecapPolicy.LINUX,
    "no ports": DecapPolicy(ports=()),
}
OUTER = {"IPv4": OVER_4, "IPv4, UDP checksum": OVER_4.replace(udp_checksum="full"), "IPv6": TUNNELS["IPv6"]}


def changed(at: int, value: int) -> Callable[[bytes, int], bytes]:
    """A change of one byte, counted from the UDP header on."""
    return lambda wire, udp: wire[: udp + at] + bytes((wire[udp + at] ^ value,)) + wire[udp + at + 1 :]


# Whatever is to be seen of an outer header before four are taken together.
WRONG: dict[str, Callable[[bytes, int], bytes]] = {
    "another port": changed(3, 1),
    "a UDP length of one too many": changed(5, 1),
    "another UDP checksum": changed(7, 1),
    "no UDP checksum": lambda wire, udp: wire[: udp + 6] + bytes(2) + wire[udp + 8 :],
    "I clear": changed(8, 0x08),
    "a reserved bit": changed(9, 0x40),
    "a reserved byte": changed(15, 0xFF),
    "another last address byte": changed(-1, 1),
    "another protocol": lambda wire, udp: changed(-11 if udp == 34 else -34, 1)(wire, udp),
    "another total length": lambda wire, udp: changed(-17 if udp == 34 else -35, 1)(wire, udp),
    "a longer total length": lambda wire, udp: changed(-18 if udp == 34 else -36, 1)(wire, udp),
    "the first fragment": lambda wire, udp: changed(-14, 0x20)(wire, udp),
    "options": lambda wire, udp: changed(-20, 3)(wire, udp),
    "another IP checksum": lambda wire, udp: changed(-10, 1)(wire, udp),
    "a tag": lambda wire, udp: wire[:12] + b"\x81\x00\x00\x05" + wire[12:],
    "a byte cut off": lambda wire, udp: wire[:-1],
    "padding": lambda wire, udp: wire + b"\0",
    "only Ethernet": lambda wire, udp: wire[:14],
    "not even Ethernet": lambda wire, udp: wire[:13],
}  # fmt: skip


def decapsulated(kernel: Any, batch: FrameBatch, policy: DecapPolicy, brief: bool) -> tuple[int, bytes]:
    """How many were accepted, and all columns."""
    frames = kernel.hold_frames(batch.data, batch.offsets, batch.lengths, batch.original_lengths)
    out = kernel.new_buffer((BRIEF_LAYOUT if brief else DECAP_LAYOUT).row_size * len(batch))
    kernel.view(out)[:] = b"\xaa" * len(out)
    count = kernel.decap(frames, Kind.ETHERNET, kernel.hold_rules(policy.rules), brief, out)
    return count, bytes(kernel.view(out))


def agree_on(batch: FrameBatch) -> list[int]:
    """How many rows both kernels accept, by policy."""
    counts = []
    for policy in POLICIES.values():
        for brief in (False, True):
            ours, theirs = (decapsulated(kernel, batch, policy, brief) for kernel in (python, c))
            assert ours == theirs
        counts.append(ours[0])
    return counts


every_outer = pytest.mark.parametrize("tunnel", OUTER.values(), ids=OUTER)


def wires(tunnel: Tunnel, inner: Sequence[bytes]) -> list[bytes]:
    """Inner frames in a tunnel."""
    return [tunnel.encap(frame, identification=0) for frame in inner]


@every_outer
@pytest.mark.parametrize("count", [*range(14), 200])
def test_plain_rows_out_of_a_tunnel(tunnel: Tunnel, count: int) -> None:
    """Any number of them."""
    assert agree_on(FrameBatch.from_frames(wires(tunnel, plain(count, count))))[0] == count


@every_outer
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_inner_frame(odd: str, tunnel: Tunnel) -> None:
    """Each kind in each place among plain rows."""
    rng = random.Random(odd)
    for place in range(9):
        frames = plain(10, place)
        frames[place] = ODD[odd](rng)
        agree_on(FrameBatch.from_frames(wires(tunnel, frames)))


@every_outer
@pytest.mark.parametrize("wrong", WRONG)
def test_an_odd_outer_header(wrong: str, tunnel: Tunnel) -> None:
    """Each kind in each place among plain rows, which is refused or not as each policy has it."""
    for place in range(9):
        frames = wires(tunnel, plain(10, place))
        frames[place] = WRONG[wrong](frames[place], tunnel.overhead - 16)
        agree_on(FrameBatch.from_frames(frames))


@pytest.mark.parametrize("place", PLACES)
def test_an_outer_row_elsewhere(place: str) -> None:
    """A row outside of the buffer."""
    for row in range(9):
        data, offsets, lengths = rows_of(wires(OVER_4, plain(9, row)), 0)
        offset, lengths[row] = PLACES[place]
        offsets[row] = len(data) + offset if offset < 0 else offset
        agree_on(FrameBatch(data, offsets, lengths))


def test_both_versions_outside() -> None:
    """Rows over IPv4 and over IPv6, in runs of all lengths; and what was cut off some of them."""
    inner = plain(60)
    frames = [(OVER_4 if row // (1 + row % 6) % 2 else TUNNELS["IPv6"]).encap(frame) for row, frame in enumerate(inner)]
    batch = FrameBatch.from_frames(frames)
    assert agree_on(batch)[0] == 60
    originals = [length + (row % 7 == 0) for row, length in enumerate(batch.lengths)]
    agree_on(FrameBatch(batch.data, batch.offsets, batch.lengths, originals))


def test_a_length_that_counts_on() -> None:
    """65,536 bytes more than the header says are not what it says."""
    (frame,) = wires(OVER_4, plain(1))
    agree_on(FrameBatch.from_frames([frame + bytes(65_536)] * 4))
    (frame,) = wires(TUNNELS["IPv6"], plain(1))
    agree_on(FrameBatch.from_frames([frame + bytes(65_536)] * 4))


@every_outer
def test_no_port_is_not_port_0(tunnel: Tunnel) -> None:
    """A policy without ports takes nothing, whatever length stands beside the port."""
    port = tunnel.overhead - 16 + 2
    for wire in wires(tunnel, plain(20)):
        agree_on(FrameBatch.from_frames([wire[:port] + bytes(2) + wire[port + 2 :]] * 4))

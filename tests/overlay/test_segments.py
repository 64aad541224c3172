"""Long frames cut, segments joined, checksums finished: against the library's own layers, and against Scapy."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import TCP, UDP, Ethernet, IPv4, IPv6, LinkType, Packet, parse

pytest.importorskip("vxlanpkt.overlay._datapathlib", exc_type=ImportError)

from .offloads import DATA_VALID, ECN, NEEDS_CSUM, TCPV4, TCPV6, UDP_L4, Offload, cut, describe, finish, join

ACK, PSH, FIN, CWR = 0x10, 0x08, 0x01, 0x80
_ADDRESSES: dict[int, tuple[str, str]] = {4: ("10.5.1.2", "10.5.2.2"), 6: ("fc00:5:1::2", "fc00:5:2::2")}


def tcp_frame(payload: bytes, *, version: int = 4, raw: bool = False, sequence: int = 7, flags: int = ACK,
              options: bytes = b"", **more: Any) -> bytes:  # fmt: skip
    """A TCP segment whose checksum is right; *more* goes to IP."""
    src, dst = _ADDRESSES[version]
    ip: Any = IPv4(src, dst, flags=2, **more) if version == 4 else IPv6(src, dst, **more)
    tcp = TCP(40000, 5201, sequence_number=sequence, acknowledgment_number=99, flags=flags, options=options)
    layers = (ip, tcp) if raw else (Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01"), ip, tcp)
    return Packet(*layers, payload=payload).build()


def udp_frame(payload: bytes, *, version: int = 4, raw: bool = False) -> bytes:
    """A datagram whose checksum is right."""
    src, dst = _ADDRESSES[version]
    ip: Any = IPv4(src, dst, flags=2) if version == 4 else IPv6(src, dst)
    layers = (ip, UDP(40000, 53)) if raw else (Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01"), ip, UDP(40000, 53))
    return Packet(*layers, payload=payload).build()


def start_of(raw: bool) -> LinkType:
    return LinkType.RAW if raw else LinkType.ETHERNET


def places(version: int, raw: bool) -> tuple[int, int]:
    """Where the IP header and the segment begin."""
    network = 0 if raw else 14
    return network, network + (20 if version == 4 else 40)


def folded(data: bytes) -> int:
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def unfinished(frame: bytes, version: int, raw: bool, offset: int) -> bytes:
    """The frame as a kernel leaves it to a card: the sum of the pseudo-header stands in the checksum's field."""
    network, segment = places(version, raw)
    addresses = frame[network + 12 : network + 20] if version == 4 else frame[network + 8 : network + 40]
    length = len(frame) - segment
    protocol = 6 if offset == 16 else 17
    pseudo = folded(addresses + length.to_bytes(4, "big") + protocol.to_bytes(4, "big"))
    return frame[: segment + offset] + pseudo.to_bytes(2, "big") + frame[segment + offset + 2 :]


def long_frame(payload: bytes, size: int, version: int, raw: bool, **more: Any) -> tuple[bytes, Offload]:
    """A TCP frame as a TAP hands it out, with what is said of it."""
    frame = unfinished(tcp_frame(payload, version=version, raw=raw, **more), version, raw, 16)
    _, segment = places(version, raw)
    return frame, Offload(NEEDS_CSUM, TCPV4 if version == 4 else TCPV6, 0, size, segment, 16)


VERSIONS = st.sampled_from([4, 6])
OPTIONS = st.sampled_from([b"", bytes.fromhex("0101080a0000000100000002")])


@given(st.binary(min_size=1, max_size=9000), st.integers(100, 1500), VERSIONS, st.booleans(),
       st.integers(0, 2**32 - 1), st.sampled_from([ACK, ACK | PSH, ACK | PSH | FIN, ACK | CWR]), OPTIONS)  # fmt: skip
def test_cutting(payload: bytes, size: int, version: int, raw: bool, sequence: int, flags: int, options: bytes) -> None:
    """Each part is a sound segment whose checksums hold, and together they are what there was."""
    frame, offload = long_frame(payload, size, version, raw, sequence=sequence, flags=flags, options=options)
    if flags & CWR:
        offload = offload._replace(gso_type=offload.gso_type | ECN)
    parts = cut(frame, offload, raw)
    assert parts is not None
    packets = [parse(part, start=start_of(raw)) for part in parts]
    whole = parse(frame, start=start_of(raw))
    assert b"".join(packet.payload for packet in packets) == payload
    for number, packet in enumerate(packets):
        assert not packet.checksum_errors()
        assert len(packet.payload) == size or number == len(packets) - 1
        tcp, last = packet[TCP], number == len(packets) - 1
        assert tcp.sequence_number == (sequence + number * size) % 2**32
        assert tcp.flags == flags & ~(0 if last else PSH | FIN) & ~(CWR if number else 0)
        assert tcp.replace(sequence_number=0, flags=0, checksum=0) == whole[TCP].replace(
            sequence_number=0, flags=0, checksum=0
        )
        if version == 4:
            assert packet[IPv4].identification == number


@given(st.binary(min_size=1, max_size=5000), st.integers(50, 1400), VERSIONS, st.booleans())
def test_cutting_datagrams(payload: bytes, size: int, version: int, raw: bool) -> None:
    """Several datagrams in one frame become several frames."""
    frame = unfinished(udp_frame(payload, version=version, raw=raw), version, raw, 6)
    parts = cut(frame, Offload(NEEDS_CSUM, UDP_L4, 0, size, places(version, raw)[1], 6), raw)
    assert parts is not None
    packets = [parse(part, start=start_of(raw)) for part in parts]
    assert [packet.payload for packet in packets] == [payload[at : at + size] for at in range(0, len(payload), size)]
    assert not any(packet.checksum_errors() for packet in packets)
    assert [packet[UDP].length for packet in packets] == [8 + len(packet.payload) for packet in packets]


def test_cutting_agrees_with_scapy() -> None:
    """An independent reader finds the same segments, and computes the same checksums."""
    scapy = pytest.importorskip("scapy.all")
    payload = os.urandom(5000)
    frame, offload = long_frame(payload, 1398, 4, False, flags=ACK | PSH)
    parts = cut(frame, offload)
    assert parts is not None and len(parts) == 4
    for part in parts:
        seen = scapy.Ether(part)
        sums = seen[scapy.IP].chksum, seen[scapy.TCP].chksum
        del seen[scapy.IP].chksum, seen[scapy.TCP].chksum
        again = scapy.Ether(bytes(seen))
        assert (again[scapy.IP].chksum, again[scapy.TCP].chksum) == sums
    assert b"".join(bytes(scapy.Ether(part)[scapy.TCP].payload) for part in parts) == payload


@given(st.binary(max_size=300), st.builds(Offload, *[st.integers(0, 255)] * 2, *[st.integers(0, 65535)] * 4),
       st.booleans())  # fmt: skip
def test_cutting_anything(frame: bytes, offload: Offload, raw: bool) -> None:
    """Whatever a device may say of whatever bytes: parts, or a refusal."""
    parts = cut(frame, offload, raw)
    assert parts is None or sum(map(len, parts)) >= 28


@given(st.data(), VERSIONS, st.booleans())
def test_cutting_damaged(data: st.DataObject, version: int, raw: bool) -> None:
    """A sound frame, damaged at some places: a refusal, or parts of its payload, as far as IP says, in its order."""
    frame, offload = long_frame(bytes(2000), 500, version, raw)
    changed = bytearray(frame)
    for at in data.draw(st.lists(st.integers(0, 100), max_size=5)):
        changed[at] = data.draw(st.integers(0, 255))
    damaged = bytes(changed[: data.draw(st.just(len(frame)) | st.integers(0, len(frame)))])
    parts = cut(damaged, offload, raw)
    if parts is None:
        return
    header = offload.checksum_start + 4 * (damaged[offload.checksum_start + 12] >> 4)
    assert all(header <= len(part) <= header + offload.gso_size for part in parts)
    assert damaged[header:].startswith(b"".join(part[header:] for part in parts))


@pytest.mark.parametrize("change", [{"flags": 0}, {"gso_size": 0}, {"gso_type": TCPV6}, {"gso_type": UDP_L4}])
def test_unsound_offloads(change: dict[str, int]) -> None:
    """What does not fit the frame is refused."""
    frame, offload = long_frame(bytes(3000), 1000, 4, False)
    assert cut(frame, offload) is not None
    assert cut(frame, offload._replace(**change)) is None


@given(st.binary(max_size=2000), VERSIONS, st.booleans(), st.booleans())
def test_finishing(payload: bytes, version: int, raw: bool, is_tcp: bool) -> None:
    """A checksum that was left to a card, finished, is what it would have been."""
    right = (tcp_frame if is_tcp else udp_frame)(payload, version=version, raw=raw)
    offset = 16 if is_tcp else 6
    open_ = unfinished(right, version, raw, offset)
    assert finish(open_, Offload(NEEDS_CSUM, 0, 0, 0, places(version, raw)[1], offset)) == right


@given(st.binary(max_size=60), st.integers(0, 65535), st.integers(0, 65535))
def test_finishing_outside(frame: bytes, start: int, offset: int) -> None:
    """A place outside of the frame is refused."""
    done = finish(frame, Offload(NEEDS_CSUM, 0, 0, 0, start, offset))
    assert (done is None) == (start >= len(frame) or start + offset + 2 > len(frame))


@given(st.binary(max_size=4000), VERSIONS, st.booleans(), st.booleans())
def test_describing(payload: bytes, version: int, raw: bool, left: bool) -> None:
    """The trap: what is unfinished is said to be, what is long is given a size that fits; the rest is left as it is."""
    right = tcp_frame(payload, version=version, raw=raw)
    frame = unfinished(right, version, raw, 16) if left else right
    network, segment = places(version, raw)
    described = describe(frame, 1450, raw)
    assert described is not None
    changed, offload = described
    is_long = len(frame) - network > 1450
    if not left and not is_long:
        assert (changed, offload) == (frame, Offload())
        return
    assert (offload.flags, offload.checksum_start, offload.checksum_offset) == (NEEDS_CSUM, segment, 16)
    assert changed == unfinished(right, version, raw, 16)
    if is_long:
        assert offload.gso_type == (TCPV4 if version == 4 else TCPV6)
        assert offload.gso_size == 1280 - (segment + 20 - network)
        parts = cut(changed, offload, raw)
        assert parts is not None and all(len(part) - network <= 1280 for part in parts)
    else:
        assert offload.gso_type == 0


def test_describing_for_a_small_device() -> None:
    """One that takes less than every link of IPv6."""
    described = describe(tcp_frame(bytes(4000), version=4), 600)
    assert described is not None and described[1].gso_size == 560


def test_describing_several_datagrams() -> None:
    """Unfinished and longer than the MTU: several datagrams of which nobody knows the bounds. A finished one is one."""
    assert describe(unfinished(udp_frame(bytes(4000)), 4, False, 6), 1450) is None
    assert describe(udp_frame(bytes(4000)), 1450) == (udp_frame(bytes(4000)), Offload())
    short = describe(unfinished(udp_frame(bytes(400)), 4, False, 6), 1450)
    assert short is not None and short[1].flags == NEEDS_CSUM


def test_describing_a_wrong_checksum() -> None:
    """A long segment with a wrong checksum is not made a right one."""
    frame = bytearray(tcp_frame(bytes(3000)))
    frame[-1] ^= 1
    assert describe(bytes(frame), 1450) == (bytes(frame), Offload())


@given(st.binary(max_size=200), st.integers(0, 2000), st.booleans())
def test_describing_anything(frame: bytes, mtu: int, raw: bool) -> None:
    """Any bytes are described, and none but a checksum's are changed; or they are not to be handed on."""
    described = describe(frame, mtu, raw)
    if described is None:
        return
    handed, offload = described
    at = offload.checksum_start + offload.checksum_offset
    field = range(at, at + 2) if offload.flags & NEEDS_CSUM else range(0)
    assert len(handed) == len(frame)
    assert all(handed[place] == frame[place] for place in range(len(frame)) if place not in field)


# -- joining


@given(st.binary(min_size=1, max_size=20000), st.integers(300, 1500), VERSIONS, st.booleans(), st.booleans(), OPTIONS,
       st.integers(0, 2**32 - 1))  # fmt: skip
def test_joining_undoes_cutting(
    payload: bytes, size: int, version: int, raw: bool, pushed: bool, options: bytes, sequence: int
) -> None:
    """Cut and joined, a frame is what it was, and so is what is said of it."""
    frame, offload = long_frame(payload, size, version, raw, flags=ACK | (PSH if pushed else 0), options=options,
                                sequence=sequence)  # fmt: skip
    parts = cut(frame, offload, raw)
    assert parts is not None
    joined = join(parts, raw)
    most = 64 * size
    assert len(joined) == -(-len(payload) // most)
    if len(parts) == 1:
        assert joined == [(parts[0], Offload(flags=DATA_VALID))]
    elif len(joined) == 1:
        segment = places(version, raw)[1]
        assert joined[0][0] == frame
        assert joined[0][1] == offload._replace(header_length=segment + 20 + len(options))


def flow(count: int, version: int = 4, size: int = 500) -> list[bytes]:
    """Segments of a flow in order."""
    more: list[dict[str, Any]] = [{"identification": at} if version == 4 else {} for at in range(count)]
    return [
        tcp_frame(bytes([at]) * size, version=version, sequence=1000 + at * size, **more[at]) for at in range(count)
    ]


BREAKS: dict[str, Callable[[bytes], bytes]] = {
    "other port": lambda frame: _rebuilt(frame, TCP, src_port=1),
    "gap": lambda frame: _rebuilt(frame, TCP, sequence_number=1),
    "acknowledgement": lambda frame: _rebuilt(frame, TCP, acknowledgment_number=1),
    "window": lambda frame: _rebuilt(frame, TCP, window=1),
    "flags": lambda frame: _rebuilt(frame, TCP, flags=ACK | FIN),
    "urgent": lambda frame: _rebuilt(frame, TCP, urgent_pointer=1),
    "ttl": lambda frame: _rebuilt(frame, IPv4, ttl=3),
    "tos": lambda frame: _rebuilt(frame, IPv4, ecn=3),
    "address": lambda frame: _rebuilt(frame, IPv4, src="10.5.1.9"),
    "fragment": lambda frame: _rebuilt(frame, IPv4, flags=1),
    "checksum": lambda frame: frame[:-1] + bytes([frame[-1] ^ 1]),
    "station": lambda frame: frame[:5] + b"\x09" + frame[6:],
    "padding": lambda frame: frame + b"\0",
}  # fmt: skip


def _rebuilt(frame: bytes, layer: Any, **changes: Any) -> bytes:
    return parse(frame).replace(layer, **changes).recompute().build()


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_not_joined(name: str) -> None:
    """A segment that differs stays by itself, as it came, and in its place."""
    frames = flow(5)
    frames[2] = BREAKS[name](frames[2])
    joined = join(frames)
    assert [len(frame) for frame, _ in joined] == [1054, len(frames[2]), 1054]
    assert joined[1][0] == frames[2]
    assert joined[1][1].gso_size == 0


def test_a_short_or_pushed_segment_is_the_last() -> None:
    """Behind it a new frame begins: cutting could not make it again."""
    frames = flow(4)
    frames[1] = _rebuilt(frames[1], TCP, flags=ACK | PSH)
    assert [len(frame) for frame, _ in join(frames)] == [1054, 1054]
    frames = flow(4)
    frames[1] = tcp_frame(bytes(100), sequence=1500, identification=1)
    frames[2] = tcp_frame(bytes(500), sequence=1600, identification=2)
    frames[3] = tcp_frame(bytes(500), sequence=2100, identification=3)
    assert [len(frame) for frame, _ in join(frames)] == [654, 1054]


@given(st.lists(st.one_of(st.binary(max_size=100), st.sampled_from(flow(6)), st.sampled_from(flow(6, 6))), max_size=20),
       st.booleans())  # fmt: skip
def test_joining_anything(frames: list[bytes], raw: bool) -> None:
    """Cut again, all that was joined is there again, in the order in which it came."""
    made: list[bytes] = []
    for frame, offload in join(frames, raw):
        parts = cut(frame, offload, raw) if offload.gso_size else [frame]
        assert parts is not None
        made += parts
    assert [_without_number(frame) for frame in made] == [_without_number(frame) for frame in frames]


def _without_number(frame: bytes) -> bytes:
    """A frame without what is free in packets that must not be fragmented: identification, and the checksum over it."""
    if len(frame) > 34 and frame[12:14] == b"\x08\0" and frame[20] & 0x40:
        return frame[:18] + bytes(2) + frame[20:24] + bytes(2) + frame[26:]
    return frame

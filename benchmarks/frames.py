"""The frames of every benchmark: 20,000 mixed VXLAN frames, the same for the same seed, made with `struct` alone."""

from __future__ import annotations

import random
import struct
from functools import lru_cache
from typing import NamedTuple

COUNT = 20_000
SEED = 7348
VNIS = 50

# IMIX: sizes of inner frames with their weights. With the headers around them the mean is 576 bytes.
INNER_SIZES = (64, 590, 1514)
WEIGHTS = (22, 16, 9)

TCP, UDP = 6, 17


class Inner(NamedTuple):
    """The field values of an inner Ethernet/IP/TCP or UDP packet; addresses are bytes, 4 or 16 of them."""

    dst_mac: bytes
    src_mac: bytes
    src: bytes
    dst: bytes
    ttl: int
    protocol: int
    src_port: int
    dst_port: int
    sequence_number: int
    acknowledgment_number: int
    flags: int
    window: int
    payload: bytes


class Outer(NamedTuple):
    """The field values of the headers around it; `vid` is 0 without a tag, `checksum` says whether UDP has one."""

    dst_mac: bytes
    src_mac: bytes
    vid: int
    src: bytes
    dst: bytes
    ttl: int
    src_port: int
    dst_port: int
    checksum: bool
    vni: int


class Frame(NamedTuple):
    """One frame: its bytes, the inner bytes, and the values that both were made of."""

    wire: bytes
    inner: bytes
    outer_fields: Outer
    inner_fields: Inner

    @property
    def flow(self) -> tuple[int, bytes, bytes, int, int, int]:
        """VNI, inner source and destination, protocol, ports: what `parse` has to find."""
        fields = self.inner_fields
        return (
            self.outer_fields.vni,
            fields.src,
            fields.dst,
            fields.protocol,
            fields.src_port,
            fields.dst_port,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The layers, outermost first: what `dissect` has to find."""
        outer, inner = self.outer_fields, self.inner_fields
        return (
            "Ethernet",
            *(["Dot1Q"] if outer.vid else []),
            "IPv4" if len(outer.src) == 4 else "IPv6",
            "UDP",
            "VXLAN",
            "Ethernet",
            "IPv4" if len(inner.src) == 4 else "IPv6",
            "TCP" if inner.protocol == TCP else "UDP",
        )


@lru_cache(maxsize=2)
def frames(count: int = COUNT, seed: int = SEED) -> tuple[Frame, ...]:
    """*count* frames, no two alike."""
    rng = random.Random(seed)
    vnis = rng.sample(range(1, 1 << 24), VNIS)
    return tuple(_frame(rng, vnis) for _ in range(count))


def _frame(rng: random.Random, vnis: list[int]) -> Frame:
    (size,) = rng.choices(INNER_SIZES, WEIGHTS)
    version6 = rng.random() < 0.3
    protocol = TCP if rng.random() < 0.7 else UDP
    headers = 14 + (40 if version6 else 20) + (20 if protocol == TCP else 8)
    inner = Inner(
        _mac(rng),
        _mac(rng),
        _address(rng, version6, 0x0A),
        _address(rng, version6, 0x0A),
        rng.choice((63, 64, 128)),
        protocol,
        rng.randrange(1024, 65536),
        rng.choice((53, 80, 443, 8080)),
        rng.getrandbits(32),
        rng.getrandbits(32),
        rng.choice((0x10, 0x18)),
        rng.getrandbits(16),
        rng.randbytes(max(size - headers, 0)),
    )
    underlay6 = rng.random() < 0.3
    outer = Outer(
        _mac(rng),
        _mac(rng),
        rng.randrange(1, 4095) if rng.random() < 0.1 else 0,
        _address(rng, underlay6, 0xC0),
        _address(rng, underlay6, 0xC0),
        64,
        rng.randrange(49152, 65536),
        4789 if rng.random() < 0.7 else 8472,
        underlay6 or rng.random() < 0.25,
        rng.choice(vnis),
    )
    inner_bytes = build_inner(inner)
    return Frame(build_outer(outer, inner_bytes), inner_bytes, outer, inner)


def build_inner(fields: Inner) -> bytes:
    """The inner frame, step by step as the RFCs have it."""
    if fields.protocol == TCP:
        segment = struct.pack(
            "!HHIIBBHHH",
            fields.src_port,
            fields.dst_port,
            fields.sequence_number,
            fields.acknowledgment_number,
            5 << 4,
            fields.flags,
            fields.window,
            0,
            0,
        )
        at = 16
    else:
        segment = struct.pack("!HHHH", fields.src_port, fields.dst_port, 8 + len(fields.payload), 0)
        at = 6
    segment += fields.payload
    checksum = transport_checksum(fields.src, fields.dst, fields.protocol, segment)
    segment = segment[:at] + struct.pack("!H", checksum) + segment[at + 2 :]
    return fields.dst_mac + fields.src_mac + ip_packet(fields.src, fields.dst, fields.protocol, fields.ttl, segment, 0)


def build_outer(fields: Outer, inner: bytes) -> bytes:
    """The whole frame."""
    datagram = struct.pack("!HHHHII", fields.src_port, fields.dst_port, 16 + len(inner), 0, 8 << 24, fields.vni << 8)
    datagram += inner
    if fields.checksum:
        checksum = transport_checksum(fields.src, fields.dst, UDP, datagram)
        datagram = datagram[:6] + struct.pack("!H", checksum) + datagram[8:]
    tag = struct.pack("!HH", 0x8100, fields.vid) if fields.vid else b""
    return fields.dst_mac + fields.src_mac + tag + ip_packet(fields.src, fields.dst, UDP, fields.ttl, datagram, 0x4000)


def ip_packet(src: bytes, dst: bytes, protocol: int, ttl: int, content: bytes, fragment: int) -> bytes:
    """An IP packet with its ethertype before it."""
    if len(src) == 16:
        return b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(content), protocol, ttl) + src + dst + content
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), 0, fragment, ttl, protocol, 0) + src + dst
    return b"\x08\x00" + header[:10] + struct.pack("!H", internet_sum(header)) + header[12:] + content


def transport_checksum(src: bytes, dst: bytes, protocol: int, segment: bytes) -> int:
    """The checksum of TCP or UDP over the pseudo-header and *segment*, whose own field is zero."""
    pseudo = src + dst + struct.pack("!II", len(segment), protocol)
    found = internet_sum(pseudo + segment)
    return 0xFFFF if found == 0 and protocol == UDP else found


def internet_sum(data: bytes) -> int:
    """RFC 1071's checksum, word by word."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _mac(rng: random.Random) -> bytes:
    return b"\x02" + rng.randbytes(5)


def _address(rng: random.Random, version6: bool, first: int) -> bytes:
    return b"\xfd" + rng.randbytes(15) if version6 else bytes([first]) + rng.randbytes(3)

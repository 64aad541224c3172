"""The packets of the benchmark's capture: flows in tunnels, and noise; the same for the same seed.

Frames are made with `frames.py`, that is with `struct` alone, once for each flow and size: a packet is such a frame
with another sequence number, other TCP flags and the checksum that goes with them.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import NamedTuple

from benchmarks.frames import (
    TCP,
    UDP,
    VNIS,
    Inner,
    Outer,
    build_inner,
    build_outer,
    internet_sum,
    ip_packet,
    transport_checksum,
)

SEED = 7348
FLOWS = 20_000
SIZES = (64, 570, 1400)  # of inner frames, or as much as their headers need
WEIGHTS = (7, 4, 1)  # IMIX: with the headers around them and those of the records the mean is 400 bytes
NOISE_SHARE = 0.03
_NOISES = 256
_LONGEST_GAP = 16  # microseconds
_BLOCK = 20_000  # packets that are drawn at once
_HOSTS = 64  # that have a VTEP

_SYN, _FIN, _PUSH, _ACK = 0x02, 0x01, 0x08, 0x10
_FIN_EVERY = 500  # packets
_TCP_TAIL = struct.Struct("!IIBBHH")  # of TCP, from the sequence number to the checksum

Packet = tuple[int, int, int, int]  # a flow, an inner size, the noise that comes instead or -1, microseconds before it


class Flow(NamedTuple):
    """One direction of a connection in a tunnel; `vid` is that of an inner tag, 0 for none."""

    inner: Inner
    outer: Outer
    vid: int
    reply: bool

    @property
    def key(self) -> tuple[int, int, bytes, bytes, int, int]:
        """VNI, protocol, addresses and ports: what flows are told apart by."""
        inner = self.inner
        return self.outer.vni, inner.protocol, inner.src, inner.dst, inner.src_port, inner.dst_port


class Template:
    """A flow's frame of one size: `frame` is to be stamped before it is a packet.

    inner_at, inner_size  where the inner frame is
    tcp_at                where its TCP header begins, 0 for UDP
    payload               bytes that TCP or UDP carries
    """

    def __init__(self, flow: Flow, size: int, payload: bytes) -> None:
        headers = 14 + 4 * bool(flow.vid) + (20 if len(flow.inner.src) == 4 else 40)
        transport = 20 if flow.inner.protocol == TCP else 8
        self.payload = max(size - headers - transport, 0)
        fields = flow.inner._replace(payload=payload[: self.payload])
        untagged = build_inner(fields)
        inner = untagged[:12] + struct.pack("!HH", 0x8100, flow.vid) + untagged[12:] if flow.vid else untagged
        self.frame = build_outer(flow.outer, inner)
        self.inner_at, self.inner_size = len(self.frame) - len(inner), len(inner)
        self.tcp_at = self.inner_at + headers if fields.protocol == TCP else 0
        self._checksum = int.from_bytes(self.frame[self.tcp_at + 16 : self.tcp_at + 18], "big")
        self._window = fields.window
        self._acknowledged = fields.acknowledgment_number

    def stamp(self, record: bytearray, at: int, sequence: int, flags: int) -> None:
        """Make the frame at *at* of a record the packet with this sequence number and these flags.

        The template has zero for both. The outer checksum stays what it is: what TCP covers adds up to the same, as
        its own checksum makes good for any change (RFC 1624).
        """
        total = (self._checksum ^ 0xFFFF) + flags + (sequence >> 16) + (sequence & 0xFFFF)
        total = (total & 0xFFFF) + (total >> 16)
        checksum = ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF
        _TCP_TAIL.pack_into(
            record, at + self.tcp_at + 4, sequence, self._acknowledged, 5 << 4, flags, self._window, checksum
        )


class Traffic:
    """*count* flows, of packets drawn with the same seed."""

    def __init__(self, count: int = FLOWS, seed: int = SEED) -> None:
        self._rng = random.Random(seed)
        self.flows = self._flows(count)
        self.noise = [_noise(self._rng, number) for number in range(_NOISES)]
        self._bytes = self._rng.randbytes(max(SIZES) + count)

    def template(self, flow: int, size: int) -> Template:
        """The frame of a flow with this inner size; each flow has a payload of its own."""
        return Template(self.flows[flow], size, self._bytes[flow:])

    def draw(self, packets: int) -> Iterator[Packet]:
        """So many packets in order, the first of them the same however many there are."""
        rng = self._rng
        ranks = rng.sample(range(len(self.flows)), len(self.flows))
        popularity = list(accumulate((rank + 100) ** -0.8 for rank in ranks))
        chosen = range(len(self.flows))
        noise = list(accumulate([1 - NOISE_SHARE, *([NOISE_SHARE / _NOISES] * _NOISES)]))
        left = packets
        while left > 0:
            yield from islice(
                zip(
                    rng.choices(chosen, cum_weights=popularity, k=_BLOCK),
                    rng.choices(SIZES, WEIGHTS, k=_BLOCK),
                    rng.choices(range(-1, _NOISES), cum_weights=noise, k=_BLOCK),
                    rng.choices(range(_LONGEST_GAP + 1), k=_BLOCK),
                    strict=True,
                ),
                left,
            )
            left -= _BLOCK

    def _flows(self, count: int) -> list[Flow]:
        rng = self._rng
        vnis = rng.sample(range(1, 1 << 24), VNIS)
        hosts = [(b"\x02" + rng.randbytes(5), b"\xc0\x00\x02" + bytes([host]), b"\xfd" + rng.randbytes(15))
                 for host in range(1, _HOSTS + 1)]  # fmt: skip
        flows: dict[tuple[object, ...], Flow] = {}
        while len(flows) < count:
            for flow in _connection(rng, vnis, hosts):
                flows[flow.key] = flow
        return list(flows.values())[:count]


def flags_of(flow: Flow, number: int, payload: int) -> int:
    """The TCP flags of a flow's packet: a SYN first, a FIN now and then."""
    if number == 0:
        return _SYN | _ACK if flow.reply else _SYN
    if number % _FIN_EVERY == 0:
        return _FIN | _ACK
    return _PUSH | _ACK if payload > SIZES[0] else _ACK


def _connection(rng: random.Random, vnis: list[int], hosts: list[tuple[bytes, bytes, bytes]]) -> tuple[Flow, Flow]:
    """Both directions between two machines behind two VTEPs."""
    version6 = rng.random() < 0.25
    near, far = rng.sample(hosts, 2)
    macs = [b"\x02" + rng.randbytes(5) for _ in range(2)]
    addresses = [b"\xfd" + rng.randbytes(15) if version6 else b"\x0a" + rng.randbytes(3) for _ in range(2)]
    ports = rng.randrange(1024, 65536), rng.choice((53, 80, 443, 8080))
    protocol = TCP if rng.random() < 0.75 else UDP
    underlay = 2 if rng.random() < 0.1 else 1
    outer_vid = rng.randrange(1, 4095) if rng.random() < 0.1 else 0
    port = 4789 if rng.random() < 0.7 else 8472
    vni = rng.choice(vnis)
    vid = rng.randrange(1, 4095) if rng.random() < 0.02 else 0
    made = []
    for here, there, (sender, receiver) in ((0, 1, (near, far)), (1, 0, (far, near))):
        inner = Inner(macs[there], macs[here], addresses[here], addresses[there], 64, protocol, ports[here],
                      ports[there], 0, rng.getrandbits(32), 0, 0xFFFF, b"")  # fmt: skip
        outer = Outer(receiver[0], sender[0], outer_vid, sender[underlay], receiver[underlay], 64,
                      rng.randrange(49152, 65536), port, underlay == 2, vni)  # fmt: skip
        made.append(Flow(inner, outer, vid, reply=here == 1))
    return made[0], made[1]


def _noise(rng: random.Random, number: int) -> bytes:
    """What is no VXLAN: ARP, ICMP, TCP, and UDP to another port."""
    macs = b"\x02" + rng.randbytes(5) + b"\x02" + rng.randbytes(5)
    src, dst = b"\xc0\x00\x02" + rng.randbytes(1), b"\xc0\x00\x02" + rng.randbytes(1)
    payload = rng.randbytes(rng.choice((8, 64, 512)))
    kind = number % 4
    if kind == 0:
        addresses = macs[6:] + src + bytes(6) + dst
        return b"\xff" * 6 + macs[6:] + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + addresses
    if kind == 1:
        echo = struct.pack("!BBHI", 8, 0, 0, number) + payload
        echo = echo[:2] + struct.pack("!H", internet_sum(echo)) + echo[4:]
        return macs + ip_packet(src, dst, 1, 64, echo, 0x4000)
    if kind == 2:
        fields = Inner(macs[:6], macs[6:], src, dst, 64, TCP, 22, 50000, number, number, _ACK, 512, payload)
        return build_inner(fields)
    datagram = struct.pack("!HHHH", 50000, rng.choice((53, 123, 4791)), 8 + len(payload), 0) + payload
    checksum = transport_checksum(src, dst, UDP, datagram)
    return macs + ip_packet(src, dst, UDP, 64, datagram[:6] + struct.pack("!H", checksum) + datagram[8:], 0x4000)

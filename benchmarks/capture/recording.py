"""Writes the benchmark's capture as pcap or pcapng, and beside it what is in it: every contender is held to that."""

from __future__ import annotations

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmarks.capture.traffic import FLOWS, SIZES, Template, Traffic, flags_of

START = 1_700_000_000 * 1_000_000  # microseconds since 1970
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
_BUFFER = 1 << 20

_PCAP_RECORD = struct.Struct("<IIII")
_TIME = struct.Struct("<II")
_BLOCK = struct.Struct("<IIIIIII")


class Truth(NamedTuple):
    """What is in a capture.

    packets   records
    vxlan     of them, those in tunnels
    vnis      of these, by VNI
    inner     SHA-256 of the records of the inner frames in a pcap file, its header left out
    flows     a line for each, sorted: VNI, protocol, addresses in hex, ports, packets, bytes of inner frames
    """

    packets: int
    vxlan: int
    vnis: dict[int, int]
    inner: str
    flows: list[str]

    def save(self, path: Path) -> None:
        """Write it."""
        path.write_text(json.dumps(self._asdict()))

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Read it back."""
        found = json.loads(path.read_text())
        return cls(**{**found, "vnis": {int(vni): count for vni, count in found["vnis"].items()}})


class Container(Protocol):
    """A file format: what a file begins with, and records whose time is set later.

    FRAME_AT  where the frame begins in a record
    """

    HEADER: bytes
    FRAME_AT: int

    def record(self, frame: bytes) -> bytearray: ...
    def stamp(self, record: bytearray, now: int) -> None: ...


class Pcap:
    """Little-endian, in microseconds."""

    HEADER = PCAP_HEADER
    FRAME_AT = _PCAP_RECORD.size

    def record(self, frame: bytes) -> bytearray:
        return bytearray(_PCAP_RECORD.pack(0, 0, len(frame), len(frame)) + frame)

    def stamp(self, record: bytearray, now: int) -> None:
        _TIME.pack_into(record, 0, *divmod(now, 1_000_000))


class Pcapng:
    """Enhanced Packet Blocks behind a section header and one interface without options: so in microseconds."""

    HEADER = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28) + struct.pack(
        "<IIHHII", 1, 20, 1, 0, 262144, 20
    )
    FRAME_AT = _BLOCK.size

    def record(self, frame: bytes) -> bytearray:
        padding = bytes(-len(frame) % 4)
        size = _BLOCK.size + len(frame) + len(padding) + 4
        head = _BLOCK.pack(6, size, 0, 0, 0, len(frame), len(frame))
        return bytearray(head + frame + padding + struct.pack("<I", size))

    def stamp(self, record: bytearray, now: int) -> None:
        _TIME.pack_into(record, 12, *divmod(now, 1 << 32))


CONTAINERS: dict[str, Container] = {"pcap": Pcap(), "pcapng": Pcapng()}


def write(path: Path, packets: int, container: str = "pcap", flows: int = FLOWS) -> Truth:
    """Write a capture of so many packets, and say what is in it."""
    recorder = _Recorder(Traffic(flows), CONTAINERS[container])
    with path.open("wb") as file:
        for chunk in recorder.chunks(packets):
            file.write(chunk)
    return recorder.truth()


class _Recorder:
    """Turns drawn packets into records, and keeps the books."""

    def __init__(self, traffic: Traffic, container: Container) -> None:
        self._traffic = traffic
        self._container = container
        count = len(traffic.flows)
        self._packets, self._bytes, self._sequence = [0] * count, [0] * count, [0] * count
        self._made: dict[tuple[int, int], tuple[Template, bytearray]] = {}
        self._inner = bytearray()
        self._digest = hashlib.sha256()
        self._noise = 0

    def chunks(self, packets: int) -> Iterator[bytes]:
        """The file, about a megabyte at a time."""
        stamp = self._container.stamp
        noise = [self._container.record(frame) for frame in self._traffic.noise]
        now = START
        out = bytearray(self._container.HEADER)
        for flow, size, noise_number, gap in self._traffic.draw(packets):
            now += gap
            if noise_number >= 0:
                self._noise += 1
                record = noise[noise_number]
                stamp(record, now)
            else:
                record = self._packet(flow, size, now)
            out += record
            if len(out) > _BUFFER:
                yield bytes(out)
                out.clear()
                self._digest_inner()
        yield bytes(out)
        self._digest_inner()

    def _packet(self, flow: int, size: int, now: int) -> bytearray:
        """The record of a flow's next packet."""
        number = self._packets[flow]
        if number == 0:
            size = SIZES[0]  # what opens a connection is small
        template, record = self._made.get((flow, size)) or self._make(flow, size)
        at = self._container.FRAME_AT
        if template.tcp_at:
            sequence = self._sequence[flow]
            template.stamp(record, at, sequence, flags_of(self._traffic.flows[flow], number, template.payload))
            self._sequence[flow] = (sequence + template.payload) & 0xFFFFFFFF
        self._container.stamp(record, now)
        length = template.inner_size
        begin = at + template.inner_at
        self._inner += _PCAP_RECORD.pack(*divmod(now, 1_000_000), length, length)
        self._inner += record[begin : begin + length]
        self._packets[flow] = number + 1
        self._bytes[flow] += length
        return record

    def _make(self, flow: int, size: int) -> tuple[Template, bytearray]:
        template = self._traffic.template(flow, size)
        made = self._made[flow, size] = template, self._container.record(template.frame)
        return made

    def _digest_inner(self) -> None:
        self._digest.update(self._inner)
        self._inner.clear()

    def truth(self) -> Truth:
        """What was written."""
        vnis: Counter[int] = Counter()
        lines = []
        for flow, packets, size in zip(self._traffic.flows, self._packets, self._bytes, strict=True):
            if packets:
                vnis[flow.outer.vni] += packets
                vni, protocol, src, dst, *ports = flow.key
                lines.append(f"{vni} {protocol} {src.hex()} {dst.hex()} {ports[0]} {ports[1]} {packets} {size}")
        vxlan = sum(self._packets)
        return Truth(vxlan + self._noise, vxlan, dict(vnis), self._digest.hexdigest(), sorted(lines))

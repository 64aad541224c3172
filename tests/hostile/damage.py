"""Good frames, and all that can go wrong with one at a single place: cut anywhere, any bit turned, any byte another."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import vxlanpkt
from vxlanpkt import UDP, VXLANGPE, CaptureError, DecapPolicy, FrameBatch, dissect
from vxlanpkt.bindings import DEFAULT
from vxlanpkt.kernel.contract.columns import DECAP_LAYOUT
from vxlanpkt.starts import Start, kind_of

from .test_cases import CASES, STARTS

DATA = Path(__file__).parent.parent / "data"
# VXLAN's, GPE's, and the one of basic_v4_port_odd.pcap.
PORTS = (4789, 8472, 4790, 51820)
POLICIES = {
    "default": DecapPolicy(),
    "strict": DecapPolicy.STRICT.replace(ports=PORTS),
    "linux": DecapPolicy.LINUX.replace(ports=PORTS),
    "linux_gbp": DecapPolicy.LINUX_GBP.replace(ports=PORTS),
    "linux_gpe": DecapPolicy.LINUX_GPE.replace(ports=PORTS),
    "ovs": DecapPolicy.OVS.replace(ports=PORTS),
    "vpp": DecapPolicy.VPP.replace(ports=PORTS),
    "gbp+gpe": DecapPolicy(PORTS, gbp=True, gpe=True),
    "captured": DecapPolicy(PORTS, lengths="captured"),
    "snapped": DecapPolicy(PORTS, lengths="snapped", fragments="atomic"),
    "altering": DecapPolicy(PORTS, ecn="rfc6040", inner_vlan="strip"),
}
AS_VXLAN = DEFAULT.with_vxlan_ports(PORTS)
AS_GPE = AS_VXLAN
for port in PORTS:
    AS_GPE = AS_GPE.bind(UDP, port, VXLANGPE, replace=True)

# What a byte is changed to where all 255 other values would take too long: the ends, and both sides of the middle.
EDGES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
_MOST_BYTES = 1 << 22

Change = tuple[int, int]  # where, and what stands there then


class Frame(NamedTuple):
    """One good frame: its bytes, what they begin with, and the length that they had on the wire."""

    data: bytes
    start: Start
    on_wire: int


@cache
def frames() -> tuple[Frame, ...]:
    """Every frame of every capture, and every hostile case that is to be accepted; the same bytes once."""
    return tuple(dict.fromkeys((*_captured(), *_accepted_cases())))


def _captured() -> Iterator[Frame]:
    for path in sorted(DATA.glob("*.pcap*")):
        if path.suffix == ".jsonl":
            continue
        with vxlanpkt.open(path) as capture:
            try:
                for record in capture:
                    yield Frame(record.data, record.link_type, record.original_length)
            except CaptureError:
                assert "cut_mid_record" in path.name


def _accepted_cases() -> Iterator[Frame]:
    for case in CASES:
        if case["decap"] == "OK":
            data = bytes.fromhex(case["frame"])
            yield Frame(data, STARTS[case["start"]], case.get("original_length", len(data)))


@cache
def shapes() -> tuple[Frame, ...]:
    """The shortest frame of each shape: headers and their sizes, what is cut, and what each policy says of it."""
    chosen: dict[Any, Frame] = {}
    for frame in sorted(frames(), key=lambda frame: len(frame.data)):
        chosen.setdefault(_shape(frame), frame)
    return tuple(chosen.values())


def _shape(frame: Frame) -> Any:
    found = dissect(frame.data, start=frame.start, ports=PORTS, original_length=frame.on_wire)
    headers = [(layer.NAME, span.header_end - span.start) for layer, span in found.spans if "ICMP" not in layer.NAME]
    verdicts = [vxlanpkt.decap_batch(as_sent(frame), policy=policy, start=frame.start) for policy in POLICIES.values()]
    return (
        frame.start, tuple(headers), found.error and found.error.reason, found.missing > 0,
        tuple((one.status[0], one.notes[0], one.inner_link_type[0]) for one in verdicts),
    )  # fmt: skip


@cache
def reach(frame: Frame) -> int:
    """Where the headers end, those in the tunnel too, read with GPE and without: what is behind is only counted.

    Four bytes more are taken for headers, as ports are read of a TCP header that is cut, and more where something
    could not be read.
    """
    end = 0
    for table in (AS_VXLAN, AS_GPE):
        found = dissect(frame.data, start=frame.start, bindings=table, original_length=frame.on_wire)
        ends = [span.start + 4 if "ICMP" in layer.NAME else span.header_end for layer, span in found.spans]
        end = max(end, *ends, 0) + (60 if found.error else 4)
    return min(len(frame.data), end)


# -- damage


def as_sent(frame: Frame) -> FrameBatch:
    """The frame alone."""
    return FrameBatch(frame.data, [0], [len(frame.data)], [frame.on_wire])


def truncations(frame: Frame) -> FrameBatch:
    """Every shorter length, as a whole frame that is short, and as what a capture kept of the frame.

    All rows lie in the whole frame, so a kernel that reads beyond a row finds what it would like to find there.
    """
    count = len(frame.data)
    lengths = array("I", range(count))
    on_wire = lengths + array("I", [frame.on_wire]) * count
    return FrameBatch(frame.data, array("Q", bytes(16 * count)), lengths * 2, on_wire)


def bits(frame: Frame, begin: int = 0, end: int | None = None) -> Iterator[Change]:
    """Every bit from *begin* to *end*, turned over."""
    return ((at, frame.data[at] ^ 1 << bit) for at in range(len(frame.data))[begin:end] for bit in range(8))


def byte_values(
    frame: Frame, values: Iterable[int] = range(256), begin: int = 0, end: int | None = None
) -> Iterator[Change]:
    """Every byte from *begin* to *end*, as each of *values* that it is not."""
    chosen = tuple(values)
    data = frame.data
    return ((at, value) for at in range(len(data))[begin:end] for value in chosen if value != data[at])


def changed(frame: Frame, changes: Iterable[Change]) -> Iterator[FrameBatch]:
    """Batches of copies of the frame, one with each change, none of them larger than some megabytes."""
    size = len(frame.data)
    changes = iter(changes)
    while part := tuple(islice(changes, max(_MOST_BYTES // max(size, 1), 1))):
        data = bytearray(frame.data) * len(part)
        for row, (at, value) in enumerate(part):
            data[row * size + at] = value
        lengths, on_wire = array("I", [size]) * len(part), array("I", [frame.on_wire]) * len(part)
        yield FrameBatch(data, array("Q", range(0, len(data), size)), lengths, on_wire)


# -- kernels


class Columns:
    """What a kernel says of a batch under a policy."""

    def __init__(self, kernel: Any, batch: FrameBatch, frame: Frame, policy: DecapPolicy) -> None:
        self.rows = len(batch)
        self._buffer = kernel.new_buffer(self.rows * DECAP_LAYOUT.row_size)
        self._view: memoryview = kernel.view(self._buffer)
        held = kernel.hold_frames(batch.data, batch.offsets, batch.lengths, batch.original_lengths)
        self.count = kernel.decap(held, kind_of(frame.start), kernel.hold_rules(policy.rules), False, self._buffer)
        assert self.count == self["status"].tobytes().count(0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and (self.count, self._view) == (other.count, other._view)

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, name: str) -> memoryview:
        return DECAP_LAYOUT.column(name, self.rows, self._view)

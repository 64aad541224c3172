"""Captures read in parts: together they have each record once, or an error says that it cannot be done."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import vxlanpkt
from vxlanpkt.capture import Record, parts
from vxlanpkt.capture.boundaries import WINDOW, first_record
from vxlanpkt.capture.origins import Part
from vxlanpkt.capture.parts import SplitError
from vxlanpkt.capture.planning import OPENING, Sized, packs, sized
from vxlanpkt.capture.reader import FILE_POLICY
from vxlanpkt.capture.series import BrokenFilesError, CaptureSeries
from vxlanpkt.strategies import captures, recordings

from .builders import CAPTURES, NAMES, block, enhanced, interface, pcap_header, pcap_record, read_until_fault, section

Content = tuple[list[tuple[bytes, "int | None", int]], "str | None"]
NOW = 1_700_000_000


def in_parts(data: bytes, bounds: Sequence[int]) -> Content:
    """What the parts between these bounds hold, and the fault that ends them. Raises SplitError."""
    found: list[Record] = []
    for start, end in zip((0, *bounds), (*bounds, None), strict=True):
        capture = CaptureSeries([Part(io.BytesIO(data), start, end)], FILE_POLICY)
        try:
            for record in capture:
                found.append(record)
        except BrokenFilesError as error:
            assert end is None or not found  # what is wrong with the head of a file is so for all parts
            return content(found), str(error.faults[0][1])
    return content(found), None


def content(records: Sequence[Record]) -> list[tuple[bytes, int | None, int]]:
    return [(record.data, record.timestamp_ns, record.interface) for record in records]


def whole(data: bytes) -> Content:
    records, fault = read_until_fault(data)
    return content(records), None if fault is None else str(fault)


def nested_recordings() -> st.SearchStrategy[bytes]:
    """Files whose packets hold such files, whole or without their beginning."""
    inside = recordings(st.binary(min_size=1, max_size=100))
    pieces = st.builds(lambda held, share: held[len(held) * share // 100 :], inside, st.integers(0, 99))
    return recordings(pieces, max_size=4)


def bounds(size: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, size), max_size=8).map(sorted)


@given(recordings() | captures() | nested_recordings(), st.data())
def test_exact_or_an_error(data: bytes, draw: st.DataObject) -> None:
    """Whatever the bounds: all records once and in order, with the fault of the file, or SplitError."""
    if draw.draw(st.booleans()):
        data = data[: draw.draw(st.integers(0, len(data)))] + draw.draw(st.binary(max_size=20))
    wanted = whole(data)
    try:
        found = in_parts(data, draw.draw(bounds(len(data))))
    except SplitError:
        return
    assert found == wanted


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.data())
def test_usual_captures_can_be_split(packets: list[bytes], draw: st.DataObject) -> None:
    """Where nothing in a packet looks like a record, no bounds are an error."""
    letters = [bytes(byte & 0x1F | 0x40 for byte in data) for data in packets]
    for data in (
        pcap_header() + b"".join(pcap_record(data, seconds=NOW) for data in letters),
        section() + interface() + b"".join(enhanced(data) for data in letters),
    ):
        assert in_parts(data, draw.draw(bounds(len(data)))) == whole(data)


@given(st.binary(max_size=100).map(lambda data: data + bytes(-len(data) % 4)), st.data())
def test_a_block_of_names_before_the_first_packet(names: bytes, draw: st.DataObject) -> None:
    """It is no packet, and no part begins with it; cut, or of a length that cannot be, it is the file's fault."""
    head, known = section() + interface(), block(4, names)
    packets = b"".join(enhanced(bytes([number | 0x40]) * 60) for number in range(20))
    data = head + known + packets
    assert in_parts(data, draw.draw(bounds(len(data)))) == whole(data)
    for broken in (head + known[:-1], head + known[:4] + b"\7\0\0\0" + known[8:]):
        assert whole(broken)[1] is not None
        assert in_parts(broken, []) == whole(broken)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [2, 7, 50])
def test_real_captures(name: str, count: int) -> None:
    """All of them can be split anywhere, the cut one too."""
    data = (CAPTURES / name).read_bytes()
    assert in_parts(data, [len(data) * number // count for number in range(1, count)]) == whole(data)


def hostile(depth: int = 300) -> bytes:
    """Packets that hold records one behind the other, the last of which ends with the packet."""
    inside = b"".join(pcap_record(bytes((number & 0xFF,)) * 60, seconds=NOW) for number in range(depth))
    return pcap_header() + b"".join(pcap_record(inside, seconds=NOW) for _ in range(8))


def test_captures_inside() -> None:
    """A packet that holds a capture, which goes on into the file's own records, fools the guess, never the reader."""
    data = hostile()
    wanted, fooled = whole(data), 0
    for bound in range(24, len(data), 4001):
        try:
            assert in_parts(data, [bound]) == wanted
        except SplitError as error:
            fooled += 1
            assert "in one piece" in str(error)
            assert error.offset is not None
            assert bound <= error.offset
    assert fooled > 20


def test_forced_mismatch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the guess says: a part that ends elsewhere than the next one begins is an error."""
    data = pcap_header() + b"".join(pcap_record(b"abc", seconds=NOW) for _ in range(9))
    assert in_parts(data, [50]) == whole(data)
    for off in (-19, 19, 1, 3):
        with monkeypatch.context() as patched:
            patched.setattr(parts, "first_record", lambda *of, off=off: (first_record(*of) or 0) + off)
            with pytest.raises(SplitError, match="not what the next part begins with"):
                in_parts(data, [50])


def test_what_cannot_be_split() -> None:
    """Interfaces behind packets, faults in the middle, compressed files, records that are longer than is looked at."""
    packets = [enhanced(b"abc", raw=NOW) for _ in range(9)]
    late = section() + interface() + b"".join(packets[:3]) + interface(101) + b"".join(packets)
    with pytest.raises(SplitError, match="declared behind packets"):
        in_parts(late, [len(late) - 40])
    assert in_parts(late, [100]) == whole(late)  # in the last part they are no trouble
    two = (section() + interface() + b"".join(packets)) * 2
    with pytest.raises(SplitError, match="declared behind packets"):
        in_parts(two, [len(two) - 40])
    broken = pcap_header() + pcap_record(b"abc", seconds=NOW) + struct.pack("<IIII", NOW, 0, 1 << 30, 4) + bytes(400)
    with pytest.raises(SplitError, match="claims 1073741824"):
        in_parts(broken, [300])
    with pytest.raises(SplitError, match="compressed"):
        in_parts(gzip.compress(broken), [50])
    long = pcap_header(snaplen=1 << 21) + pcap_record(b"A" * (1 << 21), seconds=NOW)
    with pytest.raises(SplitError, match=f"no record is found in the {WINDOW} bytes behind byte 99"):
        in_parts(long, [99])


@pytest.mark.parametrize("data", [b"", b"\xd4\xc3\xb2\xa1", pcap_header(), section(), section() + interface()])
def test_without_records(data: bytes) -> None:
    """Headers that are cut are faults of each part; those that are whole make parts without records."""
    assert in_parts(data, [0, 10, len(data)]) == whole(data)


@given(
    st.lists(st.tuples(st.integers(0, 300_000), st.booleans()), max_size=30), st.integers(1, 400_000),
    st.integers(0, 100_000),
)  # fmt: skip
def test_plans(files: list[tuple[int, bool]], pack_bytes: int, split_bytes: int) -> None:
    """All files in order, each whole or in parts without a gap, and no pack larger than it has to be."""
    assume(split_bytes != 1)
    known = [Sized(str(at), size, pcap_header()[:4] if is_pcap else b"\x1f\x8b") for at, (size, is_pcap) in
             enumerate(files)]  # fmt: skip
    plan = list(packs(known, pack_bytes, split_bytes and max(split_bytes, 1000)))
    assert sum(pack.size for pack in plan) == sum(file.size for file in known)
    flat = [part for pack in plan for part in pack.parts]
    assert list(dict.fromkeys(part.file for part in flat)) == [file.file for file in known]
    for part, following in pairwise(flat):
        assert (following.start == part.end) if part.end is not None else following.start == 0
    for pack in plan:
        if len(pack.parts) > 1:
            assert pack.number is None
            assert pack.size + OPENING * len(pack.parts) <= pack_bytes
        elif pack.number is not None:
            assert split_bytes
            assert pack.size <= max(split_bytes, 1000)


def test_sizes() -> None:
    """A file of this machine, as a plan takes it."""
    path = str(CAPTURES / "flannel_v4.pcap")
    size = Path(path).stat().st_size
    assert sized(path, size) == (path, size, b"")
    assert sized(path, size - 1) == (path, size, b"\xd4\xc3\xb2\xa1")
    with pytest.raises(FileNotFoundError):
        sized("no such file", 0)
    assert len(list(vxlanpkt.open(path))) == 91

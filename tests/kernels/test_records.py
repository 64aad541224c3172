"""Records of capture files: both kernels read the same out of the same bytes, sound or not, and times are exact."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import CaptureError
from vxlanpkt.capture import Interface, Record
from vxlanpkt.capture import open as open_capture
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.columns import NO_TIMESTAMP, RECORD_COLUMNS, RECORD_LAYOUT
from vxlanpkt.kernel.contract.records import FINEST_UNITS, Section, SectionInterface, Stop
from vxlanpkt.strategies import captures, damaged, mutated

CAPTURES = Path(__file__).parent.parent / "data"
c = pytest.importorskip("vxlanpkt.kernel.c", reason="this build has no C kernel")
INTERFACES = st.builds(
    SectionInterface,
    link_type=st.sampled_from((1, 101)),
    snaplen=st.sampled_from((0, 40, 2**32 - 1)),
    fcslen=st.sampled_from((0, 4, 255)),
    units=st.sampled_from((1, 1000, 10**6, 10**9, 2**20, 10**18, 2**59, 10**18 + 1, 2**80)),
    offset=st.sampled_from((0, 1, -1, 2**33, -(2**33), 2**63 - 1, -(2**63))),
    kind=st.just(0),
)


def read(kernel: Any, data: bytes, begin: int, section: Section, rows: int) -> Any:
    """A stretch, and the rows of its columns that were written."""
    buffer, out = kernel.new_buffer(len(data)), kernel.new_buffer(rows * RECORD_LAYOUT.row_size)
    kernel.view(buffer)[:] = data
    found = kernel.read_records(buffer, begin, len(data), kernel.hold_section(section), out)
    columns = {name: RECORD_LAYOUT.column(name, rows, kernel.view(out)) for name in RECORD_COLUMNS}
    return found, {name: list(column[: found.rows]) for name, column in columns.items()}


@given(
    data=st.one_of(captures(), mutated(captures()), damaged(captures()), st.binary(max_size=200)),
    interfaces=st.lists(INTERFACES, min_size=1, max_size=3),
    pcapng=st.booleans(),
    big_endian=st.booleans(),
    begin=st.integers(0, 200),
    rows=st.integers(0, 8),
    limit=st.sampled_from((100, 262144, 2**32 - 1)),
)
def test_the_kernels_agree(data: bytes, interfaces: Any, begin: int, rows: int, **how: Any) -> None:
    if not how["pcapng"]:  # whose timestamps are of microseconds or nanoseconds
        interfaces = [interface._replace(units=10**6 if interface.units < 10**9 else 10**9) for interface in interfaces]
    section = Section(interfaces=interfaces, first=7, **how)
    begin = min(begin, len(data))
    in_python, in_c = read(python, data, begin, section, rows), read(c, data, begin, section, rows)
    assert in_c == in_python
    found, columns = in_c
    assert begin <= found.position <= len(data)
    for offset, captured in zip(columns["offset"], columns["captured_length"], strict=True):
        assert begin <= offset <= offset + captured <= found.position


@given(captures())
def test_a_sound_file_is_read_to_its_end(data: bytes) -> None:
    list(open_capture(io.BytesIO(data)))


@given(data=mutated(captures()), pieces=st.lists(st.integers(1, 300), max_size=30))
def test_how_the_bytes_arrive_makes_no_difference(data: bytes, pieces: list[int]) -> None:
    whole, in_pieces = outcome(io.BytesIO(data)), outcome(Pieces(data, pieces))
    assert in_pieces == whole


class Pieces(io.RawIOBase):
    """A pipe that hands out so many bytes at a time, and the rest at once."""

    def __init__(self, data: bytes, pieces: list[int]) -> None:
        self._data, self._pieces = data, list(pieces)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        size = min(len(into), self._pieces.pop() if self._pieces else len(self._data))
        piece, self._data = self._data[:size], self._data[size:]
        into[: len(piece)] = piece
        return len(piece)


def outcome(source: Any) -> tuple[list[Record], str]:
    records: list[Record] = []
    try:
        for record in open_capture(source):
            records.append(record)
    except CaptureError as error:
        return records, str(error)
    return records, ""


@given(
    raw=st.integers(0, 2**64 - 1) | st.integers(0, 2**33),
    tsresol=st.integers(0, 255),
    tsoffset=st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**34), 2**34),
)
def test_nanoseconds(raw: int, tsresol: int, tsoffset: int) -> None:
    """The column says what exact arithmetic does, wherever it says anything."""
    interface = Interface(tsresol=tsresol, tsoffset=tsoffset)
    units = interface.units_per_second
    section = Section(True, False, (SectionInterface(1, 0, 0, units, tsoffset, 0),))
    data = block(raw)
    for one in (python, c):
        _, columns = read(one, data, 0, section, 1)
        (found,), exact = columns["timestamp_ns"], interface.to_nanoseconds(raw)
        fits = abs(raw // units + tsoffset) < (2**63 - 1) // 10**9 and units <= FINEST_UNITS
        assert found == (exact if fits else NO_TIMESTAMP)


def block(raw: int) -> bytes:
    words = (6, 32, 0, raw >> 32, raw & 0xFFFFFFFF, 0, 0, 32)
    return b"".join(word.to_bytes(4, "little") for word in words)


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda path: path.name)
def test_all_rows_of_a_real_capture_at_once_or_one_by_one(path: Any) -> None:
    data = path.read_bytes()
    order = ">" if data[0] == 0xA1 else "<"
    section = Section(False, order == ">", (SectionInterface(1, 0, 0, 10**6, 0, 0),), limit=262144)
    rows = len(data) // 16
    all_at_once, columns = read(c, data, 24, section, rows)
    assert read(python, data, 24, section, rows) == (all_at_once, columns)
    position = 24
    offsets: list[int] = []
    while True:
        found, one = read(c, data, position, section, 1)
        if found.stop != Stop.FULL:
            break
        position, offsets = found.position, offsets + one["offset"]
    assert (position, offsets) == (all_at_once.position, columns["offset"])


@pytest.mark.parametrize("kernel", [python, c])
@pytest.mark.parametrize(("count", "rows"), [(1 << 16, 1), ((1 << 16) + 1, 0)])
def test_options_that_are_too_many(kernel: Any, count: int, rows: int) -> None:
    packet = struct.pack("<5I", 0, 0, 0, 0, 0) + struct.pack("<HH", 2988, 0) * count
    data = struct.pack("<II", 6, len(packet) + 12) + packet + struct.pack("<I", len(packet) + 12)
    section = Section(True, False, (SectionInterface(1, 0, 0, 10**6, 0, 0),))
    found, _ = read(kernel, data, 0, section, 2)
    assert found.rows == rows
    assert rows or found.stop == Stop.LOOK


def a_block(kind: int, *words: int, size: int | None = None) -> bytes:
    """A block of these words, little-endian."""
    size = 12 + 4 * len(words) if size is None else size
    return b"".join(word.to_bytes(4, "little") for word in (kind, size, *words, size))


ETHERNET, RAW_CUT = SectionInterface(1, 0, 0, 10**6, 0, 0), SectionInterface(101, 8, 0, 10**6, 0, 14)
SIMPLE, OBSOLETE, ENHANCED = 3, 2, 6


@pytest.mark.parametrize(
    ("data", "interfaces", "expected"),
    [
        (a_block(SIMPLE, 8, 1, 2), [ETHERNET], (12, 8, 8)),
        (a_block(SIMPLE, 12, 1, 2), [RAW_CUT], (12, 8, 12)),
        (a_block(SIMPLE, 12, 1, 2), [ETHERNET], None),
        (a_block(SIMPLE, 8, 1, 2), [], None),
        (a_block(OBSOLETE, 0xFFFF << 16, 0, 7, 4, 60, 1), [ETHERNET], (28, 4, 60)),
        (a_block(OBSOLETE, 1, 0, 7, 4, 60, 1), [ETHERNET], None),
        (a_block(ENHANCED, 0, 0, 7, 5, 5, 1, 2), [ETHERNET], (28, 5, 5)),
        (a_block(ENHANCED, 0, 0, 7, 5, 5, 1), [ETHERNET], None),
        (a_block(ENHANCED, 0, 0, 7, 4, 4, 1, 0x0004_0002, 0x20 << 5), [ETHERNET], (28, 4, 4)),
        (a_block(ENHANCED, 0, 0, 7, 4, 4, 1, 0x0009_0001, 0), [ETHERNET], None),
    ],
    ids=["simple", "simple and cut", "simple and too short", "simple of no interface", "obsolete",
         "obsolete of no interface", "enhanced", "enhanced and too short", "flags", "an option too long"],
)  # fmt: skip
def test_blocks(data: bytes, interfaces: list[SectionInterface], expected: tuple[int, int, int] | None) -> None:
    """Where the bytes are, how many, and how many there were; or a block that Python is to look at, and tell of."""
    section = Section(True, False, interfaces)
    for kernel in (python, c):
        found, columns = read(kernel, data, 0, section, 1)
        if expected is None:
            assert (found.rows, found.position, found.stop) == (0, 0, Stop.LOOK)
            continue
        assert (found.rows, found.position, found.stop) == (1, len(data), Stop.FULL)
        names = ("offset", "captured_length", "original_length")
        assert tuple(columns[name][0] for name in names) == expected


def test_many_interfaces() -> None:
    """A section that was held with one interface takes as many more as a file brings."""
    more = [SectionInterface(link, 0, 0, 10**6, 0, 15) for link in range(100, 120)]
    data = a_block(ENHANCED, 20, 0, 7, 4, 4, 1)
    for kernel in (python, c):
        any_kernel: Any = kernel
        section = any_kernel.hold_section(Section(True, False, [ETHERNET]))
        for interface in more:
            any_kernel.add_interface(section, interface)
        buffer, out = any_kernel.new_buffer(len(data)), any_kernel.new_buffer(RECORD_LAYOUT.row_size)
        any_kernel.view(buffer)[:] = data
        assert any_kernel.read_records(buffer, 0, len(data), section, out).link_type == 119


def test_blocks_of_other_kinds() -> None:
    """They are passed over, with whatever is in them; a packet of another link type waits for the next call."""
    names, other = a_block(4, 0xDEAD, 0xBEEF), a_block(ENHANCED, 1, 0, 7, 4, 4, 1)
    data = names + a_block(SIMPLE, 8, 1, 2) + names + other
    section = Section(True, False, [ETHERNET, RAW_CUT])
    for kernel in (python, c):
        found, columns = read(kernel, data, 0, section, 2)
        assert (found.rows, found.position, found.link_type) == (1, len(data) - len(other), 1)
        assert columns["offset"] == [len(names) + 12]

"""Groups: both kernels count alike, and as a dictionary does; tables grow; nothing is read or written out of bounds."""

from __future__ import annotations

from array import array
from struct import Struct
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, WRONG_COLUMNS
from vxlanpkt.kernel.contract.columns import NO_GROUP, NO_TIMESTAMP
from vxlanpkt.kernel.contract.grouping import SEED_SIZE, Counted, entry_size

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel import c

law = settings(suppress_health_check=list(HealthCheck))
BOTH = (python, c)
COUNTS = Struct("=QQQqqQQ")
MASK = (1 << 64) - 1
SEED = b"sixteen bytes ..."

some_bytes = st.integers(0, 255) | st.integers(0, 2)
timestamps = st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from((NO_TIMESTAMP, NO_TIMESTAMP + 1, 0, -1))
widths = st.lists(st.integers(1, 64), max_size=16).filter(lambda found: sum(found) <= 64)


class Job(NamedTuple):
    """Rows to be counted, a first row, and how many groups there is room for."""

    counted: Counted
    first: int
    capacity: int


def items(draw: st.DrawFn, code: str, rows: int, values: st.SearchStrategy[int]) -> memoryview:
    """A few values, and bytes that choose among them: thousands of values would take hypothesis longer than the law."""
    few = draw(st.lists(values, min_size=4, max_size=16))
    chosen = draw(st.binary(min_size=rows, max_size=rows))
    return memoryview(array(code, [few[(at + byte) % len(few)] for at, byte in enumerate(chosen)]))


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    rows = draw(st.integers(0, 100))
    few = st.sampled_from((st.integers(0, 1), some_bytes))
    key = [(items(draw, "B", rows * width, draw(few)), width) for width in draw(widths)]
    some: dict[str, memoryview | None] = {}
    for name, code, values in (
        ("lengths", "I", st.integers(0, (1 << 32) - 1)),
        ("other_lengths", "I", st.integers(0, 2000)),
        ("timestamps", "q", timestamps),
        ("flags", "H", st.integers(0, 65535)),
        ("selected", "B", st.integers(0, 2)),
        ("status", "B", st.integers(0, 1)),
    ):
        some[name] = items(draw, code, rows, values) if draw(st.booleans()) else None
    return Job(
        Counted(rows, key, **some, number=draw(st.integers(0, 1 << 40))),
        draw(st.integers(0, rows)),
        draw(st.integers(0, 40)),
    )


def expected(counted: Counted, first: int) -> bytes:
    """The entries that a dictionary makes, one after the other."""
    groups: dict[bytes, list[int]] = {}
    for row in range(first, counted.rows):
        if counted.selected is not None and not counted.selected[row]:
            continue
        if counted.status is not None and counted.status[row]:
            continue
        key = b"".join(bytes(column[width * row : width * row + width]) for column, width in counted.key)
        counts = groups.setdefault(key, [0, 0, 0, NO_TIMESTAMP, NO_TIMESTAMP, 0, counted.number + row])
        counts[0] += 1
        counts[1] += counted.lengths[row] if counted.lengths is not None else 0
        counts[2] += counted.other_lengths[row] if counted.other_lengths is not None else 0
        time = counted.timestamps[row] if counted.timestamps is not None else NO_TIMESTAMP
        times = [known for known in (time, counts[3], counts[4]) if known != NO_TIMESTAMP]
        counts[3], counts[4] = min(times, default=NO_TIMESTAMP), max(times, default=NO_TIMESTAMP)
        counts[5] |= counted.flags[row] if counted.flags is not None else 0
    return b"".join(key + bytes(-len(key) % 8) + COUNTS.pack(*counts) for key, counts in groups.items())


def key_size(counted: Counted) -> int:
    return sum(width for _, width in counted.key)


def count_all(kernel: Any, job: Job, seed: bytes) -> tuple[list[int], bytes]:
    """Where the kernel stopped each time, and the entries at the end."""
    table = kernel.new_groups(key_size(job.counted), job.capacity, seed)
    held, at, stops = kernel.hold_counted(job.counted), job.first, []
    while (at := kernel.group(held, at, table)) < job.counted.rows:
        stops.append(at)
        larger = kernel.new_groups(key_size(job.counted), 2 * len(kernel.entries(table)) + 1, seed)
        assert kernel.move_groups(table, larger) == len(kernel.entries(table)) // entry_size(key_size(job.counted))
        table = larger
    return stops, bytes(kernel.entries(table))


@law
@given(job=jobs(), seed=st.binary(max_size=20) | st.binary(min_size=SEED_SIZE, max_size=SEED_SIZE + 1))
def test_group(job: Job, seed: bytes) -> None:
    """Groups, their order and their counts; where a full table stops; whatever the seed."""
    ours, theirs = (count_all(kernel, job, seed) for kernel in BOTH)
    assert theirs == ours
    assert ours[1] == expected(job.counted, job.first)


@law
@given(job=jobs())
def test_closed(job: Job) -> None:
    """A closed table counts the groups that it has room for, those that were met first, and the rows of others."""
    rows = job.counted.rows
    entries = []
    for kernel in BOTH:
        table = kernel.new_groups(key_size(job.counted), job.capacity, SEED, True)
        assert kernel.group(kernel.hold_counted(job.counted), job.first, table) == rows
        size = entry_size(key_size(job.counted))
        entries.append(bytes(kernel.entries(table)))
        wanted = expected(job.counted, job.first)
        assert entries[-1] == wanted[: job.capacity * size]
        packets = [COUNTS.unpack(wanted[at - COUNTS.size : at])[0] for at in range(size, len(wanted) + 1, size)]
        assert kernel.left_out(table) == sum(packets[job.capacity :])


@law
@given(job=jobs(), asked=st.lists(st.binary(min_size=3, max_size=3), max_size=20))
def test_find(job: Job, asked: list[bytes]) -> None:
    """The numbers of groups that are there, and NO_GROUP for others."""
    keys = (
        [bytes(job.counted.key[0][0][at * 3 : at * 3 + 3]) for at in range(job.counted.rows)] if job.counted.key else []
    )
    column = memoryview(b"".join(key.ljust(3, b"\0") for key in keys))
    counted = job.counted._replace(key=[(column, 3)], selected=None, status=None, rows=len(keys))
    order = list(dict.fromkeys(key.ljust(3, b"\0") for key in keys))
    wanted = [order.index(key) if key in order else NO_GROUP for key in (*asked, *order)]
    for kernel in BOTH:
        table = kernel.new_groups(3, 128, SEED)
        assert kernel.group(kernel.hold_counted(counted), 0, table) == len(keys)
        out = kernel.new_buffer(4 * len(wanted))
        assert kernel.find_groups(table, memoryview(b"".join((*asked, *order))), out) == len(wanted)
        assert list(array("I", bytes(kernel.view(out)))) == wanted


@law
@given(times=st.lists(timestamps, max_size=50), width=st.integers(1, (1 << 63) - 1) | st.integers(1, 1000))
def test_bucket(times: list[int], width: int) -> None:
    """Times divided and rounded down, near the ends of their range too."""
    wanted = [time if time == NO_TIMESTAMP else time // width for time in times]
    for kernel in BOTH:
        out = kernel.new_buffer(8 * len(times))
        assert kernel.bucket(memoryview(array("q", times)), width, out) == len(times)
        assert list(array("q", bytes(kernel.view(out)))) == wanted


@pytest.mark.parametrize("width", [3, 1 << 62, (1 << 63) - 1])
def test_bucket_at_both_ends(width: int) -> None:
    """A bucket that reaches out of the range does not come in again at the other end."""
    ends = [-(1 << 63) + 1, (1 << 63) - 1]
    times = array("q", [time + step for time in ends for step in (0, 1, -1) if abs(time + step) < 1 << 63] * 3)
    times.extend(reversed(times))
    for kernel in BOTH:
        out = kernel.new_buffer(8 * len(times))
        kernel.bucket(memoryview(times), width, out)
        assert list(array("q", bytes(kernel.view(out)))) == [time // width for time in times]


COLUMNS: dict[str, Any] = {
    "lengths": "I", "other_lengths": "I", "timestamps": "q", "flags": "H", "selected": "B", "status": "B",
}  # fmt: skip


def simple(rows: int, key: bytes | memoryview, width: int, **columns: Any) -> Counted:
    some: dict[str, Any] = {name: columns.get(name) for name in COLUMNS}
    return Counted(rows, [(memoryview(key), width)], **some)


@pytest.mark.parametrize("kernel", BOTH)
def test_many_keys(kernel: Any) -> None:
    """So many keys that dozens share all 32 bits of a hash that the C kernel keeps: none is taken for another."""
    number = 600_000 if kernel is c else 60_000
    keys = b"".join(at.to_bytes(4, "big") for at in range(number)) * 2
    capacity, at = 1, 0
    counted = kernel.hold_counted(simple(2 * number, keys, 4))
    table = kernel.new_groups(4, capacity, SEED)
    while (at := kernel.group(counted, at, table)) < 2 * number:
        assert at == capacity
        capacity *= 2
        larger = kernel.new_groups(4, capacity, SEED)
        kernel.move_groups(table, larger)
        table = larger
    entries = kernel.entries(table)
    assert len(entries) == number * entry_size(4)
    assert entries.cast("Q")[1::8].tolist() == [2] * number


@pytest.mark.parametrize("seed", [0, MASK])
def test_keys_in_one_slot(seed: int) -> None:
    """With secrets of one value, and keys to match, every hash is 0: what strangers would do if they knew the seed."""
    keys = [seed.to_bytes(8, "little") + at.to_bytes(8, "little") for at in range(200)]
    counted = simple(400, b"".join(keys * 2), 16)
    table = c.new_groups(16, 256, SEED)
    table.pointer.secrets = [seed] * 8 + [0, 1]
    assert c.group(c.hold_counted(counted), 0, table) == 400
    slots = array("Q", bytes(c.view(table.kept))[256 * entry_size(16) :])
    assert slots[:200] == array("Q", range(1, 201)) and not any(slots[200:])
    assert bytes(c.entries(table)) == expected(counted, 0)


@pytest.mark.parametrize("kernel", BOTH)
@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("lengths", array("I", [1])), ("lengths", array("Q", [1, 2])), ("other_lengths", array("I", [1])),
        ("timestamps", array("q", [1])), ("timestamps", array("i", [1, 2])), ("flags", array("H", [1])),
        ("flags", array("B", [1, 2, 3, 4])), ("selected", array("B", [1])), ("status", array("B", [1])),
    ],
)  # fmt: skip
def test_columns_of_other_sizes(kernel: Any, column: str, values: Any) -> None:
    """Fewer items than rows, or items of another width, are refused before a row is read."""
    counted = simple(2, b"ab", 1, **{column: memoryview(values)})
    table = kernel.new_groups(1, 4, SEED)
    assert kernel.group(kernel.hold_counted(counted), 0, table) == WRONG_COLUMNS
    assert not len(kernel.entries(table))


@pytest.mark.parametrize("kernel", BOTH)
@pytest.mark.parametrize(
    ("key", "size"),
    [([(b"abc", 2)], 2), ([(b"ab", 1)], 2), ([(b"", 0)], 0), ([(b"ab", 1)] * 17, 17), ([(bytes(130), 65)], 65)],
)
def test_keys_of_other_sizes(kernel: Any, key: list[tuple[bytes, int]], size: int) -> None:
    """A key has as many bytes as the table's, and no more than 64, in at most 16 columns, each with all rows."""
    counted = simple(2, b"", 1)._replace(key=[(memoryview(data), width) for data, width in key])
    assert kernel.group(kernel.hold_counted(counted), 0, kernel.new_groups(size, 4, SEED)) == WRONG_COLUMNS


@pytest.mark.parametrize("kernel", BOTH)
def test_no_rows(kernel: Any) -> None:
    """Nothing, of whatever columns; keys of no bytes are all the same."""
    table = kernel.new_groups(2, 0, SEED)
    assert kernel.group(kernel.hold_counted(simple(0, b"", 2)), 0, table) == 0
    assert kernel.group(kernel.hold_counted(simple(1, b"ab", 2)), 0, table) == 0
    assert kernel.group(kernel.hold_counted(simple(1, b"ab", 2)), 7, table) == 1
    everything = kernel.new_groups(0, 1, SEED)
    assert kernel.group(kernel.hold_counted(simple(3, b"", 1)._replace(key=[])), 0, everything) == 3
    assert bytes(kernel.entries(everything)) == COUNTS.pack(3, 0, 0, NO_TIMESTAMP, NO_TIMESTAMP, 0, 0)
    assert kernel.bucket(memoryview(array("q")), 1, kernel.new_buffer(0)) == 0


@pytest.mark.parametrize("kernel", BOTH)
def test_overlaps(kernel: Any) -> None:
    """A table that is counted into itself, or a result over what it is made from, is refused."""
    table = kernel.new_groups(8, 4, SEED)
    assert kernel.group(kernel.hold_counted(simple(2, b"a" * 8 + b"b" * 8, 8)), 0, table) == 2
    before = bytes(kernel.entries(table))
    own = kernel.entries(table)
    assert kernel.group(kernel.hold_counted(simple(2, own, 8)), 0, table) == OVERLAP
    for name, code in COLUMNS.items():
        column = {name: own[:16].cast(code)}
        assert kernel.group(kernel.hold_counted(simple(2, b"a" * 16, 8, **column)), 0, table) == OVERLAP
    assert bytes(kernel.entries(table)) == before
    assert kernel.move_groups(table, table) == OVERLAP
    out = kernel.new_buffer(64)
    assert kernel.find_groups(table, kernel.view(out)[:16], out) == OVERLAP
    assert kernel.bucket(kernel.view(out)[:8].cast("q"), 1, out) == OVERLAP


@pytest.mark.parametrize("kernel", BOTH)
def test_too_little_room(kernel: Any) -> None:
    """Outputs that are too small, and a table that is smaller than the one before."""
    large, small = kernel.new_groups(8, 4, SEED), kernel.new_groups(8, 3, SEED)
    assert kernel.move_groups(large, small) == NO_SPACE
    assert kernel.move_groups(large, kernel.new_groups(7, 8, SEED)) == WRONG_COLUMNS
    assert kernel.find_groups(large, memoryview(bytes(16)), kernel.new_buffer(7)) == NO_SPACE
    assert kernel.find_groups(kernel.new_groups(0, 4, SEED), memoryview(b""), kernel.new_buffer(8)) == WRONG_COLUMNS
    assert kernel.bucket(memoryview(array("q", [1, 2])), 1, kernel.new_buffer(15)) == NO_SPACE
    for width in (0, -1):
        assert kernel.bucket(memoryview(array("q", [1])), width, kernel.new_buffer(8)) == WRONG_COLUMNS
    assert kernel.bucket(memoryview(array("i", [1])), 1, kernel.new_buffer(8)) == WRONG_COLUMNS


@law
@given(memory=st.binary(min_size=4 * (8 + 56 + 16), max_size=4 * (8 + 56 + 16)), count=st.integers(0, 5))
def test_a_table_that_somebody_wrote_over(memory: bytes, count: int) -> None:
    """No number in a table is followed out of it, and no search is endless, whatever its memory holds."""
    table = c.new_groups(8, 4, SEED)
    c.view(table.kept)[:] = memory
    table.pointer.count = count
    keys = b"".join(bytes((at,)) * 8 for at in range(9))
    at = c.group(c.hold_counted(simple(9, keys, 8)), 0, table)
    assert at == (NO_SPACE if count == 5 else at) and at <= 9
    c.find_groups(table, memoryview(keys), c.new_buffer(36))
    c.move_groups(table, c.new_groups(8, 9, SEED))


def test_a_table_that_lies_about_its_size() -> None:
    """Room is computed from the memory that there is."""
    table = c.new_groups(8, 4, SEED)
    counted = c.hold_counted(simple(1, bytes(8), 8))
    for field, value in (("capacity", 5), ("capacity", 1 << 32), ("size", table.pointer.size - 1), ("count", 5)):
        before = getattr(table.pointer, field)
        setattr(table.pointer, field, value)
        assert c.group(counted, 0, table) == NO_SPACE
        assert lib.vxlanpkt_move_groups(ffi.NULL, table.pointer) == NO_SPACE or field == "count"
        setattr(table.pointer, field, before)
        table.pointer.count = 0


def test_a_slot_that_leads_nowhere() -> None:
    """A number of a group that is not there is passed over, and so is a column that is not there."""
    table = c.new_groups(8, 4, SEED)
    counted = c.hold_counted(simple(1, bytes(8), 8))
    for _ in range(3):
        assert c.group(counted, 0, table) == 1
        assert len(c.entries(table)) == entry_size(8)
        table.pointer.count = 0
    counted.pointer.key[0].data = ffi.NULL
    assert c.group(counted, 0, table) == WRONG_COLUMNS


def test_flipped_bits_are_other_keys() -> None:
    """Each bit of a key of any width counts."""
    for width in (1, 2, 3, 4, 8, 12, 16, 17, 37, 44, 63, 64):
        keys = [bytes(width)] + [(1 << bit).to_bytes(width, "little") for bit in range(8 * width)]
        for kernel in BOTH:
            table = kernel.new_groups(width, 1024, SEED)
            assert kernel.group(kernel.hold_counted(simple(len(keys), b"".join(keys), width)), 0, table) == len(keys)
            assert len(kernel.entries(table)) == len(keys) * entry_size(width)

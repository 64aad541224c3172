"""Records counted as they are read: both kernels count alike, and as reading, decapsulating and grouping do apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vxlanpkt import TCP, UDP, DecapPolicy, Dot1Q, Ethernet, IPv4, IPv6, Packet, Tunnel
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.columns import WIDTHS
from vxlanpkt.kernel.contract.counting import (
    COUNTED_COLUMNS,
    COUNTED_LAYOUT,
    COUNTED_ROWS,
    WIDTHS_OF_COUNTS,
    Count,
    CutOff,
)
from vxlanpkt.kernel.contract.decapsulation import DecapRules
from vxlanpkt.kernel.contract.grouping import LARGEST_KEY, SEED_SIZE, entry_size
from vxlanpkt.kernel.contract.records import Section, SectionInterface, Stop, Stretch
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.strategies import captures, damaged, mutated, policies

c = pytest.importorskip("vxlanpkt.kernel.c", reason="this build has no C kernel")

CAPTURES = Path(__file__).parent.parent / "data"
ETHERNET = SectionInterface(1, 0, 0, 10**6, 0, Kind.ETHERNET)
SEED = bytes(range(SEED_SIZE))
RULES = DecapPolicy(lengths="snapped").rules
SECTION = Section(False, False, (ETHERNET,), limit=262144)


class Counted(NamedTuple):
    """What a kernel said call by call, and what its tables held in the end."""

    stretches: list[Stretch]
    entries: list[bytes]
    left_out: list[int]


def count(
    kernel: Any, data: bytes, section: Section, counts: list[Count], begin: int = 24, rules: DecapRules = RULES,
    closed: bool = False, capacity: int = COUNTED_ROWS,
) -> Counted:  # fmt: skip
    """Count all that there is, with tables that grow when they are full."""
    buffer, columns = kernel.new_buffer(len(data)), kernel.new_buffer(COUNTED_ROWS * COUNTED_LAYOUT.row_size)
    kernel.view(buffer)[:] = data
    held = kernel.hold_section(section), kernel.hold_rules(rules), kernel.hold_counts(counts)
    sizes = [sum(WIDTHS[COUNTED_COLUMNS[name]] for name in one.key) for one in counts]
    tables = [kernel.new_groups(size, capacity, SEED, closed) for size in sizes]
    found: list[Stretch] = []
    number = 1
    while not found or found[-1].stop == Stop.FULL:
        found.append(kernel.count_records(buffer, begin, len(data), *held, tables, number, columns))
        begin, number = found[-1].position, number + found[-1].rows
        assert found[-1].stop != Stop.UNFIT
        if not found[-1].rows:
            capacity *= 2
            larger = [kernel.new_groups(size, capacity, SEED) for size in sizes]
            for old, new in zip(tables, larger, strict=True):
                kernel.move_groups(old, new)
            tables = larger
    return Counted(found, [bytes(kernel.entries(table)) for table in tables], [*map(kernel.left_out, tables)])


def of_width(width: int) -> st.SearchStrategy[str | None]:
    return st.none() | st.sampled_from([name for name, code in COUNTED_COLUMNS.items() if WIDTHS[code] == width])


keys = st.lists(st.sampled_from(list(COUNTED_COLUMNS)), max_size=16).filter(
    lambda names: sum(WIDTHS[COUNTED_COLUMNS[name]] for name in names) <= LARGEST_KEY
)
counts = st.builds(Count, keys, **{what: of_width(width) for what, width in WIDTHS_OF_COUNTS.items()})
interfaces = st.builds(
    SectionInterface,
    link_type=st.sampled_from((1, 101)),
    snaplen=st.sampled_from((0, 40)),
    fcslen=st.sampled_from((0, 4)),
    units=st.sampled_from((10**6, 10**9)),
    offset=st.just(0),
    kind=st.sampled_from((Kind.ETHERNET, Kind.RAW, Kind.NOTHING)),
)


@given(
    data=st.one_of(captures(), mutated(captures()), damaged(captures())),
    section=st.builds(
        Section, st.booleans(), st.booleans(), st.lists(interfaces, min_size=1, max_size=3), st.just(7),
        st.sampled_from((100, 262144)),
    ),
    counts=st.lists(counts, max_size=3),
    policy=policies(),
    closed=st.booleans(),
)  # fmt: skip
def test_the_kernels_agree(
    data: bytes, section: Section, counts: list[Count], policy: DecapPolicy, closed: bool
) -> None:  # fmt: skip
    begin = min(0 if section.pcapng else 24, len(data))
    asked = (data, section, counts, begin, policy.rules, closed, 3 if closed else COUNTED_ROWS)
    assert count(c, *asked) == count(python, *asked)


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda path: path.name)
def test_real_captures(path: Path) -> None:
    """Every record is counted, and by the same key in both kernels."""
    asked = [Count(("vni", "status", "cut_off"), lengths="inner_length", timestamps="timestamp_ns"),
             Count(("inner_src", "inner_dst", "flow_ethertype"), status="status")]  # fmt: skip
    data = path.read_bytes()
    if data[:4] != b"\xd4\xc3\xb2\xa1":
        pytest.skip("not of this byte order and unit")
    assert count(c, data, SECTION, asked) == count(python, data, SECTION, asked)


@settings(max_examples=20)
@given(st.integers(0, 3), st.integers(0, COUNTED_ROWS - 1))
def test_tables_that_are_too_small_come_back_before_anything_is_counted(blocks: int, more: int) -> None:
    """A record is counted in all tables or in none."""
    rows = blocks * COUNTED_ROWS + more
    data = bytes(24) + b"".join(record(number) for number in range(rows))
    by_time = [Count(("raw_timestamp",)), Count(("captured_length",))]
    for kernel in (python, c):
        found = count(kernel, data, SECTION, by_time)
        assert not any(stretch.rows % COUNTED_ROWS for stretch in found.stretches[:-1])
        assert sum(stretch.rows for stretch in found.stretches) == rows
        assert len(found.entries[0]) == rows * entry_size(8)


def record(number: int) -> bytes:
    return b"".join(word.to_bytes(4, "little") for word in (number, 0, 14, 14)) + bytes(14)


@pytest.mark.parametrize("kernel", [python, c])
@pytest.mark.parametrize(
    ("count", "key_size"),
    [
        (Count(("vni",)), 5),
        (Count(("vni", "status")), 4),
        (Count(("vni",), lengths="status"), 4),
        (Count(("vni",), other_lengths="timestamp_ns"), 4),
        (Count(("vni",), timestamps="vni"), 4),
        (Count(("vni",), flags="vni"), 4),
        (Count(("vni",), status="flags"), 4),
        (
            Count(
                ("outer_src", "outer_dst", "inner_src", "inner_dst", "outer_src"),
            ),
            80,
        ),
        (
            Count(
                ("status",) * 17,
            ),
            17,
        ),
    ],
)
def test_unfit_counts(kernel: Any, count: Count, key_size: int) -> None:
    """Of columns with other widths, or a key of another size than the table's."""
    assert stop_of(kernel, [count], [kernel.new_groups(key_size, COUNTED_ROWS, SEED)]) == Stop.UNFIT


@pytest.mark.parametrize("kernel", [python, c])
def test_unfit_memory(kernel: Any) -> None:
    """Columns with too little room, or in the data; one table for two counts."""
    of_vni = Count(("vni",))
    table, other = (kernel.new_groups(4, COUNTED_ROWS, SEED) for _ in range(2))
    assert stop_of(kernel, [of_vni, of_vni], [table, table]) == Stop.UNFIT
    assert stop_of(kernel, [of_vni], [table], room=-1) == Stop.UNFIT
    assert stop_of(kernel, [of_vni, of_vni], [table, other]) == Stop.CUT
    columns = kernel.new_buffer(COUNTED_ROWS * COUNTED_LAYOUT.row_size)
    held = kernel.hold_section(SECTION), kernel.hold_rules(RULES), kernel.hold_counts([of_vni])
    assert kernel.count_records(columns, 0, len(columns), *held, [table], 1, columns).stop == Stop.UNFIT


def stop_of(kernel: Any, counts: list[Count], tables: list[Any], room: int = 0) -> int:
    columns = kernel.new_buffer(COUNTED_ROWS * COUNTED_LAYOUT.row_size + room)
    buffer = kernel.new_buffer(40)
    kernel.view(buffer)[:] = record(0) + bytes(10)
    held = kernel.hold_section(SECTION), kernel.hold_rules(RULES), kernel.hold_counts(counts)
    found: Stretch = kernel.count_records(buffer, 0, 40, *held, tables, 1, columns)
    assert found.stop != Stop.UNFIT or (found.rows, found.position) == (0, 0)
    assert found.stop != Stop.UNFIT or not any(len(kernel.entries(table)) for table in tables)
    return found.stop


LINK = Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01")
INNER = [
    Packet(LINK, IPv4("192.0.2.1", "192.0.2.2"), TCP(1, 2), payload=b"payload"),
    Packet(LINK, Dot1Q(5), IPv6("2001:db8::1", "2001:db8::2"), UDP(1, 2), payload=b"payload"),
    Packet(LINK, IPv4("192.0.2.1", "192.0.2.2", fragment_offset=1, protocol=6), payload=b"a later fragment"),
    Packet(LINK.replace(ethertype=0x88B5), payload=b"neither IP nor a tag"),
]


@pytest.mark.parametrize("inner", INNER, ids=("TCP", "UDP", "fragment", "other"))
def test_what_is_cut_off(inner: Packet) -> None:
    """Of a frame that is cut behind each of its bytes: headers, then payload, and nothing of the whole one."""
    frame = Tunnel(7, "192.0.2.8", "192.0.2.9", src_mac=1, dst_mac=2).encap(inner.build())
    found = []
    for length in range(len(frame) + 1):
        head = b"".join(word.to_bytes(4, "little") for word in (0, 0, length, len(frame)))
        asked = Count(("cut_off",), status="status")
        in_python, in_c = (
            count(kernel, bytes(24) + head + frame[:length], SECTION, [asked]).entries for kernel in (python, c)
        )
        assert in_python == in_c
        found += [CutOff(entry[0]) for entry in in_c if entry]
    assert found[-1] == CutOff.NOTHING
    assert sorted(found, reverse=True)[:-1] == found[:-1]

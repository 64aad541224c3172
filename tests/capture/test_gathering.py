"""Captures of many small batches as tables: their rows are gathered, and cost what rows of large batches cost.

Allocations and calls are counted, not seconds.
"""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vxlanpkt
from vxlanpkt import CaptureError, DecapPolicy, Tunnel, kernel
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.capture import COLUMNS, CaptureTable, filling, gathering, tables
from vxlanpkt.capture.arrow_structures import ArrowBatch, ArrowField
from vxlanpkt.strategies import captures

from .builders import enhanced, interface, option, section

law = settings(suppress_health_check=list(HealthCheck))
WIRE = Tunnel(vni=7, src="192.0.2.1", dst="192.0.2.2").encap(bytes(12) + b"\x08\x06" + bytes(46))
FUNCTIONS = (
    "known", "derived", "address_text", "mac_text", "mac_bytes", "names", "pick", "new_buffer",
)  # fmt: skip


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often functions of the kernel were called for the making of tables; `bytes`: the memory that was taken."""
    counts = dict.fromkeys((*FUNCTIONS, "bytes"), 0)

    def counted(name: str) -> Any:
        function = getattr(kernel, name)

        def call(*arguments: Any) -> Any:
            counts[name] += 1
            if name == "new_buffer":
                counts["bytes"] += arguments[0]
            return function(*arguments)

        return call

    for name in FUNCTIONS:
        for module in (gathering, filling):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, counted(name))
    return counts


def table_of(data: bytes, **options: Any) -> CaptureTable:
    return vxlanpkt.open(io.BytesIO(data)).table(**options)


def batches_of(table: CaptureTable) -> list[ArrowBatch]:
    return list(table._filled())


def rows_of(table: CaptureTable) -> list[tuple[Any, ...]]:
    """All rows that are there, then the text of the fault, if there is one."""
    pa = pytest.importorskip("pyarrow")
    rows: list[tuple[Any, ...]] = []
    try:
        for piece in table.pieces():
            made = pa.table(piece)
            made.validate(full=True)
            rows.extend(zip(*(column.to_pylist() for column in made.columns), strict=True))
    except CaptureError as error:
        rows.append((str(error),))
    return rows


class Some:
    """A filter of about each other row, and now and then of none of a batch."""

    def select(self, batch: DecapBatch, /) -> memoryview:
        return memoryview(bytes(vni & 1 if len(batch) > 1 else 1 for vni in batch.vni))


# The times of captures that are drawn may be beyond what pyarrow makes a datetime of.
NAMES = [column.name for column in COLUMNS if column.name != "timestamp"]


@law
@given(
    parts=st.lists(captures(), min_size=1, max_size=3), filtered=st.booleans(),
    addresses=st.sampled_from(("text", "binary")),
)  # fmt: skip
def test_gathered_rows_are_those_of_the_batches(parts: list[bytes], filtered: bool, addresses: str) -> None:
    """Every column of every row, whatever the batches were."""
    options: Any = {"filter": Some() if filtered else None, "addresses": addresses, "columns": NAMES}
    options["policy"] = DecapPolicy(lengths="snapped", gpe=True)
    data = b"".join(parts)
    gathered = rows_of(table_of(data, **options))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gathering, "_FEW_ROWS", 0)
        assert rows_of(table_of(data, **options)) == gathered
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gathering, "_MOST_ROWS", 3)
        patched.setattr(filling, "_NAMES_BYTES", 7)
        patched.setattr(tables, "_PIECE_BYTES", 1000)
        assert rows_of(table_of(data, **options)) == gathered


def alternating(records: int) -> bytes:
    """Ethernet and Linux's cooked frames, one of each in turn: a batch for each record."""
    cooked = b"\0" * 14 + b"\x08\0" + WIRE[14:]
    pair = enhanced(WIRE, index=0) + enhanced(cooked, index=1)
    return section() + interface(1) + interface(113) + pair * (records // 2)


@pytest.mark.parametrize("records", [6_000, 24_000])
def test_alternating_link_types(records: int, calls: dict[str, int]) -> None:
    """As many calls and as much memory a row as for a capture of one link type."""
    data = alternating(records)
    assert sum(1 for _ in vxlanpkt.open(io.BytesIO(data)).batches()) == records
    plain = section() + interface() + enhanced(WIRE) * records
    found = []
    for capture in (plain, data):
        calls.update(dict.fromkeys(calls, 0))
        made = batches_of(table_of(capture))
        assert sum(batch.rows for batch in made) == records
        found.append((dict(calls), len(made), sum(len(kept) for batch in made for kept in batch.kept)))
    (of_plain, batches, size), (of_alternating, more, larger) = found
    assert more <= 2 * batches
    for name in FUNCTIONS[:-1]:
        assert of_alternating[name] <= 2 * of_plain[name], name
    assert of_alternating["bytes"] < 2.5 * of_plain["bytes"]  # columns are copied once
    assert abs(larger - size) < size // 20


def test_what_alternating_link_types_say() -> None:
    """Of the link layer, too, which is not as long in one as in the other."""
    cut = section() + interface(1) + interface(113) + enhanced(WIRE[:14], index=0) + enhanced(WIRE[:14], index=1)
    rows = rows_of(table_of(cut, columns=["record", "link_type", "outer_tags"]))
    assert rows == [(1, 1, 0), (2, 113, None)]
    names = ["link_type", "vni", "outer_src"]
    rows = rows_of(table_of(alternating(10), columns=names))
    assert rows == [(1, 7, "192.0.2.1"), (113, 7, "192.0.2.1")] * 5


def named(interfaces: int, length: int, packets: int = 1) -> bytes:
    """Interfaces with long names, and packets behind each."""
    parts = [section()]
    for number in range(interfaces):
        name = str(number).encode().ljust(length, b"x")
        parts += [interface(1, option(2, name)), enhanced(b"", index=number) * packets]
    return b"".join(parts)


@pytest.mark.parametrize("interfaces", [500, 2_000])
def test_long_names(interfaces: int, calls: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A packet behind each interface: each name is taken in once, and the table is as large as the text in it."""
    added: list[bytes | None] = []
    add = kernel.add_name

    def counted(table: Any, name: bytes | None) -> None:
        added.append(name)
        add(table, name)

    monkeypatch.setattr(filling, "add_name", counted)
    data = named(interfaces, 4_000)
    tracemalloc.start()
    try:
        rows = 0
        for batch in table_of(data, columns=["interface_name"])._filled():
            rows += batch.rows
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows == len(added) == interfaces
    assert 4_000 * interfaces < calls["bytes"] < 4_200 * interfaces + 100_000
    # The names of the interfaces as they are read, those that the kernel holds, and what is read at a time.
    assert peak < 3 * len(data) + (8 << 20)


def test_one_long_name_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that is thousands of times as long as the packets: batches and pieces end before they are too large."""
    monkeypatch.setattr(filling, "_NAMES_BYTES", 100_000)
    monkeypatch.setattr(tables, "_PIECE_BYTES", 1_000_000)
    table = table_of(named(1, 9_000, packets=2_000), columns=["interface_name", "record"])
    made = batches_of(table)
    assert sum(batch.rows for batch in made) == 2_000
    assert max(sum(map(len, batch.kept)) for batch in made) < 2 * 100_000
    pieces = [sum(batch.rows for batch in piece._batches()) for piece in table.pieces(100_000)]
    assert sum(pieces) == 2_000
    assert max(pieces) < 1_200_000 // 9_000
    record = table.fields.index(ArrowField("record", "L"))
    assert [batch.columns[record].length for batch in made] == [batch.rows for batch in made]


def test_a_name_that_is_longer_than_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is not cut."""
    monkeypatch.setattr(filling, "_NAMES_BYTES", 10)
    assert [batch.rows for batch in batches_of(table_of(named(3, 9_000)))] == [1, 1, 1]


class Counted:
    """A batch that counts how often somebody asks for its rows."""

    asked = 0
    kept = ()

    @property
    def rows(self) -> int:
        Counted.asked += 1
        return 1


def test_pieces_of_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is looked at once."""
    batches: Any = [Counted() for _ in range(5_000)]
    monkeypatch.setattr(CaptureTable, "_filled", lambda _: iter(batches))
    assert len(list(table_of(section()).pieces(2_000))) == 3
    assert Counted.asked == 5_000


class Live(io.RawIOBase):
    """A capture that is still being written: what is there, then a failure to wait."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = list(parts)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        assert self._parts, "nothing more is there: a reader would wait"
        part = self._parts.pop(0)
        count = min(len(part), len(into))
        into[:count] = part[:count]
        if part[count:]:
            self._parts.insert(0, part[count:])
        return count


def test_nothing_is_held_back() -> None:
    """Rows of what was read are handed out before more is read, as that may take a while."""
    parts = alternating(6), enhanced(WIRE), enhanced(WIRE) + enhanced(WIRE[:30])[:40]
    live: Any = Live(*parts)
    pieces: Iterator[Any] = vxlanpkt.open(live).table(columns=["record"]).pieces()
    assert [sum(batch.rows for batch in next(pieces)._batches()) for _ in parts] == [6, 1, 1]
    with pytest.raises(AssertionError, match="would wait"):
        next(pieces)

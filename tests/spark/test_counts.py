"""Packets counted in tasks: what the parts of a capture count adds up to what one process counts of all of it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vxlanpkt
from tests.capture.test_parts import bounds, hostile, nested_recordings
from vxlanpkt import CaptureError, Filter
from vxlanpkt.capture.origins import Part
from vxlanpkt.capture.parts import SplitError
from vxlanpkt.capture.reader import FILE_POLICY
from vxlanpkt.capture.series import CaptureSeries
from vxlanpkt.strategies import captures, recordings

DATA = Path(__file__).parent.parent / "data"
KEYS = {"flows": ("vni", "src", "dst", "src_port", "dst_port", "protocol", "ethertype"), "vteps": ("src", "dst", "vni")}
LATEST, UNITED = ("last",), ("tcp_flags",)
Sums = dict[tuple[Any, ...], dict[str, Any]]


def counted(table: str, columns: Iterable[str] | None = None, binary: bool = False) -> Any:
    from vxlanpkt.spark.counts import COUNTED, Counts

    return Counts(table, (*KEYS[table], *COUNTED[table].counts) if columns is None else columns, binary)


def added_up(rows: Iterable[dict[str, Any]], key: Sequence[str]) -> Sums:
    """What a `group by` makes of rows, with addresses as values: Pythons differ in what text they write."""
    sums: Sums = {}
    for row in rows:
        group = tuple(as_value(name, row[name]) for name in key)
        found = sums.setdefault(group, {})
        for name, value in row.items():
            if name not in key:
                found[name] = joined(name, found[name], value) if name in found else value
    return sums


def as_value(name: str, item: Any) -> Any:
    return ip_address(item) if name in ("src", "dst") and isinstance(item, str) else item


def joined(name: str, one: Any, other: Any) -> Any:
    if name in ("first", *LATEST):
        known = [time for time in (one, other) if time is not None]
        return (max if name in LATEST else min)(known, default=None)
    return one | other if name in UNITED else one + other


def rows_of(tables: Iterable[Any]) -> list[dict[str, Any]]:
    """The rows of tables, with times as numbers: Python's have no nanoseconds."""
    found = []
    for table in tables:
        for name in ("first", "last"):
            if name in table.column_names:
                at = table.column_names.index(name)
                table = table.set_column(at, name, table[name].cast("int64"))
        found += table.to_pylist()
    return found


def of_one(table: str, source: Any) -> Sums:
    """What one process counts: a pair of endpoints apart for each of its VNIs, as tasks count it."""
    counts: Any = None
    if table == "flows":
        counts = until_fault(vxlanpkt.flows, source)
        rows = [
            {**{name: getattr(row, name) for name in (*KEYS["flows"], "packets", "bytes", "tcp_flags")},
             "first": row.first_ns, "last": row.last_ns}
            for row in counts
        ]  # fmt: skip
    else:
        rows = []
        for vni in {vni for row in until_fault(vxlanpkt.vteps, source) for vni in row.vnis}:
            rows += [
                {"src": row.src, "dst": row.dst, "vni": vni, "packets": row.packets, "inner_bytes": row.inner_bytes,
                 "outer_bytes": row.outer_bytes, "first": row.first_ns, "last": row.last_ns}
                for row in until_fault(vxlanpkt.vteps, source, vni=vni)
            ]  # fmt: skip
    return added_up(rows, KEYS[table])


def until_fault(count: Any, source: Any, **options: Any) -> Any:
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    try:
        return count(source, **options)
    except CaptureError as error:
        return getattr(error, "result", ())


def of_parts(table: str, data: bytes, ends: Sequence[int]) -> Sums:
    """What tasks count of the parts of a file, as far as these go. Raises SplitError."""
    rows = []
    for start, end in zip((0, *ends), (*ends, None), strict=True):
        tables = counted(table).tables(CaptureSeries([Part(io.BytesIO(data), start, end)], FILE_POLICY))
        try:
            for part in tables:
                rows += rows_of([part])
        except SplitError:
            raise
        except CaptureError:
            pass
    return added_up(rows, KEYS[table])


@given(recordings() | captures() | nested_recordings(), st.data())
def test_parts_add_up(data: bytes, draw: st.DataObject) -> None:
    """Whatever the bounds: each packet is counted once, or there is an error; a broken file up to its fault."""
    if draw.draw(st.booleans()):
        data = data[: draw.draw(st.integers(0, len(data)))]
    ends = draw.draw(bounds(len(data)))
    for table in KEYS:
        try:
            found = of_parts(table, data, ends)
        except SplitError:
            return
        assert found == of_one(table, data)


@pytest.mark.parametrize("table", KEYS)
@pytest.mark.parametrize("name", ["flannel_v4.pcap", "nested_v4.pcap", "basic_v6_4789.pcap", "bum_headend_v4.pcapng",
                                  "basic_v4_4789.cut_mid_record.pcap"])  # fmt: skip
def test_real_captures(table: str, name: str) -> None:
    """The same of traffic, in seven parts."""
    data = (DATA / name).read_bytes()
    found = of_parts(table, data, [len(data) * number // 7 for number in range(1, 7)])
    assert found
    assert found == of_one(table, data)


@pytest.mark.parametrize("table", KEYS)
def test_captures_inside(table: str) -> None:
    """Where packets fool the guess nothing is counted twice: it is an error, and in one piece there is none."""
    with pytest.raises(SplitError):
        of_parts(table, hostile(), [len(hostile()) // 3])
    assert of_parts(table, hostile(), []) == of_one(table, hostile())


def test_more_flows_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow then has several rows, which add up."""
    from vxlanpkt.spark import counts

    path = DATA / "basic_v4_4789.pcap"
    whole = rows_of(counted("flows").tables(CaptureSeries([str(path)], FILE_POLICY)))
    monkeypatch.setattr(counts, "MOST_GROUPS", 3)
    tables = list(counted("flows").tables(CaptureSeries([str(path)] * 3, FILE_POLICY)))
    assert len(tables) > 2
    thrice = added_up(whole * 3, KEYS["flows"])
    assert added_up(rows_of(tables), KEYS["flows"]) == thrice


@pytest.mark.parametrize("key", [("vni",), ("src", "dst_port"), ("ethertype",), ()])
def test_only_some_columns(key: tuple[str, ...]) -> None:
    """Rows that differ in nothing that is asked for are one row; without a key there is one for all packets."""
    path = str(DATA / "flannel_v4.pcap")
    columns = (*key, "packets", "last")
    rows = rows_of(counted("flows", columns).tables(CaptureSeries([path], FILE_POLICY)))
    every = rows_of(counted("flows").tables(CaptureSeries([path], FILE_POLICY)))
    wanted = added_up([{name: row[name] for name in columns} for row in every], key)
    assert len(rows) == len(wanted)
    assert added_up([{name: row[name] for name in columns} for row in rows], key) == wanted


def test_chosen_packets() -> None:
    """VNIs and filters choose among the packets, before they are counted."""
    path = str(DATA / "basic_v4_4789.pcap")
    chosen = Filter("icmp")
    rows = rows_of(counted("flows").tables(CaptureSeries([path], FILE_POLICY), (42,), chosen))
    assert sum(row["packets"] for row in rows) == vxlanpkt.flows(path, vni=42, filter=chosen).packets == 13


def test_binary_addresses() -> None:
    """16 bytes, and null where there are none."""
    path = str(DATA / "bum_headend_v4.pcapng")
    (table,) = counted("flows", ("src", "ethertype", "packets"), binary=True).tables(CaptureSeries([path], FILE_POLICY))
    (texts,) = counted("flows", ("src", "ethertype", "packets")).tables(CaptureSeries([path], FILE_POLICY))
    octets, names = table["src"].to_pylist(), texts["src"].to_pylist()
    assert [of is None for of in octets] == [of is None for of in names]
    assert None in names
    assert any(name and of.endswith(bytes(map(int, name.split(".")))) for of, name in zip(octets, names, strict=True)
               if name and "." in name)  # fmt: skip

"""Flows and endpoints as tables of Arrow: what DuckDB, polars, pandas and pyarrow make of them."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from ipaddress import ip_address
from typing import Any, get_type_hints

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import VTEP, Flow, flows, vteps
from vxlanpkt.analysis.arrow_tables import arrow_table
from vxlanpkt.batches.columns import AddressColumn
from vxlanpkt.capture import Interface, PcapngWriter, Record
from vxlanpkt.capture.batches import NO_TIMESTAMP
from vxlanpkt.capture.frames import as_polars

from .by_hand import CAPTURES, DATA

FLANNEL = DATA / "flannel_v4.pcap"


def test_duckdb() -> None:
    talks = flows(FLANNEL)
    assert len(talks) == 9
    found: Any = duckdb.sql("select src, packets from talks order by packets desc")
    assert found.fetchall()[0] == ("10.244.2.5", 31)


def test_polars() -> None:
    assert pl.DataFrame(flows(FLANNEL))["bytes"].sum() == 46924


def test_pandas() -> None:
    frame = flows(FLANNEL).to_pandas()
    assert frame.groupby("dst")["packets"].sum()["10.244.1.5"] == 41 and isinstance(frame, pd.DataFrame)


def test_pyarrow() -> None:
    assert pa.table(vteps(FLANNEL)).column("vnis").to_pylist() == ["1"] * 4


@pytest.mark.parametrize("name", [name for name in CAPTURES if "cut_mid" not in name])
@pytest.mark.parametrize("how", [{}, {"bidirectional": True}])
def test_the_same_values(name: str, how: dict[str, Any]) -> None:
    """Names and values are those of the rows."""
    tables = [flows(DATA / name, **how)] + ([] if how else [vteps(DATA / name)])
    for table in tables:
        arrow = table.to_arrow()
        assert tuple(arrow.column_names) == table.names
        rows = table.to_dicts()
        for time in ("first_ns", "last_ns"):
            assert arrow.schema.field(time).type == pa.timestamp("ns", "UTC")
            at = arrow.column_names.index(time)
            arrow = arrow.set_column(at, time, arrow[time].cast(pa.int64()))
        wanted = [row | ({"vnis": " ".join(map(str, row["vnis"]))} if "vnis" in row else {}) for row in rows]
        assert arrow.to_pylist() == wanted
        assert table.to_polars().height == len(table) == len(table.to_pandas())


def test_without_times() -> None:
    """Null, in the middle of others, and where all are."""
    out = io.BytesIO()
    writer = PcapngWriter(out)
    writer.add_interface(Interface())
    data = list(flows_of_many(12))
    for at, wire in enumerate(data):
        writer.write(Record(None if at % 3 else 7, wire, len(wire)))
    out.seek(0)
    table = flows(out)
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert table.to_polars()["first_ns"].to_list() == [None if at % 3 else epoch for at in range(12)]
    assert table[1:3].to_polars()["last_ns"].null_count() == 2


def flows_of_many(count: int) -> list[bytes]:
    from vxlanpkt import UDP, Ethernet, IPv4, Packet, Tunnel

    tunnel = Tunnel(vni=7, src="192.0.2.1", dst="192.0.2.2", src_mac=1, dst_mac=2)
    inner = [Packet(Ethernet(1, 2), IPv4("10.0.0.1", "10.0.0.2"), UDP(port, 9)).build() for port in range(count)]
    return [tunnel.encap(frame) for frame in inner]


def test_no_rows() -> None:
    """A schema and nothing in it; a part and an order of a table are tables, too."""
    table = flows(FLANNEL, vni=9)
    frame = pl.DataFrame(table)
    assert (frame.height, tuple(frame.columns)) == (0, table.names)
    assert pl.DataFrame(flows(FLANNEL).top(2))["bytes"].to_list() == [37406, 3534]
    assert pa.schema(table).names == list(table.names)


@given(st.lists(st.tuples(st.one_of(st.none(), st.ip_addresses()), st.integers(-(2**63), 2**63 - 1)), max_size=40))
def test_any_columns(rows: list[tuple[Any, int]]) -> None:
    """Addresses are written as Python writes them, and every time but one is there."""
    raw = b"".join(
        bytes(16) if address is None else b"\0" * 10 + b"\xff\xff" + address.packed if address.version == 4
        else address.packed for address, _ in rows
    )  # fmt: skip
    family = bytes(0 if address is None else address.version for address, _ in rows)
    times = memoryview(pa.array([time for _, time in rows], pa.int64()).to_numpy().tobytes()).cast("q") if rows else (
        memoryview(b"").cast("b")
    )  # fmt: skip
    columns = {"address": AddressColumn(memoryview(raw), memoryview(family)), **({"time": times} if rows else {})}
    frame = as_polars(arrow_table(columns))
    found = [None if text is None else ip_address(text) for text in frame["address"]]
    assert found == [address for address, _ in rows]
    if rows:
        assert frame["time"].cast(pl.Int64).to_list() == [None if time == NO_TIMESTAMP else time for _, time in rows]


def test_more_rows_than_a_batch() -> None:
    """Batches follow each other."""
    rows = 40_000
    columns = {"port": memoryview(b"".join((at % 65536).to_bytes(2, "little") for at in range(rows))).cast("H")}
    frame = as_polars(arrow_table(columns))
    assert frame["port"].to_list() == list(columns["port"])


def test_rows_as_objects() -> None:
    """The types of their fields can be looked up, as who makes tables of objects does."""
    for kind in (Flow, VTEP):
        assert set(get_type_hints(kind)) == set(kind.__match_args__)

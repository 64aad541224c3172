"""Captures written as tables, and scanned as lazy frames: the same rows, in bounded pieces, and nothing half-done."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vxlanpkt
from vxlanpkt import CaptureError, DecapPolicy, FieldError, FrameBatch, Tunnel
from vxlanpkt.capture import (
    CaptureTable,
    Interface,
    PartialResultError,
    PcapWriter,
    Record,
    export_file,
    exports,
    filling,
    scan,
    words,
)
from vxlanpkt.strategies import batches

from .builders import CAPTURES, enhanced, interface, option, pcap_header, pcap_record, section

CUT = CAPTURES / "basic_v4_4789.cut_mid_record.pcap"
SOUND = sorted(path.with_suffix("") for path in CAPTURES.glob("*.pcap*.jsonl") if "cut_mid" not in path.name)


def table_in(path: Path) -> Any:
    """What pyarrow reads out of a file, dictionaries as text."""
    table = pyarrow.feather.read_table(path) if path.suffix == ".arrow" else pq.read_table(path)
    return as_text(table)


def as_text(table: Any) -> Any:
    fields = [field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields)).combine_chunks()


# -- files


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_files_have_the_table(path: Path, suffix: str, tmp_path: Path) -> None:
    """Every row and column, and the counts of the capture."""
    target = tmp_path / f"out.{suffix}"
    done = export_file(path, target)
    with vxlanpkt.open(path) as cap:
        assert table_in(target).equals(as_text(cap.to_arrow()))
        assert done.stats == cap.stats
    assert (done.written, done.files) == (done.stats.records, (str(target),))
    assert [found.name for found in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("jobs", [1, 2])
def test_parquet_in_every_reader(jobs: int, tmp_path: Path) -> None:
    """Types and values are those of the capture, though addresses are dictionaries in the file."""
    source, target = CAPTURES / "basic_v6_4789.pcap", tmp_path / "out.parquet"
    export_file(source, target, jobs=jobs)
    with vxlanpkt.open(source) as cap:
        assert pq.read_table(target).schema == cap.to_arrow().schema
        assert pq.read_table(target).equals(cap.to_arrow())
        assert pl.read_parquet(target).equals(cap.to_polars())
        file: Any = duckdb.read_parquet(str(target))
        whole: Any = duckdb.sql("from cap")
        assert (file.types, file.fetchall()) == (whole.types, whole.fetchall())
        found, wanted = pd.read_parquet(target), cap.to_arrow().to_pandas()
        assert found.dtypes.equals(wanted.dtypes) and found.equals(wanted)


@settings(suppress_health_check=list(HealthCheck), max_examples=30)
@given(batch=batches(), rows=st.integers(1, 4))
def test_any_frames_in_parquet(batch: FrameBatch, rows: int) -> None:
    """Of any rows and groups of rows, broken frames too."""
    packets = [bytes(batch.data[at : at + length]) for at, length in zip(batch.offsets, batch.lengths, strict=True)]
    source, target = pcap_header() + b"".join(map(pcap_record, packets)), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "GROUP_ROWS", rows)
        patch.setattr(words, "_FEW", 1)
        export_file(io.BytesIO(source), target, format="parquet")
    with vxlanpkt.open(io.BytesIO(source)) as cap:
        assert pq.read_table(io.BytesIO(target.getvalue())).equals(cap.to_arrow())


def test_how_columns_are_encoded(tmp_path: Path) -> None:
    """Each text of a group once, whatever the group has; statistics of what these tell something of."""
    target = tmp_path / "out.parquet"
    export_file(CAPTURES / "flannel_v4.pcap", target)
    group = pq.ParquetFile(target).metadata.row_group(0)
    columns = {group.column(at).path_in_schema: group.column(at) for at in range(group.num_columns)}
    for name in ("outer_src", "inner_dst", "inner_src_mac"):
        assert "RLE_DICTIONARY" in columns[name].encodings and columns[name].statistics is None
    assert "DELTA_BINARY_PACKED" in columns["timestamp"].encodings
    assert columns["timestamp"].statistics.has_min_max and columns["vni"].statistics.null_count == 13


def test_csv(tmp_path: Path) -> None:
    """Plain, and compressed by its name."""
    with vxlanpkt.open(CAPTURES / "gbp_v4.pcap") as cap:
        wanted = cap.to_polars(columns=["record", "vni", "inner_src", "reason"]).cast({"reason": pl.String})
    for name in ("out.csv", "out.csv.gz"):
        export_file(CAPTURES / "gbp_v4.pcap", tmp_path / name, columns=["record", "vni", "inner_src", "reason"])
    text = (tmp_path / "out.csv").read_bytes()
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()) == text
    assert pl.read_csv(text, schema=wanted.schema).equals(wanted)


def test_options_are_those_of_a_table(tmp_path: Path) -> None:
    """Columns, names, VNI, ports, policy, addresses."""
    target = tmp_path / "out.parquet"
    options: Any = {"columns": ["vni", "inner_src"], "names": "ecs", "vni": 42, "addresses": "binary"}
    source = CAPTURES / "basic_v4_port_odd.pcap"
    done = export_file(source, target, ports=[51820], policy=DecapPolicy(lengths="snapped"), **options)
    with vxlanpkt.open(source, ports=[51820]) as cap:
        assert pq.read_table(target).equals(cap.to_arrow(**options).combine_chunks())
    assert done.written == done.stats.vxlan > 0


def test_groups_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are written in groups, each of its own interfaces, so that memory stays bounded."""
    monkeypatch.setattr(exports, "GROUP_ROWS", 1000)
    source = section() + interface(1, option(2, b"eth0"))
    for number in range(8):
        source += interface(1, option(2, f"eth{number + 1}".encode()))
        source += enhanced(bytes(60), index=number + 1) * 700
    reports: list[tuple[int, int | None]] = []
    for suffix in ("parquet", "arrow", "csv"):
        target = tmp_path / f"out.{suffix}"
        export_file(io.BytesIO(source), target, progress=lambda *done: reports.append(done))
        rows = pl.read_csv(target) if suffix == "csv" else pl.from_arrow(table_in(target))
        assert isinstance(rows, pl.DataFrame)
        assert rows["interface_name"].to_list() == [f"eth{number + 1}" for number in range(8) for _ in range(700)]
        assert rows["record"].to_list() == list(range(1, 5601))
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups > 2
    assert len(reports) > 6


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "csv"])
def test_a_broken_source(suffix: str, tmp_path: Path) -> None:
    """All that is whole is in the file, which is complete; the error says why there is no more, and what was done."""
    target = tmp_path / f"out.{suffix}"
    with pytest.raises(PartialResultError, match="the record at byte 62492 is cut") as caught:
        export_file(CUT, target)
    result = caught.value.result
    assert (result.written, result.stats.records, result.files) == (134, 134, (str(target),))
    rows = pl.read_csv(target).height if suffix == "csv" else table_in(target).num_rows
    assert rows == 134
    assert [found.name for found in tmp_path.iterdir()] == [target.name]


class Interrupted(CaptureError):
    """What a signal handler may raise, anywhere."""


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "csv"])
@pytest.mark.parametrize("where", ["write", "progress", "fill"])
def test_interrupted_while_it_is_written(
    where: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No fault of the source, even if it is a CaptureError: the file is not whole, and what was there stays."""
    monkeypatch.setattr(exports, "GROUP_ROWS", 1000)
    target = tmp_path / f"out.{suffix}"
    target.write_bytes(b"before")
    calls = 0
    whole: Any = exports._Output.write if where == "write" else filling.Filler.fill

    def interrupted(*call: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls >= 2:  # a writer that another test left behind may have had the second one
            raise Interrupted("interrupted", offset=None)
        return None if where == "progress" else whole(*call)

    if where == "write":
        monkeypatch.setattr(exports._Output, "write", interrupted)
    if where == "fill":
        monkeypatch.setattr(filling.Filler, "fill", interrupted)
    with pytest.raises(Interrupted) as caught:
        export_file(
            io.BytesIO(pcap_header() + pcap_record(bytes(60)) * 20_000), target,
            progress=interrupted if where == "progress" else None,
        )  # fmt: skip
    assert not isinstance(caught.value, PartialResultError)
    assert target.read_bytes() == b"before"
    assert [found.name for found in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("source", [b"", b"nothing of the kind", pcap_header()[:20]])
def test_no_capture_no_file(source: bytes, tmp_path: Path) -> None:
    """What cannot be read at all leaves nothing behind, and what was there stays."""
    target = tmp_path / "out.parquet"
    target.write_bytes(b"before")
    with pytest.raises(CaptureError) as caught:
        export_file(io.BytesIO(source), target)
    assert not isinstance(caught.value, PartialResultError)
    assert target.read_bytes() == b"before"
    assert [found.name for found in tmp_path.iterdir()] == [target.name]


def test_an_empty_capture(tmp_path: Path) -> None:
    """A table of no rows, with all its columns."""
    for suffix in ("parquet", "arrow"):
        done = export_file(io.BytesIO(pcap_header()), tmp_path / f"out.{suffix}")
        assert done.written == 0
        assert table_in(tmp_path / f"out.{suffix}").column_names == [c.name for c in vxlanpkt.capture.COLUMNS]


def test_into_a_file_object() -> None:
    """Anything that has bytes written to it; the format is said then."""
    target = io.BytesIO()
    done = export_file(CAPTURES / "gbp_v4.pcap", target, format="parquet")
    assert (done.files, pq.read_table(io.BytesIO(target.getvalue())).num_rows) == ((), done.written)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("out.pcap", {}), ("out", {}), ("out.csv", {"format": "json"}), ("out.parquet.gz", {}),
        ("out.csv", {"addresses": "binary"}), ("out.arrow", {"columns": ["nothing"]}), ("out.arrow", {"names": "x"}),
    ],
)  # fmt: skip
def test_wrong_calls(name: str, options: Any, tmp_path: Path) -> None:
    """Refused, and no file."""
    with pytest.raises(FieldError):
        export_file(CAPTURES / "gbp_v4.pcap", tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CaptureError, match=r"this takes pyarrow: install it, or the extra vxlanpkt\[frames\]"):
        export_file(CAPTURES / "gbp_v4.pcap", tmp_path / "out.parquet")
    with vxlanpkt.open(CAPTURES / "gbp_v4.pcap") as cap, pytest.raises(ImportError, match="this takes pyarrow"):
        cap.to_arrow()
    assert not list(tmp_path.iterdir())


def test_pandas_is_not_loaded(tmp_path: Path) -> None:
    """Neither for a file nor for a table of pyarrow: it takes longer to load than a capture to read."""
    program = (
        "import sys, vxlanpkt.capture\n"
        "vxlanpkt.capture.export_file(*sys.argv[1:])\n"
        "vxlanpkt.open(sys.argv[1]).to_arrow()\n"
        "sys.exit('pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(CAPTURES / "gbp_v4.pcap"), str(tmp_path / "out.parquet")]
    assert subprocess.run(command, check=False).returncode == 0


# -- lazy frames


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_scan_has_the_table(path: Path) -> None:
    """Each time it is collected."""
    frame = scan(path)
    with vxlanpkt.open(path) as cap:
        for _ in range(2):
            assert frame.collect().equals(cap.to_polars())
        found = frame.filter(pl.col("reason") == "OK").group_by("vni").agg(pl.len(), pl.sum("inner_length")).collect()
        assert {vni: (packets, length) for vni, packets, length in found.rows()} == {
            vni: (seen.packets, seen.inner_bytes) for vni, seen in cap.stats.vnis.items()
        }


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Which columns tables are made of, from here on."""
    seen: list[Any] = []
    of_columns = CaptureTable.of_columns

    def noted(self: CaptureTable, columns: Any) -> CaptureTable:
        seen.append(columns)
        return of_columns(self, columns)

    monkeypatch.setattr(CaptureTable, "of_columns", noted)
    return seen


def test_only_what_is_asked_for_is_made(asked: list[Any]) -> None:
    """Columns selected, and those that a condition is on."""
    frame = scan(CAPTURES / "flannel_v4.pcap")
    found = frame.filter(pl.col("inner_src") == "10.244.1.5").select("vni", "inner_dst").collect()
    assert found.columns == ["vni", "inner_dst"]
    assert found.height == 33
    assert sorted(asked.pop()) == ["inner_dst", "inner_src", "vni"]
    assert frame.select(pl.len()).collect().item() == 91
    assert len(asked.pop()) == 1
    wanted = scan(CAPTURES / "flannel_v4.pcap", columns=iter(["vni", "record"]), vni=iter([1]))
    assert [wanted.collect().shape for _ in range(2)] == [(78, 2)] * 2
    del asked[:]
    assert frame.select("reason").unique().collect().height == 2
    assert asked.pop() == ["reason"]


def test_names_and_rows_of_a_scan(asked: list[Any]) -> None:
    """By the names of another scheme, and of one VNI."""
    frame = scan(CAPTURES / "flannel_v4.pcap", names="ecs", vni=1)
    found = frame.select("source.ip", "vxlan.vni").filter(pl.col("source.ip") == "10.244.1.5").collect()
    assert (found.height, set(found["vxlan.vni"])) == (33, {1})
    assert sorted(asked.pop()) == ["source.ip", "vxlan.vni"]
    assert scan(CAPTURES / "flannel_v4.pcap", columns=["vni"]).collect().columns == ["vni"]


def test_only_as_many_rows_as_are_asked_for(tmp_path: Path) -> None:
    """`head` ends the pass early: the rest of the file is not read."""
    path = tmp_path / "many.pcap"
    wire = Tunnel(7, "192.0.2.1", "192.0.2.2").encap(bytes(60))
    with PcapWriter(path, Interface()) as writer:
        for number in range(30_000):
            writer.write(Record(number, wire, len(wire)))
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(path.read_bytes()[:-1])
    assert scan(path).head(5).select("record").collect()["record"].to_list() == [1, 2, 3, 4, 5]
    assert scan(path).head(0).collect().height == 0
    assert scan(path).slice(29_998).collect().height == 2
    assert scan(path).filter(pl.col("record") % 10_000 == 0).collect()["record"].to_list() == [10_000, 20_000, 30_000]
    with pytest.raises(Exception, match="is cut"):  # before polars 2 an error of its own
        scan(broken).collect()


def test_scan_of_what_is_no_capture(tmp_path: Path) -> None:
    """A path that is not there is found out at once; what is in it when it is collected."""
    with pytest.raises(OSError, match="nowhere"):
        scan(tmp_path / "nowhere.pcap")
    frame = scan(io.BytesIO(b"nothing of the kind"))
    with pytest.raises(Exception, match="neither pcap nor pcapng"):
        frame.collect()

"""Captures in Spark, on a cluster: the rows are those of one process, however these are shared out, or an error."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import vxlanpkt
from tests.capture.builders import pcap_header, pcap_record
from tests.capture.test_parts import hostile
from tests.docs.test_examples import blocks, run
from tests.spark.test_counts import KEYS, Sums, as_value, of_one
from vxlanpkt import Record
from vxlanpkt.capture import Interface, PcapngWriter, PcapWriter

DATA = Path(__file__).parent.parent / "data"
Row = dict[str, Any]


def load(spark: Any, path: Any, **options: Any) -> Any:
    return spark.read.format("vxlan").options(**options).load(str(path))


def rows(frame: Any) -> list[Row]:
    """The rows of a frame in the order of the files; records are counted through the parts of a file."""
    found = frame.toArrow().sort_by([(name, "ascending") for name in ("file", "part", "record")]).to_pylist()
    before: dict[str, int] = {}
    for row in found:
        before[row["file"]] = row["record"] = before.get(row["file"], 0) + 1
        del row["part"]
    return found  # type: ignore[no-any-return]


def wanted(paths: Sequence[Path]) -> list[Row]:
    """What one process reads of them."""
    found = []
    for path in sorted(paths):
        table = vxlanpkt.open(path).to_arrow(columns=["file", *(of.name for of in vxlanpkt.capture.COLUMNS)])
        times = table["timestamp"].cast("int64").to_pylist()
        for row, time in zip(table.set_column(2, "timestamp", table["record"]).to_pylist(), times, strict=True):
            found.append({**row, "timestamp_ns": time, "timestamp": None if time is None else time // 1000})
    return found


def in_microseconds(found: list[Row]) -> list[Row]:
    for row in found:
        time = row["timestamp"]
        row["timestamp"] = None if time is None else round(time.timestamp() * 1_000_000)
    return found


def records() -> list[Record]:
    """A few hundred packets of all kinds."""
    names = ("basic_v4_4789.pcap", "flannel_v4.pcap", "basic_v6_4789.pcap", "nested_v4.pcap")
    return [record for name in names for record in vxlanpkt.open(DATA / name)]


def test_one_file_in_seven_parts(spark: Any, tmp_path: Path) -> None:
    """pcap and pcapng, with a task for each part."""
    for name in ("big.pcap", "big.pcapng"):
        path = tmp_path / name
        writer: Any = PcapWriter(path, Interface()) if name.endswith("pcap") else PcapngWriter(path, [Interface()])
        with writer:
            for record in records() * 4:
                writer.write(record)
        frame = load(spark, path, splitBytes=-(-path.stat().st_size // 7))
        assert frame.rdd.getNumPartitions() == 7
        assert in_microseconds(rows(frame)) == wanted([path])


def test_many_small_files(spark: Any, tmp_path: Path) -> None:
    """A thousand of them, plain and compressed, in a few tasks."""
    every = records()
    for number in range(1000):
        made = pcap_header() + b"".join(
            pcap_record(record.data, seconds=number, original=record.original_length)
            for record in every[number % 400 :][: number % 4]
        )
        name = f"{number:04}.pcap"
        (tmp_path / (f"{name}.gz" if number % 10 == 0 else name)).write_bytes(
            gzip.compress(made) if number % 10 == 0 else made
        )
    frame = load(spark, tmp_path, packBytes=16 << 20)
    assert frame.rdd.getNumPartitions() < 10
    assert in_microseconds(rows(frame)) == wanted(list(tmp_path.iterdir()))
    some = load(spark, f"local://{tmp_path}/*[3-4].pcap", packBytes=8 << 20)  # through fsspec
    assert some.count() == len(wanted(list(tmp_path.glob("*[3-4].pcap"))))


def test_broken_files(spark: Any, tmp_path: Path) -> None:
    """FAILFAST fails and names the file; PERMISSIVE has the rows before the fault, and a row that says what it was."""
    shutil.copy(DATA / "flannel_v4.pcap", tmp_path)
    shutil.copy(DATA / "basic_v4_4789.cut_mid_record.pcap", tmp_path / "cut.pcap")
    (tmp_path / "_SUCCESS").write_text("which is not looked at")
    with pytest.raises(Exception, match=r"cut\.pcap: the record at byte 62492 is cut"):
        load(spark, tmp_path).count()
    frame = load(spark, tmp_path, mode="PERMISSIVE", columns="file,record,vni,fault")
    found = [(row.file, row.record, row.vni, row.fault) for row in frame.collect()]
    (name, record, vni, fault) = next(row for row in found if row[3] is not None)
    assert (Path(name).name, record, vni) == ("cut.pcap", None, None)
    assert fault.startswith("the record at byte 62492 is cut")
    assert len(found) == 91 + 134 + 1


def test_captures_inside(spark: Any, tmp_path: Path) -> None:
    """Where packets fool the guess there is an error; in one piece there is none."""
    path = tmp_path / "hostile.pcap"
    path.write_bytes(hostile())
    for mode in ("FAILFAST", "PERMISSIVE"):
        with pytest.raises(Exception, match=r"hostile\.pcap: .*has to be read in one piece"):
            load(spark, path, splitBytes=len(hostile()) // 3 + 1, mode=mode).count()
    assert in_microseconds(rows(load(spark, path, splitBytes=0))) == wanted([path])


def added_up(spark: Any, path: Any, table: str, **options: Any) -> Sums:
    """A table of counts as the page says to sum it up, by Spark."""
    key = KEYS[table]
    sums = {"first_ns": "min", "last_ns": "max", "tcp_flags": "bit_or"}
    frame = load(spark, path, table=table, **options)
    frame = frame.where("fault is null") if "fault" in frame.columns else frame
    frame.createOrReplaceTempView("counts")
    counts = [name for name in frame.columns if name not in (*key, "first", "last", "file", "fault")]
    asked = ", ".join(f"{sums.get(name, 'sum')}({name}) as {name.removesuffix('_ns')}" for name in counts)
    found = spark.sql(f"select {', '.join(key)}, {asked} from counts group by {', '.join(key)}").toArrow().to_pylist()
    sums_of = {tuple(as_value(name, row[name]) for name in key): row for row in found}
    assert len(sums_of) == len(found)
    return {group: {name: row[name] for name in row if name not in key} for group, row in sums_of.items()}


@pytest.mark.parametrize("table", KEYS)
def test_counts(spark: Any, tmp_path: Path, table: str) -> None:
    """Flows and endpoints summed up over tasks are those of one process: of parts, small files and broken ones."""
    path = tmp_path / "big.pcap"
    with PcapWriter(path, Interface()) as writer:
        for record in records() * 4:
            writer.write(record)
    parts = {"splitBytes": -(-path.stat().st_size // 7)}
    assert load(spark, path, table=table, **parts).rdd.getNumPartitions() == 7
    assert added_up(spark, path, table, **parts) == of_one(table, path)
    assert added_up(spark, path, table, numPartitions=2) == of_one(table, path)
    broken = tmp_path / "broken"
    broken.mkdir()
    shutil.copy(DATA / "flannel_v4.pcap", broken)
    shutil.copy(DATA / "basic_v4_4789.cut_mid_record.pcap", broken / "cut.pcap")
    with pytest.raises(Exception, match=r"cut\.pcap: the record at byte 62492 is cut"):
        load(spark, broken, table=table).count()
    assert added_up(spark, broken, table, mode="PERMISSIVE", packBytes=1) == of_one(table, f"{broken}/*")
    (fault,) = load(spark, broken, table=table, mode="PERMISSIVE").where("fault is not null").collect()
    assert (Path(fault.file).name, fault.packets) == ("cut.pcap", None)
    inside = tmp_path / "hostile.pcap"
    inside.write_bytes(hostile())
    with pytest.raises(Exception, match=r"hostile\.pcap: .*has to be read in one piece"):
        load(spark, inside, table=table, splitBytes=len(hostile()) // 3 + 1, mode="PERMISSIVE").count()
    assert added_up(spark, inside, table, splitBytes=0) == of_one(table, inside)


def test_conditions_on_counts(spark: Any) -> None:
    """They choose the same rows on either side."""
    condition = "vni = 42 and src like '10.%' and dst_port is not null and protocol in (6, 17)"
    pushed, kept = (
        load(spark, DATA / "*_v4.pcap", table="flows", pushdown=of).where(condition) for of in (True, False)
    )
    assert pushed.count()
    assert sorted(pushed.collect()) == sorted(kept.collect())


def test_conditions(spark: Any) -> None:
    """Those that Spark hands over choose the same rows as those that it keeps."""
    conditions = (
        "reason = 'OK' and vni in (1, 42) and inner_dst_port > 100 and inner_src like '10.%'",
        "vni is null and not reason = 'OK' and frame_length between 60 and 200",
        "outer_src is not null and vni <> 42 and timestamp > timestamp'2020-01-01'",
    )
    for condition in conditions:
        pushed, kept = (load(spark, DATA / "*.pcapng", pushdown=of).where(condition) for of in ("true", "false"))
        assert rows(pushed) == rows(kept)
        assert pushed.count()
    chosen = load(spark, DATA / "basic_v4_4789.pcap", vni="0x2a", filter="icmp or udp", ports="4789", policy="linux")
    assert {row.vni for row in chosen.select("vni").distinct().collect()} == {42}


def test_columns(spark: Any) -> None:
    """Only some, by an option or by a schema with types of one's own choice; and binary addresses."""
    path = DATA / "flannel_v4.pcap"
    frame = load(spark, path, columns="vni, inner_src")
    assert frame.columns == ["vni", "inner_src"]
    own = spark.read.format("vxlan").schema("inner_src string, vni int, file string").load(str(path))
    assert own.where("vni is not null").count() == 78
    binary = load(spark, path, addresses="binary", columns="inner_src,inner_src_mac").where("inner_src is not null")
    row = binary.first()
    assert (len(row.inner_src), len(row.inner_src_mac)) == (16, 6)
    several = spark.read.format("vxlan").load([str(path), str(DATA / "gbp_v4.pcap")])
    assert several.select("file").distinct().count() == 2


def test_the_page(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/scale.md says to type gives what it says."""
    (tmp_path / "tests").symlink_to(DATA.parent)
    monkeypatch.chdir(tmp_path)
    page = DATA.parents[1] / "docs" / "scale.md"
    names: dict[str, Any] = {}
    for block in blocks(page.read_text(encoding="utf-8"), "py"):
        if "import ray" not in block.code:
            # The driver is in another directory.
            run(block._replace(code=block.code.replace('load("', f'load("{tmp_path}/')), page.name, names)
    assert names["spark"] is spark

"""What the data source does without a cluster: options, schemas, files, and conditions on batches."""

from __future__ import annotations

import datetime
import io
import pickle
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vxlanpkt
from tests.capture.builders import pcap_header
from vxlanpkt import FieldError
from vxlanpkt.capture.planning import Sized, packs

DATA = Path(__file__).parent.parent / "data"


def source(**options: str) -> Any:
    from vxlanpkt.spark import VXLANDataSource

    return VXLANDataSource({"path": str(DATA / "flannel_v4.pcap"), **options})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"port": "4789"}, "port: '4789' is not known: the options are path, paths, table, ports"),
        ({"ports": "x"}, "ports: 'x' is not a list of numbers"),
        ({"mode": "DROPMALFORMED"}, "mode: 'DROPMALFORMED' is not one of FAILFAST, PERMISSIVE"),
        ({"policy": "mine"}, "policy: 'mine' is not one of"),
        ({"columns": "vni,fault"}, "columns: 'fault' is not a column: these are file, part, record"),
        ({"splitBytes": "-1"}, "splitBytes: '-1' is not a number, at least 0"),
        ({"packBytes": "0"}, "packBytes: '0' is not a number, at least 1"),
        ({"numPartitions": "0"}, "numPartitions: '0' is not a number, at least 1"),
        ({"addresses": "hex"}, "addresses: 'hex' is not one of text, binary"),
        ({"table": "packets"}, "table: 'packets' is not one of records, flows, vteps"),
        ({"table": "flows", "columns": "inner_src"}, "columns: 'inner_src' is not a column: these are vni, src, dst"),
        ({"filter": "nonsense"}, "nonsense"),
    ],
)
def test_options(options: dict[str, str], said: str) -> None:
    """What is wrong is said when the schema is asked for, before any task."""
    with pytest.raises(FieldError) as caught:
        source(**options).schema()
    assert said in str(caught.value)


def test_schema() -> None:
    """All columns of the table, those of Spark beside; a type that a column cannot have is refused."""
    from pyspark.sql.types import DoubleType, StructField, StructType

    names = source(mode="permissive").schema().names
    ours = ["file", "part", *(column.name for column in vxlanpkt.capture.COLUMNS)]
    assert names == [*ours[:4], "timestamp_ns", *ours[4:], "fault"]
    with pytest.raises(FieldError, match="'vni' is not to be had as double"):
        source().reader(StructType([StructField("vni", DoubleType())]))
    with pytest.raises(FieldError, match="'vnis' is not a column: these are src, dst, vni, packets, inner_bytes"):
        source(table="vteps").reader(StructType([StructField("vnis", DoubleType())]))
    columns = ["packets", "bytes", "first", "first_ns", "last", "last_ns", "tcp_flags"]
    assert source(table="flows").schema().names[-7:] == columns
    assert source(table="flows", mode="permissive").schema().names[-2:] == ["file", "fault"]


def test_rows_without_a_cluster() -> None:
    """A reader that was pickled reads its partitions: each row once, with times before 1970 rounded down."""
    made = source(splitBytes="9000", columns="record,timestamp_ns,timestamp")
    reader = pickle.loads(pickle.dumps(made.reader(made.schema())))
    partitions = list(reader.partitions())
    table = pa.Table.from_batches([batch for partition in partitions for batch in reader.read(partition)])
    assert len(partitions) > 5
    assert table["timestamp_ns"].to_pylist() == (
        vxlanpkt.open(DATA / "flannel_v4.pcap").to_arrow()["timestamp"].cast("int64").to_pylist()
    )


@pytest.mark.parametrize(
    ("name", "narrow"), [("outer_src_port", "short"), ("timestamp_ns", "integer"), ("inner_src", "long")]
)
def test_types_that_are_too_narrow(name: str, narrow: str) -> None:
    """A value that a user's type cannot have is an error, and not another value; one that it can have is there."""
    from pyspark.sql import types

    def rows(of: Any) -> list[Any]:
        reader = source().reader(types.StructType([types.StructField(name, of)]))
        return [row for part in reader.partitions() for batch in reader.read(part) for row in batch[name].to_pylist()]

    with pytest.raises(FieldError, match=f"{name}: 'int.*' is not a type that takes all of its values: "):
        rows({"short": types.ShortType(), "integer": types.IntegerType(), "long": types.LongType()}[narrow])
    texts = rows(types.StringType())
    assert rows(source(columns=name).schema()[name].dataType) == [
        text if text is None or name == "inner_src" else int(text) for text in texts
    ]


def test_conditions() -> None:
    """Numbers and texts in columns that are there; all else is left to Spark. Null is no answer, as in SQL."""
    from pyspark.sql import datasource as of

    from vxlanpkt.spark.conditions import fulfilled, is_understood

    rows = pa.table({"a": [1, 2, None], "b": ["x", None, "yx"], "t": pa.array([1, 2, 3], pa.timestamp("us", "UTC"))})
    answers: list[tuple[Any, list[bool | None]]] = [
        (of.EqualTo(("a",), 2), [False, True, None]),
        (of.GreaterThan(("a",), 1), [False, True, None]),
        (of.GreaterThanOrEqual(("a",), 1), [True, True, None]),
        (of.LessThan(("a",), 2), [True, False, None]),
        (of.LessThanOrEqual(("a",), 1), [True, False, None]),
        (of.In(("a",), (1, 5)), [True, False, None]),
        (of.Not(of.In(("a",), (1, 5))), [False, True, None]),
        (of.Not(of.EqualTo(("b",), "x")), [False, None, True]),
        (of.IsNull(("t",)), [False, False, False]),
        (of.IsNotNull(("b",)), [True, False, True]),
        (of.StringStartsWith(("b",), "y"), [False, None, True]),
        (of.StringEndsWith(("b",), "x"), [True, None, True]),
        (of.StringContains(("b",), "."), [False, None, False]),
    ]
    for condition, answer in answers:
        assert is_understood(condition, rows.schema), condition
        assert fulfilled(rows, condition).to_pylist() == answer, condition
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    for condition in (
        of.EqualTo(("t",), moment), of.EqualTo(("c",), 1), of.EqualTo(("a", "b"), 1), of.EqualTo(("a",), "1"),
        of.In(("a",), (1, None)), of.EqualNullSafe(("a",), 1), of.Not(of.EqualTo(("c",), 1)), of.EqualTo(("a",), True),
    ):  # fmt: skip
        assert not is_understood(condition, rows.schema), condition


@given(st.lists(st.integers(0, 1 << 26), min_size=1, max_size=40), st.integers(1, 30))
def test_partitions(sizes: list[int], wanted: int) -> None:
    """About as many as are asked for, none much larger than its share."""
    from vxlanpkt.spark.files import sizes_for

    files = [Sized(str(number), size, pcap_header()[:4]) for number, size in enumerate(sizes)]
    pack_bytes, split_bytes = sizes_for(files, wanted)
    plan = list(packs(files, pack_bytes, split_bytes))
    assert len(plan) <= wanted + 1 + 2 * sum(size > split_bytes for size in sizes)
    assert max(pack.size for pack in plan) <= 2 * split_bytes
    equal = [Sized(str(number), 1 << 20, b"") for number in range(10 * wanted)]
    assert len(list(packs(equal, *sizes_for(equal, wanted)))) == wanted
    one = [Sized("one", wanted << 20, pcap_header()[:4])]
    assert len(list(packs(one, *sizes_for(one, wanted)))) == wanted


def test_number_of_partitions(tmp_path: Path) -> None:
    """As many as the option says, whatever the others say, but that files are not to be split."""
    path = tmp_path / "big.pcap"
    path.write_bytes(pcap_header() + bytes(10 << 20))
    for options, wanted in (
        ({}, 1), ({"numPartitions": "3"}, 3), ({"numPartitions": "3", "splitBytes": "999", "packBytes": "999"}, 3),
        ({"numPartitions": "3", "splitBytes": "0"}, 1), ({"splitBytes": str(5 << 20)}, 3),
    ):  # fmt: skip
        made = source(**{"path": str(path), **options})
        assert len(list(made.reader(made.schema()).partitions())) == wanted


def test_remote_files(tmp_path: Path) -> None:
    """A file of a store reads and seeks as any, and is pickled by its name; a directory has all but hidden files."""
    from vxlanpkt.spark.files import RemoteFile, listed, with_magic

    data = bytes(range(256)) * 300
    path = tmp_path / "a.pcap"
    path.write_bytes(data)
    file = pickle.loads(pickle.dumps(RemoteFile(f"local://{path}", len(data))))
    assert io.BufferedReader(file).read() == data
    assert file.seek(-5, io.SEEK_END) == len(data) - 5
    assert file.read(99) == data[-5:]
    assert (file.tell(), file.read(1)) == (len(data), b"")
    for name in ("_b.pcap", ".c.pcap"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder").mkdir()
    for prefix in ("", "file:", "file://", "local://"):
        (only,) = (with_magic(of, 10) for of in listed([f"{prefix}{tmp_path}"]))
        assert (only.size, only.magic) == (len(data), data[:4])
    for missing in (f"{tmp_path}/*.none", f"local://{tmp_path}/*.none", f"local://{tmp_path}/none"):
        with pytest.raises(FileNotFoundError):
            list(listed([missing]))


def test_without_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not installed it is told what to install."""
    for name in [name for name in sys.modules if name.startswith("vxlanpkt.spark")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyspark.sql.datasource", None)
    with pytest.raises(ImportError, match=r"need pyspark: pip install 'vxlanpkt\[spark\]'"):
        import_module("vxlanpkt.spark")

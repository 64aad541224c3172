"""Captures in an object store: S3 as moto speaks it, on this machine, reached by the driver and by both workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vxlanpkt

DATA = Path(__file__).parent.parent / "data"
NAMES = ("flannel_v4.pcap", "basic_v6_4789.pcap")


@pytest.fixture(scope="module")
def put(bucket: Callable[[str, bytes], str] | None) -> Callable[[str, bytes], str]:
    """Puts a file there, and has put some."""
    if bucket is None:
        pytest.skip("moto and s3fs are not installed")
    for name in NAMES:
        bucket(name, (DATA / name).read_bytes())
    return bucket


def counted(spark: Any, path: str, **options: Any) -> Counter[tuple[str, int, str]]:
    frame = spark.read.format("vxlan").options(columns="file,vni,reason", **options).load(path)
    return Counter((Path(row.file).name, row.vni, row.reason) for row in frame.collect())


def wanted(*names: str) -> Counter[tuple[str, int, str]]:
    found: Counter[tuple[str, int, str]] = Counter()
    for name in names:
        table = vxlanpkt.open(DATA / name).to_arrow(columns=["vni", "reason"]).to_pylist()
        found += Counter((name, row["vni"], row["reason"]) for row in table)
    return found


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_a_pattern_and_a_directory(spark: Any, put: Callable[[str, bytes], str], scheme: str) -> None:
    """Both of the names that people write for S3."""
    assert counted(spark, f"{scheme}://captures/*_v4.pcap") == wanted("flannel_v4.pcap")
    assert counted(spark, f"{scheme}://captures") == wanted(*NAMES)


def test_an_object_in_parts(spark: Any, put: Callable[[str, bytes], str]) -> None:
    """Each task asks the store for its range of bytes."""
    url = put("parts/large.pcap", (DATA / "flannel_v4.pcap").read_bytes())
    frame = spark.read.format("vxlan").options(splitBytes=20_000).load(url)
    assert frame.rdd.getNumPartitions() > 1
    assert frame.count() == 91
    assert {row.file for row in frame.select("file").distinct().collect()} == {url}


def test_what_is_not_there(spark: Any, put: Callable[[str, bytes], str]) -> None:
    """It is said by its name."""
    for path in ("s3://captures/none*", "s3://captures/none.pcap"):
        with pytest.raises(Exception, match=r"captures/none"):
            spark.read.format("vxlan").load(path).count()

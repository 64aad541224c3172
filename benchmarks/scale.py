"""`python -m benchmarks.scale`: one question asked of many captures, of one process, of a pool, and of Spark.

The question: packets and bytes of each VNI, of the records that have an inner frame. Spark gets it in three ways: with
the records, as they come; with the records in as many tasks as there are workers; and with what each task has counted.
Frames are cut to 128 bytes, as fabrics are mirrored. All answers are compared. What is there once, before the first
question, is timed apart: Python and imports, processes, the cluster. A file of one packet shows what a query costs.
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import vxlanpkt
from benchmarks.capture.recording import PCAP_HEADER
from benchmarks.capture.workshop import FOLDER, Workshop
from benchmarks.summary import cpu_name
from vxlanpkt.capture.planning import Pack, packs, sized
from vxlanpkt.capture.processes import SPLIT
from vxlanpkt.capture.reader import FILE_POLICY
from vxlanpkt.capture.series import CaptureSeries

WORKERS = 2
_SNAPLEN, _MADE = 128, 1_000_000
_COLUMNS = ["vni", "inner_original_length"]
_RECORD = struct.Struct("<IIII")
_WARMING = 30  # rounds, after which the JVMs still compile, but little

# How Spark is asked: the options of the data source.
_WAYS = {
    "records": {"columns": ",".join(_COLUMNS)},
    f"records, {WORKERS} tasks": {"columns": ",".join(_COLUMNS), "numPartitions": str(WORKERS)},
    f"counted, {WORKERS} tasks": {
        "table": "flows", "columns": "vni,packets,bytes", "numPartitions": str(WORKERS),
    },
}  # fmt: skip

Answer = dict[int, tuple[int, int]]


def main() -> None:
    """Ask what is to be asked, and print a table."""
    options = _options()
    print(f"{cpu_name()}, {os.cpu_count()} processors, Python {sys.version.split()[0]}, backend {vxlanpkt.backend}.\n")
    options.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="vxlanpkt-scale-", dir=options.folder) as folder:
        captures = list(_captures(Path(folder), [1, *options.packets], options.files))
        asked: dict[str, Callable[[str], Answer]] = {"one process": _one_process}
        started = {"one process": _seconds(_start_python)[0]}
        first = captures[1][1]  # the one before has one packet
        with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
            asked[f"{WORKERS} processes"] = partial(_pool, pool)
            started[f"{WORKERS} processes"] = _seconds(lambda: list(pool.map(time.sleep, [0.5] * WORKERS)))[0] - 0.5
            spark = None
            if not options.without_spark:
                seconds, spark = _seconds(partial(_cluster, first, options.conf))
                for way in _WAYS:
                    started[f"Spark, {way}"], asked[f"Spark, {way}"] = seconds, partial(_spark, spark, way)
                _warm(asked, first)
            _race(asked, captures, started, options.rounds)
            if spark is not None:
                spark.stop()
                _print_tasks(first, options.rounds)


def _race(
    asked: dict[str, Callable[[str], Answer]], captures: list[tuple[str, str]], started: dict[str, float], rounds: int
) -> None:
    """A row for each set of captures: the median of the rounds, in which all take turns."""
    print(f"| seconds | {' | '.join(asked)} |\n|---|{'---:|' * len(asked)}")
    print(f"| start | {' | '.join(f'{started[who]:.2f}' for who in asked)} |")
    for name, pattern in captures:
        taken: dict[str, list[float]] = {who: [] for who in asked}
        answers = []
        for _ in range(rounds):
            for who, ask in asked.items():
                seconds, answer = _seconds(partial(ask, pattern))
                taken[who].append(seconds)
                answers.append(answer)
        assert all(answer == answers[0] for answer in answers), f"{name}: the answers differ"
        print(f"| {name} | {' | '.join(f'{median(taken[who]):.2f}' for who in asked)} |", flush=True)


def _one_process(pattern: str) -> Answer:
    import duckdb

    duckdb.execute("set enable_progress_bar = false")
    rows = vxlanpkt.open(pattern).table(columns=_COLUMNS)  # noqa: F841 - DuckDB looks for it
    chosen = "from rows where inner_original_length is not null group by vni"
    found: Any = duckdb.sql(f"select vni, count(*), sum(inner_original_length) {chosen}")
    return {vni: (packets, int(octets)) for vni, packets, octets in found.fetchall()}


def _pool(pool: ProcessPoolExecutor, pattern: str) -> Answer:
    packets, octets = Counter[int](), Counter[int]()
    for found in pool.map(_count, _plan(pattern)):
        for vni, (some, more) in found.items():
            packets[vni] += some
            octets[vni] += more
    return {vni: (packets[vni], octets[vni]) for vni in packets}


def _plan(pattern: str) -> Iterator[Pack]:
    """In packs of 64 MB."""
    path = Path(pattern)
    return packs([sized(str(name), SPLIT) for name in sorted(path.parent.glob(path.name))], SPLIT, SPLIT)


def _count(pack: Pack) -> Answer:
    rows = CaptureSeries(pack.parts, FILE_POLICY).to_arrow(columns=_COLUMNS)
    accepted = rows.filter(rows["inner_original_length"].is_valid())
    found = accepted.group_by("vni").aggregate([("vni", "count"), ("inner_original_length", "sum")]).to_pydict()
    rest = zip(found["vni_count"], found["inner_original_length_sum"], strict=True)
    return dict(zip(found["vni"], rest, strict=True))


def _cluster(first: str, conf: list[str]) -> Any:
    """A session with both workers up, settings of the user's, and one query behind it."""
    from pyspark.sql import SparkSession

    from vxlanpkt.spark import VXLANDataSource

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    settings = {
        "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(WORKERS), **dict(setting.split("=", 1) for setting in conf),
    }  # fmt: skip
    builder = SparkSession.builder.master(f"local-cluster[{WORKERS},1,2048]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    spark.dataSource.register(VXLANDataSource)
    _spark(spark, "records", first)
    return spark


def _warm(asked: dict[str, Callable[[str], Answer]], pattern: str) -> None:
    """Have everything asked a few times before it is timed: the JVM compiles what it is often at."""
    for _ in range(_WARMING):
        for ask in asked.values():
            ask(pattern)


def _spark(spark: Any, way: str, pattern: str) -> Answer:
    from pyspark.sql import functions

    rows = spark.read.format("vxlan").options(**_WAYS[way]).load(pattern)
    if "table" in _WAYS[way]:
        packets, octets = functions.sum("packets"), functions.sum("bytes")
    else:
        rows = rows.where("inner_original_length is not null")
        packets, octets = functions.count("*"), functions.sum("inner_original_length")
    found = rows.groupBy("vni").agg(packets.alias("packets"), octets.alias("octets"))
    return {row.vni: (row.packets, row.octets) for row in found.collect()}


def _print_tasks(pattern: str, rounds: int) -> None:
    """Processor time of what a task of Spark does in Python, and of what a process of the pool does."""
    from vxlanpkt.spark import VXLANDataSource

    source = VXLANDataSource({"path": pattern, "columns": ",".join(_COLUMNS)})
    reader = source.reader(source.schema())
    jobs: dict[str, Callable[[], object]] = {
        "a task's rows for the JVM": lambda: [len(of) for part in reader.partitions() for of in reader.read(part)],
        "a process's sums": lambda: list(map(_count, _plan(pattern))),
    }
    for name, job in jobs.items():
        taken = []
        for _ in range(rounds):
            begin = time.process_time()
            job()
            taken.append(time.process_time() - begin)
        print(f"{name}: {median(taken):.2f} s of processor time")


def _captures(folder: Path, packets: list[int], files: list[int]) -> Iterator[tuple[str, str]]:
    """What is asked about: one file of so many packets, and 1,000,000 packets in so many files."""
    records = _records()
    for count in packets:
        path = folder / f"{count}.pcap"
        with path.open("wb") as file:
            file.write(PCAP_HEADER)
            for _ in range(-(-count // _MADE)):
                file.writelines(records[: min(count, _MADE)])
        size = f"{count:,} packets in one file, {path.stat().st_size / 1e6:,.0f} MB"
        yield "one packet" if count == 1 else size, str(path)
    for count in files:
        inside = folder / f"{count}-files"
        inside.mkdir()
        each = len(records) // count
        for number in range(count):
            of_it = b"".join(records[number * each : (number + 1) * each])
            (inside / f"{number:06}.pcap").write_bytes(PCAP_HEADER + of_it)
        yield f"{count * each:,} packets in {count:,} files", str(inside / "*.pcap")


def _records() -> list[bytes]:
    """The packets of the benchmarks' capture, cut."""
    path, _ = Workshop().capture(_MADE)
    records = []
    for record in vxlanpkt.open(path):
        seconds, fraction = divmod((record.timestamp_ns or 0) // 1000, 1_000_000)
        data = record.data[:_SNAPLEN]
        records.append(_RECORD.pack(seconds, fraction, len(data), record.original_length) + data)
    return records


def _start_python() -> None:
    subprocess.run([sys.executable, "-c", "import duckdb, vxlanpkt; vxlanpkt.open"], check=True)


def _seconds(job: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = job()
    return time.perf_counter() - begin, result


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--packets", type=int, nargs="*", default=[1_000_000, 20_000_000], help="in one file each")
    parser.add_argument("--files", type=int, nargs="*", default=[1_000, 10_000], help="that hold 1,000,000 packets")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    parser.add_argument("--conf", action="append", default=[], metavar="NAME=VALUE", help="a setting for Spark")
    parser.add_argument("--without-spark", action="store_true", help="one process and the pool alone")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where captures are made, and removed")
    return parser.parse_args()


if __name__ == "__main__":
    main()

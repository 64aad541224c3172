"""Captures counted by several processes: the same as by one, to the last count, however they are cut."""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vxlanpkt
from vxlanpkt import CaptureError, FieldError
from vxlanpkt.analysis import PartialTableError
from vxlanpkt.capture import PartialResultError, processes
from vxlanpkt.capture.origins import Part
from vxlanpkt.strategies import captures, vxlan_frames

from .by_hand import CAPTURES, DATA

VERBS: Sequence[Callable[..., Any]] = (vxlanpkt.flows, vxlanpkt.vteps)
# Made up, and those of a capture, which come again: so flows and endpoints have more than one.
FRAMES = st.one_of(
    vxlan_frames().map(lambda packet: packet.build()),
    *[st.sampled_from([record.data for record in vxlanpkt.open(DATA / "flannel_v4.pcap")])] * 2,
)
every_verb = pytest.mark.parametrize("verb", VERBS)


class OneAfterTheOther:
    """A pool without processes: what goes in and what comes out is pickled all the same."""

    def submit(self, work: Callable[..., Any], parts: Sequence[Part]) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(work))(parts))))
        except CaptureError as error:
            future.set_exception(pickle.loads(pickle.dumps(error)))
        return future

    def __enter__(self) -> OneAfterTheOther:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs of a few files, parts of a few records, and no processes."""
    monkeypatch.setattr(processes, "_LEAST", 1 << 17)
    monkeypatch.setattr(processes, "SPLIT", 20_000)
    monkeypatch.setattr(processes, "_pool", lambda jobs: OneAfterTheOther())


def counted(verb: Callable[..., Any], source: Any, **how: Any) -> tuple[Any, ...]:
    """All that a table says, and the error that it came with."""
    try:
        table, fault = verb(source, **how), None
    except PartialTableError as error:
        table, fault = error.result, (str(error), error.offset)
    except CaptureError as error:
        return (str(error), error.offset)
    stats = table.stats
    return table.to_dicts(), table.cut, stats.as_dict(), str(stats.error), fault


@every_verb
@pytest.mark.usefixtures("small")
def test_every_capture(verb: Callable[..., Any]) -> None:
    """One by one, in parts; and all of them."""
    for name in CAPTURES:
        assert counted(verb, DATA / name, jobs=2) == counted(verb, DATA / name)
    everything = [DATA / name for name in CAPTURES]
    assert counted(verb, everything, jobs=3) == counted(verb, everything)
    how = {"vni": 42, "filter": vxlanpkt.Filter("udp or icmp"), "ports": [4789]}
    assert counted(verb, everything, jobs=2, **how) == counted(verb, everything, **how)
    pattern = str(DATA / "*_v4*")  # what is no capture, too
    assert counted(verb, pattern, jobs=2) == counted(verb, pattern)
    assert counted(verb, DATA / "hostile_cases.jsonl", jobs=2) == counted(verb, DATA / "hostile_cases.jsonl")


@every_verb
@pytest.mark.usefixtures("small")
def test_compressed_captures(verb: Callable[..., Any], tmp_path: Path) -> None:
    """They are read from their starts, whatever their lengths."""
    for name in CAPTURES[:4]:
        (tmp_path / name).write_bytes(gzip.compress((DATA / name).read_bytes(), 0))
    files = [tmp_path / name for name in CAPTURES[:4]]
    assert counted(verb, files, jobs=2)[:3] == counted(verb, [DATA / name for name in CAPTURES[:4]])[:3]


@pytest.mark.usefixtures("small")
def test_both_directions() -> None:
    """Directions are merged of what was put together."""
    files = [DATA / name for name in CAPTURES]
    assert counted(vxlanpkt.flows, files, jobs=2, bidirectional=True) == counted(
        vxlanpkt.flows, files, bidirectional=True
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(captures(FRAMES), min_size=1, max_size=5),
    st.integers(60, 2000), st.sampled_from(VERBS),
)  # fmt: skip
def test_any_split(small: None, tmp_path: Path, files: list[bytes], split: int, verb: Callable[..., Any]) -> None:
    """Any captures, cut anywhere: what cannot be read in parts is read in one piece."""
    paths = [tmp_path / f"{number}.pcap" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(processes, "SPLIT", split)
        assert counted(verb, paths, jobs=2) == counted(verb, paths)


@every_verb
def test_with_processes(verb: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is used, with the progress told."""
    monkeypatch.setattr(processes, "SPLIT", 20_000)
    told: list[tuple[int, int | None]] = []
    pattern = str(DATA / "*.pcap*[gp]")
    found = counted(verb, pattern, jobs=2, progress=lambda *of: told.append(of))
    assert found == counted(verb, pattern)
    size = sum(path.stat().st_size for path in DATA.glob("*.pcap*[gp]"))
    assert told[-1] == (size, size)
    assert told == sorted(told)


def test_what_one_process_only_can_read() -> None:
    """A pipe and a file object say so, and less than one process does not work."""
    for source in ("-", (DATA / "flannel_v4.pcap").open("rb")):
        with pytest.raises(FieldError, match="one process only"):
            vxlanpkt.flows(source, jobs=2)
        if not isinstance(source, str):
            source.close()
    with pytest.raises(FieldError, match="jobs: 0 is not 1 or more"):
        vxlanpkt.flows(DATA / "flannel_v4.pcap", jobs=0)


def _die(parts: Sequence[Part]) -> None:
    os._exit(1)


def test_a_process_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error of the pass."""
    monkeypatch.setattr(processes, "SPLIT", 9_000)
    files = processes.files_to_share([DATA / "flannel_v4.pcap"])
    with pytest.raises(CaptureError, match="a process ended"):
        list(processes.shared_out(_die, files, 2))


@pytest.mark.usefixtures("small")
def test_exports(tmp_path: Path) -> None:
    """The same rows in the same order: records and interfaces count through all files and parts."""
    files = [DATA / name for name in CAPTURES]
    how: dict[str, Any] = {"columns": [*(column.name for column in vxlanpkt.capture.COLUMNS), "file"]}
    for source in (files, [DATA / "merged_2if.pcapng", *files], str(DATA / "merged_2if.pcapng")):
        assert exported(source, tmp_path, jobs=3, **how) == exported(source, tmp_path, **how)
    assert exported(files, tmp_path, jobs=3, vni=42, names="ecs") == exported(files, tmp_path, vni=42, names="ecs")
    assert exported(files, tmp_path, jobs=3, columns=["vni"]) == exported(files, tmp_path, columns=["vni"])
    with pytest.raises(CaptureError, match="neither"):
        vxlanpkt.export_file([DATA / "hostile_cases.jsonl"] * 2, tmp_path / "x.csv", jobs=2)
    assert not (tmp_path / "x.csv").exists()


def exported(source: Any, folder: Path, **how: Any) -> tuple[Any, ...]:
    """The rows in the file, and what is said of them."""
    target, fault = folder / "out.parquet", None
    try:
        result = vxlanpkt.export_file(source, target, **how)
    except PartialResultError as error:
        result, fault = error.result, str(error)
    table: pa.Table = pyarrow.parquet.read_table(target)
    return table, table.schema, result.written, result.stats.as_dict(), fault

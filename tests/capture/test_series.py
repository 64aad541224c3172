"""Several files read as one: the same as one file that holds all, and what becomes of those that are broken."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vxlanpkt
from vxlanpkt import CaptureError
from vxlanpkt.capture import BrokenFilesError, Capture, Interface, PcapWriter, Record
from vxlanpkt.capture.reader import FILE_POLICY
from vxlanpkt.capture.series import CaptureSeries
from vxlanpkt.capture.sources import READING, Stopped
from vxlanpkt.strategies import captures

from .builders import CAPTURES, pcap_header, pcap_record

FLANNEL, MERGED = CAPTURES / "flannel_v4.pcapng", CAPTURES / "merged_2if.pcapng"
CUT = CAPTURES / "basic_v4_4789.cut_mid_record.pcap"


@given(st.lists(captures(container="pcapng"), min_size=1, max_size=4))
def test_as_one_file_of_several_sections(files: list[bytes]) -> None:
    """pcapng files one behind the other are a pcapng file: the same records, numbers and interfaces, and counts."""
    several, one = vxlanpkt.open([io.BytesIO(data) for data in files]), vxlanpkt.open(io.BytesIO(b"".join(files)))
    assert list(several) == list(one)
    assert several.interfaces == one.interfaces
    assert several.to_arrow().equals(one.to_arrow())
    assert several.stats == one.stats
    assert [number for number, _ in several.matching(vxlanpkt.Filter("ip or not ip"))] == [
        number for number, _ in one.matching(vxlanpkt.Filter("ip or not ip"))
    ]


@given(st.lists(captures(st.binary(max_size=80)), max_size=4))  # whatever is in the records
def test_one_behind_the_other(files: list[bytes]) -> None:
    """Also of different containers: the records of each, which count through."""
    apart = [list(vxlanpkt.open(io.BytesIO(data))) for data in files]
    series = vxlanpkt.open([io.BytesIO(data) for data in files])
    together = list(series)
    assert [(record.data, record.timestamp_ns) for record in together] == [
        (record.data, record.timestamp_ns) for records in apart for record in records
    ]
    if files:
        assert series.to_arrow(columns=["record"])["record"].to_pylist() == list(range(1, len(together) + 1))
    for record in together:
        assert series.interfaces[record.interface].link_type == record.link_type


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_what_is_no_file(tmp_path: Path) -> None:
    """Whoever may put a named pipe into a directory does not make a pattern wait for it; one that is named is read."""
    shutil.copy(CUT.with_name("flannel_v4.pcap"), tmp_path / "a.pcap")
    os.mkfifo(tmp_path / "b.pcap")
    (tmp_path / "c.pcap").mkdir()
    (tmp_path / "d.pcap").symlink_to(tmp_path / "a.pcap")
    (tmp_path / "e.pcap").symlink_to("/dev/zero")
    (tmp_path / "f.pcap").symlink_to("nowhere")
    with vxlanpkt.open(str(tmp_path / "*.pcap")) as capture:
        assert sum(1 for _ in capture) == 2 * 91
    with pytest.raises(FileNotFoundError, match="no file matches"):
        vxlanpkt.open(str(tmp_path / "[b-c].pcap"))


def test_patterns(tmp_path: Path) -> None:
    """The files that a pattern matches, sorted by name; a file whose name looks like one is that file."""
    for name in ("b.pcap", "a.pcap", "c.cap", "[a].pcap"):
        (tmp_path / name).write_bytes(pcap_header() + pcap_record(name.encode()))
    read = [record.data for record in vxlanpkt.open(str(tmp_path / "?.pcap"))]
    assert read == [b"a.pcap", b"b.pcap"]
    assert [record.data for record in vxlanpkt.open(tmp_path / "[a].pcap")] == [b"[a].pcap"]
    listed = [str(tmp_path / "c.cap"), str(tmp_path / "[bc].*")]
    assert [record.data for record in vxlanpkt.open(listed)] == [b"c.cap", b"b.pcap", b"c.cap"]
    with pytest.raises(FileNotFoundError, match="no file matches"):
        vxlanpkt.open(str(tmp_path / "*.nothing"))
    with pytest.raises(FileNotFoundError):
        vxlanpkt.open([tmp_path / "a.pcap", tmp_path / "missing.pcap"])


def test_broken_files_keep_none_from_being_read(tmp_path: Path) -> None:
    """All that is whole is handed out, of the files behind them too; then an error names each with its fault."""
    (tmp_path / "none.pcap").write_bytes(b"what is no capture")
    series = vxlanpkt.open([CUT, tmp_path / "none.pcap", FLANNEL])
    whole = [*_until_fault(vxlanpkt.open(CUT))[0], *vxlanpkt.open(FLANNEL)]
    found, error = _until_fault(series)
    assert [record.data for record in found] == [record.data for record in whole]
    assert isinstance(error, BrokenFilesError)
    (first, fault), (second, other) = error.faults
    assert (first, second) == (str(CUT), str(tmp_path / "none.pcap"))
    assert str(error) == f"{CUT}: {fault}; 1 other file is broken: {second}"
    assert "is cut" in str(fault)
    assert "neither pcap nor pcapng" in str(other)
    with pytest.raises(BrokenFilesError):
        list(series.decap())
    assert series.stats.records == len(whole)
    assert series.container == "pcapng"
    assert series.consumed == series.size == sum(file.stat().st_size for file in (CUT, FLANNEL)) + 18


def _until_fault(capture: Capture) -> tuple[list[Record], CaptureError | None]:
    found = []
    try:
        for record in capture:
            found.append(record)
    except CaptureError as error:
        return found, error
    return found, None


def test_many_broken_files() -> None:
    """A few are named, the others counted."""
    with pytest.raises(BrokenFilesError, match=r"6 other files are broken: (a stream, ){4}a stream and 1 more$"):
        list(vxlanpkt.open([io.BytesIO(b"") for _ in range(7)]))


def test_the_name_of_the_file() -> None:
    """A column has it, if that is asked for; and null where there is none."""
    series = vxlanpkt.open([FLANNEL, MERGED])
    assert "file" not in series.table().column_names
    names = series.to_arrow(columns=["file", "record"])["file"].to_pylist()
    counts = {path: len(list(vxlanpkt.open(path))) for path in (FLANNEL, MERGED)}
    assert names == [str(path) for path, count in counts.items() for _ in range(count)]
    assert series.table(columns=["file"], names="ecs").column_names == ("log.file.path",)
    unnamed = io.BytesIO(pcap_header() + pcap_record(b"") * 9)
    assert pa.table(vxlanpkt.open([unnamed]).table(columns=["file"]))["file"].to_pylist() == [None] * 9


def test_interruption() -> None:
    """Who ends a job ends it: the files behind are not read."""

    class Ends:
        def __enter__(self) -> None:
            raise Stopped("enough", offset=None)

        def __exit__(self, *_: object) -> None:
            raise AssertionError("not entered")

    series = vxlanpkt.open([FLANNEL, MERGED])
    token = READING.set(Ends())
    try:
        with pytest.raises(Stopped, match=r"^enough$"):
            list(series)
    finally:
        READING.reset(token)


def test_closing(tmp_path: Path) -> None:
    """A series that was closed says so, and names no file for it."""
    with vxlanpkt.open([FLANNEL, MERGED]) as series:
        pass
    with pytest.raises(CaptureError, match=r"^the capture has been closed"):
        list(series)
    assert f"{FLANNEL}, {MERGED}" in series._repr_html_()
    empty = tmp_path / "empty.pcap"
    with PcapWriter(empty, Interface()):
        pass
    assert list(vxlanpkt.open([empty, empty])) == list(vxlanpkt.open([])) == []


def test_each_counts_its_own() -> None:
    """A series may leave the files their own numbers of records and interfaces; names of interfaces stay right."""
    files = [MERGED, FLANNEL, CAPTURES / "basic_v6_ng.pcapng"] * 2
    columns = ["file", "record", "interface", "interface_name"]
    series = CaptureSeries(files, FILE_POLICY, numbered_through=False)
    apart = [vxlanpkt.open(path).to_arrow(columns=columns) for path in files]
    assert series.to_arrow(columns=columns).to_pylist() == pa.concat_tables(apart).to_pylist()

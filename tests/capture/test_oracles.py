"""Independent readers and writers of captures: tshark's account of real ones, Scapy, dpkt, editcap."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt import CaptureError
from vxlanpkt.capture import Capture, Interface, PcapngWriter, PcapWriter, Record
from vxlanpkt.capture import open as open_capture

from .builders import CAPTURES, NAMES, pcap_header, pcap_record, read


def told(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines()]


def records_of(capture: Capture) -> list[Record]:
    """All records, those before the fault of a capture that is cut."""
    found = []
    try:
        for record in capture:
            found.append(record)
    except CaptureError:
        assert "cut" in str(capture.source)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_tshark(name: str) -> None:
    found = records_of(open_capture(CAPTURES / name))
    expected = [(packet["caplen"], packet["len"]) for packet in told(name)]
    assert [(len(record.data), record.original_length) for record in found] == expected


@pytest.mark.parametrize("name", [name for name in NAMES if "cut" not in name])
def test_scapy(name: str) -> None:
    utils = pytest.importorskip("scapy.utils")
    with utils.RawPcapReader(str(CAPTURES / name)) as reader:
        expected = [(data, meta) for data, meta in reader]
    found = records_of(open_capture(CAPTURES / name))
    assert [record.data for record in found] == [data for data, _ in expected]
    if name.endswith(".pcap"):
        unit = 1_000 if not reader.nano else 1
        times = [meta.sec * 10**9 + meta.usec * unit for _, meta in expected]
        assert [record.timestamp_ns for record in found] == times


@pytest.mark.parametrize("name", [name for name in NAMES if "cut" not in name and "2if" not in name])
def test_dpkt(name: str) -> None:
    dpkt = pytest.importorskip("dpkt")
    with (CAPTURES / name).open("rb") as file:
        expected = list(dpkt.pcapng.Reader(file) if name.endswith("ng") else dpkt.pcap.Reader(file))
    found = records_of(open_capture(CAPTURES / name))
    assert [record.data for record in found] == [bytes(data) for _, data in expected]
    for record, (timestamp, _) in zip(found, expected, strict=True):
        assert record.timestamp_ns is not None
        assert abs(record.timestamp_ns - float(timestamp) * 1e9) < 2000


def tool(*arguments: str | Path) -> str:
    if shutil.which(str(arguments[0])) is None:
        pytest.skip(f"{arguments[0]} is not installed")
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["basic_v6_ng.pcapng", "merged_2if.pcapng", "paired_outer.pcap", "snap96.pcap"])
def test_tshark_reads_what_is_copied(name: str, tmp_path: Path) -> None:
    capture = open_capture(CAPTURES / name)
    found = list(capture)
    copy = tmp_path / "copy"
    writer: PcapWriter | PcapngWriter
    if capture.container == "pcapng":
        writer = PcapngWriter(copy, capture.interfaces)
    else:
        (one,) = capture.interfaces
        writer = PcapWriter(copy, one, nanoseconds=one.tsresol == 9)
    with writer:
        for record in found:
            writer.write(record)
    assert list(open_capture(copy)) == found
    fields = ("frame.time_epoch", "frame.len", "frame.cap_len", "frame.interface_name", "frame.md5_hash")
    asked = [
        "-T",
        "fields",
        "-o",
        "frame.generate_md5_hash:TRUE",
        *(part for field in fields for part in ("-e", field)),
    ]
    assert tool("tshark", "-r", copy, *asked) == tool("tshark", "-r", CAPTURES / name, *asked)


@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "pcapng"])
def test_editcap_writes_what_is_read(form: str, tmp_path: Path) -> None:
    tool("editcap", "-F", form, "-a", "2:a comment", CAPTURES / "paired_outer.pcap", tmp_path / "out")
    expected = list(open_capture(CAPTURES / "paired_outer.pcap"))
    found = list(open_capture(tmp_path / "out"))
    unit = 1000 if form == "pcap" else 1
    assert [(record.data, record.original_length) for record in found] == [
        (record.data, record.original_length) for record in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert one.timestamp_ns is not None
        assert other.timestamp_ns is not None
        assert one.timestamp_ns // unit == other.timestamp_ns // unit
    assert found[1].comment == ("a comment" if form == "pcapng" else None)


def test_tshark_agrees_on_the_fcs_length(tmp_path: Path) -> None:
    frame = bytes(12) + b"\x08\x06" + bytes(46)
    out = io.BytesIO()
    with PcapWriter(out, Interface(fcslen=4)) as writer:
        writer.write(Record(0, frame + b"FCS!", 64))
    assert out.getvalue()[24:] == pcap_record(frame + b"FCS!", seconds=0, fraction=0)
    assert read(pcap_header(network=0x24000001) + pcap_record(frame + b"FCS!"))[0].frame == frame
    (tmp_path / "a.pcap").write_bytes(out.getvalue())
    assert tool("tshark", "-r", tmp_path / "a.pcap", "-T", "fields", "-e", "eth.fcs").strip() == "0x46435321"

"""Whole-file jobs: what is written, what is kept, and what a failure leaves."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import sys
from array import array
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import CaptureError, DecapBatch, DecapPolicy, FieldError, Filter, LinkType, Reason, Tunnel, decap, flows
from vxlanpkt.capture import Interface, PartialResultError, PcapngWriter, Record, decap_file, encap_file
from vxlanpkt.capture import open as open_capture
from vxlanpkt.capture.outputs import Output
from vxlanpkt.capture.sinks import Sink
from vxlanpkt.capture.sources import READING
from vxlanpkt.strategies import captures, mutated, policies, vxlan_frames

from .builders import CAPTURES, enhanced, interface, interfaces, option, pcap_header, pcap_record, read, section, simple

TUNNEL = Tunnel(vni=5000, src="192.0.2.1", dst="192.0.2.2", src_mac=1, dst_mac=2)
INNER = bytes(range(12)) + b"\x08\x06" + bytes(46)
WIRE = TUNNEL.encap(INNER)
GPE = TUNNEL.replace(gpe=True)
PACKET = b"\x45\0\0\x14" + bytes(16)
GPE_WIRE = GPE.encap(PACKET, start=LinkType.RAW)
GPE_POLICY = DecapPolicy(gpe=True)


def decapped(source: bytes, **how: Any) -> bytes:
    out = io.BytesIO()
    decap_file(io.BytesIO(source), out, **how)
    return out.getvalue()


def frames(data: bytes) -> list[tuple[bytes, int]]:
    return [(record.data, record.original_length) for record in read(data)]


def pcap(*wires: bytes) -> bytes:
    return pcap_header() + b"".join(map(pcap_record, wires))


def pcapng(*wires: bytes) -> bytes:
    return section() + interface() + b"".join(map(enhanced, wires))


# -- decap


@pytest.mark.parametrize("name", ["out.pcap", "out.pcapng", "out.pcap.gz", "out.pcapng.zst", "out"])
def test_the_traffic_inside_a_tunnel_is_that_on_the_inner_device(name: str, tmp_path: Path) -> None:
    target = tmp_path / name
    result = decap_file(CAPTURES / "paired_outer.pcap", target, vni=42)
    found = open_capture(target)
    inside = [record.data for record in open_capture(CAPTURES / "paired_inner.pcap")]
    assert sorted(record.data for record in found) == sorted(inside)
    assert found.container == ("pcapng" if "ng" in name else "pcap")
    assert result.files == (str(target),)
    assert result.written == len(inside) == result.stats.vxlan
    outer = open_capture(CAPTURES / "paired_outer.pcap").decap()
    assert [record.timestamp_ns for record in found] == [got.timestamp_ns for got in outer]


def test_the_magic_number_is_that_of_the_source() -> None:
    assert decapped(pcap(WIRE))[:4] == b"\xd4\xc3\xb2\xa1"
    assert decapped(pcap_header(0xA1B23C4D) + pcap_record(WIRE))[:4] == b"\x4d\x3c\xb2\xa1"
    assert decapped(pcapng(WIRE), container="pcap")[:4] == b"\x4d\x3c\xb2\xa1"
    assert decapped(pcapng(WIRE))[:4] == b"\x0a\x0d\x0d\x0a"


def test_interfaces_options_and_raw_timestamps_are_kept() -> None:
    flags = (4 << 5 | 1).to_bytes(4, "little")
    options = option(1, b"hello") + option(2, flags) + option(3, b"\x02hash") + option(19372, b"\0\0\0\0secret")
    kept = (option(2, b"eth0"), option(9, b"\x8a"), option(14, (3600).to_bytes(8, "little")))
    source = section() + interface(113, snaplen=96) + interface(1, *kept, option(13, b"\x04"))
    source += enhanced(WIRE + b"FCS!", options, index=1, raw=12345)
    out = decapped(source)
    assert interfaces(out) == (Interface(1), interfaces(source)[1].replace(fcslen=0))
    (found,), (record,) = read(out), read(source)
    expected = Record(
        record.timestamp_ns, INNER, 60, 1, 1, 12345, 0, ((1, b"hello"), (2, (1).to_bytes(4, "little")))
    )  # fmt: skip
    assert found == expected


def test_cut_packets_keep_both_lengths() -> None:
    source = pcap_header() + pcap_record(WIRE[:80], original=len(WIRE)) + pcap_record(WIRE)
    assert frames(decapped(source)) == [(INNER[:30], 60), (INNER, 60)]
    assert frames(decapped(section() + interface(snaplen=80) + simple(WIRE[:80], original=110))) == [(INNER[:30], 60)]


def test_a_simple_packet_stays_without_a_timestamp() -> None:
    out = decapped(section() + interface() + simple(WIRE))
    assert read(out) == [Record(None, INNER, 60)]


def test_nothing_inside_is_still_a_capture(tmp_path: Path) -> None:
    for name in ("a.pcap", "a.pcapng"):
        assert decap_file(io.BytesIO(pcap(INNER)), tmp_path / name).written == 0
        assert list(open_capture(tmp_path / name)) == []


def test_a_file_may_be_its_own_target(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(WIRE))
    decap_file(tmp_path / "a.pcap", tmp_path / "a.pcap")
    assert frames((tmp_path / "a.pcap").read_bytes()) == [(INNER, 60)]


def test_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(pcapng(WIRE))))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
    assert decap_file("-", "-").files == ()
    assert frames(out.getvalue()) == [(INNER, 60)]
    assert open_capture(io.BytesIO(out.getvalue())).container is None


# -- nested tunnels


def test_depth() -> None:
    nested = [WIRE]
    for vni in (1, 2, 3):
        nested.append(TUNNEL.replace(vni=vni).encap(nested[-1]))
    source = pcap(*nested, INNER)
    assert [data for data, _ in frames(decapped(source))] == [INNER, *nested[:3]]
    assert [data for data, _ in frames(decapped(source, depth=3))] == [INNER, INNER, INNER, nested[0]]
    assert [data for data, _ in frames(decapped(source, depth="all"))] == [INNER] * 4
    assert [data for data, _ in frames(decapped(source, depth="all", vni=2))] == [INNER]


def test_depth_of_cut_packets_and_bare_ip() -> None:
    nested = TUNNEL.encap(WIRE)
    source = pcap_header() + pcap_record(nested[:130], original=len(nested))
    assert frames(decapped(source, depth="all")) == [(INNER[:30], 60)]
    bare = GPE.encap(WIRE[14:], start=LinkType.RAW)
    assert frames(decapped(pcap(bare), depth="all", policy=GPE_POLICY)) == [(INNER, 60)]


@pytest.mark.parametrize("name", ["nested_v4.pcap", "vlan_raw_v4.pcap"])
def test_tshark_sees_what_is_innermost(name: str) -> None:
    told = [json.loads(line) for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines()]
    expected = [packet["len"] - packet["tunnels"][-1]["pos"] - 8 for packet in told if packet["vxlan"] == "yes"]
    out = decapped((CAPTURES / name).read_bytes(), depth="all")
    assert [length for _, length in frames(out)] == expected


def test_depth_is_checked() -> None:
    for depth in (0, -1, "some", 1.5):
        with pytest.raises(FieldError, match="depth"):
            decapped(pcap(WIRE), depth=depth)


# -- bare IP


def test_bare_ip_in_pcapng_gets_an_interface_of_its_own() -> None:
    source = section() + interface() + interface(1, option(2, b"eth1"))
    source += enhanced(WIRE, index=1) + enhanced(GPE_WIRE, index=1) + enhanced(WIRE) + enhanced(GPE_WIRE, index=1)
    out = decapped(source, policy=GPE_POLICY)
    assert [(record.data, record.link_type, record.interface) for record in read(out)] == [
        (INNER, 1, 1), (PACKET, 101, 2), (INNER, 1, 0), (PACKET, 101, 2),
    ]  # fmt: skip
    assert [(one.link_type, one.name) for one in interfaces(out)] == [(1, None), (1, "eth1"), (101, "eth1")]


def test_bare_ip_in_pcap(tmp_path: Path) -> None:
    source = pcap(GPE_WIRE, GPE_WIRE)
    with pytest.raises(CaptureError, match="inner_link"):
        decap_file(io.BytesIO(source), tmp_path / "a.pcap", policy=GPE_POLICY)
    assert list(tmp_path.iterdir()) == []
    raw = decapped(source, policy=GPE_POLICY, inner_link="raw")
    assert [(record.data, record.link_type) for record in read(raw)] == [(PACKET, 101)] * 2
    framed = bytes(12) + b"\x08\0" + PACKET
    for container in ("pcap", "pcapng"):
        ethernet = decapped(source, policy=GPE_POLICY, inner_link="ethernet", container=container)
        assert [(*frame, record.link_type) for frame, record in zip(frames(ethernet), read(ethernet), strict=True)] == [
            (framed, 34, 1)
        ] * 2
    six = GPE.encap(b"\x60" + bytes(39), start=LinkType.RAW)
    (record,) = read(decapped(pcap(six), policy=GPE_POLICY, inner_link="ethernet"))
    assert record.data == bytes(12) + b"\x86\xdd\x60" + bytes(39)
    with pytest.raises(CaptureError, match="bare IP packets cannot hold"):
        decapped(pcap(GPE_WIRE, WIRE), policy=GPE_POLICY, inner_link="raw")
    with pytest.raises(FieldError, match="inner_link"):
        decapped(source, inner_link="other")


def test_what_no_link_type_holds_is_skipped_and_counted() -> None:
    mpls = bytearray(GPE_WIRE)
    mpls[42 + 3] = 5
    out = io.BytesIO()
    result = decap_file(io.BytesIO(pcapng(bytes(mpls), WIRE)), out, policy=GPE_POLICY)
    assert (result.written, result.skipped, result.stats.vxlan) == (1, 1, 2)
    assert frames(out.getvalue()) == [(INNER, 60)]


def test_gpe_as_linux_sends_it() -> None:
    source = (CAPTURES / "gpe_external_v4.pcap").read_bytes()
    policy = GPE_POLICY.replace(ports=(4790,))
    found = read(decapped(source, policy=policy, container="pcapng"))
    assert len(found) == 76
    assert {record.link_type for record in found} == {101}
    assert {record.data[0] >> 4 for record in found} <= {4, 6}


# -- a file for each VNI


@pytest.mark.parametrize("suffix", [".pcap", ".pcapng", ".pcap.gz", ""])
def test_split_by_vni(suffix: str, tmp_path: Path) -> None:
    vnis = list(range(300)) * 2
    source = pcap(*(TUNNEL.replace(vni=vni).encap(INNER) for vni in vnis))
    result = decap_file(io.BytesIO(source), tmp_path / f"in.side{suffix}", split_by="vni")
    names = [f"in-{vni}.side" if not suffix else f"in.side-{vni}{suffix}" for vni in range(300)]
    assert result.files == tuple(str(tmp_path / name) for name in names)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert all(frames(Path(path).read_bytes()) == [(INNER, 60)] * 2 for path in result.files)


def test_split_needs_a_path() -> None:
    for target in ("-", io.BytesIO()):
        with pytest.raises(FieldError, match="split_by"):
            decap_file(io.BytesIO(pcap(WIRE)), target, split_by="vni")
    with pytest.raises(FieldError, match="split_by"):
        decap_file(io.BytesIO(pcap(WIRE)), "a", split_by="mac")  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["PCAPNG", "x", "", 0, False])
@pytest.mark.parametrize("job", [decap_file, partial(encap_file, tunnel=TUNNEL)], ids=["decap", "encap"])
def test_a_container_that_is_none(job: Any, wrong: Any, tmp_path: Path) -> None:
    """It is refused, and no file is written in another."""
    target = tmp_path / "a.pcapng"
    with pytest.raises(FieldError, match=r"^container: .* is not one of pcap, pcapng$") as caught:
        job(io.BytesIO(pcap(WIRE)), target, container=wrong)
    assert (caught.value.field, caught.value.value) == ("container", wrong)
    assert not target.exists()


# -- faults


@pytest.mark.parametrize("split_by", [None, "vni"])
def test_what_was_whole_is_done(split_by: Any, tmp_path: Path) -> None:
    target = tmp_path / "a.pcap"
    with pytest.raises(PartialResultError, match="cut") as caught:
        decap_file(io.BytesIO(pcap(WIRE, INNER) + b"cut"), target, split_by=split_by)
    result = caught.value.result
    assert caught.value.offset == len(pcap(WIRE, INNER))
    assert (result.written, result.stats.records) == (1, 2)
    assert result.files == (str(tmp_path / ("a-5000.pcap" if split_by else "a.pcap")),)
    assert frames(Path(result.files[0]).read_bytes()) == [(INNER, 60)]
    assert pickle.loads(pickle.dumps(caught.value)).result.written == 1


@pytest.mark.parametrize("source", [b"", b"rubbish", pcap()[:20]])
def test_what_is_no_capture_leaves_nothing(source: bytes, tmp_path: Path) -> None:
    for job in (decap_file, partial(encap_file, tunnel=TUNNEL)):
        with pytest.raises(CaptureError) as caught:
            job(io.BytesIO(source), tmp_path / "a.pcap")
        assert not isinstance(caught.value, PartialResultError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("split_by", [None, "vni"])
def test_any_other_failure_leaves_nothing(split_by: Any, tmp_path: Path) -> None:
    def fail(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    source = io.BytesIO(pcap(*[WIRE] * 5000))
    with pytest.raises(KeyboardInterrupt):
        decap_file(source, tmp_path / "a.pcap", progress=fail, split_by=split_by)
    assert list(tmp_path.iterdir()) == []


def test_progress(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap_header() + pcap_record(INNER) * 50_000)
    seen: list[tuple[int, int | None]] = []
    decap_file(tmp_path / "a", tmp_path / "b", progress=lambda done, total: seen.append((done, total)))
    size = (tmp_path / "a").stat().st_size
    assert [total for _, total in seen] == [size] * len(seen)
    assert len({done for done, _ in seen}) > 1
    assert sorted(seen) == seen
    assert seen[-1] == (size, size)


# -- encap


@pytest.mark.parametrize("name", ["paired_inner.pcap", "merged", "snapped"])
def test_encap_and_decap_give_the_source_back(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    if name == "merged":
        with PcapngWriter(source, [Interface(tsresol=9), Interface(snaplen=80)]) as writer:
            writer.write(Record(5, INNER, 60, raw_timestamp=5))
            writer.write(Record(5000, INNER, 60, interface=1, raw_timestamp=5))
    elif name == "snapped":
        source.write_bytes(pcap_header() + pcap_record(INNER[:30], original=60))
    else:
        source.write_bytes((CAPTURES / name).read_bytes())
    container = "pcapng" if name == "merged" else "pcap"
    result = encap_file(source, tmp_path / f"wire.{container}", TUNNEL)
    decap_file(tmp_path / f"wire.{container}", tmp_path / f"back.{container}")
    assert list(open_capture(tmp_path / f"back.{container}")) == list(open_capture(source))
    assert result.written == result.stats.records == result.stats.vxlan == result.stats.reasons[Reason.OK]
    assert list(result.stats.vnis) == [5000]
    assert open_capture(tmp_path / f"wire.{container}").container is None


def test_identifications_are_counted() -> None:
    def numbers(tunnel: Tunnel, **how: Any) -> list[int]:
        out = io.BytesIO()
        encap_file(io.BytesIO(pcap(INNER, INNER, INNER)), out, tunnel, **how)
        return [int.from_bytes(record.data[18:20], "big") for record in read(out.getvalue())]

    assert numbers(TUNNEL) == [0, 0, 0]
    assert numbers(TUNNEL.replace(df="unset")) == [0, 1, 2]
    assert numbers(TUNNEL, identification=65534) == [65534, 65535, 0]
    for wrong in (1 << 16, -1, "1", 1.0, True):
        with pytest.raises(FieldError, match=f"^identification: {wrong!r} is not a number of 16 bits$"):
            numbers(TUNNEL, identification=wrong)


def test_encap_into_what_is_no_tunnel(tmp_path: Path) -> None:
    wrong: Any
    for wrong in ("192.0.2.1", None, [TUNNEL]):
        with pytest.raises(FieldError) as caught:
            encap_file(tmp_path / "none.pcap", tmp_path / "made.pcap", wrong)
        assert str(caught.value) == f"tunnel: {wrong!r} is not a Tunnel"
        assert (caught.value.field, caught.value.value) == ("tunnel", wrong)
    assert list(tmp_path.iterdir()) == []


def test_encap_of_what_does_not_fit() -> None:
    long, longer = INNER + bytes(65_440), bytes(100)
    source = pcap_header() + pcap_record(long) + pcap_record(longer, original=0xFFFFFFFF) + pcap_record(INNER)
    out = io.BytesIO()
    result = encap_file(io.BytesIO(source), out, TUNNEL)
    assert result.stats.reasons == {Reason.OK: 1, Reason.INNER_TOO_LONG: 2}
    assert frames(out.getvalue()) == [(WIRE, 110)]


def test_encap_of_bare_ip_takes_gpe() -> None:
    source = pcap_header(network=101) + pcap_record(PACKET)
    out = io.BytesIO()
    encap_file(io.BytesIO(source), out, GPE)
    assert frames(out.getvalue()) == [(GPE_WIRE, len(GPE_WIRE))]
    for tunnel, network in ((TUNNEL, 101), (GPE, 113), (TUNNEL, 105)):
        with pytest.raises(CaptureError, match=f"link type {network}"):
            encap_file(io.BytesIO(pcap_header(network=network) + pcap_record(PACKET)), io.BytesIO(), tunnel)


def test_encap_takes_frame_check_sequences_off() -> None:
    source = pcap_header(network=0x24000001) + pcap_record(INNER + b"FCS!")
    out = io.BytesIO()
    encap_file(io.BytesIO(source), out, TUNNEL)
    assert frames(out.getvalue()) == [(WIRE, 110)]


def test_encap_of_a_cut_file(tmp_path: Path) -> None:
    with pytest.raises(PartialResultError) as caught:
        encap_file(io.BytesIO(pcap(INNER) + b"cut"), tmp_path / "a.pcap", TUNNEL)
    assert caught.value.result.stats.error is not None
    assert frames((tmp_path / "a.pcap").read_bytes()) == [(WIRE, 110)]


# -- the kernel's records and those made one by one


TUNNELLED = st.one_of(vxlan_frames().map(bytes), vxlan_frames().map(bytes), mutated(vxlan_frames()))


def decapsulated(source: bytes, **how: Any) -> tuple[bytes, str]:
    """What a job writes, and what it says in the end."""
    out = io.BytesIO()
    try:
        result = decap_file(io.BytesIO(source), out, **how)
    except CaptureError as error:
        return (out.getvalue() if isinstance(error, PartialResultError) else b""), str(error)
    return out.getvalue(), repr((result.stats, result.written, result.skipped))


@given(
    source=captures(TUNNELLED, link_types=(1, 1, 1, 1, 105)),
    container=st.sampled_from(("pcap", "pcapng")),
    depth=st.sampled_from((1, 2, "all")),
    inner_link=st.sampled_from(("error", "ethernet", "raw")),
    policy=st.just(DecapPolicy(lengths="snapped", gpe=True)) | st.just(DecapPolicy.OVS) | policies(),
)
def test_it_does_not_matter_who_makes_the_records(source: bytes, **how: Any) -> None:
    by_kernel = decapsulated(source, **how)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Output, "target", lambda *_: None)
        assert decapsulated(source, **how) == by_kernel


def test_a_filter_chooses_frames(tmp_path: Path) -> None:
    source = CAPTURES / "basic_v4_4789.pcap"
    chosen = Filter("icmp and inner src host 10.42.0.1")
    done = decap_file(source, tmp_path / "a.pcap", filter=chosen)
    with open_capture(source) as capture:
        expected = [got for got in capture.decap() if chosen.matches(decap(got.record.data))]
        numbers = [number for number, _ in capture.matching(chosen)]
        records = list(capture)
    assert 0 < done.written == len(expected) < done.stats.vxlan
    assert [record.data for record in open_capture(tmp_path / "a.pcap")] == [got.inner for got in expected]
    assert [records[number - 1] for number in numbers] == [got.record for got in expected]


class Odd:
    """A filter whose answer is of the wrong shape."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def select(self, batch: DecapBatch) -> Any:
        return self._answer


@pytest.mark.parametrize("answer", [b"", b"\1\1", array("I", [1, 1, 1])], ids=["none", "short", "wide"])
def test_a_filter_has_to_answer_for_each_row(answer: Any) -> None:
    source = pcap(WIRE, WIRE, WIRE)
    for job in (
        lambda: decap_file(io.BytesIO(source), io.BytesIO(), filter=Odd(answer)),
        lambda: list(open_capture(io.BytesIO(source)).decap(filter=Odd(answer))),
        lambda: list(open_capture(io.BytesIO(source)).matching(Odd(answer))),
        lambda: flows(io.BytesIO(source), filter=Odd(answer)),
    ):
        with pytest.raises(FieldError, match="no filter of 3 rows"):
            job()
    with pytest.raises(FieldError, match=r"Filter\('tcp'\) is one"):
        decap_file(io.BytesIO(source), io.BytesIO(), filter="tcp")  # type: ignore[arg-type]


def test_split_files_declare_the_interfaces_that_they_need(tmp_path: Path) -> None:
    wires = [TUNNEL.replace(vni=number).encap(INNER) for number in range(40)]
    source = section() + b"".join(interface() + enhanced(wire, index=index) for index, wire in enumerate(wires))
    decap_file(io.BytesIO(source), tmp_path / "a.pcapng", split_by="vni")
    for number in range(40):
        with open_capture(tmp_path / f"a-{number}.pcapng") as capture:
            assert [record.data for record in capture] == [INNER]
            assert len(capture.interfaces) == 1


def test_a_full_disk_leaves_no_file_of_a_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can fail is done for all files before one of them appears."""
    finish = Sink.finish
    calls = []

    def fail_at_the_third(sink: Sink) -> None:
        calls.append(sink)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        finish(sink)

    monkeypatch.setattr(Sink, "finish", fail_at_the_third)
    wires = [TUNNEL.replace(vni=number).encap(INNER) for number in range(5)]
    with pytest.raises(OSError, match="No space"):
        decap_file(io.BytesIO(pcap(*wires)), tmp_path / "a.pcap", split_by="vni")
    assert list(tmp_path.iterdir()) == []


def test_a_time_that_pcap_cannot_say_is_left_out_and_counted() -> None:
    source = pcap(WIRE) + pcap_record(WIRE, seconds=2**32 - 1, fraction=10**6) + pcap_record(WIRE)
    out = io.BytesIO()
    done = decap_file(io.BytesIO(source), out)
    assert (done.written, done.skipped) == (2, 1)
    assert frames(out.getvalue()) == [(INNER, 60)] * 2
    assert decap_file(io.BytesIO(source), io.BytesIO(), container="pcapng").written == 3


@pytest.mark.parametrize("target", ["a.pcap.bz2", "a.xz"])
def test_compression_that_is_not_written(target: str, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"\.gz or \.zst"):
        decap_file(io.BytesIO(pcap(WIRE)), tmp_path / target)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_partial_where_nothing_could_be_opened(tmp_path: Path) -> None:
    """Neither a header that is none, nor a pipe's second pass, nor a capture that was closed."""
    for wrong in (section()[:12] + b"\2" + section()[13:], pcap_header(version=(3, 4)), section()[:20]):
        with pytest.raises(CaptureError) as caught:
            decap_file(io.BytesIO(wrong), tmp_path / "a.pcapng")
        assert not isinstance(caught.value, PartialResultError)
    assert list(tmp_path.iterdir()) == []
    source, target = os.pipe()
    os.write(target, pcap(WIRE))
    os.close(target)
    with os.fdopen(source, "rb") as file, open_capture(file) as capture:
        assert len(flows(capture)) == 1
        for again in (lambda: flows(capture), lambda: list(capture.decap())):
            with pytest.raises(CaptureError, match="not seekable") as caught:
                again()
            assert not isinstance(caught.value, PartialResultError)
        assert capture.stats.records == 1


def test_what_is_raised_where_bytes_are_read_ends_a_job_well(tmp_path: Path) -> None:
    """As an interrupt does that waited for it: what came before is written."""

    class Gate:
        def __init__(self) -> None:
            self.closed = False

        def __enter__(self) -> None:
            if self.closed:
                raise CaptureError("enough", offset=None)

        def __exit__(self, *_: object) -> None:
            pass

    gate = Gate()
    token = READING.set(gate)
    try:
        with pytest.raises(PartialResultError, match="enough") as caught:
            decap_file(
                io.BytesIO(pcap(*[WIRE] * 30_000)), tmp_path / "a.pcap",
                progress=lambda *_: setattr(gate, "closed", True),
            )  # fmt: skip
    finally:
        READING.reset(token)
    assert 0 < caught.value.result.written == caught.value.result.stats.vxlan < 30_000
    assert len(list(open_capture(tmp_path / "a.pcap"))) == caught.value.result.written

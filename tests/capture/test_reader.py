"""Captures opened for decapsulation: inner frames, what is counted, and what a fault leaves."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt import (
    CaptureError,
    DecapPolicy,
    FieldError,
    LinkType,
    Note,
    Reason,
    Tunnel,
    decap,
    decap_file,
    flows,
)
from vxlanpkt.capture import Capture, Interface, PcapngWriter, Record
from vxlanpkt.capture import open as open_capture

from .builders import CAPTURES, NAMES, enhanced, interface, option, pcap_header, pcap_record, section

TUNNEL = Tunnel(vni=5000, src="192.0.2.1", dst="192.0.2.2", src_mac=1, dst_mac=2)
INNER = bytes(range(12)) + b"\x08\x06" + bytes(46)
WIRE = TUNNEL.encap(INNER)
PORTS = {"basic_v4_port_odd.pcap": (51820,), "gpe_external_v4.pcap": (4790,)}


def policy_of(name: str) -> DecapPolicy:
    policy = DecapPolicy(lengths="snapped", gpe="gpe" in name)
    return policy.replace(ports=PORTS.get(name, policy.ports))


def told(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines()]


def is_whole(packet: dict[str, Any]) -> bool:
    if packet["vxlan"] != "yes":
        return False
    ip = packet["outer"]["ip"]
    return not ip.get("mf") and not ip.get("frag_offset")


@pytest.mark.parametrize("name", NAMES)
def test_tshark_sees_the_same_tunnels(name: str) -> None:
    expected = [packet for packet in told(name) if is_whole(packet)]
    capture = open_capture(CAPTURES / name, policy=policy_of(name))
    found = []
    try:
        for got in capture.decap():
            found.append(got)
    except CaptureError:
        assert "cut" in name
    assert [got.vni for got in found] == [packet["tunnels"][0]["vni"] for packet in expected]
    for got, packet in zip(found, expected, strict=True):
        overhead = got.record.original_length - got.inner_original_length
        assert overhead == packet["tunnels"][0]["pos"] + 8 or packet["caplen"] != packet["len"]
        assert got.record.data.endswith(got.inner)
        assert bool(got.notes & Note.CUT) is (len(got.inner) < got.inner_original_length)
        assert (got.timestamp_ns, got.reason) == (got.record.timestamp_ns, Reason.OK)
    stats = capture.stats
    assert stats.records == len(told(name)) == sum(stats.reasons.values())
    assert stats.vxlan == len(found) == stats.reasons[Reason.OK] == sum(one.packets for one in stats.vnis.values())
    assert sum(one.inner_bytes for one in stats.vnis.values()) == sum(len(got.inner) for got in found)


def test_a_record_says_the_same_as_decap_of_its_data() -> None:
    for got in open_capture(CAPTURES / "sll2_any.pcap").decap():
        alone = decap(got.record.data, start=LinkType.LINUX_SLL2)
        assert (got.vni, got.inner, got.link_type, got.notes) == (alone.vni, alone.inner, alone.link_type, alone.notes)
        assert got.outer == alone.outer
    assert "VNI 42" in repr(got)


def pcapng(*blocks: bytes) -> Capture:
    """A capture of these blocks behind a section header."""
    return capture_of(b"".join(blocks))


def capture_of(blocks: bytes, ports: Any = None, policy: DecapPolicy | None = None) -> Capture:
    return open_capture(io.BytesIO(section() + blocks), ports=ports, policy=policy)


def test_frame_check_sequences_never_become_inner_bytes() -> None:
    offload = bytearray(WIRE)
    offload[16:18] = offload[38:40] = b"\0\0"  # lengths of 0: everything behind is taken for payload
    capture = pcapng(interface(1, option(13, b"\x04")), enhanced(bytes(offload) + b"FCS!"))
    (got,) = capture.decap(policy=DecapPolicy(lengths="captured"))
    assert got.inner == INNER
    assert got.record.data.endswith(b"FCS!")


def test_cut_records() -> None:
    capture = pcapng(interface(), enhanced(WIRE[:80], original=len(WIRE)))
    (got,) = capture.decap()
    assert (got.inner, got.inner_original_length, got.notes & Note.CUT) == (INNER[:30], 60, Note.CUT)
    assert list(capture.decap(policy=DecapPolicy())) == []
    assert capture.stats.reasons == {Reason.CAPTURE_CUT: 1}


def test_an_original_length_below_the_captured_one_means_whole() -> None:
    (got,) = pcapng(interface(), enhanced(WIRE, original=3)).decap()
    assert (got.inner, got.inner_original_length) == (INNER, 60)


def test_policies_ports_and_vnis() -> None:
    others = [TUNNEL.replace(vni=vni, dst_port=port).encap(INNER) for vni, port in ((1, 4789), (2, 8472), (3, 99))]
    source = interface() + b"".join(map(enhanced, [WIRE, *others]))

    def vnis(ports: Any = None, policy: DecapPolicy | None = None, **asked: Any) -> list[int]:
        return [got.vni for got in capture_of(source, ports, policy).decap(**asked)]

    assert vnis() == [5000, 1, 2]
    assert vnis(ports=(99,)) == [3]
    assert vnis(policy=DecapPolicy(vnis=(1, 3)), ports=[4789, 99]) == [1, 3]
    assert vnis(vni=1) == [1]
    assert vnis(vni=[2, 5000]) == [5000, 2]
    assert vnis(policy=DecapPolicy(vnis=(1, 2)), vni=(2, 3)) == [2]
    assert vnis(ports=(99,), policy=DecapPolicy(vnis=(1,))) == []
    capture = capture_of(source)
    assert [got.vni for got in capture.decap(policy=DecapPolicy(ports=(99,)))] == [3]
    assert capture.stats.reasons == {Reason.OK: 1, Reason.NOT_VXLAN: 3}
    assert list(capture.decap(vni=4)) == []
    assert capture.stats.reasons == {Reason.VNI_REFUSED: 3, Reason.NOT_VXLAN: 1}


def test_what_is_no_policy(tmp_path: Path) -> None:
    """It is refused where it is given, before a file is opened or written, and not by the first pass."""
    policy: Any = "linux"
    capture = capture_of(interface() + enhanced(WIRE))
    for call in (
        lambda: open_capture(tmp_path / "none.pcap", policy=policy),
        lambda: decap_file(tmp_path / "none.pcap", tmp_path / "made.pcap", policy=policy),
        lambda: flows(tmp_path / "none.pcap", policy=policy),
        lambda: capture.table(policy=policy),
        lambda: list(capture.decap(policy=policy)),
        lambda: list(capture.decap(policy=policy, vni=1)),
    ):
        with pytest.raises(FieldError, match=r"^policy: 'linux' is not a DecapPolicy: DecapPolicy.presets\(\)"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_stripped_tags() -> None:
    tagged = TUNNEL.encap(INNER[:12] + b"\x81\0\0\x05" + INNER[12:])
    (got,) = pcapng(interface(), enhanced(tagged)).decap(policy=DecapPolicy(inner_vlan="strip"))
    assert (got.inner, got.inner_original_length, got.notes) == (INNER, 60, Note.STRIPPED)


LINKS = {
    0: b"\x02\0\0\0", 108: b"\0\0\0\x02", 101: b"", 12: b"", 14: b"", 228: b"", 1: WIRE[:14],
    113: bytes(14) + b"\x08\0", 276: b"\x08\0" + bytes(18),
}  # fmt: skip


@pytest.mark.parametrize("link_type", LINKS)
def test_link_types(link_type: int) -> None:
    (got,) = pcapng(interface(link_type), enhanced(LINKS[link_type] + WIRE[14:])).decap()
    assert (got.vni, got.inner, got.link_type) == (5000, INNER, LinkType.ETHERNET)


def test_unsupported_link_types_are_counted() -> None:
    capture = pcapng(interface(105), interface(1), *(enhanced(WIRE, index=index) for index in (0, 1, 1, 0, 0)))
    assert len(list(capture.decap())) == 2
    assert capture.stats.reasons == {Reason.OK: 2, Reason.NOT_VXLAN: 3}
    assert capture.stats.unsupported_link_types == {105: 3}
    assert capture.stats.as_dict() == {
        "records": 5, "vxlan": 2, "vnis": {"5000": {"packets": 2, "inner_bytes": 120}},
        "reasons": {"OK": 2, "NOT_VXLAN": 3}, "unsupported_link_types": {"105": 3},
    }  # fmt: skip
    json.dumps(capture.stats.as_dict())


def test_many_records_come_in_order() -> None:
    records = [TUNNEL.replace(vni=vni).encap(INNER) for vni in range(1000)]
    capture = open_capture(io.BytesIO(pcap_header() + b"".join(map(pcap_record, records))))
    assert [got.vni for got in capture.decap()] == list(range(1000))
    assert capture.stats.vxlan == len(capture.stats.vnis) == 1000


def test_a_fault_comes_after_all_that_was_whole() -> None:
    capture = open_capture(io.BytesIO(pcap_header() + pcap_record(WIRE) * 3 + b"cut"))
    found = []
    passing = capture.decap()
    for _ in range(3):
        found.append(next(passing).vni)
    with pytest.raises(CaptureError, match="cut") as caught:
        next(passing)
    assert capture.stats.records == capture.stats.vxlan == 3
    assert capture.stats.error is caught.value


def test_stats_are_those_of_the_last_pass_that_ended() -> None:
    capture = open_capture(io.BytesIO(pcap_header() + pcap_record(WIRE) * 2))
    with pytest.raises(CaptureError, match="nothing has been counted"):
        _ = capture.stats
    list(capture)
    with pytest.raises(CaptureError, match="nothing has been counted"):
        _ = capture.stats
    list(capture.decap())
    next(capture.decap(vni=1), None)
    assert capture.stats.reasons == {Reason.VNI_REFUSED: 2}
    next(capture.decap())
    assert capture.stats.reasons == {Reason.VNI_REFUSED: 2}


def test_what_a_capture_tells_of_itself() -> None:
    out = io.BytesIO()
    with PcapngWriter(out, [Interface(), Interface(276)]) as writer:
        writer.write(Record(0, b"", 0))
    capture = open_capture(out)
    assert (capture.container, capture.interfaces, capture.consumed, capture.size) == (None, (), 0, None)
    out.seek(0)
    capture = open_capture(out)
    list(capture)
    assert capture.container == "pcapng"
    assert [one.link_type for one in capture.interfaces] == [1, 276]
    assert capture.consumed == len(out.getvalue())

"""`vxlanpkt info`: its order of VNIs, and what it says where there is little or nothing to count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vxlanpkt
from tests.capture.builders import pcap_header, pcap_record
from vxlanpkt import Tunnel
from vxlanpkt.capture import Interface, PcapWriter, Record

from .command import call

DATA = Path(__file__).parent.parent / "data"
INNER = bytes(12) + b"\x88\xb5" + bytes(46)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is written is not written into the tree."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str | Path) -> str:
    done = call("info", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def several_vnis() -> Path:
    """VNI 9 has most packets, 5 most bytes."""
    path = Path("several.pcap")
    with path.open("wb") as out:
        writer = PcapWriter(out, Interface())
        for vni, size, count in ((9, 0, 3), (5, 500, 1), (7, 10, 2)):
            for _ in range(count):
                wire = Tunnel(vni, "192.0.2.1", "192.0.2.2").encap(INNER + bytes(size))
                writer.write(Record(0, wire, len(wire)))
    return path


@pytest.mark.parametrize(("by", "order"), [("vni", [5, 7, 9]), ("packets", [9, 7, 5]), ("bytes", [5, 9, 7])])
def test_the_order_of_vnis(by: str, order: list[int]) -> None:
    """By number, packets or bytes, all or the first few; JSON says how many there are."""
    path = several_vnis()
    found = json.loads(run(path, "--sort", by, "--json", "--top", "2"))
    assert list(found["vnis"]) == [str(vni) for vni in order[:2]] and found["vni_count"] == 3
    assert list(json.loads(run(path, "--sort", by, "--json"))["vnis"]) == [str(vni) for vni in order]
    text = run(path, "--sort", by, "--top", "1")
    assert f"│   {order[0]} │" in text and f"│   {order[1]} │" not in text and "2 more VNIs are not shown" in text
    assert "not shown" not in run(path)


def test_nothing_is_vxlan() -> None:
    """Which ports there are, and what to try."""
    text = run(DATA / "basic_v4_port_odd.pcap")
    assert (
        "no record is accepted; the commonest UDP destination ports are 51820 (30): if one carries it, --port" in text
    )
    assert "--gpe" not in text
    assert json.loads(run(DATA / "basic_v4_port_odd.pcap", "--json"))["udp_ports"] == {"51820": 30}
    assert "4790 is that of VXLAN-GPE: --gpe" in run(DATA / "gpe_external_v4.pcap")
    for others in ((), ("--vni", "5")):
        assert "commonest" not in run(DATA / "basic_v4_4789.pcap", *others)


def test_of_other_vnis() -> None:
    """What was refused for its VNI alone is said."""
    assert run(several_vnis(), "--vni", "0x9").splitlines()[-1] == "3 of 6 records accepted, 3 of other VNIs"


def test_link_types_that_nobody_knows() -> None:
    """JSON tells them, as the table does."""
    Path("x.pcap").write_bytes(pcap_header(network=105) + pcap_record(bytes(60)))
    assert json.loads(run("x.pcap", "--json"))["unsupported_link_types"] == {"105": 1}
    assert "link type 105 is not understood" in run("x.pcap")


def test_cut_and_nested() -> None:
    """How many packets are there in part, and how many have a tunnel inside."""
    assert "inner bytes captured" in run(DATA / "snap96.pcap")
    assert "the capture cut 74 of the accepted packets" in run(DATA / "snap96.pcap")
    assert "50 packets hold a datagram to a VXLAN port" in run(DATA / "nested_v4.pcap")
    found = json.loads(run(DATA / "nested_v4.pcap", "--json"))
    assert (found["cut"], found["nested"]) == (0, 50)
    # Those that decapsulation twice gets an inner frame from are as many, and none is in doubt.
    with vxlanpkt.open(DATA / "nested_v4.pcap") as capture:
        again = [vxlanpkt.dissect(got.inner) for got in capture.decap()]
    assert sum(vxlanpkt.VXLAN in found for found in again) == 50
    assert json.loads(run(DATA / "snap96.pcap", "--json"))["cut"] == 74

"""The command line as a user runs it: what it prints, what it leaves behind, and its exit status."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import IO, Any

import pytest

import vxlanpkt
from tests.waiting import eventually
from vxlanpkt import parse

from .command import COMMAND, call

DATA = Path(__file__).parent.parent / "data"
CAPTURES = sorted(path.with_suffix("") for path in DATA.glob("*.pcap*.jsonl"))
# What else is needed to see the tunnels in a capture.
OPTIONS = {"basic_v4_port_odd": ("--port", "51820"), "gpe_external_v4": ("--gpe",)}


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in the root of the tree, where Python finds the package before the installed one, and no C kernel in it."""
    monkeypatch.chdir(tmp_path)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def unread(pipe: IO[bytes]) -> int:
    """How many bytes nobody has read yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def said(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(f"{path}.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", OPTIONS)
def test_decap_of_what_is_accepted_nowhere(name: str) -> None:
    """A line says where the reason is told; not where packets are accepted, or were not asked for."""
    hint = "no record is accepted: vxlanpkt info says why"
    source = DATA / f"{name}.pcap"
    assert hint in call("decap", source, "-w", "out.pcap").stdout.decode().splitlines()
    piped = call("decap", source, "-w", "-")
    assert hint in piped.stderr.decode().splitlines() and hint.encode() not in piped.stdout
    assert hint not in call("decap", source, "-w", "out.pcap", *OPTIONS[name]).stdout.decode()
    assert hint not in call("decap", DATA / "flannel_v4.pcap", "-w", "out.pcap", "--vni", "77").stdout.decode()


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_info_counts_what_tshark_sees(path: Path) -> None:
    """`info --json` counts the records, and the tunnels that tshark sees, whole or cut."""
    done = call("info", "-r", path, "--json", *OPTIONS.get(path.name.split(".")[0], ()))
    broken = "cut_mid_record" in path.name
    assert done.returncode == (1 if broken else 0)
    found = json.loads(done.stdout)
    rows = said(path)
    assert found["records"] == len(rows) == sum(found["reasons"].values())
    # Of a first fragment tshark sees the tunnel, and decap none of it.
    fragments = sum(row["vxlan"] == "yes" and row["outer"]["ip"].get("mf", False) for row in rows)
    assert found["vxlan"] == found["reasons"].get("OK", 0) == sum(row["vxlan"] == "yes" for row in rows) - fragments
    assert sum(vni["packets"] for vni in found["vnis"].values()) == found["vxlan"]
    assert (found["error"] is not None) is broken


def test_decap_prints_its_table(tmp_path: Path) -> None:
    """The main job: the inner frames in a file, a table of VNIs, and a count of the rest with the reason."""
    target = tmp_path / "inner.pcap"
    done = call("decap", "-r", DATA / "flannel_v4.pcap", "-w", target, "--port", "8472")
    assert done.returncode == 0
    text = done.stdout.decode()
    assert "46,924" in text
    assert "NOT_VXLAN" in text
    assert f"78 packets written to {target}" in text
    with vxlanpkt.open(target) as capture:
        frames = [record.data for record in capture]
    assert len(frames) == 78
    assert all(parse(frame).build() == frame for frame in frames)
    assert names(tmp_path) == ["inner.pcap"]


def test_encap_and_decap_are_inverse(tmp_path: Path) -> None:
    """What `encap` puts in, `decap` takes out: same packets, same times."""
    outer, inner = tmp_path / "outer.pcapng.gz", tmp_path / "inner.pcap"
    source = DATA / "paired_inner.pcap"
    there = call("encap", "-r", source, "-w", outer, "--vni", "7", "--src", "2001:db8::1", "--dst", "2001:db8::2",
                "--ttl", "inherit", "--vlan", "5", "--json")  # fmt: skip
    assert there.returncode == 0, there.stderr
    assert json.loads(there.stdout)["vnis"]["7"]["packets"] == json.loads(there.stdout)["written"]
    assert call("decap", "-r", outer, "-w", inner).returncode == 0
    with vxlanpkt.open(source) as one, vxlanpkt.open(inner) as other:
        assert [(record.timestamp_ns, record.data) for record in one] == [
            (record.timestamp_ns, record.data) for record in other
        ]  # fmt: skip


def test_split_by_vni(tmp_path: Path) -> None:
    """A file for each VNI, named for it."""
    done = call("decap", "-r", DATA / "gbp_v4.pcap", "-w", tmp_path / "x.pcap", "--split-by", "vni", "--json")
    assert done.returncode == 0
    vnis = json.loads(done.stdout)["vnis"]
    assert names(tmp_path) == sorted(f"x-{vni}.pcap" for vni in vnis)


def test_broken_file(tmp_path: Path) -> None:
    """A cut file: what could be done was done, the status is 1, and the error names file and byte."""
    source, target = DATA / "basic_v4_4789.cut_mid_record.pcap", tmp_path / "x.pcap"
    done = call("decap", "-r", source, "-w", target, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["written"] == 128
    assert str(source).encode() in done.stderr
    assert b"62492" in done.stderr
    assert target.exists()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("info",), 2),
        (("info", "-r", "no such file"), 2),
        (("info", "-r", __file__), 1),
        (("info", "-r", DATA / "flannel_v4.pcap", "--vni", "99999999"), 2),
        (("info", "-r", DATA / "flannel_v4.pcap", "--policy", "nonsense"), 2),
        (("decap", "-r", DATA / "flannel_v4.pcap", "-w", "/no/such/folder/x"), 2),
        (("decap", "-r", DATA / "flannel_v4.pcap", "-w", "x", "--depth", "0"), 2),
        (("decap", "-r", DATA / "gpe_external_v4.pcap", "-w", "x", "--gpe"), 1),
        (("encap", "-r", DATA / "flannel_v4.pcap", "-w", "x", "--vni", "1", "--src", "::1", "--dst", "1.2.3.4"), 2),
        (("show", "-r", __file__), 1),
    ],
)
def test_status(arguments: tuple[str, ...], status: int, tmp_path: Path) -> None:
    """2 for a wrong call, 1 for a wrong file; one line says why, and no file appears."""
    done = call(*arguments)
    assert done.returncode == status, done.stderr
    assert done.stderr.strip()
    assert b"Traceback" not in done.stderr
    assert names(tmp_path) == []


def test_source_and_target_the_same(tmp_path: Path) -> None:
    """A capture is not replaced by what is left of it."""
    path = tmp_path / "x.pcap"
    before = (DATA / "flannel_v4.pcap").read_bytes()
    path.write_bytes(before)
    assert call("decap", "-r", path, "-w", tmp_path / "." / "x.pcap").returncode == 2
    assert path.read_bytes() == before


def test_output_is_a_pipe() -> None:
    """With -w -, the capture is on standard output, the report on standard error."""
    done = call("decap", "-r", DATA / "flannel_v4.pcap", "-w", "-", "--json")
    assert done.stdout[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1")
    assert json.loads(done.stderr)["written"] == 78


@pytest.mark.parametrize("verb", ["info", "show", "explain", "explain --each"])
def test_reader_goes_away(verb: str) -> None:
    """Who has seen enough closes the pipe: that is no error."""
    arguments = " ".join([*COMMAND, verb, "-r", str(DATA / "tcp_segmented_v4.pcap")])
    done = subprocess.run(
        ["bash", "-c", f"{arguments} | true; echo ${{PIPESTATUS[0]}}"], capture_output=True, timeout=60, check=True
    )  # fmt: skip
    assert done.stdout.strip() == b"0"
    assert b"Traceback" not in done.stderr


def test_live_pipe() -> None:
    """`show -r -` prints each packet when it is there, not when the pipe ends."""
    data = (DATA / "flannel_v4.pcap").read_bytes()
    first = 24 + 16 + int.from_bytes(data[32:36], "little")
    with subprocess.Popen([*COMMAND, "show", "-r", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(data[:first])
        child.stdin.flush()
        assert child.stdout.readline().startswith(b"#1 ")
        child.stdin.close()
        assert b"ICMPv6" in child.stdout.read()
        assert child.wait(30) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(number: int, status: int, tmp_path: Path) -> None:
    """An interrupt ends the input, and what was read is written; SIGTERM leaves nothing behind."""
    target = tmp_path / "x.pcap"
    command = [*COMMAND, "decap", "-r", "-", "-w", str(target)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write((DATA / "flannel_v4.pcap").read_bytes())
    child.stdin.flush()
    pipe = child.stdin
    assert eventually(lambda: bool(names(tmp_path)) and unread(pipe) == 0)
    time.sleep(0.5)  # in which it comes to wait for more
    child.send_signal(number)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == status, errors
    assert names(tmp_path) == (["x.pcap"] if number == signal.SIGINT else [])
    if number == signal.SIGINT:
        with vxlanpkt.open(target) as capture:
            assert len(list(capture)) == 78


@pytest.mark.parametrize(
    ("arguments", "accepted"),
    [
        (("--policy", "ovs"), 1),
        (("--policy", "ovs", "--gpe"), 1),
        (("--policy", "linux-gpe"), 2),
        (("--policy", "vpp"), 0),
        (("--policy", "linux"), 0),
        (("--policy", "linux", "--gpe"), 2),
    ],
)
def test_every_preset_is_a_policy(arguments: tuple[str, ...], accepted: int) -> None:
    """A preset that understands GPE in its own way does so with and without --gpe."""
    done = call("info", "-r", DATA / "odd.pcapng", "--json", *arguments)
    reasons = json.loads(done.stdout)["reasons"]
    with vxlanpkt.open(DATA / "odd.pcapng") as capture:
        gpe = [record for record in capture if (record.comment or "").startswith("gpe-next-protocol")]
    assert len(gpe) == 3
    name = arguments[1]
    policy = vxlanpkt.DecapPolicy.presets()[name]
    if "--gpe" in arguments:
        policy = policy.replace(gpe=policy.gpe or True)
    assert sum(vxlanpkt.explain(record.data, {"": policy})[""].accepted for record in gpe) == accepted
    with vxlanpkt.open(DATA / "odd.pcapng") as capture:
        verdicts = [vxlanpkt.explain(record.data, {"": policy.replace(lengths="snapped")})[""] for record in capture]
    assert reasons.get("OK", 0) == sum(verdict.accepted for verdict in verdicts)


def test_show_json() -> None:
    """`show --json` prints an object a packet, with every layer's fields."""
    done = call("show", "-r", DATA / "nested_v4.pcap", "--vni", "4242", "-c", "2", "--json")
    packets = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(packets) == 2
    assert [layer["vni"] for layer in packets[0]["layers"] if layer["layer"] == "VXLAN"] == [42, 4242]


def test_version(tmp_path: Path) -> None:
    """The version says which kernel is in use."""
    assert call("--version").stdout.decode().startswith(f"vxlanpkt {vxlanpkt.__version__}, {vxlanpkt.backend} kernel")


def test_filters_choose_what_verbs_take(tmp_path: Path) -> None:
    source, chosen = DATA / "basic_v4_4789.pcap", ("--filter", "icmp and src host 10.42.0.1")
    decapped = call("decap", "-r", source, "-w", tmp_path / "a.pcap", *chosen, "--json")
    written = json.loads(decapped.stdout)["written"]
    flows = json.loads(call("flows", "-r", source, *chosen, "--json").stdout)["flows"]
    shown = call("show", "-r", source, *chosen).stdout.count(b"VXLAN     vni 42")
    assert 0 < shown == written == sum(flow["packets"] for flow in flows)
    wrong = call("flows", "-r", source, "--filter", "tcp nor udp")
    assert wrong.returncode == 2
    assert b"nor" in wrong.stderr

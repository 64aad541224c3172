"""The capture is what it says, and all answer alike on it: only then are times worth comparing. None is asserted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dpkt
import pytest

import vxlanpkt
from benchmarks.capture import goals, memory
from benchmarks.capture.answers import WrongAnswerError, check_count, check_flows, check_inner, record_places
from benchmarks.capture.contenders import (
    DECAP,
    DPKT,
    FLOWS,
    JOBS,
    LOOP,
    MAPPED,
    OURS,
    PARQUET,
    START,
    TSHARK,
    Absent,
    Contender,
    contenders,
)
from benchmarks.capture.race import Key, Measured, check, race
from benchmarks.capture.recording import CONTAINERS, PCAP_HEADER, Truth, write
from benchmarks.capture.tables import report
from benchmarks.capture.traffic import SIZES, Traffic, flags_of
from benchmarks.capture.usage import Usage, usage
from benchmarks.capture.workshop import Workshop
from benchmarks.frames import TCP, build_inner, build_outer

PACKETS = 6000
WORKSHOP = Workshop()
EVERYBODY = contenders(WORKSHOP)
each_contender = pytest.mark.parametrize("contender", EVERYBODY, ids=[f"{one.job}, {one.name}" for one in EVERYBODY])


@pytest.fixture(params=CONTAINERS)
def container(request: pytest.FixtureRequest) -> str:
    """Each of the file formats."""
    return str(request.param)


@pytest.fixture
def capture(container: str) -> tuple[Path, Truth]:
    """A small capture and what is in it."""
    return WORKSHOP.capture(PACKETS, container)


def tshark(path: Path, *fields: str, environment: Mapping[str, str] | None = None) -> list[list[str]]:
    """Fields of each packet, with all checksums verified."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    verify = [word for layer in ("ip", "tcp", "udp") for word in ("-o", f"{layer}.check_checksum:TRUE")]
    wanted = [word for field in fields for word in ("-e", field)]
    command = ["tshark", "-n", "-r", str(path), "-d", "udp.port==8472,vxlan", *verify, "-T", "fields", *wanted]
    variables = {**os.environ, **(environment or {})}
    lines = subprocess.run(command, check=True, capture_output=True, text=True, env=variables).stdout.splitlines()
    return [line.split("\t") for line in lines]


def flow_line(inner: Any, vni: int) -> tuple[str, int]:
    """A flow as the truth has it, without its counts, and the bytes of one of its frames, by dpkt."""
    ip = dpkt.ethernet.Ethernet(inner).data
    line = f"{vni} {ip.p} {ip.src.hex()} {ip.dst.hex()} {ip.data.sport} {ip.data.dport}"
    return line, len(inner)


def test_sound_to_tshark(capture: tuple[Path, Truth]) -> None:
    """As many tunnels in as many VNIs, no checksum wrong, nothing malformed, times that never go back.

    Payloads are random, and nothing that the applications of their ports would send: only headers are looked at.
    """
    path, truth = capture
    (headers_only,) = [one.environment for one in EVERYBODY if isinstance(one, Contender) and one.name == TSHARK] or [
        {}
    ]
    rows = tshark(path, "vxlan.vni", "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status",
                  "_ws.malformed", "frame.time_epoch", environment=headers_only)  # fmt: skip
    assert len(rows) == truth.packets == PACKETS
    assert Counter(int(row[0]) for row in rows if row[0]) == truth.vnis
    statuses = Counter(status for row in rows for column in row[1:4] for status in column.split(",") if status)
    assert set(statuses) == {"1", "3"}  # good, and none: an outer UDP checksum of zero
    assert not any(row[4] for row in rows)
    times = [float(row[5]) for row in rows]
    assert times == sorted(times)


def test_mix_by_tshark(capture: tuple[Path, Truth]) -> None:
    """Tags and IPv6 outside and inside, both ports, TCP that begins with a SYN, noise that is no tunnel."""
    path, truth = capture
    rows = tshark(path, "frame.protocols", "udp.dstport", "tcp.flags.syn")
    kinds = Counter(row[0].partition(":vxlan:")[0] for row in rows)
    share = {kind: count / PACKETS for kind, count in kinds.items()}
    assert 0.05 < sum(part for kind, part in share.items() if "vlan" in kind) < 0.2
    assert 0.05 < sum(part for kind, part in share.items() if kind.endswith("ipv6:udp")) < 0.2
    assert 0.02 < 1 - truth.vxlan / PACKETS < 0.04
    assert {"eth:ethertype:arp", "eth:ethertype:ip:icmp:data"} <= set(kinds)
    inner = {row[0].partition(":vxlan:")[2] for row in rows}
    assert {"eth:ethertype:vlan", "eth:ethertype:ipv6"} <= {":".join(kind.split(":")[:3]) for kind in inner}
    assert {row[1].split(",")[0] for row in rows if "vxlan" in row[0]} == {"4789", "8472"}
    assert {"1", "0"} <= {row[2] for row in rows}


def test_flows_by_dpkt_and_this_library(capture: tuple[Path, Truth]) -> None:
    """What this library decapsulates, and dpkt reads, are the flows of the truth, and its inner frames are sound."""
    path, truth = capture
    found: dict[str, list[int]] = {}
    with vxlanpkt.open(path) as file:
        for record in file.decap():
            assert not vxlanpkt.parse(record.inner).checksum_errors()
            line, size = flow_line(record.inner, record.vni)
            counts = found.setdefault(line, [0, 0])
            counts[0] += 1
            counts[1] += size
    assert sorted(f"{line} {packets} {size}" for line, (packets, size) in found.items()) == truth.flows


def test_containers_hold_the_same(tmp_path: Path) -> None:
    """pcap and pcapng have the same packets; the same again for the same seed, and a longer one begins with them."""
    truths = [write(tmp_path / name, 500, name, 40) for name in CONTAINERS]
    assert truths[0] == truths[1] == write(tmp_path / "again", 500, "pcap", 40)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "pcap").read_bytes()
    write(tmp_path / "longer", 700, "pcap", 40)
    assert (tmp_path / "longer").read_bytes().startswith((tmp_path / "pcap").read_bytes())
    with vxlanpkt.open(tmp_path / "pcap") as pcap, vxlanpkt.open(tmp_path / "pcapng") as pcapng:
        assert [(one.timestamp_ns, one.data) for one in pcap] == [(one.timestamp_ns, one.data) for one in pcapng]


def test_stamps_are_checksummed() -> None:
    """A stamped template is what building the frame with these values gives, whatever wraps."""
    traffic = Traffic(400)
    number, flow = next(
        (number, flow) for number, flow in enumerate(traffic.flows)
        if flow.inner.protocol == TCP and flow.outer.checksum and not flow.vid
    )  # fmt: skip
    for size in SIZES:
        template = traffic.template(number, size)
        payload = template.frame[len(template.frame) - template.payload :] if template.payload else b""
        for sequence, flags in ((0, 0x02), (0xFFFFFFFF, 0x18), (0x12345678, 0x11)):
            record = bytearray(template.frame)
            template.stamp(record, 0, sequence, flags)
            fields = flow.inner._replace(sequence_number=sequence, flags=flags, payload=payload)
            assert bytes(record) == build_outer(flow.outer, build_inner(fields))


def test_flags() -> None:
    """A SYN opens, its answer acknowledges it, a FIN comes now and then, and what carries much pushes."""
    ask, answer = Traffic(2).flows
    assert (flags_of(ask, 0, 0), flags_of(answer, 0, 0)) == (0x02, 0x12)
    assert (flags_of(ask, 1, 0), flags_of(ask, 1, 1300), flags_of(ask, 500, 0)) == (0x10, 0x18, 0x11)


@each_contender
def test_answers(contender: Contender | Absent) -> None:
    """Everybody who is there finds what is in the capture."""
    if isinstance(contender, Absent):
        pytest.skip(contender.reason)
    check(contender, WORKSHOP, PACKETS)


@pytest.mark.parametrize("source", ["flows", "decap"])
@pytest.mark.parametrize("header", ["mapped.h", "buffered.h"])
def test_bounds_of_c(tmp_path: Path, source: str, header: str) -> None:
    """Captures that break off, and frames cut or with bytes changed, are no trouble for the C programs either."""
    flags = "-fsanitize=address,undefined", "-fno-sanitize-recover=all", f'-DINPUT="{header}"'
    try:
        program = WORKSHOP.program(source, *flags)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no compiler with sanitizers")
    data = bytearray(WORKSHOP.capture(300)[0].read_bytes())
    variables = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # what they hold they hold to the end

    def survives(content: bytes | bytearray) -> None:
        path = tmp_path / "capture"
        path.write_bytes(content)
        subprocess.run([program, path, tmp_path / "out"], check=True, capture_output=True, env=variables)

    for size in (24, 30, 40, 60, 1000, len(data) - 1):
        survives(data[:size])
    for at in (places := list(record_places(bytes(data)))):
        data[at + 16 + 12 + at % 60] ^= 1 << at % 8
    for at in places[::3]:
        data[at + 16 + 40] = 0xFF
    survives(data)


def test_wrong_answers(tmp_path: Path) -> None:
    """A flow that is missing, a byte that is another, a record too few: each is seen."""
    path, truth = WORKSHOP.capture(300)
    answer = tmp_path / "answer"
    answer.write_text("\n".join(truth.flows[1:]))
    with pytest.raises(WrongAnswerError, match="flows"):
        check_flows(answer, truth)
    answer.write_bytes(path.read_bytes())
    with pytest.raises(WrongAnswerError, match="records"):
        check_inner(answer, truth)
    with pytest.raises(WrongAnswerError, match="header"):
        check_inner(WORKSHOP.capture(300, "pcapng")[0], truth)
    check_count(answer, truth)
    answer.write_bytes(PCAP_HEADER)
    with pytest.raises(WrongAnswerError, match="0 records"):
        check_count(answer, truth)


def test_usage() -> None:
    """It is the command's own: what it works and what it takes; and a failure says what the command said."""
    idle, busy = (usage(["python3", "-c", text], {}) for text in ("pass", "a = bytearray(100_000_000); sum(a[:10**7])"))
    assert busy.cpu > idle.cpu
    assert busy.peak - idle.peak > 90_000_000
    with pytest.raises(RuntimeError, match="no such thing"):
        usage(["python3", "-c", "raise SystemExit('no such thing')"], {})


def invented(*, jobs: Iterator[tuple[str, str]] | None = None) -> dict[Key, Measured]:
    """Everybody takes a second, this library half of it."""
    pairs = jobs or ((one.job, one.name) for one in EVERYBODY)
    return {pair: Measured([Usage(0.5 if pair[1] == OURS else 1.0, 64 << 20)] * 7) for pair in pairs}


def test_goals_judge() -> None:
    """Speed has to be enough, cost not too much, and who did not take part is not judged."""
    found = invented(jobs=iter([(FLOWS, OURS), (FLOWS, MAPPED), (FLOWS, LOOP)]))
    measured = {goal.base: goal.measured(found) for goal in goals.GOALS if goal.job == FLOWS}
    assert measured[MAPPED] == 0.5
    assert measured[LOOP] == 2
    assert measured[DPKT] is None
    assert [goal.met(2) for goal in goals.GOALS if (goal.job, goal.base) in ((FLOWS, MAPPED), (FLOWS, LOOP))] == [
        False
    ] * 2
    assert memory.judged({DECAP: {1: 60.0, 10: 70.0}})[0][2:] == ("70", "no")


def test_every_goal_has_its_two() -> None:
    """Each goal is about a job of ours and of another."""
    pairs = {(one.job, one.name) for one in EVERYBODY}
    assert all({(goal.job, OURS), (goal.job, goal.base)} <= pairs for goal in goals.GOALS)


def test_report() -> None:
    """All goals and jobs are in the tables, and every line of a table has as many cells as its head."""
    text = report(invented(), [Absent(FLOWS, "nobody", "invented")], PACKETS, {PARQUET: {1: 60.0, 10: 70.0}})
    assert all(goal.text in text for goal in goals.GOALS)
    assert all(f"### {job}" in text for job in JOBS)
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_race() -> None:
    """A figure a round for each."""
    who = [one for one in EVERYBODY if isinstance(one, Contender) and (one.job == START or one.name == MAPPED)]
    found = race(who, WORKSHOP, 300, 6)
    assert set(found) == {(one.job, one.name) for one in who}
    assert all(len(measured.usages) == 6 and measured.cpu > 0 for measured in found.values())

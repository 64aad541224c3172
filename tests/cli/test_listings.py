"""`vxlanpkt flows` and `vxlanpkt vteps`: what they print for people and for programs, and their exit status."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vxlanpkt
from tests.capture.builders import pcap_header, pcap_record

from .command import call

DATA = Path(__file__).parent.parent / "data"
FLANNEL, CUT = DATA / "flannel_v4.pcap", DATA / "basic_v4_4789.cut_mid_record.pcap"
VERBS: dict[str, Any] = {"flows": vxlanpkt.flows, "vteps": vxlanpkt.vteps}
every_verb = pytest.mark.parametrize("verb", VERBS)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in the root of the tree, where Python finds the package before the installed one, and no C kernel in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)


def run(*arguments: str | Path, status: int = 0, **environment: str) -> str:
    done = call(*arguments, environment=environment)
    assert done.returncode == status, done.stderr
    return done.stdout.decode()


@every_verb
def test_json(verb: str) -> None:
    """All rows, most bytes first, and what `info` counts; or fewer."""
    found = json.loads(run(verb, "-r", FLANNEL, "--json"))
    table = VERBS[verb](FLANNEL)
    assert found[verb] == json.loads(json.dumps(table.top(len(table)).to_dicts()))
    assert found["error"] is None
    assert {name: found[name] for name in table.stats.as_dict()} == table.stats.as_dict()
    few = json.loads(run(verb, "-r", FLANNEL, "--json", "--top", "2"))
    assert (len(few[verb]), few["rows"]) == (2, len(table))


@every_verb
def test_csv(verb: str) -> None:
    """The same as lines; what is not there is empty, and lists are apart by spaces."""
    rows = list(csv.DictReader(run(verb, "-r", FLANNEL, "--csv", "--sort", "first").splitlines()))
    table = VERBS[verb](FLANNEL)
    for row, wanted in zip(rows, table.top(len(table), by="first").to_dicts(), strict=True):
        listed = {
            name: " ".join(map(str, value)) if isinstance(value, tuple) else value for name, value in wanted.items()
        }
        assert row == {name: "" if value is None else str(value) for name, value in listed.items()}


def test_arp_in_csv() -> None:
    """Addresses that are not there."""
    rows = csv.DictReader(run("flows", "-r", DATA / "bum_headend_v4.pcapng", "--csv").splitlines())
    assert [(row["src"], row["dst"]) for row in rows if row["ethertype"] == "2054"] == [("", "")]


def test_table_of_flows() -> None:
    """Addresses with ports, sizes with units, times as ISO 8601 has them, flags by their initials."""
    lines = run("flows", "-r", FLANNEL, "--top", "2").splitlines()
    assert " ".join(lines[0].split()) == "VNI source destination protocol packets bytes duration first TCP flags"
    assert " ".join(lines[1].split()) == (
        "1 10.244.2.5:8000 10.244.1.5:58988 TCP 31 37.4 kB 0.056 s 2026-11-23T15:47:10.118546Z FSPA"
    )
    assert lines[2].split()[:4] == ["1", "10.244.3.5", "10.244.1.5", "ICMP"]
    assert lines[3:] == ["9 flows of 78 packets; 78 of 91 records accepted", "7 more are not shown: --top"]
    assert len({line.index("10.244.1.5") for line in lines[1:3]}) == 1


def test_both_directions() -> None:
    """A row for both, and a column for each."""
    lines = run("flows", "-r", FLANNEL, "--bidirectional", "--sort", "packets").splitlines()
    assert lines[1].split()[:6] == ["1", "10.244.1.5:58988", "10.244.2.5:8000", "TCP", "23", "31"]
    assert re.split("  +", lines[0])[4:] == [
        "packets", "packets back", "bytes", "bytes back", "duration", "first", "TCP flags", "flags back",
    ]  # fmt: skip
    assert lines[-1] == "5 flows of 78 packets; 78 of 91 records accepted"
    assert "[fd42::1]:" in run("flows", "-r", DATA / "basic_v6_4789.pcap", "--bidirectional")


def test_what_is_not_ip() -> None:
    """The EtherType, by its name if it has one."""
    assert " 0x88b5 " in run("flows", "-r", DATA / "odd.pcapng")
    assert " ARP " in run("flows", "-r", DATA / "bum_headend_v4.pcapng")


def test_narrow_terminals() -> None:
    """Columns are left out rather than broken, and a line says which."""
    for verb in VERBS:
        for width in (60, 80, 100):
            lines = run(verb, "-r", FLANNEL, COLUMNS=str(width)).splitlines()
            left = [line for line in lines if line.startswith("no room for: ")]
            assert len(left) == 1, lines
            assert width < 80 or all(len(line) <= width for line in lines)
        assert "no room" not in run(verb, "-r", FLANNEL, COLUMNS="150")


def test_columns_that_are_not_there() -> None:
    """Only columns that have values are said to be left out: others are in no CSV either."""
    one_way = run("flows", FLANNEL, "--top", "2", COLUMNS="80").splitlines()[-1]
    assert one_way == "no room for: TCP flags, first; see --csv"
    both = run("flows", FLANNEL, "--top", "2", "--bidirectional", COLUMNS="80").splitlines()
    assert "no room for: flags back, TCP flags, first, duration; see --csv" in both
    without_tcp = run("flows", FLANNEL, "--filter", "icmp", COLUMNS="80").splitlines()[-1]
    assert without_tcp == "no room for: first; see --csv"


def test_vnis() -> None:
    """The VNIs between two endpoints; and only one of them."""
    text = run("vteps", "-r", FLANNEL)
    assert text.splitlines()[1].split()[:8] == ["172.31.0.2", "172.31.0.1", "36", "39.7", "kB", "37.9", "kB", "1"]
    assert text.splitlines()[-1] == "4 pairs of 78 packets; 78 of 91 records accepted"
    for verb in VERBS:
        assert run(verb, "-r", FLANNEL, "--vni", "2").splitlines()[0].startswith("0 ")


@every_verb
@pytest.mark.parametrize("how", [(), ("--json",), ("--csv",)])
def test_a_broken_file(verb: str, how: tuple[str, ...]) -> None:
    """What was read is printed, and the status is 1."""
    text = run(verb, "-r", CUT, *how, status=1)
    assert "172.31.0.1" in text or "10.42.0.1" in text
    if how == ("--json",):
        found = json.loads(text)
        assert "62492" in found["error"] and found["vxlan"] == sum(row["packets"] for row in found[verb]) == 128


@every_verb
def test_two_formats(verb: str) -> None:
    """Refused before anything is read."""
    done = call(verb, "no such file", "--json", "--csv")
    assert done.returncode == 2 and b"two ways" in done.stderr and b"No such file" not in done.stderr


@every_verb
@pytest.mark.parametrize("number", ["42", "0x2a"])
def test_what_was_chosen(verb: str, number: str) -> None:
    """The summary says how many packets the rows are of, what was chosen, and out of how many records."""
    text = run(verb, "-r", DATA / "basic_v4_4789.pcap", "--vni", number, "--filter", "icmp")
    assert text.splitlines()[-1].partition(" of ")[2] == "13 packets, of VNI 42 and 'icmp'; 129 of 135 records accepted"
    others = run(verb, "-r", DATA / "basic_v4_4789.pcap", "--vni", "5", "--vni", "7").splitlines()
    assert len(others) == 1
    assert others[0].endswith(" of 0 packets, of VNI 5, 7; 0 of 135 records accepted, 129 of other VNIs")


@every_verb
def test_cut_captures(verb: str) -> None:
    """How many packets are there in part; of flows also how many lack addresses or ports for it."""
    text = run(verb, "-r", DATA / "snap96.pcap")
    assert "the capture cut 74 of these packets: bytes are those on the wire" in text
    assert ("20 of them are cut within the inner headers" in text) is (verb == "flows")
    assert "cut" not in run(verb, "-r", FLANNEL)


@every_verb
def test_link_types_that_nobody_knows(verb: str, tmp_path: Path) -> None:
    """Why there is nothing."""
    unknown = tmp_path / "x.pcap"
    unknown.write_bytes(pcap_header(network=105) + pcap_record(bytes(60)))
    assert run(verb, unknown).splitlines()[1:] == ["1 record is of link type 105, which is not understood"]
    elsewhere = run(verb, DATA / "basic_v4_port_odd.pcap").splitlines()
    assert elsewhere[1:] == ["no record is accepted: vxlanpkt info says why"]


def test_tunnels_in_tunnels() -> None:
    """A line says how to look into them, and what it says can be done."""
    source = DATA / "nested_v4.pcap"
    for both in ((), ("--bidirectional",)):
        hint = run("flows", source, "--port", "4789", *both).splitlines()[-1]
        assert hint.startswith("50 packets hold a datagram to a VXLAN port")
    first, second = hint.partition(": ")[2].replace("vxlanpkt ", f"{sys.executable} -I -m vxlanpkt.cli ").split(" | ")
    inner = subprocess.run(["bash", "-c", first], capture_output=True, check=True).stdout
    done = subprocess.run(["bash", "-c", second], input=inner, capture_output=True, check=True).stdout.decode()
    assert "7 flows of 50 packets; 50 of 54 records accepted" in done
    assert "tunnel" not in run("flows", FLANNEL)


@every_verb
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("-r", "no such file"), 2), (("-r", __file__), 1), (("-r", FLANNEL, "--top", "0"), 2),
        (("-r", FLANNEL, "--sort", "colour"), 2), (("-r", FLANNEL, "--json", "--csv"), 2), ((), 2),
    ],
)  # fmt: skip
def test_exit_status(verb: str, arguments: tuple[str | Path, ...], status: int) -> None:
    """2 where the call is wrong, 1 where the file is no capture."""
    run(verb, *arguments, status=status)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (10**18, "1.0 EB"),
     (2 * 10**22, "20000.0 EB")],
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    """Three digits before the point at most, as long as there are units."""
    from vxlanpkt.cli.listings import size

    assert size(count) == text


def test_times() -> None:
    """In UTC, rounded down; what no calendar has is seconds."""
    from vxlanpkt.analysis.words import iso_time
    from vxlanpkt.cli.listings import duration

    assert iso_time(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456Z"
    assert iso_time(-1) == "1969-12-31T23:59:59.999999Z"
    assert iso_time(10**21) == "1000000000000.000000" and iso_time(None) == ""
    assert duration(1_234_567_000_000) == "1,234.567 s" and duration(None) == ""

"""`vxlanpkt explain` as a user runs it: captures, single frames, tables, JSON, and its exit status."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import vxlanpkt
from vxlanpkt import DecapPolicy, Explanation, Reason, Record, Tunnel, explain
from vxlanpkt.capture import Interface, PcapngWriter, PcapWriter
from vxlanpkt.capture.links import start_of

from .command import COMMAND, call

DATA = Path(__file__).parent.parent / "data"
ODD = DATA / "odd.pcapng"
PRESETS = DecapPolicy.presets()
SNAPPED = {name: policy.replace(lengths="snapped") for name, policy in PRESETS.items()}
INNER = bytes.fromhex("020000000002 020000000001 88b5") + bytes(46)
TUNNEL = Tunnel(vni=5000, src="2001:db8::1", dst="2001:db8::2", udp_checksum="zero")
WIRE = TUNNEL.encap(INNER)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in the root of the tree, and with no word of the terminal that the tests run in."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str | Path, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return call("explain", *arguments, given=given, environment=environment)


def said(*arguments: str | Path, **how: Any) -> str:
    done = run(*arguments, **how)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return done.stdout.decode()


def objects(*arguments: str | Path, **how: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said("--json", *arguments, **how).splitlines()]


def records(path: Path) -> list[Record]:
    with vxlanpkt.open(path) as capture:
        return list(capture)


def of_record(record: Record, policies: dict[str, DecapPolicy] = SNAPPED) -> Explanation:
    start = start_of(record.link_type)
    assert start is not None
    return explain(record.frame, policies, start=start, original_length=record.frame_length)


def reasons(path: Path, policies: dict[str, DecapPolicy] = SNAPPED) -> list[tuple[str, ...]]:
    """What each policy says of each record, found one by one."""
    found = []
    for record in records(path):
        found.append(tuple(verdict.reason.name for verdict in of_record(record, policies).values()))
    return found


CAPTURES = ("odd.pcapng", "gbp_v4.pcap", "zerocsum_v6.pcap", "snap96.pcap", "sll2_any.pcap", "merged_2if.pcapng",
            "gpe_external_v4.pcap", "outer_frag_v4.pcap")  # fmt: skip


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("backend", ["auto", "python"])
def test_groups(name: str, backend: str) -> None:
    """Frames of the same verdicts are counted together, on either kernel, whatever their link type."""
    (whole,) = objects("-r", DATA / name, "--all", VXLANPKT_BACKEND=backend)
    wanted = reasons(DATA / name)
    rows = Counter(wanted)
    assert whole["records"] == len(wanted)
    found = {tuple(verdict["reason"] for verdict in group["verdicts"].values()): group for group in whole["groups"]}
    assert {row: group["count"] for row, group in found.items()} == rows
    for row, group in found.items():
        assert group["first"] == [number for number, other in enumerate(wanted, 1) if other == row][:8]
        assert group["vxlan"] == (set(row) != {"NOT_VXLAN"})
    assert [group["count"] for group in whole["groups"]] == sorted(rows.values(), reverse=True)
    assert whole["not_vxlan"] == sum(count for row, count in rows.items() if set(row) == {"NOT_VXLAN"})
    for index, policy in enumerate(PRESETS):
        assert whole["accepted"][policy] == sum(count for row, count in rows.items() if row[index] == "OK")
    assert set(whole["reasons"]) == {reason for row in rows for reason in row} - {"OK"}
    assert whole["error"] is None


@pytest.mark.parametrize("name", CAPTURES)
def test_each(name: str) -> None:
    """A line for each frame, as text and as JSON."""
    wanted = reasons(DATA / name)
    lines = said("-r", DATA / name, "--each", "--all").split("\n\n")[0].splitlines()
    assert lines[0].split() == ["packet", *PRESETS]
    assert [line.split() for line in lines[1:]] == [
        [str(number), *("ok" if reason == "OK" else reason for reason in row)] for number, row in enumerate(wanted, 1)
    ]
    found = objects("-r", DATA / name, "--each", "--all")
    assert [one["number"] for one in found] == list(range(1, len(wanted) + 1))
    assert [tuple(verdict["reason"] for verdict in one["verdicts"].values()) for one in found] == wanted
    assert [one["timestamp_ns"] for one in found] == [record.timestamp_ns for record in records(DATA / name)]


def check_verdicts(found: dict[str, Any], explanation: Explanation) -> None:
    """JSON holds what the library says."""
    assert list(found) == list(explanation)
    for name, verdict in explanation.items():
        one = found[name]
        assert (one["accepted"], one["reason"]) == (verdict.accepted, verdict.reason.name)
        assert one["message"] == (verdict.text or None)
        assert one["layer"] == (None if verdict.error is None else verdict.error.layer)
        assert one["offset"] == (None if verdict.error is None else verdict.error.offset)
        assert one["changes"] == json.loads(json.dumps(verdict.changes))


def test_one_frame_of_a_capture() -> None:
    """--frame gives the whole sentence; several are given in the order of the capture."""
    found = objects("-r", ODD, "--frame", "35", "--frame", "9")
    assert [one["number"] for one in found] == [9, 35]
    for one in found:
        check_verdicts(one["verdicts"], of_record(records(ODD)[one["number"] - 1]))
    cut = found[1]["verdicts"]["linux"]
    assert (cut["needed"], cut["available"], cut["limited_by"]) == (8, 7, "frame")
    text = said("-r", ODD, "--frame", "9")
    assert text.startswith("#9  2025-01-01 00:00:00.008000000 UTC  110 bytes  gbp-id: group policy fields\n")
    assert "VXLAN at byte 42: a bit is set that has to be zero: bits 0x8000123400000000 of the header" in text
    assert "accepted with gbp=True" in text
    assert "default, rfc7348, linux-gbp" in text


def test_what_helps_fragments() -> None:
    """The parameter that lets whole IPv6 packets pass is named where there is one, and not for IPv4."""
    ipv4, whole = DATA / "outer_frag_v4.pcap", records(ODD)[27]
    for how in ((), ("--each",)):
        text = said("-r", ipv4, *how)
        assert "the receiver's IP puts fragments together before VXLAN, and here each is judged by itself" in text
        assert "atomic" not in text
    (counts,) = objects("-r", ipv4)
    assert counts["reasons"]["FRAGMENT"]["parameters"] == []
    with PcapWriter("both.pcap", Interface(1)) as writer:
        for record in (records(ipv4)[12], whole):
            writer.write(record)
    (counts,) = objects("-r", "both.pcap", "--policy", "vpp")
    assert (counts["groups"][0]["count"], counts["reasons"]["FRAGMENT"]["parameters"]) == (2, ["fragments"])
    assert "DecapPolicy(fragments='atomic') for whole packets with an IPv6 fragment header: the" in said("both.pcap")
    # These two let whole packets pass already.
    assert "atomic" not in said("both.pcap", "--policy", "linux", "--policy", "ovs")


def test_the_table() -> None:
    """Names of reasons where they have room, numbers where not; each is explained below."""
    wide, narrow = said("-r", ODD), said("-r", ODD, COLUMNS="80")
    assert wide.splitlines()[0].split() == ["packets", "first", *PRESETS]
    assert narrow.splitlines()[0].split() == ["packets", "first", *PRESETS]
    assert max(map(len, narrow.splitlines())) <= 80
    assert "4 30" not in wide
    for reason in ("VXLAN_RESERVED", "GPE_P_FLAG", "UDP_CHECKSUM_ZERO"):
        assert wide.count(reason) > 1
        assert narrow.count(reason) == 1
        assert f"{int(Reason[reason])}  {reason}" in narrow
    assert "DecapPolicy(zero_checksum6=True): Linux: a device with udp6zerocsumrx accepts it" in wide
    for text in (wide, narrow):
        assert "42 packets; accepted by default 31, rfc7348 29," in text
        assert "2 not listed" in text
        assert all(line == line.rstrip() for line in text.splitlines())
        assert "\x1b" not in text


def test_narrow_terminal() -> None:
    """Where the names of the policies have no room, each has a line of its own, and nothing is cut off."""
    for columns in ("40", "48", "60"):
        text = said("-r", ODD, COLUMNS=columns)
        assert "42 packets" in text
        assert max(map(len, text.splitlines())) <= int(columns)
        lines = text.splitlines()
        assert lines[0] == "5 packets: 1 2 3 24 42"
        verdicts = ["ok", "ok", "ok", "ok", "ok", "GPE_P_FLAG", "ok", "ok"]
        assert [line.split() for line in lines[1:9]] == [list(pair) for pair in zip(PRESETS, verdicts, strict=True)]


@pytest.mark.parametrize(("environment", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_colour(environment: dict[str, str], coloured: bool) -> None:
    """No escapes in a pipe, unless somebody asks for them; none with NO_COLOR."""
    assert ("\x1b[3" in said("-r", ODD, **environment)) is coloured
    assert "\x1b[3" not in said("-r", ODD, NO_COLOR="1", **environment)


def test_what_is_listed() -> None:
    """--all lists what is no VXLAN, --only-differing leaves out what all agree on."""
    (usual,), (everything,), (differing,) = (
        objects("-r", ODD), objects("-r", ODD, "--all"), objects("-r", ODD, "--only-differing")
    )  # fmt: skip
    assert len(everything["groups"]) == len(usual["groups"]) + 1
    assert "NOT_VXLAN" not in usual["reasons"]
    assert 0 < len(differing["groups"]) < len(usual["groups"])
    assert differing["accepted"] == usual["accepted"] == everything["accepted"]
    for group in usual["groups"]:
        says = {verdict["accepted"] for verdict in group["verdicts"].values() if verdict["reason"] != "GPE_P_FLAG"}
        assert (group in differing["groups"]) == group["disagree"] == (len(says) == 2)
    each = objects("-r", ODD, "--only-differing", "--each")
    assert len(each) == sum(group["count"] for group in differing["groups"])


def test_policies() -> None:
    """--policy picks some, in the order given; --port, --vni and --lengths hold for all of them."""
    (found,) = objects("-r", ODD, "--policy", "vpp", "--policy", "linux")
    assert list(found["accepted"]) == ["vpp", "linux"]
    (found,) = objects("-r", ODD, "--policy", "default", "--vni", "1")
    assert found["accepted"] == {"default": 0}
    assert found["reasons"]["VNI_REFUSED"]["parameters"] == ["vnis"]
    (found,) = objects("-r", DATA / "basic_v4_port_odd.pcap", "--port", "51820")
    assert found["accepted"]["linux"] > 0
    assert objects("-r", DATA / "basic_v4_port_odd.pcap")[0]["accepted"]["linux"] == 0
    (strict,) = objects("-r", DATA / "snap96.pcap", "--policy", "default", "--lengths", "strict")
    assert strict["reasons"]["CAPTURE_CUT"]["parameters"] == ["lengths"]


def test_policies_that_were_chosen() -> None:
    """The one for GPE alone counts where it is named; what is left out is counted; names are as Python writes them."""
    source = DATA / "gbp_v4.pcap"
    pair = ("--policy", "LINUX", "--policy", "Linux_GPE", "--only-differing")
    (found,) = objects("-r", source, *pair)
    assert list(found["accepted"]) == ["linux", "linux-gpe"]
    assert sum(group["count"] for group in found["groups"]) == 46
    text = said("-r", source, *pair)
    assert "16 not listed, as the policies agree on them" in text
    assert "3 not listed, as they are VXLAN to no policy" in text
    assert "19 not listed, as the policies agree on them" in said("-r", source, *pair, "--all")


def test_no_vxlan() -> None:
    """The commonest ports are named if a capture has no VXLAN; single frames have a hint if they are datagrams."""
    source = DATA / "basic_v4_port_odd.pcap"
    assert "UDP destination ports are 51820 (30)" in said("-r", source)
    assert "commonest" not in said("-r", ODD)
    assert "--port N: of a UDP datagram" in said("-r", source, "--all")
    arp = "ffffffffffff 020000000001 0806" + "00" * 28
    assert "carries VXLAN" not in said("--hex", arp)
    assert "carries VXLAN" in said("--hex", TUNNEL.replace(dst_port=999).encap(INNER).hex())


def test_cut_frames_are_counted() -> None:
    """What is accepted by its lengths alone has a line."""
    (found,) = objects("-r", DATA / "snap96.pcap")
    assert found["cut"] == 74
    assert "74 accepted though the capture cut them" in said("-r", DATA / "snap96.pcap")
    assert objects("-r", ODD)[0]["cut"] == 0


def test_ip_taken_for_ethernet() -> None:
    """tcpdump -x leaves the link layer out."""
    plain = Tunnel(vni=5, src="192.0.2.1", dst="192.0.2.2").encap(INNER)
    for frame in (WIRE, plain):
        assert "--link-type raw" in said("--hex", frame[14:].hex())
        assert "--link-type raw" not in said("--hex", frame.hex())
        assert "--link-type raw" not in said("--hex", frame[14:].hex(), "--link-type", "raw")


def test_a_part() -> None:
    """-c stops after so many."""
    assert objects("-r", ODD, "-c", "5")[0]["records"] == 5
    assert len(objects("-r", ODD, "-c", "5", "--each")) == 5


@pytest.mark.parametrize("each", [(), ("--each",)])
def test_pipe(each: tuple[str, ...]) -> None:
    """Standard input, plain and compressed."""
    data = ODD.read_bytes()
    wanted = said("-r", ODD, *each)
    assert said("-r", "-", *each, given=data) == wanted
    assert said("-r", "-", *each, given=gzip.compress(data)) == wanted


def test_zstd(tmp_path: Path) -> None:
    with PcapWriter(tmp_path / "x.pcap.zst", Interface(1)) as writer:
        writer.write(Record(timestamp_ns=0, data=WIRE, original_length=len(WIRE)))
    assert objects("-r", tmp_path / "x.pcap.zst")[0]["accepted"]["ovs"] == 1


def test_live_pipe() -> None:
    """With --each, a frame of a pipe is said something of when it is there."""
    data = (DATA / "gbp_v4.pcap").read_bytes()
    first = 24 + 16 + int.from_bytes(data[32:36], "little")
    command = [*COMMAND, "explain", "-r", "-", "--each", "--all"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(data[:first])
        child.stdin.flush()
        assert child.stdout.readline().startswith(b"packet")
        assert child.stdout.readline().startswith(b"1 ")
        child.stdin.close()
        assert b"1 packets" in child.stdout.read()
        assert child.wait(30) == 0


def test_empty_capture(tmp_path: Path) -> None:
    """No frames are no fault."""
    with PcapWriter(tmp_path / "empty.pcap", Interface(1)):
        pass
    assert said("-r", tmp_path / "empty.pcap").startswith("0 packets; accepted by default 0,")
    assert objects("-r", tmp_path / "empty.pcap")[0]["groups"] == []
    assert objects("-r", tmp_path / "empty.pcap", "--each") == []
    assert run("-r", tmp_path / "empty.pcap", "--frame", "1").returncode == 2


@pytest.mark.parametrize("arguments", [(), ("--each",)])
def test_cut_capture(arguments: tuple[str, ...]) -> None:
    """What could be read is explained; then the fault, and status 1."""
    source = DATA / "basic_v4_4789.cut_mid_record.pcap"
    done = run("-r", source, *arguments)
    assert done.returncode == 1
    assert str(source).encode() in done.stderr
    assert b"134 packets" in done.stdout
    done = run("-r", source, "--json", "--all", *arguments)
    assert done.returncode == 1
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["error"] if not arguments else last["number"] == 134


def test_frame_behind_a_cut() -> None:
    """A frame that is there is explained although the file is cut behind it; one that is not is the file's fault."""
    source = DATA / "basic_v4_4789.cut_mid_record.pcap"
    assert run("-r", source, "--frame", "134").returncode == 0
    assert run("-r", source, "--frame", "135").returncode == 1


def test_link_types(tmp_path: Path) -> None:
    """Each record is judged by what its own interface says that it begins with; of an unknown one nothing is known."""
    path = tmp_path / "mixed.pcapng"
    interfaces = [Interface(1), Interface(101), Interface(147), Interface(229)]
    frames = (WIRE, WIRE[14:], WIRE, WIRE[14:], b"")
    with PcapngWriter(path, interfaces) as writer:
        for index, (number, frame) in enumerate(zip((0, 1, 2, 3, 0), frames, strict=True)):
            writer.write(Record(index, frame, len(frame), interface=number, link_type=interfaces[number].link_type))
    (whole,) = objects("-r", path)
    assert whole["records"] == 5
    assert whole["not_vxlan"] == 1
    assert whole["unsupported_link_types"] == {"147": 1}
    assert [(group["count"], group["first"]) for group in whole["groups"]] == [(3, [1, 2, 4]), (1, [5])]
    assert "1 of link type 147, which is not understood" in said("-r", path)
    each = said("-r", path, "--each", "--all").splitlines()
    assert each[3].split(maxsplit=1) == ["3", "link type 147 is not understood"]
    assert objects("-r", path, "--each", "--all")[2]["verdicts"] is None
    assert "link type 147 is not understood" in said("-r", path, "--frame", "3")
    assert objects("-r", path, "--frame", "3")[0]["verdicts"] is None


@pytest.mark.parametrize(
    ("frame", "link_type"),
    [(WIRE, None), (WIRE, "ethernet"), (WIRE[14:], "raw"), (WIRE[14:], "ipv6"), (WIRE[62:], "vxlan")],
)
def test_hex(frame: bytes, link_type: str | None) -> None:
    """One frame on the command line, or on standard input, in full."""
    options = () if link_type is None else ("--link-type", link_type)
    (found,) = objects("--hex", frame.hex(), *options)
    starts: dict[str | None, Any] = {None: 1, "ethernet": 1, "raw": 101, "ipv6": 229, "vxlan": vxlanpkt.VXLAN}
    check_verdicts(found["verdicts"], explain(frame, SNAPPED, start=starts[link_type]))
    assert (found["number"], found["timestamp_ns"]) == (1, None)
    assert found["link_type"] == (None if link_type == "vxlan" else starts[link_type])
    assert objects("--hex", "-", *options, given=frame.hex(":").encode()) == [found]
    text = said("--hex", frame.hex(" "), *options)
    assert text.startswith(f"{len(frame)} bytes\n")
    if link_type != "vxlan":
        assert "accepted with zero_checksum6=True" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "-r FILE or --hex"),
        (("-r", ODD, "--hex", "00"), "-r FILE or --hex"),
        (("--hex", "xyz"), "'xyz' is not hexadecimal"),
        (("--hex", "020"), "3 digits"),
        (("--hex", ""), "no bytes"),
        (("--hex", "00", "--each"), "--hex is one frame"),
        (("--hex", "00", "--frame", "1"), "--hex is one frame"),
        (("--hex", "00", "-c", "1"), "-c is for"),
        (("--hex", "00", "--all"), "--all is for"),
        (("--hex", "00", "--only-differing"), "--only-differing is for"),
        (("-r", ODD, "--frame", "1", "--each"), "--each is for"),
        (("-r", ODD, "--frame", "1", "-c", "1"), "-c is for"),
        (("-r", ODD, "--frame", "1", "--all"), "--all is for"),
        (("-r", ODD, "--frame", "1", "--only-differing"), "--only-differing is for"),
        (("-r", ODD, "--policy", "linux", "--only-differing"), "one policy alone"),
        (("-r", ODD, "--link-type", "raw"), "--link-type"),
        (("-r", ODD, "--frame", "43"), "there is no packet 43: the capture has 42"),
        (("-r", ODD, "--frame", "0"), "--frame"),
        (("-r", ODD, "--policy", "nonsense"), "--policy"),
        (("-r", "no such file"), "no such file"),
    ],
)
def test_wrong_calls(arguments: tuple[str | Path, ...], says: str) -> None:
    """Status 2, and a line that says why."""
    done = run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_the_odd_capture() -> None:
    """It holds what the list of odd inputs has under the names in its comments."""
    lines = (DATA / "odd_inputs.jsonl").read_text("ascii").splitlines()
    frames = {one["name"]: (one["why"], bytes.fromhex(one["frame"])) for one in map(json.loads, lines)}
    found = records(ODD)
    assert len(found) == 42
    for record in found:
        assert record.comment is not None
        name, why = record.comment.split(": ", 1)
        assert (why, record.data) == frames[name]


def test_no_capture() -> None:
    """A file that is none leaves nothing to explain."""
    done = run("-r", __file__)
    assert done.returncode == 1
    assert done.stdout == b""

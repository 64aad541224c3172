"""How verbs are called: where the capture is named, numbers, and errors in the words of the command line."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from .command import COMMAND, call

DATA = Path(__file__).parent.parent / "data"
FLANNEL, GPE = DATA / "flannel_v4.pcap", DATA / "gpe_external_v4.pcap"
VERBS = {
    "info": (), "show": (), "explain": (), "flows": (), "vteps": (), "report": ("-w", "-"), "decap": ("-w", "-"),
    "encap": ("-w", "-", "--vni", "7", "--src", "::1", "--dst", "::2"), "export": ("-w", "-", "--format", "csv"),
}  # fmt: skip
OF_SEVERAL = ("info", "flows", "vteps", "export")
ENDS = ("--vni", "0x7", "--src", "192.0.2.1", "--dst", "192.0.2.2")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in the root of the tree, where Python finds the package before the installed one, and no C kernel in it."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str | Path, status: int = 0, given: bytes = b"") -> tuple[bytes, str]:
    done = call(*arguments, given=given)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr.decode()


def piped_through(*arguments: str, given: bytes) -> bytes:
    """By way of a program of its own, in which no other verb has run before.

    readline, which pytest imports, puts COLUMNS where only C sees it: `env` leaves it out.
    """
    done = subprocess.run(
        [*COMMAND, *arguments], input=given, capture_output=True, timeout=60, check=True, env=os.environ
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_the_capture(verb: str) -> None:
    """Alone, or behind -r, or a pipe: it is the same; twice or not at all is a wrong call."""
    rest = VERBS[verb]
    named, _ = run(verb, "-r", FLANNEL, *rest)
    alone, _ = run(verb, FLANNEL, *rest)
    piped = piped_through(verb, *rest, "-", given=FLANNEL.read_bytes())
    if verb != "report":  # which says when it was made, and of what
        assert named == alone == piped
    assert named
    if verb not in OF_SEVERAL:
        assert "one capture is read" in run(verb, FLANNEL, "-r", FLANNEL, *rest, status=2)[1]
    assert "-r FILE" in run(verb, *rest, status=2)[1]
    assert "no such file" in run(verb, "no such file", *rest, status=2)[1]


def test_numbers() -> None:
    """A VNI may be hexadecimal."""
    assert run("flows", FLANNEL, "--vni", "0x1") == run("flows", FLANNEL, "--vni", "1")
    for wrong in ("0x", "0x1000000", "-1", "0xg", "one"):
        assert "--vni" in run("flows", FLANNEL, "--vni", wrong, status=2)[1]
    assert "--vni" in run("encap", FLANNEL, "-w", "x.pcap", *ENDS[2:], "--vni", "16777216", status=2)[1]


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (("decap", GPE, "-w", "x.pcap", "--gpe"), "write pcapng, or choose --inner-link\n", 1),
        (("decap", FLANNEL, "-w", "-", "--split-by", "vni"), "--split-by: there is one standard output", 2),
        (("decap", FLANNEL, "-w", "x.pcap", "--depth", "0"), "Error: --depth: 0 is not", 2),
        (
            ("encap", FLANNEL, "-w", "x.pcap", *ENDS, "--dst", "::1"),
            "Error: --dst: ::1 is not an IPv4 address, as src",
            2,
        ),
        (("encap", FLANNEL, "-w", "x.pcap", *ENDS, "--src-mac", "3"), "Error: --src-mac: '3' is not", 2),
        (("encap", FLANNEL, "-w", "x.pcap", *ENDS, "--port", "70000"), "Error: --port: 70000 is not", 2),
        (("encap", FLANNEL, "-w", "x.pcap", *ENDS, "--vlan", "9999"), "Error: ", 2),
        (("export", FLANNEL, "-w", "x.pcap"), "Error: --format: '.pcap' is not", 2),
        (("export", FLANNEL, "-w", "x.csv", "--columns", "a"), "Error: --columns: 'a' is not a column", 2),
    ],
)
def test_errors(arguments: tuple[str | Path, ...], said: str, status: int) -> None:
    """No keyword of Python, and no object of it."""
    told = run(*arguments, status=status)[1]
    assert said in told
    assert not re.search(r"\b(Tunnel|\w+Address|inner_link|split_by|src_mac|dst_port|Traceback)\b", told)
    assert list(Path().iterdir()) == []


def test_help_of_export() -> None:
    """All formats that there are."""
    told = run("export", "--help")[0].decode()
    for suffix in (".parquet", ".arrow", ".feather", ".csv", ".csv.gz", ".csv.zst"):
        assert suffix in told


@pytest.mark.parametrize(
    ("option", "number"),
    [
        ("--depth", "9" * 5000), ("--depth", "0x" + "f" * 5000), ("--vni", "0x" + "f" * 5000), ("--port", "9" * 5000),
    ],
    ids=["depth", "depth-hex", "vni-hex", "port"],
)  # fmt: skip
def test_endless_numbers(option: str, number: str) -> None:
    """Numbers with more digits than Python reads or writes are wrong calls as others are."""
    assert option in run("decap", FLANNEL, "-w", "out.pcap", option, number, status=2)[1]


@pytest.mark.parametrize("option", ["--vni", "--ttl", "--dscp", "--flow-label", "--group-policy", "--vlan", "--port"])
@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000], ids=["decimal", "hexadecimal"])
def test_endless_fields(option: str, number: str) -> None:
    assert option in run("encap", FLANNEL, "-w", "out.pcap", *ENDS, option, number, status=2)[1]

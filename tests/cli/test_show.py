"""`vxlanpkt show`: which records it shows, and what it says of their lengths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.capture.builders import enhanced, interface, section
from vxlanpkt import Tunnel

from .command import call

WIRE = Tunnel(vni=5, src="192.0.2.1", dst="192.0.2.2").encap(bytes(12) + b"\x88\xb5" + bytes(46))


@pytest.fixture(autouse=True)
def mixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Records of a link type that nobody knows, and of Ethernet, in a file named `mixed`."""
    monkeypatch.chdir(tmp_path)
    blocks = [enhanced(WIRE, index=index) for index in (0, 1, 0, 1, 0)]
    Path("mixed").write_bytes(b"".join((section(), interface(105), interface(1), *blocks)))


def run(*arguments: str) -> tuple[str, str]:
    done = call("show", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode(), done.stderr.decode()


def numbers(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if line.startswith("#")]


def test_unknown_link_types() -> None:
    """They are shown and counted, and left out where something is chosen."""
    assert numbers(run("mixed")[0]) == ["#1", "#2", "#3", "#4", "#5"]
    assert numbers(run("mixed", "-c", "3")[0]) == ["#1", "#2", "#3"]
    assert numbers(run("mixed", "--vni", "0x5")[0]) == ["#2", "#4"]
    assert numbers(run("mixed", "--filter", "not tcp", "-c", "1")[0]) == ["#2"]
    assert numbers(run("mixed", "--vni", "6")[0]) == []


def test_named_packets() -> None:
    """--frame shows packets by their numbers, in the order of the capture; it goes with nothing that chooses them."""
    assert numbers(run("mixed", "--frame", "4", "--frame", "2")[0]) == ["#2", "#4"]
    assert numbers(run("mixed", "--frame", "3")[0]) == ["#3"]
    out, told = run("mixed", "--frame", "1", "--frame", "2", "--json")
    assert [json.loads(line)["number"] for line in out.splitlines()] == [2]
    assert numbers(told) == ["#1"]
    for arguments, why in (
        (("--frame", "6"), "--frame: there is no packet 6: the capture has 5"),
        (("--frame", "2", "-c", "1"), "-c: --frame names the packets"),
        (("--frame", "2", "--vni", "5"), "--vni: --frame names the packets"),
        (("--frame", "2", "--filter", "udp"), "--filter: --frame names the packets"),
    ):
        done = call("show", "mixed", *arguments)
        assert (done.returncode, done.stderr.decode().splitlines()[-1]) == (2, f"Error: {why}")


def test_unknown_link_types_in_json() -> None:
    """Standard output has what can be dissected, standard error the rest; -c counts both."""
    out, told = run("mixed", "--json", "-c", "3")
    assert [json.loads(line)["number"] for line in out.splitlines()] == [2]
    assert numbers(told) == ["#1", "#3"]
    assert run("mixed", "--json", "--vni", "5")[1] == ""


@pytest.mark.parametrize(
    ("original", "said"),
    [(len(WIRE), "110 bytes"), (2000, "110 of 2000 bytes"), (10, "110 bytes, though the record says 10")],
)
def test_lengths(original: int, said: str) -> None:
    """A record whose length on the wire is below what is there is odd, and not cut."""
    Path("odd").write_bytes(section() + interface(1) + enhanced(WIRE, original=original))
    assert run("odd")[0].splitlines()[0].endswith(f"  {said}")

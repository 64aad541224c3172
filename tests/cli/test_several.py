"""Verbs of several captures: named one by one or by a pattern, by one process or several; the broken ones are named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .command import call

DATA = Path(__file__).parent.parent / "data"
NAMES = ("basic_v4_4789.pcap", "flannel_v4.pcapng", "nested_v4.pcap", "snap96.pcap")
every_verb = pytest.mark.parametrize("verb", ["info", "flows", "vteps"])


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Some captures, in a directory of their own."""
    (tmp_path / "dir").mkdir()
    for name in NAMES:
        shutil.copy(DATA / name, tmp_path / "dir")
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, status: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-I", "-m", "vxlanpkt.cli", *arguments], capture_output=True, timeout=60, check=False,
        encoding="utf-8", env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


@every_verb
def test_one_by_one_or_by_a_pattern(verb: str) -> None:
    """The same, whoever knows the names: the shell, or the verb; and with more processes."""
    files = [f"dir/{name}" for name in NAMES]
    named, _ = run(verb, *files)
    assert run(verb, "-r", files[0], *files[1:])[0] == named
    assert run(verb, *(word for name in files for word in ("-r", name)))[0] == named
    assert run(verb, "-r", "dir/*.pcap*")[0] == named
    assert run(verb, "dir/*", "--jobs", "2")[0] == named
    assert "vxlanpkt decap -r FILE" in named or verb == "vteps"


@every_verb
def test_broken_ones(verb: str) -> None:
    """All else is counted; the status is 1, and the error names them once."""
    shutil.copy(DATA / "basic_v4_4789.cut_mid_record.pcap", "dir/cut.pcap")
    Path("dir/README").write_text("what is no capture")
    said = "vxlanpkt: dir/README: neither pcap nor pcapng: the file starts with 0x77686174; 1 other file is broken: "
    for more in ((), ("--jobs", "2")):
        out, error = run(verb, "dir/*", "--json", *more, status=1)
        assert error == f"{said}dir/cut.pcap\n"
        assert json.loads(out)["error"] == error.removeprefix("vxlanpkt: ").rstrip()
        assert json.loads(out)["records"] > 134
    assert "no file matches" in run(verb, "dir/*.none", status=2)[1]
    assert "one process only" in run(verb, "-", "--jobs", "2", status=2)[1]
    assert "--jobs" in run(verb, "-", "--jobs", "0", status=2)[1]


def test_exports() -> None:
    """Rows of all files, with their names if these are asked for; and no file is written over."""
    run("export", "dir/*", "-w", "one.csv", "--columns", "file,record,vni")
    said, _ = run("export", "dir/*", "-w", "two.csv", "--columns", "file,record,vni", "--jobs", "2")
    assert "rows written to two.csv" in said
    assert Path("one.csv").read_text() == Path("two.csv").read_text()
    assert Path("one.csv").read_text().splitlines()[1] == '"dir/basic_v4_4789.pcap",1,'
    before = Path("dir/snap96.pcap").read_bytes()
    assert "the same file" in run("export", "dir/*", "-w", "dir/snap96.pcap", "--format", "csv", status=2)[1]
    assert Path("dir/snap96.pcap").read_bytes() == before


def test_nothing_accepted() -> None:
    """The UDP ports that are met are those of the first records, in whatever number of processes."""
    one = run("info", "dir/*", "--port", "1")[0]
    assert "the commonest UDP destination ports are" in one
    assert run("info", "dir/*", "--port", "1", "--jobs", "2")[0] == one


@pytest.mark.parametrize("arguments", [["info", "dir/*"], ["flows", "dir/*"], ["info", "dir/\x1b]0;own\x07.pcap"],
                                       ["decap", "-r", "dir/none\x1b[31m", "-w", "out.pcap"],
                                       ["decap", "-r", "dir/none", "-w", "dir/none/\x1b[2J"],
                                       ["flows", "dir/snap96.pcap", "--filter", "vni \x1b[2J"]])  # fmt: skip
def test_names_do_not_talk_to_the_terminal(arguments: list[str]) -> None:
    """Whoever puts files into a directory says what a pattern finds."""
    Path("dir/\x1b]0;own\x07.pcap").write_bytes(b"rubbish")
    done = call(*arguments)
    assert done.returncode
    for line in (done.stdout + done.stderr).decode().splitlines():
        assert line.isprintable(), line

"""`vxlanpkt export` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import polars as pl
import pytest

from .command import call

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is written is not written into the tree."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str | Path, given: bytes = b"") -> CompletedProcess[bytes]:
    return call("export", *arguments, given=given)


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "csv"])
def test_formats(suffix: str, tmp_path: Path) -> None:
    """By the name of the file."""
    target = tmp_path / f"out.{suffix}"
    done = run("-r", DATA / "flannel_v4.pcap", "-w", target, "--columns", "vni,inner_src")
    assert (done.returncode, done.stdout.decode()) == (0, f"91 rows written to {target}\n")
    readers = {"parquet": pl.read_parquet, "arrow": pl.read_ipc, "csv": pl.read_csv}
    frame = readers[suffix](target)
    assert (frame.columns, frame.filter(pl.col("vni") == 1).height) == (["vni", "inner_src"], 78)


def test_rich_is_not_loaded() -> None:
    """What draws progress is loaded where there is a terminal."""
    program = "import sys, vxlanpkt.cli.app, vxlanpkt.cli.exporting; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_pipe_on_both_sides() -> None:
    """The format is said, and what else there is to say goes to standard error."""
    data = (DATA / "gbp_v4.pcap").read_bytes()
    done = run("-r", "-", "-w", "-", "--format", "csv", "--vni", "42", "--names", "zeek", given=data)
    assert done.returncode == 0
    frame = pl.read_csv(done.stdout)
    assert "id.orig_h" in frame.columns
    assert set(frame["vni"]) == {42}
    assert done.stderr.decode() == f"{frame.height} rows written to standard output\n"


def test_a_broken_file(tmp_path: Path) -> None:
    """Exit status 1, and the rows before the fault."""
    done = run("-r", DATA / "basic_v4_4789.cut_mid_record.pcap", "-w", "out.parquet", "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert (said["written"], said["records"], said["files"]) == (134, 134, ["out.parquet"])
    assert "is cut" in said["error"]
    assert pl.read_parquet(tmp_path / "out.parquet").height == 134
    (tmp_path / "none.pcap").write_bytes(b"nothing of the kind")
    done = run("-r", "none.pcap", "-w", "none.parquet")
    assert done.returncode == 1
    assert b"neither pcap nor pcapng" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["none.pcap", "out.parquet"]


@pytest.mark.parametrize(
    "arguments",
    [("-w", "out.pcap"), ("-w", "out.csv", "--columns", "vni,nothing"), ("-w", "-"), ("-w", "out.csv", "--names", "x")],
)
def test_wrong_calls(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Exit status 2, and no file."""
    assert run("-r", DATA / "gbp_v4.pcap", *arguments).returncode == 2
    assert not list(tmp_path.iterdir())


def test_a_filter() -> None:
    """The expressions that all verbs take."""
    done = run("-r", DATA / "flannel_v4.pcap", "-w", "-", "--format", "csv", "--filter", "src host 10.244.1.5")
    frame = pl.read_csv(done.stdout)
    assert (frame.height, set(frame["inner_src"])) == (33, {"10.244.1.5"})


def test_the_options_of_policies() -> None:
    """Ports and extensions, as for every verb."""
    done = run("-r", DATA / "gpe_external_v4.pcap", "-w", "-", "--format", "csv", "--gpe", "--columns", "reason,vni")
    accepted = [line for line in done.stdout.decode().splitlines() if line.startswith('"OK"')]
    assert done.returncode == 0
    assert accepted


def test_other_pythons() -> None:
    """Where there is no ctypes.pythonapi, as in PyPy, a line says why there are no tables; the rest is there."""
    code = (
        "import ctypes, sys; del ctypes.pythonapi; sys.implementation.name = 'pypy'; sys.argv[1:] = {}\n"
        "from vxlanpkt.cli import main; main()"
    )
    why = "vxlanpkt: tables are handed out in capsules of CPython, and this is pypy\n"
    source = str(DATA / "flannel_v4.pcap")
    for arguments, status, told in (
        (["export", source, "-w", "out.csv"], 2, why),
        (["export", "--help"], 0, ""),
        (["--help"], 0, ""),
        (["flows", source], 0, ""),
    ):
        command = [sys.executable, "-I", "-c", code.format(arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (status, told)
    assert not Path("out.csv").exists()

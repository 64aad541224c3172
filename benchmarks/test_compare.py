"""The comparison of two versions: its jobs do what they say, and a version that does a job twice is told of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import vxlanpkt
from benchmarks.compare import __main__ as command
from benchmarks.compare import versions
from benchmarks.compare.jobs import FRAMES, jobs, write_capture
from benchmarks.compare.racing import Compared, compare
from benchmarks.compare.versions import ROOT, Version
from benchmarks.frames import frames
from benchmarks.timing import Ratio

TWICE = """
import vxlanpkt
once = vxlanpkt.flows
vxlanpkt.flows = lambda path: (once(path), once(path))
"""


def test_jobs(tmp_path: Path) -> None:
    """All frames are VXLAN, and those that go in come out."""
    write_capture(tmp_path / "frames.pcap")
    functions: dict[str, Any] = jobs(tmp_path / "frames.pcap", tmp_path / "inner.pcap")
    for function in functions.values():
        function()
    with vxlanpkt.open(tmp_path / "inner.pcap") as capture:
        assert [record.data for record in capture] == [frame.inner for frame in frames(FRAMES)]
    assert functions["decap_batch"]().counts() == {vxlanpkt.Reason.OK: FRAMES}
    assert functions["encap_batch"]().counts() == {vxlanpkt.Reason.OK: FRAMES}
    assert sum(flow.packets for flow in functions["flows"]()) == FRAMES


def test_what_is_slower_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that counts flows twice: by far, whatever the machine does, and no other job is."""
    (tmp_path / "sitecustomize.py").write_text(TWICE)
    path, changed = str(ROOT), os.pathsep.join((str(tmp_path), str(ROOT)))
    versions.FOLDER.mkdir(parents=True, exist_ok=True)
    before = Version("before", {**os.environ, "PYTHONPATH": path})
    after = Version("after", {**os.environ, "PYTHONPATH": changed})
    found = {one.job: one for one in compare(before, after, pairs=6, turns=3)}
    assert found["flows"].speed.high < 0.75
    assert all(one.speed.high > 0.75 for one in found.values() if one.job != "flows")


@pytest.mark.parametrize(("high", "share", "status"), [(0.94, "0.05", 1), (0.96, "0.05", 0), (0.96, "0.03", 1)])
def test_verdict(
    high: float, share: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It fails where all of the interval is beyond the share, and says which job it is."""
    version = Version("a version", {})
    monkeypatch.setattr(command, "of_commit", lambda commit: version)
    monkeypatch.setattr(command, "of_this_tree", lambda: version)
    monkeypatch.setattr(command, "compare", lambda *_: [Compared("flows", 1000.0, 2000.0, Ratio(0.9, 0.8, high))])
    monkeypatch.setattr("sys.argv", ["compare", "main", "--share", share, "--no-instructions"])
    assert command.main() == status
    said = capsys.readouterr().out
    assert f"| flows | 1.0 | 2.0 | 0.900 (0.800-{high:.3f}) |" in said
    assert said.endswith("flows.\n" if status else "none.\n")

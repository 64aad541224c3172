"""`vxlanpkt report`: the page that it writes, and its exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import call

DATA = Path(__file__).parent.parent / "data"
FLANNEL, CUT = DATA / "flannel_v4.pcap", DATA / "basic_v4_4789.cut_mid_record.pcap"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is written is not written into the tree."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str | Path, status: int = 0, given: bytes = b"") -> tuple[str, str]:
    done = call("report", *arguments, given=given)
    assert done.returncode == status, done.stderr
    return done.stdout.decode(), done.stderr.decode()


def test_a_page() -> None:
    """A file and nothing on the terminal."""
    assert run("-r", FLANNEL, "-w", "page.html") == ("", "")
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and "flannel_v4.pcap" in page and "broken" not in page


def test_pipes() -> None:
    """From standard input, to standard output."""
    page, told = run("-r", "-", "-w", "-", given=FLANNEL.read_bytes())
    assert page.startswith("<!DOCTYPE html>") and "standard input" in page and told == ""


def test_options() -> None:
    """Ports, VNIs, policies, and how many flows are listed."""
    page, _ = run(
        "-r", DATA / "basic_v4_port_odd.pcap", "-w", "-", "--port", "51820", "--policy", "linux", "--top", "1"
    )
    assert "UDP ports 51820" in page and "linux" in page and "The 1 with most bytes of" in page
    page, _ = run("-r", FLANNEL, "-w", "-", "--vni", "5003")
    assert "VNI_REFUSED" in page and "5003; packets of others are refused" in page


def test_a_broken_file() -> None:
    """The page is there, says so at its top, and the status is 1."""
    _, told = run("-r", CUT, "-w", "page.html", status=1)
    page = Path("page.html").read_text(encoding="utf-8")
    assert "This file is broken" in page and "is cut" in told
    assert page.index("This file is broken") < page.index("At a glance")


def test_no_capture() -> None:
    """Nothing is written where nothing could be read, nor over the capture."""
    Path("text").write_bytes(b"this is no capture")
    run("-r", "text", "-w", "page.html", status=1)
    run("-r", "missing", "-w", "page.html", status=2)
    assert not Path("page.html").exists()
    _, told = run("-r", "text", "-w", "text", status=2)
    assert "same file" in told and Path("text").read_bytes() == b"this is no capture"

"""What the benchmark makes once and keeps in a folder outside of version control: captures, and programs out of C."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.capture import recording
from benchmarks.capture.recording import Truth
from benchmarks.capture.traffic import FLOWS

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
FOLDER = HERE.parents[1] / "build" / "capture"

_MAKERS = (HERE / "traffic.py", HERE / "recording.py", HERE.parent / "frames.py")
_FLAGS = ("-O3", "-std=gnu11", "-Wall", "-Wextra", "-Wconversion")
_PACKETS_OF_A_FLOW = 20  # at least so many in the mean, in small captures too


class Workshop:
    """Makes what is not there yet; names carry a digest of what things are made of, so that nothing is out of date."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._read_ahead: set[Path] = set()

    def capture(self, packets: int, container: str = "pcap") -> tuple[Path, Truth]:
        """A capture of so many packets and what is in it."""
        path = self.folder / f"{packets}-{_digest(*_MAKERS)}.{container}"
        truth = path.with_suffix(f".{container}.json")
        if not truth.exists():
            flows = min(FLOWS, packets // _PACKETS_OF_A_FLOW)
            made = path.with_suffix(".part")
            found = recording.write(made, packets, container, flows)
            made.replace(path)
            found.save(truth)
        if path not in self._read_ahead:
            _read_ahead(path)
            self._read_ahead.add(path)
        return path, Truth.load(truth)

    def program(self, name: str, *flags: str) -> Path:
        """A program out of programs/NAME.c; OSError or CalledProcessError if it cannot be compiled."""
        compiler = os.environ.get("CC", "cc")
        command = [*compiler.split(), *_FLAGS, str(PROGRAMS / f"{name}.c"), *flags]
        path = self.folder / f"{name}-{_digest(*sorted(PROGRAMS.glob('*.[ch]')), text=' '.join(command))}"
        if not path.exists():
            made = path.with_suffix(".part")
            subprocess.run([*command, "-o", str(made)], check=True, capture_output=True)
            made.replace(path)
        return path

    @contextmanager
    def output(self, suffix: str) -> Iterator[Path]:
        """Where somebody may write, to nothing that was there before and to nothing that stays."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            yield Path(folder, f"output.{suffix}")


def _read_ahead(path: Path) -> None:
    """Have a file in memory as one that was read from a disk.

    Linux holds what was written piece by piece page by page, and what it has read ahead of a reader in larger pieces,
    which take a third of the time to copy: all contenders are to find the same.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    with path.open("rb", 0) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.read(1 << 20):
            pass


def script(name: str, *arguments: str | Path) -> list[str]:
    """The command of one of the programs in Python."""
    return [sys.executable, str(PROGRAMS / f"{name}.py"), *map(str, arguments)]


def _digest(*paths: Path, text: str = "") -> str:
    found = hashlib.sha256(text.encode())
    for path in paths:
        found.update(path.read_bytes())
    return found.hexdigest()[:12]

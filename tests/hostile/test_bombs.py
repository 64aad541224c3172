"""Small files that hold much: what they take of memory is bounded, and what cannot be is refused."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.capture.builders import block, enhanced, interface, option, pcap_header, pcap_record, section

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is /proc that tells a peak")
zstandard = pytest.importorskip("zstandard")

MIB = 1 << 20
PROGRAM = """
import re, sys
import vxlanpkt

def peak():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1]) >> 10

before = peak()
fault = ""
try:
    with vxlanpkt.open(sys.argv[1]) as capture:
        for batch in capture.decap_batches():
            for record in batch.records[:1]:
                record.options
except vxlanpkt.CaptureError as error:
    fault = str(error)
print(peak() - before, fault)
"""


def _compressed(path: Path, pieces: Iterable[bytes]) -> None:
    if path.suffix == ".gz":
        with gzip.open(path, "wb", compresslevel=6) as packed:
            for piece in pieces:
                packed.write(piece)
        return
    compressor = zstandard.ZstdCompressor().compressobj()
    path.write_bytes(b"".join(map(compressor.compress, pieces)) + compressor.flush())


def _records() -> Iterator[bytes]:
    """256 MiB of packets."""
    yield pcap_header()
    for _ in range(256):
        yield pcap_record(bytes(MIB // 16 - 16)) * 16


def _options() -> Iterator[bytes]:
    """A packet with eight million empty options: as values, 1 GB."""
    yield section() + interface()
    yield enhanced(b"", option(2988, b"") * (8 * MIB))


def _interfaces() -> Iterator[bytes]:
    """A million interfaces, which would be kept to the end: 125 MB, and more the longer it gets."""
    yield section()
    for _ in range(20):
        yield interface() * 50_000


def _block() -> Iterator[bytes]:
    """A block of the greatest size, which is held whole."""
    yield section()
    yield block(0xBAD, bytes(128 * MIB))


BOMBS = [(_records, 120, ""), (_options, 150, "more than 65536 options"), (_interfaces, 90, "take more than"),
         (_block, 350, "")]  # fmt: skip


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize(("bomb", "most", "fault"), BOMBS, ids=[bomb.__name__[1:] for bomb, _, _ in BOMBS])
def test_memory(bomb: object, most: int, fault: str, suffix: str, tmp_path: Path) -> None:
    """A peak in MiB above what the library itself takes: twice, and some, of what there is to be held at once."""
    assert callable(bomb)
    path = tmp_path / f"bomb{suffix}"
    _compressed(path, bomb())
    assert path.stat().st_size < MIB
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(path)], capture_output=True, text=True, timeout=120, check=True
    )
    taken, _, said = done.stdout.strip().partition(" ")
    assert int(taken) <= most
    assert fault in said
    assert bool(fault) == bool(said)


def test_a_record_that_claims_much(tmp_path: Path) -> None:
    """Lengths are not believed before the bytes are there."""
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap_header(snaplen=1 << 27) + struct.pack("<IIII", 0, 0, 1 << 27, 1 << 27) + bytes(100))
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(path)], capture_output=True, text=True, timeout=120, check=True
    )
    taken, _, said = done.stdout.strip().partition(" ")
    assert int(taken) <= 20
    assert "is cut" in said

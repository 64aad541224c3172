"""Where bytes come from and go to: pipes, file objects, compression, and files that appear only when complete."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
import zstandard

from vxlanpkt import CaptureError
from vxlanpkt.capture import Interface, PcapngWriter, PcapWriter, Record
from vxlanpkt.capture import open as open_capture

from .builders import enhanced, interface, pcap_header, pcap_record, read, read_until_fault, section

BODIES = [bytes([index]) * index for index in range(1, 40)]
PCAP = pcap_header() + b"".join(map(pcap_record, BODIES))
WAIT = 10


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PCAP_ZSTD = zstd(PCAP)


def bodies(source: Any) -> list[bytes]:
    with open_capture(source) as capture:
        return [record.data for record in capture]


# -- live pipes


class Feeder:
    """A thread that writes a piece only when asked to, so that nobody can have read further."""

    def __init__(self, out: int, pieces: list[bytes]) -> None:
        self._turn = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._write, args=(out, pieces), daemon=True)
        self._thread.start()

    def _write(self, out: int, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._turn.acquire(timeout=WAIT)
            os.write(out, piece)
        self._turn.acquire(timeout=WAIT)
        os.close(out)

    def go(self) -> None:
        self._turn.release()

    def join(self) -> None:
        self._thread.join(WAIT)


@contextmanager
def fed(pieces: list[bytes], buffering: int = -1) -> Iterator[tuple[IO[bytes], Feeder]]:
    source, target = os.pipe()
    feeder = Feeder(target, pieces)
    with os.fdopen(source, "rb", buffering) as file:
        yield file, feeder
    feeder.join()


PACKETS = [b"one", b"", b"three" * 100]
LIVE = {
    "pcap": [pcap_header() + pcap_record(PACKETS[0]), *map(pcap_record, PACKETS[1:])],
    "pcapng": [section() + interface() + enhanced(PACKETS[0]), *map(enhanced, PACKETS[1:])],
}


class ReadOnly:
    """A file object with nothing but read(), which waits for all that it is asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


@pytest.mark.parametrize("kind", ["buffered", "raw", "read only", "stdin", "path"])
@pytest.mark.parametrize("container", LIVE)
def test_each_packet_comes_out_before_the_next_goes_in(
    container: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fed(LIVE[container], 0 if kind == "raw" else -1) as (file, feeder):
        source: Any = file
        if kind == "read only":
            source = ReadOnly(file)
        elif kind == "stdin":
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))
            source = "-"
        elif kind == "path":
            source = f"/dev/fd/{file.fileno()}"
        with open_capture(source) as capture:
            records = iter(capture)
            for body in PACKETS:
                feeder.go()
                assert next(records).data == body
            feeder.go()
            assert list(records) == []
            with pytest.raises(CaptureError, match="not seekable"):
                next(iter(capture))


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_compressed_pipe_that_is_flushed_for_each_packet(compression: str) -> None:
    compressor: Any = zstandard.ZstdCompressor().compressobj()
    block = zstandard.COMPRESSOBJ_FLUSH_BLOCK
    if compression == "gzip":
        compressor, block = zlib.compressobj(wbits=31), zlib.Z_SYNC_FLUSH
    pieces = [compressor.compress(piece) + compressor.flush(block) for piece in LIVE["pcap"]]
    pieces[-1] += compressor.flush()
    with fed(pieces) as (file, feeder):
        records = iter(open_capture(file))
        for body in PACKETS:
            feeder.go()
            assert next(records).data == body
        feeder.go()
        assert list(records) == []


def test_a_pipe_may_break_its_writes_anywhere() -> None:
    with fed([bytes([byte]) for byte in PCAP[:200]]) as (file, feeder):
        for _ in range(201):
            feeder.go()
        found, error = read_until_fault(file)
    expected, other = read_until_fault(PCAP[:200])
    assert found == expected
    assert error is not None
    assert str(error) == str(other)


def test_decap_of_a_pipe_is_live_too() -> None:
    with fed(LIVE["pcap"]) as (file, feeder):
        batches = open_capture(file).decap_batches()
        for body in PACKETS:
            feeder.go()
            assert [record.data for record in next(batches).records] == [body]
        feeder.go()
        assert list(batches) == []


# -- file objects


def test_each_pass_over_a_file_object_starts_where_it_stood() -> None:
    file = io.BytesIO(b"before" + PCAP)
    file.seek(6)
    capture = open_capture(file)
    first = iter(capture)
    assert next(first).data == BODIES[0]
    assert [record.data for record in capture] == BODIES
    assert [record.data for record in first] == BODIES[1:]
    assert not file.closed


def test_passes_over_a_path(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(PCAP)
    with open_capture(tmp_path / "a") as capture:
        one, two = iter(capture), iter(capture)
        assert [next(one), next(two)] == read(PCAP)[:1] * 2
        assert capture.size == capture.consumed == len(PCAP)
        assert len(list(one)) == len(list(two)) == len(BODIES) - 1
    with pytest.raises(CaptureError, match="closed"):
        list(capture)


def test_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        open_capture(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        open_capture(tmp_path)
    with pytest.raises(TypeError, match="binary file"):
        open_capture(io.StringIO())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not int"):
        open_capture(3)  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CaptureError, match="standard input"):
        open_capture("-")


def test_a_pipe_that_does_not_block() -> None:
    source, target = os.pipe()
    os.set_blocking(source, False)
    with os.fdopen(source, "rb", 0) as file, pytest.raises(CaptureError, match="does not block"):
        next(iter(open_capture(file)))
    os.close(target)


# -- compression


@pytest.mark.parametrize(
    "compressed",
    [
        gzip.compress(PCAP),
        gzip.compress(PCAP[:100]) + gzip.compress(PCAP[100:]) + bytes(700),
        zstd(PCAP),
        zstd(PCAP[:100]) + zstd(PCAP[100:]),
        b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstd(PCAP),
    ],
    ids=["gzip", "gzip members", "zstd", "zstd frames", "zstd skippable"],
)
def test_compressed_captures_are_told_by_their_first_bytes(compressed: bytes) -> None:
    assert bodies(io.BytesIO(compressed)) == BODIES


def test_what_compresses_well() -> None:
    big = pcap_header() + pcap_record(bytes(200_000)) * 40
    for compressed in (gzip.compress(big), zstd(big)):
        assert [len(body) for body in bodies(io.BytesIO(compressed))] == [200_000] * 40


def zstd_blocks(data: bytes) -> bytes:
    """One frame of a block for each 76 bytes: a decoder hands out nothing of a block that is cut."""
    compressor = zstandard.ZstdCompressor().compressobj()
    pieces = [data[:24], *(data[at : at + 76] for at in range(24, len(data), 76))]
    blocks = [compressor.compress(piece) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for piece in pieces]
    return b"".join(blocks) + compressor.flush()


@pytest.mark.parametrize("compress", [gzip.compress, zstd_blocks])
def test_a_compressed_file_cut_at_every_byte(compress: Any) -> None:
    noise = [bytes((index * 7919 * byte >> 5) & 255 for byte in range(60)) for index in range(6)]
    starts = [24 + index * 76 for index in range(len(noise))]
    compressed = compress(pcap_header() + b"".join(map(pcap_record, noise)))
    seen = set()
    for end in range(len(compressed)):
        records, error = read_until_fault(compressed[:end])
        assert [record.data for record in records] == noise[: len(records)]
        assert error is not None
        assert error.offset in (0, *starts, 24 + len(noise) * 76)
        assert end < 4 or "stream is cut" in str(error)
        seen.add(len(records))
    assert seen == set(range(len(noise) + 1))


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_a_corrupt_stream(compress: Any) -> None:
    compressed = bytearray(compress(PCAP))
    for index in range(4, len(compressed)):
        broken = bytes(compressed[:index]) + bytes([compressed[index] ^ 0xFF]) + bytes(compressed[index + 1 :])
        read_until_fault(broken)  # nothing but CaptureError may come out of it
    records, error = read_until_fault(gzip.compress(PCAP) + b"rubbish")
    assert len(records) == len(BODIES)
    assert error is not None
    assert "gzip stream is corrupt" in str(error)


def test_zstd_without_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(CaptureError, match=r"vxlanpkt\[zstd\]"):
        bodies(io.BytesIO(PCAP_ZSTD))
    with pytest.raises(CaptureError, match=r"vxlanpkt\[zstd\]"):
        PcapWriter(tmp_path / "a.zst", Interface())


# -- output


RECORDS = [Record(index * 1000, body, len(body), raw_timestamp=index) for index, body in enumerate(BODIES)]


@pytest.mark.parametrize("name", ["a.pcap", "a.gz", "a.pcap.zst"])
def test_a_file_appears_when_it_is_complete(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    with PcapWriter(path, Interface(snaplen=65535)) as writer:
        for record in RECORDS:
            writer.write(record)
            writer.sink.park()
        assert path.read_bytes() == b"old"
    assert list(open_capture(path)) == RECORDS
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    magics = {".pcap": PCAP[:4], ".gz": b"\x1f\x8b\x08\x00", ".zst": b"\x28\xb5\x2f\xfd"}
    assert path.read_bytes()[:4] == magics[path.suffix]


def test_the_mode_of_a_new_file_is_the_usual_one(tmp_path: Path) -> None:
    PcapWriter(tmp_path / "a", Interface()).close()
    (tmp_path / "b").write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


@pytest.mark.parametrize("name", ["a.pcap", "a.gz", "a.zst"])
def test_a_failure_leaves_nothing(tmp_path: Path, name: str) -> None:
    writer = PcapngWriter(tmp_path / name, [Interface()])
    writer.write(RECORDS[0])
    writer.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"old")
    (tmp_path / "link").symlink_to("there")
    PcapWriter(tmp_path / "link", Interface()).close()
    assert (tmp_path / "link").is_symlink()
    assert read((tmp_path / "there").read_bytes()) == []


def test_what_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        PcapWriter(tmp_path / "none" / "a.pcap", Interface())
    assert caught.value.filename == str(tmp_path / "none" / "a.pcap")
    with pytest.raises(IsADirectoryError):
        PcapWriter(tmp_path, Interface())
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(CaptureError, match="standard output"):
        PcapWriter("-", Interface())


@pytest.mark.parametrize("kind", ["stdout", "path"])
def test_pipes_get_each_packet_at_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = os.pipe()
    with os.fdopen(source, "rb") as file, os.fdopen(out, "wb") as buffer:
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=buffer))
        with PcapWriter("-" if kind == "stdout" else f"/dev/fd/{out}", Interface(snaplen=65535)) as writer:
            records = iter(open_capture(file))
            for record in RECORDS:
                writer.write(record)
                assert next(records) == record


def test_no_room_for_the_last_bytes(tmp_path: Path) -> None:
    """What is only found when all that is left is written: the file has its name, and what was there stays."""
    resource = pytest.importorskip("resource", reason="limits of files are Unix's")
    target = tmp_path / "out.pcap"
    target.write_bytes(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = PcapWriter(target, Interface())
    try:
        for record in RECORDS:
            writer.write(record)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        with pytest.raises(OSError, match="File too large") as caught:
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(target)
    assert target.read_bytes() == b"before"
    assert [found.name for found in tmp_path.iterdir()] == [target.name]

"""Where a capture's bytes come from: a path, a binary file object or standard input; plain, gzip or zstd.

Bytes are taken as they arrive: nothing here waits for more than were asked for, so a live pipe is read packet by
packet.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias

from vxlanpkt.capture.decompress import Inflated, decoder_for
from vxlanpkt.errors import CaptureError

File: TypeAlias = "str | os.PathLike[str] | IO[bytes]"
"""A path, "-" for standard input or output, or a binary file object."""

CHUNK = 1 << 18


class _Tap(io.RawIOBase):
    """A file object as a raw stream that counts what is taken from it, each read no longer than it must be.

    One that can seek is read from its own position, so that two readers of one file do not disturb each other.
    """

    def __init__(self, file: IO[bytes], start: int | None) -> None:
        source: Any = file
        self.consumed = 0
        self._file = source
        self._start = start
        partial = hasattr(source, "read1") or isinstance(source, io.RawIOBase)
        self._read: Callable[[int], bytes | None] = source.read1 if hasattr(source, "read1") else source.read
        # Where `read` may wait until it has all it was asked for, a buffer of 1 makes it be asked for no more than
        # is needed.
        self.chunk = CHUNK if partial or start is not None else 1

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if self._start is not None:
            self._file.seek(self._start + self.consumed)
        data = self._read(len(into))
        if data is None:
            raise CaptureError("the input does not block and has no bytes yet", offset=None)
        into[: len(data)] = data
        self.consumed += len(data)
        return len(data)


class Source:
    """The uncompressed bytes of one capture, from its start to its end, once.

    `magic`: the first 4 bytes, already read. `read(n)`: the next n bytes, or fewer at the end of the input.
    """

    __slots__ = ("_inflated", "_owned", "_tap", "magic", "read")

    def __init__(self, file: IO[bytes], *, owned: bool, start: int | None) -> None:
        """Read *file*, from its position *start* if it can seek; close it in the end if it is *owned*."""
        self._tap = _Tap(file, start)
        self._owned = file if owned else None
        self._inflated: Inflated | None = None
        buffered: Any = io.BufferedReader(self._tap, self._tap.chunk)
        magic = buffered.read(4)
        decoder = decoder_for(magic)
        if decoder is not None:
            self._inflated = Inflated(buffered, magic, decoder)
            buffered = io.BufferedReader(self._inflated, CHUNK)
            magic = buffered.read(4)
        self.magic = magic
        self.read: Callable[[int], bytes] = buffered.read

    @property
    def consumed(self) -> int:
        """Bytes taken from the input so far, compressed ones if it is compressed."""
        return self._tap.consumed

    def read_long(self, size: int) -> bytes:
        """As `read`, for a *size* that is not to be believed before the bytes are there."""
        pieces = []
        while size:
            piece = self.read(min(size, CHUNK))
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def check_end(self, offset: int) -> None:
        """Raise CaptureError if the input ends here, *offset* bytes in, only because its compression breaks off."""
        if self._inflated is not None and self._inflated.fault is not None:
            raise CaptureError(f"{self._inflated.fault}, after byte {offset} of the capture", offset=offset)

    def cut(self, what: str, offset: int, needed: int, available: int) -> CaptureError:
        """The error for *what*, at byte *offset*, of which only *available* bytes out of *needed* are there."""
        text = f"the {what} at byte {offset} is cut: {needed} bytes needed, {available} available"
        if self._inflated is not None and self._inflated.fault is not None:
            text += f" ({self._inflated.fault})"
        return CaptureError(text, offset=offset, needed=needed, available=available)

    def close(self) -> None:
        """Close what was opened for this source."""
        if self._owned is not None:
            self._owned.close()


class Origin:
    """What is to be read: it can be opened again and again, unless it is a pipe.

    `size`: bytes of a regular file. Raises OSError at once if a path cannot be opened, TypeError for anything but a
    path or a binary file object.
    """

    def __init__(self, source: File) -> None:
        self.size: int | None = None
        self._path: Path | None = None
        self._file: IO[bytes] | None = None
        self._start: int | None = None
        self._owned = False
        self._spent = False
        if not isinstance(source, (str, os.PathLike)):
            self._use_file(source)
        elif os.fspath(source) == "-":
            self._use_file(_standard_input())
        else:
            self._use_path(Path(source))

    def _use_path(self, path: Path) -> None:
        """A regular file is opened anew for each reader; a pipe or device is opened once, now."""
        file = path.open("rb", buffering=0)
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            file.close()
            self._path, self.size = path, status.st_size
        else:
            self._file, self._owned = file, True

    def _use_file(self, file: Any) -> None:
        if isinstance(file, io.TextIOBase) or not hasattr(file, "read"):
            raise TypeError(f"a path or a binary file object is needed, not {type(file).__name__}")
        self._file = file
        if hasattr(file, "seekable") and file.seekable():
            self._start = file.tell()

    @property
    def seekable(self) -> bool:
        """Whether it can be opened more than once."""
        return self._path is not None or self._start is not None

    def open(self) -> Source:
        """The bytes from their start. Raises CaptureError("not seekable") the second time on a pipe."""
        if self._path is not None:
            file = self._path.open("rb", buffering=0)
            return self._source(file, owned=True)
        assert self._file is not None
        if self._start is None:
            if self._spent:
                raise CaptureError("not seekable: the input is a pipe, which can be read only once", offset=None)
            self._spent = True
        return self._source(self._file, owned=False)

    def _source(self, file: IO[bytes], *, owned: bool) -> Source:
        try:
            return Source(file, owned=owned, start=self._start)
        except BaseException:
            if owned:
                file.close()
            raise

    def close(self) -> None:
        """Close a pipe or device that was opened by its path; a file object is its owner's to close."""
        if self._owned and self._file is not None:
            self._file.close()


def _standard_input() -> IO[bytes]:
    if sys.stdin is None:
        raise CaptureError("there is no standard input", offset=None)
    return sys.stdin.buffer

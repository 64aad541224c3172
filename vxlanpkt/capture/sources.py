"""The bytes of a capture, plain or out of gzip or zstd, as a window that moves on over them.

Bytes are taken as they arrive: nothing here waits for more than were asked for, so a live pipe is read packet by
packet.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import IO, TYPE_CHECKING, Any

from vxlanpkt.errors import CaptureError
from vxlanpkt.kernel import new_buffer, view

if TYPE_CHECKING:
    from vxlanpkt.capture.decompress import Compression, Inflated

CHUNK = 1 << 21
"""Bytes that are read at a time, and looked at together: the packets in them stay in the processor's cache."""

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"

READING: ContextVar[AbstractContextManager[object] | None] = ContextVar("READING", default=None)
"""Entered whenever bytes are read from outside: what is raised there ends a capture as a fault of the file would.

Whoever has to end a job (a signal handler, say) raises `Stopped` here, where nothing is under way: all before is whole.
"""


class Stopped(CaptureError):
    """The input was ended from outside, and of several files the ones behind are not to be read."""


class _Tap(io.RawIOBase):
    """A file object as a raw stream that counts what is taken from it, each read no longer than it must be.

    One that can seek is read from its own position, so that two readers of one file do not disturb each other.
    """

    def __init__(self, file: IO[bytes], start: int | None) -> None:
        source: Any = file
        self.consumed = 0
        self._file = source
        self._start = start
        self._raw = isinstance(source, io.RawIOBase)
        self._read: Callable[[int], bytes | None] = source.read1 if hasattr(source, "read1") else source.read
        # A `read` that may wait until it has all it was asked for is to be asked for no more than is needed.
        self.waits = not (self._raw or hasattr(source, "read1") or start is not None)
        self._position = start

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if self._position is not None:
            self._file.seek(self._position)
        if self._raw:
            count = self._file.readinto(into)
        else:
            data = self._read(len(into))
            count = None if data is None else len(data)
            into[:count] = data or b""
        if count is None:
            raise CaptureError("the input does not block and has no bytes yet", offset=None)
        self.consumed += count
        if self._position is not None:
            self._position += count
        return int(count)

    def jump(self, offset: int) -> None:
        """Go on at another byte, of what can seek."""
        self._position = (self._start or 0) + offset


class Source:
    """The uncompressed bytes of one capture, from its start to its end, once: as a window that moves on over them.

    `buffer[begin:end]` are the bytes that are there and were not yet taken; the first of them is byte `offset` of the
    capture. While they are to be `kept`, a buffer is never written to where it has been read: what a view of it shows
    does not change.
    """

    __slots__ = (
        "_inflated",
        "_input",
        "_owned",
        "_tap",
        "_until",
        "_waits",
        "begin",
        "buffer",
        "end",
        "kept",
        "name",
        "offset",
        "view",
    )

    def __init__(self, file: IO[bytes], *, owned: bool, start: int | None, name: str | None = None) -> None:
        """Read *file*, from its position *start* if it can seek; close it in the end if it is *owned*."""
        self.name = name
        self.kept = True
        self._tap = _Tap(file, start)
        self._owned = file if owned else None
        self._inflated: Inflated | None = None
        self._input: _Tap | Inflated = self._tap
        self._waits = self._tap.waits
        self._until: int | None = None
        self.begin = self.end = self.offset = 0
        self.buffer: Any = None
        self.view = memoryview(b"")
        self._renew(CHUNK)
        self._read_magic()
        compression = _compression_of(self.magic)
        if compression is not None:
            from vxlanpkt.capture.decompress import Inflated, decoder_for  # which plain files do without

            decoder = decoder_for(compression)
            compressed = io.BufferedReader(self._tap, 1 if self._waits else CHUNK)
            self._inflated = self._input = Inflated(compressed, bytes(self.view[: self.end]), decoder)
            self._waits = False
            self.end = 0
            self._read_magic()

    def _read_magic(self) -> None:
        """Read 4 bytes and no more: what they are tells who is to read the others."""
        while self.end < 4 and self._read_upto(4):
            pass

    @property
    def magic(self) -> bytes:
        """The next 4 bytes, or what there is of them."""
        return bytes(self.view[self.begin : min(self.begin + 4, self.end)])

    @property
    def available(self) -> int:
        """How many bytes are there."""
        return self.end - self.begin

    def take(self, size: int) -> bytes:
        """The next *size* bytes, which have to be there."""
        self.begin += size
        self.offset += size
        return bytes(self.view[self.begin - size : self.begin])

    def move_to(self, position: int) -> None:
        """Have taken what is in front of *position* in the buffer."""
        self.offset += position - self.begin
        self.begin = position

    def require(self, size: int) -> bool:
        """Read on until *size* bytes are there; False if the input ends before."""
        while self.available < size:
            if not self.read_on(size):
                return False
        return True

    def read_on(self, size: int) -> bool:
        """Read some of what is missing of *size* bytes, and what comes with it; False if the input has ended."""
        if self.end == len(self.view):
            # What is claimed is not to be believed before the bytes are there: a buffer grows by what was read.
            self._renew(max(CHUNK, min(size, 2 * self.available)))
        end = self.begin + size if self._waits else len(self.view)
        if self._until is not None:
            if self.offset + self.available >= self._until:
                if not self.available:
                    return False
                self._until = self.offset + size  # what begins before is read to its end
            end = min(end, self.begin + self._until - self.offset)
        return self._read_upto(end)

    @property
    def is_compressed(self) -> bool:
        """Whether the bytes are those inside of a compressed stream."""
        return self._inflated is not None

    def jump(self, offset: int, until: int | None = None) -> None:
        """Go on at another byte, of what can seek and is not compressed; *until*: what begins there is left alone."""
        self._tap.jump(offset)
        self.begin = self.end
        self._renew(CHUNK)
        self.offset, self._until = offset, until

    def _read_upto(self, position: int) -> bool:
        """Read once, as far as *position* in the buffer at the most; False if the input has ended."""
        with READING.get() or nullcontext():
            count = self._input.readinto(self.view[self.end : position])
        self.end += count
        return bool(count)

    def _renew(self, size: int) -> None:
        """Go on in another buffer, or the same if it need not be kept, with what is there."""
        left = self.available
        buffer, fresh = self.buffer, self.view
        if self.kept or size > len(fresh):
            buffer = new_buffer(size)
            fresh = view(buffer)
        if left:
            fresh[:left] = self.view[self.begin : self.end]
        self.buffer, self.view, self.begin, self.end = buffer, fresh, 0, left

    @property
    def consumed(self) -> int:
        """Bytes taken from the input so far, compressed ones if it is compressed."""
        return self._tap.consumed

    def check_end(self) -> None:
        """Raise CaptureError if the input ends here only because its compression breaks off."""
        if self._inflated is not None and self._inflated.fault is not None:
            raise CaptureError(f"{self._inflated.fault}, after byte {self.offset} of the capture", offset=self.offset)

    def cut(self, what: str, needed: int) -> CaptureError:
        """The error for *what*, of which only so many bytes out of *needed* are there."""
        text = f"the {what} at byte {self.offset} is cut: {needed} bytes needed, {self.available} available"
        if self._inflated is not None and self._inflated.fault is not None:
            text += f" ({self._inflated.fault})"
        return CaptureError(text, offset=self.offset, needed=needed, available=self.available)

    def close(self) -> None:
        """Close what was opened for this source."""
        if self._owned is not None:
            self._owned.close()


def _compression_of(magic: bytes) -> Compression | None:
    """How a stream is compressed that starts with *magic*; None if it is not."""
    if magic.startswith(_GZIP_MAGIC):
        return "gzip"
    if magic == _ZSTD_MAGIC or (magic[1:] == _ZSTD_SKIPPABLE and magic[0] & 0xF0 == 0x50):
        return "zstd"
    return None

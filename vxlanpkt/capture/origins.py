"""Where a capture's bytes come from: a path, a binary file object or standard input, or a part of a file."""

from __future__ import annotations

import io
import os
import stat
import sys
from typing import IO, Any, TypeAlias

from vxlanpkt._values import Value
from vxlanpkt.capture.sources import Source
from vxlanpkt.errors import CaptureError

File: TypeAlias = "str | os.PathLike[str] | IO[bytes]"
"""A path, "-" for standard input or output, or a binary file object."""


class Part(Value):
    """A part of a file: the records that begin at byte `start` or behind it, and in front of `end` if there is one."""

    __slots__ = __match_args__ = ("file", "start", "end")

    file: File
    start: int
    end: int | None

    def __init__(self, file: File, start: int = 0, end: int | None = None) -> None:
        set_field = object.__setattr__
        set_field(self, "file", file)
        set_field(self, "start", start)
        set_field(self, "end", end)

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the file."""
        return not self.start and self.end is None


class Origin:
    """What is to be read: it can be opened again and again, unless it is a pipe.

    `size`: bytes of a regular file. `name`: its path, or what a file object calls itself. Raises OSError at once if a
    path cannot be opened, TypeError for anything but a path or a binary file object.
    """

    def __init__(self, source: File | Part) -> None:
        self.size: int | None = None
        self.part: Part | None = None
        if isinstance(source, Part):
            self.part = None if source.is_whole else source
            source = source.file
        self.name = _name_of(source)
        self._path: str | None = None
        self._file: IO[bytes] | None = None
        self._start: int | None = None
        self._owned = False
        self._spent = False
        if not isinstance(source, (str, os.PathLike)):
            self._use_file(source)
        elif (path := os.fspath(source)) == "-":
            self._use_file(_standard_input())
        else:
            self._use_path(path)

    def _use_path(self, path: str) -> None:
        """A regular file is opened anew for each reader; a pipe or device is opened once, now."""
        file = io.FileIO(path)
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
            file = io.FileIO(self._path)
            return self._source(file, owned=True)
        assert self._file is not None
        if self._start is None:
            if self._spent:
                raise CaptureError("not seekable: the input is a pipe, which can be read only once", offset=None)
            self._spent = True
        return self._source(self._file, owned=False)

    def _source(self, file: IO[bytes], *, owned: bool) -> Source:
        try:
            return Source(file, owned=owned, start=self._start, name=self.name)
        except BaseException:
            if owned:
                file.close()
            raise

    def close(self) -> None:
        """Close a pipe or device that was opened by its path; a file object is its owner's to close."""
        if self._owned and self._file is not None:
            self._file.close()


def _name_of(source: File) -> str | None:
    named = os.fspath(source) if isinstance(source, (str, os.PathLike)) else getattr(source, "name", None)
    return named if isinstance(named, str) else None


def _standard_input() -> IO[bytes]:
    if sys.stdin is None:
        raise CaptureError("there is no standard input", offset=None)
    return sys.stdin.buffer

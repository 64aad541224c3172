"""Where a capture's bytes go to: a path, a binary file object or standard output; plain, gzip or zstd by the name.

A file appears under its name only when it is complete: until then it is written under another one beside it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from vxlanpkt.capture.origins import File
from vxlanpkt.capture.sources import CHUNK
from vxlanpkt.errors import CaptureError

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

_Compressor = Callable[[Any], Any]
_NOT_WRITTEN = (".bz2", ".xz", ".lz4", ".lzma", ".zip", ".7z", ".Z")


class Sink:
    """An output; as a context manager it commits, or discards on an exception.

    A regular file gets its name when `commit` renames it; one named .gz or .zst is compressed. `live`: standard
    output, pipes and devices, which somebody may be watching, get each `write` at once.
    Raises OSError if the path cannot be written to, CaptureError if .zst takes a package that is not installed.
    """

    def __init__(self, target: File) -> None:
        self.live = False
        self._finished = False
        self._final: str | None = None
        self._temporary: str | None = None
        self._compressor: _Compressor | None = None
        self._opened = ExitStack()
        self._file: Any = None
        if not isinstance(target, (str, os.PathLike)):
            self._file = target
        elif os.fspath(target) == "-":
            self._file, self.live = _standard_output(), True
        else:
            self._open_path(os.fspath(target))

    def _open_path(self, path: str) -> None:
        self._compressor = _compressor_for(path)
        if os.path.isdir(path or "."):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if os.path.exists(path) and not os.path.isfile(path):
            # A pipe or a device: there is nothing to rename, and it must not be replaced.
            self.live = True
            self._use(open(path, "wb"))
            return
        final = os.path.realpath(path)
        temporary = os.path.join(os.path.dirname(final), f".{os.urandom(8).hex()}.part")
        try:
            file = open(temporary, "xb", CHUNK)
        except OSError as error:
            error.filename = path
            raise
        self._final, self._temporary = final, temporary
        self._use(file)

    def _use(self, file: IO[bytes]) -> None:
        """Write to *file* from now on, through the compressor if there is one."""
        self._file = self._opened.enter_context(file)
        if self._compressor is not None:
            self._file = self._compressor(file)
            self._opened.callback(self._file.close)

    def write(self, data: Buffer) -> None:
        """Write all of *data*."""
        try:
            if self._file is None and self._temporary is not None:
                self._use(open(self._temporary, "ab"))
            self._file.write(data)
            if self.live:
                self._file.flush()
        except OSError as error:
            self._name(error)
            raise

    def _name(self, error: OSError) -> None:
        """Put the name of the file into an error: a full disk does not say it."""
        if self._final is not None:
            error.filename = self._final

    def park(self) -> None:
        """Give the file descriptor back until the next `write`, if this is a file that can be opened again."""
        if self._temporary is not None:
            self._file = None
            self._opened.close()

    def finish(self) -> None:
        """Write all that is left: what can fail for lack of room has been done then."""
        if self._finished:
            return
        try:
            if self._file is not None and self._temporary is None:
                self._file.flush()
            self._opened.close()
        except BaseException as error:
            self._remove()
            if isinstance(error, OSError):
                self._name(error)
            raise
        self._finished = True

    def commit(self) -> None:
        """Finish the output: a file appears under its name, and only if all of it could be written."""
        self.finish()
        if self._temporary is not None and self._final is not None:
            try:
                os.replace(self._temporary, self._final)
            except OSError:
                self._remove()
                raise
            self._temporary = None

    def discard(self) -> None:
        """Leave no file behind; what went to a pipe or a file object is gone.

        What cannot be flushed (a full disk, a closed pipe) is not wanted any more, so that is no error.
        """
        with suppress(OSError):
            self._opened.close()
        self._remove()

    def _remove(self) -> None:
        if self._temporary is not None:
            os.unlink(self._temporary)
            self._temporary = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.commit()
        else:
            self.discard()


class ContainerWriter:
    """What writes a container to its `sink`; a context manager that commits that, or discards it on an exception."""

    sink: Sink

    def close(self) -> None:
        """Finish the output, as leaving the context does."""
        self.sink.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.sink.__exit__(kind, error, traceback)


def _compressor_for(path: str) -> _Compressor | None:
    if path.endswith(".gz"):
        return _gzip
    if path.endswith(".zst"):
        return _zstd_compressor()
    if path.endswith(_NOT_WRITTEN):
        raise CaptureError(f"{path}: captures are written plain, .gz or .zst", offset=None)
    return None


def _gzip(file: Any) -> Any:
    """A gzip stream with no name and no time in it: the same packets give the same file."""
    from gzip import GzipFile

    return GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0)


def _zstd_compressor() -> _Compressor:
    try:
        import zstandard
    except ImportError:
        raise CaptureError("writing a .zst file takes the extra vxlanpkt[zstd]", offset=None) from None

    def compress(file: Any) -> Any:
        return zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False)

    return compress


def _standard_output() -> IO[bytes]:
    if sys.stdout is None:
        raise CaptureError("there is no standard output", offset=None)
    return sys.stdout.buffer

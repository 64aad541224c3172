"""The files that a path stands for, on this machine or wherever fsspec reaches."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vxlanpkt.capture.opening import files_of
from vxlanpkt.capture.planning import OPENING, Sized, sized

_LEAST = 1 << 20  # bytes of a partition
_BLOCK = 1 << 23  # bytes that are asked for at a time: far stores answer slowly, whatever the length
_HIDDEN = (".", "_")  # as in Spark's own sources: files with such names are about others, or are still written


def listed(paths: Iterable[str]) -> Iterator[Sized]:
    """The files of all paths, in order: a pattern's and a directory's are sorted by name. None is opened.

    Raises FileNotFoundError for a path that stands for none.
    """
    for path in paths:
        local = _local(path)
        yield from _of_a_store(path) if local is None else _of_this_machine(local)


def with_magic(file: Sized, split_bytes: int) -> Sized:
    """A file with the bytes that it begins with, if it is so long that they matter."""
    if file.size <= split_bytes:
        return file
    if isinstance(file.file, RemoteFile):
        return file._replace(magic=file.file.read(4))
    return sized(str(file.file), split_bytes)


def sizes_for(files: Iterable[Sized], partitions: int) -> tuple[int, int]:
    """In packs of how many bytes, and in parts of how many, files make so many partitions of about the same size."""
    costs = [file.size + OPENING for file in files]
    each = max(-(-sum(costs) // partitions), _LEAST)
    # A pack ends with the file that gives it its share: there is room for the largest one that is not in parts.
    return each - 1 + max((cost for cost in costs if cost <= each), default=1), each


def _local(path: str) -> str | None:
    """A path of this machine, also as Spark writes it, so that it is the same in any directory; None for a store's."""
    if path.startswith("file:"):
        return "/" + path.removeprefix("file:").lstrip("/")
    return None if "://" in path else str(Path(path).absolute())


def _of_this_machine(path: str) -> Iterator[Sized]:
    if Path(path).is_dir():
        names = sorted(entry.path for entry in os.scandir(path) if entry.is_file() and not _is_hidden(entry.name))
    else:
        found = files_of(path)
        names = [os.fspath(name) for name in found] if isinstance(found, tuple) else [path]  # type: ignore[arg-type]
    for name in names:
        yield Sized(name, os.stat(name).st_size, b"")  # noqa: PTH116 - a path object takes longer to make


def _of_a_store(url: str) -> Iterator[Sized]:
    import fsspec

    store, path = fsspec.core.url_to_fs(url)
    if store.isdir(path):
        found = [of for of in store.ls(path, detail=True) if not _is_hidden(of["name"].rpartition("/")[2])]
    elif any(letter in path for letter in "*?["):
        found = list(store.glob(path, detail=True).values())
    else:
        found = [store.info(path)]
    files = sorted((of for of in found if of["type"] == "file"), key=lambda of: str(of["name"]))
    if not files:
        raise FileNotFoundError(errno.ENOENT, "no file matches", url)
    for of in files:
        file: Any = RemoteFile(store.unstrip_protocol(of["name"]), int(of["size"]))
        yield Sized(file, file.size, b"")


def _is_hidden(name: str) -> bool:
    return name.startswith(_HIDDEN)


class RemoteFile(io.RawIOBase):
    """A file of a store, read a block at a time; it is pickled by its name, and opens nothing before it is read."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self._position = self._begin = 0
        self._block = b""
        self._store: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteFile, (self.name, self.size)

    def readable(self) -> bool:
        """True: it is there to be read."""
        return True

    def seekable(self) -> bool:
        """True: stores answer for any range of bytes."""
        return True

    def tell(self) -> int:
        """Which byte is read next."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, into: Any) -> int:
        """Some bytes, as many as the block has that they are in."""
        start = self._position - self._begin
        if not 0 <= start < len(self._block):
            self._fetch()
            start = 0
        data = self._block[start : start + len(into)]
        into[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _fetch(self) -> None:
        """The block that begins where the next byte is."""
        import fsspec

        self._begin, end = self._position, min(self._position + _BLOCK, self.size)
        if self._store is None:
            self._store = fsspec.core.url_to_fs(self.name)
        store, path = self._store
        self._block = store.cat_file(path, start=self._begin, end=end) if end > self._begin else b""

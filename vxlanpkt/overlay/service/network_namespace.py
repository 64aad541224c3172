"""Network namespaces by what tells them apart, and where one is entered: what an agent made is in the one it ran in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_NAMED = Path("/run/netns")


class NetworkNamespace(NamedTuple):
    """A network namespace: the device and the inode of its file, as in `/proc/PID/ns/net`."""

    device: int
    inode: int

    def __str__(self) -> str:
        return f"net:[{self.inode}]"

    @classmethod
    def current(cls) -> NetworkNamespace:
        """The one of this process."""
        found = Path("/proc/self/ns/net").stat()
        return cls(found.st_dev, found.st_ino)

    def entrance(self) -> str | None:
        """The command that runs another in it; None where it is found nowhere, so that it has ended.

        It lives as long as its file is mounted somewhere or a process is in it.
        """
        for path in filter(self._is_at, _mounted()):
            named = path.parent.samefile(_NAMED) if _NAMED.exists() else False
            return f"ip netns exec {path.name}" if named else f"nsenter --net={path}"
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and self._is_at(process / "ns" / "net"):
                return f"nsenter --net --target {process.name}"
        return None

    def _is_at(self, path: Path) -> bool:
        with contextlib.suppress(OSError):  # a process that has ended meanwhile, or a mount that is hidden by another
            found = path.stat()
            return (found.st_dev, found.st_ino) == self
        return False


def _mounted() -> Iterator[Path]:
    """Where files of network namespaces are mounted."""
    with Path("/proc/self/mountinfo").open("rb") as mounts:
        for line in mounts:
            _, _, _, root, point, *_ = line.split(b" ")
            if root.startswith(b"net:["):
                yield Path(os.fsdecode(point.decode("unicode_escape").encode("latin-1")))

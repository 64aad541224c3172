"""Network namespaces by what tells them apart, and where one is entered: what an agent made is in the one it ran in."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_NAMED = Path("/run/netns")
_SO_NETNS_COOKIE = 71


class NetworkNamespace(NamedTuple):
    """A network namespace: the device and the inode of its file, as in `/proc/PID/ns/net`, and its cookie.

    An inode is given to another when a namespace has ended. A cookie is not, until the machine starts anew: then
    records of what was are gone too. It is 0 where the kernel does not say it (before Linux 5.14).
    """

    device: int
    inode: int
    cookie: int = 0

    def __str__(self) -> str:
        return f"net:[{self.inode}]"

    @classmethod
    def current(cls) -> NetworkNamespace:
        """The one of this thread."""
        found = Path("/proc/thread-self/ns/net").stat()
        return cls(found.st_dev, found.st_ino, _cookie())

    def is_same(self, other: NetworkNamespace) -> bool:
        """Whether both are one, as far as is known of them."""
        return self[:2] == other[:2] and (self.cookie == other.cookie or not (self.cookie and other.cookie))

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
            if self[:2] == (found.st_dev, found.st_ino):
                return self.is_same(NetworkNamespace(*self[:2], _cookie_at(path) if self.cookie else 0))
        return False


def _mounted() -> Iterator[Path]:
    """Where files of network namespaces are mounted."""
    with Path("/proc/self/mountinfo").open("rb") as mounts:
        for line in mounts:
            _, _, _, root, point, *_ = line.split(b" ")
            if root.startswith(b"net:["):
                yield Path(os.fsdecode(point.decode("unicode_escape").encode("latin-1")))


def _cookie() -> int:
    """The cookie of this thread's network namespace, or 0."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asked, contextlib.suppress(OSError):
        return int.from_bytes(asked.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), sys.byteorder)
    return 0


def _cookie_at(path: Path) -> int:
    """The cookie of a network namespace by its file; 0 where it cannot be entered. A thread enters it, and ends."""
    from pyroute2 import netns  # an extra, which is not needed but here

    found = 0

    def enter_and_ask() -> None:
        nonlocal found
        with contextlib.suppress(OSError), path.open("rb") as file:
            netns.setns(file.fileno())
            found = _cookie()

    thread = threading.Thread(target=enter_and_ask, name="asks for a cookie")
    thread.start()
    thread.join()
    return found

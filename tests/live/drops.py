"""Why the kernel drops packets: the event skb:kfree_skb, read in a tracefs instance of our own."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .namespaces import run

_SYSTEM_TRACEFS = Path("/sys/kernel/tracing")
_PREFIX = "vxlanpkt-live"
_EVENT = Path("events/skb/kfree_skb")
_BUFFER_KIB = "8192"
_DROP = re.compile(r"kfree_skb: .* reason: (\w+)$")
_MARK = re.compile(r"tracing_mark_write: (.+)$")


class Drops:
    """The drops in this thread's own sending, apart for each mark: the receiver's work is done in the sender's call."""

    def __init__(self, instance: Path) -> None:
        self._instance = instance

    def mark(self, name: str) -> None:
        """What is dropped from here on belongs to *name*."""
        (self._instance / "trace_marker").write_text(f"{name}\n")

    def reasons(self) -> dict[str, list[str]]:
        """The kernel's reasons by mark."""
        found: dict[str, list[str]] = {}
        at = ""
        for line in (self._instance / "trace").read_text().splitlines():
            if mark := _MARK.search(line):
                at = mark[1]
            elif drop := _DROP.search(line):
                found.setdefault(at, []).append(drop[1])
        return found


@contextmanager
def watched() -> Iterator[Drops | None]:
    """Watch this thread's drops for the time of the block; None where the kernel does not tell of them."""
    with ExitStack() as undo:
        instance = _instance(undo)
        if instance is None:
            yield None
            return
        (instance / "buffer_size_kb").write_text(_BUFFER_KIB)
        (instance / "set_event_pid").write_text(str(threading.get_native_id()))
        (instance / _EVENT / "enable").write_text("1")
        undo.callback((instance / _EVENT / "enable").write_text, "0")
        yield Drops(instance)


def _instance(undo: ExitStack) -> Path | None:
    """A new instance, and what removes it; those of processes that are gone are removed too."""
    root = _tracefs(undo)
    if root is None:
        return None
    for stale in (root / "instances").glob(f"{_PREFIX}-*"):
        if not Path("/proc", stale.name.rpartition("-")[2]).exists():
            stale.rmdir()
    instance = root / "instances" / f"{_PREFIX}-{os.getpid()}"
    instance.mkdir()
    undo.callback(instance.rmdir)
    if not (instance / _EVENT).exists() or "reason" not in (instance / _EVENT / "format").read_text():
        return None
    return instance


def _tracefs(undo: ExitStack) -> Path | None:
    """Where tracefs is; mounted for ourselves where the system has not."""
    if (_SYSTEM_TRACEFS / "instances").is_dir():
        return _SYSTEM_TRACEFS
    directory = tempfile.mkdtemp(prefix=f"{_PREFIX}-tracefs-")
    undo.callback(os.rmdir, directory)
    try:
        run("mount", "-t", "tracefs", "nodev", directory)
    except (OSError, RuntimeError):
        return None
    undo.callback(run, "umount", directory, check=False)
    return Path(directory)

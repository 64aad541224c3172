"""Where an agent is found while it runs: the lock that it holds, the socket that it answers at, and its record.

All three are beside each other in one directory, under the agent's name. Whether an agent runs is told by its lock
alone, which the kernel lets go of when a process dies, however it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vxlanpkt.errors import FieldError, PacketError

RUN_DIRECTORY = "/run/vxlanpkt"
NAME = "overlay"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_PATIENCE = 0.5  # who only looks whether the lock is held has it for a moment
_PAUSE = 0.01


class AgentError(PacketError, OSError):
    """Everything about agents that run, or do not."""


class NoAgentError(AgentError):
    """No agent of this name runs."""


class AgentRunsError(AgentError):
    """An agent of this name runs already: `.pid`, 0 where that is not known."""

    pid: int


@dataclass(frozen=True)
class RunFiles:
    """The files of an agent: *directory*, and the name that they begin with."""

    directory: Path = Path(RUN_DIRECTORY)
    name: str = NAME

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            message = f"RunFiles.name: {self.name!r} is no name: letters, digits, and then also any of _ . -"
            raise FieldError(message, layer="RunFiles", field="name", value=self.name, bits=None)

    @property
    def socket(self) -> Path:
        """Where the agent answers."""
        return self.directory / f"{self.name}.sock"

    @property
    def lock(self) -> Path:
        """Held while the agent lives; its pid is in it."""
        return self.directory / f"{self.name}.lock"

    @property
    def record(self) -> Path:
        """What is needed to take away what a dead agent left."""
        return self.directory / f"{self.name}.record"


@contextlib.contextmanager
def only_one(files: RunFiles) -> Iterator[None]:
    """Be the only one of this name; raises `AgentRunsError` where another is."""
    files.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = _acquired(files)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        # Removed while it is held: who waits for it finds that it has another file than the one of that name.
        files.lock.unlink(missing_ok=True)
        os.close(descriptor)


def holder(files: RunFiles) -> int | None:
    """The pid of the agent that runs, 0 where it is not known; None if none runs."""
    try:
        descriptor = os.open(files.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _is_taken(descriptor, fcntl.LOCK_SH) else _pid(descriptor)
    finally:
        os.close(descriptor)


def _acquired(files: RunFiles) -> int:
    """The lock's file, locked."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        # For the owner alone: who may open a file may lock it.
        descriptor = os.open(files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if _is_taken(descriptor, fcntl.LOCK_EX) and _is_named(descriptor, files.lock):
                kept, descriptor = descriptor, -1
                return kept
            if time.monotonic() > deadline:
                pid = _pid(descriptor)
                known = f" (pid {pid})" if pid else ""
                raise AgentRunsError(f"an agent{known} runs already: it holds {files.lock}", pid=pid)
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        time.sleep(_PAUSE)


def _is_taken(descriptor: int, how: int) -> bool:
    """Try to lock a file."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_named(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _pid(descriptor: int) -> int:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else 0

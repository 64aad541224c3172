"""Small files that others read while they are written, and that are whole after a crash."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

TEMPORARY = ".new-"  # what is being written begins with this, until it has its name


def sync_directory(directory: Path) -> None:
    """What was renamed, linked or removed in *directory* stays so when the machine stops."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: Path, content: bytes) -> Path:
    """A file of *content* beside *path*, on the disk, under a name that nobody else has."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{os.urandom(6).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def replace_file(path: Path, content: bytes) -> None:
    """Put *content* in the place of what *path* holds: a reader sees the old or the new, never a part."""
    temporary = write_new(path, content)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def create_file(path: Path, content: bytes) -> None:
    """Make *path*, whole from the start; FileExistsError if it is there already."""
    temporary = write_new(path, content)
    try:
        os.link(temporary, path)  # a rename would take the place of another's file
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    sync_directory(path.parent)

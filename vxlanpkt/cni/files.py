"""Small files that are whole as soon as they have their name.

Nothing is forced to the disk, which takes long on some, and would help nobody: when a machine loses its power, its
containers are gone too. Paths are strings, since `pathlib` is a tenth of what the plugins import.
"""

from __future__ import annotations

import contextlib
import os

_TEMPORARY = ".new-"  # what is being written begins with this, until it has its name


def make_directory(path: str, mode: int = 0o755) -> None:
    """Make a directory where there is none, and those above it, which only their owner may write to."""
    above = os.path.dirname(path)
    if above and not os.path.isdir(above):
        make_directory(above)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def replace_file(path: str, content: bytes, mode: int = 0o600) -> None:
    """Put *content* in the place of what *path* holds: a reader sees the old or the new, never a part."""
    temporary = _written(path, content, mode)
    try:
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def create_file(path: str, content: bytes, mode: int = 0o644) -> None:
    """Make *path*, whole from the start; FileExistsError if it is there already."""
    temporary = _written(path, content, mode)
    try:
        os.link(temporary, path)  # a rename would take the place of another's file
    finally:
        os.unlink(temporary)


def read_file(path: str) -> bytes | None:
    """What a file holds; None, if it is not there."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def remove_file(path: str) -> None:
    """Remove a file, or find it gone."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def names_in(directory: str) -> list[str]:
    """The names of a directory's files, in their order; none, if there is no directory."""
    try:
        return sorted(name for name in os.listdir(directory) if not name.startswith(_TEMPORARY))
    except FileNotFoundError:
        return []


def remove_unfinished(directory: str) -> None:
    """Take away what processes left that died while they wrote. Nobody may write meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(directory):
            if name.startswith(_TEMPORARY):
                os.unlink(f"{directory}/{name}")


def _written(path: str, content: bytes, mode: int) -> str:
    """A file of *content* beside *path*, under a name that nobody else has."""
    temporary = f"{os.path.dirname(path)}/{_TEMPORARY}{os.getpid()}-{os.urandom(6).hex()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary

"""Captures are opened: one file or several, by their names or by a pattern of names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from vxlanpkt.capture.origins import File
from vxlanpkt.capture.reader import Capture, policy_for
from vxlanpkt.policy import DecapPolicy

Files: TypeAlias = "File | Sequence[File]"
"""A capture, several of them, or a pattern for their names, such as "dir/*.pcap"."""

_MAGIC = frozenset("*?[")  # what `glob` looks for


def open(source: Files, *, ports: Iterable[int] | None = None, policy: DecapPolicy | None = None) -> Capture:
    """Open pcap or pcapng captures, plain or compressed with gzip or zstd, all told by their first bytes.

    source  a path, a binary file object, or "-" for standard input; a list of these, or a path with *, ? and [...] (and
            ** for any directories) for regular files, in which case several are one capture, one behind the other
    ports   the UDP ports that carry VXLAN, instead of the policy's
    policy  what `decap` accepts; RFC 7348 with inner tags kept and cut packets accepted by default

    Raises OSError at once for a path that cannot be opened; faults of the content are raised by the first pass.
    """
    return opened(source, policy_for(ports, policy))


def opened(source: Files, policy: DecapPolicy) -> Capture:
    """The same with a policy that is known."""
    found = files_of(source)
    if not isinstance(found, tuple):
        return Capture(found, policy)
    from vxlanpkt.capture.series import CaptureSeries  # which one file does without

    return CaptureSeries(found, policy)


def files_of(source: Files) -> File | tuple[File, ...]:
    """The source as it is if it is one file; else all of its files, in order: those of a pattern sorted by name."""
    if isinstance(source, Sequence) and not isinstance(source, str):
        return tuple(file for part in source for file in _matching(part))
    return _matching(source) if is_pattern(source) else source


def is_pattern(source: Files) -> bool:
    """Whether a source stands for all files that it matches; a name that a file has is a name."""
    if not isinstance(source, (str, os.PathLike)) or _MAGIC.isdisjoint(os.fspath(source)):
        return False
    return not os.path.lexists(source)


def _matching(source: File) -> tuple[File, ...]:
    if not isinstance(source, (str, os.PathLike)) or not is_pattern(source):
        return (source,)
    from glob import glob  # which few need

    # Of those of other kinds, a pipe that somebody has put there would be waited for without end.
    found = sorted(filter(os.path.isfile, glob(os.fspath(source), recursive=True)))
    if not found:
        import errno

        raise FileNotFoundError(errno.ENOENT, "no file matches", os.fspath(source))
    return tuple(found)

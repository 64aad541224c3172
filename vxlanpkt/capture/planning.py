"""Who reads what, where several read: small files together, large ones in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vxlanpkt.capture.origins import File, Part
from vxlanpkt.capture.pcap import is_pcap
from vxlanpkt.capture.pcapng import is_pcapng

OPENING = 1 << 16
"""What it costs to open a file, in bytes that could be read in that time."""


class Sized(NamedTuple):
    """A file with its length and the four bytes that it begins with, if they matter."""

    file: File
    size: int
    magic: bytes


@dataclass(frozen=True, slots=True)
class Pack:
    """What one reader is given at a time: files or parts of them that follow each other, and how many bytes these are.

    `number`: which of the parts of a file it is, from 0, if it is one of several.
    """

    parts: tuple[Part, ...]
    size: int
    number: int | None = None


def sized(path: str, split_bytes: int) -> Sized:
    """A file of this machine; its first bytes if it might be split. Raises OSError if it is not there."""
    size = Path(path).stat().st_size
    if size <= split_bytes:
        return Sized(path, size, b"")
    with Path(path).open("rb", buffering=0) as file:
        return Sized(path, size, file.read(4))


def packs(files: Iterable[Sized], pack_bytes: int, split_bytes: int) -> Iterator[Pack]:
    """All files in order, in packs of about *pack_bytes*; those longer than *split_bytes* in parts of about as many.

    What is compressed is not split, nor is anything if *split_bytes* is 0.
    """
    waiting: list[Part] = []
    size = taken = 0
    for file in files:
        split = bool(split_bytes) and file.size > split_bytes and (is_pcap(file.magic) or is_pcapng(file.magic))
        if waiting and (split or taken + file.size + OPENING > pack_bytes):
            yield Pack(tuple(waiting), size)
            waiting, size, taken = [], 0, 0
        if split:
            yield from _parts(file, split_bytes)
            continue
        waiting.append(Part(file.file))
        size += file.size
        taken += file.size + OPENING
    if waiting:
        yield Pack(tuple(waiting), size)


def _parts(file: Sized, split_bytes: int) -> Iterator[Pack]:
    """The parts of a file, of equal lengths."""
    count = -(-file.size // split_bytes)
    bounds = [file.size * number // count for number in range(count)]
    for number, (start, end) in enumerate(zip(bounds, [*bounds[1:], file.size], strict=True)):
        part = Part(file.file, start, None if number == count - 1 else end)
        yield Pack((part,), end - start, number)

"""What a job tells: how far it is, what it has done, and what it had done when its input broke off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from vxlanpkt._values import Value
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.errors import CaptureError

Progress: TypeAlias = Callable[[int, "int | None"], object]
"""Called now and then with the bytes of the input taken, as it is stored, and its size if that is known."""


class JobResult(Value):
    """What a job has done.

    `stats`: the records read. `files`: the paths written, none for standard output and file objects. `written`: how
    many packets. `skipped`: how many the file cannot hold: no link type does (GPE with NSH or MPLS), or the time of the
    record does not fit pcap.
    """

    __slots__ = __match_args__ = ("stats", "files", "written", "skipped")

    stats: CaptureStats
    files: tuple[str, ...]
    written: int
    skipped: int

    def __init__(self, stats: CaptureStats, files: tuple[str, ...], written: int, skipped: int = 0) -> None:
        set_field = object.__setattr__
        set_field(self, "stats", stats)
        set_field(self, "files", files)
        set_field(self, "written", written)
        set_field(self, "skipped", skipped)


class PartialResultError(CaptureError):
    """The input broke off, or went bad: everything before that was done, and the output is complete that far.

    `result`: what was done.
    """

    result: JobResult

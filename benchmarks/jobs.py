"""One job of one contender over its frames: inputs made ready beforehand, so that only the job is timed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.contender import Contender
from benchmarks.frames import Frame


def job_input(contender: Contender, job: str, frames: Sequence[Frame]) -> list[Any]:
    """What the job takes for each frame: bytes, an inner frame, or field values."""
    if job == "build":
        return [contender.prepare(frame) for frame in frames]
    if job == "encap":
        return [frame.inner for frame in frames]
    return [frame.wire for frame in frames]


def run(function: Callable[[Any], Any], inputs: Iterable[Any]) -> None:
    """What is timed: a plain loop of calls, the same for all."""
    for one in inputs:
        function(one)

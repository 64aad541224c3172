"""--frame N: packets that are asked for by their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from vxlanpkt.capture import Capture, Record

_F = TypeVar("_F", bound=Callable[..., Any])


def frame_option(text: str) -> Callable[[_F], _F]:
    """--frame N, repeatable; *text* is its help."""
    return click.option("--frame", "wanted", type=click.IntRange(1), multiple=True, metavar="N", help=text)


def named_records(capture: Capture, wanted: set[int]) -> Iterator[tuple[int, Record]]:
    """The records with these numbers, in the order of the capture; one that is not there is a wrong call."""
    last = max(wanted)
    number = 0
    for number, record in enumerate(capture, 1):
        if number in wanted:
            yield number, record
        if number == last:
            return
    missing = min(other for other in wanted if other > number)
    raise click.UsageError(f"--frame: there is no packet {missing}: the capture has {number:,}")

"""What consumers of columns call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from vxlanpkt._fastlib import ffi, lib

ENDS_STREAMS = False
RELEASES = tuple(
    int(ffi.cast("uintptr_t", ffi.addressof(lib, f"vxlanpkt_release_{what}"))) for what in ("array", "schema", "stream")
)
"""The addresses of functions that release arrays, schemas and streams."""


def take_released(releases: int) -> Iterator[int]:
    """The numbers of the exports that were released since this was asked last."""
    export = lib.vxlanpkt_take_released(ffi.cast("struct vxlanpkt_releases *", releases))
    while export:
        number = export.number
        export = export.next
        yield number


def callback(
    result: str, arguments: int, function: Callable[..., int], failed: int, note: Callable[[BaseException], None]
) -> tuple[int, Any]:
    """The address of a C function that calls *function* with so many pointers, as numbers; and what has to be kept.

    result        "int" or "uintptr_t"
    failed, note  what it returns if an exception is raised, be it before the first step of *function*, and who is told
    """

    def noted(_kind: object, error: BaseException, _traceback: object) -> None:
        note(error)

    made = ffi.callback(f"{result}({', '.join(['uintptr_t'] * arguments)})", function, error=failed, onerror=noted)
    return int(ffi.cast("uintptr_t", made)), made

"""Captures shared out among processes: what each makes of its packs comes back in the order of the files.

What Python needs for more processes takes as long to load as all that a capture is read with, so it is loaded when
there are to be some.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from vxlanpkt.capture.opening import Files, files_of
from vxlanpkt.capture.origins import File, Part
from vxlanpkt.capture.parts import SplitError
from vxlanpkt.capture.planning import Pack, Sized, packs, sized
from vxlanpkt.capture.refusals import refused
from vxlanpkt.capture.sources import READING, Stopped

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

_T = TypeVar("_T")
Work = Callable[[Sequence[Part]], _T]

SPLIT = 1 << 26
"""The most bytes that a process takes at a time, which it is at for some tenths of a second."""

_LEAST, _LEAST_PART, _PACKS_EACH = 1 << 20, 1 << 24, 4
_AHEAD = 2  # packs that are under way or done, for each process, before the first of them is asked for


def files_to_share(source: Files) -> list[Sized]:
    """The files of a source, which have to be regular ones, that each process opens by itself."""
    found = files_of(source)
    return [
        sized(_path_of(file), min(_LEAST_PART, SPLIT)) for file in (found if isinstance(found, tuple) else (found,))
    ]


def _path_of(file: File) -> str:
    if isinstance(file, (str, os.PathLike)) and os.fspath(file) != "-":
        return os.fspath(file)
    raise refused("jobs", file, "a path, and can be read by one process only")


def shared_out(work: Work[_T], files: Sequence[Sized], jobs: int) -> Iterator[tuple[Pack, _T]]:
    """What *work* makes of the files, a pack at a time, in order; *jobs* processes are at it.

    *work* and its results are pickled. It raises SplitError of a part that does not end where the next one begins: from
    the beginning of that on the file is read in one piece.
    """
    if jobs < 1:
        raise refused("jobs", jobs, "1 or more")
    each = sum(file.size for file in files) // (jobs * _PACKS_EACH)
    planned = deque(packs(files, max(_LEAST, min(each, SPLIT)), min(max(each, _LEAST_PART), SPLIT)))
    if len(planned) == 1:
        yield planned[0], work(planned[0].parts)
        return
    waiting: deque[tuple[Pack, Future[_T]]] = deque()
    with _pool(jobs) as pool:
        try:
            while planned or waiting:
                while planned and len(waiting) <= jobs * _AHEAD:
                    waiting.append((planned[0], pool.submit(work, planned.popleft().parts)))
                pack, future = waiting.popleft()
                try:
                    result = _answer(future)
                except SplitError:
                    pack = _rest(pack, waiting, planned)
                    result = _answer(pool.submit(work, pack.parts))
                yield pack, result
        finally:
            for _, future in waiting:
                future.cancel()


def _rest(pack: Pack, waiting: deque[tuple[Pack, Future[_T]]], planned: deque[Pack]) -> Pack:
    """A part of a file with all that are behind it, which are taken out of the queues."""
    size = pack.size
    while waiting and waiting[0][0].number:
        behind, future = waiting.popleft()
        future.cancel()
        size += behind.size
    while not waiting and planned and planned[0].number:
        size += planned.popleft().size
    (part,) = pack.parts
    return Pack((Part(part.file, part.start),), size, pack.number)


def _pool(jobs: int) -> ProcessPoolExecutor:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # A process that is forked while others of its threads hold locks may wait for them for ever: these start anew.
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_leave_interrupts)


def _leave_interrupts() -> None:
    """Interrupts of the keyboard reach all processes of a terminal: they are for the first one."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answer(future: Future[Any]) -> Any:
    """What a process answers: this is where an interrupt may come, as it may where bytes are waited for."""
    from concurrent.futures.process import BrokenProcessPool

    with READING.get() or nullcontext():
        try:
            return future.result()
        except BrokenProcessPool:
            message = "a process ended while it read a part of the capture: the system may have run out of memory"
            raise Stopped(message, offset=None) from None

"""Releases of Arrow structures, which consumers call: what is released is noted, and swept up later.

A consumer may let go of something while an exception is under way. Code in Python cannot hand that one on: it goes to
`sys.unraisablehook`, which prints it, and a SystemError comes in its place. The kernel in C has no such limit. So that
a broken capture does not get there, streams end by themselves here: see `ENDS_STREAMS`.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterator
from struct import Struct, calcsize
from typing import Any

_POINTER = calcsize("P")
_ARRAY, _SCHEMA, _STREAM = Struct("qqqqqPPPPP"), Struct("PPPqqPPPP"), Struct("PPPPP")
_EXPORT, _RELEASES = Struct("PPQQ"), Struct("PPP")
_RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_let_go_of: dict[int, deque[int]] = {}
"""The exports of which something was released, in the order of time, by whom that is told."""
_CALL_SOON = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


def _memory(address: int, layout: Struct) -> Any:
    return (ctypes.c_char * layout.size).from_address(address)


def _read(address: int, layout: Struct) -> tuple[int, ...]:
    return layout.unpack_from(_memory(address, layout))


def _release_nested(count: int, children: int, dictionary: int, layout: Struct) -> None:
    """Release what a structure holds, as far as nobody took it elsewhere; it may not be of our making."""
    nested = [_read(children + at * _POINTER, Struct("P"))[0] for at in range(count)]
    for address in (*nested, dictionary):
        if address:
            *_, release, _private = _read(address, layout)
            if release:
                _RELEASE(release)(address)


def _let_go(address: int, layout: Struct) -> None:
    """Mark a structure as released. Its export counts that later: what is done here must not be interrupted."""
    *before, _release, private = _read(address, layout)
    layout.pack_into(_memory(address, layout), 0, *before, 0, private)
    _, releases, _, _ = _read(private, _EXPORT)
    waiting = _let_go_of.setdefault(releases, deque())
    first = not waiting
    waiting.append(private)
    if first:
        _, call_soon, sweep = _read(releases, _RELEASES)
        if call_soon:
            _CALL_SOON(call_soon)(sweep, None)


def release_array(address: int) -> None:
    """Release an array, its children and its dictionary."""
    *_, count, _buffers, children, dictionary, _release, _private = _read(address, _ARRAY)
    _release_nested(count, children, dictionary, _ARRAY)
    _let_go(address, _ARRAY)


def release_schema(address: int) -> None:
    """Release a schema, its children and its dictionary."""
    *_, count, children, dictionary, _release, _private = _read(address, _SCHEMA)
    _release_nested(count, children, dictionary, _SCHEMA)
    _let_go(address, _SCHEMA)


def release_stream(address: int) -> None:
    """Release a stream."""
    _let_go(address, _STREAM)


def take_released(releases: int) -> Iterator[int]:
    """The numbers of the exports that were released since this was asked last.

    One caller at a time.
    """
    waiting = _let_go_of.setdefault(releases, deque())
    while waiting:
        export = waiting.popleft()
        following, to, left, number = _read(export, _EXPORT)
        _EXPORT.pack_into(_memory(export, _EXPORT), 0, following, to, left - 1, number)
        if left == 1:
            yield number


# -- as functions in C

ENDS_STREAMS = True
"""Whether a stream is released by whoever makes its batches, at its end or a fault, before its consumer can do it."""


def _callback_of(release: Callable[[int], None]) -> Any:
    slots = [ctypes.c_void_p() for _ in range(3)]
    of_error, of_value, of_traceback = (ctypes.c_void_p(ctypes.addressof(slot)) for slot in slots)
    fetch_error = ctypes.pythonapi.PyErr_Fetch  # without argument types, as nothing can be called to convert to those
    fetch_error.restype = None

    def call(address: int) -> None:
        # First of all: with an exception under way every other call would fail.
        fetch_error(of_error, of_value, of_traceback)
        pending = [slot.value for slot in slots]
        release(address)
        if pending[0]:
            # It is raised here, and so reported as one that cannot be handed on.
            ctypes.pythonapi.PyErr_Restore(*map(ctypes.c_void_p, pending))

    return _RELEASE(call)


def _address(release: Callable[[int], None]) -> int:
    """As a function in C that is there as long as the process is, for consumers may call it that long.

    PyPy has no interface of CPython, so nobody is handed such a structure there: see capture/arrow.py.
    """
    if not hasattr(ctypes, "pythonapi"):  # pragma: no cover - PyPy
        return 0
    made = _callback_of(release)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made))
    return ctypes.cast(made, ctypes.c_void_p).value or 0


RELEASES = tuple(map(_address, (release_array, release_schema, release_stream)))
"""The addresses of the three, for arrays, schemas and streams, as functions in C."""

_RESULTS = {"int": ctypes.c_int, "uintptr_t": ctypes.c_size_t}


def callback(
    result: str, arguments: int, function: Callable[..., int], failed: int, note: Callable[[BaseException], None]
) -> tuple[int, Any]:
    """The address of a C function that calls *function* with so many pointers, as numbers; and what has to be kept.

    result        "int" or "uintptr_t"
    failed, note  what it returns if an exception is raised, and who is told: but for one before the first step here,
                  which only C can answer
    """

    def guarded(*addresses: int) -> int:
        try:
            return function(*addresses)
        except BaseException as error:
            note(error)
            return failed

    made = ctypes.CFUNCTYPE(_RESULTS[result], *(ctypes.c_size_t,) * arguments)(guarded)
    return ctypes.cast(made, ctypes.c_void_p).value or 0, made

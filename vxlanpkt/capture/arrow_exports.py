"""What is handed out through the Arrow C interfaces, and when it is over.

    Schema   PPPqqPPPP  format, name, metadata | flags, children | children, dictionary, release, private data
    Array    qqqqqPPPPP length, nulls, offset, buffers, children | buffers, children, dictionary, release, private data
    Stream   PPPPP      get schema, get next, get last error, release, private data

A consumer may take a structure elsewhere, a child without its parent, and release it there, from any thread, and while
an exception is under way, which code in Python would lose. So the kernel has the functions that release: they count
down what is left of an export, and this module lets go of its memory a little later, when the interpreter calls it or
there is more to hand out.

Capsules have no destructor, for the same reason. This module holds on to each, and lets go of those that nobody else
holds any more.
"""

from __future__ import annotations

import atexit
import ctypes
import sys
from collections.abc import Callable
from itertools import count
from struct import Struct, calcsize
from threading import Lock, local
from typing import Any, NamedTuple

from vxlanpkt.kernel import RELEASES, callback, take_released

if not hasattr(ctypes, "pythonapi"):
    raise ImportError(f"tables are handed out in capsules of CPython, and this is {sys.implementation.name}")

ARRAY, SCHEMA, STREAM = Struct("qqqqqPPPPP"), Struct("PPPqqPPPP"), Struct("PPPPP")
POINTER = calcsize("P")

_EXPORT, _RELEASES = Struct("PPQQ"), Struct("PPP")
RELEASE_ARRAY, RELEASE_SCHEMA, RELEASE_STREAM = RELEASES
_numbers = count(1)
_kept: dict[int, Any] = {}
"""What belongs to each export: alive until all structures of it are released, if it takes until the process ends."""
_sweeping = Lock()
_asked: list[None] = []
"""Not empty if somebody wants to have swept what the one who is at it may have passed already."""


class Closing:
    """What is closed when nobody has it any more."""

    def close(self) -> None:
        """Let go of what it holds."""


def new_export(left: int, *kept: Any) -> int:
    """Keep something until so many structures are released; returns what is their private data."""
    number = next(_numbers)
    memory = ctypes.create_string_buffer(_EXPORT.size)
    _EXPORT.pack_into(memory, 0, 0, _RELEASES_AT, left, number)
    _kept[number] = memory, *kept
    return ctypes.addressof(memory)


def kept_for(export: int) -> Any:
    """What is kept for an export."""
    *_, number = _EXPORT.unpack_from((ctypes.c_char * _EXPORT.size).from_address(export))
    return _kept[number]


def sweep(_: int | None = None) -> int:
    """Let go of what was released, and of streams in capsules that nobody else holds any more."""
    _asked.append(None)
    # Whoever is at it looks again behind its last look: what was released in between would be forgotten.
    while _asked and _sweeping.acquire(blocking=False):
        try:
            _asked.clear()
            _release_capsules()
            _let_go()
        finally:
            _sweeping.release()
    return 0


def _let_go() -> None:
    """Let go of what belongs to exports that are released."""
    while numbers := list(take_released(_RELEASES_AT)):
        for number in numbers:
            for kept in _kept.pop(number):
                if isinstance(kept, Closing):
                    kept.close()


def _release_capsules() -> None:
    """Release the streams and schemas that nobody took out of their capsules before these were gone."""
    for held in [held for held in _capsules if sys.getrefcount(held.capsule) <= _ONLY_OURS]:
        _capsules.remove(held)
        release_at(ctypes.addressof(held.memory), held.layout)


def release_at(address: int, layout: Struct) -> None:
    """Release the structure at *address*, if it is not."""
    *_, release, _private = layout.unpack_from((ctypes.c_char * layout.size).from_address(address))
    if release:
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(release)(address)


def write(address: int, layout: Struct, *values: int) -> None:
    """Write a structure to *address*."""
    layout.pack_into((ctypes.c_char * layout.size).from_address(address), 0, *values)


_ended: list[int] = []
"""Exports of streams that ended by themselves, kept a while: their consumers may still ask for the error."""
_LATELY = 8


def end_export(export: int) -> None:
    """Let go of a stream that has ended, when as many others have as may still be asked for."""
    _ended.append(export)
    if len(_ended) > _LATELY:
        *_, number = _EXPORT.unpack_from((ctypes.c_char * _EXPORT.size).from_address(_ended.pop(0)))
        del _kept[number]


# -- exceptions that cannot pass through C


class _Watch(local):
    """The exceptions that streams of this thread end with, if somebody wants them."""

    errors: list[BaseException] | None = None


watch = _Watch()


def note(error: BaseException) -> None:
    """Tell of an exception that becomes an error number, where somebody wants it."""
    if watch.errors is not None:
        watch.errors.append(error)


# -- capsules


class _Capsule(NamedTuple):
    """A capsule that was handed out, the structure in it, and what that looks like."""

    capsule: Any
    memory: Any
    layout: Struct


_capsules: list[_Capsule] = []
_py_capsule_new = ctypes.pythonapi.PyCapsule_New
_py_capsule_new.restype = ctypes.py_object
_py_capsule_new.argtypes = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p
_ONLY_OURS = 2  # references to a capsule: from its entry, and from the call that counts


def new_capsule(memory: Any, name: bytes, layout: Struct) -> object:
    """A capsule around the structure in *memory*, which is released when nobody else holds the capsule any more."""
    sweep()
    capsule = _py_capsule_new(ctypes.addressof(memory), name, None)
    _capsules.append(_Capsule(capsule, memory, layout))
    return capsule


# -- what consumers call, and what the kernel writes to: these are there as long as the process is


def _forever(made: Any) -> None:
    """Have nothing ever free *made*."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made))


def callback_at(result: str, arguments: int, function: Callable[..., int], failed: int) -> int:
    """The address of a C function that calls *function*, and returns *failed* if that is interrupted on its way."""
    address, made = callback(result, arguments, function, failed, note)
    _forever(made)
    return address


_forever(_kept)
_releases = ctypes.create_string_buffer(_RELEASES.size)
_forever(_releases)
_RELEASES_AT = ctypes.addressof(_releases)
_RELEASES.pack_into(
    _releases, 0, 0, ctypes.cast(ctypes.pythonapi.Py_AddPendingCall, ctypes.c_void_p).value,
    callback_at("int", 1, sweep, 0),
)  # fmt: skip


@atexit.register
def _call_no_more() -> None:
    """Ask for no more calls of an interpreter that ends: what is released from now on is memory that ends with it."""
    write(_RELEASES_AT + POINTER, Struct("P"), 0)

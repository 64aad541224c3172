"""Both kernels let go of Arrow structures alike: of what is nested first, of an export once, at its last structure."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from struct import Struct
from typing import Any

import pytest

from vxlanpkt.kernel import python

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt.kernel import c

BOTH = pytest.mark.parametrize("kernel", [python, c], ids=lambda kernel: kernel.__name__)
ARRAY, SCHEMA, STREAM, EXPORT, RELEASES = map(Struct, ("qqqqqPPPPP", "PPPqqPPPP", "PPPPP", "PPQQ", "PPP"))
RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
SWEEP = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
CALL_SOON = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


@BOTH
def test_callbacks(kernel: Any) -> None:
    """Functions in C that call Python: pointers come as numbers, an exception becomes the answer for it."""

    def add(one: int, other: int) -> int:
        if other == 7:
            raise KeyboardInterrupt
        return one + other

    for result, kind in (("int", ctypes.c_int), ("uintptr_t", ctypes.c_size_t)):
        told: list[BaseException] = []
        address, kept = kernel.callback(result, 2, add, 5, told.append)
        call = ctypes.CFUNCTYPE(kind, ctypes.c_void_p, ctypes.c_void_p)(address)
        assert (call(None, 3), call(40, 2), call(1, 7)) == (3, 42, 5)
        assert kept is not None
        assert [type(error) for error in told] == [KeyboardInterrupt]


class Memory:
    """Structures, and what lets go of them; `asked` is how often somebody asked for a sweep."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.kept: list[Any] = []
        self.asked = 0
        self.call_soon = CALL_SOON(self.count)
        self.releases = self.put(RELEASES, 0, ctypes.cast(self.call_soon, ctypes.c_void_p).value, 0)

    def count(self, _sweep: int, _argument: int) -> int:
        self.asked += 1
        return 0

    def put(self, layout: Struct, *values: Any) -> int:
        memory = ctypes.create_string_buffer(layout.size)
        layout.pack_into(memory, 0, *values)
        self.kept.append(memory)
        return ctypes.addressof(memory)

    def export(self, left: int, number: int) -> int:
        return self.put(EXPORT, 0, self.releases, left, number)

    def array(self, export: int, children: tuple[int, ...] = (), dictionary: int = 0) -> int:
        places = self.put(Struct(f"{len(children)}P"), *children)
        return self.put(
            ARRAY, 0, 0, 0, 0, len(children), 0, places, dictionary, self.kernel.RELEASES[0], export
        )  # fmt: skip

    def schema(self, export: int, children: tuple[int, ...] = (), dictionary: int = 0) -> int:
        places = self.put(Struct(f"{len(children)}P"), *children)
        return self.put(SCHEMA, 0, 0, 0, 0, len(children), places, dictionary, self.kernel.RELEASES[1], export)

    def stream(self, export: int) -> int:
        return self.put(STREAM, 0, 0, 0, self.kernel.RELEASES[2], export)

    def release(self, address: int, layout: Struct) -> None:
        *_, function, _private = self.read(address, layout)
        RELEASE(function)(address)

    @staticmethod
    def read(address: int, layout: Struct) -> tuple[Any, ...]:
        return layout.unpack(ctypes.string_at(address, layout.size))

    def is_released(self, address: int, layout: Struct) -> bool:
        return not self.read(address, layout)[-2]

    def taken(self) -> list[int]:
        return list(self.kernel.take_released(self.releases))


@pytest.fixture
def memory(kernel: Any) -> Iterator[Memory]:
    """Nothing is left over from a test."""
    if sys.implementation.name == "pypy":
        pytest.skip("on PyPy nobody is handed such structures")
    made = Memory(kernel)
    yield made
    assert made.taken() == []


@BOTH
@pytest.mark.parametrize("make", ["array", "schema"])
def test_nested_structures(memory: Memory, make: str) -> None:
    """Children and dictionaries go with their parent, but for those that are somewhere else."""
    layout = ARRAY if make == "array" else SCHEMA
    new = getattr(memory, make)
    export = memory.export(5, 7)
    dictionary = new(export)
    children = new(export), new(export, (), dictionary), new(export)
    parent = new(export, children)
    memory.release(children[2], layout)
    assert memory.taken() == []
    memory.release(parent, layout)
    assert all(memory.is_released(one, layout) for one in (parent, *children, dictionary))
    assert memory.taken() == [7]
    assert memory.asked >= 1


@BOTH
def test_a_child_that_is_left(memory: Memory) -> None:
    """The export waits for it."""
    export = memory.export(2, 1)
    child = memory.array(export)
    parent = memory.array(export, (child,))
    there = memory.put(ARRAY, *memory.read(child, ARRAY))
    ARRAY.pack_into((ctypes.c_char * ARRAY.size).from_address(child), 0, *memory.read(child, ARRAY)[:-2], 0, export)
    memory.release(parent, ARRAY)
    assert memory.taken() == []
    memory.release(there, ARRAY)
    assert memory.taken() == [1]


@BOTH
def test_streams(memory: Memory) -> None:
    """Each is an export of its own; all that were released are taken at once."""
    streams = [memory.stream(memory.export(1, number)) for number in range(5)]
    for stream in streams:
        memory.release(stream, STREAM)
        assert memory.is_released(stream, STREAM)
    assert sorted(memory.taken()) == [0, 1, 2, 3, 4]
    assert memory.asked == 1


@BOTH
def test_nobody_to_ask(memory: Memory) -> None:
    """At the end of the interpreter nobody is called any more."""
    RELEASES.pack_into((ctypes.c_char * RELEASES.size).from_address(memory.releases), 0, 0, 0, 0)
    memory.release(memory.stream(memory.export(1, 3)), STREAM)
    assert memory.asked == 0
    assert memory.taken() == [3]


@BOTH
def test_each_has_its_own(memory: Memory, kernel: Any) -> None:
    """What is released is told to those whose export it was, and to nobody else."""
    other = Memory(kernel)
    memory.release(memory.stream(memory.export(1, 1)), STREAM)
    other.release(other.stream(other.export(1, 2)), STREAM)
    assert (memory.asked, other.asked) == (1, 1)
    assert other.taken() == [2]
    assert memory.taken() == [1]

"""Columns handed out through the Arrow C interfaces, without any Arrow library: streams of batches as PyCapsules.

    Schema   PPPqqPPPP  format, name, metadata | flags, children | children, dictionary, release, private data
    Array    qqqqqPPPPP length, nulls, offset, buffers, children | buffers, children, dictionary, release, private data
    Stream   PPPPP      get schema, get next, get last error, release, private data

A consumer may take a structure elsewhere, a child without its parent, and release it there, from any thread, and while
an exception is under way, which code in Python would lose. So the kernel has the functions that release: they count
down what is left of an export, and this module lets go of its memory a little later, when the interpreter calls it or
there is more to hand out.

Capsules have no destructor, for the same reason. This module holds on to each, and lets go of those that nobody else
holds any more. A stream that nobody has read from has opened nothing.
"""

from __future__ import annotations

import atexit
import ctypes
import errno
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import count
from struct import Struct, calcsize
from threading import Lock, local
from typing import Any, NamedTuple, TypeVar

from vxlanpkt.errors import CaptureError
from vxlanpkt.kernel import ENDS_STREAMS, RELEASES, callback, take_released

if not hasattr(ctypes, "pythonapi"):
    raise ImportError(f"tables are handed out in capsules of CPython, and this is {sys.implementation.name}")

_T = TypeVar("_T")

_ARRAY, _SCHEMA, _STREAM = Struct("qqqqqPPPPP"), Struct("PPPqqPPPP"), Struct("PPPPP")
_POINTER = calcsize("P")
_NULLABLE = 2
_STREAM_NAME, _SCHEMA_NAME = b"arrow_array_stream", b"arrow_schema"
_SLOTS = 3  # buffers that an array can have here: validity, offsets or values, bytes


class ArrowField(NamedTuple):
    """A column's name, its format as the C interface writes it, and that of its dictionary's values if it has one."""

    name: str
    format: str
    values: str | None = None


class ArrowColumn(NamedTuple):
    """A column of a batch: how many rows are null, and where its buffers lie (0: no such buffer).

    `values`: its dictionary.
    """

    length: int
    nulls: int
    buffers: tuple[int, ...]
    values: ArrowColumn | None = None


class ArrowBatch(NamedTuple):
    """A record batch, with all that its buffers belong to."""

    rows: int
    columns: Sequence[ArrowColumn]
    kept: Any


class ArrowTable:
    """Fields, and batches, or what makes them anew for each stream; anything that reads Arrow streams takes it."""

    def __init__(
        self, fields: Sequence[ArrowField], batches: Callable[[], Iterable[ArrowBatch]] | Sequence[ArrowBatch]
    ) -> None:
        self.fields = tuple(fields)
        self._batches = batches if callable(batches) else lambda: batches

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A stream; the schema is always this table's own, as the interface allows."""
        return _stream_capsule(_Stream(self.fields, self._batches))

    def __arrow_c_schema__(self) -> object:
        """The schema alone."""
        return _schema_capsule(self.fields)


# -- what is handed out, and when it is over

_EXPORT, _RELEASES = Struct("PPQQ"), Struct("PPP")
_RELEASE_ARRAY, _RELEASE_SCHEMA, _RELEASE_STREAM = RELEASES
_numbers = count(1)
_kept: dict[int, Any] = {}
"""What belongs to each export: alive until all structures of it are released, if it takes until the process ends."""
_sweeping = Lock()
_asked: list[None] = []
"""Not empty if somebody wants to have swept what the one who is at it may have passed already."""


def _new_export(left: int, *kept: Any) -> int:
    """Keep something until so many structures are released; returns what is their private data."""
    number = next(_numbers)
    memory = ctypes.create_string_buffer(_EXPORT.size)
    _EXPORT.pack_into(memory, 0, 0, _RELEASES_AT, left, number)
    _kept[number] = memory, *kept
    return ctypes.addressof(memory)


def _kept_for(export: int) -> Any:
    """What is kept for an export."""
    *_, number = _EXPORT.unpack_from((ctypes.c_char * _EXPORT.size).from_address(export))
    return _kept[number]


def _sweep(_: int | None = None) -> int:
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
                if isinstance(kept, _Stream):
                    kept.close()


def _release_capsules() -> None:
    """Release the streams and schemas that nobody took out of their capsules before these were gone."""
    for held in [held for held in _capsules if sys.getrefcount(held.capsule) <= _ONLY_OURS]:
        _capsules.remove(held)
        _release(ctypes.addressof(held.memory), held.layout)


def _release(address: int, layout: Struct) -> None:
    """Release the structure at *address*, if it is not."""
    *_, release, _private = layout.unpack_from((ctypes.c_char * layout.size).from_address(address))
    if release:
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(release)(address)


# -- schemas


def _put_schema(address: int, fields: Sequence[ArrowField]) -> None:
    """Write a struct type with *fields* to *address*."""
    texts: list[Any] = []

    def text(value: str) -> int:
        texts.append(ctypes.create_string_buffer(value.encode()))
        return ctypes.addressof(texts[-1])

    memory = ctypes.create_string_buffer(len(fields) * (2 * _SCHEMA.size + _POINTER) + 1)
    base = ctypes.addressof(memory)
    places = tuple(range(base, base + 2 * _SCHEMA.size * len(fields), 2 * _SCHEMA.size))
    dictionaries = sum(field.values is not None for field in fields)
    own = _RELEASE_SCHEMA, _new_export(1 + len(fields) + dictionaries, memory, texts)
    for place, field in zip(places, fields, strict=True):
        dictionary = 0
        if field.values is not None:
            dictionary = place + _SCHEMA.size
            _write(dictionary, _SCHEMA, text(field.values), text(""), 0, _NULLABLE, 0, 0, 0, *own)
        _write(place, _SCHEMA, text(field.format), text(field.name), 0, _NULLABLE, 0, 0, dictionary, *own)
    pointers = base + 2 * _SCHEMA.size * len(fields)
    _write(pointers, Struct(f"{len(fields)}P"), *places)
    _write(address, _SCHEMA, text("+s"), text(""), 0, 0, len(fields), pointers, 0, *own)


def _write(address: int, layout: Struct, *values: int) -> None:
    layout.pack_into((ctypes.c_char * layout.size).from_address(address), 0, *values)


# -- arrays


class _Layout:
    """Where in one block of memory the structures of a batch lie: columns, dictionaries, and what they point to."""

    def __init__(self, fields: Sequence[ArrowField]) -> None:
        self.columns = len(fields)
        self.structures = self.columns + sum(field.values is not None for field in fields)
        self.children = self.structures * _ARRAY.size
        self.buffers = self.children + self.columns * _POINTER
        # One more list of buffers, for the struct itself: it has one, and that is NULL.
        self.size = self.buffers + (self.structures + 1) * _SLOTS * _POINTER
        self.pack_children = Struct(f"{self.columns}P").pack_into
        self.pack_buffers = Struct(f"{(self.structures + 1) * _SLOTS}P").pack_into


def _put_array(address: int, layout: _Layout, batch: ArrowBatch) -> None:
    """Write *batch* to *address*."""
    memory = ctypes.create_string_buffer(layout.size)
    base = ctypes.addressof(memory)
    places = range(base, base + layout.columns * _ARRAY.size, _ARRAY.size)
    export = _new_export(1 + layout.structures, memory, batch.kept)
    dictionary = layout.columns
    buffers: list[int] = [0] * ((layout.structures + 1) * _SLOTS)

    def put(slot: int, column: ArrowColumn, values: int) -> None:
        buffers[slot * _SLOTS : slot * _SLOTS + len(column.buffers)] = column.buffers
        at = base + layout.buffers + slot * _SLOTS * _POINTER
        _ARRAY.pack_into(
            memory, slot * _ARRAY.size, column.length, column.nulls, 0, len(column.buffers), 0, at, 0, values,
            _RELEASE_ARRAY, export,
        )  # fmt: skip

    for slot, column in enumerate(batch.columns):
        values = 0
        if column.values is not None:
            values = base + dictionary * _ARRAY.size
            put(dictionary, column.values, 0)
            dictionary += 1
        put(slot, column, values)
    layout.pack_buffers(memory, layout.buffers, *buffers)
    layout.pack_children(memory, layout.children, *places)
    own_buffers = base + layout.buffers + layout.structures * _SLOTS * _POINTER
    _write(
        address, _ARRAY, batch.rows, 0, 0, 1, layout.columns, own_buffers, base + layout.children, 0, _RELEASE_ARRAY,
        export,
    )  # fmt: skip


# -- streams


class _Stream:
    """One pass: batches are made as they are asked for, and an exception becomes an error number and a text."""

    def __init__(self, fields: Sequence[ArrowField], batches: Callable[[], Iterable[ArrowBatch]]) -> None:
        self.error: Any = None
        self.failed = 0
        self.over = False
        self._fields = fields
        self._layout = _Layout(fields)
        self._open: Callable[[], Iterable[ArrowBatch]] | None = batches
        self._batches: Iterator[ArrowBatch] | None = None

    def put_schema(self, address: int) -> None:
        """Write the schema to *address*."""
        _put_schema(address, self._fields)

    def put_next(self, address: int) -> None:
        """Write the next batch to *address*, or nothing at the end, nor behind a fault."""
        if self.failed:
            return
        if self._batches is None and self._open is not None:
            self._batches, self._open = iter(self._open()), None
        batch = None if self._batches is None else next(self._batches, None)
        if batch is None:
            self.over = True
        else:
            _put_array(address, self._layout, batch)

    def fail(self, error: BaseException) -> None:
        """Answer with this from now on."""
        _note(error)
        self.failed = _error_number(error)
        self.over = True
        self.error = ctypes.create_string_buffer(str(error).encode() or type(error).__name__.encode())

    def close(self) -> None:
        """End the pass; one that is given up half-way closes its file."""
        batches, self._batches, self._open = self._batches, None, None
        if isinstance(batches, Generator):
            batches.close()


class _Watch(local):
    """The exceptions that streams of this thread end with, if somebody wants them."""

    errors: list[BaseException] | None = None


_watch = _Watch()


def _note(error: BaseException) -> None:
    if _watch.errors is not None:
        _watch.errors.append(error)


def made_of(table: ArrowTable, consumer: Callable[[ArrowTable], _T]) -> _T:
    """What a consumer makes of a table. Raises the exception that ends a stream of it, not the consumer's for that."""
    errors: list[BaseException] = []
    outer, _watch.errors = _watch.errors, errors
    try:
        return consumer(table)
    except Exception:
        if not errors:
            raise
    finally:
        _watch.errors = outer
    # Here, as no exception is under way: see kernel/releases.py.
    raise errors[0]


def _error_number(error: BaseException) -> int:
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, KeyboardInterrupt):
        return errno.EINTR
    return errno.EIO if isinstance(error, CaptureError) else errno.EINVAL


def _stream_at(address: int) -> _Stream:
    *_, export = _STREAM.unpack_from((ctypes.c_char * _STREAM.size).from_address(address))
    stream: _Stream = _kept_for(export)[1]
    return stream


def _get_schema(address: int, schema: int) -> int:
    return _answer(address, schema, _SCHEMA, _Stream.put_schema)


def _get_next(address: int, array: int) -> int:
    failed = _answer(address, array, _ARRAY, _Stream.put_next)
    if ENDS_STREAMS:
        stream = _stream_at(address)
        if stream.over:
            stream.close()
            _release_early(address)
    return failed


def _answer(address: int, out: int, layout: Struct, put: Callable[[_Stream, int], None]) -> int:
    """Have a stream put something into memory that is empty at first; returns an error number.

    No exception can pass through C: an interruption, or a system exit, is one for the consumer, too. It may come
    between any two steps, and has to become an answer: without one consumers take what lies in their own memory for it.
    """
    cleared, stream = 0, None
    try:
        ctypes.memset(out, 0, layout.size)
        cleared = out
        stream = _stream_at(address)
        _sweep()
        put(stream, out)
        return stream.failed
    except BaseException as error:
        if cleared:
            _release(cleared, layout)  # what was put there nobody looks at now
        if stream is None:
            _note(error)
        else:
            stream.fail(error)
        return _error_number(error)


def _release_early(address: int) -> None:
    """Release a stream before its consumer does."""
    *functions, release, export = _STREAM.unpack_from((ctypes.c_char * _STREAM.size).from_address(address))
    _write(address, _STREAM, *functions, 0, export)
    if release:
        _end(export)


def _get_last_error(address: int) -> int:
    try:
        error = _stream_at(address).error
        return 0 if error is None else ctypes.addressof(error)
    except BaseException:
        return 0


_ended: list[int] = []
"""Exports of streams that ended by themselves, kept a while: their consumers may still ask for the error."""
_LATELY = 8


def _end(export: int) -> None:
    """Let go of a stream that has ended, when as many others have as may still be asked for."""
    _ended.append(export)
    if len(_ended) > _LATELY:
        *_, number = _EXPORT.unpack_from((ctypes.c_char * _EXPORT.size).from_address(_ended.pop(0)))
        del _kept[number]


# -- what consumers call, and what the kernel writes to: these are there as long as the process is


def _forever(made: Any) -> None:
    """Have nothing ever free *made*."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made))


def _callback(result: str, arguments: int, function: Callable[..., int], failed: int) -> int:
    """The address of a C function that calls *function*, and returns *failed* if that is interrupted on its way."""
    address, made = callback(result, arguments, function, failed, _note)
    _forever(made)
    return address


_forever(_kept)
_releases = ctypes.create_string_buffer(_RELEASES.size)
_forever(_releases)
_RELEASES_AT = ctypes.addressof(_releases)
_CALLBACKS = (
    _callback("int", 2, _get_schema, errno.EINTR),
    _callback("int", 2, _get_next, errno.EINTR),
    _callback("uintptr_t", 1, _get_last_error, 0),
    _RELEASE_STREAM,
)
_RELEASES.pack_into(
    _releases, 0, 0, ctypes.cast(ctypes.pythonapi.Py_AddPendingCall, ctypes.c_void_p).value,
    _callback("int", 1, _sweep, 0),
)  # fmt: skip


@atexit.register
def _call_no_more() -> None:
    """Ask for no more calls of an interpreter that ends: what is released from now on is memory that ends with it."""
    _write(_RELEASES_AT + _POINTER, Struct("P"), 0)


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


def _stream_capsule(stream: _Stream) -> object:
    memory = ctypes.create_string_buffer(_STREAM.size)
    _STREAM.pack_into(memory, 0, *_CALLBACKS, _new_export(1, stream))
    return _capsule(memory, _STREAM_NAME, _STREAM)


def _schema_capsule(fields: Sequence[ArrowField]) -> object:
    memory = ctypes.create_string_buffer(_SCHEMA.size)
    _put_schema(ctypes.addressof(memory), fields)
    return _capsule(memory, _SCHEMA_NAME, _SCHEMA)


def _capsule(memory: Any, name: bytes, layout: Struct) -> object:
    _sweep()
    capsule = _py_capsule_new(ctypes.addressof(memory), name, None)
    _capsules.append(_Capsule(capsule, memory, layout))
    return capsule

"""Columns handed out through the Arrow C interfaces, without any Arrow library: streams of batches as PyCapsules.

A stream that nobody has read from has opened nothing. `arrow_structures` has what batches look like there, and
`arrow_exports` what becomes of them.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from struct import Struct
from typing import Any, TypeVar

from vxlanpkt.capture.arrow_exports import (
    ARRAY,
    RELEASE_STREAM,
    SCHEMA,
    STREAM,
    Closing,
    callback_at,
    end_export,
    kept_for,
    new_capsule,
    new_export,
    note,
    release_at,
    sweep,
    watch,
    write,
)
from vxlanpkt.capture.arrow_structures import (
    ArrowBatch,
    ArrowField,
    BatchLayout,
    put_array,
    put_schema,
)
from vxlanpkt.errors import CaptureError
from vxlanpkt.kernel import ENDS_STREAMS

_T = TypeVar("_T")

_STREAM_NAME, _SCHEMA_NAME = b"arrow_array_stream", b"arrow_schema"


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


class _Stream(Closing):
    """One pass: batches are made as they are asked for, and an exception becomes an error number and a text."""

    def __init__(self, fields: Sequence[ArrowField], batches: Callable[[], Iterable[ArrowBatch]]) -> None:
        self.error: Any = None
        self.failed = 0
        self.over = False
        self._fields = fields
        self._layout = BatchLayout(fields)
        self._open: Callable[[], Iterable[ArrowBatch]] | None = batches
        self._batches: Iterator[ArrowBatch] | None = None

    def put_schema(self, address: int) -> None:
        """Write the schema to *address*."""
        put_schema(address, self._fields)

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
            put_array(address, self._layout, batch)

    def fail(self, error: BaseException) -> None:
        """Answer with this from now on."""
        note(error)
        self.failed = _error_number(error)
        self.over = True
        self.error = ctypes.create_string_buffer(str(error).encode() or type(error).__name__.encode())

    def close(self) -> None:
        """End the pass; one that is given up half-way closes its file."""
        batches, self._batches, self._open = self._batches, None, None
        if isinstance(batches, Generator):
            batches.close()


def made_of(table: ArrowTable, consumer: Callable[[ArrowTable], _T]) -> _T:
    """What a consumer makes of a table. Raises the exception that ends a stream of it, not the consumer's for that."""
    errors: list[BaseException] = []
    outer, watch.errors = watch.errors, errors
    try:
        return consumer(table)
    except Exception:
        if not errors:
            raise
    finally:
        watch.errors = outer
    # Here, as no exception is under way: see kernel/python/releases.py.
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
    *_, export = STREAM.unpack_from((ctypes.c_char * STREAM.size).from_address(address))
    stream: _Stream = kept_for(export)[1]
    return stream


def _get_schema(address: int, schema: int) -> int:
    return _answer(address, schema, SCHEMA, _Stream.put_schema)


def _get_next(address: int, array: int) -> int:
    failed = _answer(address, array, ARRAY, _Stream.put_next)
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
        sweep()
        put(stream, out)
        return stream.failed
    except BaseException as error:
        if cleared:
            release_at(cleared, layout)  # what was put there nobody looks at now
        if stream is None:
            note(error)
        else:
            stream.fail(error)
        return _error_number(error)


def _release_early(address: int) -> None:
    """Release a stream before its consumer does."""
    *functions, release, export = STREAM.unpack_from((ctypes.c_char * STREAM.size).from_address(address))
    write(address, STREAM, *functions, 0, export)
    if release:
        end_export(export)


def _get_last_error(address: int) -> int:
    try:
        error = _stream_at(address).error
        return 0 if error is None else ctypes.addressof(error)
    except BaseException:
        return 0


_CALLBACKS = (
    callback_at("int", 2, _get_schema, errno.EINTR),
    callback_at("int", 2, _get_next, errno.EINTR),
    callback_at("uintptr_t", 1, _get_last_error, 0),
    RELEASE_STREAM,
)


def _stream_capsule(stream: _Stream) -> object:
    memory = ctypes.create_string_buffer(STREAM.size)
    STREAM.pack_into(memory, 0, *_CALLBACKS, new_export(1, stream))
    return new_capsule(memory, _STREAM_NAME, STREAM)


def _schema_capsule(fields: Sequence[ArrowField]) -> object:
    memory = ctypes.create_string_buffer(SCHEMA.size)
    put_schema(ctypes.addressof(memory), fields)
    return new_capsule(memory, _SCHEMA_NAME, SCHEMA)

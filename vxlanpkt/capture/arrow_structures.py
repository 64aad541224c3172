"""Columns and batches as the structures of the Arrow C interface: schemas and arrays, each in one block of memory."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from struct import Struct
from typing import Any, NamedTuple

from vxlanpkt.capture.arrow_exports import ARRAY, POINTER, RELEASE_ARRAY, RELEASE_SCHEMA, SCHEMA, new_export, write

_NULLABLE = 2
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


def put_schema(address: int, fields: Sequence[ArrowField]) -> None:
    """Write a struct type with *fields* to *address*."""
    texts: list[Any] = []

    def text(value: str) -> int:
        texts.append(ctypes.create_string_buffer(value.encode()))
        return ctypes.addressof(texts[-1])

    memory = ctypes.create_string_buffer(len(fields) * (2 * SCHEMA.size + POINTER) + 1)
    base = ctypes.addressof(memory)
    places = tuple(range(base, base + 2 * SCHEMA.size * len(fields), 2 * SCHEMA.size))
    dictionaries = sum(field.values is not None for field in fields)
    own = RELEASE_SCHEMA, new_export(1 + len(fields) + dictionaries, memory, texts)
    for place, field in zip(places, fields, strict=True):
        dictionary = 0
        if field.values is not None:
            dictionary = place + SCHEMA.size
            write(dictionary, SCHEMA, text(field.values), text(""), 0, _NULLABLE, 0, 0, 0, *own)
        write(place, SCHEMA, text(field.format), text(field.name), 0, _NULLABLE, 0, 0, dictionary, *own)
    pointers = base + 2 * SCHEMA.size * len(fields)
    write(pointers, Struct(f"{len(fields)}P"), *places)
    write(address, SCHEMA, text("+s"), text(""), 0, 0, len(fields), pointers, 0, *own)


class BatchLayout:
    """Where in one block of memory the structures of a batch lie: columns, dictionaries, and what they point to."""

    def __init__(self, fields: Sequence[ArrowField]) -> None:
        self.columns = len(fields)
        self.structures = self.columns + sum(field.values is not None for field in fields)
        self.children = self.structures * ARRAY.size
        self.buffers = self.children + self.columns * POINTER
        # One more list of buffers, for the struct itself: it has one, and that is NULL.
        self.size = self.buffers + (self.structures + 1) * _SLOTS * POINTER
        self.pack_children = Struct(f"{self.columns}P").pack_into
        self.pack_buffers = Struct(f"{(self.structures + 1) * _SLOTS}P").pack_into


def put_array(address: int, layout: BatchLayout, batch: ArrowBatch) -> None:
    """Write *batch* to *address*."""
    memory = ctypes.create_string_buffer(layout.size)
    base = ctypes.addressof(memory)
    places = range(base, base + layout.columns * ARRAY.size, ARRAY.size)
    export = new_export(1 + layout.structures, memory, batch.kept)
    dictionary = layout.columns
    buffers: list[int] = [0] * ((layout.structures + 1) * _SLOTS)

    def put(slot: int, column: ArrowColumn, values: int) -> None:
        buffers[slot * _SLOTS : slot * _SLOTS + len(column.buffers)] = column.buffers
        at = base + layout.buffers + slot * _SLOTS * POINTER
        ARRAY.pack_into(
            memory, slot * ARRAY.size, column.length, column.nulls, 0, len(column.buffers), 0, at, 0, values,
            RELEASE_ARRAY, export,
        )  # fmt: skip

    for slot, column in enumerate(batch.columns):
        values = 0
        if column.values is not None:
            values = base + dictionary * ARRAY.size
            put(dictionary, column.values, 0)
            dictionary += 1
        put(slot, column, values)
    layout.pack_buffers(memory, layout.buffers, *buffers)
    layout.pack_children(memory, layout.children, *places)
    own_buffers = base + layout.buffers + layout.structures * _SLOTS * POINTER
    write(
        address, ARRAY, batch.rows, 0, 0, 1, layout.columns, own_buffers, base + layout.children, 0, RELEASE_ARRAY,
        export,
    )  # fmt: skip

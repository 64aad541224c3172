"""Columns of captures."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import Held, pointer


def known(columns: Any, frames: Held, times: memoryview, links: memoryview, unread: bool, out: Any) -> int:
    """For each `Known`, how many rows do not know it, in 64 bits; then for each a bitmap of those that do."""
    return lib.vxlanpkt_known(  # type: ignore[no-any-return]
        columns, len(columns), frames.pointer, pointer("int64_t *", times), pointer("uint32_t *", links),
        min(times.nbytes // 8, links.nbytes // 4), unread, out, len(out),
    )  # fmt: skip


def derived(columns: Any, frames: Held, what: int, out: Any) -> int:
    """A column that follows from others."""
    return lib.vxlanpkt_derived(columns, len(columns), frames.pointer, what, out, len(out))  # type: ignore[no-any-return]


def address_room(columns: Any, rows: int, which: int) -> int:
    """The bytes that a column of addresses takes as text, at the most."""
    return lib.vxlanpkt_address_room(columns, len(columns), rows, which)  # type: ignore[no-any-return]


def address_text(columns: Any, rows: int, which: int, out: Any) -> int:
    """A column of addresses as text: rows + 1 offsets of 32 bits, and the bytes; returns how many these are."""
    return lib.vxlanpkt_address_text(  # type: ignore[no-any-return]
        columns, len(columns), rows, which, out, len(out)
    )


def mac_text(columns: Any, frames: Held, which: int, out: Any) -> int:
    """A column of inner MAC addresses as text: see `address_text`."""
    return lib.vxlanpkt_mac_text(columns, len(columns), frames.pointer, which, out, len(out))  # type: ignore[no-any-return]


def mac_bytes(columns: Any, frames: Held, which: int, out: Any) -> int:
    """A column of inner MAC addresses of 6 bytes, zeros where there is none."""
    return lib.vxlanpkt_mac_bytes(columns, len(columns), frames.pointer, which, out, len(out))  # type: ignore[no-any-return]


def numbers(first: int, rows: int, out: Any) -> int:
    """*first* and the numbers behind it, in 64 bits."""
    return lib.vxlanpkt_numbers(first, rows, out, len(out))  # type: ignore[no-any-return]


class _Names(NamedTuple):
    """Names behind each other: where each begins, and how long it is, -1 for none."""

    starts: array[int]
    lengths: array[int]
    text: bytearray


def hold_names() -> _Names:
    """A table of names, of which there are more and more."""
    return _Names(array("Q"), array("i"), bytearray())


def add_name(table: _Names, name: bytes | None) -> None:
    """Add a name, or the knowledge that there is none."""
    table.starts.append(len(table.text))
    table.lengths.append(-1 if name is None else len(name))
    table.text.extend(name or b"")


def names_room(items: memoryview, table: _Names) -> int:
    """The bytes that `names` takes."""
    lengths = pointer("int32_t *", table.lengths)
    return lib.vxlanpkt_names_room(  # type: ignore[no-any-return]
        pointer("uint32_t *", items), items.nbytes // 4, lengths, len(table.lengths)
    )


def names(items: memoryview, table: _Names, out: Any) -> int:
    """The name that each item has in *table*, if it has one: rows + 1 offsets of 32 bits, a bitmap, and the text."""
    starts, lengths, text = table
    return lib.vxlanpkt_names(  # type: ignore[no-any-return]
        pointer("uint32_t *", items), items.nbytes // 4, pointer("uint64_t *", starts),
        pointer("int32_t *", lengths), len(lengths), pointer("uint8_t *", text), len(text), out, len(out),
    )  # fmt: skip


def pick(columns: memoryview, widths: Sequence[int], mask: memoryview, out: Any) -> int:
    """The rows that *mask* names, out of columns that lie behind each other into others that do; returns how many."""
    return lib.vxlanpkt_pick(  # type: ignore[no-any-return]
        pointer("uint8_t *", columns), columns.nbytes, mask.nbytes, ffi.new("uint32_t[]", widths), len(widths),
        pointer("uint8_t *", mask), out, len(out),
    )  # fmt: skip

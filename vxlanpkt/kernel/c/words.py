"""Addresses as numbers of words."""

from __future__ import annotations

from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import NULL, Held, new_buffer, spread
from vxlanpkt.kernel.contract.grouping import SEED_SIZE

_ROOM = 24 + 16  # of each word: itself, and two slots of the index


def new_words(capacity: int, seed: bytes) -> Held:
    """An empty table for so many words. *seed* is what strangers must not know, where a kernel's own hash needs it."""
    words = ffi.new("struct vxlanpkt_words *")
    memory = new_buffer(capacity * _ROOM)
    words.memory, words.size, words.capacity = memory, len(memory), capacity
    secrets = ffi.buffer(words.secrets)
    secrets[:] = (seed if len(seed) >= SEED_SIZE else spread(seed))[: len(secrets)]
    lib.vxlanpkt_move_words(NULL, words)
    return Held(words, memory)


def count_words(words: Held) -> int:
    """How many words a table has."""
    return words.pointer.count  # type: ignore[no-any-return]


def number_addresses(columns: Any, rows: int, which: int, first: int, words: Held, out: Any) -> int:
    """Number the addresses of a column from the row *first* on; returns the first one without room, or how many."""
    return lib.vxlanpkt_number_addresses(  # type: ignore[no-any-return]
        columns, len(columns), rows, which, first, words.pointer, out, len(out)
    )


def number_macs(columns: Any, frames: Held, which: int, first: int, words: Held, out: Any) -> int:
    """Number the inner MAC addresses of a column: see `number_addresses`."""
    return lib.vxlanpkt_number_macs(  # type: ignore[no-any-return]
        columns, len(columns), frames.pointer, which, first, words.pointer, out, len(out)
    )


def move_words(old: Held, new: Held) -> int:
    """Put the words of a table, in the same order, into a larger one that is empty; returns how many there are."""
    return lib.vxlanpkt_move_words(old.pointer, new.pointer)  # type: ignore[no-any-return]


def words_room(words: Held) -> int:
    """The bytes that the texts of all words take, at the most."""
    return lib.vxlanpkt_words_room(words.pointer)  # type: ignore[no-any-return]


def words_text(words: Held, out: Any) -> int:
    """The texts of all words: offsets of 32 bits, one more than words, and the bytes; returns how many these are."""
    return lib.vxlanpkt_words_text(words.pointer, out, len(out))  # type: ignore[no-any-return]

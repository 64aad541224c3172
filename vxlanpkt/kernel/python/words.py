"""Addresses of rows as numbers of words: the specification.

A word is what a text of an address is made of: the kind of the address, and its bytes. Words are numbered in the order
in which they are met, so that nothing depends on how they are found again.

A table holds as many words as it was made for. Numbering stops at the first row whose word has no room, and goes on
from there with a larger table that took the words over.

How a word is found is a kernel's own affair. Addresses come from strangers, so it has to be such that they cannot
choose some that are found slowly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP
from vxlanpkt.kernel.contract.captures import MAC, Address
from vxlanpkt.kernel.python.columns import FORMS, MOST_TEXTS, addresses_of, holds, macs_of, put_text
from vxlanpkt.kernel.python.frames import Frames
from vxlanpkt.kernel.python.memory import items, shares_memory

_Word = tuple[int, bytes]
_MAC = 1  # the kind of a word; that of an IP address is its version
_LENGTHS: Mapping[int, int] = {_MAC: 17, 4: 16, 6: 40}  # of texts, at the most


class Words:
    """A table of words. Python's own hash of bytes is keyed."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.numbers: dict[_Word, int] = {}


def new_words(capacity: int, seed: bytes) -> Words:
    """An empty table for so many words. *seed* is what strangers must not know, where a kernel's own hash needs it."""
    return Words(capacity)


def count_words(words: Words) -> int:
    """How many words a table has."""
    return len(words.numbers)


def number_addresses(columns: bytearray, rows: int, which: Address, first: int, words: Words, out: bytearray) -> int:
    """Number the addresses of a column from the row *first* on; returns the first one without room, or how many.

    Numbers have 32 bits, and are 0 where there is no address.
    """
    if shares_memory(out, columns):
        return OVERLAP
    if not holds(columns, rows) or len(out) < 4 * rows or not _is_sound(words):
        return NO_SPACE
    found = (word if word[0] in FORMS else None for word in addresses_of(columns, rows, which))
    return _number(found, rows, first, words, out)


def number_macs(columns: bytearray, frames: Frames, which: MAC, first: int, words: Words, out: bytearray) -> int:
    """Number the inner MAC addresses of a column: see `number_addresses`."""
    rows = len(frames.offsets)
    if shares_memory(out, columns, *frames):
        return OVERLAP
    if not holds(columns, rows) or len(out) < 4 * rows or not _is_sound(words):
        return NO_SPACE
    found = (None if mac is None else (_MAC, mac) for mac in macs_of(columns, frames, which))
    return _number(found, rows, first, words, out)


def _is_sound(words: Words) -> bool:
    return 0 < words.capacity <= MOST_TEXTS


def _number(found: Iterable[_Word | None], rows: int, first: int, words: Words, out: bytearray) -> int:
    numbers = items(out, "I")
    for row, word in enumerate(found):
        if row < first:
            continue
        if word is not None and word not in words.numbers and len(words.numbers) == words.capacity:
            return row
        numbers[row] = 0 if word is None else words.numbers.setdefault(word, len(words.numbers))
    return rows


def move_words(old: Words, new: Words) -> int:
    """Put the words of a table, in the same order, into a larger one that is empty; returns how many there are."""
    if old is new:
        return OVERLAP
    if not _is_sound(old) or not _is_sound(new) or old.capacity > new.capacity:
        return NO_SPACE
    new.numbers = old.numbers.copy()
    return len(new.numbers)


def words_room(words: Words) -> int:
    """The bytes that the texts of all words take, at the most."""
    return 4 * (len(words.numbers) + 1) + sum(_LENGTHS[kind] for kind, _ in words.numbers) if _is_sound(words) else 0


def words_text(words: Words, out: bytearray) -> int:
    """The texts of all words: offsets of 32 bits, one more than words, and the bytes; returns how many these are."""
    if not _is_sound(words) or len(out) < words_room(words):
        return NO_SPACE
    return put_text([data.hex(":") if kind == _MAC else FORMS[kind](data) for kind, data in words.numbers], out)

"""Addresses as numbers of words: both kernels number alike, and a row's word is the text that its column has."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxlanpkt import DecapPolicy, FrameBatch
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP
from vxlanpkt.kernel.contract.captures import MAC, Address
from vxlanpkt.kernel.contract.columns import DECAP_LAYOUT
from vxlanpkt.kernel.contract.grouping import SEED_SIZE
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.strategies import batches

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt.kernel import c

law = settings(suppress_health_check=list(HealthCheck))
BOTH = (python, c)
SEED = bytes(range(SEED_SIZE))
MAPPED = bytes(10) + b"\xff\xff"
ROOM = 24 + 16  # of each word in the C kernel's table
mapped = st.binary(min_size=4, max_size=4).map(MAPPED.__add__) | st.just(MAPPED + b"\x0a\0\0\1")
whole = st.binary(min_size=16, max_size=16) | st.just(b"\xfd" + bytes(15))
addresses = st.lists(
    st.tuples(st.just(4), mapped) | st.tuples(st.just(6), mapped | whole) | st.tuples(st.just(0), whole)
)


def result(kernel: Any, batch: FrameBatch) -> tuple[Any, Any]:
    """The columns of a batch, and its frames."""
    frames = kernel.hold_frames(batch.data, batch.offsets, batch.lengths, batch.original_lengths)
    columns = kernel.new_buffer(len(batch) * DECAP_LAYOUT.row_size)
    kernel.decap(frames, Kind.ETHERNET, kernel.hold_rules(DecapPolicy().rules), False, columns)
    return columns, frames


def columns_with(kernel: Any, found: Sequence[tuple[int, bytes]]) -> Any:
    """Columns of a result in which inner sources are these."""
    columns = kernel.new_buffer(len(found) * DECAP_LAYOUT.row_size)
    view = kernel.view(columns)
    view[:] = bytes(len(view))
    for row, (family, raw) in enumerate(found):
        DECAP_LAYOUT.column("inner_family", len(found), view)[row] = family
        DECAP_LAYOUT.column("inner_src", len(found), view)[16 * row : 16 * row + 16] = raw
    return columns


def texts(kernel: Any, count: int, out: Any, length: int) -> list[str]:
    """Texts that lie behind their offsets."""
    data = bytes(kernel.view(out))
    ends = memoryview(data)[: 4 * (count + 1)].cast("i").tolist()
    assert ends[-1] == length
    text = data[4 * (count + 1) :].decode("ascii", "replace")
    return [text[start:end] for start, end in pairwise(ends)]


def numbered(
    kernel: Any, columns: Any, frames: Any, rows: int, which: Address | MAC, capacity: int = 1, seed: bytes = SEED
) -> tuple[list[int], list[str], list[str]]:
    """The number of each row's word, all words, and each row's text; the table grows as it has to."""
    words, at, stops = kernel.new_words(capacity, seed), 0, 0
    out = kernel.new_buffer(4 * rows)
    while True:
        if isinstance(which, MAC):
            at = kernel.number_macs(columns, frames, which, at, words, out)
        else:
            at = kernel.number_addresses(columns, rows, which, at, words, out)
        assert 0 <= at <= rows
        if at == rows:
            break
        assert kernel.count_words(words) == capacity << stops
        stops += 1
        full, words = words, kernel.new_words(capacity << stops, seed)
        assert kernel.move_words(full, words) == capacity << (stops - 1)
    room, count = kernel.words_room(words), kernel.count_words(words)
    made = kernel.new_buffer(room)
    found = texts(kernel, count, made, kernel.words_text(words, made))
    assert kernel.words_text(words, kernel.new_buffer(room - 1)) == NO_SPACE
    return list(array("I", bytes(kernel.view(out)))), found, column_of_texts(kernel, columns, frames, rows, which)


def column_of_texts(kernel: Any, columns: Any, frames: Any, rows: int, which: Address | MAC) -> list[str]:
    if isinstance(which, MAC):
        out = kernel.new_buffer(4 + 21 * rows)
        return texts(kernel, rows, out, kernel.mac_text(columns, frames, which, out))
    out = kernel.new_buffer(kernel.address_room(columns, rows, which))
    return texts(kernel, rows, out, kernel.address_text(columns, rows, which, out))


def holds(numbers: list[int], words: list[str], rows: list[str]) -> None:
    """Words are the texts of the rows in the order of the first ones; a row without text has the number 0."""
    assert words == list(dict.fromkeys(text for text in rows if text))
    assert [words[number] if text else "" for number, text in zip(numbers, rows, strict=True)] == rows
    assert not any(number for number, text in zip(numbers, rows, strict=True) if not text)


@law
@given(batch=batches(outside=True), seed=st.binary(max_size=20))
def test_columns_of_a_batch(batch: FrameBatch, seed: bytes) -> None:
    """Addresses of both kinds, outside and inside."""
    for which in (*Address, *MAC):
        made = [numbered(kernel, *result(kernel, batch), len(batch), which, seed=seed) for kernel in BOTH]
        assert made[0] == made[1]
        holds(*made[1])


@law
@given(found=addresses, capacity=st.integers(1, 9))
def test_any_addresses(found: list[tuple[int, bytes]], capacity: int) -> None:
    """An IPv4 address, and the IPv6 address that it is mapped to, are two."""
    made = [
        numbered(kernel, columns_with(kernel, found), None, len(found), Address.INNER_SRC, capacity) for kernel in BOTH
    ]
    assert made[0] == made[1]
    holds(*made[1])


@pytest.mark.parametrize("kernel", BOTH, ids=["python", "c"])
def test_many_words(kernel: Any) -> None:
    """More than share a hash of 32 bits, seen twice."""
    count = 100_000 if kernel is c else 2_000
    found = [(6, at.to_bytes(16, "little")) for at in range(count)]
    numbers, words, _ = numbered(kernel, columns_with(kernel, found * 2), None, 2 * count, Address.INNER_SRC)
    assert numbers == [*range(count)] * 2
    assert len(set(words)) == count


def test_words_in_one_slot() -> None:
    """With secrets of one value, and addresses to match, every hash is 0: what strangers would do if they knew them."""
    found = [(6, bytes(8) + at.to_bytes(8, "little")) for at in range(200)]
    words = c.new_words(256, SEED)
    words.pointer.secrets = [0, 0, 6, 1]
    out = c.new_buffer(4 * 400)
    assert c.number_addresses(columns_with(c, found * 2), 400, Address.INNER_SRC, 0, words, out) == 400
    assert list(array("I", bytes(c.view(out)))) == [*range(200)] * 2
    slots = array("Q", bytes(c.view(words.kept))[256 * 24 :])
    assert slots[:200] == array("Q", range(1, 201)) and not any(slots[200:])


@law
@given(memory=st.binary(min_size=4 * ROOM, max_size=4 * ROOM), count=st.integers(0, 5))
def test_a_table_that_somebody_wrote_over(memory: bytes, count: int) -> None:
    """No number in a table is followed out of it, and no search is endless, whatever its memory holds."""
    words = c.new_words(4, SEED)
    c.view(words.kept)[:] = memory
    words.pointer.count = count
    columns, out = columns_with(c, [(6, bytes((at,)) * 16) for at in range(9)]), c.new_buffer(36)
    at = c.number_addresses(columns, 9, Address.INNER_SRC, 0, words, out)
    assert at == (NO_SPACE if count == 5 else at) and at <= 9
    c.move_words(words, c.new_words(9, SEED))
    text = c.new_buffer(c.words_room(words))
    assert c.words_text(words, text) <= len(text)


def test_a_table_that_lies_about_its_size() -> None:
    """Room is computed from the memory that there is."""
    words = c.new_words(4, SEED)
    columns, out = columns_with(c, [(6, bytes(16))]), c.new_buffer(4)
    for field, value in (("capacity", 5), ("capacity", 1 << 32), ("capacity", 0), ("size", 4 * ROOM - 1), ("count", 5)):
        before = getattr(words.pointer, field)
        setattr(words.pointer, field, value)
        assert c.number_addresses(columns, 1, Address.INNER_SRC, 0, words, out) == NO_SPACE
        assert (c.words_room(words), c.words_text(words, out)) == (0, NO_SPACE)
        setattr(words.pointer, field, before)


@pytest.mark.parametrize("kernel", BOTH, ids=["python", "c"])
def test_overlaps(kernel: Any) -> None:
    """Numbers over what they are made from are refused, and a table that is moved into itself."""
    columns, frames = result(kernel, FrameBatch.from_frames([bytes(60)] * 3))
    words = kernel.new_words(4, SEED)
    assert kernel.number_addresses(columns, 3, Address.INNER_SRC, 0, words, columns) == OVERLAP
    assert kernel.number_macs(columns, frames, MAC.SRC, 0, words, columns) == OVERLAP
    of_two = columns_with(kernel, [(4, bytes(16)), (6, bytes(16))])
    assert kernel.number_addresses(of_two, 2, Address.INNER_SRC, 0, words, kernel.new_buffer(8)) == 2
    assert kernel.move_words(words, words) == OVERLAP
    assert kernel.count_words(words) == 2
    if kernel is c:
        own = words.kept
        assert c.number_addresses(columns, 3, Address.INNER_SRC, 0, words, own) == OVERLAP
        assert c.number_macs(columns, frames, MAC.SRC, 0, words, own) == OVERLAP
        assert c.words_text(words, own) == OVERLAP


@pytest.mark.parametrize("kernel", BOTH, ids=["python", "c"])
def test_too_little_room(kernel: Any) -> None:
    """Outputs that are too small, columns of fewer rows; tables smaller than the one before, or without room."""
    columns, frames = result(kernel, FrameBatch.from_frames([bytes(60)] * 3))
    words, short, none = kernel.new_words(4, SEED), kernel.new_buffer(11), kernel.new_words(0, SEED)
    few_columns, out = kernel.new_buffer(3 * DECAP_LAYOUT.row_size - 1), kernel.new_buffer(12)
    for of, table, to in ((columns, words, short), (few_columns, words, out), (columns, none, out)):
        assert kernel.number_addresses(of, 3, Address.INNER_SRC, 0, table, to) == NO_SPACE
        assert kernel.number_macs(of, frames, MAC.SRC, 0, table, to) == NO_SPACE
    assert kernel.move_words(words, kernel.new_words(3, SEED)) == NO_SPACE
    assert kernel.move_words(none, words) == kernel.move_words(words, none) == NO_SPACE
    assert (kernel.words_room(none), kernel.words_text(none, out)) == (0, NO_SPACE)
    assert kernel.number_addresses(columns, 3, Address.INNER_SRC, 7, words, out) == 3

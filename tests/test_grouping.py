"""Groups of rows, over many calls and whichever kernel: growth, columns, and what is refused."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import FieldError, kernel
from vxlanpkt.grouping import Groups, buckets
from vxlanpkt.kernel.contract.answers import NO_SPACE
from vxlanpkt.kernel.contract.columns import ADDRESS, NO_GROUP, NO_TIMESTAMP

SEED = b"nobody knows"
KEY = {"vni": "I", "address": ADDRESS, "protocol": "B", "port": "H", "bucket": "q"}


def refused(call: Callable[[], object], field: str) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.field == field


def key_columns(rows: list[tuple[int, int, int, int, int]]) -> list[Any]:
    addresses = b"".join(row[1].to_bytes(16, "big") for row in rows)
    return [
        array("I", [row[0] for row in rows]), addresses, array("B", [row[2] for row in rows]),
        array("H", [row[3] for row in rows]), array("q", [row[4] for row in rows]),
    ]  # fmt: skip


row = st.tuples(
    st.integers(0, 3), st.integers(0, 3) | st.integers(0, (1 << 128) - 1), st.sampled_from((6, 17)),
    st.integers(0, 65535), st.integers(-5, 5),
)  # fmt: skip


@given(batches=st.lists(st.lists(row, max_size=30), max_size=5))
def test_columns(batches: list[list[tuple[int, int, int, int, int]]]) -> None:
    """The key's columns have the keys, in the order in which they were met, and can be found again."""
    groups = Groups(KEY, seed=SEED)
    every = [row for rows in batches for row in rows]
    for rows in batches:
        groups.add(len(rows), key_columns(rows))
    order = list(dict.fromkeys(every))
    columns = groups.columns()
    assert list(columns) == [*KEY, "packets", "bytes", "other_bytes", "first", "last", "flags", "first_number"]
    assert [columns[name].format for name in columns] == ["I", "B", "B", "H", "q", "Q", "Q", "Q", "q", "q", "Q", "Q"]
    assert len(groups) == len(order)
    vni, addresses, *others = key_columns(order)
    assert columns["vni"] == memoryview(vni) and bytes(columns["address"]) == addresses
    assert [columns[name].tolist() for name in ("protocol", "port", "bucket")] == [list(other) for other in others]
    assert columns["packets"].tolist() == [every.count(row) for row in order]
    assert groups.find(key_columns(order)).tolist() == list(range(len(order)))
    absent = (4, 0, 0, 0, 0)
    assert groups.find(key_columns([absent, *order[:1]])).tolist() == [NO_GROUP, *range(len(order[:1]))]


def test_growth() -> None:
    """More groups than a new table has room for: several times over, in one call and in many."""
    numbers = list(range(5000))
    once, often = (Groups({"number": "I"}, seed=SEED) for _ in range(2))
    once.add(10000, [array("I", numbers * 2)], lengths=array("I", numbers * 2))
    for at in range(0, 10000, 100):
        part = array("I", (numbers * 2)[at : at + 100])
        often.add(100, [part], lengths=part)
    for groups in (once, often):
        columns = groups.columns()
        assert columns["number"].tolist() == numbers
        assert columns["packets"].tolist() == [2] * 5000
        assert columns["bytes"].tolist() == [2 * number for number in numbers]


def test_nothing() -> None:
    """No rows, no groups, and columns without items."""
    groups = Groups(KEY, seed=SEED)
    groups.add(0, key_columns([]), lengths=array("I"), timestamps=array("q"), status=b"")
    assert len(groups) == 0
    assert {name: len(column) for name, column in groups.columns().items()} == dict.fromkeys(groups.columns(), 0)
    assert len(groups.find(key_columns([]))) == 0
    assert len(buckets(memoryview(array("q")), 5)) == 0


def test_buckets() -> None:
    """Rounded down, before 1970 too; no time is in no bucket."""
    times = memoryview(array("q", [0, 9, 10, -1, -10, -11, NO_TIMESTAMP]))
    assert buckets(times, 10).tolist() == [0, 0, 1, -1, -1, -2, NO_TIMESTAMP]
    refused(lambda: buckets(times, 0), "width")
    refused(lambda: buckets(times, 1 << 63), "width")
    refused(lambda: buckets(memoryview(array("i", [1])), 5), "timestamps")


@pytest.mark.parametrize(
    "columns",
    [
        {"lengths": array("I", [1])}, {"lengths": array("Q", [1])}, {"other_lengths": array("I", [1, 2, 3])},
        {"timestamps": array("i", [1, 2])}, {"flags": b"ab"}, {"selected": b"a"}, {"status": array("H", [1])},
    ],
)  # fmt: skip
def test_columns_refused(columns: dict[str, Any]) -> None:
    """Columns of other lengths, or of items of another width."""
    groups = Groups({"number": "I"}, seed=SEED)
    refused(lambda: groups.add(2, [array("I", [1, 2])], **columns), next(iter(columns)))
    assert len(groups) == 0


def test_keys_refused() -> None:
    """Keys that are too long, or not made of the columns that were announced."""
    refused(lambda: Groups(dict.fromkeys("abcde", ADDRESS), seed=SEED), "key")
    refused(lambda: Groups(dict.fromkeys("abcdefghijklmnopq", "B"), seed=SEED), "key")
    groups = Groups({"number": "I"}, seed=SEED)
    refused(lambda: groups.add(2, []), "key")
    text: Any = "12345678"
    with pytest.raises(FieldError, match=r"^Groups.key: 'str' is not a buffer$"):
        groups.find([text])
    refused(lambda: groups.add(2, [array("I", [1])]), "number")
    refused(lambda: groups.add(2, [array("Q", [1])]), "number")
    refused(lambda: groups.find([b"12345678"]), "number")


@pytest.mark.parametrize("limit", [0, 1, 3, 1024, 1500])
def test_limit(limit: int) -> None:
    """The groups that are met first are counted exactly; rows of others are left out, and counted too."""
    numbers = array("I", [*range(2000), *range(2000)])
    groups = Groups({"number": "I"}, seed=SEED, limit=limit)
    for at in range(0, 4000, 500):
        groups.add(500, [numbers[at : at + 500]])
    columns = groups.columns()
    assert columns["number"].tolist() == list(range(limit)) and len(groups) == limit
    assert columns["packets"].tolist() == [2] * limit
    assert groups.left_out == 4000 - 2 * limit


def test_first_number() -> None:
    """Each group knows the row that it was met with, as its batch numbers it."""
    groups = Groups({"number": "I"}, seed=SEED)
    groups.add(3, [array("I", [5, 6, 5])], number=100)
    groups.add(2, [array("I", [6, 7])], number=200)
    assert groups.columns()["first_number"].tolist() == [100, 101, 201]
    assert groups.left_out == 0


def test_keys_of_another_spelling() -> None:
    """Items of the right width are taken for what the column is, whatever their format says."""
    groups = Groups({"number": "I"}, seed=SEED)
    groups.add(2, [array("i", [5, -1])])
    groups.add(0, [array("i")])
    assert groups.columns()["number"].tolist() == [5, 0xFFFFFFFF]


def test_keys_in_the_memory_of_the_table() -> None:
    """They would change while they are counted."""
    groups = Groups({"number": "I"}, seed=SEED)
    groups.add(1, [array("I", [7])])
    entries = kernel.entries(groups._table)
    refused(lambda: groups.add(1, [entries.cast("B")[:4].cast("I")]), "key")
    assert groups.columns()["packets"].tolist() == [1]


def test_a_table_that_a_kernel_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that somebody wrote over is told of, and no row is taken for counted."""
    groups = Groups({"number": "I"}, seed=SEED)
    monkeypatch.setattr(kernel, "group", lambda *_: NO_SPACE)
    with pytest.raises(MemoryError, match="no table of"):
        groups.add(1, [array("I", [7])])

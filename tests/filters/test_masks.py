"""Masks of rows, whoever makes them: what is none is refused, and what is one stays as it was checked."""

from __future__ import annotations

import sys
from array import array
from typing import Any

import pytest

from vxlanpkt import DecapPolicy, FieldError, Filter, FrameBatch, LinkType, Tunnel, decap_batch, kernel
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.bulk import decapsulation as bulk
from vxlanpkt.grouping import Groups, buckets
from vxlanpkt.selection import require_filter, selected

WIRE = Tunnel(vni=7, src="192.0.2.1", dst="192.0.2.2").encap(bytes(60))
RESULT = decap_batch(FrameBatch.from_frames([WIRE, bytes(60), WIRE]), policy=DecapPolicy())


class Saying:
    """A filter that says the same of any rows."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def select(self, batch: DecapBatch, /) -> Any:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (bytes(2), "2 bytes in 2 items"), (bytes(4), "4 bytes in 4 items"), (b"", "0 bytes in 0 items"),
        (array("I", [1] * 3), "12 bytes in 3 items"), (array("H", [1]), "2 bytes in 1 items"),
        ([1, 0, 1], "no buffer, list"), (None, "no buffer, NoneType"),
    ],
)  # fmt: skip
def test_wrong_masks(answer: Any, found: str) -> None:
    """Of other rows, of wider items, or no buffer at all."""
    with pytest.raises(FieldError, match=found) as caught:
        selected(Saying(answer), RESULT)
    assert caught.value.field == "filter"


@pytest.mark.parametrize("answer", [b"\1\0\xff", bytearray(b"\1\0\xff"), array("b", [1, 0, -1])])
def test_masks(answer: Any) -> None:
    """Whatever is a byte for each row."""
    mask = selected(Saying(answer), RESULT)
    assert (mask.format, mask.tolist()) == ("B", [1, 0, 255])
    assert selected(Filter("vni 7"), RESULT).tolist() == [1, 0, 1]


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy lets go of views when it collects garbage")
def test_a_mask_that_changes() -> None:
    """A filter may go on writing to its mask: what was checked and counted is a copy."""
    living = bytearray(b"\1\0\1")
    mask = selected(Saying(living), RESULT)
    living[:] = b"\1\1\1"
    living += b"\1"
    assert mask.tolist() == [1, 0, 1]


@pytest.mark.parametrize(("chosen", "hint"), [("tcp", r"Filter\('tcp'\) is one"), (7, "no method select")])
def test_what_is_no_filter(chosen: Any, hint: str) -> None:
    """The text of a filter, first of all."""
    for refusing in (require_filter, lambda chosen: selected(chosen, RESULT)):
        with pytest.raises(FieldError, match=hint):
            refusing(chosen)


def test_a_kernel_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not written is not handed out."""
    groups = Groups({"vni": "I"}, seed=bytes(16))
    column = memoryview(array("I", [1, 2, 3]))
    groups.add(3, [column])
    for name in ("select", "bucket", "find_groups"):
        monkeypatch.setattr(kernel, name, lambda *_: -1)
    monkeypatch.setattr(bulk, "decap", lambda *_: -1)  # which has it by its name
    for use in (
        lambda: Filter("tcp").select(RESULT),
        lambda: decap_batch(RESULT.frames, start=LinkType.ETHERNET),
        lambda: buckets(memoryview(array("q", [1])), 10),
        lambda: groups.find([column]),
    ):
        with pytest.raises(FieldError, match="changed while they were read"):
            use()


def test_rows_outside_the_buffer() -> None:
    """Of what is not there nothing holds, whichever bytes are asked for."""
    rows = FrameBatch(WIRE, [0, 1 << 40, 10], [len(WIRE)] * 3)
    assert selected(Filter("outer ether dst 00:00:00:00:00:00"), decap_batch(rows)).tolist() == [1, 0, 0]

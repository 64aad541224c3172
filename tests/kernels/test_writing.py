"""Packets put into capture files: both kernels write the same bytes, and stop at the same rows."""

from __future__ import annotations

from array import array
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.records import Stop
from vxlanpkt.kernel.contract.writing import NO_INTERFACE, Packets, Target

c = pytest.importorskip("vxlanpkt.kernel.c", reason="this build has no C kernel")
ROWS = 6
DATA = bytes(range(200))


def column(code: str, *values: int, odd: tuple[int, ...] = ()) -> st.SearchStrategy[Any]:
    """A column of some of these values; in one out of four some of the odd ones are among them, too."""
    sound = st.sampled_from(values)
    items = st.integers(0, 3).flatmap(
        lambda number: st.lists(sound if number else st.sampled_from(values + odd), min_size=ROWS, max_size=ROWS)
    )
    return items.map(lambda items: memoryview(array(code, items)))


OPTIONS = st.builds(
    lambda code, value, length: pack("<HH", code, len(value) if length is None else length) + value,
    st.sampled_from((0, 1, 2, 2, 3, 2988, 19372, 19373)), st.binary(max_size=9), st.none() | st.integers(0, 20),
)  # fmt: skip
PACKETS = st.builds(
    Packets,
    data=st.just(memoryview(DATA)),
    offsets=column("Q", 0, 1, 3, 100, odd=(190, 200, 201, 2**64 - 1)),
    lengths=column("I", 0, 1, 2, 3, 4, 10, 11, odd=(100, 2**32 - 1)),
    original_lengths=column("I", 0, 60, 2**32 - 1),
    link_types=st.none() | column("H", 1, 1, 101, odd=(0xFFFF,)),
    vnis=st.none() | column("I", 7) | column("I", 0, 7, 7, 2**24 - 1),
    timestamps=column("Q", 0, 1_700_000_000_123_456, 2**32 * 10**6 - 1, odd=(2**32 * 10**6, 2**63, 2**64 - 1)),
    interfaces=column("I", 0, 1, 2, odd=(3, 2**32 - 1)),
    timed=st.none() | column("B", 1, odd=(0,)),
    options_lengths=st.none() | column("I", 0, 4, 8, 12, 23, 24, odd=(2**32 - 1,)),
    source=st.none() | st.lists(OPTIONS, max_size=4).map(lambda parts: memoryview(b"".join(parts) + bytes(28))),
    record_offsets=column("Q", 0, 0, 4, odd=(8, 2**64 - 8)),
    captured_lengths=column("I", 0, 0, 1, odd=(4, 2**32 - 1)),
)
NUMBERS = st.lists(st.sampled_from((0, 0, 3, 3, 3, NO_INTERFACE)), min_size=3, max_size=3).map(
    lambda items: array("I", items)
)
TARGETS = st.builds(
    Target, st.booleans(), st.sampled_from((10**6, 10**9)), st.sampled_from((1, 1, 101)), NUMBERS, NUMBERS
)  # fmt: skip


@given(
    packets=PACKETS,
    target=TARGETS,
    chosen=st.lists(st.integers(0, ROWS - 1), max_size=ROWS),
    position=st.just(0) | st.integers(0, ROWS),
    size=st.sampled_from((1000, 1000, 9000, 0, 40, 60, 100)),
)
def test_the_kernels_agree(packets: Packets, target: Target, chosen: list[int], position: int, size: int) -> None:
    results = []
    for kernel in (python, c):
        rows, out = kernel.new_buffer(4 * len(chosen)), kernel.new_buffer(size)
        kernel.view(rows)[:] = array("I", chosen).tobytes()
        done = kernel.put_records(
            kernel.hold_packets(packets), kernel.hold_target(target), rows, position, len(chosen), out
        )  # fmt: skip
        results.append((done, bytes(kernel.view(out)[: done.size])))
    assert results[0] == results[1]
    done, _ = results[0]
    assert done.size <= size
    assert (done.stop == Stop.CUT) is (done.position >= len(chosen))


@given(
    status=st.lists(st.sampled_from((0, 0, 1, 9)), max_size=40),
    wanted=st.none() | st.lists(st.booleans(), min_size=40, max_size=40),
    vnis=st.lists(st.integers(0, 5) | st.sampled_from((4095, 4096, 2**24 - 1)), min_size=40, max_size=40),
)
def test_rows_are_chosen_and_sorted(status: list[int], wanted: list[bool] | None, vnis: list[int]) -> None:
    expected = [row for row, reason in enumerate(status) if not reason and (wanted is None or wanted[row])]
    for kernel in (python, c):
        out = kernel.new_buffer(4 * len(status))
        flags = None if wanted is None else memoryview(bytes(wanted[: len(status)]))
        count = kernel.choose_rows(memoryview(bytes(status)), flags, out)
        assert chosen(kernel, out, count) == expected
        kernel.sort_rows(memoryview(array("I", vnis)), out, count)
        assert chosen(kernel, out, count) == sorted(expected, key=vnis.__getitem__)


@pytest.mark.parametrize("kernel", [python, c], ids=["python", "c"])
def test_more_rows_than_were_chosen(kernel: Any) -> None:
    """No more are sorted and written than there are numbers of; a row that has no VNI counts as of VNI 0."""
    rows = kernel.new_buffer(13)
    kernel.view(rows)[:] = array("I", [0, 1, 9]).tobytes() + b"\0"
    kernel.sort_rows(memoryview(array("I", [7, 5])), rows, 4)
    assert list(array("I", bytes(kernel.view(rows)[:12]))) == [9, 1, 0]
    words, longs = memoryview(array("I", [0] * ROWS)), memoryview(array("Q", [0] * ROWS))
    packets = Packets(memoryview(DATA), longs, words, words, None, None, longs, words, None, None, None, None, None)
    kernel.view(rows)[:4] = bytes(4)
    done = kernel.put_records(
        kernel.hold_packets(packets), kernel.hold_target(Target(False)), rows, 0, 4, kernel.new_buffer(1000)
    )  # fmt: skip
    assert (done.position, done.stop) == (3, Stop.CUT)


def chosen(kernel: Any, out: Any, count: int) -> list[int]:
    return list(array("I", bytes(kernel.view(out)[: 4 * count])))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (b"", b""),
        (pack("<HH", 0, 0), b""),
        (pack("<HH", 1, 2) + b"hi\1\1" + bytes(4), pack("<HH", 1, 2) + b"hi" + bytes(6)),
        (pack("<HHIHH", 2, 4, 0x1E3, 0, 0), pack("<HHIHH", 2, 4, 3, 0, 0)),
        (pack("<HH4sHH4s", 3, 4, b"hash", 19372, 4, b"cust"), b""),
        (pack("<HH4sHH4s", 3, 4, b"hash", 4, 4, b"drop"), pack("<HH4sHH", 4, 4, b"drop", 0, 0)),
        (pack("<HH4sHH", 1, 4, b"kept", 1, 9), pack("<HH4sHH", 1, 4, b"kept", 0, 0)),
    ],
)
@pytest.mark.parametrize("link_type", [None, 1, 101, 113])
def test_options_are_copied_as_far_as_they_hold(options: bytes, expected: bytes, link_type: int | None) -> None:
    """Hashes, lengths of check sequences and what is not to be copied are left out; what overruns ends them."""
    one = memoryview(array("I", [1])), memoryview(array("Q", [0]))
    packets = Packets(
        data=memoryview(b"x"), offsets=one[1], lengths=one[0], original_lengths=memoryview(array("I", [9])),
        link_types=None if link_type is None else memoryview(array("H", [link_type])), vnis=None, timestamps=one[1],
        interfaces=memoryview(array("I", [0])), timed=memoryview(b"\1"),
        options_lengths=memoryview(array("I", [len(options)])), source=memoryview(b"x\0\0\0" + options),
        record_offsets=one[1], captured_lengths=one[0],
    )  # fmt: skip
    target = Target(True, ethernet=array("I", [5]), raw=array("I", [6]))
    for kernel in (python, c):
        rows, out = kernel.new_buffer(4), kernel.new_buffer(200)
        kernel.view(rows)[:] = bytes(4)
        done = kernel.put_records(kernel.hold_packets(packets), kernel.hold_target(target), rows, 0, 1, out)
        size = 36 + len(expected)
        interface = {None: 5, 1: 5, 101: 6}.get(link_type)
        if interface is None:
            assert done == (0, 0, Stop.LOOK)
            continue
        assert done == (1, size, Stop.CUT)
        block = pack("<IIIIIII", 6, size, interface, 0, 0, 1, 9) + b"x\0\0\0" + expected + pack("<I", size)
        assert bytes(kernel.view(out)[:size]) == block


def simple(rows: int, **columns: Any) -> Packets:
    """So many packets of one byte."""
    words = {code: memoryview(array(code, [0] * rows)) for code in "QI"}
    packets = Packets(
        data=memoryview(b"x" * rows), offsets=memoryview(array("Q", range(rows))),
        lengths=memoryview(array("I", [1] * rows)), original_lengths=memoryview(array("I", [1] * rows)),
        link_types=None, vnis=None, timestamps=words["Q"], interfaces=words["I"], timed=None, options_lengths=None,
        source=None, record_offsets=words["Q"], captured_lengths=words["I"],
    )  # fmt: skip
    return packets._replace(**columns)


@pytest.mark.parametrize(
    ("packets", "rows", "link_type", "done"),
    [
        (simple(3, vnis=memoryview(array("I", [7, 7, 8]))), [0, 1, 2], 1, (2, 34, Stop.FULL)),
        (simple(3), [0, 3], 1, (1, 17, Stop.LOOK)),
        (simple(2, offsets=memoryview(array("Q", [0, 3]))), [0, 1], 1, (1, 17, Stop.LOOK)),
        (simple(2, lengths=memoryview(array("I", [1, 2]))), [0, 1], 1, (1, 17, Stop.LOOK)),
        (simple(2, timestamps=memoryview(array("Q", [0, 10**6 << 32]))), [0, 1], 1, (1, 17, Stop.LOOK)),
        (simple(2), [0, 1], 101, (0, 0, Stop.LOOK)),
    ],
    ids=["another VNI", "a row too many", "an offset outside", "a length outside", "after 2106", "another link type"],
)
def test_where_writing_stops(packets: Packets, rows: list[int], link_type: int, done: tuple[int, int, Stop]) -> None:
    """Before the first packet that is not for this file, or that a record cannot hold."""
    target = Target(False, 10**6, link_type, array("I"), array("I"))
    for kernel in (python, c):
        chosen, out = kernel.new_buffer(4 * len(rows)), kernel.new_buffer(1 << 20)
        kernel.view(chosen)[:] = array("I", rows).tobytes()
        held, into = kernel.hold_packets(packets), kernel.hold_target(target)
        assert kernel.put_records(held, into, chosen, 0, len(rows), out) == done


@pytest.mark.parametrize("without", ["timed", "source", "interfaces"])
def test_what_pcapng_cannot_say(without: str) -> None:
    """A packet without a time, or of an interface that the file has not, and options that nobody has read."""
    word = memoryview(array("I", [4]))
    packets = simple(1, options_lengths=word, source=memoryview(b"x\0\0\0" + bytes(4)))
    packets = packets._replace(captured_lengths=memoryview(array("I", [1])))
    target = Target(True, ethernet=array("I", [5]), raw=array("I", [6]))
    wrong: dict[str, Any] = {"timed": memoryview(b"\0"), "source": None, "interfaces": word}
    for one, stop in ((packets, Stop.CUT), (packets._replace(**{without: wrong[without]}), Stop.LOOK)):
        for kernel in (python, c):
            rows, out = kernel.new_buffer(4), kernel.new_buffer(1 << 18)
            kernel.view(rows)[:] = bytes(4)
            done = kernel.put_records(kernel.hold_packets(one), kernel.hold_target(target), rows, 0, 1, out)
            assert done.stop == stop

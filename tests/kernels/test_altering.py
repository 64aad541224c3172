"""Inner frames altered: both kernels write the same, whatever the columns say and whatever lies in the buffer."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, WRONG_COLUMNS
from vxlanpkt.kernel.contract.columns import ALTERED_LAYOUT
from vxlanpkt.kernel.contract.decapsulation import Alterations
from vxlanpkt.strategies import frames, mutated

c = pytest.importorskip("vxlanpkt.kernel.c", reason="this build has no C kernel")
BOTH: tuple[Any, ...] = (python, c)
INNER = st.one_of(frames().map(bytes), mutated(frames()), st.binary(max_size=60))


@given(
    data=st.lists(INNER, max_size=4).map(b"".join),
    rows=st.lists(
        st.tuples(
            st.integers(0, 200) | st.just(2**64 - 1), st.integers(0, 120) | st.just(2**32 - 1),
            st.integers(0, 2**32 - 1),
            st.sampled_from((0, 8, 16, 24, 255)), st.sampled_from((1, 101)), st.sampled_from((0x800, 0x86DD)),
            st.integers(0, 3),
        ),
        max_size=5,
    ),
    room=st.sampled_from((0, 50, 1000)),
)  # fmt: skip
def test_the_kernels_agree(data: bytes, rows: list[Any], room: int) -> None:
    columns = [memoryview(array(code, [row[at] for row in rows])) for at, code in enumerate("QIIBHHB")]
    results = []
    for kernel in (python, c):
        out = kernel.new_buffer(len(rows) * ALTERED_LAYOUT.row_size + room)
        held = kernel.hold_frames(memoryview(data), columns[0], columns[1], columns[2])
        size = kernel.alter(held, Alterations(*columns[3:]), out)
        written = len(rows) * ALTERED_LAYOUT.row_size + size if size >= 0 else 0
        results.append((size, bytes(kernel.view(out)[:written])))
    assert results[0] == results[1]
    assert results[0][0] >= 0 or results[0][0] in (NO_SPACE, WRONG_COLUMNS)


@pytest.mark.parametrize("kernel", BOTH, ids=["python", "c"])
def test_a_result_over_its_own_input(kernel: Any) -> None:
    """Over the frames, or over one of the columns that say what is to be done."""
    buffer = kernel.new_buffer(100)
    columns = [memoryview(array(code, [0])) for code in "QIBHHB"]
    held = kernel.hold_frames(kernel.view(buffer), columns[0], columns[1], None)
    assert kernel.alter(held, Alterations(*columns[2:]), buffer) == OVERLAP
    held = kernel.hold_frames(memoryview(bytes(4)), columns[0], columns[1], None)
    for at in range(2, 6):
        code: Any = columns[at].format
        own = kernel.view(buffer)[96 : 96 + columns[at].nbytes].cast(code)
        over = [own if number == at else column for number, column in enumerate(columns)]
        assert kernel.alter(held, Alterations(*over[2:]), buffer) == OVERLAP


@pytest.mark.parametrize("kernel", BOTH, ids=["python", "c"])
def test_outputs_and_columns_that_are_too_small(kernel: Any) -> None:
    """No room for the columns of the result; no item of a column for each row."""
    columns = [memoryview(array(code, [0, 0])) for code in "QIBHHB"]
    held = kernel.hold_frames(memoryview(bytes(4)), columns[0], columns[1], None)
    out = kernel.new_buffer(2 * ALTERED_LAYOUT.row_size - 1)
    assert kernel.alter(held, Alterations(*columns[2:]), out) == NO_SPACE
    for at in range(2, 6):
        short = [column[:1] if number == at else column for number, column in enumerate(columns)]
        assert kernel.alter(held, Alterations(*short[2:]), kernel.new_buffer(100)) == WRONG_COLUMNS

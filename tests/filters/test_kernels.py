"""Programs of filters on both kernels: they agree on whatever can be asked, and C trusts no program with memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxlanpkt import DecapPolicy, FrameBatch
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, UNSOUND
from vxlanpkt.kernel.contract.columns import ADDRESS, BRIEF_COLUMNS, BRIEF_LAYOUT, DECAP_COLUMNS, DECAP_LAYOUT, WIDTHS
from vxlanpkt.kernel.contract.filtering import NO_GUARD, REGISTERS, Join, Step, StepKind
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.strategies import batches, frames, policies, vxlan_frames

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel import c

law = settings(suppress_health_check=list(HealthCheck))
LAYOUTS = {False: DECAP_LAYOUT, True: BRIEF_LAYOUT}
COLUMNS = {False: DECAP_COLUMNS, True: BRIEF_COLUMNS}

# More than the block that C takes at a time.
many_rows = st.lists(st.one_of(vxlan_frames(), frames()), min_size=2, max_size=4).map(
    lambda packets: FrameBatch.from_frames([packet.build() for packet in packets] * (270 // len(packets)))
)


def held(kernel: Any, batch: FrameBatch) -> Any:
    return kernel.hold_frames(batch.data, batch.offsets, batch.lengths, batch.original_lengths)


def columns_of(batch: FrameBatch, policy: DecapPolicy, brief: bool) -> tuple[Any, Any]:
    """The same columns for both kernels."""
    size = len(batch) * LAYOUTS[brief].row_size
    ours, theirs = python.new_buffer(size), c.new_buffer(size)
    assert python.decap(held(python, batch), Kind.ETHERNET, python.hold_rules(policy.rules), brief, ours) >= 0
    c.view(theirs)[:] = ours
    return ours, theirs


def numbers(values: list[int], width: int) -> st.SearchStrategy[int]:
    """Items of the column and what is around them."""
    near = [min(max(value + step, 0), (1 << 8 * width) - 1) for value in values for step in (-1, 0, 1)]
    return st.one_of(st.sampled_from(near or [0]), st.integers(0, (1 << 8 * width) - 1))


@st.composite
def steps(draw: st.DrawFn, brief: bool, rows: int, columns: bytearray) -> Step:
    """A sound step that often finds something."""
    kinds = [kind for kind in StepKind if not (brief and kind in (StepKind.ADDRESS, StepKind.PACKET))]
    kind = draw(st.sampled_from(kinds))
    step = Step(
        kind,
        negate=draw(st.booleans()),
        join=draw(st.sampled_from(Join)),
        target=draw(st.integers(0, 3) | st.just(REGISTERS - 1)),
        guard=draw(st.integers(0, 3) | st.sampled_from((REGISTERS - 1, NO_GUARD, NO_GUARD))),
    )
    if kind == StepKind.REGISTER:
        return step._replace(low=draw(st.integers(0, 3) | st.just(REGISTERS - 1)))
    layout = LAYOUTS[brief]
    if kind == StepKind.RANGE:
        name = draw(st.sampled_from([name for name, code in COLUMNS[brief].items() if WIDTHS[code] < 8]))
        values = list(layout.column(name, rows, memoryview(columns)))
        ends = sorted(draw(st.tuples(*[numbers(values, WIDTHS[COLUMNS[brief][name]])] * 2)))
        mask = draw(st.one_of(st.just(0xFFFFFFFF), st.integers(0, 0xFFFFFFFF)))
        return step._replace(column=name, low=ends[0], high=ends[1], mask=mask)
    width = 16 if kind == StepKind.ADDRESS else 8
    bits = draw(st.one_of(st.just(bytes(width)), st.binary(min_size=width, max_size=width), st.just(b"\xff" * width)))
    value = draw(st.binary(min_size=width, max_size=width))
    if kind != StepKind.ADDRESS:
        return masked(step._replace(low=draw(st.integers(0, 60) | st.integers(0, 0xFFFFFFFF))), value, bits)
    name = draw(st.sampled_from([name for name, code in DECAP_COLUMNS.items() if code == ADDRESS]))
    if rows and draw(st.booleans()):
        row = draw(st.integers(0, rows - 1))
        value = bytes(layout.column(name, rows, memoryview(columns))[16 * row : 16 * row + 16])
    return masked(step._replace(column=name, low=draw(st.sampled_from((0, 4, 6)))), value, bits)


def masked(step: Step, value: bytes, bits: bytes) -> Step:
    return step._replace(value=bytes(map(int.__and__, value, bits)), bits=bits)


def select_both(
    batch: FrameBatch, kind: Kind, brief: bool, program: list[Step], ours: Any, theirs: Any
) -> tuple[int, bytes]:  # fmt: skip
    """What both kernels return, and mark."""
    marks = python.new_buffer(len(batch)), c.new_buffer(len(batch))
    marks[0][:] = b"\xaa" * len(batch)
    c.view(marks[1])[:] = b"\x55" * len(batch)
    count = python.select(held(python, batch), kind, ours, brief, python.hold_program(program, brief), marks[0])
    again = c.select(held(c, batch), kind, theirs, brief, c.hold_program(program, brief), marks[1])
    assert again == count
    if count >= 0:
        assert c.view(marks[1]) == marks[0]
    return count, bytes(marks[0])


@law
@given(
    batch=batches(outside=True) | batches(outside=True) | many_rows, policy=policies(), brief=st.booleans(),
    kind=st.sampled_from((Kind.ETHERNET, Kind.ETHERNET, Kind.RAW)), data=st.data(),
)  # fmt: skip
def test_agreement(batch: FrameBatch, policy: DecapPolicy, brief: bool, kind: Kind, data: st.DataObject) -> None:
    """Any sound program, in blocks of rows too, finds the same rows, which are among those accepted."""
    ours, theirs = columns_of(batch, policy, brief)
    program = data.draw(st.lists(steps(brief, len(batch), ours), max_size=8))
    count, marks = select_both(batch, kind, brief, program, ours, theirs)
    status = LAYOUTS[brief].column("status", len(batch), memoryview(ours))
    assert count == sum(marks)
    assert not any(mark and reason for mark, reason in zip(marks, status, strict=True))


SOUND = Step(StepKind.RANGE, "vni", 1, 2)
UNSOUND_STEPS = {
    "kind": SOUND._replace(kind=6), "join": SOUND._replace(join=3), "target": SOUND._replace(target=REGISTERS),
    "guard": SOUND._replace(guard=REGISTERS), "last guard": SOUND._replace(guard=NO_GUARD - 1),
    "empty range": SOUND._replace(low=3), "too large": Step(StepKind.RANGE, "inner_protocol", 0, 256),
    "wide column": Step(StepKind.RANGE, "inner_offset", 0, 1), "addresses": Step(StepKind.RANGE, "inner_src", 0, 1),
    "register": Step(StepKind.REGISTER, low=REGISTERS),
}  # fmt: skip


@pytest.mark.parametrize("step", UNSOUND_STEPS.values(), ids=UNSOUND_STEPS)
def test_unsound(step: Step) -> None:
    """A program with one step that asks for what is not there is not run, wherever it stands."""
    batch = FrameBatch.from_frames([bytes(60)] * 3)
    ours, theirs = columns_of(batch, DecapPolicy(), False)
    assert select_both(batch, Kind.ETHERNET, False, [SOUND], ours, theirs)[0] == 0
    for program in ([step], [SOUND, step], [step, SOUND]):
        assert select_both(batch, Kind.ETHERNET, False, program, ours, theirs) == (UNSOUND, b"\xaa" * 3)


def test_no_packet_in_brief_columns() -> None:
    """Where the inner packet begins is not among them."""
    batch = FrameBatch.from_frames([bytes(60)])
    step = Step(StepKind.PACKET, value=bytes(8), bits=bytes(8))
    assert select_both(batch, Kind.ETHERNET, True, [step], *columns_of(batch, DecapPolicy(), True))[0] == UNSOUND
    assert select_both(batch, Kind.ETHERNET, False, [step], *columns_of(batch, DecapPolicy(), False))[0] == 0


def test_sizes() -> None:
    """Columns or marks that are a byte too small, or the same memory."""
    batch = FrameBatch.from_frames([bytes(60)] * 300)
    ours, theirs = columns_of(batch, DecapPolicy(), False)
    for kernel, columns in ((python, ours), (c, theirs)):
        frames_held, program = held(kernel, batch), kernel.hold_program([SOUND], False)
        small, marks = kernel.new_buffer(len(ours) - 1), kernel.new_buffer(300)
        assert kernel.select(frames_held, Kind.ETHERNET, small, False, program, marks) == NO_SPACE
        few = kernel.new_buffer(299)
        assert kernel.select(frames_held, Kind.ETHERNET, columns, False, program, few) == NO_SPACE
        assert kernel.select(frames_held, Kind.ETHERNET, columns, False, program, columns) == OVERLAP


STEP_SIZE = ffi.sizeof("struct vxlanpkt_step")


def likely_steps(brief: bool) -> st.SearchStrategy[bytes]:
    """The bytes of steps that are sound but for at most one number, or that ask just beyond the end of a row."""
    end = LAYOUTS[brief].row_size
    place = st.integers(0, end - 16)
    fields: dict[str, Any] = {
        "kind": st.sampled_from((0, 0, 1, 2, 3, 3, 3 if brief else 4, 5)), "join": st.integers(0, 2),
        "target": st.integers(0, 3), "guard": st.sampled_from((0, 1, NO_GUARD, NO_GUARD)),
        "width": st.sampled_from((1, 2, 4)), "column": place, "family": place, "low": st.integers(0, 31),
        "high": st.integers(32, 255), "mask": st.just(0xFFFFFFFF), "negate": st.integers(0, 255),
        "value": st.just(bytes(16)), "bits": st.just(bytes(16)),
    }  # fmt: skip
    assert set(fields) == {name for name, _ in ffi.typeof("struct vxlanpkt_step").fields}
    edge = st.integers(end - 18, end + 2) | st.integers(0, 0xFFFF)
    odd: dict[str, Any] = {
        "kind": st.integers(0, 255), "join": st.integers(0, 3), "width": st.integers(0, 9), "column": edge,
        "family": edge, "target": st.sampled_from((REGISTERS - 1, REGISTERS, 255)),
        "guard": st.sampled_from((REGISTERS - 1, REGISTERS)),
        "low": st.integers(0, 100) | st.integers(0, 0xFFFFFFFF), "high": st.integers(0, 0xFFFFFFFF),
    }  # fmt: skip
    faults = st.sampled_from(sorted(odd)).flatmap(lambda name: odd[name].map(lambda value: {name: value}))
    return st.builds(
        lambda sound, fault: packed({**sound, **fault}), st.fixed_dictionaries(fields), st.just({}) | faults
    )


@st.composite
def programs(draw: st.DrawFn) -> tuple[bool, list[bytes]]:
    """Whether columns are brief, and the bytes of steps."""
    brief = draw(st.booleans())
    any_step = st.binary(min_size=STEP_SIZE, max_size=STEP_SIZE)
    step = draw(st.sampled_from((likely_steps(brief), likely_steps(brief), any_step)))
    return brief, draw(st.lists(step, min_size=1, max_size=4))


def packed(fields: dict[str, Any]) -> bytes:
    return bytes(ffi.buffer(ffi.new("struct vxlanpkt_step *", fields)))


@settings(law, max_examples=3 * settings().max_examples)
@given(
    batch=batches(outside=True) | batches(outside=True) | many_rows, kind=st.integers(0, 3), program=programs(),
    fill=st.none() | st.binary(min_size=1, max_size=9), spare=st.integers(0, 3),
)  # fmt: skip
def test_any_bytes_as_a_program(
    batch: FrameBatch, kind: int, program: tuple[bool, list[bytes]], fill: bytes | None, spare: int
) -> None:
    """Whatever the bytes of a program are, and those of the columns: it is refused, or marks rows with 0 and 1.

    Under AddressSanitizer each buffer is a block of its own, so nothing outside of it is read or written.
    """
    brief, steps_given = program
    columns = c.new_buffer(len(batch) * LAYOUTS[brief].row_size)
    assert c.decap(held(c, batch), Kind.ETHERNET, c.hold_rules(DecapPolicy().rules), brief, columns) >= 0
    if fill is not None:
        size = len(columns)
        c.view(columns)[:] = (fill * (size // len(fill) + 1))[:size]
    steps_held = ffi.new("struct vxlanpkt_step[]", len(steps_given))
    ffi.buffer(steps_held)[:] = b"".join(steps_given)
    out = ffi.new("uint8_t[]", len(batch) + spare)
    ffi.buffer(out)[:] = b"\x55" * (len(batch) + spare)
    done = lib.vxlanpkt_select(
        held(c, batch)[0], kind, columns, len(columns), brief, steps_held, len(steps_given), out, len(batch) + spare
    )
    marks = bytes(ffi.buffer(out))
    if done == UNSOUND:
        assert set(marks) <= {0x55}
    else:
        assert done == sum(marks[: len(batch)])
        assert set(marks[: len(batch)]) <= {0, 1}
        assert set(marks[len(batch) :]) <= {0x55}

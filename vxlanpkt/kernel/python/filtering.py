"""The specification of filters: programs over the columns of a batch, and over bytes of its frames.

A program is a row of steps. Each asks one thing of every row, and joins the answers into one of some registers, which
begin with 0; what register 0 holds at the end are the rows that match, if their status is OK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, UNSOUND
from vxlanpkt.kernel.contract.columns import BRIEF_LAYOUT, DECAP_LAYOUT, WIDTHS, family_of
from vxlanpkt.kernel.contract.filtering import NO_GUARD, REGISTERS, Join, Step, StepKind
from vxlanpkt.kernel.contract.protocols import ETHERNET_LINK, RAW_LINK
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.kernel.python.frames import Frames, is_inside
from vxlanpkt.kernel.python.memory import shares_memory

_BYTES = 8
_MOST_INNER_TAGS = 255  # the column counts no further, so that what is behind them is not found
_RANGE, _ADDRESS, _ROW, _INNER, _PACKET, _REGISTER = map(int, StepKind)


class Batch(NamedTuple):
    """What a program is run over: a batch, or one frame as a batch of one row."""

    rows: int
    column: Callable[[str], Sequence[int]]  # by name; one of addresses as bytes
    frames: Frames
    ethernet: bool  # whether a row begins with an Ethernet header


def hold_program(program: Sequence[Step], brief: bool) -> Sequence[Step]:
    """A filter's program, held for all columns, or brief ones."""
    return tuple(program)


def select(
    frames: Frames, kind: int, columns: bytearray, brief: bool, program: Sequence[Step], out: bytearray
) -> int:  # fmt: skip
    """Mark in *out*, a byte a row, the rows that a program matches; returns how many."""
    rows = len(frames.offsets)
    layout = BRIEF_LAYOUT if brief else DECAP_LAYOUT
    if shares_memory(out, *frames, memoryview(columns)):
        return OVERLAP
    if len(out) < rows or len(columns) < rows * layout.row_size:
        return NO_SPACE
    if not is_sound(program, brief):
        return UNSOUND
    whole = memoryview(columns)
    batch = Batch(rows, lambda name: layout.column(name, rows, whole), frames, kind == Kind.ETHERNET)
    out[:rows] = run(program, batch)
    return sum(out[:rows])


def is_sound(program: Iterable[Step], brief: bool) -> bool:
    """Whether every step asks for what is there."""
    return all(_is_sound(step, brief) for step in program)


def _is_sound(step: Step, brief: bool) -> bool:
    guarded = step.guard < REGISTERS or step.guard == NO_GUARD
    if step.join not in tuple(Join) or step.target >= REGISTERS or not guarded:
        return False
    if step.kind == _RANGE:
        _, code = (BRIEF_LAYOUT if brief else DECAP_LAYOUT).place(step.column)
        return WIDTHS[code] in (1, 2, 4) and step.low <= step.high and not step.high >> 8 * WIDTHS[code]
    if step.kind == _REGISTER:
        return step.low < REGISTERS
    return step.kind in (_ADDRESS, _ROW, _INNER) or (step.kind == _PACKET and not brief)


def run(program: Iterable[Step], batch: Batch) -> bytes:
    """What register 0 holds of each row whose status is OK, and 0 of the others."""
    registers = [bytes(batch.rows) for _ in range(REGISTERS)]
    for step in program:
        guard = None if step.guard == NO_GUARD else registers[step.guard]
        found = _find(step, batch, guard, registers)
        if step.negate:
            found = bytes(not answer for answer in found)
        if guard is not None:
            found = bytes(map(int.__and__, found, guard))
        registers[step.target] = _JOINS[step.join](registers[step.target], found)
    return bytes(
        answer & (status == Reason.OK) for answer, status in zip(registers[0], batch.column("status"), strict=True)
    )  # fmt: skip


_JOINS: tuple[Callable[[bytes, bytes], bytes], ...] = (
    lambda _, found: found,
    lambda before, found: bytes(map(int.__and__, before, found)),
    lambda before, found: bytes(map(int.__or__, before, found)),
)


def _find(step: Step, batch: Batch, guard: bytes | None, registers: Sequence[bytes]) -> bytes:
    """The answers to one step; where the guard has 0 they do not matter."""
    if step.kind == _RANGE:
        low, high, mask = step.low, step.high, step.mask
        return bytes(low <= item & mask <= high for item in batch.column(step.column))
    if step.kind == _ADDRESS:
        return _find_addresses(step, batch)
    if step.kind == _REGISTER:
        return registers[step.low]
    asked = range(batch.rows) if guard is None else [row for row in range(batch.rows) if guard[row]]
    return _marks(batch.rows, (row for row in asked if _has_bytes(step, batch, row)))


def _marks(count: int, rows: Iterable[int]) -> bytes:
    marks = bytearray(count)
    for row in rows:
        marks[row] = 1
    return bytes(marks)


def _find_addresses(step: Step, batch: Batch) -> bytes:
    addresses: Any = batch.column(step.column)
    value, bits = int.from_bytes(step.value, "big"), int.from_bytes(step.bits, "big")
    return bytes(
        family == step.low and int.from_bytes(addresses[16 * row : 16 * row + 16], "big") & bits == value
        for row, family in enumerate(batch.column(family_of(step.column)))
    )


def _has_bytes(step: Step, batch: Batch, row: int) -> bool:
    """Whether the 8 bytes that a step asks for are there, and have its bits."""
    if step.kind == _ROW:
        start, length = (batch.frames.offsets[row], batch.frames.lengths[row]) if batch.ethernet else (0, 0)
    else:
        start, length = batch.column("inner_offset")[row], batch.column("inner_length")[row]
    if not is_inside(len(batch.frames.data), start, length):
        return False
    skipped = _before_packet(batch, row) if step.kind == _PACKET else 0
    at = skipped + step.low
    if skipped > length or at + _BYTES > length:
        return False
    bits = int.from_bytes(step.bits, "big")
    found = int.from_bytes(batch.frames.data[start + at : start + at + _BYTES], "big")
    return found & bits == int.from_bytes(step.value, "big")


def _before_packet(batch: Batch, row: int) -> int:
    """How long the inner Ethernet header and its tags are; more than any frame has where that is not known."""
    link, tags = batch.column("inner_link_type")[row], batch.column("inner_tags")[row]
    if tags == _MOST_INNER_TAGS or link not in (ETHERNET_LINK, RAW_LINK):
        return 1 << 32
    return 14 + 4 * tags if link == ETHERNET_LINK else 0

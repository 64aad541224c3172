"""Programs of filters, step by step."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

REGISTERS = 32  # of a filter's program
NO_GUARD = 0xFF  # a step that is asked of every row


class StepKind(IntEnum):
    """What a step of a filter's program asks of a row."""

    RANGE = 0  # whether low <= item & mask <= high, in a column of numbers
    ADDRESS = 1  # whether an address is of IP version `low` and has these bits
    ROW = 2  # whether 8 bytes of a row that begins with Ethernet, from `low` on, have these bits
    INNER = 3  # as ROW, of the inner frame
    PACKET = 4  # as ROW, of what is behind the inner Ethernet header and its tags, or of a bare inner packet
    REGISTER = 5  # what register `low` says


class Join(IntEnum):
    """What becomes of a step's answer: it takes the place of what is in a register, or is joined with it."""

    SET = 0
    AND = 1
    OR = 2


class Step(NamedTuple):
    """One step of a filter's program: an answer for each row, 0 or 1, which goes into a register.

    The rows that register 0 holds at the end match, if their status is OK. Where the register `guard` has 0 the
    answer is 0, and the row is not looked at.
    """

    kind: int
    column: str = ""  # of RANGE and ADDRESS
    low: int = 0
    high: int = 0
    mask: int = 0xFFFFFFFF
    value: bytes = b""  # 16 bytes of ADDRESS, 8 of those that ask for bytes, and so are the bits that count
    bits: bytes = b""
    negate: bool = False
    join: int = Join.SET
    target: int = 0
    guard: int = NO_GUARD

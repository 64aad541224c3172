"""Filters: which rows of a decapsulated batch an expression matches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vxlanpkt import kernel
from vxlanpkt.batches.columns import written
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.errors import FieldError, FilterError
from vxlanpkt.expressions import parse_expression
from vxlanpkt.kernel.contract.columns import ADDRESS, BRIEF_COLUMNS, DECAP_COLUMNS
from vxlanpkt.kernel.contract.filtering import REGISTERS, Step, StepKind
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.kernel.python.filtering import Batch, run
from vxlanpkt.kernel.python.frames import Frames
from vxlanpkt.programs import make_program
from vxlanpkt.starts import Start, kind_of

if TYPE_CHECKING:
    from vxlanpkt.decapsulation import Decapsulated


@dataclass(frozen=True)
class Filter:
    """An expression in the language of tcpdump, with `inner` and `outer` in front of what is there twice.

    text  the expression, such as "vni 5000 and tcp port 443 and not outer host 192.0.2.1"

    What stands without one of the two words is about the inner frame. docs/filters.md has the language. Two filters are
    equal if their texts are. Raises `FilterError`, a `FieldError`, which says where the text is wrong.
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise FieldError(
                f"Filter: {self.text!r} is not text", layer="Filter", field="text", value=self.text, bits=None
            )
        self._program  # noqa: B018 - it is compiled now, so that a wrong text is refused here

    @cached_property
    def _program(self) -> tuple[Step, ...]:
        program = make_program(parse_expression(self.text))
        if any(step.target >= REGISTERS for step in program):
            raise FilterError(
                f"Filter: 'and' and 'or' are more than {REGISTERS} deep inside each other",
                layer="Filter", field="text", value=self.text, bits=None, position=0, found=self.text,
                expected="less deep",
            )  # fmt: skip
        return program

    @cached_property
    def _held(self) -> Any:
        """The program as the kernel holds it."""
        return kernel.hold_program(self._program, False)

    @cached_property
    def _held_brief(self) -> Any:
        """The program as the kernel holds it for brief columns; `FieldError` where these do not say enough."""
        for step in self._program:
            column = "inner_link_type" if step.kind == StepKind.PACKET else step.column
            if column and column not in BRIEF_COLUMNS:
                raise FieldError(
                    f"Filter: {self.text!r} asks for {column}, which is not among the brief columns: decapsulate with "
                    "columns='all'",
                    layer="Filter", field="batch", value=self.text, bits=None,
                )  # fmt: skip
        return kernel.hold_program(self._program, True)

    def select(self, batch: DecapBatch) -> memoryview:
        """A byte for each row, 1 where it matches; a row that was refused never does.

        Raises `FieldError` for a batch of brief columns, if the expression asks for others.
        """
        if not isinstance(batch, DecapBatch):
            raise FieldError(
                f"batch: {type(batch).__name__} is not a DecapBatch: decap_batch makes one",
                layer="Filter", field="batch", value=batch, bits=None,
            )  # fmt: skip
        held = self._held_brief if batch.brief else self._held
        out = kernel.new_buffer(len(batch))
        written(kernel.select(batch.frames.held, _kind(batch.start), batch.buffer, batch.brief, held, out))
        return kernel.view(out)

    def matches(self, got: Decapsulated) -> bool:
        """Whether one frame matches, as it was in the tunnel, whatever the policy altered."""
        record, data = got.record, got._data
        columns = {
            name: getattr(record, name) if code == ADDRESS else (getattr(record, name),)
            for name, code in DECAP_COLUMNS.items()
        }
        frames = Frames(memoryview(data), (0,), (len(data),), None)
        return bool(run(self._program, Batch(1, columns.__getitem__, frames, _kind(got._start) == Kind.ETHERNET))[0])

    def __reduce__(self) -> tuple[type[Filter], tuple[str]]:
        return Filter, (self.text,)

    def __and__(self, other: Filter) -> Filter:
        """What both match."""
        return Filter(f"({self.text}) and ({other.text})") if isinstance(other, Filter) else NotImplemented

    def __or__(self, other: Filter) -> Filter:
        """What one of them matches."""
        return Filter(f"({self.text}) or ({other.text})") if isinstance(other, Filter) else NotImplemented

    def __invert__(self) -> Filter:
        """What this one does not match."""
        return Filter(f"not ({self.text})")


def _kind(start: Start | None) -> int:
    """The kernel's kind for what a row begins with."""
    kind = None if start is None else kind_of(start)
    return Kind.NOTHING if kind is None else kind

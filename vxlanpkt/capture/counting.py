"""Records counted as they are read: no columns of them are kept, and no memory is taken anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vxlanpkt.capture.links import start_of
from vxlanpkt.capture.records import Interface
from vxlanpkt.capture.refusals import refused
from vxlanpkt.capture.stats import PassCounter
from vxlanpkt.capture.stretches import Stretches
from vxlanpkt.errors import Reason
from vxlanpkt.grouping import Groups
from vxlanpkt.kernel import count_records, hold_counts, new_buffer
from vxlanpkt.kernel.contract.counting import (
    COUNTED_COLUMNS,
    COUNTED_LAYOUT,
    COUNTED_ROWS,
    WIDTHS_OF_COUNTS,
    Count,
    CutOff,
)
from vxlanpkt.kernel.contract.records import Stop, Stretch
from vxlanpkt.policy import DecapPolicy

_MET = {"vni": "I", "status": "B", "cut_off": "B"}


class CountedRecords:
    """Records that were counted: how many came before, and how many they are."""

    __slots__ = ("_rows", "first")

    def __init__(self, first: int, rows: int) -> None:
        self.first = first
        self._rows = rows

    def __len__(self) -> int:
        return self._rows


class Cut(NamedTuple):
    """Accepted packets that the capture cut.

    packets  how many
    headers  how many of them lack inner addresses or ports for it
    """

    packets: int = 0
    headers: int = 0


class Counting(PassCounter):
    """Takes records by counting them: in tables that it is given, and in one of its own, for `CaptureStats`.

    Raises FieldError for counts of columns that there are not, or that do not make the key of their table.
    """

    def __init__(self, counts: Sequence[tuple[Groups, Count]], policy: DecapPolicy) -> None:
        super().__init__(_MET)
        of_all = [*counts, (self._met, Count(tuple(_MET), lengths="inner_length"))]
        for _, count in of_all:
            _require_columns(count)
        self._tables = [groups for groups, _ in of_all]
        self._counts = hold_counts([count for _, count in of_all])
        self._rules = policy.held_rules
        self._columns = new_buffer(COUNTED_ROWS * COUNTED_LAYOUT.row_size)

    def take(self, at: Stretches, interfaces: Sequence[Interface]) -> tuple[CountedRecords, Stretch]:
        """Count what a source has."""
        source = at.source
        source.kept = False
        tables = [groups.with_room(COUNTED_ROWS) for groups in self._tables]
        found = count_records(
            source.buffer, source.begin, source.end, at.section, self._rules, self._counts, tables, at.first + 1,
            self._columns,
        )  # fmt: skip
        if found.stop == Stop.UNFIT:
            raise refused("counts", len(tables) - 1, "of tables, each of them once, by columns that make their keys")
        self._note(found.rows, found.link_type, start_of(found.link_type) is not None)
        return CountedRecords(at.first, found.rows), found

    @property
    def cut(self) -> Cut:
        """How many packets were cut, so far."""
        met = self._met.columns()
        rows = zip(met["status"], met["cut_off"], met["packets"], strict=True)
        cut = [(what, packets) for status, what, packets in rows if status == Reason.OK and what != CutOff.NOTHING]
        return Cut(sum(packets for _, packets in cut), sum(packets for what, packets in cut if what == CutOff.HEADERS))


def _require_columns(count: Count) -> None:
    others = [name for what in WIDTHS_OF_COUNTS if (name := getattr(count, what)) is not None]
    for name in (*count.key, *others):
        if name not in COUNTED_COLUMNS:
            raise refused("counts", name, "a column of records")

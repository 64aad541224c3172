"""Records counted as they are read: no columns of them are kept, and no memory is taken anew."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from vxlanpkt.capture.links import start_of
from vxlanpkt.capture.records import Interface
from vxlanpkt.capture.stats import CaptureStats, put_met
from vxlanpkt.capture.stretches import Stretches
from vxlanpkt.errors import CaptureError, Reason
from vxlanpkt.grouping import SEED_SIZE, Groups
from vxlanpkt.kernel import count_records, hold_counts, new_buffer
from vxlanpkt.kernel.contract.counting import COUNTED_LAYOUT, COUNTED_ROWS, Count, CutOff
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


class Counting:
    """Takes records by counting them: in tables that it is given, and in one of its own, for `CaptureStats`."""

    def __init__(self, counts: Sequence[tuple[Groups, Count]], policy: DecapPolicy) -> None:
        self._met = Groups(_MET, seed=os.urandom(SEED_SIZE))
        of_all = [*counts, (self._met, Count(tuple(_MET), lengths="inner_length"))]
        self._tables = [groups for groups, _ in of_all]
        self._counts = hold_counts([count for _, count in of_all])
        self._rules = policy.held_rules
        self._columns = new_buffer(COUNTED_ROWS * COUNTED_LAYOUT.row_size)
        self._stats = CaptureStats()

    def take(self, at: Stretches, interfaces: Sequence[Interface]) -> tuple[CountedRecords, Stretch]:
        """Count what a source has."""
        source = at.source
        source.kept = False
        tables = [groups.with_room(COUNTED_ROWS) for groups in self._tables]
        found = count_records(
            source.buffer, source.begin, source.end, at.section, self._rules, self._counts, tables, at.first + 1,
            self._columns,
        )  # fmt: skip
        assert found.stop != Stop.UNFIT  # as tables are of the keys that they are counted by
        self._stats.records += found.rows
        if found.rows and start_of(found.link_type) is None:
            self._stats.unsupported_link_types[found.link_type] += found.rows
        return CountedRecords(at.first, found.rows), found

    @property
    def cut(self) -> Cut:
        """How many packets were cut, so far."""
        met = self._met.columns()
        rows = zip(met["status"], met["cut_off"], met["packets"], strict=True)
        cut = [(what, packets) for status, what, packets in rows if status == Reason.OK and what != CutOff.NOTHING]
        return Cut(sum(packets for _, packets in cut), sum(packets for what, packets in cut if what == CutOff.HEADERS))

    def finish(self, error: CaptureError | None) -> CaptureStats:
        """What was counted, up to the fault if there was one."""
        put_met(self._stats, self._met.columns())
        self._stats.error = error
        return self._stats

"""What counters of flows and of endpoints have in common: groups of rows, counted here or put together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from vxlanpkt.analysis.cut_packets import CutCounter
from vxlanpkt.analysis.merging import GroupSums, PackedColumns, packed, unpacked
from vxlanpkt.capture.counting import Counting, Cut
from vxlanpkt.capture.decapsulated import CaptureBatch
from vxlanpkt.capture.reader import Capture
from vxlanpkt.grouping import SEED_SIZE, Groups
from vxlanpkt.kernel.contract.counting import WIDTHS_OF_COUNTS, Count
from vxlanpkt.policy import DecapPolicy

if TYPE_CHECKING:
    from typing_extensions import Buffer

PackedCounts = tuple[PackedColumns, Cut]


class GroupCounter:
    """Groups with a key, of columns that `COUNT` names; with a *limit* no more than so many, the first in the file.

    *key*, *count*: instead of the class's own.
    """

    KEY: ClassVar[Mapping[str, str]]
    COUNT: ClassVar[Count]

    def __init__(
        self, limit: int | None = None, *, key: Mapping[str, str] | None = None, count: Count | None = None
    ) -> None:
        self._key = self.KEY if key is None else key
        self._count = self.COUNT if count is None else count
        # Packets are made by strangers, who could choose those that a known hash is slow with.
        self.groups = Groups(self._key, seed=os.urandom(SEED_SIZE), limit=limit)
        self._cut = CutCounter()
        self._sums: GroupSums | None = None
        self._cut_elsewhere = Cut()

    def add(self, batch: CaptureBatch, selected: Buffer | None = None) -> None:
        """Count the rows of a batch, or those that are selected."""
        count = self._count
        columns = {what: batch.column(name) for what in WIDTHS_OF_COUNTS if (name := getattr(count, what))}
        self.groups.add(
            len(batch.result), [batch.column(name) for name in count.key], selected=selected,
            number=batch.records.first + 1, **columns,
        )  # fmt: skip
        self._cut.add(batch.result, selected)

    def count(self, capture: Capture, policy: DecapPolicy, vni: int | Iterable[int] | None) -> Iterator[None]:
        """Count a whole capture, faster than batch by batch: piece by piece, as it is read."""
        counting: Counting | None = None
        try:
            for so_far in capture.count([(self.groups, self._count)], policy=policy, vni=vni):
                counting = so_far
                yield
        finally:
            if counting is not None:
                self._add_cut(counting.cut)

    @property
    def left_out(self) -> int:
        """How many packets belong to groups beyond the limit."""
        return self.groups.left_out

    @property
    def found(self) -> Groups | GroupSums:
        """The groups: those that were put together, if any were."""
        return self.groups if self._sums is None else self._sums

    @property
    def cut(self) -> Cut:
        """How many packets were cut."""
        return Cut(*map(int.__add__, self._cut.cut, self._cut_elsewhere))

    def counted(self) -> PackedCounts:
        """What was counted, to be pickled."""
        return packed(self.groups.columns()), self.cut

    def merge(self, counted: PackedCounts, before: int) -> None:
        """Add what another one has counted, of records that follow so many."""
        columns, cut = counted
        if self._sums is None:
            self._sums = GroupSums(self._key)
        self._sums.add(unpacked(columns), before)
        self._add_cut(cut)

    def _add_cut(self, cut: Cut) -> None:
        self._cut_elsewhere = Cut(*map(int.__add__, self._cut_elsewhere, cut))

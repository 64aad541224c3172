"""What counters of flows and of endpoints have in common: groups of rows, counted here or put together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar

from vxlanpkt.analysis.cut_packets import Cut, CutCounter
from vxlanpkt.analysis.merging import GroupSums, PackedColumns, packed, unpacked
from vxlanpkt.grouping import SEED_SIZE, Groups

Counted = tuple[PackedColumns, Cut]


class GroupCounter:
    """Groups with the key `KEY`; with a *limit* no more than so many, those that come first in the file."""

    KEY: ClassVar[Mapping[str, str]]

    def __init__(self, limit: int | None = None) -> None:
        # Packets are made by strangers, who could choose those that a known hash is slow with.
        self._groups = Groups(self.KEY, seed=os.urandom(SEED_SIZE), limit=limit)
        self._cut = CutCounter()
        self._sums: GroupSums | None = None
        self._cut_elsewhere = Cut()

    @property
    def left_out(self) -> int:
        """How many packets belong to groups beyond the limit."""
        return self._groups.left_out

    @property
    def found(self) -> Groups | GroupSums:
        """The groups: those that were put together, if any were."""
        return self._groups if self._sums is None else self._sums

    @property
    def cut(self) -> Cut:
        """How many packets were cut."""
        return Cut(*map(int.__add__, self._cut.cut, self._cut_elsewhere))

    def counted(self) -> Counted:
        """What was counted, to be pickled."""
        return packed(self._groups.columns()), self._cut.cut

    def merge(self, counted: Counted, before: int) -> None:
        """Add what another one has counted, of records that follow so many."""
        columns, cut = counted
        if self._sums is None:
            self._sums = GroupSums(self.KEY)
        self._sums.add(unpacked(columns), before)
        self._cut_elsewhere = Cut(*map(int.__add__, self._cut_elsewhere, cut))

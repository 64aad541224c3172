"""Packets of which the capture kept a part, and those of them whose flow cannot be told for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxlanpkt.analysis.masks import both, mask, table_of
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.capture.counting import Cut
from vxlanpkt.capture.decapsulated import derived_column
from vxlanpkt.kernel.contract.columns import Note
from vxlanpkt.kernel.contract.counting import CutOff

if TYPE_CHECKING:
    from typing_extensions import Buffer

# As plain numbers: each is compared with 256 others.
_CUT, _HEADERS = int(Note.CUT), int(CutOff.HEADERS)
_IS_CUT = table_of(lambda notes: notes & _CUT)
_IS_SET, _LACKS_HEADERS = table_of(lambda value: value), table_of(lambda value: value == _HEADERS)


class CutCounter:
    """Counts batch by batch; costs next to nothing where nothing is cut."""

    def __init__(self) -> None:
        self._packets = self._headers = 0

    @property
    def cut(self) -> Cut:
        """What was counted so far."""
        return Cut(self._packets, self._headers)

    def add(self, result: DecapBatch, selected: Buffer | None = None) -> None:
        """Count the rows of a batch, or those that are selected."""
        if 1 not in mask(result.notes, _IS_CUT):
            return
        found = derived_column(result, "cut_off")
        cut = mask(found, _IS_SET)
        if selected is not None:
            cut = both(cut, mask(memoryview(selected), _IS_SET))
        self._packets += cut.count(1)
        self._headers += both(cut, mask(found, _LACKS_HEADERS)).count(1)

"""Stretches of records, as the kernel reads them out of a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vxlanpkt.capture.batches import RecordBatch
from vxlanpkt.capture.records import Interface
from vxlanpkt.capture.sources import Source
from vxlanpkt.kernel import add_interface, hold_section, new_buffer, read_records
from vxlanpkt.kernel.contract.columns import RECORD_LAYOUT
from vxlanpkt.kernel.contract.records import Section, SectionInterface, Stop

ROWS = 8192
"""The most records in a batch."""

_SHORTEST = 16  # bytes of a record


class Before:
    """What captures held that were read before, as parts of the same: the next one counts on."""

    def __init__(self) -> None:
        self.records = 0
        self.interfaces: list[Interface] = []


def section_interface(interface: Interface) -> SectionInterface:
    """What the kernel has to know of an interface."""
    return SectionInterface(
        interface.link_type, interface.snaplen, interface.fcslen, interface.units_per_second, interface.tsoffset
    )


class Stretches:
    """Reads on in a source, as its `Section` says, until something has to be looked at.

    `stop`: why no more records came. `needed`: the bytes that the next one takes, if the source ended before.
    """

    def __init__(self, source: Source, section: Section, first: int = 0) -> None:
        """*first*: how many records came before."""
        self.stop = Stop.CUT
        self.needed = 0
        self._source = source
        self._first = first
        self.use(section)

    def use(self, section: Section) -> None:
        """Read what follows in another way."""
        self._big_endian = section.big_endian
        self._held = hold_section(section)

    def add_interface(self, interface: Interface) -> None:
        """Read packets of one more interface of the section."""
        add_interface(self._held, section_interface(interface))

    def batches(self, interfaces: Sequence[Interface]) -> Iterator[RecordBatch]:
        """Batches of records, up to what is none or the end of the source."""
        source = self._source
        while True:
            out = new_buffer(RECORD_LAYOUT.row_size * min(ROWS, source.available // _SHORTEST + 1))
            found = read_records(source.buffer, source.begin, source.end, self._held, out)
            if found.rows:
                yield RecordBatch(
                    out, found.rows, found.link_type, source.view.toreadonly(), interfaces, self._first,
                    self._big_endian, found.stop != Stop.CUT, source.name,
                )  # fmt: skip
                self._first += found.rows
            source.move_to(found.position)
            self.stop, self.needed = Stop(found.stop), found.needed
            if self.stop is Stop.FULL:
                continue
            if self.stop is Stop.LOOK or not source.read_on(found.needed):
                return

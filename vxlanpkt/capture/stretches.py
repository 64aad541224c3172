"""Stretches of records, as the kernel reads them out of a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from vxlanpkt.capture.batches import RecordBatch
from vxlanpkt.capture.links import start_of
from vxlanpkt.capture.records import Interface
from vxlanpkt.capture.sources import Source
from vxlanpkt.kernel import add_interface, hold_section, new_buffer, read_records
from vxlanpkt.kernel.contract.columns import RECORD_LAYOUT
from vxlanpkt.kernel.contract.records import Section, SectionInterface, Stop, Stretch
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.starts import outer_kind

if TYPE_CHECKING:
    from typing import TypeAlias

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
    start = start_of(interface.link_type)
    return SectionInterface(
        interface.link_type, interface.snaplen, interface.fcslen, interface.units_per_second, interface.tsoffset,
        Kind.NOTHING if start is None else outer_kind(start),
    )  # fmt: skip


class Run(Protocol):
    """Records that follow each other, of one link type: those of a batch, say."""

    @property
    def first(self) -> int:
        """How many records came before."""
        ...

    def __len__(self) -> int: ...


_R = TypeVar("_R", bound=Run)
# How records are taken out of what a source has, up to what is none or its end: they, and how far that came.
Taking: TypeAlias = "Callable[[Stretches, Sequence[Interface]], tuple[_R, Stretch]]"


class Stretches:
    """Reads on in a source, as its `Section` says, until something has to be looked at.

    `source`, `section` (held), `big_endian`, `first` (how many records came before): what records are taken by.
    `stop`: why no more came. `needed`: the bytes that the next one takes, if the source ended before.
    """

    def __init__(self, source: Source, section: Section, first: int = 0) -> None:
        """*first*: how many records came before."""
        self.stop = Stop.CUT
        self.needed = 0
        self.source = source
        self.first = first
        self.use(section)

    def use(self, section: Section) -> None:
        """Read what follows in another way."""
        self.big_endian = section.big_endian
        self.section = hold_section(section)

    def add_interface(self, interface: Interface) -> None:
        """Read packets of one more interface of the section."""
        add_interface(self.section, section_interface(interface))

    def each(self, taking: Taking[_R], interfaces: Sequence[Interface]) -> Iterator[_R]:
        """Records, as they are taken, up to what is none or the end of the source."""
        source = self.source
        while True:
            taken, found = taking(self, interfaces)
            if found.rows:
                yield taken
                self.first += found.rows
            source.move_to(found.position)
            self.stop, self.needed = Stop(found.stop), found.needed
            if self.stop is Stop.FULL:
                continue
            if self.stop is Stop.LOOK or not source.read_on(found.needed):
                return


def as_batch(at: Stretches, interfaces: Sequence[Interface]) -> tuple[RecordBatch, Stretch]:
    """Records taken as a batch."""
    source = at.source
    out = new_buffer(RECORD_LAYOUT.row_size * min(ROWS, source.available // _SHORTEST + 1))
    found = read_records(source.buffer, source.begin, source.end, at.section, out)
    made = RecordBatch(
        out, found.rows, found.link_type, source.view.toreadonly(), interfaces, at.first, at.big_endian,
        found.stop != Stop.CUT, source.name,
    )  # fmt: skip
    return made, found

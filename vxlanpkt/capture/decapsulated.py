"""Records of a capture with what decapsulation says of them: whole batches, and those that were accepted one by one."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from vxlanpkt._values import Value
from vxlanpkt.batches.columns import AddressColumn, written
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.capture.batches import RecordBatch
from vxlanpkt.errors import Reason
from vxlanpkt.kernel import derived, new_buffer, view
from vxlanpkt.kernel.contract.columns import NO_LINK_TYPE, RECORD_COLUMNS, WIDTHS, Note
from vxlanpkt.kernel.contract.counting import COUNTED_COLUMNS, DERIVED_COLUMNS
from vxlanpkt.link_types import LinkType
from vxlanpkt.selection import RowFilter, selected

if TYPE_CHECKING:
    from vxlanpkt.packet import Packet


class CaptureBatch(Value):
    """Records of one link type that follow each other, and what decapsulation says of each: row i is record i.

    `start`: what they begin with; None where nothing is known of their link type, and all of them are NOT_VXLAN.
    """

    __slots__ = __match_args__ = ("records", "result", "start")

    records: RecordBatch
    result: DecapBatch
    start: LinkType | None

    def __init__(self, records: RecordBatch, result: DecapBatch, start: LinkType | None) -> None:
        set_field = object.__setattr__
        set_field(self, "records", records)
        set_field(self, "result", result)
        set_field(self, "start", start)

    def column(self, name: str) -> memoryview:
        """One of `COUNTED_COLUMNS`; of addresses the bytes."""
        if name in RECORD_COLUMNS:
            return getattr(self.records, name)  # type: ignore[no-any-return]
        if name in DERIVED_COLUMNS:
            return derived_column(self.result, name)
        column = getattr(self.result, name)
        return column.raw if isinstance(column, AddressColumn) else column

    def accepted(self, filter: RowFilter | None = None) -> list[int]:
        """The rows that were accepted, and that *filter* matches if there is one."""
        rows = self.result.accepted
        if filter is None or not rows:
            return rows
        chosen = selected(filter, self.result)
        return [row for row in rows if chosen[row]]


def derived_column(result: DecapBatch, name: str) -> memoryview:
    """One of `DERIVED_COLUMNS`, which follow from others."""
    from vxlanpkt.kernel.contract.captures import Derived  # which takes longer to load than what counts as it reads

    code, rows = COUNTED_COLUMNS[name], len(result)
    if not rows:  # which no view can be cast to
        return memoryview(array(code))
    out = new_buffer(WIDTHS[code] * rows)
    written(derived(result.buffer, result.frames.held, Derived[name.upper()], out))
    return view(out).cast(code)  # type: ignore[call-overload,no-any-return]


class DecapsulatedRecord:
    """A record whose tunnel was taken off.

    record                 what the capture holds
    vni                    the VXLAN network identifier
    inner                  the inner frame, as much of it as was captured
    inner_original_length  its length on the wire
    link_type              what it begins with: Ethernet, RAW for bare IP, None for others
    notes                  what is worth knowing beside: `Note` bits, such as CUT
    """

    __slots__ = ("_policy", "_start", "inner", "inner_original_length", "link_type", "notes", "record", "vni")

    def __init__(self, batch: CaptureBatch, row: int) -> None:
        result = batch.result
        self.record = batch.records[row]
        self.vni = result.vni[row]
        self.inner = bytes(result.inner[row])
        originals = result.inner.original_lengths
        self.inner_original_length: int = len(self.inner) if originals is None else originals[row]
        number = result.inner_link_type[row]
        self.link_type = None if number == NO_LINK_TYPE else LinkType(number)
        self.notes = Note(result.notes[row])
        self._policy, self._start = result.policy, batch.start

    @property
    def timestamp_ns(self) -> int | None:
        """Nanoseconds since 1970-01-01 UTC, or None: the record's."""
        return self.record.timestamp_ns

    @property
    def reason(self) -> Reason:
        """OK: others are not handed out."""
        return Reason.OK

    @property
    def outer(self) -> Packet:
        """The outer headers, down to the tunnel header, read when asked for."""
        from vxlanpkt.decapsulation import decap  # which not everybody asks for

        record = self.record
        assert self._start is not None  # or else it would not have been accepted
        return decap(
            record.frame, policy=self._policy, start=self._start, original_length=record.frame_length
        ).outer  # fmt: skip

    def __repr__(self) -> str:
        return f"<DecapsulatedRecord VNI {self.vni}, inner frame of {len(self.inner)} bytes>"

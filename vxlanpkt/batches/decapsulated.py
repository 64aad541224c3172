"""The result of decapsulation: a column for each fact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vxlanpkt import kernel
from vxlanpkt.batches.columns import AddressColumn, accepted_rows, count_reasons
from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.errors import FieldError, PacketError, ParseError, Reason, TruncatedError
from vxlanpkt.kernel.contract.columns import (
    ADDRESS,
    ALTERED_LAYOUT,
    BRIEF_LAYOUT,
    DECAP_COLUMNS,
    DECAP_LAYOUT,
    family_of,
)
from vxlanpkt.kernel.contract.decapsulation import Alterations
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.starts import Start

if TYPE_CHECKING:
    from vxlanpkt.kernel.contract.decap_record import DecapRecord


class DecapBatch:
    """What `decap_batch` found, a column for each fact, a row for each frame. Not made by hand.

    status                     uint8   a `Reason`
    notes                      uint8   `Note` bits: CUT, PADDING, TRAILER, STRIPPED, REMARKED
    vni                        uint32
    flags                      uint32  bytes 0-3 of the header as sent
    reserved                   uint8   byte 7
    outer_family               uint8   4, 6, or 0 where there is none
    outer_src, outer_dst       addresses; outer_src_port, outer_dst_port uint16
    outer_tags, outer_vlan     uint8 how many tags; uint16 TCI of the first, 0xffff without
    ip_checksum, udp_checksum  uint8   a `ChecksumState`
    inner_offset               uint64  where the inner frame begins in `frames.data`
    inner_length               uint32  how many bytes of it are there
    inner_original_length      uint32  how many there were
    inner_link_type            uint16  1 Ethernet, 101 bare IP, 0xffff others
    inner_tags, inner_vlan     as the outer ones
    inner_ethertype            uint16  behind the tags
    inner_family               uint8   as the outer one
    inner_src, inner_dst       addresses; inner_protocol uint8; inner_src_port, inner_dst_port uint16
    inner_tcp_flags            uint16  TCP's reserved bits and flags, 12 bits; 0 where there are none
    inner_ecn                  uint8   the ECN that the inner packet is to have, 0xff where none

    A column holds 0 (or what is said above) from the header on that was not reached.
    """

    __slots__ = (*DECAP_COLUMNS, "_brief", "_buffer", "_inner", "_rows", "frames", "policy", "start")

    status: memoryview
    notes: memoryview
    vni: memoryview
    flags: memoryview
    reserved: memoryview
    outer_family: memoryview
    outer_tags: memoryview
    outer_vlan: memoryview
    outer_src_port: memoryview
    outer_dst_port: memoryview
    ip_checksum: memoryview
    udp_checksum: memoryview
    inner_offset: memoryview
    inner_length: memoryview
    inner_original_length: memoryview
    inner_link_type: memoryview
    inner_tags: memoryview
    inner_vlan: memoryview
    inner_ethertype: memoryview
    inner_family: memoryview
    inner_protocol: memoryview
    inner_src_port: memoryview
    inner_dst_port: memoryview
    inner_tcp_flags: memoryview
    inner_ecn: memoryview
    outer_src: AddressColumn
    outer_dst: AddressColumn
    inner_src: AddressColumn
    inner_dst: AddressColumn
    frames: FrameBatch
    policy: DecapPolicy
    start: Start | None

    def __init__(
        self, rows: int, brief: bool, buffer: Any, frames: FrameBatch, policy: DecapPolicy, start: Start | None
    ) -> None:
        """*buffer* is what a kernel wrote: the columns, all or brief."""
        self._rows = rows
        self._brief = brief
        self._buffer = buffer
        self._written(frames, policy, start)

    def _written(self, frames: FrameBatch, policy: DecapPolicy, start: Start | None) -> DecapBatch:
        """This result, after a kernel wrote it again."""
        self.frames = frames
        self.policy = policy
        self.start = start
        self._inner: FrameBatch | None = None
        return self

    def __getattr__(self, name: str) -> Any:
        """Make a column's view when it is first asked for: most callers look at a few of them."""
        if name not in DECAP_COLUMNS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        layout = BRIEF_LAYOUT if self._brief else DECAP_LAYOUT
        if name not in layout:
            raise AttributeError(f"{name} is not among the brief columns: decapsulate with columns='all'")
        made: Any = layout.column(name, self._rows, kernel.view(self._buffer).toreadonly())
        if DECAP_COLUMNS[name] == ADDRESS:
            made = AddressColumn(made, getattr(self, family_of(name)))
        setattr(self, name, made)
        return made

    def __len__(self) -> int:
        """The number of rows."""
        return self._rows

    @property
    def buffer(self) -> Any:
        """The buffer of all columns, as the kernel wrote it."""
        return self._buffer

    @property
    def brief(self) -> bool:
        """Whether these are the brief columns."""
        return self._brief

    @property
    def inner(self) -> FrameBatch:
        """The inner frames, over the same bytes; a refused row is empty.

        Under a policy that strips tags or carries congestion marks over, the frames are copied.
        """
        if self._inner is None:
            self._inner = self._altered() if self.policy.alters else self._views()
        return self._inner

    def _views(self) -> FrameBatch:
        return FrameBatch(self.frames.data, self.inner_offset, self.inner_length, self.inner_original_length)

    def _altered(self) -> FrameBatch:
        views, rows = self._views(), self._rows
        columns = rows * ALTERED_LAYOUT.row_size
        buffer = kernel.new_buffer(columns + sum(self.inner_length))
        how = Alterations(self.notes, self.inner_link_type, self.inner_ethertype, self.inner_ecn)
        size = kernel.alter(views.held, how, buffer)
        if size < 0:
            raise PacketError("an inner frame was changed after the call that judged it")
        whole = kernel.view(buffer).toreadonly()
        return FrameBatch(whole[columns : columns + size], *ALTERED_LAYOUT.columns(rows, whole))

    def record(self, row: int) -> DecapRecord:
        """One row of every column."""
        from vxlanpkt.kernel.contract.decap_record import DecapRecord  # a dataclass: not loaded for columns

        found: dict[str, Any] = {}
        for name, code in DECAP_COLUMNS.items():
            values = getattr(self, name)
            found[name] = bytes(values.raw[16 * row : 16 * row + 16]) if code == ADDRESS else values[row]
        return DecapRecord(**found)

    @property
    def accepted(self) -> list[int]:
        """The rows whose status is OK."""
        return accepted_rows(self.status)

    def counts(self) -> dict[Reason, int]:
        """How many rows met each `Reason`."""
        return count_reasons(self.status)

    def error(self, row: int) -> ParseError | None:
        """The full error of one row, or None if it was accepted."""
        reason = Reason(self.status[row])
        if reason is Reason.OK:
            return None
        if reason is Reason.ROW_OUT_OF_RANGE:
            return _out_of_range(self.frames, row)
        if self.start is None:
            return _of_no_known_link()
        # What it takes to say all of one row is not loaded for the columns of many.
        from vxlanpkt.refusals import refusal

        originals = self.frames.original_lengths
        return refusal(
            bytes(self.frames[row]), reason, self.policy, self.start, None if originals is None else originals[row]
        )

    def raise_for_status(self) -> None:
        """Raise the error of the first row that was refused, with its number in `.row`."""
        for row, status in enumerate(self.status):
            error = self.error(row) if status else None
            if error is not None:
                raise error.in_row(row)

    def __repr__(self) -> str:
        found = ", ".join(f"{reason.name} {count}" for reason, count in self.counts().items())
        return f"<DecapBatch of {len(self)} rows: {found or 'none'}>"


def _out_of_range(frames: FrameBatch, row: int) -> ParseError:
    try:
        frames[row]
    except FieldError as error:
        offset, length = frames.offsets[row], frames.lengths[row]
        return TruncatedError(
            str(error), reason=Reason.ROW_OUT_OF_RANGE, layer="batch", offset=offset, packet=None,
            needed=length, available=max(len(frames.data) - offset, 0), limited_by="buffer",
        )  # fmt: skip
    raise PacketError(f"row {row} is inside the buffer now: it was changed after the call")


def _of_no_known_link() -> ParseError:
    from vxlanpkt.reasons import REASONS  # which columns do without

    info: Any = REASONS[Reason.NOT_VXLAN]
    return info.exception(  # type: ignore[no-any-return]
        f"{info.text}: nothing is known of what the frame begins with",
        reason=Reason.NOT_VXLAN, layer=info.layer or "batch", offset=0, packet=None,
    )  # fmt: skip

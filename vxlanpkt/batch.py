"""Batches: many frames as columns over one buffer.

A FrameBatch is a buffer with an offset and a length for each row; rows may overlap and leave gaps,
so that a mapped capture, a receive ring and a decapsulation's result are all batches.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from operator import index
from typing import TYPE_CHECKING, Any, overload

from vxlanpkt import kernel
from vxlanpkt.errors import REASONS, BuildError, FieldError, PacketError, ParseError, Reason
from vxlanpkt.kernel.contract.columns import (
    ADDRESS,
    ALTERED_LAYOUT,
    BRIEF_LAYOUT,
    DECAP_COLUMNS,
    DECAP_LAYOUT,
    ENCAP_LAYOUT,
)
from vxlanpkt.kernel.contract.decapsulation import Alterations, DecapRecord
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.starts import Start

if TYPE_CHECKING:
    from typing_extensions import Buffer

# What is wrong where a row could not be encapsulated, if it is not the frame's length.
_FIELDS = {
    Reason.NO_TUNNEL: "index",
    Reason.TUNNEL_OUT_OF_RANGE: "index",
    Reason.ROW_OUT_OF_RANGE: "offsets",
    Reason.NO_ROOM: "headroom",
}


class FrameBatch:
    """Frames in one buffer: `batch[i]` is a view of row i.

    data              the buffer, C-contiguous bytes
    offsets           uint64: where each frame begins
    lengths           uint32: how long it is
    original_lengths  uint32: how long it was on the wire, where a capture cut frames; else None
    headroom          free bytes in front of each frame, for encapsulation in place

    Columns are `array.array` or anything with a buffer of that item size. Their numbers may change between
    calls, as those of a receive ring do; the parts of a batch cannot be exchanged. Rows that reach outside
    the buffer may be held, but not be read. Raises `FieldError` for columns of another shape.
    """

    __slots__ = ("_data", "_headroom", "_held", "_lengths", "_offsets", "_original_lengths", "_rows")

    def __init__(
        self,
        data: Buffer,
        offsets: Sequence[int] | Buffer,
        lengths: Sequence[int] | Buffer,
        original_lengths: Sequence[int] | Buffer | None = None,
        *,
        headroom: int = 0,
    ) -> None:
        self._data = as_buffer("data", data)
        self._offsets = column("offsets", offsets, "Q")
        self._rows = len(self._offsets)
        self._lengths = column("lengths", lengths, "I")
        self._original_lengths: Any = None
        if original_lengths is not None:
            self._original_lengths = column("original_lengths", original_lengths, "I")
        self._headroom = _room("headroom", headroom)
        self._held: Any = None
        for name, values in (("lengths", self._lengths), ("original_lengths", self._original_lengths)):
            if values is not None and len(values) != self._rows:
                raise _refused(name, len(values), f"as long as offsets, {self._rows} rows")

    @property
    def data(self) -> memoryview:
        """The buffer."""
        return self._data

    @property
    def offsets(self) -> Sequence[int]:
        """Where each frame begins."""
        return self._offsets  # type: ignore[no-any-return]

    @property
    def lengths(self) -> Sequence[int]:
        """How long each frame is."""
        return self._lengths  # type: ignore[no-any-return]

    @property
    def original_lengths(self) -> Sequence[int] | None:
        """How long each frame was on the wire, or None."""
        return self._original_lengths  # type: ignore[no-any-return]

    @property
    def headroom(self) -> int:
        """Free bytes in front of each frame."""
        return self._headroom

    @property
    def held(self) -> Any:
        """This batch as the kernel holds it."""
        if self._held is None:
            self._held = kernel.hold_frames(self.data, self.offsets, self.lengths, self.original_lengths)
        return self._held

    @classmethod
    def from_frames(
        cls, frames: Iterable[Buffer], *, headroom: int = 0, original_lengths: Sequence[int] | None = None
    ) -> FrameBatch:
        """Copy *frames* behind each other into one buffer, with *headroom* free bytes in front of each."""
        data = bytearray()
        offsets, lengths = array("Q"), array("I")
        if not isinstance(frames, Iterable):
            raise _refused("frames", frames, "an iterable of buffers")
        gap = bytes(_room("headroom", headroom))
        for frame in frames:
            view = as_buffer("frames", frame)
            data += gap
            offsets.append(len(data))
            lengths.append(len(view))
            data += view
        return cls(data, offsets, lengths, original_lengths, headroom=headroom)

    def __len__(self) -> int:
        """The number of rows."""
        return self._rows

    @overload
    def __getitem__(self, index: int) -> memoryview: ...
    @overload
    def __getitem__(self, index: slice) -> FrameBatch: ...
    def __getitem__(self, index: int | slice) -> memoryview | FrameBatch:
        if isinstance(index, slice):
            originals = None if self.original_lengths is None else _chosen("I", self.original_lengths, index)
            offsets, lengths = _chosen("Q", self.offsets, index), _chosen("I", self.lengths, index)
            return FrameBatch(self.data, offsets, lengths, originals, headroom=self.headroom)
        offset, length = self.offsets[index], self.lengths[index]
        if offset > len(self.data) or length > len(self.data) - offset:
            raise _refused("row", index, f"inside the buffer: bytes {offset} to {offset + length} of {len(self.data)}")
        return self.data[offset : offset + length]

    def __iter__(self) -> Iterator[memoryview]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Equal frames of equal original lengths; where they lie does not matter."""
        if not isinstance(other, FrameBatch) or len(self) != len(other):
            return NotImplemented if not isinstance(other, FrameBatch) else False
        return all(map(memoryview.__eq__, self, other)) and list(self._originals()) == list(other._originals())

    __hash__ = None  # type: ignore[assignment]

    def _originals(self) -> Sequence[int]:
        originals: Sequence[int] = self.lengths if self.original_lengths is None else self.original_lengths
        return originals

    def to_frames(self) -> list[bytes]:
        """Every frame as bytes of its own."""
        return [bytes(frame) for frame in self]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} rows in {len(self.data)} bytes>"


class EncapBatch(FrameBatch):
    """What `encap_batch` made: outer frames, and a `Reason` for each row in `status`. Not made by hand."""

    __slots__ = ("_buffer", "_status")

    def __init__(self, rows: int, buffer: Any, elsewhere: memoryview | None) -> None:
        """*buffer* is what a kernel wrote: the columns and, unless they are *elsewhere*, the bytes of the rows."""
        self._rows = rows
        self._buffer = buffer
        self._headroom = 0
        self._original_lengths: Any = None
        self._offsets: Any = None
        self._lengths: Any = None
        self._status: Any = None
        self._written(elsewhere)

    def _written(self, elsewhere: memoryview | None) -> EncapBatch:
        """This result, after a kernel wrote it again."""
        self._data: Any = elsewhere
        self._held: Any = None
        return self

    def _column(self, name: str) -> memoryview:
        return ENCAP_LAYOUT.column(name, self._rows, kernel.view(self._buffer).toreadonly())

    @property
    def data(self) -> memoryview:
        """The buffer, up to the end of the last row."""
        if self._data is None:
            begin = self._rows * ENCAP_LAYOUT.row_size
            end = begin + (self.offsets[-1] + self.lengths[-1] if self._rows else 0)
            self._data = kernel.view(self._buffer)[begin:end]
        return self._data  # type: ignore[no-any-return]

    @property
    def offsets(self) -> memoryview:
        """Where each frame begins."""
        if self._offsets is None:
            self._offsets = self._column("offsets")
        return self._offsets  # type: ignore[no-any-return]

    @property
    def lengths(self) -> memoryview:
        """How long each frame is; 0 for a row that cannot be sent."""
        if self._lengths is None:
            self._lengths = self._column("lengths")
        return self._lengths  # type: ignore[no-any-return]

    @property
    def status(self) -> memoryview:
        """uint8: a `Reason` for each row."""
        if self._status is None:
            self._status = self._column("status")
        return self._status  # type: ignore[no-any-return]

    @property
    def accepted(self) -> list[int]:
        """The rows that were encapsulated."""
        return accepted_rows(self.status)

    def counts(self) -> dict[Reason, int]:
        """How many rows met each `Reason`."""
        return count_reasons(self.status)

    def raise_for_status(self) -> None:
        """Raise the `BuildError` of the first row that could not be encapsulated, with its number in `.row`."""
        for row, status in enumerate(self.status):
            if status:
                reason = Reason(status)
                layer, field = REASONS[reason].layer or "batch", _FIELDS.get(reason, "length")
                message = f"{layer}.{field}: {REASONS[reason].text}"
                raise BuildError(message, layer=layer, field=field, reason=reason).in_row(row)


class AddressColumn(Sequence[Any]):
    """IP addresses, 16 bytes a row, IPv4 as ::ffff:a.b.c.d: an item is an address, or None.

    raw     the bytes of all rows
    family  4, 6, or 0 where there is none
    """

    __slots__ = ("family", "raw")

    def __init__(self, raw: memoryview, family: memoryview) -> None:
        self.raw = raw
        self.family = family

    def __len__(self) -> int:
        return len(self.family)

    @overload
    def __getitem__(self, index: int) -> IPv4Address | IPv6Address | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[IPv4Address | IPv6Address | None]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        family = self.family[index]
        row = index + len(self) if index < 0 else index
        if family == 4:
            return IPv4Address(bytes(self.raw[16 * row + 12 : 16 * row + 16]))
        return IPv6Address(bytes(self.raw[16 * row : 16 * row + 16])) if family == 6 else None


class DecapBatch:
    """What `decap_batch` found, a column for each fact, a row for each frame. Not made by hand.

    status                     uint8   a `Reason`
    notes                      uint8   `Note` bits: CUT, PADDING, TRAILER, STRIPPED, REMARKED
    vni                        uint32
    flags                      uint32  bytes 0-3 of the header as sent
    reserved                   uint8   byte 7
    outer_src, outer_dst       addresses; outer_src_port, outer_dst_port uint16
    outer_tags, outer_vlan     uint8 how many tags; uint16 TCI of the first, 0xffff without
    ip_checksum, udp_checksum  uint8   a `ChecksumState`
    inner_offset               uint64  where the inner frame begins in `frames.data`
    inner_length               uint32  how many bytes of it are there
    inner_original_length      uint32  how many there were
    inner_link_type            uint16  1 Ethernet, 101 bare IP, 0xffff others
    inner_tags, inner_vlan     as the outer ones
    inner_ethertype            uint16  behind the tags
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
            made = AddressColumn(made, self.outer_family if name.startswith("outer") else self.inner_family)
        setattr(self, name, made)
        return made

    def __len__(self) -> int:
        """The number of rows."""
        return self._rows

    @property
    def held(self) -> Any:
        """The buffer of all columns, as the kernel wrote it."""
        return self._buffer

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
        made = (ALTERED_LAYOUT.column(name, rows, whole) for name in ("offsets", "lengths", "original_lengths"))
        return FrameBatch(whole[columns : columns + size], *made)

    def record(self, row: int) -> DecapRecord:
        """One row of every column."""
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
        from vxlanpkt.decapsulation import refusal

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


def accepted_rows(status: memoryview) -> list[int]:
    """The rows whose status is OK."""
    return [row for row, reason in enumerate(bytes(status)) if not reason]


def count_reasons(status: memoryview) -> dict[Reason, int]:
    """How many rows met each `Reason`, in the order of the codes."""
    reasons = bytes(status)
    return {Reason(reason): reasons.count(reason) for reason in sorted(set(reasons))}


def as_buffer(name: str, data: Buffer) -> memoryview:
    """*data* as a flat view of bytes; `FieldError` if it is not C-contiguous."""
    try:
        view = memoryview(data)
    except (TypeError, ValueError):  # no buffer, one that was released, or one of items that are no numbers
        raise _refused(name, type(data).__name__, "a buffer") from None
    if not view.c_contiguous:
        raise _refused(name, "a strided buffer", "C-contiguous")
    if view.format == "B" and view.ndim == 1:
        return view
    return view.cast("B") if view.nbytes else memoryview(b"")  # what is empty cannot be cast


def column(name: str, values: Sequence[int] | Buffer, code: str) -> Any:
    """*values* as a column of the `array` type *code*; `FieldError` for another item size, or what does not fit.

    What has a buffer is used as it is, so its items have to be unsigned and of that size; other
    sequences are copied. The view that is returned keeps an array from being resized.
    """
    bits = 8 * array(code).itemsize
    if isinstance(values, (list, tuple, range)):
        try:
            return memoryview(array(code, values))
        except (OverflowError, TypeError):
            row, value = next((row, value) for row, value in enumerate(values) if not _fits(value, bits))
            raise _refused(name, value, f"an unsigned {bits}-bit number, in row {row}") from None
    try:
        view = memoryview(values)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise _refused(name, type(values).__name__, "a column of numbers") from None
    native = "@=<" if sys.byteorder == "little" else "@=>!"
    unsigned = view.format.lstrip(native) in ("I", "L", "Q")
    if view.itemsize * 8 != bits or not unsigned or view.ndim != 1 or not view.c_contiguous:
        raise _refused(name, view.format, f"one contiguous column of unsigned {bits}-bit numbers")
    return view.cast("B").cast(code) if view.nbytes and view.format != code else view  # type: ignore[call-overload]


def _chosen(code: str, values: Sequence[int], index: slice) -> array[int]:
    """Some items of a column. PyPy's arrays take no view that has a step."""
    chosen = values[index]
    return array(code, chosen.tolist() if isinstance(chosen, memoryview) and not chosen.c_contiguous else chosen)


def _fits(value: Any, bits: int) -> bool:
    """Whether something is a number of so many bits, and no less."""
    try:
        return not index(value) >> bits
    except TypeError:
        return False


def _room(name: str, value: int) -> int:
    """A count of bytes that memory can have."""
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise _refused(name, value, "a count of bytes")
    return value


def _out_of_range(frames: FrameBatch, row: int) -> ParseError:
    try:
        frames[row]
    except FieldError as error:
        error_class: Any = REASONS[Reason.ROW_OUT_OF_RANGE].exception
        offset, length = frames.offsets[row], frames.lengths[row]
        return error_class(  # type: ignore[no-any-return]
            str(error), reason=Reason.ROW_OUT_OF_RANGE, layer="batch", offset=offset, packet=None,
            needed=length, available=max(len(frames.data) - offset, 0), limited_by="buffer",
        )  # fmt: skip
    raise PacketError(f"row {row} is inside the buffer now: it was changed after the call")


def _of_no_known_link() -> ParseError:
    info: Any = REASONS[Reason.NOT_VXLAN]
    return info.exception(  # type: ignore[no-any-return]
        f"{info.text}: nothing is known of what the frame begins with",
        reason=Reason.NOT_VXLAN, layer=info.layer or "batch", offset=0, packet=None,
    )  # fmt: skip


def _refused(name: str, value: object, expected: str) -> FieldError:
    return FieldError(
        f"FrameBatch.{name}: {value!r} is not {expected}", layer="FrameBatch", field=name, value=value, bits=None
    )

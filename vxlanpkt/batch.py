"""Batches: many frames as columns over one buffer.

A FrameBatch is a buffer with an offset and a length for each row; rows may overlap and leave gaps,
so that a mapped capture, a receive ring and a decapsulation's result are all batches.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any, overload

from vxlanpkt.assigned import LinkType
from vxlanpkt.bindings import Start
from vxlanpkt.decapsulation import altered, refusal
from vxlanpkt.errors import REASONS, BuildError, FieldError, PacketError, ParseError, Reason
from vxlanpkt.kernel.contract import ADDRESS_COLUMNS, DECAP_COLUMNS, DecapRecord
from vxlanpkt.policy import DecapPolicy

Buffer = bytes | bytearray | memoryview


class FrameBatch:
    """Frames in one buffer: `batch[i]` is a view of row i.

    data              the buffer, C-contiguous bytes
    offsets           uint64: where each frame begins
    lengths           uint32: how long it is
    original_lengths  uint32: how long it was on the wire, where a capture cut frames; else None
    headroom          free bytes in front of each frame, for encapsulation in place

    Columns are `array.array` or anything with a buffer of that item size. Rows that reach outside
    the buffer may be held, but not be read. Raises `FieldError` for columns of another shape.
    """

    __slots__ = ("data", "headroom", "lengths", "offsets", "original_lengths")

    def __init__(
        self,
        data: Buffer,
        offsets: Sequence[int] | memoryview,
        lengths: Sequence[int] | memoryview,
        original_lengths: Sequence[int] | memoryview | None = None,
        *,
        headroom: int = 0,
    ) -> None:
        self.data = as_buffer("data", data)
        self.offsets = column("offsets", offsets, "Q")
        self.lengths = column("lengths", lengths, "I")
        self.original_lengths = None if original_lengths is None else column("original_lengths", original_lengths, "I")
        if not isinstance(headroom, int) or headroom < 0:
            raise _refused("headroom", headroom, "a count of bytes")
        self.headroom = headroom
        for name in ("lengths", "original_lengths"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.offsets):
                raise _refused(name, len(values), f"as long as offsets, {len(self.offsets)} rows")

    @classmethod
    def from_frames(
        cls, frames: Iterable[Buffer], *, headroom: int = 0, original_lengths: Sequence[int] | None = None
    ) -> FrameBatch:
        """Copy *frames* behind each other into one buffer, with *headroom* free bytes in front of each."""
        data = bytearray()
        offsets, lengths = array("Q"), array("I")
        gap = bytes(max(headroom, 0))
        for frame in frames:
            data += gap
            offsets.append(len(data))
            lengths.append(len(frame))
            data += frame
        return cls(data, offsets, lengths, original_lengths, headroom=headroom)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.offsets)

    @overload
    def __getitem__(self, index: int) -> memoryview: ...
    @overload
    def __getitem__(self, index: slice) -> FrameBatch: ...
    def __getitem__(self, index: int | slice) -> memoryview | FrameBatch:
        if isinstance(index, slice):
            originals = None if self.original_lengths is None else array("I", self.original_lengths[index])
            offsets, lengths = array("Q", self.offsets[index]), array("I", self.lengths[index])
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
    """What `encap_batch` made: outer frames, and a `Reason` for each row in `status`."""

    __slots__ = ("status",)

    status: array[int]

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
                info = REASONS[Reason(status)]
                raise BuildError(f"{info.layer}: {info.text}", layer=info.layer, field="length").in_row(row)


class AddressColumn(Sequence[Any]):
    """IP addresses, 16 bytes a row, IPv4 as ::ffff:a.b.c.d: an item is an address, or None.

    raw     the bytes of all rows
    family  4, 6, or 0 where there is none
    """

    __slots__ = ("family", "raw")

    def __init__(self, raw: bytearray, family: array[int]) -> None:
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
    """What `decap_batch` found, a column for each fact, a row for each frame.

    status                     uint8   a `Reason`
    notes                      uint8   `Note` bits: CUT, PADDING, TRAILER, STRIPPED, REMARKED
    vni                        uint32
    flags                      uint32  bytes 0-3 of the header as sent
    reserved                   uint8   byte 7
    outer_src, outer_dst       addresses; outer_src_port, outer_dst_port uint16
    outer_tags, outer_vlan     uint8 how many tags; uint16 TCI of the first, 0xffff without
    ip_checksum, udp_checksum  uint8   a `ChecksumState`
    inner_offset               uint64  where the inner frame begins in `data`
    inner_length               uint32  how many bytes of it are there
    inner_original_length      uint32  how many there were
    inner_link_type            uint16  1 Ethernet, 101 bare IP, 0xffff others
    inner_tags, inner_vlan     as the outer ones
    inner_ethertype            uint16  behind the tags
    inner_src, inner_dst       addresses; inner_protocol uint8; inner_src_port, inner_dst_port uint16
    inner_ecn                  uint8   the ECN that the inner packet is to have, 0xff where none

    A column holds 0 (or what is said above) from the header on that was not reached.
    """

    __slots__ = (*DECAP_COLUMNS, *ADDRESS_COLUMNS, "_inner", "frames", "policy", "start")

    status: array[int]
    notes: array[int]
    vni: array[int]
    flags: array[int]
    reserved: array[int]
    outer_family: array[int]
    outer_tags: array[int]
    outer_vlan: array[int]
    outer_src_port: array[int]
    outer_dst_port: array[int]
    ip_checksum: array[int]
    udp_checksum: array[int]
    inner_offset: array[int]
    inner_length: array[int]
    inner_original_length: array[int]
    inner_link_type: array[int]
    inner_tags: array[int]
    inner_vlan: array[int]
    inner_ethertype: array[int]
    inner_family: array[int]
    inner_protocol: array[int]
    inner_src_port: array[int]
    inner_dst_port: array[int]
    inner_ecn: array[int]
    outer_src: AddressColumn
    outer_dst: AddressColumn
    inner_src: AddressColumn
    inner_dst: AddressColumn

    def __init__(self, rows: int) -> None:
        for name, code in DECAP_COLUMNS.items():
            setattr(self, name, array(code, bytes(array(code).itemsize * rows)))
        for name in ADDRESS_COLUMNS:
            family = self.outer_family if name.startswith("outer") else self.inner_family
            setattr(self, name, AddressColumn(bytearray(16 * rows), family))
        self.frames = FrameBatch(b"", (), ())
        self.policy = DecapPolicy()
        self.start: Start = LinkType.ETHERNET
        self._inner: FrameBatch | None = None

    def attach(self, frames: FrameBatch, policy: DecapPolicy, start: Start) -> dict[str, Any]:
        """Take what is to be decapsulated, and hand out the columns for a kernel to fill."""
        self.frames, self.policy, self.start = frames, policy, start
        self._inner = None
        columns: dict[str, Any] = {name: getattr(self, name) for name in DECAP_COLUMNS}
        columns.update((name, getattr(self, name).raw) for name in ADDRESS_COLUMNS)
        return columns

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.status)

    @property
    def inner(self) -> FrameBatch:
        """The inner frames, over the same bytes; a refused row is empty.

        Under a policy that strips tags or carries congestion marks over, the frames are copied.
        """
        if self._inner is None:
            self._inner = self._altered() if self.policy.alters else self._views()
        return self._inner

    def _views(self) -> FrameBatch:
        refused = any(self.status)
        lengths, originals = self.inner_length, self.inner_original_length
        if refused:
            lengths = array("I", [0 if status else n for status, n in zip(self.status, lengths, strict=True)])
            originals = array("I", [0 if status else n for status, n in zip(self.status, originals, strict=True)])
        return FrameBatch(self.frames.data, self.inner_offset, lengths, originals)

    def _altered(self) -> FrameBatch:
        frames, originals = [], []
        for row, frame in enumerate(self._views()):
            record = self.record(row)
            inner = b"" if record.status else altered(bytes(frame), record)
            frames.append(inner)
            originals.append(0 if record.status else len(inner) + record.inner_original_length - record.inner_length)
        return FrameBatch.from_frames(frames, original_lengths=originals)

    def record(self, row: int) -> DecapRecord:
        """One row of every column."""
        record = DecapRecord(**{name: getattr(self, name)[row] for name in DECAP_COLUMNS})
        for name in ADDRESS_COLUMNS:
            setattr(record, name, bytes(getattr(self, name).raw[16 * row : 16 * row + 16]))
        return record

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


def accepted_rows(status: array[int]) -> list[int]:
    """The rows whose status is OK."""
    return [row for row, reason in enumerate(status) if not reason]


def count_reasons(status: array[int]) -> dict[Reason, int]:
    """How many rows met each `Reason`, in the order of the codes."""
    counts = [0] * 256
    for reason in status:
        counts[reason] += 1
    return {Reason(reason): count for reason, count in enumerate(counts) if count}


def as_buffer(name: str, data: Buffer) -> memoryview:
    """*data* as a flat view of bytes; `FieldError` if it is not C-contiguous."""
    try:
        view = memoryview(data)
    except TypeError:
        raise _refused(name, type(data).__name__, "a buffer") from None
    if not view.c_contiguous:
        raise _refused(name, "a strided buffer", "C-contiguous")
    return view.cast("B") if view.format != "B" or view.ndim != 1 else view


def column(name: str, values: Sequence[int] | memoryview, code: str) -> Any:
    """*values* as a column of the `array` type *code*; `FieldError` for another item size, or what does not fit.

    What has a buffer is used as it is, so its items have to be unsigned and of that size; other
    sequences are copied.
    """
    if isinstance(values, array) or not isinstance(values, (list, tuple, range)):
        try:
            view = memoryview(values)  # type: ignore[arg-type]
        except TypeError:
            raise _refused(name, type(values).__name__, "a column of numbers") from None
        size = array(code).itemsize
        if view.itemsize != size or view.format not in ("I", "L", "Q") or view.ndim != 1 or not view.c_contiguous:
            raise _refused(name, view.format, f"one contiguous column of unsigned {8 * size}-bit numbers")
        return values if isinstance(values, array) else view
    try:
        return array(code, values)
    except (OverflowError, TypeError):
        bits = 8 * array(code).itemsize
        row, value = next(
            (row, value) for row, value in enumerate(values) if not isinstance(value, int) or value >> bits
        )
        raise _refused(name, value, f"an unsigned {bits}-bit number, in row {row}") from None


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


def _refused(name: str, value: object, expected: str) -> FieldError:
    return FieldError(
        f"FrameBatch.{name}: {value!r} is not {expected}", layer="FrameBatch", field=name, value=value, bits=None
    )

"""Batches: many frames as columns over one buffer.

A FrameBatch is a buffer with an offset and a length for each row; rows may overlap and leave gaps,
so that a mapped capture, a receive ring and a decapsulation's result are all batches.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from vxlanpkt import kernel
from vxlanpkt.batches.columns import as_buffer, chosen, column, refused

if TYPE_CHECKING:
    from typing_extensions import Buffer


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
                raise refused(name, len(values), f"as long as offsets, {self._rows} rows")

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
            raise refused("frames", frames, "an iterable of buffers")
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
            originals = None if self.original_lengths is None else chosen("I", self.original_lengths, index)
            offsets, lengths = chosen("Q", self.offsets, index), chosen("I", self.lengths, index)
            return FrameBatch(self.data, offsets, lengths, originals, headroom=self.headroom)
        offset, length = self.offsets[index], self.lengths[index]
        if offset > len(self.data) or length > len(self.data) - offset:
            raise refused("row", index, f"inside the buffer: bytes {offset} to {offset + length} of {len(self.data)}")
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


def _room(name: str, value: int) -> int:
    """A count of bytes that memory can have."""
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise refused(name, value, "a count of bytes")
    return value

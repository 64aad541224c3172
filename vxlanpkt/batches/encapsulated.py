"""The result of encapsulation: outer frames as a batch."""

from __future__ import annotations

from typing import Any

from vxlanpkt import kernel
from vxlanpkt.batches.columns import accepted_rows, count_reasons
from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.errors import BuildError, Reason
from vxlanpkt.kernel.contract.columns import ENCAP_LAYOUT

# What is wrong where a row could not be encapsulated, if it is not the frame's length.
_FIELDS = {
    Reason.NO_TUNNEL: "index",
    Reason.TUNNEL_OUT_OF_RANGE: "index",
    Reason.ROW_OUT_OF_RANGE: "offsets",
    Reason.NO_ROOM: "headroom",
}


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
                from vxlanpkt.reasons import REASONS  # which columns do without

                reason = Reason(status)
                layer, field = REASONS[reason].layer or "batch", _FIELDS.get(reason, "length")
                message = f"{layer}.{field}: {REASONS[reason].text}"
                raise BuildError(message, layer=layer, field=field, reason=reason).in_row(row)

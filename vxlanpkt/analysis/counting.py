"""What counts the records of a capture, as the passes over it see that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from vxlanpkt.capture.decapsulated import CaptureBatch

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Counter(Protocol):
    """What counts the records of a capture batch by batch, in one process or in several."""

    def add(self, batch: CaptureBatch, selected: Buffer | None = None) -> None:
        """Count the rows of a batch, or those that are selected."""
        ...

    def counted(self) -> Any:
        """What was counted, to be pickled."""
        ...

    def merge(self, counted: Any, before: int) -> None:
        """Add what another one has counted, of records that follow so many."""
        ...

"""What counts the records of a capture, as the passes over it see that, and how it goes through one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from vxlanpkt.analysis.group_counters import GroupCounter
from vxlanpkt.capture.decapsulated import CaptureBatch
from vxlanpkt.capture.reader import Capture
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.selection import RowFilter, selected

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


def count_all(
    counter: Counter,
    capture: Capture,
    policy: DecapPolicy,
    vni: int | Iterable[int] | None = None,
    chosen: RowFilter | None = None,
) -> Iterator[None]:
    """Count the records of a capture piece by piece: those that *policy* accepts, and that a filter chooses of them."""
    if isinstance(counter, GroupCounter) and chosen is None:
        yield from counter.count(capture, policy, vni)
        return
    for batch in capture.decap_batches(policy=policy, vni=vni):
        counter.add(batch, None if chosen is None else selected(chosen, batch.result))
        yield

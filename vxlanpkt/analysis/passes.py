"""One pass over a capture, batch by batch, for whoever counts what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from vxlanpkt.analysis.counting import Counter, count_all
from vxlanpkt.capture.decapsulated import CaptureBatch
from vxlanpkt.capture.opening import Files, opened
from vxlanpkt.capture.reader import Capture, policy_for, with_vnis
from vxlanpkt.capture.results import PartialResultError
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.errors import CaptureError
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.selection import RowFilter, require_filter, selected

if TYPE_CHECKING:
    from vxlanpkt.capture.results import Progress

_T = TypeVar("_T")


class PartialTableError(PartialResultError):
    """The input broke off, or went bad: everything before that was counted.

    `result`: the table of that, a `FlowTable` or a `VTEPTable`.
    """

    result: Any


class Pass:
    """The batches of a capture up to its fault, with the rows that a filter chooses; tells of the progress."""

    def __init__(
        self,
        source: Files | Capture,
        ports: Iterable[int] | None,
        policy: DecapPolicy | None,
        vni: int | Iterable[int] | None,
        chosen: RowFilter | None,
        progress: Progress | None,
        jobs: int = 1,
    ) -> None:
        if chosen is not None:
            require_filter(chosen)
        self.stats = CaptureStats()
        self.fault: CaptureError | None = None
        self._source = source
        self.policy = policy_for(ports, source.policy if policy is None and isinstance(source, Capture) else policy)
        self._vni = vni
        self._filter = chosen
        self._progress = progress
        self._jobs = jobs

    def fill(self, counter: Counter, another: Callable[[], Counter] | None = None) -> None:
        """Count all batches, in as many processes as are wanted; a fault in the file's header is raised.

        *another*: makes another such counter, if it takes more than its class.
        """
        if self._jobs == 1:
            with self._through() as capture:
                for _ in count_all(counter, capture, self.policy, self._vni, self._filter):
                    self._report(capture)
            return
        from vxlanpkt.analysis.sharing import Asked, count_apart  # one process does not need it

        source: Any = self._source.source if isinstance(self._source, Capture) else self._source
        asked = Asked(another or type(counter), with_vnis(self.policy, self._vni), self._filter)
        self.stats = count_apart(counter, asked, source, self._jobs, self._progress)
        self.fault = self.stats.error

    def batches(self) -> Iterator[tuple[CaptureBatch, memoryview | None]]:
        """Each batch, and which rows count, if not all; a fault in the file's header is raised."""
        with self._through() as capture:
            for batch in capture.decap_batches(policy=self.policy, vni=self._vni):
                yield batch, None if self._filter is None else selected(self._filter, batch.result)
                self._report(capture)

    @contextmanager
    def _through(self) -> Iterator[Capture]:
        """The capture, to go through once: a fault of it is kept, and its stats."""
        with self._opened() as capture:
            try:
                yield capture
            except CaptureError as error:
                if capture.container is None:
                    raise
                self.fault = error
            self.stats = capture.stats

    def _report(self, capture: Capture) -> None:
        if self._progress is not None:
            self._progress(capture.consumed, capture.size)

    def _opened(self) -> AbstractContextManager[Capture]:
        if isinstance(self._source, Capture):
            return nullcontext(self._source)
        return opened(self._source, self.policy)

    def finish(self, table: _T) -> _T:
        """The table, or the error that carries it."""
        if self.fault is not None:
            raise PartialTableError(str(self.fault), offset=self.fault.offset, result=table) from self.fault
        return table

"""Captures opened for reading: their records, and the inner frames of the tunnels in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from vxlanpkt.bulk.decapsulation import decap_batch
from vxlanpkt.capture.batches import RecordBatch
from vxlanpkt.capture.containers import Reader, reader_for
from vxlanpkt.capture.counting import Counting
from vxlanpkt.capture.decapsulated import CaptureBatch, DecapsulatedRecord
from vxlanpkt.capture.links import start_of
from vxlanpkt.capture.origins import File, Origin, Part
from vxlanpkt.capture.records import Interface, Record
from vxlanpkt.capture.sources import Source
from vxlanpkt.capture.stats import BatchCounter, CaptureStats, html_table
from vxlanpkt.capture.stretches import Before, Run, Taking, as_batch
from vxlanpkt.errors import CaptureError
from vxlanpkt.grouping import Groups
from vxlanpkt.kernel.contract.counting import Count
from vxlanpkt.policy import DecapPolicy, require_policy
from vxlanpkt.selection import RowFilter

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow
    from typing_extensions import Self, Unpack

    from vxlanpkt.capture.tables import CaptureTable, TableOptions

_R = TypeVar("_R", bound=Run)

FILE_POLICY = DecapPolicy(lengths="snapped")
"""What captures are judged by if nothing else is said: RFC 7348, inner tags kept, cut packets accepted."""


class Capture:
    """A capture file or stream; a context manager that closes what it opened.

    Iterating gives `Record`s. Every pass, whether over records or by `decap`, starts anew; a pipe has but one, and
    the second raises CaptureError("not seekable").
    A fault of the file raises CaptureError after everything before it was handed out.
    """

    def __init__(self, source: File | Sequence[File | Part], policy: DecapPolicy) -> None:
        self.source = source
        self.policy = policy
        self._origins = self._origins_of(source)
        self._source: Source | None = None
        self._reader: Reader | None = None
        self._stats: CaptureStats | None = None
        self._closed = False

    def _origins_of(self, source: Any) -> Sequence[Origin]:
        """Where the bytes come from."""
        return (Origin(source),)

    def __iter__(self) -> Iterator[Record]:
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[RecordBatch]:
        """All records in order, in batches of one link type and one file; from a pipe, what is there of them."""
        yield from self._each(as_batch)

    def _each(self, taking: Taking[_R]) -> Iterator[_R]:
        """All records in order, as they are taken."""
        self._start_pass()
        yield from self._read(self._origins[0], Before(), taking)

    def decap(
        self,
        *,
        policy: DecapPolicy | None = None,
        vni: int | Iterable[int] | None = None,
        filter: RowFilter | None = None,
    ) -> Iterator[DecapsulatedRecord]:
        """The inner frames of all records that *policy* (the capture's own by default) accepts.

        *vni*: only those of this VNI, or of these: all others are refused as VNI_REFUSED. *filter*: only those that it
        matches.
        """
        for batch in self.decap_batches(policy=policy, vni=vni):
            for row in batch.accepted(filter):
                yield DecapsulatedRecord(batch, row)

    def matching(
        self,
        filter: RowFilter,
        *,
        policy: DecapPolicy | None = None,
        vni: int | Iterable[int] | None = None,
    ) -> Iterator[tuple[int, Record]]:
        """The records that *filter* matches, out of those that *policy* accepts, with their numbers, from 1."""
        for batch in self.decap_batches(policy=policy, vni=vni):
            for row in batch.accepted(filter):
                yield batch.records.first + row + 1, batch.records[row]

    def decap_batches(
        self,
        *,
        policy: DecapPolicy | None = None,
        vni: int | Iterable[int] | None = None,
        columns: Literal["all", "brief"] = "all",
    ) -> Iterator[CaptureBatch]:
        """The same in bulk: all records in order, with what decapsulation says of each, in batches of one link type.

        *columns*: as `decap_batch` takes it.
        """
        chosen = with_vnis(self.policy if policy is None else policy, vni)
        counter = BatchCounter()
        with self._counted_by(counter):
            for records in self.batches():
                start = start_of(records.link_type)
                result = decap_batch(records.frames, policy=chosen, start=start, columns=columns)
                counter.add(result, records.link_type)
                yield CaptureBatch(records, result, start)

    def count(
        self,
        counts: Sequence[tuple[Groups, Count]],
        *,
        policy: DecapPolicy | None = None,
        vni: int | Iterable[int] | None = None,
    ) -> Iterator[Counting]:
        """Count all records in tables, as they are read: what is known of each is not kept, which takes half the time.

        *counts*: tables of `vxlanpkt.grouping`, and by what records are counted in each, as the kernel takes it: this
        is what `flows` and `vteps` are made of. What is handed out is the `Counting` of what was counted so far, again
        and again.
        """
        counting = Counting(counts, with_vnis(self.policy if policy is None else policy, vni))
        with self._counted_by(counting):
            for _ in self._each(counting.take):
                yield counting

    @contextmanager
    def _counted_by(self, counter: BatchCounter | Counting) -> Iterator[None]:
        """A pass that a counter takes part in: its stats are there when it is through, be it by a fault of the file."""
        fault = None
        try:
            yield
        except CaptureError as error:
            if self.container is None:  # nothing was opened, so nothing was counted
                raise
            fault = error
        self._stats = counter.finish(fault)
        if fault is not None:
            raise fault

    def table(self, **options: Unpack[TableOptions]) -> CaptureTable:
        """The capture as columns, a row for each record, for anything that reads Arrow streams.

        columns    the names of the columns that are wanted, all by default
        names      what they are called: "vxlanpkt", or "tshark", "zeek" or "ecs" as far as these have words for it
        policy     what is accepted; the capture's own by default
        vni        only accepted records of this VNI, or these
        filter     only records that it chooses: a `Filter`, or anything with such a `select`
        addresses  "text", or "binary": IP addresses in 16 bytes, IPv4 as ::ffff:a.b.c.d, MAC addresses in 6

        Each stream of it is a pass. docs/columns.md lists the columns. Raises `FieldError` for names that are none.
        """
        from vxlanpkt.capture.tables import CaptureTable  # which not every pass needs

        return CaptureTable(self, **options)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The whole table as a PyCapsule, so that DuckDB, polars, pandas and pyarrow take a capture as it is."""
        return self.table().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The schema of the whole table as a PyCapsule."""
        return self.table().__arrow_c_schema__()

    def to_arrow(self, **options: Unpack[TableOptions]) -> pyarrow.Table:
        """The `table` in pyarrow."""
        return self.table(**options).to_arrow()

    def to_polars(self, **options: Unpack[TableOptions]) -> polars.DataFrame:
        """The `table` in polars."""
        return self.table(**options).to_polars()

    def to_pandas(self, **options: Unpack[TableOptions]) -> pandas.DataFrame:
        """The `table` in pandas, with its own types: integers that may be missing, strings, times with a zone."""
        return self.table(**options).to_pandas()

    @property
    def stats(self) -> CaptureStats:
        """The counts of the last pass that took tunnels off and got to the end, be it a fault of the file.

        Such passes are `decap`, `matching`, `decap_batches`, tables, `flows` and `vteps`. Raises CaptureError if there
        was none.
        """
        if self._stats is None:
            raise CaptureError("nothing has been counted: no pass such as decap() has got to the end yet", offset=None)
        return self._stats

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces that the newest pass has come across so far."""
        return () if self._reader is None else tuple(self._reader.interfaces)

    @property
    def container(self) -> Literal["pcap", "pcapng"] | None:
        """What the newest pass has found the capture to be; None before the first."""
        return None if self._reader is None else self._reader.container

    @property
    def consumed(self) -> int:
        """How many bytes of the input, as it is stored, the newest pass has taken."""
        return 0 if self._source is None else self._source.consumed

    @property
    def size(self) -> int | None:
        """How many bytes the input has, if it is a regular file opened by its path."""
        return self._origins[0].size

    def close(self) -> None:
        """Start no more passes. One that is under way may be finished, but for a pipe."""
        self._closed = True
        for origin in self._origins:
            origin.close()

    def _start_pass(self) -> None:
        self._source = self._reader = None
        if self._closed:
            raise CaptureError("the capture has been closed", offset=None)

    def _read(self, origin: Origin, before: Before, taking: Taking[_R]) -> Iterator[_R]:
        """The records of one file."""
        source = origin.open()
        try:
            reader = reader_for(source, before)
            self._source, self._reader = source, reader
            if origin.part is None:
                yield from reader.each(taking)
                return
            from vxlanpkt.capture.parts import read_part  # which few need

            yield from read_part(reader, source, origin.part, taking)
        finally:
            source.close()

    @property
    def name(self) -> str:
        """The name of the file, for people; "-" is standard input."""
        return self._origins[0].name or "a stream"

    def _repr_html_(self) -> str:
        rows = [("file", self.name), ("container", self.container or "not read yet")]
        counted = [("records", "not counted yet")] if self._stats is None else self._stats.rows_of_html()
        return html_table([*rows, *counted])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def policy_for(ports: Iterable[int] | None, policy: DecapPolicy | None) -> DecapPolicy:
    """The policy given, or that for files, with *ports* if there are any."""
    chosen = FILE_POLICY if policy is None else policy
    require_policy("capture", chosen)
    return chosen if ports is None else chosen.replace(ports=ports)


def with_vnis(policy: DecapPolicy, vni: int | Iterable[int] | None) -> DecapPolicy:
    """*policy* with nothing but *vni* accepted, out of what it accepts already."""
    require_policy("capture", policy)
    if vni is None:
        return policy
    wanted = policy.replace(vnis=(vni,) if isinstance(vni, int) else vni)
    assert wanted.vnis is not None
    return wanted if policy.vnis is None else policy.replace(vnis=policy.vnis & wanted.vnis)

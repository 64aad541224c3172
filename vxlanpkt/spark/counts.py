"""Packets counted where they are read, so that a row for each flow travels to the JVM, and not one for each packet.

What a task counts is a part of the whole: a flow has a row in every task that came across it, and in one that has met
`MOST_GROUPS` more than one. All rows of a flow add up to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from vxlanpkt.analysis.arrow_tables import arrow_table
from vxlanpkt.analysis.flow_tables import FlowCounter, flow_column
from vxlanpkt.analysis.vtep_tables import VTEPCounter, endpoint_column
from vxlanpkt.batches.columns import AddressColumn
from vxlanpkt.capture.decapsulated import CaptureBatch
from vxlanpkt.capture.frames import as_arrow
from vxlanpkt.capture.series import BrokenFilesError, CaptureSeries
from vxlanpkt.grouping import SEED_SIZE, Groups
from vxlanpkt.kernel.contract.columns import ADDRESS
from vxlanpkt.selection import RowFilter, selected

MOST_GROUPS = 1 << 18
"""So many are kept at a time, in some 35 MB: how many flows there are is up to those who send."""


class Counted(NamedTuple):
    """A table of counts.

    key     by which columns packets are told apart, as `Groups` takes them
    column  one of these, of a batch
    counts  its other columns, and what `Groups` calls them
    """

    key: Mapping[str, str]
    column: Callable[[CaptureBatch, str], memoryview]
    counts: Mapping[str, str]


COUNTED: Mapping[str, Counted] = {
    "flows": Counted(
        FlowCounter.KEY, flow_column,
        {"packets": "packets", "bytes": "bytes", "first": "first", "last": "last", "tcp_flags": "flags"},
    ),
    "vteps": Counted(
        VTEPCounter.KEY, endpoint_column,
        {"packets": "packets", "inner_bytes": "bytes", "outer_bytes": "other_bytes", "first": "first", "last": "last"},
    ),
}  # fmt: skip


class Counts:
    """Counts the packets of a capture for a table, by those columns of its key that are wanted."""

    def __init__(self, table: str, columns: Iterable[str], binary: bool) -> None:
        counted, wanted = COUNTED[table], set(columns)
        addresses = [name for name in wanted if counted.key.get(name) == ADDRESS]
        # All rows that count have the same status: it is the key of who wants none.
        self._key = {
            name: code for name, code in counted.key.items() if name in wanted or (addresses and name == "family")
        } or {"status": "B"}
        self._counts = {name: of for name, of in counted.counts.items() if name in wanted}
        self._column = counted.column
        self._binary = binary

    def tables(
        self, capture: CaptureSeries, vni: Iterable[int] | None = None, chosen: RowFilter | None = None
    ) -> Iterator[pa.Table]:
        """What is counted of a capture; a fault of a file is raised after all that was counted."""
        groups, fault = self._groups(), None
        try:
            for batch in capture.decap_batches(vni=vni):
                self._add(groups, batch, None if chosen is None else selected(chosen, batch.result))
                if len(groups) >= MOST_GROUPS:
                    yield self._table(groups)
                    groups = self._groups()
        except BrokenFilesError as error:
            fault = error
        yield self._table(groups)
        if fault is not None:
            raise fault

    def _groups(self) -> Groups:
        return Groups(self._key, seed=os.urandom(SEED_SIZE))

    def _add(self, groups: Groups, batch: CaptureBatch, chosen: Any) -> None:
        result, records, counts = batch.result, batch.records, self._counts.values()
        key = [result.status if name == "status" else self._column(batch, name) for name in self._key]
        groups.add(
            len(result), key, selected=chosen, status=result.status,
            lengths=result.inner_original_length if "bytes" in counts else None,
            other_lengths=records.frame_length if "other_bytes" in counts else None,
            timestamps=records.timestamp_ns if "first" in counts or "last" in counts else None,
            flags=result.inner_tcp_flags if "flags" in counts else None,
        )  # fmt: skip

    def _table(self, groups: Groups) -> pa.Table:
        found = groups.columns()
        addresses = [name for name, code in self._key.items() if code == ADDRESS]
        columns: dict[str, Any] = {name: found[name] for name in self._key if name not in (*addresses, "family")}
        columns |= {name: found[of] for name, of in self._counts.items()}
        if not self._binary:
            columns |= {name: AddressColumn(found[name], found["family"]) for name in addresses}
        rows = as_arrow(arrow_table(columns))
        if self._binary:
            for name in addresses:
                rows = rows.append_column(name, _octets(found[name], found["family"]))
        return rows


def _octets(raw: memoryview, family: memoryview) -> pa.Array:
    """Addresses of 16 bytes each; null where there is none."""
    column = pa.Array.from_buffers(pa.binary(16), len(family), [None, pa.py_buffer(raw)])
    return pc.if_else(pc.not_equal(pa.array(family, pa.uint8()), 0), column, None)

"""Packets counted where they are read, so that a row for each flow travels to the JVM, and not one for each packet.

What a task counts is a part of the whole: a flow has a row in every task that came across it, and in one that has met
`MOST_GROUPS` more than one. All rows of a flow add up to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from vxlanpkt.analysis.arrow_tables import arrow_table
from vxlanpkt.analysis.counting import count_all
from vxlanpkt.analysis.flow_tables import FlowCounter
from vxlanpkt.analysis.group_counters import GroupCounter
from vxlanpkt.analysis.vtep_tables import VTEPCounter
from vxlanpkt.batches.columns import AddressColumn
from vxlanpkt.capture.frames import as_arrow
from vxlanpkt.capture.series import BrokenFilesError, CaptureSeries
from vxlanpkt.grouping import SEED_SIZE, Groups
from vxlanpkt.kernel.contract.columns import ADDRESS
from vxlanpkt.selection import RowFilter

MOST_GROUPS = 1 << 18
"""So many are kept at a time, in some 35 MB: how many flows there are is up to those who send."""


class CountedTable(NamedTuple):
    """A table of counts.

    counter  has its key, and the columns that packets are counted by
    counts   its other columns, and what `Groups` calls them
    """

    counter: type[GroupCounter]
    counts: Mapping[str, str]


COUNTED: Mapping[str, CountedTable] = {
    "flows": CountedTable(
        FlowCounter,
        {"packets": "packets", "bytes": "bytes", "first": "first", "last": "last", "tcp_flags": "flags"},
    ),
    "vteps": CountedTable(
        VTEPCounter,
        {"packets": "packets", "inner_bytes": "bytes", "outer_bytes": "other_bytes", "first": "first", "last": "last"},
    ),
}
# Which columns of packets what `Groups` counts is made of, as `Count` calls them.
_MADE_OF = {
    "bytes": "lengths", "other_bytes": "other_lengths", "first": "timestamps", "last": "timestamps", "flags": "flags",
}  # fmt: skip


class Counts:
    """Counts the packets of a capture for a table, by those columns of its key that are wanted."""

    def __init__(self, table: str, columns: Iterable[str], binary: bool) -> None:
        (counter, counts), wanted = COUNTED[table], set(columns)
        addresses = [name for name in wanted if counter.KEY.get(name) == ADDRESS]
        chosen = {name for name in counter.KEY if name in wanted or (addresses and name == "family")}
        key = tuple(column for name, column in zip(counter.KEY, counter.COUNT.key, strict=True) if name in chosen)
        # All rows that count have the same status: it is the key of who wants none.
        self._key = {name: code for name, code in counter.KEY.items() if name in chosen} or {"status": "B"}
        self._counts = {name: of for name, of in counts.items() if name in wanted}
        made_of = {_MADE_OF[of] for of in self._counts.values() if of in _MADE_OF}
        left_out = dict.fromkeys(set(_MADE_OF.values()) - made_of)
        self._count = counter.COUNT._replace(key=key or ("status",), **left_out)
        self._binary = binary

    def tables(
        self, capture: CaptureSeries, vni: Iterable[int] | None = None, chosen: RowFilter | None = None
    ) -> Iterator[pa.Table]:
        """What is counted of a capture; a fault of a file is raised after all that was counted."""
        counter, fault = GroupCounter(key=self._key, count=self._count), None
        try:
            for _ in count_all(counter, capture, capture.policy, vni, chosen):
                if len(counter.groups) >= MOST_GROUPS:
                    yield self._table(counter.groups)
                    counter.groups.clear(os.urandom(SEED_SIZE))
        except BrokenFilesError as error:
            fault = error
        yield self._table(counter.groups)
        if fault is not None:
            raise fault

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

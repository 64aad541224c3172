"""Frames that were there before: duplicates, and TCP segments that were sent again.

A duplicate is the same inner frame, byte for byte, of the same VNI between the same endpoints within a few
milliseconds. A host that sends something again takes longer: TCP waits for at least a round trip, and 200 ms or more
where nothing comes back, and mostly gives the packet a new IPv4 identification, which makes it another frame.

A retransmission is a TCP segment that takes the same place in the sequence of the same flow, sent again within some
seconds, and no duplicate.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from vxlanpkt.analysis.findings import PairCount, Repetition, Repetitions
from vxlanpkt.analysis.masks import both, mask, rows_of, table_of, zeros
from vxlanpkt.batches.columns import AddressColumn
from vxlanpkt.capture.decapsulated import CaptureBatch
from vxlanpkt.grouping import SEED_SIZE, Groups
from vxlanpkt.kernel.contract.columns import ADDRESS
from vxlanpkt.kernel.contract.sightings import Trait
from vxlanpkt.sightings import DIGEST_SEED_SIZE, Digests, Sightings, Traits

DUPLICATE_WINDOW = 10_000_000
RETRANSMISSION_WINDOW = 5_000_000_000

_PAIR = {"src": ADDRESS, "dst": ADDRESS, "vni": "I", "family": "B"}
_SEGMENT = {
    "outer_src": ADDRESS, "outer_dst": ADDRESS, "src": ADDRESS, "dst": ADDRESS, "vni": "I", "sequence": "I",
    "segment": "I", "src_port": "H", "dst_port": "H",
}  # fmt: skip
_CAPACITY = 1 << 18
_PAIRS = 1 << 14
_FIRST_COPY = table_of(lambda value: not value)
_REPEATED = table_of(lambda value: value)
_AS_BEFORE, _MARKED_OTHERWISE = table_of(lambda value: value == 1), table_of(lambda value: value == 2)
_IS_SEGMENT = table_of(lambda traits: traits & Trait.SEGMENT)
_IS_IPV4 = table_of(lambda family: family == 4)

Sums = dict[tuple["int | None", bytes, bytes, int], int]
"""Packets by VNI, source, destination and IP version."""


class RepetitionCounter:
    """Counts rows that repeat others; one each for duplicates and retransmissions."""

    def __init__(self, window: int, most: int) -> None:
        self._window = window
        self._most = most
        self._sightings = Sightings(capacity=_CAPACITY, window=window)
        self._groups = Groups(_PAIR, seed=os.urandom(SEED_SIZE), limit=_PAIRS)
        self._count = self._same_outer = self._new_outer = 0
        self._examples: list[Repetition] = []

    def add(self, batch: CaptureBatch, digests: memoryview, marks: memoryview) -> bytes:
        """Look every row up that has a digest; returns the mask of those that are repetitions."""
        records, result = batch.records, batch.result
        earlier, kinds = self._sightings.see(digests, marks, records.timestamp_ns, records.first)
        found = mask(kinds, _REPEATED)
        count = found.count(1)
        if not count:
            return found
        self._count += count
        self._new_outer += both(found, mask(kinds, _MARKED_OTHERWISE)).count(1)
        # What is the same in all packets says nothing where it is the same in two.
        told = both(both(found, zeros(marks).translate(_FIRST_COPY)), mask(result.outer_family, _IS_IPV4))
        self._same_outer += both(told, mask(kinds, _AS_BEFORE)).count(1)
        for row in rows_of(found, self._most - len(self._examples)):
            self._examples.append(Repetition(records.first + row + 1, earlier[row]))
        self._groups.add(
            len(result), [result.outer_src.raw, result.outer_dst.raw, result.vni, result.outer_family], selected=found,
            number=records.first + 1,
        )  # fmt: skip
        return found

    def by_vni(self) -> dict[int, int]:
        """How many there are of each VNI."""
        found = self._groups.columns()
        sums: dict[int, int] = {}
        for vni, packets in zip(found["vni"], found["packets"], strict=True):
            sums[vni] = sums.get(vni, 0) + packets
        return sums

    def finish(self, totals: Sums, most_pairs: int) -> Repetitions:
        """What was counted; *totals* are all packets of VNIs and endpoints."""
        return Repetitions(
            self._window, self._count, self._same_outer, self._new_outer,
            self._count - self._same_outer - self._new_outer,
            pair_counts(self._groups, totals)[:most_pairs], self._groups.left_out, tuple(self._examples),
            self._sightings.forgotten,
        )  # fmt: skip


class Duplicates:
    """Inner frames that are there twice."""

    def __init__(self, most: int) -> None:
        self.counter = RepetitionCounter(DUPLICATE_WINDOW, most)
        self._digests = Digests(_PAIR, seed=os.urandom(DIGEST_SEED_SIZE))

    def add(self, batch: CaptureBatch, outer: Traits) -> bytes:
        """Count a batch; returns the mask of rows that repeat others."""
        result = batch.result
        key = [result.outer_src.raw, result.outer_dst.raw, result.vni, result.outer_family]
        digests = self._digests.of(len(result), key, frames=result.inner, status=result.status)
        return self.counter.add(batch, digests, outer.identification)


class Retransmissions:
    """TCP segments that were sent again."""

    def __init__(self, most: int) -> None:
        self.counter = RepetitionCounter(RETRANSMISSION_WINDOW, most)
        self._digests = Digests(_SEGMENT, seed=os.urandom(DIGEST_SEED_SIZE))

    def add(self, batch: CaptureBatch, inner: Traits, duplicates: bytes) -> None:
        """Count a batch, without its *duplicates*."""
        result = batch.result
        key = [
            result.outer_src.raw, result.outer_dst.raw, result.inner_src.raw, result.inner_dst.raw, result.vni,
            inner.sequence, inner.segment, result.inner_src_port, result.inner_dst_port,
        ]  # fmt: skip
        selected = both(mask(inner.traits, _IS_SEGMENT), duplicates.translate(_FIRST_COPY))
        digests = self._digests.of(len(result), key, selected=selected, status=result.status)
        self.counter.add(batch, digests, inner.identification)


def pair_counts(groups: Groups, totals: Sums) -> tuple[PairCount, ...]:
    """Groups of VNIs and endpoints, largest first, with what all packets are for each."""
    found = groups.columns()
    # Every group is of packets that have both.
    src: Sequence[Any] = AddressColumn(found["src"], found["family"])
    dst: Sequence[Any] = AddressColumn(found["dst"], found["family"])
    vnis = found.get("vni")
    rows = []
    for row, (packets, number, family) in enumerate(
        zip(found["packets"], found["first_number"], found["family"], strict=True)
    ):  # fmt: skip
        vni = None if vnis is None else vnis[row]
        place = slice(16 * row, 16 * row + 16)
        total = totals.get((vni, bytes(found["src"][place]), bytes(found["dst"][place]), family), 0)
        rows.append(PairCount(vni, src[row], dst[row], packets, total, number))
    return tuple(sorted(rows, key=lambda pair: (-pair.count, pair.first_record)))

"""Traffic by VNI over time, counted without knowing how long the capture is: buckets get wider as it goes on."""

from __future__ import annotations

import os
from collections import Counter

from vxlanpkt.analysis.findings import Series, Timeline
from vxlanpkt.capture.batches import NO_TIMESTAMP
from vxlanpkt.capture.decapsulated import CaptureBatch
from vxlanpkt.grouping import SEED_SIZE, Groups, buckets

MOST_BUCKETS = 120
_SHOWN = 8
_CELLS = 1 << 16
_KEPT = 256
_MICROSECOND, _SECOND = 1_000, 1_000_000_000

# Each is a multiple of the one before, so that buckets can be put together.
_WIDTHS: list[int] = [
    *(_MICROSECOND * 10**power * factor for power in range(6) for factor in (1, 5)),
    *(_SECOND * seconds for seconds in (1, 5, 10, 60, 300, 600, 3600, 6 * 3600, 24 * 3600)),
]

_Cells = dict[tuple["int | None", int], list[int]]


class TimelineCounter:
    """Counts packets and inner bytes by VNI and time; the memory that it takes is bounded."""

    def __init__(self) -> None:
        self._width = _WIDTHS[0]
        self._cells: _Cells = {}
        self._exact = True
        self._start()

    def _start(self) -> None:
        self._groups = Groups({"bucket": "q", "vni": "I"}, seed=os.urandom(SEED_SIZE))

    def add(self, batch: CaptureBatch) -> None:
        """Count the rows that are OK and have a time."""
        result = batch.result
        column = buckets(batch.records.timestamp_ns, self._width)
        self._groups.add(len(result), [column, result.vni], lengths=result.inner_original_length, status=result.status)
        if len(self._groups) > _CELLS:
            self._empty(4 * MOST_BUCKETS)

    def _empty(self, most_buckets: int) -> None:
        """Take the counts over, in buckets so wide that there are no more than so many."""
        found = self._groups.columns()
        names = ("vni", "bucket", "packets", "bytes")
        rows = [row for row in zip(*(found[name] for name in names), strict=True) if row[1] != NO_TIMESTAMP]
        self._start()
        spans = [bucket for _, bucket in self._cells] + [row[1] for row in rows]
        if not spans:
            return
        factor = self._factor(min(spans), max(spans), most_buckets)
        cells: _Cells = {}
        for (vni, bucket), (packets, octets) in self._cells.items():
            _count(cells, vni, bucket // factor, packets, octets)
        for vni, bucket, packets, octets in rows:
            _count(cells, vni, bucket // factor, packets, octets)
        self._cells = cells
        self._width *= factor
        if len(cells) > _CELLS // 2:
            self._fold()

    def _factor(self, first: int, last: int, most: int) -> int:
        """How many buckets to put into one."""
        width: int = self._width
        while last * self._width // width - first * self._width // width >= most:
            width = next((wider for wider in _WIDTHS if wider > width), 2 * width)
        return width // self._width

    def _fold(self) -> None:
        """Put all VNIs but the largest together."""
        kept = {vni for vni, _ in _sums(self._cells).most_common(_KEPT)}
        folded: _Cells = {}
        for (vni, bucket), (packets, octets) in self._cells.items():
            _count(folded, vni if vni in kept else None, bucket, packets, octets)
        self._cells = folded
        self._exact = False

    def timeline(self, vnis: int) -> Timeline | None:
        """What was counted, of so many VNIs; None if nothing has a time."""
        self._empty(MOST_BUCKETS)
        if not self._cells:
            return None
        sums = _sums(self._cells)
        count = vnis if vnis <= _SHOWN + 1 else _SHOWN
        shown = [vni for vni, _ in sums.most_common(count)]
        first, last = min(bucket for _, bucket in self._cells), max(bucket for _, bucket in self._cells)
        columns: dict[int | None, tuple[list[int], list[int]]] = {}
        others: list[int | None] = [None] if any(vni not in shown for vni, _ in self._cells) else []
        for vni in (*shown, *others):
            columns[vni] = [0] * (last - first + 1), [0] * (last - first + 1)
        for (vni, bucket), (packets, octets) in self._cells.items():
            of_bytes, of_packets = columns[vni if vni in columns else None]
            of_bytes[bucket - first] += octets
            of_packets[bucket - first] += packets
        series = tuple(Series(vni, tuple(octets), tuple(packets)) for vni, (octets, packets) in columns.items())
        return Timeline(first * self._width, self._width, series, vnis - len(shown), self._exact)


def _count(cells: _Cells, vni: int | None, bucket: int, packets: int, octets: int) -> None:
    cell = cells.setdefault((vni, bucket), [0, 0])
    cell[0] += packets
    cell[1] += octets


def _sums(cells: _Cells) -> Counter[int]:
    """The bytes of each VNI that was not folded."""
    sums: Counter[int] = Counter()
    for (vni, _), (_, octets) in cells.items():
        if vni is not None:
            sums[vni] += octets
    return sums

"""One pass over a capture that counts all that a report says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime

from vxlanpkt.analysis.findings import Drop, Endpoints, Findings, Flows, Overview, VNIs, VNITraffic
from vxlanpkt.analysis.flow_tables import FlowCounter, FlowTable
from vxlanpkt.analysis.headers_seen import HeaderCounter
from vxlanpkt.analysis.masks import Tally, mask, table_of
from vxlanpkt.analysis.one_way import one_way_flows, unanswered_by_vni
from vxlanpkt.analysis.repetitions import Duplicates, Retransmissions, Sums
from vxlanpkt.analysis.tables import time_or_none
from vxlanpkt.analysis.timelines import TimelineCounter
from vxlanpkt.analysis.vtep_tables import VTEPCounter
from vxlanpkt.capture.batches import NO_TIMESTAMP
from vxlanpkt.capture.decapsulated import CaptureBatch
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.errors import Reason
from vxlanpkt.grouping import SEED_SIZE, Groups
from vxlanpkt.kernel.contract.columns import Note
from vxlanpkt.link_types import LinkType
from vxlanpkt.sightings import traits

EXAMPLES = 5
FLOW_LIMIT, PAIR_LIMIT, VNI_LIMIT = 1 << 18, 1 << 16, 1 << 16

_CUT = table_of(lambda notes: notes & Note.CUT)
_UNTIMED = table_of(lambda timed: not timed)


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a capture from outside of it, and what was asked for."""

    source: str
    size: int | None
    container: str
    interfaces: tuple[str, ...]
    made_at: datetime
    policy: str
    ports: tuple[int, ...]
    vnis: tuple[int, ...] | None
    fault: str | None


class Collector:
    """Takes the batches of a capture; memory is bounded, whatever there is in them."""

    def __init__(self) -> None:
        self._statuses = Groups({"status": "B"}, seed=b"")
        self._accepted = Groups({"family": "B"}, seed=b"")
        self._vnis = Groups({"vni": "I"}, seed=os.urandom(SEED_SIZE), limit=VNI_LIMIT)
        self._examples: dict[int, Tally] = {}
        self._cut, self._untimed = Tally(0), Tally(0)
        self._timeline = TimelineCounter()
        self._flows, self._vteps = FlowCounter(FLOW_LIMIT), VTEPCounter(PAIR_LIMIT)
        self._headers = HeaderCounter(EXAMPLES)
        self._duplicates, self._retransmissions = Duplicates(EXAMPLES), Retransmissions(EXAMPLES)

    def add(self, batch: CaptureBatch) -> None:
        """Count a batch."""
        self._count(batch)
        self._timeline.add(batch)
        self._flows.add(batch)
        self._vteps.add(batch)
        result = batch.result
        outer = traits(result.frames, batch.start)
        inner = traits(result.inner, LinkType.ETHERNET, result.inner_link_type)
        self._headers.add(batch, outer, inner)
        self._retransmissions.add(batch, inner, self._duplicates.add(batch, outer))

    def _count(self, batch: CaptureBatch) -> None:
        result, records = batch.result, batch.records
        rows, times = len(result), records.timestamp_ns
        self._statuses.add(rows, [result.status], lengths=records.frame_length, timestamps=times)
        self._accepted.add(
            rows, [result.outer_family], lengths=result.inner_original_length, other_lengths=records.frame_length,
            status=result.status,
        )  # fmt: skip
        self._vnis.add(
            rows, [result.vni], lengths=result.inner_original_length, timestamps=times, status=result.status,
            number=records.first + 1,
        )  # fmt: skip
        self._cut.add(mask(result.notes, _CUT), records.first)
        self._untimed.add(mask(records.timed, _UNTIMED), records.first)
        for status in set(bytes(result.status)):
            table = bytes(status) + b"\1" + bytes(255 - status)
            self._examples.setdefault(status, Tally(EXAMPLES)).add(mask(result.status, table), records.first)

    def finish(self, stats: CaptureStats, origin: Origin, top: int) -> Findings:
        """All that was found; *top*: how many flows and pairs are shown of those that there are."""
        flows = self._flows.table(stats, bidirectional=True)
        vteps = self._vteps.table(stats)
        by_vni, totals = _sums(self._vteps)
        vnis = self._vni_table(by_vni, flows)
        return Findings(
            self._overview(stats, origin), vnis, self._timeline.timeline(len(vnis.rows)),
            Endpoints(tuple(vteps.top(len(vteps))), self._vteps.left_out),
            Flows(tuple(flows.top(top)), len(flows), self._flows.left_out), self._drops(),
            self._headers.sizes(totals, top), self._duplicates.counter.finish(totals, top),
            self._retransmissions.counter.finish(totals, top), self._headers.congestion(totals, top),
            one_way_flows(flows, EXAMPLES),
        )  # fmt: skip

    def _overview(self, stats: CaptureStats, origin: Origin) -> Overview:
        found, accepted = self._statuses.columns(), self._accepted.columns()
        first = [time for time in found["first"] if time != NO_TIMESTAMP]
        last = [time for time in found["last"] if time != NO_TIMESTAMP]
        return Overview(
            origin.source, origin.size, origin.container, origin.interfaces, origin.made_at, origin.policy,
            origin.ports, origin.vnis, stats.records, sum(found["bytes"]), stats.vxlan, sum(accepted["other_bytes"]),
            sum(accepted["bytes"]), self._cut.count, min(first, default=None), max(last, default=None),
            self._untimed.count, tuple(sorted(stats.unsupported_link_types.items())), origin.fault,
        )  # fmt: skip

    def _vni_table(self, pairs: dict[int, int], flows: FlowTable) -> VNIs:
        found = self._vnis.columns()
        again, twice = self._retransmissions.counter.by_vni(), self._duplicates.counter.by_vni()
        unanswered = unanswered_by_vni(flows)
        names = ("vni", "packets", "bytes", "first", "last", "first_number")
        rows = [
            VNITraffic(
                vni, packets, octets, pairs.get(vni, 0), time_or_none(first), time_or_none(last), number,
                again.get(vni, 0), twice.get(vni, 0), unanswered.get(vni, 0),
            )
            for vni, packets, octets, first, last, number in zip(*(found[name] for name in names), strict=True)
        ]  # fmt: skip
        return VNIs(tuple(sorted(rows, key=lambda row: (-row.bytes, row.vni))), self._vnis.left_out)

    def _drops(self) -> tuple[Drop, ...]:
        found = self._statuses.columns()
        rows = zip(found["status"], found["packets"], found["bytes"], strict=True)
        drops = [
            Drop(Reason(status), packets, octets, self._examples[status].examples)
            for status, packets, octets in rows if status != Reason.OK
        ]  # fmt: skip
        return tuple(sorted(drops, key=lambda drop: (-drop.records, drop.reason)))


def _sums(vteps: VTEPCounter) -> tuple[dict[int, int], Sums]:
    """How many pairs of endpoints each VNI has; and the packets of each pair, of each VNI and of all together."""
    found = vteps.columns()
    pairs: dict[int, int] = {}
    totals: Sums = {}
    for row, (vni, packets, family) in enumerate(zip(found["vni"], found["packets"], found["family"], strict=True)):
        place = slice(16 * row, 16 * row + 16)
        src, dst = bytes(found["src"][place]), bytes(found["dst"][place])
        pairs[vni] = pairs.get(vni, 0) + 1
        for key in ((vni, src, dst, family), (None, src, dst, family)):
            totals[key] = totals.get(key, 0) + packets
    return pairs, totals

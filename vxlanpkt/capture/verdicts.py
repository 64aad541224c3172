"""What several policies say of the records of a capture: batch by batch, and counted by verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Literal

from vxlanpkt.bulk.decapsulation import decap_batch
from vxlanpkt.capture.batches import RecordBatch
from vxlanpkt.capture.links import start_of
from vxlanpkt.capture.reader import Capture
from vxlanpkt.capture.records import Record
from vxlanpkt.errors import ParseError, Reason
from vxlanpkt.explanation import Explanation, explain
from vxlanpkt.layers.udp import UDP
from vxlanpkt.link_types import LinkType
from vxlanpkt.policy import DecapPolicy

_FIRST_NUMBERS = 8
PORTS_ASKED = 4096  # of how many records that are no VXLAN the ports are looked at, as that takes its time

Statuses = tuple[int, ...]
"""What each policy says of a record, in their order: numbers of `Reason`."""


@dataclass(frozen=True, slots=True)
class JudgedBatch:
    """Records of one link type that follow each other, and what each policy says of them.

    records   the records
    start     what they begin with; None where the link type is not understood
    statuses  of each record
    """

    records: RecordBatch
    start: LinkType | None
    statuses: list[Statuses]

    @property
    def first(self) -> int:
        """The number of the first record, from 1."""
        return self.records.first + 1


def judged_batches(
    capture: Capture, policies: Mapping[str, DecapPolicy], count: int | None = None
) -> Iterator[JudgedBatch]:
    """The records of a capture in order, or the first *count* of them, judged by each policy.

    A fault of the capture is raised when everything before it was handed out.
    """
    chosen = tuple(policies.values())
    for records in capture.batches():
        wanted = records if count is None else records.upto(count - records.first)
        yield _judged(wanted, chosen)
        if count is not None and wanted.first + len(wanted) >= count:
            return


def _judged(records: RecordBatch, policies: tuple[DecapPolicy, ...]) -> JudgedBatch:
    start = start_of(records.link_type)
    if start is None:
        return JudgedBatch(records, None, [(int(Reason.NOT_VXLAN),) * len(policies)] * len(records))
    results = [decap_batch(records.frames, policy=policy, start=start, columns=_columns(policy)) for policy in policies]
    return JudgedBatch(records, start, list(zip(*(bytes(result.status) for result in results), strict=True)))


def _columns(policy: DecapPolicy) -> Literal["all", "brief"]:
    """As few as the policy lets be computed: nobody looks at more than the status."""
    return "all" if policy.alters else "brief"


@dataclass
class VerdictGroup:
    """Records of which each policy says the same.

    reasons     by the names of the policies
    record      the first of them
    start       what it begins with
    numbers     the numbers of the first few, from 1
    count       how many there are
    of_presets  whether nobody chose the policies
    atomic      whether some are whole packets with an IPv6 fragment header (RFC 6946), and refused as FRAGMENT for it
    """

    policies: Mapping[str, DecapPolicy] = field(repr=False)
    reasons: dict[str, Reason]
    record: Record
    start: LinkType
    numbers: list[int] = field(default_factory=list)
    count: int = 0
    of_presets: bool = False
    atomic: bool = False

    @property
    def disagree(self) -> bool:
        """Whether some policies accept them and others refuse them, as `Explanation.disagree` counts it."""
        return self.explanation.disagree

    @property
    def is_vxlan(self) -> bool:
        """Whether any policy finds a tunnel in them."""
        return any(reason is not Reason.NOT_VXLAN for reason in self.reasons.values())

    @cached_property
    def explanation(self) -> Explanation:
        """The first of them, explained."""
        return Explanation(explained(self.record, self.policies, self.start), of_presets=self.of_presets)


@dataclass
class VerdictCounts:
    """A pass over a capture: how many records met which verdicts.

    policies                by their names
    records                 how many there were
    groups                  by what the policies say, in the order in which they were met
    unsupported_link_types  records that are NOT_VXLAN as nothing is known of what they begin with; they are in no group
    of_presets              whether nobody chose the policies
    cut                     records that some policy accepts, but of which the capture holds a part
    udp_ports               the destination ports of UDP datagrams that are VXLAN to no policy, of the first few
                            thousand records, while none is VXLAN
    """

    policies: Mapping[str, DecapPolicy]
    records: int = 0
    groups: dict[Statuses, VerdictGroup] = field(default_factory=dict)
    unsupported_link_types: Counter[int] = field(default_factory=Counter)
    of_presets: bool = False
    cut: int = 0
    udp_ports: Counter[int] = field(default_factory=Counter)

    def add(self, batch: JudgedBatch) -> None:
        """Count a batch."""
        self.records += len(batch.records)
        if batch.start is None:
            self.unsupported_link_types[batch.records[0].link_type] += len(batch.records)
            return
        for statuses, count in Counter(batch.statuses).items():
            group = self.groups.get(statuses)
            if group is None:
                group = self.groups[statuses] = self._new_group(statuses, batch, batch.start)
            group.count += count
            if len(group.numbers) < _FIRST_NUMBERS:
                same = (number for number, other in enumerate(batch.statuses, batch.first) if other == statuses)
                group.numbers += islice(same, _FIRST_NUMBERS - len(group.numbers))
        self._note_atomic(batch, batch.start)
        self.cut += _cut(batch)
        if self.records <= PORTS_ASKED and not self.any_vxlan:
            self._count_ports(batch.records, batch.start)

    def _note_atomic(self, batch: JudgedBatch, start: LinkType) -> None:
        """Try out which fragments a policy would let pass as whole packets."""
        for at, policy in enumerate(self.policies.values()):
            refused = {statuses for statuses in set(batch.statuses) if statuses[at] == Reason.FRAGMENT}
            if policy.fragments == "atomic" or all(self.groups[statuses].atomic for statuses in refused):
                continue
            lenient = policy.replace(fragments="atomic")
            result = decap_batch(batch.records.frames, policy=lenient, start=start, columns=_columns(lenient))
            for statuses, status in zip(batch.statuses, bytes(result.status), strict=True):
                if statuses in refused and status != Reason.FRAGMENT:
                    self.groups[statuses].atomic = True

    def _count_ports(self, records: RecordBatch, start: LinkType) -> None:
        self.udp_ports.update(udp_ports(records, next(iter(self.policies.values())), start))

    @property
    def any_vxlan(self) -> bool:
        """Whether a record is VXLAN to some policy."""
        return any(group.is_vxlan for group in self.groups.values())

    def _new_group(self, statuses: Statuses, batch: JudgedBatch, start: LinkType) -> VerdictGroup:
        reasons = dict(zip(self.policies, map(Reason, statuses), strict=True))
        return VerdictGroup(self.policies, reasons, batch.records[batch.statuses.index(statuses)], start,
                            of_presets=self.of_presets)  # fmt: skip

    @property
    def accepted(self) -> dict[str, int]:
        """How many records each policy accepts."""
        return {
            name: sum(group.count for group in self.groups.values() if group.reasons[name] is Reason.OK)
            for name in self.policies
        }

    @property
    def not_vxlan(self) -> int:
        """How many records are NOT_VXLAN by every policy."""
        groups = sum(group.count for group in self.groups.values() if not group.is_vxlan)
        return groups + sum(self.unsupported_link_types.values())


def _cut(batch: JudgedBatch) -> int:
    """How many records some policy accepts of which the capture holds a part."""
    captured, original = batch.records.captured_length, batch.records.original_length
    if captured == original:
        return 0
    rows = zip(captured, original, batch.statuses, strict=True)
    return sum(here < whole and Reason.OK in statuses for here, whole, statuses in rows)


def explained(record: Record, policies: Mapping[str, DecapPolicy], start: LinkType) -> Explanation:
    """What the policies say of one record, in full."""
    return explain(record.frame, policies, start=start, original_length=record.frame_length)


def udp_ports(records: Iterable[Record], policy: DecapPolicy, start: LinkType) -> Counter[int]:
    """The destination ports of UDP datagrams that are no VXLAN to *policy*; it takes its time."""
    errors = (explained(record, {"": policy}, start)[""].error for record in records)
    ports = (udp_port(error) for error in errors if error is not None and error.reason is Reason.NOT_VXLAN)
    return Counter(port for port in ports if port is not None)


def udp_port(error: ParseError | None) -> int | None:
    """The destination port of a frame that is no VXLAN; None if it is no UDP datagram, either."""
    header = None if error is None or error.packet is None else error.packet.get(UDP)
    return None if header is None else header.dst_port

"""Tunnel endpoints: who sends to whom on the underlay, how much, and for which VNIs."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from vxlanpkt._values import Value
from vxlanpkt.analysis.group_counters import GroupCounter
from vxlanpkt.analysis.merging import GroupSums
from vxlanpkt.analysis.passes import Pass
from vxlanpkt.analysis.tables import Table, earliest_first, time_or_none
from vxlanpkt.batches.columns import AddressColumn
from vxlanpkt.capture.batches import NO_TIMESTAMP
from vxlanpkt.capture.counting import Cut
from vxlanpkt.capture.opening import Files
from vxlanpkt.capture.reader import Capture
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.grouping import Groups
from vxlanpkt.kernel.contract.columns import ADDRESS
from vxlanpkt.kernel.contract.counting import Count
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.selection import RowFilter

if TYPE_CHECKING:
    from vxlanpkt.capture.results import Progress

_KEY = {"src": ADDRESS, "dst": ADDRESS, "vni": "I", "family": "B"}


class VTEP(Value):
    """What one tunnel endpoint sent to another.

    src, dst           the outer addresses; a group's where it is the destination
    packets            how many
    inner_bytes        the lengths of the inner frames on the wire
    outer_bytes        the lengths of the outer frames on the wire
    vnis               the VXLAN network identifiers in use between them, in ascending order
    first_ns, last_ns  the earliest and the latest time, nanoseconds since 1970-01-01 UTC; None without timestamps
    first_record       the number of the record in which the pair was met first, counted from 1
    """

    __slots__ = __match_args__ = (
        "src", "dst", "packets", "inner_bytes", "outer_bytes", "vnis", "first_ns", "last_ns", "first_record",
    )  # fmt: skip

    src: IPv4Address | IPv6Address
    dst: IPv4Address | IPv6Address
    packets: int
    inner_bytes: int
    outer_bytes: int
    vnis: tuple[int, ...]
    first_ns: int | None
    last_ns: int | None
    first_record: int

    def __init__(
        self,
        src: IPv4Address | IPv6Address,
        dst: IPv4Address | IPv6Address,
        packets: int,
        inner_bytes: int,
        outer_bytes: int,
        vnis: tuple[int, ...],
        first_ns: int | None,
        last_ns: int | None,
        first_record: int,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "src", src)
        set_field(self, "dst", dst)
        set_field(self, "packets", packets)
        set_field(self, "inner_bytes", inner_bytes)
        set_field(self, "outer_bytes", outer_bytes)
        set_field(self, "vnis", vnis)
        set_field(self, "first_ns", first_ns)
        set_field(self, "last_ns", last_ns)
        set_field(self, "first_record", first_record)


class VTEPTable(Table[VTEP]):
    """Pairs of tunnel endpoints in the order of the file; `table[0]` is a `VTEP`. Not made by hand.

    `columns` are named as the fields of `VTEP`; a time that is not there is `NO_TIMESTAMP`, the smallest number.
    """

    def _row(self, values: dict[str, Any]) -> VTEP:
        values["first_ns"], values["last_ns"] = time_or_none(values["first_ns"]), time_or_none(values["last_ns"])
        return VTEP(**values)

    def _orders(self) -> Mapping[str, Callable[[int], Any]]:
        columns = self.columns
        return {
            "bytes": lambda row: -columns["outer_bytes"][row],
            "packets": lambda row: -columns["packets"][row],
            "first": earliest_first(columns["first_ns"]),
        }


def vteps(
    source: Files | Capture,
    *,
    ports: Iterable[int] | None = None,
    policy: DecapPolicy | None = None,
    vni: int | Iterable[int] | None = None,
    filter: RowFilter | None = None,  # noqa: A002 - the API's name
    progress: Progress | None = None,
    jobs: int = 1,
) -> VTEPTable:
    """The tunnel endpoints of a capture: a row for each pair of a source and a destination.

    Parameters and errors are those of `flows`.
    """
    made = Pass(source, ports, policy, vni, filter, progress, jobs)
    counter = VTEPCounter()
    made.fill(counter)
    return made.finish(counter.table(made.stats))


class VTEPCounter(GroupCounter):
    """Counts pairs of endpoints; with a *limit* no more than so many, counted once for each VNI."""

    KEY = _KEY
    COUNT = Count(
        ("outer_src", "outer_dst", "vni", "outer_family"), lengths="inner_original_length",
        other_lengths="frame_length", timestamps="timestamp_ns", status="status",
    )  # fmt: skip

    def columns(self) -> dict[str, memoryview]:
        """The counts of each pair and VNI, as `Groups.columns` has them: keyed by src, dst, vni and family."""
        return self.found.columns()

    def table(self, stats: CaptureStats) -> VTEPTable:
        """What was counted so far."""
        return _table(self.found, stats, self.cut)


class _Pair:
    """What is known of a pair so far."""

    __slots__ = ("first", "first_number", "inner_bytes", "last", "outer_bytes", "packets", "vnis")

    def __init__(self) -> None:
        self.packets = self.inner_bytes = self.outer_bytes = 0
        self.first = self.last = NO_TIMESTAMP
        self.first_number = 0
        self.vnis: list[int] = []

    def add(
        self, vni: int, packets: int, inner_bytes: int, outer_bytes: int, first: int, last: int, first_number: int
    ) -> None:  # fmt: skip
        """Add what was sent for one VNI: that which was met first comes first."""
        self.first_number = self.first_number or first_number
        self.packets += packets
        self.inner_bytes += inner_bytes
        self.outer_bytes += outer_bytes
        if first != NO_TIMESTAMP:
            self.first = first if self.first == NO_TIMESTAMP else min(self.first, first)
        self.last = max(self.last, last)
        self.vnis.append(vni)


def _table(groups: Groups | GroupSums, stats: CaptureStats, cut: Cut) -> VTEPTable:
    """A row for each pair, out of one for each VNI of a pair."""
    found = groups.columns()
    numbers = [found[name] for name in ("vni", "packets", "bytes", "other_bytes", "first", "last", "first_number")]
    pairs: dict[tuple[bytes, bytes, int], _Pair] = {}
    for row, values in enumerate(zip(*numbers, strict=True)):
        src, dst = (bytes(found[name][16 * row : 16 * row + 16]) for name in ("src", "dst"))
        pairs.setdefault((src, dst, found["family"][row]), _Pair()).add(*values)
    family = memoryview(bytes(family for _, _, family in pairs))
    counts = pairs.values()
    return VTEPTable({
        "src": AddressColumn(memoryview(b"".join(src for src, _, _ in pairs)), family),
        "dst": AddressColumn(memoryview(b"".join(dst for _, dst, _ in pairs)), family),
        "packets": _numbers("Q", (pair.packets for pair in counts)),
        "inner_bytes": _numbers("Q", (pair.inner_bytes for pair in counts)),
        "outer_bytes": _numbers("Q", (pair.outer_bytes for pair in counts)),
        "vnis": [tuple(sorted(pair.vnis)) for pair in counts],
        "first_ns": _numbers("q", (pair.first for pair in counts)),
        "last_ns": _numbers("q", (pair.last for pair in counts)),
        "first_record": _numbers("Q", (pair.first_number for pair in counts)),
    }, stats, cut)  # fmt: skip


def _numbers(code: str, values: Iterable[int]) -> memoryview:
    return memoryview(array(code, values))

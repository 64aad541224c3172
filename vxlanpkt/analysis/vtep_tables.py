"""Tunnel endpoints: who sends to whom on the underlay, how much, and for which VNIs."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vxlanpkt.analysis.passes import Pass, RowFilter
from vxlanpkt.analysis.tables import Table, earliest_first, time_or_none
from vxlanpkt.batch import AddressColumn
from vxlanpkt.capture.batches import NO_TIMESTAMP
from vxlanpkt.capture.reader import Capture
from vxlanpkt.capture.sources import File
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.grouping import SEED_SIZE, Groups
from vxlanpkt.kernel.contract import ADDRESS
from vxlanpkt.policy import DecapPolicy

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from vxlanpkt.capture.jobs import Progress

_KEY = {"src": ADDRESS, "dst": ADDRESS, "vni": "I", "family": "B"}


@dataclass(frozen=True, slots=True)
class VTEP:
    """What one tunnel endpoint sent to another.

    src, dst           the outer addresses; a group's where it is the destination
    packets            how many
    inner_bytes        the lengths of the inner frames on the wire
    outer_bytes        the lengths of the outer frames on the wire
    vnis               the VXLAN network identifiers in use between them, in ascending order
    first_ns, last_ns  the earliest and the latest time, nanoseconds since 1970-01-01 UTC; None without timestamps
    """

    src: IPv4Address | IPv6Address
    dst: IPv4Address | IPv6Address
    packets: int
    inner_bytes: int
    outer_bytes: int
    vnis: tuple[int, ...]
    first_ns: int | None
    last_ns: int | None


class VTEPTable(Table[VTEP]):
    """Pairs of tunnel endpoints in the order in which they were seen; `table[0]` is a `VTEP`. Not made by hand.

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
    source: File | Capture,
    *,
    ports: Iterable[int] | None = None,
    policy: DecapPolicy | None = None,
    vni: int | Iterable[int] | None = None,
    filter: RowFilter | None = None,  # noqa: A002 - the API's name
    progress: Progress | None = None,
) -> VTEPTable:
    """The tunnel endpoints of a capture: a row for each pair of a source and a destination.

    Parameters and errors are those of `flows`.
    """
    made = Pass(source, ports, policy, vni, filter, progress)
    groups = Groups(_KEY, seed=os.urandom(SEED_SIZE))
    for batch, selected in made.batches():
        result = batch.result
        groups.add(
            len(result), [result.outer_src.raw, result.outer_dst.raw, result.vni, result.outer_family],
            lengths=result.inner_original_length, other_lengths=batch.records.frame_length,
            timestamps=batch.records.timestamp_ns, selected=selected, status=result.status,
        )  # fmt: skip
    return made.finish(_table(groups, made.stats))


class _Pair:
    """What is known of a pair so far."""

    __slots__ = ("first", "inner_bytes", "last", "outer_bytes", "packets", "vnis")

    def __init__(self) -> None:
        self.packets = self.inner_bytes = self.outer_bytes = 0
        self.first = self.last = NO_TIMESTAMP
        self.vnis: list[int] = []

    def add(self, vni: int, packets: int, inner_bytes: int, outer_bytes: int, first: int, last: int) -> None:
        """Add what was sent for one VNI."""
        self.packets += packets
        self.inner_bytes += inner_bytes
        self.outer_bytes += outer_bytes
        if first != NO_TIMESTAMP:
            self.first = first if self.first == NO_TIMESTAMP else min(self.first, first)
        self.last = max(self.last, last)
        self.vnis.append(vni)


def _table(groups: Groups, stats: CaptureStats) -> VTEPTable:
    """A row for each pair, out of one for each VNI of a pair."""
    found = groups.columns()
    numbers = [found[name] for name in ("vni", "packets", "bytes", "other_bytes", "first", "last")]
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
    }, stats)  # fmt: skip


def _numbers(code: str, values: Iterable[int]) -> memoryview:
    return memoryview(array(code, values))

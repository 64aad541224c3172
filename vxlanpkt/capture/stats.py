"""What a pass over a capture has counted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from vxlanpkt._values import Fields
from vxlanpkt.batches.decapsulated import DecapBatch
from vxlanpkt.errors import CaptureError, Reason
from vxlanpkt.grouping import SEED_SIZE, Groups

_SHOWN_VNIS = 20


class VNIStats(Fields):
    """The inner frames of one VNI: how many `packets`, and how many `inner_bytes` of them were captured."""

    __slots__ = __match_args__ = ("packets", "inner_bytes")

    def __init__(self, packets: int = 0, inner_bytes: int = 0) -> None:
        self.packets = packets
        self.inner_bytes = inner_bytes


class CaptureStats(Fields):
    """A pass over a capture, by the outermost tunnel of each record.

    `records`: whole records in the capture. `vxlan`: those that the policy accepted. `vnis`: what these held.
    `reasons`: how many records met each `Reason`, OK among them. `unsupported_link_types`: how many records there were
    of link types that are not understood, and are NOT_VXLAN for that. `error`: the fault that ended the capture early.
    """

    __slots__ = __match_args__ = ("records", "vxlan", "vnis", "reasons", "unsupported_link_types", "error")

    def __init__(
        self,
        records: int = 0,
        vxlan: int = 0,
        vnis: dict[int, VNIStats] | None = None,
        reasons: Counter[Reason] | None = None,
        unsupported_link_types: Counter[int] | None = None,
        error: CaptureError | None = None,
    ) -> None:
        self.records = records
        self.vxlan = vxlan
        self.vnis = {} if vnis is None else vnis
        self.reasons: Counter[Reason] = Counter() if reasons is None else reasons
        self.unsupported_link_types: Counter[int] = (
            Counter() if unsupported_link_types is None else unsupported_link_types
        )
        self.error = error

    def add(self, other: CaptureStats) -> None:
        """Put what was counted of other records behind these; the fault is left alone."""
        self.records += other.records
        self.vxlan += other.vxlan
        self.reasons.update(other.reasons)
        self.unsupported_link_types.update(other.unsupported_link_types)
        for vni, found in other.vnis.items():
            seen = self.vnis.setdefault(vni, VNIStats())
            seen.packets += found.packets
            seen.inner_bytes += found.inner_bytes

    def count(self, vni: int, status: memoryview, lengths: Iterable[int]) -> None:
        """Count records that met these reasons; *lengths* are those of the accepted ones, all of one VNI."""
        counts = {Reason(number): count for number, count in Counter(bytes(status)).items()}
        self.records += len(status)
        self.reasons.update(counts)
        accepted = counts.get(Reason.OK, 0)
        if accepted:
            self.vxlan += accepted
            of_vni = self.vnis.setdefault(vni, VNIStats())
            of_vni.packets += accepted
            of_vni.inner_bytes += sum(lengths)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, fit for JSON: VNIs, reasons and link types are keyed by their names."""
        return {
            "records": self.records,
            "vxlan": self.vxlan,
            "vnis": {
                str(vni): {"packets": of_vni.packets, "inner_bytes": of_vni.inner_bytes}
                for vni, of_vni in sorted(self.vnis.items())
            },
            "reasons": {reason.name: count for reason, count in sorted(self.reasons.items())},
            "unsupported_link_types": {
                str(number): count for number, count in sorted(self.unsupported_link_types.items())
            },
        }

    def rows_of_html(self) -> list[tuple[str, str]]:
        """What a notebook shows: names, and what is said of them."""
        rows = [("records", f"{self.records:,}"), ("VXLAN", f"{self.vxlan:,}")]
        largest = sorted(self.vnis.items(), key=lambda item: (-item[1].inner_bytes, item[0]))
        rows += [
            (f"VNI {vni}", f"{found.packets:,} packets, {found.inner_bytes:,} inner bytes")
            for vni, found in largest[:_SHOWN_VNIS]
        ]
        if len(largest) > _SHOWN_VNIS:
            rows.append(("VNIs", f"and {len(largest) - _SHOWN_VNIS:,} more"))
        rows += [(reason.name, f"{count:,}") for reason, count in sorted(self.reasons.items()) if reason]
        return rows if self.error is None else [*rows, ("fault", str(self.error))]

    def _repr_html_(self) -> str:
        return html_table(self.rows_of_html())


def html_table(rows: Iterable[tuple[str, str]]) -> str:
    """Names and what is said of them, for notebooks: without a style, so that nothing else there changes."""
    from html import escape  # its table of names is large, and only notebooks need it

    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in rows)
    return f"<table><tbody>{body}</tbody></table>"


class PassCounter:
    """Counts a pass: how many records met each reason, and of the accepted ones how many are of each VNI.

    key  by which columns rows are counted: their status and VNI, and perhaps more
    """

    def __init__(self, key: Mapping[str, str]) -> None:
        self._stats = CaptureStats()
        self._met = Groups(key, seed=os.urandom(SEED_SIZE))

    def _note(self, rows: int, link_type: int, is_known: bool) -> None:
        """Count records, all of one link type, but for what they met."""
        self._stats.records += rows
        if rows and not is_known:
            self._stats.unsupported_link_types[link_type] += rows

    def finish(self, error: CaptureError | None) -> CaptureStats:
        """What was counted, up to the fault if there was one."""
        stats, met = self._stats, self._met.columns()
        stats.error = error
        rows = zip(met["status"], met["vni"], met["packets"], met["bytes"], strict=True)
        for status, vni, packets, inner_bytes in sorted(rows, key=itemgetter(0)):
            stats.reasons[Reason(status)] += packets
            if status == Reason.OK:
                of_vni = stats.vnis.setdefault(vni, VNIStats())
                of_vni.packets += packets
                of_vni.inner_bytes += inner_bytes
        stats.vxlan = stats.reasons.get(Reason.OK, 0)
        return stats


class BatchCounter(PassCounter):
    """Counts a pass batch by batch."""

    def __init__(self) -> None:
        super().__init__({"status": "B", "vni": "I"})

    def add(self, result: DecapBatch, link_type: int) -> None:
        """Count records, all of one link type."""
        self._note(len(result), link_type, result.start is not None)
        self._met.add(len(result), [result.status, result.vni], lengths=result.inner_length)

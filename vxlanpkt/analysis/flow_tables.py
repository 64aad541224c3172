"""Flows: the inner packets of a capture by VNI, addresses, protocol and ports."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from vxlanpkt._values import Value
from vxlanpkt.analysis.group_counters import GroupCounter
from vxlanpkt.analysis.merging import GroupSums, earlier
from vxlanpkt.analysis.passes import Pass
from vxlanpkt.analysis.tables import Column, Table, as_uint16, earliest_first, time_or_none
from vxlanpkt.analysis.words import ethertype_name, initials, ip_protocol_name
from vxlanpkt.batches.columns import AddressColumn
from vxlanpkt.capture.counting import Cut
from vxlanpkt.capture.opening import Files
from vxlanpkt.capture.reader import Capture
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.grouping import NO_GROUP, Groups
from vxlanpkt.kernel.contract.columns import ADDRESS
from vxlanpkt.kernel.contract.counting import Count
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.selection import RowFilter

if TYPE_CHECKING:
    from vxlanpkt.capture.results import Progress

_KEY = {
    "src": ADDRESS, "dst": ADDRESS, "vni": "I", "src_port": "H", "dst_port": "H", "ethertype": "H", "family": "B",
    "protocol": "B",
}  # fmt: skip
_OTHER_WAY = {"src": "dst", "dst": "src", "src_port": "dst_port", "dst_port": "src_port"}


class Flow(Value):
    """Inner packets of one VNI that have the same addresses, protocol and ports; from one end to the other.

    vni, src, dst       the VXLAN network identifier and the inner addresses; no addresses where it is not IP
    src_port, dst_port  of TCP and UDP; 0 for others, and for fragments but the first
    protocol            of IP; 0 where it is not IP
    ethertype           behind inner VLAN tags; 1 where it is a length, as in IEEE 802.3 frames; 0 for what is neither
                        Ethernet nor IP (GPE)
    packets, bytes      how many, and the lengths of the inner frames on the wire
    first_ns, last_ns   the earliest and the latest time, nanoseconds since 1970-01-01 UTC; None without timestamps
    first_record        the number of the record in which it was met first, counted from 1
    tcp_flags           all flags that were set, `TCP.flags` with `TCP.reserved` above them
    reverse_packets, reverse_bytes, reverse_tcp_flags  the same of the other direction, where directions are merged
    """

    __slots__ = __match_args__ = (
        "vni", "src", "dst", "src_port", "dst_port", "protocol", "ethertype", "packets", "bytes", "first_ns", "last_ns",
        "first_record", "tcp_flags", "reverse_packets", "reverse_bytes", "reverse_tcp_flags",
    )  # fmt: skip

    vni: int
    src: IPv4Address | IPv6Address | None
    dst: IPv4Address | IPv6Address | None
    src_port: int
    dst_port: int
    protocol: int
    ethertype: int
    packets: int
    bytes: int
    first_ns: int | None
    last_ns: int | None
    first_record: int
    tcp_flags: int
    reverse_packets: int
    reverse_bytes: int
    reverse_tcp_flags: int

    def __init__(
        self,
        vni: int,
        src: IPv4Address | IPv6Address | None,
        dst: IPv4Address | IPv6Address | None,
        src_port: int,
        dst_port: int,
        protocol: int,
        ethertype: int,
        packets: int,
        bytes: int,  # noqa: A002 - the field's name
        first_ns: int | None,
        last_ns: int | None,
        first_record: int,
        tcp_flags: int,
        reverse_packets: int = 0,
        reverse_bytes: int = 0,
        reverse_tcp_flags: int = 0,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "vni", vni)
        set_field(self, "src", src)
        set_field(self, "dst", dst)
        set_field(self, "src_port", src_port)
        set_field(self, "dst_port", dst_port)
        set_field(self, "protocol", protocol)
        set_field(self, "ethertype", ethertype)
        set_field(self, "packets", packets)
        set_field(self, "bytes", bytes)
        set_field(self, "first_ns", first_ns)
        set_field(self, "last_ns", last_ns)
        set_field(self, "first_record", first_record)
        set_field(self, "tcp_flags", tcp_flags)
        set_field(self, "reverse_packets", reverse_packets)
        set_field(self, "reverse_bytes", reverse_bytes)
        set_field(self, "reverse_tcp_flags", reverse_tcp_flags)

    @property
    def duration_ns(self) -> int | None:
        """Nanoseconds from the first to the last packet; None without timestamps."""
        return None if self.first_ns is None or self.last_ns is None else self.last_ns - self.first_ns


class FlowTable(Table[Flow]):
    """Flows in the order of the file, by the first packet of each; `table[0]` is a `Flow`. Not made by hand.

    `columns` are named as the fields of `Flow`; a time that is not there is `NO_TIMESTAMP`, the smallest number.
    """

    @property
    def bidirectional(self) -> bool:
        """Whether a row is both directions of a flow."""
        return "reverse_packets" in self.columns

    def _row(self, values: dict[str, Any]) -> Flow:
        values["first_ns"], values["last_ns"] = time_or_none(values["first_ns"]), time_or_none(values["last_ns"])
        return Flow(**values)

    def _said(self, name: str, row: Flow) -> str:
        if name == "protocol":
            return "" if row.src is None else ip_protocol_name(row.protocol)
        if name == "ethertype":
            return ethertype_name(row.ethertype)
        return initials(getattr(row, name)) if name.endswith("tcp_flags") else super()._said(name, row)

    def _orders(self) -> Mapping[str, Callable[[int], Any]]:
        columns = self.columns

        def most(name: str) -> Callable[[int], int]:
            column, other = columns[name], columns.get(f"reverse_{name}")
            return lambda row: -column[row] - (0 if other is None else other[row])

        return {"bytes": most("bytes"), "packets": most("packets"), "first": earliest_first(columns["first_ns"])}


def flows(
    source: Files | Capture,
    *,
    ports: Iterable[int] | None = None,
    policy: DecapPolicy | None = None,
    vni: int | Iterable[int] | None = None,
    filter: RowFilter | None = None,  # noqa: A002 - the API's name
    bidirectional: bool = False,
    progress: Progress | None = None,
    jobs: int = 1,
) -> FlowTable:
    """The flows inside the tunnels of a capture, by the outermost tunnel of each record.

    source         a path, a binary file object, "-", several files, a pattern for their names, as `open` takes them, or
                   a capture that was opened, which is left open
    ports, policy  as in `open`; a capture's own by default
    vni            only this VNI, or these
    filter         only packets that this `Filter` matches
    bidirectional  put both directions of a flow in one row; `src` is who sent the packet that comes first in the file
    progress       called with the bytes of the input taken, and its size if that is known
    jobs           how many processes read, of files that are named; the result is the same

    What is not IP is counted by its VNI and EtherType, and frames of IEEE 802.3, which have none, by their VNI alone.
    Raises PartialTableError, which has the table so far, if the source breaks off; CaptureError if it is no capture;
    OSError if it cannot be opened.
    """
    made = Pass(source, ports, policy, vni, filter, progress, jobs)
    counter = FlowCounter()
    made.fill(counter)
    return made.finish(counter.table(made.stats, bidirectional))


class FlowCounter(GroupCounter):
    """Counts flows; with a *limit* no more than so many, those that come first in the file."""

    KEY = _KEY
    COUNT = Count(
        ("inner_src", "inner_dst", "vni", "inner_src_port", "inner_dst_port", "flow_ethertype", "inner_family",
         "inner_protocol"),
        lengths="inner_original_length", timestamps="timestamp_ns", flags="inner_tcp_flags", status="status",
    )  # fmt: skip

    def table(self, stats: CaptureStats, bidirectional: bool = False) -> FlowTable:
        """What was counted so far."""
        return _table(self.found, stats, self.cut, bidirectional)


def _table(groups: Groups | GroupSums, stats: CaptureStats, cut: Cut, bidirectional: bool) -> FlowTable:
    found = groups.columns()
    columns: dict[str, Column] = {
        "vni": found["vni"],
        "src": AddressColumn(found["src"], found["family"]),
        "dst": AddressColumn(found["dst"], found["family"]),
        "src_port": found["src_port"],
        "dst_port": found["dst_port"],
        "protocol": found["protocol"],
        "ethertype": found["ethertype"],
        "packets": found["packets"],
        "bytes": found["bytes"],
        "first_ns": found["first"],
        "last_ns": found["last"],
        "first_record": found["first_number"],
        "tcp_flags": as_uint16(found["flags"]),
    }
    table = FlowTable(columns, stats, cut)
    return _merged(table, groups.find([found[_OTHER_WAY.get(name, name)] for name in _KEY])) if bidirectional else table


def _merged(table: FlowTable, reverse: Sequence[int]) -> FlowTable:
    """Both directions in one row, that of the one which comes first in the file.

    *reverse*: which row is the other direction.
    """
    kept = [row for row, other in enumerate(reverse) if row <= other]
    merged = table._chosen(kept)
    others = [None if reverse[row] in (row, NO_GROUP) else reverse[row] for row in kept]
    for name, code in (("packets", "Q"), ("bytes", "Q"), ("tcp_flags", "H")):
        column = table.columns[name]
        numbers = (0 if other is None else column[other] for other in others)
        merged.columns[f"reverse_{name}"] = memoryview(array(code, numbers))
    for name, best in (("first_ns", earlier), ("last_ns", max)):
        column = table.columns[name]
        pairs = zip(kept, others, strict=True)
        times = [column[row] if other is None else best(column[row], column[other]) for row, other in pairs]
        merged.columns[name] = memoryview(array("q", times))
    return merged

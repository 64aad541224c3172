"""What a report says of a capture, as plain values: computed elsewhere, drawn elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeAlias

from vxlanpkt.analysis.flow_tables import Flow
from vxlanpkt.analysis.vtep_tables import VTEP
from vxlanpkt.errors import Reason

Address: TypeAlias = IPv4Address | IPv6Address
Numbers: TypeAlias = tuple[int, ...]
"""Numbers of records, counted from 1: examples, never all of them."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The capture as a whole.

    source, size       what was read: its name, and its bytes if that is known
    container          pcap or pcapng
    interfaces         their names and descriptions, as the file has them
    made_at            when the report was made
    policy             what counts as VXLAN: its name or its parameters
    ports, vnis        the UDP ports that carry it; the VNIs asked for, None for all
    records, bytes     all of them, and their lengths on the wire
    vxlan, vxlan_bytes those that the policy accepts, and the lengths of their outer frames
    inner_bytes        the lengths of the inner frames
    cut                of how many the capture kept only a part
    first_ns, last_ns  of all records; None without timestamps
    untimed            how many records have no timestamp
    unsupported        records of link types that are not understood: (number, records)
    fault              why the rest of the file could not be read, if it could not
    """

    source: str
    size: int | None
    container: str
    interfaces: tuple[str, ...]
    made_at: datetime
    policy: str
    ports: tuple[int, ...]
    vnis: tuple[int, ...] | None
    records: int
    bytes: int
    vxlan: int
    vxlan_bytes: int
    inner_bytes: int
    cut: int
    first_ns: int | None
    last_ns: int | None
    untimed: int
    unsupported: tuple[tuple[int, int], ...]
    fault: str | None

    @property
    def duration_ns(self) -> int | None:
        """Nanoseconds from the first record to the last; None without timestamps."""
        return None if self.first_ns is None or self.last_ns is None else self.last_ns - self.first_ns


@dataclass(frozen=True, slots=True)
class VNITraffic:
    """One VNI: its packets, the bytes of its inner frames, how many pairs of endpoints carry it, and signs of loss.

    retransmitted  TCP segments that were sent again; duplicates, inner frames that were there twice
    unanswered     TCP flows of which nothing but the SYN is there, in one direction
    """

    vni: int
    packets: int
    bytes: int
    pairs: int
    first_ns: int | None
    last_ns: int | None
    first_record: int
    retransmitted: int
    duplicates: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class VNIs:
    """VNIs, most bytes first; `left_out` packets belong to VNIs beyond the table's limit."""

    rows: tuple[VNITraffic, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Series:
    """The inner bytes and packets of a VNI, or of all others (None), in each bucket of time."""

    vni: int | None
    bytes: tuple[int, ...]
    packets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Traffic by VNI over time, the largest VNIs and all others together.

    start_ns, width_ns  where the first bucket begins, and how long each is
    exact               False where VNIs were so many that small ones were put together before all was seen
    """

    start_ns: int
    width_ns: int
    series: tuple[Series, ...]
    others: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Pairs of tunnel endpoints, most outer bytes first; `left_out` packets belong to pairs beyond the limit."""

    pairs: tuple[VTEP, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Flows:
    """Flows in both directions, most bytes first: the `top` of so many; `left_out` packets are of others."""

    top: tuple[Flow, ...]
    count: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Drop:
    """A reason for which records were refused."""

    reason: Reason
    records: int
    bytes: int
    examples: Numbers


@dataclass(frozen=True, slots=True)
class TooBig:
    """A message that a packet was too big: the MTU that it reports, who says so, and to whom it was sent.

    vni         None for one on the underlay
    packet      source and destination of the packet that it quotes, if that can be read
    """

    record: int
    vni: int | None
    source: Address | None
    receiver: Address | None
    mtu: int | None
    packet: tuple[Address, Address] | None


@dataclass(frozen=True, slots=True)
class TooBigs:
    """All such messages outside or inside tunnels: how many, and those that were looked into one by one."""

    count: int
    examined: int
    smallest_mtu: int | None
    messages: tuple[TooBig, ...]


@dataclass(frozen=True, slots=True)
class PairCount:
    """So many packets of a VNI from one endpoint to another (None: of all VNIs), out of all that there are."""

    vni: int | None
    src: Address
    dst: Address
    count: int
    packets: int
    first_record: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Packets on the underlay by length, as (at most, packets), and what is said of fragmentation.

    mtu, mtu_from         what the underlay is taken to carry, and where that is from: "message", "fragments", "assumed"
    largest               length of the largest outer IP packet in a record, and records with the largest
    too_large             packets longer than mtu on the underlay; of these, whose inner packet has DF, and IPv6 inside
    first_fragments       outer fragments that begin a datagram to a VXLAN port
    atomic_fragments      whole IPv6 packets with a fragment header, refused all the same
    later_fragments       other UDP fragments: they have no ports, so nobody knows of which tunnel
    fragmenting           who sends first fragments, and how many of them have others sent than the table holds
    inner_fragments       IP fragments inside tunnels
    outer_df, inner_df    IPv4 packets with DF, and all IPv4 packets, outside and inside
    outside, inside       messages that a packet was too big
    left_out              packets of lengths for which the table had no room: no IP header says so much
    """

    mtu: int
    mtu_from: str
    largest: int
    largest_examples: Numbers
    lengths: tuple[tuple[int, int], ...]
    too_large: int
    too_large_df: int
    too_large_ipv6: int
    first_fragments: int
    first_examples: Numbers
    atomic_fragments: int
    later_fragments: int
    later_examples: Numbers
    fragmenting: tuple[PairCount, ...]
    fragmenting_left_out: int
    inner_fragments: int
    inner_examples: Numbers
    outer_df: tuple[int, int]
    inner_df: tuple[int, int]
    outside: TooBigs
    inside: TooBigs
    left_out: int


@dataclass(frozen=True, slots=True)
class Repetition:
    """A record that repeats an earlier one."""

    record: int
    earlier: int


@dataclass(frozen=True, slots=True)
class Repetitions:
    """Packets that were there before.

    window_ns   how far apart the two may be
    same_outer  with the identification of the outer IPv4 header too: the copy was made behind the encapsulation
    new_outer   with another one: the inner frame was encapsulated twice
    unknown     over IPv6, which has no identification, or with one of 0, which all packets of a sender may have
    pairs       VNIs and endpoints, most repetitions first; left_out are repetitions of others
    overlooked  how many packets were forgotten before the window passed: so many repetitions may not be counted
    """

    window_ns: int
    count: int
    same_outer: int
    new_outer: int
    unknown: int
    pairs: tuple[PairCount, ...]
    left_out: int
    examples: tuple[Repetition, ...]
    overlooked: int


@dataclass(frozen=True, slots=True)
class Congestion:
    """ECN marks: packets by the outer and the inner mark, [outer][inner] with no inner IP last; and who is marked.

    marked            packets with CE outside
    marked_inside     with CE inside alone
    lost              CE outside although the inner packet cannot be marked: it has to be dropped
    """

    table: tuple[tuple[int, ...], ...]
    marked: int
    marked_inside: int
    lost: int
    pairs: tuple[PairCount, ...]
    marked_examples: Numbers
    lost_examples: Numbers
    left_out: int


@dataclass(frozen=True, slots=True)
class OneWayKind:
    """Flows of one kind of which only one direction is there: how many of all flows of that kind; the largest."""

    kind: str
    flows: int
    of: int
    packets: int
    bytes: int
    examples: tuple[Flow, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a report says."""

    overview: Overview
    vnis: VNIs
    timeline: Timeline | None
    endpoints: Endpoints
    flows: Flows
    drops: tuple[Drop, ...]
    sizes: Sizes
    duplicates: Repetitions
    retransmissions: Repetitions
    congestion: Congestion
    one_way: tuple[OneWayKind, ...]


def as_plain(value: Any) -> Any:
    """A finding as plain values, fit for JSON: addresses and times as text, reasons by their names."""
    if isinstance(value, (tuple, list)):
        return [as_plain(item) for item in value]
    if hasattr(value, "__match_args__"):  # a finding, or a row of a table
        return {name: as_plain(getattr(value, name)) for name in value.__match_args__}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.name
    return str(value) if isinstance(value, (IPv4Address, IPv6Address)) else value

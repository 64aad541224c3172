"""What a report has to say of a capture, counted record by record from parsed layers: nothing of columns or kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import vxlanpkt
from vxlanpkt import (
    TCP,
    CaptureError,
    DecapPolicy,
    Dissection,
    Fragment,
    IPv4,
    IPv6,
    LinkType,
    ParseError,
    Reason,
    decap,
    dissect,
)
from vxlanpkt.capture import Record
from vxlanpkt.capture.links import start_of

MILLISECOND = 1_000_000


class Seen(NamedTuple):
    """One record: its number, what became of it, and where it has a tunnel what is in that."""

    number: int
    record: Record
    reason: Reason
    outer: Dissection | None
    vni: int = -1
    inner: bytes = b""
    inner_length: int = 0
    packet: Dissection | None = None

    @property
    def vteps(self) -> tuple[str, str]:
        ip = ip_of(self.outer)
        assert ip is not None
        return str(ip.src), str(ip.dst)


def read(path: Path, policy: DecapPolicy) -> Iterator[Seen]:
    """Every record up to the fault of the file."""
    with vxlanpkt.open(path) as capture:
        try:
            for number, record in enumerate(capture, 1):
                yield _seen(number, record, policy)
        except CaptureError:
            return


def _seen(number: int, record: Record, policy: DecapPolicy) -> Seen:
    start = start_of(record.link_type)
    if start is None:
        return Seen(number, record, Reason.NOT_VXLAN, None)
    outer = dissect(record.frame, start=start, original_length=record.frame_length)
    try:
        got = decap(record.frame, policy=policy, start=start, original_length=record.frame_length)
    except ParseError as error:
        return Seen(number, record, error.reason, outer)
    inner = bytes(got.inner)
    link = LinkType.RAW if got.link_type == LinkType.RAW else LinkType.ETHERNET
    packet = dissect(inner, start=link, original_length=got.inner_original_length)
    return Seen(number, record, Reason.OK, outer, got.vni, inner, got.inner_original_length, packet)


def ip_of(packet: Dissection | None) -> IPv4 | IPv6 | None:
    """The first IP header."""
    layers = () if packet is None else packet.layers
    return next((layer for layer in layers if isinstance(layer, (IPv4, IPv6))), None)


def length_of(ip: IPv4 | IPv6 | None) -> int:
    if ip is None:
        return 0
    return (ip.total_length if isinstance(ip, IPv4) else 40 + (ip.payload_length or 0)) or 0


def has_df(ip: IPv4 | IPv6 | None) -> bool:
    return isinstance(ip, IPv4) and bool(ip.flags & 2)


def is_fragment(ip: IPv4 | IPv6 | None) -> bool:
    if isinstance(ip, IPv4):
        return bool(ip.flags & 1 or ip.fragment_offset)
    headers = () if ip is None else ip.extension_headers
    return any(isinstance(one, Fragment) and (one.more_fragments or one.fragment_offset) for one in headers)


def marks(every: list[Seen]) -> Counter[tuple[int, int]]:
    """Packets by outer and inner ECN; 4 where there is no IP inside."""
    found: Counter[tuple[int, int]] = Counter()
    for one in every:
        if one.reason is Reason.OK:
            outer, inner = ip_of(one.outer), ip_of(one.packet)
            assert outer is not None
            found[outer.ecn, 4 if inner is None else inner.ecn] += 1
    return found


def duplicates(every: list[Seen]) -> list[tuple[int, int]]:
    """(record, earlier one), by comparing each with all before it."""
    found: list[tuple[int, int]] = []
    latest: dict[Any, Seen] = {}
    for one in every:
        if one.reason is not Reason.OK or one.record.timestamp_ns is None:
            continue
        key = (one.vni, one.vteps, one.inner, one.inner_length)
        before = latest.get(key)
        if before is not None and distance(one, before) <= 10 * MILLISECOND:
            found.append((one.number, before.number))
        latest[key] = one
    return found


def retransmissions(every: list[Seen]) -> list[tuple[int, int]]:
    """The same for TCP segments that are no duplicates."""
    found: list[tuple[int, int]] = []
    twice = {number for number, _ in duplicates(every)}
    latest: dict[Any, Seen] = {}
    for one in every:
        key = _segment(one)
        if key is None or one.number in twice or one.record.timestamp_ns is None:
            continue
        before = latest.get(key)
        if before is not None and distance(one, before) <= 5000 * MILLISECOND:
            found.append((one.number, before.number))
        latest[key] = one
    return found


def _segment(one: Seen) -> Any:
    """What a TCP segment that takes room in the sequence is known by."""
    layers = () if one.packet is None else one.packet.layers
    for ip, tcp in pairwise(layers):
        if isinstance(ip, (IPv4, IPv6)) and isinstance(tcp, TCP):
            header = 4 * (ip.ihl or 5) if isinstance(ip, IPv4) else 40
            taken = length_of(ip) - header - 4 * (tcp.data_offset or 5) + bool(tcp.flags & 2) + bool(tcp.flags & 1)
            if not taken:
                return None
            return one.vni, one.vteps, ip.src, ip.dst, tcp.src_port, tcp.dst_port, tcp.sequence_number, taken
        if isinstance(ip, (IPv4, IPv6)):
            return None
    return None


def distance(one: Seen, other: Seen) -> int:
    assert one.record.timestamp_ns is not None
    assert other.record.timestamp_ns is not None
    return abs(one.record.timestamp_ns - other.record.timestamp_ns)

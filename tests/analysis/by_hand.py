"""What is inside a tunnel, read with struct alone: the oracle that knows nothing of columns, kernels or layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from struct import unpack_from
from typing import Any, NamedTuple

import vxlanpkt
from vxlanpkt import CaptureError, DecapPolicy, LinkType, ParseError, decap
from vxlanpkt.capture.links import start_of
from vxlanpkt.capture.reader import FILE_POLICY

DATA = Path(__file__).parent.parent / "data"
CAPTURES = sorted(path.name for path in DATA.glob("*.pcap*") if path.suffix != ".jsonl")
# What else is needed to see the tunnels in a capture.
POLICIES = {
    "basic_v4_port_odd.pcap": FILE_POLICY.replace(ports=(51820,)),
    "gpe_external_v4.pcap": FILE_POLICY.replace(ports=(4789, 4790), gpe=True),
}
EXTENSIONS = (0, 43, 60)


class Inner(NamedTuple):
    """One packet in a tunnel: what makes its flow, and what is counted of it."""

    vni: int
    src: str | None
    dst: str | None
    src_port: int
    dst_port: int
    protocol: int
    ethertype: int
    length: int
    time: int | None
    tcp_flags: int
    vtep_src: str
    vtep_dst: str
    outer_length: int
    record: int

    @property
    def flow(self) -> tuple[Any, ...]:
        return self[:7]


def policy_of(name: str) -> DecapPolicy:
    return POLICIES.get(name, FILE_POLICY)


def packets(name: str) -> Iterator[Inner]:
    """Each record that has a tunnel, up to the fault of the file."""
    policy = policy_of(name)
    with vxlanpkt.open(DATA / name) as capture:
        try:
            for number, record in enumerate(capture, 1):
                start = start_of(record.link_type)
                if start is None:
                    continue
                length = record.frame_length
                try:
                    got = decap(record.frame, policy=policy, start=start, original_length=length)
                except ParseError:
                    continue
                outer = got.outer[vxlanpkt.IPv4] if vxlanpkt.IPv4 in got.outer else got.outer[vxlanpkt.IPv6]
                inner_length = got.inner_original_length
                src, dst, src_port, dst_port, protocol, ethertype, tcp_flags = read_inner(
                    bytes(got.inner), inner_length - len(got.inner), got.link_type
                )
                yield Inner(
                    got.vni, src, dst, src_port, dst_port, protocol, ethertype, inner_length, record.timestamp_ns,
                    tcp_flags, str(outer.src), str(outer.dst), length, number,
                )  # fmt: skip
        except CaptureError:
            return


def read_inner(data: bytes, missing: int, link_type: LinkType | None) -> tuple[Any, ...]:
    """Addresses, ports, protocol, EtherType and TCP flags."""
    at, ethertype = 0, 0
    if link_type is LinkType.ETHERNET:
        at, ethertype = 14, unpack_from("!H", data, 12)[0]
        while ethertype in (0x8100, 0x88A8) and len(data) - at >= 4:
            at, ethertype = at + 4, unpack_from("!H", data, at + 2)[0]
        ethertype = ethertype if ethertype >= 0x600 else bool(ethertype)  # a length: they are all one
    elif link_type is not None:
        ethertype = 0x0800 if data[0] >> 4 == 4 else 0x86DD
    packet = data[at:]
    read = {0x0800: read_ipv4, 0x86DD: read_ipv6}.get(ethertype)
    found = None if read is None else read(packet, missing)
    if found is None:
        return None, None, 0, 0, 0, ethertype, 0
    src, dst, protocol, content = found
    src_port = dst_port = flags = 0
    if content is not None and protocol in (6, 17) and len(content) >= 4:
        src_port, dst_port = unpack_from("!HH", content)
        if protocol == 6 and len(content) >= 14:
            flags = unpack_from("!H", content, 12)[0] & 0x0FFF
    return src, dst, src_port, dst_port, protocol, ethertype, flags


def read_ipv4(packet: bytes, missing: int) -> tuple[str, str, int, bytes | None] | None:
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    header, (total, _, fragment) = packet[0] % 16 * 4, unpack_from("!HHH", packet, 2)
    if not 20 <= header <= total <= len(packet) + missing or header > len(packet):
        return None
    content = None if fragment & 0x1FFF else packet[header:total]
    return str(ip_address(packet[12:16])), str(ip_address(packet[16:20])), packet[9], content


def read_ipv6(packet: bytes, missing: int) -> tuple[str, str, int, bytes | None] | None:
    if len(packet) < 40 or packet[0] >> 4 != 6:
        return None
    length = unpack_from("!H", packet, 4)[0]
    if length > len(packet) - 40 + missing:
        return None
    end, at, protocol, is_later = min(40 + length, len(packet)), 40, packet[6], False
    while protocol in (*EXTENSIONS, 44) and not is_later:
        if end - at < 8:
            return None
        size = 8 if protocol == 44 else packet[at + 1] * 8 + 8
        is_later = protocol == 44 and unpack_from("!H", packet, at + 2)[0] >> 3 != 0
        protocol, at = packet[at], at + size
    content = None if is_later else packet[at:end]
    return str(ip_address(packet[8:24])), str(ip_address(packet[24:40])), protocol, content


def flows_by_hand(found: list[Inner]) -> list[dict[str, Any]]:
    """Flows as a dictionary counts them, in the order of the file."""
    groups: dict[tuple[Any, ...], list[Inner]] = {}
    for one in found:
        groups.setdefault(one.flow, []).append(one)
    return [
        dict(zip(Inner._fields[:7], flow, strict=True))
        | {
            "packets": len(of),
            "bytes": sum(one.length for one in of),
            "first_ns": min((one.time for one in of if one.time is not None), default=None),
            "last_ns": max((one.time for one in of if one.time is not None), default=None),
            "first_record": of[0].record,
            "tcp_flags": union(one.tcp_flags for one in of),
        }
        for flow, of in groups.items()
    ]


def vteps_by_hand(found: list[Inner]) -> list[dict[str, Any]]:
    """The same for the endpoints."""
    pairs = dict.fromkeys((one.vtep_src, one.vtep_dst) for one in found)
    rows = []
    for src, dst in pairs:
        of = [one for one in found if (one.vtep_src, one.vtep_dst) == (src, dst)]
        times = [one.time for one in of if one.time is not None]
        rows.append({
            "src": src, "dst": dst, "packets": len(of), "inner_bytes": sum(one.length for one in of),
            "outer_bytes": sum(one.outer_length for one in of), "vnis": tuple(sorted({one.vni for one in of})),
            "first_ns": min(times, default=None), "last_ns": max(times, default=None),
            "first_record": of[0].record,
        })  # fmt: skip
    return rows


def union(flags: Any) -> int:
    """All bits of some numbers."""
    return sum(1 << bit for bit, count in Counter(bit for one in flags for bit in range(12) if one >> bit & 1).items())

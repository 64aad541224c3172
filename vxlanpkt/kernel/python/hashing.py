"""The specification of the flow hash that gives the UDP source port (RFC 7348 section 5, RFC 6335).

All packets of an inner flow have one hash, so that the underlay's ECMP keeps them in order. With
`mix(a, b)` the 64x64 bit product folded by xor of its halves, and K0..K3 as below, the hash is

    h = mix(addresses ^ K0, ports ^ K1);  h = mix(h ^ K2, K3);  the xor of the two 32-bit halves of h

IPv4       addresses = src << 32 | dst; ports = src_port << 48 | dst_port << 32 | protocol
IPv6       addresses = mix(src high ^ K0, src low ^ K1) ^ mix(dst high ^ K2, dst low ^ K3); ports as above
fragments  as above, with ports = 0
MPLS       addresses = the labels down to the bottom of the stack, the first three at most, 20 bits
           each; ports = 0
others     addresses = dst MAC << 16 | EtherType; ports = src MAC

Tags are seen through, protocols without ports have 0 for them, an IP header that cannot be read
makes the frame one of the others, and a frame too short for a header hashes to 0. The symmetric
variant first puts the smaller (address, port) as src.
"""

from __future__ import annotations

from vxlanpkt.kernel.contract.protocols import IPV4_TYPE, IPV6_TYPE
from vxlanpkt.kernel.contract.spans import FRAGMENTED, NO_KEY, Buffer, Fault, Kind, Row
from vxlanpkt.kernel.python.scanning import TAGS, scan_ipv4, scan_ipv6

K0, K1, K2, K3 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93
_MASK = (1 << 64) - 1

# TCP, UDP, DCCP, SCTP and UDP-Lite begin with two ports.
_WITH_PORTS = frozenset((6, 17, 33, 132, 136))
_MPLS = frozenset((0x8847, 0x8848))
_BOTTOM_OF_STACK = 0x100


def mix(a: int, b: int) -> int:
    """The 128-bit product of two 64-bit numbers, its halves folded by xor."""
    product = a * b
    return (product & _MASK) ^ (product >> 64)


def inner_ip(buf: Buffer, start: int, end: int, raw: bool = False) -> tuple[int, int, Row | None]:
    """EtherType and place of what is behind an Ethernet header and its tags, and its row if it is sound IP.

    With *raw* the bytes begin with an IP header.
    """
    if raw:
        at = start
        ethertype = {4: IPV4_TYPE, 6: IPV6_TYPE}.get(buf[start] >> 4, 0) if end > start else 0
    else:
        ethertype = buf[start + 12] << 8 | buf[start + 13]
        at = start + 14
    while ethertype in TAGS and end - at >= 4:
        ethertype = buf[at + 2] << 8 | buf[at + 3]
        at += 4
    row: Row | Fault | None = None
    if ethertype == IPV4_TYPE:
        row = scan_ipv4(buf, at, end)
    elif ethertype == IPV6_TYPE:
        row = scan_ipv6(buf, at, end)
    return ethertype, at, None if isinstance(row, Fault) else row


def flow_hash(data: bytes, symmetric: bool, raw: bool) -> int:
    """The 32-bit hash of the flow that a frame belongs to."""
    return hash_flow(data, 0, len(data), symmetric, raw)


def hash_flow(buf: Buffer, start: int, end: int, symmetric: bool = False, raw: bool = False) -> int:
    """The 32-bit hash of the flow that the frame `buf[start:end]` belongs to."""
    if end - start < (1 if raw else 14):
        return 0
    ethertype, at, row = inner_ip(buf, start, end, raw)
    if row is not None:
        return _hash_ip(buf, at, row, symmetric)
    if ethertype in _MPLS:
        return _finish(_labels(buf, at, end), 0)
    if raw:
        return 0
    dst = int.from_bytes(buf[start : start + 6], "big")
    src = int.from_bytes(buf[start + 6 : start + 12], "big")
    if symmetric and src > dst:
        dst, src = src, dst
    return _finish(dst << 16 | ethertype, src)


def source_port(flow: int, low: int, high: int) -> int:
    """A port of the half-open range, scaled from a flow hash as Linux does (udp_flow_src_port)."""
    flow ^= (flow << 16) & 0xFFFFFFFF
    return low + (flow * (high - low) >> 32)


def _finish(addresses: int, ports: int) -> int:
    mixed = mix(mix(addresses ^ K0, ports ^ K1) ^ K2, K3)
    return (mixed ^ mixed >> 32) & 0xFFFFFFFF


def _hash_ip(buf: Buffer, at: int, row: Row, symmetric: bool) -> int:
    kind, _, header_end, end, key, missing = row
    size = 4 if kind == Kind.IPV4 else 16
    first = at + 12 if size == 4 else at + 8
    src = int.from_bytes(buf[first : first + size], "big")
    dst = int.from_bytes(buf[first + size : first + 2 * size], "big")
    whole = key != NO_KEY and missing < FRAGMENTED
    src_port = dst_port = 0
    if whole and key in _WITH_PORTS and end - header_end >= 4:
        src_port = buf[header_end] << 8 | buf[header_end + 1]
        dst_port = buf[header_end + 2] << 8 | buf[header_end + 3]
    if symmetric and (src, src_port) > (dst, dst_port):
        src, src_port, dst, dst_port = dst, dst_port, src, src_port
    ports = src_port << 48 | dst_port << 32 | key if whole else 0
    if size == 4:
        return _finish(src << 32 | dst, ports)
    return _finish(mix(src >> 64 ^ K0, src & _MASK ^ K1) ^ mix(dst >> 64 ^ K2, dst & _MASK ^ K3), ports)


def _labels(buf: Buffer, at: int, end: int) -> int:
    labels = 0
    for _ in range(3):
        if end - at < 4:
            break
        entry = int.from_bytes(buf[at : at + 4], "big")
        labels = labels << 20 | entry >> 12
        at += 4
        if entry & _BOTTOM_OF_STACK:
            break
    return labels

"""What a kernel does with a long frame in a tunnel: cut it by what virtio_net_hdr_v1_hash_tunnel says, and no more."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from vxlanpkt.checksum import ones_complement_sum

HEADER_SIZE = 24
NEEDS_CSUM, OUTER_CSUM = 1, 8
TCPV4, TCPV6, ECN, TUNNEL_IPV4, TUNNEL_IPV6 = 1, 4, 0x80, 0x20, 0x40
_PSH_AND_FIN, _CWR = 0x09, 0x80


class TunnelOffload(NamedTuple):
    """The header before such a frame; the last two are the outer transport header's and the inner network header's."""

    flags: int
    gso_type: int
    header_length: int
    gso_size: int
    checksum_start: int
    checksum_offset: int
    buffers: int
    hash: bytes
    outer_transport: int
    inner_network: int


def split(data: bytes) -> tuple[TunnelOffload, bytes]:
    """The header and the frame."""
    head = struct.unpack("=BBHHHHH8s", data[:20]) + struct.unpack("<HH", data[20:HEADER_SIZE])
    return TunnelOffload(*head), data[HEADER_SIZE:]


def segments(offload: TunnelOffload, frame: bytes) -> Iterator[bytes]:
    """The frames that leave, each with its lengths, numbers and checksums."""
    assert offload.flags & NEEDS_CSUM and offload.checksum_offset == 16
    payload = offload.checksum_start + (frame[offload.checksum_start + 12] >> 4) * 4
    assert offload.header_length == payload
    count = -(-(len(frame) - payload) // offload.gso_size)
    assert count > 1
    for number in range(count):
        start = payload + number * offload.gso_size
        part = bytearray(frame[:payload] + frame[start : start + offload.gso_size])
        _finish_tcp(part, offload, number, is_last=number == count - 1)
        _finish_ip(part, offload.inner_network, bool(offload.gso_type & TCPV4), number)
        _finish_udp(part, offload, frame)
        _finish_ip(part, 14, bool(offload.gso_type & TUNNEL_IPV4), number)
        yield bytes(part)


def _finish_tcp(part: bytearray, offload: TunnelOffload, number: int, is_last: bool) -> None:
    at = offload.checksum_start
    sequence = int.from_bytes(part[at + 4 : at + 8], "big") + number * offload.gso_size
    part[at + 4 : at + 8] = (sequence % 2**32).to_bytes(4, "big")
    part[at + 13] &= ~(_CWR if number else 0) & ~(0 if is_last else _PSH_AND_FIN) & 0xFF
    part[at + 16 : at + 18] = bytes(2)
    is_ipv4 = bool(offload.gso_type & TCPV4)
    part[at + 16 : at + 18] = _checksum(part, at, _addresses(part, offload.inner_network, is_ipv4), 6)


def _finish_ip(part: bytearray, at: int, is_ipv4: bool, number: int) -> None:
    if not is_ipv4:
        part[at + 4 : at + 6] = (len(part) - at - 40).to_bytes(2, "big")
        return
    part[at + 2 : at + 4] = (len(part) - at).to_bytes(2, "big")
    identification = int.from_bytes(part[at + 4 : at + 6], "big") + number
    part[at + 4 : at + 6] = (identification % 2**16).to_bytes(2, "big")
    part[at + 10 : at + 12] = bytes(2)
    header = part[at : at + (part[at] & 15) * 4]
    part[at + 10 : at + 12] = (0xFFFF - ones_complement_sum(header)).to_bytes(2, "big")


def _finish_udp(part: bytearray, offload: TunnelOffload, frame: bytes) -> None:
    at = offload.outer_transport
    addresses = _addresses(part, 14, bool(offload.gso_type & TUNNEL_IPV4))
    whole, field = len(frame) - at, int.from_bytes(frame[at + 6 : at + 8], "big")
    assert int.from_bytes(frame[at + 4 : at + 6], "big") == whole
    part[at + 4 : at + 6] = (len(part) - at).to_bytes(2, "big")
    if not offload.flags & OUTER_CSUM:
        assert not field
        return
    assert field == ones_complement_sum(addresses + whole.to_bytes(4, "big") + (17).to_bytes(4, "big"))
    part[at + 6 : at + 8] = bytes(2)
    part[at + 6 : at + 8] = _checksum(part, at, addresses, 17)


def _addresses(part: bytearray, at: int, is_ipv4: bool) -> bytes:
    return bytes(part[at + 12 : at + 20] if is_ipv4 else part[at + 8 : at + 40])


def _checksum(part: bytearray, at: int, addresses: bytes, protocol: int) -> bytes:
    pseudo_header = addresses + (len(part) - at).to_bytes(4, "big") + protocol.to_bytes(4, "big")
    found = 0xFFFF - ones_complement_sum(pseudo_header + bytes(part[at:]))
    return (found or 0xFFFF).to_bytes(2, "big")

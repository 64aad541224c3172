"""Frames made with `struct` alone: they prove the rig, and the library is held against them."""

from __future__ import annotations

import socket
import struct
from typing import Any, NamedTuple

VNI = 5000
KERNEL_MAC, PEER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
KERNEL_IP, PEER_IP = "192.0.2.1", "192.0.2.2"
KERNEL_IP6, PEER_IP6 = "2001:db8::1", "2001:db8::2"
INNER_KERNEL_MAC, INNER_PEER_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02"

_EXPERIMENTAL = 0x88B5  # IEEE 802's local experimental ethertype: no stack answers it


def mac(text: str) -> bytes:
    """The six bytes of a MAC address."""
    return bytes.fromhex(text.replace(":", ""))


def inner_frame(token: bytes, size: int = 60, *, dst: str = INNER_KERNEL_MAC, src: str = INNER_PEER_MAC) -> bytes:
    """An inner frame of *size* bytes that nothing but a test answers; *token* tells it from all others."""
    return (mac(dst) + mac(src) + struct.pack("!H", _EXPERIMENTAL) + token).ljust(size, b"\xa5")


def inner_ipv4(
    token: bytes, *, tos: int = 0, ttl: int = 64, dst: str = INNER_KERNEL_MAC, src: str = INNER_PEER_MAC
) -> bytes:
    """An inner IPv4/UDP frame with the given TOS and TTL; *token* is its payload."""
    datagram = udp(7, 9, token, "10.0.0.2", "10.0.0.1", checksum=True)
    return mac(dst) + mac(src) + b"\x08\x00" + ipv4("10.0.0.2", "10.0.0.1", 17, datagram, tos=tos, ttl=ttl)


def inner_ipv6(
    token: bytes, *, tos: int = 0, ttl: int = 64, dst: str = INNER_KERNEL_MAC, src: str = INNER_PEER_MAC
) -> bytes:
    """An inner IPv6/UDP frame with the given traffic class and hop limit; *token* is its payload."""
    datagram = udp(7, 9, token, "fd00::2", "fd00::1", checksum=True)
    return mac(dst) + mac(src) + b"\x86\xdd" + ipv6("fd00::2", "fd00::1", 17, datagram, tos=tos, ttl=ttl)


def tagged(frame: bytes, vid: int, pcp: int = 0) -> bytes:
    """*frame* with one 802.1Q tag."""
    return frame[:12] + struct.pack("!HH", 0x8100, pcp << 13 | vid) + frame[12:]


def internet_sum(data: bytes) -> int:
    """RFC 1071's checksum, as sent."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ip_bytes(text: str) -> bytes:
    """The bytes of an IPv4 or IPv6 address."""
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def udp(src_port: int, dst_port: int, payload: bytes, src: str, dst: str, *, checksum: bool) -> bytes:
    """A UDP datagram, with a checksum or without."""
    length = 8 + len(payload)
    pseudo = ip_bytes(src) + ip_bytes(dst) + struct.pack("!IxxxB", length, 17)
    header = struct.pack("!HHHH", src_port, dst_port, length, 0)
    found = (internet_sum(pseudo + header + payload) or 0xFFFF) if checksum else 0
    return header[:6] + struct.pack("!H", found) + payload


def ipv4(
    src: str,
    dst: str,
    protocol: int,
    payload: bytes,
    *,
    tos: int = 0,
    ttl: int = 64,
    fragment: int = 0x4000,
    options: bytes = b"",
) -> bytes:
    """An IPv4 packet; *fragment* is the 16 bits of flags and fragment offset."""
    words = 5 + len(options) // 4
    header = (
        struct.pack(
            "!BBHHHBBH4s4s",
            0x40 | words,
            tos,
            words * 4 + len(payload),
            0,
            fragment,
            ttl,
            protocol,
            0,
            ip_bytes(src),
            ip_bytes(dst),
        )
        + options
    )
    return header[:10] + struct.pack("!H", internet_sum(header)) + header[12:] + payload


def ipv6(src: str, dst: str, next_header: int, payload: bytes, *, tos: int = 0, ttl: int = 64) -> bytes:
    """An IPv6 packet."""
    return (
        struct.pack("!IHBB16s16s", 6 << 28 | tos << 20, len(payload), next_header, ttl, ip_bytes(src), ip_bytes(dst))
        + payload
    )


class Outer(NamedTuple):
    """What an outer header is made of; the defaults are a plain RFC 7348 frame to the kernel's side."""

    ip_version: int = 4
    dst_port: int = 4789
    src_port: int = 50_000
    udp_checksum: bool = False
    tos: int = 0
    ttl: int = 64
    flags: int = 0x08
    reserved1: int = 0
    vni: int = VNI
    reserved2: int = 0
    fragment: int = 0x4000
    options: bytes = b""
    length_error: int = 0
    extension: bytes = b""
    extension_kind: int = 0
    padding: int = 0

    def with_(self, **changes: Any) -> Outer:
        """A copy with some fields changed."""
        return self._replace(**changes)

    def header(self) -> bytes:
        """The eight bytes of VXLAN."""
        return struct.pack("!II", self.flags << 24 | self.reserved1, self.vni << 8 | self.reserved2)

    def frame(self, inner: bytes) -> bytes:
        """The whole outer frame, from the peer to the kernel's side."""
        src, dst = (PEER_IP, KERNEL_IP) if self.ip_version == 4 else (PEER_IP6, KERNEL_IP6)
        datagram = udp(self.src_port, self.dst_port, self.header() + inner, src, dst, checksum=self.udp_checksum)
        if self.length_error:
            datagram = datagram[:4] + struct.pack("!H", len(datagram) + self.length_error) + datagram[6:]
        ethernet = mac(KERNEL_MAC) + mac(PEER_MAC)
        if self.ip_version == 4:
            return (
                ethernet
                + b"\x08\x00"
                + ipv4(src, dst, 17, datagram, tos=self.tos, ttl=self.ttl, fragment=self.fragment, options=self.options)
                + bytes(self.padding)
            )
        first = self.extension_kind if self.extension else 17
        return (
            ethernet
            + b"\x86\xdd"
            + ipv6(src, dst, first, self.extension + datagram, tos=self.tos, ttl=self.ttl)
            + bytes(self.padding)
        )

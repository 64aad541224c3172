"""The loop that everyone ends up writing: `struct`, offsets and careful bounds, nothing else."""

from __future__ import annotations

import struct
from typing import Any

from benchmarks.contender import DST, DST_MAC, PORTS, SRC, SRC_MAC, VNI, Flow, entropy_port
from benchmarks.frames import Frame, Inner, Outer

_UDP = struct.Struct("!HHHH")
_PORTS = struct.Struct("!HH")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_ETHERNET = struct.Struct("!6s6sH")
_TCP = struct.Struct("!HHIIBBHHH")
_VXLAN = struct.Struct("!II")
_U16 = struct.Struct("!H")
_OUTER = struct.Struct("!BBHHHBBH4s4sHHHHII")


def _payload(wire: bytes) -> tuple[int, int]:
    """Where the VXLAN header starts and where the datagram ends; ValueError for anything else."""
    size = len(wire)
    if size < 42:
        raise ValueError("too short")
    at = 14
    ethertype = wire[12] << 8 | wire[13]
    while ethertype in (0x8100, 0x88A8) and size >= at + 24:
        ethertype = wire[at + 2] << 8 | wire[at + 3]
        at += 4
    if ethertype == 0x0800:
        total = wire[at + 2] << 8 | wire[at + 3]
        header = (wire[at] & 15) << 2
        if wire[at] >> 4 != 4 or header < 20 or total < header + 16 or at + total > size:
            raise ValueError("not IPv4")
        if wire[at + 9] != 17 or (wire[at + 6] << 8 | wire[at + 7]) & 0x3FFF:
            raise ValueError("not UDP")
        end = at + total
        at += header
    elif ethertype == 0x86DD:
        if size < at + 56 or wire[at] >> 4 != 6 or wire[at + 6] != 17:
            raise ValueError("not UDP in IPv6")
        end = at + 40 + (wire[at + 4] << 8 | wire[at + 5])
        at += 40
        if end > size or end < at + 16:
            raise ValueError("IPv6 length")
    else:
        raise ValueError("not IP")
    _, dst_port, length, _ = _UDP.unpack_from(wire, at)
    if dst_port not in PORTS or length < 16 or at + length > end or not wire[at + 8] & 8:
        raise ValueError("not VXLAN")
    return at + 8, at + length


def _checksum(data: bytes) -> int:
    """RFC 1071's sum: 2**16 is 1 modulo 0xffff, so the whole is one division."""
    if len(data) & 1:
        data += b"\0"
    return 0xFFFF - (int.from_bytes(data, "big") % 0xFFFF or 0xFFFF)


class StructLoop:
    """All jobs with `struct`."""

    NAME = "struct loop"
    STRIDE = 1

    def version(self) -> str:
        return "hand-written"

    def prepare(self, frame: Frame) -> tuple[Outer, Inner]:
        return frame.outer_fields, frame.inner_fields

    def dissect(self, wire: bytes) -> list[tuple[str, int]]:
        """Names and offsets of the layers."""
        at, end = _payload(wire)
        found = [("Ethernet", 0)]
        ip = 14
        ethertype = wire[12] << 8 | wire[13]
        while ethertype in (0x8100, 0x88A8):
            found.append(("Dot1Q", ip))
            ethertype = wire[ip + 2] << 8 | wire[ip + 3]
            ip += 4
        found.append(("IPv4" if ethertype == 0x0800 else "IPv6", ip))
        found.append(("UDP", at - 8))
        found.append(("VXLAN", at))
        at += 8
        if end - at < 34:
            raise ValueError("inner cut")
        found.append(("Ethernet", at))
        ethertype = wire[at + 12] << 8 | wire[at + 13]
        at += 14
        if ethertype == 0x0800:
            found.append(("IPv4", at))
            protocol = wire[at + 9]
            at += (wire[at] & 15) << 2
        elif ethertype == 0x86DD and end - at >= 40:
            found.append(("IPv6", at))
            protocol = wire[at + 6]
            at += 40
        else:
            return found
        if protocol == 6 and end - at >= 20:
            found.append(("TCP", at))
        elif protocol == 17 and end - at >= 8:
            found.append(("UDP", at))
        return found

    def layers(self, wire: bytes) -> list[tuple[str, tuple[Any, ...]]]:
        """Names and unpacked fields of the layers."""
        structs = _STRUCTS
        return [(name, structs[name].unpack_from(wire, at)) for name, at in self.dissect(wire)]

    def parse(self, wire: bytes) -> Flow:
        at, end = _payload(wire)
        vni = wire[at + 4] << 16 | wire[at + 5] << 8 | wire[at + 6]
        at += 22
        if end < at + 20:
            raise ValueError("inner cut")
        ethertype = wire[at - 2] << 8 | wire[at - 1]
        if ethertype == 0x0800:
            protocol, src, dst = wire[at + 9], wire[at + 12 : at + 16], wire[at + 16 : at + 20]
            at += (wire[at] & 15) << 2
        elif ethertype == 0x86DD and end >= at + 40:
            protocol, src, dst = wire[at + 6], wire[at + 8 : at + 24], wire[at + 24 : at + 40]
            at += 40
        else:
            raise ValueError("inner not IP")
        if protocol not in (6, 17) or end < at + 4:
            raise ValueError("inner not TCP or UDP")
        src_port, dst_port = _PORTS.unpack_from(wire, at)
        return vni, src, dst, protocol, src_port, dst_port

    def build(self, prepared: tuple[Outer, Inner]) -> bytes:
        outer, inner = prepared
        if inner.protocol == 6:
            segment = _TCP.pack(inner.src_port, inner.dst_port, inner.sequence_number, inner.acknowledgment_number,
                                0x50, inner.flags, inner.window, 0, 0) + inner.payload  # fmt: skip
            at = 16
        else:
            segment = _UDP.pack(inner.src_port, inner.dst_port, 8 + len(inner.payload), 0) + inner.payload
            at = 6
        found = _checksum(inner.src + inner.dst + _VXLAN.pack(len(segment), inner.protocol) + segment)
        if not found and inner.protocol == 17:
            found = 0xFFFF
        segment = b"".join((segment[:at], _U16.pack(found), segment[at + 2 :]))
        content = b"".join((inner.dst_mac, inner.src_mac, _ip(inner.src, inner.dst, inner.protocol, inner.ttl,
                                                              len(segment), 0), segment))  # fmt: skip
        checksum = 0
        udp = _UDP.pack(outer.src_port, outer.dst_port, 16 + len(content), 0) + _VXLAN.pack(8 << 24, outer.vni << 8)
        if outer.checksum:
            pseudo = outer.src + outer.dst + _VXLAN.pack(16 + len(content), 17)
            checksum = _checksum(b"".join((pseudo, udp, content))) or 0xFFFF
        tag = _PORTS.pack(0x8100, outer.vid) if outer.vid else b""
        return b"".join((
            outer.dst_mac, outer.src_mac, tag,
            _ip(outer.src, outer.dst, 17, outer.ttl, 16 + len(content), 0x4000),
            udp[:6], _U16.pack(checksum), udp[8:], content,
        ))  # fmt: skip

    def encap(self, inner: bytes) -> bytes:
        size = len(inner)
        if size > 65_499:
            raise ValueError("too long")
        header = _OUTER.pack(0x45, 0, size + 36, 0, 0x4000, 64, 17, 0, SRC, DST,
                             entropy_port(inner), 4789, size + 16, 0, 8 << 24, VNI << 8)  # fmt: skip
        checksum = _checksum(header[:20])
        return b"".join((_LINK, header[:10], _U16.pack(checksum), header[12:], inner))

    def decap(self, wire: bytes) -> tuple[int, bytes]:
        at, end = _payload(wire)
        return wire[at + 4] << 16 | wire[at + 5] << 8 | wire[at + 6], wire[at + 8 : end]

    def names(self, found: list[tuple[str, Any]]) -> tuple[str, ...]:
        return tuple(name for name, _ in found)


_LINK = DST_MAC + SRC_MAC + b"\x08\x00"
_STRUCTS = {
    "Ethernet": _ETHERNET,
    "Dot1Q": _PORTS,
    "IPv4": _IPV4,
    "IPv6": _IPV6,
    "UDP": _UDP,
    "VXLAN": _VXLAN,
    "TCP": _TCP,
}


def _ip(src: bytes, dst: bytes, protocol: int, ttl: int, length: int, fragment: int) -> bytes:
    """The ethertype and an IP header."""
    if len(src) == 16:
        return b"\x86\xdd" + _IPV6.pack(6 << 28, length, protocol, ttl, src, dst)
    header = _IPV4.pack(0x45, 0, 20 + length, 0, fragment, ttl, protocol, 0, src, dst)
    return b"".join((b"\x08\x00", header[:10], _U16.pack(_checksum(header)), header[12:]))

"""dpkt, which has no VXLAN: a header class of one's own, as its users write it."""

from __future__ import annotations

from typing import Any

import dpkt
from dpkt.ethernet import Ethernet, VLANtag8021Q
from dpkt.ip import IP
from dpkt.ip6 import IP6
from dpkt.tcp import TCP
from dpkt.udp import UDP

from benchmarks.contender import DST, DST_MAC, PORTS, SRC, SRC_MAC, VNI, Flow, distribution_version, entropy_port
from benchmarks.frames import Frame, Inner, Outer


class VXLAN(dpkt.Packet):  # type: ignore[misc]
    """The eight bytes, with the frame behind them as data."""

    __hdr__ = (("flags", "B", 8), ("reserved1", "3s", b"\0\0\0"), ("word", "I", 0))

    @property
    def vni(self) -> int:
        """The network identifier."""
        return int(self.word) >> 8

    def unpack(self, buf: bytes) -> None:
        dpkt.Packet.unpack(self, buf)
        self.data: Any = Ethernet(self.data)


class Dpkt:
    """All jobs with dpkt."""

    NAME = "dpkt"
    STRIDE = 4

    def version(self) -> str:
        return distribution_version("dpkt")

    def prepare(self, frame: Frame) -> tuple[Outer, Inner]:
        return frame.outer_fields, frame.inner_fields

    def dissect(self, wire: bytes) -> tuple[Any, Any]:
        """Outer packet and VXLAN header: dpkt knows no layer behind this port."""
        outer = Ethernet(wire)
        udp = outer.data.data
        if not isinstance(udp, UDP) or udp.dport not in PORTS:
            raise ValueError("not VXLAN")
        return outer, VXLAN(udp.data)

    def layers(self, wire: bytes) -> tuple[Any, Any]:
        return self.dissect(wire)

    def parse(self, wire: bytes) -> Flow:
        _, vxlan = self.dissect(wire)
        ip = vxlan.data.data
        transport = ip.data
        return vxlan.vni, ip.src, ip.dst, ip.p, transport.sport, transport.dport

    def build(self, prepared: tuple[Outer, Inner]) -> bytes:
        outer, inner = prepared
        if inner.protocol == 6:
            transport = TCP(sport=inner.src_port, dport=inner.dst_port, seq=inner.sequence_number,
                            ack=inner.acknowledgment_number, flags=inner.flags, win=inner.window,
                            data=inner.payload)  # fmt: skip
        else:
            transport = UDP(sport=inner.src_port, dport=inner.dst_port, ulen=8 + len(inner.payload),
                            data=inner.payload)  # fmt: skip
        frame = _ethernet(inner.dst_mac, inner.src_mac, 0,
                          _ip(inner.src, inner.dst, inner.protocol, inner.ttl, transport, 0))  # fmt: skip
        content = bytes(VXLAN(word=outer.vni << 8, data=bytes(frame)))
        udp: Any = UDP(sport=outer.src_port, dport=outer.dst_port, ulen=8 + len(content), data=content)
        if not outer.checksum:
            udp = bytes(udp)  # as bytes it keeps its zero: dpkt computes the checksum of a UDP object
        ip = _ip(outer.src, outer.dst, 17, outer.ttl, udp, 0x4000)
        return bytes(_ethernet(outer.dst_mac, outer.src_mac, outer.vid, ip))

    def encap(self, inner: bytes) -> bytes:
        content = bytes(VXLAN(word=VNI << 8, data=inner))
        udp = UDP(sport=entropy_port(inner), dport=4789, ulen=8 + len(content), data=content)
        return bytes(_ethernet(DST_MAC, SRC_MAC, 0, _ip(SRC, DST, 17, 64, bytes(udp), 0x4000)))

    def decap(self, wire: bytes) -> tuple[int, bytes]:
        udp = Ethernet(wire).data.data
        if not isinstance(udp, UDP) or udp.dport not in PORTS:
            raise ValueError("not VXLAN")
        payload = udp.data
        return int.from_bytes(payload[4:7], "big"), payload[8:]

    def names(self, found: tuple[Any, Any]) -> tuple[str, ...]:
        outer, vxlan = found
        tags = ["Dot1Q"] * len(getattr(outer, "vlan_tags", ()))
        inner = vxlan.data
        return (
            "Ethernet",
            *tags,
            _NAMES[type(outer.data)],
            "UDP",
            "VXLAN",
            "Ethernet",
            _NAMES[type(inner.data)],
            _NAMES[type(inner.data.data)],
        )


_NAMES = {IP: "IPv4", IP6: "IPv6", UDP: "UDP", TCP: "TCP"}


def _ethernet(dst: bytes, src: bytes, vid: int, ip: Any) -> Any:
    ethertype = 0x0800 if isinstance(ip, IP) else 0x86DD
    if vid:
        tagged = Ethernet(dst=dst, src=src, type=ethertype, data=ip)
        tagged.vlan_tags = [VLANtag8021Q(id=vid, type=ethertype)]
        return tagged
    return Ethernet(dst=dst, src=src, type=ethertype, data=ip)


def _ip(src: bytes, dst: bytes, protocol: int, ttl: int, transport: Any, fragment: int) -> Any:
    if len(src) == 16:
        return IP6(src=src, dst=dst, nxt=protocol, hlim=ttl, plen=len(transport), data=transport)
    return IP(
        src=src, dst=dst, p=protocol, ttl=ttl, _flags_offset=fragment, id=0, len=20 + len(transport), data=transport
    )

"""pypacker, which has no VXLAN either: a header class of one's own, bound to the two ports."""

from __future__ import annotations

from typing import Any

from pypacker import pypacker
from pypacker.layer3.ip import IP
from pypacker.layer3.ip6 import IP6
from pypacker.layer4.tcp import TCP
from pypacker.layer4.udp import UDP
from pypacker.layer12.ethernet import Dot1Q, Ethernet

from benchmarks.contender import DST, DST_MAC, PORTS, SRC, SRC_MAC, VNI, Flow, distribution_version, entropy_port
from benchmarks.frames import Frame, Inner, Outer


class VXLAN(pypacker.Packet):  # type: ignore[misc]
    """The eight bytes; an Ethernet frame follows."""

    __hdr__ = (("flags", "B", 8), ("reserved1", "3s", b"\0\0\0"), ("word", "I", 0))

    @property
    def vni(self) -> int:
        """The network identifier."""
        return int(self.word) >> 8

    def _dissect(self, buf: bytes) -> tuple[int, int]:
        return 8, 0


pypacker.Packet.load_handler(VXLAN, {0: Ethernet})
pypacker.Packet.load_handler(UDP, {PORTS: VXLAN})


class Pypacker:
    """All jobs with pypacker."""

    NAME = "pypacker"
    STRIDE = 4

    def version(self) -> str:
        return distribution_version("pypacker")

    def prepare(self, frame: Frame) -> tuple[Outer, Inner]:
        return frame.outer_fields, frame.inner_fields

    def dissect(self, wire: bytes) -> Any:
        """It goes on to the next layer when asked: down to the inner transport."""
        packet = Ethernet(wire)
        packet[VXLAN].higher_layer.higher_layer.higher_layer  # noqa: B018 - the access is what dissects
        return packet

    def layers(self, wire: bytes) -> Any:
        """As `dissect`, and one field of each header, which unpacks them all."""
        packet = Ethernet(wire)
        ip = packet.higher_layer
        udp = ip.higher_layer
        vxlan = udp.higher_layer
        inner = vxlan.higher_layer
        inner_ip = inner.higher_layer
        transport = inner_ip.higher_layer
        _ = packet.src, ip.src, udp.sport, vxlan.word, inner.src, inner_ip.src, transport.sport
        return packet

    def parse(self, wire: bytes) -> Flow:
        vxlan = Ethernet(wire)[VXLAN]
        ip = vxlan.higher_layer.higher_layer
        transport = ip.higher_layer
        protocol = ip.p if type(ip) is IP else ip.nxt
        return vxlan.vni, ip.src, ip.dst, protocol, transport.sport, transport.dport

    def build(self, prepared: tuple[Outer, Inner]) -> bytes:
        outer, inner = prepared
        if inner.protocol == 6:
            transport = TCP(sport=inner.src_port, dport=inner.dst_port, seq=inner.sequence_number,
                            ack=inner.acknowledgment_number, flags=inner.flags, win=inner.window,
                            body_bytes=inner.payload)  # fmt: skip
        else:
            transport = UDP(sport=inner.src_port, dport=inner.dst_port, body_bytes=inner.payload)
        frame = _ethernet(inner.dst_mac, inner.src_mac, 0, inner.src)
        frame = frame + _ip(inner.src, inner.dst, inner.protocol, inner.ttl, 0) + transport
        content = VXLAN(word=outer.vni << 8, body_bytes=frame.bin()).bin()
        udp = _udp(outer.src_port, outer.dst_port, content, outer.checksum)
        packet = _ethernet(outer.dst_mac, outer.src_mac, outer.vid, outer.src)
        return bytes((packet + _ip(outer.src, outer.dst, 17, outer.ttl, 0x4000) + udp).bin())

    def encap(self, inner: bytes) -> bytes:
        content = VXLAN(word=VNI << 8, body_bytes=inner).bin()
        udp = _udp(entropy_port(inner), 4789, content, False)
        return bytes((_ethernet(DST_MAC, SRC_MAC, 0, SRC) + _ip(SRC, DST, 17, 64, 0x4000) + udp).bin())

    def decap(self, wire: bytes) -> tuple[int, bytes]:
        vxlan = Ethernet(wire)[VXLAN]
        return vxlan.vni, bytes(vxlan.body_bytes)

    def names(self, found: Any) -> tuple[str, ...]:
        names = []
        layer = found
        while layer is not None and type(layer) in _NAMES:
            names.append(_NAMES[type(layer)])
            if type(layer) is Ethernet:
                names.extend("Dot1Q" for _ in layer.vlan)
            layer = layer.higher_layer
        return tuple(names)


_NAMES = {Ethernet: "Ethernet", IP: "IPv4", IP6: "IPv6", UDP: "UDP", TCP: "TCP", VXLAN: "VXLAN"}


def _ethernet(dst: bytes, src: bytes, vid: int, address: bytes) -> Any:
    ethertype = 0x0800 if len(address) == 4 else 0x86DD
    if vid:
        return Ethernet(dst=dst, src=src, vlan=[Dot1Q(tci=vid)], type=ethertype)
    return Ethernet(dst=dst, src=src, type=ethertype)


def _ip(src: bytes, dst: bytes, protocol: int, ttl: int, fragment: int) -> Any:
    if len(src) == 16:
        return IP6(src=src, dst=dst, nxt=protocol, hlim=ttl)
    return IP(src=src, dst=dst, p=protocol, ttl=ttl, frag_off=fragment)


def _udp(src_port: int, dst_port: int, content: bytes, checksum: bool) -> Any:
    udp = UDP(sport=src_port, dport=dst_port, body_bytes=content)
    if not checksum:
        udp.sum_au_active = False
    return udp

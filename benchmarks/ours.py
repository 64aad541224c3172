"""This library, doing the same jobs through its public names."""

from __future__ import annotations

from typing import Any

import vxlanpkt
from benchmarks.contender import DST, DST_MAC, SRC, SRC_MAC, VNI, Flow
from benchmarks.frames import Frame, Inner, Outer
from vxlanpkt import (
    TCP,
    UDP,
    VXLAN,
    Dot1Q,
    Ethernet,
    IPv4,
    IPv6,
    Packet,
    Tunnel,
    decap,
    dissect,
    parse,
)


class Ours:
    """All jobs with vxlanpkt."""

    NAME = "vxlanpkt"
    STRIDE = 1

    def __init__(self) -> None:
        self.tunnel = Tunnel(VNI, ".".join(map(str, SRC)), ".".join(map(str, DST)), SRC_MAC, DST_MAC)

    def version(self) -> str:
        return f"{vxlanpkt.__version__}, backend {vxlanpkt.backend}"

    def prepare(self, frame: Frame) -> tuple[Outer, Inner]:
        return frame.outer_fields, frame.inner_fields

    def dissect(self, wire: bytes) -> Any:
        return dissect(wire)

    def layers(self, wire: bytes) -> Any:
        return parse(wire).layers

    def parse(self, wire: bytes) -> Flow:
        packet = parse(wire)
        inner = packet.inner
        ip: IPv4 | IPv6
        ip4 = inner.get(IPv4)
        if ip4 is not None:
            ip, protocol = ip4, ip4.protocol
        else:
            ip = ip6 = inner[IPv6]
            protocol = ip6.upper_protocol
        transport = inner[TCP] if protocol == 6 else inner[UDP]
        return packet[VXLAN].vni, ip.src, ip.dst, protocol or 0, transport.src_port, transport.dst_port

    def build(self, prepared: tuple[Outer, Inner]) -> bytes:
        outer, inner = prepared
        transport = (
            TCP(
                inner.src_port, inner.dst_port, inner.sequence_number, inner.acknowledgment_number,
                flags=inner.flags, window=inner.window,
            )
            if inner.protocol == 6
            else UDP(inner.src_port, inner.dst_port)
        )  # fmt: skip
        checksum = None if outer.checksum else 0
        return Packet(
            Ethernet(outer.dst_mac, outer.src_mac),
            *((Dot1Q(outer.vid),) if outer.vid else ()),
            IPv4(outer.src, outer.dst, ttl=outer.ttl, flags=2) if len(outer.src) == 4
            else IPv6(outer.src, outer.dst, hop_limit=outer.ttl),
            UDP(outer.src_port, outer.dst_port, checksum=checksum),
            VXLAN(outer.vni),
            Ethernet(inner.dst_mac, inner.src_mac),
            IPv4(inner.src, inner.dst, ttl=inner.ttl) if len(inner.src) == 4
            else IPv6(inner.src, inner.dst, hop_limit=inner.ttl),
            transport,
            payload=inner.payload,
        ).build()  # fmt: skip

    def encap(self, inner: bytes) -> bytes:
        return self.tunnel.encap(inner)

    def decap(self, wire: bytes) -> tuple[int, bytes]:
        got = decap(wire)
        return got.vni, got.inner

    def names(self, found: Any) -> tuple[str, ...]:
        return tuple(layer.NAME for layer in found)

"""Scapy, imported and used as its documentation says."""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import bind_layers

from benchmarks.contender import DST, DST_MAC, SRC, SRC_MAC, VNI, Flow, distribution_version, entropy_port
from benchmarks.frames import Frame, Inner, Outer

bind_layers(UDP, VXLAN, dport=8472)


class Texts(NamedTuple):
    """Field values with addresses as Scapy takes them: as text."""

    outer: Outer
    inner: Inner
    outer_macs: tuple[str, str]
    outer_ips: tuple[str, str]
    inner_macs: tuple[str, str]
    inner_ips: tuple[str, str]


class Scapy:
    """All jobs with Scapy."""

    NAME = "Scapy"
    STRIDE = 50

    def version(self) -> str:
        return distribution_version("scapy")

    def prepare(self, frame: Frame) -> Texts:
        outer, inner = frame.outer_fields, frame.inner_fields
        return Texts(
            outer,
            inner,
            (_mac(outer.dst_mac), _mac(outer.src_mac)),
            (_ip(outer.src), _ip(outer.dst)),
            (_mac(inner.dst_mac), _mac(inner.src_mac)),
            (_ip(inner.src), _ip(inner.dst)),
        )

    def dissect(self, wire: bytes) -> Any:
        return Ether(wire)

    def layers(self, wire: bytes) -> Any:
        return Ether(wire)

    def parse(self, wire: bytes) -> Flow:
        vxlan = Ether(wire)[VXLAN]
        ip = vxlan.payload.payload
        transport = ip.payload
        protocol = ip.proto if type(ip) is IP else ip.nh
        return vxlan.vni, ip.src, ip.dst, protocol, transport.sport, transport.dport

    def build(self, prepared: Texts) -> bytes:
        outer, inner = prepared.outer, prepared.inner
        transport: Any
        ip: Any
        link: Any
        if inner.protocol == 6:
            transport = TCP(sport=inner.src_port, dport=inner.dst_port, seq=inner.sequence_number,
                            ack=inner.acknowledgment_number, flags=inner.flags, window=inner.window)  # fmt: skip
        else:
            transport = UDP(sport=inner.src_port, dport=inner.dst_port)
        src, dst = prepared.inner_ips
        ip = IPv6(src=src, dst=dst, hlim=inner.ttl) if ":" in src else IP(src=src, dst=dst, ttl=inner.ttl, id=0)
        frame = Ether(dst=prepared.inner_macs[0], src=prepared.inner_macs[1]) / ip / transport / inner.payload
        src, dst = prepared.outer_ips
        ip = (
            IPv6(src=src, dst=dst, hlim=outer.ttl)
            if ":" in src
            else IP(src=src, dst=dst, ttl=outer.ttl, id=0, flags="DF")
        )
        link = Ether(dst=prepared.outer_macs[0], src=prepared.outer_macs[1])
        if outer.vid:
            link = link / Dot1Q(vlan=outer.vid)
        udp = UDP(sport=outer.src_port, dport=outer.dst_port, chksum=None if outer.checksum else 0)
        # As bytes: with an Ether behind it the header would turn into that of VXLAN-GPE.
        return bytes(link / ip / udp / VXLAN(flags=0x08, vni=outer.vni) / bytes(frame))

    def encap(self, inner: bytes) -> bytes:
        link: Any = Ether(dst=_DST_MAC, src=_SRC_MAC)
        return bytes(
            link
            / IP(src=_SRC, dst=_DST, ttl=64, id=0, flags="DF")
            / UDP(sport=entropy_port(inner), dport=4789, chksum=0)
            / VXLAN(flags=0x08, vni=VNI)
            / inner
        )

    def decap(self, wire: bytes) -> tuple[int, bytes]:
        vxlan = Ether(wire)[VXLAN]
        return vxlan.vni, bytes(vxlan.payload)

    def names(self, found: Any) -> tuple[str, ...]:
        return tuple(_NAMES[layer] for layer in found.layers() if layer in _NAMES)


_NAMES = {Ether: "Ethernet", Dot1Q: "Dot1Q", IP: "IPv4", IPv6: "IPv6", UDP: "UDP", TCP: "TCP", VXLAN: "VXLAN"}


def _mac(address: bytes) -> str:
    return address.hex(":")


def _ip(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


_SRC_MAC, _DST_MAC, _SRC, _DST = _mac(SRC_MAC), _mac(DST_MAC), _ip(SRC), _ip(DST)

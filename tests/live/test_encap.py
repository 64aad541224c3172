"""The kernel's vxlan device takes what `Tunnel` makes: whole frames, and payloads through a UDP socket."""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

import pytest

from vxlanpkt import GroupPolicy, LinkType, Tunnel

from .handmade import (
    KERNEL_IP,
    KERNEL_IP6,
    KERNEL_MAC,
    PEER_IP,
    PEER_IP6,
    PEER_MAC,
    VNI,
    inner_frame,
    inner_ipv4,
    inner_ipv6,
    tagged,
)
from .rig import UNDERLAY, VXLAN_DEVICE, Rig

pytestmark = pytest.mark.live

TOKEN = b"made by the library"
_IPV6_UNICAST_HOPS, _IPV6_TCLASS = 16, 67


class Case(NamedTuple):
    """A tunnel, the device that is to take its frames, and an inner frame."""

    inner: bytes
    options: tuple[str, ...] = ()
    ip_version: int = 4
    mark: int = 0
    tunnel: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def make_tunnel(self) -> Tunnel:
        """From the peer to the kernel's side."""
        src, dst = (PEER_IP, KERNEL_IP) if self.ip_version == 4 else (PEER_IP6, KERNEL_IP6)
        return Tunnel(VNI, src, dst, PEER_MAC, KERNEL_MAC, **self.tunnel)

    @property
    def port(self) -> int:
        """The UDP port of both ends."""
        return int(self.tunnel.get("dst_port", 4789))


PLAIN = inner_frame(TOKEN)
CASES = {
    "ipv4": Case(PLAIN),
    "ipv4-full-checksum": Case(PLAIN, tunnel={"udp_checksum": "full"}),
    "ipv4-inner-checksum": Case(inner_ipv4(TOKEN), tunnel={"udp_checksum": "inner"}),
    "ipv6": Case(PLAIN, ip_version=6),
    "ipv6-inner-checksum": Case(inner_ipv6(TOKEN), ip_version=6, tunnel={"udp_checksum": "inner"}),
    "ipv6-zero-checksum": Case(PLAIN, ("udp6zerocsumrx",), 6, tunnel={"udp_checksum": "zero"}),
    "ipv6-flow-label": Case(inner_ipv6(TOKEN), ip_version=6, tunnel={"flow_label": "hash"}),
    "port-8472": Case(PLAIN, tunnel={"dst_port": 8472}),
    "fixed-source-port": Case(PLAIN, tunnel={"src_port": 4789}),
    "group-policy": Case(PLAIN, ("gbp",), mark=0x1234, tunnel={"group_policy": 0x1234}),
    "group-policy-flags": Case(
        PLAIN, ("gbp",), mark=0x480007, tunnel={"group_policy": GroupPolicy(7, dont_learn=True, applied=True)}
    ),
    "inner-tag": Case(tagged(PLAIN, vid=100, pcp=5)),
    "dscp-and-ttl": Case(inner_ipv4(TOKEN), tunnel={"dscp": 46, "ttl": 3}),
    "inherited-ipv4": Case(inner_ipv4(TOKEN, tos=0xB9, ttl=7), tunnel={"dscp": "inherit", "ttl": "inherit"}),
    "inherited-ipv6": Case(inner_ipv6(TOKEN, tos=0x2A, ttl=9), (), 6, tunnel={"dscp": "inherit", "ttl": "inherit"}),
    "df-unset": Case(PLAIN, tunnel={"df": "unset"}),
    "arp-size": Case(inner_frame(TOKEN, 42)),
    "odd-size-full-checksum": Case(inner_frame(TOKEN, 61), tunnel={"udp_checksum": "full"}),
    "large": Case(inner_frame(TOKEN, 1514), tunnel={"udp_checksum": "full"}),
}
each_case = pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])


def is_ours(data: bytes) -> bool:
    """Whether a frame carries the token."""
    return TOKEN in data


@each_case
def test_device_takes_a_whole_frame(rig: Rig, case: Case) -> None:
    """`encap` makes the outer frame, the underlay carries it as it is, and the same inner bytes come out."""
    identification = 0x1234 if case.tunnel.get("df") == "unset" else None
    wire = case.make_tunnel().encap(case.inner, identification=identification)
    with (
        rig.device(*case.options, ip_version=case.ip_version, port=case.port),
        rig.wire(rig.peer, UNDERLAY) as underlay,
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
    ):
        underlay.send(wire)
        seen = device.receive(is_ours)
    assert seen.data == case.inner
    assert seen.mark == case.mark


@each_case
def test_device_takes_a_datagram(rig: Rig, case: Case) -> None:
    """`encap_payload` says all that a UDP socket needs: the kernel below writes the headers that `encap` writes."""
    datagram = case.make_tunnel().encap_payload(case.inner)
    family = socket.AF_INET if case.ip_version == 4 else socket.AF_INET6
    with (
        rig.device(*case.options, ip_version=case.ip_version, port=case.port),
        rig.wire(rig.kernel, UNDERLAY) as underlay,
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
        rig.udp_socket(family, datagram.src_port) as sender,
    ):
        if family == socket.AF_INET:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, datagram.tos)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, datagram.ttl)
        else:
            sender.setsockopt(socket.IPPROTO_IPV6, _IPV6_TCLASS, datagram.tos)
            sender.setsockopt(socket.IPPROTO_IPV6, _IPV6_UNICAST_HOPS, datagram.ttl)
        sender.sendto(datagram.payload, (str(datagram.dst), datagram.dst_port))
        seen = device.receive(is_ours)
        outer = underlay.receive(is_ours).data
    assert seen.data == case.inner
    assert seen.mark == case.mark
    whole = case.make_tunnel().encap(case.inner, identification=0)
    if family == socket.AF_INET:
        assert (outer[15], outer[22], outer[34:38]) == (whole[15], whole[22], whole[34:38]), "TOS, TTL, ports"
    else:
        assert (outer[14:16], outer[21], outer[54:58]) == (
            (0x6000 | datagram.tos << 4 | outer[15] & 0xF).to_bytes(2, "big"),
            whole[21],
            whole[54:58],
        ), "traffic class, hop limit, ports"


@pytest.mark.parametrize("inner", [inner_ipv4(TOKEN)[14:], inner_ipv6(TOKEN)[14:]], ids=["ipv4", "ipv6"])
def test_gpe_device_takes_bare_ip(rig: Rig, inner: bytes) -> None:
    """With the generic protocol extension a bare IP packet comes out of a device without a link layer."""
    tunnel = Tunnel(VNI, PEER_IP, KERNEL_IP, PEER_MAC, KERNEL_MAC, dst_port=4790, gpe=True)
    with (
        rig.gpe_device(),
        rig.wire(rig.peer, UNDERLAY) as underlay,
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
    ):
        underlay.send(tunnel.encap(inner, start=LinkType.RAW))
        assert device.receive(is_ours).data == inner

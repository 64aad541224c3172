"""`decap` reads what the kernel's vxlan device makes, under policies that check all they can."""

from __future__ import annotations

import socket
from typing import NamedTuple, TypedDict

import pytest

from vxlanpkt import VXLAN, DecapPolicy, GroupPolicy, IPv4, IPv6, LinkType, decap, parse

from .handmade import (
    INNER_KERNEL_MAC,
    INNER_PEER_MAC,
    KERNEL_IP,
    KERNEL_IP6,
    VNI,
    inner_frame,
    inner_ipv4,
    inner_ipv6,
    tagged,
)
from .rig import UNDERLAY, VXLAN_DEVICE, Rig

pytestmark = pytest.mark.live

TOKEN = b"made by the kernel"
# Everything that a receiver can insist on: the kernel's frames have to pass.
CHECKED = DecapPolicy.STRICT.replace(vnis=(VNI,), allowed_sources=(f"{KERNEL_IP}/32", f"{KERNEL_IP6}/128"))


class Ends(TypedDict):
    """The MAC addresses of an inner frame."""

    dst: str
    src: str


OUTWARD: Ends = {"dst": INNER_PEER_MAC, "src": INNER_KERNEL_MAC}
PLAIN = inner_frame(TOKEN, **OUTWARD)


class Case(NamedTuple):
    """An inner frame, the device that it is sent through, the policy, and what the outer header is to say."""

    inner: bytes
    options: tuple[str, ...] = ()
    ip_version: int = 4
    port: int = 4789
    policy: DecapPolicy = CHECKED
    mark: int = 0
    ttl: int = 64
    tos: int = 0
    has_checksum: bool = False
    group_policy: GroupPolicy | None = None


CASES = {
    "ipv4": Case(PLAIN, ("noudpcsum", "ttl", "64")),
    "ipv4-checksum": Case(PLAIN, ("udpcsum", "ttl", "64"), has_checksum=True),
    "ipv6": Case(PLAIN, ("ttl", "64"), 6, has_checksum=True),
    "ipv6-zero-checksum": Case(PLAIN, ("udp6zerocsumtx", "ttl", "64"), 6, policy=CHECKED.replace(zero_checksum6=True)),
    "port-8472": Case(PLAIN, ("ttl", "64"), port=8472, has_checksum=True),
    "fixed-ttl-and-tos": Case(
        inner_ipv4(TOKEN, **OUTWARD), ("ttl", "9", "tos", "0xb8"), ttl=9, tos=0xB8, has_checksum=True
    ),
    "inherit-ipv4": Case(
        inner_ipv4(TOKEN, tos=0x29, ttl=17, **OUTWARD),
        ("ttl", "inherit", "tos", "inherit"),
        ttl=17,
        tos=0x29,
        has_checksum=True,
    ),
    "inherit-ipv6": Case(
        inner_ipv6(TOKEN, tos=0x2A, ttl=19, **OUTWARD),
        ("ttl", "inherit", "tos", "inherit"),
        6,
        ttl=19,
        tos=0x2A,
        has_checksum=True,
    ),
    "inner-tag": Case(
        tagged(PLAIN, vid=7, pcp=6), ("ttl", "64"), policy=CHECKED.replace(inner_vlan="keep"), has_checksum=True
    ),
    "group-policy": Case(
        PLAIN,
        ("gbp", "ttl", "64"),
        policy=CHECKED.replace(gbp=True),
        mark=0x1234,
        has_checksum=True,
        group_policy=GroupPolicy(0x1234),
    ),
    "group-policy-flags": Case(
        PLAIN,
        ("gbp", "ttl", "64"),
        policy=CHECKED.replace(gbp=True),
        mark=0x480007,
        has_checksum=True,
        group_policy=GroupPolicy(7, dont_learn=True, applied=True),
    ),
    "no-group-policy": Case(PLAIN, ("gbp", "ttl", "64"), policy=CHECKED.replace(gbp=True), has_checksum=True),
    "odd-size": Case(inner_frame(TOKEN, 61, **OUTWARD), ("ttl", "64"), has_checksum=True),
    "large": Case(inner_frame(TOKEN, 1514, **OUTWARD), ("ttl", "64"), has_checksum=True),
}


def is_ours(data: bytes) -> bool:
    """Whether a frame carries the token."""
    return TOKEN in data


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_reads_what_the_device_makes(rig: Rig, case: Case) -> None:
    """The inner frame, the VNI and the outer fields are what went into the device."""
    checksum = () if any("csum" in option for option in case.options) else ("udpcsum",)
    with (
        rig.device(*case.options, *checksum, ip_version=case.ip_version, port=case.port),
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
        rig.wire(rig.peer, UNDERLAY) as underlay,
    ):
        device.send(case.inner, case.mark)
        wire = underlay.receive(is_ours).data
    got = decap(wire, policy=case.policy)
    assert got.inner == case.inner
    assert got.vni == VNI
    assert got.group_policy == case.group_policy
    if case.ip_version == 4:
        ipv4 = got.outer[IPv4]
        assert (str(ipv4.src), ipv4.ttl, ipv4.dscp << 2 | ipv4.ecn) == (KERNEL_IP, case.ttl, case.tos)
    else:
        ipv6 = got.outer[IPv6]
        assert (str(ipv6.src), ipv6.hop_limit, ipv6.dscp << 2 | ipv6.ecn) == (KERNEL_IP6, case.ttl, case.tos)
    whole = parse(wire)
    assert whole.build() == wire
    assert not whole.checksum_errors()
    udp_at = 34 if case.ip_version == 4 else 54
    assert (wire[udp_at + 6 : udp_at + 8] != b"\0\0") is case.has_checksum


def test_reads_what_a_udp_socket_receives(rig: Rig) -> None:
    """The payload that a UDP socket hands out, with the sender's address beside it."""
    with (
        rig.device(),
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
        rig.udp_socket(socket.AF_INET, 4789) as receiver,
    ):
        device.send(PLAIN)
        payload, (address, _) = receiver.recvfrom(65_535)
    got = decap(payload, start=VXLAN, source=address, policy=CHECKED)
    assert (got.vni, got.inner) == (VNI, PLAIN)


def test_reads_what_the_gpe_device_makes(rig: Rig) -> None:
    """A bare IP packet, routed into the kernel's device with the generic protocol extension."""
    with rig.gpe_device(), rig.wire(rig.peer, UNDERLAY) as underlay:
        rig.kernel.ip("addr", "add", "10.9.0.1/32", "dev", VXLAN_DEVICE)
        rig.kernel.ip(
            "route", "add", "10.9.0.2/32", "encap", "ip", "id", str(VNI), "dst", "192.0.2.2", "dev", VXLAN_DEVICE
        )
        sender = rig.kernel.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sender.sendto(TOKEN, ("10.9.0.2", 9))
        finally:
            sender.close()
        wire = underlay.receive(is_ours).data
    got = decap(wire, policy=DecapPolicy.STRICT.replace(ports=(4790,), gpe=True))
    assert got.vni == VNI
    assert got.link_type == LinkType.RAW
    ipv4 = parse(got.inner, start=LinkType.RAW)[IPv4]
    assert (str(ipv4.src), str(ipv4.dst)) == ("10.9.0.1", "10.9.0.2")
    assert got.inner.endswith(TOKEN)

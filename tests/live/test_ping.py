"""Ping across: the kernel's stack and vxlan device on one side, a few lines of this library on the other."""

from __future__ import annotations

import shutil
import socket

import pytest

from vxlanpkt import Tunnel

from .echo import ping
from .handmade import INNER_PEER_MAC, KERNEL_IP, KERNEL_IP6, PEER_IP, PEER_IP6, VNI
from .responder import Responder
from .rig import VXLAN_DEVICE, Rig

pytestmark = pytest.mark.live

KERNEL_INNER, PEER_INNER = "10.7.0.1", "10.7.0.2"
KERNEL_INNER6, PEER_INNER6 = "fd00:7::1", "fd00:7::2"


@pytest.mark.parametrize("program", ["socket", "ping"])
@pytest.mark.parametrize("inner", [PEER_INNER, PEER_INNER6], ids=["inner-ipv4", "inner-ipv6"])
@pytest.mark.parametrize("ip_version", [4, 6], ids=["over-ipv4", "over-ipv6"])
def test_ping(rig: Rig, ip_version: int, inner: str, program: str) -> None:
    """Three echo requests, three replies: address resolution, checksums and both directions have to be right."""
    if program == "ping" and shutil.which("ping") is None:
        pytest.skip("no ping program; the same is done with a socket")
    local, remote = (PEER_IP, KERNEL_IP) if ip_version == 4 else (PEER_IP6, KERNEL_IP6)
    responder = Responder(Tunnel(VNI, local, remote), INNER_PEER_MAC, PEER_INNER, PEER_INNER6)
    family = socket.AF_INET if ip_version == 4 else socket.AF_INET6
    with (
        # A UDP socket over IPv6 computes the checksum that the kernel's device insists on.
        rig.device(ip_version=ip_version),
        rig.udp_socket(family, 4789) as end,
        responder.serving(end),
    ):
        rig.kernel.ip("addr", "add", f"{KERNEL_INNER}/24", "dev", VXLAN_DEVICE)
        rig.kernel.ip("addr", "add", f"{KERNEL_INNER6}/64", "dev", VXLAN_DEVICE, "nodad")
        if program == "socket":
            assert ping(rig.kernel, inner) == 3
        else:
            done = rig.kernel.exec("ping", "-c", "3", "-i", "0.2", "-W", "10", inner)
            assert " 0% packet loss" in done.stdout, done.stdout

"""The kernel's vxlan device and `Tunnel.linux` make the same outer frames, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from vxlanpkt import LinkType

from .encapsulators import LINUX, LINUX_GPE, Row, Setting, linux_ends, linux_gpe_ends, outer_frames, row_of
from .handmade import ipv6
from .inner_frames import FRAMES, OUT, PACKETS, lines
from .rig import Rig

pytestmark = pytest.mark.live

_LOCAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_NOT_SENT = "the EtherType says IP, and no whole IP header is there: the kernel drops the frame, a recipe drops nothing"
EXCEPTIONS = dict.fromkeys(
    (
        "IPv4, 10 bytes", "IPv4, 19 bytes", "IPv6, 10 bytes", "IPv6, 39 bytes", "tag, IPv4, 10 bytes",
        "a tag and nothing behind it",
    ),
    _NOT_SENT,
)  # fmt: skip


def agreement(rig: Rig) -> list[Row]:
    """A row for each setting of the device."""
    return [_row(rig, setting) for setting in LINUX] + [_gpe_row(rig, setting) for setting in LINUX_GPE]


def _row(rig: Rig, setting: Setting) -> Row:
    with linux_ends(rig, setting) as (send, underlay):
        seen = outer_frames(send, underlay, FRAMES)
    return row_of(setting.name, setting.linux_tunnel(), FRAMES, seen)


def _gpe_row(rig: Rig, setting: Setting) -> Row:
    with linux_gpe_ends(rig, setting) as (route, underlay):
        seen = outer_frames(route, underlay, PACKETS, _fence_packet)
    return row_of(setting.name, setting.linux_tunnel(), PACKETS, seen, LinkType.RAW)


def _fence_packet(token: bytes) -> bytes:
    return ipv6("fd00::1", "fd00::2", 253, token)


@pytest.mark.parametrize("setting", LINUX, ids=lambda setting: setting.name)
def test_outer_frames(rig: Rig, setting: Setting) -> None:
    """All but the source port and the identification is known beforehand, and the port lies in its range."""
    row = _row(rig, setting)
    assert row.exceptions == list(EXCEPTIONS)
    assert row.equal == len(FRAMES) - len(EXCEPTIONS)


def test_list_is_written_down() -> None:
    """What other tests read is what is sent here."""
    assert OUT.read_text("ascii") == "".join(lines())


def test_source_ports_of_the_system(rig: Rig) -> None:
    """Without `srcport` the range is that of the namespace, its last port left out: here only one is left."""
    usual = rig.kernel.call(_LOCAL_PORTS.read_text)
    assert usual.split() == ["32768", "60999"]
    try:
        rig.kernel.sysctl("net.ipv4.ip_local_port_range", "40000 40001")
        row = _row(rig, Setting("sysctl", told={"src_port": 40000}))
    finally:
        rig.kernel.sysctl("net.ipv4.ip_local_port_range", usual.strip())
    assert row.exceptions == list(EXCEPTIONS)


@pytest.mark.parametrize("setting", LINUX_GPE, ids=lambda setting: setting.name)
def test_outer_frames_around_bare_ip(rig: Rig, setting: Setting) -> None:
    """The same of IP packets that routes lead into the device with the generic protocol extension."""
    row = _gpe_row(rig, setting)
    assert not row.exceptions
    assert row.equal == len(PACKETS)

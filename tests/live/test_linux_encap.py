"""The kernel's vxlan device and `Tunnel.linux` make the same outer frames, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from .encapsulators import LINUX, LINUX_GPE, NOT_SENT_BY_LINUX, Setting, linux_gpe_row, linux_row
from .inner_frames import FRAMES, OUT, PACKETS, lines
from .rig import Rig

pytestmark = pytest.mark.live

_LOCAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.parametrize("setting", LINUX, ids=lambda setting: setting.name)
def test_outer_frames(rig: Rig, setting: Setting) -> None:
    """All but the source port and the identification is known beforehand, and the port lies in its range."""
    row = linux_row(rig, setting)
    assert row.exceptions == list(NOT_SENT_BY_LINUX)
    assert row.equal == len(FRAMES) - len(NOT_SENT_BY_LINUX)


def test_list_is_written_down() -> None:
    """What other tests read is what is sent here."""
    assert OUT.read_text("ascii") == "".join(lines())


def test_source_ports_of_the_system(rig: Rig) -> None:
    """Without `srcport` the range is that of the namespace, its last port left out: here only one is left."""
    usual = rig.kernel.call(_LOCAL_PORTS.read_text)
    assert usual.split() == ["32768", "60999"]
    try:
        rig.kernel.sysctl("net.ipv4.ip_local_port_range", "40000 40001")
        row = linux_row(rig, Setting("sysctl", told={"src_port": 40000}))
    finally:
        rig.kernel.sysctl("net.ipv4.ip_local_port_range", usual.strip())
    assert row.exceptions == list(NOT_SENT_BY_LINUX)


@pytest.mark.parametrize("setting", LINUX_GPE, ids=lambda setting: setting.name)
def test_outer_frames_around_bare_ip(rig: Rig, setting: Setting) -> None:
    """The same of IP packets that routes lead into the device with the generic protocol extension."""
    row = linux_gpe_row(rig, setting)
    assert not row.exceptions
    assert row.equal == len(PACKETS)

"""The rig with Open vSwitch itself, with frames made by hand: what the switch does, whatever the library does."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.waiting import eventually

from . import namespaces, ovs
from .handmade import KERNEL_MAC, PEER_MAC, Outer, inner_frame, inner_ipv4, mac, tagged
from .ovs import INNER, UNDERLAY, Switch

pytestmark = pytest.mark.live


@pytest.mark.parametrize(
    ("options", "outer"),
    [
        pytest.param((), Outer(), id="ipv4"),
        pytest.param((), Outer(udp_checksum=True), id="ipv4-full-checksum"),
        pytest.param((), Outer(ip_version=6, udp_checksum=True), id="ipv6"),
        pytest.param((), Outer(ip_version=6), id="ipv6-zero-checksum"),
        pytest.param(("exts=gpe",), Outer(flags=0x0C, reserved1=3), id="gpe"),
        pytest.param(("key=flow",), Outer(vni=1), id="any-vni"),
        pytest.param(("remote_ip=flow",), Outer(), id="any-remote"),
        pytest.param((), Outer(dst_port=8472), id="port-8472"),
    ],
)
def test_switch_delivers(switch: Switch, options: tuple[str, ...], outer: Outer) -> None:
    """A plain frame comes out of the inner side as it was put in."""
    inner = inner_frame(b"switch delivers")
    with (
        switch.tunnel(*options, ip_version=outer.ip_version, port=outer.dst_port),
        switch.wire(UNDERLAY) as underlay,
        switch.wire(INNER) as inside,
    ):
        underlay.send(outer.frame(inner))
        assert inside.receive(lambda data: b"switch delivers" in data).data == inner


def test_tag_is_put_back(switch: Switch) -> None:
    """The kernel hands out a VLAN tag on the inner side as auxiliary data, and the rig puts it back."""
    inner = tagged(inner_frame(b"switch tag"), vid=100, pcp=3)
    with switch.tunnel(), switch.wire(UNDERLAY) as underlay, switch.wire(INNER) as inside:
        underlay.send(Outer().frame(inner))
        assert inside.receive(lambda data: b"switch tag" in data).data == inner


@pytest.mark.parametrize(
    ("options", "ip_version", "has_checksum", "vxlan"),
    [
        pytest.param((), 4, False, "0800000000138800", id="ipv4"),
        pytest.param(("csum=true",), 4, True, "0800000000138800", id="ipv4-full-checksum"),
        pytest.param((), 6, True, "0800000000138800", id="ipv6"),
        pytest.param(("exts=gpe",), 4, False, "0c00000300138800", id="gpe"),
        pytest.param(("key=16777215",), 4, False, "08000000ffffff00", id="last-vni"),
    ],
)
def test_switch_sends(
    switch: Switch, options: tuple[str, ...], ip_version: int, has_checksum: bool, vxlan: str
) -> None:
    """What goes into the inner side arrives on the underlay behind a whole outer header."""
    inner = inner_ipv4(b"switch sends")
    with (
        switch.tunnel(*options, ip_version=ip_version),
        switch.wire(INNER) as inside,
        switch.wire(UNDERLAY) as underlay,
    ):
        inside.send(inner)
        seen = underlay.receive(lambda data: b"switch sends" in data)
    at = 50 if ip_version == 4 else 70
    assert seen.data[at:] == inner
    assert seen.data[at - 8 : at].hex() == vxlan
    assert (seen.data[at - 10 : at - 8] != b"\0\0") is has_checksum
    assert seen.data[:12] == mac(PEER_MAC) + mac(KERNEL_MAC)
    assert not seen.partial


def test_actions_reach_the_tunnel(switch: Switch) -> None:
    """OpenFlow sees each frame on its way: it gives the VNI of one that goes out, and rewrites one that came in."""
    inner = inner_frame(b"switch acts")
    with (
        switch.tunnel("key=flow", outward="set_field:0xabcdef->tun_id", inward=f"set_field:{PEER_MAC}->eth_dst"),
        switch.wire(INNER) as inside,
        switch.wire(UNDERLAY) as underlay,
    ):
        inside.send(inner)
        assert underlay.receive(lambda data: inner in data).data[46:49].hex() == "abcdef"
        underlay.send(Outer().frame(inner))
        assert inside.receive(lambda data: b"switch acts" in data).data == mac(PEER_MAC) + inner[6:]


def test_bad_checksum_is_dropped(switch: Switch) -> None:
    """Nothing on the way vouches for checksums: a wrong one is found by the switch."""
    bad = bytearray(Outer(udp_checksum=True).frame(inner_frame(b"switch bad")))
    bad[40] ^= 0x55
    with switch.tunnel(), switch.wire(UNDERLAY) as underlay, switch.wire(INNER) as inside:
        underlay.send(bytes(bad))
        underlay.send(Outer().frame(inner_frame(b"switch good")))
        seen = inside.receive_until(lambda data: b"switch good" in data)
    assert [b"switch bad" in one.data for one in seen] == [False]


def test_nothing_is_left_of_a_killed_run(switch: Switch) -> None:
    """The daemons die with the process that started them; the next run removes the rest, but not that of the living."""
    code = (
        f"from {__package__}.ovs import Switch; s = Switch(); "
        "print(s.directory, *(path.read_text().strip() for path in s.directory.glob('*.pid')), flush=True)"
    )
    with namespaces.sweeping():
        directory, *daemons = namespaces.killed_run(code)
        assert len(daemons) == 2
        assert eventually(lambda: not any(Path("/proc", pid, "exe").exists() for pid in daemons))
        assert Path(directory) in ovs.sweep()
        namespaces.sweep()
    assert not Path(directory).exists()
    assert switch.directory.exists()
    assert switch.appctl("version")


def test_only_its_own_daemons_are_ended(means: None) -> None:
    """What a stale directory's pidfiles name is ended if it wrote them, and nothing else: numbers come round again."""
    with subprocess.Popen(["true"]) as gone:
        pass
    directory = Path(tempfile.gettempdir(), f"vxlanpkt-ovs-{gone.pid}-test")
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        namespaces.sweeping(),
        subprocess.Popen([*sleep, f"--pidfile={directory}/own.pid"]) as own,
        subprocess.Popen(sleep) as foreign,
    ):
        try:
            directory.mkdir()
            # Popen is done when the program begins to be loaded; its arguments are there when it is.
            assert eventually(lambda: b"--pidfile" in Path("/proc", str(own.pid), "cmdline").read_bytes())
            (directory / "own.pid").write_text(f"{own.pid}\n")
            (directory / "foreign.pid").write_text(f"{foreign.pid}\n")
            assert directory in ovs.sweep()
            assert own.wait(10.0) == -signal.SIGKILL
            assert foreign.poll() is None
        finally:
            own.kill()
            foreign.kill()
    assert not directory.exists()

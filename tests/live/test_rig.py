"""The rig itself, with frames made by hand: what the kernel does, whatever the library does."""

from __future__ import annotations

from pathlib import Path

import pytest

from .handmade import Outer, inner_frame, inner_ipv4, tagged
from .namespaces import killed_run, sweep, sweeping
from .rig import UNDERLAY, VXLAN_DEVICE, Rig

pytestmark = pytest.mark.live


@pytest.mark.parametrize(
    ("options", "outer"),
    [
        pytest.param((), Outer(), id="ipv4"),
        pytest.param((), Outer(udp_checksum=True), id="ipv4-full-checksum"),
        pytest.param((), Outer(ip_version=6, udp_checksum=True), id="ipv6"),
        pytest.param(("udp6zerocsumrx",), Outer(ip_version=6), id="ipv6-zero-checksum"),
    ],
)
def test_kernel_delivers(rig: Rig, options: tuple[str, ...], outer: Outer) -> None:
    """A plain frame comes out of the device as it was put in."""
    inner = inner_frame(b"rig delivers")
    with (
        rig.device(*options, ip_version=outer.ip_version),
        rig.wire(rig.peer, UNDERLAY) as underlay,
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
    ):
        underlay.send(outer.frame(inner))
        assert device.receive(lambda data: b"rig delivers" in data).data == inner


def test_tag_is_put_back(rig: Rig) -> None:
    """The kernel hands out an inner VLAN tag as auxiliary data, and the rig puts it back."""
    inner = tagged(inner_frame(b"rig tag"), vid=100, pcp=3)
    with (
        rig.device(),
        rig.wire(rig.peer, UNDERLAY) as underlay,
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
    ):
        underlay.send(Outer().frame(inner))
        assert device.receive(lambda data: b"rig tag" in data).data == inner


def test_kernel_sends(rig: Rig) -> None:
    """What goes into the device arrives on the underlay with 50 bytes before it, its checksum complete."""
    inner = inner_ipv4(b"rig sends")
    with (
        rig.device("udpcsum"),
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
        rig.wire(rig.peer, UNDERLAY) as underlay,
    ):
        device.send(inner)
        seen = underlay.receive(lambda data: b"rig sends" in data)
    assert seen.data[50:] == inner
    assert seen.data[40:42] != b"\0\0"
    assert not seen.partial


def test_bad_checksum_is_dropped(rig: Rig) -> None:
    """The veth pair does not vouch for checksums: a wrong one is found by the kernel."""
    bad = bytearray(Outer(udp_checksum=True).frame(inner_frame(b"rig bad")))
    bad[40] ^= 0x55
    with (
        rig.device(),
        rig.wire(rig.peer, UNDERLAY) as underlay,
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
    ):
        underlay.send(bytes(bad))
        underlay.send(Outer().frame(inner_frame(b"rig good")))
        seen = device.receive_until(lambda data: b"rig good" in data)
    assert [b"rig bad" in one.data for one in seen] == [False]


def test_stale_namespaces_are_swept(rig: Rig) -> None:
    """A run that is killed leaves its namespaces behind, and the next one removes them, but not those of the living."""
    code = f"from {__package__}.namespaces import Namespace; n = Namespace(); print(n.name, flush=True)"
    with sweeping():
        (name,) = killed_run(code)
        assert Path("/run/netns", name).exists()
        assert name in sweep()
    assert not Path("/run/netns", name).exists()
    assert Path("/run/netns", rig.kernel.name).exists()

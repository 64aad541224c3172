"""Receivers that judge the odd inputs: the kernel's vxlan device and Open vSwitch, each set up in several ways.

Beside each stands the policy that is to agree with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from vxlanpkt import DecapPolicy

from . import ovs
from .handmade import INNER_KERNEL_MAC, PEER_IP, PEER_IP6, VNI, Outer, inner_frame
from .odd_inputs import Input
from .ovs import Switch
from .rig import UNDERLAY, VXLAN_DEVICE, Rig
from .wire import Wire, one_processor

_LINUX = DecapPolicy.LINUX.replace(vnis=(VNI,), ports=(4789,), own_macs=(INNER_KERNEL_MAC,))
_OVS = DecapPolicy.OVS.replace(vnis=(VNI,), ports=(4789,), allowed_sources=(f"{PEER_IP}/32", f"{PEER_IP6}/128"))


class Receiver(NamedTuple):
    """A way to set up a receiver, and the policy that agrees with it.

    Where *passes_tail* holds, what lies behind the datagram in its frame is passed on inside.
    """

    name: str
    setup: str
    policy: DecapPolicy
    preset: str
    options: tuple[str, ...] = ()
    ip_version: int = 4
    learning: bool = False
    gpe: bool = False
    passes_tail: bool = False

    def plain(self, token: bytes) -> bytes:
        """A frame that it takes, with *token* at the end of the inner one."""
        outer = Outer(ip_version=self.ip_version, udp_checksum=True)
        if self.gpe:
            return outer.with_(flags=0x0C, reserved1=1).frame(b"\x45".ljust(20, b"\0") + token)
        return outer.frame(inner_frame(token, len(token) + 14))

    def inputs(self, listed: Sequence[Input]) -> list[Input]:
        """Those of the inputs that can reach it."""
        return [one for one in listed if one.ip_version == self.ip_version]


LINUX = {
    receiver.name: receiver
    for receiver in (
        Receiver("default", "type vxlan", _LINUX, "LINUX", learning=True),
        Receiver(
            "nolearning", "type vxlan nolearning", _LINUX.replace(check_inner_source=False),
            "LINUX, check_inner_source=False",
        ),
        Receiver(
            "gbp", "type vxlan gbp nolearning",
            DecapPolicy.LINUX_GBP.replace(
                vnis=(VNI,), ports=(4789,), own_macs=(INNER_KERNEL_MAC,), check_inner_source=False
            ),
            "LINUX_GBP, check_inner_source=False", ("gbp",),
        ),
        Receiver("gpe", "type vxlan external gpe", DecapPolicy.LINUX_GPE.replace(ports=(4789,)), "LINUX_GPE", gpe=True),
        Receiver("ipv6", "type vxlan, IPv6", _LINUX, "LINUX", (), 6, learning=True),
        Receiver(
            "udp6zerocsumrx", "type vxlan udp6zerocsumrx nolearning, IPv6",
            _LINUX.replace(check_inner_source=False, zero_checksum6=True),
            "LINUX, check_inner_source=False, zero_checksum6=True", ("udp6zerocsumrx",), 6,
        ),
    )
}  # fmt: skip
OVS = {
    receiver.name: receiver
    for receiver in (
        Receiver("ovs", "type=vxlan", _OVS, "OVS", passes_tail=True),
        Receiver("ovs-gbp", "type=vxlan exts=gbp", _OVS, "OVS", ("exts=gbp",), passes_tail=True),
        Receiver("ovs-gpe", "type=vxlan exts=gpe", _OVS, "OVS", ("exts=gpe",), passes_tail=True),
        Receiver("ovs-ipv6", "type=vxlan, IPv6", _OVS, "OVS", (), 6, passes_tail=True),
    )
}


@contextmanager
def linux_ends(rig: Rig, receiver: Receiver) -> Iterator[tuple[Wire, Wire]]:
    """The kernel's device in this setting: where outer frames go in, and inner ones come out."""
    device = (
        rig.gpe_device(4789)
        if receiver.gpe
        else rig.device(*receiver.options, ip_version=receiver.ip_version, learning=receiver.learning)
    )
    with device, rig.wire(rig.peer, UNDERLAY) as underlay, rig.wire(rig.kernel, VXLAN_DEVICE) as inside:
        yield underlay, inside


@contextmanager
def ovs_ends(switch: Switch, receiver: Receiver) -> Iterator[tuple[Wire, Wire]]:
    """The same of a tunnel port of Open vSwitch."""
    with (
        switch.tunnel(*receiver.options, ip_version=receiver.ip_version),
        switch.wire(ovs.UNDERLAY) as underlay,
        switch.wire(ovs.INNER) as inside,
    ):
        yield underlay, inside


def verdicts(
    receiver: Receiver, ends: tuple[Wire, Wire], inputs: Sequence[Input], mark: Callable[[str], object] | None = None
) -> dict[str, bytes | None]:
    """What comes out for each input; None if nothing does.

    A plain frame follows each, so that what comes out between two of those is what the input became. *mark* is told
    the name of each before it is sent, and "-" before the plain frame.
    """
    found = {}
    with one_processor():
        for number, one in enumerate(inputs):
            if mark is not None:
                mark(one.name)
            ends[0].send(one.frame)
            if mark is not None:
                mark("-")
            found[one.name] = _verdict(ends, receiver, b"behind input %06d" % number)
    return found


def _verdict(ends: tuple[Wire, Wire], receiver: Receiver, token: bytes) -> bytes | None:
    underlay, inside = ends
    underlay.send(receiver.plain(token))
    seen = [one.data for one in inside.receive_until(lambda data: data.endswith(token))]
    assert seen and seen[-1].endswith(token), "the plain frame behind the input did not come out"
    assert len(seen) <= 2, "one input came out more than once"
    return seen[0] if len(seen) == 2 else None

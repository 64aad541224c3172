"""The verdicts of the kernel's vxlan device: which of the odd inputs come out of it, and why the others do not.

Each input is followed by a plain frame of our own, so that what comes out between two of those is what the input
became.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from .handmade import Outer, inner_frame
from .odd_inputs import Input
from .rig import UNDERLAY, VXLAN_DEVICE, Rig
from .wire import Wire


class Setting(NamedTuple):
    """A way to set the device up: iproute2's options, and the IP version of the underlay."""

    name: str
    options: tuple[str, ...] = ()
    ip_version: int = 4
    learning: bool = False
    gpe: bool = False

    @contextmanager
    def device(self, rig: Rig) -> Iterator[None]:
        """The device set up in this way."""
        with (
            rig.gpe_device(4789)
            if self.gpe
            else rig.device(*self.options, ip_version=self.ip_version, learning=self.learning)
        ):
            yield

    def plain(self, token: bytes) -> bytes:
        """A frame that the device takes, with *token* at its end."""
        outer = Outer(ip_version=self.ip_version, udp_checksum=True)
        if self.gpe:
            return outer.with_(flags=0x0C, reserved1=1).frame(b"\x45".ljust(20, b"\0") + token)
        return outer.frame(inner_frame(token, len(token) + 14))


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("default", learning=True),
        Setting("nolearning"),
        Setting("gbp", ("gbp",)),
        Setting("gpe", gpe=True),
        Setting("ipv6", ip_version=6, learning=True),
        Setting("udp6zerocsumrx", ("udp6zerocsumrx",), 6),
    )
}


def verdicts(rig: Rig, setting: Setting, inputs: Sequence[Input]) -> dict[str, bytes | None]:
    """What came out of the device for each input; None if nothing did."""
    with (
        setting.device(rig),
        rig.wire(rig.peer, UNDERLAY) as underlay,
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
        one_processor(),
    ):
        return {
            one.name: _verdict(underlay, device, one.frame, setting, b"behind input %06d" % number)
            for number, one in enumerate(inputs)
        }


def _verdict(underlay: Wire, device: Wire, frame: bytes, setting: Setting, token: bytes) -> bytes | None:
    underlay.send(frame)
    underlay.send(setting.plain(token))
    seen = [one.data for one in device.receive_until(lambda data: data.endswith(token))]
    assert seen and seen[-1].endswith(token), "the plain frame behind the input did not come out"
    assert len(seen) <= 2, "one input came out more than once"
    return seen[0] if len(seen) == 2 else None


@contextmanager
def one_processor() -> Iterator[None]:
    """Keep this thread on one processor: the kernel then takes frames in the order in which they were sent."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

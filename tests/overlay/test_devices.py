"""Devices on kernels that know less: each feature is left out by itself, and said to be. No device is made here."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from vxlanpkt import FieldError
from vxlanpkt.overlay import Device, Features
from vxlanpkt.overlay.datapath import devices as module

VNET_HDR, MULTI_QUEUE = 0x4000, 0x100
SETIFF, SETOFFLOAD = 0x400454CA, 0x400454D0


class Kernel:
    """Answers system calls as a kernel that knows *flags* and *offloads*."""

    def __init__(self, flags: int, offloads: int) -> None:
        self.flags, self.offloads, self.set = flags | 0x1003, offloads, 0

    def ioctl(self, descriptor: int, request: int, argument: Any) -> Any:
        if request == SETIFF:
            if int.from_bytes(argument[16:18], "little") & ~self.flags:
                raise OSError(errno.EINVAL, "flags")
            return b"made0".ljust(16, b"\0") + argument[16:]
        if request == SETOFFLOAD:
            if argument & ~self.offloads:
                raise OSError(errno.EINVAL, "offloads")
            self.set = argument
            return 0
        raise AssertionError(hex(request))


@pytest.fixture(autouse=True)
def _no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DEVICE", os.devnull)


@pytest.mark.parametrize(("flags", "offloads", "features", "bits"), [
    (VNET_HDR | MULTI_QUEUE, 0x6F, Features(True, True, True, True, True, True, True), 0x6F),
    (VNET_HDR | MULTI_QUEUE, 0x0F, Features(True, True, True, True, True, True, False), 0x0F),
    (VNET_HDR | MULTI_QUEUE, 0x03, Features(True, True, True, True), 0x03),
    (VNET_HDR | MULTI_QUEUE, 0x05, Features(True, True, True, False, True), 0x05),
    (VNET_HDR | MULTI_QUEUE, 0x00, Features(True, True), 0),
    (VNET_HDR, 0x6F, Features(True, False, True, True, True, True, True), 0x6F),
    (MULTI_QUEUE, 0x6F, Features(False, True), 0),
    (0, 0, Features(), 0),
])  # fmt: skip
def test_fallback(flags: int, offloads: int, features: Features, bits: int) -> None:
    """What the kernel knows is used, each feature by itself."""
    kernel = Kernel(flags, offloads)
    with Device("", queues=2, ioctl=kernel.ioctl) as device:
        assert device.name == "made0"
        assert device.features == features
        assert len(device.queues) == (2 if features.multi_queue else 1)
        assert kernel.set == bits
        assert set(features.missing) == {name for name, there in vars(features).items() if not there}


def test_no_right_to_make_one() -> None:
    """What is no matter of features is raised, and nothing stays open."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def ioctl(descriptor: int, request: int, argument: Any) -> Any:
        raise PermissionError(errno.EPERM, "no")

    with pytest.raises(PermissionError):
        Device("", ioctl=ioctl)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("wrong", [{"name": "a" * 16}, {"name": "a/b"}, {"kind": "veth"}, {"queues": 0}])
def test_refused(wrong: dict[str, Any]) -> None:
    """What no kernel could make sense of."""
    with pytest.raises(FieldError):
        Device(**wrong)

"""Policy LINUX and the Linux kernel agree, frame by frame, on what is dropped."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from vxlanpkt import DecapPolicy, ParseError, decap

from .handmade import INNER_KERNEL_MAC, VNI, Outer, inner_frame, inner_ipv4, mac
from .rig import UNDERLAY, VXLAN_DEVICE, Rig

pytestmark = pytest.mark.live

LAST = b"the last frame"


@dataclass
class Hostile:
    """Frames by name, each with a token of its own, and the same name again among what arrives."""

    frames: dict[str, bytes] = field(default_factory=dict)

    def add(
        self, name: str, outer: Outer, inner: bytes | None = None, *, flip: int | None = None, cut: int = 0
    ) -> None:
        """A frame; *flip* inverts one byte at that offset, *cut* takes bytes off the end."""
        data = bytearray(outer.frame(inner_frame(self.token(name), 80) if inner is None else inner))
        if flip is not None:
            data[flip] ^= 0xFF
        self.frames[name] = bytes(data[: len(data) - cut])

    @staticmethod
    def token(name: str) -> bytes:
        """What marks a frame of this name."""
        return f"<{name}>".encode()

    def arrived(self, seen: list[bytes]) -> set[str]:
        """The names of the frames among those seen."""
        return {name for name in self.frames if any(self.token(name) in data for data in seen)}


def header_cases(ip_version: int, *, checksum: bool) -> Hostile:
    """Every reserved bit alone, I clear, another VNI, bad checksums, ECN, fragments and options."""
    cases = Hostile()
    plain = Outer(ip_version=ip_version, udp_checksum=checksum)
    cases.add("plain", plain)
    cases.add("I clear", plain.with_(flags=0))
    cases.add("another VNI", plain.with_(vni=VNI + 1))
    for bit in range(8):
        if bit != 3:
            cases.add(f"flag bit {bit}", plain.with_(flags=0x08 | 1 << bit))
        cases.add(f"byte 7 bit {bit}", plain.with_(reserved2=1 << bit))
    for bit in range(24):
        cases.add(f"reserved1 bit {bit}", plain.with_(reserved1=1 << bit))
    cases.add("G and P", plain.with_(flags=0x8C))
    cases.add("G, D, A and an id", plain.with_(flags=0x88, reserved1=0x481234))
    for ecn in range(4):
        for inner_ecn in range(4):
            name = f"ECN {ecn} outside {inner_ecn} inside"
            cases.add(name, plain.with_(tos=ecn), inner_ipv4(cases.token(name), tos=inner_ecn))
    cases.add("zero UDP checksum", plain.with_(udp_checksum=False))
    cases.add("wrong UDP checksum", plain.with_(udp_checksum=True), flip=40 if ip_version == 4 else 60)
    cases.add(
        "inner source multicast", plain, inner_frame(cases.token("inner source multicast"), src="03:00:00:00:00:09")
    )
    cases.add("inner source own", plain, inner_frame(cases.token("inner source own"), src=INNER_KERNEL_MAC))
    cases.add(
        "short inner IPv4", plain, mac(INNER_KERNEL_MAC) + mac("02:00:00:00:00:09") + b"\x08\x00E<short inner IPv4>"
    )
    if ip_version == 4:
        cases.add("wrong IP checksum", plain, flip=24)
        cases.add("IP options", plain.with_(options=b"\x01\x01\x01\x00"))
        cases.add("UDP length short", plain.with_(length_error=-4))
        cases.add("UDP length long", plain.with_(length_error=4))
        cases.add("UDP length long, with padding", plain.with_(length_error=4, padding=8))
    else:
        cases.add("atomic fragment", plain.with_(extension=b"\x11\0\0\0\x12\x34\x56\x78", extension_kind=44))
        cases.add("hop-by-hop options", plain.with_(extension=b"\x11\0\x01\x04\0\0\0\0", extension_kind=0))
        cases.add("destination options", plain.with_(extension=b"\x11\0\x01\x04\0\0\0\0", extension_kind=60))
    cases.add("padding", plain.with_(padding=33))
    cases.add("13 bytes", plain, cases.token("13 bytes").ljust(13, b"-"))
    return cases


@pytest.mark.parametrize(
    ("ip_version", "options", "policy"),
    [
        pytest.param(4, (), "LINUX", id="ipv4"),
        pytest.param(6, (), "LINUX", id="ipv6"),
        pytest.param(6, ("udp6zerocsumrx",), "LINUX", id="ipv6-zero-checksum"),
        pytest.param(4, ("gbp",), "LINUX_GBP", id="gbp"),
    ],
)
def test_policy_linux_drops_what_the_kernel_drops(
    rig: Rig, ip_version: int, options: tuple[str, ...], policy: str
) -> None:
    """One batch of hostile frames goes to both; the same frames come out, with the same bytes."""
    cases = header_cases(ip_version, checksum=ip_version == 6)
    with (
        rig.device(*options, ip_version=ip_version),
        rig.wire(rig.peer, UNDERLAY) as underlay,
        rig.wire(rig.kernel, VXLAN_DEVICE) as device,
    ):
        for frame in cases.frames.values():
            underlay.send(frame)
        underlay.send(Outer(ip_version=ip_version, udp_checksum=True).frame(inner_frame(LAST)))
        seen = [one.data for one in device.receive_until(lambda data: LAST in data)]
    assert LAST in seen[-1], "the batch did not come through"
    preset: DecapPolicy = getattr(DecapPolicy, policy)
    receiver = preset.replace(vnis=(VNI,), own_macs=(INNER_KERNEL_MAC,), zero_checksum6="udp6zerocsumrx" in options)
    accepted: dict[str, bytes] = {}
    for name, frame in cases.frames.items():
        try:
            accepted[name] = decap(frame, policy=receiver).inner
        except ParseError:
            continue
    assert set(accepted) == cases.arrived(seen)
    assert not [name for name, inner in accepted.items() if inner not in seen]

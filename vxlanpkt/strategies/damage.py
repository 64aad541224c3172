"""Bytes that are not as they should be: damaged, cut, and with the lies that break parsers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from vxlanpkt.dissection import dissect
from vxlanpkt.packet import Packet
from vxlanpkt.strategies.packets import frames, vxlan_frames
from vxlanpkt.strategies.values import bits, payloads, shared, vnis
from vxlanpkt.tunnel import Tunnel


def wire(packet: Any) -> bytes:
    """A packet as bytes."""
    return packet.build() if isinstance(packet, Packet) else packet


@st.composite
def damaged(draw: st.DrawFn, packets: st.SearchStrategy[Packet] | st.SearchStrategy[bytes]) -> bytes:
    """The bytes of one of *packets* with one thing wrong: a bit, a byte, or the end cut off; empty ones stay."""
    data = bytearray(wire(draw(packets)))
    if not data:
        return b""
    at = draw(st.integers(0, len(data) - 1))
    change = draw(st.sampled_from(("bit", "byte", "cut")))
    if change == "cut":
        return bytes(data[:at])
    data[at] ^= 1 << draw(st.integers(0, 7)) if change == "bit" else draw(st.integers(1, 255))
    return bytes(data)


@st.composite
def mutated(draw: st.DrawFn, packets: st.SearchStrategy[Packet] | st.SearchStrategy[bytes]) -> bytes:
    """The bytes of one of *packets* after one to six changes: a bit, a byte, an insertion, a deletion."""
    data = bytearray(wire(draw(packets)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(("bit", "byte", "insert", "delete")))
        if change == "insert" or at == len(data):
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif change == "delete":
            del data[at : at + draw(st.integers(1, 8))]
        else:
            data[at] = data[at] ^ 1 << draw(st.integers(0, 7)) if change == "bit" else draw(bits(8))
    return bytes(data)


@st.composite
def truncated(draw: st.DrawFn, packets: st.SearchStrategy[Packet] | st.SearchStrategy[bytes]) -> bytes:
    """The first bytes of one of *packets*: none, some, or all but one."""
    data = wire(draw(packets))
    return data[: draw(st.integers(0, max(len(data) - 1, 0)))]


# For each layer the fields that parsers trust: offset, width, and the values that broke some.
_Lie = tuple[int, int, tuple[int, ...]]


_LIES: Mapping[str, tuple[_Lie, ...]] = {
    "Ethernet": (
        (6, 6, (0, 0x01005E000001, 0xFFFFFFFFFFFF)),
        (12, 2, (0x0800, 0x86DD, 0x8100, 0x88A8, 0x0806, 0x8847, 0, 46, 0x0600)),
    ),
    "Dot1Q": ((0, 2, (0, 0xFFFF)), (2, 2, (0x0800, 0x86DD, 0x8100, 0x88A8, 0, 46))),
    "ARP": ((4, 1, (0, 4, 255)), (5, 1, (0, 6, 255))),
    "IPv4": (
        (0, 1, (0x40, 0x44, 0x45, 0x46, 0x4F, 0x65, 0x05, 0xF5)),
        (2, 2, (0, 1, 19, 20, 24, 27, 28, 35, 36, 50, 65535)),
        (6, 2, (0x2000, 0x0001, 0x2001, 0x1FFF, 0x4000, 0x8000)),
        (9, 1, (0, 1, 6, 17, 44, 58)),
        (10, 2, (0, 0xFFFF)),
    ),
    "IPv6": (
        (0, 1, (0x40, 0x45, 0x60, 0xF0)),
        (4, 2, (0, 1, 7, 8, 15, 16, 65535)),
        (6, 1, (0, 17, 43, 44, 51, 58, 59, 60, 135, 255)),
        (40, 1, (0, 17, 43, 44, 51, 60)),
        (41, 1, (0, 1, 255)),
        (42, 2, (0, 1, 8, 0xFFF8)),
    ),
    "UDP": (
        (2, 2, (0, 53, 4789, 4790, 8472, 6081)),
        (4, 2, (*range(10), 15, 16, 20, 65535)),
        (6, 2, (0, 1, 0xFFFF)),
    ),
    "TCP": ((12, 1, (0x00, 0x40, 0x50, 0xF0)), (20, 2, (0x0100, 0x0200, 0x02FF, 0x0501))),
    "ICMPv6": ((0, 1, (2, 128, 133, 134, 135, 136, 137)), (24, 2, (0x0100, 0x01FF))),
    "VXLAN": (
        (0, 1, (0x00, 0x08, 0x0C, 0x88, 0x8C, 0x0D, 0x38, 0xF7, 0xFF)),
        (1, 3, (1, 0x400000, 0x080000, 0x200000, 0xFFFFFF)),
        (7, 1, (1, 0x80, 0xFF)),
    ),
    "VXLANGPE": ((0, 1, (0x00, 0x08, 0x0C, 0x0D, 0x0E, 0x3C, 0x8C)), (3, 1, (0, 1, 2, 3, 4, 5, 255))),
}


@st.composite
def _lied(draw: st.DrawFn, packets: st.SearchStrategy[Packet]) -> bytes:
    """A packet's bytes with one to three of the fields that parsers trust changed to values that broke some."""
    data = bytearray(wire(draw(packets)))
    places = [(span.start, lie) for layer, span in dissect(bytes(data)).spans for lie in _LIES.get(layer.NAME, ())]
    for start, (offset, width, values) in draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        at = start + offset
        if at + width <= len(data):
            data[at : at + width] = draw(st.sampled_from(values)).to_bytes(width, "big")
    return bytes(data)


@st.composite
def _off_by_some(draw: st.DrawFn, packets: st.SearchStrategy[Packet]) -> bytes:
    """A packet's bytes with one length field a little too small or too large."""
    data = bytearray(wire(draw(packets)))
    at = {"IPv4": 2, "IPv6": 4, "UDP": 4}
    places = [span.start + at[layer.NAME] for layer, span in dissect(bytes(data)).spans if layer.NAME in at]
    place = draw(st.sampled_from(places))
    length = int.from_bytes(data[place : place + 2], "big") + draw(st.sampled_from((-20, -8, -1, 1, 8, 20)))
    data[place : place + 2] = (length & 0xFFFF).to_bytes(2, "big")
    return bytes(data)


@st.composite
def _deep(draw: st.DrawFn) -> bytes:
    """VXLAN in VXLAN, three to sixty deep, around a frame or nothing."""
    frame = draw(st.one_of(st.just(b""), payloads(20), frames().map(wire)))
    tunnel = Tunnel(draw(vnis()), "192.0.2.1", "192.0.2.2")
    for _ in range(draw(st.sampled_from((3, 4, 5, 6, 60)))):
        frame = tunnel.encap(frame)
    return frame


@shared
def _cut_inner() -> st.SearchStrategy[bytes]:
    """Sound outer headers around an inner frame that was cut: nothing, 1 to 13 bytes, an IP header's part."""
    tunnel = Tunnel(5000, "2001:db8::1", "2001:db8::2", udp_checksum="zero")
    return truncated(frames()).map(tunnel.encap)


def _padded(packets: st.SearchStrategy[Packet]) -> st.SearchStrategy[bytes]:
    padding = st.one_of(st.integers(1, 300).map(bytes), st.binary(min_size=1, max_size=300))
    return st.builds(lambda packet, padding: packet.build() + padding, packets, padding)


@shared
def hostile_frames() -> st.SearchStrategy[bytes]:
    """Bytes that break parsers, most of them in or around a tunnel.

    Lengths and versions that lie, cut headers, padding, fragments, reserved bits, wrong checksums,
    inner frames that are cut, tunnels sixty deep, and tiny buffers.
    """
    sound = st.one_of(vxlan_frames(), vxlan_frames(), frames())
    lied = _lied(sound)
    return st.one_of(
        lied, _off_by_some(vxlan_frames()), truncated(sound), truncated(lied), _padded(sound), _cut_inner(), _deep(),
        mutated(sound), st.binary(max_size=60),
    )  # fmt: skip

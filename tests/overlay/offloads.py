"""The C functions of the packet loops that need no device, as Python functions."""

from __future__ import annotations

from typing import NamedTuple

from vxlanpkt.overlay.datapath.loops import load

ffi, lib = load()

NEEDS_CSUM, DATA_VALID = 1, 2
TCPV4, TCPV6, UDP_L4, ECN = 1, 4, 5, 0x80
_ROOM = 1 << 18
_MOST = 70_000


class Offload(NamedTuple):
    """struct virtio_net_hdr."""

    flags: int = 0
    gso_type: int = 0
    header_length: int = 0
    gso_size: int = 0
    checksum_start: int = 0
    checksum_offset: int = 0


def _taken(held: object) -> Offload:
    return Offload(*(getattr(held, name) for name in Offload._fields))


def _exact(data: bytes) -> object:
    """Memory of exactly this size, so that AddressSanitizer sees a byte too many."""
    return ffi.new("uint8_t[]", data or b"\0")


def cut(frame: bytes, offload: Offload, raw: bool = False) -> list[bytes] | None:
    """The frames that a long one is cut into, or None if it is unsound."""
    out, lengths = ffi.new("uint8_t[]", _ROOM), ffi.new("uint32_t[]", _MOST)
    held = ffi.new("struct vxlanpkt_offload *", tuple(offload))
    used = lib.vxlanpkt_cut_frame(_exact(frame), len(frame), raw, held, out, _ROOM, lengths, _MOST)
    if used < 0:
        return None
    parts: list[bytes] = []
    at = 0
    while at < used:
        parts.append(bytes(ffi.buffer(out + at, lengths[len(parts)])))
        at += len(parts[-1])
    return parts


def finish(frame: bytes, offload: Offload) -> bytes | None:
    """The frame with its checksum finished, or None if that lies outside of it."""
    data = _exact(frame)
    if not lib.vxlanpkt_finish_checksum(data, len(frame), ffi.new("struct vxlanpkt_offload *", tuple(offload))):
        return None
    return bytes(ffi.buffer(data, len(frame)))


def describe(frame: bytes, mtu: int, raw: bool = False) -> tuple[bytes, Offload] | None:
    """The frame as the device gets it, and what is left to do; None for one that is not to be handed on."""
    data, held = _exact(frame), ffi.new("struct vxlanpkt_offload *")
    if not lib.vxlanpkt_describe_frame(data, len(frame), raw, mtu, held):
        return None
    return bytes(ffi.buffer(data, len(frame))), _taken(held)


def join(frames: list[bytes], raw: bool = False) -> list[tuple[bytes, Offload]]:
    """What frames that arrived together become."""
    data = _exact(b"".join(frames))
    lengths = ffi.new("uint32_t[]", [len(frame) for frame in frames])
    offloads = ffi.new("struct vxlanpkt_offload[]", len(frames) or 1)
    size = sum(map(len, frames))
    out, out_lengths = ffi.new("uint8_t[]", size or 1), ffi.new("uint32_t[]", len(frames) or 1)
    count = lib.vxlanpkt_join_frames(data, lengths, len(frames), raw, offloads, out, size, out_lengths)
    assert count >= 0
    made: list[tuple[bytes, Offload]] = []
    at = 0
    for number in range(count):
        made.append((bytes(ffi.buffer(out + at, out_lengths[number])), _taken(offloads[number])))
        at += out_lengths[number]
    return made

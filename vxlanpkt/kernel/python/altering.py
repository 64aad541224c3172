"""What a policy asks to be done to inner frames: a tag stripped, a congestion mark carried over."""

from __future__ import annotations

from typing import Any

from vxlanpkt.checksum import update_checksum
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, WRONG_COLUMNS
from vxlanpkt.kernel.contract.columns import ALTERED_LAYOUT, Note
from vxlanpkt.kernel.contract.decapsulation import Alterations
from vxlanpkt.kernel.contract.protocols import ETHERNET_LINK, IPV4_TYPE
from vxlanpkt.kernel.python.frames import Frames, is_inside, missing_of
from vxlanpkt.kernel.python.memory import shares_memory

_TAGS = (b"\x81\0", b"\x88\xa8")


def altered(frame: bytes, notes: int, link_type: int, ethertype: int, ecn: int) -> bytes | None:
    """*frame* as the policy wants it, by what `decap` has noted of it; None if it is no longer what was seen there."""
    changed: bytes | None = frame
    if notes & Note.REMARKED:
        changed = _remarked(frame, link_type, ethertype, ecn)
    if changed is not None and notes & Note.STRIPPED:
        changed = None if len(frame) < 16 else changed[:12] + changed[16:]
    return changed


def _remarked(inner: bytes, link_type: int, ethertype: int, ecn: int) -> bytes | None:
    """The IP header with its new ECN, and an IPv4 checksum to match (RFC 1624 equation 3)."""
    frame = bytearray(inner)
    at = 0
    if link_type == ETHERNET_LINK:
        at = 14
        while frame[at - 2 : at] in _TAGS:
            at += 4
    if len(frame) - at < 20:
        return None
    if ethertype == IPV4_TYPE:
        old = int.from_bytes(frame[at : at + 2], "big")
        new = old & ~3 | ecn
        frame[at : at + 2] = new.to_bytes(2, "big")
        checksum = update_checksum(int.from_bytes(frame[at + 10 : at + 12], "big"), old, new)
        frame[at + 10 : at + 12] = checksum.to_bytes(2, "big")
    else:
        frame[at + 1] = frame[at + 1] & 0xCF | ecn << 4
    return bytes(frame)


def alter(frames: Frames, alterations: Alterations, out: Any) -> int:
    """Copy every row as the policy wants it. The columns lie in *out*, and the bytes of the rows behind them.

    Returns how many bytes these are; WRONG_COLUMNS for a frame in which there is not what was seen there. A row that is
    not in the buffer becomes an empty one.
    """
    rows = len(frames.offsets)
    if shares_memory(out, *frames, *alterations):
        return OVERLAP
    if min(map(len, alterations)) < rows:
        return WRONG_COLUMNS
    if len(out) < rows * ALTERED_LAYOUT.row_size:
        return NO_SPACE
    whole = memoryview(out)
    offsets, lengths, originals = ALTERED_LAYOUT.columns(rows, whole)
    data = whole[rows * ALTERED_LAYOUT.row_size :]
    used = 0
    for row, (offset, length) in enumerate(zip(frames.offsets, frames.lengths, strict=True)):
        frame = bytes(frames.data[offset : offset + length]) if is_inside(len(frames.data), offset, length) else b""
        if len(frame) > len(data) - used:
            return NO_SPACE
        kept = altered(frame, *(column[row] for column in alterations)) if frame else b""
        if kept is None:
            return WRONG_COLUMNS
        data[used : used + len(kept)] = kept
        offsets[row], lengths[row], originals[row] = used, len(kept), len(kept) + missing_of(frames, row)
        used += len(kept)
    return used

"""The Internet checksum (RFC 1071): the functions of vxlanpkt/checksum.py that read bytes."""

from __future__ import annotations

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.contract.spans import Buffer

# Looked up once: called for every frame, or batch.
_from_buffer = ffi.from_buffer


def ones_complement_sum(data: Buffer, initial: int = 0) -> int:
    """The folded 16-bit sum of *data*, padded with a zero byte if odd, added to *initial*."""
    total: int = lib.vxlanpkt_sum(data if type(data) is bytes else _from_buffer(data), len(data)) + initial
    return total % 0xFFFF or (0xFFFF if total else 0)


def internet_checksum(data: Buffer, initial: int = 0) -> int:
    """The checksum field for *data*: the complement of its sum (RFC 1071 section 1)."""
    return 0xFFFF - ones_complement_sum(data, initial)


def transport_checksum(data: Buffer, pseudo_header: int) -> int:
    """As `internet_checksum`, but 0 becomes 0xffff, as 0 says "none" in UDP (RFC 768)."""
    return 0xFFFF - ones_complement_sum(data, pseudo_header) or 0xFFFF

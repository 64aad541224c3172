"""The Internet checksum: RFC 1071 sum, the pseudo-headers of RFC 768 and 8200, RFC 1624 update.

A sum here is a plain int in one's complement arithmetic. As 2**16 is 1 modulo 65,535, the sum of
the 16-bit words of a string is the string itself, read as one big-endian number, modulo 65,535:
that is one division in C instead of a loop, and any part may be added to it unfolded.
"""

from __future__ import annotations

Buffer = bytes | bytearray | memoryview


def ones_complement_sum(data: Buffer, initial: int = 0) -> int:
    """The folded 16-bit sum of *data*, padded with a zero byte if odd, added to *initial*.

    It is 0 only where all words are: a nonzero multiple of 65,535 folds to 0xffff, as on the wire.
    """
    total = int.from_bytes(data, "big")
    if len(data) & 1:
        total <<= 8
    total += initial
    return total % 0xFFFF or (0xFFFF if total else 0)


def internet_checksum(data: Buffer, initial: int = 0) -> int:
    """The checksum field for *data*: the complement of its sum (RFC 1071 section 1)."""
    return 0xFFFF - ones_complement_sum(data, initial)


def transport_checksum(data: Buffer, pseudo_header: int) -> int:
    """As `internet_checksum`, but 0 becomes 0xffff, as 0 says "none" in UDP (RFC 768)."""
    return 0xFFFF - ones_complement_sum(data, pseudo_header) or 0xFFFF


def pseudo_header_sum(src: bytes, dst: bytes, protocol: int, length: int) -> int:
    """The unfolded sum of the pseudo-header: RFC 768 for 4-byte, RFC 8200 section 8.1 for 16-byte addresses."""
    return int.from_bytes(src + dst, "big") + protocol + length


def update_checksum(checksum: int, old: int, new: int) -> int:
    """The checksum after a 16-bit word changed from *old* to *new* (RFC 1624 equation 3)."""
    total = (checksum ^ 0xFFFF) + (old ^ 0xFFFF) + new
    total = (total & 0xFFFF) + (total >> 16)
    return ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF

"""The blocks of pcapng: their types, and their structures in each byte order.

each block: type | total length | body, padded to 4 bytes | total length again
Section Header (0A0D0D0A): byte-order magic 1A2B3C4D | version 1.x | section length, not used
Interface Description (1): link type | snapshot length | options
Enhanced Packet (6):  interface | timestamp | captured length | original length | data | options
Simple Packet (3):    original length | data; of the section's first interface, with no timestamp
Packet (2, obsolete): as the Enhanced one, its interface of 16 bits and beside a drop count
"""

from __future__ import annotations

from struct import Struct

SECTION_HEADER = b"\x0a\x0d\x0d\x0a"  # reads the same in both byte orders
SECTION, INTERFACE, OBSOLETE, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
PACKETS = (OBSOLETE, SIMPLE, ENHANCED)
HEAD_SIZE = 12
"""Type and both lengths, of which the first two stand at the start: no block is shorter."""


class Layout:
    """The structures of blocks in one byte order."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.head = Struct(prefix + "III")
        self.word = Struct(prefix + "I")
        self.version = Struct(prefix + "HH")
        self.interface = Struct(prefix + "HHI")
        self.packet = Struct(prefix + "IIIII")
        self.obsolete = Struct(prefix + "HHIIII")
        self.option = Struct(prefix + "HH")
        self.offset = Struct(prefix + "q")


LAYOUTS = {prefix: Layout(prefix) for prefix in "<>"}

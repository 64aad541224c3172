"""Numbers by the longest prefix of a key: what is asked, and what is said."""

# No `from __future__ import annotations` here: a named tuple takes twice as long to make if its fields' types are text.

from struct import Struct
from typing import Any, NamedTuple

KEY_BITS = 128
MAP_SEED_SIZE = 32
LISTED = Struct("=16sIBxxxq")  # a prefix as it is listed: key, number, length, stamp
MAC_KEY = Struct("!Q6sxx")
NO_VALUE = 0xFFFFFFFF  # of a map: there is no prefix of this key
STATIC = (1 << 63) - 1  # the stamp of a prefix that does not age


class Mapped(NamedTuple):
    """What a map says of one prefix."""

    value: int
    stamp: int


class Asked(NamedTuple):
    """Keys to be looked up: in each *stride* bytes *width* from *offset* on, and of families those of one alone."""

    rows: int
    keys: memoryview
    stride: int
    offset: int
    width: int
    families: memoryview | None = None
    family: int = 0


class AskedMACs(NamedTuple):
    """Addresses in frames to be looked up: of one VNI or one a row, of rows that are OK, not older than a stamp."""

    frames: Any  # as a kernel holds them
    vni: int
    vnis: memoryview | None
    status: memoryview | None
    oldest: int


class Senders(NamedTuple):
    """The number of the sender of each row, and of who is behind each number of a map; a stamp."""

    column: memoryview
    owners: memoryview
    now: int

"""What the jobs work on: inner frames of exact sizes, tunnels, and batches of them."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

from benchmarks import floor
from benchmarks.contender import DST, DST_MAC, SRC, SRC_MAC, VNI
from benchmarks.frames import SEED, TCP, Inner, build_inner, frames
from vxlanpkt import FrameBatch, Tunnel, TunnelTable

IMIX = "IMIX"
SIZES = ("64", "570", "1400", IMIX)
_MIX = (64,) * 7 + (570,) * 4 + (1400,)
_DISTINCT = 2048  # frames of one size; larger batches repeat them at other places
_TUNNELS = 1000
PAGE = 4096

TUNNEL4 = Tunnel(VNI, ".".join(map(str, SRC)), ".".join(map(str, DST)), SRC_MAC, DST_MAC)
TUNNEL6 = Tunnel(VNI, "fd00::1", "fd00::2", SRC_MAC, DST_MAC, udp_checksum="full")


def inner_frames(size: str, rows: int) -> list[bytes]:
    """*rows* inner frames: TCP and UDP over IPv4 and IPv6, all of one size, or an IMIX in random order."""
    lengths = [_MIX[row % len(_MIX)] for row in range(rows)] if size == IMIX else [int(size)] * rows
    random.Random(SEED).shuffle(lengths)
    distinct = min(rows, _DISTINCT)
    pools = {length: _pool(length, distinct) for length in set(lengths)}
    return [pools[length][row % distinct] for row, length in enumerate(lengths)]


@lru_cache
def _pool(size: int, count: int) -> list[bytes]:
    """*count* distinct frames of *size* bytes, with the headers of those in the other benchmarks that fit."""
    rng = random.Random(size)
    candidates = (frame.inner_fields for frame in frames(2 * count + 16))
    fits = islice((fields for fields in candidates if _headers(fields) <= size), count)
    return [build_inner(fields._replace(payload=rng.randbytes(size - _headers(fields)))) for fields in fits]


def _headers(fields: Inner) -> int:
    return 14 + (20 if len(fields.src) == 4 else 40) + (20 if fields.protocol == TCP else 8)


@lru_cache
def tunnel_table() -> TunnelTable:
    """A thousand tunnels, of a VNI each."""
    return TunnelTable(TUNNEL4.replace(vni=VNI + number) for number in range(_TUNNELS))


def tunnel_column(rows: int) -> list[int]:
    """A tunnel of the table for each row, at random."""
    rng = random.Random(SEED)
    return [rng.randrange(_TUNNELS) for _ in range(rows)]


def packed(batch: FrameBatch) -> FrameBatch:
    """A batch as one that a capture would yield: read-only, its frames behind each other."""
    return FrameBatch(bytes(batch.data), batch.offsets, batch.lengths)


def at_page_start(batch: FrameBatch) -> FrameBatch:
    """A batch of the same frames whose buffer begins with a page, wherever the allocator would have put it.

    A copy of frames of 64 bytes is up to a third slower where its moves of 32 bytes cross cache lines.
    """
    size = len(batch.data)
    room = bytearray(size + PAGE)
    begin = -floor.address(room) % PAGE
    data = memoryview(room)[begin : begin + size]
    data[:] = batch.data
    return FrameBatch(data, batch.offsets, batch.lengths, headroom=batch.headroom)


def copies_beyond_cache(batch: Sequence[bytes]) -> list[FrameBatch]:
    """As many batches of the same frames as do not fit into the last cache together."""
    size = sum(map(len, batch))
    return [FrameBatch.from_frames(batch) for _ in range(_last_cache() // size + 2)]


def _last_cache() -> int:
    """Bytes of the third-level cache, as far as the system says."""
    try:
        return os.sysconf("SC_LEVEL3_CACHE_SIZE")
    except (ValueError, OSError):
        return 32 << 20

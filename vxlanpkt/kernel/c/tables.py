"""Numbers found by the longest prefix of a key."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import NULL, Held, new_buffer, spread
from vxlanpkt.kernel.contract.tables import LISTED, MAP_SEED_SIZE, Asked, AskedMACs, Mapped, Senders

_SLOT, _FEWEST_SLOTS, _CACHE_LINE = 32, 64, 64
_LARGE = 1 << 22  # from where on pages of 2 MiB are worth asking for
_LISTED_AT_ONCE = 4096


def new_map(lengths: Sequence[int], capacity: int, seed: bytes) -> Held:
    """An empty map for prefixes of these lengths. *seed* is what strangers must not know, where it is needed."""
    prefixes = ffi.new("struct vxlanpkt_map *")
    slots = 2 * capacity + _FEWEST_SLOTS
    memory = _new_large_buffer(slots * _SLOT + _CACHE_LINE)
    prefixes.memory, prefixes.size, prefixes.slots = memory, len(memory), slots
    ordered = sorted(lengths)
    prefixes.lengths[0 : len(ordered)] = ordered
    prefixes.length_count = len(ordered)
    secrets = seed if len(seed) >= MAP_SEED_SIZE else spread(seed)
    ffi.buffer(prefixes.secrets)[:] = secrets[:MAP_SEED_SIZE]
    lib.vxlanpkt_move_prefixes(NULL, prefixes)
    return Held(prefixes, memory)


def _new_large_buffer(size: int) -> Any:
    """Memory that is read here and there: in large pages, where there are any, as finding small ones takes longer."""
    if size >= _LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
        memory = mmap.mmap(-1, size)
        with suppress(OSError):  # a kernel that has none
            memory.madvise(mmap.MADV_HUGEPAGE)
        return ffi.from_buffer(memory)
    return new_buffer(size)


def put_prefixes(prefixes: Held, keys: memoryview, length: int, values: memoryview, stamp: int) -> int:
    """Put prefixes of one length, or give them other numbers; returns how many there was room for."""
    count = min(len(values), len(keys) // 16)
    return lib.vxlanpkt_put_prefixes(  # type: ignore[no-any-return]
        prefixes.pointer, ffi.from_buffer(keys), count, length, ffi.from_buffer("uint32_t[]", values), stamp
    )


def drop_prefixes(prefixes: Held, keys: memoryview, length: int) -> int:
    """Drop prefixes of one length; returns how many there were."""
    return lib.vxlanpkt_drop_prefixes(  # type: ignore[no-any-return]
        prefixes.pointer, ffi.from_buffer(keys), len(keys) // 16, length
    )


def move_prefixes(old: Held, new: Held) -> int:
    """Put the prefixes of a map into one that is empty and may have other lengths; returns how many there are."""
    return lib.vxlanpkt_move_prefixes(old.pointer, new.pointer)  # type: ignore[no-any-return]


def settle(prefixes: Held) -> None:
    """Have look-ups be fast again after changes.

    That takes a pass over all prefixes, where one is needed.
    """
    lib.vxlanpkt_settle(prefixes.pointer)


def count_prefixes(prefixes: Held) -> int:
    """How many there are, that of no length aside."""
    return prefixes.pointer.count  # type: ignore[no-any-return]


def prefix_of_none(prefixes: Held) -> int:
    """The number of the prefix of no length."""
    return prefixes.pointer.none  # type: ignore[no-any-return]


def find_prefix(prefixes: Held, key: bytes, length: int) -> Mapped | None:
    """The number and the stamp of one prefix."""
    found = lib.vxlanpkt_find_prefix(prefixes.pointer, key.ljust(16, b"\0"), length)
    return Mapped(found.value, found.stamp) if found.found else None


def list_prefixes(prefixes: Held, before: int, value: int) -> Iterator[bytes]:
    """The prefixes with stamps before a time, of a number: as `LISTED`, in pieces of any size and order."""
    out, at = new_buffer(_LISTED_AT_ONCE * LISTED.size), ffi.new("uint64_t *")
    while at[0] < prefixes.pointer.slots:
        count = lib.vxlanpkt_list_prefixes(prefixes.pointer, at, before, value, out, len(out))
        if count < 0:
            raise MemoryError("a map that somebody wrote over")
        yield bytes(ffi.buffer(out, count * LISTED.size))


def look_up(prefixes: Held, asked: Asked, out: Any) -> int:
    """Put the number of each key's longest prefix, or NO_VALUE, into *out*, as uint32; returns how many have one."""
    held = ffi.new("struct vxlanpkt_asked *")
    keys = ffi.from_buffer(asked.keys)
    held.keys, held.keys_size = keys, len(keys)
    if asked.families is not None:
        families = ffi.from_buffer(asked.families)
        held.families, held.family_count = families, len(families)
    held.rows, held.stride, held.offset, held.width = asked.rows, asked.stride, asked.offset, asked.width
    held.family = asked.family
    return lib.vxlanpkt_look_up(prefixes.pointer, held, out, len(out))  # type: ignore[no-any-return]


def look_up_macs(prefixes: Held, asked: AskedMACs, out: Any) -> int:
    """Put the number of each frame's destination, or NO_VALUE, into *out*, as uint32; returns how many have one."""
    held = _hold_macs(asked)
    return lib.vxlanpkt_look_up_macs(prefixes.pointer, held.pointer, out, len(out))  # type: ignore[no-any-return]


def refresh_macs(prefixes: Held, asked: AskedMACs, senders: Senders, out: Any) -> int:
    """Stamp the entries of frames' sources that are still behind the same sender; returns how many others there are."""
    held, who = _hold_macs(asked), ffi.new("struct vxlanpkt_senders *")
    column, owners = ffi.from_buffer("uint32_t[]", senders.column), ffi.from_buffer("uint32_t[]", senders.owners)
    who.column, who.rows, who.owners, who.owner_count, who.now = column, len(column), owners, len(owners), senders.now
    return lib.vxlanpkt_refresh_macs(prefixes.pointer, held.pointer, who, out, len(out))  # type: ignore[no-any-return]


def _hold_macs(asked: AskedMACs) -> Held:
    held = ffi.new("struct vxlanpkt_macs *")
    held.frames, held.vni, held.oldest = asked.frames.pointer, asked.vni, asked.oldest
    held.rows = held.frames.rows
    kept = []
    for name, code, column in (("vnis", "uint32_t[]", asked.vnis), ("status", "uint8_t[]", asked.status)):
        if column is not None:
            kept.append(ffi.from_buffer(code, column))
            setattr(held, name, kept[-1])
            held.rows = min(held.rows, len(kept[-1]))
    return Held(held, kept)

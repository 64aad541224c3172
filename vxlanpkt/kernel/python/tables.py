"""Numbers found by the longest prefix of a key: the specification.

A key is 16 bytes; shorter ones have zeros behind them. A prefix is the first bits of a key, and has a number and a
stamp: when it was seen last, or STATIC. One of no length is the number of all that has no other. MAC addresses are keys
too, of one length: 8 bytes of VNI, 6 of address and zeros.

A map is made for prefixes of some lengths, and for so many of them. `put_prefixes` may stop when there is no room for
another, or for what a kernel needs to find it; the prefixes move to a larger map then.

How a prefix is found is a kernel's own affair. It must not take longer the more there are, whoever chose the keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, WRONG_COLUMNS
from vxlanpkt.kernel.contract.tables import (
    KEY_BITS,
    LISTED,
    MAC_KEY,
    NO_VALUE,
    STATIC,
    Asked,
    AskedMACs,
    Mapped,
    Senders,
)
from vxlanpkt.kernel.python.frames import Frames, is_inside
from vxlanpkt.kernel.python.memory import items, shares_memory

_ETHERNET_SIZE = 14


class PrefixMap:
    """Prefixes by their lengths. Keys are strings of bytes, as Python's own hash of these is keyed."""

    def __init__(self, lengths: Sequence[int], capacity: int) -> None:
        self.capacity = capacity
        self.count = 0
        self.none = NO_VALUE
        self.by_length: dict[int, dict[bytes, tuple[int, int]]] = {
            length: {} for length in sorted(lengths, reverse=True)
        }


def new_map(lengths: Sequence[int], capacity: int, seed: bytes) -> PrefixMap:
    """An empty map for prefixes of these lengths. *seed* is what strangers must not know, where it is needed."""
    return PrefixMap(lengths, capacity)


def _cut(key: bytes, length: int) -> bytes:
    """The prefix of a key: zeros behind its bits."""
    number = int.from_bytes(key.ljust(16, b"\0"), "big")
    return (number >> KEY_BITS - length << KEY_BITS - length).to_bytes(16, "big")


def put_prefixes(prefixes: PrefixMap, keys: memoryview, length: int, values: Sequence[int], stamp: int) -> int:
    """Put prefixes of one length, or give them other numbers; returns how many there was room for."""
    if not length:
        prefixes.none = values[-1] if len(values) else prefixes.none
        return len(values)
    known = prefixes.by_length.get(length)
    if known is None:
        return WRONG_COLUMNS
    for at, value in enumerate(values):
        key = _cut(bytes(keys[16 * at : 16 * at + 16]), length)
        if key not in known:
            if prefixes.count == prefixes.capacity:
                return at
            prefixes.count += 1
        known[key] = value, stamp
    return len(values)


def drop_prefixes(prefixes: PrefixMap, keys: memoryview, length: int) -> int:
    """Drop prefixes of one length; returns how many there were."""
    if not length:
        dropped = int(prefixes.none != NO_VALUE and len(keys) > 0)
        prefixes.none = NO_VALUE if len(keys) else prefixes.none
        return dropped
    known = prefixes.by_length.get(length, {})
    before = len(known)
    for at in range(0, len(keys), 16):
        known.pop(_cut(bytes(keys[at : at + 16]), length), None)
    prefixes.count -= before - len(known)
    return before - len(known)


def move_prefixes(old: PrefixMap, new: PrefixMap) -> int:
    """Put the prefixes of a map into one that is empty and may have other lengths; returns how many there are."""
    if old is new:
        return OVERLAP
    if any(known and length not in new.by_length for length, known in old.by_length.items()):
        return WRONG_COLUMNS
    if old.count > new.capacity:
        return NO_SPACE
    for length, known in old.by_length.items():
        if known:
            new.by_length[length] = known.copy()
    new.count, new.none = old.count, old.none
    return new.count


def settle(prefixes: PrefixMap) -> None:
    """Have look-ups be fast again after changes.

    Nothing is put off here.
    """


def count_prefixes(prefixes: PrefixMap) -> int:
    """How many there are, that of no length aside."""
    return prefixes.count


def prefix_of_none(prefixes: PrefixMap) -> int:
    """The number of the prefix of no length."""
    return prefixes.none


def find_prefix(prefixes: PrefixMap, key: bytes, length: int) -> Mapped | None:
    """The number and the stamp of one prefix."""
    if not length:
        return None
    found = prefixes.by_length.get(length, {}).get(_cut(key, length))
    return None if found is None else Mapped(*found)


def list_prefixes(prefixes: PrefixMap, before: int, value: int) -> list[bytes]:
    """The prefixes with stamps before a time, of a number: as `LISTED`, in pieces of any size and order."""
    return [b"".join(_listed(prefixes, before, value))]


def _listed(prefixes: PrefixMap, before: int, value: int) -> Iterator[bytes]:
    """The prefixes seen last before a time (STATIC: of any time), of a number (NO_VALUE: of any), in any order."""
    for length, known in prefixes.by_length.items():
        for key, (number, stamp) in known.items():
            if (stamp < before or before == STATIC) and value in (NO_VALUE, number):
                yield LISTED.pack(key, number, length, stamp)


def look_up(prefixes: PrefixMap, asked: Asked, out: bytearray) -> int:
    """Put the number of each key's longest prefix, or NO_VALUE, into *out*, as uint32; returns how many have one.

    Where families are given, rows of another than the one asked for keep what is in *out*.
    """
    if shares_memory(out, asked.keys, asked.families):
        return OVERLAP
    if asked.width > 16 or asked.offset + asked.width > asked.stride:
        return WRONG_COLUMNS
    if len(asked.keys) < asked.stride * asked.rows or (asked.families is not None and len(asked.families) < asked.rows):
        return WRONG_COLUMNS
    numbers = items(out, "I")
    if len(numbers) < asked.rows:
        return NO_SPACE
    found = 0
    for row in range(asked.rows):
        if asked.families is not None and asked.families[row] != asked.family:
            continue
        at = asked.stride * row + asked.offset
        numbers[row] = _longest(prefixes, bytes(asked.keys[at : at + asked.width]))
        found += numbers[row] != NO_VALUE
    return found


def _longest(prefixes: PrefixMap, key: bytes) -> int:
    for length, known in prefixes.by_length.items():
        found = known.get(_cut(key, length)) if known else None
        if found is not None:
            return found[0]
    return prefixes.none


def look_up_macs(prefixes: PrefixMap, asked: AskedMACs, out: bytearray) -> int:
    """Put the number of each frame's destination, or NO_VALUE, into *out*, as uint32; returns how many have one.

    A frame that is cut, is for a group, or comes from one, has none; nor one whose destination was not seen since
    `oldest`.
    """
    if shares_memory(out, *asked.frames, asked.vnis, asked.status):
        return OVERLAP
    if not _have_all_rows(asked, asked.vnis, asked.status):
        return WRONG_COLUMNS
    numbers = items(out, "I")
    if len(numbers) < len(asked.frames.offsets):
        return NO_SPACE
    found = 0
    for row in range(len(asked.frames.offsets)):
        numbers[row] = NO_VALUE
        key = None if _mac_key(asked, row, 6) is None else _mac_key(asked, row, 0)
        entry = None if key is None else prefixes.by_length[KEY_BITS].get(key)
        if entry is not None and entry[1] >= asked.oldest:
            numbers[row] = entry[0]
            found += 1
    return found


def refresh_macs(prefixes: PrefixMap, asked: AskedMACs, senders: Senders, out: bytearray) -> int:
    """Stamp the entries of frames' sources that are still behind the same sender; returns how many others there are.

    Those have 1 in *out*: their sources are not known, or elsewhere. A static entry is never one of them, nor is a
    frame whose source is no station's address.
    """
    if shares_memory(out, *asked.frames, asked.vnis, asked.status, senders.column, senders.owners):
        return OVERLAP
    if not _have_all_rows(asked, asked.vnis, asked.status, senders.column):
        return WRONG_COLUMNS
    if len(out) < len(asked.frames.offsets):
        return NO_SPACE
    marked = 0
    for row in range(len(asked.frames.offsets)):
        out[row] = 0
        key = _mac_key(asked, row, 6)
        if key is None:
            continue
        value, stamp = prefixes.by_length[KEY_BITS].get(key, (NO_VALUE, -(1 << 63)))
        if stamp >= asked.oldest and value != NO_VALUE:
            if stamp == STATIC:
                continue
            if value < len(senders.owners) and senders.owners[value] == senders.column[row] != NO_VALUE:
                prefixes.by_length[KEY_BITS][key] = value, max(stamp, senders.now)
                continue
        out[row] = 1
        marked += 1
    return marked


def _have_all_rows(asked: AskedMACs, *columns: memoryview | None) -> bool:
    return all(column is None or len(column) >= len(asked.frames.offsets) for column in columns)


def _mac_key(asked: AskedMACs, row: int, place: int) -> bytes | None:
    """The key of one of a frame's addresses, unless there is none, or it is a group's, or zero."""
    if asked.status is not None and asked.status[row] != Reason.OK:
        return None
    frames: Frames = asked.frames
    offset, length = frames.offsets[row], frames.lengths[row]
    if not is_inside(len(frames.data), offset, length) or length < _ETHERNET_SIZE:
        return None
    mac = bytes(frames.data[offset + place : offset + place + 6])
    if mac[0] & 1 or not any(mac):
        return None
    return MAC_KEY.pack(asked.vni if asked.vnis is None else asked.vnis[row], mac)

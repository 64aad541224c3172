"""What is looked up, and in what: each contender is a table of so many entries and a batch of random keys in it."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.floor import ffi, lib, pointer
from vxlanpkt import FrameBatch, kernel
from vxlanpkt.kernel.contract.tables import KEY_BITS, MAC_KEY, Asked, AskedMACs
from vxlanpkt.overlay.tables.numbering import GrowingMap

ROWS = 1 << 20  # so many that their slots are not all in a cache when the table is large
_MIXED_4 = (16, 20, 22, 24, 26, 28, 30, 32)
_MIXED_6 = (32, 40, 48, 52, 56, 60, 64, 128)
_WALKED = 20_000_000  # comparisons of the list in one turn
_VNI = 5000


class Job(NamedTuple):
    """Look-ups of *rows* keys: what to call, and where the numbers of the entries are that are to be found."""

    run: Callable[[], Any]
    rows: int
    found: Callable[[], array[int]]
    expected: array[int]


def _picked(entries: int, rows: int) -> array[int]:
    chosen = random.Random(entries)
    return array("I", [chosen.randrange(entries) for _ in range(rows)])


def _distinct(entries: int, bits: int) -> list[int]:
    """Different numbers, in random order, none of them 0."""
    return [number + 1 for number in random.Random(bits).sample(range((1 << min(bits, 62)) - 1), entries)]


def _numbers(out: Any) -> Callable[[], array[int]]:
    return lambda: array("I", bytes(kernel.view(out)))


def macs(entries: int) -> Job:
    """Destinations of frames of 64 bytes, in one VNI."""
    addresses = [(2 << 40 | number).to_bytes(6, "big") for number in _distinct(entries, 40)]
    table = GrowingMap([KEY_BITS])
    table.put(b"".join(MAC_KEY.pack(_VNI, mac) for mac in addresses), KEY_BITS, array("I", range(entries)))
    picked = _picked(entries, ROWS)
    data = b"".join(addresses[number] + b"\2\0\0\0\0\1\x08\0" + bytes(50) for number in picked)
    batch = FrameBatch(data, array("Q", range(0, 64 * ROWS, 64)), array("I", [64]) * ROWS)
    asked, out = AskedMACs(batch.held, _VNI, None, None, 0), kernel.new_buffer(4 * ROWS)
    return Job(lambda: kernel.look_up_macs(table.held, asked, out), ROWS, _numbers(out), picked)


def _routes(entries: int, width: int, lengths: tuple[int, ...]) -> Job:
    """Addresses in random prefixes, as many of each length; those of another one have other bits in front."""
    table = GrowingMap(lengths)
    prefixes: list[bytes] = []
    for at, length in enumerate(lengths):
        front = (len(lengths) - 1).bit_length()
        share = -(-(entries - len(prefixes)) // (len(lengths) - at))
        count = min(share, (1 << length - front) - 1)
        some = _distinct(count, length - front)
        keys = [(at << length - front | number) << 8 * width - length for number in some]
        first = len(prefixes)
        prefixes += [key.to_bytes(width, "big") for key in keys]
        table.put(
            b"".join(prefix.ljust(16, b"\0") for prefix in prefixes[first:]), length,
            array("I", range(first, len(prefixes))),
        )  # fmt: skip
    kernel.settle(table.held)
    picked = _picked(len(prefixes), ROWS)
    keys_of_rows = memoryview(b"".join([prefixes[number] for number in picked]))
    asked, out = Asked(ROWS, keys_of_rows, width, 0, width), kernel.new_buffer(4 * ROWS)
    return Job(lambda: kernel.look_up(table.held, asked, out), ROWS, _numbers(out), picked)


def ipv4(entries: int) -> Job:
    """Routes of /24, as of nodes in a cluster."""
    return _routes(entries, 4, (24,))


def ipv6(entries: int) -> Job:
    """Routes of /64."""
    return _routes(entries, 16, (64,))


def ipv4_mixed(entries: int) -> Job:
    """Routes of eight lengths."""
    return _routes(entries, 4, _MIXED_4)


def ipv6_mixed(entries: int) -> Job:
    """Routes of eight lengths."""
    return _routes(entries, 16, _MIXED_6)


def probe(entries: int) -> Job:
    """The floor: one probe of a hash table whose slots have 16 bytes, half of them taken."""
    keys = _distinct(entries, 48)
    slots = ffi.new("Slot[]", 2 * entries)
    lib.fill_slots(slots, 2 * entries, pointer(array("Q", keys), "uint64_t"), entries)
    picked = _picked(entries, ROWS)
    asked, out = array("Q", [keys[number] for number in picked]), array("I", bytes(4 * ROWS))
    here, there = pointer(asked, "uint64_t"), pointer(out, "uint32_t")
    return Job(lambda: lib.probe_slots(slots, 2 * entries, here, ROWS, there), ROWS, lambda: out, picked)


def walk(entries: int) -> Job:
    """Routes of /24 in a list, as flannel's udp backend has them."""
    networks = [number << 8 for number in _distinct(entries, 24)]
    routes = ffi.new("Route[]", entries)
    for at, network in enumerate(networks):
        routes[at] = (network, 0xFFFFFF00, at)
    rows = max(16, min(ROWS, _WALKED // entries))
    picked = _picked(entries, rows)
    asked, out = array("I", [networks[number] | 7 for number in picked]), array("I", bytes(4 * rows))
    here, there = pointer(asked, "uint32_t"), pointer(out, "uint32_t")
    return Job(lambda: lib.walk_routes(routes, entries, here, rows, there), rows, lambda: out, picked)


CONTENDERS: dict[str, Callable[[int], Job]] = {
    "MAC in frames": macs,
    "IPv4, /24": ipv4,
    "IPv6, /64": ipv6,
    "IPv4, 8 lengths": ipv4_mixed,
    "IPv6, 8 lengths": ipv6_mixed,
    "one probe in C": probe,
    "list in C": walk,
}

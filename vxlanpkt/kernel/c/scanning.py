"""The walk from header to header."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from struct import Struct
from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract.spans import FIELDS, Buffer, Fault, Kind, Place, Row, Walk

# Looked up once: called for every frame, or batch.
_walk, _buffer, _unpack = lib.vxlanpkt_walk, ffi.buffer, ffi.unpack

_LARGEST_TUNNELS = 0xFFFFFFFF
_place_of = Struct("5q").unpack_from


def hold_ports(ports: Mapping[int, int]) -> Any:
    """The kinds behind UDP destination ports, held."""
    held = ffi.new("uint8_t[65536]", bytes((Kind.NOTHING,)) * 65536)
    for port, kind in ports.items():
        held[port] = kind
    return held


def scan(kind: int, buf: Buffer, start: int, end: int, missing: int = 0, reading: int = 0) -> Row | Fault:
    """Scan one header of *kind* in `buf[start:end]`; bounds outside of *buf* are a fault too."""
    if not 0 <= start <= end <= len(buf):
        return Fault(Reason.ROW_OUT_OF_RANGE, max(end - start, 0))
    data = buf if type(buf) is bytes else ffi.from_buffer(buf)
    found = lib.vxlanpkt_scan(data, start, end, missing, kind, reading)
    if found.reason:
        return _fault(found)
    return ord(found.kinds[0]), *_place_at(_buffer(found.places), 0)


def walk(data: bytes, missing: int, kind: int, ports: Any, max_tunnels: int, reading: int = 0) -> Walk:
    """Scan from header to header of *data*, from one of *kind* until nothing known follows."""
    if max_tunnels > _LARGEST_TUNNELS:
        max_tunnels = _LARGEST_TUNNELS
    found = _walk(data, 0, len(data), missing, kind, ports, max_tunnels, reading)
    if found.more:
        return _walk_on(data, found, ports, reading)
    places = _buffer(found.places)[:]  # a copy: a buffer does not keep the struct
    fault = _fault(found) if found.reason else None
    return _unpack(found.kinds, found.count), partial(_place_at, places), found.kind, fault


def _place_at(places: Any, index: int) -> Place:
    place: Place = _place_of(places, 40 * index)
    return place


def _walk_on(data: bytes, found: Any, ports: Any, reading: int) -> Walk:
    """The rest of a walk of more rows than one call has room for."""
    # Joined at the end: a frame may have millions of headers, and is not to be paid for by their square.
    kinds, places = [_unpack(found.kinds, found.count)], [_buffer(found.places)[:]]
    while found.more:
        _, start, end, _, missing = _place_at(places[-1], found.count - 1)
        found = _walk(data, start, end, missing, found.kind, ports, found.tunnels, reading)
        kinds.append(_unpack(found.kinds, found.count))
        places.append(_buffer(found.places)[:])
    fault = _fault(found) if found.reason else None
    return b"".join(kinds), partial(_place_at, b"".join(places)), found.kind, fault


def _fault(found: Any) -> Fault:
    available = None if found.available < 0 else found.available
    return Fault(Reason(found.reason), found.needed, FIELDS[found.field], found.value, available)

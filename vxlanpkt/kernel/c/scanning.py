"""The walk from header to header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract.spans import FIELDS, PLACE_SIZE, Buffer, Fault, Kind, Row, Walk, place_at, unpack_place

# Looked up once: called for every frame, or batch.
_walk, _buffer, _unpack = lib.vxlanpkt_walk, ffi.buffer, ffi.unpack

_LARGEST_TUNNELS = 0xFFFFFFFF


class HeldPorts(NamedTuple):
    """A column of kinds, one for each port; and room for what walks find, which calls take as `HeldRecipe` says."""

    kinds: Any
    idle: list[tuple[Any, Any, Any]]


def hold_ports(ports: Mapping[int, int]) -> HeldPorts:
    """The kinds behind UDP destination ports, held."""
    held = ffi.new("uint8_t[65536]", bytes((Kind.NOTHING,)) * 65536)
    for port, kind in ports.items():
        held[port] = kind
    return HeldPorts(held, [])


def scan(kind: int, buf: Buffer, start: int, end: int, missing: int = 0, reading: int = 0) -> Row | Fault:
    """Scan one header of *kind* in `buf[start:end]`; bounds outside of *buf* are a fault too."""
    if not 0 <= start <= end <= len(buf):
        return Fault(Reason.ROW_OUT_OF_RANGE, max(end - start, 0))
    data = buf if type(buf) is bytes else ffi.from_buffer(buf)
    found = lib.vxlanpkt_scan(data, start, end, missing, kind, reading)
    if found.reason:
        return _fault(found)
    return ord(found.kinds[0]), *unpack_place(_buffer(found.places))


def walk(data: bytes, missing: int, kind: int, ports: HeldPorts, max_tunnels: int, reading: int = 0) -> Walk:
    """Scan from header to header of *data*, from one of *kind* until nothing known follows."""
    if max_tunnels > _LARGEST_TUNNELS:
        max_tunnels = _LARGEST_TUNNELS
    idle = ports[1]
    try:
        room = idle.pop()
    except IndexError:
        room = _new_room()
    found, kinds, places = room
    count = _walk(data, 0, len(data), missing, kind, ports[0], max_tunnels, reading, found)
    if count:
        here = kinds[:count]
        walked: Walk = here, places[: PLACE_SIZE * count], here[-1], None
    else:
        walked = _walk_on(data, found, ports, reading)
    idle.append(room)
    return walked


def _new_room() -> tuple[Any, Any, Any]:
    """Memory for a walk, and the bytes of its kinds and of its places."""
    found = ffi.new("struct vxlanpkt_walk *")
    return found, _buffer(found.kinds), _buffer(found.places)


def _walk_on(data: bytes, found: Any, ports: HeldPorts, reading: int) -> Walk:
    """A walk that met a fault, or more rows than one call has room for: the rest of it, and all that was found."""
    # Joined at the end: a frame may have millions of headers, and is not to be paid for by their square.
    parts = [_rows_of(found)]
    while found.more:
        _, start, end, _, missing = place_at(parts[-1][1], found.count - 1)
        _walk(data, start, end, missing, found.kind, ports[0], found.tunnels, reading, found)
        parts.append(_rows_of(found))
    fault = _fault(found) if found.reason else None
    kinds, places = map(b"".join, zip(*parts, strict=True))
    return kinds, places, found.kind, fault


def _rows_of(found: Any) -> tuple[bytes, bytes]:
    return _unpack(found.kinds, found.count), _buffer(found.places)[: PLACE_SIZE * found.count]


def _fault(found: Any) -> Fault:
    available = None if found.available < 0 else found.available
    return Fault(Reason(found.reason), found.needed, FIELDS[found.field], found.value, available)

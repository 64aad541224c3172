"""The one cursor: bytes -> Headers. Total: every byte string has them, and it never raises on content.

The kernel walks built-in layers; from a user's own layer on the cursor goes layer by layer. A
layer is decoded when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from vxlanpkt.bindings import KINDS, LAYERS, Bindings
from vxlanpkt.errors import LayerNotFound, MalformedError, ParseError, Reason, TruncatedError, refused_argument
from vxlanpkt.kernel import scan, walk
from vxlanpkt.kernel.contract.spans import (
    FRAGMENTED,
    NO_KEY,
    PLACE_SIZE,
    Fault,
    Kind,
    Places,
    Reading,
    Row,
    Span,
    place_at,
    span_of,
    unpack_place,
)
from vxlanpkt.layers.base import Layer, as_bytes
from vxlanpkt.layers.ethernet import Ethernet
from vxlanpkt.link_types import LinkType
from vxlanpkt.reasons import REASONS
from vxlanpkt.starts import Start, kind_of, missing_bytes

_refused = partial(refused_argument, "dissect")

_L = TypeVar("_L", bound=Layer)

# What is dissected of a byte string: start, end, how much behind it the capture cut, whether that is known.
_Bounds = tuple[int, int, int, bool]

_ETHERNET, _ETHERNET_KIND = LinkType.ETHERNET, int(Kind.ETHERNET)
_READINGS = {"strict": int(Reading.STRICT), "captured": int(Reading.CAPTURED), "ip": int(Reading.IP)}
_TUNNELS = frozenset((int(Kind.VXLAN), int(Kind.VXLANGPE)))
_IS_TUNNEL = bytes(kind in _TUNNELS for kind in range(256))  # as `bytes.translate` takes it
_BUILT_IN = len(LAYERS)
_DECODERS: tuple[Callable[[bytes, Any], Layer], ...] = tuple(layer.decode for layer in LAYERS)

# The layers whose length field limits what they contain, and that field.
_LIMITS: Mapping[str, str] = {"IPv4": "total_length", "IPv6": "payload_length", "UDP": "length"}


class _Kinds(list[int]):
    """Kinds of which there may be more than a byte can tell apart: a list that can be searched as `bytes` can."""

    def find(self, kind: int, first: int) -> int:
        """Where *kind* is, from *first* on; -1 if it is not there."""
        return next((index for index in range(first, len(self)) if self[index] == kind), -1)


class Headers:
    """The headers found in a byte string, and where and why they end.

    Dissections and packets are views of one: of all its headers, or of those from *first* on, which are what is inside
    of a tunnel. All of them share the layers that were decoded.
    """

    __slots__ = ("_bounds", "_cache", "_kind_of", "_kinds", "_places", "_start", "_types", "data", "fault")

    def __init__(
        self,
        data: bytes,
        start: Start,
        kinds: bytes | _Kinds,
        places: Places,
        types: Sequence[type[Layer]],
        fault: tuple[str, Fault] | None,
        bounds: _Bounds,
    ) -> None:
        """*kinds* are indices of *types*."""
        self.data = data
        self.fault = fault
        self._start = start
        self._kinds = kinds
        self._places = places
        self._types = types
        self._kind_of = KINDS if types is LAYERS else {layer: kind for kind, layer in enumerate(types)}
        self._bounds = bounds
        self._cache: dict[int, Layer] = {}

    def __len__(self) -> int:
        return len(self._kinds)

    # -- layers

    def find(self, layer: type[Layer], first: int) -> int:
        """Where the first layer of this type is, from *first* on; -1 if there is none."""
        kind = self._kind_of.get(layer)
        return -1 if kind is None else self._kinds.find(kind, first)

    def get(self, layer: type[_L], first: int) -> _L | None:
        """The first layer of this type, from *first* on, or None."""
        # `find` once more, as this is what a parser calls most.
        kind = self._kind_of.get(layer)
        index = -1 if kind is None else self._kinds.find(kind, first)
        if index < 0:
            return None
        found = self._cache.get(index)
        return self._decode(index) if found is None else found  # type: ignore[return-value]

    def layers(self, first: int) -> tuple[Layer, ...]:
        """Every sound layer from *first* on."""
        cache, decode = self._cache, self._decode
        indices = range(first, len(self._kinds))
        return tuple([cache[index] if index in cache else decode(index) for index in indices])

    def _decode(self, index: int) -> Layer:
        kind, places = self._kinds[index], self._places
        if kind < _BUILT_IN:  # these read the numbers of a place by position, and need no Span
            place = unpack_place(places, PLACE_SIZE * index) if type(places) is bytes else places[index]
            layer = self._cache[index] = _DECODERS[kind](self.data, place)
        else:
            layer = self._cache[index] = self._types[kind].decode(self.data, span_of(place_at(places, index)))
        return layer

    def behind_tunnel(self, first: int) -> int:
        """Where the layers behind the first tunnel header begin; `LayerNotFound` if there is none."""
        kinds = self._kinds
        if isinstance(kinds, bytes):
            tunnel = kinds.translate(_IS_TUNNEL).find(True, first)
        else:
            tunnels = (index for index in range(first, len(kinds)) if self._types[kinds[index]].TUNNEL)
            tunnel = next(tunnels, -1)
        if tunnel < 0:
            raise LayerNotFound(f"no tunnel header in {self.names(first)}")
        return tunnel + 1

    def start(self, first: int) -> Start:
        """What the bytes from *first* on begin with."""
        if not first:
            return self._start
        layer = self._types[self._kinds[first]] if first < len(self._kinds) else Ethernet
        return _ETHERNET if layer is Ethernet else layer

    def names(self, first: int) -> str:
        """The names of the layers from *first* on."""
        return "/".join(self._types[kind].NAME for kind in self._kinds[first:]) or "no layers"

    # -- bytes

    def spans(self, first: int) -> tuple[tuple[type[Layer], Span], ...]:
        """Where every sound layer from *first* on lies."""
        return tuple(
            (self._types[self._kinds[index]], span_of(place_at(self._places, index)))
            for index in range(first, len(self._kinds))
        )

    def bounds(self, first: int) -> _Bounds:
        """Where the bytes from *first* on lie."""
        if not first:
            return self._bounds
        _, header_end, end, _, missing = place_at(self._places, first - 1)
        return header_end, end, missing, self._bounds[3]

    def payload(self) -> bytes:
        """The content of the last sound layer."""
        start, end, _, _ = self.bounds(len(self._kinds))
        return self.data[start:end]

    def trailers(self, first: int) -> tuple[bytes, ...]:
        """For each layer from *first* on the bytes behind its content in its container; at the end no empty ones."""
        found = []
        end = self.bounds(first)[1]
        for index in range(first, len(self._kinds)):
            content_end = place_at(self._places, index)[2]
            found.append(self.data[content_end:end])
            end = content_end
        while found and not found[-1]:
            found.pop()
        return tuple(found)

    def is_whole(self, index: int) -> bool:
        """Whether every byte of the layer at *index* and of its content is here."""
        return not place_at(self._places, index)[4]

    # -- faults

    def error(self, first: int) -> ParseError | None:
        """Why the walk ended early, or None if it did not; of the bytes from *first* on."""
        if self.fault is None:
            return None
        name, fault = self.fault
        start = self.bounds(len(self._kinds))[0]
        info = REASONS[fault.reason]
        where = f"{info.layer or name} at byte {start}"
        common: dict[str, Any] = {"reason": fault.reason, "layer": info.layer or name, "offset": start, "packet": None}
        if info.exception is MalformedError:
            message = f"{where}: {info.text}: {fault.field} is {fault.value}"
            return MalformedError(message, **common, field=fault.field, value=fault.value)
        available, limit = self._limits(fault, first)
        message = f"{where}: {info.text}: {fault.needed} bytes needed, {available} available, limited by {limit}"
        if fault.field:
            message += f" ({fault.field} says so)"
        return TruncatedError(message, **common, needed=fault.needed, available=available, limited_by=limit)

    def _limits(self, fault: Fault, first: int) -> tuple[int, str]:
        """How many bytes the faulty layer had, and who set that: the innermost length field, or the frame's end."""
        start, end, lost, _ = self.bounds(len(self._kinds))
        if fault.available is not None and start + fault.available < end:
            return fault.available, "IPv6.payload_length"
        if fault.reason is Reason.CAPTURE_CUT:
            return end - start, "capture"
        _, frame_end, missing, on_wire = self.bounds(first)
        reach = end if lost >= FRAGMENTED else end + lost  # where the last sound layer ended; in a fragment, here
        kinds = self._kinds[first:]
        if kinds and reach != frame_end + missing:
            for kind in reversed(kinds):
                name = self._types[kind].NAME
                if name in _LIMITS:
                    return end - start, f"{name}.{_LIMITS[name]}"
        return end - start, "frame" if on_wire else "capture"


def find_headers(
    data: bytes | bytearray | memoryview,
    start: Start,
    ports: Iterable[int] | None,
    bindings: Bindings,
    max_tunnels: int,
    original_length: int | None,
    lengths: Literal["strict", "captured", "ip"],
) -> Headers:
    """The headers of *data*, for the parameters of `dissect`."""
    data = data if type(data) is bytes else as_bytes("dissect", "data", data)
    reading = _READINGS.get(lengths)
    if reading is None:
        raise _refused("lengths", lengths, f"one of {', '.join(_READINGS)}")
    if ports is not None:
        bindings = bindings.with_vxlan_ports(ports)
    if not isinstance(max_tunnels, int) or max_tunnels < 0:
        raise _refused("max_tunnels", max_tunnels, "a count of tunnels")
    length = len(data)
    missing = 0 if original_length is None else missing_bytes(length, original_length)
    bounds = (0, length, missing, original_length is not None)
    kind = _ETHERNET_KIND if start is _ETHERNET else kind_of(start)
    if kind is None:
        assert isinstance(start, type)
        return _continue(data, start, [], bindings, max_tunnels, bounds, start, reading)
    if not bindings.walkable:
        first = scan(kind, data, 0, length, missing, reading)
        if isinstance(first, Fault):
            return Headers(data, start, b"", b"", LAYERS, (_name(kind), first), bounds)
        return _continue(data, LAYERS[first[0]], [], bindings, max_tunnels, bounds, start, reading)
    entered = max(max_tunnels - 1, 0) if kind in _TUNNELS else max_tunnels
    kinds, places, last, fault = walk(data, missing, kind, bindings.held_ports, entered, reading)
    if fault is not None:
        return Headers(data, start, kinds, places, LAYERS, (_name(last), fault), bounds)
    if bindings.built_in:
        return Headers(data, start, kinds, places, LAYERS, None, bounds)
    rows = [(kind, *place_at(places, index)) for index, kind in enumerate(kinds)]
    return _continue(data, None, rows, bindings, max_tunnels, bounds, start, reading)


def _name(kind: int) -> str:
    return "IP" if kind == Kind.RAW else LAYERS[kind].NAME


def _continue(
    data: bytes,
    following: type[Layer] | None,
    rows: list[Row],
    bindings: Bindings,
    max_tunnels: int,
    bounds: _Bounds,
    start: Start,
    reading: int,
) -> Headers:
    """Go on layer by layer from *following*, or from what is bound to the last of *rows*."""
    types = list(LAYERS)
    at, end, missing, _ = bounds
    if rows:
        _, _, at, end, key, missing = rows[-1]
        following = bindings.get(LAYERS[rows[-1][0]], key)
        max_tunnels -= sum(LAYERS[row[0]].TUNNEL for row in rows)
    while following is not None:
        if following.TUNNEL:
            if max_tunnels <= 0 and rows:
                break
            max_tunnels -= 1
        if following not in types:
            types.append(following)
        kind = types.index(following)
        found = _scan(following, kind, data, at, end, missing, reading)
        if isinstance(found, Fault):
            return _headers_of(rows, data, start, types, (following.NAME, found), bounds)
        rows.append(found)
        _, _, at, end, key, missing = found
        following = bindings.get(following, key)
    return _headers_of(rows, data, start, types, None, bounds)


def _headers_of(
    rows: list[Row],
    data: bytes,
    start: Start,
    types: Sequence[type[Layer]],
    fault: tuple[str, Fault] | None,
    bounds: _Bounds,
) -> Headers:
    places = [row[1:] for row in rows]
    return Headers(data, start, _Kinds(row[0] for row in rows), places, types, fault, bounds)


def _scan(layer: type[Layer], kind: int, data: bytes, start: int, end: int, missing: int, reading: int) -> Row | Fault:
    if kind < len(LAYERS):
        return scan(kind, data, start, end, missing, reading)
    found = layer.scan(data, start, end)
    if isinstance(found, Fault):
        return found
    begin, header_end, content_end, key, own = found
    key = NO_KEY if key is None else key
    return kind, begin, header_end, content_end, key, own if content_end < end else missing

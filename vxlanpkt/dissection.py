"""The one cursor: bytes -> Dissection. Total: every byte string has one, and it never raises on content.

The kernel walks built-in layers; from a user's own layer on the cursor goes layer by layer. A
layer is decoded when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from vxlanpkt import kernel
from vxlanpkt.assigned import LinkType
from vxlanpkt.bindings import DEFAULT, KINDS, LAYERS, Bindings, Start, kind_of
from vxlanpkt.errors import REASONS, FieldError, LayerNotFound, MalformedError, ParseError, Reason, TruncatedError
from vxlanpkt.kernel.spans import FRAGMENTED, NO_KEY, Fault, Kind, Place, PlaceAt, Row, Span, span_of
from vxlanpkt.layers.base import Layer, as_bytes
from vxlanpkt.layers.ethernet import Ethernet
from vxlanpkt.printing import tree

_L = TypeVar("_L", bound=Layer)

# What is dissected of a byte string: start, end, how much behind it the capture cut, whether that is known.
_Bounds = tuple[int, int, int, bool]

_ETHERNET, _ETHERNET_KIND = LinkType.ETHERNET, Kind.ETHERNET
_NOWHERE: PlaceAt = ().__getitem__
_TUNNELS = frozenset((int(Kind.VXLAN), int(Kind.VXLANGPE)))

# The layers whose length field limits what they contain, and that field.
_LIMITS: Mapping[str, str] = {"IPv4": "total_length", "IPv6": "payload_length", "UDP": "length"}


class Dissection:
    """The layers found in a byte string, and where and why they end.

    `d[VXLAN]` is the first VXLAN layer, decoded when asked for; `d.error` is the `ParseError` that
    ended the walk, or None. Made by `dissect`.
    """

    __slots__ = (
        "_bounds", "_cache", "_fault", "_first", "_inner", "_kind_of", "_kinds", "_place_at", "_types", "data", "start",
    )  # fmt: skip

    def __init__(
        self,
        data: bytes,
        start: Start,
        kinds: Sequence[int],
        place_at: PlaceAt,
        types: Sequence[type[Layer]],
        fault: tuple[str, Fault] | None,
        bounds: _Bounds,
        first: int = 0,
    ) -> None:
        """*kinds* are places in *types*; what *place_at* says of them begins with *first*."""
        self.data = data
        self.start = start
        self._kinds = kinds
        self._place_at = place_at
        self._first = first
        self._types = types
        self._kind_of = KINDS if types is LAYERS else {layer: kind for kind, layer in enumerate(types)}
        self._fault = fault
        self._bounds = bounds
        self._cache: dict[int, Layer] = {}
        self._inner: Dissection | None = None

    # -- layers

    def get(self, layer: type[_L]) -> _L | None:
        """The first layer of this type, or None."""
        kind, kinds = self._kind_of.get(layer), self._kinds
        if kind is None or kind not in kinds:
            return None
        return self._decode(kinds.index(kind))  # type: ignore[return-value]

    def __getitem__(self, layer: type[_L]) -> _L:
        found = self.get(layer)
        if found is None:
            raise LayerNotFound(f"no {getattr(layer, 'NAME', layer)} in {self._names()}")
        return found

    def __contains__(self, layer: type[Layer]) -> bool:
        kind = self._kind_of.get(layer)
        return kind is not None and kind in self._kinds

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every sound layer, outermost first."""
        return tuple([self._decode(index) for index in range(len(self._kinds))])

    @property
    def spans(self) -> tuple[tuple[type[Layer], Span], ...]:
        """Where every sound layer lies in `data`."""
        return tuple((self._types[kind], span_of(self._place(index))) for index, kind in enumerate(self._kinds))

    @property
    def inner(self) -> Dissection:
        """What is behind the first tunnel header; `LayerNotFound` if there is none."""
        if self._inner is None:
            self._inner = self._behind_tunnel()
        return self._inner

    # -- bytes

    @property
    def payload(self) -> bytes:
        """The content of the last sound layer: what no layer was found for."""
        start, end, _ = self._rest()
        return self.data[start:end]

    @property
    def trailers(self) -> tuple[bytes, ...]:
        """For each layer the bytes in its container beyond its content; empty ones at the end are left out."""
        found = []
        end = self._bounds[1]
        for index in range(len(self._kinds)):
            content_end = self._place(index)[2]
            found.append(self.data[content_end:end])
            end = content_end
        while found and not found[-1]:
            found.pop()
        return tuple(found)

    @property
    def missing(self) -> int:
        """How many bytes the capture is known to have cut off: 0 if the frame is whole."""
        return self._bounds[2]

    def is_whole(self, index: int) -> bool:
        """Whether every byte of the layer at *index* and of its content is here."""
        return not self._place(range(len(self))[index])[4]  # an index as a list takes it

    # -- faults

    @property
    def error(self) -> ParseError | None:
        """Why the walk ended early, or None if it did not."""
        if self._fault is None:
            return None
        name, fault = self._fault
        start = self._rest()[0]
        info = REASONS[fault.reason]
        where = f"{info.layer or name} at byte {start}"
        common: dict[str, Any] = {"reason": fault.reason, "layer": info.layer or name, "offset": start, "packet": None}
        if info.exception is MalformedError:
            message = f"{where}: {info.text}: {fault.field} is {fault.value}"
            return MalformedError(message, **common, field=fault.field, value=fault.value)
        available, limit = self._limits(fault)
        message = f"{where}: {info.text}: {fault.needed} bytes needed, {available} available, limited by {limit}"
        if fault.field:
            message += f" ({fault.field} says so)"
        return TruncatedError(message, **common, needed=fault.needed, available=available, limited_by=limit)

    def _limits(self, fault: Fault) -> tuple[int, str]:
        """How many bytes the faulty layer had, and who set that: the innermost length field, or the frame's end."""
        start, end, _ = self._rest()
        if fault.available is not None and start + fault.available < end:
            return fault.available, "IPv6.payload_length"
        if fault.reason is Reason.CAPTURE_CUT:
            return end - start, "capture"
        _, frame_end, missing, on_wire = self._bounds
        if self._kinds and self._reach() != frame_end + missing:
            for kind in reversed(self._kinds):
                name = self._types[kind].NAME
                if name in _LIMITS:
                    return end - start, f"{name}.{_LIMITS[name]}"
        return end - start, "frame" if on_wire else "capture"

    def _reach(self) -> int:
        """Where the last sound layer ended on the wire; in a fragment, where it ends here."""
        _, end, missing = self._rest()
        return end if missing >= FRAGMENTED else end + missing

    def _rest(self) -> tuple[int, int, int]:
        """Bounds of what is behind the last sound layer's header, and how much of it is missing."""
        if not self._kinds:
            return self._bounds[:3]
        _, header_end, end, _, missing = self._place(len(self._kinds) - 1)
        return header_end, end, missing

    # -- the rest

    def __str__(self) -> str:
        return tree(self.layers, self.payload, self.trailers, self.error)

    def __repr__(self) -> str:
        error = f", error={self._fault[1].reason.name}" if self._fault else ""
        return f"<Dissection {self._names()}, {self._bounds[1] - self._bounds[0]} bytes{error}>"

    def _names(self) -> str:
        return "/".join(self._types[kind].NAME for kind in self._kinds) or "no layers"

    def _place(self, index: int) -> Place:
        return self._place_at(self._first + index)

    def _decode(self, index: int) -> Layer:
        layer = self._cache.get(index)
        if layer is None:
            kind, place = self._kinds[index], self._place_at(self._first + index)
            # Our own layers read the numbers of a place by position, and need no Span.
            span: Any = place if kind < len(LAYERS) else span_of(place)
            layer = self._cache[index] = self._types[kind].decode(self.data, span)
        return layer

    def _behind_tunnel(self) -> Dissection:
        types, kinds = self._types, self._kinds
        for index, kind in enumerate(kinds, 1):
            if types[kind].TUNNEL:
                behind = kinds[index:]
                first = types[behind[0]] if behind else Ethernet
                start = _ETHERNET if first is Ethernet else first
                _, begin, end, _, missing = self._place(index - 1)
                bounds = (begin, end, missing, self._bounds[3])
                place_at, skipped = self._place_at, self._first + index
                return Dissection(self.data, start, behind, place_at, types, self._fault, bounds, skipped)
        raise LayerNotFound(f"no tunnel header in {self._names()}")


def dissect(
    data: bytes | bytearray | memoryview,
    *,
    start: Start = LinkType.ETHERNET,
    ports: Iterable[int] | None = None,
    bindings: Bindings = DEFAULT,
    max_tunnels: int = 4,
    original_length: int | None = None,
    lengths: Literal["strict", "captured"] = "strict",
) -> Dissection:
    """Find the layers of *data*; never raises on content.

    start            what the bytes begin with: a `LinkType`, or a layer such as `VXLAN`
    ports            the UDP destination ports that carry VXLAN, instead of those of *bindings*
    bindings         who follows whom
    max_tunnels      how many tunnel headers are entered, that of *start* included; further ones are payload
    original_length  the length that the frame had on the wire, if the capture cut it: length
                     fields may then reach that far
    lengths          "captured" takes IP and UDP lengths of 0, as offload leaves them, for all bytes there

    Raises `FieldError` for arguments that cannot be.
    """
    data = data if type(data) is bytes else as_bytes("dissect", "data", data)
    any_length = lengths == "captured"
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
        return _continue(data, start, [], bindings, max_tunnels, bounds, start, any_length)
    if not bindings.walkable:
        first = kernel.scan(kind, data, 0, length, missing, any_length)
        if isinstance(first, Fault):
            return Dissection(data, start, b"", _NOWHERE, LAYERS, (_name(kind), first), bounds)
        return _continue(data, LAYERS[first[0]], [], bindings, max_tunnels, bounds, start, any_length)
    entered = max(max_tunnels - 1, 0) if kind in _TUNNELS else max_tunnels
    kinds, place_at, last, fault = kernel.walk(data, missing, kind, bindings.held_ports, entered, any_length)
    if fault is not None:
        return Dissection(data, start, kinds, place_at, LAYERS, (_name(last), fault), bounds)
    if bindings.built_in:
        return Dissection(data, start, kinds, place_at, LAYERS, None, bounds)
    rows = [(kind, *place_at(index)) for index, kind in enumerate(kinds)]
    return _continue(data, None, rows, bindings, max_tunnels, bounds, start, any_length)


def missing_bytes(length: int, original_length: int | None) -> int:
    """How many bytes of a frame the capture cut off; `FieldError` for a length that is no 32-bit number."""
    if original_length is None:
        return 0
    if not isinstance(original_length, int) or original_length >> 32:
        raise _refused("original_length", original_length, "a number of 32 bits", 32)
    return max(original_length - length, 0)


def _refused(name: str, value: object, expected: str, bits: int | None = None) -> FieldError:
    return FieldError(f"{name}: {value!r} is not {expected}", layer="dissect", field=name, value=value, bits=bits)


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
    any_length: bool,
) -> Dissection:
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
        found = _scan(following, kind, data, at, end, missing, any_length)
        if isinstance(found, Fault):
            return _dissection_of(rows, data, start, types, (following.NAME, found), bounds)
        rows.append(found)
        _, _, at, end, key, missing = found
        following = bindings.get(following, key)
    return _dissection_of(rows, data, start, types, None, bounds)


def _dissection_of(
    rows: list[Row],
    data: bytes,
    start: Start,
    types: Sequence[type[Layer]],
    fault: tuple[str, Fault] | None,
    bounds: _Bounds,
) -> Dissection:
    places = [row[1:] for row in rows]
    return Dissection(data, start, [row[0] for row in rows], places.__getitem__, types, fault, bounds)


def _scan(
    layer: type[Layer], kind: int, data: bytes, start: int, end: int, missing: int, any_length: bool
) -> Row | Fault:
    if kind < len(LAYERS):
        return kernel.scan(kind, data, start, end, missing, any_length)
    found = layer.scan(data, start, end)
    if isinstance(found, Fault):
        return found
    begin, header_end, content_end, key, own = found
    key = NO_KEY if key is None else key
    return kind, begin, header_end, content_end, key, own if content_end < end else missing

"""Packet: layers, payload and trailers as one value, from bytes and back to the same bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from vxlanpkt.assigned import IPv4Flags
from vxlanpkt.bindings import DEFAULT, Bindings
from vxlanpkt.dissection import Dissection
from vxlanpkt.errors import BuildError, ChecksumError, LayerNotFound, Reason, refused_field
from vxlanpkt.headers import Headers, find_headers
from vxlanpkt.layers.base import Around, Header, Layer, as_bytes
from vxlanpkt.layers.ethernet import Ethernet
from vxlanpkt.layers.ipv4 import IPv4
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.ipv6_extensions import Fragment
from vxlanpkt.link_types import LinkType
from vxlanpkt.printing import html_tree, tree
from vxlanpkt.starts import Start

_L = TypeVar("_L", bound=Layer)

_CHECKSUM_FIELDS = ("checksum", "header_checksum")
_CHECKSUM_REASONS: Mapping[str, Reason] = {
    "IPv4": Reason.IPV4_CHECKSUM,
    "UDP": Reason.UDP_CHECKSUM,
    "TCP": Reason.TCP_CHECKSUM,
    "ICMP": Reason.ICMP_CHECKSUM,
    "ICMPv6": Reason.ICMPV6_CHECKSUM,
}
# Zero in these means "not computed here": none at all in UDP, left to the sender's device in IPv4.
_ZERO_STAYS = frozenset(("IPv4", "UDP"))


class Packet:
    """A packet as a value: equal, hashed and pickled by layers, payload, trailers and start.

    layers     the headers, outermost first
    payload    the bytes behind the last layer; a Packet given here is flattened
    trailers   trailers[i] are the bytes in layer i's container beyond its content, such as
               Ethernet padding behind an IPv4 packet; empty ones at the end are left out
    start      what the bytes begin with: a `LinkType`, or the type of the first layer

    Derived fields that are None are computed by `build` and `resolve`; any other value is sent as it is.
    """

    __slots__ = ("_first", "_headers", "_inner", "_layers", "_missing", "_payload", "_start", "_trailers")

    def __init__(
        self,
        *layers: Layer,
        payload: bytes | bytearray | memoryview | Packet = b"",
        trailers: Iterable[bytes] = (),
        start: Start | None = None,
    ) -> None:
        ends = tuple([as_bytes("Packet", "trailers", trailer) for trailer in trailers])
        if len(ends) > len(layers):
            raise BuildError(f"{len(ends)} trailers for {len(layers)} layers", layer="Packet", field="trailers")
        if isinstance(payload, Packet):
            ends += (b"",) * (len(layers) - len(ends)) + payload.trailers
            layers += payload.layers
            payload = payload.payload
        while ends and not ends[-1]:
            ends = ends[:-1]
        self._layers: tuple[Layer, ...] | None = layers
        self._payload: bytes | None = as_bytes("Packet", "payload", payload)
        self._trailers: tuple[bytes, ...] | None = ends
        self._start: Start = _start_of(layers) if start is None else start
        self._headers: Headers | None = None
        self._first = 0
        self._inner: Packet | None = None
        self._missing = 0

    @classmethod
    def from_dissection(cls, dissection: Dissection) -> Packet:
        """The sound layers of *dissection*, decoded when they are asked for."""
        return _view(dissection.headers, dissection.first)

    # -- parts

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The headers, outermost first: made for `match`."""
        if self._layers is None:
            assert self._headers is not None
            self._layers = self._headers.layers(self._first)
        return self._layers

    @property
    def payload(self) -> bytes:
        """The bytes behind the last layer."""
        if self._payload is None:
            assert self._headers is not None
            self._payload = self._headers.payload()
        return self._payload

    @property
    def trailers(self) -> tuple[bytes, ...]:
        """For each layer the bytes in its container beyond its content."""
        if self._trailers is None:
            assert self._headers is not None
            self._trailers = self._headers.trailers(self._first)
        return self._trailers

    @property
    def start(self) -> Start:
        """What the bytes begin with."""
        return self._start if self._headers is None else self._headers.start(self._first)

    @property
    def missing(self) -> int:
        """How many bytes the capture cut off the packet: no part of its value, but kept by `replace` and pickling."""
        return self._missing if self._headers is None else self._headers.bounds(self._first)[2]

    def get(self, layer: type[_L]) -> _L | None:
        """The first layer of this type, or None."""
        if self._headers is not None:
            return self._headers.get(layer, self._first)
        for candidate in self.layers:
            if type(candidate) is layer:
                return candidate
        return None

    def __getitem__(self, layer: type[_L]) -> _L:
        headers = self._headers
        found = self.get(layer) if headers is None else headers.get(layer, self._first)
        if found is None:
            raise LayerNotFound(f"no {getattr(layer, 'NAME', layer)} in {self._names()}")
        return found

    def __contains__(self, layer: type[Layer]) -> bool:
        return self.get(layer) is not None

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        """The number of layers."""
        return len(self.layers)

    @property
    def inner(self) -> Packet:
        """The packet behind the first tunnel header; `LayerNotFound` if there is none."""
        if self._inner is None:
            if self._headers is not None:
                self._inner = _view(self._headers, self._headers.behind_tunnel(self._first))
            else:
                behind = self._tunnel_index() + 1
                self._inner = Packet(*self.layers[behind:], payload=self.payload, trailers=self.trailers[behind:])
        return self._inner

    @property
    def outer(self) -> Packet:
        """The headers up to and including the first tunnel header, with no payload."""
        behind = self._tunnel_index() + 1
        return Packet(*self.layers[:behind], trailers=self.trailers[:behind], start=self.start)

    # -- bytes

    def build(self, *, bindings: Bindings = DEFAULT) -> bytes:
        """The bytes. Raises `BuildError` where a derived value does not fit or cannot be derived."""
        parts = self._encode(bindings, resolve=False)
        if not parts:
            return self.payload
        _, header, content = parts[0]
        return header + content + (self.trailers[0] if self.trailers else b"")

    def __bytes__(self) -> bytes:
        return self.build()

    def resolve(self, *, bindings: Bindings = DEFAULT) -> Packet:
        """The same packet with every None filled in."""
        return self._with([layer for layer, _, _ in self._encode(bindings)])

    def _encode(self, bindings: Bindings, *, resolve: bool = True) -> list[tuple[Layer, bytes, bytes]]:
        """Each layer, its header and its content: one pass from right to left.

        Without *resolve* the layers stay as they are, which saves making values that nobody asked for.
        The layers below are one list that gets shorter; only a user's own layer, which might keep it, gets a copy.
        """
        below, trailers, content = list(self.layers), self.trailers, self.payload
        parts = []
        key: int | None = None
        while below:
            layer = below.pop()
            kind = type(layer)
            if not isinstance(layer, Header):
                layer, header = layer.encode(Around(tuple(below), content, key))
            elif resolve:
                layer, header = layer.encode(Around(below, content, key))
            else:
                header = layer.derive(below, content, key)[1]
            parts.append((layer, header, content))
            content = header + content
            if trailers and len(below) < len(trailers):
                content += trailers[len(below)]
            if below:
                key = bindings.key(type(below[-1]), kind)
        parts.reverse()
        return parts

    # -- change

    def replace(self, layer: type[Layer], **changes: Any) -> Packet:
        """A copy in which the first layer of this type has *changes*, sent as they are.

        Raises `LayerNotFound` if there is none, `FieldError` for a value that its field cannot carry.
        """
        self[layer]
        layers = list(self.layers)
        index = next(index for index, candidate in enumerate(layers) if type(candidate) is layer)
        layers[index] = _changed(layers[index], changes)
        return self._with(layers)

    def recompute(
        self,
        *layers: type[Layer],
        checksums: Literal["nonzero", "all"] = "nonzero",
        bindings: Bindings = DEFAULT,
    ) -> Packet:
        """A copy with lengths and checksums computed anew, and resolved.

        layers     the types of layers to do; by default those up to the first tunnel header
        checksums  "nonzero" leaves a checksum of 0 in IPv4 and UDP as it is, "all" does not

        What says which layer follows (EtherType, protocol ...) is never changed, and nothing behind a fragment's IP
        header is, as it speaks of the whole datagram. Of a packet that the capture cut, the bytes here are measured.
        """
        if checksums not in ("nonzero", "all"):
            raise refused_field("recompute", "checksums", checksums, '"nonzero" or "all"')
        full = list(self.layers)
        for index, layer in enumerate(self.layers):
            if not layers or type(layer) in layers:
                full[index] = _undetermined(layer, checksums)
            if (layer.TUNNEL and not layers) or _is_fragment(layer):
                break
        return self._with(full).resolve(bindings=bindings)

    def _with(self, layers: Sequence[Layer]) -> Packet:
        return _rebuild(tuple(layers), self.payload, self.trailers, self.start, self.missing)

    # -- checks

    def checksum_errors(self, *, bindings: Bindings = DEFAULT) -> tuple[ChecksumError, ...]:
        """Every checksum that is wrong for the bytes it covers, as errors that are not raised.

        A UDP checksum of 0 is none. What a fragment or a cut capture does not hold whole is left out.
        """
        errors = []
        offset = 0
        for index, (layer, header, content) in enumerate(self._encode(bindings)):
            field = next((name for name in _CHECKSUM_FIELDS if name in layer.DERIVED), None)
            if field is not None and self._covers_all(index, field):
                fresh, _ = _changed(layer, {field: None}).encode(Around(self.layers[:index], content))
                expected, found = getattr(fresh, field), getattr(layer, field)
                # 0 and 0xffff are the same number in one's complement, but a 0 in UDP is none.
                if (found - expected) % 0xFFFF and not (found == 0 and layer.NAME == "UDP"):
                    errors.append(_checksum_error(layer.NAME, field, offset, expected, found))
            offset += len(header)
        return tuple(errors)

    def _covers_all(self, index: int, field: str) -> bool:
        """Whether every byte under the checksum of the layer at *index* is here."""
        if field == "header_checksum":
            return True
        if any(_is_fragment(layer) for layer in self.layers[:index]):
            return False
        return not self._missing if self._headers is None else self._headers.is_whole(self._first + index)

    # -- as a value

    def _value(self) -> tuple[object, ...]:
        return self.layers, self.payload, self.trailers, self.start

    def __eq__(self, other: object) -> bool:
        return self._value() == other._value() if isinstance(other, Packet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (*self._value(), self.missing)

    def __str__(self) -> str:
        return tree(self.layers, self.payload, self.trailers)

    def _repr_html_(self) -> str:
        return html_tree(self.layers, self.payload, self.trailers)

    def __repr__(self) -> str:
        return f"<Packet {self._names()}, payload of {len(self.payload)} bytes>"

    def _names(self) -> str:
        return "/".join(layer.NAME for layer in self.layers) or "no layers"

    def _tunnel_index(self) -> int:
        """Where the first tunnel header is; `LayerNotFound` if there is none."""
        for index, layer in enumerate(self.layers):
            if layer.TUNNEL:
                return index
        raise LayerNotFound(f"no tunnel header in {self._names()}")


def parse(
    data: bytes | bytearray | memoryview,
    *,
    start: Start = LinkType.ETHERNET,
    ports: Iterable[int] | None = None,
    bindings: Bindings = DEFAULT,
    max_tunnels: int = 4,
    original_length: int | None = None,
    lengths: Literal["strict", "captured", "ip"] = "strict",
) -> Packet:
    """`dissect`, but what cannot be read to its end raises.

    Raises `TruncatedError` or `MalformedError`, whose `.packet` holds the sound layers before the
    fault. For the parameters see `dissect`.
    """
    headers = find_headers(data, start, ports, bindings, max_tunnels, original_length, lengths)
    packet = _view(headers, 0)
    if headers.fault is not None:
        error = headers.error(0)
        assert error is not None
        raise error.with_packet(packet)
    return packet


_new = Packet.__new__  # looked up once: called for every packet


def _view(headers: Headers, first: int) -> Packet:
    """A packet of what was found from *first* on, decoded when it is asked for."""
    packet = _new(Packet)
    packet._headers = headers
    packet._first = first
    packet._layers = packet._payload = packet._trailers = packet._inner = None
    return packet


def _rebuild(
    layers: tuple[Layer, ...], payload: bytes, trailers: tuple[bytes, ...], start: Start, missing: int
) -> Packet:
    packet = Packet(*layers, payload=payload, trailers=trailers, start=start)
    packet._missing = missing
    return packet


def _is_fragment(layer: Layer) -> bool:
    """Whether what this IP layer holds is part of a datagram."""
    if isinstance(layer, IPv4):
        return bool(layer.flags & IPv4Flags.MF or layer.fragment_offset)
    return isinstance(layer, IPv6) and any(
        isinstance(extension, Fragment) and (extension.fragment_offset or extension.more_fragments)
        for extension in layer.extension_headers
    )


def _start_of(layers: Sequence[Layer]) -> Start:
    if not layers or type(layers[0]) is Ethernet:
        return LinkType.ETHERNET
    return type(layers[0])


def _changed(layer: Layer, changes: Mapping[str, Any]) -> Layer:
    """A copy of *layer* with *changes*, whether it is one of ours or a user's own dataclass."""
    if hasattr(layer, "replace"):
        return layer.replace(**changes)  # type: ignore[no-any-return]
    return dataclasses.replace(layer, **changes)  # type: ignore[type-var]


def _undetermined(layer: Layer, checksums: str) -> Layer:
    """*layer* with its lengths and checksums to be derived anew."""
    kept = {getattr(layer, "NEXT_FIELD", None)}
    if checksums != "all" and layer.NAME in _ZERO_STAYS:
        kept.update(name for name in _CHECKSUM_FIELDS if getattr(layer, name, None) == 0)
    names = getattr(layer, "RECOMPUTED", None)
    return _changed(layer, {name: None for name in (layer.DERIVED if names is None else names) if name not in kept})


def _checksum_error(layer: str, field: str, offset: int, expected: int, found: int) -> ChecksumError:
    return ChecksumError(
        f"{layer} at byte {offset}: the {field.replace('_', ' ')} is {found:#06x}, by the bytes it is {expected:#06x}",
        reason=_CHECKSUM_REASONS.get(layer, Reason.LAYER_CHECKSUM),
        layer=layer, offset=offset, packet=None, expected=expected, found=found,
    )  # fmt: skip

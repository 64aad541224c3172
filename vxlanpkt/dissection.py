"""Dissection: the layers found in a byte string, and where and why they end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeVar

from vxlanpkt.bindings import DEFAULT, Bindings
from vxlanpkt.errors import LayerNotFound, ParseError
from vxlanpkt.headers import Headers, find_headers
from vxlanpkt.kernel.contract.spans import Span
from vxlanpkt.layers.base import Layer
from vxlanpkt.link_types import LinkType
from vxlanpkt.printing import html_tree, tree
from vxlanpkt.starts import Start

_L = TypeVar("_L", bound=Layer)


class Dissection:
    """The layers found in a byte string, and where and why they end.

    `d[VXLAN]` is the first VXLAN layer, decoded when asked for; `d.error` is the `ParseError` that
    ended the walk, or None. Made by `dissect`.
    """

    __slots__ = ("_inner", "first", "headers")

    def __init__(self, headers: Headers, first: int = 0) -> None:
        """A view of *headers*, from *first* on."""
        self.headers = headers
        self.first = first
        self._inner: Dissection | None = None

    @property
    def data(self) -> bytes:
        """The bytes, those before `start` included."""
        return self.headers.data

    @property
    def start(self) -> Start:
        """What the bytes begin with."""
        return self.headers.start(self.first)

    # -- layers

    def get(self, layer: type[_L]) -> _L | None:
        """The first layer of this type, or None."""
        return self.headers.get(layer, self.first)

    def __getitem__(self, layer: type[_L]) -> _L:
        found = self.headers.get(layer, self.first)
        if found is None:
            raise LayerNotFound(f"no {getattr(layer, 'NAME', layer)} in {self.headers.names(self.first)}")
        return found

    def __contains__(self, layer: type[Layer]) -> bool:
        return self.headers.find(layer, self.first) >= 0

    def __len__(self) -> int:
        return len(self.headers) - self.first

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every sound layer, outermost first."""
        return self.headers.layers(self.first)

    @property
    def spans(self) -> tuple[tuple[type[Layer], Span], ...]:
        """Where every sound layer lies in `data`."""
        return self.headers.spans(self.first)

    @property
    def inner(self) -> Dissection:
        """What is behind the first tunnel header; `LayerNotFound` if there is none."""
        if self._inner is None:
            self._inner = Dissection(self.headers, self.headers.behind_tunnel(self.first))
        return self._inner

    # -- bytes

    @property
    def payload(self) -> bytes:
        """The content of the last sound layer: what no layer was found for."""
        return self.headers.payload()

    @property
    def trailers(self) -> tuple[bytes, ...]:
        """For each layer the bytes in its container beyond its content; empty ones at the end are left out."""
        return self.headers.trailers(self.first)

    @property
    def missing(self) -> int:
        """How many bytes the capture is known to have cut off: 0 if the frame is whole."""
        return self.headers.bounds(self.first)[2]

    def is_whole(self, index: int) -> bool:
        """Whether every byte of the layer at *index* and of its content is here."""
        return self.headers.is_whole(self.first + range(len(self))[index])  # an index as a tuple takes it

    # -- faults

    @property
    def error(self) -> ParseError | None:
        """Why the walk ended early, or None if it did not."""
        return self.headers.error(self.first)

    # -- the rest

    def __str__(self) -> str:
        return tree(self.layers, self.payload, self.trailers, self.error)

    def _repr_html_(self) -> str:
        return html_tree(self.layers, self.payload, self.trailers, self.error)

    def __repr__(self) -> str:
        fault = self.headers.fault
        error = f", error={fault[1].reason.name}" if fault else ""
        begin, end, _, _ = self.headers.bounds(self.first)
        return f"<Dissection {self.headers.names(self.first)}, {end - begin} bytes{error}>"


def dissect(
    data: bytes | bytearray | memoryview,
    *,
    start: Start = LinkType.ETHERNET,
    ports: Iterable[int] | None = None,
    bindings: Bindings = DEFAULT,
    max_tunnels: int = 4,
    original_length: int | None = None,
    lengths: Literal["strict", "captured", "ip"] = "strict",
) -> Dissection:
    """Find the layers of *data*; never raises on content.

    start            what the bytes begin with: a `LinkType`, or a layer such as `VXLAN`
    ports            the UDP destination ports that carry VXLAN, instead of those of *bindings*
    bindings         who follows whom
    max_tunnels      how many tunnel headers are entered, that of *start* included; further ones are payload
    original_length  the length that the frame had on the wire, if the capture cut it: length
                     fields may then reach that far
    lengths          "captured" takes IP and UDP lengths of 0, as offload leaves them, for all bytes there; "ip"
                     believes IP's lengths and takes no notice of UDP's

    Raises `FieldError` for arguments that cannot be.
    """
    return Dissection(find_headers(data, start, ports, bindings, max_tunnels, original_length, lengths))

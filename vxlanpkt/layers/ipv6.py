"""Internet Protocol version 6, RFC 8200 section 3, with its extension headers as a field.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |Version|   DSCP    |ECN|              Flow Label               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |        Payload Length         |  Next Header  |   Hop Limit   |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                        Source Address, 16 bytes               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                     Destination Address, 16 bytes             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                     Extension Headers (ipv6_extensions)       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Accepted unchecked: addresses, flow label, and what the extension headers hold. A payload length of
0 means no payload (RFC 2675 jumbograms are not read). A nonzero fragment offset ends the dissection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, final

from vxlanpkt.checksum import pseudo_header_sum
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Address, Below, Header, drafted, freeze, held_ipv6, packed, scan, thawed
from vxlanpkt.layers.ipv6_extensions import (
    Extension,
    Routing,
    as_extensions,
    decode_extensions,
    encode_extensions,
    resolve_extensions,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!IHBB16s16s")
_unpack = _STRUCT.unpack_from


class IPv6Fields(TypedDict, total=False):
    """What `IPv6.replace` takes."""

    src: IPv6Address | str | int | bytes
    dst: IPv6Address | str | int | bytes
    dscp: int
    ecn: int
    flow_label: int
    hop_limit: int
    extension_headers: Iterable[Extension]
    version: int
    payload_length: int | None
    next_header: int | None


@final
@drafted
@dataclass(frozen=True, slots=True, init=False)
class IPv6(Header):
    """An IPv6 header, 40 bytes and its extension headers.

    src                128 bits  source address
    dst                128 bits  destination address
    dscp                 6 bits  differentiated services code point
    ecn                  2 bits  explicit congestion notification
    flow_label          20 bits
    hop_limit            8 bits
    extension_headers   `HopByHop`, `DestinationOptions`, `Routing`, `Fragment`, `Authentication`, or
                        `OpaqueExtension`, in the order of the wire
    version              4 bits  6
    payload_length      16 bits  extension headers and content in bytes; derived
    next_header          8 bits  the first extension header, else what follows; derived

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "IPv6"
    KIND: ClassVar[Kind] = Kind.IPV6
    BITS: ClassVar[dict[str, int]] = {
        "dscp": 6, "ecn": 2, "flow_label": 20, "hop_limit": 8, "version": 4, "payload_length": 16, "next_header": 8,
    }  # fmt: skip
    ADDRESSES: ClassVar[dict[str, type[Address]]] = {"src": IPv6Address, "dst": IPv6Address}
    _src: ClassVar[Any]
    _dst: ClassVar[Any]
    DERIVED: ClassVar[tuple[str, ...]] = ("payload_length", "next_header")
    NEXT_FIELD: ClassVar[str | None] = "next_header"

    src: IPv6Address
    dst: IPv6Address
    dscp: int
    ecn: int
    flow_label: int
    hop_limit: int
    extension_headers: tuple[Extension, ...]
    version: int
    payload_length: int | None
    next_header: int | None

    def __init__(
        self,
        src: IPv6Address | str | int | bytes,
        dst: IPv6Address | str | int | bytes,
        dscp: int = 0,
        ecn: int = 0,
        flow_label: int = 0,
        hop_limit: int = 64,
        extension_headers: Iterable[Extension] = (),
        version: int = 6,
        payload_length: int | None = None,
        next_header: int | None = None,
    ) -> None:
        draft = thawed(self)
        draft.src = held_ipv6("IPv6", "src", src)
        draft.dst = held_ipv6("IPv6", "dst", dst)
        draft.dscp = dscp
        draft.ecn = ecn
        draft.flow_label = flow_label
        draft.hop_limit = hop_limit
        draft.extension_headers = as_extensions(extension_headers)
        draft.version = version
        draft.payload_length = payload_length
        draft.next_header = next_header
        freeze(draft, IPv6)

    @property
    def traffic_class(self) -> int:
        """DSCP and ECN as the one byte that they are on the wire."""
        return self.dscp << 2 | self.ecn

    @property
    def upper_protocol(self) -> int | None:
        """What follows the last extension header."""
        return self.extension_headers[-1].next_header if self.extension_headers else self.next_header

    def pseudo_header_sum(self, protocol: int, length: int) -> int:
        """The sum that the checksums above begin with (RFC 8200 section 8.1): to the final destination."""
        src, dst = packed(self._src), packed(self._dst)
        for extension in self.extension_headers:
            if isinstance(extension, Routing):
                dst = extension.final_destination or dst
        return pseudo_header_sum(src, dst, protocol, length)

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse a cut header, a version other than 6, a length beyond the bytes there, a broken chain."""
        return scan(Kind.IPV6, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> IPv6:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        start, header_end = span[0], span[1]
        (
            first, draft.payload_length, draft.next_header, draft.hop_limit, draft.src, draft.dst
        ) = _unpack(buf, start)  # fmt: skip
        draft.dscp = first >> 22 & 0x3F
        draft.ecn = first >> 20 & 3
        draft.flow_label = first & 0xFFFFF
        draft.version = first >> 28
        draft.extension_headers = (
            decode_extensions(draft.next_header, bytes(buf[start + 40 : header_end])) if header_end > start + 40 else ()
        )
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive payload length and every next header."""
        derived: dict[str, Any] = {}
        chain, next_header, payload_length = self.extension_headers, self.next_header, self.payload_length
        extensions = b""
        if chain:
            chain = resolve_extensions(chain, lambda: self._checked_next(next_key))
            if chain != self.extension_headers:
                derived["extension_headers"] = chain
            extensions = encode_extensions(chain)
        if next_header is None:
            next_header = derived["next_header"] = chain[0].number if chain else self._checked_next(next_key)
        if payload_length is None:
            payload_length = derived["payload_length"] = len(extensions) + len(content)
            if payload_length >> 16:
                raise self._too_big("payload_length", payload_length)
        first = self.version << 28 | self.dscp << 22 | self.ecn << 20 | self.flow_label
        fixed = _STRUCT.pack(first, payload_length, next_header, self.hop_limit, packed(self._src), packed(self._dst))
        return derived, fixed + extensions

    def replace(self, **changes: Unpack[IPv6Fields]) -> IPv6:
        """A copy with *changes*."""
        return self._changed(changes)

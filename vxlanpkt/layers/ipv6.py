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
from vxlanpkt.kernel.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Around, Header, as_ipv6, drafted, scan, set_field
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
        set_field(self, "src", as_ipv6("IPv6", "src", src))
        set_field(self, "dst", as_ipv6("IPv6", "dst", dst))
        set_field(self, "dscp", dscp)
        set_field(self, "ecn", ecn)
        set_field(self, "flow_label", flow_label)
        set_field(self, "hop_limit", hop_limit)
        set_field(self, "extension_headers", as_extensions(extension_headers))
        set_field(self, "version", version)
        set_field(self, "payload_length", payload_length)
        set_field(self, "next_header", next_header)
        self.__post_init__()

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
        dst = self.dst.packed
        for extension in self.extension_headers:
            if isinstance(extension, Routing):
                dst = extension.final_destination or dst
        return pseudo_header_sum(self.src.packed, dst, protocol, length)

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse a cut header, a version other than 6, a length beyond the bytes there, a broken chain."""
        return scan(Kind.IPV6, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> IPv6:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        start, header_end = span[:2]
        first, draft.payload_length, draft.next_header, draft.hop_limit, src, dst = _STRUCT.unpack_from(buf, start)
        draft.src = IPv6Address(src)
        draft.dst = IPv6Address(dst)
        draft.dscp = first >> 22 & 0x3F
        draft.ecn = first >> 20 & 3
        draft.flow_label = first & 0xFFFFF
        draft.version = first >> 28
        draft.extension_headers = (
            decode_extensions(draft.next_header, bytes(buf[start + 40 : header_end]))
            if header_end > start + 40
            else ()
        )
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def encode(self, around: Around) -> tuple[IPv6, bytes]:
        """The header and its extension headers; derives payload length and every next header."""
        full = self._resolve(around)
        extensions = encode_extensions(full.extension_headers)
        if full.payload_length is None:
            full = full._resolved(payload_length=len(extensions) + len(around.content))
        first = full.version << 28 | full.dscp << 22 | full.ecn << 20 | full.flow_label
        return full, _STRUCT.pack(
            first, full.payload_length, full.next_header, full.hop_limit, full.src.packed, full.dst.packed
        ) + extensions  # fmt: skip

    def _resolve(self, around: Around) -> IPv6:
        """This header with its next header, and those of its extension headers, filled in."""
        full = self
        if self.extension_headers:
            resolved = resolve_extensions(self.extension_headers, lambda: self._next_key(around))
            if resolved != self.extension_headers:
                full = self.replace(extension_headers=resolved)
        if full.next_header is None:
            first = full.extension_headers[0].number if full.extension_headers else self._next_key(around)
            full = full._resolved(next_header=first)
        return full

    def replace(self, **changes: Unpack[IPv6Fields]) -> IPv6:
        """A copy with *changes*."""
        return self._changed(changes)

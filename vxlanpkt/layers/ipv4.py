"""Internet Protocol version 4, RFC 791 section 3.1, with the DSCP of RFC 2474 and the ECN of RFC 3168.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |Version|  IHL  |   DSCP    |ECN|         Total Length          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |        Identification         |Flags|     Fragment Offset     |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |      TTL      |   Protocol    |        Header Checksum        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                        Source Address                         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Destination Address                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                     Options, padded with zeros                |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Accepted unchecked: flags, TTL, addresses, the checksum, and what the options hold. A nonzero
fragment offset ends the dissection; a first fragment is read as far as it goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypedDict, final

from vxlanpkt.checksum import pseudo_header_sum
from vxlanpkt.errors import MalformedError, Reason
from vxlanpkt.kernel import internet_checksum
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind, Span
from vxlanpkt.layers.base import Address, Below, Header, as_bytes, drafted, freeze, held_ipv4, packed, scan, thawed

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRUCT = Struct("!BBHHHBBH4s4s")
_unpack = _STRUCT.unpack_from
_END_OF_OPTIONS, _NO_OPERATION = 0, 1


class IPv4Option(NamedTuple):
    """One option: its type byte, and its data without type and length."""

    type: int
    data: bytes = b""


class IPv4Fields(TypedDict, total=False):
    """What `IPv4.replace` takes."""

    src: IPv4Address | str | int | bytes
    dst: IPv4Address | str | int | bytes
    dscp: int
    ecn: int
    identification: int
    flags: int
    fragment_offset: int
    ttl: int
    options: bytes
    version: int
    ihl: int | None
    total_length: int | None
    protocol: int | None
    header_checksum: int | None


@final
@drafted
@dataclass(frozen=True, slots=True, init=False)
class IPv4(Header):
    """An IPv4 header, 20 to 60 bytes.

    src              32 bits  source address
    dst              32 bits  destination address
    dscp              6 bits  differentiated services code point
    ecn               2 bits  explicit congestion notification
    identification   16 bits  groups fragments (RFC 6864)
    flags             3 bits  4 reserved, 2 DF, 1 MF
    fragment_offset  13 bits  in units of 8 bytes
    ttl               8 bits  time to live
    options          0-40 bytes as on the wire; the builder pads with zeros to a multiple of 4
    version           4 bits  4
    ihl               4 bits  header length in 32-bit words; derived
    total_length     16 bits  header and content in bytes; derived
    protocol          8 bits  what follows; derived from the next layer
    header_checksum  16 bits  derived over the header

    Raises `FieldError` for a value that its field cannot carry.
    """

    NAME: ClassVar[str] = "IPv4"
    KIND: ClassVar[Kind] = Kind.IPV4
    BITS: ClassVar[dict[str, int]] = {
        "dscp": 6, "ecn": 2, "identification": 16, "flags": 3, "fragment_offset": 13, "ttl": 8, "version": 4,
        "ihl": 4, "total_length": 16, "protocol": 8, "header_checksum": 16,
    }  # fmt: skip
    ADDRESSES: ClassVar[dict[str, type[Address]]] = {"src": IPv4Address, "dst": IPv4Address}
    _src: ClassVar[Any]
    _dst: ClassVar[Any]
    DERIVED: ClassVar[tuple[str, ...]] = ("ihl", "total_length", "protocol", "header_checksum")
    NEXT_FIELD: ClassVar[str | None] = "protocol"

    src: IPv4Address
    dst: IPv4Address
    dscp: int
    ecn: int
    identification: int
    flags: int
    fragment_offset: int
    ttl: int
    options: bytes
    version: int
    ihl: int | None
    total_length: int | None
    protocol: int | None
    header_checksum: int | None

    def __init__(
        self,
        src: IPv4Address | str | int | bytes,
        dst: IPv4Address | str | int | bytes,
        dscp: int = 0,
        ecn: int = 0,
        identification: int = 0,
        flags: int = 0,
        fragment_offset: int = 0,
        ttl: int = 64,
        options: bytes = b"",
        version: int = 4,
        ihl: int | None = None,
        total_length: int | None = None,
        protocol: int | None = None,
        header_checksum: int | None = None,
    ) -> None:
        draft = thawed(self)
        draft.src = held_ipv4("IPv4", "src", src)
        draft.dst = held_ipv4("IPv4", "dst", dst)
        draft.dscp = dscp
        draft.ecn = ecn
        draft.identification = identification
        draft.flags = flags
        draft.fragment_offset = fragment_offset
        draft.ttl = ttl
        draft.options = as_bytes("IPv4", "options", options)
        draft.version = version
        draft.ihl = ihl
        draft.total_length = total_length
        draft.protocol = protocol
        draft.header_checksum = header_checksum
        freeze(draft, IPv4)

    @property
    def tos(self) -> int:
        """DSCP and ECN as the one byte that they are on the wire."""
        return self.dscp << 2 | self.ecn

    def parsed_options(self) -> tuple[IPv4Option, ...]:
        """A view of `options`, up to the end-of-options byte; `MalformedError` if a length is wrong."""
        found = []
        at = 0
        while at < len(self.options) and (kind := self.options[at]) != _END_OF_OPTIONS:
            if kind == _NO_OPERATION:
                found.append(IPv4Option(kind))
                at += 1
                continue
            length = self.options[at + 1] if at + 1 < len(self.options) else 0
            if length < 2 or at + length > len(self.options):
                raise MalformedError(
                    f"IPv4 option {kind} at byte {20 + at}: length {length} of {len(self.options) - at} bytes left",
                    reason=Reason.IPV4_OPTION_LENGTH, layer="IPv4", offset=20 + at, packet=None,
                    field="options", value=length,
                )  # fmt: skip
            found.append(IPv4Option(kind, self.options[at + 2 : at + length]))
            at += length
        return tuple(found)

    def pseudo_header_sum(self, protocol: int, length: int) -> int:
        """The sum that the checksums of UDP and TCP begin with (RFC 768)."""
        return pseudo_header_sum(packed(self._src), packed(self._dst), protocol, length)

    @classmethod
    def scan(cls, buf: Buffer, start: int, end: int) -> Span | Fault:
        """Refuse a cut header, a version other than 4, an IHL below 5, and lengths that cannot be."""
        return scan(Kind.IPV4, buf, start, end)

    @classmethod
    def decode(cls, buf: Buffer, span: Span) -> IPv4:
        """Read a header that `scan` accepted."""
        draft: Any = cls.DRAFT()
        start, header_end = span[0], span[1]
        (
            first, tos, draft.total_length, draft.identification, fragment,
            draft.ttl, draft.protocol, draft.header_checksum, draft.src, draft.dst,
        ) = _unpack(buf, start)  # fmt: skip
        draft.dscp = tos >> 2
        draft.ecn = tos & 3
        draft.flags = fragment >> 13
        draft.fragment_offset = fragment & 0x1FFF
        draft.options = bytes(buf[start + 20 : header_end]) if header_end > start + 20 else b""
        draft.version = first >> 4
        draft.ihl = first & 15
        draft.__class__ = cls
        return draft  # type: ignore[no-any-return]

    def derive(self, below: Below, content: bytes, next_key: int | None) -> tuple[dict[str, Any], bytes]:
        """Derive IHL, total length, protocol and checksum."""
        derived = {}
        options, ihl, total_length = self.options, self.ihl, self.total_length
        protocol, checksum = self.protocol, self.header_checksum
        if len(options) % 4:
            options += bytes(-len(options) % 4)
        if ihl is None:
            ihl = derived["ihl"] = 5 + len(options) // 4
            if ihl >> 4:
                raise self._too_big("ihl", ihl)
        if total_length is None:
            total_length = derived["total_length"] = 20 + len(options) + len(content)
            if total_length >> 16:
                raise self._too_big("total_length", total_length)
        if protocol is None:
            protocol = derived["protocol"] = self._checked_next(next_key)
        src, dst = packed(self._src), packed(self._dst)
        first, tos = self.version << 4 | ihl, self.dscp << 2 | self.ecn
        identification, ttl = self.identification, self.ttl
        fragment = self.flags << 13 | self.fragment_offset
        if checksum is None:
            words = (first << 8 | tos) + total_length + identification + fragment + (ttl << 8 | protocol)
            checksum = derived["header_checksum"] = internet_checksum(src + dst + options, words)
        header = _STRUCT.pack(
            first, tos, total_length, identification, fragment, ttl, protocol, checksum, src, dst
        )  # fmt: skip
        return derived, header + options

    def replace(self, **changes: Unpack[IPv4Fields]) -> IPv4:
        """A copy with *changes*."""
        return self._changed(changes)

"""Decapsulation of one frame under a policy.

What takes the layers is loaded by those who ask for it: the outer headers, and the error for a frame that is refused.
"""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from vxlanpkt.errors import FieldError, Reason, is_number, refused_argument
from vxlanpkt.kernel import as_record, decap_one, locate_inner
from vxlanpkt.kernel.contract.columns import ALTERED, NO_LINK_TYPE, Note
from vxlanpkt.kernel.contract.decapsulation import Underlay
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.layers.base import as_bytes
from vxlanpkt.link_types import LinkType
from vxlanpkt.policy import DecapPolicy, require_policy
from vxlanpkt.starts import Start, missing_bytes, outer_kind

if TYPE_CHECKING:
    from vxlanpkt.kernel.contract.decap_record import DecapRecord
    from vxlanpkt.layers.vxlan import GroupPolicy
    from vxlanpkt.packet import Packet

_refused = partial(refused_argument, "decap")

Address = IPv4Address | IPv6Address
_DEFAULT_POLICY = DecapPolicy()
_ETHERNET, _ETHERNET_KIND = LinkType.ETHERNET, int(Kind.ETHERNET)
_PAYLOADS = (Kind.VXLAN, Kind.VXLANGPE)


class Decapsulated:
    """An accepted frame.

    vni                    the VXLAN network identifier
    inner                  the inner frame
    inner_original_length  its length on the wire: more than len(inner) if the capture cut it
    link_type              what the inner frame begins with: Ethernet, RAW for bare IP, None for others
    flags, reserved        bytes 0-3 and byte 7 of the header, as sent
    notes                  what is worth knowing beside: `Note` bits, such as CUT and PADDING
    outer                  the outer headers as a Packet, read when asked for
    """

    __slots__ = ("_data", "_original_length", "_policy", "_record", "_start", "inner", "vni")

    vni: int
    inner: bytes
    _data: bytes
    _record: Any  # a DecapRecord, or what has the same attributes; None until somebody asks for it
    _policy: DecapPolicy
    _start: Start
    _original_length: int | None

    # Most are filled in by `decap` itself: a constructor would take an eighth of its time.

    @classmethod
    def _of_record(
        cls, data: bytes, record: Any, policy: DecapPolicy, start: Start, original_length: int | None
    ) -> Decapsulated:
        got = cls()
        got._data = data
        got._record = record
        got._policy = policy
        got._start = start
        got._original_length = original_length
        got.vni = record.vni
        begin = record.inner_offset
        got.inner = data[begin : begin + record.inner_length]
        if record.notes & ALTERED:
            from vxlanpkt.kernel.python.altering import altered

            link_type, ethertype = record.inner_link_type, record.inner_ethertype
            inner = altered(got.inner, record.notes, link_type, ethertype, record.inner_ecn)
            assert inner is not None  # it was judged just now
            got.inner = inner
        return got

    @property
    def flags(self) -> int:
        """Bytes 0 to 3 of the header as one number."""
        return self._found.flags

    @property
    def reserved(self) -> int:
        """Byte 7 of the header."""
        return self._found.reserved

    @property
    def notes(self) -> Note:
        """What is worth knowing beside: CUT, PADDING, TRAILER ..."""
        return Note(self._found.notes)

    @property
    def group_policy(self) -> GroupPolicy | None:
        """The group policy, or None while G is clear."""
        from vxlanpkt.layers.vxlan import VXLAN

        return VXLAN(self.vni, self.flags >> 24, self.flags & 0xFFFFFF).group_policy

    @property
    def link_type(self) -> LinkType | None:
        """What the inner frame begins with; None if neither Ethernet nor IP (GPE with NSH, MPLS)."""
        number = self._found.inner_link_type
        return None if number == NO_LINK_TYPE else LinkType(number)

    @property
    def inner_original_length(self) -> int:
        """The inner frame's length on the wire."""
        return len(self.inner) + self._found.inner_original_length - self._found.inner_length

    @property
    def outer(self) -> Packet:
        """The outer headers, down to the tunnel header."""
        from vxlanpkt.packet import Packet  # which, as the next one, takes all layers
        from vxlanpkt.refusals import read

        found = read(self._data, self._policy, self._start, self._original_length)
        return Packet.from_dissection(found).outer

    @property
    def record(self) -> DecapRecord:
        """All that was found, as in a row of a batch's columns."""
        return as_record(self._found)

    @property
    def _found(self) -> DecapRecord:
        """All that was found, as the kernel hands it out: it judged this frame before, and says the same again."""
        if self._record is None:
            self._record = decap_one(self._data, 0, _ETHERNET_KIND, self._policy.held_rules)
        return self._record  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._of_record, (self._data, self.record, self._policy, self._start, self._original_length)

    def __repr__(self) -> str:
        return f"<Decapsulated VNI {self.vni}, inner frame of {len(self.inner)} bytes>"


def decap(
    data: bytes | bytearray | memoryview,
    *,
    policy: DecapPolicy = _DEFAULT_POLICY,
    start: Start = LinkType.ETHERNET,
    source: Address | str | None = None,
    tos: int | None = None,
    original_length: int | None = None,
) -> Decapsulated:
    """Take the inner frame out of one outer frame.

    policy           what is accepted
    start            what *data* begins with: a `LinkType`, or a layer; `VXLAN` for the payload of a UDP datagram
    source, tos      of a bare payload: where it came from, as `allowed_sources` asks, and its TOS, as `ecn` asks
    original_length  the frame's length on the wire, if the capture cut it

    Raises `DecapError` for what the policy refuses, `TruncatedError`, `MalformedError` or
    `ChecksumError` for broken bytes; each has a `Reason`. Raises `FieldError` for what is no policy, and
    where `allowed_sources` is set and nothing says where a payload came from.
    """
    data = data if type(data) is bytes else as_bytes("decap", "data", data)
    missing = 0 if original_length is None else missing_bytes(len(data), original_length)
    try:
        if start is _ETHERNET and source is None and tos is None:
            if not missing and (place := locate_inner(data, policy.held_rules)):
                got = Decapsulated()
                got._data = data
                got._record = None
                got._policy = policy
                got._start = start
                got._original_length = original_length
                got.vni = place >> 32
                got.inner = data[place >> 16 & 0xFFFF : place & 0xFFFF]
                return got
            record = decap_one(data, missing, _ETHERNET_KIND, policy.held_rules)
        else:
            kind = outer_kind(start)
            underlay = _underlay(policy, kind, source, tos)
            record = decap_one(data, missing, kind, policy.held_rules, underlay)
    except (AttributeError, TypeError):  # no frame is to wait for a look at its policy
        require_policy("decap", policy)
        raise
    if record.status:
        from vxlanpkt.refusals import refusal

        raise refusal(data, Reason(record.status), policy, start, original_length)
    return Decapsulated._of_record(data, record, policy, start, original_length)


def _underlay(policy: DecapPolicy, kind: Kind, source: Address | str | None, tos: int | None) -> Underlay:
    if tos is not None and not is_number(tos, 8):
        raise _refused("tos", tos, "a number of 8 bits", 8)
    if kind not in _PAYLOADS:
        if source is not None or tos is not None:
            raise FieldError(
                "source and tos are for bare payloads: here the outer header says them",
                layer="decap", field="source" if source is not None else "tos", value=source or tos, bits=None,
            )  # fmt: skip
        return Underlay()
    if source is None:
        if policy.allowed_sources is not None:
            raise FieldError(
                "source: allowed_sources cannot be judged without it",
                layer="decap", field="source", value=None, bits=None,
            )  # fmt: skip
        return Underlay(tos=tos)
    try:
        address = ip_address(source)
    except ValueError:
        raise _refused("source", source, "an IP address") from None
    # A dual-stack socket tells of IPv4 peers as ::ffff:a.b.c.d.
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return Underlay(address.version, int(address), tos)

"""Decapsulation of one frame under a policy, and the full error for one that is refused."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Literal

from vxlanpkt.assigned import EtherType, LinkType, VXLANFlags
from vxlanpkt.bindings import DEFAULT
from vxlanpkt.dissection import Dissection, dissect
from vxlanpkt.errors import (
    REASONS,
    ChecksumError,
    FieldError,
    ParseError,
    Reason,
    TruncatedError,
    is_number,
    refused_argument,
)
from vxlanpkt.headers import missing_bytes
from vxlanpkt.kernel import as_record, decap_one, locate_inner
from vxlanpkt.kernel.contract.columns import ALTERED, NO_LINK_TYPE, Note
from vxlanpkt.kernel.contract.decapsulation import DecapRecord, Underlay
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.kernel.python.altering import altered
from vxlanpkt.layers.base import Layer, as_bytes
from vxlanpkt.layers.ipv4 import IPv4
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.udp import UDP
from vxlanpkt.layers.vxlan import VXLAN, GroupPolicy
from vxlanpkt.layers.vxlan_gpe import VXLANGPE
from vxlanpkt.packet import Packet
from vxlanpkt.policy import DecapPolicy, require_policy
from vxlanpkt.starts import Start, outer_kind

_refused = partial(refused_argument, "decap")

Address = IPv4Address | IPv6Address
_DEFAULT_POLICY = DecapPolicy()
_ETHERNET, _ETHERNET_KIND = LinkType.ETHERNET, int(Kind.ETHERNET)
_Lengths = Literal["strict", "captured", "ip"]
_TAGS = (EtherType.DOT1Q, EtherType.QINQ)


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
            kind, underlay = outer_kind(start), _underlay(policy, start, source, tos)
            record = decap_one(data, missing, kind, policy.held_rules, underlay)
    except (AttributeError, TypeError):  # no frame is to wait for a look at its policy
        require_policy("decap", policy)
        raise
    if record.status:
        raise refusal(data, Reason(record.status), policy, start, original_length)
    return Decapsulated._of_record(data, record, policy, start, original_length)


def _underlay(policy: DecapPolicy, start: Start, source: Address | str | None, tos: int | None) -> Underlay:
    if tos is not None and not is_number(tos, 8):
        raise _refused("tos", tos, "a number of 8 bits", 8)
    if start not in (VXLAN, VXLANGPE):
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


# -- the headers as the policy reads them


def read(data: bytes, policy: DecapPolicy, start: Start, original_length: int | None) -> Dissection:
    """Dissect an outer frame and one tunnel as *policy* takes them: GPE only where it is understood and P is set."""
    lengths: _Lengths = "captured" if policy.lengths == "captured" else "strict"
    found = _read_as(VXLAN, data, policy, start, original_length, lengths)
    if VXLAN not in found and policy.udp_length != "check":
        lengths = "ip"
        found = _read_as(VXLAN, data, policy, start, original_length, lengths)
    header = found.get(VXLAN)
    if policy.gpe and header is not None and header.flags & VXLANFlags.P:
        return _read_as(VXLANGPE, data, policy, start, original_length, lengths)
    return found


def _read_as(
    tunnel: type[VXLAN] | type[VXLANGPE],
    data: bytes,
    policy: DecapPolicy,
    start: Start,
    original_length: int | None,
    lengths: _Lengths,
) -> Dissection:
    bindings = DEFAULT
    for port in policy.ports:
        bindings = bindings.bind(UDP, port, tunnel, replace=True)
    start = tunnel if start in (VXLAN, VXLANGPE) else start
    return dissect(
        data, start=start, bindings=bindings, max_tunnels=1, original_length=original_length, lengths=lengths
    )


# -- why a frame was refused


def refusal(
    data: bytes, reason: Reason, policy: DecapPolicy, start: Start, original_length: int | None
) -> ParseError:  # fmt: skip
    """The full error for a frame that a kernel refused with *reason*."""
    # A length that the policy does not excuse: the reading is not to excuse it either.
    reading = policy.replace(udp_length="check") if reason in _UDP_REASONS else policy
    found = read(data, reading, start, original_length)
    packet = Packet.from_dissection(found)
    error = found.error
    if error is not None and error.reason is reason:
        return error.with_packet(packet)
    info = REASONS[reason]
    layer, offset = _place(found, reason)
    if reason is Reason.INNER_TRUNCATED:
        # The dissection stumbled over the same header, and knows who set the limit.
        limit = getattr(error, "limited_by", "capture")
        if limit == "UDP.length" and policy.udp_length == "ignore":
            limit = "IPv4.total_length" if IPv4 in found else "IPv6.payload_length"
        return _truncated(reason, layer, offset, packet, 14, found.spans[-1][1].end - offset, limit)
    if reason is Reason.CAPTURE_CUT:
        return _capture_cut(found, packet)
    if issubclass(info.exception, ChecksumError):
        for wrong in packet.checksum_errors():
            if wrong.reason is reason:
                return wrong.with_packet(packet)
    parts: dict[str, Any] = {"reason": reason, "layer": layer, "offset": offset, "packet": packet}
    error_class: Any = info.exception
    message = f"{layer} at byte {offset}: {info.text}{_seen(reason, found, policy)}"
    return error_class(message, **parts)  # type: ignore[no-any-return]


def _seen(reason: Reason, found: Dissection, policy: DecapPolicy) -> str:
    """What a refused frame has where the policy asks for something else."""
    header = found.get(VXLAN) or found.get(VXLANGPE)
    ip = found.get(IPv4) or found.get(IPv6)
    udp = found.get(UDP)
    if reason is Reason.VNI_REFUSED and header is not None:
        return f": {header.vni}"
    if reason is Reason.SOURCE_REFUSED and ip is not None:
        return f": {ip.src}"
    if reason is Reason.VXLAN_RESERVED:
        start = next(span.start for layer, span in found.spans if layer.TUNNEL)
        word = int.from_bytes(found.data[start : start + 8], "big") & policy.rules.reserved_mask
        return f": bits {word:#018x} of the header"
    if reason is Reason.NOT_VXLAN and udp is not None:
        return f": port {udp.dst_port}, VXLAN is on {', '.join(map(str, policy.ports)) or 'none'}"
    return ""


def _truncated(
    reason: Reason, layer: str, offset: int, packet: Packet, needed: int, available: int, limit: str
) -> TruncatedError:
    return TruncatedError(
        f"{layer} at byte {offset}: {REASONS[reason].text}: {needed} bytes needed, {available} available, "
        f"limited by {limit}",
        reason=reason, layer=layer, offset=offset, packet=packet, needed=needed, available=available, limited_by=limit,
    )  # fmt: skip


def _capture_cut(found: Dissection, packet: Packet) -> TruncatedError:
    """The error for a frame whose outermost IP packet, or bare payload, was cut: a policy may refuse that."""
    if not found.spans:  # a bare payload of which not even the header was kept
        return _truncated(Reason.CAPTURE_CUT, "VXLAN", 0, packet, 8, len(found.data), "capture")
    layer, span = next((layer, span) for layer, span in found.spans if span.missing and _has_an_end(layer))
    available = span.end - span.start
    return _truncated(
        Reason.CAPTURE_CUT, layer.NAME, span.start, packet, available + span.missing, available, "capture"
    )


def _has_an_end(layer: type[Layer]) -> bool:
    return layer.TUNNEL or layer.NAME in ("IPv4", "IPv6")


_UDP_REASONS = (Reason.UDP_LENGTH, Reason.UDP_TRUNCATED)
_INNER_REASONS = frozenset((
    Reason.INNER_TRUNCATED, Reason.INNER_VLAN, Reason.INNER_SOURCE, Reason.INNER_OWN_MAC, Reason.INNER_LENGTH,
))  # fmt: skip
_NAMES = {"IP": ("IPv4", "IPv6"), "VXLAN": ("VXLAN", "VXLANGPE"), "VXLANGPE": ("VXLAN", "VXLANGPE")}


def _place(found: Dissection, reason: Reason) -> tuple[str, int]:
    """Name and offset of what a reason blames: a layer outside, or the inner frame; else the last layer."""
    layer = REASONS[reason].layer
    names = _NAMES.get(layer, (layer,))
    for candidate, span in found.spans:
        if reason in _INNER_REASONS:
            if candidate.TUNNEL:
                return layer, span.header_end
        elif candidate.NAME in names:
            return candidate.NAME, span.start
    return (found.spans[-1][0].NAME, found.spans[-1][1].start) if found.spans else ("frame", 0)

"""Decapsulation of one frame under a policy, and the full error for one that is refused."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from vxlanpkt import kernel
from vxlanpkt.assigned import LinkType, VXLANFlags
from vxlanpkt.bindings import DEFAULT, Bindings, Start, kind_of
from vxlanpkt.checksum import update_checksum
from vxlanpkt.dissection import Dissection, dissect
from vxlanpkt.errors import REASONS, ChecksumError, FieldError, ParseError, Reason, TruncatedError
from vxlanpkt.kernel.contract import NO_LINK_TYPE, DecapRecord, Note, Underlay
from vxlanpkt.kernel.spans import Kind
from vxlanpkt.layers.udp import UDP
from vxlanpkt.layers.vxlan import VXLAN, GroupPolicy
from vxlanpkt.layers.vxlan_gpe import VXLANGPE
from vxlanpkt.packet import Packet
from vxlanpkt.policy import DecapPolicy

Address = IPv4Address | IPv6Address
_DEFAULT_POLICY = DecapPolicy()


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

    __slots__ = ("_data", "_original_length", "_outer", "_start", "inner", "record")

    def __init__(self, data: bytes, start: Start, original_length: int | None, record: DecapRecord) -> None:
        self._data, self._start, self._original_length = data, start, original_length
        self._outer: Packet | None = None
        self.record = record
        self.inner = altered(data[record.inner_offset : record.inner_offset + record.inner_length], record)

    @property
    def vni(self) -> int:
        """The VXLAN network identifier."""
        return self.record.vni

    @property
    def flags(self) -> int:
        """Bytes 0 to 3 of the header as one number."""
        return self.record.flags

    @property
    def reserved(self) -> int:
        """Byte 7 of the header."""
        return self.record.reserved

    @property
    def notes(self) -> Note:
        """What is worth knowing beside: CUT, PADDING, TRAILER ..."""
        return Note(self.record.notes)

    @property
    def group_policy(self) -> GroupPolicy | None:
        """The group policy, or None while G is clear."""
        return VXLAN(self.vni, self.flags >> 24, self.flags & 0xFFFFFF).group_policy

    @property
    def link_type(self) -> LinkType | None:
        """What the inner frame begins with; None if neither Ethernet nor IP (GPE with NSH, MPLS)."""
        number = self.record.inner_link_type
        return None if number == NO_LINK_TYPE else LinkType(number)

    @property
    def inner_original_length(self) -> int:
        """The inner frame's length on the wire."""
        return len(self.inner) + self.record.inner_original_length - self.record.inner_length

    @property
    def outer(self) -> Packet:
        """The outer headers, down to the tunnel header."""
        if self._outer is None:
            ports = (self.record.outer_dst_port,) if self.record.outer_dst_port else ()
            found = dissect(
                self._data, start=self._start, bindings=_bindings(ports, self.flags), max_tunnels=1,
                original_length=self._original_length,
            )  # fmt: skip
            whole = Packet.from_dissection(found)
            tunnels = any(layer.TUNNEL for layer in whole.layers)
            self._outer = whole.outer if tunnels else Packet(*whole.layers, start=self._start)
        return self._outer

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
    `ChecksumError` for broken bytes; each has a `Reason`. Raises `FieldError` where
    `allowed_sources` is set and nothing says where a payload came from.
    """
    data = data if type(data) is bytes else bytes(data)
    record = kernel.decap_one(
        data, 0, len(data), missing_bytes(len(data), original_length), outer_kind(start), policy.rules,
        _underlay(policy, start, source, tos),
    )  # fmt: skip
    if record.status:
        raise refusal(data, Reason(record.status), policy, start, original_length)
    return Decapsulated(data, start, original_length, record)


def missing_bytes(length: int, original_length: int | None) -> int:
    """How many bytes of a frame the capture cut off."""
    return max(original_length - length, 0) if original_length is not None else 0


def outer_kind(start: Start) -> Kind:
    """The kernel's kind for what an outer frame begins with."""
    kind = kind_of(start)
    if kind is None or kind in (Kind.ARP, Kind.UDP, Kind.TCP, Kind.ICMP, Kind.ICMPV6):
        raise FieldError(
            f"start: {start!r} is not a link layer, IP or VXLAN", layer="decap", field="start", value=start, bits=None
        )
    return kind


def _underlay(policy: DecapPolicy, start: Start, source: Address | str | None, tos: int | None) -> Underlay:
    if start not in (VXLAN, VXLANGPE):
        return Underlay()
    if source is None:
        if policy.allowed_sources is not None:
            raise FieldError(
                "source: allowed_sources cannot be judged without it",
                layer="decap",
                field="source",
                value=None,
                bits=None,
            )
        return Underlay(None, tos)
    try:
        address = ip_address(source)
    except ValueError:
        raise FieldError(
            f"source: {source!r} is not an IP address", layer="decap", field="source", value=source, bits=None
        ) from None
    mapped = 0xFFFF << 32 if address.version == 4 else 0
    return Underlay(mapped | int(address), tos)


def altered(inner: bytes, record: DecapRecord) -> bytes:
    """*inner* with what the policy asked for done to it: its tag stripped, its ECN carried over."""
    if record.notes & Note.REMARKED:
        inner = _remarked(inner, record)
    if record.notes & Note.STRIPPED:
        inner = inner[:12] + inner[16:]
    return inner


def _remarked(inner: bytes, record: DecapRecord) -> bytes:
    """The inner IP header with its new ECN, and an IPv4 checksum to match (RFC 1624)."""
    at = 0 if record.inner_link_type == LinkType.RAW else 14 + 4 * record.inner_tags
    frame = bytearray(inner)
    if record.inner_ethertype == 0x0800:
        old = int.from_bytes(frame[at : at + 2], "big")
        new = old & ~3 | record.inner_ecn
        frame[at : at + 2] = new.to_bytes(2, "big")
        checksum = update_checksum(int.from_bytes(frame[at + 10 : at + 12], "big"), old, new)
        frame[at + 10 : at + 12] = checksum.to_bytes(2, "big")
    else:
        frame[at + 1] = frame[at + 1] & 0xCF | record.inner_ecn << 4
    return bytes(frame)


def _bindings(ports: tuple[int, ...], flags: int) -> Bindings:
    """The default bindings with *ports* for the tunnel header that *flags* show."""
    if not flags >> 24 & VXLANFlags.P:
        return DEFAULT.with_vxlan_ports(ports)
    bindings = DEFAULT
    for port in ports:
        bindings = bindings.bind(UDP, port, VXLANGPE, replace=True)
    return bindings


# -- why a frame was refused


def refusal(
    data: bytes, reason: Reason, policy: DecapPolicy, start: Start, original_length: int | None
) -> ParseError:  # fmt: skip
    """The full error for a frame that a kernel refused with *reason*."""
    found = dissect(data, start=start, ports=policy.ports, max_tunnels=1, original_length=original_length)
    packet = Packet.from_dissection(found)
    error = found.error
    if error is not None and error.reason is reason:
        return error.with_packet(packet)
    if error is not None and reason is Reason.INNER_TRUNCATED:
        return _truncated(reason, error.layer, error.offset, packet, vars(error))
    if reason is Reason.CAPTURE_CUT:
        return _capture_cut(found, packet)
    info = REASONS[reason]
    layer, offset = _place(found, info.layer)
    if issubclass(info.exception, ChecksumError):
        for wrong in packet.checksum_errors():
            if wrong.reason is reason:
                return wrong.with_packet(packet)
    parts: dict[str, Any] = {"reason": reason, "layer": info.layer or layer, "offset": offset, "packet": packet}
    if issubclass(info.exception, TruncatedError):
        parts.update(needed=14, available=len(data) - offset, limited_by="capture")
    error_class: Any = info.exception
    return error_class(f"{info.layer or layer} at byte {offset}: {info.text}", **parts)  # type: ignore[no-any-return]


def _truncated(reason: Reason, layer: str, offset: int, packet: Packet, parts: dict[str, Any]) -> TruncatedError:
    needed, available, limit = parts["needed"], parts["available"], parts["limited_by"]
    return TruncatedError(
        f"{layer} at byte {offset}: {REASONS[reason].text}: {needed} bytes needed, {available} available, "
        f"limited by {limit}",
        reason=reason, layer=layer, offset=offset, packet=packet, needed=needed, available=available, limited_by=limit,
    )  # fmt: skip


def _capture_cut(found: Dissection, packet: Packet) -> TruncatedError:
    """The error for a frame whose outermost length reaches beyond what was captured."""
    for layer, span in found.spans:
        if span.missing and layer.NAME in ("IPv4", "IPv6"):
            sizes = {"needed": span.end - span.start + span.missing, "available": span.end - span.start}
            return _truncated(
                Reason.CAPTURE_CUT, layer.NAME, span.start, packet, {**sizes, "limited_by": "capture"}
            )  # fmt: skip
    size = len(found.data)
    return _truncated(
        Reason.CAPTURE_CUT, "frame", 0, packet,
        {"needed": size + found.missing, "available": size, "limited_by": "capture"},
    )  # fmt: skip


def _place(found: Dissection, layer: str) -> tuple[str, int]:
    """Name and offset of the layer that a reason blames; the last one where it names none."""
    spans = found.spans
    names = {"IP": ("IPv4", "IPv6"), "VXLANGPE": ("VXLAN",)}.get(layer, (layer,))
    inner = False
    for candidate, span in spans:
        if candidate.NAME in names and (inner or layer not in ("Ethernet", "Dot1Q")):
            return candidate.NAME, span.start
        inner = inner or candidate.TUNNEL
    return (spans[-1][0].NAME, spans[-1][1].start) if spans else ("frame", 0)

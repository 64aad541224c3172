"""Why a frame was refused: its headers as a policy reads them, and the full error. Takes all layers."""

from __future__ import annotations

from typing import Any, Literal

from vxlanpkt.assigned import VXLANFlags
from vxlanpkt.bindings import DEFAULT
from vxlanpkt.dissection import Dissection, dissect
from vxlanpkt.errors import ChecksumError, ParseError, Reason, TruncatedError
from vxlanpkt.layers.base import Layer
from vxlanpkt.layers.ipv4 import IPv4
from vxlanpkt.layers.ipv6 import IPv6
from vxlanpkt.layers.udp import UDP
from vxlanpkt.layers.vxlan import VXLAN
from vxlanpkt.layers.vxlan_gpe import VXLANGPE
from vxlanpkt.packet import Packet
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.reasons import REASONS
from vxlanpkt.starts import Start

_Lengths = Literal["strict", "captured", "ip"]


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

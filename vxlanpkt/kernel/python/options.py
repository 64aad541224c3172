"""Outer IPv4 options and IPv6 extension headers, judged one by one as a host judges them.

Refused are source routes, what is malformed, and what asks to be dropped by a host that does not know it. The host is
Linux with its default settings: labels that its empty label database does not know are refused. What a security
association would decide passes.
"""

from __future__ import annotations

from vxlanpkt.kernel.contract.protocols import DESTINATION, FRAGMENT, HIP, HOP_BY_HOP, MOBILITY, ROUTING, SHIM6
from vxlanpkt.kernel.contract.spans import Buffer
from vxlanpkt.kernel.python.scanning import extensions

# RFC 791 section 3.1, RFC 2113.
_END, _NOP, _RECORD_ROUTE, _TIMESTAMP, _ROUTER_ALERT = 0, 1, 7, 68, 148
_SOURCE_ROUTES, _LABEL = (131, 137), 134
_TIMESTAMPS_ONLY, _WITH_ADDRESSES, _PRESPECIFIED, _OVERFLOWED = 0, 1, 3, 15

# RFC 8200 section 4.2, RFC 2711, RFC 5570, RFC 9486; routing headers of RFC 6554 and RFC 8754.
_PAD1, _PADN, _ROUTER_ALERT6, _LABEL6, _TRACE = 0, 1, 5, 7, 49
_ROUTES_FOR_ROUTERS = (3, 4)
_UNKNOWN_TO_HOSTS = (MOBILITY, HIP, SHIM6)
_MULTICAST = 0xFF
_MOST_PADDING, _MOST_OPTIONS = 7, 8


def are_sound_options(buf: Buffer, at: int, end: int) -> bool:
    """Whether a host accepts the IPv4 options `buf[at:end]` (RFC 791 section 3.1)."""
    seen = set()
    while at < end and buf[at] != _END:
        kind = buf[at]
        if kind == _NOP:
            at += 1
            continue
        if end - at < 2 or not 2 <= buf[at + 1] <= end - at or kind in _SOURCE_ROUTES or kind == _LABEL:
            return False
        length = buf[at + 1]
        if kind == _ROUTER_ALERT and length < 4:
            return False
        if kind in (_RECORD_ROUTE, _TIMESTAMP):
            if kind in seen or not _has_room(bytes(buf[at : at + length]), kind):
                return False
            seen.add(kind)
        at += length
    return True


def _has_room(option: bytes, kind: int) -> bool:
    """Whether the pointer of a recording option is behind its header, and leads to a whole slot or to the end."""
    header = 3 if kind == _RECORD_ROUTE else 4
    if len(option) < header or option[2] <= header:
        return False
    pointer, flag = option[2], option[3] & 0xF if kind == _TIMESTAMP else _TIMESTAMPS_ONLY
    if pointer <= len(option):
        return pointer + (7 if flag in (_WITH_ADDRESSES, _PRESPECIFIED) else 3) <= len(option)
    return kind == _RECORD_ROUTE or flag == _PRESPECIFIED or option[3] >> 4 < _OVERFLOWED


def are_sound_extensions(buf: Buffer, start: int, header_end: int) -> bool:
    """Whether a host accepts the extension headers of the sound IPv6 packet at *start* (RFC 8200 section 4)."""
    for kind, at, end in extensions(buf, start, header_end):
        if kind in _UNKNOWN_TO_HOSTS:
            return False
        if kind == ROUTING and (buf[at + 3] or buf[at + 2] in _ROUTES_FOR_ROUTERS or buf[start + 24] == _MULTICAST):
            return False
        if kind in (HOP_BY_HOP, DESTINATION) and not _are_sound_options6(buf, at + 2, end, kind == HOP_BY_HOP):
            return False
    return True


def are_known_extensions(buf: Buffer, start: int, header_end: int) -> bool:
    """Whether Open vSwitch finds its way through the extension headers: it knows those of RFC 8200, and AH.

    To it only a fragment header without any bit set is that of an atomic fragment.
    """
    return not any(
        kind in _UNKNOWN_TO_HOSTS or (kind == FRAGMENT and (buf[at + 2] or buf[at + 3]))
        for kind, at, _ in extensions(buf, start, header_end)
    )


def _are_sound_options6(buf: Buffer, at: int, end: int, hop_by_hop: bool) -> bool:
    options = padding = 0
    start = at - 2
    while at < end:
        kind = buf[at]
        length = 1 if kind == _PAD1 else buf[at + 1] + 2 if end - at >= 2 else end - at + 1
        if length > end - at:
            return False
        if kind in (_PAD1, _PADN):
            padding += length
            if padding > _MOST_PADDING or any(buf[at + 2 : at + length]):
                return False
        else:
            options, padding = options + 1, 0
            if options > _MOST_OPTIONS or not _is_sound_option6(kind, length, at - start, hop_by_hop):
                return False
        at += length
    return True


def _is_sound_option6(kind: int, length: int, offset: int, hop_by_hop: bool) -> bool:
    """RFC 8200 section 4.2: the two high bits of an unknown option say what becomes of the packet."""
    if hop_by_hop and kind == _ROUTER_ALERT6:
        return length == 4
    if hop_by_hop and kind == _TRACE:
        return offset % 4 == 0
    return not kind >> 6 and not (hop_by_hop and kind == _LABEL6)

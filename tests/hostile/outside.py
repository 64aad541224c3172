"""Where a datagram begins and ends, read off the outer bytes with a few lines of struct and nothing of the library.

It is what the library is measured by, so it shares neither code nor tables with it. It takes only frames that the
library accepted: what it cannot read in them, the library should have refused, and the struct.error says so.
"""

from __future__ import annotations

from struct import unpack_from

# The bytes before IP, and where among them the EtherType stands, by link type.
_LINKS = {1: (14, 12), 113: (16, 14), 276: (20, 0), 0: (4, None), 108: (4, None)}
_TAGS = (0x8100, 0x88A8)
_HOP_BY_HOP, _FRAGMENT, _AUTHENTICATION, _UDP = 0, 44, 51, 17
_EXTENSIONS = (_HOP_BY_HOP, 43, _FRAGMENT, _AUTHENTICATION, 60, 135, 139, 140)


def datagram_of(frame: bytes, link_type: int, on_wire: int, udp_length: str = "check") -> tuple[int, int]:
    """Where the payload of the UDP datagram in *frame* begins, and where it ends, which may be beyond the bytes here.

    *on_wire* is the length that the frame had there. Lengths of 0, as offload leaves them, reach to the end of what
    they are in. *udp_length* is the policy's: who ignores the field has the IP packet for a bound, and who takes up
    to 20 bytes too many gets no more of them than that packet has.
    """
    ip = _behind_link(frame, link_type)
    udp, ip_end = _ipv4(frame, ip, on_wire) if frame[ip] >> 4 == 4 else _ipv6(frame, ip, on_wire)
    (length,) = unpack_from("!H", frame, udp + 4)
    udp_end = udp + length if length and udp_length != "ignore" else ip_end
    if udp_length == "overrun" and ip_end < udp_end <= ip_end + 20:
        udp_end = ip_end
    assert udp + 8 <= udp_end <= ip_end <= on_wire, "a length reaches beyond what it is in"
    return udp + 8, udp_end


def _behind_link(frame: bytes, link_type: int) -> int:
    """Behind link header and tags."""
    at, type_at = _LINKS.get(link_type, (0, None))
    while type_at is not None and unpack_from("!H", frame, type_at)[0] in _TAGS:
        at, type_at = at + 4, at + 2
    return at


def _ipv4(frame: bytes, ip: int, on_wire: int) -> tuple[int, int]:
    """Where UDP begins, and where the packet ends."""
    total_length, fragment, protocol = unpack_from("!2xH2xHxB", frame, ip)
    assert protocol == _UDP and not fragment & 0x3FFF
    return ip + 4 * (frame[ip] & 15), ip + total_length if total_length else on_wire


def _ipv6(frame: bytes, ip: int, on_wire: int) -> tuple[int, int]:
    """Where UDP begins behind all extension headers, and where the packet ends."""
    payload_length, key = unpack_from("!4xHB", frame, ip)
    at, end = ip + 40, ip + 40 + payload_length if payload_length else on_wire
    while key in _EXTENSIONS and (key != _HOP_BY_HOP or at == ip + 40):
        following, units = unpack_from("!BB", frame, at)
        if key == _FRAGMENT:
            assert not unpack_from("!2xH", frame, at)[0] & 0xFFF9, "a fragment of more than one"
        at += 8 if key == _FRAGMENT else 4 * units + 8 if key == _AUTHENTICATION else 8 * units + 8
        key = following
    assert key == _UDP
    return at, end

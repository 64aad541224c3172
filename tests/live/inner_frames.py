"""Write tests/data/inner_frames.jsonl: inner frames by name, made by hand, with all that an outer header takes over.

Nothing here imports the library. Run it again only to change the list; the output is committed:

    python -m tests.live.inner_frames

One JSON object a line:

    name    unique among those of one start
    start   ethernet, or raw for a bare IP packet, as the generic protocol extension carries it
    sound   whether nothing is wrong with it
    frame   hex, whole
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from .handmade import INNER_KERNEL_MAC, INNER_PEER_MAC, internet_sum, ip_bytes, ipv4, ipv6, mac, udp

OUT = Path(__file__).parent.parent / "data" / "inner_frames.jsonl"
_OUTWARD = mac(INNER_PEER_MAC) + mac(INNER_KERNEL_MAC)
_IPV4, _IPV6, _MPLS = b"\x08\x00", b"\x86\xdd", b"\x88\x47"
_SRC, _DST, _SRC6, _DST6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
_DF, _MORE = 0x4000, 0x2000
_SHORTEST = 14
_PADDED = "IPv4, padded"
_ECN = {"Not-ECT": 0xB8, "ECT(1)": 0xB9, "ECT(0)": 0xBA, "CE": 0xBB}


def _packet(*, tos: int = 0, ttl: int = 64, fragment: int = _DF, options: bytes = b"") -> bytes:
    """An IPv4 packet with a UDP datagram."""
    content = udp(7, 9, b"inside", _SRC, _DST, checksum=True)
    return ipv4(_SRC, _DST, 17, content, tos=tos, ttl=ttl, fragment=fragment, options=options)


def _tcp() -> bytes:
    """The first segment of a connection."""
    blank = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 1000, 0, 0)
    pseudo_header = ip_bytes(_SRC) + ip_bytes(_DST) + struct.pack("!HH", 6, len(blank))
    return _with_word(blank, 16, internet_sum(pseudo_header + blank))


def _packet6(*, tos: int = 0, ttl: int = 64, label: int = 0, extension: tuple[int, bytes] | None = None) -> bytes:
    """An IPv6 packet with a UDP datagram, behind an extension header if one is given."""
    content = udp(7, 9, b"inside", _SRC6, _DST6, checksum=True)
    first, header = extension or (17, b"")
    whole = ipv6(_SRC6, _DST6, first, header + content, tos=tos, ttl=ttl)
    return struct.pack("!I", 6 << 28 | tos << 20 | label) + whole[4:]


def _tags(*tags: tuple[int, int]) -> bytes:
    """Ethertype and TCI of each tag."""
    return b"".join(struct.pack("!HH", ethertype, tci) for ethertype, tci in tags)


def _with_word(packet: bytes, at: int, word: int) -> bytes:
    """A packet with other 16 bits at some place; the checksum of an IPv4 header is made right."""
    changed = bytearray(packet)
    changed[at : at + 2] = struct.pack("!H", word)
    if changed[0] >> 4 == 4:
        changed[10:12] = bytes(2)
        changed[10:12] = struct.pack("!H", internet_sum(bytes(changed[: 4 * (changed[0] & 0xF)])))
    return bytes(changed)


def _plain() -> dict[str, bytes]:
    """Frames without IP."""
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac(INNER_KERNEL_MAC) + ip_bytes(_SRC) + bytes(6) + ip_bytes(_DST)
    odd = b"\x88\xb5" + b"not IP"
    lldp = bytes.fromhex("020704020000000101 04020731 06020078 0000")
    return {
        "not IP": _OUTWARD + odd.ljust(46, b"\xa5"),
        "nothing behind the header": _OUTWARD + odd[:2],
        "one byte behind the header": _OUTWARD + odd[:3],
        "1514 bytes": _OUTWARD + odd.ljust(1502, b"\xa5"),
        "broadcast": b"\xff" * 6 + mac(INNER_KERNEL_MAC) + odd.ljust(46, b"\xa5"),
        "ARP": b"\xff" * 6 + mac(INNER_KERNEL_MAC) + b"\x08\x06" + arp,
        "LLDP": bytes.fromhex("0180c200000e") + mac(INNER_KERNEL_MAC) + b"\x88\xcc" + lldp,
        "STP, 802.3": bytes.fromhex("0180c2000000") + mac(INNER_KERNEL_MAC) + b"\0\x26\x42\x42\x03".ljust(48, b"\0"),
        "PTP": _OUTWARD + b"\x88\xf7" + bytes.fromhex("0002002c").ljust(44, b"\0"),
        "MPLS, IPv4": _OUTWARD + _MPLS + bytes.fromhex("00014140") + _packet(tos=0xBB, ttl=17),
        "MPLS of two labels": _OUTWARD + _MPLS + bytes.fromhex("0001404000024140") + _packet(),
    }


def _ipv4_frames() -> dict[str, bytes]:
    packets = {
        "IPv4": _packet(),
        "IPv4, TOS 3": _packet(tos=3),
        **{f"IPv4, TTL {ttl}": _packet(ttl=ttl) for ttl in (0, 1, 17, 255)},
        **{f"IPv4, {name}": _packet(tos=tos, ttl=17) for name, tos in _ECN.items()},
        "IPv4, DF clear": _packet(fragment=0),
        "IPv4, first fragment": _packet(fragment=_MORE),
        "IPv4, later fragment": _packet(fragment=5),
        "IPv4, reserved bit": _packet(fragment=0x8000),
        "IPv4, options": _packet(tos=0x29, options=b"\x01\x01\x01\x00"),
        "IPv4, TCP": ipv4(_SRC, _DST, 6, _tcp()),
        "IPv4, ICMP": ipv4(_SRC, _DST, 1, bytes.fromhex("0800f7fd00010001")),
        "IPv4, SCTP": ipv4(_SRC, _DST, 132, bytes.fromhex("000700090000000100000000 0b000004")),
        "IPv4, GRE": ipv4(_SRC, _DST, 47, bytes.fromhex("000088b5") + b"not IP"),
        _PADDED: _packet(tos=0xBA, ttl=17).ljust(60, b"\0"),
        "IPv4, nothing inside": ipv4(_SRC, _DST, 17, b"", tos=0xBA, ttl=17),
    }
    return {name: _OUTWARD + _IPV4 + packet for name, packet in packets.items()}


def _ipv6_frames() -> dict[str, bytes]:
    packets = {
        "IPv6": _packet6(),
        **{f"IPv6, hop limit {ttl}": _packet6(ttl=ttl) for ttl in (0, 1, 9, 255)},
        **{f"IPv6, {name}": _packet6(tos=tos, ttl=9, label=0x12345) for name, tos in _ECN.items()},
        "IPv6, hop-by-hop options": _packet6(tos=0x2A, extension=(0, bytes.fromhex("1100010400000000"))),
        "IPv6, fragment": _packet6(tos=0x2A, extension=(44, bytes.fromhex("1100000100000001"))),
        "IPv6, nothing inside": ipv6(_SRC6, _DST6, 59, b"", tos=0x2A, ttl=9),
    }
    return {name: _OUTWARD + _IPV6 + packet for name, packet in packets.items()}


def _tagged_frames() -> dict[str, bytes]:
    alien = b"\x88\xb5" + bytes(46)
    marked, clear = _IPV4 + _packet(tos=0xBB, ttl=17), _IPV4 + _packet(tos=0xB9, ttl=17, fragment=0)
    marked6 = _IPV6 + _packet6(tos=0x2A, ttl=9, label=0x12345)
    contents = {
        "tag, IPv4": _tags((0x8100, 0xA007)) + marked,
        "tag, IPv4, DF clear": _tags((0x8100, 7)) + clear,
        "tag, IPv6": _tags((0x8100, 7)) + marked6,
        "tag of 0, not IP": _tags((0x8100, 0)) + alien,
        "service tag, IPv4": _tags((0x88A8, 7)) + marked,
        "service tag, IPv6": _tags((0x88A8, 7)) + marked6,
        "two tags, IPv4": _tags((0x88A8, 7), (0x8100, 8)) + marked,
        "two tags, IPv6": _tags((0x88A8, 7), (0x8100, 8)) + marked6,
        "two tags, not IP": _tags((0x8100, 7), (0x8100, 8)) + alien,
        "three tags, IPv4": _tags((0x88A8, 7), (0x8100, 8), (0x8100, 9)) + marked,
        "tag of 0x9100, IPv4": _tags((0x9100, 7)) + marked,
    }
    contents.update(
        (f"{count} tags, IPv4", _tags(*((0x8100, vid) for vid in range(1, count + 1))) + marked) for count in (7, 8, 9)
    )
    return {name: _OUTWARD + content for name, content in contents.items()}


def _broken_frames() -> dict[str, bytes]:
    """An EtherType of IP, and no IP packet that holds what it says behind it."""
    ip, ip6 = _packet(tos=0xBB, ttl=17), _packet6(tos=0xBB, ttl=9, label=0x12345)
    contents = {
        "IPv4, 10 bytes": _IPV4 + ip[:10],
        "IPv4, 19 bytes": _IPV4 + ip[:19],
        "IPv4, header alone of more": _IPV4 + ip[:20],
        "IPv4, total length beyond the end": _IPV4 + _with_word(ip, 2, 300),
        "IPv4, total length 9": _IPV4 + _with_word(ip, 2, 9),
        "IPv4, IHL 4": _IPV4 + b"\x44" + ip[1:],
        "IPv4, IHL 15 without options": _IPV4 + b"\x4f" + ip[1:20],
        "IPv4 by EtherType, version 5": _IPV4 + b"\x55" + ip[1:],
        "IPv4 by EtherType, IPv6 inside": _IPV4 + ip6,
        "IPv4, wrong header checksum": _IPV4 + ip[:10] + b"\x12\x34" + ip[12:],
        "IPv6, 10 bytes": _IPV6 + ip6[:10],
        "IPv6, 39 bytes": _IPV6 + ip6[:39],
        "IPv6, header alone of more": _IPV6 + ip6[:40],
        "IPv6, payload length beyond the end": _IPV6 + _with_word(ip6, 4, 300),
        "IPv6, payload length 0": _IPV6 + _with_word(ip6, 4, 0),
        "IPv6, extension header beyond the end": _IPV6
        + _packet6(tos=0xBB, ttl=9, extension=(0, b"\x11\xff" + bytes(6))),
        "IPv6 by EtherType, version 5": _IPV6 + b"\x5b" + ip6[1:],
        "IPv6 by EtherType, IPv4 inside": _IPV6 + ip.ljust(46, b"\0"),
        "tag, IPv4, 10 bytes": _tags((0x8100, 7)) + _IPV4 + ip[:10],
        "tag, IPv4, total length beyond the end": _tags((0x8100, 7)) + _IPV4 + _with_word(ip, 2, 300),
        "a tag and nothing behind it": _tags((0x8100, 7)) + _IPV4,
    }
    return {name: _OUTWARD + content for name, content in contents.items()}


BROKEN: Mapping[str, bytes] = _broken_frames()
FRAMES: Mapping[str, bytes] = {**_plain(), **_ipv4_frames(), **_ipv6_frames(), **_tagged_frames(), **BROKEN}
# What the generic protocol extension carries beside Ethernet frames.
# A stack that is given whole packets numbers those of IPv4 that have no identification, and writes their length.
PACKETS: Mapping[str, bytes] = {
    **{name: _with_word(frame[_SHORTEST:], 4, 0x1234) for name, frame in _ipv4_frames().items() if name != _PADDED},
    **{name: frame[_SHORTEST:] for name, frame in _ipv6_frames().items()},
}


def lines() -> Iterator[str]:
    """The list as it is written down."""
    for start, listed in (("ethernet", FRAMES), ("raw", PACKETS)):
        for name, frame in listed.items():
            sound = start == "raw" or name not in BROKEN
            yield json.dumps({"name": name, "start": start, "sound": sound, "frame": frame.hex()}) + "\n"


if __name__ == "__main__":
    OUT.write_text("".join(lines()), "ascii")

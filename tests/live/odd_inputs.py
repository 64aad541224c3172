"""Write tests/data/odd_inputs.jsonl: odd frames for receivers to judge, listed by name, made by hand.

Nothing here imports the library: each header is packed below, each checksum is this file's own. No verdict is written
down; what is right is what the receiver under test does. Run it again only to add inputs; the output is committed:

    python -m tests.live.odd_inputs

One JSON object a line:

    name         unique
    about        the receivers' settings that the input was made for; it is sent to all of the same IP version
    ip_version   of the outer header
    frame        hex, from the peer's underlay address to the receiver's
    cannot_know  why no policy can know the verdict (the host's addresses, reassembly ...); absent: it can
    why          what is odd
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from .handmade import (
    INNER_KERNEL_MAC,
    KERNEL_IP,
    KERNEL_IP6,
    KERNEL_MAC,
    PEER_IP,
    PEER_IP6,
    PEER_MAC,
    VNI,
    internet_sum,
    ip_bytes,
    ipv4,
    ipv6,
    mac,
    udp,
)

OUT = Path(__file__).parent.parent / "data" / "odd_inputs.jsonl"
SOURCE, UNICAST = "02:00:00:00:01:77", "02:00:00:00:01:78"
_EXPERIMENTAL = b"\x88\xb5"
_AUTHENTICATION = 51
_LEARNING = ("default", "nolearning")
_IPV4 = ("default", "nolearning", "gbp")
_IPV6 = ("ipv6", "udp6zerocsumrx")


class Input(NamedTuple):
    """One line of the list."""

    name: str
    about: tuple[str, ...]
    ip_version: int
    frame: bytes
    why: str
    cannot_know: str = ""

    def as_json(self) -> str:
        """This input as it is written down."""
        said: dict[str, Any] = {**self._asdict(), "frame": self.frame.hex()}
        if not self.cannot_know:
            del said["cannot_know"]
        return json.dumps(said)

    @classmethod
    def from_json(cls, line: str) -> Input:
        """An input as it was written down."""
        said = json.loads(line)
        return cls(**{**said, "about": tuple(said["about"]), "frame": bytes.fromhex(said["frame"])})


def listed() -> list[Input]:
    """The inputs, as committed."""
    return [Input.from_json(line) for line in OUT.read_text("ascii").splitlines()]


# -- frames by hand


def inner(
    content: bytes = b"odd input".ljust(46, b"\xa5"),
    ethertype: bytes = _EXPERIMENTAL,
    *,
    src: str = SOURCE,
    dst: str = INNER_KERNEL_MAC,
) -> bytes:
    """An inner frame; nothing answers its EtherType."""
    return mac(dst) + mac(src) + ethertype + content


def inner4(*, tos: int = 0, **fields: Any) -> bytes:
    """An inner IPv4 frame with a UDP datagram to a closed port of nobody."""
    datagram = udp(7, 9, b"odd", "10.0.0.2", "10.0.0.9", checksum=True)
    return inner(ipv4("10.0.0.2", "10.0.0.9", 17, datagram, tos=tos, **fields), b"\x08\x00")


def inner6(*, tos: int = 0) -> bytes:
    """The same over IPv6."""
    datagram = udp(7, 9, b"odd", "fd00::2", "fd00::9", checksum=True)
    return inner(ipv6("fd00::2", "fd00::9", 17, datagram, tos=tos), b"\x86\xdd")


def vxlan(flags: int = 0x08, reserved1: int = 0, vni: int = VNI, reserved2: int = 0) -> bytes:
    """The header of eight bytes."""
    return struct.pack("!II", flags << 24 | reserved1, vni << 8 | reserved2)


def word(number: int) -> bytes:
    """Two bytes of the wire."""
    return number.to_bytes(2, "big")


def datagram(
    payload: bytes,
    ip_version: int,
    *,
    checksum: str = "",
    length: int | None = None,
    src_port: int = 50_000,
    dst_port: int = 4789,
    src: str = "",
    dst: str = "",
) -> bytes:
    """A UDP datagram; *checksum* is zero, full, wrong, or partial; *length* what it says instead of the truth."""
    checksum = checksum or ("zero" if ip_version == 4 else "full")
    src = src or (PEER_IP if ip_version == 4 else PEER_IP6)
    dst = dst or (KERNEL_IP if ip_version == 4 else KERNEL_IP6)
    said = 8 + len(payload) if length is None else length
    header = word(src_port) + word(dst_port) + word(said)
    covered = (header + b"\0\0" + payload)[: said or None]
    pseudo = ip_bytes(src) + ip_bytes(dst) + struct.pack("!IxxxB", len(covered), 17)
    full = internet_sum(pseudo + covered) or 0xFFFF
    field = {"zero": 0, "full": full, "wrong": full ^ 0x5500 or 1, "partial": internet_sum(pseudo) ^ 0xFFFF}[checksum]
    return header + word(field) + payload


def ethernet(content: bytes, ethertype: int, *, dst: str = KERNEL_MAC, tags: Sequence[tuple[int, int]] = ()) -> bytes:
    """An outer frame; *tags* are pairs of TPID and TCI."""
    stack = b"".join(word(tpid) + word(tci) for tpid, tci in tags)
    return mac(dst) + mac(PEER_MAC) + stack + word(ethertype) + content


def over4(payload: bytes, *, tail: bytes = b"", src: str = PEER_IP, dst: str = KERNEL_IP, **fields: Any) -> bytes:
    """An outer frame over IPv4 around the UDP payload; *tail* is behind the datagram, inside the packet."""
    of_ip = {name: fields.pop(name) for name in ("tos", "ttl", "fragment", "options") if name in fields}
    protocol = fields.pop("protocol", 17)
    link = {name: fields.pop(name) for name in ("tags",) if name in fields}
    return ethernet(
        ipv4(src, dst, protocol, datagram(payload, 4, src=src, dst=dst, **fields) + tail, **of_ip), 0x0800, **link
    )


def over6(
    payload: bytes,
    *,
    tail: bytes = b"",
    src: str = PEER_IP6,
    dst: str = KERNEL_IP6,
    extensions: Sequence[tuple[int, bytes]] = (),
    checksum_dst: str = "",
    **fields: Any,
) -> bytes:
    """An outer frame over IPv6; *extensions* are pairs of a header's kind and its bytes from the second on."""
    of_ip = {name: fields.pop(name) for name in ("tos", "ttl") if name in fields}
    protocol = fields.pop("protocol", 17)
    link = {name: fields.pop(name) for name in ("tags",) if name in fields}
    kinds = [kind for kind, _ in extensions] + [protocol]
    for kind, body in extensions:
        assert (1 + len(body)) % (4 if kind == _AUTHENTICATION else 8) == 0, (
            f"extension header {kind} of {len(body) + 1}"
        )
    chain = b"".join(bytes([after]) + body for after, (_, body) in zip(kinds[1:], extensions, strict=True))
    content = chain + datagram(payload, 6, src=src, dst=checksum_dst or dst, **fields) + tail
    return ethernet(ipv6(src, dst, kinds[0], content, **of_ip), 0x86DD, **link)


def over(ip_version: int, payload: bytes, **fields: Any) -> bytes:
    """An outer frame over either."""
    return over4(payload, **fields) if ip_version == 4 else over6(payload, **fields)


def patched(frame: bytes, at: int, data: bytes) -> bytes:
    """*frame* with other bytes at an offset."""
    return frame[:at] + data + frame[at + len(data) :]


def ip_patched(frame: bytes, at: int, data: bytes) -> bytes:
    """An outer IPv4 header of 20 bytes with other bytes at an offset of its own, and the checksum to match."""
    frame = patched(patched(frame, 14 + at, data), 24, b"\0\0")
    return patched(frame, 24, word(internet_sum(frame[14:34])))


PLAIN = vxlan() + inner()
IP4, IP6 = 14, 14  # where the outer IP header begins
UDP4, UDP6 = 34, 54


# -- the list


def header_bits() -> Iterator[Input]:
    """The VXLAN header, bit by bit."""
    about = (*_IPV4, "gpe")
    yield Input("plain", about, 4, over4(PLAIN), "nothing odd")
    yield Input("i-clear", about, 4, over4(vxlan(0) + inner()), "the I flag is clear")
    yield Input("header-all-zero", about, 4, over4(vxlan(0, vni=0) + inner()), "eight zero bytes")
    for bit in (7, 6, 5, 4, 2, 1, 0):
        yield Input(
            f"byte-0-bit-{bit}", about, 4, over4(vxlan(0x08 | 1 << bit) + inner()), "one bit of byte 0 beside I"
        )
    for bit in range(23, -1, -1):
        name = f"byte-{3 - bit // 8}-bit-{bit % 8}"
        yield Input(name, about, 4, over4(vxlan(reserved1=1 << bit) + inner()), "one bit of bytes 1 to 3")
    for bit in range(7, -1, -1):
        yield Input(f"byte-7-bit-{bit}", about, 4, over4(vxlan(reserved2=1 << bit) + inner()), "one bit of byte 7")
    yield Input("all-reserved", about, 4, over4(vxlan(0xFF, 0xFFFFFF, reserved2=0xFF) + inner()), "every bit is set")
    yield Input("vni-other", about, 4, over4(vxlan(vni=VNI + 1) + inner()), "the VNI is not the receiver's")
    yield Input("vni-zero", about, 4, over4(vxlan(vni=0) + inner()), "VNI 0")
    yield Input("vni-max", about, 4, over4(vxlan(vni=0xFFFFFF) + inner()), "the largest VNI")


def group_policy() -> Iterator[Input]:
    """The group policy extension."""
    for name, flags, low in (
        ("gbp-id", 0x88, 0x001234),
        ("gbp-id-zero", 0x88, 0),
        ("gbp-id-max", 0x88, 0x00FFFF),
        ("gbp-dont-learn", 0x88, 0x400007),
        ("gbp-applied", 0x88, 0x080007),
        ("gbp-both-marks", 0x88, 0x480007),
        ("gbp-applied-in-the-wrong-place", 0x88, 0x800007),
        ("gbp-all-low-bits", 0x88, 0xFFFFFF),
        ("gbp-g-clear-with-id", 0x08, 0x001234),
        ("gbp-g-clear-with-marks", 0x08, 0x480000),
        ("gbp-g-clear-with-all", 0x08, 0xFFFFFF),
        ("gbp-i-clear", 0x80, 0x001234),
        ("gbp-and-p", 0x8C, 0x000003),
        ("gbp-and-p-with-id", 0x8C, 0x481234),
        ("gbp-and-b", 0x8A, 0x001234),
        ("gbp-and-o", 0x89, 0x001234),
        ("gbp-and-version-1", 0x98, 0x001234),
        ("gbp-and-version-2", 0xA8, 0x001234),
        ("gbp-and-bit-6", 0xC8, 0x001234),
    ):
        yield Input(name, ("gbp", "default"), 4, over4(vxlan(flags, low) + inner()), "group policy fields")
    yield Input(
        "gbp-and-byte-7", ("gbp",), 4, over4(vxlan(0x88, 7, reserved2=1) + inner()), "group policy, and byte 7 set"
    )
    yield Input(
        "gbp-tagged", ("gbp",), 4, over4(vxlan(0x88, 7) + inner(b"\0\7" + _EXPERIMENTAL + bytes(46), b"\x81\0")),
        "group policy, and the inner frame is tagged",
    )  # fmt: skip


def protocol_extension() -> Iterator[Input]:
    """The generic protocol extension."""
    about = ("gpe", "default")
    ip4, ip6 = inner4()[14:], inner6()[14:]
    for number, payload in ((0, ip4), (1, ip4), (2, ip6), (3, inner()), (4, bytes(24)), (5, b"\0\1\x01\x40" + ip4),
                            (6, ip4), (7, ip4), (0x7F, ip4), (0x80, ip4), (0xFF, ip4)):  # fmt: skip
        yield Input(
            f"gpe-next-protocol-{number}", about, 4, over4(vxlan(0x0C, number) + payload), f"next protocol {number}"
        )
    for version in (1, 2, 3):
        yield Input(f"gpe-version-{version}", about, 4, over4(vxlan(0x0C | version << 4, 1) + ip4), "a later version")
    yield Input("gpe-oam", about, 4, over4(vxlan(0x0D, 1) + ip4), "an OAM packet")
    yield Input("gpe-bum", about, 4, over4(vxlan(0x0E, 1) + ip4), "the flag of replicated packets")
    yield Input("gpe-p-clear", about, 4, over4(vxlan(0x08, 1) + ip4), "a next protocol, but P is clear")
    yield Input("gpe-p-clear-version-1", about, 4, over4(vxlan(0x18, 1) + ip4), "a version, but P is clear")
    yield Input("gpe-i-clear", about, 4, over4(vxlan(0x04, 1) + ip4), "P is set, but I is clear")
    yield Input("gpe-byte-0-bit-6", about, 4, over4(vxlan(0x4C, 1) + ip4), "a reserved flag")
    yield Input("gpe-byte-1", about, 4, over4(vxlan(0x0C, 0x010001) + ip4), "a reserved bit of byte 1")
    yield Input("gpe-byte-2", about, 4, over4(vxlan(0x0C, 0x000101) + ip4), "a reserved bit of byte 2")
    yield Input("gpe-byte-7", about, 4, over4(vxlan(0x0C, 1, reserved2=1) + ip4), "a reserved bit of byte 7")
    yield Input("gpe-and-g", about, 4, over4(vxlan(0x8C, 1) + ip4), "G beside P")
    for size in (0, 1, 19, 20):
        yield Input(f"gpe-ipv4-of-{size}", about, 4, over4(vxlan(0x0C, 1) + ip4[:size]), "an inner IPv4 packet is cut")
    for size in (1, 39, 40):
        yield Input(f"gpe-ipv6-of-{size}", about, 4, over4(vxlan(0x0C, 2) + ip6[:size]), "an inner IPv6 packet is cut")
    yield Input("gpe-ethernet-of-13", about, 4, over4(vxlan(0x0C, 3) + inner()[:13]), "an inner frame of 13 bytes")
    yield Input("gpe-ethernet-of-14", about, 4, over4(vxlan(0x0C, 3) + inner()[:14]), "an inner frame of 14 bytes")
    for number in range(1, 6):
        yield Input(f"gpe-nothing-inside-{number}", about, 4, over4(vxlan(0x0C, number)), "no inner frame at all")
        yield Input(f"gpe-one-byte-inside-{number}", about, 4, over4(vxlan(0x0C, number) + b"\x45"), "one inner byte")
    yield Input("gpe-ipv4-says-ipv6", about, 4, over4(vxlan(0x0C, 1) + ip6), "the next protocol is wrong")
    yield Input("gpe-ipv6-says-ipv4", about, 4, over4(vxlan(0x0C, 2) + ip4 + bytes(20)), "the next protocol is wrong")
    for outer_ecn, inner_ecn in ((3, 0), (3, 1), (3, 2), (1, 2), (2, 1)):
        yield Input(
            f"gpe-ecn-{outer_ecn}-outside-{inner_ecn}-inside", about, 4,
            over4(vxlan(0x0C, 1) + inner4(tos=inner_ecn)[14:], tos=outer_ecn), "ECN around a bare IP packet",
        )  # fmt: skip


def outer_ipv4() -> Iterator[Input]:
    """The outer IPv4 header."""
    about = _IPV4
    plain = over4(PLAIN)
    yield Input("ip-checksum-wrong", about, 4, patched(plain, 24, b"\x12\x34"), "the header checksum is wrong")
    yield Input("ip-checksum-zero", about, 4, patched(plain, 24, b"\0\0"), "the header checksum is zero")
    for name, options in (
        ("nop", b"\1\1\1\0"),
        ("router-alert", b"\x94\x04\0\0"),
        ("record-route", b"\x07\x07\x04\0\0\0\0\0"),
        ("record-route-pointer-3", b"\x07\x07\x03\0\0\0\0\0"),
        ("timestamp", b"\x44\x08\x05\0\0\0\0\0"),
        ("loose-source-route", b"\x83\x07\x04\xc0\0\2\3\0"),
        ("loose-source-route-done", b"\x83\x07\x08\xc0\0\2\3\0"),
        ("strict-source-route", b"\x89\x07\x04\xc0\0\2\3\0"),
        ("unknown", b"\x5e\x04\0\0"),
        ("cipso", b"\x86\x0a\0\0\0\1\1\4\0\0\1\1"),
        ("cipso-of-4", b"\x86\x04\0\0"),
        ("security", b"\x82\x0b\0\0\0\0\0\0\0\0\0\0"),
        ("length-0", b"\x07\x00\x04\0"),
        ("length-1", b"\x5e\x01\0\0"),
        ("length-beyond", b"\x5e\x08\0\0"),
        ("without-length", b"\1\1\1\x5e"),
        ("all-40-bytes", b"\1" * 40),
        ("end-first", b"\0\7\0\0"),
        ("record-route-full", b"\x07\x07\x08\0\0\0\0\0"),
        ("record-route-part", b"\x07\x07\x06\0\0\0\0\0"),
        ("record-route-twice", b"\x07\x07\x04\0\0\0\0" * 2 + b"\0\0"),
        ("record-route-of-2", b"\x07\x02\0\0"),
        ("timestamp-addresses", b"\x44\x0c\x05\1" + bytes(8)),
        ("timestamp-addresses-part", b"\x44\x0c\x09\1" + bytes(8)),
        ("timestamp-part", b"\x44\x08\x07\0\0\0\0\0"),
        ("timestamp-full", b"\x44\x08\x09\0\0\0\0\0"),
        ("timestamp-overflowed", b"\x44\x08\x09\xf0\0\0\0\0"),
        ("timestamp-prespecified", b"\x44\x0c\x05\3" + bytes(8)),
        ("timestamp-unknown-flag", b"\x44\x08\x05\7\0\0\0\0"),
        ("timestamp-twice", b"\x44\x08\x05\0\0\0\0\0" * 2),
        ("timestamp-pointer-4", b"\x44\x08\x04\0\0\0\0\0"),
        ("router-alert-of-2", b"\x94\x02\0\0"),
        ("router-alert-value", b"\x94\x04\1\2"),
        ("source-routes-2", b"\x83\x07\x08\xc0\0\2\3\x89\x07\x08\xc0\0\2\3" + b"\0\0"),
    ):
        yield Input(f"ip-option-{name}", about, 4, over4(PLAIN, options=options), "an IPv4 option")
    for name, fragment in (("df-clear", 0), ("reserved-flag", 0x8000), ("reserved-flag-and-df", 0xC000)):
        yield Input(f"ip-{name}", about, 4, over4(PLAIN, fragment=fragment), "the flags, on a whole packet")
    unknown = "the rest of the datagram may come"
    yield Input("fragment-first", about, 4, over4(PLAIN, fragment=0x2000), "MF, offset 0", unknown)
    yield Input("fragment-first-with-df", about, 4, over4(PLAIN, fragment=0x6000), "DF and MF, offset 0", unknown)
    yield Input("fragment-last", about, 4, over4(PLAIN, fragment=0x0010), "offset 128", unknown)
    yield Input("fragment-middle", about, 4, over4(PLAIN, fragment=0x2010), "MF, offset 128", unknown)
    for ttl in (0, 1, 255):
        yield Input(f"ip-ttl-{ttl}", about, 4, over4(PLAIN, ttl=ttl), "the TTL")
    for version in (0, 5, 6, 15):
        yield Input(
            f"ip-version-{version}", about, 4, ip_patched(plain, 0, bytes([version << 4 | 5])), "the version is not 4"
        )
    for ihl in (0, 4, 6, 15):
        yield Input(f"ip-ihl-{ihl}", about, 4, ip_patched(plain, 0, bytes([0x40 | ihl])), "the header length is a lie")
    length = len(plain) - 14
    for name, total in (
        ("0", 0), ("19", 19), ("20", 20), ("27", 27), ("28", 28), ("35", 35), ("36", 36), ("49", 49),
        ("50", 50), ("one-short", length - 1), ("one-over", length + 1),
        ("65535", 65535),
    ):  # fmt: skip
        yield Input(f"ip-total-length-{name}", about, 4, ip_patched(plain, 2, word(total)), "the total length is a lie")
    for size in (1, 4, 18, 46, 300):
        yield Input(f"padding-{size}", about, 4, plain + bytes(size), "zero bytes behind the packet")
    yield Input("padding-nonzero", about, 4, plain + b"\xff" * 7, "other bytes behind the packet")
    yield Input("ip-protocol-udplite", about, 4, over4(PLAIN, protocol=136), "UDP-Lite")
    yield Input("ip-protocol-tcp", about, 4, over4(PLAIN, protocol=6), "TCP's number")
    for name, src in (
        ("loopback", "127.0.0.1"), ("multicast", "224.0.0.5"), ("broadcast", "255.255.255.255"), ("zero", "0.0.0.0"),
        ("this-network", "0.1.2.3"), ("reserved", "240.0.0.1"), ("link-local", "169.254.1.1"),
    ):  # fmt: skip
        yield Input(f"ip-source-{name}", about, 4, over4(PLAIN, src=src), "an odd source")
    known = "the host's own addresses and groups"
    yield Input("ip-source-elsewhere", about, 4, over4(PLAIN, src="198.51.100.7"), "a source behind no route",
                "the host's routes")  # fmt: skip
    yield Input("ip-source-own", about, 4, over4(PLAIN, src=KERNEL_IP), "the receiver's own address", known)
    yield Input("ip-destination-other", about, 4, over4(PLAIN, dst="192.0.2.99"), "for another host", known)
    yield Input("ip-destination-multicast", about, 4, over4(PLAIN, dst="239.1.1.1"), "for a group", known)
    yield Input("ip-destination-broadcast", about, 4, over4(PLAIN, dst="255.255.255.255"), "for all", known)
    yield Input(
        "mac-destination-other", about, 4, patched(plain, 0, mac("02:00:00:00:09:99")), "for another host", known
    )
    yield Input("mac-destination-broadcast", about, 4, patched(plain, 0, b"\xff" * 6), "sent to all hosts")
    yield Input("ethertype-ipv6", about, 4, patched(plain, 12, b"\x86\xdd"), "IPv4 under IPv6's EtherType")
    yield Input("ethertype-arp", about, 4, patched(plain, 12, b"\x08\x06"), "under ARP's EtherType")
    yield Input("outer-priority-tag", about, 4, over4(PLAIN, tags=[(0x8100, 0xA000)]), "VID 0, a priority only")
    vlans = "the host's VLAN devices"
    yield Input("outer-tag", about, 4, over4(PLAIN, tags=[(0x8100, 7)]), "VID 7", vlans)
    yield Input("outer-tags-2", about, 4, over4(PLAIN, tags=[(0x88A8, 6), (0x8100, 7)]), "two tags", vlans)
    yield Input("outer-tag-cut", about, 4, over4(PLAIN, tags=[(0x8100, 0)])[:16], "a tag of two bytes")


def outer_udp(ip_version: int) -> Iterator[Input]:
    """The outer UDP header."""
    about = _IPV4 if ip_version == 4 else _IPV6
    mark = "" if ip_version == 4 else "-ipv6"
    length = 8 + len(PLAIN)
    for name, said, checksum in (
        ("0", 0, "full"), ("0-without-checksum", 0, "zero"), ("1", 1, "zero"), ("7", 7, "zero"), ("8", 8, "zero"),
        ("9", 9, "zero"), ("15", 15, "zero"), ("16", 16, "zero"), ("29", 29, "zero"), ("30", 30, "zero"),
        ("one-short", length - 1, "zero"), ("one-short-with-checksum", length - 1, "full"),
        ("one-over", length + 1, "zero"), ("20-over", length + 20, "zero"), ("21-over", length + 21, "zero"),
        ("65535", 65535, "zero"),
    ):  # fmt: skip
        yield Input(
            f"udp-length-{name}{mark}", about, ip_version, over(ip_version, PLAIN, length=said, checksum=checksum),
            "the UDP length is a lie",
        )  # fmt: skip
    yield Input(
        f"udp-length-one-over-into-padding{mark}", about, ip_version,
        over(ip_version, PLAIN, length=length + 1, checksum="zero") + bytes(8), "the UDP length reaches into padding",
    )  # fmt: skip
    for size in (1, 20, 64):
        yield Input(
            f"udp-tail-{size}{mark}", about, ip_version, over(ip_version, PLAIN, tail=b"\xee" * size),
            "bytes of the packet behind the datagram",
        )  # fmt: skip
    for checksum in ("zero", "full", "wrong", "partial"):
        yield Input(
            f"udp-checksum-{checksum}{mark}", about, ip_version, over(ip_version, PLAIN, checksum=checksum),
            "the UDP checksum",
        )  # fmt: skip
    yield Input(
        f"udp-checksum-mangled-zero{mark}", about, ip_version, _mangled_zero(ip_version),
        "a sum of zero, sent as 0xffff",
    )  # fmt: skip
    yield Input(f"udp-source-port-0{mark}", about, ip_version, over(ip_version, PLAIN, src_port=0), "source port 0")
    yield Input(f"udp-source-port-53{mark}", about, ip_version, over(ip_version, PLAIN, src_port=53), "from DNS's port")
    yield Input(
        f"udp-source-port-4789{mark}", about, ip_version, over(ip_version, PLAIN, src_port=4789), "from VXLAN's port"
    )
    yield Input(
        f"udp-port-swapped{mark}", about, ip_version, over(ip_version, PLAIN, src_port=4789, dst_port=50_000),
        "an answer: the source port is VXLAN's",
    )  # fmt: skip
    for size in range(8):
        yield Input(
            f"udp-payload-of-{size}{mark}", about, ip_version, over(ip_version, PLAIN[:size]), "the VXLAN header is cut"
        )
    ip_header = 20 if ip_version == 4 else 40
    for size in (0, 1, 7):
        frame = over(ip_version, b"")[: 14 + ip_header + size]
        frame = ip_patched(frame, 2, word(20 + size)) if ip_version == 4 else patched(frame, 18, word(size))
        yield Input(f"udp-header-of-{size}{mark}", about, ip_version, frame, "the UDP header is cut")


def _mangled_zero(ip_version: int) -> bytes:
    """A frame whose UDP checksum comes out as zero, and so is sent as 0xffff."""
    at = 40 if ip_version == 4 else 60
    frame = over(ip_version, vxlan() + inner(b"\0\0" + b"mangled zero".ljust(44, b"\xa5")), checksum="full")
    found = int.from_bytes(frame[at : at + 2], "big")
    return over(ip_version, vxlan() + inner(word(found) + b"mangled zero".ljust(44, b"\xa5")), checksum="full")


def inner_frames(ip_version: int) -> Iterator[Input]:
    """The inner frame."""
    about: tuple[str, ...] = _IPV4 if ip_version == 4 else _IPV6
    mark = "" if ip_version == 4 else "-ipv6"

    def made(name: str, frame: bytes, why: str, **fields: Any) -> Input:
        return Input(f"inner-{name}{mark}", about, ip_version, over(ip_version, vxlan() + frame, **fields), why)

    for size in (0, 1, 8, 12, 13, 14, 15, 17, 18):
        yield made(f"of-{size}", inner()[:size], "the inner frame is short")
    for size in (0, 1, 19, 20):
        yield made(f"ipv4-of-{size}", inner4()[: 14 + size], "the inner IPv4 packet is cut")
    for size in (0, 1, 39, 40):
        yield made(f"ipv6-of-{size}", inner6()[: 14 + size], "the inner IPv6 packet is cut")
    about = _LEARNING if ip_version == 4 else _IPV6
    for name, src in (
        ("zero", "00:00:00:00:00:00"), ("broadcast", "ff:ff:ff:ff:ff:ff"), ("multicast", "03:00:00:00:00:09"),
        ("of-an-ipv4-group", "01:00:5e:00:00:05"), ("of-an-ipv6-group", "33:33:00:00:00:01"),
        ("bridge-group", "01:80:c2:00:00:00"), ("one-bit", "01:00:00:00:00:00"), ("smallest", "00:00:00:00:00:01"),
        ("largest-unicast", "fe:ff:ff:ff:ff:ff"), ("own", INNER_KERNEL_MAC),
    ):  # fmt: skip
        yield made(f"source-{name}", inner(src=src), "an odd inner source address")
    for name, dst in (
        ("zero", "00:00:00:00:00:00"), ("broadcast", "ff:ff:ff:ff:ff:ff"), ("multicast", "03:00:00:00:00:09"),
        ("other", UNICAST), ("bridge-group", "01:80:c2:00:00:00"), ("pause", "01:80:c2:00:00:01"),
    ):  # fmt: skip
        yield made(f"destination-{name}", inner(dst=dst), "an odd inner destination address")
    yield made("source-is-destination", inner(src=UNICAST, dst=UNICAST), "one address in both places")
    yield made("source-zero-tagged", inner(b"\0\7" + _EXPERIMENTAL + bytes(46), b"\x81\0", src="00:00:00:00:00:00"),
               "tagged, from no address")  # fmt: skip
    yield made("source-own-tagged", inner(b"\0\7" + _EXPERIMENTAL + bytes(46), b"\x81\0", src=INNER_KERNEL_MAC),
               "tagged, from the receiver's own address")  # fmt: skip
    yield made("source-multicast-ipv4-packet", inner4()[:6] + mac("03:00:00:00:00:09") + inner4()[12:],
               "an IPv4 packet from a group address")  # fmt: skip
    yield made("source-multicast-and-short", inner(src="03:00:00:00:00:09")[:14], "14 bytes, from a group address")
    about = _IPV4 if ip_version == 4 else _IPV6
    rest = _EXPERIMENTAL + b"tagged".ljust(46, b"\xa5")
    for name, tags in (
        ("1", b"\x81\0\0\7"), ("priority", b"\x81\0\xa0\0"), ("vid-4095", b"\x81\0\x0f\xff"), ("dei", b"\x81\0\x10\7"),
        ("service", b"\x88\xa8\0\7"), ("2", b"\x88\xa8\0\6\x81\0\0\7"), ("2-customer", b"\x81\0\0\6\x81\0\0\7"),
        ("3", b"\x81\0\0\5\x81\0\0\6\x81\0\0\7"), ("old-9100", b"\x91\0\0\7"),
    ):  # fmt: skip
        yield made(f"tags-{name}", inner()[:12] + tags + rest, "the inner frame is tagged")
    yield made("tag-cut", inner()[:12] + b"\x81\0\0", "a tag of one byte")
    yield made("tag-alone", inner()[:12] + b"\x81\0\0\7", "nothing behind a tag's first two bytes")
    for size in (18, 19, 20):
        yield made(f"tagged-of-{size}", (inner()[:12] + b"\x81\0\0\7" + rest)[:size], "a tagged frame is short")
        yield made(f"tags-2-of-{size + 4}", (inner()[:12] + b"\x88\xa8\0\6\x81\0\0\7" + rest)[: size + 4],
                   "a frame of two tags is short")  # fmt: skip
    yield made("tagged-ipv4-of-3", inner()[:12] + b"\x81\0\0\7\x08\0" + b"\x45\0\0", "a cut IPv4 packet behind a tag")
    for name, ethertype in (("length", b"\0\x10"), ("zero", b"\0\0"), ("1536", b"\x06\0"), ("1535", b"\x05\xff"),
                            ("ffff", b"\xff\xff"), ("mpls", b"\x88\x47"), ("arp", b"\x08\x06"), ("lldp", b"\x88\xcc"),
                            ("loopback", b"\x90\0")):  # fmt: skip
        yield made(f"ethertype-{name}", inner(ethertype=ethertype), "an odd inner EtherType")
    yield made("ipv4-version-6", inner(inner6()[14:], b"\x08\0"), "IPv6 under IPv4's EtherType")
    yield made("ipv6-version-4", inner(inner4()[14:] + bytes(20), b"\x86\xdd"), "IPv4 under IPv6's EtherType")
    yield made("ipv4-ihl-4", patched(inner4(), 14, b"\x44"), "the inner header length is below 5")
    yield made("ipv4-total-length-0", patched(inner4(), 16, b"\0\0"), "the inner total length is 0")
    yield made("ipv4-checksum-wrong", patched(inner4(), 24, b"\x12\x34"), "the inner header checksum is wrong")
    yield made("ipv4-padded", inner4() + bytes(15), "the inner frame is padded")
    yield made("of-1514", inner(bytes(1500)), "a whole Ethernet frame")
    yield made("of-8000", inner(bytes(7986)), "a jumbo frame")
    yield made("vxlan-again", over4(PLAIN), "a tunnel inside the tunnel")


def ecn(ip_version: int) -> Iterator[Input]:
    """Congestion marks, outside and inside."""
    about = _IPV4 if ip_version == 4 else _IPV6
    mark = "" if ip_version == 4 else "-over-ipv6"
    for outer_ecn in range(4):
        for inner_ecn in range(4):
            for kind, make in (("ipv4", inner4), ("ipv6", inner6)):
                yield Input(
                    f"ecn-{outer_ecn}-outside-{inner_ecn}-inside-{kind}{mark}", about, ip_version,
                    over(ip_version, vxlan() + make(tos=inner_ecn), tos=outer_ecn), "congestion marks",
                )  # fmt: skip
    tag = b"\x81\0\0\7"
    for inner_ecn in range(4):
        frame = inner4(tos=inner_ecn)
        yield Input(
            f"ecn-3-outside-{inner_ecn}-inside-tagged{mark}", about, ip_version,
            over(ip_version, vxlan() + frame[:12] + tag + frame[12:], tos=3), "a mark around a tagged frame",
        )  # fmt: skip
    yield Input(f"ecn-3-around-no-ip{mark}", about, ip_version, over(ip_version, PLAIN, tos=3), "a mark around no IP")
    yield Input(
        f"ecn-3-with-dscp{mark}", about, ip_version,
        over(ip_version, vxlan() + inner4(tos=0xB9), tos=0x2B), "marks beside DSCPs",
    )  # fmt: skip
    yield Input(
        f"ecn-3-around-wrong-version{mark}", about, ip_version,
        over(ip_version, vxlan() + inner(inner6(tos=2)[14:], b"\x08\0"), tos=3), "a mark around IPv6 called IPv4",
    )  # fmt: skip


def outer_ipv6() -> Iterator[Input]:
    """The outer IPv6 header and its extension headers."""
    about = _IPV6
    plain = over6(PLAIN)
    yield Input("plain-ipv6", about, 6, plain, "nothing odd")
    yield Input("i-clear-ipv6", about, 6, over6(vxlan(0) + inner()), "the I flag is clear")
    yield Input("byte-7-ipv6", about, 6, over6(vxlan(reserved2=0x80) + inner()), "a reserved bit")
    yield Input("vni-other-ipv6", about, 6, over6(vxlan(vni=VNI + 1) + inner()), "the VNI is not the receiver's")
    for ttl in (0, 1, 255):
        yield Input(f"ip6-hop-limit-{ttl}", about, 6, over6(PLAIN, ttl=ttl), "the hop limit")
    yield Input("ip6-flow-label", about, 6, patched(plain, 15, b"\x0f\xff\xff"), "a flow label")
    for version in (0, 4, 5, 15):
        yield Input(
            f"ip6-version-{version}", about, 6, patched(plain, 14, bytes([version << 4])), "the version is not 6"
        )
    length = len(plain) - 54
    for name, said in (
        ("0", 0), ("7", 7), ("8", 8), ("16", 16), ("29", 29), ("one-short", length - 1), ("one-over", length + 1),
        ("65535", 65535),
    ):  # fmt: skip
        yield Input(
            f"ip6-payload-length-{name}", about, 6, patched(plain, 18, word(said)), "the payload length is a lie"
        )
    for size in (1, 7, 300):
        yield Input(f"ip6-padding-{size}", about, 6, plain + bytes(size), "bytes behind the packet")
    pad = b"\0\1\4\0\0\0\0"
    for name, extensions in (
        ("hop-by-hop", [(0, pad)]),
        ("hop-by-hop-router-alert", [(0, b"\0\5\2\0\0\1\0")]),
        ("hop-by-hop-unknown-skip", [(0, b"\0\x1e\4\0\0\0\0")]),
        ("hop-by-hop-unknown-discard", [(0, b"\0\x5e\4\0\0\0\0")]),
        ("hop-by-hop-unknown-report", [(0, b"\0\x9e\4\0\0\0\0")]),
        ("hop-by-hop-option-beyond", [(0, b"\0\x1e\x09\0\0\0\0")]),
        ("hop-by-hop-pad-not-zero", [(0, b"\0\1\4\0\0\0\7")]),
        ("hop-by-hop-twice", [(0, pad), (0, pad)]),
        ("destination-options", [(60, pad)]),
        ("destination-options-unknown-skip", [(60, b"\0\x1e\4\0\0\0\0")]),
        ("destination-options-unknown-discard", [(60, b"\0\x5e\4\0\0\0\0")]),
        ("destination-options-option-beyond", [(60, b"\0\x1e\x09\0\0\0\0")]),
        ("destination-options-twice", [(60, pad), (60, pad)]),
        ("destination-then-hop-by-hop", [(60, pad), (0, pad)]),
        ("hop-by-hop-and-destination", [(0, pad), (60, pad)]),
        ("hop-by-hop-router-alert-of-1", [(0, b"\0\5\1\0\1\1\0")]),
        ("hop-by-hop-calipso", [(0, b"\1\7\x08\0\0\0\1\0\0\0\0\1\2\0\0")]),
        ("hop-by-hop-calipso-of-4", [(0, b"\0\7\4\0\0\0\0")]),
        ("hop-by-hop-ioam-misaligned", [(0, b"\0\x31\2\0\0\1\0")]),
        ("hop-by-hop-ioam-aligned", [(0, b"\0\1\0\x31\2\0\0")]),
        ("hop-by-hop-jumbo", [(0, b"\0\xc2\4\0\1\0\0")]),
        ("hop-by-hop-pads-of-8", [(0, b"\1\1\0\1\0\1\0\1\0\1\0\1\0\1\0")]),
        ("hop-by-hop-pad1-7", [(0, b"\1" + bytes(7) + b"\x1e\0\x1e\0\x1e\1\0")]),
        ("hop-by-hop-pad1-8", [(0, b"\1" + bytes(8) + b"\x1e\0\x1e\0\x1e\0")]),
        ("hop-by-hop-options-8", [(0, b"\2" + b"\x1e\0" * 8 + b"\1\4\0\0\0\0")]),
        ("hop-by-hop-options-9", [(0, b"\2" + b"\x1e\0" * 9 + b"\1\2\0\0")]),
        ("destination-options-pad-not-zero", [(60, b"\0\1\4\0\0\0\7")]),
        ("destination-options-unknown-report", [(60, b"\0\xde\4\0\0\0\0")]),
        ("destination-options-router-alert", [(60, b"\0\5\2\0\0\1\0")]),
        ("destination-options-limit", [(60, b"\0\4\1\4\1\1\0")]),
        ("destination-options-8", [(60, b"\2" + b"\x1e\0" * 8 + b"\1\4\0\0\0\0")]),
        ("destination-options-9", [(60, b"\2" + b"\x1e\0" * 9 + b"\1\2\0\0")]),
        ("destination-options-home-address", [(60, b"\2\1\0\xc9\x10" + ip_bytes("2001:db8::7") + b"\1\0")]),
        *(
            (f"routing-done-type-{kind}", [(43, b"\2" + bytes([kind]) + b"\0\0\0\0\0" + ip_bytes(KERNEL_IP6))])
            for kind in range(6)
        ),
        ("routing-done-unknown-type", [(43, b"\0\x63\0\0\0\0\0")]),
        ("routing-left-unknown-type", [(43, b"\0\x63\1\0\0\0\0")]),
        ("fragment-atomic", [(44, b"\0\0\0\x12\x34\x56\x78")]),
        ("fragment-atomic-reserved-bits", [(44, b"\xff\0\6\x12\x34\x56\x78")]),
        ("fragment-atomic-behind-options", [(0, pad), (60, pad), (44, b"\0\0\0\x12\x34\x56\x78")]),
        ("options-behind-fragment-atomic", [(44, b"\0\0\0\x12\x34\x56\x78"), (60, pad)]),
        ("mobility", [(135, b"\0\0\0\0\0\0\0")]),
        ("hip", [(139, b"\0\0\0\0\0\0\0")]),
        ("shim6", [(140, b"\0\0\0\0\0\0\0")]),
        ("experiment-253", [(253, b"\0\0\0\0\0\0\0")]),
    ):  # fmt: skip
        yield Input(f"ip6-{name}", about, 6, over6(PLAIN, extensions=extensions), "an extension header")
        yield Input(
            f"ip6-{name}-no-checksum", about, 6, over6(PLAIN, extensions=extensions, checksum="zero"),
            "an extension header, and no checksum",
        )  # fmt: skip
    yield Input(
        "ip6-routing-left-type-0", about, 6,
        over6(PLAIN, extensions=[(43, b"\2\0\1\0\0\0\0" + ip_bytes("2001:db8::9"))], checksum_dst="2001:db8::9"),
        "a source route that leads on",
    )  # fmt: skip
    yield Input(
        "ip6-authentication", about, 6,
        over6(PLAIN, extensions=[(51, b"\4\0\0\0\0\1\0\0\0\0\1" + bytes(12))]), "an authentication header",
        "the host's security associations",
    )  # fmt: skip
    yield Input("ip6-destination-options-cut", about, 6, over6(PLAIN, extensions=[(60, b"\x40\1\4\0\0\0\0")]),
                "an extension header longer than the packet")  # fmt: skip
    unknown = "the rest of the datagram may come"
    yield Input("ip6-fragment-first", about, 6, over6(PLAIN + bytes(2), extensions=[(44, b"\0\0\1\x12\x34\x56\x79")]),
                "M, offset 0", unknown)  # fmt: skip
    yield Input("ip6-fragment-last", about, 6, over6(PLAIN, extensions=[(44, b"\0\0\x80\x12\x34\x56\x80")]),
                "offset 128", unknown)  # fmt: skip
    yield Input("ip6-next-header-none", about, 6, over6(PLAIN, protocol=59), "no next header")
    yield Input("ip6-next-header-udplite", about, 6, over6(PLAIN, protocol=136), "UDP-Lite")
    for name, src in (
        ("loopback", "::1"), ("multicast", "ff02::5"), ("unspecified", "::"), ("mapped", "::ffff:192.0.2.2"),
        ("compatible", "::192.0.2.2"), ("link-local", "fe80::2"),
    ):  # fmt: skip
        yield Input(f"ip6-source-{name}", about, 6, over6(PLAIN, src=src), "an odd source")
    known = "the host's own addresses and groups"
    yield Input("ip6-source-own", about, 6, over6(PLAIN, src=KERNEL_IP6), "the receiver's own address", known)
    yield Input("ip6-destination-other", about, 6, over6(PLAIN, dst="2001:db8::99"), "for another host", known)
    yield Input("ip6-destination-all-nodes", about, 6, over6(PLAIN, dst="ff02::1"), "for all nodes", known)
    yield Input(
        "ip6-routing-done-to-all-nodes", about, 6,
        over6(PLAIN, dst="ff02::1", extensions=[(43, b"\2\0\0\0\0\0\0" + ip_bytes(KERNEL_IP6))]),
        "a finished source route to a group",
    )  # fmt: skip
    yield Input("ip6-destination-loopback", about, 6, over6(PLAIN, dst="::1"), "for the loopback address", known)


def every_option() -> Iterator[Input]:
    """Every IPv4 option and every IPv6 hop-by-hop and destination option, in several lengths and at every alignment.

    Too many to be listed. Values are zero, and one, as some options have a meaning only then.
    """
    for kind in range(256):
        for size in (2, 3, 4, 6, 8, 12):
            for value in (0, 1):
                option = bytes([kind, size]) + bytes([value]) * (size - 2)
                options = option + bytes(-size % 4)
                yield Input(f"option-{kind}-of-{size}-with-{value}", (), 4, over4(PLAIN, options=options), "")
        for header, name in ((0, "hop-by-hop"), (60, "destination")):
            for size, before in ((2, 0), (3, 1), (4, 2), (6, 0), (6, 2), (8, 3), (12, 0), (12, 2)):
                option = _pad6(before) + bytes([kind, size - 2]) + bytes(size - 2)
                body = option + _pad6(-(2 + len(option)) % 8)
                extension = (header, bytes([(len(body) + 2) // 8 - 1]) + body)
                frame = over6(PLAIN, extensions=[extension])
                yield Input(f"{name}-option-{kind}-of-{size}-behind-{before}", (), 6, frame, "")


def _pad6(size: int) -> bytes:
    return b"\0" * size if size < 2 else bytes([1, size - 2]) + bytes(size - 2)


def mutated(one: Input, chance: Random) -> Input:
    """An input with one to three bytes changed behind the Ethernet header, and mostly the IPv4 checksum to match.

    Addresses, and what makes a fragment of a packet, are left alone: what becomes of it then depends on more than it.
    """
    frame = bytearray(one.frame)
    kept = {20, 21, *range(26, 34)} if one.ip_version == 4 else set(range(22, 54))
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(14, min(len(frame), 130))
        if at not in kept:
            frame[at] ^= 1 << chance.randrange(8) if chance.random() < 0.7 else chance.randrange(1, 256)
    if one.ip_version == 4 and len(frame) >= 34 and chance.random() < 0.8:
        frame[24:26] = b"\0\0"
        frame[24:26] = word(internet_sum(bytes(frame[14 : 14 + max(20, (frame[14] & 15) * 4)])))
    return one._replace(name=f"{one.name}~{chance.getrandbits(60):x}", frame=bytes(frame))


def everything() -> list[Input]:
    """The whole list."""
    groups = (header_bits(), group_policy(), protocol_extension(), outer_ipv4(), outer_ipv6(),
              outer_udp(4), outer_udp(6), inner_frames(4), inner_frames(6), ecn(4), ecn(6))  # fmt: skip
    return [one for group in groups for one in group]


if __name__ == "__main__":
    OUT.write_text("".join(f"{one.as_json()}\n" for one in everything()), "ascii")

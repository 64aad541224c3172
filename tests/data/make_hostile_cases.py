"""Write hostile_cases.jsonl: hostile and broken frames, and what has to become of each.

This is a statement of the rules that is independent of the library: it imports nothing of it, every
header is packed here by hand, the checksums are this file's own, and each expectation is written
down beside the bytes that it is about. Run it again only to add cases; the output is committed:

    python tests/data/make_hostile_cases.py

One JSON object a line:

    name             unique
    point            the item of the list of hostile input that the case belongs to, 1-12
                     (0: the order of a policy's checks, and lessons of others' bugs)
    start            ethernet, raw, ipv4, ipv6, sll, sll2, null, loop (link types) or vxlan (a UDP payload)
    frame            hex
    policy           {"preset": NAME, **changes}; absent: the default policy
    original_length  length on the wire, where the capture knows it
    source           the peer that a bare payload came from
    decap            the Reason's name; OK where decapsulation succeeds
    dissect          the Reason's name of dissect(frame, start=...).error; OK where there is none
    decap_error, dissect_error
                     what the error has to say, only where the rules fix it:
                     layer, offset, needed, available, limited_by, field, value, expected, found
    on_wire_error    what dissect(frame, start=..., original_length=...) has to say
    vni, flags, reserved, inner
                     of an accepted frame: VNI, bytes 0-3 and byte 7 as sent, the inner frame's hex
    layers           the names of the layers that dissect has to find
    tunnels          how many tunnel headers dissect has to find
    trailer          hex of all the bytes that belong to no layer and to no payload
    group_policy     the group policy id that the VXLAN header carries, or null
    why              the rule

Rules for the numbers. `offset` is where the refusing layer starts. `needed` and `available` are
counted from there. `limited_by` is "capture" where the container ends with the bytes given; "frame"
where the length on the wire is known and exceeded too; else the length field of the innermost layer
that ends there.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

OUT = Path(__file__).with_name("hostile_cases.jsonl")
CASES: list[dict[str, Any]] = []

DST, SRC = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
INNER_DST, INNER_SRC = bytes.fromhex("02000000b0b0"), bytes.fromhex("02000000a1a1")
IP4_SRC, IP4_DST = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
IP6_SRC, IP6_DST = bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")
VNI = 5000


# --- bytes by hand ---------------------------------------------------------------------------------------------------


def ones_sum(data: bytes) -> int:
    """The folded one's complement sum, RFC 1071, two bytes at a time."""
    total = 0
    for i in range(0, len(data) - 1, 2):
        total += data[i] * 256 + data[i + 1]
    if len(data) % 2:
        total += data[-1] * 256
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def eth(rest: bytes, ethertype: int = 0x0800, dst: bytes = DST, src: bytes = SRC) -> bytes:
    return dst + src + struct.pack("!H", ethertype) + rest


def tag(rest: bytes, ethertype: int = 0x0800, tci: int = 7) -> bytes:
    return struct.pack("!HH", tci, ethertype) + rest


def ip4(
    rest: bytes,
    *,
    protocol: int = 17,
    total: int | None = None,
    version: int = 4,
    ihl: int | None = None,
    options: bytes = b"",
    fragment: int = 0,
    tos: int = 0,
    checksum: int | None = None,
    src: bytes = IP4_SRC,
    dst: bytes = IP4_DST,
) -> bytes:
    """An IPv4 header; `fragment` is the 16-bit word of flags and offset."""
    if ihl is None:
        ihl = 5 + len(options) // 4
    if total is None:
        total = 20 + len(options) + len(rest)
    head = (
        struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, tos, total, 0, fragment, 64, protocol, 0, src, dst) + options
    )
    right = 0xFFFF - ones_sum(head)
    return head[:10] + struct.pack("!H", right if checksum is None else checksum) + head[12:] + rest


def ip6(
    rest: bytes,
    *,
    next_header: int = 17,
    payload: int | None = None,
    version: int = 6,
    traffic_class: int = 0,
    src: bytes = IP6_SRC,
    dst: bytes = IP6_DST,
) -> bytes:
    word = version << 28 | traffic_class << 20
    return struct.pack("!IHBB", word, len(rest) if payload is None else payload, next_header, 64) + src + dst + rest


def extension(next_header: int, units: int = 0, filler: bytes | None = None) -> bytes:
    """An extension header of 8 * (units + 1) bytes, padded as hop-by-hop and destination options are."""
    size = 6 + 8 * units
    body = b""
    while size - len(body) >= 2:
        chunk = min(size - len(body) - 2, 255)
        if size - len(body) - 2 - chunk == 1:
            chunk -= 1
        body += bytes([1, chunk]) + bytes(chunk)
    return bytes([next_header, units]) + (body if filler is None else filler)


def fragment6(next_header: int, offset: int, more: int) -> bytes:
    return struct.pack("!BBHI", next_header, 0, offset << 3 | more, 0x01020304)


def authentication(next_header: int, length_field: int, size: int) -> bytes:
    return struct.pack("!BBHII", next_header, length_field, 0, 1, 1)[:size].ljust(size, b"\xa5")


def udp(
    rest: bytes,
    *,
    dport: int = 4789,
    sport: int = 49152,
    length: int | None = None,
    checksum: int | None = 0,
    pseudo: tuple[bytes, bytes] = (IP4_SRC, IP4_DST),
) -> bytes:
    """A UDP header; checksum None: computed over the pseudo-header of the two addresses."""
    size = 8 + len(rest)
    head = struct.pack("!HHHH", sport, dport, size if length is None else length, 0)
    if checksum is None:
        checksum = udp_checksum(head + rest, pseudo)
    return head[:6] + struct.pack("!H", checksum) + rest


def udp_checksum(datagram: bytes, pseudo: tuple[bytes, bytes]) -> int:
    blank = datagram[:6] + b"\0\0" + datagram[8:]
    return (0xFFFF - ones_sum(pseudo_sum_bytes(len(datagram), pseudo) + blank)) or 0xFFFF


def pseudo_sum_bytes(length: int, pseudo: tuple[bytes, bytes]) -> bytes:
    return pseudo[0] + pseudo[1] + struct.pack("!IHH", length, 0, 17)


def vx(rest: bytes, *, flags: int = 0x08, middle: int = 0, vni: int = VNI, reserved: int = 0) -> bytes:
    """A VXLAN header; `middle` is bytes 1-3."""
    return struct.pack("!II", flags << 24 | middle, vni << 8 | reserved) + rest


P6 = (IP6_SRC, IP6_DST)


def over4(payload: bytes, **fields: Any) -> bytes:
    """Outer Ethernet, IPv4 and UDP around a UDP payload."""
    return eth(ip4(udp(payload, **fields)))


def over6(payload: bytes, **fields: Any) -> bytes:
    fields = {"checksum": None, "pseudo": P6, **fields}
    return eth(ip6(udp(payload, **fields)), 0x86DD)


def inner_udp(data: bytes = b"hello", **ip: Any) -> bytes:
    """A sound inner frame: Ethernet, IPv4, UDP to a port that means nothing."""
    src, dst = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    datagram = udp(data, sport=1000, dport=2000, checksum=None, pseudo=(src, dst))
    return eth(ip4(datagram, src=src, dst=dst, **ip), dst=INNER_DST, src=INNER_SRC)


def inner_udp6(data: bytes = b"hello", **ip: Any) -> bytes:
    src, dst = bytes.fromhex("fd00" + "00" * 13 + "01"), bytes.fromhex("fd00" + "00" * 13 + "02")
    datagram = udp(data, sport=1000, dport=2000, checksum=None, pseudo=(src, dst))
    return eth(ip6(datagram, src=src, dst=dst, **ip), 0x86DD, dst=INNER_DST, src=INNER_SRC)


def inner_of(rest: bytes, ethertype: int = 0x88B5, src: bytes = INNER_SRC) -> bytes:
    """An inner frame of any EtherType; the default (local experimental) binds no layer."""
    return eth(rest, ethertype, dst=INNER_DST, src=src)


def arp_bytes(hardware: int = 6, protocol: int = 4) -> bytes:
    return struct.pack("!HHBBH", 1, 0x0800, hardware, protocol, 1) + bytes(2 * (hardware + protocol))


def tcp_bytes(offset: int = 5, rest: bytes = b"") -> bytes:
    return struct.pack("!HHIIBBHHH", 1000, 2000, 1, 0, offset << 4, 2, 1024, 0, 0) + rest


INNER = inner_udp()
GOOD4 = over4(vx(INNER))
GOOD6 = over6(vx(INNER))
ALL4 = ["Ethernet", "IPv4", "UDP", "VXLAN", "Ethernet", "IPv4", "UDP"]
ALL6 = ["Ethernet", "IPv6", "UDP", "VXLAN", "Ethernet", "IPv4", "UDP"]


# --- stating a case --------------------------------------------------------------------------------------------------


def case(name: str, point: int, frame: bytes, decap: str, dissect: str, why: str, **more: Any) -> None:
    """Add a case. `error=` is what both errors say; `inner=` the inner frame, written only where decap is to accept."""
    row: dict[str, Any] = {"name": name, "point": point, "start": more.pop("start", "ethernet"), "frame": frame.hex()}
    for key in ("policy", "original_length", "source"):
        if key in more:
            row[key] = more.pop(key)
    row["decap"], row["dissect"] = decap, dissect
    both = more.pop("error", None)
    for key, reason in (("decap_error", decap), ("dissect_error", dissect)):
        said = more.pop(key, both if reason != "OK" else None)
        if said:
            row[key] = said
    inner = more.pop("inner", None)
    if decap == "OK":
        row["vni"] = more.pop("vni", VNI)
        row["flags"] = more.pop("flags", 0x08000000)
        row["reserved"] = more.pop("reserved", 0)
        row["inner"] = inner.hex()
    for key in ("on_wire_error", "layers", "tunnels", "trailer", "group_policy"):
        if key in more:
            value = more.pop(key)
            row[key] = value.hex() if isinstance(value, bytes) else value
    row["why"] = why
    if more:
        raise TypeError(f"{name}: {sorted(more)} mean nothing in a case")
    if any(other["name"] == name for other in CASES):
        raise ValueError(f"two cases are named {name}")
    CASES.append(row)


def cut(layer: str, offset: int, needed: int | None, available: int | None, by: str = "capture") -> dict[str, Any]:
    said: dict[str, Any] = {
        "layer": layer,
        "offset": offset,
        "needed": needed,
        "available": available,
        "limited_by": by,
    }
    return {key: value for key, value in said.items() if value is not None}


def malformed(layer: str, offset: int, field: str, value: int) -> dict[str, Any]:
    return {"layer": layer, "offset": offset, "field": field, "value": value}


STRICT = {"preset": "STRICT"}


# --- 1: the link layer -----------------------------------------------------------------------------------------------


def point_1() -> None:
    for n in range(14):
        case(
            f"ethernet-{n}",
            1,
            GOOD4[:n],
            "ETHERNET_TRUNCATED",
            "ETHERNET_TRUNCATED",
            "an Ethernet header is 14 bytes; nothing at all is a header cut at 0",
            error=cut("Ethernet", 0, 14, n),
        )
    for name, ethertype in (("dot1q", 0x8100), ("qinq", 0x88A8)):
        for n in range(4):
            frame = eth(tag(b"")[:n], ethertype)
            case(
                f"{name}-{n}",
                1,
                frame,
                "DOT1Q_TRUNCATED",
                "DOT1Q_TRUNCATED",
                "a tag is 4 bytes: TCI and EtherType",
                error=cut("Dot1Q", 14, 4, n),
            )
    for n in range(4):
        frame = eth(tag(tag(b"")[:n], 0x8100), 0x88A8)
        case(
            f"second-tag-{n}",
            1,
            frame,
            "DOT1Q_TRUNCATED",
            "DOT1Q_TRUNCATED",
            "the second tag has the fault",
            error=cut("Dot1Q", 18, 4, n),
        )
    for depth in (1, 2, 3, 4, 8, 40):
        rest = ip4(udp(vx(INNER)))
        for i in range(depth):
            rest = tag(rest, 0x0800 if i == 0 else 0x8100, 100 + i)
        frame = eth(rest, 0x8100 if depth == 1 else 0x88A8)
        case(
            f"tags-{depth}",
            1,
            frame,
            "OK",
            "OK",
            "outer tags are passed at any depth",
            inner=INNER,
            layers=["Ethernet"] + ["Dot1Q"] * depth + ALL4[1:],
        )
    rest = ip6(udp(vx(INNER), checksum=None, pseudo=P6))
    case(
        "tags-3-ipv6",
        1,
        eth(tag(tag(tag(rest, 0x86DD), 0x8100), 0x88A8), 0x8100),
        "OK",
        "OK",
        "the same over IPv6",
        inner=INNER,
        layers=["Ethernet", "Dot1Q", "Dot1Q", "Dot1Q", *ALL6[1:]],
    )
    case(
        "tags-3-then-nothing",
        1,
        eth(tag(tag(tag(b""), 0x8100), 0x8100), 0x8100),
        "IPV4_HEADER_TRUNCATED",
        "IPV4_HEADER_TRUNCATED",
        "the last tag says IPv4, and nothing follows",
        error=cut("IPv4", 26, 20, 0),
    )
    for start, layer, size in (("sll", "LinuxSLL", 16), ("sll2", "LinuxSLL2", 20)):
        reason = "LINUX_SLL_TRUNCATED" if size == 16 else "LINUX_SLL2_TRUNCATED"
        for n in (0, 1, size - 1):
            case(
                f"{start}-{n}",
                1,
                bytes(n),
                reason,
                reason,
                f"a {layer} header is {size} bytes",
                start=start,
                error=cut(layer, 0, size, n),
            )
    for start in ("null", "loop"):
        for n in (0, 1, 3):
            case(
                f"{start}-{n}",
                1,
                bytes(n),
                "LOOPBACK_TRUNCATED",
                "LOOPBACK_TRUNCATED",
                "a loopback header is 4 bytes",
                start=start,
                error=cut("Loopback", 0, 4, n),
            )
    packet = ip4(udp(vx(INNER)))
    sll = struct.pack("!HHH8sH", 0, 1, 6, SRC, 0x0800)
    case(
        "sll-good",
        1,
        sll + packet,
        "OK",
        "OK",
        "Linux cooked capture",
        start="sll",
        inner=INNER,
        layers=["LinuxSLL", *ALL4[1:]],
    )
    sll2 = struct.pack("!HHIHBB8s", 0x0800, 0, 2, 1, 0, 6, SRC)
    case(
        "sll2-good",
        1,
        sll2 + packet,
        "OK",
        "OK",
        "Linux cooked capture v2",
        start="sll2",
        inner=INNER,
        layers=["LinuxSLL2", *ALL4[1:]],
    )
    for order, family in (("little", b"\2\0\0\0"), ("big", b"\0\0\0\2")):
        case(
            f"null-good-{order}",
            1,
            family + packet,
            "OK",
            "OK",
            "LINKTYPE_NULL has the capturing host's byte order",
            start="null",
            inner=INNER,
            layers=["Loopback", *ALL4[1:]],
        )
    case(
        "loop-good",
        1,
        b"\0\0\0\2" + packet,
        "OK",
        "OK",
        "LINKTYPE_LOOP is big-endian",
        start="loop",
        inner=INNER,
        layers=["Loopback", *ALL4[1:]],
    )
    case("raw-good-4", 1, packet, "OK", "OK", "LINKTYPE_RAW begins with IP", start="raw", inner=INNER, layers=ALL4[1:])
    case(
        "raw-good-6",
        1,
        GOOD6[14:],
        "OK",
        "OK",
        "LINKTYPE_RAW begins with IP",
        start="raw",
        inner=INNER,
        layers=ALL6[1:],
    )
    case("ipv4-good", 1, packet, "OK", "OK", "LINKTYPE_IPV4", start="ipv4", inner=INNER, layers=ALL4[1:])
    case("ipv6-good", 1, GOOD6[14:], "OK", "OK", "LINKTYPE_IPV6", start="ipv6", inner=INNER, layers=ALL6[1:])


# --- 2: what follows Ethernet, and the IPv4 header -------------------------------------------------------------------


def point_2() -> None:
    why = "no IP, so no VXLAN, and nothing wrong either"
    for name, ethertype in (
        ("lldp", 0x88CC),
        ("mpls", 0x8847),
        ("zero", 0),
        ("ffff", 0xFFFF),
        ("experimental", 0x88B5),
    ):
        case(f"ethertype-{name}", 2, eth(ip4(udp(vx(INNER))), ethertype), "NOT_VXLAN", "OK", why, layers=["Ethernet"])
    case(
        "ethertype-802.3-length",
        2,
        eth(ip4(udp(vx(INNER))), 46),
        "NOT_VXLAN",
        "OK",
        "below 0x0600 the field is a length (IEEE 802.3), not an EtherType",
        layers=["Ethernet"],
    )
    case("ethernet-14-other", 2, eth(b"", 0x88B5), "NOT_VXLAN", "OK", "a header and no payload", layers=["Ethernet"])
    case("arp", 2, eth(arp_bytes(), 0x0806), "NOT_VXLAN", "OK", why, layers=["Ethernet", "ARP"])
    case(
        "arp-tagged",
        2,
        eth(tag(arp_bytes(), 0x0806), 0x8100),
        "NOT_VXLAN",
        "OK",
        why,
        layers=["Ethernet", "Dot1Q", "ARP"],
    )
    for n in (0, 1, 7):
        case(
            f"arp-{n}",
            2,
            eth(arp_bytes()[:n], 0x0806),
            "NOT_VXLAN",
            "ARP_TRUNCATED",
            "8 fixed bytes, then the addresses",
            dissect_error=cut("ARP", 14, None, n),
        )
    for n in (8, 27):
        case(
            f"arp-{n}",
            2,
            eth(arp_bytes()[:n], 0x0806),
            "NOT_VXLAN",
            "ARP_TRUNCATED",
            "8 bytes and twice the two address lengths",
            dissect_error=cut("ARP", 14, 28, n),
        )
    case(
        "arp-long-addresses",
        2,
        eth(struct.pack("!HHBBH", 1, 0x0800, 255, 255, 1) + bytes(100), 0x0806),
        "NOT_VXLAN",
        "ARP_TRUNCATED",
        "8 + 2 * (255 + 255)",
        dissect_error=cut("ARP", 14, 1028, 108),
    )
    case(
        "arp-long-addresses-there",
        2,
        eth(arp_bytes(255, 255), 0x0806),
        "NOT_VXLAN",
        "OK",
        "all 1028 are there",
        layers=["Ethernet", "ARP"],
    )
    case(
        "arp-no-addresses",
        2,
        eth(arp_bytes(0, 0), 0x0806),
        "NOT_VXLAN",
        "OK",
        "lengths of 0 ask for nothing",
        layers=["Ethernet", "ARP"],
    )

    for version in range(16):
        if version != 4:
            case(
                f"ipv4-version-{version}",
                2,
                eth(ip4(udp(vx(INNER)), version=version)),
                "IPV4_VERSION",
                "IPV4_VERSION",
                "the EtherType says 4",
                error=malformed("IPv4", 14, "version", version),
            )
        if version != 6:
            frame = eth(ip6(udp(vx(INNER), checksum=None, pseudo=P6), version=version), 0x86DD)
            case(
                f"ipv6-version-{version}",
                2,
                frame,
                "IPV6_VERSION",
                "IPV6_VERSION",
                "the EtherType says 6",
                error=malformed("IPv6", 14, "version", version),
            )
        if version not in (4, 6):
            case(
                f"raw-version-{version}",
                2,
                bytes([version << 4]) + bytes(59),
                "IP_VERSION",
                "IP_VERSION",
                "LINKTYPE_RAW: nothing but the nibble tells",
                start="raw",
                error={"offset": 0},
            )
    case(
        "ipv6-under-0800",
        2,
        eth(GOOD6[14:]),
        "IPV4_VERSION",
        "IPV4_VERSION",
        "a whole IPv6 packet behind 0x0800",
        error=malformed("IPv4", 14, "version", 6),
    )
    case(
        "ipv4-under-86dd",
        2,
        eth(GOOD4[14:], 0x86DD),
        "IPV6_VERSION",
        "IPV6_VERSION",
        "a whole IPv4 packet behind 0x86dd",
        error=malformed("IPv6", 14, "version", 4),
    )
    case(
        "linktype-ipv4-carries-6",
        2,
        GOOD6[14:],
        "IPV4_VERSION",
        "IPV4_VERSION",
        "LINKTYPE_IPV4 is IPv4 only",
        start="ipv4",
        error=malformed("IPv4", 0, "version", 6),
    )
    case(
        "linktype-ipv6-carries-4",
        2,
        GOOD4[14:],
        "IPV6_VERSION",
        "IPV6_VERSION",
        "LINKTYPE_IPV6 is IPv6 only",
        start="ipv6",
        error=malformed("IPv6", 0, "version", 4),
    )
    for n in (0, 1, 19):
        case(
            f"ipv4-header-{n}",
            2,
            eth(GOOD4[14:34][:n]),
            "IPV4_HEADER_TRUNCATED",
            "IPV4_HEADER_TRUNCATED",
            "20 bytes at least",
            error=cut("IPv4", 14, 20, n),
        )
    case(
        "ipv4-header-19-version-6",
        2,
        eth(bytes([0x60]) + bytes(18)),
        "IPV4_HEADER_TRUNCATED",
        "IPV4_HEADER_TRUNCATED",
        "the bytes come first, then the version",
        error=cut("IPv4", 14, 20, 19),
    )
    for n in (0, 1, 39):
        case(
            f"ipv6-header-{n}",
            2,
            eth(GOOD6[14:54][:n], 0x86DD),
            "IPV6_HEADER_TRUNCATED",
            "IPV6_HEADER_TRUNCATED",
            "40 bytes",
            error=cut("IPv6", 14, 40, n),
        )

    for ihl in range(5):
        case(
            f"ihl-{ihl}",
            2,
            eth(ip4(udp(vx(INNER)), ihl=ihl)),
            "IPV4_IHL",
            "IPV4_IHL",
            "20 bytes are 5 words",
            error=malformed("IPv4", 14, "ihl", ihl),
        )
    case(
        "ihl-0-total-0",
        2,
        eth(ip4(udp(vx(INNER)), ihl=0, total=0)),
        "IPV4_IHL",
        "IPV4_IHL",
        "IHL before total length",
        error=malformed("IPv4", 14, "ihl", 0),
    )
    for ihl, there in ((6, 20), (6, 23), (15, 20), (15, 59)):
        frame = eth(ip4(bytes(there - 20), ihl=ihl, total=ihl * 4))
        case(
            f"ihl-{ihl}-of-{there}",
            2,
            frame,
            "IPV4_OPTIONS_TRUNCATED",
            "IPV4_OPTIONS_TRUNCATED",
            "the options go beyond the bytes",
            error=cut("IPv4", 14, ihl * 4, there),
        )
    case(
        "ihl-15-of-30-total-20",
        2,
        eth(ip4(bytes(10), ihl=15, total=20)),
        "IPV4_OPTIONS_TRUNCATED",
        "IPV4_OPTIONS_TRUNCATED",
        "the bytes come first, then the total length",
        error=cut("IPv4", 14, 60, 30),
    )
    for ihl, total in ((6, 20), (6, 23), (15, 59), (5, 19)):
        frame = eth(ip4(udp(vx(INNER)), ihl=ihl, total=total))
        case(
            f"ihl-{ihl}-beyond-total-{total}",
            2,
            frame,
            "IPV4_TOTAL_LENGTH",
            "IPV4_TOTAL_LENGTH",
            "the header does not fit the length that the packet declares",
            error=malformed("IPv4", 14, "total_length", total),
        )
    for words in (1, 10):
        frame = eth(ip4(udp(vx(INNER)), options=b"\1" * (4 * words)))
        case(f"ipv4-options-{words}", 2, frame, "OK", "OK", "options are passed", inner=INNER, layers=ALL4)
    frame = eth(ip4(udp(vx(INNER)), options=b"\x07\x00\xff\x01"))
    case(
        "ipv4-option-length-0",
        2,
        frame,
        "OK",
        "OK",
        "what is inside the options is looked at only when asked for",
        inner=INNER,
        layers=ALL4,
    )
    case(
        "ipv4-all-header",
        2,
        eth(ip4(b"")),
        "UDP_HEADER_TRUNCATED",
        "UDP_HEADER_TRUNCATED",
        "IHL*4 equal to total length",
        error=cut("UDP", 34, 8, 0),
    )
    for protocol, name in ((0, "hopopt"), (2, "igmp"), (47, "gre"), (132, "sctp"), (136, "udplite"), (255, "reserved")):
        case(
            f"protocol-{name}",
            2,
            eth(ip4(udp(vx(INNER)), protocol=protocol)),
            "NOT_VXLAN",
            "OK",
            "not UDP",
            layers=["Ethernet", "IPv4"],
        )
    for protocol, name in ((59, "none"), (132, "sctp"), (50, "esp")):
        case(
            f"next-header-{name}",
            2,
            eth(ip6(udp(vx(INNER)), next_header=protocol), 0x86DD),
            "NOT_VXLAN",
            "OK",
            "not UDP",
            layers=["Ethernet", "IPv6"],
        )
    case(
        "tcp-to-4789",
        2,
        eth(ip4(struct.pack("!HHIIBBHHH", 4789, 4789, 1, 0, 0x50, 2, 9, 0, 0), protocol=6)),
        "NOT_VXLAN",
        "OK",
        "the port is a UDP port",
        layers=["Ethernet", "IPv4", "TCP"],
    )


# --- 3: the total length ---------------------------------------------------------------------------------------------


def point_3() -> None:
    size = len(GOOD4)
    for over in (1, 2, 20, 65535 - (size - 14)):
        lie = eth(ip4(udp(vx(INNER)), total=size - 14 + over))
        case(
            f"total-over-{over}",
            3,
            lie,
            "IPV4_TRUNCATED",
            "IPV4_TRUNCATED",
            "beyond the bytes; without the length on the wire nobody knows whether it is a cut or a lie",
            error=cut("IPv4", 14, size - 14 + over, size - 14),
        )
        case(
            f"total-over-{over}-lie",
            3,
            lie,
            "IPV4_TRUNCATED",
            "IPV4_TRUNCATED",
            "the whole frame was captured, so the field lies: limited_by is the frame",
            original_length=size,
            decap_error=cut("IPv4", 14, size - 14 + over, size - 14, "frame"),
            dissect_error=cut("IPv4", 14, size - 14 + over, size - 14),
            on_wire_error={"reason": "IPV4_TRUNCATED", **cut("IPv4", 14, size - 14 + over, size - 14, "frame")},
        )
        for lengths in ("strict", "snapped"):
            case(
                f"total-over-{over}-cut-{lengths}",
                3,
                lie,
                "CAPTURE_CUT" if lengths == "strict" else "OK",
                "IPV4_TRUNCATED",
                "the frame was longer on the wire: the capture cut it",
                original_length=size + over,
                policy={"lengths": lengths},
                inner=INNER,
                dissect_error=cut("IPv4", 14, size - 14 + over, size - 14),
            )
    for lengths in ("strict", "snapped"):
        lie = eth(ip4(udp(vx(INNER)), total=size - 14 + 30))
        case(
            f"total-beyond-the-wire-too-{lengths}",
            3,
            lie,
            "IPV4_TRUNCATED",
            "IPV4_TRUNCATED",
            "cut, but the length would not have fitted the whole frame either",
            original_length=size + 10,
            policy={"lengths": lengths},
            decap_error={"layer": "IPv4", "offset": 14, "limited_by": "frame"},
            on_wire_error={"reason": "IPV4_TRUNCATED", "layer": "IPv4", "offset": 14, "limited_by": "frame"},
        )
    for total in (0, 1, 19):
        frame = eth(ip4(udp(vx(INNER)), total=total))
        case(
            f"total-{total}",
            3,
            frame,
            "IPV4_TOTAL_LENGTH",
            "IPV4_TOTAL_LENGTH",
            "below the header's own 20 bytes",
            error=malformed("IPv4", 14, "total_length", total),
        )
        case(
            f"total-{total}-strict",
            3,
            frame,
            "IPV4_TOTAL_LENGTH",
            "IPV4_TOTAL_LENGTH",
            "under any policy",
            policy=STRICT,
            error=malformed("IPv4", 14, "total_length", total),
        )
    frame = eth(ip4(udp(vx(INNER), length=0), total=0))
    case(
        "lengths-0-captured",
        3,
        frame,
        "OK",
        "IPV4_TOTAL_LENGTH",
        "an offload capture: 0 means all that was captured",
        policy={"lengths": "captured"},
        inner=INNER,
    )
    case(
        "lengths-0-snapped",
        3,
        frame,
        "IPV4_TOTAL_LENGTH",
        "IPV4_TOTAL_LENGTH",
        "a snapped capture keeps its lengths",
        policy={"lengths": "snapped"},
    )
    frame = eth(ip6(udp(vx(INNER), length=0, checksum=0), payload=0), 0x86DD)
    case(
        "lengths-0-captured-ipv6",
        3,
        frame,
        "OK",
        "UDP_HEADER_TRUNCATED",
        "the same over IPv6",
        policy={"lengths": "captured"},
        inner=INNER,
        dissect_error=cut("UDP", 54, 8, 0, "IPv6.payload_length"),
    )

    for n in range(14, size):
        if n < 34:
            reason, said = "IPV4_HEADER_TRUNCATED", cut("IPv4", 14, 20, n - 14)
        else:
            reason, said = "IPV4_TRUNCATED", cut("IPv4", 14, size - 14, n - 14)
        case(f"prefix-{n}", 3, GOOD4[:n], reason, reason, "no prefix of a frame is a frame", error=said)
        case(
            f"prefix-{n}-cut-strict",
            3,
            GOOD4[:n],
            "CAPTURE_CUT",
            reason,
            "cut by the capture, and known to be",
            original_length=size,
            dissect_error=said,
            decap_error={"limited_by": "capture"},
        )
        case(
            f"prefix-{n}-cut-snapped",
            3,
            GOOD4[:n],
            "OK" if n >= 64 else "CAPTURE_CUT",
            reason,
            "a cut frame is good for as much as it shows, once the inner Ethernet header is whole",
            original_length=size,
            policy={"lengths": "snapped"},
            inner=GOOD4[50:n],
            dissect_error=said,
        )
    for n in (0, 13):
        for lengths in ("strict", "snapped"):
            case(
                f"prefix-{n}-cut-{lengths}",
                3,
                GOOD4[:n],
                "CAPTURE_CUT",
                "ETHERNET_TRUNCATED",
                "a header is cut",
                original_length=size,
                policy={"lengths": lengths},
            )
    size6 = len(GOOD6)
    for n in (53, 54, 61, 62, 69, 70, 83, 84, size6 - 1):
        if n < 54:
            reason, said = "IPV6_HEADER_TRUNCATED", cut("IPv6", 14, 40, n - 14)
        else:
            reason, said = "IPV6_TRUNCATED", cut("IPv6", 14, size6 - 14, n - 14)
        case(f"prefix6-{n}", 3, GOOD6[:n], reason, reason, "the same over IPv6", error=said)
        case(
            f"prefix6-{n}-cut-strict", 3, GOOD6[:n], "CAPTURE_CUT", reason, "the same over IPv6", original_length=size6
        )
        case(
            f"prefix6-{n}-cut-snapped",
            3,
            GOOD6[:n],
            "OK" if n >= 84 else "CAPTURE_CUT",
            reason,
            "the same over IPv6",
            original_length=size6,
            policy={"lengths": "snapped"},
            inner=GOOD6[70:n],
        )
    tagged = eth(tag(ip4(udp(vx(INNER)))), 0x8100)
    for n in (15, 17):
        case(
            f"tag-cut-{n}",
            3,
            tagged[:n],
            "CAPTURE_CUT",
            "DOT1Q_TRUNCATED",
            "a tag is cut by the capture",
            original_length=len(tagged),
        )
    padded = GOOD4 + bytes(30)
    case(
        "only-padding-cut",
        3,
        padded[: size + 3],
        "OK",
        "OK",
        "what the capture cut is none of the declared extent",
        original_length=len(padded),
        inner=INNER,
    )
    case(
        "only-padding-cut-all",
        3,
        padded[:size],
        "OK",
        "OK",
        "what the capture cut is none of the declared extent",
        original_length=len(padded),
        inner=INNER,
    )
    tcp = eth(ip4(tcp_bytes(5, bytes(60)), protocol=6))
    case(
        "cut-tcp-strict",
        3,
        tcp[:60],
        "CAPTURE_CUT",
        "IPV4_TRUNCATED",
        "IP's lengths are judged before its protocol",
        original_length=len(tcp),
    )
    case(
        "cut-tcp-snapped",
        3,
        tcp[:60],
        "NOT_VXLAN",
        "IPV4_TRUNCATED",
        "not UDP, cut or not",
        original_length=len(tcp),
        policy={"lengths": "snapped"},
    )
    other = over4(vx(INNER), dport=53)
    case(
        "cut-other-port-snapped",
        3,
        other[:60],
        "NOT_VXLAN",
        "IPV4_TRUNCATED",
        "another port, cut or not",
        original_length=len(other),
        policy={"lengths": "snapped"},
    )
    lie = over4(vx(INNER), length=len(INNER) + 16 + 9)
    case(
        "cut-and-udp-lie-snapped",
        3,
        lie[:80],
        "UDP_TRUNCATED",
        "IPV4_TRUNCATED",
        "UDP's length has to fit IP's as it was on the wire",
        original_length=len(lie),
        policy={"lengths": "snapped"},
        decap_error={"layer": "UDP", "offset": 34},
    )


# --- 4: padding ------------------------------------------------------------------------------------------------------


def point_4() -> None:
    why = "Ethernet padding of any length and content is legal, and is never part of the inner frame"
    for n in (1, 2, 3, 17, 18, 46, 100, 255, 299, 300):
        for kind, byte in (("zero", 0), ("nonzero", 0xEE)):
            padding = bytes([byte]) * n
            case(f"padding-{n}-{kind}", 4, GOOD4 + padding, "OK", "OK", why, inner=INNER, layers=ALL4, trailer=padding)
            case(f"padding6-{n}-{kind}", 4, GOOD6 + padding, "OK", "OK", why, inner=INNER, layers=ALL6, trailer=padding)
    padding = b"\xee" * 46
    case(
        "padding-strict",
        4,
        GOOD4 + padding,
        "OK",
        "OK",
        "under any policy",
        inner=INNER,
        policy=STRICT,
        trailer=padding,
    )
    case(
        "padding-captured",
        4,
        GOOD4 + padding,
        "OK",
        "OK",
        "lengths that are not 0 hold in an offload capture too",
        inner=INNER,
        policy={"lengths": "captured"},
    )
    case(
        "padding-behind-tags",
        4,
        eth(tag(ip4(udp(vx(INNER)))), 0x8100) + padding,
        "OK",
        "OK",
        why,
        inner=INNER,
        trailer=padding,
    )
    case("padding-looks-like-a-tunnel", 4, GOOD4 + GOOD4, "OK", "OK", why, inner=INNER, layers=ALL4, trailer=GOOD4)
    small = inner_of(arp_bytes(), 0x0806) + bytes(18)
    case(
        "inner-padding-stays",
        4,
        over4(vx(small)),
        "OK",
        "OK",
        "the inner frame's own padding is the inner frame's",
        inner=small,
        trailer=bytes(18),
    )
    case("both-paddings", 4, over4(vx(small)) + padding, "OK", "OK", "the inner's stays, the outer's goes", inner=small)
    rest = ip4(udp(b""), total=28) + bytes(18)
    case(
        "padding-does-not-fill-vxlan",
        4,
        eth(rest),
        "VXLAN_TRUNCATED",
        "VXLAN_TRUNCATED",
        "the header would have to be taken from the padding",
        error=cut("VXLAN", 42, 8, 0, "UDP.length"),
    )
    rest = ip4(udp(vx(INNER[:10]))) + INNER[10:]
    case(
        "padding-does-not-fill-inner",
        4,
        eth(rest),
        "INNER_TRUNCATED",
        "ETHERNET_TRUNCATED",
        "the inner header would have to be taken from the padding",
        error=cut("Ethernet", 50, 14, 10, "UDP.length"),
    )
    rest = ip4(udp(b"")[:5]) + bytes(41)
    case(
        "padding-does-not-fill-udp",
        4,
        eth(rest),
        "UDP_HEADER_TRUNCATED",
        "UDP_HEADER_TRUNCATED",
        "the UDP header would have to be taken from the padding",
        error=cut("UDP", 34, 8, 5, "IPv4.total_length"),
    )
    datagram = udp(vx(INNER), length=8 + 8 + len(INNER) + 9)
    case(
        "padding-does-not-fill-udp-length",
        4,
        eth(ip4(datagram)) + bytes(46),
        "UDP_TRUNCATED",
        "UDP_TRUNCATED",
        "the datagram would have to be taken from the padding",
        error=cut("UDP", 34, len(datagram) + 9, len(datagram), "IPv4.total_length"),
    )
    datagram = udp(vx(INNER), checksum=None, pseudo=P6, length=8 + 8 + len(INNER) + 9)
    case(
        "padding6-does-not-fill-udp-length",
        4,
        eth(ip6(datagram), 0x86DD) + bytes(46),
        "UDP_TRUNCATED",
        "UDP_TRUNCATED",
        "the same over IPv6",
        error=cut("UDP", 54, len(datagram) + 9, len(datagram), "IPv6.payload_length"),
    )
    for slack in (1, 4, 100):
        rest = udp(vx(INNER), length=16 + len(INNER)) + b"\xdd" * slack
        case(
            f"udp-shorter-than-ip-{slack}",
            4,
            eth(ip4(rest)),
            "OK",
            "OK",
            "the datagram is trimmed to its own length",
            inner=INNER,
            layers=ALL4,
            trailer=b"\xdd" * slack,
        )
        case(
            f"udp-shorter-than-ip-{slack}-strict",
            4,
            eth(ip4(rest)),
            "OK",
            "OK",
            "STRICT trims too",
            inner=INNER,
            policy=STRICT,
        )
    rest = udp(vx(INNER), length=16 + len(INNER), checksum=None, pseudo=P6) + b"\xdd" * 5
    case(
        "udp-shorter-than-ip6", 4, eth(ip6(rest), 0x86DD), "OK", "OK", "the same over IPv6", inner=INNER, policy=STRICT
    )
    rest = udp(vx(INNER), length=16 + len(INNER)) + b"\xdd" * 4
    case("udp-shorter-and-padding", 4, eth(ip4(rest)) + bytes(20), "OK", "OK", "both at once", inner=INNER, layers=ALL4)


# --- 5: fragments ----------------------------------------------------------------------------------------------------


def point_5() -> None:
    opaque = inner_of(bytes(50))
    whole = udp(vx(opaque))
    later = "a later fragment has no UDP header: what looks like one is data"
    ends = ["Ethernet", "IPv4"]
    first = "a fragment is not reassembled, and part of a frame is no frame"
    upto = ["Ethernet", "IPv4", "UDP", "VXLAN", "Ethernet"]
    case("first-fragment", 5, eth(ip4(whole, fragment=0x2000)), "FRAGMENT", "OK", first, layers=upto)
    case(
        "first-fragment-real",
        5,
        eth(ip4(whole[:64], fragment=0x2000)),
        "FRAGMENT",
        "OK",
        "its UDP length exceeds it, as that of every first fragment does: not a lie",
        layers=upto,
    )
    case(
        "first-fragment-real-padded",
        5,
        eth(ip4(whole[:64], fragment=0x2000)) + bytes(9),
        "FRAGMENT",
        "OK",
        first,
        layers=upto,
        trailer=bytes(9),
    )
    case(
        "first-fragment-udp-65535",
        5,
        eth(ip4(udp(vx(opaque), length=65535), fragment=0x2000)),
        "FRAGMENT",
        "OK",
        first,
        layers=upto,
    )
    case(
        "first-fragment-strict",
        5,
        eth(ip4(whole[:64], fragment=0x2000)),
        "FRAGMENT",
        "OK",
        "checksums come later",
        policy=STRICT,
    )
    case(
        "first-fragment-vxlan-cut",
        5,
        eth(ip4(whole[:12], fragment=0x2000)),
        "FRAGMENT",
        "VXLAN_TRUNCATED",
        "8 bytes of UDP are enough to know",
        dissect_error=cut("VXLAN", 42, 8, 4),
    )
    case(
        "first-fragment-udp-cut",
        5,
        eth(ip4(whole[:7], fragment=0x2000)),
        "UDP_HEADER_TRUNCATED",
        "UDP_HEADER_TRUNCATED",
        "without 8 bytes of UDP there is no port to know it by",
        error=cut("UDP", 34, 8, 7),
    )
    case(
        "first-fragment-udp-length-7",
        5,
        eth(ip4(udp(vx(opaque), length=7), fragment=0x2000)),
        "UDP_LENGTH",
        "UDP_LENGTH",
        "only a length that is too long is forgiven",
        error=malformed("UDP", 34, "length", 7),
    )
    case(
        "first-fragment-other-port",
        5,
        eth(ip4(udp(vx(opaque), dport=53), fragment=0x2000)),
        "NOT_VXLAN",
        "OK",
        "the port is looked at before",
        layers=["Ethernet", "IPv4", "UDP"],
    )
    case("first-fragment-df", 5, eth(ip4(whole, fragment=0x6000)), "FRAGMENT", "OK", "DF with MF is still a fragment")
    for offset in (1, 2, 185, 0x1FFF):
        for more in (0, 0x2000):
            frame = eth(ip4(udp(vx(INNER)), fragment=more | offset))
            case(f"later-fragment-{offset}{'-mf' if more else ''}", 5, frame, "FRAGMENT", "OK", later, layers=ends)
    case("later-fragment-short", 5, eth(ip4(b"\1\2\3", fragment=10)), "FRAGMENT", "OK", later, layers=ends)
    case("later-fragment-empty", 5, eth(ip4(b"", fragment=10)), "FRAGMENT", "OK", later, layers=ends)
    case(
        "later-fragment-tcp", 5, eth(ip4(bytes(40), fragment=10, protocol=6)), "NOT_VXLAN", "OK", "not UDP", layers=ends
    )
    case(
        "later-fragment-bad-checksum",
        5,
        eth(ip4(bytes(40), fragment=10, checksum=1)),
        "FRAGMENT",
        "OK",
        "that it is a fragment is seen before the checksum",
        policy=STRICT,
    )
    for name, word in (("df", 0x4000), ("reserved-bit", 0x8000)):
        case(
            f"not-a-fragment-{name}",
            5,
            eth(ip4(udp(vx(INNER)), fragment=word)),
            "OK",
            "OK",
            "neither MF nor an offset",
            inner=INNER,
            layers=ALL4,
        )

    upto6 = ["Ethernet", "IPv6", "UDP", "VXLAN", "Ethernet"]
    whole6 = udp(vx(opaque), checksum=None, pseudo=P6)
    case(
        "atomic-fragment6",
        5,
        eth(ip6(fragment6(17, 0, 0) + whole6, next_header=44), 0x86DD),
        "FRAGMENT",
        "OK",
        "fragments=drop takes atomic ones with it (RFC 6946 lets others process them)",
        layers=upto6,
    )
    case(
        "first-fragment6",
        5,
        eth(ip6(fragment6(17, 0, 1) + whole6, next_header=44), 0x86DD),
        "FRAGMENT",
        "OK",
        first,
        layers=upto6,
    )
    case(
        "first-fragment6-real",
        5,
        eth(ip6(fragment6(17, 0, 1) + whole6[:64], next_header=44), 0x86DD),
        "FRAGMENT",
        "OK",
        "its UDP length exceeds it: not a lie",
        layers=upto6,
    )
    case(
        "first-fragment6-other-port",
        5,
        eth(ip6(fragment6(17, 0, 1) + udp(vx(opaque), dport=53), next_header=44), 0x86DD),
        "NOT_VXLAN",
        "OK",
        "the port is looked at before",
    )
    for offset, more in ((1, 0), (1, 1), (181, 0), (0x1FFF, 1)):
        frame = eth(ip6(fragment6(17, offset, more) + udp(vx(INNER)), next_header=44), 0x86DD)
        case(
            f"later-fragment6-{offset}{'-m' if more else ''}",
            5,
            frame,
            "FRAGMENT",
            "OK",
            later,
            layers=["Ethernet", "IPv6"],
        )
    frame = eth(ip6(fragment6(6, 10, 0) + bytes(40), next_header=44), 0x86DD)
    case("later-fragment6-tcp", 5, frame, "NOT_VXLAN", "OK", "not UDP", layers=["Ethernet", "IPv6"])
    atomic_lie = udp(vx(opaque), checksum=None, pseudo=P6, length=len(whole6) + 9)
    frame = eth(ip6(fragment6(17, 0, 0) + atomic_lie, next_header=44), 0x86DD)
    case(
        "atomic-fragment6-udp-over",
        5,
        frame,
        "UDP_TRUNCATED",
        "UDP_TRUNCATED",
        "an atomic fragment is whole, so its UDP length has to fit",
        error=cut("UDP", 62, len(whole6) + 9, len(whole6)),
    )
    frame = eth(ip6(extension(44) + fragment6(17, 0, 1) + whole6, next_header=0), 0x86DD)
    case("first-fragment6-behind-options", 5, frame, "FRAGMENT", "OK", first, layers=upto6)


# --- 6: IPv6 ---------------------------------------------------------------------------------------------------------


def point_6() -> None:
    datagram = udp(vx(INNER), checksum=None, pseudo=P6)
    size = len(datagram)
    for over in (1, 8, 65535 - size):
        case(
            f"payload-over-{over}",
            6,
            eth(ip6(datagram, payload=size + over), 0x86DD),
            "IPV6_TRUNCATED",
            "IPV6_TRUNCATED",
            "beyond the bytes",
            error=cut("IPv6", 14, 40 + size + over, 40 + size),
        )
    case(
        "payload-over-1-lie",
        6,
        eth(ip6(datagram, payload=size + 1), 0x86DD),
        "IPV6_TRUNCATED",
        "IPV6_TRUNCATED",
        "all of the frame was captured: the field lies",
        original_length=len(GOOD6),
        decap_error=cut("IPv6", 14, 41 + size, 40 + size, "frame"),
        dissect_error=cut("IPv6", 14, 41 + size, 40 + size),
        on_wire_error={"reason": "IPV6_TRUNCATED", **cut("IPv6", 14, 41 + size, 40 + size, "frame")},
    )
    case(
        "payload-0",
        6,
        eth(ip6(datagram, payload=0), 0x86DD),
        "UDP_HEADER_TRUNCATED",
        "UDP_HEADER_TRUNCATED",
        "an empty payload; there are no jumbograms here",
        error=cut("UDP", 54, 8, 0, "IPv6.payload_length"),
    )
    case(
        "payload-0-nothing",
        6,
        eth(ip6(b""), 0x86DD),
        "UDP_HEADER_TRUNCATED",
        "UDP_HEADER_TRUNCATED",
        "an empty payload",
        error=cut("UDP", 54, 8, 0),
    )
    case(
        "payload-0-no-next-header",
        6,
        eth(ip6(b"", next_header=59), 0x86DD),
        "NOT_VXLAN",
        "OK",
        "an empty payload",
        layers=["Ethernet", "IPv6"],
    )
    case(
        "payload-7",
        6,
        eth(ip6(datagram, payload=7), 0x86DD),
        "UDP_HEADER_TRUNCATED",
        "UDP_HEADER_TRUNCATED",
        "a UDP header of 7 bytes",
        error=cut("UDP", 54, 8, 7, "IPv6.payload_length"),
    )
    case(
        "payload-one-short",
        6,
        eth(ip6(datagram, payload=size - 1), 0x86DD),
        "UDP_TRUNCATED",
        "UDP_TRUNCATED",
        "UDP's length against IPv6's",
        error=cut("UDP", 54, size, size - 1, "IPv6.payload_length"),
    )

    good = {
        "hop-by-hop": (0, extension(17)),
        "destination": (60, extension(17)),
        "routing": (43, bytes([17, 0, 0, 0, 0, 0, 0, 0])),
        "routing-unknown-type": (43, bytes([17, 0, 253, 9, 1, 2, 3, 4])),
        "hop-by-hop-16": (0, extension(17, 1)),
        "hop-by-hop-destination-routing-destination": (
            0,
            extension(60) + extension(43) + bytes([60, 0, 0, 0, 0, 0, 0, 0]) + extension(17),
        ),
        "ah-12": (51, authentication(17, 1, 12)),
        "ah-16": (51, authentication(17, 2, 16)),
        "ah-24": (51, authentication(17, 4, 24)),
        "ah-1028": (51, authentication(17, 255, 1028)),
        "2048-long": (60, extension(17, 255)),
        "255-headers": (60, extension(60) * 254 + extension(17)),
        "500-headers": (60, extension(60) * 499 + extension(17)),
    }
    for name, (first, chain) in good.items():
        case(
            f"chain-{name}",
            6,
            eth(ip6(chain + datagram, next_header=first), 0x86DD),
            "OK",
            "OK",
            "a sound chain is passed",
            inner=INNER,
            layers=ALL6,
        )
    case(
        "chain-destination-strict",
        6,
        eth(ip6(extension(17) + datagram, next_header=60), 0x86DD),
        "OK",
        "OK",
        "STRICT passes options",
        inner=INNER,
        policy=STRICT,
        layers=ALL6,
    )

    why = "the chain has to end inside the payload"
    overruns = {
        "nothing": (60, b"", None),
        "1-byte": (60, bytes([17]), None),
        "2-bytes": (60, bytes([17, 0]), 48),
        "7-bytes": (60, bytes([17, 0, 1, 4, 0, 0, 0]), 48),
        "hop-by-hop-7-bytes": (0, bytes([17, 0, 1, 4, 0, 0, 0]), 48),
        "routing-7-bytes": (43, bytes([17, 0, 0, 0, 0, 0, 0]), 48),
        "fragment-7-bytes": (44, fragment6(17, 0, 0)[:7], 48),
        "fragment-2-bytes": (44, fragment6(17, 0, 0)[:2], 48),
        "ah-11-of-12": (51, authentication(17, 1, 11), 52),
        "ah-23-of-24": (51, authentication(17, 4, 23), 64),
        "8-of-16": (60, bytes([17, 1, 1, 12, 0, 0, 0, 0]), 56),
        "15-of-16": (60, bytes([17, 1, 1, 12]) + bytes(11), 56),
        "length-255": (60, extension(17, 255)[:100], 40 + 2048),
        "length-255-one-short": (60, extension(17, 255)[:-1], 40 + 2048),
        "second-of-two": (60, extension(60) + bytes([17, 2, 1, 4, 0, 0, 0, 0]), 72),
        "255-headers": (60, extension(60) * 255, None),
    }
    for name, (first, chain, needed) in overruns.items():
        case(
            f"chain-overrun-{name}",
            6,
            eth(ip6(chain, next_header=first), 0x86DD),
            "IPV6_EXTENSION_TRUNCATED",
            "IPV6_EXTENSION_TRUNCATED",
            why,
            error=cut("IPv6", 14, needed, 40 + len(chain)),
        )
        frame = eth(ip6(chain, next_header=first) + b"\0" * 60, 0x86DD)
        case(
            f"chain-overrun-{name}-padded",
            6,
            frame,
            "IPV6_EXTENSION_TRUNCATED",
            "IPV6_EXTENSION_TRUNCATED",
            "padding does not complete it",
            error=cut("IPv6", 14, needed, 40 + len(chain), "IPv6.payload_length"),
        )
    frame = eth(ip6(extension(17, 255)[:100], next_header=60, payload=2100), 0x86DD)
    case(
        "chain-and-payload-overrun",
        6,
        frame,
        "IPV6_TRUNCATED",
        "IPV6_TRUNCATED",
        "the payload length comes first",
        error=cut("IPv6", 14, 2140, 140),
    )
    for rest, name in ((b"", "8"), (datagram, "then-udp")):
        frame = eth(ip6(authentication(17, 0, 8) + rest, next_header=51), 0x86DD)
        case(
            f"ah-length-0-{name}",
            6,
            frame,
            "IPV6_AH_LENGTH",
            "IPV6_AH_LENGTH",
            "(0 + 2) * 4 is 8; the header's fixed part is 12 (RFC 4302)",
            error={"layer": "IPv6", "offset": 14},
        )
    frame = eth(ip6(extension(51) + authentication(17, 0, 8) + datagram, next_header=0), 0x86DD)
    case(
        "ah-length-0-second",
        6,
        frame,
        "IPV6_AH_LENGTH",
        "IPV6_AH_LENGTH",
        "the same behind another header",
        error={"layer": "IPv6", "offset": 14},
    )
    only_first = "hop-by-hop is an extension header only as the first (RFC 8200 4.1): what it is else, nobody knows"
    frame = eth(ip6(extension(0) + extension(17) + datagram, next_header=60), 0x86DD)
    case("hop-by-hop-second", 6, frame, "NOT_VXLAN", "OK", only_first, layers=["Ethernet", "IPv6"])
    frame = eth(ip6(extension(0) + extension(17) + datagram, next_header=0), 0x86DD)
    case("hop-by-hop-twice", 6, frame, "NOT_VXLAN", "OK", only_first, layers=["Ethernet", "IPv6"])
    frame = eth(ip6(extension(0) + bytes([17, 255]), next_header=60), 0x86DD)
    case("hop-by-hop-second-overruns", 6, frame, "NOT_VXLAN", "OK", only_first, layers=["Ethernet", "IPv6"])
    frame = eth(ip6(extension(59) + datagram, next_header=60), 0x86DD)
    case("chain-no-next-header", 6, frame, "NOT_VXLAN", "OK", "59: nothing follows", layers=["Ethernet", "IPv6"])
    frame = eth(ip6(bytes([17, 0, 0x3E, 255, 1, 2, 3, 4]) + datagram, next_header=60), 0x86DD)
    case(
        "option-length-beyond",
        6,
        frame,
        "OK",
        "OK",
        "what is inside the options is looked at only when asked for",
        inner=INNER,
        layers=ALL6,
    )


# --- 7: UDP ----------------------------------------------------------------------------------------------------------


def point_7() -> None:
    payload = vx(INNER)
    size = 8 + len(payload)
    for n in range(8):
        case(
            f"udp-{n}",
            7,
            eth(ip4(udp(payload)[:n])),
            "UDP_HEADER_TRUNCATED",
            "UDP_HEADER_TRUNCATED",
            "8 bytes of header",
            error=cut("UDP", 34, 8, n),
        )
        case(
            f"udp6-{n}",
            7,
            eth(ip6(udp(payload)[:n]), 0x86DD),
            "UDP_HEADER_TRUNCATED",
            "UDP_HEADER_TRUNCATED",
            "8 bytes of header",
            error=cut("UDP", 54, 8, n),
        )
        case(
            f"udp-length-{n}",
            7,
            over4(payload, length=n),
            "UDP_LENGTH",
            "UDP_LENGTH",
            "the length counts the header",
            error=malformed("UDP", 34, "length", n),
        )
        case(
            f"udp6-length-{n}",
            7,
            over6(payload, length=n),
            "UDP_LENGTH",
            "UDP_LENGTH",
            "the length counts the header; 0 would be a jumbogram's",
            error=malformed("UDP", 54, "length", n),
        )
    case(
        "udp-length-8",
        7,
        over4(payload, length=8),
        "VXLAN_TRUNCATED",
        "VXLAN_TRUNCATED",
        "an empty payload",
        error=cut("VXLAN", 42, 8, 0, "UDP.length"),
    )
    case(
        "udp6-length-8",
        7,
        over6(payload, length=8),
        "VXLAN_TRUNCATED",
        "VXLAN_TRUNCATED",
        "an empty payload",
        error=cut("VXLAN", 62, 8, 0, "UDP.length"),
    )
    case(
        "udp-length-9",
        7,
        over4(payload, length=9),
        "VXLAN_TRUNCATED",
        "VXLAN_TRUNCATED",
        "a payload of one byte",
        error=cut("VXLAN", 42, 8, 1, "UDP.length"),
    )
    case(
        "udp-length-29",
        7,
        over4(payload, length=29),
        "INNER_TRUNCATED",
        "ETHERNET_TRUNCATED",
        "13 bytes of inner frame",
        error=cut("Ethernet", 50, 14, 13, "UDP.length"),
    )
    short = {
        "layer": "IPv4",
        "offset": 64,
        "needed": len(INNER) - 14,
        "available": len(INNER) - 15,
        "limited_by": "UDP.length",
    }
    case(
        "udp-one-short",
        7,
        over4(payload, length=size - 1),
        "OK",
        "IPV4_TRUNCATED",
        "trimmed: the tunnel is sound, the inner packet is not",
        inner=INNER[:-1],
        dissect_error=short,
    )
    opaque = vx(inner_of(bytes(30)))
    case(
        "udp-one-short-opaque",
        7,
        over4(opaque, length=7 + len(opaque)),
        "OK",
        "OK",
        "trimmed",
        inner=opaque[8:-1],
        trailer=b"\0",
    )
    for name, length in (("one-over", size + 1), ("over-20", size + 20), ("65535", 65535)):
        case(
            f"udp-{name}",
            7,
            over4(payload, length=length),
            "UDP_TRUNCATED",
            "UDP_TRUNCATED",
            "beyond what IP carries",
            error=cut("UDP", 34, length, size),
        )
        case(
            f"udp6-{name}",
            7,
            over6(payload, length=length),
            "UDP_TRUNCATED",
            "UDP_TRUNCATED",
            "beyond what IP carries",
            error=cut("UDP", 54, length, size),
        )
        case(
            f"udp-{name}-strict",
            7,
            over4(payload, length=length),
            "UDP_TRUNCATED",
            "UDP_TRUNCATED",
            "under any policy",
            policy=STRICT,
        )
        case(
            f"udp-{name}-options",
            7,
            eth(ip4(udp(payload, length=length), options=b"\1" * 8)),
            "UDP_TRUNCATED",
            "UDP_TRUNCATED",
            "the options count against the total length",
            error=cut("UDP", 42, length, size),
        )
    case(
        "udp-length-7-other-port",
        7,
        over4(payload, dport=53, length=7),
        "UDP_LENGTH",
        "UDP_LENGTH",
        "the structure is judged before the port",
        error=malformed("UDP", 34, "length", 7),
    )
    case(
        "udp-over-other-port",
        7,
        over4(payload, dport=53, length=size + 1),
        "UDP_TRUNCATED",
        "UDP_TRUNCATED",
        "the structure is judged before the port",
        error=cut("UDP", 34, size + 1, size),
    )
    for dport in (0, 53, 4788, 4790, 6081, 48879, 51820, 65535):
        gpe = ["VXLANGPE"] if dport == 4790 else []
        if not gpe:
            case(
                f"port-{dport}",
                7,
                over4(payload, dport=dport),
                "NOT_VXLAN",
                "OK",
                "not a port of VXLAN's",
                layers=["Ethernet", "IPv4", "UDP"],
            )
        case(
            f"port-{dport}-wanted",
            7,
            over4(payload, dport=dport),
            "OK",
            "OK",
            "the policy names the ports",
            policy={"ports": [dport]},
            inner=INNER,
        )
    case(
        "port-4789-unwanted",
        7,
        over4(payload),
        "NOT_VXLAN",
        "OK",
        "the policy names the ports",
        policy={"ports": [8472]},
    )
    case("port-8472", 7, over4(payload, dport=8472), "OK", "OK", "Linux's and flannel's", inner=INNER, layers=ALL4)
    case(
        "from-port-4789",
        7,
        over4(payload, sport=4789, dport=53),
        "NOT_VXLAN",
        "OK",
        "by destination port only",
        layers=["Ethernet", "IPv4", "UDP"],
    )
    for sport in (0, 53, 67, 4789, 65535):
        case(
            f"from-port-{sport}-to-4789",
            7,
            over4(payload, sport=sport),
            "OK",
            "OK",
            "the source port says nothing",
            inner=INNER,
            layers=ALL4,
        )


# --- 8: the VXLAN header and the inner Ethernet header cut ----------------------------------------------------------


def point_8() -> None:
    payload = vx(INNER)
    for n in range(8):
        case(
            f"vxlan-{n}",
            8,
            over4(payload[:n]),
            "VXLAN_TRUNCATED",
            "VXLAN_TRUNCATED",
            "the header is always 8 bytes",
            error=cut("VXLAN", 42, 8, n),
        )
        case(
            f"vxlan6-{n}",
            8,
            over6(payload[:n]),
            "VXLAN_TRUNCATED",
            "VXLAN_TRUNCATED",
            "the header is always 8 bytes",
            error=cut("VXLAN", 62, 8, n),
        )
        case(
            f"vxlan-start-{n}",
            8,
            payload[:n],
            "VXLAN_TRUNCATED",
            "VXLAN_TRUNCATED",
            "what a UDP socket received",
            start="vxlan",
            error=cut("VXLAN", 0, 8, n),
        )
        case(
            f"gpe-{n}",
            8,
            over4(payload[:n], dport=4790),
            "NOT_VXLAN",
            "VXLANGPE_TRUNCATED",
            "4790 is GPE to dissect, and no port of the default policy",
            dissect_error=cut("VXLANGPE", 42, 8, n),
        )
    for n in range(8, 22):
        said = cut("Ethernet", 50, 14, n - 8)
        case(
            f"vxlan-{n}",
            8,
            over4(payload[:n]),
            "INNER_TRUNCATED",
            "ETHERNET_TRUNCATED",
            "an inner frame has 14 bytes of header",
            error=said,
        )
        case(
            f"vxlan6-{n}",
            8,
            over6(payload[:n]),
            "INNER_TRUNCATED",
            "ETHERNET_TRUNCATED",
            "an inner frame has 14 bytes of header",
            error=cut("Ethernet", 70, 14, n - 8),
        )
        case(
            f"vxlan-start-{n}",
            8,
            payload[:n],
            "INNER_TRUNCATED",
            "ETHERNET_TRUNCATED",
            "what a UDP socket received",
            start="vxlan",
            error=cut("Ethernet", 8, 14, n - 8),
        )
        case(
            f"vxlan-{n}-nothing-checked",
            8,
            over4(vx(INNER, flags=0)[:n]),
            "VXLAN_I_FLAG",
            "ETHERNET_TRUNCATED",
            "the header's own bits are judged before the inner frame",
            dissect_error=said,
        )
    case(
        "vxlan-start-good",
        8,
        payload,
        "OK",
        "OK",
        "what a UDP socket received",
        start="vxlan",
        inner=INNER,
        layers=ALL4[3:],
    )


# --- 9: flags and reserved bits --------------------------------------------------------------------------------------


def point_9() -> None:
    for bit in range(64):
        word = 1 << bit
        if word == 0x08 << 56 or 8 <= bit < 32:
            continue
        header = struct.pack("!Q", word | 0x08 << 56 | VNI << 8)
        flags, reserved = struct.unpack("!IxxxB", header)
        name = f"reserved-byte-{7 - bit // 8}-bit-{1 << bit % 8:02x}"
        more = {"layers": ALL4}
        case(
            name,
            9,
            over4(header + INNER),
            "OK",
            "OK",
            "RFC 7348 5: reserved fields MUST be set to zero on transmission and ignored on receipt",
            inner=INNER,
            flags=flags,
            reserved=reserved,
            **more,
        )
        case(
            f"{name}-strict",
            9,
            over4(header + INNER),
            "VXLAN_RESERVED",
            "OK",
            "STRICT wants every one of the 39 clear",
            policy=STRICT,
            decap_error={"layer": "VXLAN", "offset": 42},
            **more,
        )
        case(
            f"{name}-strict-start",
            9,
            header + INNER,
            "VXLAN_RESERVED",
            "OK",
            "the same from a UDP socket",
            start="vxlan",
            policy=STRICT,
            decap_error={"layer": "VXLAN", "offset": 0},
            layers=ALL4[3:],
        )
        case(
            f"{name}-masked",
            9,
            over4(header + INNER),
            "VXLAN_RESERVED",
            "OK",
            "a mask of this bit alone",
            policy={"reserved_mask": word},
        )
        case(
            f"{name}-unmasked",
            9,
            over4(header + INNER),
            "OK",
            "OK",
            "a mask of every bit but this",
            policy={"reserved_mask": 0xF7FFFFFF000000FF & ~word},
            inner=INNER,
            flags=flags,
            reserved=reserved,
        )
    every = vx(INNER, flags=0xFF, middle=0xFFFFFF, reserved=0xFF)
    case(
        "reserved-all",
        9,
        over4(every),
        "OK",
        "OK",
        "all 39 at once",
        inner=INNER,
        flags=0xFFFFFFFF,
        reserved=0xFF,
        layers=ALL4,
    )
    case("reserved-all-strict", 9, over4(every), "VXLAN_RESERVED", "OK", "all 39 at once", policy=STRICT)
    for name, flags in (("00", 0x00), ("f7", 0xF7), ("04", 0x04), ("80", 0x80), ("84", 0x84), ("01", 0x01)):
        bits = vx(INNER, flags=flags)
        case(
            f"i-clear-{name}",
            9,
            over4(bits),
            "VXLAN_I_FLAG",
            "OK",
            "RFC 7348 5: I MUST be set for a valid VNI",
            decap_error={"layer": "VXLAN", "offset": 42},
            layers=ALL4,
        )
        case(
            f"i-clear-{name}-strict", 9, over4(bits), "VXLAN_I_FLAG", "OK", "I before the reserved bits", policy=STRICT
        )
    case("i-clear-all-zero", 9, over4(bytes(8) + INNER), "VXLAN_I_FLAG", "OK", "eight zero bytes", layers=ALL4)
    case(
        "i-clear-gbp",
        9,
        over4(vx(INNER, flags=0x80, middle=7)),
        "VXLAN_I_FLAG",
        "OK",
        "I before group policy",
        policy={"gbp": True},
    )
    case(
        "i-clear-g-and-p",
        9,
        over4(vx(INNER, flags=0x84)),
        "VXLAN_I_FLAG",
        "OK",
        "I before G with P",
        policy={"gbp": True},
    )
    for vni in (0, 1, 0x800000, 0xFFFFFF):
        case(f"vni-{vni}", 9, over4(vx(INNER, vni=vni)), "OK", "OK", "24 bits, unsigned", inner=INNER, vni=vni)
        case(
            f"vni-{vni}-strict",
            9,
            over4(vx(INNER, vni=vni)),
            "OK",
            "OK",
            "no VNI is reserved",
            inner=INNER,
            vni=vni,
            policy=STRICT,
        )

    gbp = vx(INNER, flags=0x88, middle=0x001234)
    word = 0x88001234
    case(
        "g-not-allowed",
        9,
        over4(gbp),
        "OK",
        "OK",
        "to RFC 7348 G and the id are reserved bits, to be ignored",
        inner=INNER,
        flags=word,
        group_policy=0x1234,
        layers=ALL4,
    )
    case(
        "g-not-allowed-strict",
        9,
        over4(gbp),
        "VXLAN_RESERVED",
        "OK",
        "and to STRICT they have to be clear",
        policy=STRICT,
    )
    case(
        "g-allowed",
        9,
        over4(gbp),
        "OK",
        "OK",
        "group policy is on",
        policy={"gbp": True},
        inner=INNER,
        flags=word,
        group_policy=0x1234,
    )
    case(
        "g-allowed-strict",
        9,
        over4(gbp),
        "OK",
        "OK",
        "gbp opens G and the id even to STRICT",
        policy={"preset": "STRICT", "gbp": True},
        inner=INNER,
        flags=word,
    )
    parts = {"d": (0x400000, None), "a": (0x080000, None), "id": (0x00BEEF, None), "d-a-id": (0x48BEEF, None)}
    for name, (middle, _) in parts.items():
        clear = vx(INNER, middle=middle)
        case(
            f"g-clear-{name}",
            9,
            over4(clear),
            "OK",
            "OK",
            "without G these mean nothing: never reported, but kept",
            inner=INNER,
            flags=0x08000000 | middle,
            group_policy=None,
        )
        case(
            f"g-clear-{name}-gbp",
            9,
            over4(clear),
            "OK",
            "OK",
            "with gbp on too",
            policy={"gbp": True},
            inner=INNER,
            flags=0x08000000 | middle,
            group_policy=None,
        )
        case(
            f"g-clear-{name}-strict", 9, over4(clear), "VXLAN_RESERVED", "OK", "STRICT wants them clear", policy=STRICT
        )
        both = vx(INNER, flags=0x88, middle=middle)
        case(
            f"g-set-{name}-strict-gbp",
            9,
            over4(both),
            "OK",
            "OK",
            "gbp opens G, D, A and the id",
            policy={"preset": "STRICT", "gbp": True},
            inner=INNER,
            flags=0x88000000 | middle,
            group_policy=middle & 0xFFFF,
        )
    for name, flags, middle, reserved in (
        ("byte-1-20", 0x88, 0x200000, 0),
        ("byte-1-01", 0x88, 0x010000, 0),
        ("byte-7", 0x88, 0, 1),
        ("b", 0x8A, 0, 0),
    ):
        case(
            f"gbp-strict-{name}",
            9,
            over4(vx(INNER, flags=flags, middle=middle, reserved=reserved)),
            "VXLAN_RESERVED",
            "OK",
            "gbp opens its own fields and nothing else",
            policy={"preset": "STRICT", "gbp": True},
        )

    p = vx(INNER, flags=0x0C, middle=3)
    case(
        "p-on-4789",
        9,
        over4(p),
        "OK",
        "OK",
        "on VXLAN's port P is one more reserved bit; dissect takes the port's word",
        inner=INNER,
        flags=0x0C000003,
        layers=ALL4,
    )
    case("p-on-4789-strict", 9, over4(p), "VXLAN_RESERVED", "OK", "and STRICT wants it clear", policy=STRICT)
    inner4 = INNER[14:]
    case(
        "p-on-4789-next-ipv4",
        9,
        over4(vx(INNER, flags=0x0C, middle=1)),
        "OK",
        "OK",
        "no GPE, so no next protocol: what follows is Ethernet",
        inner=INNER,
        flags=0x0C000001,
        layers=ALL4,
    )
    gp = vx(INNER, flags=0x8C, middle=0x000003)
    case(
        "g-and-p",
        9,
        over4(gp),
        "OK",
        "OK",
        "to RFC 7348 two reserved bits; the header is 8 bytes all the same",
        inner=INNER,
        flags=0x8C000003,
        layers=ALL4,
    )
    case("g-and-p-strict", 9, over4(gp), "VXLAN_RESERVED", "OK", "two reserved bits", policy=STRICT)
    for on in ("gbp", "gpe"):
        case(
            f"g-and-p-{on}",
            9,
            over4(gp),
            "GBP_WITH_GPE",
            "OK",
            "the two exclude each other",
            policy={on: True},
            decap_error={"offset": 42},
        )
        case(
            f"g-and-p-{on}-strict",
            9,
            over4(gp),
            "GBP_WITH_GPE",
            "OK",
            "said before the reserved bits",
            policy={"preset": "STRICT", on: True},
        )
    case(
        "g-and-p-both",
        9,
        over4(gp),
        "GBP_WITH_GPE",
        "OK",
        "even where each is allowed",
        policy={"gbp": True, "gpe": True},
    )

    gpe_on = {"gpe": True, "ports": [4790]}
    gpe_layers = ["Ethernet", "IPv4", "UDP", "VXLANGPE"]
    case(
        "gpe-ethernet",
        9,
        over4(p, dport=4790),
        "OK",
        "OK",
        "next protocol 3",
        policy=gpe_on,
        inner=INNER,
        flags=0x0C000003,
        layers=[*gpe_layers, "Ethernet", "IPv4", "UDP"],
    )
    case(
        "gpe-ipv4",
        9,
        over4(vx(inner4, flags=0x0C, middle=1), dport=4790),
        "OK",
        "OK",
        "next protocol 1: no Ethernet",
        policy=gpe_on,
        inner=inner4,
        flags=0x0C000001,
        layers=[*gpe_layers, "IPv4", "UDP"],
    )
    inner6 = inner_udp6()[14:]
    case(
        "gpe-ipv6",
        9,
        over4(vx(inner6, flags=0x0C, middle=2), dport=4790),
        "OK",
        "OK",
        "next protocol 2: no Ethernet",
        policy=gpe_on,
        inner=inner6,
        flags=0x0C000002,
        layers=[*gpe_layers, "IPv6", "UDP"],
    )
    for version in (1, 2, 3):
        frame = over4(vx(INNER, flags=0x0C | version << 4, middle=3), dport=4790)
        case(
            f"gpe-version-{version}",
            9,
            frame,
            "GPE_VERSION",
            "OK",
            "only version 0 is known",
            policy=gpe_on,
            decap_error={"offset": 42},
        )
    case(
        "gpe-oam",
        9,
        over4(vx(INNER, flags=0x0D, middle=3), dport=4790),
        "GPE_OAM",
        "OK",
        "an OAM packet is not for the tenant",
        policy=gpe_on,
        decap_error={"offset": 42},
    )
    case(
        "gpe-oam-version-1",
        9,
        over4(vx(INNER, flags=0x1D, middle=3), dport=4790),
        "GPE_VERSION",
        "OK",
        "version first",
        policy=gpe_on,
    )
    for protocol in (0, 6, 9, 128, 255):
        frame = over4(vx(INNER, flags=0x0C, middle=protocol), dport=4790)
        case(
            f"gpe-next-{protocol}",
            9,
            frame,
            "GPE_NEXT_PROTOCOL",
            "OK",
            "nothing says what follows",
            policy=gpe_on,
            decap_error={"offset": 42},
            layers=gpe_layers,
        )
    case(
        "gpe-oam-next-255",
        9,
        over4(vx(INNER, flags=0x0D, middle=255), dport=4790),
        "GPE_OAM",
        "OK",
        "O before the next protocol",
        policy=gpe_on,
    )
    case(
        "gpe-i-clear",
        9,
        over4(vx(INNER, flags=0x04, middle=3), dport=4790),
        "VXLAN_I_FLAG",
        "OK",
        "I first",
        policy=gpe_on,
    )
    case(
        "gpe-not-asked-for",
        9,
        over4(p, dport=4790),
        "NOT_VXLAN",
        "OK",
        "4790 is no port of the default policy",
        layers=[*gpe_layers, "Ethernet", "IPv4", "UDP"],
    )
    strict_gpe = {"preset": "STRICT", "gpe": True, "ports": [4790]}
    case(
        "gpe-strict",
        9,
        over4(p, dport=4790),
        "OK",
        "OK",
        "gpe opens P and the next protocol even to STRICT",
        policy=strict_gpe,
        inner=INNER,
        flags=0x0C000003,
    )
    for name, middle, reserved in (("byte-1", 0x010003, 0), ("byte-2", 0x000103, 0), ("byte-7", 3, 1)):
        case(
            f"gpe-strict-{name}",
            9,
            over4(vx(INNER, flags=0x0C, middle=middle, reserved=reserved), dport=4790),
            "VXLAN_RESERVED",
            "OK",
            "and nothing else",
            policy=strict_gpe,
        )


# --- 10: checksums ---------------------------------------------------------------------------------------------------


def point_10() -> None:
    payload = vx(INNER)
    odd = vx(inner_udp(b"odd!"))
    verify_ip, verify_udp = {"verify_ip_checksum": True}, {"verify_udp_checksum": True}
    right = struct.unpack("!H", ip4(udp(payload))[10:12])[0]
    for name, found in (("plus-one", right + 1), ("zero", 0), ("ffff", 0xFFFF), ("complement", 0xFFFF - right)):
        frame = eth(ip4(udp(payload), checksum=found))
        case(f"ip-checksum-{name}", 10, frame, "OK", "OK", "verified on request only", inner=INNER, layers=ALL4)
        said = {"layer": "IPv4", "offset": 14, "expected": right, "found": found}
        case(
            f"ip-checksum-{name}-verified",
            10,
            frame,
            "IPV4_CHECKSUM",
            "OK",
            "RFC 791 3.1",
            policy=verify_ip,
            decap_error=said,
        )
        case(
            f"ip-checksum-{name}-strict",
            10,
            frame,
            "IPV4_CHECKSUM",
            "OK",
            "STRICT verifies",
            policy=STRICT,
            decap_error=said,
        )
    case("ip-checksum-right", 10, GOOD4, "OK", "OK", "verified and right", policy=verify_ip, inner=INNER)
    frame = eth(ip4(udp(payload), options=b"\1\1\1\0"))
    case("ip-checksum-right-options", 10, frame, "OK", "OK", "the options are summed too", policy=STRICT, inner=INNER)
    broken = bytearray(frame)
    broken[34] ^= 1
    case(
        "ip-checksum-wrong-options",
        10,
        bytes(broken),
        "IPV4_CHECKSUM",
        "OK",
        "the options are summed too",
        policy=verify_ip,
    )
    broken = bytearray(frame[14:])
    broken[20] ^= 1
    case(
        "ip-checksum-wrong-raw",
        10,
        bytes(broken),
        "IPV4_CHECKSUM",
        "OK",
        "whatever the link layer",
        policy=verify_ip,
        start="raw",
        decap_error={"layer": "IPv4", "offset": 0},
    )
    case(
        "ip-checksum-wrong-udp-asked",
        10,
        eth(ip4(udp(payload), checksum=1)),
        "OK",
        "OK",
        "only UDP's was asked for",
        policy=verify_udp,
        inner=INNER,
    )
    case(
        "ip-checksum-wrong-inner",
        10,
        over4(vx(inner_udp(checksum=1))),
        "OK",
        "OK",
        "the inner's is not the tunnel's",
        policy=STRICT,
        inner=inner_udp(checksum=1),
    )

    for family, over, pseudo, at in (("", over4, (IP4_SRC, IP4_DST), 34), ("6", over6, P6, 54)):
        for name, body in (("even", payload), ("odd", odd)):
            right = udp_checksum(udp(body), pseudo)
            case(
                f"udp{family}-checksum-right-{name}",
                10,
                over(body, checksum=right),
                "OK",
                "OK",
                "verified and right",
                policy=STRICT,
                inner=body[8:],
            )
            for how, found in (("plus-one", right + 1), ("complement", 0xFFFF - right), ("ffff", 0xFFFF), ("one", 1)):
                frame = over(body, checksum=found)
                case(
                    f"udp{family}-checksum-{how}-{name}",
                    10,
                    frame,
                    "OK",
                    "OK",
                    "verified on request only",
                    inner=body[8:],
                )
                case(
                    f"udp{family}-checksum-{how}-{name}-verified",
                    10,
                    frame,
                    "UDP_CHECKSUM",
                    "OK",
                    "RFC 7348 5: if it is verified and wrong, the packet MUST be dropped",
                    policy=verify_udp,
                    decap_error={"layer": "UDP", "offset": at, "expected": right, "found": found},
                )
                case(
                    f"udp{family}-checksum-{how}-{name}-strict",
                    10,
                    frame,
                    "UDP_CHECKSUM",
                    "OK",
                    "STRICT verifies",
                    policy=STRICT,
                )
        partial = ones_sum(pseudo_sum_bytes(8 + len(payload), pseudo))
        frame = over(payload, checksum=partial)
        case(
            f"udp{family}-checksum-partial",
            10,
            frame,
            "OK",
            "OK",
            "left to the sender's NIC: not verified, not refused",
            inner=INNER,
        )
        case(
            f"udp{family}-checksum-partial-verified",
            10,
            frame,
            "UDP_CHECKSUM",
            "OK",
            "on a wire it is wrong, and anyone can compute it: it proves nothing",
            policy=verify_udp,
        )
        # An inner frame chosen so that the datagram's checksum comes out as 0, which is sent as 0xffff.
        zero = vx(inner_of(b"\0\0" + bytes(range(40))))
        fill = 0xFFFF - ones_sum(pseudo_sum_bytes(8 + len(zero), pseudo) + udp(zero))
        zero = vx(inner_of(struct.pack("!H", fill) + bytes(range(40))))
        if ones_sum(pseudo_sum_bytes(8 + len(zero), pseudo) + udp(zero)) != 0xFFFF:
            raise AssertionError("the sum was to be 0xffff")
        for policy in (verify_udp, STRICT):
            name = "strict" if policy is STRICT else "verified"
            case(
                f"udp{family}-checksum-mangled-zero-{name}",
                10,
                over(zero, checksum=0xFFFF),
                "OK",
                "OK",
                "RFC 768: a computed 0 is sent as all ones",
                policy=policy,
                inner=zero[8:],
            )
        wrong = bytearray(over(zero, checksum=0xFFFF))
        wrong[-1] ^= 1
        case(
            f"udp{family}-checksum-mangled-zero-wrong",
            10,
            bytes(wrong),
            "UDP_CHECKSUM",
            "OK",
            "0xffff is no wildcard",
            policy=verify_udp,
            decap_error={"layer": "UDP", "offset": at, "found": 0xFFFF},
        )
    for name, asked in (
        ("default", {}),
        ("verify_udp_checksum", verify_udp),
        ("strict", STRICT),
        ("zero_checksum6", {"zero_checksum6": False}),
    ):
        case(
            f"udp-checksum-0-{name}",
            10,
            over4(payload, checksum=0),
            "OK",
            "OK",
            "over IPv4 0 means none (RFC 768)",
            policy=asked,
            inner=INNER,
        )
    zero6 = over6(payload, checksum=0)
    case("udp6-checksum-0", 10, zero6, "OK", "OK", "RFC 6935 and 6936 let tunnels do so", inner=INNER)
    case(
        "udp6-checksum-0-verified", 10, zero6, "OK", "OK", "there is nothing to verify", inner=INNER, policy=verify_udp
    )
    said = {"layer": "UDP", "offset": 54}
    case(
        "udp6-checksum-0-refused",
        10,
        zero6,
        "UDP_CHECKSUM_ZERO",
        "OK",
        "RFC 8200 8.1, without the exception",
        policy={"zero_checksum6": False},
        decap_error=said,
    )
    case(
        "udp6-checksum-0-strict",
        10,
        zero6,
        "UDP_CHECKSUM_ZERO",
        "OK",
        "STRICT does not make the exception",
        policy=STRICT,
        decap_error=said,
    )
    slack = udp(payload, checksum=None, pseudo=P6, length=8 + len(payload)) + b"\xdd" * 3
    case(
        "udp6-checksum-slack",
        10,
        eth(ip6(slack), 0x86DD),
        "OK",
        "OK",
        "the sum ends where UDP's length ends",
        inner=INNER,
        policy=verify_udp,
    )
    body = udp(payload, checksum=None, pseudo=P6)
    case(
        "udp6-checksum-extension",
        10,
        eth(ip6(extension(17) + body, next_header=60), 0x86DD),
        "OK",
        "OK",
        "the pseudo-header has UDP's length and number, not IPv6's (RFC 8200 8.1)",
        inner=INNER,
        policy=STRICT,
    )
    both = eth(ip4(udp(payload, checksum=1), checksum=1))
    case("both-checksums-wrong", 10, both, "IPV4_CHECKSUM", "OK", "IP's first", policy=STRICT)
    case(
        "udp-checksum-wrong-other-port",
        10,
        over4(payload, checksum=1, dport=53),
        "NOT_VXLAN",
        "OK",
        "the port comes first",
        policy=STRICT,
    )


# --- 11: the inner frame ---------------------------------------------------------------------------------------------


def point_11() -> None:
    check = {"check_inner_length": True}
    bare = inner_of(b"")
    case(
        "inner-14-opaque",
        11,
        over4(vx(bare)),
        "OK",
        "OK",
        "a header and nothing more",
        inner=bare,
        layers=["Ethernet", "IPv4", "UDP", "VXLAN", "Ethernet"],
    )
    case(
        "inner-14-opaque-checked",
        11,
        over4(vx(bare)),
        "OK",
        "OK",
        "no IP, no IP header to miss",
        inner=bare,
        policy=check,
    )
    packet4, packet6 = INNER[14:], inner_udp6()[14:]
    for n in range(20):
        frame = inner_of(packet4[:n], 0x0800)
        said = cut("IPv4", 64, 20, n)
        case(
            f"inner-ipv4-{n}",
            11,
            over4(vx(frame)),
            "OK",
            "IPV4_HEADER_TRUNCATED",
            "a tunnel carries what it is given; to dissect it is broken",
            inner=frame,
            dissect_error=said,
        )
        case(
            f"inner-ipv4-{n}-checked",
            11,
            over4(vx(frame)),
            "INNER_LENGTH",
            "IPV4_HEADER_TRUNCATED",
            "the policy asks for a whole fixed header",
            policy=check,
            dissect_error=said,
        )
    for n in range(40):
        frame = inner_of(packet6[:n], 0x86DD)
        said = cut("IPv6", 64, 40, n)
        case(
            f"inner-ipv6-{n}",
            11,
            over4(vx(frame)),
            "OK",
            "IPV6_HEADER_TRUNCATED",
            "a tunnel carries what it is given; to dissect it is broken",
            inner=frame,
            dissect_error=said,
        )
        case(
            f"inner-ipv6-{n}-checked",
            11,
            over4(vx(frame)),
            "INNER_LENGTH",
            "IPV6_HEADER_TRUNCATED",
            "the policy asks for a whole fixed header",
            policy=check,
            dissect_error=said,
        )
    for name, frame, reason in (
        ("ipv4-20", inner_of(packet4[:20], 0x0800), "IPV4_TRUNCATED"),
        ("ipv6-40", inner_of(packet6[:40], 0x86DD), "IPV6_TRUNCATED"),
        ("ipv4-version", inner_of(b"\x65" + packet4[1:], 0x0800), "IPV4_VERSION"),
        ("ipv4-total-0", inner_of(ip4(b"12345678", total=0), 0x0800), "IPV4_TOTAL_LENGTH"),
        ("ipv4-total-65535", inner_of(ip4(b"12345678", total=65535), 0x0800), "IPV4_TRUNCATED"),
        ("ipv4-ihl-1", inner_of(ip4(b"12345678", ihl=1), 0x0800), "IPV4_IHL"),
    ):
        case(
            f"inner-{name}-checked",
            11,
            over4(vx(frame)),
            "OK",
            reason,
            "only the fixed header's presence is checked",
            policy=check,
            inner=frame,
        )
    case("inner-strict", 11, GOOD4, "OK", "OK", "a sound frame is for STRICT too", policy=STRICT, inner=INNER)
    case(
        "inner-ipv4-19-strict",
        11,
        over4(vx(inner_of(packet4[:19], 0x0800))),
        "INNER_LENGTH",
        "IPV4_HEADER_TRUNCATED",
        "STRICT checks",
        policy=STRICT,
    )

    def inner4(rest: bytes, protocol: int) -> bytes:
        return inner_of(ip4(rest, protocol=protocol, src=bytes([10, 0, 0, 1]), dst=bytes([10, 0, 0, 2])), 0x0800)

    def inner6(rest: bytes, protocol: int) -> bytes:
        return inner_of(ip6(rest, next_header=protocol), 0x86DD)

    for n in (0, 1, 2, 3, 4, 7, 12, 13, 19):
        frame = inner4(tcp_bytes()[:n], 6)
        case(
            f"inner-tcp-{n}",
            11,
            over4(vx(frame)),
            "OK",
            "TCP_HEADER_TRUNCATED",
            "20 bytes; ports cut below 4",
            inner=frame,
            dissect_error=cut("TCP", 84, 20, n),
        )
        frame = inner6(tcp_bytes()[:n], 6)
        case(
            f"inner-tcp6-{n}",
            11,
            over4(vx(frame)),
            "OK",
            "TCP_HEADER_TRUNCATED",
            "20 bytes; ports cut below 4",
            inner=frame,
            dissect_error=cut("TCP", 104, 20, n),
        )
    for n in range(8):
        frame = inner4(udp(b"")[:n], 17)
        case(
            f"inner-udp-{n}",
            11,
            over4(vx(frame)),
            "OK",
            "UDP_HEADER_TRUNCATED",
            "8 bytes; ports cut below 4",
            inner=frame,
            dissect_error=cut("UDP", 84, 8, n),
        )
        frame = inner6(udp(b"")[:n], 17)
        case(
            f"inner-udp6-{n}",
            11,
            over4(vx(frame)),
            "OK",
            "UDP_HEADER_TRUNCATED",
            "8 bytes; ports cut below 4",
            inner=frame,
            dissect_error=cut("UDP", 104, 8, n),
        )
    frame = inner4(udp(b"")[:3], 17) + bytes(23)
    case(
        "inner-udp-3-padded",
        11,
        over4(vx(frame)),
        "OK",
        "UDP_HEADER_TRUNCATED",
        "inner padding completes nothing",
        inner=frame,
        dissect_error=cut("UDP", 84, 8, 3, "IPv4.total_length"),
    )
    for words in range(5):
        frame = inner4(tcp_bytes(words, bytes(12)), 6)
        case(
            f"inner-tcp-offset-{words}",
            11,
            over4(vx(frame)),
            "OK",
            "TCP_DATA_OFFSET",
            "20 bytes are 5 words",
            inner=frame,
            dissect_error=malformed("TCP", 84, "data_offset", words),
        )
    for words, there in ((6, 20), (6, 23), (15, 20), (15, 59)):
        frame = inner4(tcp_bytes(words, bytes(there - 20)), 6)
        case(
            f"inner-tcp-offset-{words}-of-{there}",
            11,
            over4(vx(frame)),
            "OK",
            "TCP_TRUNCATED",
            "the options are cut",
            inner=frame,
            dissect_error=cut("TCP", 84, words * 4, there),
        )
    frame = inner4(tcp_bytes(6, b"\x02\x00\x00\x00"), 6)
    case(
        "inner-tcp-option-length-0",
        11,
        over4(vx(frame)),
        "OK",
        "OK",
        "options are looked at only when asked for",
        inner=frame,
        layers=["Ethernet", "IPv4", "UDP", "VXLAN", "Ethernet", "IPv4", "TCP"],
    )
    for n in range(4):
        frame = inner4(b"\x08\x00\x00\x00"[:n], 1)
        case(
            f"inner-icmp-{n}",
            11,
            over4(vx(frame)),
            "OK",
            "ICMP_TRUNCATED",
            "type, code and checksum are 4 bytes",
            inner=frame,
            dissect_error=cut("ICMP", 84, 4, n),
        )
        frame = inner6(b"\x88\x00\x00\x00"[:n], 58)
        case(
            f"inner-icmpv6-{n}",
            11,
            over4(vx(frame)),
            "OK",
            "ICMPV6_TRUNCATED",
            "type, code and checksum are 4 bytes",
            inner=frame,
            dissect_error=cut("ICMPv6", 104, 4, n),
        )
    neighbour = ["Ethernet", "IPv4", "UDP", "VXLAN", "Ethernet", "IPv6", "ICMPv6"]
    target = bytes.fromhex("fe80" + "00" * 13 + "07")
    options = {
        "length-0": b"\x01\x00\x02\x00\x00\x00\x00\x01",
        "length-0-last": b"\x01\x01\x02\x00\x00\x00\x00\x01" + b"\x02\x00",
        "length-255": b"\x01\xff\x02\x00\x00\x00\x00\x01",
        "length-2-of-1": b"\x01\x02\x02\x00\x00\x00\x00\x01",
        "one-byte": b"\x01",
        "two-bytes": b"\x01\x01",
        "seven-bytes": b"\x01\x01\x02\x00\x00\x00\x00",
        "second-beyond": b"\x01\x01\x02\x00\x00\x00\x00\x01" + b"\x01\x02\x02\x00\x00\x00\x00\x01",
    }
    for kind, head in (
        ("ns", b"\x87\0\0\0" + bytes(4) + target),
        ("na", b"\x88\0\0\0\x60\0\0\0" + target),
        ("rs", b"\x85\0\0\0" + bytes(4)),
        ("ra", b"\x86\0\0\0\x40\0\0\x1e" + bytes(8)),
        ("redirect", b"\x89\0\0\0" + bytes(4) + target + target),
    ):
        for name, option in options.items():
            frame = inner6(head + option, 58)
            case(
                f"inner-{kind}-option-{name}",
                11,
                over4(vx(frame)),
                "OK",
                "OK",
                "an option's length is looked at when the options are asked for",
                inner=frame,
                layers=neighbour,
            )
    for size in (4, 7, 8, 23):
        frame = inner6((b"\x87\0\0\0" + bytes(4) + target)[:size], 58)
        case(
            f"inner-ns-{size}",
            11,
            over4(vx(frame)),
            "OK",
            "OK",
            "a message shorter than its type's is a body of bytes",
            inner=frame,
            layers=neighbour,
        )
    for n in (0, 7, 8, 27):
        frame = inner_of(arp_bytes()[:n], 0x0806)
        case(
            f"inner-arp-{n}",
            11,
            over4(vx(frame)),
            "OK",
            "ARP_TRUNCATED",
            "decap hands it out as it is",
            inner=frame,
            dissect_error=cut("ARP", 64, 28 if n >= 8 else None, n),
        )
    for n in range(4):
        frame = inner_of(tag(b"")[:n], 0x8100)
        case(
            f"inner-tag-{n}",
            11,
            over4(vx(frame)),
            "OK",
            "DOT1Q_TRUNCATED",
            "decap hands it out as it is",
            inner=frame,
            dissect_error=cut("Dot1Q", 64, 4, n),
        )


# --- 12: tunnels in tunnels ------------------------------------------------------------------------------------------


def point_12() -> None:
    step = ["Ethernet", "IPv4", "UDP", "VXLAN"]
    for depth in (1, 2, 3, 4, 5, 6, 60):
        frames = [INNER]
        for level in range(depth):
            frames.append(over4(vx(frames[-1], vni=depth - level)))
        found = min(depth, 4)
        rest = ["Ethernet", "IPv4", "UDP"]
        why = "decap takes one tunnel off; dissect goes 4 deep, and leaves a fifth as UDP payload"
        case(
            f"nested-{depth}",
            12,
            frames[-1],
            "OK",
            "OK",
            why,
            inner=frames[-2],
            vni=1,
            tunnels=found,
            layers=step * found + rest,
        )
    deep = INNER
    for level in range(5):
        deep = over6(vx(deep, vni=5 - level)) if level % 2 else over4(vx(deep, vni=5 - level))
    case("nested-5-mixed", 12, deep, "OK", "OK", "IPv4 and IPv6 by turns", inner=deep[50:], vni=1, tunnels=4)
    broken = over4(vx(b"\1\2\3"))
    for level in range(3):
        broken = over4(vx(broken, vni=3 - level))
    case(
        "nested-fault-in-fourth",
        12,
        broken,
        "OK",
        "ETHERNET_TRUNCATED",
        "a fault three tunnels in",
        inner=broken[50:],
        vni=1,
        tunnels=4,
        dissect_error=cut("Ethernet", 200, 14, 3),
    )
    beyond = over4(b"\1\2\3")
    for level in range(4):
        beyond = over4(vx(beyond, vni=4 - level))
    case("nested-fault-in-fifth", 12, beyond, "OK", "OK", "nobody looks there", inner=beyond[50:], vni=1, tunnels=4)
    record = struct.pack("<IIII", 1, 0, len(GOOD4), len(GOOD4)) + GOOD4
    pcap = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + record
    for name, data in (("record", record), ("file", pcap), ("frame", GOOD4)):
        frame = inner_udp(data)
        case(
            f"capture-{name}-in-inner-udp",
            12,
            over4(vx(frame)),
            "OK",
            "OK",
            "a payload is bytes, whatever it looks like",
            inner=frame,
            layers=ALL4,
            tunnels=1,
        )
        case(
            f"capture-{name}-as-udp-payload",
            12,
            over4(data, dport=53),
            "NOT_VXLAN",
            "OK",
            "a payload is bytes, whatever it looks like",
            layers=["Ethernet", "IPv4", "UDP"],
            tunnels=0,
        )
    case(
        "capture-record-as-inner",
        12,
        over4(vx(record)),
        "OK",
        "OK",
        "its bytes are taken for Ethernet, and nobody searches",
        inner=record,
        layers=["Ethernet", "IPv4", "UDP", "VXLAN", "Ethernet"],
        tunnels=1,
    )
    case(
        "capture-record-as-vxlan",
        12,
        over4(record),
        "VXLAN_I_FLAG",
        "OK",
        "its bytes are taken for a VXLAN header",
        tunnels=1,
    )


# --- 0: the order of a policy's checks, and lessons ------------------------------------------------------------------


def point_0() -> None:
    case("good-4", 0, GOOD4, "OK", "OK", "a sound frame", inner=INNER, layers=ALL4, tunnels=1, trailer=b"")
    case("good-6", 0, GOOD6, "OK", "OK", "a sound frame", inner=INNER, layers=ALL6, tunnels=1, trailer=b"")
    case("good-6-strict", 0, GOOD6, "OK", "OK", "a sound frame", inner=INNER, policy=STRICT)
    case("good-4-rfc", 0, GOOD4, "OK", "OK", "a sound frame", inner=INNER, policy={"preset": "RFC7348"})

    case("vni-wanted", 0, GOOD4, "OK", "OK", "one of those accepted", policy={"vnis": [1, VNI]}, inner=INNER)
    case(
        "vni-unwanted",
        0,
        GOOD4,
        "VNI_REFUSED",
        "OK",
        "none of those accepted",
        policy={"vnis": [1, VNI + 1]},
        decap_error={"layer": "VXLAN", "offset": 42},
    )
    case("vni-none-wanted", 0, GOOD4, "VNI_REFUSED", "OK", "an empty set accepts none", policy={"vnis": []})
    case(
        "source-wanted",
        0,
        GOOD4,
        "OK",
        "OK",
        "in the prefix",
        policy={"allowed_sources": ["192.0.2.0/24"]},
        inner=INNER,
    )
    for name, sources in (
        ("other", ["198.51.100.0/24"]),
        ("host", ["192.0.2.2"]),
        ("family", ["2001:db8::/32"]),
        ("half", ["192.0.2.0/32"]),
        ("none", []),
    ):
        case(
            f"source-unwanted-{name}",
            0,
            GOOD4,
            "SOURCE_REFUSED",
            "OK",
            "in none of the prefixes",
            policy={"allowed_sources": sources},
        )
    case(
        "source6-wanted",
        0,
        GOOD6,
        "OK",
        "OK",
        "in the prefix",
        policy={"allowed_sources": ["10.0.0.0/8", "2001:db8::/127"]},
        inner=INNER,
    )
    case(
        "source6-unwanted",
        0,
        GOOD6,
        "SOURCE_REFUSED",
        "OK",
        "in none of the prefixes",
        policy={"allowed_sources": ["2001:db8:1::/48", "0.0.0.0/0"]},
    )
    payload = vx(INNER)
    for source, reason in (("192.0.2.1", "OK"), ("198.51.100.1", "SOURCE_REFUSED")):
        case(
            f"source-of-payload-{reason.lower()}",
            0,
            payload,
            reason,
            "OK",
            "a bare payload's source is told",
            start="vxlan",
            source=source,
            policy={"allowed_sources": ["192.0.2.0/24"]},
            inner=INNER,
        )

    tagged = inner_of(tag(INNER[14:]), 0x8100)
    case("inner-tag-kept", 0, over4(vx(tagged)), "OK", "OK", "the default keeps inner tags", inner=tagged)
    case(
        "inner-tag-rfc",
        0,
        over4(vx(tagged)),
        "INNER_VLAN",
        "OK",
        "RFC 7348 6.1: SHOULD be discarded unless configured",
        policy={"preset": "RFC7348"},
    )
    case("inner-tag-strict", 0, over4(vx(tagged)), "INNER_VLAN", "OK", "as RFC 7348", policy=STRICT)
    qinq = inner_of(tag(tag(INNER[14:]), 0x8100), 0x88A8)
    case(
        "inner-tag-88a8",
        0,
        over4(vx(qinq)),
        "INNER_VLAN",
        "OK",
        "a service tag is a tag",
        policy={"inner_vlan": "drop"},
    )
    case(
        "inner-tag-stripped",
        0,
        over4(vx(tagged)),
        "OK",
        "OK",
        "the tag is taken out",
        policy={"inner_vlan": "strip"},
        inner=INNER,
    )
    case(
        "inner-untagged-strip", 0, GOOD4, "OK", "OK", "nothing to take out", policy={"inner_vlan": "strip"}, inner=INNER
    )

    zero, multicast, broadcast = bytes(6), bytes.fromhex("01005e000001"), b"\xff" * 6
    for name, mac in (
        ("zero", zero),
        ("multicast", multicast),
        ("broadcast", broadcast),
        ("group-bit", b"\3" + bytes(5)),
    ):
        frame = inner_of(bytes(46), src=mac)
        case(f"inner-source-{name}", 0, over4(vx(frame)), "OK", "OK", "not looked at by default", inner=frame)
        for policy in ({"check_inner_source": True}, STRICT):
            case(
                f"inner-source-{name}-{'strict' if policy is STRICT else 'checked'}",
                0,
                over4(vx(frame)),
                "INNER_SOURCE",
                "OK",
                "no station has this address",
                policy=policy,
            )
    case(
        "inner-own-mac",
        0,
        GOOD4,
        "INNER_OWN_MAC",
        "OK",
        "our own frame came back",
        policy={"own_macs": ["02:00:00:00:b0:b1", "02:00:00:00:a1:a1"]},
    )
    case(
        "inner-other-mac",
        0,
        GOOD4,
        "OK",
        "OK",
        "the destination is ours, not the source",
        policy={"own_macs": ["02:00:00:00:b0:b0"]},
        inner=INNER,
    )

    after = {
        (0, 0): 0,
        (0, 1): 0,
        (0, 2): 0,
        (1, 0): 1,
        (1, 1): 1,
        (1, 2): 1,
        (1, 3): 3,
        (2, 0): 2,
        (2, 1): 1,
        (2, 2): 2,
        (2, 3): 3,
        (3, 0): 3,
        (3, 1): 3,
        (3, 2): 3,
        (3, 3): 3,
    }
    for inner in range(4):
        for outer in range(4):
            frame4, frame6 = inner_udp(tos=0xB8 | inner), inner_udp6(traffic_class=0xB8 | inner)
            for family, frame in (("4", frame4), ("6", frame6)):
                wire4 = eth(ip4(udp(vx(frame)), tos=outer))
                wire6 = eth(ip6(udp(vx(frame), checksum=None, pseudo=P6), traffic_class=outer), 0x86DD)
                for outer_family, wire in (("4", wire4), ("6", wire6)):
                    name = f"ecn-outer{outer_family}-{outer}-inner{family}-{inner}"
                    case(f"{name}-ignored", 0, wire, "OK", "OK", "the default leaves ECN alone", inner=frame)
                    if (inner, outer) == (0, 3):
                        case(
                            name,
                            0,
                            wire,
                            "ECN_CONGESTION",
                            "OK",
                            "RFC 6040 4.2: CE on a flow that cannot be told",
                            policy={"ecn": "rfc6040"},
                        )
                        continue
                    result = 0xB8 | after[inner, outer]
                    told = inner_udp(tos=result) if family == "4" else inner_udp6(traffic_class=result)
                    case(name, 0, wire, "OK", "OK", "RFC 6040 figure 4", policy={"ecn": "rfc6040"}, inner=told)

    for words in (1, 10):
        frame = eth(ip4(udp(vx(INNER)), options=b"\1" * (4 * words)))
        case(
            f"ip-options-{words}-refused",
            0,
            frame,
            "IPV4_OPTIONS",
            "OK",
            "the policy does not take options",
            policy={"ip_options": "drop"},
        )
    datagram = udp(vx(INNER), checksum=None, pseudo=P6)
    for name, first, chain in (("hop-by-hop", 0, extension(17)), ("destination", 60, extension(17))):
        frame = eth(ip6(chain + datagram, next_header=first), 0x86DD)
        case(
            f"ip-options-{name}-refused",
            0,
            frame,
            "IPV6_OPTIONS",
            "OK",
            "the policy does not take options",
            policy={"ip_options": "drop"},
        )
    for family, frame in (("4", GOOD4), ("6", GOOD6)):
        case(
            f"ip-options-none-{family}",
            0,
            frame,
            "OK",
            "OK",
            "there are none",
            policy={"ip_options": "drop"},
            inner=INNER,
        )

    # Each frame below has the fault named first and every later one; the policy asks for all of them.
    worst = {
        "preset": "STRICT",
        "vnis": [1],
        "allowed_sources": ["10.0.0.0/8"],
        "own_macs": ["00:00:00:00:00:00"],
        "ip_options": "drop",
    }
    bad_inner = inner_of(tag(b"", 0x0800), 0x8100, src=zero)

    def worst_frame(
        *,
        options: bytes = b"",
        ip_sum: int | None = None,
        udp_sum: int = 0,
        length: int | None = None,
        flags: int = 0x08,
        middle: int = 0,
        vni: int = 1,
        src: bytes = bytes([10, 0, 0, 1]),
        inner: bytes = INNER,
        fragment: int = 0,
        dport: int = 4789,
        tos: int = 0,
    ) -> bytes:
        datagram = udp(vx(inner, flags=flags, middle=middle, vni=vni), checksum=udp_sum, length=length, dport=dport)
        return eth(ip4(datagram, options=options, checksum=ip_sum, src=src, fragment=fragment, tos=tos))

    faults: list[tuple[str, dict[str, Any]]] = [
        ("ECN_CONGESTION", {"tos": 3}),
        ("INNER_SOURCE", {"inner": inner_of(bytes(4), 0x0800, src=zero)}),
        ("INNER_VLAN", {"inner": bad_inner}),
        ("INNER_TRUNCATED", {"inner": b"\1\2\3"}),
        ("SOURCE_REFUSED", {"src": IP4_SRC}),
        ("VNI_REFUSED", {"vni": 2}),
        ("VXLAN_RESERVED", {"middle": 1}),
        ("VXLAN_I_FLAG", {"flags": 0xF7}),
        ("UDP_CHECKSUM", {"udp_sum": 1}),
        ("FRAGMENT", {"fragment": 0x2000}),
        ("NOT_VXLAN", {"dport": 53}),
        ("UDP_LENGTH", {"length": 5}),
        ("IPV4_CHECKSUM", {"ip_sum": 1}),
        ("IPV4_OPTIONS", {"options": b"\1\1\1\1"}),
        ("FRAGMENT", {"fragment": 0x0001}),
    ]
    combined: dict[str, Any] = {}
    for i, (reason, fault) in enumerate(faults):
        combined.update(fault)
        frame = worst_frame(**combined)
        structure = {"INNER_SOURCE": "IPV4_HEADER_TRUNCATED", "INNER_VLAN": "IPV4_HEADER_TRUNCATED"}
        if reason in structure:
            dissect = structure[reason]
        elif fault.get("fragment") == 1 or reason in ("NOT_VXLAN", "ECN_CONGESTION"):
            dissect = "OK"
        elif "length" in combined:
            dissect = "UDP_LENGTH"
        else:
            dissect = "ETHERNET_TRUNCATED"
        case(
            f"order-{i}-{reason.lower()}", 0, frame, reason, dissect, "the first of all the faults in it", policy=worst
        )
    case(
        "order-own-mac-after-source",
        0,
        worst_frame(inner=inner_of(bytes(46), src=zero)),
        "INNER_SOURCE",
        "OK",
        "that no station has it is said before that we have it",
        policy=worst,
    )
    mine = {**worst, "own_macs": ["02:00:00:00:a1:a1"]}
    case(
        "order-length-after-own-mac",
        0,
        worst_frame(inner=inner_of(bytes(4), 0x0800)),
        "INNER_OWN_MAC",
        "IPV4_HEADER_TRUNCATED",
        "whose it is, then how long",
        policy=mine,
    )
    case(
        "order-ecn-after-length",
        0,
        worst_frame(inner=inner_of(bytes(4), 0x0800), tos=3),
        "INNER_LENGTH",
        "IPV4_HEADER_TRUNCATED",
        "no header, no ECN in it",
        policy=worst,
    )

    quoted = ip4(udp(vx(INNER)))
    for name, size in (("whole", len(quoted)), ("28-bytes", 28), ("36-bytes", 36)):
        frame = eth(ip4(b"\x03\x03\0\0\0\0\0\0" + quoted[:size], protocol=1))
        case(
            f"icmp-quotes-{name}",
            0,
            frame,
            "NOT_VXLAN",
            "OK",
            "an ICMP error that quotes a tunnel is not one, nor broken",
            layers=["Ethernet", "IPv4", "ICMP"],
            tunnels=0,
        )
    frame = eth(ip6(b"\x01\x04\0\0\0\0\0\0" + GOOD6[14:], next_header=58), 0x86DD)
    case(
        "icmpv6-quotes",
        0,
        frame,
        "NOT_VXLAN",
        "OK",
        "the same over IPv6",
        layers=["Ethernet", "IPv6", "ICMPv6"],
        tunnels=0,
    )
    for name, byte in (("zeros", 0), ("ones", 0xFF)):
        frame = bytes([byte]) * 200
        case(f"all-{name}", 0, frame, "NOT_VXLAN", "OK", "Ethernet of no EtherType", layers=["Ethernet"])


def main() -> None:
    for point in (
        point_1,
        point_2,
        point_3,
        point_4,
        point_5,
        point_6,
        point_7,
        point_8,
        point_9,
        point_10,
        point_11,
        point_12,
        point_0,
    ):
        point()
    with OUT.open("w", encoding="ascii", newline="\n") as out:
        for row in CASES:
            out.write(json.dumps(row, separators=(",", ":")) + "\n")
    print(f"{len(CASES)} cases in {OUT}")


if __name__ == "__main__":
    main()

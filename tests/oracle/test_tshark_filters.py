"""tshark as oracle of filters: its display filter and ours choose the same packets of all captures in tests/data.

A display filter asks whether any layer of the packet has a field; since Wireshark 4.0 `ip.src#2` asks the second IPv4
layer alone. Which one is the inner depends on what is outside, so a filter here is put together from the packets
of each kind, known by `frame.protocols`.

Compared are the packets that both call VXLAN, but for those of `EXCEPTIONS`. Left out is what the two languages do not
both have: `outer` of a bare payload; and tunnels with the generic protocol extension, which tshark 4.0 does not list
among the layers of a packet. It has no field for the length of an inner frame either: the length of the outer datagram
takes its place below, which is right where nothing follows the inner frame.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

import vxlanpkt
from vxlanpkt import DecapPolicy, Filter, FrameBatch, decap_batch
from vxlanpkt.expressions import parse_expression

from ..filters.oracle import Frame, holds, take_apart

CAPTURES = Path(__file__).parent.parent / "data"
# Its last record is cut; the whole capture is among the others.
NAMES = sorted(path.name for path in CAPTURES.glob("*.pcap*") if path.suffix in (".pcap", ".pcapng")
               and "cut_mid_record" not in path.name)  # fmt: skip
POLICY = DecapPolicy(ports=(4789, 8472, 51820), lengths="snapped")

pytestmark = pytest.mark.skipif(
    not (shutil.which("tshark") and shutil.which("mergecap")), reason="tshark and mergecap are not installed"
)

# What is outside, and what is on the way to the inner headers.
LINK = "(eth|sll):ethertype:(vlan:ethertype:|ieee8021ad:)*"
OVER4, OVER6 = (f'frame.protocols matches "^{LINK}{ip}:"' for ip in ("ip", "ipv6"))
TUNNEL = f"^{LINK}(ip|ipv6):udp:vxlan:"
INSIDE = f"{TUNNEL}eth:ethertype:((vlan|ieee8021ad):ethertype:)*"
CHAIN = "ipv6(:ipv6[.][a-z]+)*"


def inside(path: str) -> str:
    """What follows the inner Ethernet header and its tags."""
    return f'frame.protocols matches "{INSIDE}{path}(:|$)"'


def inner4(*tests: str) -> str:
    """A test of fields of the inner IPv4 header, `ip.X@ OP VALUE`: behind IPv4 it is the second."""
    return _layer(OVER4, "#2", OVER6, "#1", tests)


def inner6(*tests: str) -> str:
    """A test of fields of the inner IPv6 header."""
    return _layer(OVER4, "#1", OVER6, "#2", tests)


def inner_ether(*tests: str) -> str:
    """A test of fields of the inner Ethernet header."""
    return _layer('frame.protocols matches "^eth"', "#2", 'frame.protocols matches "^sll"', "#1", tests)


def _layer(one: str, first: str, other: str, second: str, tests: tuple[str, ...]) -> str:
    either = " or ".join(f"({test})" for test in tests)
    return f"(({one} and ({either.replace('@', first)})) or ({other} and ({either.replace('@', second)})))"


def ends(field: str, value: str) -> tuple[str, str]:
    """A source or a destination."""
    return f"{field.format('src')}@ == {value}", f"{field.format('dst')}@ == {value}"


IP, IP6 = inside("ip"), inside("ipv6")
TCP_PATH, UDP_PATH = inside(f"(ip|{CHAIN}):tcp"), inside(f"(ip|{CHAIN}):udp")
HOST4 = f"({IP} and {{}})"
FROM_ARP = "({} and (arp.src.proto_ipv4#1 == {} or arp.dst.proto_ipv4#1 == {}))"


def host4(address: str) -> str:
    arp = FROM_ARP.format(inside("arp"), address, address)
    return f"({HOST4.format(inner4(*ends('ip.{}', address)))} or {arp})"


def tcp(*tests: str) -> str:
    return f"({TCP_PATH} and ({' or '.join(tests)}))"


def udp(*tests: str) -> str:
    return f"({UDP_PATH} and ({' or '.join(tests)}))"


def carried(number: int, layer: str) -> str:
    """A protocol in IPv4, later fragments too, or behind extension headers of IPv6."""
    of4 = f"({IP} and {inner4(f'ip.proto@ == {number}')})"
    return f"({of4} or {inside(f'{CHAIN}:{layer}')} or ({IP6} and ipv6.fraghdr.nxt == {number}))"


TAGGED = f'frame.protocols matches "{TUNNEL}eth:ethertype:(vlan|ieee8021ad)"'
MAC = "02:42:0a:2a:00:01"
PAIRS: dict[str, str] = {
    # The tunnel.
    "vni 42": "vxlan.vni#1 == 42",
    "vni 1,600-700": "vxlan.vni#1 == 1 or (vxlan.vni#1 >= 600 and vxlan.vni#1 <= 700)",
    "not vni 42": "not vxlan.vni#1 == 42",
    "vni 42 or 70": "vxlan.vni#1 == 42 or vxlan.vni#1 == 70",
    "gbp": "vxlan.flag_g#1 == 1",
    "gbp 4660": "vxlan.flag_g#1 == 1 and vxlan.gbp#1 == 4660",
    "gbp 1-255": "vxlan.flag_g#1 == 1 and vxlan.gbp#1 >= 1 and vxlan.gbp#1 <= 255",
    # Outside.
    "outer ip": OVER4,
    "outer ip6": OVER6,
    "outer udp": "udp",
    "outer host 172.31.0.1": f"{OVER4} and (ip.src#1 == 172.31.0.1 or ip.dst#1 == 172.31.0.1)",
    "outer src host 172.31.0.2": f"{OVER4} and ip.src#1 == 172.31.0.2",
    "outer dst net 172.31.0.0/30": f"{OVER4} and ip.dst#1 == 172.31.0.0/30",
    "outer src fd00:aa::1": f"{OVER6} and ipv6.src#1 == fd00:aa::1",
    "outer net fd00:aa::/64": f"{OVER6} and (ipv6.src#1 == fd00:aa::/64 or ipv6.dst#1 == fd00:aa::/64)",
    "outer dst port 4789": "udp.dstport#1 == 4789",
    "outer src portrange 40000-50000": "udp.srcport#1 >= 40000 and udp.srcport#1 <= 50000",
    "outer ether src 52:54:00:00:00:01": "eth.src#1 == 52:54:00:00:00:01 and frame.protocols matches \"^eth\"",
    "outer ether host 52:54:00:00:00:02": "frame.protocols matches \"^eth\" and "
    "(eth.src#1 == 52:54:00:00:00:02 or eth.dst#1 == 52:54:00:00:00:02)",
    # The inner link layer.
    "ether src " + MAC: inner_ether(f"eth.src@ == {MAC}"),
    "ether host " + MAC: inner_ether(*ends("eth.{}", MAC)),
    "broadcast": inner_ether("eth.dst@ == ff:ff:ff:ff:ff:ff"),
    "ether multicast": inner_ether("eth.dst@[0] & 1"),
    "not multicast": f"not ({inner_ether('eth.dst@[0] & 1')})",
    "vlan": TAGGED,
    "vlan 100": "vlan.id#1 == 100 and not ieee8021ad",
    "vlan and icmp": f"{TAGGED} and icmp",
    "arp": inside("arp"),
    "ether proto 0x88b5": "eth.type == 0x88b5 or vlan.etype == 0x88b5",
    "ether proto 0x88cc": "eth.type == 0x88cc or vlan.etype == 0x88cc",
    "arp host 10.42.0.1": FROM_ARP.format(inside("arp"), "10.42.0.1", "10.42.0.1"),
    "arp src net 10.42.0.0/16": f"{inside('arp')} and arp.src.proto_ipv4#1 == 10.42.0.0/16",
    # IP inside.
    "ip": IP,
    "ip6": IP6,
    "inner ip and outer ip6": f"{IP} and {OVER6}",
    "host 10.42.0.1": host4("10.42.0.1"),
    "10.42.0.1 or 10.244.1.5": f"{host4('10.42.0.1')} or {host4('10.244.1.5')}",
    "ip host 10.42.0.2": HOST4.format(inner4(*ends("ip.{}", "10.42.0.2"))),
    "src host 10.42.0.1": f"{HOST4.format(inner4('ip.src@ == 10.42.0.1'))} or "
    f"({inside('arp')} and arp.src.proto_ipv4#1 == 10.42.0.1)",
    "ip src net 10.42.0.0/16": HOST4.format(inner4("ip.src@ == 10.42.0.0/16")),
    "ip dst net 0.0.0.0/0": IP,
    "host fd42::1": f"{IP6} and {inner6(*ends('ipv6.{}', 'fd42::1'))}",
    "src net fe80::/10": f"{IP6} and {inner6('ipv6.src@ == fe80::/10')}",
    "dst net ff00::/8": f"{IP6} and {inner6('ipv6.dst@ == ff00::/8')}",
    "ecn ect0": f"({IP} and {inner4('ip.dsfield.ecn@ == 2')}) or ({IP6} and {inner6('ipv6.tclass.ecn@ == 2')})",
    "ecn not-ect": f"({IP} and {inner4('ip.dsfield.ecn@ == 0')}) or ({IP6} and {inner6('ipv6.tclass.ecn@ == 0')})",
    "dscp 48": f"({IP} and {inner4('ip.dsfield.dscp@ == 48')}) or ({IP6} and {inner6('ipv6.tclass.dscp@ == 48')})",
    # What IP carries.
    "tcp": carried(6, "tcp"),
    "udp": carried(17, "udp"),
    "icmp": f"{IP} and {inner4('ip.proto@ == 1')}",
    "icmp6": f"{inside(f'{CHAIN}:icmpv6')} or ({IP6} and ipv6.fraghdr.nxt == 58)",
    "ip proto 17": f"{IP} and {inner4('ip.proto@ == 17')}",
    r"ip6 proto \icmp6": f"{inside(f'{CHAIN}:icmpv6')} or ({IP6} and ipv6.fraghdr.nxt == 58)",
    "not tcp and not udp": f"not ({carried(6, 'tcp')}) and not ({carried(17, 'udp')})",
    "tcp port 8000": tcp("tcp.port#1 == 8000"),
    "tcp dst port 5201": tcp("tcp.dstport#1 == 5201"),
    "tcp src port 8000 or 5201": tcp("tcp.srcport#1 == 8000", "tcp.srcport#1 == 5201"),
    "port 9000": f"{udp('udp.port#2 == 9000')} or {tcp('tcp.port#1 == 9000')}",
    "udp portrange 50-5000": udp("udp.srcport#2 >= 50 and udp.srcport#2 <= 5000",
                                 "udp.dstport#2 >= 50 and udp.dstport#2 <= 5000"),
    "src and dst portrange 1024-65535":
        f"{udp('udp.srcport#2 >= 1024 and udp.dstport#2 >= 1024')} or "
        f"{tcp('tcp.srcport#1 >= 1024 and tcp.dstport#1 >= 1024')}",
    "udp dst port 4789": udp("udp.dstport#2 == 4789"),
    # Lengths.
    "less 100": "udp.length#1 <= 116",
    "greater 1000": "udp.length#1 >= 1016",
    "len = 98": "udp.length#1 == 114",
    # Joined.
    "vni 42 and tcp port 8000 and not outer src host 172.31.0.1":
        f"vxlan.vni#1 == 42 and {tcp('tcp.port#1 == 8000')} and not ({OVER4} and ip.src#1 == 172.31.0.1)",
    "vni 42 and not (arp or icmp) or vni 70":
        f"(vxlan.vni#1 == 42 and not ({inside('arp')} or ({IP} and {inner4('ip.proto@ == 1')}))) or vxlan.vni#1 == 70",
}  # fmt: skip


# Packets that the two languages take for different things, as display filters.
EXCEPTIONS: dict[str, str] = {
    "tshark takes 0x9100 for a tag, this library for a protocol that it does not know": "eth.type == 0x9100",
    "of an IPv4 header that is cut tshark shows what is there, this library nothing": "ip.src#2 and not ip.dst#2",
    "and so of an IPv6 header": "ipv6.src#1 and not ipv6.dst#1",
}


@cache
def merged(folder: Path) -> Path:
    """All captures behind each other in one file."""
    path = folder / "all.pcapng"
    subprocess.run(["mergecap", "-a", "-w", path, *(CAPTURES / name for name in NAMES)], check=True)
    return path


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return merged(tmp_path_factory.mktemp("filters"))


def ask_tshark(path: Path, expression: str) -> set[int]:
    """The numbers of the packets that a display filter chooses. Nothing is put together of several packets."""
    told = ("ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE")
    command = ["tshark", "-n", "-r", str(path), "-Y", expression, "-T", "fields", "-e", "frame.number"]
    for option in told:
        command += ["-o", option]
    for port in (8472, 51820):
        command += ["-d", f"udp.port=={port},vxlan"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (expression, done.stderr)
    return {int(number) for number in done.stdout.split()}


@cache
def batches(path: Path) -> list[tuple[list[int], FrameBatch, int]]:
    """The packets' numbers, frames and link type, for each link type."""
    records = defaultdict(list)
    with vxlanpkt.open(path) as cap:
        for number, record in enumerate(cap, 1):
            records[record.link_type].append((number, record))
    return [
        (
            [number for number, _ in found],
            FrameBatch.from_frames(
                [record.data for _, record in found], original_lengths=[record.original_length for _, record in found]
            ),
            link_type,
        )
        for link_type, found in records.items()
    ]


@cache
def both_call_vxlan(path: Path) -> frozenset[int]:
    accepted: set[int] = set()
    for numbers, batch, link_type in batches(path):
        result = decap_batch(batch, policy=POLICY, start=vxlanpkt.LinkType(link_type))
        accepted |= {numbers[row] for row in result.accepted}
    compared = accepted & ask_tshark(path, f'frame.protocols matches "{TUNNEL}"')
    for expression in EXCEPTIONS.values():
        compared -= ask_tshark(path, expression)
    return frozenset(compared)


def ask_filter(path: Path, expression: str) -> set[int]:
    chosen: set[int] = set()
    for numbers, batch, link_type in batches(path):
        result = decap_batch(batch, policy=POLICY, start=vxlanpkt.LinkType(link_type))
        marks = Filter(expression).select(result)
        chosen |= {number for number, mark in zip(numbers, marks, strict=True) if mark}
    return chosen


def test_what_is_compared(capture: Path) -> None:
    assert len(both_call_vxlan(capture)) > 1700
    for reason, expression in EXCEPTIONS.items():
        assert 0 < len(ask_tshark(capture, expression)) < 40, reason
    assert len(PAIRS) >= 60


@pytest.mark.parametrize("expression", PAIRS)
def test_display_filters(expression: str, capture: Path) -> None:
    """The same packets are chosen, and there are some to choose."""
    compared = both_call_vxlan(capture)
    ours, theirs = ask_filter(capture, expression) & compared, ask_tshark(capture, PAIRS[expression]) & compared
    assert sorted(ours - theirs) == sorted(theirs - ours) == []
    assert ours
    assert not re.search(r"\bnot\b", expression) or ours != compared


@cache
def taken_apart(path: Path) -> list[tuple[int, Frame]]:
    """The packets that have a tunnel, with their layers."""
    found = []
    for numbers, batch, link_type in batches(path):
        originals = batch.original_lengths or ()
        for number, data, original in zip(numbers, batch, originals, strict=True):
            frame = take_apart(bytes(data), POLICY, vxlanpkt.LinkType(link_type), original)
            if frame is not None:
                found.append((number, frame))
    return found


@pytest.mark.parametrize("expression", PAIRS)
def test_layers(expression: str, capture: Path) -> None:
    """And so chooses an evaluation on the layers of every packet."""
    node = parse_expression(expression)
    assert ask_filter(capture, expression) == {number for number, frame in taken_apart(capture) if holds(node, frame)}

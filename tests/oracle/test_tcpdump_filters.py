"""tcpdump as oracle of filters: on inner frames written to a capture, the same expressions choose the same frames.

The expressions are those that speak of the inner frame in tcpdump's own words. What it reads otherwise is left out:

- Frames with tags: tcpdump finds what is behind a tag only behind the word `vlan`, which moves all that follows it, and
  takes 0x9100 for a tag too. They have expressions of their own.
- Flags of TCP over IPv6, of which tcpdump 4.99 knows nothing.
- IPv6 with extension headers, of which tcpdump sees no more than a first fragment header.
- Frames that the capture cut, or whose lengths lie: tcpdump compares what is there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import vxlanpkt
from vxlanpkt import DecapPolicy, Decapsulated, Dot1Q, Filter, FilterError, IPv6, LinkType, ParseError, decap, dissect
from vxlanpkt.capture import Interface, PcapWriter, Record

CAPTURES = Path(__file__).parent.parent / "data"
NAMES = sorted(path.name for path in CAPTURES.glob("*.pcap*") if path.suffix in (".pcap", ".pcapng")
               and "cut_mid_record" not in path.name)  # fmt: skip
POLICY = DecapPolicy(ports=(4789, 8472, 51820), lengths="snapped")
OLD_TAG = 0x9100

pytestmark = pytest.mark.skipif(not shutil.which("tcpdump"), reason="tcpdump is not installed")

EXPRESSIONS = (
    "host 10.42.0.1", "src host 10.42.0.1", "dst host 10.42.0.1", "src or dst host 10.42.0.2",
    "src and dst net 10.42.0.0/16", "net 10.244.0.0/16", "dst net 10.42.0.0/30", "ip host 10.42.0.1",
    "ip src net 10.0.0.0/8", "arp host 10.42.0.1", "arp src net 10.42.0.0/24", "arp dst host 10.42.0.2",
    "host fd42::1", "src net fe80::/10", "dst net ff00::/8", "ip6 host fd42::2", "ip6 src net fd42::/64",
    "src 10.42.0.1 or 10.244.1.5", "host (10.42.0.1 or 10.42.0.2)", "not host 10.42.0.1 and 10.42.0.2",
    "port 8000", "src port 8000", "dst port 8000 or 5201", "port (8000 or 5201 or 9000)", "tcp port 5201",
    "udp port 9000", "tcp src portrange 30000-40000", "portrange 1-1023", "udp dst portrange 50-60000",
    "src and dst portrange 1024-65535", "udp port 4789", "port 53", "not port 8000",
    "ip", "ip6", "arp", "rarp", "tcp", "udp", "icmp", "icmp6", "ip proto 6", "ip proto \\tcp", "ip6 proto 58",
    "proto 17", "ip proto 253", "not ip and not ip6",
    "ip and tcp[tcpflags] & tcp-syn != 0", "ip and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
    "ip and tcp[tcpflags] & (tcp-fin | tcp-rst) != 0", "ip and tcp[13] = 16", "ip and tcp[tcpflags] != tcp-ack",
    "ip and tcp[13] & tcp-push == 0",
    "ether src 02:42:0a:2a:00:01", "ether dst 02:42:0a:2a:00:02", "ether host 02:42:0a:2a:00:01",
    "ether broadcast", "broadcast", "ether multicast", "multicast",
    "ether proto 0x88b5", "ether proto \\arp", "ether proto \\ip6", "ether proto 0x88cc",
    "less 98", "greater 98", "len = 98", "len == 98", "len != 98", "len < 98", "len <= 98", "len > 98", "len >= 98",
    "tcp and port 8000 and not src host 10.42.0.1", "arp or icmp or icmp6", "tcp and less 100 or arp",
    "not (tcp or udp)", "! tcp && ! udp", "ip and not (host 10.42.0.1 or port 5201)", "(arp)",
    "tcp dst port 8000 && ip || udp",
)  # fmt: skip
TAGGED = ("vlan", "vlan 100", "vlan and icmp", "vlan and arp", "vlan 100 and ip", "vlan and host 10.60.0.1", "not vlan")


class Inner(NamedTuple):
    """An inner frame, and what of it decides whether both read it alike."""

    got: Decapsulated
    tags: int
    plain: bool

    @classmethod
    def of(cls, got: Decapsulated) -> Inner:
        found = dissect(got.inner, original_length=got.inner_original_length, max_tunnels=0)
        ethertype = int.from_bytes(got.inner[12:14], "big")
        chained = any(isinstance(layer, IPv6) and layer.extension_headers for layer in found.layers)
        return cls(got, len([layer for layer in found.layers if isinstance(layer, Dot1Q)]),
                   not (chained or found.error or ethertype == OLD_TAG))  # fmt: skip


@cache
def inner_frames() -> list[Inner]:
    """All inner Ethernet frames of the captures that are whole."""
    found = []
    for name in NAMES:
        with vxlanpkt.open(CAPTURES / name) as cap:
            for record in cap:
                try:
                    got = decap(record.data, policy=POLICY, start=LinkType(record.link_type),
                                original_length=record.original_length)  # fmt: skip
                except ParseError:
                    continue
                found.append(Inner.of(got))
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frames as a capture; the second of each is its number."""
    path = tmp_path_factory.mktemp("filters") / "inner.pcap"
    with PcapWriter(path, Interface(LinkType.ETHERNET)) as writer:
        for number, inner in enumerate(inner_frames()):
            writer.write(Record(number * 10**9, inner.got.inner, inner.got.inner_original_length))
    return path


def ask_tcpdump(path: Path, expression: str) -> set[int]:
    """The numbers of the frames that tcpdump chooses."""
    chosen = path.parent / "chosen.pcap"
    command = ["tcpdump", "-n", "-r", str(path), "-w", str(chosen), expression]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (expression, done.stderr)
    with vxlanpkt.open(chosen) as cap:
        return {(record.timestamp_ns or 0) // 10**9 for record in cap}


def compare(path: Path, expression: str, compared: set[int]) -> None:
    chosen = Filter(expression)
    ours = {number for number in compared if chosen.matches(inner_frames()[number].got)}
    theirs = ask_tcpdump(path, expression) & compared
    assert sorted(ours - theirs) == sorted(theirs - ours) == []


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_untagged(expression: str, written: Path) -> None:
    """Of frames without a tag the same are chosen."""
    compared = {number for number, inner in enumerate(inner_frames()) if inner.plain and not inner.tags}
    assert len(compared) > 1500
    compare(written, expression, compared)


@pytest.mark.parametrize("expression", TAGGED)
def test_tagged(expression: str, written: Path) -> None:
    """With `vlan` in front the same are chosen of frames with one tag, or none."""
    compared = {number for number, inner in enumerate(inner_frames()) if inner.plain and inner.tags < 2}
    assert sum(inner_frames()[number].tags for number in compared) > 20
    compare(written, expression, compared)


@pytest.mark.parametrize(
    "expression", ["tcp or udp and port 53", "arp || ip && host 10.42.0.1", "not tcp or udp and ip"]
)
def test_what_would_be_read_otherwise(expression: str, written: Path) -> None:
    """`and` behind `or`: tcpdump joins from left to right, which is what parentheses then say here."""
    with pytest.raises(FilterError, match="is not clear behind 'or'"):
        Filter(expression)
    words = re.split(r" (and|&&) ", expression, maxsplit=1)
    compared = {number for number, inner in enumerate(inner_frames()) if inner.plain and not inner.tags}
    clear = Filter(f"({words[0]}) and {words[2]}")
    ours = {number for number in compared if clear.matches(inner_frames()[number].got)}
    assert ours == ask_tcpdump(written, expression) & compared

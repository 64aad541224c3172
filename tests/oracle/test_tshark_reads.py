"""tshark as reader: what tunnels of every kind make of inner frames of every kind, written to one capture."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from vxlanpkt import Dot1Q, GroupPolicy, LinkType, Tunnel
from vxlanpkt.capture import Interface, PcapWriter, Record

_LIST = Path(__file__).parent.parent / "data" / "inner_frames.jsonl"
_MACS: dict[str, Any] = {"src_mac": "02:00:00:00:00:01", "dst_mac": "02:00:00:00:00:02"}
_IPV4, _IPV6 = ("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")
_OPTIONS: tuple[dict[str, Any], ...] = (
    {}, {"vni": 0}, {"vni": (1 << 24) - 1}, {"dst_port": 8472}, {"src_port": 4789},
    {"src_port": (1024, 1034)}, {"ttl": 1}, {"ttl": "inherit"}, {"dscp": 63}, {"dscp": "inherit"}, {"ecn": "linux"},
    {"ecn": "none"}, {"df": "unset"}, {"df": "inherit"}, {"udp_checksum": "zero"}, {"udp_checksum": "full"},
    {"udp_checksum": "inner"}, {"vlans": (7,)}, {"vlans": (Dot1Q(7, pcp=7, dei=1), 4095)}, {"group_policy": 7},
    {"group_policy": GroupPolicy(0xFFFF, dont_learn=True, applied=True)}, {"gpe": True, "dst_port": 4790},
    {"symmetric": True}, {"inner_ip": "linux", "ttl": "inherit"}, {"inner_ip": "ovs", "ttl": "inherit"},
    {"flow_label": 0xFFFFF}, {"flow_label": "inherit"}, {"flow_label": "hash"},
)  # fmt: skip
_OF_PRESETS: tuple[dict[str, Any], ...] = (
    {}, {"ttl": "inherit", "dscp": "inherit", "df": "inherit", "flow_label": "inherit"},
)  # fmt: skip
_GOOD, _NOT_PRESENT = "1", "3"
_WARNING = 0x600000


class Sent(NamedTuple):
    """One packet of the capture."""

    name: str
    sound: bool
    tunnel: Tunnel
    wire: bytes


def all_tunnels() -> list[Tunnel]:
    """Each option alone over both IP versions, and the presets: as they are, to a group, and with all inherited."""
    plain = [Tunnel(5000, *ends).replace(**_MACS, **options) for ends in (_IPV4, _IPV6) for options in _OPTIONS]
    presets = [
        preset(5000, *ends).replace(**_MACS, **options)
        for preset in (Tunnel.linux, Tunnel.ovs)
        for ends in (_IPV4, _IPV6, ("192.0.2.1", "239.1.2.3"), ("2001:db8::1", "ff05::1:2"))
        for options in _OF_PRESETS
    ]
    return plain + presets


def all_sent() -> Iterator[Sent]:
    """Every tunnel with every inner frame, and with bare IP where it carries that."""
    frames = [json.loads(line) for line in _LIST.read_text("ascii").splitlines()]
    for number, tunnel in enumerate(all_tunnels()):
        for one in frames:
            if one["start"] == "ethernet" or tunnel.gpe:
                start = LinkType.RAW if one["start"] == "raw" else LinkType.ETHERNET
                wire = tunnel.encap(bytes.fromhex(one["frame"]), identification=number, start=start)
                yield Sent(one["name"], one["sound"], tunnel, wire)


def packets(path: Path) -> Iterator[ElementTree.Element]:
    """What tshark says of each packet, checksums verified; a zero one over IPv6 is right (RFC 6935).

    Unless it is told, an older one does not take 8472 for VXLAN's port. It looks for the generic protocol extension on
    4790 alone, and takes all that comes from port 53 for DNS.
    """
    told = ("ip.check_checksum", "udp.check_checksum", "udp.ignore_ipv6_zero_checksum")
    options = [word for name in told for word in ("-o", f"{name}:TRUE")]
    command = ["tshark", "-n", "-r", str(path), "-T", "pdml", "-d", "udp.port==8472,vxlan", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tshark:
        assert tshark.stdout is not None
        for _, element in ElementTree.iterparse(tshark.stdout):
            if element.tag == "packet":
                yield element
                element.clear()
    assert tshark.returncode == 0


def values(layer: ElementTree.Element, name: str) -> list[str]:
    """What a field shows wherever it stands in a layer."""
    return [field.get("show", "") for field in layer.iter("field") if field.get("name") == name]


def complaints(layers: list[ElementTree.Element]) -> list[str]:
    """What is called malformed, and what tshark's experts warn of."""
    found = []
    for layer in layers:
        found += [layer.get("name", "") for part in layer.iter() if part.get("name") == "_ws.malformed"]
        for expert in layer.iter("field"):
            severities = values(expert, "_ws.expert.severity") if expert.get("name") == "_ws.expert" else []
            if any(int(severity) >= _WARNING for severity in severities):
                found += values(expert, "_ws.expert.message")
    return found


def check(packet: ElementTree.Element, sent: Sent) -> list[str]:
    """What tshark finds wrong, or reads otherwise than it was meant."""
    layers = packet.findall("proto")
    names = [layer.get("name") for layer in layers]
    if "vxlan" not in names:
        return [f"no VXLAN among {names}"]
    inside = names.index("vxlan") + 1
    by_name = dict(zip(names[:inside], layers, strict=False))
    found = complaints(layers if sent.sound else layers[:inside])
    zero = (sent.tunnel.udp_checksum or ("zero" if sent.tunnel.src.version == 4 else "full")) == "zero"
    if values(by_name["udp"], "udp.checksum.status") != [_NOT_PRESENT if zero else _GOOD]:
        found.append("UDP checksum")
    if "ip" in by_name and values(by_name["ip"], "ip.checksum.status") != [_GOOD]:
        found.append("IPv4 checksum")
    if values(by_name["vxlan"], "vxlan.vni") != [str(sent.tunnel.vni)]:
        found.append("VNI")
    return found


def test_nothing_is_wrong(tmp_path: Path) -> None:
    """In frames without a fault of their own nothing is complained of, in others nothing of what is ours."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    sent = list(all_sent())
    with PcapWriter(tmp_path / "sent.pcap", Interface(LinkType.ETHERNET)) as writer:
        for one in sent:
            writer.write(Record(0, one.wire, len(one.wire)))
    read = 0
    wrong: dict[str, list[str]] = {}
    for packet, one in zip(packets(tmp_path / "sent.pcap"), sent, strict=True):
        found = check(packet, one)
        if found:
            wrong[f"{one.name} in {one.tunnel}"] = found
        read += 1
    assert not wrong
    assert read == len(sent) > 5000

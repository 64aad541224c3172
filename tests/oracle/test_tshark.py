"""tshark as oracle: every packet of every capture in tests/data, field by field.

Beside each capture lies what tshark saw in it. Names of tshark's own: `eth`, `sll`, `ip` ...; what it
recognises and this library leaves as payload (DNS, LLDP, LLC, MPLS, a tag of 0x9100) ends the comparison.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

import vxlanpkt
from vxlanpkt import (
    ARP,
    ICMP,
    TCP,
    UDP,
    VXLANGPE,
    DecapPolicy,
    Decapsulated,
    Dot1Q,
    Ethernet,
    ICMPv6,
    IPv4,
    IPv6,
    LinkType,
    MACAddress,
    Packet,
    decap,
    dissect,
    parse,
)
from vxlanpkt.errors import CaptureError, ParseError, Reason

CAPTURES = Path(__file__).parent.parent / "data"
NAMES = sorted(path.name.removesuffix(".jsonl") for path in CAPTURES.glob("*.pcap*.jsonl"))
# tshark was told to decode this one port as VXLAN; elsewhere the ports are the default ones.
ODD_PORTS = {"basic_v4_port_odd.pcap": (51820,)}
GPE = {"gpe_external_v4.pcap"}

every_capture = pytest.mark.parametrize("name", NAMES)


@dataclass(frozen=True)
class Seen:
    """One packet: what the capture has, and what tshark saw in it."""

    number: int
    timestamp_ns: int | None
    data: bytes
    original_length: int
    link_type: LinkType
    tshark: dict[str, Any]

    @property
    def cut(self) -> bool:
        return len(self.data) < self.original_length

    @property
    def first_fragment(self) -> bool:
        ip = self.tshark["outer"].get("ip", {})
        return bool(ip.get("mf")) and ip.get("frag_offset") == 0

    def tunnels(self) -> list[dict[str, Any]]:
        tunnels: list[dict[str, Any]] = self.tshark["tunnels"]
        return tunnels


@cache
def capture(name: str) -> tuple[Seen, ...]:
    lines = [json.loads(line) for line in (CAPTURES / f"{name}.jsonl").read_text("utf-8").splitlines()]
    records = []
    with vxlanpkt.open(CAPTURES / name) as cap:
        try:
            for record in cap:
                records.append(record)
        except CaptureError:
            assert "cut_mid_record" in name
        else:
            assert "cut_mid_record" not in name
    return tuple(
        Seen(i, record.timestamp_ns, record.data, record.original_length, LinkType(record.link_type), line)
        for i, (record, line) in enumerate(zip(records, lines, strict=True), 1)
    )


def parsed(name: str, seen: Seen) -> Packet:
    """The packet, or where its capture cut a header the sound layers before that one."""
    try:
        return parse(seen.data, start=seen.link_type, original_length=seen.original_length, ports=ODD_PORTS.get(name))
    except ParseError as error:
        assert error.reason is Reason.CAPTURE_CUT, (seen.number, error)
        assert seen.cut and seen.tshark.get("short"), (seen.number, error)
        assert error.packet is not None
        return error.packet


@every_capture
def test_records(name: str) -> None:
    """Every record is there, with the lengths that tshark saw."""
    for seen in capture(name):
        line = seen.tshark
        assert (seen.number, len(seen.data), seen.original_length) == (line["n"], line["caplen"], line["len"])


LAYER_NAMES = {
    "eth": "Ethernet", "sll": "LinuxSLL2", "vlan": "Dot1Q", "ieee8021ad": "Dot1Q", "arp": "ARP", "ip": "IPv4",
    "ipv6": "IPv6", "udp": "UDP", "tcp": "TCP", "icmp": "ICMP", "icmpv6": "ICMPv6", "vxlan": "VXLAN",
}  # fmt: skip
BEYOND = {"dns", "lldp", "llc", "cdp", "stp", "mpls", "fake-field-wrapper", "_ws.malformed", "_ws.short"}


def expected_layers(name: str, line: dict[str, Any]) -> list[str]:
    """tshark's names in this library's, up to the first protocol that it has no layer for."""
    found = []
    tags = iter(line.get("inner", {}).get("vlan", ()))
    for layer in line["layers"]:
        if layer in BEYOND:
            break
        if layer in ("vlan", "ieee8021ad"):
            tag = next(tags)
            if tag["tpid"] == "0x9100":
                break
            if tag["vid"] is None:
                found.append("Dot1Q")
        found.append("VXLANGPE" if layer == "vxlan" and name in GPE else LAYER_NAMES[layer])
    return found


@every_capture
def test_layers(name: str) -> None:
    """The layers are those that tshark found, but for a header that the capture cut."""
    for seen in capture(name):
        expected = expected_layers(name, seen.tshark)
        got = [layer.NAME for layer in parsed(name, seen).layers]
        if seen.cut:
            assert expected[: len(got)] == got, seen.number
            assert len(expected) - len(got) <= 1, seen.number
        else:
            assert got == expected, seen.number


def sections(packet: Packet) -> list[list[Any]]:
    """The layers between tunnel headers, outside in."""
    found: list[list[Any]] = [[]]
    for layer in packet.layers:
        if layer.TUNNEL:
            found.append([])
        else:
            found[-1].append(layer)
    return found


def said_ipv4(ip: IPv4) -> dict[str, Any]:
    return {
        "v": ip.version, "src": str(ip.src), "dst": str(ip.dst), "proto": ip.protocol, "ttl": ip.ttl,
        "tos": ip.dscp << 2 | ip.ecn, "id": ip.identification, "len": ip.total_length, "ihl": ip.require("ihl") * 4,
        "df": bool(ip.flags & 2), "mf": bool(ip.flags & 1), "frag_offset": ip.fragment_offset,
        "csum": f"{ip.header_checksum:#06x}",
    }  # fmt: skip


def said_ipv6(ip: IPv6) -> dict[str, Any]:
    said = {
        "v": ip.version, "src": str(ip.src), "dst": str(ip.dst), "nxt": ip.next_header, "hlim": ip.hop_limit,
        "tclass": ip.dscp << 2 | ip.ecn, "flow": ip.flow_label, "plen": ip.payload_length,
    }  # fmt: skip
    for header in ip.extension_headers:
        if type(header).__name__ == "Fragment":
            fragment: Any = header
            said |= {
                "frag_id": fragment.identification, "mf": bool(fragment.more_fragments),
                "frag_offset": fragment.fragment_offset, "nxt_after": ip.upper_protocol,
            }  # fmt: skip
    return said


def folded(tags: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tags as tshark shows them: two service tags in a row are one layer, with S-VID and C-VID and no VID."""
    out: list[dict[str, Any]] = []
    for tag in tags:
        if out and tag["tpid"] == out[-1]["tpid"] == "0x88a8":
            out[-1] = {**out[-1], "vid": None, "etype": tag["etype"]}
        else:
            out.append(tag)
    return out


def said(layers: list[Any], payload: bytes) -> dict[str, Any]:
    """A section of the packet in tshark's words."""
    out: dict[str, Any] = {}
    lower: Any = None
    for layer in layers:
        match layer:
            case Ethernet():
                kind = f"{layer.ethertype:#06x}" if layer.require("ethertype") >= 0x600 else f"len{layer.ethertype}"
                out |= {"eth_dst": str(layer.dst), "eth_src": str(layer.src), "eth_type": kind}
            case Dot1Q():
                tag = {"vid": layer.vid, "pcp": layer.pcp, "dei": str(layer.dei), "etype": f"{layer.ethertype:#06x}"}
                out.setdefault("vlan", []).append({"tpid": f"{lower.ethertype:#06x}", **tag})
            case IPv4():
                out["ip"] = said_ipv4(layer)
            case IPv6():
                out["ip"] = said_ipv6(layer)
            case ARP():
                out["arp"] = {
                    "op": layer.operation, "spa": str(layer.sender_ip), "tpa": str(layer.target_ip),
                    "sha": str(layer.sender_mac), "tha": str(layer.target_mac),
                }  # fmt: skip
            case UDP():
                out["l4"] = {
                    "p": "udp", "sport": layer.src_port, "dport": layer.dst_port, "csum": f"{layer.checksum:#06x}",
                    "len": layer.length,
                }  # fmt: skip
            case TCP():
                out["l4"] = {
                    "p": "tcp", "sport": layer.src_port, "dport": layer.dst_port, "csum": f"{layer.checksum:#06x}",
                    "seq": layer.sequence_number, "flags": f"{layer.flags:#06x}", "payload": len(payload),
                }  # fmt: skip
            case ICMP() | ICMPv6():
                out["icmp"] = {"type": layer.type, "code": layer.code}
            case _:
                assert layer.NAME == "LinuxSLL2"
        lower = layer
    if "vlan" in out:
        out["vlan"] = folded(out["vlan"])
    return out


def compare(seen: Seen, ours: dict[str, Any], theirs: dict[str, Any], where: str) -> int:
    """Everything that we say tshark says too, and the other way round; returns how many values agreed."""
    agreed = 0
    theirs = {key: value for key, value in theirs.items() if key not in ("csum_status",)}
    for key, value in theirs.items():
        if value is None:  # cut away, or two VIDs in one layer
            continue
        if key not in ours:
            assert seen.cut or key == "vlan" or _under_9100(seen), (seen.number, where, key)
            continue
        if isinstance(value, dict):
            agreed += compare(seen, ours[key], value, f"{where}.{key}")
        elif isinstance(value, list):
            for i, (mine, other) in enumerate(zip(ours[key], value, strict=True)):
                agreed += compare(seen, mine, other, f"{where}.{key}[{i}]")
        elif seen.cut and key == "payload":
            assert ours[key] <= value, (seen.number, where, key)
        else:
            assert ours[key] == value, (seen.number, where, key)
            agreed += 1
    assert ours.keys() <= theirs.keys(), (seen.number, where)
    return agreed


def _under_9100(seen: Seen) -> bool:
    tags = seen.tshark.get("inner", {}).get("vlan", ())
    return any(tag["tpid"] == "0x9100" for tag in tags) or "mpls" in seen.tshark["layers"]


@every_capture
def test_fields(name: str) -> None:
    """Every field of the outer, the middle and the inner headers has the value that tshark read."""
    agreed = 0
    for seen in capture(name):
        packet = parsed(name, seen)
        mine = sections(packet)
        theirs = [seen.tshark["outer"], *seen.tshark.get("middle", ())]
        if "inner" in seen.tshark:
            theirs.append(seen.tshark["inner"])
        assert len(mine) == len(theirs), seen.number
        for i, (layers, section) in enumerate(zip(mine, theirs, strict=True)):
            agreed += compare(seen, said(layers, packet.payload), section, f"section {i}")
    assert agreed >= 9 * len(capture(name))


@every_capture
def test_tunnel_headers(name: str) -> None:
    """Every tunnel header lies where tshark found it and holds what tshark read."""
    for seen in capture(name):
        found = dissect(
            seen.data, start=seen.link_type, original_length=seen.original_length, ports=ODD_PORTS.get(name)
        )
        layers: list[Any] = [layer for layer in found.layers if layer.TUNNEL]
        places = [span.start for kind, span in found.spans if kind.TUNNEL]
        got: list[dict[str, Any]] = []
        for layer, place in zip(layers, places, strict=True):
            if isinstance(layer, VXLANGPE):
                tunnel: dict[str, Any] = {
                    "kind": "vxlan_gpe", "flags": f"{layer.flags | layer.version << 4:#04x}", "vni": layer.vni,
                    "next_proto": layer.next_protocol, "reserved8": str(layer.reserved2),
                    "reserved16": str(layer.reserved1),
                }  # fmt: skip
            else:
                tunnel = {
                    "kind": "vxlan", "flags": f"{layer.flags << 8 | layer.reserved1 >> 16:#06x}", "vni": layer.vni,
                    "gbp": layer.reserved1 & 0xFFFF, "reserved8": str(layer.reserved2),
                }  # fmt: skip
                policy = layer.group_policy
                assert (policy is not None) == bool(layer.flags & 0x80)
                if policy is not None:
                    assert policy.policy_id == tunnel["gbp"]
            got.append({**tunnel, "pos": place})
        assert got == seen.tunnels(), seen.number


@every_capture
def test_lossless(name: str) -> None:
    """What was parsed builds the same bytes, trailers, paddings and all."""
    for seen in capture(name):
        packet = parsed(name, seen)
        if seen.tshark.get("short"):
            # A header that the capture cut is payload of the sound layers before it.
            assert packet.build() == seen.data, seen.number
        else:
            whole = parse(seen.data, start=seen.link_type, original_length=seen.original_length)
            assert whole.build() == seen.data, seen.number
            assert parse(whole.build(), start=seen.link_type, original_length=seen.original_length) == whole


VERDICTS = {
    "no:not-udp": Reason.NOT_VXLAN,
    "no:other-port": Reason.NOT_VXLAN,
    "no:fragment": Reason.FRAGMENT,
    "quoted": Reason.NOT_VXLAN,
}


def policy_for(name: str) -> DecapPolicy:
    policy = DecapPolicy()
    if name in ODD_PORTS:
        policy = policy.replace(ports=ODD_PORTS[name])
    if name in GPE:
        policy = policy.replace(ports=(4790,), gpe=True)
    return policy


def verdict(seen: Seen) -> Reason:
    """What decap has to say of a packet, by what tshark saw."""
    if seen.cut:
        return Reason.CAPTURE_CUT
    if seen.tshark["vxlan"] != "yes":
        return VERDICTS[seen.tshark["vxlan"]]
    return Reason.FRAGMENT if seen.first_fragment else Reason.OK


def judged(seen: Seen, policy: DecapPolicy) -> tuple[Reason, Decapsulated | None]:
    try:
        got = decap(seen.data, start=seen.link_type, original_length=seen.original_length, policy=policy)
    except ParseError as error:
        return error.reason, None
    return Reason.OK, got


@every_capture
@pytest.mark.parametrize("lengths", ["strict", "snapped"])
def test_verdicts(name: str, lengths: Literal["strict", "snapped"]) -> None:
    """decap hands out the inner frame of exactly those packets in which tshark sees a whole tunnel."""
    policy = policy_for(name).replace(lengths=lengths)
    counts: Counter[Reason] = Counter()
    for seen in capture(name):
        expected = verdict(seen)
        if expected is Reason.CAPTURE_CUT and lengths == "snapped":
            expected = Reason.OK if seen.tshark["vxlan"] == "yes" else VERDICTS[seen.tshark["vxlan"]]
        counts[expected] += 1
        reason, got = judged(seen, policy)
        assert reason is expected, seen.number
        if got is None:
            continue
        tunnel = seen.tunnels()[0]
        # The tunnel header lies at `pos`, 8 bytes behind the start of the UDP datagram.
        end = tunnel["pos"] - 8 + seen.tshark["outer"]["l4"]["len"]
        assert got.inner == seen.data[tunnel["pos"] + 8 : end], seen.number
        assert got.vni == tunnel["vni"]
    if lengths == "strict" and name != "snap96.pcap":
        yes = sum(seen.tshark["vxlan"] == "yes" and not seen.first_fragment for seen in capture(name))
        assert counts[Reason.OK] == yes


def test_verdicts_without_the_ports() -> None:
    """A tunnel on a port that the policy does not name is no tunnel."""
    for name in (*ODD_PORTS, *GPE):
        for seen in capture(name):
            with pytest.raises(ParseError) as caught:
                decap(seen.data, start=seen.link_type)
            assert caught.value.reason is Reason.NOT_VXLAN


@every_capture
def test_checksums(name: str) -> None:
    """A checksum that tshark verified is right to us too, and one that it did not is not called wrong."""
    for seen in capture(name):
        statuses = set(_statuses(seen.tshark))
        assert statuses <= {"good", "unverified", "not-present", "illegal"}
        assert parsed(name, seen).checksum_errors() == (), seen.number


def _statuses(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["csum_status"]] if value.get("csum_status") else []
        return own + [status for part in value.values() for status in _statuses(part)]
    if isinstance(value, list):
        return [status for part in value for status in _statuses(part)]
    return []


@every_capture
def test_checksums_of_spoilt_packets(name: str) -> None:
    """One bit turned in the innermost payload spoils the checksums over it that tshark could verify, and only these."""
    tried = 0
    for seen in capture(name):
        packet = parsed(name, seen)
        inner = seen.tshark.get("inner", {})
        innermost = packet.layers[-1]
        l4 = inner.get("l4") or {}
        if seen.cut or not isinstance(innermost, (UDP, TCP)) or not packet.payload or l4.get("csum_status") != "good":
            continue
        spoilt = bytearray(seen.data)
        spoilt[seen.data.rindex(packet.payload)] ^= 0x10
        errors = parse(bytes(spoilt), start=seen.link_type, ports=ODD_PORTS.get(name)).checksum_errors()
        expected = [layer.NAME for layer in packet.layers if isinstance(layer, (UDP, TCP)) and layer.checksum]
        assert [error.layer for error in errors] == expected, seen.number
        assert all(error.found != error.expected for error in errors)
        tried += 1
    assert tried or not any(
        (seen.tshark.get("inner", {}).get("l4") or {}).get("csum_status") == "good"
        and expected_layers(name, seen.tshark)[-1] in ("UDP", "TCP")
        and not seen.cut
        for seen in capture(name)
    )


def test_zero_checksums() -> None:
    """A zero checksum over IPv6 is what the RFCs let tunnels send; the policy may refuse it."""
    strict = DecapPolicy().replace(zero_checksum6=False)
    zeros = [seen for seen in capture("zerocsum_v6.pcap") if seen.tshark["outer"].get("l4", {}).get("csum") == "0x0000"]
    assert len(zeros) > 100
    for seen in zeros:
        assert decap(seen.data).inner
        with pytest.raises(ParseError) as caught:
            decap(seen.data, policy=strict)
        assert caught.value.reason is Reason.UDP_CHECKSUM_ZERO


def test_verified_checksums() -> None:
    """The real traffic passes a policy that verifies both outer checksums."""
    policy = DecapPolicy().replace(verify_ip_checksum=True, verify_udp_checksum=True)
    for name in ("basic_v4_4789.pcap", "basic_v6_4789.pcap", "nested_v4.pcap", "tcp_segmented_v4.pcap"):
        tunnelled = [seen for seen in capture(name) if seen.tshark["vxlan"] == "yes"]
        assert tunnelled
        for seen in tunnelled:
            assert decap(seen.data, policy=policy).inner
            spoilt = seen.data[:-1] + bytes([seen.data[-1] ^ 1])
            with pytest.raises(ParseError) as caught:
                decap(spoilt, policy=policy)
            assert caught.value.reason is Reason.UDP_CHECKSUM


def test_paired() -> None:
    """Decapsulating the underlay's capture gives the frames that the tunnel's own device showed.

    The two capture points see each direction in the same order, but not the two directions in the same order: what
    comes out of the tunnel passes the inner one later, what goes in passes it earlier.
    """
    inner = [(MACAddress(seen.data[6:12]), seen.data, seen.timestamp_ns) for seen in capture("paired_inner.pcap")]
    outer = []
    for seen in capture("paired_outer.pcap"):
        if seen.tshark["vxlan"] == "yes":
            got = decap(seen.data)
            outer.append((MACAddress(got.inner[6:12]), got.inner, seen.timestamp_ns))
    assert len(outer) == len(inner) == 72
    lanes: dict[MACAddress, list[list[tuple[bytes, int | None]]]] = defaultdict(lambda: [[], []])
    for side, frames in enumerate((inner, outer)):
        for source, frame, timestamp in frames:
            lanes[source][side].append((frame, timestamp))
    assert len(lanes) == 2
    for before, after in lanes.values():
        assert [frame for frame, _ in before] == [frame for frame, _ in after]
        for (_, first), (_, second) in zip(before, after, strict=True):
            assert first is not None
            assert second is not None
            assert abs(second - first) < 1_000_000


def test_tags() -> None:
    """Every tag is a layer of its own, two service tags in a row too, which tshark shows as one."""
    found = [
        [(tag.vid, tag.pcp, tag.dei) for tag in parse(seen.data).layers if isinstance(tag, Dot1Q)]
        for seen in capture("vlan_raw_v4.pcap")
        if any(tag["vid"] is None for tag in seen.tshark["inner"].get("vlan", ()))
    ]
    assert found == [[(1, 0, 0), (2, 0, 0), (3, 0, 0)]] * 6


def test_the_same_traffic_in_another_file_format() -> None:
    """Byte order, container and interface change nothing in the packets."""
    plain = [(seen.data, seen.original_length) for seen in capture("basic_v4_4789.pcap")]
    assert [(seen.data, seen.original_length) for seen in capture("basic_v4_4789.be_us.pcap")] == plain
    assert [(seen.data, seen.original_length) for seen in capture("basic_v4_4789.cut_mid_record.pcap")] == plain[:-1]
    flannel = [seen.data for seen in capture("flannel_v4.pcap")]
    assert [seen.data for seen in capture("flannel_v4.pcapng")] == flannel
    assert {seen.link_type for seen in capture("merged_2if.pcapng")} == {LinkType.ETHERNET, LinkType.LINUX_SLL2}

"""Reports: every number against a count record by record, on every capture; findings there and not there."""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import datetime, timezone
from ipaddress import IPv6Address
from typing import Any

import pytest

import vxlanpkt
from vxlanpkt import (
    ICMP,
    TCP,
    UDP,
    DecapPolicy,
    Ethernet,
    FieldError,
    ICMPv6,
    IPv4,
    IPv6,
    Packet,
    Reason,
    Tunnel,
    parse,
    report,
)
from vxlanpkt.analysis.findings import Findings, Repetitions
from vxlanpkt.capture import Interface, PcapWriter, Record
from vxlanpkt.errors import CaptureError

from .by_hand import CAPTURES, DATA, flows_by_hand, packets, policy_of
from .report_by_hand import Seen, duplicates, has_df, ip_of, is_fragment, length_of, marks, read, retransmissions

MILLISECOND = 1_000_000
ENDS: dict[str, Any] = {"src": "192.0.2.1", "dst": "192.0.2.2"}
TUNNEL = Tunnel(7, **ENDS)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture(scope="module", params=CAPTURES)
def counted(request: pytest.FixtureRequest) -> tuple[Findings, list[Seen], str]:
    name = request.param
    policy = policy_of(name)
    return report(DATA / name, policy=policy).findings, list(read(DATA / name, policy)), name


Counts = tuple[Findings, list[Seen], str]


def test_overview(counted: Counts) -> None:
    found, every, _ = counted
    overview = found.overview
    accepted = [one for one in every if one.reason is Reason.OK]
    times = [one.record.timestamp_ns for one in every if one.record.timestamp_ns is not None]
    assert (overview.records, overview.vxlan) == (len(every), len(accepted))
    assert overview.bytes == sum(one.record.frame_length for one in every)
    assert overview.vxlan_bytes == sum(one.record.frame_length for one in accepted)
    assert overview.inner_bytes == sum(one.inner_length for one in accepted)
    assert (overview.first_ns, overview.last_ns) == (min(times, default=None), max(times, default=None))
    assert overview.untimed == len(every) - len(times)
    assert overview.cut == sum(len(one.inner) < one.inner_length for one in accepted)


def test_drops(counted: Counts) -> None:
    found, every, _ = counted
    wanted = Counter(one.reason for one in every if one.reason is not Reason.OK)
    assert {drop.reason: drop.records for drop in found.drops} == wanted
    for drop in found.drops:
        numbers = [one.number for one in every if one.reason is drop.reason]
        assert list(drop.examples) == numbers[:5]
        assert drop.bytes == sum(one.record.frame_length for one in every if one.reason is drop.reason)


def test_vnis(counted: Counts) -> None:
    found, every, _ = counted
    again, twice = dict(retransmissions(every)), dict(duplicates(every))
    rows = {}
    for vni in {one.vni for one in every if one.reason is Reason.OK}:
        of = [one for one in every if one.vni == vni]
        rows[vni] = (
            len(of), sum(one.inner_length for one in of), len({one.vteps for one in of}), of[0].number,
            sum(one.number in again for one in of), sum(one.number in twice for one in of),
        )  # fmt: skip
    assert rows == {
        row.vni: (row.packets, row.bytes, row.pairs, row.first_record, row.retransmitted, row.duplicates)
        for row in found.vnis.rows
    }


def test_timeline(counted: Counts) -> None:
    """Every packet is in the interval that its time lies in."""
    found, every, _ = counted
    timed = [one for one in every if one.reason is Reason.OK and one.record.timestamp_ns is not None]
    timeline = found.timeline
    if not timed:
        assert timeline is None
        return
    assert timeline is not None and timeline.exact
    assert len(timeline.series[0].bytes) <= 120
    wanted: Counter[tuple[int, int]] = Counter()
    for one in timed:
        assert one.record.timestamp_ns is not None
        wanted[one.vni, (one.record.timestamp_ns - timeline.start_ns) // timeline.width_ns] += one.inner_length
    got = {
        (series.vni, at): octets
        for series in timeline.series for at, octets in enumerate(series.bytes) if octets
    }  # fmt: skip
    assert got == {key: octets for key, octets in wanted.items() if octets}
    assert sum(sum(series.packets) for series in timeline.series) == len(timed)


def test_endpoints_and_flows(counted: Counts) -> None:
    found, every, name = counted
    pairs = Counter(one.vteps for one in every if one.reason is Reason.OK)
    assert {(str(pair.src), str(pair.dst)): pair.packets for pair in found.endpoints.pairs} == pairs
    flows = flows_by_hand(list(packets(name)))
    whole = sum(flow["packets"] for flow in flows)
    assert sum(flow.packets + flow.reverse_packets for flow in found.flows.top) == whole or len(found.flows.top) == 30
    assert found.endpoints.left_out == found.flows.left_out == found.vnis.left_out == 0


def test_marks(counted: Counts) -> None:
    found, every, _ = counted
    wanted = marks(every)
    table = found.congestion.table
    assert {(outer, inner): table[outer][inner] for outer in range(4) for inner in range(5) if table[outer][inner]} == (
        dict(wanted)
    )
    assert found.congestion.marked == sum(count for (outer, _), count in wanted.items() if outer == 3)


def test_sizes(counted: Counts) -> None:
    found, every, _ = counted
    sizes = found.sizes
    accepted = [one for one in every if one.reason is Reason.OK]
    outer, inner = [ip_of(one.outer) for one in accepted], [ip_of(one.packet) for one in accepted]
    assert sizes.largest == max(map(length_of, outer), default=0)
    assert sum(packets for _, packets in sizes.lengths) == len(accepted)
    assert sizes.too_large == sum(length_of(ip) > sizes.mtu for ip in outer)
    assert sizes.outer_df == (sum(map(has_df, outer)), sum(isinstance(ip, IPv4) for ip in outer))
    assert sizes.inner_df == (sum(map(has_df, inner)), sum(isinstance(ip, IPv4) for ip in inner))
    fragments = [ip_of(one.outer) for one in every if one.reason is Reason.FRAGMENT]
    later = sum(isinstance(ip, IPv4) and ip.fragment_offset > 0 for ip in fragments)
    assert sizes.later_fragments == later
    assert sizes.first_fragments + sizes.atomic_fragments == len(fragments) - later
    assert sizes.inner_fragments == sum(map(is_fragment, inner))


def test_repetitions(counted: Counts) -> None:
    found, every, _ = counted
    for of, wanted in ((found.duplicates, duplicates(every)), (found.retransmissions, retransmissions(every))):
        assert of.count == len(wanted) == of.same_outer + of.new_outer + of.unknown
        assert [(one.record, one.earlier) for one in of.examples] == wanted[:5]
        assert sum(pair.count for pair in of.pairs) == len(wanted)
        assert all(pair.count <= pair.packets for pair in of.pairs)
        assert of.overlooked == 0


# -- findings, there and not there


def tcp(
    payload: bytes = b"", *, ends: tuple[str, str] = ("10.0.0.1", "10.0.0.2"), ports: tuple[int, int] = (1000, 80),
    seq: int = 1, flags: int = 0x18, **of_ip: Any,
) -> bytes:  # fmt: skip
    ip = IPv4(src=ends[0], dst=ends[1], **of_ip)
    return Packet(Ethernet(2, 1), ip, TCP(*ports, sequence_number=seq, flags=flags), payload=payload).build()


def found_in(*wires: bytes, step: int = MILLISECOND, times: list[int] | None = None, **how: Any) -> Findings:
    out = io.BytesIO()
    writer = PcapWriter(out, Interface(), nanoseconds=True)
    for at, wire in enumerate(wires):
        writer.write(Record(at * step if times is None else times[at], wire, len(wire)))
    out.seek(0)
    return report(out, **how).findings


def kinds(found: Repetitions) -> tuple[int, int, int]:
    return found.same_outer, found.new_outer, found.unknown


def test_duplicates() -> None:
    """A copy below the tunnel, one through it, one over IPv6; a different tenant, endpoint or time is none."""
    frame = tcp(b"data", identification=5)
    wire = TUNNEL.encap(frame, identification=9)
    assert kinds(found_in(wire, wire).duplicates) == (1, 0, 0)
    assert kinds(found_in(wire, TUNNEL.encap(frame, identification=10)).duplicates) == (0, 1, 0)
    assert kinds(found_in(TUNNEL.encap(frame), TUNNEL.encap(frame)).duplicates) == (0, 0, 1)  # identification 0
    six = Tunnel(7, "2001:db8::1", "2001:db8::2", udp_checksum="zero").encap(frame)
    assert kinds(found_in(six, six, six).duplicates) == (0, 0, 2)
    assert found_in(wire, wire, step=11 * MILLISECOND).duplicates.count == 0
    assert found_in(wire, wire, step=10 * MILLISECOND).duplicates.count == 1
    for other in (TUNNEL.replace(vni=8), TUNNEL.replace(dst="192.0.2.3"), TUNNEL.replace(src="192.0.2.3")):
        assert found_in(wire, other.encap(frame, identification=9)).duplicates.count == 0
    assert found_in(wire, TUNNEL.encap(tcp(b"date", identification=5), identification=9)).duplicates.count == 0


def test_a_retransmission_is_no_duplicate() -> None:
    """It has another identification, or comes later; and the other way round."""
    first, again = (TUNNEL.encap(tcp(b"data", identification=at), identification=at) for at in (5, 6))
    found = found_in(first, again)
    assert (found.duplicates.count, found.retransmissions.count) == (0, 1)
    assert [(one.record, one.earlier) for one in found.retransmissions.examples] == [(2, 1)]
    found = found_in(first, first, step=200 * MILLISECOND)
    assert (found.duplicates.count, found.retransmissions.count) == (0, 1)
    found = found_in(first, first)
    assert (found.duplicates.count, found.retransmissions.count) == (1, 0)
    assert found_in(first, again, step=6000 * MILLISECOND).retransmissions.count == 0
    assert found_in(first, TUNNEL.encap(tcp(b"more", seq=5, identification=6))).retransmissions.count == 0
    ack = TUNNEL.encap(tcp(flags=0x10, identification=5)), TUNNEL.encap(tcp(flags=0x10, identification=6))
    assert found_in(*ack).retransmissions.count == 0
    pair = found_in(first, again).retransmissions.pairs[0]
    assert (pair.vni, str(pair.src), pair.count, pair.packets, pair.first_record) == (7, "192.0.2.1", 1, 2, 2)


def marked(wire: bytes, ecn: int) -> bytes:
    return parse(wire).replace(IPv4, ecn=ecn).recompute().build()


def test_congestion() -> None:
    """CE outside alone, around Not-ECT, and inside alone."""
    capable, not_capable = TUNNEL.encap(tcp(ecn=2)), TUNNEL.encap(tcp())
    found = found_in(capable, not_capable).congestion
    assert (found.marked, found.lost, found.marked_inside) == (0, 0, 0)
    found = found_in(not_capable, marked(capable, 3), marked(not_capable, 3), TUNNEL.encap(tcp(ecn=3))).congestion
    assert (found.marked, found.lost) == (2 + found.table[3][3], 1)
    assert found.marked_examples[:2] == (2, 3) and found.lost_examples == (3,)
    assert found.table[3][2] == 1 and found.table[3][0] == 1
    assert [(str(pair.src), pair.count >= 2) for pair in found.pairs] == [("192.0.2.1", True)]


def too_big(mtu: int, quoted: bytes = b"") -> bytes:
    body = b"\0\0" + mtu.to_bytes(2, "big") + quoted
    return Packet(Ethernet(2, 1), IPv4("192.0.2.9", "192.0.2.1"), ICMP(3, 4, body=body)).build()


def test_too_big_outside() -> None:
    """The MTU that it reports is the one that packets are compared with."""
    large = TUNNEL.encap(tcp(bytes(1410), flags=0x10))
    found = found_in(large).sizes
    assert (found.mtu, found.mtu_from, found.too_large) == (1500, "assumed", 0)
    found = found_in(large, too_big(1400, large[14:42]), TUNNEL.encap(tcp())).sizes
    assert (found.mtu, found.mtu_from, found.too_large, found.largest_examples) == (1400, "message", 1, (1,))
    message = found.outside.messages[0]
    assert (message.record, message.vni, str(message.source), message.mtu) == (2, None, "192.0.2.9", 1400)
    assert message.packet is not None and list(map(str, message.packet)) == ["192.0.2.1", "192.0.2.2"]
    assert found_in(too_big(0)).sizes.outside.messages[0].mtu is None


def test_too_big_inside() -> None:
    """A message of ICMPv6 inside a tunnel says nothing of the underlay."""
    quoted = Packet(IPv6("2001:db8::1", "2001:db8::2"), UDP(1, 2)).build()
    message = ICMPv6(2, 0, body=(1280).to_bytes(4, "big") + quoted)
    inner = Packet(Ethernet(2, 1), IPv6("2001:db8::9", "2001:db8::1"), message).build()
    found = found_in(TUNNEL.encap(inner)).sizes
    assert (found.inside.count, found.outside.count, found.mtu_from) == (1, 0, "assumed")
    assert (found.inside.messages[0].vni, found.inside.messages[0].mtu, found.inside.smallest_mtu) == (7, 1280, 1280)
    assert found.inside.messages[0].packet == (IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2"))


def test_outer_fragments() -> None:
    """First ones name their tunnel's ends; the largest says what the underlay carries."""
    wire = TUNNEL.encap(tcp(bytes(1350)))
    first = parse(wire).replace(IPv4, flags=1).recompute().build()
    later = parse(wire).replace(IPv4, flags=0, fragment_offset=185).recompute().build()
    found = found_in(first, later, TUNNEL.encap(tcp())).sizes
    assert (found.first_fragments, found.first_examples) == (1, (1,))
    assert (found.later_fragments, found.later_examples) == (1, (2,))
    assert (found.mtu, found.mtu_from) == (len(wire) - 14, "fragments")
    assert [(str(pair.src), pair.count, pair.packets) for pair in found.fragmenting] == [("192.0.2.1", 1, 1)]
    tiny = parse(TUNNEL.encap(tcp())).replace(IPv4, flags=1).recompute().build()
    assert found_in(tiny).sizes.mtu_from == "assumed"


def test_lengths() -> None:
    """What is longer than the MTU, by what may be done about it."""
    six = Packet(Ethernet(2, 1), IPv6("2001:db8::1", "2001:db8::2"), UDP(1, 2), payload=bytes(1500)).build()
    found = found_in(TUNNEL.encap(tcp(bytes(1460), flags=0x10)), TUNNEL.encap(six), TUNNEL.encap(tcp())).sizes
    assert (found.too_large, found.too_large_df, found.too_large_ipv6) == (2, 0, 1)
    df = TUNNEL.encap(
        Packet(Ethernet(2, 1), IPv4("10.0.0.1", "10.0.0.2", flags=2), UDP(1, 2), payload=bytes(1500)).build()
    )
    found = found_in(df).sizes
    assert (found.too_large, found.too_large_df, found.too_large_ipv6) == (1, 1, 0)


def test_one_way() -> None:
    """SYN without answer, other TCP, UDP; nobody is asked to answer to a group, and an answer ends it."""
    syn = TUNNEL.encap(tcp(flags=2, ports=(5, 80)))
    data = TUNNEL.encap(tcp(b"data", ports=(6, 80)))
    back = TUNNEL.encap(tcp(flags=0x12, ends=("10.0.0.2", "10.0.0.1"), ports=(80, 5)))
    query = Packet(Ethernet(2, 1), IPv4("10.0.0.1", "10.0.0.2"), UDP(7, 53)).build()
    group = Packet(Ethernet(2, 1), IPv4("10.0.0.1", "224.0.0.251"), UDP(7, 53)).build()
    found = found_in(syn, data, TUNNEL.encap(query), TUNNEL.encap(group)).one_way
    assert [(kind.kind, kind.flows, kind.of) for kind in found] == [
        ("TCP: SYN without answer", 1, 2), ("TCP: other", 1, 2), ("UDP", 1, 1),
    ]  # fmt: skip
    assert [kind.examples[0].first_record for kind in found] == [1, 2, 3]
    assert found_in(syn, data, TUNNEL.encap(query), TUNNEL.encap(group)).vnis.rows[0].unanswered == 1
    assert found_in(syn, back).one_way == ()
    elsewhere = TUNNEL.replace(vni=8).encap(tcp(flags=0x12, ends=("10.0.0.2", "10.0.0.1"), ports=(80, 5)))
    assert len(found_in(syn, elsewhere).one_way) == 2  # another tenant's answer is none


def test_tenants_are_not_merged() -> None:
    """The same addresses and ports in two VNIs are two flows."""
    found = found_in(TUNNEL.encap(tcp()), TUNNEL.replace(vni=8).encap(tcp()))
    assert [flow.vni for flow in found.flows.top] == [7, 8] and found.flows.count == 2


# -- what is asked for, and what cannot be read


def test_vni() -> None:
    """Only one: all else is refused as such, and the overview says what was asked for."""
    wires = [TUNNEL.encap(tcp()), TUNNEL.replace(vni=8).encap(tcp())]
    found = found_in(*wires, vni=iter((8,)))
    assert [row.vni for row in found.vnis.rows] == [8] and found.overview.vnis == (8,)
    assert [(drop.reason, drop.records) for drop in found.drops] == [(Reason.VNI_REFUSED, 1)]
    assert found_in(*wires).overview.vnis is None


def test_policy_and_ports() -> None:
    overview = report(DATA / "basic_v4_port_odd.pcap", ports=(51820,)).findings.overview
    assert overview.ports == (51820,) and overview.vxlan > 0 and overview.policy == "default"
    overview = report(DATA / "flannel_v4.pcap", policy=DecapPolicy.LINUX.replace(lengths="snapped")).findings.overview
    assert overview.policy == "linux, lengths='snapped'"


def test_an_open_capture() -> None:
    """It is left open, and its own policy counts."""
    with vxlanpkt.open(DATA / "basic_v4_port_odd.pcap", ports=(51820,)) as capture:
        made = report(capture, now=NOW)
        assert made.findings.overview.vxlan == capture.stats.vxlan > 0
        assert made.findings.overview.source.endswith("basic_v4_port_odd.pcap")
        assert made.findings.overview.made_at == NOW
        assert len(list(capture)) == made.findings.overview.records


def test_a_broken_file() -> None:
    """Everything before the fault is counted, and the report has it."""
    made = report(DATA / "basic_v4_4789.cut_mid_record.pcap")
    assert isinstance(made.error, CaptureError) and made.findings.overview.fault == str(made.error)
    assert made.findings.overview.records == 134
    with pytest.raises(CaptureError):
        report(io.BytesIO(b"no capture at all, whatever it is"))


def test_top() -> None:
    wires = [TUNNEL.encap(tcp(bytes(at), ports=(1000 + at, 80))) for at in range(10)]
    found = found_in(*wires, top=3).flows
    assert (len(found.top), found.count) == (3, 10) and [flow.src_port for flow in found.top] == [1009, 1008, 1007]
    with pytest.raises(FieldError):
        found_in(top=0)


def test_progress() -> None:
    told: list[tuple[int, int | None]] = []
    report(DATA / "flannel_v4.pcap", progress=lambda done, size: told.append((done, size)))
    assert told and told[-1][1] == (DATA / "flannel_v4.pcap").stat().st_size


def test_plain_values() -> None:
    """JSON has all of it."""
    made = report(DATA / "flannel_v4.pcap", now=NOW).to_dict()
    assert json.loads(json.dumps(made)) == made
    assert made["overview"]["records"] == 91 and made["overview"]["made_at"] == "2026-01-02T03:04:05+00:00"
    assert made["endpoints"]["pairs"][0]["src"] == "172.31.0.2"
    assert made["drops"][0]["reason"] == "NOT_VXLAN"

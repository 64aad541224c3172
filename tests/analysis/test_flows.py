"""Flows: every capture against a dictionary and against tshark; tenants, directions, filters, and what breaks off."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vxlanpkt
from vxlanpkt import (
    TCP,
    UDP,
    CaptureError,
    DecapBatch,
    DecapPolicy,
    Ethernet,
    FieldError,
    Filter,
    Flow,
    IPv4,
    IPv6,
    Packet,
    Tunnel,
    flows,
    grouping,
    vteps,
)
from vxlanpkt.analysis import FlowTable, PartialTableError
from vxlanpkt.capture import Interface, PcapngWriter, PcapWriter, Record
from vxlanpkt.capture.batches import NO_TIMESTAMP
from vxlanpkt.strategies import captures, mutated

from .by_hand import CAPTURES, DATA, flows_by_hand, packets, policy_of

ETHERNET = Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01")
ENDS: dict[str, Any] = {"src": "192.0.2.1", "dst": "192.0.2.2", "src_mac": 1, "dst_mac": 2}
SECOND = 1_000_000_000


def read(name: str, **how: Any) -> FlowTable:
    """The flows of a capture, also of one that breaks off."""
    try:
        return flows(DATA / name, policy=policy_of(name), **how)
    except PartialTableError as error:
        assert isinstance(error.result, FlowTable)
        return error.result


def segment(vni: int, src: str, dst: str, ports: tuple[int, int], flags: int = 0x10, size: int = 0) -> bytes:
    """A TCP segment in a tunnel."""
    ip = IPv6(src, dst) if ":" in src else IPv4(src, dst)
    return Tunnel(vni, **ENDS).encap(Packet(ETHERNET, ip, TCP(*ports, flags=flags), payload=bytes(size)).build())


def capture_of(*wires: bytes, start: int = 0) -> io.BytesIO:
    """A capture with a packet a second."""
    out = io.BytesIO()
    writer = PcapWriter(out, Interface())
    for at, wire in enumerate(wires, start):
        writer.write(Record(at * SECOND, wire, len(wire)))
    out.seek(0)
    return out


@pytest.mark.parametrize("name", CAPTURES)
def test_as_a_dictionary_counts_them(name: str) -> None:
    """Every flow of every capture, in the order of the file, with all that is counted."""
    assert read(name).to_dicts() == flows_by_hand(list(packets(name)))


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_nothing_is_lost(name: str, bidirectional: bool) -> None:
    """Each packet that the pass accepted is in one flow, in either direction."""
    table = read(name, bidirectional=bidirectional)
    assert sum(flow.packets + flow.reverse_packets for flow in table) == table.stats.vxlan
    by_vni = {vni: sum(f.packets + f.reverse_packets for f in table if f.vni == vni) for vni in table.stats.vnis}
    assert by_vni == {vni: of.packets for vni, of in table.stats.vnis.items()}


@pytest.mark.parametrize("name", CAPTURES)
def test_both_directions_are_two_flows(name: str) -> None:
    """A merged row is the flow that came first and its reverse, and no flow is in two rows."""
    single = {identity(flow): flow for flow in read(name)}
    merged = read(name, bidirectional=True)
    used = []
    for flow in merged:
        one, other = single[identity(flow)], single.get(reversed_identity(flow))
        used += [identity(flow)] + ([reversed_identity(flow)] if flow.reverse_packets else [])
        assert (flow.packets, flow.bytes, flow.tcp_flags) == (one.packets, one.bytes, one.tcp_flags)
        if identity(flow) == reversed_identity(flow):
            other = None
        back = (0, 0, 0) if other is None else (other.packets, other.bytes, other.tcp_flags)
        assert (flow.reverse_packets, flow.reverse_bytes, flow.reverse_tcp_flags) == back
        times = [
            time for of in (one, other) if of is not None for time in (of.first_ns, of.last_ns) if time is not None
        ]
        assert (flow.first_ns, flow.last_ns) == (min(times, default=None), max(times, default=None))
    assert sorted(used, key=str) == sorted(single, key=str)
    order = list(single)
    assert [order.index(identity(flow)) for flow in merged] == sorted(order.index(identity(flow)) for flow in merged)
    assert all(order.index(reversed_identity(f)) > order.index(identity(f)) for f in merged if f.reverse_packets)


def identity(flow: Flow) -> tuple[Any, ...]:
    return flow.vni, flow.ethertype, flow.protocol, flow.src, flow.src_port, flow.dst, flow.dst_port


def reversed_identity(flow: Flow) -> tuple[Any, ...]:
    return flow.vni, flow.ethertype, flow.protocol, flow.dst, flow.dst_port, flow.src, flow.src_port


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", ["basic_v4_4789.pcap", "flannel_v4.pcapng"])
def test_as_tshark_counts_them(name: str) -> None:
    """Packets and bytes of each TCP and UDP flow, out of the fields that tshark prints."""
    counted: dict[tuple[Any, ...], list[int]] = {}
    for fields in tshark(DATA / name):
        protocols = fields["frame.protocols"].split(":")
        if "vxlan" not in protocols:
            continue
        inside = protocols[protocols.index("vxlan") + 1 :]
        ip = next((protocol for protocol in inside if protocol in ("ip", "ipv6")), None)
        l4 = next((protocol for protocol in inside if protocol in ("tcp", "udp")), None)
        if ip is None or l4 is None or "icmp" in inside:
            continue
        # The outer headers are IPv4 and UDP: they come first where a name occurs twice.
        at, port_at = int(ip == "ip"), int(l4 == "udp")
        key = (
            int(fields["vxlan.vni"]), fields[f"{ip}.src"].split(",")[at], fields[f"{ip}.dst"].split(",")[at],
            int(fields[f"{l4}.srcport"].split(",")[port_at]), int(fields[f"{l4}.dstport"].split(",")[port_at]), l4,
        )  # fmt: skip
        counts = counted.setdefault(key, [0, 0])
        counts[0] += 1
        counts[1] += int(fields["frame.len"]) - 50
    found = {
        (flow.vni, str(flow.src), str(flow.dst), flow.src_port, flow.dst_port, {6: "tcp", 17: "udp"}[flow.protocol]): [
            flow.packets, flow.bytes,
        ]
        for flow in read(name) if flow.protocol in (6, 17)
    }  # fmt: skip
    assert len(found) >= 3
    assert found == counted


def tshark(path: Path) -> Iterator[dict[str, str]]:
    names = ["frame.protocols", "frame.len", "vxlan.vni"]
    names += [f"{ip}.{end}" for ip in ("ip", "ipv6") for end in ("src", "dst")]
    names += [f"{l4}.{end}port" for l4 in ("tcp", "udp") for end in ("src", "dst")]
    done = subprocess.run(
        ["tshark", "-r", str(path), "-d", "udp.port==8472,vxlan", "-o", "ip.defragment:FALSE", "-T", "fields",
         *(word for name in names for word in ("-e", name))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        yield dict(zip(names, line.split("\t"), strict=True))


def test_overlapping_tenants() -> None:
    """The same addresses and ports under two VNIs are two flows."""
    ends = "10.0.0.1", "10.0.0.2", (1234, 80)
    table = flows(capture_of(*(segment(vni, *ends) for vni in (1, 2, 1, 2, 1))))
    assert [(flow.vni, flow.packets) for flow in table] == [(1, 3), (2, 2)]
    assert [flow.vni for flow in flows(capture_of(*(segment(vni, *ends) for vni in (1, 2))), vni=2)] == [2]


def test_mapped_addresses_are_no_ipv4() -> None:
    """IPv6 between ::ffff:a.b.c.d is not IPv4 between a.b.c.d, though columns have the same bytes."""
    wires = [segment(1, *ends, (1, 2)) for ends in (("10.0.0.1", "10.0.0.2"), ("::ffff:10.0.0.1", "::ffff:10.0.0.2"))]
    table = flows(capture_of(*wires))
    assert [(flow.src, flow.packets) for flow in table] == [
        (IPv4Address("10.0.0.1"), 1), (IPv6Address("::ffff:10.0.0.1"), 1),
    ]  # fmt: skip


def test_a_flow() -> None:
    """All fields of one, with times, sizes and flags of its packets; and as plain values."""
    there, back = ("10.0.0.1", "10.0.0.2", (1234, 80)), ("10.0.0.2", "10.0.0.1", (80, 1234))
    wires = [segment(7, *there, 2, 100), segment(7, *back, 0x12), segment(7, *there, 0x10, 1000)]
    table = flows(capture_of(*wires, start=5))
    wanted = Flow(
        7, IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), 1234, 80, 6, 0x0800, 2, 54 + 100 + 54 + 1000, 5 * SECOND,
        7 * SECOND, 1, 0x12,
    )  # fmt: skip
    assert table[0] == wanted and table[0].duration_ns == 2 * SECOND
    assert table[-1].src == wanted.dst and not table.bidirectional
    assert "reverse_packets" not in table.to_dicts()[0]
    both = flows(capture_of(*wires, start=5), bidirectional=True)
    assert len(both) == 1 and both.bidirectional
    assert both.to_dicts() == [
        {
            "vni": 7, "src": "10.0.0.1", "dst": "10.0.0.2", "src_port": 1234, "dst_port": 80, "protocol": 6,
            "ethertype": 0x0800, "packets": 2, "bytes": 1208, "first_ns": 5 * SECOND, "last_ns": 7 * SECOND,
            "first_record": 1, "tcp_flags": 0x12, "reverse_packets": 1, "reverse_bytes": 54, "reverse_tcp_flags": 0x12,
        }
    ]  # fmt: skip
    assert pickle.loads(pickle.dumps(both[0])) == both[0]


def test_a_flow_to_itself() -> None:
    """Where both ends are one, there is no other direction."""
    table = flows(capture_of(*[segment(7, "10.0.0.1", "10.0.0.1", (5, 5))] * 3), bidirectional=True)
    assert [(flow.packets, flow.reverse_packets) for flow in table] == [(3, 0)]


def test_what_is_not_ip() -> None:
    """Each EtherType of each VNI is one row without addresses; an IP header that is broken counts under its own."""
    frames = [ETHERNET.replace(ethertype=kind) for kind in (0x0806, 0x88B5, 0x0806, 0x0800)]
    wires = [Tunnel(3, **ENDS).encap(Packet(frame, payload=bytes(46)).build()) for frame in frames]
    table = flows(capture_of(*wires), bidirectional=True)
    rows = [(flow.ethertype, flow.packets, flow.src, flow.protocol, flow.reverse_packets) for flow in table]
    assert rows == [(0x0806, 2, None, 0, 0), (0x88B5, 1, None, 0, 0), (0x0800, 1, None, 0, 0)]


def test_lengths_are_no_ethertypes() -> None:
    """Frames of IEEE 802.3 are one flow a VNI, whatever their lengths; a length of 0 is what it was."""
    frames = [ETHERNET.replace(ethertype=kind) for kind in (38, 0x5FF, 0x600, 0, 0x0100, 1)]
    wires = [Tunnel(vni, **ENDS).encap(Packet(frame, payload=bytes(46)).build()) for frame in frames for vni in (3, 4)]
    for both in (False, True):
        rows = [(flow.vni, flow.ethertype, flow.packets) for flow in flows(capture_of(*wires), bidirectional=both)]
        assert rows == [(3, 1, 4), (4, 1, 4), (3, 0x600, 1), (4, 0x600, 1), (3, 0, 1), (4, 0, 1)]


@given(ethertypes=st.lists(st.sampled_from((0, 1, 38, 0xFF, 0x100, 0x5FF, 0x600, 0x0800, 0x88B5, 0xFFFF)), max_size=70))
def test_any_mixture_of_lengths(ethertypes: list[int]) -> None:
    """Each number becomes what it becomes alone."""
    frames = [ETHERNET.replace(ethertype=kind) for kind in ethertypes]
    wires = [Tunnel(3, **ENDS).encap(Packet(frame, payload=bytes(46)).build()) for frame in frames]
    wanted = Counter(1 if 0 < kind < 0x600 else kind for kind in ethertypes)
    assert {flow.ethertype: flow.packets for flow in flows(capture_of(*wires))} == wanted


def test_times_out_of_order() -> None:
    """Rows, and who is on the left, are as the file has them; the times are the earliest and the latest."""
    there, back = segment(7, "10.0.0.1", "10.0.0.2", (5, 80)), segment(7, "10.0.0.2", "10.0.0.1", (80, 5))
    other = segment(7, "10.0.0.3", "10.0.0.2", (5, 80))
    out = io.BytesIO()
    writer = PcapWriter(out, Interface())
    for at, wire in ((9, there), (3, back), (1, other), (6, there)):
        writer.write(Record(at * SECOND, wire, len(wire)))
    out.seek(0)
    table = flows(out, bidirectional=True)
    rows = [(str(flow.src), flow.first_ns, flow.last_ns, flow.first_record) for flow in table]
    assert rows == [("10.0.0.1", 3 * SECOND, 9 * SECOND, 1), ("10.0.0.3", SECOND, SECOND, 3)]
    assert [str(flow.src) for flow in table.top(2, by="first")] == ["10.0.0.3", "10.0.0.1"]


@pytest.mark.parametrize("name", CAPTURES)
def test_cut(name: str) -> None:
    """Packets of which the capture has a part, and those of them whose addresses or ports are beyond it."""
    cut = headers = 0
    with vxlanpkt.open(DATA / name, policy=policy_of(name)) as capture:
        try:
            for got in capture.decap():
                if len(got.inner) < got.inner_original_length:
                    cut += 1
                    start, whole = got.link_type or vxlanpkt.LinkType.ETHERNET, got.inner_original_length
                    headers += without_headers(vxlanpkt.dissect(got.inner, start=start, original_length=whole))
        except CaptureError:
            pass
    assert read(name).cut == (cut, headers)
    assert (name == "snap96.pcap") is (cut > 0)


def without_headers(found: vxlanpkt.Dissection) -> bool:
    """Whether a dissection ends before there are ports, or addresses."""
    layers = [layer.NAME for layer in found.layers]
    if "IPv4" not in layers and "IPv6" not in layers:
        ethertype = layers[0] == "Ethernet" and getattr(found.layers[-1], "ethertype", None)
        return ethertype in (0x0800, 0x86DD)
    return found.error is not None and found.error.layer in ("TCP", "UDP") and len(found.payload) < 4


def test_what_is_cut() -> None:
    """Addresses, ports, a fragment behind the first, which has none, and what is not IP; by a filter too."""
    udp = Packet(ETHERNET, IPv4("10.0.0.1", "10.0.0.2"), UDP(5, 53), payload=bytes(100)).build()
    later = Packet(ETHERNET, IPv4("10.0.0.1", "10.0.0.2", fragment_offset=9, protocol=17), payload=bytes(100)).build()
    arp = Packet(ETHERNET.replace(ethertype=0x0806), payload=bytes(100)).build()
    out = io.BytesIO()
    writer = PcapWriter(out, Interface())
    for inner, kept in ((udp, 20), (udp, 36), (udp, 42), (udp, 142), (later, 60), (arp, 20), (udp, 14)):
        wire = Tunnel(3, **ENDS).encap(inner)
        writer.write(Record(0, wire[: 50 + kept], len(wire)))
    for chosen, wanted in ((None, (6, 3)), (Ports(53), (1, 0)), (Ports(0), (5, 3))):
        out.seek(0)
        table = flows(out, filter=chosen)
        assert table.cut == table[:1].cut == wanted


def test_without_timestamps() -> None:
    """Simple packet blocks have no times: nor has the flow, and it comes last where the earliest comes first."""
    out = io.BytesIO()
    writer = PcapngWriter(out)
    writer.add_interface(Interface())
    for time, port in ((None, 1), (5000, 2), (None, 2), (3, 3)):
        wire = segment(7, "10.0.0.1", "10.0.0.2", (port, 9))
        writer.write(Record(time, wire, len(wire)))
    out.seek(0)
    table = flows(out)
    assert {flow.src_port: (flow.first_ns, flow.last_ns) for flow in table}[1] == (None, None)
    assert table[0].duration_ns is None and table.columns["first_ns"][0] == NO_TIMESTAMP
    assert [flow.src_port for flow in table.top(9, by="first")][-1] == 1


def test_a_capture_that_was_opened() -> None:
    """Its own policy and ports count if nothing else is said; it stays open, and can be read again."""
    with vxlanpkt.open(DATA / "basic_v4_port_odd.pcap", ports=[51820]) as capture:
        table = flows(capture)
        assert table.stats.vxlan > 0 and table.stats is capture.stats
        assert flows(capture).to_dicts() == table.to_dicts()
        assert len(flows(capture, ports=[4789])) == 0
        assert len(flows(capture, policy=DecapPolicy())) == 0
        assert sum(1 for _ in capture) == table.stats.records


def test_a_broken_file() -> None:
    """What was read before the fault is there, and the error says where it is."""
    with pytest.raises(PartialTableError) as caught:
        flows(DATA / "basic_v4_4789.cut_mid_record.pcap")
    table = caught.value.result
    assert caught.value.offset == 62492 and isinstance(caught.value, CaptureError)
    assert table.stats.records == 134 and table.stats.error is not None
    assert sum(flow.packets for flow in table) == 128


@pytest.mark.parametrize("data", [b"", b"no capture at all ......"])
def test_no_capture(data: bytes) -> None:
    """What is no capture has no part that could be counted."""
    with pytest.raises(CaptureError) as caught:
        flows(io.BytesIO(data))
    assert not isinstance(caught.value, PartialTableError)


class Ports:
    """A filter as the library takes it: rows whose inner destination port is this one."""

    def __init__(self, port: int) -> None:
        self.port = port

    def select(self, batch: DecapBatch) -> bytes:
        return bytes(port == self.port for port in batch.inner_dst_port)


def test_a_filter() -> None:
    """Only what it selects is counted in the table; the statistics are of the whole pass."""
    table = flows(DATA / "flannel_v4.pcap", filter=Ports(53))
    assert {flow.dst_port for flow in table} == {53} and table.stats.vxlan == 78
    assert table.to_dicts() == [row for row in read("flannel_v4.pcap").to_dicts() if row["dst_port"] == 53]
    assert flows(DATA / "flannel_v4.pcap", filter=Filter("dst port 53")).to_dicts() == table.to_dicts()
    no_filter: Any = "dst port 53"
    with pytest.raises(FieldError) as caught:
        flows(DATA / "flannel_v4.pcap", filter=no_filter)
    assert caught.value.field == "filter"


class Everything:
    """Chooses all rows, which takes batches."""

    def select(self, batch: DecapBatch) -> bytes:
        return b"\1" * len(batch)


@given(data=captures() | mutated(captures()) | st.sampled_from(CAPTURES).map(lambda name: (DATA / name).read_bytes()))
def test_as_batches_are_counted(data: bytes) -> None:
    """Records that are counted as they are read, and those that are counted batch by batch."""
    for count in (flows, vteps):
        as_read, by_batches = counted(count, data, None), counted(count, data, Everything())
        assert as_read == by_batches


def counted(count: Any, data: bytes, chosen: Any) -> Any:
    """The rows, the counts of the pass and of what was cut; what was wrong with the file."""
    try:
        table, fault = count(io.BytesIO(data), filter=chosen), None
    except PartialTableError as error:
        table, fault = error.result, str(error)
        assert fault == str(table.stats.error)
    except CaptureError as error:
        return str(error)
    return list(table), table.stats.as_dict(), table.stats.reasons, table.cut, fault


def test_progress() -> None:
    """It is told of the end."""
    seen: list[tuple[int, int | None]] = []
    path = DATA / "flannel_v4.pcap"
    flows(path, progress=lambda done, size: seen.append((done, size)))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_top() -> None:
    """Most bytes, most packets, or the earliest; equals stay in the order of the file."""
    table = read("basic_v4_4789.pcap")
    rows = list(table)
    assert list(table.top(5)) == sorted(rows, key=lambda flow: -flow.bytes)[:5]
    assert list(table.top(5, by="packets")) == sorted(rows, key=lambda flow: -flow.packets)[:5]
    assert list(table.top(99, by="first")) == sorted(rows, key=lambda flow: flow.first_ns or 0)
    assert isinstance(table.top(2), FlowTable) and len(table.top(0)) == 0
    both = read("basic_v4_4789.pcap", bidirectional=True)
    assert list(both.top(1)) == [max(both, key=lambda flow: flow.bytes + flow.reverse_bytes)]
    with pytest.raises(FieldError) as caught:
        table.top(1, by="colour")
    assert caught.value.field == "by"


def test_a_table_is_like_a_sequence() -> None:
    """Length, items from either end, slices that are tables, and columns that agree with the rows."""
    table = read("flannel_v4.pcap", bidirectional=True)
    rows = list(table)
    assert [table[at] for at in range(-len(table), 0)] == rows and len(rows) == 5
    assert isinstance(table[1:3], FlowTable) and list(table[1:3]) == rows[1:3] and list(table[::-2]) == rows[::-2]
    assert table.names == rows[0].__match_args__
    for name, column in table.columns.items():
        assert list(column) == [getattr(row, name) for row in rows], name
    assert {name: column.format for name, column in table.columns.items() if isinstance(column, memoryview)} == {
        "vni": "I", "src_port": "H", "dst_port": "H", "protocol": "B", "ethertype": "H", "packets": "Q", "bytes": "Q",
        "first_ns": "q", "last_ns": "q", "first_record": "Q", "tcp_flags": "H", "reverse_packets": "Q",
        "reverse_bytes": "Q", "reverse_tcp_flags": "H",
    }  # fmt: skip
    no_row: Any = "a row"
    assert rows[1] in table and no_row not in table and list(reversed(table)) == rows[::-1]
    with pytest.raises(IndexError):
        table[len(table)]
    assert json.loads(json.dumps(table.to_dicts())) == table.to_dicts()
    assert repr(table) == "<FlowTable of 5 rows, 78 of 91 records>"


def test_html() -> None:
    """A notebook gets the rows with most bytes, in words, and is told how many there are."""
    wires = [segment(7, "10.0.0.1", "10.0.0.2", (port, 9), 0x12, port) for port in range(1, 26)]
    text = flows(capture_of(*wires))._repr_html_()
    assert text.count("<tr>") == 21 and "the 20 with most bytes of 25 rows; 25 packets of 25 records" in text
    assert "<td>10.0.0.1</td>" in text and "<th>src_port</th>" in text
    assert text.index("<td>25</td>") < text.index("<td>24</td>") and "<td>5</td>" not in text
    assert "<td>TCP</td><td>IPV4</td>" in text and "<td>SA</td>" in text and "<td>1970-01-01T00:00:24.000000Z" in text
    small = read("flannel_v4.pcap", bidirectional=True)
    assert "5 rows; 78 packets of 91 records" in small._repr_html_()
    assert "<td></td><td>ARP</td>" in read("bum_headend_v4.pcapng")._repr_html_()
    nothing = flows(capture_of())
    assert nothing._repr_html_().count("<tr>") == 1 and len(nothing) == 0 and nothing.to_dicts() == []


@given(data=st.data())
def test_any_traffic(data: st.DataObject) -> None:
    """Sums over both directions are those over single flows, whatever the order; tenants stay apart."""
    host = st.sampled_from(("10.0.0.1", "10.0.0.2", "10.0.0.3"))
    one = st.tuples(st.integers(0, 2), host, host, st.tuples(st.integers(0, 2), st.integers(0, 2)), st.integers(0, 255))
    sent = data.draw(st.lists(one, max_size=30))
    wires = [segment(*packet) for packet in sent]
    single, both = flows(capture_of(*wires)), flows(capture_of(*wires), bidirectional=True)
    assert len(single) == len({packet[:4] for packet in sent})
    assert len(both) == len({(vni, frozenset(((src, a), (dst, b)))) for vni, src, dst, (a, b), _ in sent})
    for name in ("packets", "bytes"):
        assert sum(single.columns[name]) == sum(both.columns[name]) + sum(both.columns[f"reverse_{name}"])
    for flow in both:
        first = next(p for p in sent if p[0] == flow.vni and {(p[1], p[3][0]), (p[2], p[3][1])} == ends(flow))
        assert (first[1], first[3][0]) == (str(flow.src), flow.src_port)


def ends(flow: Flow) -> set[tuple[str, int]]:
    return {(str(flow.src), flow.src_port), (str(flow.dst), flow.dst_port)}


def test_more_flows_than_a_batch_has_rows() -> None:
    """Thousands of flows over many batches, each met twice."""
    wires = [segment(7, "10.0.0.1", "10.0.0.2", (port, 9)) for port in range(6000)]
    table = flows(capture_of(*wires, *wires))
    assert len(table) == 6000 and set(table.columns["packets"]) == {2}
    assert list(table.columns["src_port"]) == list(range(6000))


def test_udp_and_bare_ip() -> None:
    """UDP has ports too; bare IP in GPE counts by its version."""
    inner = Packet(IPv4("10.0.0.1", "10.0.0.2"), UDP(5, 53), payload=b"query").build()
    wire = Tunnel(9, **ENDS, gpe=True).encap(inner, start=vxlanpkt.LinkType.RAW)
    (flow,) = flows(capture_of(wire), policy=DecapPolicy(gpe=True, lengths="snapped"))
    assert (flow.protocol, flow.dst_port, flow.ethertype, flow.bytes, flow.tcp_flags) == (17, 53, 0x0800, 33, 0)


def test_each_pass_has_a_seed_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random bytes, so that nobody can choose addresses and ports whose hashes meet."""
    given: list[bytes] = []

    def fixed(size: int) -> bytes:
        given.append(bytes([len(given)]) * size)
        return given[-1]

    seeds: list[bytes] = []
    real = grouping.Groups.__init__

    def watched(self: grouping.Groups, *arguments: Any, seed: bytes, **named: Any) -> None:
        seeds.append(seed)
        real(self, *arguments, seed=seed, **named)

    monkeypatch.setattr("os.urandom", fixed)
    monkeypatch.setattr(grouping.Groups, "__init__", watched)
    first, second = flows(DATA / "flannel_v4.pcap"), flows(DATA / "flannel_v4.pcap")
    assert first.to_dicts() == second.to_dicts()
    assert set(seeds) <= set(given)
    assert len(seeds) == len(set(seeds)) >= 2


@pytest.mark.parametrize("job", [flows, vxlanpkt.vteps, vxlanpkt.report])
def test_what_strangers_choose_is_found_by_a_keyed_hash(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lengths too, which are of 32 bits in a capture; of a few bytes alone there are not enough to choose from."""
    made: list[tuple[set[str], bytes]] = []
    real = grouping.Groups.__init__

    def watched(self: grouping.Groups, key: Any, *, seed: bytes, **named: Any) -> None:
        made.append(({*key.values()}, seed))
        real(self, key, seed=seed, **named)

    monkeypatch.setattr(grouping.Groups, "__init__", watched)
    job(DATA / "flannel_v4.pcap")
    assert made
    assert [widths for widths, seed in made if widths != {"B"} and len(seed) < grouping.SEED_SIZE] == []

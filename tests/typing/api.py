"""The API as typed, for type checkers: never run.

What `reveal_type` says is compared with the comment behind it. Lines that end in `type: ignore[CODE]` are wrong on
purpose: an ignore without an error of that kind is an error itself. See test_typing.py.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from typing_extensions import assert_type, reveal_type

import vxlanpkt
from vxlanpkt import (
    ARP,
    DEFAULT,
    NO_TUNNEL,
    TCP,
    UDP,
    VXLAN,
    VXLANGPE,
    Bindings,
    BuildError,
    Capture,
    CaptureError,
    ChecksumError,
    Datagram,
    DecapBatch,
    DecapError,
    DecapPolicy,
    Decapsulated,
    Dissection,
    EncapBatch,
    Ethernet,
    Explanation,
    FieldError,
    Filter,
    FilterError,
    FrameBatch,
    GroupPolicy,
    IPv4,
    IPv6,
    Layer,
    LayerNotFound,
    LinkType,
    MACAddress,
    MalformedError,
    Note,
    Packet,
    PacketError,
    ParseError,
    Reason,
    TruncatedError,
    Tunnel,
    Verdict,
    decap,
    decap_batch,
    dissect,
    encap_batch,
    explain,
    flow_hash,
    parse,
)
from vxlanpkt.capture import CaptureTable
from vxlanpkt.overlay import ForwardingTable, NeighbourTable, RouteTable, Vtep


def build(inner_packet: Packet, inner_bytes: bytes) -> None:
    """Values: made, resolved, changed."""
    frame = Packet(
        Ethernet(dst="02:00:00:00:00:02", src="02:00:00:00:00:01"),
        IPv4(src="192.0.2.1", dst="192.0.2.2", ttl=64),
        UDP(src_port=49152, dst_port=4789, checksum=0),
        VXLAN(vni=5000),
        payload=inner_packet,
        trailers=(),
    )
    Packet(IPv6("2001:db8::1", "2001:db8::2"), payload=inner_bytes, start=IPv6)
    Packet(Ethernet(0, b"\x02\0\0\0\0\1", 0x88B5), payload=bytearray(4), start=LinkType.ETHERNET)
    reveal_type(frame.build())  # bytes
    reveal_type(bytes(frame))  # bytes
    reveal_type(frame.resolve())  # vxlanpkt.packet.Packet
    reveal_type(frame[IPv4])  # vxlanpkt.layers.ipv4.IPv4
    reveal_type(frame[IPv4].total_length)  # int | None
    reveal_type(frame[IPv4].require("total_length"))  # int
    reveal_type(frame[IPv4].src)  # ipaddress.IPv4Address
    reveal_type(frame[Ethernet].dst)  # vxlanpkt.addresses.MACAddress
    reveal_type(frame[VXLAN].group_policy)  # vxlanpkt.layers.vxlan.GroupPolicy | None
    reveal_type(VXLAN.with_group_policy(1, 2))  # vxlanpkt.layers.vxlan.VXLAN
    reveal_type(VXLANGPE(1).next_protocol)  # int | None
    reveal_type(VXLAN(1).replace(vni=2, flags=0))  # vxlanpkt.layers.vxlan.VXLAN
    reveal_type(IPv4("192.0.2.1", "192.0.2.2").replace(dst="192.0.2.3", total_length=None))  # vxlanpkt.layers.ipv4.IPv4
    assert_type(frame.replace(IPv4, total_length=9), Packet)
    assert_type(ARP(1, "02:00:00:00:00:01", "10.0.0.1", 0, "10.0.0.2").sender_ip, IPv4Address)
    assert_type(MACAddress("02:00:00:00:00:01").packed, bytes)


def read(wire: bytes, datagram: memoryview) -> None:
    """Packets and dissections from bytes."""
    packet = parse(wire)
    parse(datagram, start=VXLAN)
    parse(wire, start=LinkType.RAW, ports=[4789], bindings=DEFAULT, max_tunnels=1, original_length=1500)
    parse(wire, lengths="ip")
    reveal_type(packet)  # vxlanpkt.packet.Packet
    reveal_type(packet[VXLAN].vni)  # int
    reveal_type(packet.get(ARP))  # vxlanpkt.layers.arp.ARP | None
    reveal_type(packet.inner)  # vxlanpkt.packet.Packet
    reveal_type(packet.inner[IPv4].src)  # ipaddress.IPv4Address
    reveal_type(VXLAN in packet)  # bool
    assert_type(packet.layers, tuple[Layer, ...])
    assert_type(packet.payload, bytes)
    assert_type(packet.trailers, tuple[bytes, ...])
    assert_type(packet.replace(UDP, dst_port=8472).recompute().build(), bytes)
    assert_type(packet.recompute(UDP, TCP, checksums="all"), Packet)
    assert_type(packet.checksum_errors(), tuple[ChecksumError, ...])
    match packet.layers:
        case (Ethernet(), IPv4(dst=vtep), UDP(dst_port=4789), VXLAN(vni=vni), *inner):
            reveal_type(vtep)  # ipaddress.IPv4Address
            reveal_type(vni)  # int
            assert_type(inner, list[Layer])
    found = dissect(wire)
    assert_type(found, Dissection)
    reveal_type(found[VXLAN].vni)  # int
    reveal_type(found.get(VXLAN))  # vxlanpkt.layers.vxlan.VXLAN | None
    reveal_type(found.error)  # vxlanpkt.errors.ParseError | None
    assert_type(found.inner, Dissection)
    assert_type(DEFAULT.bind(UDP, 5000, VXLAN, replace=True), Bindings)


def tunnels(inner: bytes, wire: bytes, payload: bytes, peer: IPv6Address) -> None:
    """One tunnel, one frame."""
    tunnel = Tunnel(vni=5000, src="192.0.2.1", dst="192.0.2.2", src_mac="02:00:00:00:00:01", dst_mac=0)
    Tunnel(
        1, peer, peer, dst_port=8472, src_port=(49152, 65536), ttl="inherit", dscp="inherit", ecn="linux", df="unset",
        flow_label="hash", udp_checksum="inner", vlans=[1, 2], group_policy=7, gpe=False, symmetric=True,
        inner_ip="ovs",
    )  # fmt: skip
    reveal_type(Tunnel.linux(1, "192.0.2.1", peer, ttl="inherit"))  # vxlanpkt.tunnel.Tunnel
    reveal_type(Tunnel.ovs(1, peer, peer, 0, dst_mac=0, dst_port=8472))  # vxlanpkt.tunnel.Tunnel
    reveal_type(tunnel.encap(inner))  # bytes
    reveal_type(tunnel.encap(inner, identification=7))  # bytes
    reveal_type(tunnel.encap_payload(inner))  # vxlanpkt.tunnel.Datagram
    reveal_type(tunnel.replace(ttl=3, src="192.0.2.9", group_policy=GroupPolicy(1)))  # vxlanpkt.tunnel.Tunnel
    dst, dst_port, src_port, tos, ttl, data = tunnel.encap_payload(inner)
    assert_type(dst, IPv4Address | IPv6Address)
    assert_type((dst_port, src_port, tos, ttl), tuple[int, int, int, int])
    assert_type(data, bytes)
    assert_type(tunnel.overhead, int)
    assert_type(tunnel.inner_mtu(1500), int)
    assert_type(Datagram(dst, 1, 2, 3, 4, b"").payload, bytes)
    got = decap(wire, policy=DecapPolicy.RFC7348)
    assert_type(got, Decapsulated)
    reveal_type(got.vni)  # int
    reveal_type(got.inner)  # bytes
    reveal_type(got.outer)  # vxlanpkt.packet.Packet
    reveal_type(got.notes)  # vxlanpkt.kernel.contract.columns.Note
    reveal_type(got.link_type)  # vxlanpkt.link_types.LinkType | None
    assert_type(decap(payload, start=VXLAN, source=peer, tos=0), Decapsulated)
    policy = DecapPolicy(ports=[4789], vnis=range(10), allowed_sources=["192.0.2.0/24"], inner_vlan="strip")
    assert_type(policy.replace(ecn="rfc6040", lengths="snapped"), DecapPolicy)
    assert_type(DecapPolicy.STRICT, DecapPolicy)
    assert_type(DecapPolicy.presets(), dict[str, DecapPolicy])
    explanation = explain(payload, {"mine": policy}, start=VXLAN, source=peer)
    assert_type(explanation, Explanation)
    assert_type(explanation["mine"], Verdict)
    reveal_type(explanation["mine"].reason)  # vxlanpkt.errors.Reason
    reveal_type(explanation["mine"].error)  # vxlanpkt.errors.ParseError | None
    assert_type(flow_hash(inner, symmetric=True), int)


def bulk(frames: list[bytes], which: list[int], tunnel: Tunnel) -> None:
    """Batches."""
    batch = FrameBatch.from_frames(frames, headroom=50)
    assert_type(FrameBatch(b"", [], []), FrameBatch)
    reveal_type(batch[0])  # memoryview[int]
    reveal_type(batch[1:])  # vxlanpkt.batches.frames.FrameBatch
    out = encap_batch(batch, tunnel)
    assert_type(encap_batch(batch, [tunnel], index=[*which, NO_TUNNEL], mode="copy", out=out), EncapBatch)
    assert_type(out.accepted, list[int])
    out.raise_for_status()
    r = decap_batch(batch, policy=DecapPolicy())
    assert_type(decap_batch(batch, out=r), DecapBatch)
    reveal_type(r.vni[0])  # int
    reveal_type(r.status)  # memoryview[int]
    reveal_type(r.outer_src[0])  # ipaddress.IPv4Address | ipaddress.IPv6Address | None
    assert_type(r.inner, FrameBatch)
    for i in r.accepted:
        assert_type(r.inner[i], memoryview)
    assert_type(r.counts(), dict[Reason, int])
    reveal_type(r.error(7))  # vxlanpkt.errors.ParseError | None
    r.raise_for_status()
    chosen = Filter("vni 5000 and tcp port 443")
    reveal_type(chosen.select(r))  # memoryview[int]
    assert_type(chosen & ~chosen | Filter("arp"), Filter)
    assert_type(chosen.matches(decap(frames[0])), bool)
    assert_type(chosen.text, str)
    assert_type(vxlanpkt.backend, str)
    assert_type(Note.CUT in Note(r.notes[0]), bool)


def captures(tunnel: Tunnel) -> None:
    """Files."""
    with vxlanpkt.open("trace.pcap", ports=(4789, 8472)) as cap:
        assert_type(cap, Capture)
        for rec in cap:
            reveal_type(rec.timestamp_ns)  # int | None
            assert_type(rec.data, bytes)
            assert_type((rec.original_length, rec.link_type), tuple[int, int])
        for got in cap.decap():
            assert_type(got.vni, int)
            assert_type(got.inner, bytes)
            reveal_type(got.timestamp_ns)  # int | None
        assert_type(cap.stats.records, int)
        assert_type(cap.table(columns=["vni"], names="ecs", filter=Filter("tcp")), CaptureTable)
        assert_type(cap.table(vni=5000, addresses="binary").column_names, tuple[str, ...])
        assert_type(cap.stats.vxlan, int)
    assert_type(vxlanpkt.decap_file("trace.pcap", "inner.pcap", vni=5000, depth="all").written, int)
    assert_type(vxlanpkt.encap_file("inner.pcap", "outer.pcap", tunnel).written, int)
    assert_type(vxlanpkt.export_file("trace.pcap", "trace.parquet", columns=["vni"]).written, int)
    table = vxlanpkt.flows("trace.pcap", vni=5000, bidirectional=True)
    reveal_type(table[0])  # vxlanpkt.analysis.flow_tables.Flow
    reveal_type(table[:5])  # vxlanpkt.analysis.flow_tables.FlowTable
    reveal_type(table.top(5, by="packets"))  # vxlanpkt.analysis.flow_tables.FlowTable
    assert_type((table[0].vni, table[0].bytes, table[0].first_ns), tuple[int, int, int | None])
    assert_type([vtep.vnis for vtep in vxlanpkt.vteps("trace.pcap")], list[tuple[int, ...]])
    made = vxlanpkt.report("trace.pcap", vni=5000, top=10)
    assert_type(made.findings.overview.records, int)
    made.write("report.html")


def errors(wire: bytes) -> None:
    """What is raised, and what it says."""
    try:
        decap(wire)
    except DecapError as error:
        reveal_type(error.reason)  # vxlanpkt.errors.Reason
        reveal_type(error.packet)  # vxlanpkt.packet.Packet | None
    except TruncatedError as error:
        assert_type((error.needed, error.available, error.limited_by), tuple[int, int, str])
    except MalformedError as error:
        assert_type((error.field, error.value), tuple[str, int])
    except ChecksumError as error:
        assert_type((error.expected, error.found), tuple[int, int])
    except ParseError as error:
        assert_type((error.layer, error.offset), tuple[str, int])
    except FilterError as error:
        assert_type((error.position, error.found, error.expected), tuple[int, str, str])
    except FieldError as error:
        assert_type((error.layer, error.field, error.value, error.bits), tuple[str, str, object, int | None])
    except BuildError as error:
        assert_type((error.layer, error.field), tuple[str, str])
    except LayerNotFound as error:
        key_error: KeyError = error
        assert key_error
    except CaptureError as error:
        reveal_type(error.offset)  # int | None
    except PacketError as error:
        assert error.args


def overlay(payload: bytes, inner: bytes, batch: FrameBatch, peer: IPv4Address) -> None:
    """Forwarding: tables, and an endpoint."""
    to_b = Tunnel(5000, "192.0.2.1", "192.0.2.2")
    fdb = ForwardingTable(aging_seconds=300)
    fdb.add(5000, "02:00:00:00:00:01", to_b)
    fdb.add_flood(5000, to_b, to_b)
    vtep = Vtep(fdb, NeighbourTable())
    for tunnel, frame in vtep.encap(5000, inner, now=1.5):
        assert_type((tunnel, frame), tuple[Tunnel, bytes])
    reveal_type(vtep.encap(5000, inner, now=1).answer)  # bytes | None
    got = vtep.decap(payload, start=VXLAN, source=peer, now=2)
    assert_type(got, Decapsulated)
    sending = vtep.encap_batch(5000, batch, now=3)
    assert_type((sending.encap(), vtep.decap_batch(batch, now=4)), tuple[EncapBatch, DecapBatch])
    routes = RouteTable([("10.0.0.0/8", to_b)])
    assert_type(routes.look_up("10.0.0.1"), Tunnel | None)
    fdb.add(5000, "02:00:00:00:00:01", "192.0.2.2")  # type: ignore[arg-type]
    vtep.encap(5000, inner)  # type: ignore[call-arg]


def wrong(packet: Packet, batch: FrameBatch) -> None:
    """What has to be refused."""
    tunnel = Tunnel(1, "192.0.2.1", "192.0.2.2")
    VXLAN(vni="x")  # type: ignore[arg-type]
    VXLAN()  # type: ignore[call-arg]
    VXLAN(1).replace(vni="x")  # type: ignore[arg-type]
    VXLAN(1).replace(nope=1)  # type: ignore[call-arg]
    IPv4(src=1.5, dst="192.0.2.2")  # type: ignore[arg-type]
    packet["VXLAN"]  # type: ignore[index]
    packet[IPv4].total_length + 1  # type: ignore[operator]
    packet[IPv4].ttl = 3  # type: ignore[misc]
    packet.get(ARP).operation  # type: ignore[union-attr]
    packet.recompute(checksums="some")  # type: ignore[arg-type]
    parse("text")  # type: ignore[arg-type]
    parse(b"", 1)  # type: ignore[call-arg]
    Tunnel(1, "192.0.2.1", "192.0.2.2", "", "", 4789)  # type: ignore[call-arg]
    Tunnel(1, "192.0.2.1", "192.0.2.2", ecn="maybe")  # type: ignore[arg-type]
    tunnel.replace(nope=1)  # type: ignore[call-arg]
    tunnel.replace(vni="x")  # type: ignore[arg-type]
    tunnel.vni = 3  # type: ignore[misc]
    tunnel.encap("text")  # type: ignore[arg-type]
    DecapPolicy((4789,), None)  # type: ignore[call-arg]
    DecapPolicy(inner_vlan="maybe")  # type: ignore[arg-type]
    vxlanpkt.open("trace.pcap", (4789,))  # type: ignore[call-arg]
    DecapPolicy().replace(nope=1)  # type: ignore[call-arg]
    decap_batch(batch, tunnel)  # type: ignore[call-arg, arg-type]
    encap_batch(batch, "tunnel")  # type: ignore[arg-type]

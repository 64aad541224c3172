"""Faults that were found once: each test fails on the code as it was."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

import vxlanpkt
from vxlanpkt import (
    TCP,
    UDP,
    VXLAN,
    VXLANGPE,
    CaptureError,
    ChecksumError,
    DecapPolicy,
    Dot1Q,
    Ethernet,
    FieldError,
    FrameBatch,
    IPv4,
    IPv6,
    LinkType,
    Packet,
    ParseError,
    Reason,
    Routing,
    TruncatedError,
    Tunnel,
    TunnelTable,
    decap,
    decap_batch,
    dissect,
    encap_batch,
    parse,
)
from vxlanpkt.capture import Interface, PartialResultError, PcapngWriter, PcapWriter, Record, encap_file
from vxlanpkt.grouping import Groups
from vxlanpkt.kernel.contract.counting import Count

MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
INNER = Packet(Ethernet(*MACS), IPv4("10.0.0.1", "10.0.0.2", ecn=2), UDP(1, 2), payload=b"x" * 20).build()
TUNNEL = Tunnel(5, "192.0.2.1", "192.0.2.2", *MACS)
WIRE = TUNNEL.encap(INNER)


def refused(data: bytes | bytearray, **options: Any) -> ParseError:
    with pytest.raises(ParseError) as caught:
        decap(data, **options)
    return caught.value


def test_sources_of_another_version() -> None:
    """A prefix of one IP version takes no source of the other, mapped addresses on the wire included."""
    forged = Tunnel(5, "::ffff:192.0.2.1", "2001:db8::2", *MACS).encap(INNER)
    assert refused(forged, policy=DecapPolicy(allowed_sources=["192.0.2.0/24"])).reason is Reason.SOURCE_REFUSED
    assert refused(WIRE, policy=DecapPolicy(allowed_sources=["::/0"])).reason is Reason.SOURCE_REFUSED
    payload = TUNNEL.encap_payload(INNER).payload
    policy = DecapPolicy(allowed_sources=["192.0.2.0/24"])
    assert decap(payload, start=VXLAN, source="::ffff:192.0.2.1", policy=policy).vni == 5


def test_in_place_rows_too_near() -> None:
    """A header in place never overwrites the row before it."""
    data = bytearray(50) + bytearray(INNER) + bytearray(10) + bytearray(INNER)
    second = 60 + len(INNER)
    for offsets in ([50, 50], [50, second]):
        buffer = bytearray(data)
        result = encap_batch(
            FrameBatch(buffer, offsets, [len(INNER)] * 2, headroom=50),
            [TUNNEL, TUNNEL.replace(vni=9)], index=[0, 1], mode="in_place",
        )  # fmt: skip
        assert list(result.status) == [Reason.OK, Reason.NO_ROOM]
        assert result[0] == WIRE


@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_snaplen_is_not_kept(tmp_path: Path, suffix: str) -> None:
    """What was the limit of the source's packets is not that of longer ones."""
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    interface = Interface(LinkType.ETHERNET, snaplen=len(INNER))
    record = Record(0, INNER, len(INNER))
    if suffix == "pcap":
        with PcapWriter(source, interface) as writer:
            writer.write(record)
    else:
        with PcapngWriter(source, [interface]) as blocks:
            blocks.write(record)
    encap_file(source, target, TUNNEL)
    with vxlanpkt.open(target) as capture:
        longest = max(len(found.data) for found in capture)
        assert all(not found.snaplen or found.snaplen >= longest for found in capture.interfaces)


@pytest.mark.parametrize("beyond", [65_535, 65_536, 1 << 20])
def test_original_length_is_no_fragment(beyond: int) -> None:
    """However much the capture cut, a cut frame is no fragment."""
    big = TUNNEL.encap(Packet(Ethernet(*MACS), IPv4("10.0.0.1", "10.0.0.2"), UDP(1, 2), payload=bytes(3000)).build())
    got = decap(big[:96], policy=DecapPolicy(lengths="snapped"), original_length=96 + beyond)
    assert got.inner == big[50:96]


def test_offload_lengths_throughout() -> None:
    """Lengths of 0 are read the same way for the outer headers and for errors as for the verdict."""
    wire = bytearray(WIRE)
    wire[16:18] = wire[38:40] = bytes(2)
    policy = DecapPolicy(lengths="captured")
    got = decap(wire, policy=policy)
    assert got.inner == INNER
    assert got.outer[VXLAN].vni == 5
    assert parse(wire, lengths="captured").inner.build() == INNER
    error = refused(wire, policy=policy.replace(vnis=[6]))
    assert (error.layer, error.offset) == ("VXLAN", 42)
    wire[40:42] = b"\x12\x34"
    wrong = refused(wire, policy=policy.replace(verify_udp_checksum=True))
    assert isinstance(wrong, ChecksumError)
    assert (wrong.layer, wrong.found) == ("UDP", 0x1234)


@pytest.mark.parametrize("routing_type", [0, 2, 4, 200])
def test_checksum_behind_a_routing_header(routing_type: int) -> None:
    """The pseudo-header has the final destination (RFC 8200 section 8.1), for decap as for parse.

    Where the type of the header is not known nobody knows where that is, and it is the one in the IPv6 header.
    """
    route = Routing(routing_type, 1, bytes(4) + bytes(range(16)))
    wire = Packet(
        Ethernet(*MACS), IPv6("2001:db8::1", "2001:db8::2", extension_headers=(route,)),
        UDP(1, 4789), VXLAN(5), payload=INNER,
    ).build()  # fmt: skip
    assert parse(wire).checksum_errors() == ()
    assert decap(wire, policy=DecapPolicy(verify_udp_checksum=True)).inner == INNER


def test_linux_leaves_tagged_frames_alone() -> None:
    """Linux looks for ECN behind no tag."""
    tagged = Packet(Ethernet(*MACS), Dot1Q(7), IPv4("10.0.0.1", "10.0.0.2"), UDP(1, 2)).build()
    wire = parse(TUNNEL.encap(tagged)).replace(IPv4, ecn=3).recompute().build()
    assert decap(wire, policy=DecapPolicy.LINUX).inner == tagged
    assert refused(wire, policy=DecapPolicy.LINUX.replace(ecn="rfc6040")).reason is Reason.ECN_CONGESTION


def test_remark_behind_many_tags() -> None:
    """The mark goes into the IP header, however many tags there are before it."""
    tags = [Dot1Q(1) for _ in range(300)]
    inner = Packet(Ethernet(*MACS), *tags, IPv4("10.0.0.1", "10.0.0.2", ecn=2), UDP(1, 2)).build()
    wire = parse(TUNNEL.encap(inner)).replace(IPv4, ecn=3).recompute().build()
    got = decap(wire, policy=DecapPolicy(ecn="rfc6040")).inner
    changed = [at for at, (one, other) in enumerate(zip(inner, got, strict=True)) if one != other]
    assert min(changed) >= 14 + 4 * 300
    assert parse(got)[IPv4].ecn == 3
    assert parse(got).checksum_errors() == ()


def test_a_fragment_stays_one() -> None:
    """A first fragment is known for one by its header: copies say nothing of checksums, recompute leaves it whole."""
    first = UDP(1, 2, length=100, checksum=0x1234)
    wire = Packet(Ethernet(*MACS), IPv4("10.0.0.1", "10.0.0.2", flags=1), first, payload=bytes(16)).build()
    packet = parse(wire)
    copy = pickle.loads(pickle.dumps(packet))
    assert packet.checksum_errors() == copy.checksum_errors() == ()
    assert packet.recompute().build() == wire
    cut = parse(WIRE[:100], original_length=len(WIRE))
    assert pickle.loads(pickle.dumps(cut)).missing == cut.missing == len(WIRE) - 100


def test_items_wider_than_a_byte() -> None:
    """A length is counted in bytes, whatever the view's items are."""
    frame = INNER + bytes(-len(INNER) % 4)
    assert TUNNEL.encap(memoryview(frame).cast("I")) == TUNNEL.encap(frame)


def test_surplus_trailers() -> None:
    """Trailers belong to the layers that they are given with."""
    inner = Packet(IPv4("10.0.0.1", "10.0.0.2"), UDP(1, 2), trailers=(b"", b"T"))
    with pytest.raises(vxlanpkt.BuildError):
        Packet(Ethernet(*MACS), payload=inner, trailers=(b"", b"XX"))


def test_errors_as_the_policy_reads() -> None:
    """An error speaks of the headers as the policy takes them, GPE or not."""
    header = bytes([0x0C, 0, 0, 1, 0, 0, 1, 0])
    short = refused(header + bytes(13), start=VXLANGPE)
    assert (short.layer, short.offset, vars(short)["needed"], vars(short)["available"]) == ("Ethernet", 8, 14, 13)
    clear = refused(bytes([0x04]) + header[1:] + bytes(20), start=VXLANGPE)
    assert (clear.reason, clear.offset) == (Reason.VXLAN_I_FLAG, 0)
    bare = Tunnel(1, "192.0.2.1", "192.0.2.2", *MACS, dst_port=4790, gpe=True)
    wire = bare.encap(bytes([0x45]) + bytes(9), start=LinkType.RAW)
    error = refused(wire, policy=DecapPolicy(ports=[4790], gpe=True, check_inner_length=True))
    assert (error.reason, error.offset) == (Reason.INNER_LENGTH, 50)
    got = decap(parse(WIRE).replace(VXLAN, flags=0x0C).build())
    assert got.outer[VXLAN].flags == 0x0C
    zero = parse(WIRE).replace(UDP, dst_port=0).build()
    assert decap(zero, policy=DecapPolicy(ports=[0])).outer[VXLAN].vni == 5


def test_slices_of_views() -> None:
    """A batch can be sliced with a step, whatever its columns are."""
    lengths = memoryview(bytearray(b"\1\0\0\0" * 4)).cast("I")
    offsets = memoryview(bytearray(b"".join(n.to_bytes(8, "little") for n in range(4)))).cast("Q")
    assert [bytes(row) for row in FrameBatch(b"abcd", offsets, lengths)[::2]] == [b"a", b"c"]


@pytest.mark.parametrize(
    "call",
    [
        lambda: parse(WIRE, ports=4789),  # type: ignore[arg-type]
        lambda: parse(5),  # type: ignore[arg-type]
        lambda: decap(5),  # type: ignore[arg-type]
        lambda: dissect(WIRE, start=[]),  # type: ignore[arg-type]
        lambda: dissect(WIRE, start=object),  # type: ignore[arg-type]
        lambda: Tunnel(1, "192.0.2.1", "192.0.2.2", vlans=None),  # type: ignore[arg-type]
        lambda: DecapPolicy(ports=None),  # type: ignore[arg-type]
        lambda: DecapPolicy(own_macs=5),  # type: ignore[arg-type]
        lambda: DecapPolicy(own_macs=["x"]),
        lambda: DecapPolicy(allowed_sources=5),  # type: ignore[arg-type]
        lambda: decap(WIRE, tos=-1),
        lambda: decap(WIRE, tos="a"),  # type: ignore[arg-type]
        lambda: decap(WIRE, tos=True),
    ],
)
def test_wrong_arguments(call: Any) -> None:
    """A wrong argument is a FieldError, never a bare TypeError."""
    with pytest.raises(FieldError):
        call()


def test_no_port_below_tcp() -> None:
    """The table of UDP ports says nothing of TCP."""
    assert VXLAN not in dissect(Packet(Ethernet(*MACS), IPv4("10.0.0.1", "10.0.0.2"), TCP(1, 4789)).build())


def test_held_values_pickle() -> None:
    """What a kernel holds of a value is no part of it: used ones pickle and copy as fresh ones do."""
    tunnel = Tunnel(1, "192.0.2.1", "192.0.2.2")
    table = TunnelTable([tunnel])
    policy = DecapPolicy(ports=[4789])
    got = decap(tunnel.encap(bytes(14)), policy=policy)
    encap_batch(FrameBatch.from_frames([bytes(14)]), table, index=[0])
    for value in (tunnel, table, policy):
        assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    copied = pickle.loads(pickle.dumps(got))
    assert (copied.inner, copied.record, copied.outer) == (got.inner, got.record, got.outer)
    assert pickle.loads(pickle.dumps(copied)).record == got.record


@pytest.mark.parametrize("policy", [DecapPolicy(), DecapPolicy.STRICT])
def test_gpe_is_judged_without_a_next_protocol(policy: DecapPolicy) -> None:
    """GPE's version and O bit mean what they mean whether P is set or not, for a frame and in bulk."""
    gpe = policy.replace(ports=[4790], gpe=True)
    plain = parse(TUNNEL.replace(dst_port=4790).encap(INNER), ports=[4790])
    reasons = {0x08: Reason.OK, 0x18: Reason.GPE_VERSION, 0x39: Reason.GPE_VERSION, 0x09: Reason.GPE_OAM}
    frames = [plain.replace(VXLAN, flags=flags).build() for flags in reasons]
    result = decap_batch(FrameBatch.from_frames(frames), policy=gpe)
    assert list(result.status) == list(reasons.values())
    for frame, reason in zip(frames, reasons.values(), strict=True):
        if reason is Reason.OK:
            assert decap(frame, policy=gpe).inner == INNER
        else:
            assert (refused(frame, policy=gpe).reason, refused(frame, policy=gpe).offset) == (reason, 42)


@pytest.mark.parametrize("lengths", ["strict", "snapped"])
def test_a_payload_that_the_capture_cut(lengths: Any) -> None:
    """A bare payload has no IP length that would tell: what the capture says counts."""
    payload = bytes.fromhex("0800000000000500") + WIRE[-60:]
    policy = DecapPolicy(lengths=lengths)
    if lengths == "snapped":
        got = decap(payload, start=VXLAN, policy=policy, original_length=len(payload) + 7)
        assert (got.inner, got.inner_original_length) == (WIRE[-60:], 67)
        return
    with pytest.raises(TruncatedError, match="limited by capture") as caught:
        decap(payload, start=VXLAN, policy=policy, original_length=len(payload) + 7)
    assert caught.value.reason is Reason.CAPTURE_CUT
    assert (caught.value.needed, caught.value.available) == (len(payload) + 7, len(payload))


@pytest.mark.parametrize("kept", [0, 3])
def test_a_payload_without_its_header(kept: int) -> None:
    """The capture kept nothing of a bare payload, or less than the header."""
    with pytest.raises(TruncatedError, match="VXLAN at byte 0: the capture kept only part of the frame") as caught:
        decap(bytes(kept), start=VXLAN, original_length=kept + 1)
    error = caught.value
    assert (error.reason, error.layer, error.offset) == (Reason.CAPTURE_CUT, "VXLAN", 0)
    assert (error.needed, error.available, error.limited_by) == (8, kept, "capture")


def test_an_empty_path_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken for a name in the directory above the working one, after all had been written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsADirectoryError):
        PcapWriter("", Interface())
    assert not [*tmp_path.iterdir()] and not [*tmp_path.parent.glob("*.part")]


def test_a_name_that_becomes_a_directory_meanwhile_leaves_no_file(tmp_path: Path) -> None:
    """What was written under another name stayed beside it."""
    target = tmp_path / "out.pcap"
    writer = PcapWriter(target, Interface())
    target.mkdir()
    with pytest.raises(OSError, match=r"out\.pcap"):
        writer.close()
    assert [*tmp_path.iterdir()] == [target]


def test_a_closed_series_is_a_fault_of_the_caller() -> None:
    """It counted nothing, and said that as a result."""
    series = vxlanpkt.open(["tests/data/flannel_v4.pcap", "tests/data/flannel_v4.pcapng"])
    vxlanpkt.flows(series)
    series.close()
    with pytest.raises(CaptureError, match="has been closed") as found:
        vxlanpkt.flows(series)
    assert not isinstance(found.value, PartialResultError)


@pytest.mark.parametrize(
    ("counts", "wrong"),
    [
        ([(Groups({"vni": "I"}, seed=b""), Count(("vni", "status")))], "make their keys"),
        ([(Groups({"vni": "I"}, seed=b""), Count(("colour",)))], "a column of records"),
        ([(Groups({"vni": "I"}, seed=b""), Count(("vni",), lengths="colour"))], "a column of records"),
        ([(Groups({"vni": "I"}, seed=b""), Count(("status",) * 17))], "make their keys"),
        ([(table := Groups({"vni": "I"}, seed=b""), Count(("vni",))), (table, Count(("vni",)))], "each of them once"),
    ],
)
def test_counts_that_cannot_be(counts: Any, wrong: str) -> None:
    """They ended in an assertion, or in an error that blamed the capture."""
    with vxlanpkt.open("tests/data/flannel_v4.pcap") as capture, pytest.raises(FieldError, match=wrong):
        [*capture.count(counts)]

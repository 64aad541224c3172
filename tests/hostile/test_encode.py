"""What cannot be put on the wire is refused when it is built, and nothing ever wraps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vxlanpkt import (
    ARP,
    TCP,
    UDP,
    VXLAN,
    VXLANGPE,
    Dot1Q,
    Ethernet,
    FrameBatch,
    IPv4,
    IPv6,
    MACAddress,
    Packet,
    Tunnel,
    encap_batch,
    parse,
)
from vxlanpkt.errors import BuildError, FieldError, Reason

few = settings(max_examples=max(30, settings().max_examples // 100))

MACS: dict[str, Any] = {"src_mac": "02:00:00:00:00:01", "dst_mac": "02:00:00:00:00:02"}
TUNNEL4 = Tunnel(vni=5000, src="192.0.2.1", dst="192.0.2.2", **MACS)
TUNNEL6 = Tunnel(vni=5000, src="2001:db8::1", dst="2001:db8::2", **MACS)
# The greatest inner frame: 65,535 of total length without the 20 + 8 + 8 bytes of headers, or of payload
# length, which does not count IPv6's own header, without 8 + 8.
LIMITS = [(TUNNEL4, 65_499), (TUNNEL6, 65_519)]
limits = pytest.mark.parametrize(("tunnel", "limit"), LIMITS, ids=["ipv4", "ipv6"])


def frame_of(size: int) -> bytes:
    """An inner frame of a local experimental EtherType."""
    return bytes.fromhex("02000000b0b002000000a1a188b5") + bytes(size - 14)


def refused(call: Callable[[], object], field: str | None = None) -> FieldError:
    with pytest.raises(FieldError) as caught:
        call()
    if field is not None:
        assert caught.value.field == field
    assert isinstance(caught.value, ValueError)
    return caught.value


@pytest.mark.parametrize("vni", [1 << 24, (1 << 24) + 1, 1 << 32, -1, -(1 << 24)])
def test_vni_beyond_24_bits(vni: int) -> None:
    """A VNI has 24 bits: anything else is refused, never wrapped."""
    for layer in (VXLAN, VXLANGPE):
        error = refused(lambda layer=layer: layer(vni=vni), "vni")  # type: ignore[misc]
        assert (error.layer, error.value, error.bits) == (layer.NAME, vni, 24)
    refused(lambda: VXLAN.with_group_policy(vni, 1), "vni")
    refused(lambda: VXLAN(vni=1).replace(vni=vni), "vni")
    error = refused(lambda: Tunnel(vni=vni, src="192.0.2.1", dst="192.0.2.2", **MACS), "vni")
    assert (error.value, error.bits) == (vni, 24)
    refused(lambda: TUNNEL4.replace(vni=vni), "vni")


@limits
@pytest.mark.parametrize("over", [1, 2, 17, 37, 1 << 16])
def test_inner_too_long(tunnel: Tunnel, limit: int, over: int) -> None:
    """An inner frame that does not fit one IP datagram is refused; lengths never wrap."""
    with pytest.raises(BuildError):
        tunnel.encap(frame_of(limit + over))
    with pytest.raises(BuildError):
        tunnel.encap_payload(frame_of(limit + over))


@limits
def test_greatest_inner(tunnel: Tunnel, limit: int) -> None:
    """The greatest inner frame that fits is carried, and its lengths are the greatest that there are."""
    wire = tunnel.encap(frame_of(limit))
    packet = parse(wire)
    outer: Any = packet.layers[1]
    assert 65_535 in (getattr(outer, "total_length", None), getattr(outer, "payload_length", None))
    assert wire[-limit:] == frame_of(limit)
    assert tunnel.encap_payload(frame_of(limit)).payload[8:] == frame_of(limit)


@limits
def test_inner_too_long_in_a_batch(tunnel: Tunnel, limit: int) -> None:
    """In bulk the row gets a status of its own; its neighbours are encapsulated."""
    sizes = [60, limit, limit + 1, 65_536, 60]
    result = encap_batch(FrameBatch.from_frames([frame_of(size) for size in sizes]), tunnel)
    assert [Reason(status) for status in result.status] == [
        Reason.OK, Reason.OK, Reason.INNER_TOO_LONG, Reason.INNER_TOO_LONG, Reason.OK,
    ]  # fmt: skip
    assert list(result.accepted) == [0, 1, 4]
    assert list(result.lengths)[2:4] == [0, 0]
    with pytest.raises(BuildError):
        result.raise_for_status()


@pytest.mark.parametrize("mac", [b"12345", b"1234567", b"", "02:00:00:00:01", "02:00:00:00:00:00:01", 1 << 48, -1])
def test_mac_of_another_size(mac: bytes | str | int) -> None:
    """A MAC address has 6 bytes."""
    refused(lambda: MACAddress(mac))
    refused(lambda: Ethernet(dst=mac, src="02:00:00:00:00:01"), "dst")
    refused(lambda: Ethernet(dst="02:00:00:00:00:01", src=mac), "src")
    refused(lambda: ARP(1, sender_mac=mac, sender_ip="10.0.0.1", target_mac=0, target_ip="10.0.0.2"), "sender_mac")
    for side in ("src_mac", "dst_mac"):
        fields: dict[str, Any] = {"vni": 1, "src": "192.0.2.1", "dst": "192.0.2.2", **MACS, side: mac}
        refused(lambda fields=fields: Tunnel(**fields), side)  # type: ignore[misc]


REFUSED: dict[str, tuple[str | None, dict[str, Any]]] = {
    "families: 4 to 6": (None, {"dst": "2001:db8::2"}),
    "families: 6 to 4": (None, {"src": "2001:db8::1"}),
    "multicast source": ("src", {"src": "239.1.1.1"}),
    "multicast source, IPv6": ("src", {"src": "ff05::1", "dst": "ff05::2"}),
    "destination port 0": ("dst_port", {"dst_port": 0}),
    "destination port of 17 bits": ("dst_port", {"dst_port": 1 << 16}),
    "destination port below 0": ("dst_port", {"dst_port": -1}),
    "source port of 17 bits": ("src_port", {"src_port": 1 << 16}),
    "source port below 0": ("src_port", {"src_port": -1}),
    "source ports turned round": ("src_port", {"src_port": (50_000, 49_999)}),
    "source ports of 17 bits": ("src_port", {"src_port": (49_152, 65_537)}),
    "ttl of 9 bits": ("ttl", {"ttl": 256}),
    "ttl below 0": ("ttl", {"ttl": -1}),
    "ttl by a word unknown": ("ttl", {"ttl": "outer"}),
    "dscp of 7 bits": ("dscp", {"dscp": 64}),
    "dscp by a word unknown": ("dscp", {"dscp": "copy"}),
    "ecn by a word unknown": ("ecn", {"ecn": "rfc3168"}),
    "df by a word unknown": ("df", {"df": "maybe"}),
    "flow label of 21 bits": ("flow_label", {"flow_label": 1 << 20, "src": "2001:db8::1", "dst": "2001:db8::2"}),
    "checksum by a word unknown": ("udp_checksum", {"udp_checksum": "half"}),
    "vlan of 13 bits": (None, {"vlans": (4096,)}),
    "policy id of 17 bits": (None, {"group_policy": 1 << 16}),
    "no address": ("src", {"src": "192.0.2.256"}),
    "no address at all": ("dst", {"dst": "example.net"}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tunnels_that_cannot_be(name: str) -> None:
    """A tunnel is refused when it is made, not when the first frame is to go through it."""
    field, changes = REFUSED[name]
    fields: dict[str, Any] = {"vni": 1, "src": "192.0.2.1", "dst": "192.0.2.2", **MACS}
    Tunnel(**fields)
    refused(lambda: Tunnel(**{**fields, **changes}), field)
    refused(lambda: Tunnel(**fields).replace(**changes), field)


def test_multicast_destination_is_no_fault() -> None:
    """Only the source must not be a group: BUM traffic goes to one (RFC 7348 4.2)."""
    Tunnel(vni=1, src="192.0.2.1", dst="239.1.1.1", **MACS)
    Tunnel(vni=1, src="2001:db8::1", dst="ff05::1", **MACS)


def test_identification_is_needed_without_df() -> None:
    """Without DF the identification has to be unique (RFC 6864), and a frozen value cannot count."""
    tunnel = TUNNEL4.replace(df="unset")
    refused(lambda: tunnel.encap(frame_of(60)))
    assert parse(tunnel.encap(frame_of(60), identification=7))[IPv4].identification == 7
    for identification in (-1, 1 << 16):
        refused(lambda identification=identification: tunnel.encap(frame_of(60), identification=identification))  # type: ignore[misc]


WIDTHS: list[tuple[str, str, int, Callable[[int], object]]] = [
    ("VXLAN", "vni", 24, lambda value: VXLAN(vni=value)),
    ("VXLAN", "flags", 8, lambda value: VXLAN(vni=0, flags=value)),
    ("VXLAN", "reserved1", 24, lambda value: VXLAN(vni=0, reserved1=value)),
    ("VXLAN", "reserved2", 8, lambda value: VXLAN(vni=0, reserved2=value)),
    ("VXLANGPE", "next_protocol", 8, lambda value: VXLANGPE(vni=0, next_protocol=value)),
    ("VXLANGPE", "version", 2, lambda value: VXLANGPE(vni=0, version=value)),
    ("VXLANGPE", "reserved1", 16, lambda value: VXLANGPE(vni=0, reserved1=value)),
    ("Ethernet", "ethertype", 16, lambda value: Ethernet(dst=0, src=0, ethertype=value)),
    ("Dot1Q", "vid", 12, lambda value: Dot1Q(vid=value)),
    ("Dot1Q", "pcp", 3, lambda value: Dot1Q(vid=0, pcp=value)),
    ("Dot1Q", "dei", 1, lambda value: Dot1Q(vid=0, dei=value)),
    ("IPv4", "dscp", 6, lambda value: IPv4("10.0.0.1", "10.0.0.2", dscp=value)),
    ("IPv4", "ecn", 2, lambda value: IPv4("10.0.0.1", "10.0.0.2", ecn=value)),
    ("IPv4", "identification", 16, lambda value: IPv4("10.0.0.1", "10.0.0.2", identification=value)),
    ("IPv4", "flags", 3, lambda value: IPv4("10.0.0.1", "10.0.0.2", flags=value)),
    ("IPv4", "fragment_offset", 13, lambda value: IPv4("10.0.0.1", "10.0.0.2", fragment_offset=value)),
    ("IPv4", "ttl", 8, lambda value: IPv4("10.0.0.1", "10.0.0.2", ttl=value)),
    ("IPv4", "version", 4, lambda value: IPv4("10.0.0.1", "10.0.0.2", version=value)),
    ("IPv4", "ihl", 4, lambda value: IPv4("10.0.0.1", "10.0.0.2", ihl=value)),
    ("IPv4", "total_length", 16, lambda value: IPv4("10.0.0.1", "10.0.0.2", total_length=value)),
    ("IPv4", "protocol", 8, lambda value: IPv4("10.0.0.1", "10.0.0.2", protocol=value)),
    ("IPv4", "header_checksum", 16, lambda value: IPv4("10.0.0.1", "10.0.0.2", header_checksum=value)),
    ("IPv6", "flow_label", 20, lambda value: IPv6("::1", "::2", flow_label=value)),
    ("IPv6", "hop_limit", 8, lambda value: IPv6("::1", "::2", hop_limit=value)),
    ("IPv6", "payload_length", 16, lambda value: IPv6("::1", "::2", payload_length=value)),
    ("IPv6", "next_header", 8, lambda value: IPv6("::1", "::2", next_header=value)),
    ("UDP", "src_port", 16, lambda value: UDP(value, 0)),
    ("UDP", "dst_port", 16, lambda value: UDP(0, value)),
    ("UDP", "length", 16, lambda value: UDP(0, 0, length=value)),
    ("UDP", "checksum", 16, lambda value: UDP(0, 0, checksum=value)),
    ("TCP", "sequence_number", 32, lambda value: TCP(0, 0, sequence_number=value)),
    ("TCP", "acknowledgment_number", 32, lambda value: TCP(0, 0, acknowledgment_number=value)),
    ("TCP", "data_offset", 4, lambda value: TCP(0, 0, data_offset=value)),
    ("TCP", "window", 16, lambda value: TCP(0, 0, window=value)),
]


@pytest.mark.parametrize(("layer", "field", "bits", "make"), WIDTHS, ids=[f"{row[0]}.{row[1]}" for row in WIDTHS])
@few
@given(data=st.data())
def test_widths(layer: str, field: str, bits: int, make: Callable[[int], object], data: st.DataObject) -> None:
    """A field takes every value of its width, and refuses every other, by name."""
    inside = data.draw(st.integers(0, (1 << bits) - 1))
    assert getattr(make(inside), field) == inside
    outside = data.draw(st.integers(min_value=1 << bits) | st.integers(max_value=-1))
    with pytest.raises(FieldError) as caught:
        make(outside)
    assert (caught.value.layer, caught.value.field) == (layer, field)
    assert (caught.value.value, caught.value.bits) == (outside, bits)


IP4, IP6 = IPv4("10.0.0.1", "10.0.0.2"), IPv6("fd00::1", "fd00::2")
TOO_LONG: dict[str, tuple[str, str, Packet]] = {
    "total length": ("IPv4", "total_length", Packet(IP4.replace(protocol=253), payload=bytes(65_516))),
    "total length with options": (
        "IPv4", "total_length", Packet(IP4.replace(protocol=253, options=bytes(4)), payload=bytes(65_512)),
    ),
    "payload length": ("IPv6", "payload_length", Packet(IP6.replace(next_header=253), payload=bytes(65_536))),
    "UDP length": ("UDP", "length", Packet(IP6, UDP(1, 2), payload=bytes(65_528))),
    "UDP length in a total length that is given": (
        "UDP", "length", Packet(IP4.replace(total_length=9), UDP(1, 2, checksum=0), payload=bytes(65_528)),
    ),
    "data offset": ("TCP", "data_offset", Packet(IP4, TCP(1, 2, options=bytes(44)))),
    "ihl": ("IPv4", "ihl", Packet(IP4.replace(options=bytes(44)), UDP(1, 2))),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_LONG)
def test_derived_values_that_do_not_fit(name: str) -> None:
    """A length that is to be computed and does not fit is refused; it never wraps."""
    layer, field, packet = TOO_LONG[name]
    for build in (packet.build, packet.resolve):
        with pytest.raises(BuildError) as caught:
            build()
        assert (caught.value.layer, caught.value.field) == (layer, field)
        assert isinstance(caught.value, ValueError)


def test_what_follows_has_to_be_said() -> None:
    """A field that names what follows is derived only where something known follows."""
    for packet in (Packet(Ethernet(dst=1, src=2), payload=b"?"), Packet(IP4, payload=b"?"), Packet(IP6, payload=b"?"),
                   Packet(Ethernet(dst=1, src=2), UDP(1, 2)), Packet(VXLANGPE(vni=1), payload=b"?")):  # fmt: skip
        with pytest.raises(BuildError):
            packet.build()


def test_no_pseudo_header() -> None:
    """A checksum over a pseudo-header cannot be computed without an IP layer below."""
    with pytest.raises(BuildError):
        Packet(UDP(1, 2)).build()
    assert Packet(UDP(1, 2, checksum=0)).build() == bytes.fromhex("0001000200080000")


def test_zero_is_a_value() -> None:
    """None means compute; 0 is sent as 0."""
    packet = Packet(
        Ethernet(dst=1, src=2, ethertype=0),
        IP4.replace(ihl=0, total_length=0, protocol=0, header_checksum=0),
        UDP(1, 2, length=0, checksum=0),
        VXLAN(vni=0, flags=0),
        payload=b"x",
    )
    wire = packet.build()
    assert wire[12:16] == bytes.fromhex("00004000")
    assert (wire[16:18], wire[23], wire[24:26]) == (b"\0\0", 0, b"\0\0")
    assert wire[38:42] == bytes(4)
    assert wire[42:] == bytes(8) + b"x"
    assert packet.resolve() == packet


@few
@given(st.integers(0, 0xFFFF))
def test_computed_zero_is_sent_as_all_ones(word: int) -> None:
    """RFC 768: a computed checksum of 0 is sent as 0xffff; 0 would mean that there is none."""
    packet = Packet(IP4, UDP(1, 2), payload=word.to_bytes(2, "big"))
    first = packet.resolve()[UDP].require("checksum")
    assert first != 0
    # Adding the checksum itself to what is summed makes the sum 0xffff, and its complement 0.
    filled = Packet(IP4, UDP(1, 2), payload=((word + first) % 0xFFFF).to_bytes(2, "big"))
    assert filled.build()[26:28] == b"\xff\xff"

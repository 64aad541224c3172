"""Packets and dissections to look things up in: what is there, what is not, and what a line says of them."""

from __future__ import annotations

from typing import Any

import pytest

from vxlanpkt import (
    ARP,
    TCP,
    UDP,
    VXLAN,
    Around,
    BuildError,
    DecapPolicy,
    Ethernet,
    FieldError,
    IPv4,
    IPv6,
    LayerNotFound,
    LinkType,
    Note,
    Packet,
    Reason,
    TruncatedError,
    Tunnel,
    decap,
    dissect,
    parse,
)

MACS = ("02:00:00:00:00:02", "02:00:00:00:00:01")
INNER = Packet(Ethernet(*MACS), IPv4("10.0.0.1", "10.0.0.2"), UDP(1, 2), payload=b"data").build()
TUNNEL = Tunnel(7, "192.0.2.1", "192.0.2.2", *MACS)
WIRE = TUNNEL.encap(INNER)


def refused(call: Any, field: str) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.field == field


@pytest.mark.parametrize("found", [parse(WIRE), dissect(WIRE), Packet(*parse(WIRE).layers)], ids=repr)
def test_look_ups(found: Any) -> None:
    """A layer by its type, in all of it or behind the tunnel; one that is not there is named with those that are."""
    assert found[VXLAN].vni == 7
    assert found[UDP].dst_port == 4789
    inner = found.inner
    assert found.inner == inner
    assert inner[UDP].dst_port == 2
    assert [type(layer) for layer in inner.layers] == [Ethernet, IPv4, UDP]
    with pytest.raises(LayerNotFound, match=r"no TCP in .*Ethernet.*IPv4.*UDP.*VXLAN"):
        _ = found[TCP]
    with pytest.raises(LayerNotFound, match="no tunnel header in"):
        _ = inner.inner
    with pytest.raises(LayerNotFound, match="no VXLAN in"):
        _ = inner[VXLAN]


def test_what_a_dissection_begins_with() -> None:
    """As it was told; behind a tunnel header, with the layer that is there."""
    assert dissect(WIRE[14:], start=LinkType.RAW).start is LinkType.RAW
    assert dissect(WIRE).start is LinkType.ETHERNET
    assert dissect(WIRE).inner.start is LinkType.ETHERNET
    gpe = TUNNEL.replace(gpe=True, dst_port=4790).encap(INNER[14:], start=IPv4)
    assert dissect(gpe, ports=(4789,)).start is LinkType.ETHERNET
    assert dissect(gpe).inner.start is IPv4


def test_which_layers_are_whole() -> None:
    """Those whose content lies before the place where a capture cut; counted from the end too, as in a tuple."""
    found = dissect(WIRE[:-1], original_length=len(WIRE))
    assert [found.is_whole(index) for index in range(len(found))] == [False] * len(found)
    assert all(dissect(WIRE).is_whole(index) for index in (0, 3, -1))
    with pytest.raises(IndexError):
        found.is_whole(len(found))


def test_how_packets_print() -> None:
    """In a line: the layers and what is behind them."""
    assert repr(parse(WIRE)) == "<Packet Ethernet/IPv4/UDP/VXLAN/Ethernet/IPv4/UDP, payload of 4 bytes>"
    assert repr(Packet(payload=b"x")) == "<Packet no layers, payload of 1 bytes>"
    assert repr(decap(WIRE)) == f"<Decapsulated VNI 7, inner frame of {len(INNER)} bytes>"


def test_recompute_of_some_layers() -> None:
    """Those that are named are done anew, and no others; the word for checksums is one of two."""
    lies = parse(WIRE).replace(IPv4, total_length=9).replace(UDP, length=9)
    mended = lies.recompute(IPv4)
    assert mended[IPv4].total_length == parse(WIRE)[IPv4].total_length
    assert mended[UDP].length == 9
    word: Any = "none"
    refused(lambda: lies.recompute(checksums=word), "checksums")


def test_arguments_refused() -> None:
    """What a frame is said to begin with, how its lengths are read, how many tunnels: each error names its argument."""
    wrong: Any = "most"
    refused(lambda: dissect(WIRE, lengths=wrong), "lengths")
    for tunnels in (-1, 1.5):
        count: Any = tunnels
        refused(lambda count=count: dissect(WIRE, max_tunnels=count), "max_tunnels")
    refused(lambda: decap(WIRE, start=UDP), "start")
    refused(lambda: decap(TUNNEL.encap_payload(INNER).payload, start=VXLAN, source="nowhere"), "source")
    refused(lambda: DecapPolicy(allowed_sources=["192.0.2.1/24"]), "allowed_sources")


def test_a_pseudo_header_for_a_layer_of_ones_own() -> None:
    """`Around` has the sum of the nearest IP layer, whatever stands between; without one nothing can be summed."""
    inner, outer = IPv4("10.0.0.1", "10.0.0.2"), IPv6("2001:db8::1", "2001:db8::2")
    around = Around((outer, UDP(1, 2), inner, ARP(1, 0, 0, 0, 0)), b"content")
    assert around.pseudo_header_sum(200, 7, "Mine") == inner.pseudo_header_sum(200, 7)
    with pytest.raises(BuildError, match=r"Mine\.checksum") as caught:
        Around((Ethernet(*MACS),), b"").pseudo_header_sum(200, 0, "Mine")
    assert (caught.value.layer, caught.value.field) == ("Mine", "checksum")


def test_what_decap_knows() -> None:
    """Flags and reserved bits as they were sent, the group, what was cut."""
    wire = TUNNEL.replace(group_policy=9).encap(INNER)
    got = decap(wire)
    assert (got.flags, got.reserved, got.notes) == (0x88000009, 0, 0)
    assert got.group_policy is not None
    assert got.group_policy.policy_id == 9
    assert decap(WIRE).group_policy is None
    part = decap(wire[:-3], original_length=len(wire), policy=DecapPolicy(lengths="snapped"))
    assert part.notes == Note.CUT
    assert (len(part.inner), part.inner_original_length) == (len(INNER) - 3, len(INNER))


def test_what_a_capture_cut() -> None:
    """A header that the capture has in part is no lie of its sender's: the error says so, and `missing` how much."""
    found = dissect(WIRE[:20], original_length=len(WIRE))
    assert isinstance(found.error, TruncatedError)
    assert (found.error.reason, found.error.limited_by) == (Reason.CAPTURE_CUT, "capture")
    assert (found.error.needed, found.error.available, found.missing) == (20, 6, len(WIRE) - 20)


def test_packets_as_values() -> None:
    """Equal ones are one key; one without layers is its payload."""
    assert {parse(WIRE): 1}[Packet(*parse(WIRE).layers, payload=b"data")] == 1
    assert Packet(payload=b"data").build() == b"data"


@pytest.mark.parametrize("payload", [b"odd", b"even"])
def test_a_trailer_behind_an_odd_packet(payload: bytes) -> None:
    """What the outer checksum takes from the inner one holds for what stands behind the inner packet too."""
    inner = parse(INNER).replace(UDP, length=None, checksum=None).replace(IPv4, total_length=None, header_checksum=None)
    frame = Packet(*inner.layers, payload=payload).build() + b"\1\2\3"
    full, believing = (TUNNEL.replace(udp_checksum=how).encap(frame) for how in ("full", "inner"))
    assert believing == full
    assert parse(believing).checksum_errors() == ()

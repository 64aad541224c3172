"""The printed tree: what a person sees of a packet."""

from __future__ import annotations

from vxlanpkt import ICMP, UDP, VXLAN, Echo, Ethernet, HopByHop, IPv4, IPv6, Packet, Tunnel, dissect

MACS = ("02:00:00:00:00:02", "02:00:00:00:00:01")


def test_messages_and_extension_headers() -> None:
    """What is inside a header is printed as plainly as the header: no Python spellings."""
    inner = Packet(
        Ethernet(*MACS), IPv4("10.0.0.1", "10.0.0.2"), ICMP(8, body=Echo(1, 2, bytes(40)))
    ).build()  # fmt: skip
    outer = Packet(
        Ethernet(*MACS), IPv6("2001:db8::1", "2001:db8::2", extension_headers=(HopByHop(b"\1\4\0\0\0\0"),)),
        UDP(50000, 4789, checksum=0), VXLAN(7), payload=inner,
    ).build()  # fmt: skip
    lines = str(dissect(outer)).splitlines()
    assert (
        "extension_headers HopByHop(options 6 bytes: 0104 0000 0000, next_header 17 (UDP), length_field 0)" in lines[1]
    )
    assert lines[3] == "VXLAN     vni 7, flags 0x08 (I)"
    assert lines[4].startswith("  Ethernet  dst 02:00:00:00:00:02, ")
    assert "body Echo(identifier 0x0001" not in lines[6]
    assert "body Echo(identifier 1, sequence_number 2, data 40 bytes: 0000 " in lines[6]
    assert "b'" not in str(dissect(outer))


def test_broken_packet() -> None:
    """A broken packet is printed as far as it goes, with the fault."""
    wire = Tunnel(7, "192.0.2.1", "192.0.2.2").encap(
        Packet(Ethernet(*MACS), IPv4("10.0.0.1", "10.0.0.2", protocol=17)).build()
    )
    lines = str(dissect(wire)).splitlines()
    assert lines[-1].startswith("  ! UDP at byte 84: the header is cut")

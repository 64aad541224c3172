"""The printed tree: what a person sees of a packet."""

from __future__ import annotations

import xml.etree.ElementTree as ET

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


def test_a_value_that_is_still_to_be_computed() -> None:
    """It is a dash: 0 would say something."""
    lines = str(Packet(UDP(1, 2, checksum=0))).splitlines()
    assert lines == ["UDP       src_port 1, dst_port 2, length -, checksum 0x0000"]


def test_html() -> None:
    """For notebooks the same as tables: what is behind a tunnel header is one inside; what is printed is escaped."""
    tunnel = Tunnel(7, "192.0.2.1", "192.0.2.2", udp_checksum="zero")
    inner = Packet(Ethernet(*MACS), IPv4("10.0.0.1", "10.0.0.2"), UDP(1, 2), payload=b"<b>", trailers=(b"\0\0",))
    packet = dissect(tunnel.encap(inner.build()))
    table = ET.fromstring(packet._repr_html_())
    heads = [row.findtext("th") for row in table.findall("tbody/tr")]
    assert heads == ["Ethernet", "IPv4", "UDP", "VXLAN", None]
    (nested,) = table.findall("tbody/tr/td/table")
    rows = {row.findtext("th"): "".join(row.itertext()) for row in nested.findall("tbody/tr")}
    assert list(rows) == ["Ethernet", "IPv4", "trailer", "UDP", "payload"]
    assert rows["payload"] == f"payload{str(packet).splitlines()[-1].split('payload', 1)[1].strip()}"
    assert rows["trailer"].startswith("trailer2 bytes")


def test_html_of_a_broken_packet() -> None:
    """The fault stands where the packet ends; a packet of no layers is its payload."""
    table = ET.fromstring(dissect(Tunnel(7, "192.0.2.1", "192.0.2.2").encap(bytes(20))[:40])._repr_html_())
    assert table.findall("tbody/tr")[-1].findtext("th") == "fault"
    assert "IPv4 at byte 14: the total length is beyond the bytes there" in "".join(table.itertext())
    table = ET.fromstring(Packet(UDP(1, 2))._repr_html_())
    assert [row.findtext("th") for row in table.findall("tbody/tr")] == ["UDP"]
    table = ET.fromstring(Packet(payload=b"ab")._repr_html_())
    assert [row.findtext("th") for row in table.findall("tbody/tr")] == ["payload"]

"""VLAN tags."""

from __future__ import annotations

import pytest

from vxlanpkt import BuildError, Dot1Q, Ethernet, IPv4, Packet, parse
from vxlanpkt.errors import Reason

from .laws import LayerLaws, encoded


class TestDot1Q(LayerLaws):
    example = Dot1Q(0xABC, 5, 1, 0x88A8)
    wire = "babc" "88a8"  # fmt: skip
    required = {"vid": 0}  # noqa: RUF012
    truncated = Reason.DOT1Q_TRUNCATED


def test_each_field_has_its_bits() -> None:
    """PCP is bits 15-13, DEI bit 12, the VID the rest."""
    for tag, control in ((Dot1Q(0xFFF, 0, 0, 0), 0x0FFF), (Dot1Q(0, 7, 0, 0), 0xE000), (Dot1Q(0, 0, 1, 0), 0x1000)):
        assert encoded(tag)[1] == control.to_bytes(2, "big") + b"\0\0"


def test_ethertype_is_derived() -> None:
    """A tag announces what follows, another tag under 0x8100; a service tag is written down."""
    packet = Packet(Ethernet(1, 2, 0x88A8), Dot1Q(1), Dot1Q(2), IPv4("10.0.0.1", "10.0.0.2", protocol=59))
    assert packet.build()[12:22].hex() == "88a8" "0001" "8100" "0002" "0800"  # fmt: skip
    assert [layer.NAME for layer in parse(packet.build())] == ["Ethernet", "Dot1Q", "Dot1Q", "IPv4"]
    with pytest.raises(BuildError):
        encoded(Dot1Q(1))

"""Linux cooked capture, version 2."""

from __future__ import annotations

from typing import Any

import pytest

from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import FieldError
from vxlanpkt.kernel.contract.spans import Span
from vxlanpkt.layers.base import Around
from vxlanpkt.layers.linux_sll2 import LinuxSLL2

MAC = MACAddress("02:00:00:00:00:01")
WIRE = bytes.fromhex("0800 0009 00000007 0001 04 06 0200000000010000")


def test_vector() -> None:
    """A packet that we sent on interface 7: the protocol comes first."""
    header = LinuxSLL2(0x0800, 7, 1, 4, 6, MAC, reserved=9)
    assert header.encode(Around((), b""))[1] == WIRE
    assert LinuxSLL2.scan(WIRE, 0, 20) == Span(0, 20, 20, 0x0800)
    assert LinuxSLL2.decode(WIRE, Span(0, 20, 20, 0x0800)) == header
    assert header.mac == MAC


def test_addresses() -> None:
    """An address is padded to 8 bytes; it is a MAC only with 6 bytes."""
    assert LinuxSLL2(address=b"abc", address_length=3).address == b"abc" + bytes(5)
    assert LinuxSLL2(address=b"abc", address_length=3).mac is None
    assert LinuxSLL2(address=bytes(range(8))).mac == MACAddress(bytes(range(6)))


@pytest.mark.parametrize("wrong", [bytes(9), "02:00:00:00:00:01", None, 5])
def test_wrong_addresses(wrong: Any) -> None:
    """More than 8 bytes do not fit."""
    with pytest.raises(FieldError) as caught:
        LinuxSLL2(address=wrong)
    assert (caught.value.layer, caught.value.field) == ("LinuxSLL2", "address")


def test_defaults() -> None:
    """To us, on Ethernet, with no address and no interface."""
    header = LinuxSLL2()
    assert (header.interface_index, header.arphrd_type, header.packet_type, header.reserved) == (0, 1, 0, 0)
    assert header.address == bytes(8)

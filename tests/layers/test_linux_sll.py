"""Linux cooked capture, version 1."""

from __future__ import annotations

from typing import Any

import pytest

from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import FieldError
from vxlanpkt.kernel.contract.spans import Span
from vxlanpkt.layers.base import Around
from vxlanpkt.layers.linux_sll import LinuxSLL

MAC = MACAddress("02:00:00:00:00:01")
WIRE = bytes.fromhex("0004 0001 0006 0200000000010000 0800")


def test_vector() -> None:
    """A packet that we sent on Ethernet."""
    header = LinuxSLL(4, 1, 6, MAC, 0x0800)
    assert header.encode(Around((), b""))[1] == WIRE
    assert LinuxSLL.scan(WIRE, 0, 16) == Span(0, 16, 16, 0x0800)
    assert LinuxSLL.decode(WIRE, Span(0, 16, 16, 0x0800)) == header
    assert header.mac == MAC


def test_addresses() -> None:
    """An address is padded to 8 bytes; the padding is kept, and it is a MAC only with 6 bytes."""
    assert LinuxSLL(address=b"abc", address_length=3).address == b"abc" + bytes(5)
    assert LinuxSLL(address=b"abc", address_length=3).mac is None
    assert LinuxSLL(address=bytes(range(8))).address == bytes(range(8))
    assert LinuxSLL(address=bytes(range(8))).mac == MACAddress(bytes(range(6)))
    assert LinuxSLL().address == bytes(8)
    assert LinuxSLL(address_length=20).address_length == 20


@pytest.mark.parametrize("wrong", [bytes(9), "02:00:00:00:00:01", None, 5])
def test_wrong_addresses(wrong: Any) -> None:
    """More than 8 bytes do not fit."""
    with pytest.raises(FieldError) as caught:
        LinuxSLL(address=wrong)
    assert (caught.value.layer, caught.value.field) == ("LinuxSLL", "address")


def test_defaults() -> None:
    """To us, on Ethernet, with no address."""
    header = LinuxSLL()
    assert (header.packet_type, header.arphrd_type) == (0, 1)

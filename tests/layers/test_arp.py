"""ARP."""

from __future__ import annotations

from typing import Any

import pytest

from vxlanpkt import ARP, BuildError, Ethernet, MACAddress, Packet, parse
from vxlanpkt.errors import Reason

from .laws import LayerLaws, decoded, encoded, field_error, refused

REQUEST: Any = ARP(1, "02:00:00:00:00:01", "192.0.2.1", 0, "192.0.2.2")


class TestARP(LayerLaws):
    example = ARP(2, "02:00:00:00:00:01", "192.0.2.1", "02:00:00:00:00:02", "192.0.2.2", 1, 0x0800, 6, 4)
    wire = "0001" "0800" "06" "04" "0002" "020000000001" "c0000201" "020000000002" "c0000202"  # fmt: skip
    required = {"operation": 1, "sender_mac": 0, "sender_ip": 0, "target_mac": 0, "target_ip": 0}  # noqa: RUF012
    truncated = Reason.ARP_TRUNCATED


def test_lengths_are_derived() -> None:
    """An ARP message for Ethernet and IPv4 has lengths 6 and 4, and is 28 bytes."""
    full, data = encoded(REQUEST)
    assert (full.hardware_length, full.protocol_length) == (6, 4)
    assert len(data) == 28


@pytest.mark.parametrize("field", ["sender_mac", "target_mac"])
def test_macs_refused(field: str) -> None:
    """MAC addresses have 48 bits."""
    assert field_error(lambda: REQUEST.replace(**{field: b"12345"}), "ARP", field).bits == 48


@pytest.mark.parametrize("field", ["sender_ip", "target_ip"])
@pytest.mark.parametrize("value", ["192.0.2", b"123", 1 << 32, -1, "::1", None])
def test_ips_refused(field: str, value: object) -> None:
    """IP addresses are of version 4."""
    error = field_error(lambda: REQUEST.replace(**{field: value}), "ARP", field)
    assert (error.value, error.bits) == (value, 32)


def test_other_lengths_keep_their_addresses_raw() -> None:
    """A message of other lengths is read whole, as raw bytes; the typed addresses are unspecified."""
    data = bytes.fromhex("0006" "86dd" "08" "10" "0001") + bytes(range(48))  # fmt: skip
    value, span = decoded(ARP, data + b"padding")
    assert value.raw_addresses == bytes(range(48))
    assert value.sender_mac == value.target_mac == MACAddress(0)
    assert span.header_end == span.end == len(data)
    assert encoded(value) == (value, data)
    fault = refused(data[:-1], ARP, Reason.ARP_TRUNCATED)
    assert fault.needed == len(data)
    assert refused(data[:7], ARP, Reason.ARP_TRUNCATED).needed == 8


def test_recompute_of_raw_addresses() -> None:
    """Where the addresses are raw bytes, their lengths cannot be derived: computing anew must not make a lie."""
    message = ARP(1, 0, 0, 0, 0, 6, 0x86DD, 8, 16, bytes(48))
    packet = parse(Packet(Ethernet(1, 2), message).build())
    assert packet.recompute(Ethernet, ARP).build() == packet.build()
    for field, hardware, protocol in (("hardware_length", None, 16), ("protocol_length", 8, None)):
        with pytest.raises(BuildError, match=f"ARP.{field} cannot be derived") as caught:
            encoded(ARP(1, 0, 0, 0, 0, 6, 0x86DD, hardware, protocol, bytes(48)))
        assert (caught.value.layer, caught.value.field) == ("ARP", field)


@pytest.mark.parametrize(("hardware", "protocol"), [(6, 16), (8, 4)])
def test_one_other_length_is_enough(hardware: int, protocol: int) -> None:
    """Only with both lengths those of Ethernet and IPv4 are there four addresses."""
    addresses = bytes(range(1, 1 + 2 * (hardware + protocol)))
    value, _ = decoded(ARP, bytes((0, 1, 8, 0, hardware, protocol, 0, 1)) + addresses)
    assert value == ARP(1, 0, 0, 0, 0, hardware_length=hardware, protocol_length=protocol, raw_addresses=addresses)


def test_replace_of_raw_addresses() -> None:
    """While addresses are raw, their lengths stay unless others are given; without them they are derived again."""
    message = ARP(1, 0, 0, 0, 0, 6, 0x86DD, 8, 16, bytes(48))
    assert message.replace(hardware_length=None, protocol_length=None) == message
    changed = message.replace(operation=2, hardware_length=7, protocol_length=None, raw_addresses=bytes(46))
    assert changed == ARP(2, 0, 0, 0, 0, 6, 0x86DD, 7, 16, bytes(46))
    plain = message.replace(hardware_length=None, protocol_length=None, raw_addresses=None)
    assert plain == ARP(1, 0, 0, 0, 0, 6, 0x86DD)
    assert encoded(plain)[0] == ARP(1, 0, 0, 0, 0, 6, 0x86DD, 6, 4)


def test_types_need_not_be_said() -> None:
    """They are Ethernet's and IPv4's."""
    assert ARP(1, "02:00:00:00:00:01", "192.0.2.1", 0, "192.0.2.2", 1, 0x0800, None, None, None) == REQUEST


def test_raw_addresses_refused() -> None:
    """Raw addresses are bytes."""
    wrong: Any = "text"
    error = field_error(lambda: REQUEST.replace(raw_addresses=wrong), "ARP", "raw_addresses")
    assert (error.value, str(error)) == (wrong, "ARP.raw_addresses: 'text' is not bytes")


def test_padding_is_a_trailer() -> None:
    """What an Ethernet frame has behind a message is no part of it."""
    packet = Packet(Ethernet(1, 2), REQUEST, trailers=(b"", bytes(18)))
    assert len(packet.build()) == 60
    assert parse(packet.build()) == packet.resolve()
    assert parse(packet.build()).trailers == (b"", bytes(18))

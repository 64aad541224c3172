"""Ethernet II."""

from __future__ import annotations

import pytest

from vxlanpkt import BuildError, Ethernet, MACAddress
from vxlanpkt.errors import Reason

from .laws import LayerLaws, decoded, encoded, field_error


class TestEthernet(LayerLaws):
    example = Ethernet("02:00:5e:10:00:01", "02:00:5e:10:00:02", 0x0800)
    wire = "02005e100001" "02005e100002" "0800"  # fmt: skip
    required = {"dst": 1, "src": 2}  # noqa: RUF012
    truncated = Reason.ETHERNET_TRUNCATED


@pytest.mark.parametrize("field", ["dst", "src"])
@pytest.mark.parametrize("value", [b"\2\0\0\0\0", "02:00", 1 << 48, -1, None, "host"])
def test_addresses_refused(field: str, value: object) -> None:
    """A MAC address is 48 bits in any spelling, nothing else."""
    error = field_error(lambda: Ethernet(**{"dst": 0, "src": 0, field: value}), "Ethernet", field)  # type: ignore[arg-type]
    assert error.value == value
    assert error.bits == 48


def test_addresses_are_values() -> None:
    """Addresses are stored as MACAddress, whatever they were given as."""
    for dst in ("02-00-5E-10-00-01", 0x02005E100001, b"\2\0\x5e\x10\0\1", MACAddress("0200.5e10.0001")):
        assert Ethernet(dst, 0).dst == MACAddress("02:00:5e:10:00:01")


def test_packed_addresses() -> None:
    """They stay packed until somebody reads them: most are never looked at."""
    header = Ethernet(b"\2\0\x5e\x10\0\1", bytes(6))
    assert header._dst == b"\2\0\x5e\x10\0\1"
    assert header.dst == MACAddress("02:00:5e:10:00:01")
    assert header._dst == MACAddress("02:00:5e:10:00:01")


def test_ethertype_is_derived() -> None:
    """The EtherType is the key of what follows; without one it cannot be derived."""
    full, header = encoded(Ethernet(1, 2), next_key=0x86DD)
    assert full.ethertype == 0x86DD
    assert header[12:] == b"\x86\xdd"
    with pytest.raises(BuildError) as caught:
        encoded(Ethernet(1, 2))
    assert (caught.value.layer, caught.value.field) == ("Ethernet", "ethertype")


def test_an_802_3_length_is_an_ethertype_too() -> None:
    """A length below 0x0600 is read as it is, and all behind the header is content."""
    value, span = decoded(Ethernet, bytes(12) + b"\0\3" + bytes(46))
    assert value.ethertype == 3
    assert (span.next_key, span.end) == (3, 60)

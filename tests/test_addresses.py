"""MAC addresses: the surface of the standard library's `ipaddress` types."""

from __future__ import annotations

import copy
import pickle
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import FieldError

NUMBERS = st.integers(0, (1 << 48) - 1)


@pytest.mark.parametrize(
    "given_as",
    [
        "02:00:5e:00:53:01", "02:00:5E:00:53:01", "02-00-5e-00-53-01", "0200.5e00.5301", "02005e005301", "02005E005301",
        b"\x02\x00\x5e\x00\x53\x01", 0x02005E005301, MACAddress("02:00:5e:00:53:01"),
    ],
)  # fmt: skip
def test_spellings(given_as: str | bytes | int | MACAddress) -> None:
    """Text in every usual spelling, bytes, a number, another address: all one value."""
    mac = MACAddress(given_as)
    assert mac == MACAddress(0x02005E005301)
    assert str(mac) == "02:00:5e:00:53:01"
    assert repr(mac) == "MACAddress('02:00:5e:00:53:01')"
    assert mac.packed == bytes(mac) == b"\x02\x00\x5e\x00\x53\x01"
    assert mac.oui == b"\x02\x00\x5e"


@pytest.mark.parametrize(
    "wrong",
    [
        "", "02:00:5e:00:53", "02:00:5e:00:53:01:02", "02:00:5e:00:53:0g", "02:00:5e-00:53:01", "2:0:5e:0:53:1",
        "02:00:5e:00:53:01\n", " 02:00:5e:00:53:01", "0200.5e00:5301", "0200:5e00:5301", "02005e00530", "+2005e005301",
        "٠٢:00:5e:00:53:01", b"", b"12345", b"1234567", b"02:00:5e:00:53:01", bytearray(6), memoryview(bytes(6)),
        -1, 1 << 48, 1.0, True, None, [0] * 6, IPv6Address(0),
    ],
)  # fmt: skip
def test_refused(wrong: Any) -> None:
    """Anything else is a FieldError that says what was given."""
    with pytest.raises(FieldError) as caught:
        MACAddress(wrong)
    assert (caught.value.value, caught.value.bits) == (wrong, 48)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("address", "true"),
    [
        ("00:00:00:00:00:00", {"is_unspecified"}),
        ("ff:ff:ff:ff:ff:ff", {"is_broadcast", "is_multicast", "is_local"}),
        ("01:00:5e:00:00:01", {"is_multicast"}),
        ("33:33:00:00:00:01", {"is_multicast", "is_local"}),
        ("02:00:00:00:00:01", {"is_local"}),
        ("00:00:5e:00:53:01", set()),
        ("00:00:00:00:00:01", set()),
        ("ff:ff:ff:ff:ff:fe", {"is_multicast", "is_local"}),
    ],
)
def test_kinds(address: str, true: set[str]) -> None:
    """The group and the local bit, broadcast, zero."""
    mac = MACAddress(address)
    names = {"is_unspecified", "is_broadcast", "is_multicast", "is_local"}
    assert {name for name in names if getattr(mac, name)} == true


@given(number=NUMBERS)
def test_round_trips(number: int) -> None:
    """Number, bytes, text, pickle and copies lead back."""
    mac = MACAddress(number)
    assert int(mac) == number
    for other in (
        MACAddress(int(mac)), MACAddress(bytes(mac)), MACAddress(str(mac)), MACAddress(mac), copy.copy(mac),
        copy.deepcopy(mac), pickle.loads(pickle.dumps(mac)), eval(repr(mac)),
    ):  # fmt: skip
        assert other == mac
        assert hash(other) == hash(mac)


@given(one=NUMBERS, two=NUMBERS)
def test_order(one: int, two: int) -> None:
    """Addresses are ordered as their numbers are."""
    a, b = MACAddress(one), MACAddress(two)
    assert (a < b, a <= b, a == b, a >= b, a > b) == (one < two, one <= two, one == two, one >= two, one > two)


@pytest.mark.parametrize("other", ["02:00:5e:00:53:01", 0x02005E005301, b"\x02\x00\x5e\x00\x53\x01", None])
def test_other_types(other: Any) -> None:
    """An address equals no other type, and is not ordered with any: as in `ipaddress`."""
    mac = MACAddress("02:00:5e:00:53:01")
    assert mac != other
    with pytest.raises(TypeError):
        _ = mac < other


def test_immutable() -> None:
    """No attribute can be added, and the public ones cannot be set."""
    mac = MACAddress(1)
    with pytest.raises(AttributeError):
        mac.packed = bytes(6)  # type: ignore[misc]
    with pytest.raises(AttributeError):
        mac.nothing = 1  # type: ignore[attr-defined]
    assert mac.max_prefixlen == 48

"""BSD loopback headers, in either byte order."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.errors import FieldError
from vxlanpkt.kernel.contract.spans import Span
from vxlanpkt.layers.base import Around
from vxlanpkt.layers.loopback import Loopback


@pytest.mark.parametrize(
    ("wire", "family", "order"),
    [
        ("00000002", 2, "big"),
        ("02000000", 2, "little"),
        ("1e000000", 30, "little"),
        ("0000001e", 30, "big"),
        ("00000000", 0, "big"),
        ("00020000", 0x0200, "little"),
        ("00000200", 0x0200, "big"),
    ],
)
def test_vectors(wire: str, family: int, order: Literal["big", "little"]) -> None:
    """The order is the one that makes the family small."""
    data = bytes.fromhex(wire)
    assert Loopback.scan(data, 0, 4) == Span(0, 4, 4, family)
    header = Loopback.decode(data, Span(0, 4, 4, family))
    assert header == Loopback(family, order)
    assert header.encode(Around((), b""))[1] == data


@given(data=st.binary(min_size=4, max_size=4))
def test_every_family(data: bytes) -> None:
    """All 32 bits survive, and decode picks the order that scan does."""
    span = Loopback.scan(data, 0, 4)
    assert isinstance(span, Span)
    header = Loopback.decode(data, span)
    assert header.family == span.next_key
    assert header.encode(Around((), b""))[1] == data


@pytest.mark.parametrize("wrong", ["native", None, 0, "BIG"])
def test_wrong_orders(wrong: Any) -> None:
    """There are two byte orders."""
    with pytest.raises(FieldError) as caught:
        Loopback(2, wrong)
    assert (caught.value.layer, caught.value.field) == ("Loopback", "byte_order")

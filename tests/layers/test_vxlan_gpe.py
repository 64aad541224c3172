"""VXLAN-GPE headers."""

from __future__ import annotations

import pytest

from vxlanpkt.errors import FieldError
from vxlanpkt.kernel.contract.spans import Span
from vxlanpkt.layers.base import Around
from vxlanpkt.layers.vxlan_gpe import VXLANGPE


def test_vector() -> None:
    """I and P, the version between the flags, the next protocol in byte 3."""
    header = VXLANGPE(5000, next_protocol=1, version=2, reserved1=0x0102, reserved2=3)
    wire = bytes.fromhex("2c010201 00138803")
    assert header.encode(Around((), b""))[1] == wire
    assert VXLANGPE.decode(wire, Span(0, 8, 8, 1)) == header


@pytest.mark.parametrize("bit", range(64))
def test_every_bit(bit: int) -> None:
    """Each of the 64 bits alone survives, in one field."""
    wire = (1 << bit).to_bytes(8, "big")
    header = VXLANGPE.decode(wire, Span(0, 8, 8, 3))
    assert header.encode(Around((), b""))[1] == wire
    assert sum(getattr(header, name) != 0 for name in VXLANGPE.BITS) == 1


@pytest.mark.parametrize(("flags", "number", "key"), [(0x0C, 1, 1), (0x0C, 9, 9), (0x08, 1, 3), (0x00, 0, 3)])
def test_what_follows(flags: int, number: int, key: int) -> None:
    """The next protocol says, unless P is clear: then it is Ethernet."""
    _, wire = VXLANGPE(1, number, flags).encode(Around((), b""))
    assert VXLANGPE.scan(wire, 0, 8) == Span(0, 8, 8, key)


@pytest.mark.parametrize("flags", [0x10, 0x20, 0x3C])
def test_version_is_no_flag(flags: int) -> None:
    """The version's bits have a field of their own."""
    with pytest.raises(FieldError) as caught:
        VXLANGPE(1, flags=flags)
    assert (caught.value.layer, caught.value.field) == ("VXLANGPE", "flags")

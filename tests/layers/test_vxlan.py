"""VXLAN headers, and group policy."""

from __future__ import annotations

import pytest

from vxlanpkt.errors import FieldError
from vxlanpkt.kernel.contract.spans import Span
from vxlanpkt.layers.base import Around
from vxlanpkt.layers.vxlan import VXLAN, GroupPolicy


def test_vector() -> None:
    """RFC 7348 section 5: the I flag, 24 reserved bits, the VNI, 8 reserved bits."""
    header = VXLAN(vni=5000)
    assert header.encode(Around((), b""))[1] == bytes.fromhex("08000000 00138800")
    assert VXLAN.scan(bytes(8), 0, 8) == Span(0, 8, 8, 0)


@pytest.mark.parametrize("bit", range(64))
def test_every_bit(bit: int) -> None:
    """Each of the 64 bits alone survives; the header is 8 bytes whatever the flags."""
    wire = (1 << bit).to_bytes(8, "big")
    assert VXLAN.scan(wire, 0, 8) == Span(0, 8, 8, 0)
    header = VXLAN.decode(wire, Span(0, 8, 8, 0))
    assert header.encode(Around((), b""))[1] == wire
    values = [header.flags, header.reserved1, header.vni, header.reserved2]
    assert sum(value != 0 for value in values) == 1


def test_group_policy_bytes() -> None:
    """G is 0x80 of byte 0, D 0x40 and A 0x08 of byte 1, the ID bytes 2 and 3."""
    for changes, wire in (
        ({}, "88000102 00000500"),
        ({"dont_learn": True}, "88400102 00000500"),
        ({"applied": True}, "88080102 00000500"),
        ({"dont_learn": True, "applied": True}, "88480102 00000500"),
        ({"flags": 0x80}, "80000102 00000500"),
    ):
        header = VXLAN.with_group_policy(5, 0x0102, **changes)
        assert header.encode(Around((), b""))[1] == bytes.fromhex(wire)
        policy = header.group_policy
        assert policy == GroupPolicy(0x0102, bool(changes.get("dont_learn")), bool(changes.get("applied")))


def test_group_policy_needs_its_flag() -> None:
    """While G is clear the bits mean nothing, and are kept."""
    wire = bytes.fromhex("08480102 00000500")
    header = VXLAN.decode(wire, Span(0, 8, 8, 0))
    assert header.group_policy is None
    assert header.encode(Around((), b""))[1] == wire


@pytest.mark.parametrize("policy_id", [-1, 1 << 16, "1", None])
def test_policy_id(policy_id: object) -> None:
    """A policy ID has 16 bits."""
    with pytest.raises(FieldError) as caught:
        VXLAN.with_group_policy(5, policy_id)  # type: ignore[arg-type]
    assert (caught.value.layer, caught.value.field, caught.value.bits) == ("VXLAN", "policy_id", 16)


@pytest.mark.parametrize("vni", [1 << 24, -1])
def test_vni_never_wraps(vni: int) -> None:
    """A VNI has 24 bits."""
    with pytest.raises(FieldError, match=r"VXLAN\.vni"):
        VXLAN(vni)

"""Assigned numbers: open enums that name numbers and equal them."""

from __future__ import annotations

import pickle
from enum import IntFlag
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt import assigned
from vxlanpkt.assigned import (
    ECN,
    EtherType,
    GBPFlags,
    ICMPType,
    ICMPv6Type,
    IPProtocol,
    IPv4Flags,
    NDOptionType,
    TCPFlags,
    UDPPort,
    VXLANFlags,
)
from vxlanpkt.link_types import LinkType, OpenEnum

WIDTHS = {
    "ARPOperation": 16, "EtherType": 16, "GPENextProtocol": 8, "ICMPType": 8, "ICMPv6Type": 8, "IPProtocol": 8,
    "LinkType": 16, "NDOptionType": 8, "UDPPort": 16,
}  # fmt: skip
OPEN = [value for value in vars(assigned).values() if isinstance(value, type) and issubclass(value, OpenEnum)]
OPEN.remove(OpenEnum)
OPEN.append(LinkType)

every_registry = pytest.mark.parametrize("registry", OPEN, ids=lambda registry: registry.__name__)


def test_numbers() -> None:
    """The numbers, as IANA, IEEE and tcpdump have them."""
    assert (EtherType.IPV4, EtherType.ARP, EtherType.IPV6) == (0x0800, 0x0806, 0x86DD)
    assert (EtherType.DOT1Q, EtherType.QINQ, EtherType.MPLS, EtherType.NSH) == (0x8100, 0x88A8, 0x8847, 0x894F)
    assert (IPProtocol.ICMP, IPProtocol.TCP, IPProtocol.UDP, IPProtocol.ICMPV6) == (1, 6, 17, 58)
    assert (IPProtocol.ROUTING, IPProtocol.FRAGMENT, IPProtocol.AH, IPProtocol.DESTINATION_OPTIONS) == (43, 44, 51, 60)
    assert (UDPPort.VXLAN, UDPPort.VXLAN_GPE, UDPPort.VXLAN_LINUX, UDPPort.GENEVE) == (4789, 4790, 8472, 6081)
    assert (LinkType.NULL, LinkType.ETHERNET, LinkType.RAW, LinkType.LOOP) == (0, 1, 101, 108)
    assert (LinkType.LINUX_SLL, LinkType.IPV4, LinkType.IPV6, LinkType.LINUX_SLL2) == (113, 228, 229, 276)
    assert (ICMPType.ECHO_REPLY, ICMPType.ECHO_REQUEST, ICMPType.TIME_EXCEEDED) == (0, 8, 11)
    assert (ICMPv6Type.PACKET_TOO_BIG, ICMPv6Type.NEIGHBOR_SOLICITATION, ICMPv6Type.REDIRECT) == (2, 135, 137)
    assert (NDOptionType.PREFIX_INFORMATION, NDOptionType.MTU) == (3, 5)
    assert (ECN.NOT_ECT, ECN.ECT1, ECN.ECT0, ECN.CE) == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (VXLANFlags, {"G": 0x80, "I": 0x08, "P": 0x04, "B": 0x02, "O": 0x01}),
        (GBPFlags, {"D": 0x40, "A": 0x08}),
        (IPv4Flags, {"RESERVED": 4, "DF": 2, "MF": 1}),
        (TCPFlags, {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128}),
    ],
)
def test_flags(flags: type[IntFlag], expected: dict[str, int]) -> None:
    """Every flag is the bit that its RFC or draft gives it."""
    assert {str(flag.name): flag.value for flag in flags} == expected


def test_every_registry_is_here() -> None:
    """No registry is left out of this file."""
    assert {registry.__name__ for registry in OPEN} == set(WIDTHS)


@every_registry
def test_members_fit(registry: type[OpenEnum]) -> None:
    """Every named number fits its field, and has one name."""
    assert all(0 <= member < 1 << WIDTHS[registry.__name__] for member in registry)
    assert len(registry.__members__) == len(registry)


@every_registry
@given(data=st.data())
def test_open(registry: type[OpenEnum], data: st.DataObject) -> None:
    """Every number of the field's width is a member: equal to the number, printed, pickled; named or not."""
    number = data.draw(st.integers(0, (1 << WIDTHS[registry.__name__]) - 1))
    member = registry(number)
    assert member == number
    assert hash(member) == hash(number)
    assert isinstance(member, registry)
    assert f"{int(member)}" == str(number)
    assert pickle.loads(pickle.dumps(member)) == member
    assert str(number) in repr(member)
    if number in set(registry):
        assert registry.name_of(number) == member.name
        assert registry[str(member.name)] is member
    else:
        assert registry.name_of(number) is None
        assert member.name == f"{registry.__name__}_{number}"


@every_registry
def test_range(registry: type[OpenEnum]) -> None:
    """What does not fit the field is no member; making one leaves no trace."""
    before = list(registry)
    width = WIDTHS[registry.__name__]
    assert registry((1 << width) - 1) == (1 << width) - 1
    wrongs: tuple[Any, ...] = (-1, 1 << width, "x", None, 1.5)
    for wrong in wrongs:
        with pytest.raises(ValueError, match="is not a valid"):
            registry(wrong)
    assert list(registry) == before

"""Rules of decapsulation."""

# No `from __future__ import annotations` here: a named tuple takes twice as long to make if its fields' types are text.

from enum import IntEnum
from typing import NamedTuple


class Lengths(IntEnum):
    """Which length fields are believed: see `DecapPolicy.lengths`."""

    STRICT = 0
    SNAPPED = 1
    CAPTURED = 2


class InnerVLAN(IntEnum):
    """What becomes of a tagged inner frame."""

    KEEP = 0
    STRIP = 1
    DROP = 2


class ECNRule(IntEnum):
    """What becomes of a congestion mark outside."""

    IGNORE = 0
    RFC6040 = 1
    LINUX = 2  # as RFC 6040, but tagged inner frames are not looked into, and the version inside is believed
    OVS = 3  # only CE is carried inwards, past one tag; a broken inner IP header counts as Not-ECT


class IPOptions(IntEnum):
    """What becomes of outer IPv4 options and IPv6 extension headers."""

    DROP = 0
    ACCEPT = 1
    HOST = 2  # judged one by one, as a host does
    OVS = 3  # none over IPv4; over IPv6 those of RFC 8200 and AH, unread


class GPERule(IntEnum):
    """Whether the generic protocol extension is understood."""

    OFF = 0
    ON = 1
    LINUX = 2  # nothing else is accepted, and an inner Ethernet frame is passed on unread
    OVS = 3  # any version, and nothing inside but Ethernet


class InnerLength(IntEnum):
    """Whether an inner IP header has to be whole."""

    IGNORE = 0
    CHECK = 1
    LINUX = 2  # behind a tag only so much is asked for as it takes to remove it


class UDPLength(IntEnum):
    """How far the length field of the outer UDP header is believed."""

    CHECK = 0
    JUMBO = 1  # over IPv6, 0 stands for all bytes there (RFC 2675 section 4)
    IGNORE = 2  # all bytes of the IP packet are the datagram; its checksum covers all to the frame's end
    OVERRUN = 3  # over IPv4, up to 20 bytes too many are the bytes there


class DecapRules(NamedTuple):
    """A decapsulation policy as a kernel takes it: `DecapPolicy` compiled."""

    ports: frozenset[int]
    vnis: frozenset[int] | None
    sources: tuple[tuple[int, int, int], ...] | None  # (IP version, network, mask)
    reserved_mask: int  # 64 bits of the header that have to be zero, extensions taken out
    gbp: bool
    gpe: GPERule
    verify_ip_checksum: bool
    verify_udp_checksum: bool
    zero_checksum6: bool
    atomic_fragments: bool
    ip_options: IPOptions
    check_outer_source: bool
    udp_length: UDPLength
    inner_vlan: InnerVLAN
    check_inner_source: bool
    check_inner_length: InnerLength
    own_macs: frozenset[bytes]
    ecn: ECNRule
    lengths: Lengths


class Alterations(NamedTuple):
    """What a policy asks to be done to inner frames: columns of a decapsulated batch."""

    notes: memoryview
    link_types: memoryview
    ethertypes: memoryview
    ecn: memoryview


class Underlay(NamedTuple):
    """What a bare payload cannot say of the datagram that carried it, if it is known."""

    version: int = 0  # of IP; 0 if the source is not known
    source: int = 0
    tos: int | None = None

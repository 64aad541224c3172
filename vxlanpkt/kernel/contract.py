"""What callers and kernels hand each other for bulk work: rules, columns, and the codes in them.

Plain numbers and bytes, so that a kernel in C can hold the same in structs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import NamedTuple

UNTAGGED = 0xFFFF  # in a VLAN column: there is no tag (0xffff is no TCI: VID 4095 is reserved)
NO_ECN = 0xFF  # in the ECN column: the inner frame has none, or the policy does not look
NO_LINK_TYPE = 0xFFFF  # what is inside is neither Ethernet nor IP


class Note(IntFlag):
    """Bits of the notes column: what is worth knowing of a frame beside its status."""

    CUT = 0x01  # the capture kept only part of the inner frame
    PADDING = 0x02  # bytes behind the outer IP packet
    TRAILER = 0x04  # bytes of the outer IP packet behind the UDP datagram
    STRIPPED = 0x08  # the policy took the inner frame's VLAN tag off
    REMARKED = 0x10  # the policy changed the inner frame's ECN


class ChecksumState(IntEnum):
    """What a checksum column says; only those verified are VALID, PARTIAL or BAD."""

    UNCHECKED = 0
    ABSENT = 1  # UDP's zero
    VALID = 2
    PARTIAL = 3  # the folded sum of the pseudo-header: left to the sender's device to finish
    BAD = 4


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
    UNTAGGED = 2  # as RFC 6040, but tagged inner frames are not looked into


@dataclass(frozen=True, slots=True)
class DecapRules:
    """A decapsulation policy as a kernel takes it: `DecapPolicy` compiled."""

    ports: frozenset[int]
    vnis: frozenset[int] | None
    sources: tuple[tuple[int, int, int], ...] | None  # (IP version, network, mask)
    reserved_mask: int  # 64 bits of the header that have to be zero, extensions taken out
    gbp: bool
    gpe: bool
    verify_ip_checksum: bool
    verify_udp_checksum: bool
    zero_checksum6: bool
    atomic_fragments: bool
    ip_options: bool
    inner_vlan: InnerVLAN
    check_inner_source: bool
    check_inner_length: bool
    own_macs: frozenset[bytes]
    ecn: ECNRule
    lengths: Lengths


# The columns of a decapsulated batch and the `array` type code of each, in the order of the record.
DECAP_COLUMNS: Mapping[str, str] = {
    "status": "B",
    "notes": "B",
    "vni": "I",
    "flags": "I",
    "reserved": "B",
    "outer_family": "B",
    "outer_tags": "B",
    "outer_vlan": "H",
    "outer_src_port": "H",
    "outer_dst_port": "H",
    "ip_checksum": "B",
    "udp_checksum": "B",
    "inner_offset": "Q",
    "inner_length": "I",
    "inner_original_length": "I",
    "inner_link_type": "H",
    "inner_tags": "B",
    "inner_vlan": "H",
    "inner_ethertype": "H",
    "inner_family": "B",
    "inner_protocol": "B",
    "inner_src_port": "H",
    "inner_dst_port": "H",
    "inner_ecn": "B",
}
# Columns of 16 bytes a row: IPv6 addresses, IPv4 as ::ffff:a.b.c.d.
ADDRESS_COLUMNS: tuple[str, ...] = ("outer_src", "outer_dst", "inner_src", "inner_dst")


@dataclass(slots=True)
class DecapRecord:
    """What a kernel says of one frame: a row of the columns. What was not reached keeps these values."""

    status: int = 0
    notes: int = 0
    vni: int = 0
    flags: int = 0
    reserved: int = 0
    outer_family: int = 0
    outer_tags: int = 0
    outer_vlan: int = UNTAGGED
    outer_src_port: int = 0
    outer_dst_port: int = 0
    ip_checksum: int = 0
    udp_checksum: int = 0
    inner_offset: int = 0
    inner_length: int = 0
    inner_original_length: int = 0
    inner_link_type: int = NO_LINK_TYPE
    inner_tags: int = 0
    inner_vlan: int = UNTAGGED
    inner_ethertype: int = 0
    inner_family: int = 0
    inner_protocol: int = 0
    inner_src_port: int = 0
    inner_dst_port: int = 0
    inner_ecn: int = NO_ECN
    outer_src: bytes = bytes(16)
    outer_dst: bytes = bytes(16)
    inner_src: bytes = bytes(16)
    inner_dst: bytes = bytes(16)


class Underlay(NamedTuple):
    """What a bare payload cannot say of the datagram that carried it, if it is known."""

    version: int = 0  # of IP; 0 if the source is not known
    source: int = 0
    tos: int | None = None


class ECNMode(IntEnum):
    """How the inner ECN gets into the outer header."""

    NONE = 0
    RFC6040 = 1
    LINUX = 2


class DF(IntEnum):
    """The outer IPv4 header's don't-fragment flag."""

    UNSET = 0
    SET = 1
    INHERIT = 2


class FlowLabel(IntEnum):
    """Where the outer IPv6 header's flow label comes from."""

    FIXED = 0
    INHERIT = 1
    HASH = 2


class UDPChecksum(IntEnum):
    """The outer UDP checksum: none, computed, or computed from the inner one."""

    ZERO = 0
    FULL = 1
    INNER = 2


class EncapMode(IntEnum):
    """Where encapsulated frames go: behind each other, into the batch's headroom, or headers alone."""

    COPY = 0
    IN_PLACE = 1
    HEADERS = 2


@dataclass(frozen=True, slots=True)
class EncapRecipe:
    """A tunnel as a kernel takes it: `Tunnel` compiled.

    `template` is the whole outer header with zeros where something is patched in for each frame.
    """

    template: bytes
    ip_offset: int
    family: int
    low_port: int
    high_port: int
    ttl: int
    inherit_ttl: bool
    dscp: int
    inherit_dscp: bool
    ecn: ECNMode
    df: DF
    flow_label: int
    flow_label_mode: FlowLabel
    udp_checksum: UDPChecksum
    symmetric: bool
    gpe: bool
    raw: bool

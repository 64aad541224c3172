"""Recipes of encapsulation: tunnels as a kernel takes them."""

# No `from __future__ import annotations` here: a named tuple takes twice as long to make if its fields' types are text.

from enum import IntEnum
from typing import NamedTuple


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


class InnerIP(IntEnum):
    """The inner packet whose fields an outer header takes over."""

    SOUND = 0  # one whose lengths hold, behind any tags
    LINUX = 1  # what EtherType says, if the fixed header is there, behind at most 7 tags; DF from an untagged one only
    OVS = 2  # as SOUND, behind at most one tag; its TTL may be 0, and is 0 where the lengths do not hold


class EncapMode(IntEnum):
    """Where encapsulated frames go: behind each other, into the batch's headroom, or headers alone."""

    COPY = 0
    IN_PLACE = 1
    HEADERS = 2


class EncapRecipe(NamedTuple):
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
    inner_ip: InnerIP

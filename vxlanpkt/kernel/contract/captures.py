"""What becomes columns of captures, beside what decapsulation says: what is known of rows, and what is computed."""

from __future__ import annotations

from enum import IntEnum


class Known(IntEnum):
    """What of a row is known, so that columns of captures have a value there: a bitmap for each, in this order."""

    TIME = 0
    LINK = 1  # the link layer's header
    OUTER_TAG = 2
    OUTER_IP = 3
    OUTER_UDP = 4
    TUNNEL = 5  # the VXLAN header
    GROUP = 6  # with its G flag set
    INNER = 7
    ACCEPTED = 8
    INNER_LINK = 9
    INNER_MAC = 10
    INNER_ETHERNET = 11  # and the policy looked at it
    INNER_ETHERTYPE = 12
    INNER_TAG = 13
    INNER_IP = 14
    INNER_PORTS = 15
    INNER_TCP = 16


class Derived(IntEnum):
    """Columns of captures that are computed from others."""

    OUTER_VLAN = 0  # uint16: 12 bits of the tag
    INNER_VLAN = 1
    GROUP_POLICY = 2  # uint16: half of the flags
    INNER_OFFSET = 3  # uint32: within the frame
    FLOW_ETHERTYPE = 4  # uint16: 1 for all lengths of IEEE 802.3 frames, as a flow has them all
    CUT_OFF = 5  # uint8


class Address(IntEnum):
    """The columns of addresses, in the order in which they lie."""

    OUTER_SRC = 0
    OUTER_DST = 1
    INNER_SRC = 2
    INNER_DST = 3


class MAC(IntEnum):
    """The addresses of an Ethernet header, by their places in it."""

    DST = 0
    SRC = 6

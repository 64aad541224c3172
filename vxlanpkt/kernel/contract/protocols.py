"""Assigned numbers that kernels look for: plain ones, as members of enums take longer to compare."""

from __future__ import annotations

# Link types of captures.
ETHERNET_LINK, RAW_LINK = 1, 101

# EtherTypes.
IPV4_TYPE, IPV6_TYPE, TAG_TYPE, SERVICE_TAG_TYPE = 0x0800, 0x86DD, 0x8100, 0x88A8
IEEE_802_3 = 1  # in place of one there is a length: the number that Linux has for such frames

# Protocols of IP.
ICMP_PROTOCOL, TCP_PROTOCOL, UDP_PROTOCOL, ICMPV6_PROTOCOL = 1, 6, 17, 58

# Extension headers of IPv6 (RFC 8200 section 4, RFC 6275, 7401, 5533). Hop-by-hop (0) is one only
# directly behind the fixed header; elsewhere, and for any other number, the chain has ended.
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION = 0, 43, 44, 51, 60
MOBILITY, HIP, SHIM6 = 135, 139, 140

# What stands before an IPv4 address in 16 bytes (RFC 4291 section 2.5.5.2).
MAPPED = bytes(10) + b"\xff\xff"

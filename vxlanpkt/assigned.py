"""Assigned numbers: IANA's and IEEE's names for the values of registry fields.

Fields themselves are plain `int`; these enums name them, compare equal to them, and are open: a
number without a name is still a member (`EtherType(0x1234)`), one that does not fit its field is not.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

from vxlanpkt.link_types import OpenEnum


class EtherType(OpenEnum):
    """IEEE 802 EtherTypes (16 bits)."""

    IPV4 = 0x0800
    ARP = 0x0806
    TEB = 0x6558
    DOT1Q = 0x8100
    IPV6 = 0x86DD
    MPLS = 0x8847
    MPLS_MULTICAST = 0x8848
    QINQ = 0x88A8
    NSH = 0x894F
    LLDP = 0x88CC


class IPProtocol(OpenEnum):
    """IANA protocol numbers: IPv4 protocol and IPv6 next header (8 bits)."""

    HOP_BY_HOP = 0
    ICMP = 1
    IGMP = 2
    IPIP = 4
    TCP = 6
    UDP = 17
    IPV6 = 41
    ROUTING = 43
    FRAGMENT = 44
    GRE = 47
    ESP = 50
    AH = 51
    ICMPV6 = 58
    NO_NEXT_HEADER = 59
    DESTINATION_OPTIONS = 60
    OSPF = 89
    SCTP = 132
    MOBILITY = 135
    HIP = 139
    SHIM6 = 140

    @classmethod
    def _width(cls) -> int:
        return 8


class UDPPort(OpenEnum):
    """UDP ports that matter to tunnels (16 bits)."""

    GENEVE = 6081
    VXLAN = 4789
    VXLAN_GPE = 4790
    VXLAN_LINUX = 8472
    FLANNEL_UDP = 8285
    VXLAN_GBP_VPP = 48879


class ARPOperation(OpenEnum):
    """ARP operation codes, RFC 826 and 903 (16 bits)."""

    REQUEST = 1
    REPLY = 2
    RARP_REQUEST = 3
    RARP_REPLY = 4


class ICMPType(OpenEnum):
    """ICMP message types, RFC 792 (8 bits)."""

    ECHO_REPLY = 0
    DESTINATION_UNREACHABLE = 3
    REDIRECT = 5
    ECHO_REQUEST = 8
    TIME_EXCEEDED = 11
    PARAMETER_PROBLEM = 12
    TIMESTAMP = 13
    TIMESTAMP_REPLY = 14

    @classmethod
    def _width(cls) -> int:
        return 8


class ICMPv6Type(OpenEnum):
    """ICMPv6 message types, RFC 4443, 4861 and 3810 (8 bits)."""

    DESTINATION_UNREACHABLE = 1
    PACKET_TOO_BIG = 2
    TIME_EXCEEDED = 3
    PARAMETER_PROBLEM = 4
    ECHO_REQUEST = 128
    ECHO_REPLY = 129
    MLD_QUERY = 130
    MLD_REPORT = 131
    MLD_DONE = 132
    ROUTER_SOLICITATION = 133
    ROUTER_ADVERTISEMENT = 134
    NEIGHBOR_SOLICITATION = 135
    NEIGHBOR_ADVERTISEMENT = 136
    REDIRECT = 137
    MLDV2_REPORT = 143

    @classmethod
    def _width(cls) -> int:
        return 8


class NDOptionType(OpenEnum):
    """Neighbour discovery options, RFC 4861 section 4.6 and successors (8 bits)."""

    SOURCE_LINK_LAYER_ADDRESS = 1
    TARGET_LINK_LAYER_ADDRESS = 2
    PREFIX_INFORMATION = 3
    REDIRECTED_HEADER = 4
    MTU = 5
    NONCE = 14
    ROUTE_INFORMATION = 24
    RDNSS = 25
    DNSSL = 31

    @classmethod
    def _width(cls) -> int:
        return 8


class GPENextProtocol(OpenEnum):
    """VXLAN-GPE next protocols (8 bits)."""

    IPV4 = 1
    IPV6 = 2
    ETHERNET = 3
    NSH = 4
    MPLS = 5

    @classmethod
    def _width(cls) -> int:
        return 8


class ECN(IntEnum):
    """The two bits of RFC 3168."""

    NOT_ECT = 0
    ECT1 = 1
    ECT0 = 2
    CE = 3


class VXLANFlags(IntFlag):
    """Byte 0 of the VXLAN header: RFC 7348's I, the group policy and the GPE drafts' flags."""

    G = 0x80
    I = 0x08
    P = 0x04
    B = 0x02
    O = 0x01


class GBPFlags(IntFlag):
    """Byte 1 of a VXLAN header with group policy: don't learn, policy applied."""

    D = 0x40
    A = 0x08


class IPv4Flags(IntFlag):
    """The three flag bits of IPv4, RFC 791 section 3.1."""

    RESERVED = 4
    DF = 2
    MF = 1


class TCPFlags(IntFlag):
    """The flag bits of TCP, RFC 9293 section 3.1."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80

"""What reasons stand for: `REASONS` maps each to its exception class, its layer and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from vxlanpkt.errors import (
    BuildError,
    ChecksumError,
    DecapError,
    MalformedError,
    PacketError,
    Reason,
    TruncatedError,
)


class ReasonInfo(NamedTuple):
    """One row of `REASONS`: the class raised, the layer at fault, the sentence for people."""

    exception: type[PacketError]
    layer: str
    text: str


_T, _M, _C, _D, _B = TruncatedError, MalformedError, ChecksumError, DecapError, BuildError

REASONS: Mapping[Reason, ReasonInfo] = MappingProxyType(
    {
        reason: ReasonInfo(exception, layer, text)
        for reason, exception, layer, text in (
            (Reason.NOT_VXLAN, _D, "", "no UDP datagram to a VXLAN port"),
            (Reason.FRAGMENT, _D, "IP", "a fragment of a datagram, which is not reassembled here"),
            (Reason.CAPTURE_CUT, _T, "", "the capture kept only part of the frame"),
            (Reason.ROW_OUT_OF_RANGE, _T, "", "the row reaches outside the batch's buffer"),
            (Reason.NO_TUNNEL, _B, "Tunnel", "no tunnel was chosen for this frame"),
            (Reason.TUNNEL_OUT_OF_RANGE, _B, "Tunnel", "the index is beyond the table of tunnels"),
            (Reason.INNER_TOO_LONG, _B, "UDP", "the inner frame does not fit one IP datagram"),
            (Reason.ETHERNET_TRUNCATED, _T, "Ethernet", "the header is cut"),
            (Reason.DOT1Q_TRUNCATED, _T, "Dot1Q", "the tag is cut"),
            (Reason.ARP_TRUNCATED, _T, "ARP", "the message is cut"),
            (Reason.IPV4_HEADER_TRUNCATED, _T, "IPv4", "the fixed header is cut"),
            (Reason.IPV4_VERSION, _M, "IPv4", "the version is not 4"),
            (Reason.IPV4_IHL, _M, "IPv4", "the header length is below 5 words"),
            (Reason.IPV4_OPTIONS_TRUNCATED, _T, "IPv4", "the options are cut"),
            (Reason.IPV4_TOTAL_LENGTH, _M, "IPv4", "the total length is shorter than the header"),
            (Reason.IPV4_TRUNCATED, _T, "IPv4", "the total length is beyond the bytes there"),
            (Reason.IPV4_OPTION_LENGTH, _M, "IPv4", "an option's length is wrong"),
            (Reason.IPV6_HEADER_TRUNCATED, _T, "IPv6", "the fixed header is cut"),
            (Reason.IPV6_VERSION, _M, "IPv6", "the version is not 6"),
            (Reason.IPV6_TRUNCATED, _T, "IPv6", "the payload length is beyond the bytes there"),
            (Reason.IPV6_EXTENSION_TRUNCATED, _T, "IPv6", "an extension header is cut"),
            (Reason.IPV6_AH_LENGTH, _M, "IPv6", "the authentication header is shorter than 12 bytes"),
            (Reason.IPV6_OPTION_LENGTH, _M, "IPv6", "an option's length is wrong"),
            (Reason.UDP_HEADER_TRUNCATED, _T, "UDP", "the header is cut"),
            (Reason.UDP_LENGTH, _M, "UDP", "the length is shorter than the header"),
            (Reason.UDP_TRUNCATED, _T, "UDP", "the length is beyond the bytes there"),
            (Reason.TCP_HEADER_TRUNCATED, _T, "TCP", "the fixed header is cut"),
            (Reason.TCP_DATA_OFFSET, _M, "TCP", "the data offset is below 5 words"),
            (Reason.TCP_TRUNCATED, _T, "TCP", "the options are cut"),
            (Reason.TCP_OPTION_LENGTH, _M, "TCP", "an option's length is wrong"),
            (Reason.ICMP_TRUNCATED, _T, "ICMP", "the header is cut"),
            (Reason.ICMPV6_TRUNCATED, _T, "ICMPv6", "the header is cut"),
            (Reason.ND_OPTION_LENGTH, _M, "ICMPv6", "a neighbour discovery option's length is wrong"),
            (Reason.VXLAN_TRUNCATED, _T, "VXLAN", "the header is cut"),
            (Reason.VXLANGPE_TRUNCATED, _T, "VXLANGPE", "the header is cut"),
            (Reason.LINUX_SLL_TRUNCATED, _T, "LinuxSLL", "the header is cut"),
            (Reason.LINUX_SLL2_TRUNCATED, _T, "LinuxSLL2", "the header is cut"),
            (Reason.LOOPBACK_TRUNCATED, _T, "Loopback", "the header is cut"),
            (Reason.IP_VERSION, _M, "IP", "the version is neither 4 nor 6"),
            (Reason.IPV4_OPTIONS, _D, "IPv4", "IP options that are not accepted"),
            (Reason.IPV6_OPTIONS, _D, "IPv6", "extension headers that are not accepted"),
            (Reason.IPV4_CHECKSUM, _C, "IPv4", "the header checksum is wrong"),
            (Reason.UDP_CHECKSUM, _C, "UDP", "the checksum is wrong"),
            (Reason.UDP_CHECKSUM_ZERO, _D, "UDP", "no checksum over IPv6"),
            (Reason.VXLAN_I_FLAG, _D, "VXLAN", "the I flag is clear, so there is no valid VNI"),
            (Reason.VXLAN_RESERVED, _D, "VXLAN", "a bit is set that has to be zero"),
            (Reason.GBP_WITH_GPE, _D, "VXLAN", "group policy and generic protocol flags exclude each other"),
            (Reason.GPE_VERSION, _D, "VXLANGPE", "the version is not 0"),
            (Reason.GPE_OAM, _D, "VXLANGPE", "an OAM packet"),
            (Reason.GPE_NEXT_PROTOCOL, _D, "VXLANGPE", "the next protocol is not one that is accepted"),
            (
                Reason.GPE_P_FLAG,
                _D,
                "VXLAN",
                "the P flag is clear, and only the generic protocol extension is accepted",
            ),
            (Reason.VNI_REFUSED, _D, "VXLAN", "the VNI is not one of those accepted"),
            (Reason.SOURCE_REFUSED, _D, "IP", "the outer source is not one of those accepted"),
            (Reason.OUTER_SOURCE, _D, "IP", "the outer source is an address that no packet can come from"),
            (Reason.INNER_TRUNCATED, _T, "Ethernet", "the inner Ethernet header is cut"),
            (Reason.INNER_VLAN, _D, "Dot1Q", "an inner VLAN tag is not accepted"),
            (Reason.INNER_SOURCE, _D, "Ethernet", "the inner source address is zero or multicast"),
            (Reason.INNER_OWN_MAC, _D, "Ethernet", "the inner source address is our own"),
            (Reason.INNER_LENGTH, _D, "Ethernet", "the inner IP header or VLAN tag is cut"),
            (Reason.ECN_CONGESTION, _D, "IP", "congestion was marked on a flow that cannot be told"),
            (Reason.TCP_CHECKSUM, _C, "TCP", "the checksum is wrong"),
            (Reason.ICMP_CHECKSUM, _C, "ICMP", "the checksum is wrong"),
            (Reason.ICMPV6_CHECKSUM, _C, "ICMPv6", "the checksum is wrong"),
            (Reason.NO_ROOM, _B, "Tunnel", "there is no room for the outer header"),
            (Reason.LAYER_TRUNCATED, _T, "", "a layer of the user's own is cut"),
            (Reason.LAYER_MALFORMED, _M, "", "a layer of the user's own is malformed"),
            (Reason.LAYER_CHECKSUM, _C, "", "the checksum of a layer of the user's own is wrong"),
        )
    }
)

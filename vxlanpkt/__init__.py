"""vxlanpkt: build, parse, encapsulate and decapsulate what travels in a VXLAN tunnel.

Names only: each is loaded from its module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxlanpkt._names import loaded_on_use

if TYPE_CHECKING:
    from vxlanpkt.addresses import MACAddress as MACAddress
    from vxlanpkt.analysis import VTEP as VTEP
    from vxlanpkt.analysis import Flow as Flow
    from vxlanpkt.analysis import FlowTable as FlowTable
    from vxlanpkt.analysis import Report as Report
    from vxlanpkt.analysis import VTEPTable as VTEPTable
    from vxlanpkt.analysis import flows as flows
    from vxlanpkt.analysis import report as report
    from vxlanpkt.analysis import vteps as vteps
    from vxlanpkt.assigned import ECN as ECN
    from vxlanpkt.assigned import ARPOperation as ARPOperation
    from vxlanpkt.assigned import EtherType as EtherType
    from vxlanpkt.assigned import GBPFlags as GBPFlags
    from vxlanpkt.assigned import GPENextProtocol as GPENextProtocol
    from vxlanpkt.assigned import ICMPType as ICMPType
    from vxlanpkt.assigned import ICMPv6Type as ICMPv6Type
    from vxlanpkt.assigned import IPProtocol as IPProtocol
    from vxlanpkt.assigned import IPv4Flags as IPv4Flags
    from vxlanpkt.assigned import NDOptionType as NDOptionType
    from vxlanpkt.assigned import TCPFlags as TCPFlags
    from vxlanpkt.assigned import UDPPort as UDPPort
    from vxlanpkt.assigned import VXLANFlags as VXLANFlags
    from vxlanpkt.batches.columns import AddressColumn as AddressColumn
    from vxlanpkt.batches.decapsulated import DecapBatch as DecapBatch
    from vxlanpkt.batches.encapsulated import EncapBatch as EncapBatch
    from vxlanpkt.batches.frames import FrameBatch as FrameBatch
    from vxlanpkt.bindings import DEFAULT as DEFAULT
    from vxlanpkt.bindings import Bindings as Bindings
    from vxlanpkt.bulk.decapsulation import decap_batch as decap_batch
    from vxlanpkt.bulk.encapsulation import NO_TUNNEL as NO_TUNNEL
    from vxlanpkt.bulk.encapsulation import encap_batch as encap_batch
    from vxlanpkt.capture import Capture as Capture
    from vxlanpkt.capture import Interface as Interface
    from vxlanpkt.capture import Record as Record
    from vxlanpkt.capture import decap_file as decap_file
    from vxlanpkt.capture import encap_file as encap_file
    from vxlanpkt.capture import export_file as export_file
    from vxlanpkt.capture import open as open
    from vxlanpkt.capture import scan as scan
    from vxlanpkt.decapsulation import Decapsulated as Decapsulated
    from vxlanpkt.decapsulation import decap as decap
    from vxlanpkt.dissection import Dissection as Dissection
    from vxlanpkt.dissection import dissect as dissect
    from vxlanpkt.errors import BuildError as BuildError
    from vxlanpkt.errors import CaptureError as CaptureError
    from vxlanpkt.errors import ChecksumError as ChecksumError
    from vxlanpkt.errors import DecapError as DecapError
    from vxlanpkt.errors import FieldError as FieldError
    from vxlanpkt.errors import FilterError as FilterError
    from vxlanpkt.errors import LayerNotFound as LayerNotFound
    from vxlanpkt.errors import MalformedError as MalformedError
    from vxlanpkt.errors import PacketError as PacketError
    from vxlanpkt.errors import ParseError as ParseError
    from vxlanpkt.errors import Reason as Reason
    from vxlanpkt.errors import TruncatedError as TruncatedError
    from vxlanpkt.explanation import REMEDIES as REMEDIES
    from vxlanpkt.explanation import Change as Change
    from vxlanpkt.explanation import Explanation as Explanation
    from vxlanpkt.explanation import OfFrame as OfFrame
    from vxlanpkt.explanation import Remedy as Remedy
    from vxlanpkt.explanation import Verdict as Verdict
    from vxlanpkt.explanation import explain as explain
    from vxlanpkt.filters import Filter as Filter
    from vxlanpkt.kernel import backend as backend
    from vxlanpkt.kernel.contract.columns import ChecksumState as ChecksumState
    from vxlanpkt.kernel.contract.columns import Note as Note
    from vxlanpkt.kernel.contract.spans import Fault as Fault
    from vxlanpkt.kernel.contract.spans import Span as Span
    from vxlanpkt.layers.arp import ARP as ARP
    from vxlanpkt.layers.base import Around as Around
    from vxlanpkt.layers.base import Layer as Layer
    from vxlanpkt.layers.dot1q import Dot1Q as Dot1Q
    from vxlanpkt.layers.ethernet import Ethernet as Ethernet
    from vxlanpkt.layers.icmp import ICMP as ICMP
    from vxlanpkt.layers.icmpv6 import ICMPv6 as ICMPv6
    from vxlanpkt.layers.ipv4 import IPv4 as IPv4
    from vxlanpkt.layers.ipv4 import IPv4Option as IPv4Option
    from vxlanpkt.layers.ipv6 import IPv6 as IPv6
    from vxlanpkt.layers.ipv6_extensions import Authentication as Authentication
    from vxlanpkt.layers.ipv6_extensions import DestinationOptions as DestinationOptions
    from vxlanpkt.layers.ipv6_extensions import Fragment as Fragment
    from vxlanpkt.layers.ipv6_extensions import HopByHop as HopByHop
    from vxlanpkt.layers.ipv6_extensions import IPv6Option as IPv6Option
    from vxlanpkt.layers.ipv6_extensions import OpaqueExtension as OpaqueExtension
    from vxlanpkt.layers.ipv6_extensions import Routing as Routing
    from vxlanpkt.layers.linux_sll import LinuxSLL as LinuxSLL
    from vxlanpkt.layers.linux_sll2 import LinuxSLL2 as LinuxSLL2
    from vxlanpkt.layers.loopback import Loopback as Loopback
    from vxlanpkt.layers.messages import Echo as Echo
    from vxlanpkt.layers.messages import PacketTooBig as PacketTooBig
    from vxlanpkt.layers.messages import Quote as Quote
    from vxlanpkt.layers.messages import Unreachable as Unreachable
    from vxlanpkt.layers.neighbor_discovery import MTU as MTU
    from vxlanpkt.layers.neighbor_discovery import NDOption as NDOption
    from vxlanpkt.layers.neighbor_discovery import NeighborAdvertisement as NeighborAdvertisement
    from vxlanpkt.layers.neighbor_discovery import NeighborSolicitation as NeighborSolicitation
    from vxlanpkt.layers.neighbor_discovery import PrefixInformation as PrefixInformation
    from vxlanpkt.layers.neighbor_discovery import Redirect as Redirect
    from vxlanpkt.layers.neighbor_discovery import RedirectedHeader as RedirectedHeader
    from vxlanpkt.layers.neighbor_discovery import RouterAdvertisement as RouterAdvertisement
    from vxlanpkt.layers.neighbor_discovery import RouterSolicitation as RouterSolicitation
    from vxlanpkt.layers.neighbor_discovery import SourceLinkLayerAddress as SourceLinkLayerAddress
    from vxlanpkt.layers.neighbor_discovery import TargetLinkLayerAddress as TargetLinkLayerAddress
    from vxlanpkt.layers.tcp import TCP as TCP
    from vxlanpkt.layers.tcp_options import SACK as SACK
    from vxlanpkt.layers.tcp_options import EndOfOptions as EndOfOptions
    from vxlanpkt.layers.tcp_options import MaximumSegmentSize as MaximumSegmentSize
    from vxlanpkt.layers.tcp_options import NoOperation as NoOperation
    from vxlanpkt.layers.tcp_options import SACKPermitted as SACKPermitted
    from vxlanpkt.layers.tcp_options import TCPOption as TCPOption
    from vxlanpkt.layers.tcp_options import Timestamps as Timestamps
    from vxlanpkt.layers.tcp_options import WindowScale as WindowScale
    from vxlanpkt.layers.udp import UDP as UDP
    from vxlanpkt.layers.vxlan import VXLAN as VXLAN
    from vxlanpkt.layers.vxlan import GroupPolicy as GroupPolicy
    from vxlanpkt.layers.vxlan_gpe import VXLANGPE as VXLANGPE
    from vxlanpkt.link_types import LinkType as LinkType
    from vxlanpkt.packet import Packet as Packet
    from vxlanpkt.packet import parse as parse
    from vxlanpkt.policy import DecapPolicy as DecapPolicy
    from vxlanpkt.reasons import REASONS as REASONS
    from vxlanpkt.selection import RowFilter as RowFilter
    from vxlanpkt.tunnel import Datagram as Datagram
    from vxlanpkt.tunnel import Tunnel as Tunnel
    from vxlanpkt.tunnel import TunnelTable as TunnelTable
    from vxlanpkt.tunnel import flow_hash as flow_hash

__version__ = "0.1.0"

_MODULES: dict[str, tuple[str, ...]] = {
    "addresses": ("MACAddress",),
    "analysis": ("VTEP", "Flow", "FlowTable", "Report", "VTEPTable", "flows", "report", "vteps"),
    "assigned": (
        "ARPOperation", "ECN", "EtherType", "GBPFlags", "GPENextProtocol", "ICMPType", "ICMPv6Type", "IPProtocol",
        "IPv4Flags", "NDOptionType", "TCPFlags", "UDPPort", "VXLANFlags",
    ),
    "batches.columns": ("AddressColumn",),
    "batches.decapsulated": ("DecapBatch",),
    "batches.encapsulated": ("EncapBatch",),
    "batches.frames": ("FrameBatch",),
    "bindings": ("DEFAULT", "Bindings"),
    "bulk.decapsulation": ("decap_batch",),
    "bulk.encapsulation": ("NO_TUNNEL", "encap_batch"),
    "capture": ("Capture", "Interface", "Record", "decap_file", "encap_file", "export_file", "open", "scan"),
    "decapsulation": ("Decapsulated", "decap"),
    "dissection": ("Dissection", "dissect"),
    "errors": (
        "BuildError", "CaptureError", "ChecksumError", "DecapError", "FieldError", "FilterError",
        "LayerNotFound", "MalformedError", "PacketError", "ParseError", "Reason", "TruncatedError",
    ),
    "explanation": ("REMEDIES", "Change", "Explanation", "OfFrame", "Remedy", "Verdict", "explain"),
    "filters": ("Filter",),
    "kernel": ("backend",),
    "kernel.contract.columns": ("ChecksumState", "Note"),
    "kernel.contract.spans": ("Fault", "Span"),
    "layers.arp": ("ARP",),
    "layers.base": ("Around", "Layer"),
    "layers.dot1q": ("Dot1Q",),
    "layers.ethernet": ("Ethernet",),
    "layers.icmp": ("ICMP",),
    "layers.icmpv6": ("ICMPv6",),
    "layers.ipv4": ("IPv4", "IPv4Option"),
    "layers.ipv6": ("IPv6",),
    "layers.ipv6_extensions": (
        "Authentication", "DestinationOptions", "Fragment", "HopByHop", "IPv6Option", "OpaqueExtension", "Routing",
    ),
    "layers.linux_sll": ("LinuxSLL",),
    "layers.linux_sll2": ("LinuxSLL2",),
    "layers.loopback": ("Loopback",),
    "layers.messages": ("Echo", "PacketTooBig", "Quote", "Unreachable"),
    "layers.neighbor_discovery": (
        "MTU", "NDOption", "NeighborAdvertisement", "NeighborSolicitation", "PrefixInformation", "Redirect",
        "RedirectedHeader", "RouterAdvertisement", "RouterSolicitation", "SourceLinkLayerAddress",
        "TargetLinkLayerAddress",
    ),
    "layers.tcp": ("TCP",),
    "layers.tcp_options": (
        "SACK", "EndOfOptions", "MaximumSegmentSize", "NoOperation", "SACKPermitted", "TCPOption", "Timestamps",
        "WindowScale",
    ),
    "layers.udp": ("UDP",),
    "layers.vxlan": ("VXLAN", "GroupPolicy"),
    "layers.vxlan_gpe": ("VXLANGPE",),
    "link_types": ("LinkType",),
    "packet": ("Packet", "parse"),
    "policy": ("DecapPolicy",),
    "reasons": ("REASONS",),
    "selection": ("RowFilter",),
    "tunnel": ("Datagram", "Tunnel", "TunnelTable", "flow_hash"),
}  # fmt: skip

# `open` is left out, so that a star import does not hide the built-in.
__all__ = sorted({name for names in _MODULES.values() for name in names} - {"open"} | {"__version__"})

__getattr__ = loaded_on_use(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__

"""The columns that captures have: what each says, its type, and its name in other schemes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from vxlanpkt.capture.refusals import refused, require_one_of
from vxlanpkt.kernel.contract.captures import MAC, Address, Derived, Known

Names: TypeAlias = Literal["vxlanpkt", "tshark", "zeek", "ecs"]
Source: TypeAlias = "str | Derived | Address | MAC"


class CaptureColumn(NamedTuple):
    """A column that captures have.

    name, text         what it is called, and what it says
    format             its type, as the Arrow C interface writes it; of addresses, as text
    source             where its values come from
    known              where it has one: elsewhere it is null. None: it has no nulls
    tshark, zeek, ecs  what it is called there
    """

    name: str
    format: str
    source: Source
    known: Known | None
    tshark: str
    zeek: str
    ecs: str
    text: str


_U8, _U16, _U32, _U64, _TEXT, _TIME = "C", "S", "I", "L", "u", "tsn:UTC"
_REASONS_AS = "c"  # signed, as pandas asks of what counts into a dictionary

COLUMNS: Sequence[CaptureColumn] = tuple(CaptureColumn(*column) for column in (
    ("record", _U64, "record", None, "frame.number", "record", "event.sequence",
     "the record's number in the capture, from 1"),
    ("timestamp", _TIME, "timestamp", Known.TIME, "frame.time", "ts", "@timestamp",
     "when it was captured; null where the capture does not say"),
    ("frame_length", _U32, "frame_length", None, "frame.len", "frame_length", "network.bytes",
     "bytes of the frame on the wire, without frame check sequence"),
    ("capture_length", _U32, "capture_length", None, "frame.cap_len", "capture_length", "vxlan.capture_length",
     "how many of them the capture kept"),
    ("interface", _U32, "interface", None, "frame.interface_id", "interface", "observer.ingress.interface.id",
     "which of the capture's interfaces"),
    ("interface_name", _TEXT, "interface_name", None, "frame.interface_name", "interface_name",
     "observer.ingress.interface.name", "its name; null where the capture does not say"),
    ("link_type", _U16, "link_type", None, "link_type", "link_type", "vxlan.link_type",
     "its number in the tcpdump registry"),
    ("reason", _REASONS_AS, "status", None, "reason", "reason", "event.reason",
     "OK, or why the record was refused: the name of a `Reason`"),
    ("notes", _U8, "notes", None, "notes", "notes", "vxlan.notes", "`Note` bits"),
    ("outer_tags", _U8, "outer_tags", Known.LINK, "outer.tags", "tunnel.tags", "vxlan.outer.tags",
     "how many VLAN tags"),
    ("outer_vlan", _U16, Derived.OUTER_VLAN, Known.OUTER_TAG, "outer.vlan.id", "tunnel.vlan",
     "vxlan.outer.network.vlan.id", "the first tag's VLAN ID; null without tags"),
    ("outer_tci", _U16, "outer_vlan", Known.OUTER_TAG, "outer.vlan.tci", "tunnel.tci", "vxlan.outer.tci",
     "all 16 bits of that tag"),
    ("outer_family", _U8, "outer_family", Known.OUTER_IP, "outer.ip.version", "tunnel.ip_version",
     "vxlan.outer.ip_version", "4 or 6"),
    ("outer_src", _TEXT, Address.OUTER_SRC, Known.OUTER_IP, "outer.ip.src", "tunnel.id.orig_h",
     "vxlan.outer.source.ip", "the tunnel's source"),
    ("outer_dst", _TEXT, Address.OUTER_DST, Known.OUTER_IP, "outer.ip.dst", "tunnel.id.resp_h",
     "vxlan.outer.destination.ip", "the tunnel's destination"),
    ("outer_src_port", _U16, "outer_src_port", Known.OUTER_UDP, "outer.udp.srcport", "tunnel.id.orig_p",
     "vxlan.outer.source.port", "UDP source port"),
    ("outer_dst_port", _U16, "outer_dst_port", Known.OUTER_UDP, "outer.udp.dstport", "tunnel.id.resp_p",
     "vxlan.outer.destination.port", "UDP destination port; null where it is none that carries VXLAN"),
    ("vni", _U32, "vni", Known.TUNNEL, "vxlan.vni", "vni", "vxlan.vni", "VXLAN network identifier"),
    ("flags", _U32, "flags", Known.TUNNEL, "vxlan.flags", "vxlan_flags", "vxlan.flags",
     "bytes 0-3 of the VXLAN header as sent"),
    ("reserved", _U8, "reserved", Known.TUNNEL, "vxlan.reserved8", "vxlan_reserved", "vxlan.reserved",
     "byte 7 of the VXLAN header"),
    ("group_policy", _U16, Derived.GROUP_POLICY, Known.GROUP, "vxlan.gbp", "group_policy", "vxlan.group_policy",
     "group policy ID; null without the G flag"),
    ("inner_offset", _U32, Derived.INNER_OFFSET, Known.INNER, "inner.offset", "inner_offset", "vxlan.inner.offset",
     "where the inner frame begins in the frame"),
    ("inner_length", _U32, "inner_length", Known.ACCEPTED, "inner.cap_len", "inner_length", "vxlan.inner.length",
     "captured bytes of it; null where the record was refused"),
    ("inner_original_length", _U32, "inner_original_length", Known.ACCEPTED, "inner.len", "inner_original_length",
     "vxlan.inner.original_length", "its bytes on the wire; null where the record was refused"),
    ("inner_link_type", _U16, "inner_link_type", Known.INNER_LINK, "inner.link_type", "inner_link_type",
     "vxlan.inner.link_type", "1 for Ethernet, 101 for bare IP"),
    ("inner_src_mac", _TEXT, MAC.SRC, Known.INNER_MAC, "inner.eth.src", "orig_l2_addr", "source.mac",
     "source MAC address"),
    ("inner_dst_mac", _TEXT, MAC.DST, Known.INNER_MAC, "inner.eth.dst", "resp_l2_addr", "destination.mac",
     "destination MAC address"),
    ("inner_tags", _U8, "inner_tags", Known.INNER_ETHERNET, "inner.tags", "tags", "vxlan.inner.tags",
     "how many VLAN tags"),
    ("inner_vlan", _U16, Derived.INNER_VLAN, Known.INNER_TAG, "inner.vlan.id", "vlan", "network.vlan.id",
     "the first tag's VLAN ID; null without tags"),
    ("inner_tci", _U16, "inner_vlan", Known.INNER_TAG, "inner.vlan.tci", "tci", "vxlan.inner.tci",
     "all 16 bits of that tag"),
    ("inner_ethertype", _U16, "inner_ethertype", Known.INNER_ETHERTYPE, "inner.eth.type", "ethertype",
     "vxlan.inner.ethertype", "EtherType behind the tags"),
    ("inner_family", _U8, "inner_family", Known.INNER_IP, "inner.ip.version", "ip_version", "vxlan.inner.ip_version",
     "4 or 6; null where there is no sound IP header"),
    ("inner_src", _TEXT, Address.INNER_SRC, Known.INNER_IP, "inner.ip.src", "id.orig_h", "source.ip",
     "source address"),
    ("inner_dst", _TEXT, Address.INNER_DST, Known.INNER_IP, "inner.ip.dst", "id.resp_h", "destination.ip",
     "destination address"),
    ("inner_protocol", _U8, "inner_protocol", Known.INNER_IP, "inner.ip.proto", "ip_proto", "network.iana_number",
     "number of the protocol in IP"),
    ("inner_src_port", _U16, "inner_src_port", Known.INNER_PORTS, "inner.srcport", "id.orig_p", "source.port",
     "TCP or UDP source port; null where both are 0, too"),
    ("inner_dst_port", _U16, "inner_dst_port", Known.INNER_PORTS, "inner.dstport", "id.resp_p", "destination.port",
     "the destination's"),
    ("inner_tcp_flags", _U16, "inner_tcp_flags", Known.INNER_TCP, "inner.tcp.flags", "tcp_flags",
     "vxlan.inner.tcp_flags", "TCP's flags and reserved bits; null where none is set"),
))  # fmt: skip
"""Every column of its own accord, in order."""

FILE = CaptureColumn(
    "file", _TEXT, "file", None, "frame.file_name", "file", "log.file.path",
    "the name of the file that the record is from; only if it is asked for",
)  # fmt: skip

_BY_NAME = {column.name: column for column in (*COLUMNS, FILE)}
_NAMES = ("vxlanpkt", "tshark", "zeek", "ecs")


def chosen_columns(columns: Iterable[str] | None, names: Names) -> tuple[CaptureColumn, ...]:
    """The columns asked for, by their own names or those of the scheme, in that order; all if none is named.

    Raises FieldError for a scheme that is none, a column that is none, and one that is named twice.
    """
    require_one_of("names", names, _NAMES)
    if columns is None:
        return tuple(COLUMNS)
    if isinstance(columns, str):
        columns = (columns,)
    known = {name_in(column, names): column for column in _BY_NAME.values()} | _BY_NAME
    chosen = []
    for name in columns:
        if name not in known:
            raise refused("columns", name, f"a column: these are {', '.join(_BY_NAME)}")
        chosen.append(known[name])
    if len(set(chosen)) < len(chosen):
        raise refused("columns", [column.name for column in chosen], "a list of different columns")
    return tuple(chosen)


def name_in(column: CaptureColumn, names: Names) -> str:
    """What a column is called."""
    name: str = column.name if names == "vxlanpkt" else getattr(column, names)
    return name

"""Layers as text for people: one line a layer, indented by tunnel, faults and leftovers included."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntFlag
from typing import TYPE_CHECKING

from vxlanpkt.assigned import (
    ARPOperation,
    EtherType,
    GPENextProtocol,
    ICMPType,
    ICMPv6Type,
    IPProtocol,
    IPv4Flags,
    TCPFlags,
    UDPPort,
    VXLANFlags,
)
from vxlanpkt.link_types import OpenEnum

if TYPE_CHECKING:
    from vxlanpkt.errors import ParseError
    from vxlanpkt.layers.base import Layer

_REGISTRIES: Mapping[tuple[str, str], type[OpenEnum]] = {
    ("ARP", "operation"): ARPOperation,
    ("ARP", "protocol_type"): EtherType,
    ("Ethernet", "ethertype"): EtherType,
    ("Dot1Q", "ethertype"): EtherType,
    ("LinuxSLL", "protocol"): EtherType,
    ("LinuxSLL2", "protocol"): EtherType,
    ("IPv4", "protocol"): IPProtocol,
    ("IPv6", "next_header"): IPProtocol,
    ("UDP", "dst_port"): UDPPort,
    ("ICMP", "type"): ICMPType,
    ("ICMPv6", "type"): ICMPv6Type,
    ("VXLANGPE", "next_protocol"): GPENextProtocol,
}
_FLAGS: Mapping[tuple[str, str], type[IntFlag]] = {
    ("IPv4", "flags"): IPv4Flags,
    ("TCP", "flags"): TCPFlags,
    ("VXLAN", "flags"): VXLANFlags,
    ("VXLANGPE", "flags"): VXLANFlags,
}
_HEX = frozenset(("checksum", "header_checksum", "ethertype", "protocol_type", "flow_label", "identification"))
# What a field says when it says nothing: left out, so that a line shows what is special about a packet.
_USUAL: Mapping[str, object] = {
    "dscp": 0, "ecn": 0, "fragment_offset": 0, "flow_label": 0, "pcp": 0, "dei": 0, "urgent_pointer": 0,
    "reserved": 0, "reserved1": 0, "reserved2": 0, "ihl": 5, "data_offset": 5, "hardware_type": 1,
    "protocol_type": 0x0800, "hardware_length": 6, "protocol_length": 4, "options": b"", "extension_headers": (),
    "raw_addresses": None,
}  # fmt: skip
_USUAL_IN: Mapping[tuple[str, str], int] = {
    ("IPv4", "version"): 4,
    ("IPv4", "flags"): 0,
    ("IPv6", "version"): 6,
    ("VXLANGPE", "version"): 0,
}
_NEVER = object()
_SHOWN_BYTES = 24


def tree(layers: Sequence[Layer], payload: bytes, trailers: Sequence[bytes], error: ParseError | None = None) -> str:
    """The layers from the outside in, one a line; what is behind a tunnel header stands further right."""
    lines = []
    indent = ""
    for index, layer in enumerate(layers):
        lines.append(f"{indent}{layer.NAME:<8}  {', '.join(_fields(layer))}")
        if index < len(trailers) and trailers[index]:
            lines.append(f"{indent}  trailer of {_shown(trailers[index])}")
        if layer.TUNNEL:
            indent += "  "
    if payload or not layers:
        lines.append(f"{indent}payload   {_shown(payload)}")
    if error is not None:
        lines.append(f"{indent}! {error}")
    return "\n".join(lines)


def html_tree(
    layers: Sequence[Layer], payload: bytes, trailers: Sequence[bytes], error: ParseError | None = None
) -> str:  # fmt: skip
    """The same as a table of HTML, without a style: a row a layer; what is behind a tunnel header is a table inside."""
    from html import escape  # its table of names is large, and only notebooks need it

    tables: list[list[str]] = [[]]
    for index, layer in enumerate(layers):
        said = "".join(f"<div>{escape(text)}</div>" for text in _fields(layer))
        tables[-1].append(_row(layer.NAME, said, escape))
        if index < len(trailers) and trailers[index]:
            tables[-1].append(_row("trailer", escape(_shown(trailers[index])), escape))
        if layer.TUNNEL:
            tables.append([])
    if payload or not layers:
        tables[-1].append(_row("payload", escape(_shown(payload)), escape))
    if error is not None:
        tables[-1].append(_row("fault", escape(str(error)), escape))
    inner = ""
    for rows in reversed(tables):
        if inner:
            rows.append(f'<tr><td colspan="2">{inner}</td></tr>')
        inner = f"<table><tbody>{''.join(rows)}</tbody></table>" if rows else inner
    return inner


def _row(name: str, content: str, escape: Callable[[str], str]) -> str:
    return f'<tr><th scope="row">{escape(name)}</th><td>{content}</td></tr>'


def _fields(layer: Layer) -> Iterator[str]:
    """Every field that says something; a derived one that is still None is shown as a dash."""
    for name in getattr(layer, "__slots__", ()) or vars(layer):
        value = getattr(layer, name)
        usual = _USUAL_IN.get((layer.NAME, name), _USUAL.get(name, _NEVER))
        if value != usual:
            yield f"{name} {_value(layer.NAME, name, value)}"


def _value(layer: str, field: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bytes):
        return _shown(value)
    if isinstance(value, tuple):
        return ", ".join(_value(layer, field, item) for item in value)
    if dataclasses.is_dataclass(value):
        parts = ((part.name, getattr(value, part.name)) for part in dataclasses.fields(value))
        said = ", ".join(
            f"{name} {_value(layer, name, part)}" for name, part in parts if part != _USUAL.get(name, _NEVER)
        )
        return f"{type(value).__name__}({said})"
    if not isinstance(value, int):
        return str(value)
    flags = _FLAGS.get((layer, field))
    if flags is not None:
        names = "+".join(str(bit.name) for bit in flags if value & bit)
        return f"{value:#04x}" + (f" ({names})" if names else "")
    text = f"{value:#06x}" if field in _HEX else str(value)
    registry = _REGISTRIES.get((layer, field))
    name = registry.name_of(value) if registry else None
    return f"{text} ({name})" if name else text


def _shown(data: bytes) -> str:
    dots = " ..." if len(data) > _SHOWN_BYTES else ""
    count = f"{len(data)} byte{'' if len(data) == 1 else 's'}"
    return f"{count}: {data[:_SHOWN_BYTES].hex(' ', 2)}{dots}" if data else count

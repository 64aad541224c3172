"""Records of capture files."""

from __future__ import annotations

from typing import Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import Held
from vxlanpkt.kernel.contract.columns import RECORD_LAYOUT
from vxlanpkt.kernel.contract.records import FINEST_UNITS, Section, SectionInterface, Stretch


def hold_section(section: Section) -> Held:
    """What the records of a capture file are read by, held."""
    held = ffi.new("struct vxlanpkt_section *")
    held.first, held.limit = section.first, section.limit
    held.pcapng, held.big_endian = section.pcapng, section.big_endian
    whole = Held(held, [ffi.new("struct vxlanpkt_interface[]", _FEW_INTERFACES)])
    held.interfaces = whole.kept[0]
    for interface in section.interfaces:
        add_interface(whole, interface)
    return whole


_FEW_INTERFACES = 4


def add_interface(section: Held, interface: SectionInterface) -> None:
    """Add an interface to a section that is held: a file may have as many as it has blocks."""
    held, (interfaces,) = section
    count = held.count
    if count == len(interfaces):
        grown = ffi.new("struct vxlanpkt_interface[]", 2 * count)
        ffi.memmove(grown, interfaces, ffi.sizeof(interfaces))
        section.kept[0] = held.interfaces = interfaces = grown
    to = interfaces[count]
    to.units = interface.units if interface.units <= FINEST_UNITS else 0
    to.offset, to.link_type = interface.offset, interface.link_type
    to.snaplen, to.fcslen, to.kind = interface.snaplen, interface.fcslen, interface.kind
    held.count = count + 1


def read_records(buffer: Any, begin: int, end: int, section: Held, out: Any) -> Stretch:
    """Read the records in `buffer[begin:end]` into columns, as many as *out* has room for."""
    found = lib.vxlanpkt_read_records(
        buffer, begin, min(end, len(buffer)), section.pointer, out, len(out) // RECORD_LAYOUT.row_size
    )
    return Stretch(found.rows, found.position, found.needed, found.stop, found.link_type)

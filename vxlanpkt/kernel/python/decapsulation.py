"""The specification of decapsulation: one frame against rules, from the outside in.

The order of the checks is part of the contract, as the first that fails gives the status:
link layer and tags, IP, cut captures, its protocol, later fragments, IP options, IP checksum; UDP,
its port, first fragments, UDP checksum; the VXLAN header, I, G with P, P itself, GPE's fields,
reserved bits, VNI, source; the inner frame's length, tag, source address, our own addresses, the
length of a tagged frame as Linux wants it; the length of the inner IP header, ECN. Open vSwitch's
rule for ECN comes before that length.
"""

from __future__ import annotations

from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP
from vxlanpkt.kernel.contract.columns import (
    ALTERED,
    BRIEF_COLUMNS,
    BRIEF_LAYOUT,
    DECAP_COLUMNS,
    DECAP_LAYOUT,
    NO_LINK_TYPE,
)
from vxlanpkt.kernel.contract.decap_record import DecapRecord
from vxlanpkt.kernel.contract.decapsulation import DecapRules, GPERule, Lengths, Underlay
from vxlanpkt.kernel.contract.protocols import ETHERNET_LINK, IPV4_TYPE, IPV6_TYPE, RAW_LINK
from vxlanpkt.kernel.contract.spans import Buffer, Fault, Kind
from vxlanpkt.kernel.python.frames import Frames, extent_of
from vxlanpkt.kernel.python.inner import decap_inner
from vxlanpkt.kernel.python.memory import shares_memory
from vxlanpkt.kernel.python.outer import Extent, decap_outer
from vxlanpkt.kernel.python.scanning import scan_vxlan

_NOT_KNOWN = Underlay()

# VXLAN's flag bits in byte 0, and GPE's next protocols 1 to 5.
_G, _VERSION, _I, _P, _O = 0x80, 0x30, 0x08, 0x04, 0x01
_WITH_P = 0x300000FF_00000000  # what P defines: the version and the next protocol
_GPE_IPV4, _GPE_IPV6, _GPE_ETHERNET, _GPE_LAST = 1, 2, 3, 5

_TUNNELS = (int(Kind.VXLAN), int(Kind.VXLANGPE))
_ONLY_GPE, _OVS_GPE = GPERule.LINUX, GPERule.OVS


def hold_rules(rules: DecapRules) -> DecapRules:
    """A decapsulation policy, held."""
    return rules


def decap_one(
    data: bytes, missing: int, kind: int, rules: DecapRules, underlay: Underlay | None = None
) -> DecapRecord:  # fmt: skip
    """Decapsulate one frame, of which *missing* bytes were cut off."""
    if len(data) >> 32:
        return DecapRecord(status=Reason.ROW_OUT_OF_RANGE)
    return decap_row(data, 0, len(data), missing, kind, rules, underlay or _NOT_KNOWN)


def locate_inner(data: bytes, rules: DecapRules) -> int:
    """Of an accepted Ethernet frame: the VNI, and where the inner frame begins and ends, in 32, 16 and 16 bits.

    0 for any other frame, where a number does not fit, and where the policy alters the inner frame: ask `decap_one`.
    """
    record = decap_one(data, 0, Kind.ETHERNET, rules)
    end = record.inner_offset + record.inner_length
    if record.status or record.notes & ALTERED or end >> 16:
        return 0
    return record.vni << 32 | record.inner_offset << 16 | end


def as_record(record: DecapRecord) -> DecapRecord:
    """What `decap_one` returned, as the contract's own class."""
    return record


def decap_row(
    buf: Buffer,
    start: int,
    end: int,
    missing: int,
    kind: int,
    rules: DecapRules,
    underlay: Underlay = Underlay(),  # noqa: B008 - immutable
) -> DecapRecord:
    """Decapsulate the frame `buf[start:end]`, which begins with a header of *kind*.

    *missing* bytes of the frame were cut off by the capture.
    """
    record = DecapRecord()
    extent: Extent | Reason
    if kind in _TUNNELS:
        # No length of IP says so here.
        extent = Reason.CAPTURE_CUT if missing and rules.lengths is Lengths.STRICT else (start, end, missing)
    else:
        extent, underlay = decap_outer(buf, start, end, missing, kind, rules, record)
    if not isinstance(extent, Reason):
        extent = _vxlan(buf, extent, rules, record, underlay)
    if not isinstance(extent, Reason):
        extent = decap_inner(buf, extent, rules, record, underlay.tos)
    if isinstance(extent, Reason):
        record.status = int(extent)
        record.inner_length = record.inner_original_length = 0
    return record


def _vxlan(buf: Buffer, extent: Extent, rules: DecapRules, record: DecapRecord, underlay: Underlay) -> Extent | Reason:
    start, end, missing = extent
    row = scan_vxlan(buf, start, end, missing)
    if isinstance(row, Fault):
        return row.reason
    header = int.from_bytes(buf[start : start + 8], "big")
    record.flags = header >> 32
    record.vni = header >> 8 & 0xFFFFFF
    record.reserved = header & 0xFF
    flags = buf[start]
    if not flags & _I:
        return Reason.VXLAN_I_FLAG
    if flags & _G and flags & _P and (rules.gbp or rules.gpe):
        return Reason.GBP_WITH_GPE
    if rules.gpe is _ONLY_GPE and not flags & _P:
        return Reason.GPE_P_FLAG
    record.inner_link_type = ETHERNET_LINK
    if rules.gpe:
        refused = _gpe(flags, buf[start + 3], rules, record)
        if refused is not None:
            return refused
    with_p = rules.gpe is _OVS_GPE and flags & _P
    if header & rules.reserved_mask & ~(_WITH_P if with_p else 0):
        return Reason.VXLAN_RESERVED
    if rules.vnis is not None and record.vni not in rules.vnis:
        return Reason.VNI_REFUSED
    if rules.sources is not None and not any(
        underlay.version == version and underlay.source & mask == network for version, network, mask in rules.sources
    ):
        return Reason.SOURCE_REFUSED
    if rules.check_outer_source and _is_martian(underlay.version, underlay.source):
        return Reason.OUTER_SOURCE
    return start + 8, end, missing


def _is_martian(version: int, source: int) -> bool:
    """Whether no packet can come from an address: "this host", loopback, multicast, broadcast (RFC 1122 3.2.1.3)."""
    if version == 4:
        return source in (0, 0xFFFFFFFF) or source >> 24 == 127 or source >> 28 == 0xE
    return version == 6 and (source == 1 or source >> 120 == 0xFF)


def _gpe(flags: int, next_protocol: int, rules: DecapRules, record: DecapRecord) -> Reason | None:
    if flags & _VERSION and rules.gpe is not _OVS_GPE:
        return Reason.GPE_VERSION
    if flags & _O:
        return Reason.GPE_OAM
    if not flags & _P:
        return None
    if not 1 <= next_protocol <= _GPE_LAST or (rules.gpe is _OVS_GPE and next_protocol != _GPE_ETHERNET):
        return Reason.GPE_NEXT_PROTOCOL
    if next_protocol in (_GPE_IPV4, _GPE_IPV6):
        record.inner_link_type = RAW_LINK
        record.inner_ethertype = IPV4_TYPE if next_protocol == _GPE_IPV4 else IPV6_TYPE
    elif next_protocol != _GPE_ETHERNET:
        record.inner_link_type = NO_LINK_TYPE
    return None


def decap(frames: Frames, kind: int, rules: DecapRules, brief: bool, out: bytearray) -> int:
    """Decapsulate every row, and fill the columns, which lie in *out*."""
    rows = len(frames.offsets)
    layout = BRIEF_LAYOUT if brief else DECAP_LAYOUT
    if shares_memory(out, *frames):
        return OVERLAP
    if len(out) < rows * layout.row_size:
        return NO_SPACE
    whole = memoryview(out)
    columns = {name: layout.column(name, rows, whole) for name in (BRIEF_COLUMNS if brief else DECAP_COLUMNS)}
    accepted = 0
    for row in range(rows):
        record = _decap_frame(frames, row, kind, rules)
        accepted += record.status == 0
        for name, column in columns.items():
            value = getattr(record, name)
            if isinstance(value, bytes):
                column[16 * row : 16 * row + 16] = value
            else:
                column[row] = value
    return accepted


def _decap_frame(frames: Frames, row: int, kind: int, rules: DecapRules) -> DecapRecord:
    extent = extent_of(frames, row)
    if extent is None:
        return DecapRecord(status=Reason.ROW_OUT_OF_RANGE)
    return decap_row(frames.data, *extent, kind, rules)

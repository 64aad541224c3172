"""Decapsulation, of one frame and of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.kernel.c.memory import NULL, Held
from vxlanpkt.kernel.contract.columns import ADDRESS, DECAP_COLUMNS
from vxlanpkt.kernel.contract.decapsulation import DecapRules, Underlay
from vxlanpkt.kernel.contract.protocols import MAPPED

if TYPE_CHECKING:
    from vxlanpkt.kernel.contract.decap_record import DecapRecord

# Looked up once, and what is held by its index: called for every frame, or batch, where a name takes longer.
_decap_one, _locate_inner, _decap = lib.vxlanpkt_decap_one, lib.vxlanpkt_locate_inner, lib.vxlanpkt_decap

_NO_PORT = 0x10000


def hold_rules(rules: DecapRules) -> Held:
    """A decapsulation policy, held."""
    held = ffi.new("struct vxlanpkt_rules *")
    for name in _NUMBERS_OF_RULES:
        setattr(held, name, int(getattr(rules, name)))
    for port in rules.ports:
        held.ports[port >> 3] |= 1 << (port & 7)
    held.usual_port = min(rules.ports, default=_NO_PORT)
    vnis = ffi.new("uint32_t[]", sorted(rules.vnis or ()))
    own_macs = ffi.new("uint64_t[]", [int.from_bytes(mac, "big") for mac in rules.own_macs])
    sources = ffi.new("struct vxlanpkt_prefix[]", [_prefix(*source) for source in rules.sources or ()])
    held.vnis, held.own_macs, held.sources = vnis, own_macs, sources
    held.vni_count = -1 if rules.vnis is None else len(vnis)
    held.source_count = -1 if rules.sources is None else len(sources)
    held.own_mac_count = len(own_macs)
    return Held(held, (vnis, own_macs, sources))


_NUMBERS_OF_RULES = (
    "reserved_mask", "gbp", "gpe", "verify_ip_checksum", "verify_udp_checksum", "zero_checksum6", "atomic_fragments",
    "ip_options", "check_outer_source", "udp_length", "inner_vlan", "check_inner_source", "check_inner_length", "ecn",
    "lengths",
)  # fmt: skip


def _prefix(version: int, network: int, mask: int) -> tuple[int, bytes, bytes]:
    """A prefix as the kernel compares it: IPv4 in its mapped form."""
    if version == 4:
        return version, MAPPED + network.to_bytes(4, "big"), b"\xff" * 12 + mask.to_bytes(4, "big")
    return version, network.to_bytes(16, "big"), mask.to_bytes(16, "big")


def decap_one(data: bytes, missing: int, kind: int, rules: Held, underlay: Underlay | None = None) -> Any:
    """Decapsulate one frame, of which *missing* bytes were cut off."""
    known = NULL if underlay is None else _hold_underlay(underlay)
    return _decap_one(data, len(data), missing, kind, rules[0], known)


def locate_inner(data: bytes, rules: Held) -> int:
    """Of an accepted Ethernet frame: the VNI, and where the inner frame begins and ends, in 32, 16 and 16 bits.

    0 for any other frame, where a number does not fit, and where the policy alters the inner frame: ask `decap_one`.
    """
    return _locate_inner(data, len(data), rules[0])  # type: ignore[no-any-return]


def _hold_underlay(underlay: Underlay) -> Any:
    version, source, tos = underlay
    packed = MAPPED + source.to_bytes(4, "big") if version == 4 else source.to_bytes(16, "big")
    return ffi.new("struct vxlanpkt_underlay *", (version, packed, -1 if tos is None else tos))


def as_record(record: Any) -> DecapRecord:
    """What `decap_one` returned, as the contract's own class.

    One that is so already stays.
    """
    from vxlanpkt.kernel.contract.decap_record import DecapRecord  # a dataclass: slow to load

    if isinstance(record, DecapRecord):
        return record
    values: dict[str, Any] = {}
    for name, code in DECAP_COLUMNS.items():
        value = getattr(record, name)
        values[name] = bytes(ffi.buffer(value)) if code == ADDRESS else value
    return DecapRecord(**values)


def decap(frames: Held, kind: int, rules: Held, brief: bool, out: Any) -> int:
    """Decapsulate every row, and fill the columns, which lie in *out*."""
    return _decap(frames[0], kind, rules[0], brief, out, len(out))  # type: ignore[no-any-return]

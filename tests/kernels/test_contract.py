"""Every number that Python and C share is the same on both sides: read out of the compiled extension, name by name."""

from __future__ import annotations

from enum import IntEnum, IntFlag

import pytest

from vxlanpkt import Note, Reason
from vxlanpkt.kernel import contract
from vxlanpkt.kernel.contract import answers, captures, columns, decapsulation, encapsulation, grouping, spans

fastlib = pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
ffi, lib = fastlib.ffi, fastlib.lib

ENUMS: dict[str, tuple[str, type[IntEnum] | type[IntFlag]]] = {
    "vxlanpkt_reason": ("REASON_", Reason),
    "vxlanpkt_kind": ("KIND_", spans.Kind),
    "vxlanpkt_note": ("NOTE_", Note),
    "vxlanpkt_trait": ("TRAIT_", columns.Trait),
    "vxlanpkt_checksum_state": ("CHECKSUM_", columns.ChecksumState),
    "vxlanpkt_lengths": ("LENGTHS_", decapsulation.Lengths),
    "vxlanpkt_inner_vlan": ("INNER_VLAN_", decapsulation.InnerVLAN),
    "vxlanpkt_ecn_rule": ("ECN_RULE_", decapsulation.ECNRule),
    "vxlanpkt_ecn_mode": ("ECN_MODE_", encapsulation.ECNMode),
    "vxlanpkt_df": ("DF_", encapsulation.DF),
    "vxlanpkt_flow_label": ("FLOW_LABEL_", encapsulation.FlowLabel),
    "vxlanpkt_udp_checksum": ("UDP_CHECKSUM_", encapsulation.UDPChecksum),
    "vxlanpkt_encap_mode": ("ENCAP_MODE_", encapsulation.EncapMode),
    "vxlanpkt_known": ("KNOWN_", captures.Known),
    "vxlanpkt_derived": ("DERIVED_", captures.Derived),
    "vxlanpkt_address": ("ADDRESS_", captures.Address),
    "vxlanpkt_mac": ("MAC_", captures.MAC),
}


@pytest.mark.parametrize("name", ENUMS)
def test_enums(name: str) -> None:
    """Names and values, none more and none fewer."""
    prefix, enum = ENUMS[name]
    in_c = ffi.typeof(f"enum {name}").relements
    assert in_c == {f"{prefix}{key}": member.value for key, member in enum.__members__.items()}


def test_fields() -> None:
    """The names of fields that faults speak of stand in the order of their numbers."""
    in_c = ffi.typeof("enum vxlanpkt_field").elements
    assert [in_c[number].removeprefix("FIELD_").lower() for number in sorted(in_c)] == ["none", *spans.FIELDS[1:]]


def test_constants() -> None:
    """Values that stand for something special."""
    assert lib.VXLANPKT_CONTRACT == contract.CONTRACT
    assert lib.VXLANPKT_UNTAGGED == columns.UNTAGGED
    assert lib.VXLANPKT_NO_ECN == columns.NO_ECN
    assert lib.VXLANPKT_NO_LINK_TYPE == columns.NO_LINK_TYPE
    assert lib.VXLANPKT_NO_TUNNEL == columns.NO_TUNNEL
    assert lib.VXLANPKT_NO_KEY == spans.NO_KEY
    assert lib.VXLANPKT_NO_SPACE == answers.NO_SPACE
    assert lib.VXLANPKT_OVERLAP == answers.OVERLAP
    assert lib.VXLANPKT_WRONG_COLUMNS == answers.WRONG_COLUMNS
    assert lib.VXLANPKT_NO_GROUP == columns.NO_GROUP
    assert lib.VXLANPKT_NO_IDENTIFICATION == columns.NO_IDENTIFICATION
    assert lib.VXLANPKT_LARGEST_KEY == grouping.LARGEST_KEY
    assert lib.VXLANPKT_KEY_COLUMNS == grouping.KEY_COLUMNS
    assert (
        ffi.sizeof("struct vxlanpkt_groups") - ffi.offsetof("struct vxlanpkt_groups", "secrets") == grouping.SEED_SIZE
    )


def test_record() -> None:
    """A record in C has a field for each column, in the order of the columns, and of its width."""
    fields = dict(ffi.typeof("struct vxlanpkt_record").fields)
    assert list(fields) == list(columns.DECAP_COLUMNS)
    for name, code in columns.DECAP_COLUMNS.items():
        assert ffi.sizeof(fields[name].type) == columns.WIDTHS[code], name

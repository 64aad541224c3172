"""Every number that Python and C share is the same on both sides: read out of the compiled extension, name by name."""

from __future__ import annotations

import re
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest

import vxlanpkt
from vxlanpkt import Note, Reason
from vxlanpkt.kernel import contract
from vxlanpkt.kernel.contract import (
    answers,
    captures,
    columns,
    counting,
    decapsulation,
    encapsulation,
    filtering,
    grouping,
    records,
    sightings,
    spans,
    tables,
    writing,
)

fastlib = pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
ffi, lib = fastlib.ffi, fastlib.lib

ENUMS: dict[str, tuple[str, type[IntEnum] | type[IntFlag]]] = {
    "vxlanpkt_reason": ("REASON_", Reason),
    "vxlanpkt_kind": ("KIND_", spans.Kind),
    "vxlanpkt_note": ("NOTE_", Note),
    "vxlanpkt_trait": ("TRAIT_", sightings.Trait),
    "vxlanpkt_checksum_state": ("CHECKSUM_", columns.ChecksumState),
    "vxlanpkt_lengths": ("LENGTHS_", decapsulation.Lengths),
    "vxlanpkt_inner_vlan": ("INNER_VLAN_", decapsulation.InnerVLAN),
    "vxlanpkt_ecn_rule": ("ECN_RULE_", decapsulation.ECNRule),
    "vxlanpkt_ip_options": ("IP_OPTIONS_", decapsulation.IPOptions),
    "vxlanpkt_gpe_rule": ("GPE_RULE_", decapsulation.GPERule),
    "vxlanpkt_inner_length": ("INNER_LENGTH_", decapsulation.InnerLength),
    "vxlanpkt_udp_length": ("UDP_LENGTH_", decapsulation.UDPLength),
    "vxlanpkt_reading": ("READING_", spans.Reading),
    "vxlanpkt_ecn_mode": ("ECN_MODE_", encapsulation.ECNMode),
    "vxlanpkt_df": ("DF_", encapsulation.DF),
    "vxlanpkt_flow_label": ("FLOW_LABEL_", encapsulation.FlowLabel),
    "vxlanpkt_udp_checksum": ("UDP_CHECKSUM_", encapsulation.UDPChecksum),
    "vxlanpkt_inner_ip": ("INNER_IP_", encapsulation.InnerIP),
    "vxlanpkt_encap_mode": ("ENCAP_MODE_", encapsulation.EncapMode),
    "vxlanpkt_known": ("KNOWN_", captures.Known),
    "vxlanpkt_derived": ("DERIVED_", captures.Derived),
    "vxlanpkt_cut_off": ("CUT_OFF_", counting.CutOff),
    "vxlanpkt_address": ("ADDRESS_", captures.Address),
    "vxlanpkt_mac": ("MAC_", captures.MAC),
    "vxlanpkt_stop": ("STOP_", records.Stop),
    "vxlanpkt_step_kind": ("STEP_KIND_", filtering.StepKind),
    "vxlanpkt_join": ("JOIN_", filtering.Join),
}
FIELDS = "vxlanpkt_field"
CONSTANTS = {
    "CONTRACT": contract.CONTRACT,
    "UNTAGGED": columns.UNTAGGED,
    "NO_ECN": columns.NO_ECN,
    "NO_LINK_TYPE": columns.NO_LINK_TYPE,
    "NO_TUNNEL": columns.NO_TUNNEL,
    "NO_GROUP": columns.NO_GROUP,
    "NO_IDENTIFICATION": columns.NO_IDENTIFICATION,
    "NO_INTERFACE": writing.NO_INTERFACE,
    "NO_KEY": spans.NO_KEY,
    "NO_VALUE": tables.NO_VALUE,
    "STATIC": tables.STATIC,
    "LARGEST_KEY": grouping.LARGEST_KEY,
    "NO_COLUMN": counting.NO_COLUMN,
    "COUNTED_ROWS": counting.COUNTED_ROWS,
    "KEY_COLUMNS": grouping.KEY_COLUMNS,
    "REGISTERS": filtering.REGISTERS,
    "NO_GUARD": filtering.NO_GUARD,
    "NO_SPACE": answers.NO_SPACE,
    "OVERLAP": answers.OVERLAP,
    "WRONG_COLUMNS": answers.WRONG_COLUMNS,
    "UNSOUND": answers.UNSOUND,
}
# How long arrays in structs are: Python asks cffi.
ONLY_IN_C = {"LARGEST_HEADER", "WALK_ROWS"}
HEADER = (Path(vxlanpkt.__file__).parent / "csrc" / "contract.h").read_text(encoding="ascii")


@pytest.mark.parametrize("name", ENUMS)
def test_enums(name: str) -> None:
    """Names and values, none more and none fewer."""
    prefix, enum = ENUMS[name]
    in_c = ffi.typeof(f"enum {name}").relements
    assert in_c == {f"{prefix}{key}": member.value for key, member in enum.__members__.items()}


def test_fields() -> None:
    """The names of fields that faults speak of stand in the order of their numbers."""
    in_c = ffi.typeof(f"enum {FIELDS}").elements
    assert [in_c[number].removeprefix("FIELD_").lower() for number in sorted(in_c)] == ["none", *spans.FIELDS[1:]]


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants(name: str) -> None:
    """Values that stand for something special, and limits."""
    assert getattr(lib, f"VXLANPKT_{name}") == CONSTANTS[name]


def test_nothing_is_left_out() -> None:
    """Each enum and each constant of the header is compared above, or is none of Python's."""
    assert set(re.findall(r"^enum (\w+) \{", HEADER, re.MULTILINE)) == {*ENUMS, FIELDS}
    assert set(re.findall(r"^#define VXLANPKT_(\w+)", HEADER, re.MULTILINE)) == {*CONSTANTS, *ONLY_IN_C}


def length_of(struct: str, field: str) -> int:
    return dict(ffi.typeof(f"struct vxlanpkt_{struct}").fields)[field].type.length  # type: ignore[no-any-return]


def test_arrays() -> None:
    """How long they are in structs: as a constant says, or as Python fills them."""
    assert length_of("recipe", "header") == length_of("header", "bytes") == lib.VXLANPKT_LARGEST_HEADER
    assert length_of("walk", "kinds") == length_of("walk", "places") // 5 == lib.VXLANPKT_WALK_ROWS
    assert length_of("rows", "key") == grouping.KEY_COLUMNS
    assert 8 * length_of("groups", "secrets") == grouping.SEED_SIZE
    assert 8 * length_of("map", "secrets") == tables.MAP_SEED_SIZE
    assert length_of("map", "lengths") == tables.KEY_BITS


def test_record() -> None:
    """A record in C has a field for each column, in the order of the columns, and of its width."""
    fields = dict(ffi.typeof("struct vxlanpkt_record").fields)
    assert list(fields) == list(columns.DECAP_COLUMNS)
    for name, code in columns.DECAP_COLUMNS.items():
        assert ffi.sizeof(fields[name].type) == columns.WIDTHS[code], name

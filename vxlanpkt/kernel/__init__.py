"""Bulk work on buffers: one contract, and the kernel that VXLANPKT_BACKEND picks to meet it.

`python` is the specification, `c` the compiled one. `backend` names the kernel in use. VXLANPKT_BACKEND
is auto (the compiled one where it is there), c, or python.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from vxlanpkt.kernel.contract import CONTRACT

if TYPE_CHECKING:
    from vxlanpkt.kernel import python as _chosen


def _choose(wanted: str) -> str:
    """The name of the kernel's module."""
    if wanted not in ("auto", "c", "python"):
        raise ImportError(f"VXLANPKT_BACKEND={wanted}: it is one of auto, c, python")
    if wanted != "python":
        try:
            fastlib = import_module("vxlanpkt._fastlib")
        except ImportError as error:
            if wanted == "c":
                raise ImportError(f"VXLANPKT_BACKEND=c: this build has only the kernel 'python' ({error})") from error
        else:
            _refuse_stale(fastlib)
            return "c"
    return "python"


def _refuse_stale(fastlib: ModuleType) -> None:
    """An extension that was built from other declarations would misread what it is handed: nothing picks it."""
    if getattr(fastlib.lib, "VXLANPKT_CONTRACT", None) != CONTRACT:
        raise ImportError(
            f"{fastlib.__file__} was built from other sources than these: rebuild it (pip install, with -e for an "
            "editable install), or set VXLANPKT_BACKEND=python"
        )


if not TYPE_CHECKING:
    _chosen = import_module(f"vxlanpkt.kernel.{_choose(os.environ.get('VXLANPKT_BACKEND', 'auto'))}")

backend = _chosen.NAME

new_buffer, view = _chosen.new_buffer, _chosen.view
hold_frames, hold_rules, hold_ports = _chosen.hold_frames, _chosen.hold_rules, _chosen.hold_ports
hold_recipe, hold_table, hold_index = _chosen.hold_recipe, _chosen.hold_table, _chosen.hold_index
decap_one, as_record = _chosen.decap_one, _chosen.as_record
encap_one, clears_df, flow_hash = _chosen.encap_one, _chosen.clears_df, _chosen.flow_hash
internet_checksum, transport_checksum = _chosen.internet_checksum, _chosen.transport_checksum
hold_program, select = _chosen.hold_program, _chosen.select
walk, scan = _chosen.walk, _chosen.scan
decap, encap, alter, total_length = _chosen.decap, _chosen.encap, _chosen.alter, _chosen.total_length
hold_section, add_interface, read_records = _chosen.hold_section, _chosen.add_interface, _chosen.read_records
hold_packets, hold_target = _chosen.hold_packets, _chosen.hold_target
choose_rows, sort_rows, put_records = _chosen.choose_rows, _chosen.sort_rows, _chosen.put_records
hold_counted, new_groups, entries, left_out = (
    _chosen.hold_counted, _chosen.new_groups, _chosen.entries, _chosen.left_out,
)  # fmt: skip
traits, digest, sight = _chosen.traits, _chosen.digest, _chosen.sight
group, move_groups, find_groups, bucket = _chosen.group, _chosen.move_groups, _chosen.find_groups, _chosen.bucket
known, derived, numbers, pick = _chosen.known, _chosen.derived, _chosen.numbers, _chosen.pick
hold_names, add_name = _chosen.hold_names, _chosen.add_name
names, names_room = _chosen.names, _chosen.names_room
address_room, address_text = _chosen.address_room, _chosen.address_text
mac_text, mac_bytes = _chosen.mac_text, _chosen.mac_bytes
address_of = _chosen.address_of
RELEASES, ENDS_STREAMS, take_released = _chosen.RELEASES, _chosen.ENDS_STREAMS, _chosen.take_released
new_map, put_prefixes, drop_prefixes = _chosen.new_map, _chosen.put_prefixes, _chosen.drop_prefixes
move_prefixes, settle, count_prefixes = _chosen.move_prefixes, _chosen.settle, _chosen.count_prefixes
find_prefix, list_prefixes, prefix_of_none = _chosen.find_prefix, _chosen.list_prefixes, _chosen.prefix_of_none
look_up, look_up_macs, refresh_macs = _chosen.look_up, _chosen.look_up_macs, _chosen.refresh_macs
callback = _chosen.callback

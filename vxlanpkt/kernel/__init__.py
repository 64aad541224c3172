"""Bulk work on buffers: one contract, and the kernel that VXLANPKT_BACKEND picks to meet it.

`python` is the specification, `c` the compiled one. `backend` names the kernel in use. VXLANPKT_BACKEND
is auto (the compiled one where it is there), c, or python.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vxlanpkt.kernel import python as _chosen


def _choose(wanted: str) -> str:
    """The name of the kernel's module."""
    if wanted not in ("auto", "c", "python"):
        raise ImportError(f"VXLANPKT_BACKEND={wanted}: it is one of auto, c, python")
    if wanted != "python":
        try:
            import_module("vxlanpkt._fastlib")
        except ImportError as error:
            if wanted == "c":
                raise ImportError(f"VXLANPKT_BACKEND=c: this build has only the kernel 'python' ({error})") from error
        else:
            return "c"
    return "python"


if not TYPE_CHECKING:
    _chosen = import_module(f"vxlanpkt.kernel.{_choose(os.environ.get('VXLANPKT_BACKEND', 'auto'))}")

backend = _chosen.NAME

new_buffer, view = _chosen.new_buffer, _chosen.view
hold_frames, hold_rules, hold_ports = _chosen.hold_frames, _chosen.hold_rules, _chosen.hold_ports
hold_recipe, hold_table, hold_index = _chosen.hold_recipe, _chosen.hold_table, _chosen.hold_index
decap_one, as_record = _chosen.decap_one, _chosen.as_record
encap_one, clears_df, flow_hash = _chosen.encap_one, _chosen.clears_df, _chosen.flow_hash
ones_complement_sum, scan, walk = _chosen.ones_complement_sum, _chosen.scan, _chosen.walk
decap, encap, total_length = _chosen.decap, _chosen.encap, _chosen.total_length

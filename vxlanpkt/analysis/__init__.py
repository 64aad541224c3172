"""Analysis: what a capture holds, counted by flow and by tunnel endpoint. Each name is loaded when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vxlanpkt.analysis.flow_tables import Flow as Flow
    from vxlanpkt.analysis.flow_tables import FlowTable as FlowTable
    from vxlanpkt.analysis.flow_tables import flows as flows
    from vxlanpkt.analysis.passes import PartialTableError as PartialTableError
    from vxlanpkt.analysis.passes import RowFilter as RowFilter
    from vxlanpkt.analysis.vtep_tables import VTEP as VTEP
    from vxlanpkt.analysis.vtep_tables import VTEPTable as VTEPTable
    from vxlanpkt.analysis.vtep_tables import vteps as vteps

_MODULES = {
    "flow_tables": ("Flow", "FlowTable", "flows"),
    "passes": ("PartialTableError", "RowFilter"),
    "vtep_tables": ("VTEP", "VTEPTable", "vteps"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module 'vxlanpkt.analysis' has no attribute {name!r}")
    value = getattr(import_module(f"vxlanpkt.analysis.{module}"), name)
    globals()[name] = value
    return value

"""Analysis: what a capture holds, counted by flow and by tunnel endpoint, and a page about all of it.

Names only: each is loaded from its module when it is first used.
"""

from typing import TYPE_CHECKING

from vxlanpkt._names import loaded_on_use

if TYPE_CHECKING:
    from vxlanpkt.analysis.flow_tables import Flow as Flow
    from vxlanpkt.analysis.flow_tables import FlowTable as FlowTable
    from vxlanpkt.analysis.flow_tables import flows as flows
    from vxlanpkt.analysis.passes import PartialTableError as PartialTableError
    from vxlanpkt.analysis.reporting.reports import Report as Report
    from vxlanpkt.analysis.reporting.reports import report as report
    from vxlanpkt.analysis.vtep_tables import VTEP as VTEP
    from vxlanpkt.analysis.vtep_tables import VTEPTable as VTEPTable
    from vxlanpkt.analysis.vtep_tables import vteps as vteps

_MODULES: dict[str, tuple[str, ...]] = {
    "flow_tables": ("Flow", "FlowTable", "flows"),
    "passes": ("PartialTableError",),
    "reporting.reports": ("Report", "report"),
    "vtep_tables": ("VTEP", "VTEPTable", "vteps"),
}

__all__ = sorted(name for names in _MODULES.values() for name in names)

__getattr__ = loaded_on_use(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__

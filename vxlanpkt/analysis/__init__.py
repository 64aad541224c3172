"""Analysis: what a capture holds, counted by flow and by tunnel endpoint."""

from vxlanpkt.analysis.flow_tables import Flow as Flow
from vxlanpkt.analysis.flow_tables import FlowTable as FlowTable
from vxlanpkt.analysis.flow_tables import flows as flows
from vxlanpkt.analysis.passes import PartialTableError as PartialTableError
from vxlanpkt.analysis.passes import RowFilter as RowFilter
from vxlanpkt.analysis.vtep_tables import VTEP as VTEP
from vxlanpkt.analysis.vtep_tables import VTEPTable as VTEPTable
from vxlanpkt.analysis.vtep_tables import vteps as vteps

__all__ = ["VTEP", "Flow", "FlowTable", "PartialTableError", "RowFilter", "VTEPTable", "flows", "vteps"]

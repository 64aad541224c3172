"""Overlays: nodes that agree on subnets, and carry packets between them.

Names only: each is loaded from its module when it is first used.
"""

from typing import TYPE_CHECKING

from vxlanpkt._names import loaded_on_use

if TYPE_CHECKING:
    from vxlanpkt.overlay.agent.agent import Agent as Agent
    from vxlanpkt.overlay.agent.status import AgentStatus as AgentStatus
    from vxlanpkt.overlay.agent.status import LinkStatus as LinkStatus
    from vxlanpkt.overlay.agent.status import PeerStatus as PeerStatus
    from vxlanpkt.overlay.datapath.datapath import DataPath as DataPath
    from vxlanpkt.overlay.datapath.datapath import Ending as Ending
    from vxlanpkt.overlay.datapath.datapath import Event as Event
    from vxlanpkt.overlay.datapath.datapath import EventKind as EventKind
    from vxlanpkt.overlay.datapath.devices import Device as Device
    from vxlanpkt.overlay.datapath.devices import Features as Features
    from vxlanpkt.overlay.datapath.icmp_errors import ICMPErrors as ICMPErrors
    from vxlanpkt.overlay.datapath.icmp_errors import icmp_error as icmp_error
    from vxlanpkt.overlay.datapath.peers import Peers as Peers
    from vxlanpkt.overlay.datapath.tunnel_gso import TunnelGSO as TunnelGSO
    from vxlanpkt.overlay.leases.config import NetworkConfig as NetworkConfig
    from vxlanpkt.overlay.leases.config import SubnetRange as SubnetRange
    from vxlanpkt.overlay.leases.config import UDPBackend as UDPBackend
    from vxlanpkt.overlay.leases.config import VXLANBackend as VXLANBackend
    from vxlanpkt.overlay.leases.config import parse_config as parse_config
    from vxlanpkt.overlay.leases.lease_errors import ConfigError as ConfigError
    from vxlanpkt.overlay.leases.lease_errors import LeaseError as LeaseError
    from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError as LeaseFormatError
    from vxlanpkt.overlay.leases.lease_errors import LeaseLostError as LeaseLostError
    from vxlanpkt.overlay.leases.lease_errors import NoSubnetError as NoSubnetError
    from vxlanpkt.overlay.leases.lease_errors import StoreError as StoreError
    from vxlanpkt.overlay.leases.leases import Lease as Lease
    from vxlanpkt.overlay.leases.leases import LeaseAttributes as LeaseAttributes
    from vxlanpkt.overlay.leases.leases import Subnets as Subnets
    from vxlanpkt.overlay.leases.stores import Added as Added
    from vxlanpkt.overlay.leases.stores import LeaseStore as LeaseStore
    from vxlanpkt.overlay.leases.stores import LeaseTable as LeaseTable
    from vxlanpkt.overlay.leases.stores import LeaseWatch as LeaseWatch
    from vxlanpkt.overlay.leases.stores import Removed as Removed
    from vxlanpkt.overlay.leases.stores import Snapshot as Snapshot
    from vxlanpkt.overlay.leases.stores import TableChange as TableChange
    from vxlanpkt.overlay.leases.subnet_env import SubnetEnv as SubnetEnv
    from vxlanpkt.overlay.linux.kernel_watch import KernelWatch as KernelWatch
    from vxlanpkt.overlay.linux.netlink import Netlink as Netlink
    from vxlanpkt.overlay.linux.underlays import find_underlay as find_underlay
    from vxlanpkt.overlay.plans.kernel_state import FDBEntry as FDBEntry
    from vxlanpkt.overlay.plans.kernel_state import Hop as Hop
    from vxlanpkt.overlay.plans.kernel_state import KernelChange as KernelChange
    from vxlanpkt.overlay.plans.kernel_state import KernelState as KernelState
    from vxlanpkt.overlay.plans.kernel_state import LinkAddress as LinkAddress
    from vxlanpkt.overlay.plans.kernel_state import NeighbourEntry as NeighbourEntry
    from vxlanpkt.overlay.plans.kernel_state import OverlayLink as OverlayLink
    from vxlanpkt.overlay.plans.kernel_state import Plan as Plan
    from vxlanpkt.overlay.plans.kernel_state import Route as Route
    from vxlanpkt.overlay.plans.kernel_state import Underlay as Underlay
    from vxlanpkt.overlay.plans.kernel_state import Unreachable as Unreachable
    from vxlanpkt.overlay.plans.kernel_steps import Step as Step
    from vxlanpkt.overlay.plans.kernel_steps import steps as steps
    from vxlanpkt.overlay.plans.planning import plan as plan
    from vxlanpkt.overlay.plans.reconciling import Failure as Failure
    from vxlanpkt.overlay.plans.reconciling import Outcome as Outcome
    from vxlanpkt.overlay.plans.reconciling import Reconciler as Reconciler
    from vxlanpkt.overlay.service.control import ask_status as ask_status
    from vxlanpkt.overlay.service.control import ask_stop as ask_stop
    from vxlanpkt.overlay.service.metrics import AgentCollector as AgentCollector
    from vxlanpkt.overlay.service.metrics import serve_metrics as serve_metrics
    from vxlanpkt.overlay.service.run_files import AgentError as AgentError
    from vxlanpkt.overlay.service.run_files import AgentRunsError as AgentRunsError
    from vxlanpkt.overlay.service.run_files import NoAgentError as NoAgentError
    from vxlanpkt.overlay.service.run_files import RunFiles as RunFiles
    from vxlanpkt.overlay.stores.etcd_store import EtcdStore as EtcdStore
    from vxlanpkt.overlay.stores.file_store import FileStore as FileStore
    from vxlanpkt.overlay.stores.store_location import StoreLocation as StoreLocation
    from vxlanpkt.overlay.tables.forwarding import ForwardingEntry as ForwardingEntry
    from vxlanpkt.overlay.tables.forwarding import ForwardingTable as ForwardingTable
    from vxlanpkt.overlay.tables.forwarding import LearningCounts as LearningCounts
    from vxlanpkt.overlay.tables.neighbours import Neighbour as Neighbour
    from vxlanpkt.overlay.tables.neighbours import NeighbourTable as NeighbourTable
    from vxlanpkt.overlay.tables.routes import RouteTable as RouteTable
    from vxlanpkt.overlay.tables.vtep import Sending as Sending
    from vxlanpkt.overlay.tables.vtep import SendingBatch as SendingBatch
    from vxlanpkt.overlay.tables.vtep import Vtep as Vtep
    from vxlanpkt.overlay.tables.vtep import VtepCounts as VtepCounts

_MODULES: dict[str, tuple[str, ...]] = {
    "agent.agent": ("Agent",),
    "leases.config": ("NetworkConfig", "SubnetRange", "UDPBackend", "VXLANBackend", "parse_config"),
    "service.control": ("ask_status", "ask_stop"),
    "datapath.datapath": ("DataPath", "Ending", "Event", "EventKind"),
    "datapath.devices": ("Device", "Features"),
    "stores.etcd_store": ("EtcdStore",),
    "stores.file_store": ("FileStore",),
    "tables.forwarding": ("ForwardingEntry", "ForwardingTable", "LearningCounts"),
    "datapath.icmp_errors": ("ICMPErrors", "icmp_error"),
    "plans.kernel_state": (
        "KernelChange",
        "FDBEntry",
        "Hop",
        "KernelState",
        "LinkAddress",
        "NeighbourEntry",
        "OverlayLink",
        "Plan",
        "Route",
        "Underlay",
        "Unreachable",
    ),
    "plans.kernel_steps": ("Step", "steps"),
    "linux.kernel_watch": ("KernelWatch",),
    "leases.lease_errors": (
        "ConfigError",
        "LeaseError",
        "LeaseFormatError",
        "LeaseLostError",
        "NoSubnetError",
        "StoreError",
    ),
    "leases.leases": ("Lease", "LeaseAttributes", "Subnets"),
    "service.metrics": ("AgentCollector", "serve_metrics"),
    "tables.neighbours": ("Neighbour", "NeighbourTable"),
    "linux.netlink": ("Netlink",),
    "datapath.peers": ("Peers",),
    "datapath.tunnel_gso": ("TunnelGSO",),
    "plans.planning": ("plan",),
    "plans.reconciling": ("Failure", "Outcome", "Reconciler"),
    "tables.routes": ("RouteTable",),
    "service.run_files": ("AgentError", "AgentRunsError", "NoAgentError", "RunFiles"),
    "agent.status": ("AgentStatus", "LinkStatus", "PeerStatus"),
    "stores.store_location": ("StoreLocation",),
    "leases.stores": ("Added", "LeaseStore", "LeaseTable", "LeaseWatch", "Removed", "Snapshot", "TableChange"),
    "leases.subnet_env": ("SubnetEnv",),
    "linux.underlays": ("find_underlay",),
    "tables.vtep": ("Sending", "SendingBatch", "Vtep", "VtepCounts"),
}

__all__ = sorted(name for names in _MODULES.values() for name in names)

__getattr__ = loaded_on_use(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__

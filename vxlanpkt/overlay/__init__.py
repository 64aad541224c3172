"""Overlays: nodes that agree on subnets, and carry packets between them.

Names only: each is loaded from its module when it is first used.
"""

from typing import TYPE_CHECKING

from vxlanpkt._names import loaded_on_use

if TYPE_CHECKING:
    from vxlanpkt.overlay.agent import Agent as Agent
    from vxlanpkt.overlay.config import NetworkConfig as NetworkConfig
    from vxlanpkt.overlay.config import SubnetRange as SubnetRange
    from vxlanpkt.overlay.config import UDPBackend as UDPBackend
    from vxlanpkt.overlay.config import VXLANBackend as VXLANBackend
    from vxlanpkt.overlay.config import parse_config as parse_config
    from vxlanpkt.overlay.control import ask_status as ask_status
    from vxlanpkt.overlay.control import ask_stop as ask_stop
    from vxlanpkt.overlay.datapath import DataPath as DataPath
    from vxlanpkt.overlay.datapath import Ending as Ending
    from vxlanpkt.overlay.datapath import Event as Event
    from vxlanpkt.overlay.datapath import EventKind as EventKind
    from vxlanpkt.overlay.devices import Device as Device
    from vxlanpkt.overlay.devices import Features as Features
    from vxlanpkt.overlay.etcd_store import EtcdStore as EtcdStore
    from vxlanpkt.overlay.file_store import FileStore as FileStore
    from vxlanpkt.overlay.forwarding import ForwardingEntry as ForwardingEntry
    from vxlanpkt.overlay.forwarding import ForwardingTable as ForwardingTable
    from vxlanpkt.overlay.forwarding import LearningCounts as LearningCounts
    from vxlanpkt.overlay.icmp_errors import ICMPErrors as ICMPErrors
    from vxlanpkt.overlay.icmp_errors import icmp_error as icmp_error
    from vxlanpkt.overlay.kernel_state import FDBEntry as FDBEntry
    from vxlanpkt.overlay.kernel_state import Hop as Hop
    from vxlanpkt.overlay.kernel_state import KernelState as KernelState
    from vxlanpkt.overlay.kernel_state import LinkAddress as LinkAddress
    from vxlanpkt.overlay.kernel_state import NeighbourEntry as NeighbourEntry
    from vxlanpkt.overlay.kernel_state import OverlayLink as OverlayLink
    from vxlanpkt.overlay.kernel_state import Plan as Plan
    from vxlanpkt.overlay.kernel_state import Route as Route
    from vxlanpkt.overlay.kernel_state import Underlay as Underlay
    from vxlanpkt.overlay.kernel_state import Unreachable as Unreachable
    from vxlanpkt.overlay.kernel_steps import Step as Step
    from vxlanpkt.overlay.kernel_steps import steps as steps
    from vxlanpkt.overlay.kernel_watch import KernelChange as KernelChange
    from vxlanpkt.overlay.kernel_watch import KernelWatch as KernelWatch
    from vxlanpkt.overlay.lease_errors import ConfigError as ConfigError
    from vxlanpkt.overlay.lease_errors import LeaseError as LeaseError
    from vxlanpkt.overlay.lease_errors import LeaseFormatError as LeaseFormatError
    from vxlanpkt.overlay.lease_errors import LeaseLostError as LeaseLostError
    from vxlanpkt.overlay.lease_errors import NoSubnetError as NoSubnetError
    from vxlanpkt.overlay.lease_errors import StoreError as StoreError
    from vxlanpkt.overlay.leases import Lease as Lease
    from vxlanpkt.overlay.leases import LeaseAttributes as LeaseAttributes
    from vxlanpkt.overlay.leases import Subnets as Subnets
    from vxlanpkt.overlay.metrics import AgentCollector as AgentCollector
    from vxlanpkt.overlay.metrics import serve_metrics as serve_metrics
    from vxlanpkt.overlay.neighbours import Neighbour as Neighbour
    from vxlanpkt.overlay.neighbours import NeighbourTable as NeighbourTable
    from vxlanpkt.overlay.netlink import Netlink as Netlink
    from vxlanpkt.overlay.peers import Peers as Peers
    from vxlanpkt.overlay.planning import plan as plan
    from vxlanpkt.overlay.reconciling import Failure as Failure
    from vxlanpkt.overlay.reconciling import Outcome as Outcome
    from vxlanpkt.overlay.reconciling import Reconciler as Reconciler
    from vxlanpkt.overlay.routes import RouteTable as RouteTable
    from vxlanpkt.overlay.run_files import AgentError as AgentError
    from vxlanpkt.overlay.run_files import AgentRunsError as AgentRunsError
    from vxlanpkt.overlay.run_files import NoAgentError as NoAgentError
    from vxlanpkt.overlay.run_files import RunFiles as RunFiles
    from vxlanpkt.overlay.status import AgentStatus as AgentStatus
    from vxlanpkt.overlay.status import LinkStatus as LinkStatus
    from vxlanpkt.overlay.status import PeerStatus as PeerStatus
    from vxlanpkt.overlay.store_location import StoreLocation as StoreLocation
    from vxlanpkt.overlay.stores import Added as Added
    from vxlanpkt.overlay.stores import LeaseStore as LeaseStore
    from vxlanpkt.overlay.stores import LeaseTable as LeaseTable
    from vxlanpkt.overlay.stores import LeaseWatch as LeaseWatch
    from vxlanpkt.overlay.stores import Removed as Removed
    from vxlanpkt.overlay.stores import Snapshot as Snapshot
    from vxlanpkt.overlay.stores import TableChange as TableChange
    from vxlanpkt.overlay.subnet_env import SubnetEnv as SubnetEnv
    from vxlanpkt.overlay.underlays import find_underlay as find_underlay
    from vxlanpkt.overlay.vtep import Sending as Sending
    from vxlanpkt.overlay.vtep import SendingBatch as SendingBatch
    from vxlanpkt.overlay.vtep import Vtep as Vtep
    from vxlanpkt.overlay.vtep import VtepCounts as VtepCounts

_MODULES: dict[str, tuple[str, ...]] = {
    "agent": ("Agent",),
    "config": ("NetworkConfig", "SubnetRange", "UDPBackend", "VXLANBackend", "parse_config"),
    "control": ("ask_status", "ask_stop"),
    "datapath": ("DataPath", "Ending", "Event", "EventKind"),
    "devices": ("Device", "Features"),
    "etcd_store": ("EtcdStore",),
    "file_store": ("FileStore",),
    "forwarding": ("ForwardingEntry", "ForwardingTable", "LearningCounts"),
    "icmp_errors": ("ICMPErrors", "icmp_error"),
    "kernel_state": (
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
    "kernel_steps": ("Step", "steps"),
    "kernel_watch": ("KernelChange", "KernelWatch"),
    "lease_errors": ("ConfigError", "LeaseError", "LeaseFormatError", "LeaseLostError", "NoSubnetError", "StoreError"),
    "leases": ("Lease", "LeaseAttributes", "Subnets"),
    "metrics": ("AgentCollector", "serve_metrics"),
    "neighbours": ("Neighbour", "NeighbourTable"),
    "netlink": ("Netlink",),
    "peers": ("Peers",),
    "planning": ("plan",),
    "reconciling": ("Failure", "Outcome", "Reconciler"),
    "routes": ("RouteTable",),
    "run_files": ("AgentError", "AgentRunsError", "NoAgentError", "RunFiles"),
    "status": ("AgentStatus", "LinkStatus", "PeerStatus"),
    "store_location": ("StoreLocation",),
    "stores": ("Added", "LeaseStore", "LeaseTable", "LeaseWatch", "Removed", "Snapshot", "TableChange"),
    "subnet_env": ("SubnetEnv",),
    "underlays": ("find_underlay",),
    "vtep": ("Sending", "SendingBatch", "Vtep", "VtepCounts"),
}

__all__ = sorted(name for names in _MODULES.values() for name in names)

__getattr__ = loaded_on_use(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__

"""The parts of a node that its agent works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vxlanpkt.overlay.agent.lease_keeper import LeaseKeeper
from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.leases.stores import LeaseStore
from vxlanpkt.overlay.plans.kernel_state import Underlay
from vxlanpkt.overlay.plans.reconciling import Reconciler

if TYPE_CHECKING:
    from vxlanpkt.overlay.datapath.data_plane import DataPlane


@dataclass(frozen=True)
class Node:
    """The parts of a node. plane: None where the kernel carries all."""

    store: LeaseStore
    config: NetworkConfig
    find_underlay: Callable[[], Underlay]
    keeper: LeaseKeeper
    reconciler: Reconciler
    plane: DataPlane | None
    subnet_env: Path

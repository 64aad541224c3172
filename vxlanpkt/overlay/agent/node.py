"""The parts of a node that its agent works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from vxlanpkt.overlay.agent.lease_keeper import LeaseKeeper
from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.leases.stores import LeaseStore
from vxlanpkt.overlay.plans.kernel_state import KernelChange, Underlay
from vxlanpkt.overlay.plans.reconciling import Reconciler

if TYPE_CHECKING:
    from vxlanpkt.overlay.datapath.data_plane import DataPlane


class Watch(Protocol):
    """What tells of changes in the kernel; `KernelWatch` is the real one. fault: why it cannot, "" while it can."""

    fault: str

    def follow(self, underlay: str) -> None:
        """Watch another underlay."""

    def __enter__(self) -> Watch: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True)
class Node:
    """The parts of a node. watch: begins one of an underlay. plane: None where the kernel carries all."""

    store: LeaseStore
    config: NetworkConfig
    find_underlay: Callable[[], Underlay]
    watch: Callable[[Callable[[KernelChange], None], str], Watch]
    keeper: LeaseKeeper
    reconciler: Reconciler
    plane: DataPlane | None
    subnet_env: Path

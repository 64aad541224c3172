"""The agent of a node: it takes a lease and keeps the node as the leases want it; in the end all is taken away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vxlanpkt import MACAddress
from vxlanpkt.overlay.agent.agent_loop import AgentLoop
from vxlanpkt.overlay.agent.claims import claimed
from vxlanpkt.overlay.agent.identity import BackendType, attributes_of, with_backend
from vxlanpkt.overlay.agent.lease_keeper import LeaseKeeper
from vxlanpkt.overlay.agent.node import Node
from vxlanpkt.overlay.agent.status import AgentStatus
from vxlanpkt.overlay.leases.backoff import Backoff
from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError, StoreError
from vxlanpkt.overlay.leases.leases import Subnets
from vxlanpkt.overlay.leases.stores import LeaseStore
from vxlanpkt.overlay.leases.subnet_env import DEFAULT_PATH, SubnetEnv
from vxlanpkt.overlay.linux.kernel_watch import KernelWatch
from vxlanpkt.overlay.linux.netlink import Netlink
from vxlanpkt.overlay.linux.underlays import find_underlay
from vxlanpkt.overlay.plans.kernel_state import KernelChange, Underlay
from vxlanpkt.overlay.plans.planning import link_kind, link_names, networks_of
from vxlanpkt.overlay.plans.reconciling import Reconciler

if TYPE_CHECKING:
    from vxlanpkt.overlay.datapath.data_plane import DataPlane

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class _Stopped(Exception):
    """The agent was stopped before it had begun."""


class Agent:
    """A node of the overlay, from `run` to `stop`.

    Linux, with CAP_NET_ADMIN, in the network namespace of the thread that runs it.
    """

    def __init__(
        self,
        store: LeaseStore,
        interface: str | None = None,
        *,
        public_ip: IPv4Address | str | None = None,
        public_ipv6: IPv6Address | str | None = None,
        backend: BackendType | None = None,
        subnet_env: str | Path = DEFAULT_PATH,
        queues: int = 1,
        tunnel_gso: bool = False,
        on_ready: Callable[[AgentStatus], None] | None = None,
    ) -> None:
        """Do nothing yet.

        store       where the nodes agree
        interface   the underlay: a device's name or address; that of the default route if not given
        public_ip, public_ipv6  where peers send to; the interface's first addresses if not given
        backend     "vxlan" or "vxlan-user" where the network has the other: to other nodes they are the same
        subnet_env  where the CNI plugin reads this node's subnet and MTU
        queues      threads of each data path
        tunnel_gso  let long frames of TCP leave as one, where packets are carried by "vxlan-user"
        on_ready    called once, in the thread of `run`, when packets can pass
        """
        self._store, self._interface, self._backend = store, interface, backend
        self._queues, self._tunnel_gso = queues, tunnel_gso
        self._public_ip = None if public_ip is None else IPv4Address(public_ip)
        self._public_ipv6 = None if public_ipv6 is None else IPv6Address(public_ipv6)
        self._subnet_env = Path(subnet_env)
        self._stopping = threading.Event()
        self._asking = threading.Lock()
        self._keep = False
        self._on_ready = on_ready
        self._loop: AgentLoop | None = None

    def stop(self, keep: bool = False) -> None:
        """Have `run` end; *keep* leaves the kernel's state, the lease and subnet.env as they are, for who takes over.

        From any thread. Who asks first says what is kept. What is under way is brought to its end before: to program
        the kernel for ten thousand peers takes some seconds, and a store that is away is waited for as long as it says.
        """
        with self._asking:
            if not self._stopping.is_set():
                self._keep = keep
                self._stopping.set()
        if self._loop is not None:
            self._loop.wake()

    def status(self) -> AgentStatus:
        """How things stand; from any thread. Raises `RuntimeError` before the node has a lease."""
        if self._loop is None:
            raise RuntimeError("the node has no lease yet")
        return self._loop.status()

    def run(self, network: NetworkConfig | None = None) -> None:
        """Take a lease in *network*, that of the store if not given, serve it until `stop`, and take everything away.

        A store that cannot be reached is tried again and again. Raises `ConfigError`, `NoSubnetError` and `ValueError`
        for a network that this node cannot join, `OSError` for what the kernel refuses, to take away too.
        """
        with ExitStack() as undo:
            try:
                self._join(network or self._answer(self._store.config), undo).run(self._stopping)
            except _Stopped:
                return

    def _join(self, network: NetworkConfig, undo: ExitStack) -> AgentLoop:
        """Everything that the node needs, and what undoes it."""
        config = with_backend(network, self._backend)
        names = link_names(config)
        undo.enter_context(claimed(names))
        underlay = self._find_underlay()
        netlink = undo.enter_context(Netlink())
        attributes = attributes_of(config, underlay, partial(_mac_of, netlink))
        keeper = self._answer(lambda: LeaseKeeper(self._store, attributes, self._previous()))
        undo.callback(self._unless_kept, keeper.release)
        undo.callback(self._unless_kept, self._drop_subnet_env)
        # Any of the names: an earlier run over another underlay may have left what this one has not.
        reconciler = Reconciler(netlink, networks_of(config), names)
        undo.callback(self._unless_kept, partial(_remove, reconciler))
        plane = self._plane(config)
        if plane is not None:
            undo.callback(plane.close)

        def watch(report: Callable[[KernelChange], None], below: str) -> KernelWatch:
            return KernelWatch(report, names, below, netlink.port)

        node = Node(self._store, config, self._find_underlay, watch, keeper, reconciler, plane, self._subnet_env)
        self._loop = AgentLoop(node, underlay, self._on_ready)
        return self._loop

    def _plane(self, config: NetworkConfig) -> DataPlane | None:
        """The data paths, if the backend has any: only these need what was compiled."""
        if link_kind(config) == "vxlan":
            return None
        from vxlanpkt.overlay.datapath.data_plane import DataPlane

        return DataPlane(config, self._queues, self._devices_gone, tunnel_gso=self._tunnel_gso)

    def _devices_gone(self) -> None:
        if self._loop is not None:
            self._loop.devices_gone()

    def _find_underlay(self) -> Underlay:
        return find_underlay(self._interface, public_ip=self._public_ip, public_ipv6=self._public_ipv6)

    def _answer(self, question: Callable[[], _T]) -> _T:
        """What the store says, as soon as it says something."""
        pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                return question()
            except StoreError as error:
                pause = pauses.pause()
                _logger.warning("%s; tried again in %g s", error, pause)
            if self._stopping.wait(pause):
                raise _Stopped

    def _previous(self) -> Subnets | None:
        """What this node had before: its containers may still have addresses of it."""
        try:
            return SubnetEnv.read(self._subnet_env).subnets
        except FileNotFoundError:
            return None
        except (OSError, LeaseFormatError) as error:
            _logger.warning("%s is not used: %s", self._subnet_env, error)
            return None

    # -- the end

    def _unless_kept(self, undo: Callable[[], object]) -> None:
        if not self._keep:
            undo()

    def _drop_subnet_env(self) -> None:
        self._subnet_env.unlink(missing_ok=True)


def _mac_of(netlink: Netlink, name: str) -> MACAddress | None:
    """The address of a device of the overlay that is there already."""
    return next((link.mac for link in netlink.read([name], ()).links), None)


def _remove(reconciler: Reconciler) -> None:
    """Take away what the kernel has; what it refuses to take away is no secret."""
    outcome = reconciler.remove()
    failures = outcome.failures
    if not outcome.is_complete:
        raise OSError(failures[0].error.errno, "; ".join(map(str, failures)))

"""The `vxlanpkt` command with an agent that works without a kernel: a script that tests of the command line run.

Its "kernel" is a directory, named by KERNEL, with a file for each device. REFUSE is what `run` raises, FAIL what it
raises when it has run, SLOW how many seconds it takes to end; MISSING is a package that is not installed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from types import ModuleType

from vxlanpkt.cli import main
from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus
from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.leases.leases import LeaseAttributes
from vxlanpkt.overlay.leases.stores import LeaseStore
from vxlanpkt.overlay.leases.subnet_env import SubnetEnv
from vxlanpkt.overlay.service import leftovers

KERNEL = Path(os.environ["KERNEL"])


class Agent:
    """Takes a lease, makes a device, waits for its end, and takes both away."""

    def __init__(
        self,
        store: LeaseStore,
        interface: str | None = None,
        *,
        public_ip: IPv4Address | None,
        public_ipv6: object,
        backend: str | None,
        subnet_env: str,
        queues: int,
        tunnel_gso: bool,
        on_ready: Callable[[AgentStatus], None],
    ) -> None:
        self._store, self._interface, self._env, self._on_ready = store, interface, Path(subnet_env), on_ready
        self._address = public_ip or IPv4Address("192.0.2.1")
        self._backend = backend
        self._stopped = threading.Event()
        self._keep = False
        self._status: AgentStatus | None = None

    def status(self) -> AgentStatus:
        if self._status is None:
            raise RuntimeError("the node has no lease yet")
        return self._status

    def stop(self, keep: bool = False) -> None:
        self._keep = keep
        self._stopped.set()

    def run(self, network: NetworkConfig) -> None:
        if "REFUSE" in os.environ:
            raise ValueError(os.environ["REFUSE"])
        lease = self._store.acquire(LeaseAttributes.vxlan(self._address, "02:00:00:00:00:01"))
        SubnetEnv.of_node(network, lease.subnets, 1450, False).write(self._env)
        (KERNEL / "flannel.1").touch()
        link = LinkStatus("flannel.1", "vxlan", 1450, str(self._address), 8472, 1)
        self._status = AgentStatus(
            self._backend or network.backend.type, repr(self._store), self._interface or "eth0",
            tuple(map(str, lease.subnets)), 1450, time.time(), time.time(), os.getpid(), lease.expiry, links=(link,),
        )  # fmt: skip
        self._on_ready(self._status)
        self._stopped.wait()
        time.sleep(float(os.environ.get("SLOW", "0")))
        if "FAIL" in os.environ:
            raise OSError(os.environ["FAIL"])
        if not self._keep:
            (KERNEL / "flannel.1").unlink()
            self._env.unlink()
            self._store.release(lease)


def remove_from_kernel(network: NetworkConfig) -> str:
    names = sorted(device.name for device in KERNEL.iterdir())
    for name in names:
        (KERNEL / name).unlink()
    return f"removed {' and '.join(names)} from the kernel"


if __name__ == "__main__":
    module = ModuleType("vxlanpkt.overlay.agent.agent")
    module.Agent = Agent  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    if "MISSING" in os.environ:
        sys.modules[os.environ["MISSING"]] = None  # type: ignore[assignment] # as `import` has it
    leftovers.remove_from_kernel = remove_from_kernel
    main()

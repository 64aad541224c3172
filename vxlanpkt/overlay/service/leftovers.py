"""What an agent left that died, or was told to leave it: taken away as the agent itself would have done."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.leases.lease_errors import LeaseError, LeaseFormatError
from vxlanpkt.overlay.leases.leases import Lease
from vxlanpkt.overlay.leases.subnet_env import SubnetEnv
from vxlanpkt.overlay.plans.kernel_state import KernelState
from vxlanpkt.overlay.plans.planning import link_names, networks_of
from vxlanpkt.overlay.service.agent_record import AgentRecord
from vxlanpkt.overlay.service.network_namespace import NetworkNamespace
from vxlanpkt.overlay.service.run_files import AgentError, RunFiles

_STORE_SECONDS = 5.0  # a store that is gone holds nobody up: a lease ends by itself


def remove_leftovers(files: RunFiles, record: AgentRecord) -> Iterator[str]:
    """Take everything away, and say one by one what is gone, or why it is not.

    The caller holds the agent's lock. `AgentError` where this is not the agent's network namespace, or where something
    stays in the kernel; the record stays then too: it can be tried again.
    """
    if is_in_reach(record):
        yield remove_from_kernel(record.network)
    else:
        yield f"its network namespace {record.namespace} has ended, and its devices and routes with it"
    lease = yield from _release(record)
    yield from _remove_subnet_env(record, lease)
    files.socket.unlink(missing_ok=True)
    files.record.unlink(missing_ok=True)


def is_in_reach(record: AgentRecord) -> bool:
    """Whether this is the agent's network namespace; False if that has ended. `AgentError` where it is another."""
    here = NetworkNamespace.current()
    if record.namespace.is_same(here):
        return True
    entrance = record.namespace.entrance()
    if entrance is None:
        return False
    raise AgentError(
        f"what the agent (pid {record.pid}) left is in the network namespace {record.namespace}, and this is {here}:"
        f" {entrance} vxlanpkt overlay down"
    )


def remove_from_kernel(network: NetworkConfig) -> str:
    """Remove a network's devices, and the routes into it, from the kernel of this network namespace; what was removed.

    Raises `AgentError` where something stays.
    """
    from vxlanpkt.overlay.linux.netlink import Netlink  # it needs the extra, and all else here does not
    from vxlanpkt.overlay.plans.reconciling import Reconciler

    names, networks = sorted(link_names(network)), networks_of(network)
    with Netlink() as netlink:
        before = netlink.read(names, networks)
        outcome = Reconciler(netlink, networks).remove(names)
        if outcome.failures:
            raise AgentError("; ".join(map(str, outcome.failures)))
        after = netlink.read(names, networks)
    if after != KernelState():
        raise AgentError(f"in the kernel there still is {_told(after)}: does another agent run here?")
    return f"removed {_told(before)} from the kernel" if before != after else "the kernel had nothing of it"


def _told(state: KernelState) -> str:
    """What the kernel holds, by its devices and the number of its routes."""
    count = len(state.routes)
    parts = [*sorted(link.name for link in state.links), *([f"{count:,} route{'s' * (count != 1)}"] if count else [])]
    return " and ".join(parts)


def _release(record: AgentRecord) -> Generator[str, None, Lease | None]:
    """Give back the lease that has one of the node's addresses, if the store can be reached; that lease."""
    lease = None
    try:
        store = record.store.open(timeout=_STORE_SECONDS)
        lease = next((lease for lease in store.leases() if _is_of(record, lease)), None)
        if lease is not None:
            store.release(lease)
            yield f"released the lease of {lease.subnets}"
    except (LeaseError, OSError) as error:
        yield f"left the lease, which ends by itself: {error}"
    return lease


def _is_of(record: AgentRecord, lease: Lease) -> bool:
    """Whether a lease is of the agent's node, which its address tells, as in flannel."""
    public = {str(lease.attributes.public_ip), str(lease.attributes.public_ipv6)}
    return not public.isdisjoint(record.addresses)


def _remove_subnet_env(record: AgentRecord, lease: Lease | None) -> Iterator[str]:
    """Remove subnet.env, if it is of this agent's subnets."""
    path = Path(record.subnet_env)
    try:
        found = SubnetEnv.read(path).subnets
    except FileNotFoundError:
        return
    except LeaseFormatError as error:
        yield f"left {error}"
        return
    if (lease is not None and found == lease.subnets) or tuple(map(str, found)) == record.subnets:
        path.unlink()
        yield f"removed {path}"
    else:
        yield f"left {path}: {found} is not this agent's"

"""What an agent left that died, or was told to leave it: taken away as the agent itself would have done."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.leases.lease_errors import LeaseError, LeaseFormatError
from vxlanpkt.overlay.leases.leases import Lease
from vxlanpkt.overlay.leases.subnet_env import SubnetEnv
from vxlanpkt.overlay.plans.planning import link_names, networks_of
from vxlanpkt.overlay.service.agent_record import AgentRecord
from vxlanpkt.overlay.service.run_files import AgentError, RunFiles

_STORE_SECONDS = 5.0  # a store that is gone holds nobody up: a lease ends by itself


def remove_leftovers(files: RunFiles, record: AgentRecord) -> Iterator[str]:
    """Take everything away, and say one by one what is gone, or why it is not.

    The caller holds the agent's lock. What the kernel refuses is raised, and the record stays: it can be tried again.
    """
    remove_from_kernel(record.network)
    yield "removed devices and routes from the kernel"
    lease = yield from _release(record)
    yield from _remove_subnet_env(record, lease)
    files.socket.unlink(missing_ok=True)
    files.record.unlink(missing_ok=True)


def remove_from_kernel(network: NetworkConfig) -> None:
    """Remove a network's devices, and the routes into it, from the kernel of this network namespace."""
    from vxlanpkt.overlay.linux.netlink import Netlink  # it needs the extra, and all else here does not
    from vxlanpkt.overlay.plans.reconciling import Reconciler

    with Netlink() as netlink:
        outcome = Reconciler(netlink, networks_of(network)).remove(link_names(network))
    if not outcome.is_complete:
        raise AgentError(f"the kernel refuses: {'; '.join(map(str, outcome.failures))}")


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

"""A network's leases in etcd, read: flannel's keys and values, as they are at one revision.

<prefix>/config           the network's configuration
<prefix>/subnets/<key>    the value of a lease; it hangs on a lease of etcd, which removes it when it ends
"""

from __future__ import annotations

from dataclasses import dataclass

from vxlanpkt.overlay.leases.allocation import own_lease
from vxlanpkt.overlay.leases.config import NetworkConfig, parse_config
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError, NoConfigError
from vxlanpkt.overlay.leases.leases import Lease, LeaseAttributes, Subnets
from vxlanpkt.overlay.leases.stores import OnUnreadable
from vxlanpkt.overlay.stores.etcd_answers import KeyValue, key_range, text64
from vxlanpkt.overlay.stores.etcd_gateway import EtcdGateway


@dataclass(frozen=True)
class HeldLease:
    """A lease as etcd has it: its revision, and the lease of etcd that it hangs on, 0 for a reservation."""

    lease: Lease
    revision: int
    lease_id: int


@dataclass(frozen=True)
class HeldLeases:
    """All leases at one revision of etcd, and all subnets that are not free."""

    held: tuple[HeldLease, ...]
    taken: tuple[Subnets, ...]
    revision: int

    @property
    def leases(self) -> tuple[Lease, ...]:
        """As they are, without what etcd adds."""
        return tuple(held.lease for held in self.held)

    def own(self, attributes: LeaseAttributes) -> HeldLease | None:
        """That of the node that *attributes* are of."""
        own = own_lease(self.leases, attributes)
        return next((held for held in self.held if held.lease is own), None)


class EtcdLeases:
    """What etcd has below a prefix; unreadable: called with what cannot be read."""

    def __init__(self, etcd: EtcdGateway, prefix: str, unreadable: OnUnreadable | None) -> None:
        self._etcd = etcd
        self.prefix = prefix.rstrip("/")
        self._unreadable = unreadable

    @property
    def config_key(self) -> str:
        """The key of the configuration, for a request."""
        return text64(f"{self.prefix}/config")

    @property
    def range(self) -> dict[str, object]:
        """The keys of all leases, for a request."""
        return {"key": text64(f"{self.prefix}/subnets/"), "range_end": text64(f"{self.prefix}/subnets0")}

    def key(self, subnets: Subnets) -> str:
        """The key of one lease, for a request."""
        return text64(f"{self.prefix}/subnets/{subnets.key}")

    def config(self) -> tuple[NetworkConfig, int]:
        """The network's configuration, and its revision."""
        pairs = self._etcd.call("kv/range", {"key": self.config_key}, key_range).pairs
        if not pairs:
            message = f"etcd at {self._etcd} has no configuration of a network: there is no key {self.prefix}/config"
            raise NoConfigError(message, store=str(self._etcd))
        return parse_config(pairs[0].value), pairs[0].mod_revision

    def all(self, *, once: bool = False) -> HeldLeases:
        """All leases at one revision."""
        found = self._etcd.call("kv/range", self.range, key_range, once=once)
        held: list[HeldLease] = []
        taken: list[Subnets] = []
        for pair in found.pairs:
            subnets = self.subnets_of(pair)
            if subnets is None:
                continue
            taken.append(subnets)
            lease = self.lease_of(pair, subnets)
            if lease is not None:
                held.append(HeldLease(lease, pair.mod_revision, pair.lease))
        return HeldLeases(tuple(held), tuple(taken), found.revision)

    def find(self, lease: Lease) -> HeldLease | None:
        """What etcd has under the lease's key, if it is the same node's."""
        pairs = self._etcd.call("kv/range", {"key": self.key(lease.subnets)}, key_range).pairs
        found = self.lease_of(pairs[0], lease.subnets) if pairs else None
        if found is None or not found.attributes.same_node(lease.attributes):
            return None
        return HeldLease(found, pairs[0].mod_revision, pairs[0].lease)

    def subnets_of(self, pair: KeyValue) -> Subnets | None:
        """What the key of a pair names; None if it is nothing."""
        try:
            return Subnets.from_key(pair.key.removeprefix(f"{self.prefix}/subnets/"))
        except LeaseFormatError as error:
            self._tell(error)
            return None

    def lease_of(self, pair: KeyValue, subnets: Subnets) -> Lease | None:
        """The lease in a pair; None if its value is none."""
        try:
            return Lease(subnets, LeaseAttributes.from_value(pair.value))
        except LeaseFormatError as error:
            self._tell(error)
            return None

    def _tell(self, error: LeaseFormatError) -> None:
        if self._unreadable is not None:
            self._unreadable(error)

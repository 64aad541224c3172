"""etcd as a store of leases, with flannel's keys and values: nodes of flannel and of this library may share one.

etcd's transactions decide who gets what. A lease is renewed by keeping etcd's alive, which tells no watcher anything;
flannel writes the key again.
"""

from __future__ import annotations

import contextlib
import math
import ssl
import time
from collections.abc import Callable, Sequence
from random import Random, SystemRandom

from vxlanpkt.overlay.leases.allocation import choose_subnets, compatible
from vxlanpkt.overlay.leases.config import NetworkConfig, parse_config
from vxlanpkt.overlay.leases.lease_errors import LeaseLostError, StoreError
from vxlanpkt.overlay.leases.leases import LEASE_SECONDS, Lease, LeaseAttributes, Subnets
from vxlanpkt.overlay.leases.stores import OnUnreadable
from vxlanpkt.overlay.stores.etcd_answers import EtcdRefusal, granted, kept_alive, revision, succeeded, text64
from vxlanpkt.overlay.stores.etcd_gateway import EtcdGateway
from vxlanpkt.overlay.stores.etcd_leases import EtcdLeases, HeldLease
from vxlanpkt.overlay.stores.etcd_watch import EtcdWatch

PREFIX = "/coreos.com/network"
_QUIET_SECONDS = 60.0


class EtcdStore:
    """A `LeaseStore` in etcd 3.4 or newer, through its JSON gateway.

    urls: one endpoint or several of the same cluster; one that fails is left for the next. context: for https.
    username, password: where etcd has authentication enabled. lease_seconds: how long a lease holds. timeout: how
    long a call may take, with all that is tried again. quiet_seconds: a watch that hears nothing for so long connects
    anew. clock, random: the time of day in seconds since 1970, for expiries only, and what draws subnets. unreadable:
    called with what cannot be read.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        prefix: str = PREFIX,
        *,
        context: ssl.SSLContext | None = None,
        username: str | None = None,
        password: str | None = None,
        lease_seconds: float = LEASE_SECONDS,
        timeout: float = 30.0,
        quiet_seconds: float = _QUIET_SECONDS,
        clock: Callable[[], float] = time.time,
        random: Random | None = None,
        unreadable: OnUnreadable | None = None,
    ) -> None:
        self._random = SystemRandom() if random is None else random
        self._etcd = EtcdGateway(
            [urls] if isinstance(urls, str) else urls,
            timeout=timeout, context=context, username=username, password=password, random=self._random,
        )  # fmt: skip
        self._leases = EtcdLeases(self._etcd, prefix, unreadable)
        self._lease_seconds = max(1, math.ceil(lease_seconds))
        self._timeout = timeout
        self._quiet_seconds = quiet_seconds
        self._clock = clock

    def __repr__(self) -> str:
        return f"EtcdStore({str(self._etcd)!r}, {self._leases.prefix!r})"

    def config(self) -> NetworkConfig:
        """The network's configuration, from the key `config`."""
        return self._leases.config()[0]

    def set_config(self, config: NetworkConfig | str) -> None:
        """Write the network's configuration, after it was checked: a value, or flannel's text."""
        text = config if isinstance(config, str) else config.to_json()
        parse_config(text)
        self._etcd.call("kv/put", {"key": self._leases.config_key, "value": text64(text)}, revision)

    def offer_config(self, config: NetworkConfig | str) -> bool:
        """Write the network's configuration, as `set_config`, if there is none; say whether it was written."""
        text = config if isinstance(config, str) else config.to_json()
        parse_config(text)
        key = self._leases.config_key
        none: dict[str, object] = {"key": key, "target": "VERSION", "version": "0"}
        return self._transaction([none], {"request_put": {"key": key, "value": text64(text)}})

    def acquire(self, attributes: LeaseAttributes, previous: Subnets | None = None) -> Lease:
        """A lease for the node of *attributes*: see `LeaseStore`. A lost race is run again."""
        grant = _Grant(self)
        try:
            return self._until_won(lambda: self._try_to_acquire(attributes, previous, grant))
        finally:
            grant.give_back()

    def renew(self, lease: Lease) -> Lease:
        """The same lease for longer: see `LeaseStore`."""
        return self._until_won(lambda: self._try_to_renew(lease))

    def release(self, lease: Lease) -> None:
        """Give the lease back: see `LeaseStore`."""
        held = self._leases.find(lease)
        if held is not None and self._transaction([self._unchanged(held)], self._deletion(held)) and held.lease_id:
            self.revoke(held.lease_id)

    def leases(self) -> tuple[Lease, ...]:
        """All leases, in the order of their keys. Their expiry is not asked for: it would be a call for each."""
        return self._leases.all().leases

    def watch(self) -> EtcdWatch:
        """All leases, and how they change, as etcd tells it."""
        return EtcdWatch(self._leases, self._etcd, self._quiet_seconds)

    # -- how it is done

    def _until_won(self, attempt: Callable[[], Lease | None]) -> Lease:
        """What an attempt gives in the end: one that gives None lost a race, or etcd's answer was lost on the way."""
        deadline = time.monotonic() + self._timeout
        backoff = self._etcd.backoff()
        while True:
            lease = attempt()
            if lease is not None:
                return lease
            if time.monotonic() > deadline:
                raise StoreError(f"{self!r}: lost all races for {self._timeout:g} s", store=repr(self))
            time.sleep(backoff.pause())

    def _try_to_renew(self, lease: Lease) -> Lease | None:
        held = self._leases.find(lease)
        if held is None:
            raise LeaseLostError(f"{self!r}: {lease.key} is this node's no longer", key=lease.key)
        return self._prolonged(held, lease.attributes)

    def _try_to_acquire(self, attributes: LeaseAttributes, previous: Subnets | None, grant: _Grant) -> Lease | None:
        """A lease, or None where somebody was faster."""
        # In this order: who changes the configuration makes the transaction fail, so all who win have read the same.
        config, config_revision = self._leases.config()
        state = self._leases.all()
        own = state.own(attributes)
        if own is not None and compatible(config, own.lease.subnets):
            grant.keep_if(own.lease_id)
            return self._prolonged(own, attributes)
        taken = [subnets for subnets in state.taken if own is None or subnets != own.lease.subnets]
        subnets = choose_subnets(config, taken, previous, self._random)
        compare: list[dict[str, object]] = [
            {"key": self._leases.config_key, "target": "MOD", "mod_revision": str(config_revision)},
            {"key": self._leases.key(subnets), "target": "VERSION", "version": "0"},
        ]
        if config.ipv6 is not None:
            # Other keys can hold the same subnet of one family: nothing at all may have come since.
            next_revision = str(state.revision + 1)
            compare.append({**self._leases.range, "target": "MOD", "result": "LESS", "mod_revision": next_revision})
        lease_id = str(grant.lease_id())
        put = {"key": self._leases.key(subnets), "value": text64(attributes.to_value()), "lease": lease_id}
        requests: list[object] = [{"request_put": put}]
        if own is not None:  # it is not of the network any more
            compare.append(self._unchanged(own))
            requests.append(self._deletion(own))
        if not self._transaction(compare, *requests):
            return None
        lease = Lease(subnets, attributes, grant.keep())
        if own is not None and own.lease_id:
            self.revoke(own.lease_id)
        return lease

    def _prolonged(self, held: HeldLease, attributes: LeaseAttributes) -> Lease | None:
        """The lease for longer, with these attributes; None if it is gone."""
        expiry = None
        if held.lease_id:
            asked = self._clock()  # before the call, so that etcd never ends it earlier than is said here
            seconds = self._etcd.call("lease/keepalive", {"ID": str(held.lease_id)}, kept_alive).seconds
            if seconds <= 0:
                return None
            expiry = asked + seconds
        if attributes != held.lease.attributes:
            put = {"key": self._leases.key(held.lease.subnets), "value": text64(attributes.to_value())}
            if held.lease_id:
                put["lease"] = str(held.lease_id)
            if not self._transaction([self._unchanged(held)], {"request_put": put}):
                return None
        return held.lease.replace(attributes=attributes, expiry=expiry)

    def _deletion(self, held: HeldLease) -> dict[str, object]:
        return {"request_delete_range": {"key": self._leases.key(held.lease.subnets)}}

    def _unchanged(self, held: HeldLease) -> dict[str, object]:
        return {"key": self._leases.key(held.lease.subnets), "target": "MOD", "mod_revision": str(held.revision)}

    def _transaction(self, compare: Sequence[object], *requests: object) -> bool:
        return self._etcd.call("kv/txn", {"compare": compare, "success": requests}, succeeded)

    def grant(self) -> tuple[int, float]:
        """A new lease of etcd: its number, and when it ends."""
        asked = self._clock()
        lease = self._etcd.call("lease/grant", {"TTL": str(self._lease_seconds)}, granted)
        return lease.number, asked + lease.seconds

    def revoke(self, lease_id: int) -> None:
        """End a lease of etcd; it may have ended already."""
        try:
            self._etcd.call("lease/revoke", {"ID": str(lease_id)}, revision)
        except EtcdRefusal as error:
            if not error.not_found:
                raise


class _Grant:
    """A lease of etcd for a node that has not found its subnets yet: one for all attempts."""

    def __init__(self, store: EtcdStore) -> None:
        self._store = store
        self._granted: tuple[int, float] | None = None

    def lease_id(self) -> int:
        if self._granted is None:
            self._granted = self._store.grant()
        return self._granted[0]

    def keep(self) -> float:
        """It is in use now; say when it ends."""
        assert self._granted is not None
        expiry = self._granted[1]
        self._granted = None
        return expiry

    def keep_if(self, lease_id: int) -> None:
        """It is in use if it is this one: a transaction succeeded, and its answer was lost on the way."""
        if self._granted is not None and self._granted[0] == lease_id:
            self._granted = None

    def give_back(self) -> None:
        if self._granted is not None:
            with contextlib.suppress(StoreError):  # it ends by itself
                self._store.revoke(self._granted[0])

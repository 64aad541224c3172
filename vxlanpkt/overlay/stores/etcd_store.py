"""etcd as a store of leases, with flannel's keys and values: nodes of flannel and of this library may share one.

    <prefix>/config           the network's configuration
    <prefix>/subnets/<key>    the value of a lease; it hangs on a lease of etcd, which removes it when it ends

etcd's transactions decide who gets what. A lease is renewed by keeping etcd's alive, which tells no watcher anything;
flannel writes the key again.
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random, SystemRandom

from vxlanpkt.overlay.leases.allocation import choose_subnets, compatible
from vxlanpkt.overlay.leases.config import NetworkConfig, parse_config
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError, LeaseLostError, StoreError
from vxlanpkt.overlay.leases.leases import LEASE_SECONDS, Lease, LeaseAttributes, Subnets
from vxlanpkt.overlay.leases.stores import Added, LeaseEvent, LeaseWatch, OnUnreadable, Removed, Snapshot
from vxlanpkt.overlay.stores.etcd_gateway import (
    EtcdGateway,
    EtcdRefusal,
    EtcdStream,
    Message,
    bytes64,
    text64,
)

PREFIX = "/coreos.com/network"
_QUIET_SECONDS = 60.0


@dataclass(frozen=True)
class _Held:
    """A lease as etcd has it: its revision, and the lease of etcd that it hangs on, 0 for a reservation."""

    lease: Lease
    revision: int
    lease_id: int


@dataclass(frozen=True)
class _State:
    """All leases at one revision of etcd, and all subnets that are not free."""

    held: tuple[_Held, ...]
    taken: tuple[Subnets, ...]
    revision: int

    @property
    def leases(self) -> tuple[Lease, ...]:
        return tuple(held.lease for held in self.held)


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
        self._prefix = prefix.rstrip("/")
        self._lease_seconds = max(1, math.ceil(lease_seconds))
        self._timeout = timeout
        self._quiet_seconds = quiet_seconds
        self._clock = clock
        self._unreadable = unreadable

    def __repr__(self) -> str:
        return f"EtcdStore({str(self._etcd)!r}, {self._prefix!r})"

    def config(self) -> NetworkConfig:
        """The network's configuration, from the key `config`."""
        return self._config()[0]

    def set_config(self, config: NetworkConfig | str) -> None:
        """Write the network's configuration, after it was checked: a value, or flannel's text."""
        text = config if isinstance(config, str) else config.to_json()
        parse_config(text)
        self._etcd.call("kv/put", {"key": text64(self._config_key), "value": text64(text)})

    def offer_config(self, config: NetworkConfig | str) -> bool:
        """Write the network's configuration, as `set_config`, if there is none; say whether it was written."""
        text = config if isinstance(config, str) else config.to_json()
        parse_config(text)
        key = text64(self._config_key)
        none: dict[str, object] = {"key": key, "target": "VERSION", "version": "0"}
        return self._transaction([none], {"request_put": {"key": key, "value": text64(text)}})

    def acquire(self, attributes: LeaseAttributes, previous: Subnets | None = None) -> Lease:
        """A lease for the node of *attributes*: see `LeaseStore`. A lost race is run again."""
        granted = _Grant(self)
        try:
            return self._until_won(lambda: self._try_to_acquire(attributes, previous, granted))
        finally:
            granted.give_back()

    def renew(self, lease: Lease) -> Lease:
        """The same lease for longer: see `LeaseStore`."""
        return self._until_won(lambda: self._try_to_renew(lease))

    def release(self, lease: Lease) -> None:
        """Give the lease back: see `LeaseStore`."""
        held = self._held(lease)
        if held is not None and self._transaction([self._unchanged(held)], self._deletion(held)) and held.lease_id:
            self.revoke(held.lease_id)

    def leases(self) -> tuple[Lease, ...]:
        """All leases, in the order of their keys. Their expiry is not asked for: it would be a call for each."""
        return self.state().leases

    def watch(self) -> EtcdWatch:
        """All leases, and how they change, as etcd tells it."""
        return EtcdWatch(self, self._etcd, self._quiet_seconds)

    # -- how it is done

    @property
    def _config_key(self) -> str:
        return f"{self._prefix}/config"

    @property
    def range(self) -> dict[str, object]:
        """The keys of all leases, for a request."""
        return {"key": text64(f"{self._prefix}/subnets/"), "range_end": text64(f"{self._prefix}/subnets0")}

    def state(self, *, once: bool = False) -> _State:
        """All leases at one revision."""
        answer = self._etcd.call("kv/range", self.range, once=once)
        held: list[_Held] = []
        taken: list[Subnets] = []
        for pair in answer.get("kvs", ()):
            subnets = self.subnets_of(pair)
            if subnets is None:
                continue
            taken.append(subnets)
            lease = self.lease_of(pair, subnets)
            if lease is not None:
                held.append(_Held(lease, _int(pair, "mod_revision"), _int(pair, "lease")))
        return _State(tuple(held), tuple(taken), _int(answer["header"], "revision"))

    def subnets_of(self, pair: Message) -> Subnets | None:
        """What the key of a pair names; None if it is nothing."""
        key = bytes64(pair["key"]).decode("utf-8", "backslashreplace")
        try:
            return Subnets.from_key(key.removeprefix(f"{self._prefix}/subnets/"))
        except LeaseFormatError as error:
            self._tell(error)
            return None

    def lease_of(self, pair: Message, subnets: Subnets) -> Lease | None:
        """The lease in a pair; None if its value is none."""
        try:
            return Lease(subnets, LeaseAttributes.from_value(bytes64(pair.get("value", ""))))
        except LeaseFormatError as error:
            self._tell(error)
            return None

    def _tell(self, error: LeaseFormatError) -> None:
        if self._unreadable is not None:
            self._unreadable(error)

    def _config(self) -> tuple[NetworkConfig, int]:
        answer = self._etcd.call("kv/range", {"key": text64(self._config_key)})
        pairs = answer.get("kvs", ())
        if not pairs:
            raise StoreError(f"{self!r}: there is no key {self._config_key}", store=repr(self))
        return parse_config(bytes64(pairs[0].get("value", ""))), _int(pairs[0], "mod_revision")

    def _key(self, subnets: Subnets) -> str:
        return text64(f"{self._prefix}/subnets/{subnets.key}")

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
        held = self._held(lease)
        if held is None:
            raise LeaseLostError(f"{self!r}: {lease.key} is this node's no longer", key=lease.key)
        return self._prolonged(held, lease.attributes)

    def _try_to_acquire(self, attributes: LeaseAttributes, previous: Subnets | None, granted: _Grant) -> Lease | None:
        """A lease, or None where somebody was faster."""
        # In this order: who changes the configuration makes the transaction fail, so all who win have read the same.
        config, config_revision = self._config()
        state = self.state()
        own = next((held for held in state.held if held.lease.attributes.same_node(attributes)), None)
        if own is not None and compatible(config, own.lease.subnets):
            granted.keep_if(own.lease_id)
            return self._prolonged(own, attributes)
        taken = [subnets for subnets in state.taken if own is None or subnets != own.lease.subnets]
        subnets = choose_subnets(config, taken, previous, self._random)
        compare: list[dict[str, object]] = [
            {"key": text64(self._config_key), "target": "MOD", "mod_revision": str(config_revision)},
            {"key": self._key(subnets), "target": "VERSION", "version": "0"},
        ]
        if config.ipv6 is not None:
            # Other keys can hold the same subnet of one family: nothing at all may have come since.
            compare.append({**self.range, "target": "MOD", "result": "LESS", "mod_revision": str(state.revision + 1)})
        lease_id = granted.lease_id()
        put = {"key": self._key(subnets), "value": text64(attributes.to_value()), "lease": str(lease_id)}
        requests: list[object] = [{"request_put": put}]
        if own is not None:  # it is not of the network any more
            compare.append(self._unchanged(own))
            requests.append(self._deletion(own))
        if not self._transaction(compare, *requests):
            return None
        lease = Lease(subnets, attributes, granted.keep())
        if own is not None and own.lease_id:
            self.revoke(own.lease_id)
        return lease

    def _prolonged(self, held: _Held, attributes: LeaseAttributes) -> Lease | None:
        """The lease for longer, with these attributes; None if it is gone."""
        expiry = None
        if held.lease_id:
            asked = self._clock()  # before the call, so that etcd never ends it earlier than is said here
            answer = self._etcd.call("lease/keepalive", {"ID": str(held.lease_id)})
            seconds = _int(answer.get("result", {}), "TTL")
            if seconds <= 0:
                return None
            expiry = asked + seconds
        if attributes != held.lease.attributes:
            put = {"key": self._key(held.lease.subnets), "value": text64(attributes.to_value())}
            if held.lease_id:
                put["lease"] = str(held.lease_id)
            if not self._transaction([self._unchanged(held)], {"request_put": put}):
                return None
        return held.lease.replace(attributes=attributes, expiry=expiry)

    def _deletion(self, held: _Held) -> dict[str, object]:
        return {"request_delete_range": {"key": self._key(held.lease.subnets)}}

    def _unchanged(self, held: _Held) -> dict[str, object]:
        return {"key": self._key(held.lease.subnets), "target": "MOD", "mod_revision": str(held.revision)}

    def _transaction(self, compare: Sequence[object], *requests: object) -> bool:
        answer = self._etcd.call("kv/txn", {"compare": compare, "success": requests})
        return answer.get("succeeded", False) is True

    def _held(self, lease: Lease) -> _Held | None:
        """What etcd has under the lease's key, if it is the same node's."""
        pairs = self._etcd.call("kv/range", {"key": self._key(lease.subnets)}).get("kvs", ())
        found = self.lease_of(pairs[0], lease.subnets) if pairs else None
        if found is None or not found.attributes.same_node(lease.attributes):
            return None
        return _Held(found, _int(pairs[0], "mod_revision"), _int(pairs[0], "lease"))

    def grant(self) -> tuple[int, float]:
        """A new lease of etcd: its number, and when it ends."""
        asked = self._clock()
        answer = self._etcd.call("lease/grant", {"TTL": str(self._lease_seconds)})
        return _int(answer, "ID"), asked + _int(answer, "TTL")

    def revoke(self, lease_id: int) -> None:
        """End a lease of etcd; it may have ended already."""
        try:
            self._etcd.call("lease/revoke", {"ID": str(lease_id)})
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


class EtcdWatch(LeaseWatch):
    """A watch of etcd's: what `EtcdStore.watch` returns.

    It survives etcd's end and return, and goes on where it was. Where etcd has forgotten that (by compaction, or as it
    was made anew), it lists all again: a second snapshot. A `poll` can be late by as long as an endpoint says nothing.
    """

    def __init__(self, store: EtcdStore, etcd: EtcdGateway, quiet_seconds: float) -> None:
        self._store = store
        self._etcd = etcd
        self._quiet_seconds = quiet_seconds
        self._stream: EtcdStream | None = None
        self._revision: int | None = None  # all up to this one is known
        self._heard = 0.0
        self._backoff = etcd.backoff()
        self._pending: list[LeaseEvent] = []
        self._end = threading.Event()
        self._wake, self._waker = socket.socketpair()

    @property
    def closed(self) -> bool:
        """Whether it was ended."""
        return self._end.is_set()

    def close(self) -> None:
        """End it."""
        if not self._end.is_set():
            self._end.set()
            self._waker.close()  # which makes the other end readable

    def __del__(self) -> None:
        self.close()
        self._drop()
        self._wake.close()

    def poll(self, timeout: float | None = None) -> LeaseEvent | None:
        """The next event, as in `LeaseWatch`."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not self.closed:
            if self._pending:
                return self._pending.pop(0)
            try:
                self._advance(deadline)
            except (StoreError, ValueError, KeyError, TypeError) as error:  # nobody there, or what speaks is no etcd
                self.fault = str(error)
                if self._revision is not None:
                    self._etcd.turn()
                self._drop()
                self._end.wait(max(0.0, min(self._backoff.pause(), deadline - time.monotonic())))
            if not self._pending and time.monotonic() >= deadline:
                return None
        self._drop()
        return None

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _advance(self, deadline: float) -> None:
        """Do one thing that brings the next event nearer."""
        if self._revision is None:
            state = self._store.state(once=True)
            self._pending.append(Snapshot(state.leases))
            self._revision = state.revision
            return
        if self._stream is None:
            request = {**self._store.range, "start_revision": str(self._revision + 1), "progress_notify": True}
            self._stream = self._etcd.stream("watch", {"create_request": request})
            self._heard = time.monotonic()
        quiet_end = self._heard + self._quiet_seconds
        message = self._stream.read(min(deadline, quiet_end) - time.monotonic(), self._wake)
        if message is not None:
            self._heard = time.monotonic()
            self._backoff.reset()
            self.fault = ""
            self._take(message, self._revision)
        elif time.monotonic() >= quiet_end:
            # Nothing happens, or nobody is there who would tell: what a new connection finds out.
            self._etcd.turn()
            self._drop()

    def _take(self, message: Message, known: int) -> None:
        revision = _int(message.get("header", {}), "revision")
        if message.get("canceled"):
            if _int(message, "compact_revision"):
                self._revision = None
            self._drop()
            return
        if message.get("created"):
            if revision < known:  # an etcd that has not yet been where this one was: another one
                self._revision = None
                self._drop()
            return
        self._pending += [event for read in message.get("events", ()) if (event := self._event(read)) is not None]
        self._revision = max(known, revision)

    def _event(self, read: Message) -> LeaseEvent | None:
        pair = read["kv"]
        subnets = self._store.subnets_of(pair)
        if subnets is None:
            return None
        lease = None if read.get("type") == "DELETE" else self._store.lease_of(pair, subnets)
        return Removed(subnets) if lease is None else Added(lease)


def _int(message: Message, name: str) -> int:
    """An int64: a string, or left out where it is 0."""
    return int(message.get(name, 0))

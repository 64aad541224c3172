"""What holds the leases of a network: the protocol of stores, and what a watch of one tells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Protocol

from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError
from vxlanpkt.overlay.leases.leases import Lease, LeaseAttributes, Subnets

# Told what a store holds and cannot be read. Its subnets, as far as its key names some, count as taken.
OnUnreadable = Callable[[LeaseFormatError], None]


@dataclass(frozen=True)
class Snapshot:
    """All leases there are: what was known before is to be forgotten."""

    leases: tuple[Lease, ...]


@dataclass(frozen=True)
class Added:
    """A lease is new, or its holder says something else of itself."""

    lease: Lease


@dataclass(frozen=True)
class Removed:
    """These subnets are nobody's any more."""

    subnets: Subnets


LeaseEvent = Snapshot | Added | Removed


class LeaseWatch(ABC):
    """The leases of a store as they change: a snapshot, then events, and a snapshot again where some were missed.

    Iterate over it, which waits, or ask `poll`. It is a context manager. `close` ends it, from another thread too.
    `fault` is what the store said when it last failed, "" while it answers.
    """

    fault: str = ""

    @abstractmethod
    def poll(self, timeout: float | None = None) -> LeaseEvent | None:
        """The next event, waiting *timeout* seconds at most (None: as long as it takes); None if there is none.

        A store that fails is tried again, with longer and longer pauses, until it answers or the time is up.
        """

    @abstractmethod
    def close(self) -> None:
        """End the watch: a `poll` that waits returns None."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether it was ended."""

    def __iter__(self) -> Iterator[LeaseEvent]:
        while not self.closed:
            event = self.poll()
            if event is not None:
                yield event

    def __enter__(self) -> LeaseWatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LeaseStore(Protocol):
    """Where the nodes of a network agree on who has which subnets. Safe to use by many nodes at once.

    Every method raises `StoreError` where the store cannot be used, and none waits for ever but a watch.
    """

    def config(self) -> NetworkConfig:
        """The network's configuration; `ConfigError` if it is refused."""

    def acquire(self, attributes: LeaseAttributes, previous: Subnets | None = None) -> Lease:
        """A lease for the node of *attributes*: its own if there is one, else *previous* if free, else another.

        Raises `NoSubnetError` where nothing is free.
        """

    def renew(self, lease: Lease) -> Lease:
        """The same lease for longer, with the attributes that *lease* has now.

        Raises `LeaseLostError` where it is the node's no longer.
        """

    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens where it is the node's no longer."""

    def leases(self) -> tuple[Lease, ...]:
        """All leases, in the order of their keys."""

    def watch(self) -> LeaseWatch:
        """All leases, and how they change. A node sees its own there too."""


@dataclass(frozen=True)
class TableChange:
    """What an event changed in a `LeaseTable`."""

    added: tuple[Lease, ...] = ()
    removed: tuple[Lease, ...] = ()


class LeaseTable:
    """The leases of all others, kept up to date by events.

    own: the node's own subnets, which are left out; they may be set anew. A lease whose holder says something else of
    itself is both removed and added, so that what was made for it can be unmade.
    """

    def __init__(self, own: Subnets | None = None) -> None:
        self.own = own
        self._leases: dict[str, Lease] = {}

    @property
    def leases(self) -> Mapping[str, Lease]:
        """By key."""
        return MappingProxyType(self._leases)

    def apply(self, event: LeaseEvent) -> TableChange:
        """Take an event in; say what it changed. A longer expiry is no change."""
        match event:
            case Snapshot(leases):
                wanted = {lease.key: lease for lease in leases if lease.subnets != self.own}
                gone = [self._leases[key] for key in self._leases.keys() - wanted.keys()]
                changes = [self._put(lease) for lease in wanted.values()]
                for lease in gone:
                    del self._leases[lease.key]
                return TableChange(
                    tuple(lease for change in changes for lease in change.added),
                    (*gone, *(lease for change in changes for lease in change.removed)),
                )
            case Added(lease):
                return TableChange() if lease.subnets == self.own else self._put(lease)
            case Removed(subnets):
                was = self._leases.pop(subnets.key, None)
                return TableChange(removed=() if was is None else (was,))

    def _put(self, lease: Lease) -> TableChange:
        was = self._leases.get(lease.key)
        self._leases[lease.key] = lease
        if was is None:
            return TableChange(added=(lease,))
        return TableChange() if was.attributes == lease.attributes else TableChange((lease,), (was,))

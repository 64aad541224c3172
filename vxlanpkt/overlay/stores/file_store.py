"""A directory as a store of leases: for the nodes of one machine, or of machines that share a disk that can lock.

    config               flannel's network configuration
    lock                 held by whoever changes something, shared by whoever reads
    subnets/<key>        a lease: {"Expiry": seconds since 1970 or null, "Attributes": flannel's value}

The kernel lets go of a dead process's lock, and a file has its name only when it is whole. So a process may die at
any point: what is there is the state before its change or the one behind it. A node that died has its lease until it
ends. What ends when is judged by each node's own clock: where clocks differ by more than the margin for renewals, a
node can lose a lease that it holds to be alive, and learns of it when it renews.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from os import PathLike, fspath
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, NamedTuple

from vxlanpkt.overlay.leases.allocation import choose_subnets, compatible, own_lease
from vxlanpkt.overlay.leases.config import NetworkConfig, parse_config
from vxlanpkt.overlay.leases.files import TEMPORARY, create_file, replace_file, sync_directory
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError, LeaseLostError, NoConfigError, StoreError
from vxlanpkt.overlay.leases.leases import LEASE_SECONDS, Lease, LeaseAttributes, Subnets
from vxlanpkt.overlay.leases.stores import OnUnreadable
from vxlanpkt.overlay.stores.file_watch import FileWatch

try:
    import fcntl
except ModuleNotFoundError:
    said = f"FileStore locks files as Unix does: there is no fcntl on {sys.platform}"
    # Python 3.15 puts words of its own for those of a ModuleNotFoundError.
    raise ImportError(said, name="fcntl") from None

_LOCK_PAUSE = 0.01
_SETTLED_NS = 2_000_000_000


class _State(NamedTuple):
    """What the directory holds: leases that have not ended, and all subnets that are not free."""

    leases: dict[str, Lease]
    taken: tuple[Subnets, ...]


class _Settled(NamedTuple):
    """A lease, and how the file looks that has it."""

    signature: tuple[int, int, int]
    lease: Lease


class FileStore:
    """A `LeaseStore` in a directory, which is made if it is not there.

    lease_seconds: how long a lease holds. poll_seconds: how often a watch looks, so the most that it is late.
    timeout: how long to wait for others who hold the lock. clock, random: the time of day in seconds since 1970, and
    what draws subnets. unreadable: called with what cannot be read.
    """

    def __init__(
        self,
        directory: str | PathLike[str],
        *,
        lease_seconds: float = LEASE_SECONDS,
        poll_seconds: float = 0.25,
        timeout: float = 30.0,
        clock: Callable[[], float] = time.time,
        random: Random | None = None,
        unreadable: OnUnreadable | None = None,
    ) -> None:
        self._home = Path(fspath(directory))
        self._subnets = self._home / "subnets"
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._timeout = timeout
        self._clock = clock
        self._random = SystemRandom() if random is None else random
        self._unreadable = unreadable
        self._settled: dict[str, _Settled] = {}
        with self._guarded():
            self._subnets.mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"FileStore({str(self._home)!r})"

    def config(self) -> NetworkConfig:
        """The network's configuration, from the file `config`."""
        with self._guarded():
            try:
                text = (self._home / "config").read_bytes()
            except FileNotFoundError as error:
                message = f"{self!r} has no configuration of a network: there is no file {error.filename}"
                raise NoConfigError(message, store=str(self._home)) from error
        return parse_config(text)

    def set_config(self, config: NetworkConfig | str) -> None:
        """Write the network's configuration, after it was checked: a value, or flannel's text."""
        text = config if isinstance(config, str) else config.to_json()
        parse_config(text)
        with self._locked(fcntl.LOCK_EX):
            for left in self._home.glob(f"{TEMPORARY}*"):  # by the dead
                left.unlink()
            replace_file(self._home / "config", text.encode())

    def offer_config(self, config: NetworkConfig | str) -> bool:
        """Write the network's configuration, as `set_config`, if there is none; say whether it was written."""
        text = config if isinstance(config, str) else config.to_json()
        parse_config(text)
        with self._locked(fcntl.LOCK_EX), contextlib.suppress(FileExistsError):
            create_file(self._home / "config", text.encode())
            return True
        return False

    def acquire(self, attributes: LeaseAttributes, previous: Subnets | None = None) -> Lease:
        """A lease for the node of *attributes*: see `LeaseStore`."""
        with self._locked(fcntl.LOCK_EX):
            config = self.config()
            state = self._tidied()
            own = own_lease(state.leases.values(), attributes)
            if own is not None and compatible(config, own.subnets):
                expiry = None if own.expiry is None else self._expiry()
                return self._replace(own.replace(attributes=attributes, expiry=expiry))
            taken = [subnets for subnets in state.taken if own is None or subnets != own.subnets]
            lease = Lease(choose_subnets(config, taken, previous, self._random), attributes, self._expiry())
            if own is not None:
                self._remove(own.key)
            create_file(self._subnets / lease.key, _content(lease))
            return lease

    def renew(self, lease: Lease) -> Lease:
        """The same lease for longer: see `LeaseStore`. One that ended is renewed if nobody has taken its place yet."""
        with self._locked(fcntl.LOCK_EX):
            held = self._held(lease)
            if held is None:
                raise LeaseLostError(f"{self!r}: {lease.key} is this node's no longer", key=lease.key)
            expiry = None if held.expiry is None else self._expiry()
            return self._replace(lease.replace(expiry=expiry))

    def release(self, lease: Lease) -> None:
        """Give the lease back: see `LeaseStore`."""
        with self._locked(fcntl.LOCK_EX):
            if self._held(lease) is not None:
                self._remove(lease.key)

    def leases(self) -> tuple[Lease, ...]:
        """All leases that have not ended, in the order of their keys."""
        with self._locked(fcntl.LOCK_SH):
            return tuple(self._read().leases.values())

    def watch(self) -> FileWatch:
        """All leases, and how they change, late by *poll_seconds* at most. See `FileWatch`."""
        return FileWatch(self, self._poll_seconds)

    def last_change(self) -> tuple[int, int]:
        """A sign of the last change: which directory the leases are in, and the time at which it changed."""
        with self._guarded():
            found = self._subnets.stat()
        return found.st_ino, found.st_mtime_ns

    def now(self) -> float:
        """The time of day, by which leases end."""
        return self._clock()

    def _expiry(self) -> float:
        return self._clock() + self._lease_seconds

    def _replace(self, lease: Lease) -> Lease:
        replace_file(self._subnets / lease.key, _content(lease))
        return lease

    def _remove(self, key: str) -> None:
        (self._subnets / key).unlink()
        sync_directory(self._subnets)

    def _held(self, lease: Lease) -> Lease | None:
        """What the store has under the lease's key, if it is the same node's."""
        try:
            held = self._lease_in(lease.key)
        except (FileNotFoundError, LeaseFormatError):
            return None
        return held if held.attributes.same_node(lease.attributes) else None

    def _read(self) -> _State:
        leases: dict[str, Lease] = {}
        taken: list[Subnets] = []
        now = self._clock()
        with os.scandir(self._subnets) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        for name in names:
            try:
                lease = self._lease_in(name)
            except LeaseFormatError as error:
                # A lease that cannot be read may be somebody's: its subnets are not given away.
                with contextlib.suppress(LeaseFormatError):
                    taken.append(Subnets.from_key(name))
                if self._unreadable is not None:
                    self._unreadable(error)
                continue
            if lease.expiry is None or lease.expiry > now:
                leases[name] = lease
                taken.append(lease.subnets)
        self._settled = {name: known for name in names if (known := self._settled.get(name)) is not None}
        return _State(leases, tuple(taken))

    def _tidied(self) -> _State:
        """The state, after what ended and what the dead left half done was removed; under the lock alone."""
        state = self._read()
        kept = {subnets.key for subnets in state.taken}
        for path in self._subnets.iterdir():
            ended = path.name not in kept and not path.name.startswith(".") and _is_key(path.name)
            if ended or path.name.startswith(TEMPORARY):
                path.unlink()
        return state

    def _lease_in(self, name: str) -> Lease:
        """The lease in a file, which is not read again where it must be the same; `LeaseFormatError` if it has none."""
        path = f"{self._subnets}/{name}"  # there can be thousands: `Path` would take most of the time
        found = os.stat(path)  # noqa: PTH116
        signature = (found.st_ino, found.st_mtime_ns, found.st_size)
        known = self._settled.get(name)
        if known is not None and known.signature == signature:
            return known.lease
        lease = _lease(name, Path(path).read_bytes())
        # Two files within one tick of the clock can look alike, so only what is older than that is known by its looks.
        if time.time_ns() - found.st_mtime_ns > _SETTLED_NS:
            self._settled[name] = _Settled(signature, lease)
        return lease

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with self._guarded():
            descriptor = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                self._take(descriptor, how)
                yield
            finally:
                os.close(descriptor)

    def _take(self, descriptor: int, how: int) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, how | fcntl.LOCK_NB)
                return
            if time.monotonic() > deadline:
                raise StoreError(f"{self!r}: others hold its lock for {self._timeout:g} s", store=str(self._home))
            time.sleep(_LOCK_PAUSE * self._random.uniform(0.5, 1.5))

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """What the system says of files becomes a `StoreError`."""
        try:
            yield
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(f"{self!r}: {error}", store=str(self._home)) from error


def _is_key(name: str) -> bool:
    try:
        Subnets.from_key(name)
    except LeaseFormatError:
        return False
    return True


def _content(lease: Lease) -> bytes:
    # flannel's value is kept as the text that it is.
    return f'{{"Expiry":{json.dumps(lease.expiry)},"Attributes":{lease.attributes.to_value()}}}\n'.encode()


def _lease(key: str, content: bytes) -> Lease:
    """The lease in a file; `LeaseFormatError` if there is none."""
    try:
        read: Any = json.loads(content)
        expiry, attributes = read["Expiry"], read["Attributes"]
        if expiry is not None and (isinstance(expiry, bool) or not isinstance(expiry, (int, float))):
            raise ValueError(f"{expiry!r} is no time")
        return Lease(Subnets.from_key(key), LeaseAttributes.from_value(json.dumps(attributes)), expiry)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        text = content.decode("utf-8", "backslashreplace")
        raise LeaseFormatError(f"{key!r}: no lease: {error}", what="lease", text=text) from error

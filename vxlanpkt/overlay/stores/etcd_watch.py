"""A watch of the leases in etcd, which survives etcd's end and return."""

from __future__ import annotations

import math
import socket
import threading
import time

from vxlanpkt.overlay.leases.lease_errors import StoreError
from vxlanpkt.overlay.leases.stores import Added, LeaseEvent, LeaseWatch, Removed, Snapshot
from vxlanpkt.overlay.stores.etcd_answers import KeyValue, Message, watch_answer
from vxlanpkt.overlay.stores.etcd_gateway import ATTEMPT_SECONDS, EtcdGateway
from vxlanpkt.overlay.stores.etcd_leases import EtcdLeases
from vxlanpkt.overlay.stores.etcd_stream import EtcdStream


class EtcdWatch(LeaseWatch):
    """A watch of etcd's: what `EtcdStore.watch` returns.

    After any failure it lists all again, a second snapshot: who answers then may be another etcd, made anew at the
    same address, and neither its name nor its revision tells it from the one before. A connection on which nothing
    was heard is no failure: the other end of it was alive, so the watch goes on where it was. A `poll` can be late by
    as long as an endpoint says nothing.
    """

    def __init__(self, leases: EtcdLeases, etcd: EtcdGateway, quiet_seconds: float) -> None:
        self._leases = leases
        self._etcd = etcd
        self._quiet_seconds = quiet_seconds
        self._stream: EtcdStream | None = None
        self._revision: int | None = None  # all up to this one is known
        self._is_created = False  # etcd has said that it watches
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
            except (StoreError, ValueError) as error:  # nobody there, or what speaks is no etcd
                self._fail(error)
                self._end.wait(max(0.0, min(self._backoff.pause(), deadline - time.monotonic())))
            if not self._pending and time.monotonic() >= deadline:
                return None
        self._drop()
        return None

    def _fail(self, error: Exception) -> None:
        self.fault = str(error)
        if self._revision is not None:
            self._etcd.turn()
        self._revision = None
        self._drop()

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _advance(self, deadline: float) -> None:
        """Do one thing that brings the next event nearer."""
        if self._revision is None:
            found = self._leases.all(once=True)
            self._pending.append(Snapshot(found.leases))
            self._revision = found.revision
            return
        if self._stream is None:
            request = {**self._leases.range, "start_revision": str(self._revision + 1), "progress_notify": True}
            self._stream = self._etcd.stream("watch", {"create_request": request})
            self._is_created, self._heard = False, time.monotonic()
        patience = self._quiet_seconds if self._is_created else min(ATTEMPT_SECONDS, self._quiet_seconds)
        quiet_end = self._heard + patience
        message = self._stream.read(min(deadline, quiet_end) - time.monotonic(), self._wake)
        if message is not None:
            self._heard = time.monotonic()
            self._take(message, self._revision)
        elif time.monotonic() >= quiet_end and not self._is_created:
            raise ValueError(f"etcd at {self._etcd}: it was asked to watch, and has said nothing for {patience:g} s")
        elif time.monotonic() >= quiet_end:
            # Nothing happens, or nobody is there who would tell: what a new connection finds out.
            self._etcd.turn()
            self._drop()

    def _take(self, message: Message, known: int) -> None:
        answer = watch_answer(message)
        if answer.canceled is not None:  # by compaction, mostly: the place in the history is gone
            raise ValueError(f"etcd at {self._etcd}: the watch was ended: {answer.canceled}")
        if answer.created and answer.revision < known:
            raise ValueError(f"etcd at {self._etcd} has not yet been where it was: it was made anew, or is behind")
        self._is_created, self.fault = True, ""
        self._backoff.reset()
        self._pending += [event for put, pair in answer.events if (event := self._event(put, pair)) is not None]
        if not answer.created:  # by then etcd may be further than what it has told
            self._revision = max(known, answer.revision)

    def _event(self, put: bool, pair: KeyValue) -> LeaseEvent | None:
        subnets = self._leases.subnets_of(pair)
        if subnets is None:
            return None
        lease = self._leases.lease_of(pair, subnets) if put else None
        return Removed(subnets) if lease is None else Added(lease)

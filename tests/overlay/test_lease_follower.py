"""A thread tells what a store's watch tells, and outlives a watch that breaks."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt.overlay import FileStore, LeaseAttributes
from vxlanpkt.overlay.agent import lease_follower
from vxlanpkt.overlay.agent.lease_follower import LeaseFollower
from vxlanpkt.overlay.leases.stores import Added, LeaseEvent, Snapshot

NODE = LeaseAttributes.vxlan("192.0.2.1", "02:00:00:00:00:01")
SECONDS = 10.0


class Breaking:
    """A store whose first watches break when they are asked for something."""

    def __init__(self, store: FileStore, breaks: int) -> None:
        self._store, self.breaks = store, breaks

    def watch(self) -> Any:
        watch = self._store.watch()
        if self.breaks:
            self.breaks -= 1
            watch.poll = _broken  # type: ignore[method-assign]
        return watch


class Slow:
    """A store whose first watch is slow to answer, whoever closes it."""

    def __init__(self, store: FileStore) -> None:
        self._store, self.asked = store, threading.Event()

    def watch(self) -> Any:
        watch = self._store.watch()
        if not self.asked.is_set():
            watch.poll = self._slowly  # type: ignore[method-assign]
        return watch

    def _slowly(self, timeout: float | None = None) -> None:
        self.asked.set()
        time.sleep(0.2)


def _broken(timeout: float | None = None) -> None:
    raise LookupError("not foreseen")


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    made = FileStore(tmp_path, poll_seconds=0.01)
    made.set_config('{"Network": "10.5.0.0/16"}')
    return made


def test_tells(store: FileStore) -> None:
    """First all there are, then each change; nothing more when it is closed, and its thread has ended."""
    told: queue.Queue[LeaseEvent] = queue.Queue()
    with LeaseFollower(store, told.put) as follower:
        assert told.get(timeout=SECONDS) == Snapshot(())
        lease = store.acquire(NODE)
        event = told.get(timeout=SECONDS)
        assert isinstance(event, Added) and event.lease.subnets == lease.subnets
        follower.restart()
        while not isinstance(event := told.get(timeout=SECONDS), Snapshot):
            pass
        assert [found.subnets for found in event.leases] == [lease.subnets]
        assert follower.fault == ""
    assert not [thread for thread in threading.enumerate() if thread.name == "leases"]


def test_a_watch_that_breaks(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and another one begins."""
    monkeypatch.setattr(lease_follower, "_FIRST_PAUSE", 0.01)
    told: queue.Queue[LeaseEvent] = queue.Queue()
    faults: list[str] = []

    def tell(event: LeaseEvent) -> None:
        faults.append(follower.fault)
        told.put(event)

    follower = LeaseFollower(Breaking(store, 3), tell)  # type: ignore[arg-type]  # nothing else is asked for
    with follower:
        assert told.get(timeout=SECONDS) == Snapshot(())
        store.acquire(NODE)
        assert isinstance(told.get(timeout=SECONDS), Added)
    assert "not foreseen" in faults[0]
    assert faults[1] == ""


def test_close_while_it_pauses(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_follower, "_FIRST_PAUSE", 1000.0)
    with LeaseFollower(Breaking(store, 1), _nothing):  # type: ignore[arg-type]  # nothing else is asked for
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "leases"]


def test_close_after_a_restart(store: FileStore) -> None:
    """The thread from before the restart has ended too."""
    slow = Slow(store)
    with LeaseFollower(slow, _nothing) as follower:  # type: ignore[arg-type]  # nothing else is asked for
        assert slow.asked.wait(SECONDS)
        follower.restart()
    assert not [thread for thread in threading.enumerate() if thread.name == "leases"]


def _nothing(event: LeaseEvent) -> None:
    """Nobody listens."""

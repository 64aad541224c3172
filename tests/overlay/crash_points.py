"""Kills a process before each call to the system that an operation of a FileStore makes, and in the midst of a write.

A program of its own, as it forks: `python crash_points.py DIRECTORY`. Each line that it prints is one death: what was
done, before which call, and what the store held afterwards; the last of each operation is the one that was let live.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from vxlanpkt.overlay import FileStore, Lease, LeaseAttributes

CALLS = frozenset(("open", "os.rename", "os.link", "os.remove", "fcntl.flock", "fsync"))
OPENS = 8  # more than any operation has for writing
OLD, NEW = "02:00:00:00:00:01", "02:00:00:00:00:02"


def node(number: int, mac: str = OLD) -> LeaseAttributes:
    return LeaseAttributes.vxlan(f"192.0.2.{number}", mac)


def _acquire(store: FileStore, mine: Lease, ended: Lease) -> None:
    store.acquire(node(3))  # in the place of the one that ended, as there is no other


def _move(store: FileStore, mine: Lease, ended: Lease) -> None:
    store.set_config('{"Network": "10.0.0.0/24", "SubnetLen": 30}')
    store.acquire(node(1, NEW))


def _renew(store: FileStore, mine: Lease, ended: Lease) -> None:
    store.renew(mine.replace(attributes=node(1, NEW)))


def _release(store: FileStore, mine: Lease, ended: Lease) -> None:
    store.release(mine)


OPERATIONS: dict[str, Callable[[FileStore, Lease, Lease], None]] = {
    "acquire": _acquire, "move": _move, "renew": _renew, "release": _release,
}  # fmt: skip


def die_before(number: int) -> None:
    """End this process as a crash does before its call of that number; below 0, in a write behind an open for one."""
    left = number
    opens = -number

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left, opens
        if (
            number < 0
            and event == "open"
            and isinstance(arguments[2], int)
            and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        ):
            opens -= 1
            if opens == 0:  # ten bytes are written, and then it is over
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
                resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        if event in CALLS:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    fsync = os.fsync

    def counted(descriptor: Any) -> None:
        count("fsync", ())
        fsync(descriptor)

    os.fsync = counted  # type: ignore[assignment]
    sys.addaudithook(count)


def fresh(home: Path, broken: list[object]) -> tuple[FileStore, Lease, Lease]:
    """A store of two subnets: one is held, the lease of the other has ended."""
    shutil.rmtree(home, ignore_errors=True)
    now = 1000.0
    store = FileStore(home, lease_seconds=100, clock=lambda: now, random=Random(1), timeout=5, unreadable=broken.append)
    store.set_config('{"Network": "10.0.0.0/28", "SubnetMax": "10.0.0.8"}')
    ended = store.acquire(node(2))
    now += 50
    mine = store.acquire(node(1))
    now += 60
    return store, mine, ended


def main(home: Path) -> None:
    for name, operation in OPERATIONS.items():
        number, died = -OPENS, True
        while died or number <= 0:
            broken: list[object] = []
            store, mine, ended = fresh(home, broken)
            child = os.fork()
            if child == 0:
                die_before(number)
                operation(store, mine, ended)
                os._exit(0)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert status in (0, -signal.SIGKILL, -signal.SIGXFSZ), status
            died = status != 0
            held = {lease.key: str(lease.attributes.vtep_mac) for lease in store.leases()}
            after = store.acquire(node(1))
            store.set_config('{"Network": "10.0.0.0/28", "SubnetMax": "10.0.0.8"}')
            left = [path.name for path in home.rglob(".*")]
            print(json.dumps({
                "operation": name, "call": number, "died": died, "mine": mine.key, "ended": ended.key, "held": held,
                "after": after.key, "left": left, "broken": len(broken), "leases": len(store.leases()),
            }), flush=True)  # fmt: skip
            number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))

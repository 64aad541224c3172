"""Processes that acquire a lease each, all at once: `python acquirers.py STORE COUNT`, of a directory or an etcd's URL.

A program of its own, as it forks: what it imports it imports once. Each process prints the key of its lease as a line.
"""

from __future__ import annotations

import os
import sys

from vxlanpkt.overlay import EtcdStore, FileStore, LeaseAttributes, LeaseStore

_SECONDS = 100.0


def _acquire(where: str, number: int, go: int) -> None:
    """In one of the processes: wait until all are there, then acquire."""
    store: LeaseStore = EtcdStore(where, timeout=_SECONDS) if "://" in where else FileStore(where, timeout=_SECONDS)
    os.read(go, 1)
    lease = store.acquire(LeaseAttributes.vxlan(f"192.0.2.{number}", "02:00:00:00:00:01"))
    os.write(sys.stdout.fileno(), f"{lease.key}\n".encode())


def main(where: str, count: int) -> int:
    go, ready = os.pipe()
    children = []
    for number in range(1, count + 1):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(ready)
                _acquire(where, number, go)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    os.close(ready)  # which wakes them
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))

"""One agent for each device of a network namespace: who comes second is told so, and takes nothing from the first.

A claim is a socket in the abstract namespace, of which each network namespace has its own: nothing is left of it when
its process ends, however that comes.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from struct import Struct

_CREDENTIALS = Struct("iII")  # struct ucred: process, user, group


@contextmanager
def claimed(names: Iterable[str]) -> Iterator[None]:
    """Hold the devices of these names; `OSError` (EADDRINUSE) where another agent has one of them."""
    with ExitStack() as held:
        for name in sorted(names, key=lambda name: (len(name), name)):
            claim = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            address = f"\0vxlanpkt-overlay/{name}"
            try:
                claim.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                _refuse_if_ours(address, name)
            else:
                claim.listen(1)
        yield


def _refuse_if_ours(address: str, name: str) -> None:
    """Anybody can bind an address. Only an agent of the same user can be meant."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(address)
        except BlockingIOError:
            process = 0  # it listens, and others wait there too
        except ConnectionRefusedError:
            return  # it is just ending
        else:
            process, user, _ = _CREDENTIALS.unpack(
                probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            )
            if user != os.geteuid():
                return
    who = f" (pid {process})" if process else ""
    raise OSError(errno.EADDRINUSE, f"another agent{who} has this device in this network namespace", name)

"""Tell a service manager that a service is ready, as systemd's sd_notify(3) does."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Send *state*, "READY=1" say, to whom NOTIFY_SOCKET names. Nothing happens where nobody waits, or he is gone."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        # "@" stands for the zero byte of Linux's abstract names.
        manager.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        manager.sendall(state.encode())

"""Tell a service manager that a service is ready, as systemd's sd_notify(3) does."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Send *state*, "READY=1" say, to whom NOTIFY_SOCKET names; nothing happens where nobody waits."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        # "@" stands for the zero byte of Linux's abstract names.
        manager.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        manager.sendall(state.encode())

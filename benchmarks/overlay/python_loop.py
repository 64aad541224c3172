"""The packet loop that one writes in Python: a read, a send. What the loops in C are measured against.

python -m benchmarks.overlay.python_loop DEVICE MAC LOCAL REMOTE PORT, in the node's network namespace.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys

from vxlanpkt.overlay import Device

_HEADER = bytes.fromhex("0800000000000100")


def main() -> None:
    """Until it is killed."""
    name, mac, local, remote, port = sys.argv[1:]
    device = Device(name, "tap", mac=mac, offload=False)
    queue = device.queues[0]
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
    end.bind((local, int(port)))
    end.setblocking(False)
    print("ready", flush=True)
    to = (remote, int(port))
    selector = selectors.DefaultSelector()
    selector.register(queue, selectors.EVENT_READ)
    selector.register(end, selectors.EVENT_READ)
    while True:
        selector.select()
        for _ in range(64):
            try:
                end.sendto(_HEADER + os.read(queue, 65536), to)
            except BlockingIOError:
                break
        for _ in range(64):
            try:
                got, origin = end.recvfrom(65536)
            except BlockingIOError:
                break
            if origin[0] == remote and got[:8] == _HEADER:
                try:
                    os.write(queue, got[8:])
                except OSError:
                    continue


if __name__ == "__main__":
    main()

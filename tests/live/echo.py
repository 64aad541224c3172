"""Echo requests through the kernel's own IP stack, by a raw ICMP socket: no program is needed."""

from __future__ import annotations

import socket
import struct
import time

from .handmade import internet_sum
from .namespaces import Namespace

_DATA = bytes(range(48))


def ping(namespace: Namespace, address: str, count: int = 3, seconds: float = 10.0) -> int:
    """How many of *count* echo requests from *namespace* to *address* are answered with the same data."""
    version6 = ":" in address
    end = (
        namespace.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        if version6
        else namespace.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    )
    try:
        return sum(_echo(end, address, version6, number, seconds) for number in range(1, count + 1))
    finally:
        end.close()


def _echo(end: socket.socket, address: str, version6: bool, number: int, seconds: float) -> bool:
    request, reply, skip = (128, 129, 0) if version6 else (8, 0, 20)
    blank = struct.pack("!BBHHH", request, 0, 0, 0x5A5A, number) + _DATA
    # Over IPv6 the kernel writes the checksum, over IPv4 it does not.
    end.sendto(blank if version6 else blank[:2] + struct.pack("!H", internet_sum(blank)) + blank[4:], (address, 0))
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        end.settimeout(left)
        try:
            data = end.recv(2048)[skip:]
        except TimeoutError:
            break
        if data[0] == reply and data[4:] == blank[4:]:
            return True
    return False

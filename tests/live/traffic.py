"""Traffic between containers: echo requests, TCP streams and UDP datagrams whose content is compared."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from .namespaces import Namespace


class End(Protocol):
    """What sends and receives: a namespace, and the address in it that others know."""

    @property
    def namespace(self) -> Namespace: ...

    def inside(self, version: int) -> str:
        """The address of one IP version inside the overlay."""
        ...


def pings(sender: End, receiver: End, version: int, size: int = 56, seconds: float = 0.5, *options: str) -> bool:
    """Whether an echo request is answered."""
    done = sender.namespace.exec("ping", "-c", "1", "-W", str(seconds), "-s", str(size), *options,
                                 "-I", sender.inside(version), receiver.inside(version), check=False)  # fmt: skip
    return done.returncode == 0


def send_stream(sender: End, receiver: End, version: int, data: bytes, seconds: float = 60.0) -> bytes:
    """What arrives of a TCP stream."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    arrived = bytearray()
    with receiver.namespace.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind((receiver.inside(version), 0))
        listener.listen()
        listener.settimeout(seconds)
        thread = threading.Thread(target=_receive_all, args=(listener, arrived, seconds))
        thread.start()
        try:
            with sender.namespace.socket(family, socket.SOCK_STREAM) as out:
                out.settimeout(seconds)
                out.bind((sender.inside(version), 0))
                out.connect(listener.getsockname()[:2])
                out.sendall(data)
        finally:
            thread.join(seconds)
    return bytes(arrived)


def _receive_all(listener: socket.socket, arrived: bytearray, seconds: float) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(seconds)
        while part := connection.recv(1 << 16):
            arrived += part


@contextmanager
def streaming(sender: End, receiver: End, version: int, data: bytes) -> Iterator[None]:
    """One stream after the other for the time of the block; all of them have to arrive whole."""
    ended = threading.Event()
    arrived: list[bool] = []

    def stream() -> None:
        while not ended.is_set():
            arrived.append(send_stream(sender, receiver, version, data) == data)

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert arrived and all(arrived)


def echo_datagram(sender: End, receiver: End, version: int, data: bytes) -> bytes:
    """What comes back of a datagram that the other end's container returns."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with (
        receiver.namespace.socket(family, socket.SOCK_DGRAM) as far,
        sender.namespace.socket(family, socket.SOCK_DGRAM) as near,
    ):
        for end, node in ((far, receiver), (near, sender)):
            end.bind((node.inside(version), 0))
            end.settimeout(30.0)
        near.sendto(data, far.getsockname()[:2])
        got, origin = far.recvfrom(1 << 16)
        far.sendto(got, origin[:2])
        return near.recv(1 << 16)

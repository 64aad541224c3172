"""The answers of a watch of etcd as they come: a response without an end, read beside something that may interrupt."""

from __future__ import annotations

import http.client
import selectors
import socket
import ssl
import time

from vxlanpkt.overlay.leases.lease_errors import StoreError
from vxlanpkt.overlay.stores.etcd_answers import CHUNK, MOST_BYTES, Message, judged, said


class EtcdStream:
    """One JSON value a line, as they come. The response is read here, as `http.client` cannot wait for two things."""

    def __init__(self, connection: http.client.HTTPConnection, store: str) -> None:
        assert connection.sock is not None
        self._connection = connection
        self._socket = connection.sock
        self._store = store
        self._received = b""  # as it came
        self._lines = b""  # the body of it
        self._chunked: bool | None = None  # None until the head is read
        self._ended = False
        _keep_alive(self._socket)
        self._socket.settimeout(0)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def read(self, timeout: float, wake: socket.socket) -> Message | None:
        """The next value; None after *timeout* seconds, or when *wake* has something to read.

        Raises `StoreError` at the end, and for an answer that is none.
        """
        deadline = time.monotonic() + timeout
        try:
            while b"\n" not in self._lines:
                if not self._receive() and not self._wait(deadline, wake):
                    return None
            line, _, self._lines = self._lines.partition(b"\n")
            result = judged("watch", 200, line, self._store).get("result")
            if not isinstance(result, dict):
                raise ValueError("a line of a watch without a result")
        except StoreError:
            raise
        except (OSError, ValueError) as error:
            raise StoreError(f"etcd at {self._store}: {said(error)}", store=self._store) from error
        return result

    def _wait(self, deadline: float, wake: socket.socket) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            ready = selector.select(max(0.0, deadline - time.monotonic()))
        return bool(ready) and all(key.fileobj is not wake for key, _ in ready)

    def _receive(self) -> bool:
        """Take in what has come; whether anything has."""
        if self._ended:
            raise ConnectionError("the stream has ended")
        try:
            data = self._socket.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        self._ended = not data
        self._received += data
        if len(self._received) + len(self._lines) > MOST_BYTES:
            raise ValueError("a line without an end")
        self._take()
        return True

    def _take(self) -> None:
        if self._chunked is None:
            head, blank, rest = self._received.partition(b"\r\n\r\n")
            if not blank:
                return
            self._received = rest
            self._chunked = b"transfer-encoding: chunked" in head.lower()
            status = head.split(b"\r\n")[0].split(b" ")
            if status[1:2] != [b"200"]:
                raise ValueError(f"the answer to a watch is {head.splitlines()[0]!r}")
        if not self._chunked:
            self._lines, self._received = self._lines + self._received, b""
            return
        while True:
            size, line_end, rest = self._received.partition(b"\r\n")
            if not line_end:
                return
            length = int(size.split(b";")[0], 16)
            if length == 0:
                self._ended = True
                return
            if len(rest) < length + 2:
                return
            self._lines += rest[:length]
            self._received = rest[length + 2 :]


def _keep_alive(connected: socket.socket) -> None:
    """Notice within half a minute that the other machine is gone."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        option = getattr(socket, name, None)
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)

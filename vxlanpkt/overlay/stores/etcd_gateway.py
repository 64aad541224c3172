"""etcd's JSON gateway: calls that are tried again at the next endpoint, and the stream of a watch."""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from vxlanpkt.errors import FieldError
from vxlanpkt.overlay.leases.backoff import Backoff
from vxlanpkt.overlay.leases.deadlines import seconds_left
from vxlanpkt.overlay.leases.lease_errors import StoreError
from vxlanpkt.overlay.stores.etcd_answers import Message

_T = TypeVar("_T")

ATTEMPT_SECONDS = 5.0  # an endpoint that says nothing for so long is left for the next one
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_MOST_BYTES = 1 << 28
_CHUNK = 1 << 16
# gRPC's codes: what may be otherwise a moment later or elsewhere, and a token that is not valid any more.
_PASSING = frozenset((4, 8, 10, 14))  # deadline exceeded, resource exhausted, aborted, unavailable
_UNAUTHENTICATED = 16
_NOT_FOUND = 5


class EtcdRefusal(StoreError):
    """etcd answered, and it said no: `.code` is gRPC's."""

    code: int

    @property
    def not_found(self) -> bool:
        """What was asked for is not there."""
        return self.code == _NOT_FOUND


class EtcdGateway:
    """The endpoints of one etcd. Its methods may be called from any thread.

    timeout: how long a call may take, with all that is tried again. context: for https. username and password: of an
    etcd that has authentication enabled.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        timeout: float,
        context: ssl.SSLContext | None,
        username: str | None,
        password: str | None,
        random: Random,
    ) -> None:
        self._urls = [_checked(url) for url in urls]
        if not self._urls:
            raise FieldError("etcd has one URL at least", layer="EtcdStore", field="urls", value=urls, bits=None)
        self._timeout = timeout
        self._context = context
        self._user = None if username is None else {"name": username, "password": password or ""}
        self._random = random
        self._token: str | None = None
        self._lock = threading.Lock()
        self._current = 0

    def __str__(self) -> str:
        return ", ".join(url.geturl() for url in self._urls)

    def backoff(self) -> Backoff:
        """The pauses between attempts at anything that is asked of etcd."""
        return Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, self._random)

    def call(self, path: str, body: Mapping[str, object], read: Callable[[Message], _T], *, once: bool = False) -> _T:
        """Ask, and return what *read* makes of the answer, which is a ValueError where it is none.

        What fails for the moment is tried again, unless *once*, until the time is up; there is a pause when all
        endpoints have failed. Raises `EtcdRefusal` for an answer that says no, and `StoreError` if there is none.
        """
        deadline = time.monotonic() + (ATTEMPT_SECONDS if once else self._timeout)
        backoff, failures = self.backoff(), 0
        while True:
            try:
                return read(self._attempt(path, body, deadline))
            except EtcdRefusal as error:
                if error.code not in _PASSING:
                    raise
                last: Exception = error
            except (OSError, http.client.HTTPException, ValueError) as error:
                last = error
            self.turn()
            failures += 1
            pause = backoff.pause() if failures % len(self._urls) == 0 else 0.0
            if once or time.monotonic() + pause > deadline:
                raise StoreError(f"etcd at {self}: {_said(last)}", store=str(self)) from last
            time.sleep(pause)

    def stream(self, path: str, body: Mapping[str, object]) -> EtcdStream:
        """Ask for answers without end; one attempt. Raises `StoreError`."""
        try:
            connection = self._sent(path, body, min(ATTEMPT_SECONDS, self._timeout))
        except StoreError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise StoreError(f"etcd at {self}: {_said(error)}", store=str(self)) from error
        return EtcdStream(connection, str(self))

    def turn(self) -> None:
        """From now on take the next endpoint, and another token."""
        with self._lock:
            self._token = None
            self._current = (self._current + 1) % len(self._urls)

    def _attempt(self, path: str, body: Mapping[str, object], deadline: float) -> Message:
        try:
            return self._answer(path, body, deadline)
        except EtcdRefusal as error:
            if error.code != _UNAUTHENTICATED or self._user is None:
                raise
        self._token = None  # it has run out, or etcd was started anew: get another
        return self._answer(path, body, deadline)

    def _answer(self, path: str, body: Mapping[str, object], deadline: float) -> Message:
        connection = self._sent(path, body, _left(deadline))
        try:
            response = connection.getresponse()
            content = _content(connection, response, deadline)
        finally:
            connection.close()
        return _judged(path, response.status, content, str(self))

    def _sent(self, path: str, body: Mapping[str, object], timeout: float) -> http.client.HTTPConnection:
        """A connection on which the request was sent."""
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if self._user is not None and path != "auth/authenticate":
            headers["Authorization"] = self._valid_token(timeout)
        with self._lock:
            url = self._urls[self._current]
        assert url.hostname is not None  # _checked
        connection: http.client.HTTPConnection
        if url.scheme == "https":
            context = self._context or ssl.create_default_context()
            connection = http.client.HTTPSConnection(url.hostname, url.port or 443, timeout=timeout, context=context)
        else:
            connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=timeout)
        try:
            connection.request("POST", f"{url.path.rstrip('/')}/v3/{path}", json.dumps(body).encode(), headers)
        except BaseException:
            connection.close()
            raise
        return connection

    def _valid_token(self, timeout: float) -> str:
        token = self._token
        if token is None:
            assert self._user is not None
            answer = self._answer("auth/authenticate", self._user, time.monotonic() + timeout)
            self._token = token = str(answer.get("token", ""))
        return token


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
            result = _judged("watch", 200, line, self._store).get("result")
            if not isinstance(result, dict):
                raise ValueError("a line of a watch without a result")
        except StoreError:
            raise
        except (OSError, ValueError) as error:
            raise StoreError(f"etcd at {self._store}: {_said(error)}", store=self._store) from error
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
            data = self._socket.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        self._ended = not data
        self._received += data
        if len(self._received) + len(self._lines) > _MOST_BYTES:
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


def _checked(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FieldError(f"{url!r} is no http or https URL", layer="EtcdStore", field="urls", value=url, bits=None)
    return parts


def _left(deadline: float) -> float:
    """How long the endpoint may still be waited for."""
    return min(seconds_left(deadline), ATTEMPT_SECONDS)


def _content(connection: http.client.HTTPConnection, response: http.client.HTTPResponse, deadline: float) -> bytes:
    """The body, before the deadline, however slowly it comes."""
    pieces = []
    size = 0
    while piece := response.read1(_CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_BYTES:
            raise ValueError("the answer is too long")
        if connection.sock is not None:
            connection.sock.settimeout(_left(deadline))
        else:
            _left(deadline)
    return b"".join(pieces)


def _judged(path: str, status: int, content: bytes, store: str) -> Message:
    """The answer, or the refusal that it is."""
    try:
        read = json.loads(content)
    except RecursionError as deep:
        raise ValueError(f"{path}: the answer is nested too deeply") from deep
    if not isinstance(read, dict):
        raise ValueError(f"{path}: the answer is no JSON object")
    if status == 200 and "error" not in read:
        return read
    error = read.get("error")
    said: Mapping[str, Any] = error if isinstance(error, dict) else read
    message = said.get("message") or said.get("error") or f"HTTP status {status}"
    code = said.get("code", said.get("grpc_code", 2))
    raise EtcdRefusal(f"etcd at {store}: {path}: {message}", code=code if isinstance(code, int) else 2, store=store)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _keep_alive(connected: socket.socket) -> None:
    """Notice within half a minute that the other machine is gone."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        option = getattr(socket, name, None)
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)

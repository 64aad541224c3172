"""etcd's JSON gateway: calls that are tried again at the next endpoint, and streams of answers that are begun."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from vxlanpkt.errors import FieldError
from vxlanpkt.overlay.leases.backoff import Backoff
from vxlanpkt.overlay.leases.deadlines import seconds_left
from vxlanpkt.overlay.leases.lease_errors import StoreError
from vxlanpkt.overlay.stores.etcd_answers import CHUNK, MOST_BYTES, EtcdRefusal, Message, judged, said
from vxlanpkt.overlay.stores.etcd_stream import EtcdStream

_T = TypeVar("_T")

ATTEMPT_SECONDS = 5.0  # an endpoint that says nothing for so long is left for the next one
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
# gRPC's codes: what may be otherwise a moment later or elsewhere, and a token that is not valid any more.
_PASSING = frozenset((4, 8, 10, 14))  # deadline exceeded, resource exhausted, aborted, unavailable
_UNAUTHENTICATED = 16


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
                raise StoreError(f"etcd at {self}: {said(last)}", store=str(self)) from last
            time.sleep(pause)

    def stream(self, path: str, body: Mapping[str, object]) -> EtcdStream:
        """Ask for answers without end; one attempt. Raises `StoreError`."""
        try:
            connection = self._sent(path, body, min(ATTEMPT_SECONDS, self._timeout))
        except StoreError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise StoreError(f"etcd at {self}: {said(error)}", store=str(self)) from error
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
        return judged(path, response.status, content, str(self))

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
    while piece := response.read1(CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise ValueError("the answer is too long")
        if connection.sock is not None:
            connection.sock.settimeout(_left(deadline))
        else:
            _left(deadline)
    return b"".join(pieces)

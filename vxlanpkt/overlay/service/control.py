"""How an agent is asked for its status and told to stop: one line of JSON each way over a UNIX socket.

    {"request": "status"}                 the line of `AgentStatus.to_json`
    {"request": "stop", "keep": false}    {"stopping": true}, and the agent ends
    anything else                         {"error": "..."}

A conversation is bounded in time, and a request in length; only the agent's own user may connect.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import socketserver
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, cast

from vxlanpkt.overlay.agent.status import AgentStatus
from vxlanpkt.overlay.leases.deadlines import seconds_left
from vxlanpkt.overlay.service.run_files import AgentError, NoAgentError, RunFiles, holder

_LONGEST_REQUEST = 4096
_LONGEST_ANSWER = 1 << 28
_SECONDS = 5.0  # for a whole conversation
_CLIENTS = 16  # conversations at once
_LONGEST_PATH = 107  # sun_path has 108 bytes, and the last is zero
_CHUNK = 1 << 16
_PAUSE = 0.05

_logger = logging.getLogger(__name__)


class Controlled(Protocol):
    """What can be controlled: both methods are called from other threads."""

    def status(self) -> AgentStatus:
        """What it says of itself."""

    def stop(self, keep: bool = False) -> None:
        """End; *keep*: what it made stays."""


class ControlServer:
    """Answers for *agent* at a socket, in threads of its own, from its making to `close`. A context manager.

    The caller holds the agent's lock: a socket that is there already is a dead agent's, and is replaced. seconds: how
    long a conversation may take.
    """

    def __init__(self, files: RunFiles, agent: Controlled, *, seconds: float = _SECONDS) -> None:
        self._path = files.socket
        if len(os.fsencode(self._path)) > _LONGEST_PATH:
            raise AgentError(f"{self._path}: the path of a socket has at most {_LONGEST_PATH} bytes")
        self._path.unlink(missing_ok=True)
        self._server = _Server(self._path, agent, seconds)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_PAUSE,), name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more, and remove the socket."""
        self._path.unlink(missing_ok=True)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> ControlServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True  # a client that hangs keeps no agent from ending
    request_queue_size = _CLIENTS

    def __init__(self, path: Path, agent: Controlled, seconds: float) -> None:
        self.agent, self.seconds = agent, seconds
        self._room = threading.BoundedSemaphore(_CLIENTS)
        super().__init__(str(path), _Conversation)

    def server_bind(self) -> None:
        os.fchmod(self.fileno(), 0o600)  # so the name never has more: Linux gives it the socket's own mode
        super().server_bind()

    def verify_request(self, request: object, client_address: object) -> bool:
        return self._room.acquire(blocking=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started, so none gives the place back
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        _logger.debug("a client went away or was too slow", exc_info=True)


class _Conversation(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = cast("_Server", self.server)
        deadline = time.monotonic() + server.seconds
        try:
            request = _request(_line(self.request, deadline, _LONGEST_REQUEST))
        except _NotUnderstood as error:
            _send(self.request, _error(f"not understood: {error}"), deadline)
            return
        if request.what == "status":
            _send(self.request, _status(server.agent), deadline)
            return
        try:
            _send(self.request, '{"stopping": true}', deadline)
        finally:  # it was told to, whether or not that is read
            server.agent.stop(keep=request.keep)


class _Request(NamedTuple):
    what: Literal["status", "stop"]
    keep: bool = False


class _NotUnderstood(Exception):
    """What was said is no request."""


def _request(line: bytes) -> _Request:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        raise _NotUnderstood("no line of JSON") from None
    if not isinstance(read, dict):
        raise _NotUnderstood("no JSON object")
    match read.get("request"), read.get("keep", False):
        case "status", _:
            return _Request("status")
        case "stop", bool(keep):
            return _Request("stop", keep)
        case "stop", _:
            raise _NotUnderstood("keep is true or false")
    raise _NotUnderstood("request is status or stop")


def _status(agent: Controlled) -> str:
    try:
        return agent.status().to_json()
    except Exception as error:  # whatever it is, the client is who wants to know
        _logger.debug("no status", exc_info=True)
        return _error(str(error) or type(error).__name__)


def _error(why: str) -> str:
    return json.dumps({"error": why})


# -- for clients


def ask_status(files: RunFiles, timeout: float = _SECONDS) -> AgentStatus:
    """The status of the agent that runs; raises `NoAgentError` if none does, `AgentError` if it does not answer."""
    line = _ask(files, {"request": "status"}, timeout)
    try:
        return AgentStatus.from_json(line)
    except ValueError as error:
        raise AgentError(f"{files.socket}: {error}") from error


def ask_stop(files: RunFiles, *, keep: bool = False, timeout: float = 60.0) -> None:
    """Stop the agent that runs, and wait until it is gone. *keep*: what it made stays.

    Raises `NoAgentError` if none runs, and `AgentError` if it is there still after *timeout* seconds.
    """
    deadline = time.monotonic() + timeout
    pid = holder(files)
    _ask(files, {"request": "stop", "keep": keep}, min(timeout, _SECONDS))
    while (running := holder(files)) is not None and running == pid:
        if time.monotonic() > deadline:
            raise AgentError(f"the agent (pid {pid}) was told to stop, and runs still after {timeout:g} s")
        time.sleep(_PAUSE)


def _ask(files: RunFiles, request: dict[str, object], timeout: float) -> bytes:
    """The answer to a request; raises what the agent says that is wrong."""
    deadline = time.monotonic() + timeout
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(files.socket))
            _send(connection, json.dumps(request), deadline)
            line = _line(connection, deadline, _LONGEST_ANSWER)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        if holder(files) is not None:
            raise AgentError(f"{files.socket}: the agent begins or ends: nobody answers") from error
        raise NoAgentError(f"no agent runs: nobody answers at {files.socket}") from error
    except TimeoutError as error:
        raise AgentError(f"{files.socket}: the agent did not answer in {timeout:g} s") from error
    except (BlockingIOError, BrokenPipeError, ConnectionResetError, EOFError) as error:
        raise AgentError(f"{files.socket}: the agent ended, or has too many clients: there is no answer") from error
    except (OSError, ValueError) as error:
        raise AgentError(f"{files.socket}: {error}") from error
    fault = _fault(line)
    if fault is not None:
        raise AgentError(f"{files.socket}: the agent says: {fault}")
    return line


def _fault(line: bytes) -> str | None:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return "what is no JSON"
    return None if not isinstance(read, dict) or "error" not in read else str(read["error"])


# -- for both


def _line(connection: socket.socket, deadline: float, longest: int) -> bytes:
    """A line; raises EOFError where the other end closes before its end, ValueError where it is too long."""
    pieces: list[bytes] = []
    size = 0
    while True:
        connection.settimeout(seconds_left(deadline))
        piece = connection.recv(_CHUNK)
        if not piece:
            raise EOFError("closed within a line")
        line, newline, _ = piece.partition(b"\n")
        pieces.append(line)
        size += len(line)
        if size > longest:
            raise ValueError(f"a line of more than {longest} bytes")
        if newline:
            return b"".join(pieces)


def _send(connection: socket.socket, text: str, deadline: float) -> None:
    connection.settimeout(seconds_left(deadline))
    connection.sendall(f"{text}\n".encode())

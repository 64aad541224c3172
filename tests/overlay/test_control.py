"""The control socket and the lock beside it: who is answered, who is refused, and what is left after a crash."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.errors import FieldError
from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus, PeerStatus
from vxlanpkt.overlay.service.control import ControlServer, ask_status, ask_stop
from vxlanpkt.overlay.service.run_files import AgentError, AgentRunsError, NoAgentError, RunFiles, holder, only_one

STATUS = AgentStatus(
    "vxlan", "a store", "eth0", ("10.5.52.0/24",), 1450, 1000.0, 1060.0, 4711, 87000.0,
    links=(LinkStatus("flannel.1", "vxlan", 1450, "192.0.2.1", 8472, 1, drops={"BAD_FLAGS": 3}),),
    peers=(PeerStatus("10.5.9.0/24", "192.0.2.9", "none", why="no\nreason \u2028"),),
)  # fmt: skip
# Held by a process that says so, and waits.
HOLD = """
import sys
from pathlib import Path
from vxlanpkt.overlay.service.control import ControlServer
from vxlanpkt.overlay.service.run_files import RunFiles, only_one
files = RunFiles(Path(sys.argv[1]))
with only_one(files), ControlServer(files, None):
    print("held", flush=True)
    sys.stdin.read()
"""


class Agent:
    """An agent that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[bool] = []
        self.stopped = threading.Event()
        self.error: Exception | None = None

    def status(self) -> AgentStatus:
        if self.error is not None:
            raise self.error
        return STATUS

    def stop(self, keep: bool = False) -> None:
        self.told.append(keep)
        self.stopped.set()


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    return RunFiles(tmp_path / "run")


@pytest.fixture
def agent() -> Agent:
    return Agent()


@pytest.fixture
def served(files: RunFiles, agent: Agent) -> Iterator[RunFiles]:
    with only_one(files), ControlServer(files, agent):
        yield files


def say(files: RunFiles, data: bytes, *, end: bool = False) -> bytes:
    """What comes back for some bytes, up to the end."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(files.socket))
        try:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            while piece := connection.recv(1 << 16):
                received += piece
        except (BrokenPipeError, ConnectionResetError):  # it was closed while we spoke
            return b""
        return received


def test_a_status_comes_over_whole(served: RunFiles) -> None:
    assert ask_status(served) == STATUS


def test_a_long_status(served: RunFiles, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than any socket's buffer."""
    long = dataclasses.replace(STATUS, peers=STATUS.peers * 5_000)  # more than a socket holds
    monkeypatch.setattr(agent, "status", lambda: long)
    assert ask_status(served) == long


def test_what_keeps_an_agent_from_a_status_is_told(served: RunFiles, agent: Agent) -> None:
    agent.error = RuntimeError("the node has no lease yet")
    with pytest.raises(AgentError, match="the agent says: the node has no lease yet"):
        ask_status(served)
    agent.error = None
    assert ask_status(served) == STATUS


@pytest.mark.parametrize("keep", [False, True])
def test_stop_waits_until_the_agent_is_gone(files: RunFiles, agent: Agent, keep: bool) -> None:
    """The lock says so."""

    def run() -> None:
        with only_one(files), ControlServer(files, agent):
            ready.set()
            agent.stopped.wait(20)

    ready = threading.Event()
    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(20)
    ask_stop(files, keep=keep)
    assert holder(files) is None
    thread.join(20)
    assert agent.told == [keep]
    assert list(files.directory.iterdir()) == []


def test_stop_waits_no_longer_than_it_is_told(served: RunFiles) -> None:
    with pytest.raises(AgentError, match=f"pid {os.getpid()}.* runs still after 0.2 s"):
        ask_stop(served, timeout=0.2)


@pytest.mark.parametrize("call", [ask_status, ask_stop])
def test_nobody_there(files: RunFiles, call: object) -> None:
    assert callable(call)
    with pytest.raises(NoAgentError, match="no agent runs"):
        call(files)


def test_an_agent_that_does_not_listen_yet(files: RunFiles) -> None:
    with only_one(files), pytest.raises(AgentError, match="begins or ends"):
        ask_status(files)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"\n", "no line of JSON"),
        (b"\xff\xfe\n", "no line of JSON"),
        (b"[" * 3000 + b"\n", "no line of JSON"),
        (b"[]\n", "no JSON object"),
        (b"{}\n", "status or stop"),
        (b'{"request": ["stop"]}\n', "status or stop"),
        (b'{"request": "stop", "keep": 1}\n', "keep is true or false"),
        (b'{"request": "stop", "keep": null}\n', "keep is true or false"),
    ],
)
def test_rubbish_is_refused(served: RunFiles, agent: Agent, line: bytes, why: str) -> None:
    assert why in json.loads(say(served, line))["error"]
    assert agent.told == []


@pytest.fixture(scope="module")
def long_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunFiles, Agent]]:
    files, agent = RunFiles(tmp_path_factory.mktemp("control")), Agent()
    with only_one(files), ControlServer(files, agent):
        yield files, agent


def test_threads_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their places are given back: later clients are answered."""
    files = RunFiles(tmp_path)
    with ControlServer(files, Agent()):
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", _no_thread)
            for _ in range(40):
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(files.socket))
                    assert client.recv(1) == b""
        assert ask_status(files) == STATUS


def _no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@given(line=st.binary(max_size=200))
def test_any_bytes(line: bytes, long_served: tuple[RunFiles, Agent]) -> None:
    """An answer or none, and never an agent that stops of it."""
    files, agent = long_served
    answer = say(files, line, end=True)
    assert not answer or "error" in json.loads(answer) or b"status" in line
    assert agent.told == []
    assert ask_status(files) == STATUS


@pytest.mark.parametrize("data", [b"x" * 100_000, b'{"request": "stop"}'])
def test_a_line_that_is_too_long_or_does_not_end(served: RunFiles, agent: Agent, data: bytes) -> None:
    assert say(served, data, end=True) == b""
    assert agent.told == []
    assert ask_status(served) == STATUS


def test_clients_that_hang(files: RunFiles, agent: Agent) -> None:
    """As many as there is room for: the next is turned away, and served when their time is up."""
    with ExitStack() as opened:
        opened.enter_context(only_one(files))
        opened.enter_context(ControlServer(files, agent, seconds=2))
        hanging = [opened.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(16)]
        for number, connection in enumerate(hanging):
            connection.settimeout(20)
            connection.connect(str(files.socket))
            connection.sendall(b'{"request": ' if number % 2 else b"")
        with pytest.raises(AgentError, match="there is no answer"):
            ask_status(files)
        for connection in hanging:
            assert connection.recv(1) == b""
        assert ask_status(files) == STATUS


def test_a_client_that_reads_nothing(files: RunFiles, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told nothing any more, and the others are."""
    long = dataclasses.replace(STATUS, peers=STATUS.peers * 5_000)  # more than a socket holds
    monkeypatch.setattr(agent, "status", lambda: long)
    with only_one(files), ControlServer(files, agent, seconds=30), socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(files.socket))
        idle.sendall(b'{"request": "status"}\n')
        assert ask_status(files) == long


def test_a_client_that_goes_away_has_still_said_stop(served: RunFiles, agent: Agent) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(served.socket))
        connection.sendall(b'{"request": "stop", "keep": true}\n')
    assert agent.stopped.wait(20)
    assert agent.told == [True]


def test_what_answers_is_no_agent(files: RunFiles) -> None:
    """A server of something else at the agent's socket."""
    files.directory.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(files.socket))
        server.listen()

        def serve(answer: bytes) -> None:
            with server.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(answer)

        for answer, why in (
            (b"hello\n", "no JSON"),
            (b"{}\n", "no status"),
            (b'"x', "no answer"),
            (b"[1]\n", "status"),
            (b"[" * 100_000 + b"\n", "no JSON"),
        ):
            thread = threading.Thread(target=serve, args=(answer,))
            thread.start()
            with pytest.raises(AgentError, match=why):
                ask_status(files)
            thread.join(20)


# -- files


def test_permissions(served: RunFiles) -> None:
    """The directory may be seen by all; socket and lock are the owner's, and the socket was never anybody else's."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in served.directory.iterdir()}
    assert modes == {"overlay.sock": 0o600, "overlay.lock": 0o600}
    assert stat.S_IMODE(served.directory.stat().st_mode) == 0o755


def test_the_lock_names_its_holder(served: RunFiles) -> None:
    assert served.lock.read_text() == f"{os.getpid()}\n"
    assert holder(served) == os.getpid()


def test_names(tmp_path: Path) -> None:
    for name in ("", "a/b", "..", ".hidden", "a\n", "ä"):
        with pytest.raises(FieldError, match="is no name"):
            RunFiles(tmp_path, name)
    assert RunFiles(tmp_path, "b-2.c_d").socket == tmp_path / "b-2.c_d.sock"


def test_a_path_that_no_socket_can_have(tmp_path: Path, agent: Agent) -> None:
    files = RunFiles(tmp_path / ("d" * 100))
    with only_one(files), pytest.raises(AgentError, match="at most 107 bytes"):
        ControlServer(files, agent)


def test_two_agents(served: RunFiles) -> None:
    """The second is refused, from this process and from another, and the first is not disturbed."""
    with pytest.raises(AgentRunsError, match=f"an agent .pid {os.getpid()}. runs already") as caught, only_one(served):
        pass
    assert caught.value.pid == os.getpid()
    done = subprocess.run([sys.executable, "-c", HOLD, served.directory], capture_output=True, text=True, check=False)
    assert f"AgentRunsError: an agent (pid {os.getpid()}) runs already" in done.stderr
    assert ask_status(served) == STATUS


def test_of_many_who_want_the_lock_one_has_it(files: RunFiles) -> None:
    """Also while the one before removes it: the lock of a file that has lost its name is none."""
    inside: list[int] = []
    most: list[int] = []

    def take() -> None:
        for _ in range(20):
            try:
                with only_one(files):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
            except AgentRunsError:
                most.append(0)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert max(most) == 1
    assert not files.lock.exists()


def test_after_kill_9(files: RunFiles, agent: Agent) -> None:
    """Nobody runs, though lock and socket are there; the next takes their place."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, files.directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert holder(files) == process.pid
        process.send_signal(signal.SIGKILL)
    assert files.socket.is_socket() and files.lock.exists()
    assert holder(files) is None
    with pytest.raises(NoAgentError):
        ask_status(files)
    with only_one(files), ControlServer(files, agent):
        assert ask_status(files) == STATUS
    assert list(files.directory.iterdir()) == []

"""An agent of the overlay as a child process: the command line, what it printed, and how it ends."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from vxlanpkt.overlay import AgentStatus, RunFiles, ask_status

from .namespaces import Namespace, run

# -I: what is installed, with what was compiled, and not the sources where the tests are started.
VXLANPKT = (sys.executable, "-I", "-m", "vxlanpkt.cli")
# The same, but that it prints where its threads are when it is sent SIGUSR1.
_WITH_STACKS = """
import faulthandler, signal
from vxlanpkt.cli import main
faulthandler.register(signal.SIGUSR1)
main()
"""
_END_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Agent:
    """`vxlanpkt overlay up` in a namespace, in a directory of its own; it dies with this process.

    arguments: where the leases are, and what is other than the configuration says.
    """

    def __init__(self, namespace: Namespace, link: str, home: Path, arguments: Sequence[str]) -> None:
        self._namespace, self._home = namespace, home
        home.mkdir(exist_ok=True)
        self.subnet_env = home / "subnet.env"
        self._files = RunFiles(home / "run")
        self._run_dir = ("--run-dir", str(self._files.directory))
        self._up = ("overlay", "up", "--iface", link, "--subnet-env", str(self.subnet_env), *self._run_dir, *arguments)
        self._output = home / "output"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        """What it has printed, over all starts, and how it ended, if it has."""
        code = None if self._process is None else self._process.poll()
        ended = "" if code is None else f"ended: {code}\n"
        return (self._output.read_text(errors="replace") if self._output.exists() else "") + ended

    def start(self) -> None:
        """Start it, from the main thread, with whose end it would go; do not wait."""
        assert not self.is_running
        command = ("ip", "netns", "exec", self._namespace.name, sys.executable, "-I", "-c", _WITH_STACKS, *self._up)
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=_die_with_parent)

    def handles(self) -> tuple[int, int]:
        """How many files and threads it has open."""
        assert self._process is not None
        process = Path("/proc", str(self._process.pid))
        return len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))

    def status(self) -> AgentStatus:
        """What it says of itself at its socket."""
        return ask_status(self._files)

    def down(self, *options: str) -> None:
        """End it with `overlay down`."""
        run("ip", "netns", "exec", self._namespace.name, *VXLANPKT, "overlay", "down", *self._run_dir, *options)
        self._wait()

    def show_stacks(self) -> None:
        """Have it print where its threads are: for when it does not do what it should."""
        if self.is_running:
            self.send(signal.SIGUSR1)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; do not wait."""
        if self._process is not None:
            self._process.send_signal(number)

    def left_behind(self) -> list[Path]:
        """What is in its directories beside what it printed."""
        return [path for path in self._home.rglob("*") if (path.is_file() and path != self._output) or path.is_socket()]

    def terminate(self) -> None:
        """End it as a service manager does; it has to say that all went well."""
        self.send(signal.SIGTERM)
        self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        code = self._process.wait(_END_SECONDS)
        assert code == 0, f"exit {code}\n{self.output}"

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_END_SECONDS)

"""An etcd of the test's own, with ports and a directory of its own, gone with this process.

It is on the loopback, or in a network namespace, where it hears everybody.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.error import HTTPError

_PREFIX = "vxlanpkt-live-etcd"
_START_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_T = TypeVar("_T")


class _Namespace(Protocol):
    """A network namespace, and how to do something in it."""

    name: str

    def call(self, function: Callable[[], _T]) -> _T: ...


def missing() -> str | None:
    """Why there is no etcd here, or None if there is one."""
    return None if shutil.which("etcd") else "no etcd: Debian's package is etcd-server"


def sweep() -> None:
    """Remove what runs left behind whose process is gone."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}-*-*"):
        pid = path.name[len(_PREFIX) + 1 :].partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Etcd:
    """One etcd, which can be killed and started again on what it had written."""

    def __init__(self, certificate: tuple[Path, Path] | None = None, namespace: _Namespace | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-"))
        self._scheme = "http" if certificate is None else "https"
        self._certificate = certificate
        self._namespace = namespace
        self._ports = (_free_port(), _free_port())
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return self.url_at("127.0.0.1")

    def url_at(self, host: str) -> str:
        """Where others find it, who know this machine or namespace as *host*."""
        return f"{self._scheme}://{host}:{self._ports[0]}"

    @property
    def _enter(self) -> tuple[str, ...]:
        return () if self._namespace is None else ("ip", "netns", "exec", self._namespace.name)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers; from the main thread, with whose end it would go."""
        peer = f"http://127.0.0.1:{self._ports[1]}"
        here = self.url_at("127.0.0.1" if self._namespace is None else "[::]")
        command = [
            *self._enter, "etcd", "--name", "live", "--data-dir", str(self.home / "data"),
            "--logger", "zap", "--log-outputs", "stderr", "--log-level", "error",
            "--listen-client-urls", here, "--advertise-client-urls", self.url,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"live={peer}",
        ]  # fmt: skip
        if self._certificate is not None:
            command += ["--cert-file", str(self._certificate[0]), "--key-file", str(self._certificate[1])]
        with (self.home / "output").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=_die_with_parent)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.ask("maintenance/status", {})
                return
            except OSError as error:
                if isinstance(error, HTTPError):
                    with error:
                        if error.code == 400:  # it does answer, and since 3.5 tells its status to those who log in
                            return
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self.home / "output").read_text()) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """As a crash ends it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        """It is there, and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 10
        while not self._stopped():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _stopped(self) -> bool:
        """Whether each of its threads has stopped: they do so one by one."""
        tasks = Path("/proc", str(self.pid), "task").iterdir()
        return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def forget(self) -> None:
        """Lose everything, as a machine that is made anew; it must be down."""
        shutil.rmtree(self.home / "data")

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask the gateway, with nothing of the library."""
        if self._namespace is None:
            return self._ask(path, body)
        return self._namespace.call(lambda: self._ask(path, body))

    def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/v3/{path}", json.dumps(body).encode())
        context = None
        if self._certificate is not None:
            context = ssl.create_default_context(cafile=str(self._certificate[0]))
        with urllib.request.urlopen(request, timeout=2, context=context) as response:
            read: dict[str, Any] = json.loads(response.read())
            return read

    def put(self, key: str, value: str) -> int:
        """The revision that it made."""
        return int(self.ask("kv/put", {"key": b64(key), "value": b64(value)})["header"]["revision"])

    def get(self, key: str) -> str | None:
        pairs = self.ask("kv/range", {"key": b64(key)}).get("kvs", [])
        return base64.b64decode(pairs[0]["value"]).decode() if pairs else None

    def delete(self, first: str, end: str) -> None:
        self.ask("kv/deleterange", {"key": b64(first), "range_end": b64(end)})

    def compact(self) -> None:
        """Forget all history."""
        revision = self.put("/elsewhere", "")  # a revision can be compacted once
        self.ask("kv/compaction", {"revision": str(revision), "physical": True})

    def leases(self) -> list[int]:
        """Every lease that it has granted and not ended."""
        return [int(lease["ID"]) for lease in self.ask("lease/leases", {}).get("leases", [])]

"""Network namespaces for the live tests: made, entered for one socket at a time, swept up after a crash."""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

_PREFIX = "vxlanpkt-live"
_NAME = re.compile(rf"{_PREFIX}-(\d+)-\d+")
_NETNS_DIR = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_LOCK = Path("/run")
_COMMAND_SECONDS = 30.0

_libc = ctypes.CDLL(None, use_errno=True)
_numbers = count()
_alive: set[Namespace] = set()


def run(*command: str, check: bool = True, seconds: float = _COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a program, bounded in time; a failure shows what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def killed_run(code: str) -> list[str]:
    """What a Python process printed that ran *code* and then ended as a crash ends one, with nothing cleaned up.

    *code* finds this package under its name, and the tests under theirs.
    """
    here = Path(__file__)
    first, last = str(here.parents[__package__.count(".") + 1]), str(here.parents[2])
    # -I: the library that is installed, and not the sources where the tests were started, which come last.
    paths = f"sys.path.insert(0, {first!r}); sys.path.append({last!r})"
    killed = subprocess.run(
        [sys.executable, "-I", "-c", f"import os, signal, sys; {paths}; {code}; os.kill(os.getpid(), signal.SIGKILL)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )  # fmt: skip
    assert killed.stdout, killed.stderr
    return killed.stdout.split()


class Namespace:
    """One network namespace, named after this process so that a later run can tell whether it is stale."""

    def __init__(self) -> None:
        # The documentation's tests have a copy of this module, which counts for itself.
        names = (f"{_PREFIX}-{os.getpid()}-{number}" for number in _numbers)
        self.name = next(name for name in names if not (_NETNS_DIR / name).exists())
        run("ip", "netns", "add", self.name)
        _alive.add(self)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run iproute2's `ip` on this namespace."""
        return run("ip", "-n", self.name, *arguments, check=check)

    def exec(
        self, *command: str, check: bool = True, seconds: float = _COMMAND_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in this namespace."""
        return run("ip", "netns", "exec", self.name, *command, check=check, seconds=seconds)

    def sysctl(self, key: str, value: int | str) -> None:
        """Set a per-namespace network parameter: `net.ipv6.conf.all.disable_ipv6` and the like."""
        path = "/proc/sys/" + key.replace(".", "/")
        self.call(lambda: Path(path).write_text(f"{value}\n"))

    def quieten(self) -> None:
        """No router solicitations or listener reports of devices yet to come between the frames under test."""
        self.sysctl("net.ipv6.conf.default.router_solicitations", 0)
        self.sysctl("net.ipv6.conf.default.accept_ra", 0)
        self.sysctl("net.ipv6.conf.default.addr_gen_mode", 1)

    def call(self, function: Callable[[], _T]) -> _T:
        """Run *function* in a thread that has entered this namespace: the process's own stays as it is.

        A socket belongs for life to the namespace that it was made in, so it can be used anywhere.
        """
        results: list[_T] = []
        errors: list[BaseException] = []

        def enter_and_call() -> None:
            try:
                descriptor = os.open(_NETNS_DIR / self.name, os.O_RDONLY)
                try:
                    if _libc.setns(descriptor, _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"setns {self.name}")
                finally:
                    os.close(descriptor)
                results.append(function())
            except BaseException as error:  # handed to the caller's thread
                errors.append(error)

        thread = threading.Thread(target=enter_and_call, name=f"in {self.name}")
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket that lives in this namespace."""
        return self.call(lambda: socket.socket(family, kind, protocol))

    def delete(self) -> None:
        """Remove the namespace, and with it every device in it; once is enough."""
        if self in _alive:
            _alive.discard(self)
            run("ip", "netns", "del", self.name, check=False)


@contextmanager
def sweeping() -> Iterator[None]:
    """One process of this machine at a time looks for what others have left: a test may have made it to be found."""
    descriptor = os.open(_LOCK, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_stale(name: str) -> bool:
    """Whether *name* is that of a namespace whose process is gone."""
    match = _NAME.fullmatch(name)
    return match is not None and not Path("/proc", match[1]).exists()


def sweep() -> list[str]:
    """Remove the namespaces of runs whose process is gone, as a killed one leaves them; return their names."""
    stale = []
    for path in _NETNS_DIR.glob(f"{_PREFIX}-*"):
        if is_stale(path.name):
            run("ip", "netns", "del", path.name, check=False)
            stale.append(path.name)
    return stale


@atexit.register
def _delete_all() -> None:
    for namespace in tuple(_alive):
        namespace.delete()


def missing(programs: Sequence[str] = ("ip", "ethtool")) -> str | None:
    """Why live tests cannot run here, or None if they can: found by trying."""
    if not hasattr(socket, "AF_PACKET"):
        return "not Linux"
    if os.geteuid() != 0:
        return "not root"
    for program in programs:
        try:
            run(program, "-V" if program == "ip" else "--version")
        except (OSError, RuntimeError) as error:
            return f"no {program}: {error}"
    try:
        namespace = Namespace()
    except (RuntimeError, OSError) as error:
        return f"no network namespaces: {error}"
    try:
        namespace.ip("link", "add", "probe", "type", "veth", "peer", "name", "probe-peer")
        namespace.ip("link", "add", "probe-vxlan", "type", "vxlan", "id", "1", "dstport", "4789")
    except RuntimeError as error:
        return f"no veth or vxlan device: {error}"
    finally:
        namespace.delete()
    return None

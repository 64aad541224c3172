"""A machine that runs containers, as three namespaces: a network (the node's), mounts and processes of its own.

Its /run is empty at start, as after a boot; its /var/lib is a directory that outlives it, as a disk does. All of its
processes, those in containers too, end when its first one does, and that ends with the process that made the host.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from .namespaces import Namespace, is_stale, run

UPSTREAM_PLUGINS = Path("/usr/lib/cni")
CONFIGURATIONS, PLUGINS = Path("/etc/cni/net.d"), Path("/opt/cni/bin")  # ctr looks nowhere else
_CGROUPS = Path("/sys/fs/cgroup")
_END_SECONDS = 30.0

# The first process. It says its number outside, which /proc knows as long as it is the old one; then it waits until
# nobody holds the other end of its input.
_FIRST_PROCESS = """
set -e
read -r number rest </proc/self/stat
mount -t proc proc /proc
mount -t tmpfs run /run
mount --bind "$1/lib" /var/lib
mount --bind "$1/configurations" "$2"
mount --bind "$1/plugins" "$3"
echo "$number"
exec cat >/dev/null
"""


class Host:
    """One such machine on the network of *namespace*; *disk* is kept from one host to the next."""

    def __init__(self, namespace: Namespace, disk: Path) -> None:
        self.namespace, self.disk = namespace, disk
        for directory in (disk / "lib", disk / "configurations", disk / "plugins"):
            directory.mkdir(parents=True, exist_ok=True)
        for directory in (CONFIGURATIONS, PLUGINS):
            directory.mkdir(parents=True, exist_ok=True)  # outside too, where they stay, empty
        self._started: list[subprocess.Popen[bytes]] = []
        self._first = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{namespace.name}",
             "unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "private",
             "sh", "-c", _FIRST_PROCESS, "sh", str(disk), str(CONFIGURATIONS), str(PLUGINS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.pid = self._read_number()
        for plugin in UPSTREAM_PLUGINS.iterdir():
            link = disk / "plugins" / plugin.name
            if not link.exists():
                link.symlink_to(plugin)

    def _read_number(self) -> int:
        assert self._first.stdout is not None and self._first.stderr is not None
        line = self._first.stdout.readline()
        if not line:
            raise RuntimeError(f"no namespaces for a host: {self._first.stderr.read()}")
        return int(line)

    def command(self, *command: str) -> list[str]:
        """The command line that runs *command* on this host."""
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", "--pid", "--", *command]

    def run(self, *command: str, check: bool = True, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a program on this host."""
        return run(*self.command(*command), check=check, seconds=seconds)

    def start(self, *command: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a program on this host; it ends with it."""
        started = subprocess.Popen(self.command(*command), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self._started.append(started)
        return started

    def vxlanpkt(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the library's command line on this host."""
        return self.run(sys.executable, "-I", "-m", "vxlanpkt.cli", *arguments, check=check)

    def path(self, path: str) -> Path:
        """Where a file of this host is for others."""
        return Path(f"/proc/{self.pid}/root{path}")

    def configure(self, network: Mapping[str, Any]) -> None:
        """Give it a network: the content of a configuration list."""
        file = self.disk / "configurations" / f"10-{network['name']}.conflist"
        file.write_text(json.dumps(network), encoding="utf-8")

    def close(self) -> None:
        """End all of its processes; the network namespace and the disk stay."""
        assert self._first.stdin is not None
        self._first.stdin.close()
        self._first.wait(_END_SECONDS)
        for process in self._started:
            process.wait(_END_SECONDS)
        for pipe in (self._first.stdout, self._first.stderr):
            assert pipe is not None
            pipe.close()


def cgroups(name: str) -> list[Path]:
    """The control groups of containers on the host whose network namespace is *name*."""
    return [*_CGROUPS.glob(f"{name}.*"), *_CGROUPS.glob(f"*/{name}.*")]  # one tree, or one for each controller


def remove_cgroups(name: str) -> None:
    """Remove these, when the containers are gone."""
    for group in cgroups(name):
        for directory, _, _ in os.walk(group, topdown=False):
            Path(directory).rmdir()


def sweep_cgroups() -> None:
    """Remove the control groups of runs whose process is gone."""
    for name in {group.name.partition(".")[0] for group in cgroups("*")}:
        if is_stale(name):
            remove_cgroups(name)

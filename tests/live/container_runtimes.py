"""containerd, driven by ctr, and podman, on a host of the tests: both start containers in a network of plugins."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Protocol

from .container_host import CONFIGURATIONS, PLUGINS, Host
from .container_image import IMAGE

_START_SECONDS = 60.0
_COMMAND_SECONDS = 60.0


class ContainerRuntime(Protocol):
    """What starts containers on a host, in the network that it was made for."""

    host: Host

    def run(self, name: str, *command: str) -> str:
        """What a container prints that is there only for a command, and is then removed."""

    def start(self, name: str, *command: str) -> None:
        """Start a container that stays."""

    def exec(self, name: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in a container."""


_CONTAINERD = """
version = 2
disabled_plugins = [
    "io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]
"""


class Containerd:
    """containerd and its client ctr, which takes the first network that is configured.

    Its state is in the host's /run, its images are in the host's /var/lib.
    """

    def __init__(self, host: Host, image: Path) -> None:
        self.host = host
        self.group = f"{host.namespace.name}.ctr"
        config = host.disk / "containerd.toml"
        config.write_text(_CONTAINERD, encoding="utf-8")
        self._log = host.disk / "containerd.log"
        with self._log.open("wb") as output:
            self._daemon = host.start("containerd", "--config", str(config), output=output)
        self._wait()
        self.ctr("images", "import", "--snapshotter", "native", str(image))

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while self.ctr("version", check=False).returncode:
            if self._daemon.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"containerd does not start:\n{self._log.read_text(encoding='utf-8')}")
            time.sleep(0.05)

    def ctr(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ctr."""
        return self.host.run("ctr", "--namespace", self.group, *arguments, check=check, seconds=_COMMAND_SECONDS)

    def run(self, name: str, *command: str) -> str:
        return self.ctr("run", "--rm", "--cni", "--snapshotter", "native", IMAGE, name, *command).stdout

    def start(self, name: str, *command: str) -> None:
        self.ctr("run", "--detach", "--cni", "--snapshotter", "native", IMAGE, name, *command)

    def exec(self, name: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.ctr("task", "exec", "--exec-id", "exec", name, *command, check=check)

    def abandon(self, name: str) -> None:
        """Kill and delete a container. ctr asks for a network when it starts one, and here not for its end."""
        self.ctr("task", "delete", "--force", name)
        self.ctr("container", "delete", name)


_PODMAN = f"""
[network]
network_backend = "cni"
network_config_dir = "{CONFIGURATIONS}"
cni_plugin_dirs = ["{PLUGINS}"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""


class Podman:
    """podman, which has no daemon; its containers are in the network called *network*."""

    def __init__(self, host: Host, image: Path, network: str) -> None:
        self.host, self.network = host, network
        self.group = f"{host.namespace.name}.podman"
        self._config = host.disk / "containers.conf"
        self._config.write_text(_PODMAN, encoding="utf-8")
        self.podman("load", "--input", str(image))

    def podman(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run podman."""
        return self.host.run("env", f"CONTAINERS_CONF={self._config}", "podman", "--storage-driver", "vfs", *arguments,
                             check=check, seconds=_COMMAND_SECONDS)  # fmt: skip

    def _run(self, *arguments: str) -> str:
        return self.podman("run", "--pull", "never", "--cgroup-parent", self.group, "--network", self.network,
                           *arguments).stdout  # fmt: skip

    def run(self, name: str, *command: str) -> str:
        return self._run("--rm", "--name", name, IMAGE, *command)

    def start(self, name: str, *command: str, publish: str = "") -> None:
        """Start a container that stays; *publish* is the port of the host that leads to one of it: `8080:80`."""
        self._run("--detach", "--name", name, *(["--publish", publish] if publish else []), IMAGE, *command)

    def exec(self, name: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.podman("exec", name, *command, check=check)

    def remove(self, name: str) -> None:
        """Kill a container and forget it."""
        self.podman("rm", "--force", "--time", "0", name)

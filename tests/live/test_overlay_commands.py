"""`vxlanpkt overlay` against the kernel: a node comes up and goes down, or dies, and the kernel is as it was before."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt.overlay.agent.status import AgentStatus
from vxlanpkt.overlay.leases.leases import LeaseAttributes
from vxlanpkt.overlay.service.run_files import RunFiles
from vxlanpkt.overlay.stores.file_store import FileStore

from .namespaces import Namespace

pytestmark = pytest.mark.live

_COMMAND = (sys.executable, "-I", "-m", "vxlanpkt.cli", "overlay")
_LINES = 50  # of a log, within which an agent is ready


class Node:
    """A namespace with an underlay, and one more node in the store, which is only a lease."""

    def __init__(self, home: Path, backend: str) -> None:
        self.namespace = Namespace()
        self.namespace.quieten()
        self.namespace.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        for name in ("eth0", "eth1"):
            self.namespace.ip("link", "set", name, "up")
        self.namespace.ip("address", "add", "192.0.2.1/24", "dev", "eth0")
        self.backend = backend
        self.home, self.files, self.env = home, RunFiles(home / "run"), home / "subnet.env"
        self.store = FileStore(home / "store")
        self.store.set_config(json.dumps({"Network": "10.5.0.0/16", "Backend": {"Type": backend}}))
        udp = LeaseAttributes(IPv4Address("192.0.2.2"), backend_type="udp")
        self.store.acquire(udp if backend == "udp" else LeaseAttributes.vxlan("192.0.2.2", "02:00:00:00:00:02"))
        self._process: subprocess.Popen[str] | None = None

    def _command(self, *arguments: str) -> list[str]:
        return ["ip", "netns", "exec", self.namespace.name, *_COMMAND, *arguments, "--run-dir", str(self.home / "run")]

    def up(self) -> subprocess.Popen[str]:
        """An agent that is ready."""
        command = self._command(
            "up", "--iface", "eth0", "--store", str(self.home / "store"), "--subnet-env", str(self.env)
        )
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        said = []
        for _, line in zip(range(_LINES), self._process.stderr, strict=False):
            if " ready: " in line:
                return self._process
            said.append(line)
        raise AssertionError("".join(said))

    def run(self, *arguments: str) -> str:
        done = self.tried(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tried(self, *arguments: str, elsewhere: Namespace | None = None) -> subprocess.CompletedProcess[str]:
        """A command that may fail, also in another namespace."""
        command = self._command(*arguments)
        command[3] = (elsewhere or self.namespace).name
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def kernel(self) -> list[Any]:
        """All that the overlay could change: links, addresses, routes, neighbours, FDB."""
        routes = ("route", "show", "table", "all")
        asked = (("link",), ("address",), ("-4", *routes), ("-6", *routes), ("neigh",))
        found = [json.loads(self.namespace.ip("-j", *arguments).stdout or "[]") for arguments in asked]
        return [*found, json.loads(self.namespace.exec("bridge", "-j", "fdb").stdout or "[]")]

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=20)
        self.namespace.delete()


@pytest.fixture(params=["vxlan", "vxlan-user", "udp"])
def node(request: pytest.FixtureRequest, means: None, tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path, request.param)
    yield made
    made.close()


def is_as_before(node: Node, before: list[Any]) -> bool:
    """Nothing of the agent is left, in the kernel, in the store, or in files."""
    assert node.kernel() == before
    return not node.env.exists() and list(node.files.directory.iterdir()) == [] and len(node.store.leases()) == 1


@pytest.mark.parametrize("how", ["signal", "down", "kill"])
def test_nothing_is_left(node: Node, how: str) -> None:
    before = node.kernel()
    agent = node.up()
    status = AgentStatus.from_json(node.run("status", "--json"))
    assert (status.pid, status.underlay, [peer.path for peer in status.peers]) == (agent.pid, "eth0", ["tunnel"])
    assert node.kernel() != before
    if how != "down":
        agent.send_signal(signal.SIGTERM if how == "signal" else signal.SIGKILL)
        agent.communicate(timeout=60)
    if how != "signal":
        node.run("down")
    assert is_as_before(node, before)
    assert agent.wait(20) == (-signal.SIGKILL if how == "kill" else 0)


def test_an_upgrade(node: Node) -> None:
    """What was kept is taken over, also the VTEP's address where the kernel has the device; in the end all is gone."""
    before = node.kernel()
    agent = node.up()
    first = AgentStatus.from_json(node.run("status", "--json"))
    node.run("down", "--keep")
    agent.communicate(timeout=60)
    assert node.env.exists() and len(node.store.leases()) == 2
    agent = node.up()
    second = AgentStatus.from_json(node.run("status", "--json"))
    assert (second.subnets, second.pid) == (first.subnets, agent.pid)
    if first.backend == "vxlan":
        assert [link.mac for link in second.links] == [link.mac for link in first.links]
    node.run("down")
    agent.communicate(timeout=60)
    assert is_as_before(node, before)


def test_down_elsewhere(node: Node) -> None:
    """Where the dead agent did not run nothing is taken away, of it or of anybody else; where it did, all is told."""
    before = node.kernel()
    agent = node.up()
    agent.kill()
    agent.communicate(timeout=20)
    left, other = node.kernel(), Namespace()
    try:
        done = node.tried("down", elsewhere=other)
        assert done.returncode == 1
        assert f": ip netns exec {node.namespace.name} vxlanpkt overlay down" in done.stderr
        done = node.tried("up", "--store", str(node.home / "store"), elsewhere=other)
        assert (done.returncode, "what the agent " in done.stderr) == (1, True), done.stderr
    finally:
        other.delete()
    assert node.kernel() == left and node.env.exists() and len(node.store.leases()) == 2
    done = node.tried("down")
    kept = node.backend == "vxlan"  # the device of the others went with the agent
    assert ("removed flannel.1 and 1 route from the kernel" if kept else "the kernel had nothing of it") in done.stderr
    assert is_as_before(node, before)


@pytest.mark.parametrize("node", ["vxlan"], indirect=True)  # the device of the others goes with the agent
def test_what_stays_in_the_kernel(node: Node) -> None:
    """Who may not remove a device says so, and keeps the record."""
    agent = node.up()
    agent.kill()
    agent.communicate(timeout=20)
    command = ["ip", "netns", "exec", node.namespace.name, "setpriv", "--bounding-set=-net_admin", *_COMMAND, "down"]
    done = subprocess.run(
        [*command, "--run-dir", str(node.home / "run")], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, "removed" in done.stderr) == (1, False), done.stderr
    assert (
        ": refused: remove device flannel.1 (vxlan 1 over eth0, local 192.0.2.1, port 8472): Operation not permitted\n"
        in done.stderr
    )
    assert node.files.record.exists() and len(node.store.leases()) == 2
    node.run("down")

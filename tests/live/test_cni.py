"""The CNI plugins with the real bridge and address management of the CNI project, in namespaces of their own."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cni.calls import UPSTREAM, Answer, call, environment
from tests.waiting import eventually
from vxlanpkt.cni import Code, install

from .namespaces import Namespace

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

Config = dict[str, Any]
MANY = 200


class Machine:
    """A node with a plugin directory, and namespaces of containers beside it."""

    def __init__(self, home: Path, plugins: Path) -> None:
        self.home = home
        self.plugins = plugins
        self.host = Namespace()
        self.containers: dict[str, Namespace] = {}
        # What a runtime on that node would run.
        self.entered = home / "vxlanpkt-cni"
        self.entered.write_text(f"#!/bin/sh\nexec ip netns exec {self.host.name} {plugins}/vxlanpkt-cni\n")
        self.entered.chmod(0o755)
        self.subnet_env(masquerading=True)

    def subnet_env(self, *, masquerading: bool, dual: bool = False) -> None:
        """Write what the node's overlay says; *masquerading*: that it does."""
        lines = ["FLANNEL_NETWORK=10.5.0.0/16,192.168.0.0/16", "FLANNEL_SUBNET=10.5.52.1/24"]
        if dual:
            lines += ["FLANNEL_IPV6_NETWORK=fc00:5::/48", "FLANNEL_IPV6_SUBNET=fc00:5:0:52::1/64"]
        lines += ["FLANNEL_MTU=1450", f"FLANNEL_IPMASQ={str(masquerading).lower()}"]
        (self.home / "subnet.env").write_text("\n".join(lines) + "\n")

    def network(self, version: str = "1.1.0", ipam: str = "host-local", **delegate: Any) -> Config:
        """The network's configuration."""
        return {
            "cniVersion": version,
            "name": "overlay",
            "type": "vxlanpkt-cni",
            "subnetFile": str(self.home / "subnet.env"),
            "dataDir": str(self.home / "data"),
            "delegate": {"bridge": "cni0", **delegate},
            "ipam": {"type": ipam, "dataDir": str(self.home / "hosts")},
        }

    def namespace(self, container: str) -> Namespace:
        """The namespace of a container, made when it is first asked for."""
        if container not in self.containers:
            self.containers[container] = Namespace()
        return self.containers[container]

    def call(
        self, command: str, config: Config, container: str, ifname: str = "eth0", netns: str | None = None
    ) -> Answer:
        """Call the plugin in the node's namespace."""
        if netns is None:
            netns = f"/run/netns/{self.namespace(container).name}"
        path = f"{self.plugins}:{UPSTREAM}"
        variables = environment(command, container, CNI_NETNS=netns, CNI_IFNAME=ifname, CNI_PATH=path)
        return call(self.entered, variables, config)

    def collect(self, config: Config, *valid: str) -> Answer:
        """GC that keeps the first interfaces of these containers."""
        kept = [{"containerID": name, "ifname": "eth0"} for name in valid]
        return call(self.entered, environment("GC", CNI_PATH=f"{self.plugins}:{UPSTREAM}"),
                    {**config, "cni.dev/valid-attachments": kept})  # fmt: skip

    @property
    def left(self) -> dict[str, list[str]]:
        """What attachments left: state, addresses, links of the node and rules."""
        state = sorted(path.name for path in (self.home / "data").rglob("*@*"))
        addresses = sorted(path.name for path in (self.home / "hosts").rglob("[0-9f]*"))
        links = [link["ifname"] for link in links_of(self.host) if link["ifname"].startswith("veth")]
        rules = [line for line in self.host.exec("iptables-save").stdout.splitlines() if line.startswith("-A")]
        return {"state": state, "addresses": addresses, "links": links, "rules": rules}

    def close(self) -> None:
        for namespace in (*self.containers.values(), self.host):
            namespace.delete()


NOTHING: dict[str, list[str]] = {"state": [], "addresses": [], "links": [], "rules": []}


def links_of(namespace: Namespace) -> list[dict[str, Any]]:
    """The links of a namespace, with their addresses."""
    found: list[dict[str, Any]] = json.loads(namespace.ip("-j", "addr").stdout)
    return found


def routes_of(namespace: Namespace, version: int = 4) -> dict[str, str]:
    """The next hops of a namespace's routes, by destination."""
    routes = json.loads(namespace.ip(f"-{version}", "-j", "route").stdout)
    return {route["dst"]: route.get("gateway", "") for route in routes}


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the plugins."""
    if not (UPSTREAM / "bridge").exists() or shutil.which("iptables-save") is None:
        pytest.skip("containernetworking-plugins or iptables is not installed")
    directory = tmp_path_factory.mktemp("plugins")
    install(directory, sys.executable)
    return directory


@pytest.fixture
def machine(tmp_path: Path, plugins: Path) -> Iterator[Machine]:
    made = Machine(tmp_path, plugins)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
@pytest.mark.parametrize("ipam", ["host-local", "vxlanpkt-ipam"])
def test_a_container(machine: Machine, version: str, ipam: str) -> None:
    """Interface, address, MTU, routes and gateway are as they were told, and work; DEL leaves nothing."""
    config = machine.network(version, ipam, isDefaultGateway=True)
    answer = machine.call("ADD", config, "c1")
    assert answer.addresses == ["10.5.52.2/24"], answer
    assert answer.json["cniVersion"] == version
    container = machine.namespace("c1")
    (eth0,) = (link for link in links_of(container) if link["ifname"] == "eth0")
    assert eth0["mtu"] == 1450
    (address,) = (each for each in eth0["addr_info"] if each["family"] == "inet")
    assert (address["local"], address["prefixlen"]) == ("10.5.52.2", 24)
    gateway = "10.5.52.1"
    assert routes_of(container) == {
        "default": gateway, "10.5.0.0/16": gateway, "192.168.0.0/16": gateway, "10.5.52.0/24": "",
    }  # fmt: skip
    (bridge,) = (link for link in links_of(machine.host) if link["ifname"] == "cni0")
    assert gateway in [each["local"] for each in bridge["addr_info"]]
    container.exec("ping", "-c", "1", "-W", "10", gateway)
    if version != "0.3.1":
        check = machine.call("CHECK", {**config, "prevResult": answer.json}, "c1")
        assert check.status == 0, check
        container.ip("addr", "del", "10.5.52.2/24", "dev", "eth0")
        assert machine.call("CHECK", {**config, "prevResult": answer.json}, "c1").code > 0
    assert machine.call("DEL", {**config, "prevResult": answer.json}, "c1").status == 0
    assert machine.left == NOTHING
    assert [link["ifname"] for link in links_of(container)] == ["lo"]


def test_both_families(machine: Machine) -> None:
    machine.subnet_env(masquerading=True, dual=True)
    config = machine.network(isDefaultGateway=True)
    answer = machine.call("ADD", config, "c1")
    assert answer.addresses == ["10.5.52.2/24", "fc00:5:0:52::2/64"]
    routes = routes_of(machine.namespace("c1"), 6)
    assert routes["default"] == routes["fc00:5::/48"] == "fc00:5:0:52::1"
    assert machine.call("CHECK", {**config, "prevResult": answer.json}, "c1").status == 0
    assert machine.call("DEL", config, "c1").status == 0
    assert machine.left == NOTHING


def test_containers_reach_each_other(machine: Machine) -> None:
    config = machine.network()
    (first,), (second,) = (machine.call("ADD", config, name).addresses for name in ("c1", "c2"))
    assert first != second
    machine.namespace("c1").exec("ping", "-c", "1", "-W", "10", second.partition("/")[0])


def test_masquerading(machine: Machine) -> None:
    """The bridge does what the overlay does not; DEL takes its rules away."""
    machine.subnet_env(masquerading=False)
    config = machine.network()
    assert machine.call("ADD", config, "c1").status == 0
    assert any("MASQUERADE" in rule for rule in machine.left["rules"])
    assert machine.call("DEL", config, "c1").status == 0
    assert machine.left == NOTHING


def test_many_in_a_row(machine: Machine) -> None:
    """200 ADD and 200 DEL leave no address, no link, no rule."""
    machine.subnet_env(masquerading=False)
    config = machine.network("1.0.0", "vxlanpkt-ipam")
    netns = f"/run/netns/{machine.namespace('all').name}"
    names = [f"c{number}" for number in range(MANY)]
    answers = [machine.call("ADD", config, name, f"eth{name[1:]}", netns) for name in names]
    assert len({answer.addresses[0] for answer in answers}) == MANY
    assert [len(those) for those in machine.left.values()] == [MANY, MANY, MANY, 3 * MANY]
    answers = [machine.call("DEL", config, name, f"eth{name[1:]}", netns) for name in names]
    assert {answer.status for answer in answers} == {0}
    assert machine.left == NOTHING


@pytest.mark.parametrize("ipam", ["host-local", "vxlanpkt-ipam"])
def test_a_subnet_that_is_full(machine: Machine, ipam: str) -> None:
    """The container that is too many is told so, and leaves nothing; when another goes, there is room."""
    text = (machine.home / "subnet.env").read_text()
    (machine.home / "subnet.env").write_text(text.replace("10.5.52.1/24", "10.5.52.1/30"))
    config = machine.network("1.0.0", ipam)
    assert machine.call("ADD", config, "c1").addresses == ["10.5.52.2/30"]
    before = machine.left
    answer = machine.call("ADD", config, "c2")
    assert answer.code == (Code.NO_ADDRESS if ipam == "vxlanpkt-ipam" else 999)
    assert machine.left == before
    assert [link["ifname"] for link in links_of(machine.namespace("c2"))] == ["lo"]
    assert machine.call("DEL", config, "c1").status == 0
    assert machine.call("ADD", config, "c2").addresses == ["10.5.52.2/30"]


def test_failed_add_leaves_nothing(machine: Machine) -> None:
    """A namespace that is not there: the address that the delegate had taken by then is given back."""
    answer = machine.call("ADD", machine.network(), "c1", netns="/run/netns/not-there")
    assert answer.code > 0
    assert machine.left == NOTHING


@pytest.mark.parametrize("ipam", ["host-local", "vxlanpkt-ipam"])
def test_leaked_containers_are_collected(machine: Machine, ipam: str) -> None:
    """Of three, one is alive, one has lost its namespace, and one was forgotten with it."""
    config = machine.network("1.1.0", ipam)
    for name in ("alive", "gone", "forgotten"):
        assert machine.call("ADD", config, name).status == 0
    machine.namespace("gone").delete()
    assert machine.collect(config, "alive").status == 0
    assert machine.left["state"] == ["alive@eth0"]
    assert machine.left["addresses"] == ["10.5.52.2"]
    assert eventually(lambda: len(machine.left["links"]) == 1)
    assert [link["ifname"] for link in links_of(machine.namespace("forgotten"))] == ["lo"]
    assert [link["ifname"] for link in links_of(machine.namespace("alive"))] == ["lo", "eth0"]


def test_del_without_a_namespace(machine: Machine) -> None:
    """As containerd calls it when the container is gone."""
    config = machine.network()
    assert machine.call("ADD", config, "c1").status == 0
    machine.namespace("c1").delete()
    assert machine.call("DEL", config, "c1", netns="").status == 0
    assert eventually(lambda: machine.left == NOTHING), machine.left  # the kernel removes a namespace later


def test_after_a_reboot(machine: Machine) -> None:
    """State and addresses are there, devices and namespaces are not: the same container is attached anew."""
    config = machine.network()
    for name in ("c1", "c2"):
        assert machine.call("ADD", config, name).status == 0
    for name in ("c1", "c2"):
        machine.containers.pop(name).delete()
    machine.host.ip("link", "del", "cni0")
    assert machine.call("ADD", config, "c1").status == 0
    assert machine.collect(config, "c1").status == 0
    assert machine.left["state"] == ["c1@eth0"]
    assert len(machine.left["addresses"]) == 1


def test_status(machine: Machine) -> None:
    config = machine.network()
    assert machine.call("STATUS", config, "c1").status == 0
    (machine.home / "subnet.env").unlink()
    assert machine.call("STATUS", config, "c1").code == Code.NOT_AVAILABLE

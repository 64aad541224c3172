"""containerd and podman start containers on two nodes that an overlay joins, by way of our plugin."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from functools import partial
from pathlib import Path

import pytest

from tests.waiting import eventually

from .container_host import cgroups, sweep_cgroups
from .container_nodes import NETWORK, SUBNET_ENV, SYSCTL, Backend, Machine, RuntimeName, machines, network
from .container_runtimes import Containerd, ContainerRuntime, Podman
from .namespaces import killed_run, sweep, sweeping

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means", "container_means")]

KINDS: list[RuntimeName] = ["containerd", "podman"]
BACKENDS: list[Backend] = ["vxlan", "vxlan-user"]
PAIRS: list[tuple[RuntimeName, RuntimeName]] = [
    ("containerd", "containerd"), ("podman", "podman"), ("containerd", "podman"),
]  # fmt: skip
PORT = 7000
BYTES = 3_000_000
# What a server does: answer each stream with its digest.
SERVE = ("nc", "-ll", "-p", str(PORT), "-e", "md5sum")


def address_in(shown: str) -> str:
    """The address in the overlay, as `ip address` shows it."""
    match = re.search(r"inet6? ([0-9a-f.:]+)/\d+ .*scope global", shown)
    assert match, shown
    return match[1]


def address(runtime: ContainerRuntime, name: str, version: int = 4) -> str:
    """The address of a container, as it sees it itself; asked again where nothing of the answer came through."""
    command = ("ip", f"-{version}", "addr", "show", "dev", "eth0")
    shown = next(filter(None, (runtime.exec(name, *command).stdout for _ in range(3))), "")
    return address_in(shown)


def ping(runtime: ContainerRuntime, name: str, target: str) -> None:
    runtime.exec(name, "ping", "-c", "1", "-W", "10", target)


def send_stream(runtime: ContainerRuntime, name: str, target: str) -> None:
    """Send a stream to a server; it has to say the digest of what was sent."""
    script = f"head -c {BYTES} /dev/urandom >/tmp/sent; md5sum </tmp/sent; nc {target} {PORT} </tmp/sent"
    sent, received = runtime.exec(name, "sh", "-c", script).stdout.splitlines()
    assert sent == received


@pytest.mark.parametrize("nodes", BACKENDS, indirect=True)
@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_across_nodes(nodes: tuple[Machine, Machine], kinds: tuple[RuntimeName, RuntimeName]) -> None:
    """Containers of different nodes reach each other by ping and TCP, both ways, over IPv4 and IPv6."""
    runtimes = [node.runtime(kind) for node, kind in zip(nodes, kinds, strict=True)]
    for runtime in runtimes:
        runtime.start("c", *SERVE)
    for version in (4, 6):
        ends = [address(runtime, "c", version) for runtime in runtimes]
        assert [node.has(end) and end in node.addresses for end, node in zip(ends, nodes, strict=True)] == [True, True]
        for runtime, other in zip(runtimes, reversed(ends), strict=True):
            ping(runtime, "c", other)
            send_stream(runtime, "c", other)


def test_addresses_are_those_of_the_containers(nodes: tuple[Machine, Machine]) -> None:
    """A container sees who it is that connects from another node: nothing on the way puts an address of its own."""
    near, far = (node.runtime("containerd") for node in nodes)
    near.start("near", *SERVE)
    far.start("far", "nc", "-ll", "-p", str(PORT), "-e", "netstat", "-tn")
    shown = near.exec("near", "sh", "-c", f"nc {address(far, 'far')} {PORT} </dev/null").stdout
    assert f":{address(near, 'near')}:" in shown  # as a socket of IPv6 has it


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left(nodes: tuple[Machine, Machine], kind: RuntimeName) -> None:
    """A container that has ended leaves no address, no interface, and nothing in the cache."""
    node = nodes[0]
    runtime = node.runtime(kind)
    assert node.has(address_in(runtime.run("short", "ip", "-4", "addr", "show", "dev", "eth0")))
    assert node.is_clean
    if isinstance(runtime, Podman):
        runtime.start("long", *SERVE)
        assert (len(node.addresses), len(node.ports)) == (2, 1)
        runtime.remove("long")
        assert node.is_clean


def test_plugins_behind_ours(nodes: tuple[Machine, Machine]) -> None:
    """portmap: a port of the node leads into the container, for another node. tuning: its setting is seen there."""
    first, second = nodes
    runtime = first.runtime("podman")
    assert isinstance(runtime, Podman)
    runtime.start("c", *SERVE, publish=f"8080:{PORT}")
    assert runtime.exec("c", "cat", f"/proc/sys/{SYSCTL[0].replace('.', '/')}").stdout.strip() == SYSCTL[1]
    with second.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(5.0)
        client.connect((first.underlay, 8080))
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100).split()[0].decode() == hashlib.md5(b"hello").hexdigest()
    runtime.remove("c")
    assert "8080" not in first.namespace.exec("iptables-save").stdout


@pytest.mark.parametrize("kind", KINDS)
def test_what_libcni_caches(nodes: tuple[Machine, Machine], kind: RuntimeName) -> None:
    """The files that the runtimes' libcni has written are read in full, and would be written the same."""
    node = nodes[0]
    runtime = node.runtime(kind)
    runtime.start("c", *SERVE)
    (cached,) = node.cache.attachments(NETWORK)
    path = node.cache.path(NETWORK, cached.container.attachment)
    assert cached.to_json() == json.loads(path.read_bytes())
    assert address(runtime, "c") in json.dumps(cached.result)
    assert json.loads(cached.config) == network()


def test_leaked_addresses_are_collected(nodes: tuple[Machine, Machine]) -> None:
    """ctr never detaches what it has started in the background: GC frees that, and leaves what is there alone."""
    node, other = nodes
    runtime, far = node.runtime("containerd"), other.runtime("containerd")
    assert isinstance(runtime, Containerd)
    for name in ("kept", "leaked"):
        runtime.start(name, *SERVE)
    far.start("far", *SERVE)
    kept, leaked = ({address(runtime, name, version) for version in (4, 6)} for name in ("kept", "leaked"))
    runtime.abandon("leaked")
    assert node.addresses == kept | leaked
    done = node.host.vxlanpkt("cni", "gc", NETWORK, "--keep", f"{runtime.group}-kept:eth0")
    assert done.stdout == f"{runtime.group}-leaked:eth0\n"
    assert node.addresses == kept
    assert len(node.ports) == 1
    ping(runtime, "kept", address(far, "far"))
    runtime.start("leaked", *SERVE)
    ping(runtime, "leaked", address(far, "far"))


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_reboot(kind: RuntimeName, tmp_path: Path, image: Path) -> None:
    """The disk is as it was, and no device is there: containers start again, and GC frees what the old ones had."""
    with machines("vxlan", tmp_path, image) as (node, _):
        node.runtime(kind).start("before", *SERVE)
        before = node.addresses
        assert len(before) == 2
    with machines("vxlan", tmp_path, image) as (node, other):
        assert (node.addresses, node.ports) == (before, [])
        runtime, far = node.runtime(kind), other.runtime(kind)
        runtime.start("after", *SERVE)
        far.start("far", *SERVE)
        ping(runtime, "after", address(far, "far"))
        after = {address(runtime, "after", version) for version in (4, 6)}
        assert node.addresses == before | after
        (there,) = [each.container.attachment for each in node.cache.attachments(NETWORK)
                    if address(runtime, "after") in json.dumps(each.result)]  # fmt: skip
        node.host.vxlanpkt("cni", "gc", NETWORK, "--keep", ":".join(there))
        assert node.addresses == after
        ping(runtime, "after", address(far, "far"))


# -- our own runtime


@pytest.fixture
def blue(nodes: tuple[Machine, Machine]) -> str:
    """The path of a network namespace on the first node's host, where its command line finds it by the name `blue`."""
    host = nodes[0].host
    host.run("ip", "netns", "add", "blue")
    return "/run/netns/blue"


def test_by_hand(nodes: tuple[Machine, Machine], blue: str) -> None:
    """A namespace is attached, found to be so, damaged, found to be so, and detached."""
    node, other = nodes
    node.host.configure(network(cniVersion="1.0.0"))
    far = other.runtime("containerd")
    far.start("far", *SERVE)
    cni = partial(node.host.vxlanpkt, "cni")
    cni("status", NETWORK)
    result = json.loads(cni("add", NETWORK, "blue").stdout)
    assert {ip["address"].partition("/")[0] for ip in result["ips"]} == node.addresses
    assert [each["sandbox"] for each in result["interfaces"] if each["name"] == "eth0"] == [blue]
    node.host.run("ip", "netns", "exec", "blue", "ping", "-c", "1", "-W", "10", address(far, "far"))
    cni("check", NETWORK, "blue")
    node.host.run("ip", "-n", "blue", "addr", "flush", "dev", "eth0")
    found = cni("check", NETWORK, "blue", check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert "vxlanpkt-cni CHECK: " in found.stderr
    cni("del", NETWORK, "blue")
    assert node.is_clean
    cni("del", NETWORK, "blue")


def test_status_and_gc_of_the_newest_version(nodes: tuple[Machine, Machine], blue: str) -> None:
    """Of a network in 1.1.0 the plugin itself is asked; of what no cache knows, it alone can free the address."""
    node = nodes[0]
    plugins = network()["plugins"][:1]
    node.host.configure(network(cniVersion="1.0.0", cniVersions=["1.1.0"], plugins=plugins))
    cni = partial(node.host.vxlanpkt, "cni")
    cni("add", NETWORK, "blue")
    (cached,) = node.cache.attachments(NETWORK)
    assert cached.result["cniVersion"] == "1.1.0"
    node.cache.remove(NETWORK, cached.container.attachment)
    cni("gc", NETWORK, "blue")
    assert len(node.addresses) == 2
    cni("gc", NETWORK, "--all")
    assert node.is_clean
    cni("status", NETWORK)
    node.host.path(SUBNET_ENV).unlink()
    found = cni("status", NETWORK, check=False)
    assert found.returncode == 1
    assert "subnet.env is not there" in found.stderr and "(code 50)" in found.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_overlay(nodes: tuple[Machine, Machine], kind: RuntimeName) -> None:
    """A node without subnet.env starts no container; what was wrong reaches whoever started it, and nothing is left."""
    node = nodes[0]
    runtime = node.runtime(kind)
    node.host.path(SUBNET_ENV).unlink()
    with pytest.raises(RuntimeError, match=r"subnet\.env is not there"):
        runtime.run("c", "ip", "addr")
    assert node.is_clean


# -- the rig


def test_nothing_is_left_of_a_crash(tmp_path: Path, image: Path) -> None:
    """All processes of a host, in containers too, end with the one that made it; control groups are swept up."""
    code = (
        "from contextlib import ExitStack; from pathlib import Path;"
        f"from {__package__}.container_nodes import machines; stack = ExitStack();"
        f"node, _ = stack.enter_context(machines('vxlan', Path({str(tmp_path)!r}), Path({str(image)!r})));"
        "node.runtime('containerd').start('c', 'sleep', '1000');"
        "print(node.namespace.name, node.host.pid, flush=True)"
    )
    with sweeping():
        name, pid = killed_run(code)
        assert eventually(lambda: not Path("/proc", pid).exists())
        assert name in sweep()
        assert cgroups(name) != []
        sweep_cgroups()
    assert cgroups(name) == []

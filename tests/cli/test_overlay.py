"""`vxlanpkt overlay up`, `status` and `down` as processes, with an agent that works without a kernel."""

from __future__ import annotations

import dataclasses
import logging
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from vxlanpkt.cli.overlay.network_file import differences
from vxlanpkt.cli.overlay.up import _logging as logged
from vxlanpkt.overlay.agent.status import AgentStatus
from vxlanpkt.overlay.leases.config import parse_config
from vxlanpkt.overlay.leases.leases import LeaseAttributes
from vxlanpkt.overlay.service.agent_record import AgentRecord
from vxlanpkt.overlay.service.network_namespace import NetworkNamespace
from vxlanpkt.overlay.service.run_files import RunFiles
from vxlanpkt.overlay.stores.file_store import FileStore
from vxlanpkt.overlay.stores.store_location import StoreLocation

SCRIPT = Path(__file__).parent / "scripted_agent.py"
CONFIG = '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'


class Node:
    """A place for an agent: its directories, and the processes that were started there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.kernel, self.store, self.env = home / "kernel", home / "store", home / "run" / "subnet.env"
        self.files = RunFiles(home / "run")
        self.config = home / "net-conf.json"
        self.config.write_text(CONFIG)
        self.kernel.mkdir()
        self.processes: list[subprocess.Popen[str]] = []

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(SCRIPT), "overlay", *arguments, "--run-dir", str(self.files.directory)]

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "KERNEL": str(self.kernel), **more}

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=self.environment(**more), cwd=self.home,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def up_arguments(self, *arguments: str) -> list[str]:
        paths = ["--store", str(self.store), "--subnet-env", str(self.env)]
        return ["up", "--config", str(self.config), *paths, *arguments]

    def up(self, *arguments: str, wait: str = " ready: ", **more: str) -> subprocess.Popen[str]:
        """Start an agent, and wait until it has said something."""
        process = subprocess.Popen(
            self.command(*self.up_arguments(*arguments)), env=self.environment(**more), cwd=self.home,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.processes.append(process)
        self.said: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            self.said.append(line.rstrip("\n"))
            if wait in line:
                return process
        raise AssertionError("\n".join(self.said))

    def files_left(self) -> list[str]:
        """What is there of an agent on this node."""
        run = [path.name for path in self.files.directory.iterdir()] if self.files.directory.exists() else []
        return sorted([*run, *(path.name for path in self.kernel.iterdir())])

    def left(self) -> list[str]:
        """The same with all leases."""
        return sorted([*self.files_left(), *(lease.key for lease in FileStore(self.store).leases())])


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.communicate(timeout=60)


def end(process: subprocess.Popen[str]) -> str:
    """The rest of what it says; it ends well."""
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return said


# -- up


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_until_a_signal(node: Node, number: signal.Signals) -> None:
    """One line when it is ready, with the time; a record while it runs; nothing stays behind."""
    process = node.up("--iface", "eth7")
    (subnet,) = AgentStatus.from_json(node.run("status", "--json").stdout).subnets
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO    ready: " + re.escape(subnet)
        + r" on flannel\.1 \(192\.0\.2\.1:8472\), MTU 1450, backend vxlan over eth7, 0 subnets of other nodes",
        node.said[-1],
    )  # fmt: skip
    assert AgentRecord.read(node.files.record) == AgentRecord(
        process.pid, StoreLocation(str(node.store)), FileStore(node.store).config().to_json(), str(node.env),
        NetworkNamespace.current(), (subnet,), ("192.0.2.1",),
    )  # fmt: skip
    process.send_signal(number)
    assert "stopping" in end(process)
    assert node.left() == []


def test_many_signals(node: Node) -> None:
    """While it stops, others change nothing; a hang-up never does."""
    process = node.up(SLOW="1")
    process.send_signal(signal.SIGHUP)
    assert node.run("status", "--json").returncode == 0
    for _ in range(20):
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.02)
    assert end(process).count("stopping") == 1
    assert node.left() == []


def test_two_agents_at_once(node: Node) -> None:
    """The second is refused and says which runs; the first goes on; under another name there may be one more."""
    process = node.up()
    done = node.run(*node.up_arguments())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"vxlanpkt: an agent (pid {process.pid}) runs already: it holds {node.files.lock}\n"
    assert AgentStatus.from_json(node.run("status", "--json").stdout).pid == process.pid
    other = node.up("--name", "other", "--public-ip", "192.0.2.2", "--subnet-env", str(node.home / "other.env"))
    assert AgentStatus.from_json(node.run("status", "--json", "--name", "other").stdout).pid == other.pid
    assert len(FileStore(node.store).leases()) == 2


def test_what_up_refuses(node: Node) -> None:
    """An agent that cannot start ends with a reason, and leaves nothing."""
    done = node.run(*node.up_arguments(), REFUSE="the MTU of eth0, 60, leaves 10 bytes inside")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "vxlanpkt: the MTU of eth0, 60, leaves 10 bytes inside"
    assert node.left() == []


def test_an_agent_that_fails_at_its_end(node: Node) -> None:
    """Its record stays, and `down` takes away what it could not."""
    process = node.up(FAIL="no space")
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and said.splitlines()[-1] == "vxlanpkt: no space"
    assert "overlay.record" in node.left() and "flannel.1" in node.left()
    assert node.run("down").returncode == 0
    assert node.left() == []


def test_sd_notify(node: Node) -> None:
    """Each state in a datagram, as systemd has it; of a socket with a path, and of one with an abstract name."""
    for address in (str(node.home / "notify"), f"@vxlanpkt-test-{os.getpid()}"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address.replace("@", "\0"))
            manager.settimeout(20)
            process = node.up(NOTIFY_SOCKET=address)
            assert manager.recv(100) == b"READY=1"
            process.terminate()
            assert manager.recv(100) == b"STOPPING=1"
            end(process)
    process = node.up(NOTIFY_SOCKET=str(node.home / "notify"))  # where nobody listens any more
    process.terminate()
    end(process)


def test_metrics(node: Node) -> None:
    node.up("--metrics", "127.0.0.1:0")
    port = next(int(line.rpartition(" ")[2]) for line in node.said if "metrics at port" in line)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
        assert b'vxlanpkt_overlay_peers{path="tunnel"} 0.0' in response.read()


# -- the network's configuration


def test_a_store_without_a_configuration_gets_it(node: Node) -> None:
    node.up()
    assert (node.store / "config").read_text() == CONFIG


def test_a_store_that_has_it(node: Node) -> None:
    """Written otherwise it is the same; and vxlan-user is this node's own affair."""
    FileStore(node.store).set_config('{"network": "10.5.0.0/16", "SubnetLen": 24, "Backend": {"Type":"vxlan"}}')
    before = (node.store / "config").read_bytes()
    node.config.write_text(CONFIG.replace('"vxlan"', '"vxlan-user"'))
    node.up()
    assert (node.store / "config").read_bytes() == before
    assert AgentStatus.from_json(node.run("status", "--json").stdout).backend == "vxlan-user"


def test_a_store_that_has_another(node: Node) -> None:
    """Refused, with all that is different, and left as it is; unless it is to be replaced."""
    FileStore(node.store).set_config('{"Network": "10.6.0.0/16", "Backend": {"Type": "udp"}}')
    done = node.run(*node.up_arguments())
    assert done.returncode == 1
    assert (
        f"has another configuration than {node.config}: Network is \"10.6.0.0/16\" and not \"10.5.0.0/16\"; "
        'Backend.Type is "udp" and not "vxlan"; --replace-config replaces it'
    ) in done.stderr  # fmt: skip
    assert "--replace-config" in done.stderr
    assert node.left() == []
    node.up("--replace-config")
    assert (node.store / "config").read_text() == CONFIG


def test_differences_are_real() -> None:
    """Not what follows from another difference; but what somebody has set, and a whole family."""
    found = parse_config('{"Network": "10.5.0.0/16", "SubnetMax": "10.5.9.0", "Backend": {"Type": "vxlan", "VNI": 7}}')
    wanted = parse_config(
        '{"EnableIPv6": true, "Network": "10.6.0.0/16", "IPv6Network": "fc00::/48", "Backend": {"Type": "vxlan"}}'
    )
    assert list(differences(found, wanted)) == [
        'Network is "10.5.0.0/16" and not "10.6.0.0/16"', 'SubnetMax is "10.5.9.0" and not "10.6.255.0"',
        "Backend.VNI is 7 and not 1", 'IPv6Network is absent and not "fc00::/48"',
    ]  # fmt: skip
    assert list(differences(found, found)) == []


def test_a_file_in_the_store_that_cannot_be_read(node: Node) -> None:
    """It is met at every look, and told of once."""
    FileStore(node.store)
    (node.store / "subnets" / "10.5.9.0-24").write_text("{")
    process = node.up()
    FileStore(node.store).leases()
    process.terminate()
    told = [*node.said, *end(process).splitlines()]
    assert len([line for line in told if "passed over: " in line]) == 1


def test_metrics_where_somebody_listens(node: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = node.run(*node.up_arguments("--metrics", address))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"vxlanpkt: --metrics: cannot listen at {address}: Address already in use"
    assert node.left() == []


def test_a_configuration_that_is_wrong(node: Node) -> None:
    node.config.write_text('{"Network": "10.5.0.0/40"}')
    done = node.run(*node.up_arguments())
    assert done.returncode == 1
    assert done.stderr.startswith(f"vxlanpkt: {node.config}: Network: '10.5.0.0/40' is no IPv4 network")
    done = node.run("up", "--config", "nowhere.json", "--store", str(node.store))
    assert (done.returncode, done.stderr) == (1, "vxlanpkt: nowhere.json: No such file or directory\n")


def test_a_store_without_a_configuration(node: Node) -> None:
    """Who may not give it one waits, longer each time, and is told how to; then it goes on."""
    store = ["up", "--store", str(node.store), "--subnet-env", str(node.env)]
    process = subprocess.Popen(
        node.command(*store), env=node.environment(), cwd=node.home, stderr=subprocess.PIPE, text=True
    )
    node.processes.append(process)
    assert process.stderr is not None
    told = [next(process.stderr).partition("WARNING ")[2] for _ in range(2)]
    why = f"FileStore('{node.store}') has no configuration of a network: there is no file {node.store}/config"
    assert told == [f"{why}; --config FILE gives it one; tried again in {pause} s\n" for pause in ("0.5", "1")]
    FileStore(node.store).set_config(CONFIG)
    assert any(" ready: " in line for line in process.stderr)
    process.terminate()
    end(process)


def test_a_store_that_is_not_there_yet(node: Node) -> None:
    """It is tried again; and a signal ends that too."""
    node.store.mkdir()
    (node.store / "config").mkdir()  # which cannot be read
    process = node.up(wait="tried again")
    assert "the agent says: the node has no lease yet" in node.run("status").stderr
    (node.store / "config").rmdir()
    (node.store / "config").write_text(CONFIG)
    assert process.stderr is not None
    assert any(" ready: " in line for line in process.stderr)
    process.terminate()
    end(process)
    (node.store / "config").unlink()
    (node.store / "config").mkdir()
    process = node.up(wait="tried again")
    process.terminate()
    end(process)
    assert node.left() == []


# -- status


def test_status(node: Node) -> None:
    """Two looks, so that there are rates."""
    process = node.up()
    done = node.run("status", "--interval", "0.1", COLUMNS="80")
    assert done.returncode == 0
    told = done.stdout.splitlines()
    assert re.fullmatch(rf"vxlan over eth0, MTU 1450, up \d+ s, pid {process.pid}", told[0])
    assert told[-1] == "0 subnets of other nodes"
    assert all(len(line) <= 80 for line in told)


def test_watch(node: Node) -> None:
    """Until it is interrupted, which is no error; and until the agent ends, which is one."""
    agent = node.up()
    for arguments in (["--watch"], ["--watch", "--json"]):
        watch = subprocess.Popen(
            node.command("status", "--interval", "0.1", *arguments), env=node.environment(PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        node.processes.append(watch)
        assert watch.stdout is not None
        seen = 0
        while seen < 3:
            seen += "pid" in watch.stdout.readline()
        if "--json" not in arguments:
            watch.send_signal(signal.SIGINT)
            assert (watch.communicate(timeout=60)[1], watch.returncode) == ("", 0)
    agent.terminate()
    end(agent)
    _, said = watch.communicate(timeout=60)
    assert (watch.returncode, said.partition(":")[0]) == (1, "vxlanpkt")


def test_watch_on_a_terminal(node: Node) -> None:
    """Drawn again at the same place, and the cursor is back in the end."""
    node.up()
    terminal, inner = pty.openpty()
    with subprocess.Popen(
        node.command("status", "--watch", "--interval", "0.1"), env=node.environment(TERM="xterm", COLUMNS="80"),
        stdout=inner, stderr=inner, stdin=inner,
    ) as watch:  # fmt: skip
        os.close(inner)
        shown = b""
        while shown.count(b"vxlan over eth0") < 3 and select.select([terminal], [], [], 20)[0]:
            shown += os.read(terminal, 1 << 16)
        watch.send_signal(signal.SIGINT)
        while select.select([terminal], [], [], 20)[0]:
            try:
                shown += os.read(terminal, 1 << 16)
            except OSError:  # nobody has the other end any more
                break
    os.close(terminal)
    assert watch.returncode == 0
    assert b"\x1b[1A" in shown  # up, to draw again
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")


def test_status_without_an_agent(node: Node) -> None:
    for arguments in (("status",), ("status", "--json"), ("status", "--watch")):
        done = node.run(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"vxlanpkt: no agent runs: nobody answers at {node.files.socket}\n"


# -- down


def test_down(node: Node) -> None:
    """It waits for the end."""
    process = node.up(SLOW="0.5")
    done = node.run("down")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"the agent (pid {process.pid}) has ended\n"
    assert node.left() == []
    end(process)


def test_down_does_not_wait_for_ever(node: Node) -> None:
    process = node.up(SLOW="2")
    done = node.run("down", "--timeout", "0.1")
    assert done.returncode == 1
    assert f"(pid {process.pid}) was told to stop, and runs still after 0.1 s" in done.stderr
    end(process)


def test_keep(node: Node) -> None:
    """All stays for the agent that comes next, which ends as others do."""
    process = node.up()
    done = node.run("down", "--keep")
    assert done.stderr == f"the agent (pid {process.pid}) has ended, and left all as it was\n"
    end(process)
    (key,) = (name for name in node.left() if name.startswith("10.5."))
    assert node.left() == [key, "flannel.1", "overlay.record", "subnet.env"]
    assert "was stopped and left all as it was: vxlanpkt overlay down" in node.run("status").stderr
    process = node.up()
    assert key in node.left()
    process.terminate()
    end(process)
    assert node.left() == []


def test_down_after_keep(node: Node) -> None:
    end_of = node.up()
    node.run("down", "--keep")
    end(end_of)
    done = node.run("down")
    assert done.returncode == 0 and "was told to leave all as it was" in done.stderr
    assert node.left() == []


def test_kill_9(node: Node) -> None:
    """`status` says that it has died, `down` takes away what it left; a new agent may come at once as well."""
    process = node.up()
    process.kill()
    process.wait(20)
    (key,) = (name for name in node.left() if name.startswith("10.5."))
    assert node.left() == [key, "flannel.1", "overlay.lock", "overlay.record", "overlay.sock", "subnet.env"]
    done = node.run("status")
    assert done.returncode == 1
    assert f"the last one (pid {process.pid}) has died: vxlanpkt overlay down" in done.stderr
    done = node.run("down")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"the agent (pid {process.pid}) has died: what is left is taken away",
        "removed flannel.1 from the kernel",
        f"released the lease of {key.replace('-', '/')}",
        f"removed {node.env}",
    ]
    assert node.left() == []
    done = node.run("down")
    assert (done.returncode, done.stderr) == (0, "no agent runs, and there is nothing left of one\n")
    process = node.up()
    process.kill()
    process.wait(20)
    process = node.up()
    process.terminate()
    end(process)
    assert node.left() == []


def test_after_an_agent_of_another_network(node: Node) -> None:
    """Its devices have other names, and nobody else would remove them."""
    process = node.up()
    process.kill()
    process.wait(20)
    (node.kernel / "flannel.1").rename(node.kernel / "flannel.7")
    node.config.write_text(CONFIG.replace("10.5.0.0", "10.7.0.0"))
    node.up("--replace-config")
    assert [path.name for path in node.kernel.iterdir()] == ["flannel.1"]
    assert any("left of another network is taken away" in line for line in node.said)


def test_a_network_namespace_that_has_ended(node: Node) -> None:
    """Its devices have gone with it; the lease and the files have not."""
    process = node.up()
    process.kill()
    process.wait(20)
    record = AgentRecord.read(node.files.record)
    assert record is not None
    dataclasses.replace(record, namespace=NetworkNamespace(record.namespace.device, 1)).write(node.files.record)
    done = node.run("down")
    assert done.returncode == 0
    assert "its network namespace net:[1] has ended, and its devices and routes with it" in done.stderr
    assert node.left() == ["flannel.1"]


def test_an_agent_that_died_is_not_forgotten(node: Node) -> None:
    """An agent that comes after it and cannot start changes nothing of what `down` has to know."""
    process = node.up()
    process.kill()
    process.wait(20)
    before = node.files.record.read_bytes()
    assert node.run(*node.up_arguments(), REFUSE="no such interface").returncode == 1
    assert node.files.record.read_bytes() == before
    assert node.run("down").returncode == 0
    assert node.left() == []


def test_a_record_that_is_none(node: Node) -> None:
    """`down` takes nothing away of which it does not know that it may; `up` goes on without."""
    node.files.directory.mkdir()
    node.files.record.write_text("{}")
    done = node.run("down")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1, f"vxlanpkt: {node.files.record}: no record of an agent: 'subnets'",
    )  # fmt: skip
    process = node.up()
    assert any("passed over: " in line for line in node.said)
    process.terminate()
    end(process)
    assert node.left() == []


def test_what_is_another_nodes_stays(node: Node) -> None:
    """The subnets that the dead agent had may have a new owner, and subnet.env a new writer."""
    process = node.up()
    process.kill()
    process.wait(20)
    store = FileStore(node.store)
    (lease,) = store.leases()
    store.release(lease)
    store.acquire(LeaseAttributes.vxlan("192.0.2.77", "02:00:00:00:00:77"), lease.subnets)
    node.env.write_text(node.env.read_text().replace(str(lease.subnets.ipv4).replace("0/24", "1/24"), "10.5.254.1/24"))
    done = node.run("down")
    assert done.returncode == 0
    assert f"left {node.env}: 10.5.254.0/24 is not this agent's" in done.stderr
    assert node.left() == [lease.key, "subnet.env"]


def test_a_store_that_is_gone(node: Node) -> None:
    """Nobody is held up: the lease ends by itself."""
    process = node.up()
    process.kill()
    process.wait(20)
    (node.store / "lock").unlink()
    (node.store / "lock").mkdir()
    done = node.run("down")
    assert done.returncode == 0
    assert "left the lease, which ends by itself: " in done.stderr
    assert node.files_left() == []


# -- calls that are wrong


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--store", "x", "--etcd", "http://127.0.0.1:1"], "leases are in one place: --store or --etcd"),
        (["--etcd-prefix", "/x"], "--etcd-prefix is nothing without --etcd"),
        (["--etcd", "http://[::1]:1", "--etcd-username", "x"], "--etcd-username and --etcd-password-file go together"),
        (["--etcd", "https://127.0.0.1:1", "--etcd-keyfile", "x"], "--etcd-keyfile is nothing without --etcd-certfile"),
        (["--replace-config"], "--replace-config is nothing without --config"),
        (["--public-ip", "fe80::1"], "Expected 4 octets in 'fe80::1'"),
        (["--queues", "0"], "0 is not in the range"),
        (["--name", "a/b"], "--name: 'a/b' is no name"),
        (["--backend", "udp"], "'udp' is not one of"),
        (["--etcd", "ftp://127.0.0.1:1"], "ftp"),
        (["--metrics", "9100"], "Invalid value for --metrics: '9100' is not like 127.0.0.1:9100"),
    ],
)  # fmt: skip
def test_usage(node: Node, arguments: list[str], why: str) -> None:
    done = node.run("up", *arguments)
    assert done.returncode == 2, done.stderr
    assert why in " ".join(done.stderr.split())
    assert node.left() == []


def test_certificates_that_are_not_there(node: Node) -> None:
    done = node.run("up", "--etcd", "https://127.0.0.1:1", "--etcd-cafile", "no-such.pem")
    assert done.returncode == 1
    assert "the certificates of etcd cannot be used" in done.stderr and "no-such.pem" in done.stderr


def test_without_the_extra(node: Node) -> None:
    """A message says which extra brings what is missing."""
    done = node.run(*node.up_arguments("--metrics", "127.0.0.1:0"), MISSING="prometheus_client")
    assert done.returncode == 1
    assert done.stderr == "vxlanpkt: this needs prometheus_client: pip install 'vxlanpkt[overlay]'\n"
    assert node.left() == []


def test_without_pyroute2() -> None:
    code = (
        "import sys; sys.modules['pyroute2'] = None; sys.argv[1:] = ['overlay', 'up']\n"
        "from vxlanpkt.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "vxlanpkt: this needs pyroute2: pip install 'vxlanpkt[overlay]'\n")


def test_without_linux() -> None:
    """Where there is no fcntl the other verbs are still there."""
    code = "import sys; sys.modules['fcntl'] = None; from vxlanpkt.cli import main; sys.argv[1:] = {}; main()"
    for arguments, status, told in (
        (["overlay", "status"], 1, "vxlanpkt: agents of an overlay run on Linux alone\n"),
        (["--version"], 0, ""),
    ):
        command = [sys.executable, "-c", code.format(arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (status, told)


def test_help_loads_no_extra() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from vxlanpkt.cli.app import app\n"
        "for verb in ('up', 'status', 'down'):\n"
        "    done = CliRunner().invoke(app, ['overlay', verb, '--help'])\n"
        "    assert done.exit_code == 0, done.output\n"
        "print([name for name in ('pyroute2', 'prometheus_client') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_what_is_logged_does_not_talk_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """What etcd answers is in some of it."""
    with logged(verbose=False):
        logging.getLogger("vxlanpkt.overlay").warning("etcd says: %s", "\x1b]0;own\x07no\nspace")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("etcd says: \ufffd]0;own\ufffdno") and second == "space"

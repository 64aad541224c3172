"""`vxlanpkt cni`: what it makes of its arguments, what it prints, and its exit status."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .scripted import ScriptedPlugins, error, printed, result

# As `printf /run/netns/blue | sha512sum | cut -c-20` has it.
BLUE = "cnitool-df26705e2e4ffd095eb1"


def run_verb(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """`vxlanpkt cni` with these arguments."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", "vxlanpkt.cli", "cni", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done


class Desk:
    """A directory with plugins and a network, and the command line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("bin", "conf"):
            (directory / name).mkdir()
        self.plugins = ScriptedPlugins(directory / "bin")
        self.plugins.make("a", ADD=printed(result("a", "1.1.0")))
        network = {"cniVersion": "1.1.0", "name": "net", "plugins": [{"type": "a", "capabilities": {"mac": True}}]}
        (directory / "conf" / "10-net.conflist").write_text(json.dumps(network), encoding="utf-8")

    def run(self, command: str, *arguments: str, status: int = 0) -> tuple[str, str]:
        where = [f"--{name}-dir={self.directory / path}" for name, path in
                 (("conf", "conf"), ("plugin", "bin"), ("cache", "cache"))]  # fmt: skip
        done = run_verb(command, *where, *arguments, status=status)
        return done.stdout, done.stderr


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_add_check_del(desk: Desk) -> None:
    """The result is printed as JSON; the rest says nothing where all is well."""
    assert json.loads(desk.run("add", "net", "blue")[0]) == result("a", "1.1.0")
    assert desk.run("check", "net", "blue") == ("", "")
    assert desk.run("status", "net") == ("", "")
    assert desk.run("del", "net", "/run/netns/blue") == ("", "")
    assert desk.plugins.order == [("a", "ADD"), ("a", "CHECK"), ("a", "STATUS"), ("a", "DEL")]
    calls = [call for call in desk.plugins.calls if call.command != "STATUS"]
    assert {(call.container_id, call.netns, call.ifname) for call in calls} == {(BLUE, "/run/netns/blue", "eth0")}


def test_everything_said(desk: Desk) -> None:
    said = [
        "--container-id=c1",
        "--ifname=net1",
        "--args=IP=10.5.1.7;IgnoreUnknown=1",
        '--capability-args={"mac": "x"}',
    ]
    desk.run("add", "net", "/proc/7/ns/net", *said)
    (call,) = desk.plugins.calls
    assert call[2:6] == ("c1", "/proc/7/ns/net", "net1", "IP=10.5.1.7;IgnoreUnknown=1")
    assert call.config["runtimeConfig"] == {"mac": "x"}


def test_an_error_of_cni(desk: Desk) -> None:
    """It is said on standard error, and the exit status is 1."""
    desk.plugins.make("a", ADD=error(11, "no subnet yet"))
    out, err = desk.run("add", "net", "blue", status=1)
    assert (out, err) == ("", "vxlanpkt: cni add: a ADD: no subnet yet (code 11)\n")
    assert "no network 'nothing' in" in desk.run("add", "nothing", "blue", status=1)[1]
    assert "is not attached to net" in desk.run("check", "net", "blue", status=1)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "net", "blue", "--args", "IP"], "'IP' is not K=V;K=V"),
        (["add", "net", "blue", "--capability-args", "{"], "no JSON"),
        (["add", "net", "blue", "--capability-args", "[]"], "no object of JSON"),
        (["add", "net", "blue", "--capability-args", "[" * 100_000], "no JSON"),
        (["add", "net"], "Missing argument 'NETNS'"),
        (["gc", "net"], "which attachments are kept?"),
        (["gc", "net", "blue", "--all"], "which attachments are kept?"),
        (["gc", "net", "--keep", "eth0"], "it has to be ID:NAME"),
    ],
)
def test_wrong_calls(desk: Desk, arguments: list[str], said: str) -> None:
    """They end with status 2, and no plugin is called."""
    assert said in desk.run(*arguments, status=2)[1]
    assert desk.plugins.calls == []


def test_gc(desk: Desk) -> None:
    """What is named is kept; what was detached is printed."""
    for name in ("blue", "red", "green"):
        desk.run("add", "net", name)
    desk.run("add", "net", "white", "--container-id=c1", "--ifname=net1")
    out, _ = desk.run("gc", "net", "blue", "/run/netns/red", "--keep", "c1:net1")
    (gone,) = out.splitlines()
    assert gone.startswith("cnitool-") and gone.endswith(":eth0")
    deleted = [call.netns for call in desk.plugins.calls if call.command == "DEL"]
    assert deleted == ["/run/netns/green"]
    assert len(desk.run("gc", "net", "--all")[0].splitlines()) == 3
    told = [call.config["cni.dev/valid-attachments"] for call in desk.plugins.calls if call.command == "GC"]
    assert [len(valid) for valid in told] == [3, 0]


def test_a_plugin_that_hangs(desk: Desk) -> None:
    desk.plugins.make("a", ADD="sleep 60")
    assert "took longer than 0.5 s" in desk.run("add", "net", "blue", "--timeout=0.5", status=1)[1]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_add_that_is_interrupted(desk: Desk, number: signal.Signals, status: int) -> None:
    """It ends at once, and is undone; the plugin that it waits for is killed."""
    desk.plugins.make("a", ADD=f"sleep 0.5; kill -{int(number)} $PPID; sleep 60")
    desk.run("add", "net", "blue", status=status)
    assert desk.plugins.order == [("a", "ADD"), ("a", "DEL")]
    assert not list((desk.directory / "cache").glob("results/*"))


def test_install(tmp_path: Path) -> None:
    """The plugins are there as executables, and answer; a Python that is none is a wrong call."""
    (tmp_path / "bin").mkdir()
    done = run_verb("install", str(tmp_path / "bin"))
    assert done.stdout.split() == [str(tmp_path / "bin" / name) for name in ("vxlanpkt-cni", "vxlanpkt-ipam")]
    for path in done.stdout.split():
        answer = subprocess.run([path], capture_output=True, env={"CNI_COMMAND": "VERSION"}, check=True, timeout=60)
        assert "1.1.0" in json.loads(answer.stdout)["supportedVersions"]
    assert "--python" in run_verb("install", str(tmp_path / "bin"), "--python", "/no/python", status=2).stderr
    assert "does not exist" in run_verb("install", str(tmp_path / "nothing"), status=2).stderr

"""What runs where: only what is Linux's asks for modules and functions that Windows has not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CAPTURE = str(ROOT / "tests" / "data" / "flannel_v4.pcap")

LINUX = (
    "vxlanpkt.cli.overlay.", "vxlanpkt.cni.", "vxlanpkt.overlay.agent.", "vxlanpkt.overlay.datapath.",
    "vxlanpkt.overlay.linux.", "vxlanpkt.overlay.service.", "vxlanpkt.overlay.stores.",
)  # fmt: skip

# What Windows has not, taken away before the library is loaded. Not in the root of the tree, as what is installed runs.
WITHOUT = """
import mmap, os, signal, socket, sys
import asyncio, concurrent.futures, multiprocessing, subprocess, tempfile
for name in ("fcntl", "grp", "pwd", "resource", "syslog", "termios"):
    sys.modules[name] = None
for module, names in (
    (os, "fork posix_spawn pread sched_getaffinity geteuid getuid setns sendfile splice posix_fadvise fchmod"),
    (signal, "SIGHUP SIGPIPE SIGUSR1 SIGALRM pthread_sigmask pthread_kill sigwait"),
    (mmap, "PROT_READ PROT_WRITE MAP_PRIVATE MAP_SHARED MADV_HUGEPAGE MADV_SEQUENTIAL"),
    (socket, "AF_UNIX AF_NETLINK"),
):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
"""
MODULES = """
import pkgutil
from importlib import import_module
import vxlanpkt
for module in pkgutil.walk_packages(vxlanpkt.__path__, "vxlanpkt."):
    if module.name in ("vxlanpkt._build", "vxlanpkt.cli.__main__"):
        continue
    try:
        import_module(module.name)
    except ImportError as error:
        print(module.name, getattr(error, "name", None))
"""
MAIN = """
from vxlanpkt.cli import main
main()
"""
PLUGIN = """
from vxlanpkt.cni import plugin
sys.exit(getattr(plugin, sys.argv[1])())
"""


def run(program: str, *arguments: str, folder: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """A program on such a system, with what it is given on standard input."""
    command = [sys.executable, "-c", WITHOUT + program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, input=given)


def test_modules(tmp_path: Path) -> None:
    """All can be loaded but those of agents, and of plugins that they leave files for."""
    done = run(MODULES, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    missing = dict(line.split() for line in done.stdout.splitlines())
    linux = {name for name, needed in missing.items() if needed == "fcntl"}
    assert {next((part for part in LINUX if name.startswith(part)), name) for name in linux} == set(LINUX)


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "-r", CAPTURE],
        ["flows", "-r", CAPTURE, "--json"],
        ["show", "-r", CAPTURE, "-c", "2"],
        ["decap", "-r", CAPTURE, "-w", "inner.pcap"],
        ["report", "-r", CAPTURE, "-w", "report.html"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_verbs(arguments: list[str], tmp_path: Path) -> None:
    pytest.importorskip("click")
    pytest.importorskip("rich")
    done = run(MAIN, *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("main", ["main", "ipam_main"])
@pytest.mark.parametrize("command", ["ADD", "CHECK", "DEL"])
def test_plugins_are_of_linux(main: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They say so as an error of CNI, and not what Python lacked."""
    named = {"COMMAND": command, "CONTAINERID": "c1", "NETNS": "/run/netns/a", "IFNAME": "eth0", "PATH": str(tmp_path)}
    for name, value in named.items():
        monkeypatch.setenv(f"CNI_{name}", value)
    config = {"cniVersion": "1.0.0", "name": "pods", "type": "vxlanpkt-cni"}
    done = run(PLUGIN, main, folder=tmp_path, given=json.dumps(config))
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"cniVersion": "1.0.0", "code": 50, "msg": "the plugins run on Linux alone"}
    assert done.stderr == ""


def test_plugins_know_their_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anywhere, in whatever form they are asked."""
    monkeypatch.setenv("CNI_COMMAND", "VERSION")
    for config in ({"cniVersion": "1.0.0"}, {"name": "pods", "cniVersion": "1.0.0"}):
        done = run(PLUGIN, "main", folder=tmp_path, given=json.dumps(config))
        assert done.returncode == 0, done.stderr
        assert "1.0.0" in json.loads(done.stdout)["supportedVersions"]


def test_the_store_in_files_says_what_it_needs(tmp_path: Path) -> None:
    done = run("from vxlanpkt.overlay import FileStore", folder=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert last == f"ImportError: FileStore locks files as Unix does: there is no fcntl on {sys.platform}"


def test_agents_are_of_linux(tmp_path: Path) -> None:
    """They say so, and not what Python lacked."""
    pytest.importorskip("click")
    pytest.importorskip("rich")
    done = run(MAIN, "overlay", "status", folder=tmp_path)
    assert done.returncode != 0
    assert done.stderr == "vxlanpkt: agents of an overlay run on Linux alone\n"

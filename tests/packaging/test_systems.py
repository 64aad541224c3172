"""What runs where: only what is Linux's asks for modules and functions that Windows has not."""

from __future__ import annotations

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


def run(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program on such a system."""
    command = [sys.executable, "-c", WITHOUT + program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


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


def test_agents_are_of_linux(tmp_path: Path) -> None:
    """They say so, and not what Python lacked."""
    pytest.importorskip("click")
    pytest.importorskip("rich")
    done = run(MAIN, "overlay", "status", folder=tmp_path)
    assert done.returncode != 0
    assert done.stderr == "vxlanpkt: agents of an overlay run on Linux alone\n"

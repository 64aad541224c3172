"""The commands of docs/containers.md, from top to bottom as they stand there, on hosts that the test makes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from .container_host import Host
from .container_image import IMAGE
from .container_nodes import Machine
from .container_runtimes import Containerd
from .namespaces import Namespace

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means", "container_means")]

PAGE = (Path(__file__).parents[2] / "docs" / "containers.md").read_text(encoding="utf-8")
SECONDS = 120.0


def commands(section: str) -> str:
    """All commands of one section of the page."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def run(host: Host, script: str, directory: Path, **environment: str) -> str:
    """What commands print on a host, in a directory; each of them has to succeed."""
    (directory / "bin").mkdir(parents=True)
    program = directory / "bin" / "vxlanpkt"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -m vxlanpkt.cli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (directory / "here").mkdir()
    # What the script has started and not ended would keep its output open.
    beginning = f"""
set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null || :' EXIT
cd {directory / "here"}
PATH={directory / "bin"}:$PATH
"""
    said = [f"{name}={value}" for name, value in environment.items()]
    return host.run("env", *said, "bash", "-c", beginning + script, seconds=SECONDS).stdout


def test_two_nodes_on_one_machine(tmp_path: Path) -> None:
    """The containers reach each other, and in the end nothing is left."""
    host = Host(Namespace(), tmp_path / "disk")
    try:
        printed = run(host, commands("From two nodes to a ping"), tmp_path)
        assert "FLANNEL_SUBNET=10.5." in printed
        assert "3 packets transmitted, 3 received, 0% packet loss" in printed
        assert list(host.path("/run/netns").iterdir()) == []
        for left in ("cache/results/*", "addresses/overlay/10.5.*", "attachments/overlay/cnitool-*", "subnet.env"):
            assert not any(path.is_file() for path in (tmp_path / "here").glob(f"*/{left}")), left
    finally:
        host.close()
        host.namespace.delete()


def test_containerd_on_a_machine_of_its_own(nodes: tuple[Machine, Machine], tmp_path: Path) -> None:
    """Where all is in its usual place, containerd's client starts a container in the overlay."""
    runtime = nodes[0].runtime("containerd")
    assert isinstance(runtime, Containerd)
    runtime.ctr("images", "tag", IMAGE, "docker.io/library/busybox:latest")
    printed = run(nodes[0].host, commands("containerd and podman"), tmp_path / "page",
                  CONTAINERD_NAMESPACE=runtime.group, CONTAINERD_SNAPSHOTTER="native")  # fmt: skip
    assert f"inet {str(nodes[0].subnets.subnets.ipv4).removesuffix('0/24')}" in printed

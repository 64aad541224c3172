"""Fixtures of the CNI tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from vxlanpkt.cni import install

from .calls import SUBNET_ENV, UPSTREAM
from .delegates import Delegate

# The plugins are for Linux.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the plugins, run by this Python."""
    directory = tmp_path_factory.mktemp("plugins")
    install(directory, sys.executable)
    return directory


@pytest.fixture(scope="session")
def upstream() -> Path:
    """The plugins of the CNI project."""
    if not (UPSTREAM / "host-local").exists():
        if os.environ.get("VXLANPKT_REQUIRE_LIVE") == "1":
            pytest.fail("containernetworking-plugins is not installed")
        pytest.skip("containernetworking-plugins is not installed")
    return UPSTREAM


@pytest.fixture
def delegate(tmp_path: Path) -> Delegate:
    """A delegate that does its work, and knows all versions."""
    return Delegate(tmp_path)


@pytest.fixture
def network(tmp_path: Path) -> dict[str, Any]:
    """A network of `vxlanpkt-cni` on a node that has its subnet, with the delegate of the test."""
    (tmp_path / "subnet.env").write_text(SUBNET_ENV)
    return {
        "cniVersion": "1.1.0",
        "name": "overlay",
        "type": "vxlanpkt-cni",
        "subnetFile": str(tmp_path / "subnet.env"),
        "dataDir": str(tmp_path / "data"),
        "delegate": {"type": "delegate"},
    }

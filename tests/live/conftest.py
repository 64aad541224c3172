"""Fixtures of the live tests; `VXLANPKT_REQUIRE_LIVE=1` turns each skip for lack of means into a failure."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import cluster, ovs
from .cluster import Cluster
from .container_host import UPSTREAM_PLUGINS, sweep_cgroups
from .container_image import BUSYBOX, write_image
from .container_nodes import Machine, machines
from .namespaces import missing, sweep, sweeping
from .ovs import Switch
from .rig import Rig

_KERNEL = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
_TUNNEL_GSO_KERNEL = (6, 17)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Where live tests are required, one that was skipped has failed; a failure shows what agents printed."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Cluster):
                report.sections.append((f"agents of {name}", value.output))
    is_excused = "tunnel_gso_means" in getattr(item, "fixturenames", ()) and _KERNEL < _TUNNEL_GSO_KERNEL
    if report.skipped and os.environ.get("VXLANPKT_REQUIRE_LIVE") == "1" and not is_excused:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"live tests are required, but this one was skipped: {why}"


@pytest.fixture(scope="session")
def means() -> None:
    """Skip, with the reason, where the live tests cannot run."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with sweeping():
        sweep()
        cluster.sweep()


@pytest.fixture(scope="session")
def tunnel_gso_means(means: None) -> None:
    """Skip where the kernel is too old for tunnel GSO; no later one is excused."""
    if _KERNEL < _TUNNEL_GSO_KERNEL:
        pytest.skip(f"Linux {platform.release()} takes no long frames in tunnels")


@pytest.fixture(scope="session")
def rig(means: None) -> Iterator[Rig]:
    """One underlay for the whole run; each test puts its own vxlan device on it."""
    made = Rig()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def switch(means: None) -> Iterator[Switch]:
    """One Open vSwitch for the whole run; each test gives it a tunnel port of its own."""
    reason = ovs.missing()
    if reason is not None:
        pytest.skip(reason)
    with sweeping():
        ovs.sweep()
    made = Switch()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def container_means() -> None:
    """Skip, with the reason, where there are no container runtimes."""
    missing = [name for name in ("containerd", "ctr", "podman", "runc", "iptables") if shutil.which(name) is None]
    missing += [str(path) for path in (BUSYBOX, UPSTREAM_PLUGINS) if not path.exists()]
    if missing:
        pytest.skip(f"there is no {', '.join(missing)}")
    with sweeping():
        sweep_cgroups()


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "busybox.tar"
    write_image(path)
    return path


@pytest.fixture
def nodes(request: pytest.FixtureRequest, tmp_path: Path, image: Path) -> Iterator[tuple[Machine, Machine]]:
    """Two machines; the parameter is the backend, the kernel's if there is none."""
    with machines(getattr(request, "param", "vxlan"), tmp_path, image) as made:
        yield made

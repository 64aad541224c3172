"""The clusters of the live tests themselves: a run that is killed leaves nothing that the next one does not remove."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.waiting import eventually

from . import cluster, namespaces

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

ROOT = Path(__file__).parents[2]


def test_killed_run() -> None:
    """Agents die with the run; its namespaces and directories are swept up."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.live.cluster import Cluster;"
        "made = Cluster(['user']); made.start(); node = made.nodes[1];"
        "print(node.agent.status().pid, made.home, node.namespace.name, node.container.namespace.name,"
        "made.segment.namespace.name, flush=True)"
    )
    with namespaces.sweeping():
        pid, home, *names = namespaces.killed_run(code)
        assert eventually(lambda: not Path("/proc", pid).exists())
        assert set(names) <= set(namespaces.sweep())
        cluster.sweep()
    assert not Path(home).exists()

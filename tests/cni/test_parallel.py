"""Fifty calls at once, as a node that starts or loses all its containers makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .calls import Answer, environment, finished, started
from .delegates import Delegate

MANY = 50


def _all_at_once(plugin: Path, command: str, network: dict[str, Any], path: str, containers: list[str]) -> list[Answer]:
    processes = [started(plugin, environment(command, name, CNI_PATH=path), network) for name in containers]
    return [finished(process) for process in processes]


def test_add_and_del(plugins: Path, network: dict[str, Any], delegate: Delegate, tmp_path: Path) -> None:
    """Each is attached and detached once, with GC in between that knows half of them."""
    plugin, containers = plugins / "vxlanpkt-cni", [f"c{number}" for number in range(MANY)]
    answers = _all_at_once(plugin, "ADD", network, str(tmp_path), containers)
    assert {answer.status for answer in answers} == {0}
    home = tmp_path / "data" / "overlay"
    assert len(list(home.glob("*@*"))) == MANY
    kept = [{"containerID": name, "ifname": "eth0"} for name in containers[::2]]
    collecting = started(plugin, environment("GC", CNI_PATH=str(tmp_path)),
                         {**network, "cni.dev/valid-attachments": kept})  # fmt: skip
    answers = _all_at_once(plugin, "DEL", network, str(tmp_path), containers)
    assert {answer.status for answer in (finished(collecting), *answers)} == {0}
    assert [path.name for path in home.iterdir()] == ["lock"]
    assert sorted(each.container for each in delegate.calls if each.command == "ADD") == sorted(containers)
    assert {each.container for each in delegate.calls if each.command == "DEL"} == set(containers)


def test_one_container_over_and_over(
    plugins: Path, network: dict[str, Any], delegate: Delegate, tmp_path: Path
) -> None:
    """Fifty DEL of the same attachment at once: all succeed."""
    plugin = plugins / "vxlanpkt-cni"
    (added,) = _all_at_once(plugin, "ADD", network, str(tmp_path), ["c1"])
    assert added.status == 0
    answers = _all_at_once(plugin, "DEL", network, str(tmp_path), ["c1"] * MANY)
    assert {answer.status for answer in answers} == {0}
    assert [path.name for path in (tmp_path / "data" / "overlay").iterdir()] == ["lock"]

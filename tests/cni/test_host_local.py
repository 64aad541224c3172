"""`vxlanpkt-ipam` and the CNI project's `host-local`: the same answers and files, and one directory for both."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vxlanpkt.cni import Call, CNIError, PluginConfig
from vxlanpkt.cni.ipam.commands import COMMANDS

from .calls import Answer, call, environment, finished, started

Config = dict[str, Any]


class Step(NamedTuple):
    """A call: of whom, for which container, and the address that it asks for, if any."""

    command: str
    container: str
    ifname: str
    asked: str
    ours: bool


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(("ADD", "ADD", "ADD", "DEL")),
        st.sampled_from("abcdef"),
        st.sampled_from(("eth0", "eth0", "eth1")),
        st.sampled_from(("", "", "", "", "10.1.1.4", "10.1.1.5", "10.9.9.9")),
        st.booleans(),
    ),
    max_size=20,
)
RANGES = st.sampled_from((
    [[{"subnet": "10.1.1.0/29"}]],
    [[{"subnet": "10.1.1.0/29", "rangeStart": "10.1.1.3", "gateway": "10.1.1.4"}, {"subnet": "10.2.0.0/30"}]],
    [[{"subnet": "10.1.1.0/29", "gateway": "169.254.1.1"}]],
    [[{"subnet": "10.1.1.0/28", "rangeEnd": "10.1.1.6"}], [{"subnet": "fc00::/126", "gateway": "fc00::2"}]],
))  # fmt: skip
FEW = settings(max_examples=max(20, settings().max_examples // 10))


def config(directory: Path, ranges: list[Any]) -> Config:
    """A network with its addresses in *directory*."""
    ipam = {"type": "host-local", "dataDir": str(directory), "ranges": ranges, "routes": [{"dst": "10.0.0.0/8"}]}
    return {"cniVersion": "1.0.0", "name": "net", "type": "bridge", "ipam": ipam}


def ours(step: Step, content: Config) -> Config | None:
    """What our plugin answers, in this process; None for an error."""
    args = f"IP={step.asked}" if step.asked else ""
    try:
        plugin = PluginConfig.from_json(json.dumps(content))
        return COMMANDS[step.command](Call(step.command, step.container, "/x", step.ifname, args), plugin) or {}
    except CNIError:
        return None


def theirs(step: Step, content: Config, upstream: Path) -> Config | None:
    """What `host-local` answers."""
    args = {"CNI_ARGS": f"IP={step.asked}"} if step.asked else {}
    variables = environment(step.command, step.container, CNI_IFNAME=step.ifname, **args)
    answer = call(upstream / "host-local", variables, content)
    return None if answer.status else json.loads(answer.text or "{}")


def without_empty_dns(answer: Config | None) -> Config | None:
    """What a newer `host-local` leaves out, and an older one does not."""
    return {name: value for name, value in answer.items() if (name, value) != ("dns", {})} if answer else answer


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob("net/*")}


@FEW
@given(STEPS, RANGES)
def test_the_same_answers_and_files(upstream: Path, steps: list[Step], ranges: list[Any]) -> None:
    """Each in a directory of its own: so both go in the same order, too."""
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        for step in steps:
            if step.asked and _has_any(Path(first), step):
                continue  # host-local gives a container a second address, if it asks for one
            if step.asked == "10.9.9.9":
                continue  # host-local takes another one first, and gives it back
            said = (ours(step, config(Path(first), ranges)), theirs(step, config(Path(second), ranges), upstream))
            assert without_empty_dns(said[0]) == without_empty_dns(said[1])
            mine, other = files(Path(first)), files(Path(second))
            assert {**mine, "lock": b""} == {**other, "lock": b""}


def _has_any(directory: Path, step: Step) -> bool:
    return f"{step.container}\r\n{step.ifname}".encode() in files(directory).values()


@FEW
@given(STEPS, RANGES)
def test_one_directory(upstream: Path, steps: list[Step], ranges: list[Any]) -> None:
    """Whoever is called next: no address is given twice, and each frees what the other gave."""
    with TemporaryDirectory() as directory:
        content = config(Path(directory), ranges)
        held: dict[tuple[str, str], set[str]] = {}
        for step in steps:
            if step.asked and _has_any(Path(directory), step):
                continue  # as above; and if it has none in the next range, host-local takes away all that it had
            owner = (step.container, step.ifname)
            answer = ours(step, content) if step.ours else theirs(step, content, upstream)
            if step.command == "DEL":
                held.pop(owner, None)
            elif answer is not None:
                held.setdefault(owner, set()).update(ip["address"].split("/")[0] for ip in answer["ips"])
            names = {name for name in files(Path(directory)) if name != "lock" and "last" not in name}
            everything = list(itertools.chain.from_iterable(held.values()))
            assert len(everything) == len(set(everything))
            assert names == set(everything)


def test_all_at_once(plugins: Path, upstream: Path, tmp_path: Path) -> None:
    """Fifty calls of both for sixty addresses: fifty addresses; and fifty DEL of the other one leave none."""
    content = config(tmp_path, [[{"subnet": "10.1.1.0/26"}]])
    both = (plugins / "vxlanpkt-ipam", upstream / "host-local")
    answers = _parallel([(both[number % 2], environment("ADD", f"c{number}")) for number in range(50)], content)
    given = [answer.addresses[0] for answer in answers]
    assert len(set(given)) == 50
    answers = _parallel([(both[1 - number % 2], environment("DEL", f"c{number}")) for number in range(50)], content)
    assert [answer.status for answer in answers] == [0] * 50
    assert files(tmp_path).keys() == {"last_reserved_ip.0", "lock"}


def test_more_at_once_than_there_are(plugins: Path, upstream: Path, tmp_path: Path) -> None:
    """Each address is given, none twice, and the rest are told so."""
    content = config(tmp_path, [[{"subnet": "10.1.1.0/28"}]])
    both = (plugins / "vxlanpkt-ipam", upstream / "host-local")
    answers = _parallel([(both[number % 2], environment("ADD", f"c{number}")) for number in range(30)], content)
    given = [answer.addresses[0] for answer in answers if answer.status == 0]
    assert len(given) == len(set(given)) == 13


def _parallel(calls: list[tuple[Path, dict[str, str]]], content: Config) -> list[Answer]:
    processes: list[subprocess.Popen[bytes]] = [started(plugin, variables, content) for plugin, variables in calls]
    return [finished(process) for process in processes]


@pytest.mark.parametrize("name", ["vxlanpkt-ipam", "host-local"])
def test_check_of_what_the_other_gave(plugins: Path, upstream: Path, tmp_path: Path, name: str) -> None:
    content = config(tmp_path, [[{"subnet": "10.1.1.0/29"}]])
    both = {"vxlanpkt-ipam": plugins / "vxlanpkt-ipam", "host-local": upstream / "host-local"}
    other = both[name]
    (giver,) = (path for each, path in both.items() if each != name)
    result = call(giver, environment(), content).json
    assert call(other, environment("CHECK"), {**content, "prevResult": result}).status == 0
    assert call(other, environment("CHECK", "c2"), {**content, "prevResult": result}).status == 1

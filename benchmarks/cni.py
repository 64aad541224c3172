"""How long the CNI plugins take, beside those of the CNI project: python -m benchmarks.cni [ROUNDS].

Needs root, iproute2 and containernetworking-plugins in /usr/lib/cni. All calls go in turns, in an order that changes.
ADD is timed with the DEL that follows it, without masquerading, in namespaces made for it. Columns: milliseconds
(median and 95 % interval), and the ratio to the row that the last column names, round by round.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import Timer
from typing import Any

from benchmarks.timing import median_interval, race, ratio
from tests.cni.calls import SUBNET_ENV, UPSTREAM, call, environment
from tests.live.namespaces import Namespace, sweep
from vxlanpkt.cni import install

_ROUNDS = 41
_PYTHON = "/usr/bin/python3"
_PASS = "python3 -c pass"
_OWN_PASS = "-c pass of the Python in use"  # which may be slower, as an editable install makes it
_ASKED = b'{"cniVersion":"1.0.0"}'
Config = dict[str, Any]

# Every row, and the one that it is compared with.
ROWS = {
    _PASS: _PASS,
    "VERSION: vxlanpkt-cni": _PASS,
    "VERSION: vxlanpkt-ipam": _PASS,
    _OWN_PASS: _PASS,
    "VERSION: the console script of the Python in use": _OWN_PASS,
    "VERSION: bridge (Go)": _PASS,
    "ADD and DEL: host-local (Go)": "ADD and DEL: host-local (Go)",
    "ADD and DEL: vxlanpkt-ipam": "ADD and DEL: host-local (Go)",
    "ADD and DEL: bridge and host-local (Go)": "ADD and DEL: bridge and host-local (Go)",
    "ADD and DEL: vxlanpkt-cni, bridge and host-local": "ADD and DEL: bridge and host-local (Go)",
    "ADD and DEL: vxlanpkt-cni, bridge and vxlanpkt-ipam": "ADD and DEL: bridge and host-local (Go)",
}


def _wrapped(path: Path, command: str) -> Path:
    """A program that is another with arguments: what a shell costs is in all of them, where it is in one."""
    path.write_text(f"#!/bin/sh\nexec {command}\n")
    path.chmod(0o755)
    return path


def _checked(program: Path, variables: dict[str, str], config: Config | bytes) -> None:
    answer = call(program, variables, config)
    assert answer.status == 0, answer


def _pair(program: Path, variables: dict[str, str], config: Config) -> None:
    for command in ("ADD", "DEL"):
        _checked(program, {**variables, "CNI_COMMAND": command}, config)


def _calls(home: Path, host: Namespace, container: Namespace) -> dict[str, Callable[[], None]]:
    """What is timed."""
    plugin, ipam = install(home, _PYTHON)
    (home / "subnet.env").write_text(SUBNET_ENV)
    enter = f"ip netns exec {host.name}"
    entered = _wrapped(home / "entered", f"{enter} {plugin}")
    bridge = _wrapped(home / "entered-bridge", f"{enter} {UPSTREAM}/bridge")
    addresses: Config = {"ranges": [[{"subnet": "10.5.52.0/24"}]], "routes": [{"dst": "10.5.0.0/16"}]}
    plain: Config = {"cniVersion": "1.0.0", "name": "plain", "type": "bridge", "bridge": "cni0", "isGateway": True}
    network: Config = {
        "cniVersion": "1.0.0",
        "name": "overlay",
        "type": "vxlanpkt-cni",
        "subnetFile": str(home / "subnet.env"),
        "dataDir": str(home / "data"),
        "delegate": {"bridge": "cni0"},
    }

    def kept(kind: str) -> Config:
        return {"type": kind, "dataDir": str(home / f"by-{kind}")}

    alone = {kind: {**plain, "ipam": {**addresses, **kept(kind)}} for kind in ("host-local", "vxlanpkt-ipam")}
    version = environment("VERSION")
    attach = environment(CNI_NETNS=f"/run/netns/{container.name}", CNI_PATH=f"{home}:{UPSTREAM}")
    console = Path(sys.executable).with_name("vxlanpkt-cni")
    return {
        _PASS: partial(_checked, _wrapped(home / "pass", f"{_PYTHON} -c pass"), version, _ASKED),
        "VERSION: vxlanpkt-cni": partial(_checked, _wrapped(home / "version", str(plugin)), version, _ASKED),
        "VERSION: vxlanpkt-ipam": partial(_checked, _wrapped(home / "version-ipam", str(ipam)), version, _ASKED),
        _OWN_PASS: partial(_checked, _wrapped(home / "own-pass", f"{sys.executable} -c pass"), version, _ASKED),
        "VERSION: the console script of the Python in use": partial(
            _checked, _wrapped(home / "console", str(console)), version, _ASKED
        ),
        "VERSION: bridge (Go)": partial(_checked, _wrapped(home / "go", f"{UPSTREAM}/bridge"), version, _ASKED),
        "ADD and DEL: host-local (Go)": partial(_pair, UPSTREAM / "host-local", attach, alone["host-local"]),
        "ADD and DEL: vxlanpkt-ipam": partial(_pair, ipam, attach, alone["vxlanpkt-ipam"]),
        "ADD and DEL: bridge and host-local (Go)": partial(
            _pair, bridge, attach, {**plain, "mtu": 1450, "ipam": {**addresses, **kept("host-local")}}
        ),
        "ADD and DEL: vxlanpkt-cni, bridge and host-local": partial(
            _pair, entered, attach, {**network, "ipam": kept("host-local")}
        ),
        "ADD and DEL: vxlanpkt-cni, bridge and vxlanpkt-ipam": partial(
            _pair, entered, attach, {**network, "ipam": kept("vxlanpkt-ipam")}
        ),
    }


def main() -> None:
    """Measure and print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    sweep()
    host, container = Namespace(), Namespace()
    with TemporaryDirectory() as folder:
        calls = _calls(Path(folder), host, container)
        assert calls.keys() == ROWS.keys()
        timers = {name: Timer(run, timer=time.perf_counter_ns) for name, run in calls.items()}
        found = race(timers, rounds)
    print(f"{'':52} {'ms':>6} {'interval':>13} {'ratio':>6} {'interval':>12}  to")
    for name, against in ROWS.items():
        took = median_interval([value / 1e6 for value in found[name]])
        more = ratio(found[name], found[against])
        print(f"{name:52} {took.median:6.1f} {took.low:6.1f}-{took.high:6.1f} "
              f"{more.median:6.2f} {more.low:5.2f}-{more.high:5.2f}  {against}")  # fmt: skip


if __name__ == "__main__":
    main()

"""One TCP stream between two namespaces through each kind of overlay: python -m benchmarks.overlay [ROUNDS [SECONDS]].

Needs root, iperf3 and iproute2. All rigs stand at once, and the rounds go through them in turn, so that what else the
machine does meets all of them. Columns: Gb/s (median and range), seconds of processor time for a gigabit (of iperf3 at
both ends and of the packet loops; not of the kernel's own threads), and the speed as a share of the kernel's.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.live.namespaces import sweep
from tests.live.overlay_rig import OVERLAY, PORT, UNDERLAY, Backend, Node, Pair

_ROUNDS, _SECONDS = 3, 2
_TICK = os.sysconf("SC_CLK_TCK")


class PythonNode(Node):
    """A node whose packet loop is Python, in a process of its own."""

    process: subprocess.Popen[str] | None = None

    def _make_user_device(self) -> None:
        other = self.underlay(3 - self.number)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace.name, sys.executable, "-m", "benchmarks.overlay_python",
             OVERLAY, self.mac, self.underlay(), other, str(PORT)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def make_overlay(self, other: Node) -> None:
        """As the kernel's, but for the device."""
        self._make_kernel_device = lambda other: self._make_user_device()  # type: ignore[method-assign]
        super().make_overlay(other)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
        super().close()

    @property
    def spent(self) -> float:
        """The processor time of the loop."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK


class PythonPair(Pair):
    """Two of these."""

    def _node(self, number: int, backend: Backend, version: int, queues: int) -> Node:
        node = PythonNode(number, "kernel", version)
        self._undo.callback(node.close)
        node.namespace.quieten()
        return node


class Run(NamedTuple):
    """One run of iperf3."""

    gigabits: float  # a second
    seconds: float  # of processors, for a gigabit


def run(nodes: Pair, seconds: int, raw: bool) -> Run:
    """A stream from the first node to the second."""
    target = nodes.second.underlay() if raw else nodes.second.inside(4)
    enter = ("ip", "netns", "exec")
    before, loops = _spent(nodes), time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    server = subprocess.Popen([*enter, nodes.second.namespace.name, "iperf3", "-s", "-1", "-B", target],
                              stdout=subprocess.DEVNULL)  # fmt: skip
    try:
        time.sleep(0.3)
        done = subprocess.run([*enter, nodes.first.namespace.name, "iperf3", "-J", "-c", target, "-t", str(seconds)],
                              capture_output=True, text=True, check=True, timeout=seconds + 20)  # fmt: skip
        server.wait(10)
    finally:
        server.kill()
        server.wait()
    received = json.loads(done.stdout)["end"]["sum_received"]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    spent += time.process_time() - loops + _spent(nodes) - before
    return Run(received["bits_per_second"] / 1e9, spent / (received["bytes"] * 8 / 1e9))


def _spent(nodes: Pair) -> float:
    return sum(node.spent for node in (nodes.first, nodes.second) if isinstance(node, PythonNode))


def _without_tunnel_offload(nodes: Pair) -> Pair:
    """As over a card that knows no tunnels: else a veth hands long frames on as they are, and nothing is ever cut."""
    for node in (nodes.first, nodes.second):
        node.namespace.exec("ethtool", "-K", UNDERLAY, "tx-udp_tnl-segmentation", "off",
                            "tx-udp_tnl-csum-segmentation", "off")  # fmt: skip
    return nodes


SETUPS: dict[str, Callable[[], Pair]] = {
    "kernel vxlan both ends": lambda: Pair("kernel", "kernel", 4),
    "the same, cut by the sender": lambda: _without_tunnel_offload(Pair("kernel", "kernel", 4)),
    "loops in C both ends": lambda: Pair("user", "user", 4),
    "C to kernel": lambda: Pair("user", "kernel", 4),
    "kernel to C": lambda: Pair("kernel", "user", 4),
    "bare UDP (TUN), C both ends": lambda: Pair("udp", "udp", 4),
    "Python both ends": lambda: PythonPair("kernel", "kernel", 4),
}
_RAW = "the veth pair alone"


@contextmanager
def rigs() -> Iterator[dict[str, Pair]]:
    """All of them, removed afterwards."""
    sweep()
    with ExitStack() as undo:
        made = {}
        for name, make in SETUPS.items():
            made[name] = make()
            undo.callback(made[name].close)
        yield made


def main() -> None:
    """Measure and print the table."""
    given = [int(value) for value in sys.argv[1:]]
    rounds, seconds = (*given, *(_ROUNDS, _SECONDS)[len(given) :])
    results: dict[str, list[Run]] = {}
    with rigs() as made:
        for _ in range(rounds):
            results.setdefault(_RAW, []).append(run(made["kernel vxlan both ends"], seconds, raw=True))
            for name, nodes in made.items():
                results.setdefault(name, []).append(run(nodes, seconds, raw=False))
    kernel = statistics.median(one.gigabits for one in results["kernel vxlan both ends"])
    print(f"{'':30} {'Gb/s':>6} {'range':>12} {'CPU s/Gb':>9} {'of kernel':>9}")
    for name, runs in results.items():
        speeds = sorted(one.gigabits for one in runs)
        middle = statistics.median(speeds)
        cost = statistics.median(one.seconds for one in runs)
        print(f"{name:30} {middle:6.2f} {speeds[0]:5.2f}-{speeds[-1]:5.2f} {cost:10.3f} {middle / kernel:9.2f}")


if __name__ == "__main__":
    main()

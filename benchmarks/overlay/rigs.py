"""Two nodes for each kind of overlay, all standing at once, so that what else the machine does meets all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.overlay.relays import RelayPair
from tests.live.namespaces import sweep
from tests.live.overlay_rig import OVERLAY, PORT, UNDERLAY, Backend, Node, Pair

KERNEL = "kernel vxlan both ends"
RELAY = "null relay both ends"
_TICK = os.sysconf("SC_CLK_TCK")


class PythonNode(Node):
    """A node whose packet loop is Python, in a process of its own."""

    process: subprocess.Popen[str] | None = None

    def _make_user_device(self) -> None:
        other = self.underlay(3 - self.number)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace.name, sys.executable, "-m", "benchmarks.overlay.python_loop",
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


def _as_over_cards(nodes: Pair) -> Pair:
    """As over cards that cut nothing: else a veth hands long frames on as they are."""
    for node in (nodes.first, nodes.second):
        node.namespace.exec("ethtool", "-K", UNDERLAY, "gro", "on", "tx-udp-segmentation", "off",
                            "tx-udp_tnl-segmentation", "off", "tx-udp_tnl-csum-segmentation", "off")  # fmt: skip
    return nodes


SETUPS: dict[str, Callable[[], Pair]] = {
    KERNEL: lambda: Pair("kernel", "kernel", 4),
    "the same, cut by the sender": lambda: _as_over_cards(Pair("kernel", "kernel", 4)),
    "loops in C both ends": lambda: Pair("user", "user", 4),
    "C to kernel": lambda: Pair("user", "kernel", 4),
    "kernel to C": lambda: Pair("kernel", "user", 4),
    "tunnel GSO, C both ends": lambda: Pair("gso", "gso", 4),
    "tunnel GSO, C to kernel": lambda: Pair("gso", "kernel", 4),
    "kernel to C with tunnel GSO": lambda: Pair("kernel", "gso", 4),
    "tunnel GSO, C both ends, cut by the sender": lambda: _as_over_cards(Pair("gso", "gso", 4)),
    "tunnel GSO, C to kernel, cut by the sender": lambda: _as_over_cards(Pair("gso", "kernel", 4)),
    "C both ends, cut by the sender": lambda: _as_over_cards(Pair("user", "user", 4)),
    "C to kernel, cut by the sender": lambda: _as_over_cards(Pair("user", "kernel", 4)),
    "bare UDP (TUN), C both ends": lambda: Pair("udp", "udp", 4),
    RELAY: RelayPair,
    "Python both ends": lambda: PythonPair("kernel", "kernel", 4),
}
TCP_ONLY = [name for name in SETUPS if "relay" in name]  # they carry no more than one stream asks for


@contextmanager
def rigs(names: Collection[str] = tuple(SETUPS)) -> Iterator[dict[str, Pair]]:
    """Those that are named, removed afterwards."""
    sweep()
    with ExitStack() as undo:
        made = {}
        for name in names:
            made[name] = SETUPS[name]()
            undo.callback(made[name].close)
        yield made

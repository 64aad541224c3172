"""What is sent from the first node to the second, and what of it is measured: iperf3 and ping say."""

from __future__ import annotations

import json
import re
import resource
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from benchmarks.overlay.rigs import PythonNode
from tests.live.overlay_rig import Pair

DATAGRAM = 1350  # bytes, as QUIC and others send
_FEWEST, _STEP = 21_500, 1.4  # datagrams a second that are offered first, and how many more the next time
_TOLERATED, _REACHED = 0.01, 0.95  # what may be lost, and what has to arrive for more to be offered
_TIME = re.compile(r"time=([\d.]+) ms")


class Stream(NamedTuple):
    """What arrived of one TCP stream."""

    gigabits: float  # a second
    seconds: float  # of processors, for a gigabit: of iperf3 at both ends, and of the packet loops


class Datagrams(NamedTuple):
    """The most datagrams that arrived while no more than one in a hundred was lost."""

    thousands: float  # a second
    microseconds: float  # of processors, for one that arrived


class Latency(NamedTuple):
    """Milliseconds there and back."""

    median: float
    late: float  # nine of ten are faster


def stream(nodes: Pair, seconds: int, *, raw: bool = False) -> Stream:
    """One TCP stream."""
    end, spent = _iperf(nodes, seconds, raw=raw)
    received = end["sum_received"]
    return Stream(received["bits_per_second"] / 1e9, spent / (received["bytes"] * 8 / 1e9))


def datagrams(nodes: Pair, seconds: int) -> Datagrams:
    """Datagrams of one flow, offered faster and faster."""
    best, offered, failures = Datagrams(0.0, 0.0), _FEWEST, 0
    while failures < 2:  # once may be somebody else's doing
        end, spent = _iperf(nodes, seconds, "-u", "-b", str(offered * DATAGRAM * 8), "-l", str(DATAGRAM))
        total = end["sum"]
        arrived = total["packets"] - total["lost_packets"]
        rate = arrived / total["seconds"]
        if total["lost_packets"] > _TOLERATED * total["packets"] or rate < _REACHED * offered:
            failures += 1
            continue
        best, failures = Datagrams(rate / 1e3, spent / arrived * 1e6), 0
        offered = int(offered * _STEP)
    return best


def latency(nodes: Pair, count: int = 100) -> Latency:
    """Echo requests, one after another."""
    done = nodes.first.namespace.exec(
        "ping", "-n", "-c", str(count), "-i", "0.005", "-W", "2",
        "-I", nodes.first.inside(4), nodes.second.inside(4), seconds=count * 0.05 + 10,
    )  # fmt: skip
    times = sorted(float(found) for found in _TIME.findall(done.stdout))
    return Latency(statistics.median(times), times[int(0.9 * len(times))])


def latency_under_load(nodes: Pair) -> Latency:
    """The same while a TCP stream runs."""
    with _server(nodes, nodes.second.inside(4)):
        load = subprocess.Popen(_client(nodes, nodes.second.inside(4), 3), stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.7)
            return latency(nodes)
        finally:
            load.kill()
            load.wait()


def _iperf(nodes: Pair, seconds: int, *options: str, raw: bool = False) -> tuple[dict[str, Any], float]:
    """What iperf3 says at the end, and the processor time of both ends and of the loops."""
    target = nodes.second.underlay() if raw else nodes.second.inside(4)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    before, loops = _spent(nodes), time.process_time()
    with _server(nodes, target):
        done = subprocess.run(
            _client(nodes, target, seconds, "-J", *options), capture_output=True, text=True, timeout=seconds + 20
        )
    if done.returncode:
        raise RuntimeError(f"iperf3: {done.stdout}{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    end: dict[str, Any] = json.loads(done.stdout)["end"]
    return end, spent + time.process_time() - loops + _spent(nodes) - before


def _client(nodes: Pair, target: str, seconds: int, *options: str) -> list[str]:
    return ["ip", "netns", "exec", nodes.first.namespace.name, "iperf3", "-c", target, "-t", str(seconds), *options]


@contextmanager
def _server(nodes: Pair, address: str) -> Iterator[None]:
    """One that serves one client."""
    server = subprocess.Popen(
        ["ip", "netns", "exec", nodes.second.namespace.name, "iperf3", "-s", "-1", "-B", address],
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.3)
        yield
        with suppress(subprocess.TimeoutExpired):
            server.wait(3)
    finally:
        server.kill()
        server.wait()


def _spent(nodes: Pair) -> float:
    return sum(node.spent for node in (nodes.first, nodes.second) if isinstance(node, PythonNode))

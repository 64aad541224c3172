"""Measure overlays side by side: python -m benchmarks.overlay [--rounds N] [--seconds S] [--without PART] [--only RIG]

Needs root, iperf3 and iproute2, and a C compiler for the null relay. The rounds go through all rigs in turn; what is
said of two of them is the median of the ratios inside a round, with its 95 % interval. --only measures some of the
setups, each time with the kernel's vxlan at both ends beside them.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from typing import TypeVar

from benchmarks.overlay.rigs import KERNEL, RELAY, SETUPS, TCP_ONLY, rigs
from benchmarks.overlay.traffic import Datagrams, Latency, Stream, datagrams, latency, latency_under_load, stream
from benchmarks.timing import FEWEST_ROUNDS, median_interval
from tests.live.overlay_rig import Pair

_T = TypeVar("_T")
_RAW = "the veth pair alone"
_PYTHON = "Python both ends"


def main() -> None:
    """Measure, and print tables in markdown."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--seconds", type=int, default=2)
    options.add_argument("--without", action="append", default=[], choices=["tcp", "udp", "ping"])
    options.add_argument("--only", action="append", default=[], choices=[_RAW, *SETUPS])
    chosen = options.parse_args()
    with rigs([name for name in SETUPS if name == KERNEL or not chosen.only or name in chosen.only]) as made:
        if "tcp" not in chosen.without:
            raw = _raw(chosen) if _RAW in chosen.only or not chosen.only else None
            _print_streams(_rounds(made, chosen.rounds, lambda nodes: stream(nodes, chosen.seconds), raw))
        made = {name: nodes for name, nodes in made.items() if name not in TCP_ONLY}
        if "udp" not in chosen.without:
            _print_datagrams(_rounds(made, chosen.rounds, lambda nodes: datagrams(nodes, 1)))
        if "ping" not in chosen.without:
            rest = _rounds(made, chosen.rounds, latency)
            _print_latencies(rest, _rounds(made, chosen.rounds, latency_under_load))


def _raw(chosen: argparse.Namespace) -> Callable[[Pair], Stream]:
    return lambda nodes: stream(nodes, chosen.seconds, raw=True)


def _rounds(
    made: dict[str, Pair], rounds: int, measure: Callable[[Pair], _T], raw: Callable[[Pair], _T] | None = None
) -> dict[str, list[_T]]:
    """All rigs in turn, again and again."""
    found: dict[str, list[_T]] = {}
    for _ in range(rounds):
        if raw is not None:
            found.setdefault(_RAW, []).append(raw(made[KERNEL]))
        for name, nodes in made.items():
            found.setdefault(name, []).append(measure(nodes))
    return found


def _print_streams(found: dict[str, list[Stream]]) -> None:
    print("| one TCP stream | Gb/s | range | CPU s/Gb | of the kernel's | 95 % | of the null relay | times Python |")
    print("|---|---|---|---|---|---|---|---|")
    gigabits = {name: [one.gigabits for one in runs] for name, runs in found.items()}
    for name, runs in found.items():
        speeds = gigabits[name]
        spent = statistics.median(one.seconds for one in runs)
        others = " | ".join(_median_ratio(speeds, gigabits.get(other)) for other in (RELAY, _PYTHON))
        print(f"| {name} | {_spread(speeds)} | {spent:.3f} | {_ratio(speeds, gigabits[KERNEL])} | {others} |")


def _print_datagrams(found: dict[str, list[Datagrams]]) -> None:
    print("\n| UDP, 1350 bytes | 1000/s | range | CPU us each | of the kernel's | 95 % |")
    print("|---|---|---|---|---|---|")
    kernel = [one.thousands for one in found[KERNEL]]
    for name, runs in found.items():
        rates = [one.thousands for one in runs]
        spent = statistics.median(one.microseconds for one in runs)
        print(f"| {name} | {_spread(rates)} | {spent:.1f} | {_ratio(rates, kernel)} |")


def _print_latencies(rest: dict[str, list[Latency]], load: dict[str, list[Latency]]) -> None:
    print("\n| ping, ms | at rest | nine of ten | under load | nine of ten |")
    print("|---|---|---|---|---|")
    for name in rest:
        columns = [statistics.median(value) for found in (rest, load) for value in zip(*found[name], strict=True)]
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in columns)} |")


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} | {min(values):.1f}-{max(values):.1f}"


def _median_ratio(these: Sequence[float], those: Sequence[float] | None) -> str:
    return f"{statistics.median(a / b for a, b in zip(these, those, strict=True)):.2f}" if those else ""


def _ratio(these: Sequence[float], those: Sequence[float]) -> str:
    ratios = [this / that for this, that in zip(these, those, strict=True)]
    if len(ratios) < FEWEST_ROUNDS:
        return f"{statistics.median(ratios):.2f} | "
    middle = median_interval(ratios)
    return f"{middle.median:.2f} | {middle.low:.2f}-{middle.high:.2f}"


if __name__ == "__main__":
    main()

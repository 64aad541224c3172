"""What filters cost a row: `python -m benchmarks.filters`, a table in markdown.

The rows are those of `frames.py`, decapsulated once: all 20,000, and 4,096 of them, whose columns stay in the cache.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from time import process_time_ns
from timeit import Timer

from benchmarks.frames import frames
from benchmarks.timing import race
from vxlanpkt import DecapBatch, Filter, FrameBatch, decap_batch

ROWS = (4096, 20_000)
EXPRESSIONS = (
    "vni 5000",
    "tcp port 443",
    "tcp port 443 and not outer net 10.0.0.0/8",
    "src net 10.0.0.0/8 and udp",
    "host 10.0.0.1",
    "ether src 02:00:00:00:00:01",
    "ecn ce",
    "(vni 5000-5003 or vlan 5) and (tcp port (80 or 443) or udp port 53) and not host 10.0.1.7",
)


def _call(expression: str, batch: DecapBatch) -> Callable[[], object]:
    chosen = Filter(expression)
    chosen.select(batch)  # compiled, and held by the kernel
    return lambda: chosen.select(batch)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rounds: int = parser.parse_args().rounds
    batches = {rows: decap_batch(FrameBatch.from_frames([frame.wire for frame in frames(rows)])) for rows in ROWS}
    print("| expression |", " | ".join(f"ns a row of {rows:,}" for rows in ROWS), "|")
    print("|---|" + "---:|" * len(ROWS))
    timers = {
        f"{rows} {expression}": Timer(_call(expression, batch), timer=process_time_ns)
        for expression in EXPRESSIONS
        for rows, batch in batches.items()
    }
    found = race(timers, rounds)
    for expression in EXPRESSIONS:
        medians = [statistics.median(found[f"{rows} {expression}"]) / rows for rows in ROWS]
        print(f"| `{expression}` |", " | ".join(f"{median:.1f}" for median in medians), "|")


if __name__ == "__main__":
    main()

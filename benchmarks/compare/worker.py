"""`python -m benchmarks.compare.worker CAPTURE TARGET`: does jobs of one version, and says how long they took.

First it writes the names of the jobs, a line each, and an empty one. Then it reads lines of a number and a name, and
answers each with the nanoseconds of processor time that so many executions took, after one that is not counted.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from time import process_time_ns

from benchmarks.compare.jobs import jobs


def main() -> None:
    """Serve until the input ends."""
    functions = jobs(*map(Path, sys.argv[1:]))
    print(*functions, "", sep="\n", flush=True)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        times, _, name = line.rstrip("\n").partition(" ")
        function = functions[name]
        function()
        begin = process_time_ns()
        for _ in range(int(times)):
            function()
        print(process_time_ns() - begin, flush=True)


if __name__ == "__main__":
    main()

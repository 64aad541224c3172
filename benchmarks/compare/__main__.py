"""`python -m benchmarks.compare COMMIT`: whether this tree is slower than a commit, by ratio, in one run.

Fails if the 95 % interval of a job says that it is slower by more than a share: a machine that is busy makes intervals
wider, and fails nothing. Instructions that valgrind counts are the part that comes out the same each time; they are
shown, and fail nothing, as fewer instructions are not always less time.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence

from benchmarks import instructions
from benchmarks.bulk import grid
from benchmarks.bulk.tables import table
from benchmarks.compare.racing import Compared, compare
from benchmarks.compare.versions import FOLDER, Version, of_commit, of_this_tree
from benchmarks.timing import FEWEST_ROUNDS

_COUNTED = [
    instructions.Task(job, "64")
    for job in (grid.ENCAP, grid.DECAP, instructions.TUNNEL_ENCAP, instructions.ONE_DECAP, instructions.DISSECT)
]


def main() -> int:
    """Build, measure, print; 1 if something is slower."""
    options = _options()
    before, after = of_commit(options.commit), of_this_tree()
    print(f"{after.name} beside {before.name}: Python {platform.python_version()}, {_processor()}\n")
    slower: list[str] = []
    if options.pairs:
        found = compare(before, after, options.pairs, options.turns)
        print("\n".join(_times(found)))
        slower = [one.job for one in found if one.speed.high < 1 - options.share]
        print(f"\nSlower by more than {options.share:.0%}: {', '.join(slower) or 'none'}.")
    if options.instructions and shutil.which("valgrind") is None:
        print("\nvalgrind is not installed: no instructions were counted.")
    elif options.instructions:
        print("", *_instructions(before, after), sep="\n")
    return 1 if slower else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("commit", help="what this tree is compared with")
    parser.add_argument("--share", type=float, default=0.05, help="how much slower is too slow (default 0.05)")
    parser.add_argument("--pairs", type=int, default=15, help="pairs of processes; 0 for instructions alone")
    parser.add_argument("--turns", type=int, default=5, help="turns of each job in a pair")
    parser.add_argument("--no-instructions", dest="instructions", action="store_false", help="do not count them")
    options = parser.parse_args()
    if 0 < options.pairs < FEWEST_ROUNDS:
        parser.error(f"--pairs: an interval takes {FEWEST_ROUNDS}")
    return options


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123 - a word of it is wanted
            return next(line.partition(": ")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def _times(found: Sequence[Compared]) -> list[str]:
    body = (
        (one.job, f"{one.before / 1e3:,.1f}", f"{one.after / 1e3:,.1f}",
         f"{one.speed.median:.3f} ({one.speed.low:.3f}-{one.speed.high:.3f})")
        for one in found
    )  # fmt: skip
    return table(1, ("job", "µs before", "µs after", "times as fast, 95 % interval"), body)


def _instructions(before: Version, after: Version) -> Iterator[str]:
    def rows() -> Iterator[tuple[str, ...]]:
        for task in _COUNTED:
            counts = [instructions.count(task, cwd=FOLDER, env=one.environment) for one in (before, after)]
            old, new = (0.0 if count is None else count for count in counts)
            yield task.job, f"{old:,.0f}", f"{new:,.0f}", f"{new - old:+,.0f}"

    yield from table(1, ("instructions a frame of 64 bytes", "before", "after", "change"), rows())


if __name__ == "__main__":
    sys.exit(main())

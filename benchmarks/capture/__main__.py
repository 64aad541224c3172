"""`python -m benchmarks.capture`: whole-capture jobs of this library and others, as tables in markdown, or JSON."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

import vxlanpkt
from benchmarks.capture.contenders import JOBS, Absent, Contender, contenders
from benchmarks.capture.memory import peaks
from benchmarks.capture.race import Key, Measured, check, race
from benchmarks.capture.tables import report
from benchmarks.capture.workshop import FOLDER, Workshop
from benchmarks.summary import cpu_name
from benchmarks.timing import FEWEST_ROUNDS

_PACKETS = 1_000_000
_LONG = 10_000_000


def main() -> None:
    """Run what is asked for, and print it."""
    options = _options()
    if options.rounds < FEWEST_ROUNDS:
        raise SystemExit(f"--rounds {options.rounds}: at least {FEWEST_ROUNDS} are needed for an interval")
    workshop = Workshop(options.folder)
    asked = [one for one in contenders(workshop) if one.job in (options.job or JOBS)]
    asked = [one for one in asked if one.name not in (options.without or ())]
    who = [one for one in asked if isinstance(one, Contender)]
    absent = [one for one in asked if isinstance(one, Absent)]
    for one in who:
        print(f"checking {one.job}: {one.name}", file=sys.stderr)
        check(one, workshop, options.packets)
    found = race(who, workshop, options.packets, options.rounds)
    memory = peaks(who, workshop, (options.packets, options.long)) if options.memory else {}
    size = workshop.capture(options.packets)[0].stat().st_size
    print(f"{cpu_name()}, {platform.system()}, {platform.python_implementation()} {platform.python_version()}.")
    print(f"vxlanpkt {vxlanpkt.__version__}, backend {vxlanpkt.backend}.")
    print(f"{options.packets:,} packets, {size:,} bytes. Medians of {options.rounds} interleaved rounds;", end=" ")
    print("ratios with the 95 % interval of the median.\n")
    print(report(found, absent, options.packets, memory))
    if options.json:
        _write_json(options.json, options.packets, found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default 7)")
    parser.add_argument("--packets", type=int, default=_PACKETS, help=f"in the capture (default {_PACKETS:,})")
    parser.add_argument("--job", action="append", choices=JOBS, help="only this job; may be repeated")
    parser.add_argument("--without", action="append", metavar="NAME", help="leave this contender out; may be repeated")
    parser.add_argument("--memory", action="store_true", help="peak memory too, on this capture and on a long one")
    parser.add_argument("--long", type=int, default=_LONG, help=f"packets in the long one (default {_LONG:,}, 4 GB)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where captures and programs are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    return parser.parse_args()


def _write_json(path: Path, packets: int, found: Mapping[Key, Measured]) -> None:
    text = {
        "cpu": cpu_name(),
        "python": platform.python_version(),
        "vxlanpkt": vxlanpkt.__version__,
        "backend": vxlanpkt.backend,
        "packets": packets,
        "records": [
            {"job": job, "contender": name, "cpu": measured.times, "peak": measured.peak}
            for (job, name), measured in found.items()
        ],
    }
    path.write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()

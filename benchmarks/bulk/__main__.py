"""`python -m benchmarks.bulk`: bulk work beside the floor, as tables in markdown, figures, or JSON."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path

import vxlanpkt
from benchmarks import floor
from benchmarks.bulk import fixed, grid, mixed, threads
from benchmarks.bulk.cell import Cell, Record, measure
from benchmarks.bulk.figures import figures
from benchmarks.bulk.goals import goals
from benchmarks.bulk.inputs import SIZES
from benchmarks.bulk.tables import report
from benchmarks.summary import cpu_name
from benchmarks.timing import FEWEST_ROUNDS

_SECTIONS = (grid.SECTION, fixed.SECTION, mixed.SECTION, threads.SECTION)


def main() -> None:
    """Run what is asked for, and print it."""
    options = _options()
    if options.rounds < FEWEST_ROUNDS:
        raise SystemExit(f"--rounds {options.rounds}: at least {FEWEST_ROUNDS} are needed for an interval")
    floor.lib.keep_freed_memory()
    arguments = fixed.Arguments(*options.arguments)
    records = [record for cell in _cells(options, arguments) for record in measure(cell, options.rounds)]
    print(f"{cpu_name()}, {platform.system()}, {platform.python_implementation()} {platform.python_version()}.")
    print(f"vxlanpkt {vxlanpkt.__version__}, backend {vxlanpkt.backend}.")
    print(f"Medians of {options.rounds} interleaved rounds; speeds with the 95 % interval of the median.\n")
    print(report(records, goals(arguments)))
    if options.json:
        _write_json(options.json, records)
    if options.svg:
        options.svg.mkdir(parents=True, exist_ok=True)
        for name, drawing in figures(records).items():
            (options.svg / f"{name}.svg").write_text(drawing)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=__doc__)
    parser.add_argument("--rounds", type=int, default=61, help="turns of each job (default 61)")
    parser.add_argument("--section", action="append", choices=_SECTIONS, help="only this part; may be repeated")
    parser.add_argument("--frames", action="append", choices=SIZES, help="only this frame size; may be repeated")
    parser.add_argument("--rows", action="append", type=int, help="this batch size instead; may be repeated")
    parser.add_argument("--arguments", type=int, nargs=2, choices=range(fixed.MOST_ARGUMENTS + 1),
                        default=fixed.Arguments(), metavar=("ENCAP", "DECAP"),
                        help="how many arguments the kernel's C functions take (default 7 6)")  # fmt: skip
    parser.add_argument("--svg", type=Path, metavar="DIR", help="draw the figures there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    return parser.parse_args()


def _cells(options: argparse.Namespace, arguments: fixed.Arguments) -> list[Cell]:
    """The cells of the sections asked for."""
    sections = options.section or _SECTIONS
    cells: list[Cell] = []
    if grid.SECTION in sections:
        cells += grid.cells(options.frames or SIZES, options.rows or grid.ROWS)
    if fixed.SECTION in sections:
        cells += fixed.cells(arguments)
    if mixed.SECTION in sections:
        cells += mixed.cells()
    if threads.SECTION in sections:
        cells += threads.cells()
    return cells


def _write_json(path: Path, records: Sequence[Record]) -> None:
    found = {
        "cpu": cpu_name(),
        "python": platform.python_version(),
        "vxlanpkt": vxlanpkt.__version__,
        "backend": vxlanpkt.backend,
        "records": [record._asdict() for record in records],
    }
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""The drawings of the house: every package is there, and every arrow points down, as the imports do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from house import BUILD, HOUSE, MODULES, ROOT, modules_of, packages_below, reduced, storeys_below
from storeys import drawing

SVG = "{http://www.w3.org/2000/svg}"
Below = dict[str, set[str]]

both_drawings = pytest.mark.parametrize(
    "below_of", [storeys_below, lambda: packages_below("overlay")], ids=["house", "overlay"]
)


def drawn(below: Below) -> ElementTree.Element:
    return ElementTree.fromstring(drawing(reduced(below), "a title", lambda _: False, lambda name: f"#{name}"))


def tops_of_boxes(svg: ElementTree.Element) -> dict[str, float]:
    """How far down each box begins."""
    boxes = list(svg.iter(f"{SVG}a"))
    return {str(box.findtext(f"{SVG}text")): float(box.findall(f"{SVG}rect")[0].attrib["y"]) for box in boxes}


def arrows(svg: ElementTree.Element) -> list[tuple[str, str, list[float]]]:
    """From whom, to whom, and how far down each piece of the line ends."""
    lines = [line.attrib for line in svg.iter(f"{SVG}path") if line.attrib["class"] == "arrow"]
    ends = re.compile(r"(?:M\S+ |C\S+ \S+ \S+ \S+ \S+ |V)(\S+)")
    return [(line["data-from"], line["data-to"], [float(y) for y in ends.findall(line["d"])]) for line in lines]


def all_below(name: str, below: Below) -> set[str]:
    return below[name].union(*(all_below(each, below) for each in below[name]))


def test_every_module_has_a_storey() -> None:
    """One, and no other; and a storey has no module that is gone."""
    placed = [module for storey in HOUSE for module in modules_of(storey)]
    assert sorted(placed) == sorted(set(MODULES) - BUILD - {""})
    assert {part for storey in HOUSE for part in storey.parts} <= set(MODULES)


@both_drawings
def test_every_package_is_drawn(below_of: Callable[[], Below]) -> None:
    below = below_of()
    assert len(below) > 7
    assert tops_of_boxes(drawn(below)).keys() == below.keys()


@both_drawings
def test_every_arrow_points_down(below_of: Callable[[], Below]) -> None:
    """From the bottom of one box to the top of one that is lower, and never up on its way."""
    svg = drawn(below_of())
    tops = tops_of_boxes(svg)
    for above, below, ends in arrows(svg):
        assert tops[above] < ends[0], above
        assert ends == sorted(ends), (above, below)
        assert ends[-1] == tops[below], (above, below)


@both_drawings
def test_arrows_are_the_imports(below_of: Callable[[], Below]) -> None:
    """What is above what by way of arrows is so by way of imports, and no arrow follows from others."""
    below = below_of()
    found: Below = {name: set() for name in below}
    for above, target, _ in arrows(drawn(below)):
        found[above].add(target)
    for name, targets in found.items():
        assert all_below(name, found) == all_below(name, below)
        assert targets <= below[name]
        for target in targets:
            assert not any(target in all_below(other, found) for other in targets), (name, target)


@both_drawings
def test_nothing_is_outside_of_the_drawing(below_of: Callable[[], Below]) -> None:
    svg = drawn(below_of())
    left, _, width, height = map(float, svg.attrib["viewBox"].split())
    for rect in svg.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        assert left <= x and x + wide <= left + width and y >= 0 and y + high <= height


def test_files_that_the_design_names_are_there() -> None:
    design = Path(__file__).parents[2] / "docs" / "design.md"
    files = {f"/{path.relative_to(ROOT).as_posix()}" for path in ROOT.rglob("*.*")}
    named = set(re.findall(r"`([\w/]+\.(?:py|h|c))`", design.read_text(encoding="utf-8"))) - {"Python.h"}
    assert len(named) > 9
    assert [name for name in named if not any(file.endswith(f"/{name}") for file in files)] == []

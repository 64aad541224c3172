"""Draws what stands on what as SVG: a box for each name, rows by what is below, arrows that all point down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import permutations

BOX_WIDTH, BOX_HEIGHT, GAP, ROW_HEIGHT = 106, 32, 12, 66
_PASSING = 14  # the width of what passes a row on its way to one below
_SWEEPS = 8
_LARGEST = 1.15  # as it is shown where there is room

# Furo's colours follow the reader's choice of light or dark; other viewers have that of the system.
STYLE = """<style>
.house{width:100%;height:auto;display:block;margin:1rem auto;color:var(--color-foreground-primary,CanvasText)}
.house a{color:inherit;text-decoration:none}
.house text{font:600 13px system-ui,sans-serif;fill:currentColor;text-anchor:middle}
.house rect{fill:var(--color-background-secondary,Canvas);stroke:currentColor;stroke-opacity:.45}
.house .wing rect{stroke:var(--color-brand-primary,currentColor);stroke-opacity:1;stroke-width:1.5}
.house path{fill:none;stroke:currentColor;stroke-opacity:.55;stroke-width:1.3}
.house path.head{fill:currentColor;fill-opacity:.7;stroke:none}
</style>"""

_Place = tuple[str, int]  # a name in a row: its own, or one that an arrow from it passes
_Edge = tuple[_Place, _Place]


def heights(below: Mapping[str, set[str]]) -> dict[str, int]:
    """The row of each name, counted from the ground: one above the highest of what is below it."""
    found: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in found:
            found[name] = 1 + max((height(each) for each in below[name]), default=-1)
        return found[name]

    for name in below:
        height(name)
    return found


def drawing(
    below: Mapping[str, set[str]], title: str, is_wing: Callable[[str], bool], link: Callable[[str], str]
) -> str:
    """The drawing; *below* has no name that stands on itself by way of others."""
    rows, edges = _rows(below)
    across = _arranged(rows, edges)
    width = max(map(_width, rows)) + 4
    height = len(rows) * ROW_HEIGHT - ROW_HEIGHT + BOX_HEIGHT + 4
    top = {row: (len(rows) - 1 - row) * ROW_HEIGHT + 2 for row in range(len(rows))}
    boxes = [_box(name, across[name, row], top[row], is_wing(name), link(name)) for name, row in heights(below).items()]
    arrows = _arrows(below, across, edges, top)
    view = f"{-width / 2:g} 0 {width} {height}"
    return "\n".join((
        f'<svg class="house" xmlns="http://www.w3.org/2000/svg" viewBox="{view}" role="img"'
        f' style="max-width:{width * _LARGEST:g}px">',
        f"<title>{escape(title)}</title>", STYLE, *arrows, *boxes, "</svg>",
    ))  # fmt: skip


def _rows(below: Mapping[str, set[str]]) -> tuple[list[list[_Place]], list[_Edge]]:
    """The places of each row, from the ground up, and the edges between neighbouring rows."""
    height = heights(below)
    rows: list[list[_Place]] = [[] for _ in range(1 + max(height.values()))]
    edges = []
    for name, row in height.items():
        rows[row].append((name, row))
    for name, found in below.items():
        for target in sorted(found):
            upper = (name, height[name])
            for row in range(height[name] - 1, height[target], -1):
                passing = (f"{name}>{target}", row)
                rows[row].append(passing)
                edges.append((upper, passing))
                upper = passing
            edges.append((upper, (target, height[target])))
    return rows, edges


def _arranged(rows: list[list[_Place]], edges: list[_Edge]) -> dict[_Place, float]:
    """Where across its row each place is: in each row the order in which its edges are shortest."""
    across: dict[_Place, float] = {}
    for row in rows:
        across.update(_spread(row))
    for _ in range(_SWEEPS):
        for row in (*rows, *reversed(rows)):
            own = set(row)
            here = [edge for edge in edges if own & set(edge)]

            def length(order: Sequence[_Place], here: list[_Edge] = here) -> float:
                found = {**across, **_spread(order)}
                return sum((found[upper] - found[lower]) ** 2 for upper, lower in here)

            across.update(_spread(min(permutations(sorted(row)), key=length)))
    return across


def _width(row: Sequence[_Place]) -> int:
    return sum(_width_of(place) for place in row) + GAP * (len(row) - 1)


def _width_of(place: _Place) -> int:
    return _PASSING if ">" in place[0] else BOX_WIDTH


def _spread(row: Sequence[_Place]) -> dict[_Place, float]:
    """The middle of each place, in this order around the middle of the drawing, which is 0."""
    at = -_width(row) / 2
    found = {}
    for place in row:
        found[place] = at + _width_of(place) / 2
        at += _width_of(place) + GAP
    return found


def _arrows(
    below: Mapping[str, set[str]], across: Mapping[_Place, float], edges: list[_Edge], top: Mapping[int, float]
) -> list[str]:
    ends = _ends(across, edges)
    after = {}
    for edge in edges:
        after[edge[0], _arrow_of(edge)] = edge
    drawn = []
    for name, row in heights(below).items():
        for target in sorted(below[name]):
            place: _Place = (name, row)
            x, y = ends[after[place, (name, target)]][0], top[row] + BOX_HEIGHT
            path = [f"M{x:.1f} {y:.1f}"]
            while place[0] != target:
                edge = after[place, (name, target)]
                place = edge[1]
                x_next, y_next = ends[edge][1], top[place[1]]
                middle = (y + y_next) / 2
                path.append(f"C{x:.1f} {middle:.1f} {x_next:.1f} {middle:.1f} {x_next:.1f} {y_next:.1f}")
                x, y = x_next, y_next
                if place[0] != target:  # straight on, past the row
                    y += BOX_HEIGHT
                    path.append(f"V{y:.1f}")
            drawn.append(f'<path class="arrow" data-from="{name}" data-to="{target}" d="{" ".join(path)}"/>')
            drawn.append(f'<path class="head" d="M{x:.1f} {y:.1f}l-4 -7h8z"/>')
    return drawn


def _arrow_of(edge: _Edge) -> tuple[str, str]:
    """The arrow that an edge is a piece of: from whom, to whom."""
    upper, lower = edge[0][0], edge[1][0]
    return upper.partition(">")[0], lower.rpartition(">")[2]


def _ends(across: Mapping[_Place, float], edges: list[_Edge]) -> dict[_Edge, tuple[float, float]]:
    """Where each edge leaves and arrives: several at one box stand beside each other, in the order of their others."""
    found = {edge: [across[edge[0]], across[edge[1]]] for edge in edges}
    for end, other in ((0, 1), (1, 0)):
        for place in {edge[end] for edge in edges}:
            here = sorted((edge for edge in edges if edge[end] == place), key=lambda edge: across[edge[other]])
            for number, edge in enumerate(here):
                found[edge][end] += BOX_WIDTH * ((number + 1) / (len(here) + 1) - 0.5)
    return {edge: (upper, lower) for edge, (upper, lower) in found.items()}


def _box(name: str, x: float, y: float, is_wing: bool, link: str) -> str:
    kind = "box wing" if is_wing else "box"
    return (
        f'<a class="{kind}" href="{escape(link)}"><rect x="{x - BOX_WIDTH / 2:.1f}" y="{y:.1f}" width="{BOX_WIDTH}"'
        f' height="{BOX_HEIGHT}" rx="5"/><text x="{x:.1f}" y="{y + 21:.1f}">{escape(name)}</text></a>'
    )

"""Two kinds of chart as SVG, on logarithmic scales: bars to both sides of 1, and lines. Readable on light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

_WIDTH = 760
_LEFT, _RIGHT, _TOP, _BOTTOM = 240, 24, 64, 48
_BAR, _GAP = 11, 10
_LINES_HEIGHT = 420
_COLOURS = ("#4c8dd6", "#d9822b", "#3f9e5a", "#b55fb0", "#c94f4f", "#8a8f98")
_STYLE = (
    "text{font:12px sans-serif;fill:#333}.title{font-size:15px;font-weight:bold}.grid{stroke:#8886;fill:none}"
    ".axis{stroke:#888;fill:none}@media(prefers-color-scheme:dark){text{fill:#ccc}}"
)

Points = Sequence[tuple[float, float]]


class _Scale(NamedTuple):
    """A logarithmic axis: values from *low* to *high* on pixels from *start* to *end*."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """The powers of ten, with 2 and 5 times them where there is room."""
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1, 2, 5) if len(exponents) <= 4 else (1,)
        found = [step * 10.0**exponent for exponent in exponents for step in steps]
        return [tick for tick in found if self.low <= tick <= self.high * 1.001]


def bars(title: str, axis: str, values: Mapping[str, Mapping[str, float]]) -> str:
    """Groups of horizontal bars from 1 to each value, a group for each key and a colour for each key inside."""
    series = list(dict.fromkeys(name for group in values.values() for name in group))
    step = len(series) * _BAR + _GAP
    bottom = _TOP + step * len(values)
    every = [value for group in values.values() for value in group.values()]
    scale = _Scale(min(0.5, *every) / 1.2, max(2, *every) * 1.2, _LEFT, _WIDTH - _RIGHT)
    parts = [*_vertical_grid(scale, _TOP, bottom), _axis_name(axis, bottom), *_legend(series)]
    for number, (label, group) in enumerate(values.items()):
        top = _TOP + number * step + _GAP / 2
        parts.append(_text(_LEFT - 8, top + len(series) * _BAR / 2 + 4, label, "end"))
        for name, value in group.items():
            y = top + series.index(name) * _BAR
            parts.append(_bar(scale(1), scale(value), y, series.index(name), f"{label}, {name}: {value:.3g}"))
    parts.append(_line("axis", scale(1), _TOP, scale(1), bottom))
    return _document(title, bottom + _BOTTOM, parts)


def lines(title: str, x_axis: str, y_axis: str, series: Mapping[str, Points]) -> str:
    """A line for each series through its points."""
    bottom = _LINES_HEIGHT - _BOTTOM
    left = 64
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    across = _Scale(min(xs), max(xs) * 1.2, left, _WIDTH - _RIGHT)
    up = _Scale(min(ys) / 1.5, max(ys) * 1.5, bottom, _TOP)
    parts = [*_vertical_grid(across, _TOP, bottom, sorted(set(xs))), _axis_name(x_axis, bottom), *_legend(list(series))]
    for tick in up.ticks:
        parts.append(_line("grid", left, up(tick), _WIDTH - _RIGHT, up(tick)))
        parts.append(_text(left - 6, up(tick) + 4, _number(tick), "end"))
    parts.append(f'<g transform="translate(16 {(_TOP + bottom) / 2:.0f}) rotate(-90)">{_text(0, 0, y_axis)}</g>')
    for number, points in enumerate(series.values()):
        parts.extend(_path([(across(x), up(y)) for x, y in points], number))
    return _document(title, _LINES_HEIGHT, parts)


def _document(title: str, height: float, parts: Iterable[str]) -> str:
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="{_WIDTH / 2:.0f}" y="22" text-anchor="middle">{escape(title)}</text>',
        *parts,
        "</svg>\n",
    ))  # fmt: skip


def _vertical_grid(scale: _Scale, top: float, bottom: float, ticks: Sequence[float] = ()) -> Iterable[str]:
    for tick in ticks or scale.ticks:
        yield _line("grid", scale(tick), top, scale(tick), bottom)
        yield _text(scale(tick), bottom + 16, _number(tick))


def _legend(names: Sequence[str]) -> Iterable[str]:
    width = (_WIDTH - 2 * _RIGHT) / len(names)
    for number, name in enumerate(names):
        x = _RIGHT + number * width
        yield f'<rect x="{x:.1f}" y="38" width="11" height="11" fill="{_COLOURS[number]}"/>'
        yield _text(x + 16, 48, name, "start")


def _axis_name(name: str, bottom: float) -> str:
    return _text(_WIDTH / 2, bottom + 36, name)


def _bar(one: float, end: float, y: float, colour: int, told: str) -> str:
    x, width = min(one, end), abs(end - one)
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_BAR - 1}" fill="{_COLOURS[colour]}">'
        f"<title>{escape(told)}</title></rect>"
    )


def _path(points: Points, colour: int) -> Iterable[str]:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{joined}" fill="none" stroke="{_COLOURS[colour]}" stroke-width="2"/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_COLOURS[colour]}"/>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"

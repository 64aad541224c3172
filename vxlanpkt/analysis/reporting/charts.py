"""Traffic over time as SVG: bars of VNIs on each other; and the list that says which colour is whose."""

from __future__ import annotations

from collections.abc import Iterator

from vxlanpkt.analysis.findings import Series, Timeline
from vxlanpkt.analysis.reporting.pieces import Piece, tag
from vxlanpkt.analysis.reporting.wording import moment, number, size, span, steps
from vxlanpkt.analysis.words import counted

_WIDTH, _HEIGHT = 960, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 40, 12, 34
_SECOND = 1_000_000_000
_REST = "rest"
_SMALL_WIDTH, _SMALL_HEIGHT = 200, 40


def chart(timeline: Timeline) -> Piece:
    """The bars, their axes, and what each bar says when somebody points at it."""
    buckets = len(timeline.series[0].bytes)
    sums = [sum(series.bytes[at] for series in timeline.series) for at in range(buckets)]
    scale = _Scale(buckets, max(sums), timeline.width_ns)
    label = f"Bits per second inside the tunnels, by VNI, in {counted(buckets, 'interval')}"
    picture = tag(
        "svg", *_rates(scale), *_times(scale, timeline), *_bars(timeline, scale), *_hints(timeline, scale, sums),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=label,
    )  # fmt: skip
    return tag("div", picture, class_="scroll chart", tabindex=0, role="region", aria_label=label)


def small_charts(timeline: Timeline) -> Piece:
    """Each series by itself, all on one scale: what lies on others in the large picture is hard to compare."""
    if len(timeline.series) < 2:
        return Piece("")
    named = [(at, series) for at, series in enumerate(timeline.series) if series.vni is not None]
    most = max(max(series.bytes) for _, series in named) or 1
    per_second = 8 * _SECOND / timeline.width_ns
    return tag("ul", *(_small_chart(at, series, most, per_second) for at, series in named), class_="smalls")


def _small_chart(at: int, series: Series, most: int, per_second: float) -> Piece:
    wide = _SMALL_WIDTH / len(series.bytes)
    bars = "".join(
        f"M{bucket * wide:.1f} {_SMALL_HEIGHT}v{-_SMALL_HEIGHT * octets / most:.1f}h{wide:.1f}V{_SMALL_HEIGHT}z"
        for bucket, octets in enumerate(series.bytes) if octets
    )  # fmt: skip
    told = f"VNI {series.vni}, up to {size(max(series.bytes) * per_second, 'bit/s')}"
    picture = tag("svg", tag("path", d=bars, class_=f"c{at}"), viewBox=f"0 0 {_SMALL_WIDTH} {_SMALL_HEIGHT}",
                  preserveAspectRatio="none", role="img", aria_label=told)  # fmt: skip
    return tag("li", picture, tag("small", told))


def legend(timeline: Timeline) -> Piece:
    """Which colour is which VNI."""
    entries = []
    for at, series in enumerate(timeline.series):
        swatch = tag("svg", tag("rect", width=12, height=12, rx=2, class_=_colour(series, at)), class_="swatch",
                     viewBox="0 0 12 12", aria_hidden="true")  # fmt: skip
        entries.append(tag("li", swatch, name_of(series, timeline), " ", tag("small", size(sum(series.bytes)))))
    return tag("ul", *entries, class_="legend")


def name_of(series: Series, timeline: Timeline) -> str:
    """What a series is called."""
    return f"VNI {series.vni}" if series.vni is not None else f"{counted(timeline.others, 'other VNI')} together"


def _colour(series: Series, at: int) -> str:
    return f"c{at}" if series.vni is not None else _REST


class _Scale:
    """Where times and rates lie in the picture."""

    def __init__(self, buckets: int, most: int, width_ns: int) -> None:
        self.buckets = buckets
        self.step = (_WIDTH - _LEFT - _RIGHT) / buckets
        self.per_second = 8 * _SECOND / width_ns
        self.ticks = list(_ticks(most * self.per_second))
        self.top = max(self.ticks[-1], most * self.per_second) or 1

    def x(self, bucket: float) -> float:
        return round(_LEFT + bucket * self.step, 2)

    def y(self, rate: float) -> float:
        return round(_HEIGHT - _BOTTOM - rate / self.top * (_HEIGHT - _TOP - _BOTTOM), 2)


def _ticks(most: float) -> Iterator[float]:
    """Round numbers from 0 on, until the last one is no less than the highest bar."""
    step = 1.0
    while step * 5 < most:
        step *= 2.5 if f"{step:e}"[0] == "2" else 2
    at = 0.0
    yield at
    while at < most:
        at += step
        yield at


def _rates(scale: _Scale) -> Iterator[Piece]:
    for rate in scale.ticks:
        y = scale.y(rate)
        yield tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid")
        yield tag("text", size(rate, "bit/s").replace(".0 ", " "), x=_LEFT - 8, y=y + 4, text_anchor="end")


def _times(scale: _Scale, timeline: Timeline) -> Iterator[Piece]:
    """Some of the intervals' beginnings, as the time since that of the first."""
    every = -(-scale.buckets // 6)
    shown = range(0, scale.buckets, every)
    for bucket, told in zip(shown, steps(every * timeline.width_ns, len(shown)), strict=True):
        x = scale.x(bucket)
        yield tag("line", x1=x, x2=x, y1=_HEIGHT - _BOTTOM, y2=_HEIGHT - _BOTTOM + 5, class_="grid")
        yield tag("text", told, x=x, y=_HEIGHT - 10, text_anchor="middle")


def _bars(timeline: Timeline, scale: _Scale) -> Iterator[Piece]:
    """One path for each VNI; each interval's bar stands on that of the VNI before."""
    base = [0.0] * scale.buckets
    wide = round(max(scale.step - (1 if scale.step > 4 else 0.2), 0.5), 2)
    for at, series in enumerate(timeline.series):
        moves = []
        for bucket, octets in enumerate(series.bytes):
            if not octets:
                continue
            low, high = scale.y(base[bucket]), scale.y(base[bucket] + octets * scale.per_second)
            base[bucket] += octets * scale.per_second
            moves.append(f"M{scale.x(bucket)} {low}V{high}h{wide}V{low}z")
        if moves:
            yield tag("path", d="".join(moves), class_=_colour(series, at))


def _hints(timeline: Timeline, scale: _Scale, sums: list[int]) -> Iterator[Piece]:
    """Over each interval an area that says what is in it."""
    for bucket, total in enumerate(sums):
        if not total:
            continue
        packets = sum(series.packets[bucket] for series in timeline.series)
        lines = [f"{moment(timeline.start_ns + bucket * timeline.width_ns)}, {span(timeline.width_ns)}"]
        lines.append(f"{size(total * scale.per_second, 'bit/s')}, {number(packets)} packets, {size(total)}")
        lines += [
            f"{name_of(series, timeline)}: {size(series.bytes[bucket])}"
            for series in timeline.series if series.bytes[bucket]
        ]  # fmt: skip
        area = tag("rect", x=scale.x(bucket), y=_TOP, width=round(scale.step, 2), height=_HEIGHT - _TOP - _BOTTOM)
        yield tag("g", tag("title", "\n".join(lines)), area, class_="hint")

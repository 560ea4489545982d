"""Charts as SVG, drawn here: bars, columns, a waterfall, a matrix, lines.

A chart is drawn in classes, not colours. Inline in a page the page's style sheet colours it, for light and dark; as
an image it brings a light card of its own and fixed colours, for a viewer whose background nobody knows.
"""

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from loyalty.reports.formats import NOTHING, short

WIDTH = 640
TITLE = 32  # height of an image's title
BAR = 22  # thickness of a bar
CHARACTER = 7.0  # width of a character of the labels, on average, generously

# class of the page's style sheet -> what it is in an image
IMAGE_STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;fill:#3d3d3a}"
    ".strong{font-weight:600;fill:#141413}.quiet{fill:#73726c}.onfill{fill:#fff;font-weight:600}"
    ".grid{stroke:#e8e6dc}.axis{stroke:#a8a69c}.link{stroke:#a8a69c;stroke-dasharray:2 3}"
    ".a{fill:#2f6fc4}.b{fill:#d8703a}.c{fill:#8a5cc7}.n{fill:#9b998f}.pale{fill:#a9c6ec}"
    ".la{stroke:#2f6fc4}.lb{stroke:#d8703a}.la,.lb{stroke-width:2.5;fill:none;stroke-linejoin:round}"
)


@dataclass(frozen=True)
class Chart:
    """A drawing with its text alternative: `title` names it, `description` tells what it shows."""

    title: str
    description: str
    height: float
    body: str
    width: float = WIDTH

    def inline(self) -> str:
        """As part of a page, whose style sheet colours it and whose caption has the title."""
        return self._svg('class="chart" ', self.height, self.body)

    def image(self) -> str:
        """As a data URI that stands alone: on a light card, below its title."""
        height = self.height + TITLE
        inner = f'x=".5" y=".5" width="{self.width - 1:g}" height="{height - 1:g}"'
        drawn = (
            f'<style>{IMAGE_STYLE}</style><rect {inner} rx="8" fill="#fff" stroke="#e8e6dc"/>'
            f'{_text(16, 26, self.title, "strong")}<g transform="translate(0 {TITLE})">{self.body}</g>'
        )
        svg = self._svg(f'width="{self.width:g}" height="{height:g}" ', height, drawn)
        return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()

    def _svg(self, attributes: str, height: float, drawn: str) -> str:
        told = escape(f"{self.title}. {self.description}")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}viewBox="0 0 {self.width:g} {height:g}" '
            f'role="img" aria-label="{told}">{drawn}</svg>'
        )


@dataclass(frozen=True)
class Bar:
    """A row of a bar chart: parts side by side in one bar, each (value, class); `shown` is written at its end."""

    label: str
    parts: tuple[tuple[int, str], ...]
    shown: str


@dataclass(frozen=True)
class Step:
    """A column of a waterfall: a change that goes on from where the one before ended, or a level from zero."""

    label: str
    value: int
    shown: str
    level: bool = False


def bars(title: str, rows: Sequence[Bar], legend: Sequence[tuple[str, str]] = ()) -> Chart:
    """Horizontal bars; a value below zero has none. `legend` is (class, text) of each part.

    A row without a label belongs to the row above it.
    """
    left = 24 + CHARACTER * max([6, *(len(row.label) for row in rows)])
    right = 24 + CHARACTER * max([6, *(len(row.shown) for row in rows)])
    longest = max([1, *(sum(max(0, value) for value, _ in row.parts) for row in rows)])
    scale = (WIDTH - left - right) / longest
    drawn, top = _legend(legend, left)
    for row in rows:
        top += 12 if row.label else 3
        drawn += _text(left - 10, top + BAR / 2 + 4, row.label, "strong", "end")
        at = left
        for value, style in row.parts:
            drawn += _rect(at, top, max(0, value) * scale, BAR, style, round_right=True)
            at += max(0, value) * scale + (2 if value > 0 else 0)
        drawn += _text(at + 6, top + BAR / 2 + 4, row.shown, "")
        top += BAR
    drawn += _line(left, 30 if legend else 8, left, top + 4, "axis")
    told = "; ".join(f"{row.label} {row.shown}".strip() for row in rows)
    return Chart(title, told, top + 16, drawn)


def columns(title: str, labels: Sequence[str], values: Sequence[int | None], show: Callable[[int], str]) -> Chart:
    """Vertical bars over months, the last one marked; a missing value leaves a gap."""
    plot = _Plot([0, *(value for value in values if value is not None)])
    drawn = plot.grid()
    pitch = (WIDTH - plot.left - 20) / max(1, len(values))
    wide = min(34, pitch - 8)
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        middle = plot.left + pitch * (place + 0.5)
        newest = place == len(values) - 1
        drawn += _text(middle, plot.bottom + 20, label, "strong" if newest else "quiet", "middle")
        if value is None:
            continue
        high, low = plot.y(max(value, 0)), plot.y(min(value, 0))
        drawn += _rect(middle - wide / 2, high, wide, low - high, "a" if newest else "pale")
        if newest:
            drawn += _text(middle, high - 6, show(value), "strong", "middle")
    told = _told(labels, values, show)
    return Chart(title, told, plot.bottom + 34, drawn + plot.zero())


def waterfall(title: str, steps: Sequence[Step]) -> Chart:
    """How changes lead from one level to another."""
    ends: list[tuple[int, int]] = []
    for step in steps:
        start = 0 if step.level or not ends else ends[-1][1]
        ends.append((start, start + step.value))
    plot = _Plot([0, *(end for pair in ends for end in pair)])
    drawn = plot.grid()
    pitch = (WIDTH - plot.left - 20) / max(1, len(steps))
    wide = min(72, pitch * 0.62)
    for place, (step, (start, end)) in enumerate(zip(steps, ends, strict=True)):
        middle = plot.left + pitch * (place + 0.5)
        high, low = plot.y(max(start, end)), plot.y(min(start, end))
        style = "n" if step.level else "a" if step.value >= 0 else "b"
        drawn += _rect(middle - wide / 2, high, wide, max(1.5, low - high), style)
        drawn += _text(middle, high - 7, step.shown, "strong", "middle")
        drawn += _text(middle, plot.bottom + 20, step.label, "", "middle")
        if place < len(steps) - 1:
            drawn += _line(middle + wide / 2, plot.y(end), middle + pitch - wide / 2, plot.y(end), "link")
    told = ", ".join(f"{step.label} {step.shown}" for step in steps)
    return Chart(title, told, plot.bottom + 34, drawn + plot.zero())


def matrix(title: str, names: Sequence[str], counts: Sequence[Sequence[int]], show: Callable[[int], str]) -> Chart:
    """Counts of moves from a row's tier to a column's: up in one colour, down in another, the deeper the more.

    Those who stay are grey, since they are nearly all.
    """
    left = 34 + CHARACTER * max([6, *(len(name) for name in names)])
    wide = min(140.0, (WIDTH - left - 16) / max(1, len(names)))
    tall, top = 44, 52
    moved = max([1, *(n for row, line in enumerate(counts) for column, n in enumerate(line) if row != column)])
    drawn = _text(left, 20, "after", "quiet") + _text(left - 12, top - 10, "before", "quiet", "end")
    for row, name in enumerate(names):
        drawn += _text(left + wide * (row + 0.5), top - 10, name, "strong", "middle")
        drawn += _text(left - 12, top + tall * (row + 0.5) + 4, name, "strong", "end")
        for column, count in enumerate(counts[row]):
            strength = 0.3 if row == column else math.sqrt(count / moved)
            style = "n" if row == column else "a" if column > row else "b"
            place = (left + wide * column, top + tall * row, wide, tall)
            drawn += _cell(place, style, strength, show(count))
    told = "; ".join(
        f"{names[row]} to {names[column]} {show(count)}"
        for row, line in enumerate(counts)
        for column, count in enumerate(line)
        if count
    )
    return Chart(title, told or "no member", top + tall * len(names) + 16, drawn)


def lines(
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, str, Sequence[int | None]]],
    show: Callable[[int], str],
    axis: Callable[[float], str] = short,
) -> Chart:
    """Values over months; each series is (class, name, values), named at its end. A missing value leaves a gap."""
    plot = _Plot([0, *(value for _, _, values in series for value in values if value is not None)], axis)
    right = 24 + CHARACTER * max([4, *(len(name) for _, name, _ in series)])
    pitch = (WIDTH - plot.left - right) / max(1, len(labels))
    drawn = plot.grid(WIDTH - right)
    for place, label in enumerate(labels):
        style = "strong" if place == len(labels) - 1 else "quiet"
        drawn += _text(plot.left + pitch * (place + 0.5), plot.bottom + 20, label, style, "middle")
    ends: list[tuple[float, float, str]] = []
    for style, name, values in series:
        points = [
            None if value is None else (plot.left + pitch * (place + 0.5), plot.y(value))
            for place, value in enumerate(values)
        ]
        for one, other in pairwise(points):
            if one and other:
                drawn += _line(*one, *other, f"l{style}")
        drawn += "".join(
            f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in filter(None, points)
        )
        ends += [(y + 4, x + 10, name) for x, y in filter(None, reversed(points))][:1]
    lowest = 0.0
    for y, x, name in sorted(ends):  # names of lines that end close together are kept apart
        lowest = max(lowest + 14, y)
        drawn += _text(x, lowest, name, "strong")
    told = "; ".join(f"{name}: {_told(labels, values, show)}" for _, name, values in series)
    return Chart(title, told, plot.bottom + 34, drawn + plot.zero(WIDTH - right))


class _Plot:
    """The field of a chart with a vertical scale: its ticks, and where a value lies."""

    bottom = 220.0
    top = 30.0

    def __init__(self, values: Sequence[int], axis: Callable[[float], str] = short) -> None:
        """Take all values that must fit, zero among them, and how the axis writes them."""
        self.ticks = _ticks(min(values), max(values))
        self.axis = axis
        self.left = 20 + CHARACTER * max(len(axis(tick)) for tick in self.ticks)

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def grid(self, right: float = WIDTH - 20) -> str:
        return "".join(
            _line(self.left, self.y(tick), right, self.y(tick), "grid")
            + _text(self.left - 8, self.y(tick) + 4, self.axis(tick), "quiet", "end")
            for tick in self.ticks
        )

    def zero(self, right: float = WIDTH - 20) -> str:
        return _line(self.left, self.y(0), right, self.y(0), "axis")


def _ticks(low: int, high: int) -> list[float]:
    """Three to six round values that span the range."""
    rough = max(1, high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    step = max(1, step)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * tick for tick in range(first, max(last, first + 1) + 1)]


def _told(labels: Sequence[str], values: Sequence[int | None], show: Callable[[int], str]) -> str:
    pairs = zip(labels, values, strict=True)
    return ", ".join(f"{label} {NOTHING if value is None else show(value)}" for label, value in pairs)


def _legend(legend: Sequence[tuple[str, str]], left: float) -> tuple[str, float]:
    """The legend's drawing and where the chart below it begins."""
    drawn, at = "", left
    for style, text in legend:
        drawn += _rect(at, 11, 12, 12, style) + _text(at + 18, 21, text, "")
        at += 42 + CHARACTER * len(text)
    return drawn, 28.0 if legend else 4.0


def _cell(place: tuple[float, float, float, float], style: str, strength: float, shown: str) -> str:
    """One field of the matrix at (x, y, width, height): the weaker, the paler."""
    x, y, wide, tall = place
    text = "onfill" if strength > 0.55 else "strong" if strength else "quiet"
    return (
        f'<rect class="{style}" x="{x + 1:.1f}" y="{y + 1:.1f}" width="{wide - 2:.1f}" height="{tall - 2:.1f}" rx="4" '
        f'fill-opacity="{0.06 + 0.94 * strength:.2f}"/>' + _text(x + wide / 2, y + tall / 2 + 4, shown, text, "middle")
    )


def _rect(x: float, y: float, wide: float, tall: float, style: str, *, round_right: bool = False) -> str:
    if wide <= 0 or tall <= 0:
        return ""
    radius = 3 if round_right and wide > 6 else 2 if tall > 4 else 0
    return f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" rx="{radius}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    if not text:
        return ""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'

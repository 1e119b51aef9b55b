"""Charts of figures with their intervals, as SVG without styles or scripts of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

from pokewatch.gateway.web.charts import nice_ticks

WIDTH, HEIGHT = 720, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 16, 64, 12, 28
_MOST_LABELS = 8


@dataclass(frozen=True, slots=True)
class Dot:
    """A figure at `x`, from 0 to 1, with its interval, or None where it has none.

    `name` is its CSS class, which also sets its shape.
    """

    x: float
    value: float
    low: float | None = None
    high: float | None = None
    name: str = "market"


@dataclass(frozen=True, slots=True)
class DotChart:
    """A chart of dots. `labels` are below, at their x; the reference runs from (0, a) to (1, b).

    Values are percentages with `percent`.
    """

    title: str
    dots: Sequence[Dot]
    labels: Sequence[tuple[float, str]]
    reference: tuple[float, float]
    percent: bool = False


def dot_svg(chart: DotChart) -> str:
    """Return the chart as an SVG element, a note in its place if it has no dots."""
    if not chart.dots:
        return '<p class="empty">There is nothing to show yet.</p>'
    values = [
        value for dot in chart.dots for value in (dot.value, dot.low, dot.high) if value is not None
    ]
    ticks = nice_ticks(min(*values, *chart.reference), max(*values, *chart.reference))
    start, end = (_y(value, ticks) for value in chart.reference)
    parts = [
        f'<svg class="chart dots" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(chart.title)}">',
        *_axes(chart, ticks),
        f'<path class="reference" d="M{_LEFT} {start:.1f}L{WIDTH - _RIGHT} {end:.1f}"/>',
        *(part for dot in chart.dots for part in _dot(dot, ticks)),
        "</svg>",
    ]
    return "".join(parts)


def spread_labels(texts: Sequence[str]) -> list[tuple[float, str]]:
    """Return labels at even places, at most as many as fit."""
    step = -(-len(texts) // _MOST_LABELS) or 1
    return [(place(at, len(texts)), text) for at, text in enumerate(texts) if at % step == 0]


def place(at: int, count: int) -> float:
    """Return the x of the one of `count` figures side by side."""
    return (at + 0.5) / count


def _axes(chart: DotChart, ticks: Sequence[float]) -> Iterator[str]:
    right, base = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    step = (ticks[1] - ticks[0]) * (100 if chart.percent else 1)
    decimals = max(0, min(3, -floor(log10(step)))) if step < 1 else 0
    for tick in ticks:
        y = _y(tick, ticks)
        text = f"{100 * tick:z.{decimals}f}%" if chart.percent else f"{tick:z.{decimals}f}"
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>'
        yield f'<text class="tick" x="{right + 6}" y="{y + 4:.1f}">{escape(text)}</text>'
    for x, text in chart.labels:
        at = f'x="{_x(x):.1f}" y="{base + 19}"'
        yield f'<text class="tick day" {at}>{escape(text)}</text>'


def _dot(dot: Dot, ticks: Sequence[float]) -> Iterator[str]:
    x, y, name = _x(dot.x), _y(dot.value, ticks), escape(dot.name)
    if dot.low is not None and dot.high is not None:
        low, high = _y(dot.low, ticks), _y(dot.high, ticks)
        ends = "".join(f"M{x - 5:.1f} {end:.1f}h10" for end in (low, high))
        yield f'<path class="whisker {name}" d="M{x:.1f} {low:.1f}V{high:.1f}{ends}"/>'
    yield f'<path class="dot {name}" d="{_SHAPES.get(dot.name, _CIRCLE).format(x=x, y=y)}"/>'


_CIRCLE = "M{x:.1f} {y:.1f}m-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z"
_SHAPES = {
    "buy": "M{x:.1f} {y:.1f}m0 -6l6 11h-12Z",
    "sell": "M{x:.1f} {y:.1f}m0 6l6 -11h-12Z",
    "hold": "M{x:.1f} {y:.1f}m-5 -5h10v10h-10Z",
}


def _x(share: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * share


def _y(value: float, ticks: Sequence[float]) -> float:
    share = (value - ticks[0]) / (ticks[-1] - ticks[0])
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * share

"""Line charts as SVG, drawn on the server without styles or scripts of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 720, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 84, 10, 26
_Y_TICKS = 5
_LEAST_STEP = 0.01  # labels have no more than two decimals
_X_TICKS = 5
_HALF_LABEL = 20  # the label of a day is centred, and would be cut off nearer to the edge

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart; `name` is its CSS class. None in `values` is a gap."""

    name: str
    values: Values


@dataclass(frozen=True, slots=True)
class FanPoint:
    """A forecast `days` after the last day: its median and interval."""

    days: int
    middle: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Fan:
    """Forecasts from the value `start` of the last day, by ascending number of days."""

    start: float
    points: Sequence[FanPoint]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over days (ISO, ascending). `band` has the lower and upper edge of each day."""

    title: str
    dates: Sequence[str]
    lines: Sequence[Line]
    band: tuple[Values, Values] | None = None
    fan: Fan | None = None
    prefix: str = ""


class _Scale:
    """Positions in the picture of days and values."""

    def __init__(self, chart: Chart) -> None:
        self.first = date.fromisoformat(chart.dates[0])
        last = date.fromisoformat(chart.dates[-1])
        points = chart.fan.points if chart.fan else ()
        self.last = last + timedelta(days=max((point.days for point in points), default=0))
        self.span = max((self.last - self.first).days, 1)
        values = [value for line in chart.lines for value in line.values if value is not None]
        if chart.band:
            values += [value for edge in chart.band for value in edge if value is not None]
        values += [edge for point in points for edge in (point.lower, point.upper)]
        self.ticks = nice_ticks(min(values, default=0.0), max(values, default=1.0))
        self.low = self.ticks[0]
        self._base = HEIGHT - _BOTTOM
        self._per_unit = (self._base - _TOP) / (self.ticks[-1] - self.low)

    def x(self, days: int) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * days / self.span

    def y(self, value: float) -> float:
        return self._base - self._per_unit * (value - self.low)


def svg(chart: Chart) -> str:
    """Return the chart as an SVG element, a note in its place if it has no days.

    Where a table has its values, `page.js` shows those under the pointer, or by the keyboard.
    """
    if not chart.dates:
        return '<p class="empty">No prices in this range.</p>'
    scale = _Scale(chart)
    days = [(date.fromisoformat(day) - scale.first).days for day in chart.dates]
    places = [f"{scale.x(day):.1f}" for day in days]  # of all lines and edges
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'data-first="{chart.dates[0]}" data-span="{scale.span}" data-left="{_LEFT}" '
        f'data-right="{_RIGHT}" aria-label="{escape(chart.title)}">',
        *_axes(scale, chart.prefix),
    ]
    if chart.band:
        parts.append(_band(scale, places, *chart.band))
    if chart.fan:
        parts.append(_fan(scale, days[-1], chart.fan))
    parts += [
        f'<path class="line {line.name}" d="{_path(scale, places, line.values)}"/>'
        for line in chart.lines
    ]
    return "".join([*parts, "</svg>"])


def nice_ticks(low: float, high: float) -> list[float]:
    """Return evenly spaced round values that enclose `low` and `high`.

    The step is 1, 2 or 5 times a power of ten (Heckbert, "Nice numbers for graph labels", 1990).
    """
    if high - low <= 1e-9 * max(abs(high), 1.0):
        margin = max(abs(high) * 0.1, 0.01)
        low, high = max(low - margin, 0.0), high + margin
    raw = max((high - low) / (_Y_TICKS - 1), _LEAST_STEP)
    power = 10.0 ** floor(log10(raw))
    step = next(factor for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999) * power
    start, end = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [number * step for number in range(start, end + 1)]


def _axes(scale: _Scale, prefix: str) -> list[str]:
    right, base = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    step = scale.ticks[1] - scale.ticks[0]
    decimals = max(0, min(2, -floor(log10(step)))) if step < 1 else 0
    decimals = 2 if decimals and prefix else decimals  # $0.80, not $0.8
    parts = []
    for tick in scale.ticks:
        y = scale.y(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>')
        label = escape(f"{prefix}{tick:,.{decimals}f}")
        parts.append(f'<text class="tick" x="{right + 6}" y="{y + 4:.1f}">{label}</text>')
    for day in _day_ticks(scale):
        x = max(scale.x((day - scale.first).days), _HALF_LABEL)
        label = f"{day:%b} {day.year}" if scale.span > 300 else f"{day.day} {day:%b}"
        parts.append(f'<text class="tick day" x="{x:.1f}" y="{base + 18}">{label}</text>')
    return parts


def _day_ticks(scale: _Scale) -> list[date]:
    step = max(1, ceil(scale.span / _X_TICKS))
    offsets = range(step // 2, scale.span + 1, step)
    return [scale.first + timedelta(days=offset) for offset in offsets]


def _path(scale: _Scale, places: Sequence[str], values: Values) -> str:
    """Return the path of a line. A value without neighbours is a short dash, or it would vanish."""
    parts, pen, y = [], "M", scale.y
    for number, (place, value) in enumerate(zip(places, values, strict=True)):
        if value is None:
            pen = "M"
            continue
        parts.append(f"{pen}{place} {y(value):.1f}")
        if pen == "M":
            following = values[number + 1] if number + 1 < len(values) else None
            if following is None:
                parts.append("h.1")
            pen = "L"
    return "".join(parts)


def _band(scale: _Scale, places: Sequence[str], lower: Values, upper: Values) -> str:
    """Return the area between the edges, in one piece for each run of days that have both."""
    runs: list[list[tuple[str, float, float]]] = [[]]
    for place, low, high in zip(places, lower, upper, strict=True):
        if low is None or high is None:
            runs.append([])
        else:
            runs[-1].append((place, low, high))
    pieces, y = [], scale.y
    for run in runs:
        if run:
            there = [f"{place} {y(high):.1f}" for place, _, high in run]
            back = [f"{place} {y(low):.1f}" for place, low, _ in reversed(run)]
            pieces.append(f"M{'L'.join([*there, *back])}Z")
    return f'<path class="band" d="{"".join(pieces)}"/>'


def _fan(scale: _Scale, last: int, fan: Fan) -> str:
    def line(values: Sequence[float]) -> list[str]:
        days = [last + point.days for point in fan.points]
        places = zip(days, values, strict=True)
        return [f"{scale.x(day):.1f} {scale.y(value):.1f}" for day, value in places]

    start = f"{scale.x(last):.1f} {scale.y(fan.start):.1f}"
    upper, middle, lower = (
        line([getattr(point, name) for point in fan.points])
        for name in ("upper", "middle", "lower")
    )
    return (
        f'<path class="fan" d="M{"L".join([start, *upper, *reversed(lower)])}Z"/>'
        f'<path class="line forecast" d="M{"L".join([start, *middle])}"/>'
    )

"""Parts of Vega-Lite's specifications of plots.

The page that shows a plot draws it, in the width that it has. Numbers that are not finite, which
JSON does not have, are left out.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

Spec = dict[str, Any]

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_MOST_LABELS = 7
_MONTHS_FROM = 200  # days of an axis that is labelled by month
_DASHED = {"type": "rule", "strokeDash": [4, 3]}
_CONFIG: Mapping[str, Any] = {
    "background": "transparent",
    "view": {"stroke": None},
    "title": {"anchor": "start", "fontSize": 14, "fontWeight": "normal"},
    "axis": {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal"},
    "axisX": {"grid": False},
    "axisY": {"gridColor": "#e6e9ed"},
    "legend": {"orient": "top", "labelFontSize": 11, "titleFontSize": 11, "title": None},
    "line": {"strokeWidth": 2},
}


def plot(title: str, height: int, layers: list[Spec], rows: list[Spec], subtitle: str = "") -> Spec:
    """Return a plot of the rows; a title of over 40 letters would not fit on a telephone."""
    return {
        "$schema": _SCHEMA,
        "title": {"text": title, "subtitle": subtitle},
        "width": "container",
        "height": height,
        "data": {"values": rows},
        "layer": layers,
        "config": dict(_CONFIG),
    }


def line_at(axis: str, value: float, colour: str) -> Spec:
    return {"mark": _DASHED | {"color": colour}, "encoding": {axis: {"datum": value}}}


def quantity(
    field: str, title: str | None = None, scale: Mapping[str, Any] | None = None, **axis: Any
) -> Spec:
    """Return a channel of numbers; `axis` are properties of its axis."""
    found = {"field": field, "type": "quantitative", "axis": {"title": title, **axis}}
    return found | ({"scale": dict(scale)} if scale else {})


def colours(field: str, pairs: Iterable[tuple[str, str]]) -> Spec:
    by_name = dict(pairs)
    scale = {"domain": list(by_name), "range": list(by_name.values())}
    return {"field": field, "type": "nominal", "scale": scale}


def days_axis(days: Sequence[date]) -> Spec:
    """Return a scale of days that labels at most seven, or the first days of months."""
    first, last = min(days, default=date.min), max(days, default=date.min)
    shown = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    monthly = len(shown) > _MONTHS_FROM
    if monthly:
        shown = [day for day in shown if day.day == 1]
    axis = {
        "title": None,
        "values": iso(shown[:: max(1, math.ceil(len(shown) / _MOST_LABELS))]),
        "format": "%b %Y" if monthly else "%-d %b",
        "labelOverlap": "greedy",
    }
    # In local time a day would begin, and be labelled, as the day before.
    return {"field": "day", "type": "temporal", "scale": {"type": "utc"}, "axis": axis}


def days_line(
    days: Sequence[date], y: Spec, mark: Mapping[str, Any] | None = None, **channels: Spec
) -> Spec:
    """Return a line over days. A single one is a point, since no line would show it.

    `mark` are properties of the line, and `channels` those besides x and y.
    """
    shown = {"type": "line", "point": len(days) == 1, **(mark or {})}
    return {"mark": shown, "encoding": {"x": days_axis(days), "y": y, **channels}}


def rows_of(**columns: Sequence[Any]) -> list[Spec]:
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def iso(days: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in days]


def finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
